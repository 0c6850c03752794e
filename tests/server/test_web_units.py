"""The pages of units, points and search, asked as a browser asks them."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from meetings_server.database import Database
from rooms.bridge_points import BridgePoint
from rooms.catalogue import parse_units
from rooms.hierarchy import Succession, Unit, import_units
from rooms.kernel import civil_day, utcnow
from rooms.outages import Outage
from tests.conftest import SignIn
from tests.counting import counted
from tests.factories import City, make_city, make_hanoi, scheduled_meeting, unit_rows

Client = TestClient[Litestar]
TODAY = civil_day(utcnow())


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


@pytest.fixture
def counting(db: Database) -> Iterator[Callable[[], int]]:
    """How many statements have been asked since the last call."""
    with counted(db) as asked:

        def since() -> int:
            number = sum(statement.startswith("SELECT") for statement in asked)
            asked.clear()
            return number

        yield since


def test_the_tree_opens_what_the_address_says(client: Client, city: City, sign_in: SignIn) -> None:
    sign_in(city.secretary.person_id)
    page = client.get("/units").text
    assert "9 đơn vị: 1 thành phố · 2 sở, ban, ngành · 2 quận, huyện, thị xã · 4 phường" in page
    assert "Quận Đống Đa" in page
    assert "Phường Văn Miếu" not in page
    opened = client.get(f"/units?open={city.units['01']},{city.units['006']}").text
    assert "Phường Văn Miếu" in opened
    assert "Phường Phúc Xá" not in opened
    assert "Quận Đống Đa" not in client.get("/units?open=").text


def test_a_district_gives_its_wards(client: Client, city: City, sign_in: SignIn) -> None:
    sign_in(city.secretary.person_id)
    part = client.get(f"/units/{city.units['006']}/children").text
    assert [name in part for name in ("Cát Linh", "Văn Miếu", "Trung Tự", "Phúc Xá")] == [
        True,
        True,
        True,
        False,
    ]
    assert client.get("/units/999999/children").status_code == 404


def test_search_finds_without_diacritics_and_shows_the_path(
    client: Client, city: City, sign_in: SignIn
) -> None:
    sign_in(city.secretary.person_id)
    page = client.get("/units?q=van+mieu").text
    assert "Phường <mark>Văn Miếu</mark>" in page
    assert "Quận Đống Đa › Thành phố Hà Nội" in page
    assert "Không có đơn vị phù hợp" in client.get("/units?q=%25").text
    assert (
        "<script"
        not in client.get("/units?q=<script>alert")
        .text.partition("<main")[2]
        .partition("</main")[0]
    )


@pytest.mark.parametrize(
    "address",
    [
        "/units?on=tomorrow",
        "/units?page=0",
        "/units?page=99999999999999999999",
        f"/units?q={'x' * 101}",
        "/units/99999999999999999999",
    ],
)
def test_what_cannot_be_read_is_refused(
    client: Client, city: City, sign_in: SignIn, address: str
) -> None:
    sign_in(city.secretary.person_id)
    assert client.get(address).status_code in {400, 404, 422}


def test_the_export_can_be_imported(client: Client, city: City, sign_in: SignIn) -> None:
    sign_in(city.secretary.person_id)
    answer = client.get("/units.csv?q=van+mieu")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = parse_units(answer.content)
    assert [row.code for row in rows] == ["01", "006", "00181"]
    everything = parse_units(client.get("/units.csv").content)
    assert {(row.code, row.parent_code) for row in everything} == {
        (row.code, row.parent_code) for row in unit_rows()
    }


def test_the_pages_take_ten_statements_at_most_for_632_units(
    client: Client, db: Database, sign_in: SignIn, counting: Callable[[], int]
) -> None:
    with db.transaction() as session:
        hanoi = make_hanoi(session, utcnow())
    sign_in(hanoi.secretary.person_id)
    opened = ",".join(str(hanoi.units[code]) for code in ("01", "006", "001", "002"))
    for address in (
        "/units",
        f"/units?open={opened}",
        "/units?q=phuong",
        "/units?level=ward",
        f"/units/{hanoi.units['01']}",
        f"/units/{hanoi.units['006']}",
        "/search?q=dong+da",
        "/search/suggest?q=dong+da",
    ):
        counting()
        assert client.get(address).status_code == 200
        assert counting() <= 10, address


def test_a_unit_shows_what_belongs_to_it(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, utcnow())
        title = meeting.title
    sign_in(city.actors["truc.vanmieu"].person_id)
    page = client.get(f"/units/{city.units['00181']}").text
    assert title in page
    assert "Phòng họp Phường Văn Miếu" in page
    assert "0912 345 678" in page
    assert "Thêm điểm cầu" not in page
    # The ward beside: its room is known, its technician is not.
    beside = client.get(f"/units/{city.units['00178']}").text
    assert "Phòng họp Phường Cát Linh" in beside
    assert "0912 345 678" not in beside


def test_a_code_leads_to_its_unit_of_the_day(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    with db.transaction() as session:
        old = session.get_one(Unit, city.units["00181"])
        old.valid_until = TODAY
        import_units(
            session, [unit_rows([("00181", None, "ward", "Phường", "Phường Mới")])[0]], TODAY
        )
        new = session.scalars(select(Unit.id).where(Unit.name == "Phường Mới")).one()
        session.add(
            Succession(
                predecessor_id=old.id, successor_id=new, day=TODAY, extent="whole", is_main=True
            )
        )
    sign_in(city.secretary.person_id)

    def leads_to(day: str) -> str:
        return client.get(f"/units/by-code/00181{day}", follow_redirects=False).headers["location"]

    before = TODAY - timedelta(days=1)
    assert leads_to("") == f"/units/{new}"
    assert leads_to(f"?on={before}") == f"/units/{city.units['00181']}?on={before}"
    assert client.get("/units/by-code/none").status_code == 404
    assert "Chuyển thành" in client.get(f"/units/{city.units['00181']}").text
    assert "Kế thừa từ" in client.get(f"/units/{new}").text


def test_a_point_is_added_changed_and_reported_out(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    sign_in(city.actors["thuky.dongda"].person_id)
    unit = city.units["006"]
    facts = {
        "name": "Phòng họp tầng 2",
        "capacity": "many",
        "endpoint_kind": "sip",
        "endpoint_address": "sip:7@hop.vn",
        "technician_name": "",
        "technician_phone": "",
    }
    wrong = client.post(f"/units/{unit}/points/new", data=facts)
    assert wrong.status_code == 422
    assert 'value="Phòng họp tầng 2"' in wrong.text
    made = client.post(
        f"/units/{unit}/points/new", data=facts | {"capacity": "12"}, follow_redirects=False
    )
    place = made.headers["location"]
    with db.reader() as session:
        assert (
            session.scalars(
                select(BridgePoint.capacity).where(BridgePoint.name == facts["name"])
            ).one()
            == 12
        )
    assert client.post(place, data=facts | {"endpoint_kind": "pigeon"}).status_code == 422
    outage = {
        "from_day": "",
        "from_clock": "",
        "until_day": "2020-01-01",
        "until_clock": "",
        "reason": "Mất điện",
    }
    assert client.post(f"{place}/outages", data=outage).status_code == 422
    client.post(f"{place}/outages", data=outage | {"until_day": ""}, follow_redirects=False)
    assert "Mất điện" in client.get(place).text
    with db.reader() as session:
        number = session.scalars(select(Outage.id)).one()
    client.post(f"/outages/{number}/close", follow_redirects=False)
    after = client.get(place).text
    assert "Không có thông báo gián đoạn" in after
    assert "Ngừng hoạt động: Mất điện" in after  # its history keeps it
    assert client.post(f"/outages/{number}/close").status_code == 409


def test_another_units_point_is_only_looked_at(client: Client, city: City, sign_in: SignIn) -> None:
    sign_in(city.actors["vanthu.vanmieu"].person_id)
    point = city.points["00178"]
    assert client.get(f"/points/{point}").status_code == 200
    assert (
        client.post(f"/points/{point}", data={"name": "x", "endpoint_kind": "none"}).status_code
        == 403
    )
    assert client.post(f"/points/{point}/outages", data={"reason": "x"}).status_code == 403
    assert client.get(f"/units/{city.units['00178']}/points/new").status_code == 403
    assert client.get(f"/units/{city.units['00178']}/contact").status_code == 403


def test_the_contact_of_a_unit_is_changed(client: Client, city: City, sign_in: SignIn) -> None:
    sign_in(city.actors["quantri"].person_id)
    place = f"/units/{city.units['00181']}"
    assert client.post(f"{place}/contact", data={"email": "no", "phone": ""}).status_code == 422
    client.post(
        f"{place}/contact", data={"email": "vt@vanmieu.vn", "phone": "1022"}, follow_redirects=False
    )
    assert "vt@vanmieu.vn" in client.get(place).text


def test_search_finds_only_what_one_may_see(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, utcnow())
        title = meeting.title
        meeting.state = "draft"
    sign_in(city.secretary.person_id)
    assert title in client.get("/search", params={"q": title}).text
    sign_in(city.actors["truc.vanmieu"].person_id)
    assert f"/meetings/{meeting.id}" not in client.get("/search", params={"q": title}).text
    assert f"/meetings/{meeting.id}" not in client.get("/search/suggest", params={"q": title}).text


def test_suggestions_are_options(client: Client, city: City, sign_in: SignIn) -> None:
    sign_in(city.secretary.person_id)
    part = client.get("/search/suggest?q=van mieu").text
    assert f'<a role="option" href="/units/{city.units["00181"]}">' in part
    assert client.get("/search/suggest?q=zzzz").text.strip() == ""
    assert client.get("/search/suggest?q=").text.strip() == ""
