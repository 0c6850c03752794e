"""Tablets at doors: who makes one, what its cookie opens and, above all, what it does not."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.identity.doors import COOKIE
from meetings_server.live.hub import Pace
from meetings_server.settings import Settings
from rooms.attendance import AttendanceEntry, Source
from rooms.audience import parse_rules
from rooms.devices import (
    CODE_LASTS,
    AtTheDoor,
    DeviceRevoked,
    KioskDevice,
    PairingRefused,
    add_device,
    at_the_door,
    digest,
    pair,
    renew_code,
    revoke_device,
    shown_code,
)
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.policies import NotPermitted, Permission, governed_units, holds
from tests.conftest import SignIn
from tests.factories import City, make_city, scheduled_meeting
from tests.live_lines import LiveLine, serving

JSON = {"accept": "application/json"}
WARD, OTHER = "00181", "00178"
OTHER_WARD = parse_rules([{"include": "unit", "unit": OTHER}])


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


@pytest.fixture
def meeting_id(db: Database, city: City) -> int:
    now = utcnow()
    with db.transaction() as session:
        return scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=20)).id


def made(db: Database, city: City, code: str = WARD) -> tuple[int, str]:
    """A device of a unit's point: its id and its pairing code."""
    now = utcnow()
    with db.transaction() as session:
        device, shown = add_device(
            session, city.actors["kythuat"], city.points[code], "Cửa chính", 30, now, civil_day(now)
        )
        session.flush()
        return device.id, shown


def paired(db: Database, city: City) -> tuple[int, str]:
    """A device of the ward's point: its id and the secret of its tablet."""
    device_id, code = made(db, city)
    with db.transaction() as session:
        return device_id, pair(session, code, "tablet", utcnow())[1]


def test_a_code_is_good_once_and_for_a_quarter_of_an_hour(db: Database, city: City) -> None:
    now = utcnow()
    today = civil_day(now)
    technician, point = city.actors["kythuat"], city.points[WARD]
    with db.transaction() as session:
        with pytest.raises(NotPermitted):
            add_device(session, city.actors["truc.vanmieu"], point, "Cửa", 30, now, today)
        with pytest.raises(FieldInvalid):
            add_device(session, technician, point, "Cửa", 400, now, today)
        device, code = add_device(session, technician, point, "Cửa", 30, now, today)
        session.flush()
        with pytest.raises(PairingRefused):
            pair(session, code, "", now + CODE_LASTS)
        typed = f" {shown_code(code).lower()} "
        assert pair(session, typed, "tablet", now)[0] is device
        first = pair(session, renew_code(session, technician, device.id, now, today)[1], "", now)[1]
        with pytest.raises(PairingRefused):
            pair(session, code, "", now)
        second = pair(session, renew_code(session, technician, device.id, now, today)[1], "", now)
        assert at_the_door(session, first, now) is None
        found = at_the_door(session, second[1], now)
        assert found is not None
        assert (found.point_id, found.name) == (point, "Cửa")
        assert at_the_door(session, second[1], device.expires_at) is None
        assert device.secret_hash == digest(second[1]) != second[1]
        assert device.state(now) == "paired"
        revoke_device(session, technician, device.id, now, today)
        assert at_the_door(session, second[1], now) is None
        with pytest.raises(DeviceRevoked):
            renew_code(session, technician, device.id, now, today)


def test_a_device_holds_no_right_of_people(db: Database, city: City) -> None:
    _, secret = paired(db, city)
    with db.reader() as session:
        door = at_the_door(session, secret, utcnow())
        assert isinstance(door, AtTheDoor)
        today = civil_day(utcnow())
        for permission in Permission:
            assert not session.scalars(governed_units(door.actor, permission, today)).all()
            assert not holds(session, door.actor, permission, door.unit_id, today)


def test_the_tablet_checks_its_own_point_in(
    client: TestClient[Litestar], db: Database, city: City, meeting_id: int
) -> None:
    _, code = made(db, city)
    client.get("/kiosk/pair")
    client.headers["x-csrftoken"] = client.cookies["meetings_csrf"]
    assert client.get("/kiosk").status_code == 401
    answer = client.post("/kiosk/pair", data={"code": code}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/kiosk")
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in (f"{COOKIE}=", "Path=/kiosk", "HttpOnly", "SameSite=lax"))
    assert client.post("/kiosk/pair", data={"code": code}).status_code == 409
    page = client.get("/kiosk")
    assert page.status_code == 200
    told = client.get("/kiosk/state").json()
    assert [meeting["id"] for meeting in told["meetings"]] == [meeting_id]
    said = {
        "state": "present",
        "headcount": "9",
        "point": str(city.points[OTHER]),
        "observed_at": utcnow().isoformat(),
    }
    first = client.post(f"/kiosk/check-in/{meeting_id}", data=said, headers=JSON).json()
    again = client.post(f"/kiosk/check-in/{meeting_id}", data=said, headers=JSON).json()
    assert first == again
    assert client.post("/kiosk/check-in/999", data=said, headers=JSON).status_code == 404
    with db.reader() as session:
        (row,) = session.scalars(
            select(AttendanceEntry).where(AttendanceEntry.point_id.is_not(None))
        ).all()
        assert (row.point_id, row.state, row.headcount) == (city.points[WARD], "present", 9)
        assert (row.source, row.recorded_by) == (Source.KIOSK, None)
        assert session.get_one(KioskDevice, row.device_id).name == "Cửa chính"


def test_its_cookie_opens_nothing_else_and_no_login_opens_its_calls(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    _, secret = paired(db, city)
    own = {"/kiosk", "/kiosk/pair", "/kiosk/state"}
    pages = {
        route.path.replace("{meeting_id:int}", str(meeting_id)).replace("{", "").split(":")[0]
        for route in client.app.routes
        if "GET" in getattr(route, "methods", ()) and "static" not in route.path
    }
    anybody = {path: client.get(path, follow_redirects=False).status_code for path in pages - own}
    # As a forged request would have it: a browser sends the cookie below /kiosk only.
    client.headers["cookie"] = f"{COOKIE}={secret}; meetings_session={secret}"
    client.headers["authorization"] = f"Bearer {secret}"
    seen = {path: client.get(path, follow_redirects=False).status_code for path in pages - own}
    assert seen == anybody
    assert client.get("/kiosk/state").status_code == 200
    assert client.get("/api/v1/meetings").status_code == 401
    del client.headers["cookie"], client.headers["authorization"]
    sign_in(city.secretary.person_id)
    assert client.get("/kiosk/state", headers=JSON).status_code == 401
    refused = client.post(f"/kiosk/check-in/{meeting_id}", data={"state": "left"}, headers=JSON)
    assert refused.status_code == 401


@pytest.fixture
def live_url(settings: Settings, db: Database) -> Iterator[str]:
    app = create_app(settings, db)
    app.state.live_pace = Pace(heartbeat=1.0, logins=0.2)
    with serving(settings, app) as url:
        yield url.replace("http://", "ws://")


def closed_with(address: str, secret: str) -> int:
    with connect(address, additional_headers={"cookie": f"{COOKIE}={secret}"}) as socket:
        return end_of(socket)


def end_of(socket: ClientConnection) -> int:
    """The closing code, after whatever else the server has to say."""
    line = LiveLine(socket)
    with suppress(ConnectionClosed):
        while True:
            line.receive()
    assert socket.close_code is not None
    return socket.close_code


def test_its_line_shows_one_point_until_it_is_revoked(
    live_url: str, db: Database, city: City, meeting_id: int
) -> None:
    device_id, secret = paired(db, city)
    with db.transaction() as session:
        elsewhere = scheduled_meeting(session, city, utcnow(), audience=OTHER_WARD).id
    where = f"{live_url}/kiosk/live"
    assert closed_with(f"{live_url}/live/meetings/{meeting_id}", secret) == 4401
    assert closed_with(f"{where}/{meeting_id}", "wrong") == 4401
    assert closed_with(f"{where}/{meeting_id}?scope=006", secret) == 4403
    assert closed_with(f"{where}/{elsewhere}", secret) == 4404
    with connect(
        f"{where}/{meeting_id}", additional_headers={"cookie": f"{COOKIE}={secret}"}
    ) as socket:
        line = LiveLine(socket)
        first = line.next_of("snapshot")
        own = city.points[WARD]
        assert [row[0] for row in first["points"]] == [own]
        assert first["rollup"] == []
        refused = line.ask(id=1, point=city.points[OTHER], state="present")
        assert (refused["type"], refused["code"]) == ("error", "unknown_point")
        # What has changed may arrive before the answer or after it.
        done = line.ask(id=2, point=own, state="present", headcount=4)
        assert line.until(done["revision"]).points[own][:2] == [own, "present"]
        now = utcnow()
        with db.transaction() as session:
            revoke_device(session, city.actors["kythuat"], device_id, now, civil_day(now))
        assert end_of(socket) == 4401
