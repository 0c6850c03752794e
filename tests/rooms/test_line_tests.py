"""The line test before a meeting, its board, and go or no-go."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import select

from meetings_server.database import Database
from rooms.attendance import Source
from rooms.bridge_points import UnknownPoint
from rooms.faults import Fault, FaultKind
from rooms.go_decisions import DecidedMeanwhile, decide, decisions, standing_decision
from rooms.hierarchy import load_tree
from rooms.kernel import LARGEST_ID, FieldInvalid, utcnow
from rooms.line_test_faults import NoProblem, open_fault
from rooms.line_tests import (
    LineItem,
    LineTestClosed,
    LineTested,
    Outcome,
    Said,
    history,
    report_line_test,
    standing_test,
)
from rooms.meetings import Meeting, UnknownMeeting, WrongState
from rooms.notices import MeetingNotice
from rooms.policies import Actor, NotPermitted
from rooms.readiness import Narrowed, Readiness, lines_of, readiness
from rooms.rollup import Scope
from rooms.scheduling import cancel, change, end, postpone, request_of, start
from rooms.self_tests import Measured, attach, latest_of
from tests.counting import counted
from tests.factories import ALL, City, booked_meeting, make_city, make_hanoi, scheduled_meeting

WARD = "00181"
ITEMS = ("picture", "sound", "camera", "network", "backup_line")
# Questions that both databases answer alike.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ALL_OK: dict[str, Any] = dict.fromkeys(ITEMS, "ok")
GOOD = dict.fromkeys(("camera", "microphone", "speakers", "network"), "good")


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def _scheduled(db: Database, city: City, starts_in: timedelta = timedelta(minutes=50)) -> int:
    now = utcnow()
    with db.transaction() as session:
        return scheduled_meeting(session, city, now, starts_at=now + starts_in).id


def _say(
    db: Database,
    actor: Actor,
    meeting_id: int,
    point_id: int,
    now: datetime | None = None,
    **said: Any,
) -> str:
    """`sound="ok"`, or `sound=("problem", "note")`; gives the outcome."""
    told = {
        name: Said(*each) if isinstance(each, tuple) else Said(each) for name, each in said.items()
    }
    with db.transaction() as session:
        tested = LineTested(meeting_id, point_id, told, Source.API)
        return report_line_test(session, actor, tested, now or utcnow()).outcome


def test_each_statement_is_kept_and_the_last_counts(db: Database, city: City) -> None:
    told: list[MeetingNotice] = []
    db.hints.append(lambda events: told.extend(e for e in events if isinstance(e, MeetingNotice)))
    meeting_id = _scheduled(db, city, timedelta(days=4))
    operator, technician = city.actors["truc.vanmieu"], city.actors["kythuat"]
    point = city.points[WARD]

    # Days before check-in opens: rehearsals are made when there is time for them.
    assert _say(db, operator, meeting_id, point, picture="ok") == Outcome.PARTIAL
    assert _say(db, operator, meeting_id, point, sound=("problem", "Tiếng rè")) == Outcome.PROBLEM
    assert _say(db, operator, meeting_id, point, sound="problem", picture="ok") == Outcome.PROBLEM
    assert len(told) == 2, "what says nothing new tells nobody"
    assert told[-1].unit_ids == [city.units[WARD]]
    assert told[-1].facts == {"point": point, "outcome": "problem"}
    assert (
        _say(db, technician, meeting_id, point, sound="ok", camera="ok", network="ok") == "partial"
    )
    assert _say(db, operator, meeting_id, point, backup_line="none") == Outcome.READY

    with db.reader() as session:
        meeting = session.get_one(Meeting, meeting_id)
        standing = standing_test(session, meeting, point)
        assert standing is not None
        assert [getattr(standing, item) for item in ITEMS] == ["ok", "ok", "ok", "ok", "none"]
        assert standing.notes == {}
        lines = history(session, meeting, point)
        assert [(line.item, line.result, line.note, line.by) for line in reversed(lines)] == [
            ("picture", "ok", "", operator.name),
            ("sound", "problem", "Tiếng rè", operator.name),
            ("sound", "ok", "", technician.name),
            ("camera", "ok", "", technician.name),
            ("network", "ok", "", technician.name),
            ("backup_line", "none", "", operator.name),
        ]


@on_sqlite
def test_who_may_test_what_and_when(db: Database, city: City) -> None:
    meeting_id = _scheduled(db, city)
    point = city.points[WARD]
    operator = city.actors["truc.vanmieu"]
    refused: list[tuple[Callable[[], Any], type[Exception]]] = [
        (
            lambda: _say(db, city.actors["truc.cattlinh"], meeting_id, point, sound="ok"),
            NotPermitted,
        ),
        (lambda: _say(db, city.actors["lanhdao"], meeting_id, point, sound="ok"), NotPermitted),
        (lambda: _say(db, operator, meeting_id, LARGEST_ID, sound="ok"), UnknownPoint),
        (lambda: _say(db, operator, LARGEST_ID, point, sound="ok"), UnknownMeeting),
    ]
    for call, error in refused:
        with pytest.raises(error):
            call()
    for said, field, problem in (
        ({"sound": "loud"}, "sound", "unknown"),
        ({"sound": "none"}, "sound", "unknown"),
        ({"smell": "ok"}, "item", "unknown"),
        ({}, "item", "missing"),
        ({"sound": ("problem", "x" * 501)}, "sound", "too_long"),
        ({"sound": ("problem", "a\x00b")}, "sound", "control_characters"),
    ):
        with pytest.raises(FieldInvalid) as wrong:
            _say(db, operator, meeting_id, point, **said)
        assert (wrong.value.field, wrong.value.problem) == (field, problem)

    with db.transaction() as session:
        start(session, city.secretary, meeting_id, utcnow())
    assert _say(db, operator, meeting_id, point, sound="ok") == "partial", "while it runs, too"
    with db.transaction() as session:
        end(session, city.secretary, meeting_id, utcnow())
    with pytest.raises(LineTestClosed) as closed:
        _say(db, operator, meeting_id, point, picture="ok")
    assert closed.value.state == "ended"

    other = _scheduled(db, city, timedelta(days=3))
    with pytest.raises(LineTestClosed) as closed:
        _say(db, operator, other, point, now=utcnow() + timedelta(days=4), sound="ok")
    assert closed.value.state == "over", "nobody has opened it, and its time is over"
    with db.transaction() as session:
        cancel(session, city.secretary, other, "Trùng lịch", utcnow())
    with pytest.raises(LineTestClosed):
        _say(db, operator, other, point, sound="ok")
    with db.transaction() as session:
        draft = booked_meeting(session, city, utcnow(), starts_at=utcnow() + timedelta(days=9)).id
    with pytest.raises(UnknownMeeting):
        _say(db, operator, draft, point, sound="ok")


def test_two_at_the_same_time_lose_nothing(db: Database, city: City) -> None:
    meeting_id = _scheduled(db, city)
    point = city.points[WARD]
    ready = Barrier(len(ITEMS))

    def say(item: str) -> None:
        told: dict[str, Any] = {item: "ok"}
        ready.wait()
        _say(db, city.actors["truc.vanmieu"], meeting_id, point, **told)

    threads = [Thread(target=say, args=(item,)) for item in ITEMS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.reader() as session:
        meeting = session.get_one(Meeting, meeting_id)
        standing = standing_test(session, meeting, point)
        assert standing is not None
        assert (standing.outcome, standing.number) == ("ready", 5)
        assert sorted(line.number for line in history(session, meeting, point)) == [1, 2, 3, 4, 5]


@on_sqlite
def test_a_meeting_with_another_time_is_tested_again(db: Database, city: City) -> None:
    meeting_id = _scheduled(db, city, timedelta(days=5))
    operator, point = city.actors["truc.vanmieu"], city.points[WARD]
    _say(db, operator, meeting_id, point, sound=("problem", "Rè"), picture="ok")
    now = utcnow()
    with db.transaction() as session:
        decide(session, city.secretary, meeting_id, "go", "", now, after=0)
    with db.transaction() as session:
        meeting = session.get_one(Meeting, meeting_id)
        request = request_of(session, meeting, list(ALL))
        day = timedelta(days=1)
        request = replace(request, starts_at=request.starts_at + day, ends_at=request.ends_at + day)
        change(session, city.secretary, meeting_id, request, now, reason="Dời ngày")
    with db.reader() as session:
        meeting = session.get_one(Meeting, meeting_id)
        assert standing_test(session, meeting, point) is None
        assert standing_decision(session, meeting) is None
        assert (
            readiness(session, meeting, Scope(), load_tree(session, meeting.day)).total.untested
            == 9
        )
    assert _say(db, operator, meeting_id, point, picture="ok") == "partial", (
        "the sound is not known"
    )
    with db.reader() as session:
        meeting = session.get_one(Meeting, meeting_id)
        assert [(x.item, x.counts) for x in history(session, meeting, point)] == [
            ("picture", True),
            ("picture", False),
            ("sound", False),
        ]


def test_the_readiness_board_counts_and_lists(db: Database) -> None:
    """The same number of statements for 632 points as for nine."""
    with db.transaction() as session:
        hanoi = make_hanoi(session, utcnow())
    meeting_id = _scheduled(db, hanoi, timedelta(days=4))
    technician = hanoi.actors["kythuat"]
    _say(db, technician, meeting_id, hanoi.points["00178"], **ALL_OK)
    _say(db, technician, meeting_id, hanoi.points["01-SNV"], **ALL_OK)
    _say(db, technician, meeting_id, hanoi.points[WARD], sound=("problem", "Mất tiếng"))
    _say(db, technician, meeting_id, hanoi.points["006"], picture="ok")
    with db.reader() as session:
        meeting = session.get_one(Meeting, meeting_id)
        tree = load_tree(session, meeting.day)
        with counted(db) as statements:
            found = readiness(session, meeting, Scope(), tree)
            lines, total = lines_of(session, meeting, Scope(), Narrowed(), 0, 100)
        assert len(statements) == 2
        assert found.total == Readiness(points=632, ready=2, problem=1, partial=1, untested=628)
        assert found.levels["department"] == Readiness(points=22, ready=1, untested=21)
        dong_da = tree.node("006")
        assert found.units[dong_da.id] == Readiness(22, ready=1, problem=1, partial=1, untested=19)
        assert (len(lines), total) == (100, 632)
        assert [line.outcome for line in lines[:2]] == ["problem", "untested"]
        worst = lines[0]
        assert (worst.unit_code, worst.results["sound"], worst.notes, worst.phone) == (
            WARD,
            "problem",
            {"sound": "Mất tiếng"},
            "0912 345 678",
        )
        everything, _ = lines_of(session, meeting, Scope(), Narrowed())
        assert [line.outcome for line in everything[-3:]] == ["partial", "ready", "ready"]

        def codes(scope: Scope | None = None, **wanted: str) -> list[str]:
            narrowed, _ = lines_of(session, meeting, scope or Scope(), Narrowed(**wanted), 0, 100)
            return [line.unit_code for line in narrowed]

        assert codes(outcome="ready") == ["01-SNV", "00178"]
        assert codes(outcome="ready", level="ward") == ["00178"]
        assert codes(item="sound") == [WARD]
        assert codes(item="picture") == []
        assert codes(words="van mieu") == [WARD]
        assert len(codes(Scope((dong_da,)))) == 22


@on_sqlite
def test_a_problem_opens_one_fault(db: Database, city: City) -> None:
    meeting_id = _scheduled(db, city)
    operator, point = city.actors["truc.vanmieu"], city.points[WARD]

    def open_one(item: LineItem) -> int:
        with db.transaction() as session:
            return open_fault(
                session, operator, meeting_id, point, item, "Hỏng camera", Source.PAGE, utcnow()
            )

    _say(db, operator, meeting_id, point, camera="problem", sound=("problem", "Micro số 2 hỏng"))
    fault_id = open_one(LineItem.CAMERA)
    assert open_one(LineItem.CAMERA) == fault_id, "a second click opens no second fault"
    other = open_one(LineItem.SOUND)
    with pytest.raises(NoProblem):
        open_one(LineItem.NETWORK)
    with db.reader() as session:
        faults = session.execute(
            select(Fault.id, Fault.kind, Fault.text, Fault.meeting_id).order_by(Fault.id)
        ).all()
        assert faults == [
            (fault_id, FaultKind.PICTURE, "Hỏng camera", meeting_id),
            (other, FaultKind.SOUND, "Micro số 2 hỏng", meeting_id),
        ]
        meeting = session.get_one(Meeting, meeting_id)
        standing = standing_test(session, meeting, point)
        assert standing is not None
        assert standing.faults == {"camera": fault_id, "sound": other}
        assert [x.fault_id for x in history(session, meeting, point)] == [
            other,
            fault_id,
            None,
            None,
        ]


def test_a_measurement_is_attached_and_fills_in(db: Database, city: City) -> None:
    meeting_id = _scheduled(db, city)
    operator, point = city.actors["truc.vanmieu"], city.points[WARD]

    def measure(verdicts: dict[str, str], figures: dict[str, float]) -> dict[str, str]:
        with db.transaction() as session:
            measured = Measured(GOOD | verdicts, figures, "Chromium 140")
            notes = {"network": "Tải lên 0,3 Mbit/s", "sound": "?"}
            kept, standing = attach(session, operator, meeting_id, point, measured, notes, utcnow())
            assert kept.id == latest_of(session, meeting_id, point).id  # type: ignore[union-attr]  # it was just attached
            return {item: getattr(standing, item) for item in ITEMS}

    found = measure({"network": "bad", "speakers": "weak"}, {"upload_mbits": 0.3, "level_db": -31})
    assert found == {
        "picture": "untested",
        "sound": "ok",
        "camera": "ok",
        "network": "problem",
        "backup_line": "untested",
    }
    # What could not be tried says nothing of the room.
    again = measure({"camera": "skipped", "speakers": "skipped"}, {})
    assert (again["camera"], again["sound"], again["network"]) == ("ok", "ok", "ok")
    with db.reader() as session:
        lines = history(session, session.get_one(Meeting, meeting_id), point)
        assert [(x.item, x.note, x.measured) for x in lines] == [
            ("network", "", True),
            ("network", "Tải lên 0,3 Mbit/s", True),
            ("sound", "", True),
            ("camera", "", True),
        ]
    for verdicts, figures, field in (
        ({"camera": "great"}, {}, "camera"),
        (dict.fromkeys(GOOD, "skipped"), {}, "verdicts"),
        ({}, {"upload_mbits": float("nan")}, "upload_mbits"),
        ({}, {"upload_mbits": -1.0}, "upload_mbits"),
        ({}, {"weather": 1.0}, "figures"),
    ):
        with pytest.raises(FieldInvalid) as wrong:
            measure(verdicts, figures)
        assert wrong.value.field == field


def test_go_and_no_go_are_kept_with_their_figures(db: Database, city: City) -> None:
    meeting_id = _scheduled(db, city)
    chair, technician = city.chair, city.actors["kythuat"]
    _say(db, technician, meeting_id, city.points[WARD], sound=("problem", "Mất tiếng"))

    def choose(actor: Actor, verdict: str, reason: str, after: int) -> tuple[int, str]:
        with db.transaction() as session:
            made = decide(session, actor, meeting_id, verdict, reason, utcnow(), after=after)
            return made.number, made.verdict

    for actor in ("truc.vanmieu", "thuky.dongda", "quantri"):
        with pytest.raises(NotPermitted):
            choose(city.actors[actor], "go", "", 0)
    with pytest.raises(FieldInvalid):
        choose(chair, "no_go", "  ", 0)
    with pytest.raises(FieldInvalid):
        choose(chair, "perhaps", "", 0)
    assert choose(technician, "no_go", "Quá nhiều điểm cầu mất tiếng", 0) == (1, "no_go")
    assert choose(technician, "no_go", "Quá nhiều điểm cầu mất tiếng", 0) == (1, "no_go"), "twice"
    with pytest.raises(DecidedMeanwhile) as meanwhile:
        choose(city.secretary, "go", "Đã kiểm tra", 0)
    assert (meanwhile.value.by, meanwhile.value.number) == (technician.name, 1)
    with pytest.raises(FieldInvalid) as reasonless:
        choose(chair, "go", "", 1)
    assert reasonless.value.field == "reason", "to take a no-go back needs a reason, too"
    _say(db, technician, meeting_id, city.points[WARD], **ALL_OK)
    assert choose(chair, "go", "Đã khắc phục", 1) == (2, "go")
    with db.reader() as session:
        found = decisions(session, meeting_id)
        assert [(x.number, x.verdict, x.decider.name) for x in found] == [
            (2, "go", chair.name),
            (1, "no_go", technician.name),
        ]
        assert [(x.points, x.ready, x.problem, x.untested) for x in found] == [
            (9, 1, 0, 8),
            (9, 0, 1, 8),
        ]
        assert found[1].levels["ward"]["problem"] == 1
        standing = standing_decision(session, session.get_one(Meeting, meeting_id))
        assert standing is not None
        assert standing.number == 2
    with db.transaction() as session:
        postpone(session, city.secretary, meeting_id, "Lỗi đường truyền", utcnow())
    with pytest.raises(WrongState):
        choose(chair, "go", "", 2)
