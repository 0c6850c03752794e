"""Whatever is reported in whatever order: states and counts are what the log says."""

from dataclasses import astuple
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event

from meetings_server.database import Database
from rooms.attendance import (
    REPORTABLE,
    AttendanceEntry,
    AttendanceHead,
    CheckIn,
    PointState,
    Presence,
    Source,
    log_after,
)
from rooms.check_ins import record_check_ins
from rooms.hierarchy import load_tree
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting
from rooms.policies import NotPermitted
from rooms.rollup import Scope, attendance, rollup, state_at, visible_scope
from tests.factories import City, make_city, make_hanoi, scheduled_meeting

MINUTE = timedelta(minutes=1)

reports = st.tuples(
    st.sampled_from(["01", "006", "00178", "00181", "01-SNV"]),
    st.sampled_from(REPORTABLE),
    st.one_of(st.none(), st.integers(0, 3)),  # headcount
    st.integers(0, 40),  # minutes by which the report comes late
)
days = st.lists(st.lists(reports, min_size=1, max_size=6), max_size=8)


@pytest.fixture
def city_day(db: Database) -> tuple[City, Meeting]:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        return city, scheduled_meeting(session, city, utcnow())


def forget(db: Database) -> None:
    with db.transaction() as session:
        for table in (PointState, AttendanceEntry, AttendanceHead):
            session.execute(delete(table))


def play(
    db: Database,
    city: City,
    meeting: Meeting,
    day: list[list[tuple[str, Presence, int | None, int]]],
) -> datetime:
    """Each inner list is a batch, ten minutes after the one before; the last instant."""
    now = meeting.starts_at - 20 * MINUTE
    for batch in day:
        now += 10 * MINUTE
        said = [
            CheckIn(
                meeting.id,
                city.points[code],
                state.value,
                city.secretary.person_id,
                Source.API,
                headcount=headcount,
                observed_at=now - late * MINUTE,
            )
            for code, state, headcount, late in batch
        ]
        with db.connection() as connection:
            outcomes = record_check_ins(connection, said, now)
        assert all(isinstance(outcome, int) for outcome in outcomes)
    return now


def from_the_log(
    log: list[AttendanceEntry], start: datetime, at: datetime | None = None
) -> dict[int, str]:
    """The plainest reading: of each point the row that was observed last."""
    states: dict[int, str] = {}
    first: dict[int, datetime] = {}
    for row in sorted(log, key=lambda row: (row.observed_at, row.revision)):
        if row.point_id is None or (at is not None and row.observed_at > at):
            continue
        if row.state == Presence.PRESENT:
            first.setdefault(row.point_id, row.observed_at)
        late = row.state == Presence.PRESENT and first[row.point_id] > start
        states[row.point_id] = Presence.LATE.value if late else row.state
    return states


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(day=days, back=st.integers(0, 60))
def test_states_and_counts_are_what_the_log_says(
    db: Database,
    city_day: tuple[City, Meeting],
    day: list[list[tuple[str, Presence, int | None, int]]],
    back: int,
) -> None:
    city, meeting = city_day
    forget(db)
    end = play(db, city, meeting, day)
    with db.reader() as session:
        log = log_after(session, meeting.id, 0)
        assert [row.revision for row in log] == list(range(1, len(log) + 1))
        for at in (None, end, end - back * MINUTE):
            told = from_the_log(log, meeting.starts_at, at)
            now = state_at(session, meeting.id, at)
            assert {point.point_id: point.state for point in now} == {
                point: told.get(point, "invited") for point in city.points.values()
            }
            everything = attendance(session, meeting, Scope(), at=at)
            states = list(told.values())
            total = everything.rollup.units[city.units["01"]]
            assert astuple(total) == (
                len(city.points),
                states.count("present") + states.count("late"),
                states.count("late"),
                states.count("lost"),
                states.count("needs_help"),
            )
            levels = everything.rollup.levels.values()
            assert [sum(column) for column in zip(*map(astuple, levels), strict=True)] == list(
                astuple(total)
            )


def test_the_present_state_equals_the_state_at_this_moment(
    db: Database, city_day: tuple[City, Meeting]
) -> None:
    city, meeting = city_day
    now = play(
        db,
        city,
        meeting,
        [
            [("00181", Presence.PRESENT, 3, 0), ("00178", Presence.READY, None, 5)],
            [("00181", Presence.LOST, None, 30), ("006", Presence.NEEDS_HELP, None, 0)],
            [("00181", Presence.PRESENT, 4, 2), ("00178", Presence.PRESENT, 1, 25)],
        ],
    )
    with db.reader() as session:
        assert state_at(session, meeting.id) == state_at(session, meeting.id, now)


class TestScopes:
    def scope(
        self, db: Database, city: City, meeting: Meeting, who: str, code: str | None
    ) -> Scope:
        with db.reader() as session:
            tree = load_tree(session, meeting.day)
            today = civil_day(utcnow())
            return visible_scope(session, city.actors[who], meeting, tree, today, code)

    def test_who_sees_how_far(self, db: Database, city_day: tuple[City, Meeting]) -> None:
        city, meeting = city_day
        widest = {who: self.scope(db, city, meeting, who, None).code for who in city.actors}
        assert widest == {
            "thuky": "",
            "thuky.snv": "01-SNV",
            "thuky.dongda": "006",
            "vanthu.vanmieu": "00181",
            "truc.vanmieu": "00181",
            "truc.cattlinh": "00178",
            "truc.dongda": "006",
            "lanhdao": "",
            "lanhdao.vanmieu": "00181",
            "kythuat": "",
            "quantri": "",
        }

    def test_a_ward_is_not_shown_its_neighbour(
        self, db: Database, city_day: tuple[City, Meeting]
    ) -> None:
        city, meeting = city_day
        for who, code in (
            ("truc.vanmieu", "00178"),
            ("truc.vanmieu", "006"),
            ("truc.dongda", "01"),
        ):
            with pytest.raises(NotPermitted):
                self.scope(db, city, meeting, who, code)
        assert self.scope(db, city, meeting, "truc.dongda", "00181").code == "00181"

    def test_a_ward_gets_its_district_counts_and_a_district_its_own(
        self, db: Database, city_day: tuple[City, Meeting]
    ) -> None:
        city, meeting = city_day
        play(db, city, meeting, [[("00178", Presence.PRESENT, 3, 0)]])
        codes = {unit_id: code for code, unit_id in city.units.items()}

        def counts(code: str) -> dict[str, list[int]]:
            with db.reader() as session:
                tree = load_tree(session, meeting.day)
                found = attendance(session, meeting, Scope((tree.node(code),)), tree=tree)
            return {codes[unit]: counts.row() for unit, counts in found.rollup.units.items()}

        assert counts("00181") == {"006": [4, 1, 0, 0, 0], "00181": [1, 0, 0, 0, 0]}
        assert counts("006") == {"006": [4, 1, 0, 0, 0]}
        assert counts("01") == {
            "01": [9, 1, 0, 0, 0],
            "001": [2, 0, 0, 0, 0],
            "006": [4, 1, 0, 0, 0],
        }


def test_the_whole_city_takes_as_many_statements_as_a_few_units(db: Database) -> None:
    with db.transaction() as session:
        city = make_hanoi(session, utcnow())
        meeting = scheduled_meeting(session, city, utcnow())
    told: list[str] = []

    def count(*arguments: object) -> None:
        told.append(str(arguments[2]))

    with db.reader() as session:
        session.connection()
        event.listen(db.engine, "before_cursor_execute", count)
        try:
            found = attendance(session, meeting, Scope())
        finally:
            event.remove(db.engine, "before_cursor_execute", count)
    assert len(found.points) == 632
    assert len(told) <= 4
    assert rollup(found.points, found.tree).units[city.units["01"]].invited == 632
