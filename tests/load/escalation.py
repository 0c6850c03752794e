"""The steps of one meeting with a nation's 31,097 points, all silent, an operator with a browser at each unit.

    python -m tests.load.escalation [--points 31097] [--url sqlite:///…]

Runs the sweep one hour, 30 minutes and 10 minutes before the start, at the start, and once more when half
of the points have come. Prints for each sweep the people told, the lines of the ledger, the statements,
the seconds of CPU, and how long the longest of its transactions wrote: check-ins wait for that on SQLite.
`--url` is an empty database.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import event, func, insert, select

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.escalation import steps
from meetings_server.escalation.settling import settle
from meetings_server.jobs import run_long_sweep
from meetings_server.mail.outbox import OutboxDelivery
from meetings_server.migrations import migrate
from meetings_server.push.devices import PushDevice
from meetings_server.push.notices import NoticeReader
from rooms.attendance import CheckIn, Source
from rooms.check_ins import record_check_ins
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting
from rooms.people import Person, Role, RoleGrant
from tests.factories import City
from tests.nation import make_nation, national_meeting

MINUTE = timedelta(minutes=1)


def staff(db: Database, nation: City) -> None:
    """An operator at each unit."""
    today = civil_day(utcnow())
    with db.connection() as connection:
        connection.execute(
            insert(Person),
            [
                {
                    "username": f"truc.{code}",
                    "name": f"Cán bộ trực {code}",
                    "folded": f"can bo truc {code}",
                    "title": "Cán bộ trực điểm cầu",
                    "unit_id": unit,
                    "active": True,
                    "locale": "vi",
                }
                for code, unit in nation.units.items()
            ],
        )
        people = connection.execute(
            select(Person.id, Person.unit_id).where(Person.username.like("truc.%"))
        ).all()
        connection.execute(
            insert(RoleGrant),
            [
                {
                    "person_id": person,
                    "unit_id": unit,
                    "role": Role.OPERATOR.value,
                    "valid_from": today - timedelta(days=1),
                }
                for person, unit in people
            ],
        )
        connection.execute(
            insert(PushDevice),
            [
                {
                    "person_id": person,
                    "endpoint": f"https://push.example/{person}",
                    "public_key": "",
                    "auth_secret": "",
                    "user_agent": "",
                    "created_at": utcnow(),
                }
                for person, _ in people
            ],
        )


class Writing:
    """Watches a database: how many statements, and the seconds of the longest transaction that wrote."""

    def __init__(self, db: Database) -> None:
        self.statements = 0
        self.longest = 0.0
        self._began = 0.0
        self._wrote = False
        self._engine = db.engine
        self._watched: dict[str, Callable[..., None]] = {
            "begin": self._begin,
            "before_cursor_execute": self._execute,
            "checkin": self._returned,
        }

    def __enter__(self) -> Self:
        for name, note in self._watched.items():
            event.listen(self._engine, name, note)
        return self

    def __exit__(self, *_: object) -> None:
        for name, note in self._watched.items():
            event.remove(self._engine, name, note)

    def _begin(self, _connection: object) -> None:
        self._began, self._wrote = time.perf_counter(), False

    def _execute(
        self, _connection: object, _cursor: object, statement: str, *_rest: object
    ) -> None:
        self.statements += 1
        self._wrote |= statement.startswith(("INSERT", "UPDATE", "DELETE"))

    def _returned(self, *_: object) -> None:
        """The connection, after its commit."""
        if self._wrote:
            self.longest = max(self.longest, time.perf_counter() - self._began)


def sweep(db: Database, now: datetime) -> int:
    """The steps and what has been settled, without the reminders that go by mail the day before."""
    carried_out = steps.sweep(db, now)
    settle(db, now)
    return carried_out


def measured(db: Database, meeting: Meeting, minutes: int, what: str) -> None:
    before, began = _rows(db), (time.process_time(), time.perf_counter())
    with Writing(db) as writing:
        run_long_sweep(db, "load", sweep, meeting.starts_at - minutes * MINUTE)
    cpu, wall = time.process_time() - began[0], time.perf_counter() - began[1]
    told, lines = (now - then for now, then in zip(_rows(db), before, strict=True))
    print(
        f"{what:34} {told:7,} told {lines:7,} lines {writing.statements:4} statements"
        f" {cpu:6.2f} s CPU {wall:6.2f} s, writing {1_000 * writing.longest:5.0f} ms at the longest"
    )


def _rows(db: Database) -> Sequence[int]:
    with db.reader() as session:
        return [
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (NoticeReader, OutboxDelivery)
        ]


def half_come(db: Database, meeting: Meeting, nation: City) -> None:
    points = list(nation.points.values())[::2]
    at = meeting.starts_at + MINUTE
    who = nation.secretary.person_id
    for start in range(0, len(points), 1000):
        with db.connection() as connection:
            record_check_ins(
                connection,
                [
                    CheckIn(meeting.id, point, "present", who, Source.API)
                    for point in points[start : start + 1000]
                ],
                at,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--points", type=int, default=31_097)
    parser.add_argument("--url", default="")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{Path(folder) / 'load.db'}"
        migrate(url)
        db = Database(url.replace("postgresql://", "postgresql+psycopg://", 1), [apply_effects])
        now = utcnow()
        with db.transaction() as session:
            nation = make_nation(session, now, asked.points)
            meeting = national_meeting(session, nation, now)
        staff(db, nation)
        for minutes, what in (
            (60, "line tests, 60 minutes before"),
            (30, "points, 30 minutes before"),
            (10, "units above, 10 minutes before"),
            (0, "the host, at the start"),
        ):
            measured(db, meeting, minutes, what)
        half_come(db, meeting, nation)
        measured(db, meeting, -2, "settled, half have come")
        measured(db, meeting, -3, "nothing new")
        db.dispose()


if __name__ == "__main__":
    main()
