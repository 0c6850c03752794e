"""The demonstration: what it begins with, and the meeting that runs by itself."""

import random
import shutil
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from meetings_server.database import Database
from meetings_server.demo.day import MOVING, meeting_of_the_day
from meetings_server.demo.people import ACCOUNTS, PASSWORD
from meetings_server.demo.seed import seed
from meetings_server.demo.simulation import LENGTH, Step, plan
from meetings_server.effects import apply_effects
from meetings_server.identity.tokens import ApiToken
from meetings_server.jobs import run_long_sweep, run_sweep
from meetings_server.mail.outbox import OutboxDelivery, OutboxMessage
from meetings_server.migrations import migrate
from meetings_server.sweeps import meeting_reminders, receipts
from minutes.circulation import late_receipts
from minutes.directives import Directive
from minutes.meeting_minutes import Minutes
from minutes.papers import papers_of
from rooms.attendance import AttendanceEntry
from rooms.catalogue import read_shipped
from rooms.faults import Fault
from rooms.hierarchy import Unit
from rooms.kernel import CIVIL_ZONE, utcnow
from rooms.meetings import Meeting, MeetingState, Participation, invited
from rooms.outages import Outage
from rooms.people import Person
from rooms.roll_call import present_and_absent
from rooms.rollup import state_at
from tests.conftest import StartServer
from tests.programs import Program

PATIENCE = 120
"""Seconds for the demonstration to be ready where other tests run beside; alone it takes four."""
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def moving(running_server: StartServer, tmp_path: Path, pace: str) -> Program:
    """The demonstration at a pace, in a folder that outlives it."""
    folder = str(tmp_path / "server-demo" / "data")
    return running_server("demo", "--pace", pace, "--data", folder, seconds=PATIENCE)


def opened(program: Program) -> Database:
    return Database(f"sqlite:///{program.data / 'meetings.db'}")


def until(truth: object, seconds: float = 90) -> None:
    assert callable(truth)
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.1)


def reported(database: Database) -> Counter[str]:
    """States of the points of the moving meeting."""
    with database.reader() as session:
        meeting = session.scalars(
            select(Meeting.id).where(Meeting.title == MOVING).order_by(Meeting.id.desc())
        ).first()
        assert meeting is not None
        return Counter(point.state for point in state_at(session, meeting))


def test_the_demonstration_moves_through_the_api_and_leaves_visitors_their_points(
    running_server: StartServer, tmp_path: Path
) -> None:
    program = moving(running_server, tmp_path, "60")
    database = opened(program)
    until(lambda: reported(database)["present"] > 400)
    with database.reader() as session:
        meeting = session.scalars(select(Meeting).where(Meeting.title == MOVING)).one()
        assert meeting.state == MeetingState.IN_PROGRESS.value or meeting.started_at is None
        asked = {account.unit for account in ACCOUNTS}
        codes = dict(session.execute(select(Unit.id, Unit.code)).all())
        left_alone = {
            codes[point.unit_id]
            for point in state_at(session, meeting.id)
            if codes[point.unit_id] in asked and point.state == "invited"
        }
        sources = set(
            session.scalars(
                select(AttendanceEntry.source).where(
                    AttendanceEntry.meeting_id == meeting.id,
                    AttendanceEntry.point_id.is_not(None),
                )
            )
        )
    assert left_alone == asked
    # Besides the play: what was asked on pages, and who joined the video room.
    assert sources == {"api", "page", "video"}
    until(lambda: _state(database) == MeetingState.ENDED.value, 60)
    assert reported(database)["present"] > 550
    database.dispose()


def _state(database: Database) -> str:
    with database.reader() as session:
        return str(session.scalars(select(Meeting.state).where(Meeting.title == MOVING)).one())


def test_it_stops_in_the_middle_and_goes_on_after_a_restart(
    running_server: StartServer, tmp_path: Path
) -> None:
    program = moving(running_server, tmp_path, "30")
    database = opened(program)
    until(lambda: sum(reported(database).values()) - reported(database)["invited"] > 20)
    program.stop()
    before = reported(database)
    program = moving(running_server, tmp_path, "30")
    until(lambda: reported(database)["invited"] < before["invited"])
    with database.reader() as session:
        held = session.scalar(select(func.count()).where(Meeting.title == MOVING))
        tokens = session.scalars(
            select(ApiToken.name).where(ApiToken.name == "demonstration")
        ).all()
    assert held == 1
    with database.reader() as session:
        simulated = session.scalars(
            select(Person.name).where(Person.name.contains("mô phỏng"))
        ).all()
    assert len(tokens) <= 4
    assert len(simulated) == 3
    database.dispose()


def test_nothing_moves_at_pace_0(running_server: StartServer, tmp_path: Path) -> None:
    program = moving(running_server, tmp_path, "0")
    database = opened(program)
    before = reported(database)
    time.sleep(1)
    assert reported(database) == before
    assert before["invited"] == before.total() - 3
    database.dispose()


def test_serve_knows_nothing_of_it(running_server: StartServer) -> None:
    program = running_server("serve")
    with urllib.request.urlopen(f"{program.url}/login") as page:  # noqa: S310 -- http on 127.0.0.1
        assert PASSWORD not in page.read().decode()
    assert "demonstration" not in program.log()


@pytest.fixture
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Database:
    path = tmp_path_factory.mktemp("seeded") / "meetings.db"
    migrate(f"sqlite:///{path}")
    database = Database(f"sqlite:///{path}", [apply_effects])
    seed(database, read_shipped("hanoi-2021"), NOON)
    return database


def test_one_meeting_is_over_and_has_its_roll(seeded: Database) -> None:
    with seeded.reader() as session:
        over = session.scalars(
            select(Meeting).where(Meeting.state == MeetingState.ENDED.value)
        ).one()
        roll = present_and_absent(session, over.id)
    assert over.ended_at is not None
    assert over.ended_at < NOON
    assert len(roll.present) + len(roll.absent) == 22 + 30 + 21 + 1
    assert len(roll.present) > 55
    assert any(unit.late for unit in roll.present)
    assert roll.absent


def test_there_is_something_to_see_everywhere(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'meetings.db'}"
    migrate(url)
    database = Database(url, [apply_effects])
    seed(database, read_shipped("hanoi-2021"), NOON, tmp_path / "files")
    with database.reader() as session:
        states = Counter(session.scalars(select(Meeting.state)))
        next_one = session.scalars(
            select(Meeting).where(Meeting.title.startswith("Giao ban"))
        ).one()
        replies = Counter(session.scalars(select(Participation.reply).where(invited(next_one.id))))
        minutes = session.scalars(select(Minutes)).one()
        late = [one for one in late_receipts(session, NOON) if one.overdue]
        assert len(papers_of(session, next_one.id)) == 1
        assert session.scalar(select(func.count()).select_from(Outage)) == 3
        assert session.scalar(select(func.count()).select_from(Fault)) == 6
    # A year of meetings that reports tell of, and one with minutes.
    assert states.pop("concluded") == 11 * (2 + 4) + 1
    assert states == {"ended": 1, "scheduled": 3, "draft": 1}
    assert 0.5 < replies["accepted"] / replies.total() < 0.85
    assert replies["declined"] >= 1
    assert replies["pending"] >= 5
    assert minutes.state == "issued"
    assert minutes.pdf_sha256 is not None
    assert 1 <= len(late) <= 6
    run_long_sweep(database, "reminders", meeting_reminders.sweep, NOON)
    run_sweep(database, "reminders", receipts.sweep, NOON)
    with database.reader() as session:
        reminded = session.scalar(
            select(func.count())
            .select_from(OutboxDelivery)
            .join(OutboxMessage)
            .where(OutboxMessage.kind.contains("reminder") | OutboxMessage.kind.contains("due"))
        )
    assert reminded is not None
    assert reminded < 60
    database.dispose()


def test_a_folder_that_is_used_again_gets_a_new_meeting_of_the_day(seeded: Database) -> None:
    first = meeting_of_the_day(seeded, NOON)
    assert meeting_of_the_day(seeded, NOON + timedelta(minutes=3)) == first
    second = meeting_of_the_day(seeded, NOON + timedelta(days=2))
    assert second is not None
    assert second != first
    with seeded.reader() as session:
        starts = session.scalars(
            select(Meeting.starts_at).where(Meeting.title == MOVING).order_by(Meeting.id)
        ).all()
    assert [start - NOON for start in starts] == [
        timedelta(minutes=5),
        timedelta(days=2, minutes=5),
    ]


def test_the_plan_is_plausible() -> None:
    points = list(range(1, 629))
    start = NOON + timedelta(minutes=6)
    steps = plan(points, start, NOON, random.Random(1))  # noqa: S311 -- a play
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert steps[0].at >= NOON
    assert steps[0].at < NOON + timedelta(seconds=10)
    assert [(s.act, s.at) for s in steps if s.act] == [("start", start), ("end", start + LENGTH)]
    first: dict[int, datetime] = {}
    for step in steps:
        if step.point_id and step.said and step.said.state == "present":
            first.setdefault(step.point_id, step.at)
    on_time = [at for at in first.values() if at <= start + timedelta(minutes=1)]
    assert 0.85 < len(on_time) / len(points) < 0.95
    assert 0.05 < (len(first) - len(on_time)) / len(points) < 0.12
    assert {s.said.state for s in steps if s.said} == {"ready", "present", "lost", "needs_help"}
    for state in ("lost", "needs_help"):
        assert all(
            _comes_back(steps, step) for step in steps if step.said and step.said.state == state
        )


def _comes_back(steps: list[Step], lost: Step) -> bool:
    later = [
        step.said.state
        for step in steps
        if step.point_id == lost.point_id and step.said and step.at > lost.at
    ]
    return not later or "present" in later


@pytest.mark.slow
def test_it_can_be_seeded_just_after_midnight(migrated_sqlite: Path, tmp_path: Path) -> None:
    """What happened two hours ago happened on another day."""
    shutil.copyfile(migrated_sqlite, tmp_path / "night.db")
    database = Database(f"sqlite:///{tmp_path / 'night.db'}", [apply_effects])
    night = utcnow().astimezone(CIVIL_ZONE).replace(hour=0, minute=2)
    seed(database, read_shipped("hanoi-2021"), night.astimezone(UTC), tmp_path / "files")
    with database.reader() as session:
        assert session.scalar(select(func.count()).select_from(Directive)) == 4
    database.dispose()
