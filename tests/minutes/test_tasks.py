"""Tasks: whose they are, when they are overdue, what became of them."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from meetings_server.database import Database
from minutes.tasks import (
    FollowUp,
    ListedTask,
    TaskFilter,
    TaskState,
    UnknownTask,
    follow_up,
    tasks_for,
)
from rooms.hierarchy import subtree_of
from rooms.kernel import FieldInvalid, civil_day
from rooms.policies import NotPermitted
from tests.written_minutes import Held, held_meeting, issued


@pytest.fixture
def held(db: Database, tmp_path: Path) -> Held:
    held = held_meeting(db, tmp_path)
    with db.transaction() as session:
        issued(session, held)
    return held


def listed(session: Session, held: Held, who: str, on: date, **wanted: object) -> list[ListedTask]:
    return tasks_for(session, held.city.actors[who], TaskFilter(**wanted), on, 50)  # type: ignore[arg-type]  # fields by name


def test_the_state_follows_from_the_days(db: Database, held: Held) -> None:
    today = civil_day(held.now)
    with db.transaction() as session:
        first, second = listed(session, held, "thuky", today)
        assert (first.state, first.lead, first.coordinating) == (
            TaskState.OPEN,
            "Sở Nội vụ",
            ("Quận Đống Đa", "Phường Văn Miếu"),
        )
        assert second.coordinating == ()
        later = first.deadline + timedelta(days=1)
        assert listed(session, held, "thuky", first.deadline)[0].state is TaskState.OPEN
        overdue = listed(session, held, "thuky", later, state=TaskState.OVERDUE)
        assert [task.n for task in overdue] == [1]
        assert [task.n for task in listed(session, held, "thuky", later, overdue=False)] == [2]
        actor = held.city.actors["thuky.snv"]
        done = FollowUp("Đã hoàn thành.", today)
        follow_up(session, actor, first.id, done, held.now)
        (finished,) = listed(session, held, "thuky", later, state=TaskState.DONE)
        assert finished.done_on == today
        assert [note[1:3] for note in finished.notes] == [("Trần Minh Châu", "Đã hoàn thành.")]
        follow_up(session, actor, first.id, FollowUp(reopen=True), held.now)
        assert listed(session, held, "thuky", later)[0].state is TaskState.OVERDUE


def test_tasks_by_unit_and_below(db: Database, held: Held) -> None:
    today = civil_day(held.now)
    units = held.city.units
    with db.reader() as session:
        for code, places in (("01", [1, 2]), ("01-SNV", [1]), ("006", [1, 2]), ("00181", [1])):
            found = listed(session, held, "thuky", today, within=subtree_of(units[code], today))
            assert [task.n for task in found] == places, code
        assert listed(session, held, "thuky", today, within=subtree_of(units["001"], today)) == []


def test_who_follows_up(db: Database, held: Held) -> None:
    today = civil_day(held.now)
    with db.transaction() as session:
        first = listed(session, held, "thuky", today)[0]
        for who in ("thuky", "thuky.snv", "lanhdao"):
            assert listed(session, held, who, today)[0].may_follow_up, who
            follow_up(session, held.city.actors[who], first.id, FollowUp("Đang làm"), held.now)
        for who in ("vanthu.vanmieu", "thuky.dongda", "truc.cattlinh"):
            assert not listed(session, held, who, today)[0].may_follow_up, who
            with pytest.raises(NotPermitted):
                follow_up(session, held.city.actors[who], first.id, FollowUp("x"), held.now)


def test_bad_input(db: Database, held: Held) -> None:
    today = civil_day(held.now)
    with db.transaction() as session:
        first = listed(session, held, "thuky", today)[0]
        for said in (
            FollowUp(),
            FollowUp("x" * 2001),
            FollowUp("a\x00"),
            FollowUp(done_on=today + timedelta(days=1)),
            FollowUp(done_on=today - timedelta(days=1)),
        ):
            with pytest.raises(FieldInvalid):
                follow_up(session, held.city.secretary, first.id, said, held.now)
        with pytest.raises(UnknownTask):
            follow_up(session, held.city.secretary, 999_999, FollowUp("x"), held.now)
