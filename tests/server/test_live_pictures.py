"""The hub's picture of a meeting, brought forward by the log, is what a fresh reading shows."""

import json
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from meetings_server.api.attendance import shape_attendance
from meetings_server.database import Database
from meetings_server.live import frames
from meetings_server.live.picture import Picture, rows_after
from rooms.attendance import (
    REPORTABLE,
    AttendanceEntry,
    AttendanceHead,
    CheckIn,
    PointState,
    Presence,
    Source,
)
from rooms.check_ins import record_check_ins
from rooms.kernel import utcnow
from rooms.meetings import Meeting
from rooms.rollup import Scope, attendance
from tests.factories import City, make_city, scheduled_meeting
from tests.live_lines import Holding, of_answer, text_of

reports = st.tuples(
    st.sampled_from(["01", "006", "00178", "00181", "01-SNV"]),
    st.sampled_from(REPORTABLE),
    st.one_of(st.none(), st.integers(0, 3)),
    st.integers(0, 40),
)
# Batches of check-ins; True where the hub looks afterwards.
days = st.lists(
    st.tuples(st.lists(reports, min_size=1, max_size=5), st.booleans()), min_size=1, max_size=8
)
SCOPES = ("", "006", "00181", "01-SNV", "001")


@pytest.fixture
def city_day(db: Database) -> tuple[City, Meeting]:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        return city, scheduled_meeting(session, city, utcnow())


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(day=days)
def test_snapshot_and_changes_in_order_are_the_answer(
    db: Database,
    city_day: tuple[City, Meeting],
    day: list[tuple[list[tuple[str, Presence, int | None, int]], bool]],
) -> None:
    city, meeting = city_day
    with db.transaction() as session:
        for table in (PointState, AttendanceEntry, AttendanceHead):
            session.execute(delete(table))
    with db.reader() as session:
        picture = Picture.read(session, meeting.id)
    scopes = [Scope((picture.tree.node(code),) if code else ()) for code in SCOPES]
    clients = {scope.code: Holding() for scope in scopes}
    for scope in scopes:
        shown = frames.snapshot(picture, picture.feed(scope))
        clients[scope.code].apply(text_of(shown))
    now = meeting.starts_at - timedelta(minutes=20)
    for batch, looks in [*day, ([], True)]:
        now += timedelta(minutes=10)
        said = [
            CheckIn(
                meeting.id,
                city.points[code],
                state.value,
                city.secretary.person_id,
                Source.LIVE,
                headcount=headcount,
                observed_at=now - timedelta(minutes=late),
            )
            for code, state, headcount, late in batch
        ]
        with db.connection() as connection:
            record_check_ins(connection, said, now)
        if not looks:
            continue
        with db.reader() as session:
            rows = rows_after(session, meeting.id, picture.revision)
        if rows:
            picture.apply({row[1]: row[1:] for row in rows}.values())
            picture.revision = rows[-1][0]
        for feed in list(picture.dirty):
            clients[feed.scope.code].apply(text_of(frames.changes(picture, feed)))
            feed.settle()
        picture.dirty.clear()
    with db.reader() as session:
        for scope in scopes:
            found = attendance(session, meeting, scope)
            answer = json.loads(msgspec.json.encode(shape_attendance(found, scope)))
            held = clients[scope.code]
            # A scope in which nothing happened was not told of the last revision.
            held.revision = answer["revision"]
            assert held.as_answer() == of_answer(answer)
        # And what the picture would show to a newcomer is the same.
        again = Picture.read(session, meeting.id)
    for scope in scopes:
        picture.feed(scope).snapshot = None
        assert text_of(frames.snapshot(picture, picture.feed(scope))) == text_of(
            frames.snapshot(again, again.feed(scope))
        )


def test_a_feed_that_nobody_watches_is_forgotten(
    db: Database, city_day: tuple[City, Meeting]
) -> None:
    with db.reader() as session:
        picture = Picture.read(session, city_day[1].id)
    for code in SCOPES:
        feed = picture.feed(Scope((picture.tree.node(code),) if code else ()))
        assert picture.feed(feed.scope) is feed
        picture.forget(feed)
    assert (picture.feeds, picture.by_root, picture.by_parent) == ({}, {}, {})
