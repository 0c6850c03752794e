"""Reorganising Hà Nội as in July 2025 with a full calendar, measured with everything the commit does.

    python -m tests.load.reorganise [--meetings 2000] [--coming 500] [--url sqlite:///…] [--profile]

All 579 units of January 2025 with a bridge point each are invited to every meeting, and the letters of
the coming ones are in the outbox. Prints the seconds of the preview, of applying the plan for a day to
come (units, rights, invitations, rooms, history, mail, record), of the day itself, and of taking the
plan back, with the number of statements; then what was counted afterwards.
"""

import argparse
import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, String, cast, func, insert, literal, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.mail.outbox import DeliveryState, OutboxDelivery, OutboxMessage
from meetings_server.migrations import migrate
from rooms.booking import Occupancy
from rooms.bridge_points import BridgePoint
from rooms.catalogue import read_shipped
from rooms.catalogue.successions import read_shipped_plan
from rooms.endpoints import EndpointKind
from rooms.hierarchy import Unit, import_units
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, MeetingKind, MeetingState, Participation
from rooms.people import NewPerson, Role, add_person, grant_role
from rooms.policies import Actor
from rooms.reorganisation import apply, come_into_force, make_plan, preview, take_back
from tests.counting import counted

EVERYONE = [{"include": "level", "level": level} for level in ("department", "district", "ward")]
AHEAD = timedelta(days=10)
"""From now to the day of the plan; the coming meetings are later."""


def settle(database: Database, now: datetime) -> Actor:
    """The units of January with an address and a point each, and an administrator."""
    today = civil_day(now)
    with database.transaction() as session:
        rows = [
            replace(row, email=f"vanthu.{row.code.lower()}@hanoi.example")
            for row in read_shipped("hanoi-2025-01")
        ]
        import_units(session, rows, date(2025, 1, 1))
        columns = ["unit_id", "name", "endpoint_kind", "endpoint_address"]
        columns += ["technician_name", "technician_phone"]
        session.execute(
            insert(BridgePoint).from_select(
                columns,
                select(
                    Unit.id,
                    literal("Phòng họp ").concat(Unit.name),
                    literal(EndpointKind.NONE.value),
                    literal(""),
                    literal(""),
                    literal(""),
                ),
            )
        )
        home = session.scalars(select(Unit.id).where(Unit.code == "01")).one()
        person = add_person(session, NewPerson("quantri", "Đinh Khánh Vân"), home, today)
        grant_role(session, person.id, Role.ADMINISTRATOR, home, today - timedelta(days=30))
        return Actor(person.id, person.name, home)


def fill(database: Database, actor: Actor, count: int, coming: int, now: datetime) -> None:
    """`count` meetings of all points, `coming` of them after the day of the plan, two hours each."""
    with database.transaction() as session:
        main = session.scalars(
            select(BridgePoint.id).where(BridgePoint.unit_id == actor.unit_id)
        ).one()
        first = now + AHEAD + timedelta(days=1)
        meetings = []
        for number in range(count):
            order = number - (count - coming)
            at = first + timedelta(hours=4 * order)
            if order < 0:
                at = now + timedelta(hours=4 * order)
            meetings.append(
                {
                    "id": number + 1,
                    "uid": f"load-{number}",
                    "title": f"Họp số {number}",
                    "folded": f"hop so {number}",
                    "kind": MeetingKind.THEMATIC.value,
                    "state": (MeetingState.ENDED if order < 0 else MeetingState.SCHEDULED).value,
                    "host_unit_id": actor.unit_id,
                    "main_point_id": main,
                    "chair_id": actor.person_id,
                    "starts_at": at,
                    "ends_at": at + timedelta(hours=2),
                    "timezone": "Asia/Ho_Chi_Minh",
                    "setup_minutes": 30,
                    "clearing_minutes": 15,
                    "audience": EVERYONE,
                    "created_by": actor.person_id,
                    "created_at": now - timedelta(days=400),
                    "scheduled_at": now - timedelta(days=1),
                }
            )
        session.execute(insert(Meeting), meetings)
        _invite(session, main, count - coming)


def _invite(session: Session, main: int, held: int) -> None:
    """Invitations, held rooms and letters, each in one statement."""
    session.execute(
        insert(Participation).from_select(
            ["meeting_id", "unit_id", "point_id", "is_main", "invited_at"],
            select(
                Meeting.id,
                BridgePoint.unit_id,
                BridgePoint.id,
                BridgePoint.id == main,
                Meeting.scheduled_at,
            ).join_from(Meeting, BridgePoint, literal(value=True)),
        )
    )
    coming = Meeting.id > held
    session.execute(
        insert(Occupancy).from_select(
            ["meeting_id", "point_id", "starts_at", "ends_at"],
            select(Meeting.id, BridgePoint.id, Meeting.starts_at, Meeting.ends_at)
            .join_from(Meeting, BridgePoint, literal(value=True))
            .where(coming),
        )
    )
    session.execute(
        insert(OutboxMessage).from_select(
            ["key", "kind", "unit_id", "meeting_id", "subject", "facts", "created_at"],
            select(
                literal("load:").concat(cast(Meeting.id, String)),
                literal("invitation"),
                Meeting.host_unit_id,
                Meeting.id,
                Meeting.title,
                literal({}, JSON),
                Meeting.scheduled_at,
            ).where(coming),
        )
    )
    columns = ["message_id", "recipient", "unit_id", "participation_id", "name", "address"]
    columns += ["language", "own", "state", "due_at"]
    session.execute(
        insert(OutboxDelivery).from_select(
            columns,
            select(
                OutboxMessage.id,
                literal("invitation:").concat(cast(Participation.id, String)),
                Participation.unit_id,
                Participation.id,
                Unit.name,
                Unit.email,
                literal("vi"),
                literal({}, JSON),
                literal(DeliveryState.SENT.value),
                OutboxMessage.created_at,
            )
            .join_from(
                OutboxMessage, Participation, Participation.meeting_id == OutboxMessage.meeting_id
            )
            .join(Unit, Unit.id == Participation.unit_id),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--meetings", type=int, default=2000)
    parser.add_argument("--coming", type=int, default=500)
    parser.add_argument("--url", help="an empty database; a SQLite file otherwise")
    parser.add_argument(
        "--profile", action="store_true", help="tell where applying spends its time"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'load.db'}"
        migrate(url)
        database = Database(url, [apply_effects])
        now = utcnow()
        actor = settle(database, now)
        fill(database, actor, arguments.meetings, arguments.coming, now)
        run(database, actor, now, profiled=arguments.profile)
        database.dispose()


def run(database: Database, actor: Actor, now: datetime, *, profiled: bool) -> None:
    plan = make_plan(
        read_shipped("hanoi-2025-07"), read_shipped_plan("reorganisation-hanoi-2025-07-01")
    )
    day = civil_day(now + AHEAD)
    told: dict[str, int] = {}

    def timed(what: str, work: Callable[[], Any]) -> Any:
        began, worked = time.perf_counter(), time.process_time()
        with counted(database) as statements:
            done = work()
        seconds, worked = time.perf_counter() - began, time.process_time() - worked
        name = database.engine.dialect.name
        print(
            f"{what:<18} {name:<11} {seconds:6.2f} s  of it working {worked:6.2f} s"
            f"  statements {len(statements)}",
            flush=True,
        )
        return done

    def look() -> None:
        with database.reader() as session:
            preview(session, actor, plan, day, now)

    def tell(_done: int, _total: int, stage: str) -> None:
        told[stage] = told.get(stage, 0) + 1

    def apply_plan(at: datetime) -> int:
        with database.transaction() as session:
            return apply(
                session,
                actor,
                plan,
                day,
                at,
                name="Hà Nội 2025-07",
                point_name="Điểm cầu {unit}",
                progress=tell,
            ).id

    def back(reorganisation_id: int) -> None:
        with database.transaction() as session:
            take_back(session, actor, reorganisation_id, now + timedelta(minutes=1))

    def come() -> None:
        with database.transaction() as session:
            come_into_force(session, day, now + AHEAD)

    timed("preview", look)
    profile = cProfile.Profile()
    with profile if profiled else nullcontext():
        first = timed("apply", lambda: apply_plan(now))
    timed("take back", lambda: back(first))
    timed("apply again", lambda: apply_plan(now + timedelta(minutes=2)))
    timed("come into force", come)
    if profiled:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
    with database.reader() as session:
        per_meeting = session.execute(
            select(func.count())
            .select_from(Participation)
            .join(Meeting, Meeting.id == Participation.meeting_id)
            .where(Participation.withdrawn_at.is_(None), Meeting.starts_at > now)
            .group_by(Meeting.id)
        ).scalars()
        invited = sorted(set(per_meeting))
    print(f"points per coming meeting {invited}, told of progress {sum(told.values())} times")


if __name__ == "__main__":
    main()
