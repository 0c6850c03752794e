"""Hôm nay: what each role finds on its first page."""

from datetime import timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.database import Database
from rooms.kernel import utcnow
from rooms.outages import report_outage
from rooms.scheduling import end, start
from tests.conftest import SignIn
from tests.factories import City, at, booked_meeting, make_city, scheduled_meeting, working_day
from tests.server.test_web_meetings import MOST_STATEMENTS, statements_of

Client = TestClient[Litestar]


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def test_a_secretary_finds_what_waits(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        scheduled_meeting(
            session, city, now, title="Họp lát nữa", starts_at=now + timedelta(hours=1)
        )
        late = at(working_day(now, 2), 8)
        booked_meeting(session, city, now, title="Nháp đã muộn", starts_at=late)
        done = scheduled_meeting(
            session, city, now, title="Đã họp xong", starts_at=at(working_day(now, 6), 8)
        )
        start(session, city.secretary, done.id, done.starts_at)
        end(session, city.secretary, done.id, done.ends_at)
    sign_in(city.secretary.person_id)
    page = client.get("/").raise_for_status().text
    for words in ("Họp lát nữa", "8 đơn vị được mời", "Nháp đã muộn", "quá hạn gửi giấy mời"):
        assert words in page
    assert f'/meetings/{done.id}/minutes"' in page
    sign_in(city.actors["thuky.dongda"].person_id)
    page = client.get("/").text
    assert "Giấy mời chờ xác nhận" in page
    assert "Họp lát nữa" in page
    assert "Nháp đã muộn" not in page
    assert statements_of(db, client, "/") <= MOST_STATEMENTS


def test_an_operator_finds_the_next_meeting_and_the_button(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        scheduled_meeting(session, city, now, starts_at=at(working_day(now, 1), 8))
    sign_in(city.actors["truc.vanmieu"].person_id)
    page = client.get("/").text
    for words in (
        "Phòng họp Phường Văn Miếu",
        'href="/check-in"',
        "https://hop.hanoi.example",
        "246810",
    ):
        assert words in page
    assert statements_of(db, client, "/") <= MOST_STATEMENTS


def test_officials_and_technicians_find_theirs(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        report_outage(
            session,
            city.actors["kythuat"],
            city.points["00178"],
            now,
            None,
            "Hỏng camera",
            now,
        )
    for username, words in {
        "lanhdao": "Biên bản mới",
        "kythuat": "Hỏng camera",
        "quantri": "Quản trị",
        "truc.cattlinh": "Chưa có cuộc họp nào sắp tới",
    }.items():
        sign_in(city.actors[username].person_id)
        assert words in client.get("/").raise_for_status().text, username
        assert statements_of(db, client, "/") <= MOST_STATEMENTS, username
