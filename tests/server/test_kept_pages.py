"""What browsers keep for the time without a network, and the codes that lead to what they check in."""

import json
import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.database import Database
from rooms.kernel import utcnow
from tests.conftest import SignIn
from tests.factories import City, make_city, scheduled_meeting

BROWSER = {"accept": "text/html"}


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def test_the_worker_keeps_one_version_whole(client: TestClient[Litestar]) -> None:
    answer = client.get("/service-worker.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["service-worker-allowed"] == "/"
    told = json.loads(answer.text.splitlines()[0].removeprefix("self.BUILD = ").rstrip(";"))
    assert told["version"] == client.get("/login").headers["x-build"]
    assert "x-build" not in client.get("/healthz").headers
    for address, integrity in told["shell"].items():
        body = client.get(address).raise_for_status().content
        assert integrity == "sha256-" + b64encode(sha256(body).digest()).decode(), address
    needed = {"/static/js/checkin.js", "/static/js/clock.js", "/static/js/kiosk.js"}
    assert needed | {"/static/icons.svg", "/static/css/kiosk.css"} <= told["shell"].keys()
    for script in told["scripts"]:
        assert client.get(script).status_code == 200
    for language, words in (("vi", "Không có mạng"), ("en", "No network")):
        page = client.get(f"/offline?lang={language}").text
        assert f'<html lang="{language}"' in page
        assert words in page


def test_who_sends_what_waited_learns_who_they_are(
    client: TestClient[Litestar], sign_in: SignIn, city: City
) -> None:
    assert client.get("/check-in/hello", headers={"accept": "application/json"}).status_code == 401
    operator = city.actors["truc.vanmieu"].person_id
    sign_in(operator)
    told = client.get("/check-in/hello").json()
    assert told["owner"] == f"person:{operator}"
    assert told["csrf_token"] == client.cookies["meetings_csrf"]


def test_the_code_at_a_door_leads_to_its_meeting_after_the_login(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=20)).id
    point = city.points["00181"]
    code = f"/points/{point}/checkin"
    away = client.get(code, headers=BROWSER, follow_redirects=False)
    assert (away.status_code, away.headers["location"]) == (303, f"/login?next={code}")
    sign_in(city.actors["truc.vanmieu"].person_id)
    found = client.get(code, follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, f"/check-in/{meeting}/{point}")
    assert _printed(client, meeting) == [point]
    sign_in(city.actors["kythuat"].person_id)
    assert len(_printed(client, meeting)) == len(set(_printed(client, meeting))) == 9


def _printed(client: TestClient[Litestar], meeting_id: int) -> list[int]:
    """The points on the sheets of a meeting."""
    page = client.get(f"/meetings/{meeting_id}/doors").text
    return [int(found) for found in re.findall(r'door-link">[^<]+/points/(\d+)/checkin<', page)]
