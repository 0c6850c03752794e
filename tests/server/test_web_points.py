"""The page of a bridge point, its faults, the code at the door; and the same for programs."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import zxingcpp
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from meetings_server.web.doors import code_svg
from rooms.equipment import Equipment
from rooms.faults import Fault, NewFault, report_fault
from rooms.kernel import CIVIL_ZONE, civil_day, utcnow
from rooms.outages import Outage
from rooms.technicians import assign_technician
from tests.conftest import SignIn
from tests.counting import counted
from tests.factories import City, add_points, make_hanoi, scheduled_meeting

Client = TestClient[Litestar]
NOW = utcnow()
TODAY = civil_day(NOW)
HOUR = timedelta(hours=1)
MODULE = 4
"""Pixels of one module of a code, as a camera would have it."""


def read_code(svg: str) -> str:
    """What a camera reads from the picture: its lines are drawn, then handed to a decoder."""
    size = int(re.search(r'viewBox="0 0 (\d+) \1"', svg)[1])  # type: ignore[index]  # fails the test
    rows = [[255] * size for _ in range(size)]
    path = re.search(r' d="([^"]+)"', svg)[1]  # type: ignore[index]  # fails the test
    x = y = 0.0
    for act, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?:[ ,]?(-?[\d.]+))?", path):
        if act == "h":
            for column in range(int(x), int(x) + int(first)):
                rows[int(y)][column] = 0
            x += float(first)
        elif act == "m":
            x, y = x + float(first), y + float(second or 0)
        else:
            x, y = float(first), float(second)
    wide = [bytes(value for value in row for _ in range(MODULE)) for row in rows]
    picture = b"".join(row for row in wide for _ in range(MODULE))
    side = size * MODULE
    found = zxingcpp.read_barcodes(memoryview(picture).cast("B", (side, side)))
    assert [code.format for code in found] == [zxingcpp.BarcodeFormat.QRCode]
    return str(found[0].text)


def bearer(db: Database, city: City, username: str) -> dict[str, str]:
    with db.transaction() as session:
        token = create_token(session, city.actors[username].person_id, "test", utcnow())
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def statements(db: Database) -> Iterator[Callable[[], int]]:
    """How many statements have been asked since the last call."""
    with counted(db) as asked:

        def since() -> int:
            number = sum(statement.startswith("SELECT") for statement in asked)
            asked.clear()
            return number

        yield since


def test_codes_of_any_address_are_read_back() -> None:
    addresses = [f"https://hop.hanoi.gov.vn/points/{n}/checkin" for n in (1, 27, 633, 31097)]
    addresses.append("http://10.1.2.3:8000/points/7/checkin")
    assert [read_code(code_svg(address)) for address in addresses] == addresses


def test_the_sheet_of_a_door_holds_the_address_of_its_check_in(
    client: Client, city: City, enter: Callable[[str], None]
) -> None:
    enter("truc.vanmieu")
    point = city.points["00181"]
    page = client.get(f"/points/{point}/door?paper=a5").text
    assert "doors-a5.css" in page
    (svg,) = re.findall(r"<svg xmlns.*?</svg>", page)
    address = re.search(r'class="door-link">([^<]+)<', page)
    assert address is not None
    assert read_code(svg) == address[1]
    assert address[1].endswith(f"/points/{point}/checkin")
    assert "Mở máy ảnh điện thoại" in client.get(f"/points/{point}/door?lang=en").text
    alone = client.get(f"/points/{point}/code.svg")
    assert (alone.headers["content-type"], alone.text) == ("image/svg+xml", svg)
    # The room of another ward is not this operator's to print.
    assert client.get(f"/points/{city.points['00178']}/door").status_code == 403
    enter("kythuat")
    every = client.get(f"/units/{city.units['006']}/doors?below=1").text
    codes = [read_code(one) for one in re.findall(r"<svg xmlns.*?</svg>", every)]
    assert [int(code.split("/")[-2]) for code in codes] == [
        city.points[unit] for unit in ("006", "00178", "00181", "00226")
    ]


def test_every_door_of_a_city_is_printed(
    client: Client, db: Database, sign_in: SignIn, statements: Callable[[], int]
) -> None:
    with db.transaction() as session:
        city = make_hanoi(session, NOW)
    sign_in(city.actors["kythuat"].person_id)
    statements()
    page = client.get(f"/units/{city.units['01']}/doors?below=1")
    assert page.text.count('class="door"') == 632
    assert statements() <= 10


def test_the_code_leads_to_the_meeting_that_the_room_is_in(
    client: Client, city: City, db: Database, enter: Callable[[str], None]
) -> None:
    point = city.points["00181"]
    door = f"/points/{point}/checkin"
    away = client.get(door, follow_redirects=False, headers={"accept": "text/html"})
    assert away.headers["location"] == f"/login?next={door}"
    enter("truc.vanmieu")
    assert "chưa có cuộc họp nào sắp tới" in client.get(door).text
    with db.transaction() as session:
        later = scheduled_meeting(session, city, NOW)
    waiting = client.get(door)
    assert waiting.status_code == 200
    assert f"/check-in/{later.id}/{point}" in waiting.text
    assert "Cuộc họp tiếp theo" in waiting.text
    with db.transaction() as session:
        soon = scheduled_meeting(session, city, NOW, starts_at=NOW + HOUR)
    there = client.get(door, follow_redirects=False)
    assert (there.status_code, there.headers["location"]) == (
        303,
        f"/check-in/{soon.id}/{point}",
    )
    enter("truc.cattlinh")
    refused = client.get(door)
    assert refused.status_code == 403
    assert "không có quyền điểm danh" in refused.text
    assert str(soon.title) not in refused.text


def test_an_outage_is_saved_when_its_meetings_have_been_seen(
    client: Client, city: City, db: Database, enter: Callable[[str], None]
) -> None:
    point = city.points["00181"]
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
        add_points(session, city, "00181", 1)
    enter("kythuat")
    day = f"{meeting.starts_at.astimezone(CIVIL_ZONE):%Y-%m-%d}"
    told = {"from_day": day, "from_clock": "07:00", "until_day": day, "until_clock": "12:00"}
    seen = client.get(f"/points/{point}/reach", params=told).text
    assert "1 cuộc họp sắp tới mời điểm cầu này" in seen
    assert "Phòng số 2" in seen
    assert 'name="seen" value="1"' in seen
    unseen = client.post(f"/points/{point}/outages", data=told | {"reason": "Mất điện"})
    assert unseen.status_code == 409
    assert meeting.title in unseen.text
    with db.reader() as session:
        assert session.scalars(select(Outage.id)).all() == []
    saved = client.post(
        f"/points/{point}/outages",
        data=told | {"reason": "Mất điện", "seen": "1"},
        follow_redirects=False,
    )
    assert saved.status_code == 303
    again = client.post(f"/points/{point}/outages", data=told | {"reason": "x", "seen": "1"})
    assert again.status_code == 409
    assert "đã được báo ngừng hoạt động" in again.text
    with db.reader() as session:
        number = session.scalars(select(Outage.id)).one()
    short = {"until_day": day, "until_clock": "06:00", "reason": "Mất điện"}
    assert client.post(f"/outages/{number}", data=short).status_code == 422
    moved = client.post(
        f"/outages/{number}", data=short | {"until_clock": "18:00"}, follow_redirects=False
    )
    assert moved.status_code == 303
    enter("thuky")
    page = client.get(f"/meetings/{meeting.id}").text
    assert "1 điểm cầu được mời không dùng được" in page
    assert "Mất điện, đến 18:00" in page
    assert "Phòng khác đang hoạt động: Phòng số 2" in page
    enter("kythuat")
    closing = client.post(f"/points/{point}/close", data={"from_day": day})
    assert closing.status_code == 409
    done = client.post(
        f"/points/{point}/close", data={"from_day": day, "seen": "1"}, follow_redirects=False
    )
    assert done.status_code == 303
    assert "sẽ ngừng sử dụng" in client.get(f"/points/{point}").text


def test_what_stands_in_a_room_is_kept_on_its_page(
    client: Client, city: City, db: Database, enter: Callable[[str], None]
) -> None:
    enter("thuky.dongda")
    point, unit = city.points["006"], city.units["006"]
    piece = {"kind": "camera", "model": "Rally", "serial": "TS-1", "condition": "works"}
    wrong = client.post(f"/points/{point}/equipment", data=piece | {"since": "31/02/2026"})
    assert wrong.status_code == 422
    client.post(f"/points/{point}/equipment", data=piece | {"since": "01/02/2026"})
    with db.reader() as session:
        number = session.scalars(select(Equipment.id)).one()
    bad = client.post(f"/equipment/{number}", data=piece | {"condition": "burnt"})
    assert bad.status_code == 422
    client.post(f"/equipment/{number}", data=piece | {"condition": "faulty"})
    operator = city.actors["truc.dongda"].person_id
    client.post(f"/points/{point}/technicians", data={"person": str(operator)})
    nobody = client.post(f"/points/{point}/technicians", data={"person": "9999"})
    assert nobody.status_code == 409
    page = client.get(f"/points/{point}").text
    assert all(words in page for words in ("Camera", "Rally", "Hỏng", "TS-1", "Vũ Quang Huy"))
    with db.transaction() as session:
        (second,) = add_points(session, city, "006", 1)
    order = {"order": f"{point},{second}", "point": str(second), "move": "up"}
    assert client.post(f"/units/{unit}/points/order", data=order).status_code == 200
    listed = client.get(f"/units/{unit}").text
    assert listed.index(f"/points/{second}") < listed.index(f"/points/{point}")
    stale = client.post(f"/units/{unit}/points/order", data=order | {"order": str(second)})
    assert stale.status_code == 409
    client.post(f"/points/{point}/technicians/{operator}", data={"act": "dismiss"})
    client.post(f"/equipment/{number}/remove")
    assert "TS-1" not in client.get(f"/points/{point}").text
    # Whoever does not look after the room sees how it is called, and not what stands in it.
    client.post(f"/points/{point}/equipment", data=piece)
    enter("truc.cattlinh")
    assert "TS-1" not in client.get(f"/points/{point}").text
    assert client.post(f"/points/{point}/equipment", data=piece).status_code == 403


def test_a_fault_goes_from_the_room_to_whoever_repairs_it(
    client: Client,
    city: City,
    db: Database,
    enter: Callable[[str], None],
    statements: Callable[[], int],
) -> None:
    point = city.points["00181"]
    enter("truc.vanmieu")
    form = client.get(f"/points/{point}/faults/new").text
    key = re.search(r'name="request_key" value="(\w+)"', form)
    assert key is not None
    said = {"kind": "sound", "text": "Micro rè", "request_key": key[1]}
    assert client.post(f"/points/{point}/faults/new", data=said | {"kind": ""}).status_code == 422
    for _ in range(2):  # a second click
        client.post(f"/points/{point}/faults/new", data=said)
    with db.reader() as session:
        number = session.scalars(select(Fault.id)).one()
    assert (
        client.post(
            f"/points/{point}/faults/new", data=said | {"out": "1", "request_key": "b"}
        ).status_code
        == 403
    )
    enter("truc.cattlinh")
    assert client.get(f"/faults/{number}").status_code == 403
    assert "Micro rè" not in client.get("/faults").text
    enter("kythuat")
    counts = []
    for more in range(2):
        statements()
        page = client.get("/faults").text
        counts.append(statements())
        assert page.count('href="/faults/') >= 1 + more
        with db.transaction() as session:
            report_fault(
                session,
                city.actors["kythuat"],
                city.points["006"],
                NewFault("power", "Mất điện"),
                NOW,
            )
    assert counts[0] == counts[1] <= 10
    assert "Micro rè" in client.get("/").text
    assert "Micro rè" not in client.get("/faults?kind=power").text
    assert "Micro rè" in client.get("/faults?unit=006&q=van+mieu").text
    early = {"remedy": "Thay pin", "solved_day": "01/01/2020", "solved_clock": "08:00"}
    assert client.post(f"/faults/{number}", data=early).status_code == 422
    client.post(f"/faults/{number}", data={"remedy": "Thay pin"})
    assert client.post(f"/faults/{number}", data={"remedy": "Thay pin"}).status_code == 409
    assert "Thay pin" in client.get(f"/points/{point}").text


def test_programs_keep_points_outages_and_faults(client: Client, db: Database, city: City) -> None:
    technician, operator = bearer(db, city, "kythuat"), bearer(db, city, "truc.vanmieu")
    said = {
        "unit": "006",
        "name": "Phòng 2",
        "address": "Tầng 2, 59 Hoàng Cầu",
        "endpoint_kind": "h323",
        "endpoint_address": "10.24.1.7",
        "equipment": [{"kind": "camera", "serial": "A1"}, {"kind": "máy chiếu"}],
        "technicians": [city.actors["truc.dongda"].person_id],
    }
    path = "/api/v1/bridge-points"
    wrong = client.post(path, json=said | {"endpoint_address": "hai chu"}, headers=technician)
    assert (wrong.status_code, wrong.json()["field"]) == (422, "endpoint_address")
    made = client.post(path, json=said, headers=technician | {"idempotency-key": "p"})
    assert made.status_code == 201, made.text
    again = client.post(path, json=said, headers=technician | {"idempotency-key": "p"})
    assert again.json() == made.json()
    point = made.json()
    assert point["technicians"] == [
        {"person": said["technicians"][0], "name": "Vũ Quang Huy", "phone": "024 3825 3536"}
    ]
    one = f"{path}/{point['id']}"
    stranger = client.get(one, headers=operator).json()
    assert (stranger["equipment"], stranger["technicians"], stranger["technician_name"]) == (
        None,
        None,
        None,
    )
    camera = point["equipment"][0]
    changed = client.patch(
        one,
        json={
            "equipment": [camera | {"condition": "faulty"}],
            "technicians": [],
            "place": 1,
            "closed_on": str(TODAY + timedelta(days=30)),
        },
        headers=technician,
    ).json()
    assert [piece["condition"] for piece in changed["equipment"]] == ["faulty"]
    assert (changed["technicians"], changed["address"]) == ([], said["address"])
    assert (
        client.patch(one, json={"closed_on": None}, headers=technician).json()["closed_on"] is None
    )
    assert client.patch(one, json={"name": "x"}, headers=operator).status_code == 403

    times = {"starts_at": NOW.isoformat(), "ends_at": (NOW + HOUR).isoformat(), "reason": "Sửa"}
    outage = client.post(
        f"{one}/outages", json=times, headers=technician | {"idempotency-key": "o"}
    )
    assert (outage.status_code, outage.json()["meetings"]) == (201, [])
    twice = client.post(f"{one}/outages", json=times, headers=technician)
    assert (twice.status_code, twice.json()["code"]) == (409, "outage_overlaps")
    number = outage.json()["id"]
    longer = client.patch(f"/api/v1/outages/{number}", json={"ends_at": None}, headers=technician)
    assert (longer.json()["ends_at"], longer.json()["reason"]) == (None, "Sửa")
    assert [o["id"] for o in client.get(f"{one}/outages", headers=operator).json()["items"]] == [
        number
    ]

    home = f"{path}/{city.points['00181']}"
    told = {"kind": "sound", "text": "Micro rè"}
    fault = client.post(f"{home}/faults", json=told, headers=operator | {"idempotency-key": "f"})
    assert (fault.status_code, fault.json()["unit"]) == (201, "00181")
    out = client.post(f"{home}/faults", json=told | {"out_of_service": True}, headers=technician)
    assert out.json()["outage"] is not None
    listed = client.get("/api/v1/faults?unit=006", headers=technician).json()["items"]
    assert [one["id"] for one in listed] == [fault.json()["id"], out.json()["id"]]
    at_point = f"/api/v1/faults?state=all&kind=sound&point={city.points['00181']}"
    assert len(client.get(at_point, headers=technician).json()["items"]) == 2
    there = f"/api/v1/faults/{out.json()['id']}"
    solved = client.patch(there, json={"remedy": "Thay", "in_service": True}, headers=technician)
    assert solved.json()["solved_by"] == "Ngô Gia Bảo"
    assert client.patch(there, json={"remedy": "x"}, headers=technician).status_code == 409
    assert client.get(there, headers=bearer(db, city, "truc.cattlinh")).status_code == 403


def test_the_page_of_a_point_takes_the_same_few_statements_whatever_stands_in_it(
    client: Client,
    city: City,
    db: Database,
    enter: Callable[[str], None],
    statements: Callable[[], int],
) -> None:
    enter("kythuat")
    point = city.points["00181"]
    counts = []
    for rows in (1, 3):
        with db.transaction() as session:
            for n in range(rows):
                session.add(
                    Equipment(
                        point_id=point,
                        kind="camera",
                        model="",
                        serial=str(n),
                        since=None,
                        note="",
                        condition="works",
                    )
                )
                report_fault(session, city.actors["kythuat"], point, NewFault("sound", "x"), NOW)
            who = ("truc.vanmieu", "kythuat", "truc.dongda")[rows - 1]
            assign_technician(
                session, city.actors["kythuat"], point, city.actors[who].person_id, TODAY
            )
        statements()
        client.get(f"/points/{point}")
        counts.append(statements())
    assert counts[0] == counts[1] <= 16, counts


def test_a_closed_room_is_offered_to_nobody(
    client: Client, city: City, db: Database, enter: Callable[[str], None]
) -> None:
    point = city.points["01"]
    with db.transaction() as session:
        (second,) = add_points(session, city, "01", 1)
    enter("thuky")
    choices = "/meetings/choices/points?q=ha+noi"
    assert [one["id"] for one in client.get(choices).json()] == [point, second]
    client.post(f"/points/{point}/close", data={}, follow_redirects=False)
    assert [one["id"] for one in client.get(choices).json()] == [second]
    sheets = client.get(f"/units/{city.units['01']}/doors").text
    assert sheets.count('class="door"') == 1
    assert "đã ngừng sử dụng" in client.get(f"/points/{point}").text
    client.post(f"/points/{point}/reopen", follow_redirects=False)
    assert client.get(f"/units/{city.units['01']}/doors").text.count('class="door"') == 2
