"""The day as a line of counts, against the state at each instant, on both databases."""

from datetime import timedelta

import pytest

from meetings_server.database import Database
from rooms.hierarchy import load_tree
from rooms.presence import presence_spans
from rooms.rollup import Scope, state_at
from rooms.time_line import attending_at, counts_at, counts_over, day_of, line_of
from tests.held_day import NOW, make_day


def test_each_instant_of_the_line_is_the_state_at_that_instant(db: Database) -> None:
    with db.transaction() as session:
        _city, meeting = make_day(session)
        session.flush()
        tree = load_tree(session, meeting.day)
        for scope in (None, Scope((tree.node("006"),))):
            since, until = day_of(meeting, NOW)
            assert until == meeting.ended_at
            found = counts_over(session, meeting, scope, since=since, until=until, steps=90)
            assert (found[0].at, found[-1].at, len(found)) == (since, until, 91)
            for counts in found:
                states = [point.state for point in state_at(session, meeting.id, counts.at, scope)]
                assert counts.invited == len(states)
                assert counts.present == states.count("present") + states.count("late")
                for state in ("late", "lost", "needs_help", "left"):
                    assert getattr(counts, state) == states.count(state), (state, counts.at)
                if scope is None and counts.at < meeting.ended_at:
                    assert counts.attending == len(attending_at(session, meeting, counts.at))
        minute = meeting.starts_at + timedelta(minutes=6)
        [before] = counts_at(session, meeting, None, [minute])
        [after] = counts_at(session, meeting, None, [minute + timedelta(minutes=1)])
        # The chair opened later than planned: who came in between is not late after all.
        assert (before.late, after.late) == (4, 0)
        assert attending_at(session, meeting, until) == frozenset()
        with pytest.raises(ValueError, match="0 steps"):
            counts_over(session, meeting, since=since, until=until, steps=0)


def test_the_line_of_a_point_keeps_the_order_of_observation(db: Database) -> None:
    with db.transaction() as session:
        city, meeting = make_day(session)
        line = line_of(session, meeting.id, city.points["00178"])
        start = meeting.starts_at
        told = [
            (
                span.state,
                (span.since - start).total_seconds() / 60,
                span.until and (span.until - start).total_seconds() / 60,
            )
            for span in line
        ]
        # The video system's word against the operator's stands there, and does not count.
        assert told == [
            ("present", 8, 40),
            ("needs_help", 40, 45),
            ("lost", 43, 43),
            ("present", 45, None),
        ]
        assert [span.counts for span in line] == [True, True, False, True]
        assert line_of(session, meeting.id, city.points["01"])[0].state == "present"


def test_asking_for_help_neither_begins_nor_ends_presence() -> None:
    class Row:
        def __init__(self, state: str, minute: int) -> None:
            self.state = state
            self.source = "page"
            self.observed_at = NOW + timedelta(minutes=minute)

    line = [Row("needs_help", 1), Row("present", 2), Row("needs_help", 3), Row("lost", 5)]
    assert presence_spans(line, None) == [
        (NOW + timedelta(minutes=2), NOW + timedelta(minutes=5)),
    ]
    assert presence_spans(line[:3], None) == [(NOW + timedelta(minutes=2), None)]
    # Checked in while the meeting was being closed.
    assert presence_spans(line[:2], NOW) == [(NOW + timedelta(minutes=2),) * 2]
