"""Lists in pages: looked at, corrected in one click, brought in whole, taken out again."""

import re
from datetime import timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select

from meetings_server.database import Database
from meetings_server.identity.passwords import check_password
from meetings_server.web.list_kinds import KINDS
from meetings_server.web.list_words import aliases
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit
from rooms.kernel import civil_day, utcnow
from rooms.people import Person, RoleGrant
from tests.conftest import SignIn
from tests.factories import City, make_city

Client = TestClient[Litestar]
TODAY = civil_day(utcnow())
UNITS = """code,parent_code,level,kind,name
79,,city,Thành phố,Thành phố Hồ Chí Minh
760,79,district,Quận,Quận 1
"""
PEOPLE = "Tên đăng nhập;Tên;Mã đơn vị;Vai trò\nnv.moi;Nguyễn Văn Mới;00178;Thư ký@00178\n"


@pytest.fixture
def city(db: Database, sign_in: SignIn) -> City:
    """A small city; its administrator is logged in."""
    with db.transaction() as session:
        city = make_city(session, utcnow())
    sign_in(city.actors["quantri"].person_id)
    return city


def send(client: Client, name: str, content: bytes, **more: str) -> tuple[int, str]:
    answer = client.post(
        f"/admin/import/{name}",
        data={"valid_from": str(TODAY), "act": "check"} | more,
        files={"file": ("list.csv", content, "text/csv")},
        follow_redirects=False,
    )
    return answer.status_code, answer.text


def hidden(page: str) -> dict[str, str]:
    """What the page carries from the look to the act."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def bring_in(client: Client, name: str, content: bytes, **more: str) -> tuple[int, str]:
    status, page = send(client, name, content, **more)
    assert status == 200, page
    return send(client, name, content, **hidden(page) | more | {"act": "import"})


def count(db: Database, table: type[Unit | Person | BridgePoint]) -> int | None:
    with db.reader() as session:
        return session.scalar(select(func.count()).select_from(table))


@pytest.mark.usefixtures("city")
def test_a_list_is_looked_at_then_brought_in(client: Client, db: Database) -> None:
    before = count(db, Unit)
    content = UNITS.encode("utf-8-sig").replace(b",", b";")
    status, page = send(client, "units", content)
    assert status == 200
    assert "Nhập 2 dòng" in page
    assert count(db, Unit) == before
    told = hidden(page) | {"act": "import"}
    assert send(client, "units", UNITS.encode(), **told)[0] == 422, "another file"
    assert send(client, "units", content, **told | {"valid_from": "2026-01-01"})[0] == 409
    assert count(db, Unit) == before
    assert send(client, "units", content, **told)[0] == 303
    assert count(db, Unit) == (before or 0) + 2
    status, page = send(client, "units", content)
    assert (status, "không cần làm gì" in page) == (200, True)
    status, page = send(client, "units", content, **told)
    assert (status, "Dữ liệu đã thay đổi" in page) == (409, True)


@pytest.mark.usefixtures("city")
def test_lost_zeros_are_put_back_in_one_click(client: Client, db: Database) -> None:
    content = UNITS.encode() + b"1234,760,ward,P,Ben Nghe\n26,79,ward,P,Ben Thanh\n"
    status, page = send(client, "units", content)
    assert status == 422
    assert "Có lẽ là 01234; bảng tính đã bỏ mất các số 0." in page
    assert 'value="restore"' in page
    status, page = send(client, "units", content, act="restore")
    assert status == 200
    assert "Các số 0 đứng đầu đã được khôi phục" in page
    assert send(client, "units", content, **hidden(page) | {"act": "import"})[0] == 303
    with db.reader() as session:
        codes = set(session.scalars(select(Unit.code).where(Unit.valid_from == TODAY)))
    assert codes == {"79", "760", "01234", "00026"}


@pytest.mark.usefixtures("city")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "thiếu các cột"),
        (UNITS.encode("utf-16-le"), "UTF-8"),
        (b"PK\x03\x04", "XLSX"),
        (UNITS.encode() + b"761,999,district,Q,Q2\n", "đều không có đơn vị mang mã này"),
        (UNITS.encode() + b"760,79,district,Q,Q2\n", "Xuất hiện hai lần"),
        (UNITS.encode() + b"001,01,district,Q,Q2\n", "sắp xếp đơn vị"),
        (b"x" * (10 * 1024 * 1024 + 1), "tối đa 10 MB"),
    ],
)
def test_a_faulty_list_is_refused_with_what_is_wrong(
    client: Client, db: Database, content: bytes, said: str
) -> None:
    before = count(db, Unit)
    for act in ("check", "import", "keep"):
        status, page = send(client, "units", content, act=act)
        assert status == 422
        assert said in page or act == "import"
    assert count(db, Unit) == before


@pytest.mark.usefixtures("city")
def test_a_list_without_file_or_day_is_refused(client: Client) -> None:
    answer = client.post("/admin/import/units", data={"valid_from": "", "act": "check"})
    assert answer.status_code == 422
    assert "Hãy chọn tệp CSV hoặc XLSX" in answer.text
    assert send(client, "units", UNITS.encode(), valid_from="soon")[0] == 422
    assert client.get("/admin/import/tables").status_code == 404


@pytest.mark.usefixtures("city")
def test_new_people_get_a_first_password_once(client: Client, db: Database) -> None:
    status, page = bring_in(client, "people", PEOPLE.encode(), passwords="true")
    assert status == 200
    told = re.findall(r"<code>([a-z0-9-]+)</code>", page)
    assert check_password(db, "nv.moi", told[0]).name == "Nguyễn Văn Mới"
    assert "data:text/csv;base64," in page
    status, page = send(client, "people", PEOPLE.encode())
    assert (status, "không cần làm gì" in page) == (200, True)
    other = PEOPLE.replace("nv.moi", "nv.hai")
    status, page = bring_in(client, "people", other.encode())
    assert (status, "<code>" in page, count(db, Person)) == (200, False, 13)


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
@pytest.mark.parametrize("language", ["vi", "en"])
def test_what_is_taken_out_comes_in_again(
    client: Client, city: City, name: str, ending: str, language: str
) -> None:
    assert city.units
    client.post("/language", data={"lang": language, "next": "/"})
    answer = client.get(f"/admin/export/{name}.{ending}")
    assert answer.headers["content-disposition"].startswith("attachment")
    client.post("/language", data={"lang": "vi", "next": "/"})
    status, page = send(client, name, answer.content)
    assert (status, "không cần làm gì" in page) == (200, True)


@pytest.mark.usefixtures("city")
@pytest.mark.parametrize("name", list(KINDS))
def test_examples_are_read(client: Client, name: str) -> None:
    kind = KINDS[name]
    assert len(aliases(kind.columns)) >= len(kind.columns), "two columns share a head"
    for ending in ("csv", "xlsx"):
        answer = client.get(f"/admin/import/{name}/example.{ending}")
        sheet = kind.read(answer.content)
        assert (sheet.columns, sheet.ignored, sheet.faults) == (list(kind.columns), [], [])
        assert len(sheet.rows) >= 1
    assert client.get(f"/admin/import/{name}/example.pdf").status_code == 404
    assert client.get(f"/admin/export/{name}.pdf").status_code == 404


def test_each_brings_in_what_they_look_after(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    with db.transaction() as session:
        person = city.actors["thuky.dongda"].person_id
        session.add(
            RoleGrant(
                person_id=person,
                unit_id=city.units["006"],
                role="administrator",
                valid_from=TODAY - timedelta(days=1),
            )
        )
    sign_in(person)
    status, page = send(client, "units", UNITS.encode())
    assert (status, "ngoài phạm vi bạn quản lý" in page) == (422, True)
    listed = client.get("/admin/export/people.csv").text
    assert "truc.vanmieu" in listed
    assert "quantri" not in listed
    sign_in(city.secretary.person_id)
    assert 'href="/admin/import/people"' not in client.get("/admin/import").text
    for address in ("import/people", "import/units", "export/people.csv", "export/units.xlsx"):
        if "units" not in address or "import" in address:
            assert client.get(f"/admin/{address}").status_code == 403
    sign_in(city.actors["truc.vanmieu"].person_id)
    assert client.get("/admin/import").status_code == 403


def test_levels_are_called_as_the_data_calls_them(
    client: Client, city: City, sign_in: SignIn
) -> None:
    """Four levels, one of them with a name that no translation knows."""
    content = "code,parent_code,level,kind,name\nT1,00181,tổ dân phố,Tổ,Tổ dân phố số 1\n"
    assert bring_in(client, "units", content.encode())[0] == 303
    tree = client.get("/units").text
    assert "1 tổ dân phố" in tree
    assert '<option value="tổ dân phố">tổ dân phố</option>' in tree
    found = client.get("/units", params={"level": "tổ dân phố"}).text
    assert "Tổ dân phố số 1" in found
    assert "Phường Văn Miếu › Quận Đống Đa" in found
    sign_in(city.secretary.person_id)
    picker = client.get("/meetings/tree").json()
    assert picker["levels"][-1] == ["tổ dân phố", "tổ dân phố"]
    assert [row[0] for row in picker["units"] if row[3] == "Tổ dân phố số 1"] == ["T1"]
