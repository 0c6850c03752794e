"""Holding points: what clashes, who wins a race, and when all are free again."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, func, insert, select

from meetings_server.database import Database
from rooms.audience import Rule
from rooms.booking import BookingConflict, Occupancy, clashes_at
from rooms.hierarchy import load_tree
from rooms.kernel import CIVIL_ZONE, DomainError, FieldInvalid, civil_day, utcnow
from rooms.meetings import Meeting, MeetingState, UnknownMeeting, visible_meeting
from rooms.outages import report_outage
from rooms.people import UnknownPerson
from rooms.policies import NotPermitted
from rooms.scheduling import AlreadyBooked, MainPointOut, book, booked_before, cancel
from rooms.slots import OFFICE_HOURS, Margins, best_windows, next_free
from rooms.workdays import is_working_day
from tests.factories import (
    City,
    at,
    booked_meeting,
    make_city,
    meeting_request,
    working_day,
)

HALF_HOUR = timedelta(minutes=30)
ONE_WARD = [Rule(include=True, by="unit", unit="00181")]


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def test_a_booking_holds_every_point_with_line_test_and_clearing(db: Database, city: City) -> None:
    now = utcnow()
    with db.transaction() as session:
        meeting = booked_meeting(session, city, now)
        held = session.execute(
            select(func.count(), func.min(Occupancy.starts_at), func.max(Occupancy.ends_at))
        ).one()
    assert tuple(held) == (
        9,
        meeting.starts_at - timedelta(minutes=30),
        meeting.ends_at + timedelta(minutes=15),
    )


def test_the_second_booking_is_told_who_holds_the_points_and_when_they_are_free(
    db: Database, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        first = booked_meeting(session, city, now, title="Giao ban tháng")
    with pytest.raises(BookingConflict) as refused, db.transaction() as session:
        book(
            session,
            city.secretary,
            meeting_request(city, now, audience=ONE_WARD, starts_at=first.starts_at + HALF_HOUR),
            now,
        )
    (clash,) = refused.value.clashes
    assert (clash.meeting_id, clash.title, clash.host_unit, clash.holder, clash.points) == (
        first.id,
        "Giao ban tháng",
        "Thành phố Hà Nội",
        city.secretary.name,
        2,
    )
    # 10:00 and 15 minutes of clearing, then 30 minutes of line test; noon lies between.
    assert refused.value.next_free == at(working_day(now, 5), 13)
    with db.reader() as session:
        assert session.scalar(select(func.count()).select_from(Meeting)) == 1


def test_who_may_not_see_the_other_meeting_learns_who_holds_but_not_what(
    db: Database, city: City
) -> None:
    now = utcnow()
    dong_da = city.actors["thuky.dongda"]
    with db.transaction() as session:
        booked_meeting(session, city, now, audience=ONE_WARD)  # a draft of the city
    with pytest.raises(BookingConflict) as refused, db.transaction() as session:
        booked_meeting(
            session,
            city,
            now,
            dong_da,
            host_unit_id=city.units["006"],
            main_point_id=city.points["006"],
            audience=ONE_WARD,
        )
    (clash,) = refused.value.clashes
    assert (clash.title, clash.host_unit) == (None, "Thành phố Hà Nội")


def test_meetings_back_to_back_do_not_clash(db: Database, city: City) -> None:
    """Intervals are half-open: 10:00 + 15 minutes of clearing meets 10:45 − 30 minutes of test."""
    now = utcnow()
    with db.transaction() as session:
        booked_meeting(session, city, now)
        booked_meeting(session, city, now, starts_at=at(working_day(now, 5), 10, 45))
    with pytest.raises(BookingConflict), db.transaction() as session:
        booked_meeting(session, city, now, starts_at=at(working_day(now, 5), 10, 44))


def test_a_cancelled_meeting_gives_its_points_back(db: Database, city: City) -> None:
    now = utcnow()
    with db.transaction() as session:
        meeting = booked_meeting(session, city, now)
        cancel(session, city.secretary, meeting.id, "Trùng lịch", now)
        booked_meeting(session, city, now)


def test_two_racing_secretaries_one_point(db: Database, city: City) -> None:
    """Threads and real transactions: exactly one gets it, the other is told by whom."""
    now = utcnow()
    start = Barrier(4)
    won: list[int] = []
    lost: list[BookingConflict] = []

    def race(title: str) -> None:
        start.wait()
        try:
            with db.transaction() as session:
                won.append(booked_meeting(session, city, now, title=title, audience=ONE_WARD).id)
        except BookingConflict as conflict:
            lost.append(conflict)

    threads = [Thread(target=race, args=(f"Họp {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(lost) == 3
    assert {clash.meeting_id for conflict in lost for clash in conflict.clashes} == set(won)
    assert {conflict.next_free for conflict in lost} == {at(working_day(now, 5), 13)}


def test_the_same_request_twice_makes_one_meeting(db: Database, city: City) -> None:
    now = utcnow()
    request = meeting_request(city, now)
    with db.transaction() as session:
        first = book(session, city.secretary, request, now, request_key="form-1").meeting.id
    with pytest.raises(AlreadyBooked), db.transaction() as session:
        book(session, city.secretary, request, now, request_key="form-1")
    with db.transaction() as session:
        assert booked_before(session, city.secretary, "form-1") == first
        # Another person's key of the same name is another request.
        assert booked_before(session, city.actors["thuky.dongda"], "form-1") is None
        with pytest.raises(BookingConflict):
            book(session, city.secretary, request, now, request_key="form-2")


def test_two_clicks_at_the_same_moment_make_one_meeting(db: Database, city: City) -> None:
    now = utcnow()
    start = Barrier(2)
    outcomes: list[str] = []

    def click() -> None:
        start.wait()
        try:
            with db.transaction() as session:
                book(session, city.secretary, meeting_request(city, now), now, request_key="form-1")
            outcomes.append("booked")
        except AlreadyBooked as doubled:
            outcomes.append(doubled.code)

    threads = [Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_booked", "booked"]


def _raw_meetings(db: Database, city: City, count: int, chance: random.Random) -> None:
    """Meetings that hold random points at random quarters, put down without any check."""
    monday = working_day(utcnow(), 5)
    points = sorted(city.points.values())
    with db.transaction() as session:
        model = booked_meeting(session, city, utcnow(), starts_at=at(working_day(utcnow(), 60), 8))
        columns = {c.key: getattr(model, c.key) for c in Meeting.__table__.columns}
        for _ in range(count):
            start = at(monday, 7) + timedelta(minutes=15 * chance.randrange(4 * 24 * 5))
            end = start + timedelta(minutes=15 * chance.randrange(1, 20))
            raw = columns | {
                "id": None,
                "uid": str(uuid4()),
                "starts_at": start,
                "ends_at": end,
                "setup_minutes": 0,
                "clearing_minutes": 0,
                "request_key": None,
            }
            raw.pop("id")
            meeting_id = session.scalars(insert(Meeting).returning(Meeting.id), [raw]).one()
            session.execute(
                insert(Occupancy),
                [
                    {
                        "meeting_id": meeting_id,
                        "point_id": point,
                        "starts_at": start,
                        "ends_at": end,
                    }
                    for point in chance.sample(points, chance.randrange(1, len(points)))
                ],
            )


def test_clashes_agree_with_brute_force(db: Database, city: City) -> None:
    chance = random.Random(20261122)  # noqa: S311 -- a test that repeats itself needs no secret
    _raw_meetings(db, city, 40, chance)
    monday = at(working_day(utcnow(), 5), 7)
    with db.reader() as session:
        held = session.execute(
            select(Occupancy.meeting_id, Occupancy.point_id, Occupancy.starts_at, Occupancy.ends_at)
        ).all()
        for _ in range(60):
            start = monday + timedelta(minutes=5 * chance.randrange(12 * 24 * 5))
            end = start + timedelta(minutes=5 * chance.randrange(1, 60))
            points = chance.sample(sorted(city.points.values()), chance.randrange(1, 9))
            expected: dict[int, int] = {}
            for meeting_id, point, begins, ends in held:
                if point in points and begins < end and ends > start:
                    expected[meeting_id] = expected.get(meeting_id, 0) + 1
            found = clashes_at(session, city.secretary, points, start, end, civil_day(start))
            assert {clash.meeting_id: clash.points for clash in found} == expected


def _office_starts(day: date, duration: timedelta) -> Iterator[datetime]:
    if not is_working_day(day):
        return
    for opening, closing in OFFICE_HOURS:
        start = datetime.combine(day, opening, CIVIL_ZONE)
        end = datetime.combine(day, closing, CIVIL_ZONE)
        if duration > end - start:
            end = datetime.combine(day, OFFICE_HOURS[-1][1], CIVIL_ZONE)
        while start + duration <= end:
            yield start
            start += HALF_HOUR


def test_the_next_free_start_agrees_with_brute_force(db: Database, city: City) -> None:
    chance = random.Random(7)  # noqa: S311 -- a test that repeats itself needs no secret
    _raw_meetings(db, city, 60, chance)
    monday = at(working_day(utcnow(), 5), 0)
    setup, clearing = timedelta(minutes=30), timedelta(minutes=15)
    with db.reader() as session:
        held = session.execute(
            select(Occupancy.point_id, Occupancy.starts_at, Occupancy.ends_at)
        ).all()
        for _ in range(40):
            points = chance.sample(sorted(city.points.values()), chance.randrange(1, 9))
            duration = timedelta(minutes=30 * chance.randrange(1, 9))
            earliest = monday + timedelta(minutes=30 * chance.randrange(48 * 3))
            expected = next(
                (
                    start
                    for days in range(14)
                    for start in _office_starts((earliest + timedelta(days)).date(), duration)
                    if start >= earliest
                    and not any(
                        point in points
                        and begins < start + duration + clearing
                        and ends > start - setup
                        for point, begins, ends in held
                    )
                ),
                None,
            )
            found = next_free(
                session,
                points,
                duration,
                earliest,
                margins=Margins(setup, clearing),
                zone=ZoneInfo("Asia/Ho_Chi_Minh"),
            )
            assert found == expected


def test_the_best_windows_agree_with_brute_force(db: Database, city: City) -> None:
    """However few are free: the order, and how many of the points are taken in each."""
    chance = random.Random(11)  # noqa: S311 -- a test that repeats itself needs no secret
    _raw_meetings(db, city, 60, chance)
    monday = at(working_day(utcnow(), 5), 0)
    margins = Margins(timedelta(minutes=30), timedelta(minutes=15))
    taken = 0
    with db.reader() as session:
        held = session.execute(
            select(Occupancy.point_id, Occupancy.starts_at, Occupancy.ends_at)
        ).all()
        for _ in range(40):
            points = chance.sample(sorted(city.points.values()), chance.randrange(1, 9))
            duration = timedelta(minutes=30 * chance.randrange(1, 9))
            earliest = monday + timedelta(minutes=30 * chance.randrange(48 * 3))
            latest = earliest + timedelta(days=chance.randrange(1, 6))
            counted = {
                start: {
                    point
                    for point, begins, ends in held
                    if point in points
                    and begins < start + duration + margins.clearing
                    and ends > start - margins.setup
                }
                for days in range(7)
                for start in _office_starts((earliest + timedelta(days)).date(), duration)
                if start >= earliest and start + duration <= latest
            }
            most = chance.randrange(1, 60)
            expected = sorted((len(busy), start) for start, busy in counted.items())[:most]
            found = best_windows(
                session,
                points,
                duration,
                earliest,
                latest,
                margins=margins,
                zone=ZoneInfo("Asia/Ho_Chi_Minh"),
                most=most,
            )
            assert [(window.taken, window.starts_at) for window in found] == expected
            taken += sum(window.taken > 1 for window in found)
    assert taken > 100


def test_booking_takes_the_same_number_of_statements_for_any_audience(
    db: Database, city: City
) -> None:
    now = utcnow()
    counts = []
    for number, rules in enumerate((ONE_WARD, meeting_request(city, now).audience)):
        statements: list[str] = []

        def note(
            _c: object, _k: object, text: str, *_rest: object, seen: list[str] = statements
        ) -> None:
            seen.append(text)

        with db.transaction() as session:
            load_tree(session, civil_day(now))  # whoever asks first reads it, which is three more
            event.listen(db.engine, "before_cursor_execute", note)
            day = at(working_day(now, 6 + number), 8)
            booked_meeting(session, city, now, audience=rules, starts_at=day)
            event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(statements))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"title": " "}, ("title", "missing")),
        ({"title": "x" * 301}, ("title", "too_long")),
        ({"title": "a\x00b"}, ("title", "control_characters")),
        ({"join_url": "ftp://x"}, ("join_url", "not_a_link")),
        ({"setup_minutes": 1441}, ("setup_minutes", "out_of_range")),
        ({"timezone": "Asia/Nowhere"}, ("timezone", "unknown")),
    ],
)
def test_what_is_not_sound_is_refused(
    db: Database, city: City, changes: dict[str, Any], refusal: tuple[str, str]
) -> None:
    now = utcnow()
    with pytest.raises(FieldInvalid) as refused, db.transaction() as session:
        booked_meeting(session, city, now, **changes)
    assert (refused.value.field, refused.value.problem) == refusal


def test_times_that_cannot_be_are_refused(db: Database, city: City) -> None:
    now = utcnow()
    start = at(working_day(now, 5), 8)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"starts_at": start, "ends_at": start}, "not_after_start"),
        ({"starts_at": start, "ends_at": start - HALF_HOUR}, "not_after_start"),
        ({"starts_at": start, "ends_at": start + timedelta(days=8)}, "too_long"),
        ({"starts_at": now - timedelta(days=1)}, "in_the_past"),
        ({"starts_at": now + timedelta(days=731)}, "too_far"),
    ]
    for changes, problem in cases:
        with pytest.raises(FieldInvalid) as refused, db.transaction() as session:
            booked_meeting(session, city, now, **changes)
        assert refused.value.problem == problem


def test_who_and_where_are_checked(db: Database, city: City) -> None:
    now = utcnow()
    cases: list[tuple[dict[str, object], str, type[DomainError]]] = [
        ({"host_unit_id": city.units["006"]}, "thuky.snv", NotPermitted),
        ({}, "truc.vanmieu", NotPermitted),
        ({"chair_id": 999_999}, "thuky", UnknownPerson),
    ]
    for changes, username, refusal in cases:
        with pytest.raises(refusal), db.transaction() as session:
            booked_meeting(session, city, now, city.actors[username], **changes)
    with db.transaction() as session:
        start = at(working_day(now, 5), 0)
        report_outage(
            session,
            city.actors["kythuat"],
            city.points["01"],
            start,
            None,
            "Hỏng thiết bị",
            now,
        )
    with pytest.raises(MainPointOut) as out, db.transaction() as session:
        booked_meeting(session, city, now)
    assert out.value.reason == "Hỏng thiết bị"


def test_a_draft_is_seen_by_its_hosts_alone(db: Database, city: City) -> None:
    now = utcnow()
    with db.transaction() as session:
        meeting = booked_meeting(session, city, now)
        assert meeting.state == MeetingState.DRAFT.value
    with db.reader() as session:
        today = civil_day(now)
        assert visible_meeting(session, city.secretary, meeting.id, today).id == meeting.id
        with pytest.raises(UnknownMeeting):
            visible_meeting(session, city.actors["thuky.dongda"], meeting.id, today)
