"""Lost time and quorum against a fold that looks at each minute by itself; the rules in words."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetings_server.database import Database
from rooms.kernel import FieldInvalid
from rooms.meetings import MeetingState
from rooms.presence import presence_spans
from rooms.punctuality import (
    Held,
    NotHeld,
    Outcome,
    PointAttendance,
    Window,
    attendances,
    held_in,
    tally,
    window_of,
)
from rooms.quorum import Of, QuorumRule, Share, parse_rule, quorum_over
from rooms.roll_call import present_and_absent
from tests.factories import make_city, scheduled_meeting
from tests.held_day import make_day

NOW = datetime(2026, 11, 16, 2, tzinfo=UTC)
START, END = 10, 40
MINUTE = timedelta(minutes=1)


def instant(minute: float) -> datetime:
    return NOW + minute * MINUTE


WINDOW = Window(instant(START), instant(END))


@dataclass(frozen=True)
class Row:
    minute: int
    state: str

    @property
    def observed_at(self) -> datetime:
        return instant(self.minute)


LINES = st.lists(
    st.builds(
        Row,
        st.integers(0, END + 4),
        st.sampled_from(["ready", "present", "lost", "needs_help", "left"]),
    ),
    max_size=12,
).map(lambda rows: sorted(rows, key=lambda row: row.minute))
"""Some end after the meeting, some say several things in one minute."""


def naive_minutes(line: list[Row]) -> list[bool]:
    """For each minute from 0 to past the end: whether the point is there in it."""
    there = []
    for minute in range(END + 5):
        present = False
        for row in line:
            if row.minute > minute:
                break
            if row.state == "present":
                present = True
            elif row.state != "needs_help":
                present = False
        there.append(present)
    return there


def point(number: int, unit: int, line: list[Row]) -> PointAttendance:
    spans = tuple(presence_spans(line, None))
    held = held_in(spans, WINDOW, line[-1].state) if spans else None
    return PointAttendance(
        number,
        number,
        "",
        unit,
        "",
        "",
        "ward",
        False,
        Outcome.PRESENT,
        False,
        spans,
        held,
        None,
        "",
        "",
    )


@given(LINES)
def test_lost_time_is_what_a_minute_by_minute_count_gives(line: list[Row]) -> None:
    there = naive_minutes(line)
    held = point(1, 1, line).held
    if held is None:
        # Somebody who was present and gone within the same minute leaves a span of no length.
        assert not any(row.state == "present" for row in line)
        return
    inside = there[START:END]
    missed = inside.count(False)
    assert held.expected == (END - START) * MINUTE
    assert held.missed == missed * MINUTE
    assert held.attended == (END - START - missed) * MINUTE
    trailing = next((n for n, here in enumerate(reversed(inside)) if here), END - START)
    first = min(row.minute for row in line if row.state == "present")
    if any(inside):
        leading = inside.index(True)
        assert held.late == (leading * MINUTE if first >= START else 0 * MINUTE)
        went = line[-1].state in {"left", "ready"}
        assert held.left_early == (trailing * MINUTE if went else 0 * MINUTE)
        ends = sum(a and not b for a, b in pairwise(inside))
        begun_away = first < START and not inside[0]
        assert held.interruptions == ends + begun_away - (went and not inside[-1])


@given(st.lists(st.tuples(st.integers(1, 3), LINES), min_size=1, max_size=6), st.sampled_from(Of))
def test_quorum_is_what_a_minute_by_minute_count_gives(
    drawn: list[tuple[int, list[Row]]], of: Of
) -> None:
    points = [point(number, unit, line) for number, (unit, line) in enumerate(drawn)]
    for rule in (QuorumRule(Share.MORE_THAN_HALF, of), QuorumRule(2, of), QuorumRule(of=of)):
        found = quorum_over(points, rule, WINDOW)
        minutes = [
            {
                (unit if of is Of.UNITS else number)
                for number, (unit, line) in enumerate(drawn)
                if naive_minutes(line)[minute]
            }
            for minute in range(END)
        ]
        kept = [len(there) >= found.needed for there in minutes]
        assert found.held == kept[START:].count(True) * MINUTE
        assert found.most == max(map(len, minutes[START:]))
        assert found.at_start is kept[START]
        assert found.reached_at == (instant(kept.index(True)) if any(kept) else None)
        for minute in range(END):
            assert kept[minute] is any(a <= instant(minute) < b for a, b in found.spans)


def test_rules_of_a_quorum() -> None:
    assert [QuorumRule(share).needed(9) for share in Share] == [5, 6, 7, 9]
    assert [QuorumRule(share).needed(10) for share in Share] == [6, 7, 8, 10]
    assert parse_rule("", "") == QuorumRule(Share.TWO_THIRDS, Of.UNITS)
    assert parse_rule("120", "points") == QuorumRule(120, Of.POINTS)
    for asked, of in (("0", ""), ("²", ""), ("most", ""), ("", "people"), ("9" * 12, "")):
        with pytest.raises(FieldInvalid):
            parse_rule(asked, of)
    assert quorum_over([], QuorumRule(), WINDOW).reached_at is None


def test_a_point_that_came_before_the_start_and_was_cut_off() -> None:
    cut = held_in([(instant(0), instant(5))], WINDOW, "lost")
    assert cut == Held(30 * MINUTE, 0 * MINUTE, 30 * MINUTE, 0 * MINUTE, 1)
    gone = held_in([(instant(0), instant(5))], WINDOW, "left")
    assert (gone.left_early, gone.interruptions) == (30 * MINUTE, 0)


def test_the_report_and_the_minutes_name_the_same_as_present(db: Database) -> None:
    with db.transaction() as session:
        city, meeting = make_day(session)
        meeting.state = MeetingState.ENDED.value
        session.flush()
        roll = present_and_absent(session, meeting.id)
        found = attendances(session, meeting, NOW)
        came = {row.point_id: row for row in found if row.came}
        assert came.keys() == {row.point_id for row in roll.present}
        assert {row.point_id for row in found} - came.keys() == {r.point_id for r in roll.absent}
        for row in roll.present:
            mine = came[row.point_id]
            assert list(mine.spans) == row.spans
            assert (mine.outcome is Outcome.LATE) is row.late
            assert mine.head_of_delegation == row.head_of_delegation
        dong_da: Any = came[city.points["006"]].held
        assert (dong_da.late, dong_da.lost, dong_da.interruptions) == (
            0 * MINUTE,
            2 * MINUTE,
            1,
        )
        sums = tally(found)
        assert (sums.invited, sums.present, sums.late) == (8, 7, 1)
        assert sums.attendance_share == 7 / 8
        assert sums.punctuality == 6 / 7


def test_a_meeting_that_was_not_held_has_no_attendance(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        meeting = scheduled_meeting(session, city, NOW)
        for state in (MeetingState.SCHEDULED, MeetingState.CANCELLED, MeetingState.POSTPONED):
            meeting.state = state.value
            with pytest.raises(NotHeld):
                window_of(meeting, NOW)
        # Nobody closed it: it counts no longer than its points were held.
        meeting.state = MeetingState.IN_PROGRESS.value
        meeting.started_at = meeting.starts_at
        later = meeting.ends_at + timedelta(days=3)
        assert window_of(meeting, later) == Window(meeting.starts_at, meeting.held_until)
        # Over before it should have begun, and past midnight.
        meeting.ended_at = meeting.starts_at - MINUTE
        assert window_of(meeting, later).length == timedelta(0)
        meeting.ended_at = meeting.starts_at + timedelta(hours=20)
        assert window_of(meeting, later).length == timedelta(hours=20)
