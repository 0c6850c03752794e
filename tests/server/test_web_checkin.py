"""The pages of check-in and of the board, without a browser: rights, forms, first frames."""

import re
from datetime import timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.database import Database
from rooms.attendance import log_after
from rooms.kernel import utcnow
from rooms.rollup import state_at
from rooms.scheduling import end, start
from tests.conftest import SignIn
from tests.counting import counted
from tests.factories import City, make_city, make_hanoi, scheduled_meeting

JSON = {"accept": "application/json"}


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


@pytest.fixture
def meeting_id(db: Database, city: City) -> int:
    """A meeting whose points are open for check-in."""
    now = utcnow()
    with db.transaction() as session:
        return scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=20)).id


def states(db: Database, meeting_id: int) -> dict[int, tuple[str, int | None, str]]:
    with db.reader() as session:
        return {
            point.point_id: (point.state, point.headcount, point.head_of_delegation)
            for point in state_at(session, meeting_id)
        }


def test_an_operator_checks_the_own_point_in(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    sign_in(city.actors["truc.vanmieu"].person_id)
    point = city.points["00181"]
    assert f'href="/check-in/{meeting_id}/{point}"' in client.get("/check-in").text
    page = client.get(f"/check-in/{meeting_id}/{point}").text
    assert "sip:1000@hop.hanoi.example" in page
    assert "246810" in page
    answer = client.post(
        f"/check-in/{meeting_id}/{point}",
        data={"state": "present", "headcount": "12", "head_of_delegation": "Bùi Thị Lan"},
        follow_redirects=False,
    )
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/check-in/{meeting_id}/{point}",
    )
    assert states(db, meeting_id)[point] == ("present", 12, "Bùi Thị Lan")
    assert "Bùi Thị Lan" in client.get(f"/check-in/{meeting_id}/{point}/line").text


def test_the_same_check_in_again_changes_nothing_and_a_correction_keeps_the_first(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    sign_in(city.actors["truc.vanmieu"].person_id)
    point = city.points["00181"]
    said = {"state": "present", "headcount": "12", "observed_at": utcnow().isoformat()}
    where = f"/check-in/{meeting_id}/{point}"
    first = client.post(where, data=said, headers=JSON).json()
    again = client.post(where, data=said, headers=JSON).json()
    assert first == again
    corrected = client.post(where, data={"state": "present", "headcount": "13"}, headers=JSON)
    assert corrected.json()["revision"] > first["revision"]
    with db.reader() as session:
        line = [row.headcount for row in log_after(session, meeting_id, 0) if row.point_id == point]
    assert line == [12, 13]


def test_another_wards_point_is_refused(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    sign_in(city.actors["truc.vanmieu"].person_id)
    other = city.points["00178"]
    assert client.get(f"/check-in/{meeting_id}/{other}").status_code == 403
    assert client.get(f"/check-in/{meeting_id}/{other}/line").status_code == 403
    refused = client.post(f"/check-in/{meeting_id}/{other}", data={"state": "present"})
    assert refused.status_code == 403
    assert states(db, meeting_id)[other][0] == "invited"
    assert client.get(f"/check-in/{meeting_id}/999999").status_code == 404
    assert client.get(f"/check-in/999999/{other}").status_code == 404


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"state": "present", "headcount": "many"}, "headcount"),
        ({"state": "present", "headcount": "-1"}, "headcount"),
        ({"state": "present", "headcount": "100001"}, "headcount"),
        ({"state": "present", "headcount": "٣"}, "headcount"),
        ({"state": "present", "head_of_delegation": "x" * 121}, "head_of_delegation"),
        ({"state": "needs_help", "note": "x" * 501}, "note"),
        ({"state": "asleep"}, "state"),
        ({"state": ""}, "state"),
        ({}, "state"),
        ({"state": "present", "observed_at": "yesterday"}, "observed_at"),
        ({"state": "present", "observed_at": "2026-11-22T08:00:00"}, "observed_at"),
        ({"state": "present", "observed_at": "2999-01-01T00:00:00Z"}, "observed_at"),
    ],
)
def test_bad_input_names_the_field(
    client: TestClient[Litestar],
    sign_in: SignIn,
    city: City,
    meeting_id: int,
    said: dict[str, str],
    field: str,
) -> None:
    sign_in(city.actors["truc.vanmieu"].person_id)
    where = f"/check-in/{meeting_id}/{city.points['00181']}"
    told = client.post(where, data=said, headers=JSON)
    assert (told.status_code, told.json()["field"]) == (422, field)
    page = client.post(where, data=said)
    assert page.status_code == 422
    assert "data-error-summary" in page.text


def test_before_it_opens_and_after_the_end(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    with db.transaction() as session:
        later = scheduled_meeting(session, city, utcnow()).id
    sign_in(city.actors["truc.vanmieu"].person_id)
    point = city.points["00181"]
    page = client.get(f"/check-in/{later}/{point}").text
    assert 'id="not-open"' in page
    assert re.search(r'id="check-in-form"[^>]* hidden', page)
    refused = client.post(f"/check-in/{later}/{point}", data={"state": "present"}, headers=JSON)
    assert (refused.status_code, refused.json()["code"]) == (409, "check_in_not_open")
    with db.transaction() as session:
        start(session, city.secretary, meeting_id, utcnow())
    with db.transaction() as session:
        end(session, city.secretary, meeting_id, utcnow())
    closed = client.post(f"/check-in/{meeting_id}/{point}", data={"state": "present"}, headers=JSON)
    assert (closed.status_code, closed.json()["code"]) == (409, "meeting_closed")
    assert 'id="check-in-form"' not in client.get(f"/check-in/{meeting_id}/{point}").text


def test_the_list_finds_a_unit_without_diacritics(
    client: TestClient[Litestar], sign_in: SignIn, city: City, meeting_id: int
) -> None:
    sign_in(city.actors["kythuat"].person_id)
    page = client.get("/check-in?q=cat linh").text
    assert re.findall(rf'/check-in/{meeting_id}/(\d+)"', page) == [str(city.points["00178"])]
    assert client.get("/check-in?q=100%25").status_code == 200
    sign_in(city.actors["lanhdao"].person_id)
    assert f"/check-in/{meeting_id}/" not in client.get("/check-in").text


def board_figures(page: str) -> tuple[str, str]:
    there = re.search(r'data-total="there">(\d+)<', page)
    invited = re.search(r'data-total="all">(\d+)<', page)
    assert there
    assert invited
    return there[1], invited[1]


def test_everyone_sees_the_board_of_what_they_govern(
    client: TestClient[Litestar], sign_in: SignIn, city: City, meeting_id: int
) -> None:
    sign_in(city.actors["truc.vanmieu"].person_id)
    client.post(
        f"/check-in/{meeting_id}/{city.points['00181']}", data={"state": "present"}, headers=JSON
    )
    seen = {}
    for name in ("thuky", "thuky.dongda", "truc.vanmieu", "truc.cattlinh", "lanhdao"):
        sign_in(city.actors[name].person_id)
        seen[name] = board_figures(client.get(f"/meetings/{meeting_id}/board").text)
    assert seen == {
        "thuky": ("1", "9"),
        "thuky.dongda": ("1", "4"),
        "truc.vanmieu": ("1", "1"),
        "truc.cattlinh": ("0", "1"),
        "lanhdao": ("1", "9"),
    }
    sign_in(city.actors["truc.vanmieu"].person_id)
    assert client.get(f"/meetings/{meeting_id}/board?scope=00178").status_code == 403
    assert client.get(f"/meetings/{meeting_id}/board?scope=nowhere").status_code == 404
    assert client.get("/meetings/999999/board").status_code == 404


def test_the_notes_of_the_board_stay_in_its_scope(
    client: TestClient[Litestar], sign_in: SignIn, city: City, meeting_id: int
) -> None:
    sign_in(city.actors["truc.vanmieu"].person_id)
    point = city.points["00181"]
    client.post(
        f"/check-in/{meeting_id}/{point}",
        data={"state": "needs_help", "note": "Mất tiếng"},
        headers=JSON,
    )
    where = f"/meetings/{meeting_id}/board/notes"
    sign_in(city.secretary.person_id)
    told = client.get(where).json()
    assert told["notes"] == {str(point): ["Mất tiếng", "", False]}
    sign_in(city.actors["truc.cattlinh"].person_id)
    assert client.get(where).json() == {"helps": {}, "notes": {}, "reminders": {}}


def test_the_boards_first_frame_takes_few_statements_for_all_of_hanoi(
    client: TestClient[Litestar], sign_in: SignIn, db: Database
) -> None:
    now = utcnow()
    with db.transaction() as session:
        hanoi = make_hanoi(session, now)
        meeting_id = scheduled_meeting(
            session, hanoi, now, starts_at=now + timedelta(minutes=20)
        ).id
    sign_in(hanoi.secretary.person_id)
    client.get(f"/meetings/{meeting_id}/board")
    with counted(db) as statements:
        page = client.get(f"/meetings/{meeting_id}/board").text
    assert board_figures(page) == ("0", "632")
    assert len(page.split('data-group="')) - 1 == 32
    assert len([s for s in statements if s.startswith("SELECT")]) <= 10
    sign_in(hanoi.actors["truc.vanmieu"].person_id)
    with counted(db) as statements:
        client.get(f"/check-in/{meeting_id}/{hanoi.points['00181']}")
    assert len([s for s in statements if s.startswith("SELECT")]) <= 10
