"""Calendars to subscribe to: right at once, cheap when nothing has changed, closed when renewed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from icalendar import Calendar
from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.database import Database
from rooms.feeds import FeedKind, NotYourCalendar, UnknownFeed, feed_of, read_feed, renew
from rooms.kernel import utcnow
from rooms.meetings import Meeting
from rooms.policies import NotPermitted
from rooms.scheduling import cancel, change, postpone, request_of
from tests.counting import counted
from tests.factories import (
    ALL,
    City,
    booked_meeting,
    make_city,
    meeting_request,
    scheduled_meeting,
    working_day,
)
from tests.factories import at as at_clock

DAY = timedelta(days=1)


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def address(db: Database, city: City, who: str, kind: FeedKind, of_id: int) -> str:
    with db.transaction() as session:
        feed = feed_of(session, city.actors[who], kind, of_id, utcnow())
    return f"/api/v1/calendars/{feed.token}.ics"


def schedule_one(db: Database, city: City, **changes: Any) -> Meeting:
    with db.transaction() as session:
        return scheduled_meeting(session, city, utcnow(), **changes)


def events(content: bytes) -> list[tuple[str, int, str]]:
    """Summary, SEQUENCE and STATUS."""
    return [
        (str(found["SUMMARY"]), int(str(found["SEQUENCE"])), str(found["STATUS"]))
        for found in Calendar.from_ical(content).events
    ]


def test_a_unit_a_point_and_a_person_see_their_meetings(
    db: Database, client: TestClient[Litestar], city: City
) -> None:
    schedule_one(db, city)
    told = ("Giao ban công tác tháng", 0, "CONFIRMED")
    for who, kind, of_id in (
        ("vanthu.vanmieu", FeedKind.UNIT, city.units["00181"]),
        ("vanthu.vanmieu", FeedKind.POINT, city.points["00181"]),
        ("lanhdao.vanmieu", FeedKind.PERSON, city.actors["lanhdao.vanmieu"].person_id),
        ("lanhdao", FeedKind.PERSON, city.chair.person_id),
        ("thuky", FeedKind.UNIT, city.units["01"]),
    ):
        answer = client.get(address(db, city, who, kind, of_id))
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        assert events(answer.content) == [told], kind
        assert "246810" not in answer.text
        assert "phong/1000" not in answer.text


def test_what_is_off_stays_for_a_while_and_says_so(
    db: Database, client: TestClient[Litestar], city: City
) -> None:
    path = address(db, city, "vanthu.vanmieu", FeedKind.UNIT, city.units["00181"])
    first = schedule_one(db, city)
    second = schedule_one(db, city, starts_at=at_clock(working_day(utcnow(), 6), 8))
    with db.transaction() as session:
        cancel(session, city.secretary, first.id, "Bão số 9", utcnow())
        postpone(session, city.secretary, second.id, "Chờ số liệu", utcnow())
    assert events(client.get(path).content) == [
        ("Hủy: Giao ban công tác tháng", 1, "CANCELLED"),
        ("Hoãn: Giao ban công tác tháng", 1, "CANCELLED"),
    ]


def test_drafts_are_the_hosts_alone_and_tentative(
    db: Database, client: TestClient[Litestar], city: City
) -> None:
    with db.transaction() as session:
        draft = booked_meeting(session, city, utcnow())
    host = address(db, city, "thuky", FeedKind.UNIT, city.units["01"])
    ward = address(db, city, "vanthu.vanmieu", FeedKind.UNIT, city.units["00181"])
    assert events(client.get(host).content) == [("Giao ban công tác tháng", 0, "TENTATIVE")]
    assert events(client.get(ward).content) == []
    with db.transaction() as session:
        cancel(session, city.secretary, draft.id, "Không cần nữa", utcnow())
    assert events(client.get(host).content) == []


def test_whoever_is_no_longer_invited_sees_it_no_longer(
    db: Database, client: TestClient[Litestar], city: City
) -> None:
    path = address(db, city, "vanthu.vanmieu", FeedKind.UNIT, city.units["00181"])
    meeting = schedule_one(db, city)
    answer = client.get(path)
    assert len(events(answer.content)) == 1
    with db.transaction() as session:
        request = request_of(session, session.get_one(Meeting, meeting.id), list(ALL)[:2])
        change(session, city.secretary, meeting.id, request, utcnow() + timedelta(seconds=2))
    later = client.get(path, headers={"if-modified-since": answer.headers["last-modified"]})
    assert later.status_code == 200
    assert events(later.content) == []


def test_nothing_is_sent_again_that_the_reader_has(
    db: Database, client: TestClient[Litestar], city: City
) -> None:
    path = address(db, city, "vanthu.vanmieu", FeedKind.UNIT, city.units["00181"])
    meeting = schedule_one(db, city)
    first = client.get(path)
    again = client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    by_date = client.get(path, headers={"if-modified-since": first.headers["last-modified"]})
    assert by_date.status_code == 304
    with db.transaction() as session:
        request = request_of(session, session.get_one(Meeting, meeting.id), list(ALL))
        moved = replace(request, starts_at=request.starts_at + DAY, ends_at=request.ends_at + DAY)
        change(session, city.secretary, meeting.id, moved, utcnow() + 2 * DAY / 86400, reason="Dời")
    for header, value in (
        ("if-none-match", first.headers["etag"]),
        ("if-modified-since", first.headers["last-modified"]),
    ):
        changed = client.get(path, headers={header: value})
        assert events(changed.content) == [("Giao ban công tác tháng", 1, "CONFIRMED")]


@pytest.mark.parametrize("nonsense", ["", "yesterday", "Thu, 99 Foo 2026"])
def test_a_date_that_cannot_be_read_is_no_reason_to_send_nothing(
    db: Database, client: TestClient[Litestar], city: City, nonsense: str
) -> None:
    path = address(db, city, "vanthu.vanmieu", FeedKind.UNIT, city.units["00181"])
    assert client.get(path, headers={"if-modified-since": nonsense}).status_code == 200


def test_renewing_ends_the_old_address(
    db: Database, client: TestClient[Litestar], city: City
) -> None:
    unit = city.units["00181"]
    old = address(db, city, "vanthu.vanmieu", FeedKind.UNIT, unit)
    assert address(db, city, "vanthu.vanmieu", FeedKind.UNIT, unit) == old
    with db.transaction() as session:
        renew(session, city.actors["vanthu.vanmieu"], FeedKind.UNIT, unit, utcnow())
    assert address(db, city, "vanthu.vanmieu", FeedKind.UNIT, unit) != old
    refused = client.get(old)
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_feed")


@pytest.mark.parametrize("name", ["nothing.ics", "nothing", "%00.ics", ".ics", "ă.ics"])
def test_an_unknown_address_opens_nothing(client: TestClient[Litestar], name: str) -> None:
    answer = client.get(f"/api/v1/calendars/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_feed")


def test_only_whoever_may_see_a_calendar_gets_its_address(db: Database, city: City) -> None:
    ward = city.actors["truc.cattlinh"]
    with db.transaction() as session:
        with pytest.raises(NotPermitted):
            feed_of(session, ward, FeedKind.UNIT, city.units["00181"], utcnow())
        with pytest.raises(NotPermitted):
            feed_of(session, ward, FeedKind.POINT, city.points["00181"], utcnow())
        with pytest.raises(NotPermitted):
            renew(session, ward, FeedKind.UNIT, city.units["006"], utcnow())
        with pytest.raises(NotYourCalendar):
            feed_of(session, city.secretary, FeedKind.PERSON, ward.person_id, utcnow())
        with pytest.raises(UnknownFeed):
            read_feed(session, "nothing", utcnow())


def test_a_feed_of_many_meetings_takes_no_more_statements(db: Database, city: City) -> None:
    unit = city.units["00181"]
    token = address(db, city, "vanthu.vanmieu", FeedKind.UNIT, unit).rsplit("/")[-1][:-4]
    counts = []
    for number in range(3):
        start = meeting_request(city, utcnow()).starts_at + number * DAY
        schedule_one(db, city, starts_at=start)
        with db.reader() as session, counted(db) as seen:
            assert len(read_feed(session, token, utcnow()).meetings) == number + 1
        counts.append(len(seen))
    assert len(set(counts)) == 1
    assert counts[0] <= 5  # SQLite begins with one of its own
