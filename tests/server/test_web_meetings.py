"""The pages of meetings: what they show to whom, and with how many statements."""

from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.database import Database
from rooms.audience import Rule
from rooms.kernel import utcnow
from rooms.scheduling import cancel
from tests.conftest import SignIn
from tests.counting import counted
from tests.factories import (
    City,
    at,
    booked_meeting,
    make_city,
    make_hanoi,
    participation_of,
    scheduled_meeting,
    working_day,
)

Client = TestClient[Litestar]
MOST_STATEMENTS = 10
ONE_WARD = [Rule(include=True, by="unit", unit="00181")]


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def statements_of(
    db: Database, client: Client, path: str, params: dict[str, str] | None = None
) -> int:
    with counted(db) as seen:
        assert client.get(path, params=params).status_code == 200
    return len(seen)


def range_of(days: int = 60) -> dict[str, str]:
    now = utcnow()
    return {
        "start": (now - timedelta(days=1)).isoformat(),
        "end": (now + timedelta(days=days)).isoformat(),
    }


def test_the_calendar_shows_what_one_may_see(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        scheduled_meeting(session, city, now, title="Cho Văn Miếu", audience=ONE_WARD)
        day = at(working_day(now, 6), 8)
        booked_meeting(session, city, now, title="Bản nháp", starts_at=day)
    expected = {
        "thuky": {"Cho Văn Miếu", "Bản nháp"},
        "truc.vanmieu": {"Cho Văn Miếu"},
        "thuky.dongda": {"Cho Văn Miếu"},
        "truc.cattlinh": set(),
    }
    for username, titles in expected.items():
        sign_in(city.actors[username].person_id)
        found = client.get("/meetings/events", params=range_of()).raise_for_status().json()
        assert {one["title"] for one in found} == titles
        assert {one["editable"] for one in found} <= {username == "thuky"}


def test_the_calendar_is_filtered_by_the_address(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        scheduled_meeting(session, city, now, title="Văn Miếu", audience=ONE_WARD)
        off = scheduled_meeting(
            session,
            city,
            now,
            title="Sở",
            starts_at=at(working_day(now, 6), 8),
            audience=[Rule(include=True, by="level", level="department")],
        )
        cancel(session, city.secretary, off.id, "Trùng lịch", now)
    sign_in(city.secretary.person_id)

    def titles(**filters: str) -> set[str]:
        answer = client.get("/meetings/events", params=range_of() | filters).raise_for_status()
        return {one["title"] for one in answer.json()}

    assert titles() == {"Văn Miếu", "Sở"}
    assert titles(unit="006") == {"Văn Miếu"}  # the ward is below the district
    assert titles(unit="01-SNV") == {"Sở"}
    assert titles(unit="nowhere") == set()
    assert titles(state="cancelled") == {"Sở"}
    assert titles(kind="training") == set()
    page = client.get("/meetings", params={"view": "list", "unit": "006"}).text
    assert "Văn Miếu" in page
    assert f"/meetings/{off.id}" not in page


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"start": "soon", "end": "later"},
        {"start": "2026-01-01T00:00:00+07:00", "end": "2020-01-01T00:00:00+07:00"},
        {"start": "0001-01-01T00:00:00+14:00", "end": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_a_period_that_cannot_be_is_refused(
    client: Client, sign_in: SignIn, city: City, asked: dict[str, str]
) -> None:
    sign_in(city.secretary.person_id)
    answer = client.get("/meetings/events", params=asked, headers={"accept": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "field_invalid"


def test_pages_take_the_same_few_statements_for_any_number_of_units(
    db: Database, client: Client, sign_in: SignIn
) -> None:
    """One, three and 632 units invited: the statements of every page are counted."""
    now = utcnow()
    with db.transaction() as session:
        city = make_hanoi(session, now)
    three = [Rule(include=True, by="unit", unit=code) for code in ("00181", "00178", "006")]
    ids = []
    for number, rules in enumerate((ONE_WARD, three, None)):
        with db.transaction() as session:
            changes: dict[str, Any] = {"audience": rules} if rules else {}
            day = at(working_day(now, 5 + number), 8)
            meeting = scheduled_meeting(session, city, now, starts_at=day, **changes)
            ids.append((meeting.id, participation_of(session, meeting.id, city.units["00181"]).id))
    counts: dict[str, list[int]] = {}
    for meeting_id, invitation_id in ids:
        for name, path, username in (
            ("participants", f"/meetings/{meeting_id}", "thuky"),
            ("papers", f"/meetings/{meeting_id}?tab=papers", "thuky"),
            ("history", f"/meetings/{meeting_id}?tab=history", "thuky"),
            ("edit", f"/meetings/{meeting_id}/edit", "thuky"),
            ("invited", f"/meetings/{meeting_id}", "vanthu.vanmieu"),
            ("invitation", f"/invitations/{invitation_id}", "vanthu.vanmieu"),
        ):
            sign_in(city.actors[username].person_id)
            counts.setdefault(name, []).append(statements_of(db, client, path))
    assert {name: set(figures) for name, figures in counts.items() if len(set(figures)) > 1} == {}
    assert max(figures[0] for figures in counts.values()) <= MOST_STATEMENTS, counts


def test_lists_take_the_same_few_statements_for_any_number_of_meetings(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    now = utcnow()
    paths = {
        "calendar": "/meetings",
        "table": "/meetings?view=list",
        "events": "/meetings/events",
        "invitations": "/invitations?below=1",
        "form": "/meetings/new",
    }
    counts: dict[str, list[int]] = {name: [] for name in paths}
    for wanted in (1, 3):
        for number in range(wanted):
            with db.transaction() as session:
                day = at(working_day(now, 5 + number + 3 * wanted), 8)
                scheduled_meeting(session, city, now, starts_at=day)
        sign_in(city.secretary.person_id)
        for name, path in paths.items():
            params = range_of() if name == "events" else None
            counts[name].append(statements_of(db, client, path, params))
    assert {name: set(figures) for name, figures in counts.items() if len(set(figures)) > 1} == {}
    assert max(figures[0] for figures in counts.values()) <= MOST_STATEMENTS, counts


def test_how_to_join_is_shown_to_the_invited_alone(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now, audience=ONE_WARD)
    for username, sees in {"thuky": True, "truc.vanmieu": True, "truc.cattlinh": False}.items():
        sign_in(city.actors[username].person_id)
        answer = client.get(f"/meetings/{meeting.id}")
        assert answer.status_code == (200 if sees else 404)
        assert ("246810" in answer.text) is sees


def test_a_ward_sees_its_own_point_and_no_other(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, utcnow())
    sign_in(city.actors["truc.vanmieu"].person_id)
    page = client.get(f"/meetings/{meeting.id}").text
    assert "Phòng họp Phường Văn Miếu" in page
    assert "Phòng họp Phường Cát Linh" not in page
    assert "acts/cancel" not in page
    assert "tab=history" not in page
    sign_in(city.secretary.person_id)
    page = client.get(f"/meetings/{meeting.id}", params={"q": "cat linh"}).text
    assert "Phòng họp Phường Cát Linh" in page
    assert "Phòng họp Phường Văn Miếu" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/meetings/999999",
        "/meetings/99999999999999999999",
        "/meetings/999999/edit",
        "/invitations/999999",
        "/invitations/99999999999999999999",
        "/meetings/choices/planets",
    ],
)
def test_what_does_not_exist_is_not_found(
    client: Client, sign_in: SignIn, city: City, path: str
) -> None:
    sign_in(city.secretary.person_id)
    assert client.get(path).status_code == 404


def test_odd_addresses_are_read_as_far_as_they_go(
    client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.secretary.person_id)
    for query in (
        "view=list&page=0",
        "view=list&page=99999999999",
        "view=list&page=x&sort=x&date=x&kind=x&state=x",
        "view=list&q=%25_%5C'%22",
        "date=9999-12-31&view=list",
        "date=0001-01-01&view=list",
    ):
        assert client.get(f"/meetings?{query}").status_code == 200, query


def test_choices_are_found_without_marks_and_within_ones_right(
    client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.actors["thuky.dongda"].person_id)

    def labels(what: str, query: str = "") -> list[str]:
        return [one["label"] for one in client.get(f"/meetings/choices/{what}?q={query}").json()]

    assert labels("hosts")[0] == "Quận Đống Đa"
    assert "Thành phố Hà Nội" not in labels("hosts")
    assert labels("points", "dong da") == ["Phòng họp Quận Đống Đa"]
    assert labels("chairs", "do hoang") == ["Đỗ Hoàng Long"]
    assert labels("chairs", "pham van tung") == []  # an operator chairs no meeting
    tree = client.get("/meetings/tree").json()
    assert len(tree["units"]) == 9
    assert tree["units"][0][:2] == ["01", -1]


def test_refused_acts_say_what_is_missing_in_their_dialog(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, utcnow())
    sign_in(city.secretary.person_id)
    answer = client.post(f"/meetings/{meeting.id}/acts/cancel", data={"reason": " "})
    assert answer.status_code == 422
    assert 'id="cancel-dialog-form"' in answer.text
    assert "error-cancel-reason" in answer.text or "data-error-summary" in answer.text
    done = client.post(
        f"/meetings/{meeting.id}/acts/cancel",
        data={"reason": "Bão số 9"},
        follow_redirects=False,
    )
    assert (done.status_code, done.headers["location"]) == (303, f"/meetings/{meeting.id}")
    assert "Bão số 9" in client.get(f"/meetings/{meeting.id}").text
    again = client.post(f"/meetings/{meeting.id}/acts/cancel", data={"reason": "Bão"})
    assert again.status_code == 409
    assert client.post(f"/meetings/{meeting.id}/acts/explode", data={}).status_code == 404


def test_acts_of_others_are_refused(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, utcnow())
    for username in ("truc.vanmieu", "thuky.dongda", "lanhdao"):
        sign_in(city.actors[username].person_id)
        for act in ("schedule", "cancel", "postpone", "start", "end"):
            answer = client.post(f"/meetings/{meeting.id}/acts/{act}", data={"reason": "x"})
            assert answer.status_code == 403, (username, act)
