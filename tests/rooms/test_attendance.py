"""The attendance log: nothing twice, nothing overwritten, nobody at another's door."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import event, select

from meetings_server.database import Database
from rooms.attendance import (
    CheckIn,
    CheckInNotOpen,
    MeetingClosed,
    PointState,
    Source,
    log_after,
    may_check_in,
    note_meeting_change,
    require_check_in,
    revision_of,
    writable_points,
)
from rooms.bridge_points import UnknownPoint
from rooms.check_ins import record_check_in, record_check_ins
from rooms.kernel import CIVIL_ZONE, DomainError, FieldInvalid, civil_day, utcnow
from rooms.meetings import Meeting, UnknownMeeting
from rooms.policies import NotPermitted
from rooms.roll_call import present_and_absent, silent_points
from rooms.rollup import PointNow, state_at
from rooms.scheduling import cancel, end, start
from tests.factories import City, make_city, participation_of, scheduled_meeting

MINUTE = timedelta(minutes=1)


@dataclass
class Day:
    """A meeting's day: times are minutes after the planned start."""

    db: Database
    city: City
    meeting: Meeting

    def at(self, minutes: float) -> datetime:
        return self.meeting.starts_at + minutes * MINUTE

    def said(self, code: str, state: str, **facts: object) -> CheckIn:
        check_in = CheckIn(
            self.meeting.id,
            self.city.points[code],
            state,
            self.city.actors["truc.vanmieu"].person_id,
            Source.API,
        )
        return replace(check_in, **facts)  # type: ignore[arg-type]  # fields by name

    def check_in(self, code: str, state: str, minutes: float, **facts: object) -> int:
        with self.db.connection() as connection:
            return record_check_in(connection, self.said(code, state, **facts), self.at(minutes))

    def now(self, code: str) -> PointNow:
        with self.db.reader() as session:
            states = state_at(session, self.meeting.id)
        return next(point for point in states if point.point_id == self.city.points[code])

    def shown(self, code: str, minutes: float) -> str:
        with self.db.reader() as session:
            states = state_at(session, self.meeting.id, self.at(minutes))
        return next(p.state for p in states if p.point_id == self.city.points[code])

    def log(self) -> list[tuple[int, str, int | None]]:
        with self.db.reader() as session:
            rows = log_after(session, self.meeting.id, 0)
            return [(row.revision, row.state, row.headcount) for row in rows]


@pytest.fixture
def day(db: Database) -> Day:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        meeting = scheduled_meeting(session, city, utcnow())
    return Day(db, city, meeting)


def test_revisions_count_without_a_gap(day: Day) -> None:
    assert day.check_in("00181", "ready", -20) == 1
    assert day.check_in("00178", "present", -10) == 2
    assert day.check_in("00181", "present", -5, headcount=12) == 3
    assert day.log() == [(1, "ready", None), (2, "present", None), (3, "present", 12)]


def test_doing_it_twice_writes_nothing(day: Day) -> None:
    first = day.check_in("00181", "present", -5, headcount=12, head_of_delegation="Bùi Thị Lan")
    again = day.check_in("00181", "present", 3, headcount=12, head_of_delegation="Bùi Thị Lan")
    silent = day.check_in("00181", "present", 4)
    assert (first, again, silent) == (1, 1, 1)
    assert len(day.log()) == 1
    assert day.now("00181").since == day.at(-5)


def test_a_correction_is_a_new_row_and_keeps_the_time(day: Day) -> None:
    day.check_in("00181", "present", -5, headcount=12)
    assert day.check_in("00181", "present", 10, headcount=21) == 2
    assert day.log() == [(1, "present", 12), (2, "present", 21)]
    now = day.now("00181")
    assert (now.headcount, now.since, now.state) == (21, day.at(-5), "present")


def test_what_is_not_said_still_holds_and_a_note_goes_with_its_state(day: Day) -> None:
    day.check_in("00181", "present", -5, headcount=12, head_of_delegation="Bùi Thị Lan")
    day.check_in("00181", "needs_help", 5, note="Mất tiếng")
    helped = day.now("00181")
    assert (helped.headcount, helped.head_of_delegation, helped.note) == (
        12,
        "Bùi Thị Lan",
        "Mất tiếng",
    )
    day.check_in("00181", "present", 9, head_of_delegation="")
    now = day.now("00181")
    assert (now.headcount, now.head_of_delegation, now.note) == (12, "", "")


def test_late_is_who_was_first_present_after_the_start(day: Day) -> None:
    day.check_in("00181", "present", 0)
    day.check_in("00178", "ready", -5)
    day.check_in("00178", "present", 1)
    assert [day.now(code).state for code in ("00181", "00178", "00226")] == [
        "present",
        "late",
        "invited",
    ]
    # Who comes back after a cut is not late.
    day.check_in("00181", "lost", 10)
    day.check_in("00181", "present", 12)
    assert day.now("00181").state == "present"


def test_a_meeting_that_opens_later_makes_nobody_late_before(day: Day) -> None:
    day.check_in("00181", "present", 4)
    assert day.now("00181").state == "late"
    with day.db.transaction() as session:
        start(session, day.city.secretary, day.meeting.id, day.at(5))
    assert day.now("00181").state == "present"


def test_out_of_order_goes_into_the_time_line_and_overwrites_nothing(day: Day) -> None:
    day.check_in("00181", "present", 10)
    assert day.check_in("00181", "lost", 12, observed_at=day.at(6)) == 2
    assert day.check_in("00181", "present", 13, observed_at=day.at(-3), headcount=7) == 3
    now = day.now("00181")
    assert (now.state, now.since, now.first_present_at) == ("present", day.at(10), day.at(-3))
    assert [day.shown("00181", m) for m in (-4, -2, 7, 11)] == [
        "invited",
        "present",
        "lost",
        "present",
    ]
    # The same late report again says nothing new.
    assert day.check_in("00181", "lost", 14, observed_at=day.at(6)) == 2
    assert len(day.log()) == 3


def test_a_whole_time_line_in_one_batch(day: Day) -> None:
    reports = [
        day.said("00181", "lost", observed_at=day.at(5)),
        day.said("00181", "present", observed_at=day.at(-5), headcount=9),
        day.said("00181", "present", observed_at=day.at(8)),
        day.said("00181", "present", observed_at=day.at(8)),
    ]
    with day.db.connection() as connection:
        assert record_check_ins(connection, reports, day.at(9)) == [1, 2, 3, 3]
    with day.db.reader() as session:
        (line,) = present_and_absent(session, day.meeting.id).present
    assert line.spans == [(day.at(-5), day.at(5)), (day.at(8), None)]


def test_a_clock_that_runs_ahead_does_not_win_over_what_comes_after(day: Day) -> None:
    day.check_in("00181", "present", 0, observed_at=day.at(1.5))
    day.check_in("00181", "lost", 1)
    assert day.now("00181").state == "lost"
    with pytest.raises(FieldInvalid) as refused:
        day.check_in("00181", "present", 2, observed_at=day.at(5))
    assert (refused.value.field, refused.value.problem) == ("observed_at", "in_the_future")


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"headcount": -1}, "headcount"),
        ({"headcount": 100_001}, "headcount"),
        ({"state": "late"}, "state"),
        ({"state": "invited"}, "state"),
        ({"state": "x" * 500}, "state"),
        ({"head_of_delegation": "a" * 121}, "head_of_delegation"),
        ({"head_of_delegation": "a\x00b"}, "head_of_delegation"),
        ({"note": "a" * 501}, "note"),
    ],
)
def test_bad_facts_are_refused(day: Day, facts: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldInvalid) as refused, day.db.connection() as connection:
        record_check_in(connection, replace(day.said("00181", "present"), **facts), day.at(0))
    assert refused.value.field == field
    assert day.log() == []


def test_the_doors_open_two_hours_before_the_line_test_and_close_at_the_end(day: Day) -> None:
    opens_at = day.meeting.held_from - timedelta(hours=2)
    with pytest.raises(CheckInNotOpen) as early:
        day.check_in("00181", "ready", -151)
    assert early.value.opens_at == opens_at
    assert day.check_in("00181", "ready", -150) == 1
    with pytest.raises(CheckInNotOpen):
        day.check_in("00181", "present", 0, observed_at=day.at(-300))
    with day.db.transaction() as session:
        start(session, day.city.secretary, day.meeting.id, day.at(0))
        end(session, day.city.secretary, day.meeting.id, day.at(60))
    with pytest.raises(MeetingClosed):
        day.check_in("00181", "present", 61)


def test_what_was_seen_long_before_the_meeting_is_refused_while_it_runs(day: Day) -> None:
    with day.db.transaction() as session:
        start(session, day.city.secretary, day.meeting.id, day.at(-200))
    assert day.check_in("00181", "ready", -199) == 2
    for past in (day.at(-201), datetime(1, 1, 1, tzinfo=CIVIL_ZONE)):
        with pytest.raises(CheckInNotOpen):
            day.check_in("00181", "present", 0, observed_at=past)


def test_a_cancelled_meeting_takes_no_check_in(day: Day) -> None:
    with day.db.transaction() as session:
        cancel(session, day.city.secretary, day.meeting.id, "Bão", utcnow())
    with pytest.raises(MeetingClosed) as refused:
        day.check_in("00181", "present", 0)
    assert refused.value.state == "cancelled"


def test_unknown_points_and_meetings(day: Day) -> None:
    with pytest.raises(UnknownPoint):
        day.check_in("00181", "present", 0, point_id=999_999)
    with pytest.raises(UnknownMeeting):
        day.check_in("00181", "present", 0, meeting_id=999_999)
    with day.db.transaction() as session:
        where = participation_of(session, day.meeting.id, day.city.units["00181"])
        where.withdrawn_at = utcnow()
    with pytest.raises(UnknownPoint):
        day.check_in("00181", "present", 0)


def test_one_bad_entry_does_not_fail_its_neighbours(day: Day) -> None:
    batch = [
        day.said("00181", "present"),
        day.said("00178", "present", headcount=-5),
        day.said("00226", "present", point_id=999_999),
        day.said("00226", "present"),
    ]
    with day.db.connection() as connection:
        outcomes = record_check_ins(connection, batch, day.at(0))
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], FieldInvalid)
    assert isinstance(outcomes[2], UnknownPoint)
    assert outcomes[3] == 2


def test_a_batch_takes_few_statements_whatever_its_size(day: Day) -> None:
    def statements(batch: list[CheckIn], minutes: float) -> int:
        told: list[str] = []

        def count(*arguments: object) -> None:
            told.append(str(arguments[2]))

        event.listen(day.db.engine, "before_cursor_execute", count)
        try:
            with day.db.connection() as connection:
                outcomes = record_check_ins(connection, batch, day.at(minutes))
        finally:
            event.remove(day.db.engine, "before_cursor_execute", count)
        assert not [outcome for outcome in outcomes if isinstance(outcome, DomainError)]
        return len(told)

    codes = [code for code in day.city.points if code != "01"]
    statements([day.said("01", "present")], -9)  # makes the counter
    one = statements([day.said(codes[0], "present")], -5)
    many = statements([day.said(code, "present") for code in codes[1:]], -4)
    # Rows go together in fours and more; nothing else depends on how many there are.
    assert one <= 7
    assert many <= one + 2 * 3
    late = [day.said(code, "lost", observed_at=day.at(-30)) for code in codes]
    # Eight rows, and the time lines.
    assert statements(late, 0) == one + 1 + 2


def test_two_writers_at_once_lose_nothing(day: Day) -> None:
    codes = list(day.city.points)
    barrier = Barrier(len(codes))
    revisions: list[int] = []

    def check_in(code: str) -> None:
        barrier.wait()
        for minute in range(4):
            state = ("ready", "present", "lost", "left")[minute]
            revisions.append(day.check_in(code, state, minute))

    threads = [Thread(target=check_in, args=[code]) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(revisions) == list(range(1, 4 * len(codes) + 1))
    assert [row[0] for row in day.log()] == sorted(revisions)


def test_a_change_of_the_meeting_takes_a_revision(day: Day) -> None:
    day.check_in("00181", "present", 0)
    with day.db.transaction() as session:
        assert note_meeting_change(session, day.meeting.id, day.at(1)) == 2
    day.check_in("00178", "present", 2)
    with day.db.reader() as session:
        assert revision_of(session, day.meeting.id) == 3
        rows = log_after(session, day.meeting.id, 1)
        assert [(row.revision, row.point_id) for row in rows] == [
            (2, None),
            (3, day.city.points["00178"]),
        ]


class TestRights:
    """A ward's operator can neither see nor change another ward's check-in."""

    def may(self, day: Day, username: str) -> set[str]:
        today = civil_day(utcnow())
        with day.db.reader() as session:
            found = writable_points(session, day.city.actors[username], day.meeting.id, today)
        return {code for code, point in day.city.points.items() if point in found}

    def test_by_role_and_place(self, day: Day) -> None:
        assert self.may(day, "truc.vanmieu") == {"00181"}
        assert self.may(day, "truc.dongda") == {"006", "00178", "00181", "00226"}
        assert self.may(day, "kythuat") == set(day.city.points)
        assert self.may(day, "lanhdao.vanmieu") == set()
        assert self.may(day, "quantri") == set()

    def test_the_sibling_ward_is_refused(self, day: Day) -> None:
        actor, today = day.city.actors["truc.vanmieu"], civil_day(utcnow())
        with day.db.reader() as session:
            own = day.city.points["00181"]
            require_check_in(session, actor, day.meeting.id, own, today)
            assert may_check_in(session, actor, day.meeting.id, own, today)
            with pytest.raises(NotPermitted):
                require_check_in(session, actor, day.meeting.id, day.city.points["00178"], today)
            with pytest.raises(UnknownPoint):
                require_check_in(session, actor, day.meeting.id, 999_999, today)
            with pytest.raises(UnknownMeeting):
                require_check_in(session, actor, 999_999, own, today)


def test_the_roll_for_the_minutes(day: Day) -> None:
    day.check_in("01", "present", -10, headcount=30)
    day.check_in("00181", "present", 5, headcount=12, head_of_delegation="Bùi Thị Lan")
    day.check_in("00181", "needs_help", 20)
    day.check_in("00181", "lost", 30)
    day.check_in("00181", "present", 33, headcount=11)
    day.check_in("00178", "ready", -5)
    with day.db.transaction() as session:
        declined = participation_of(session, day.meeting.id, day.city.units["01-STC"])
        declined.reply, declined.reply_reason = "declined", "Trùng lịch họp Bộ"
        start(session, day.city.secretary, day.meeting.id, day.at(0))
        end(session, day.city.secretary, day.meeting.id, day.at(90))
    with day.db.reader() as session:
        roll = present_and_absent(session, day.meeting.id)
    assert [(unit.unit_code, unit.late, unit.headcount) for unit in roll.present] == [
        ("01", False, 30),
        ("00181", True, 11),
    ]
    van_mieu = roll.present[1]
    assert van_mieu.spans == [(day.at(5), day.at(30)), (day.at(33), day.at(90))]
    assert van_mieu.head_of_delegation == "Bùi Thị Lan"
    absent = {unit.unit_code: unit for unit in roll.absent}
    assert set(absent) == set(day.city.points) - {"01", "00181"}
    assert (absent["01-STC"].reply, absent["01-STC"].reason) == ("declined", "Trùng lịch họp Bộ")
    assert absent["00178"].last_state == "ready"


def test_who_says_nothing_is_silent(day: Day) -> None:
    day.check_in("00181", "ready", -40)
    with day.db.transaction() as session:
        participation_of(session, day.meeting.id, day.city.units["01-STC"]).reply = "declined"
    with day.db.reader() as session:
        silent = silent_points(session, day.meeting.id)
    assert {point.point_id for point in silent} == {
        point for code, point in day.city.points.items() if code not in {"00181", "01-STC"}
    }
    cat_linh = next(point for point in silent if point.point_id == day.city.points["00178"])
    assert cat_linh.parent_name == "Quận Đống Đa"
    assert cat_linh.parent_email == "vanthu.006@hanoi.example"


def test_states_hold_only_what_has_spoken(day: Day) -> None:
    day.check_in("00181", "ready", -40)
    with day.db.reader() as session:
        assert [row.point_id for row in session.scalars(select(PointState))] == [
            day.city.points["00181"]
        ]
