"""Booking a meeting of all units with 2,000 other meetings in the calendar, measured in the domain.

    python -m tests.load.booking [--meetings 2000] [--runs 7] [--url sqlite:///…]

Prints milliseconds for `book` + `schedule` + the effects of the commit (resolve the audience, look for
clashes, participations, outbox rows), the number of statements, and the share of the commit. A second
row is the same for a booking that is refused because of a clash, with the next free start.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.demo.seed import seed
from meetings_server.effects import apply_effects
from meetings_server.migrations import migrate
from rooms.audience import Rule
from rooms.booking import BookingConflict, Occupancy
from rooms.bridge_points import BridgePoint
from rooms.catalogue import read_shipped
from rooms.hierarchy import Unit
from rooms.kernel import CIVIL_ZONE, utcnow
from rooms.meetings import Meeting, MeetingKind, MeetingState, Participation
from rooms.people import Person
from rooms.policies import Actor
from rooms.scheduling import MeetingRequest, book, schedule
from tests.counting import counted

EVERYONE = [
    Rule(include=True, by="level", level=level) for level in ("department", "district", "ward")
]


def fill(database: Database, count: int, start: datetime) -> None:
    """`count` meetings of 20 to 60 points each over the coming year, one after another per hour."""
    with database.transaction() as session:
        host, chair, creator = _people(session)
        points = session.execute(select(BridgePoint.id, BridgePoint.unit_id)).all()
        first = 1_000_000
        meetings, participations, held = [], [], []
        for number in range(count):
            at = start + timedelta(hours=4 * number)
            meetings.append(
                {
                    "id": first + number,
                    "uid": f"load-{number}",
                    "title": f"Họp số {number}",
                    "folded": f"hop so {number}",
                    "kind": MeetingKind.THEMATIC.value,
                    "state": MeetingState.SCHEDULED.value,
                    "host_unit_id": host,
                    "main_point_id": points[0][0],
                    "chair_id": chair,
                    "starts_at": at,
                    "ends_at": at + timedelta(hours=2),
                    "timezone": "Asia/Ho_Chi_Minh",
                    "setup_minutes": 30,
                    "clearing_minutes": 15,
                    "audience": [],
                    "created_by": creator,
                    "created_at": start,
                }
            )
            for index in range(20 + number % 40):
                point_id, unit_id = points[(number * 7 + index) % len(points)]
                participations.append(
                    {
                        "meeting_id": first + number,
                        "unit_id": unit_id,
                        "point_id": point_id,
                        "invited_at": start,
                    }
                )
                held.append(
                    {
                        "meeting_id": first + number,
                        "point_id": point_id,
                        "starts_at": at,
                        "ends_at": at + timedelta(hours=2),
                    }
                )
        session.execute(insert(Meeting), meetings)
        session.execute(insert(Participation), participations)
        session.execute(insert(Occupancy), held)


def _people(session: Session) -> tuple[int, int, int]:
    host = session.scalars(select(Unit.id).where(Unit.code == "01")).one()
    chair = session.scalars(select(Person.id).where(Person.username == "lanhdao")).one()
    creator = session.scalars(select(Person.id).where(Person.username == "thuky")).one()
    return host, chair, creator


def measure(work: Callable[[], None], runs: int) -> list[float]:
    """Milliseconds of each run."""
    figures = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        figures.append(1000 * (time.perf_counter() - began))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--meetings", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--url", help="an empty database; a SQLite file otherwise")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'load.db'}"
        migrate(url)
        database = Database(url, [apply_effects])
        now = utcnow()
        seed(database, read_shipped("hanoi-2021"), now)
        fill(database, arguments.meetings, now)
        run(database, now, arguments.runs)
        database.dispose()


def run(database: Database, now: datetime, runs: int) -> None:
    with database.reader() as session:
        host, chair, creator = _people(session)
        points = session.scalars(select(BridgePoint.id).where(BridgePoint.unit_id == host))
        main_point = next(iter(points))
    actor = Actor(creator, "", host)
    # Far behind the filled year, so that only the wanted clash happens.
    starts = iter(
        datetime(now.year + 1, 12, 1, 8, tzinfo=CIVIL_ZONE) + timedelta(days=number)
        for number in range(1000)
    )

    def request(start: datetime) -> MeetingRequest:
        return MeetingRequest(
            title="Họp toàn Thành phố",
            kind=MeetingKind.CONFERENCE,
            host_unit_id=host,
            main_point_id=main_point,
            chair_id=chair,
            starts_at=start,
            ends_at=start + timedelta(hours=2),
            audience=EVERYONE,
        )

    def book_one(start: datetime | None = None) -> None:
        with database.transaction() as session:
            booked = book(session, actor, request(start or next(starts)), now)
            schedule(session, actor, booked.meeting.id, now)

    def refused() -> None:
        with pytest.raises(BookingConflict) as told:
            book_one(taken)
        assert told.value.next_free is not None

    book_one(taken := next(starts))
    for name, work in (("book 632 units", book_one), ("refuse a clash", refused)):
        with counted(database) as statements:
            figures = measure(work, runs)
        print(
            f"{name:<16} {database.engine.dialect.name:<11} median {statistics.median(figures):6.1f} ms"
            f"  min {min(figures):6.1f}  max {max(figures):6.1f}  statements {len(statements) // runs}"
        )


if __name__ == "__main__":
    main()
