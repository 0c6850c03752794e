"""The pages of administrators: people, rights explained, lists of units, the server's health."""

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select

from meetings_server.database import Database
from meetings_server.identity.passwords import check_password
from rooms.kernel import civil_day, utcnow
from rooms.people import Person, RoleGrant
from tests.conftest import SignIn
from tests.factories import City, make_city

Client = TestClient[Litestar]
TODAY = civil_day(utcnow())
NEW = {
    "username": "nv.moi",
    "name": "Nguyễn Văn Mới",
    "title": "Văn thư",
    "email": "moi@hanoi.vn",
    "phone": "0912 000 111",
    "unit": "00178",
    "role": "secretary",
    "valid_from": str(TODAY),
    "valid_until": "",
}


@pytest.fixture
def city(db: Database, sign_in: SignIn) -> City:
    """A small city; its administrator is logged in."""
    with db.transaction() as session:
        city = make_city(session, utcnow())
    sign_in(city.actors["quantri"].person_id)
    return city


def told_password(page: str) -> str:
    return page.partition('class="first-password">')[2].partition("<")[0]


@pytest.mark.parametrize(
    "address",
    ["/admin/people", "/admin/people/new", "/admin/why", "/admin/import/people", "/admin/health"],
)
def test_who_administers_nothing_sees_none_of_it(
    client: Client, city: City, sign_in: SignIn, address: str
) -> None:
    assert client.get(address).status_code == 200
    sign_in(city.secretary.person_id)
    assert client.get(address).status_code == 403


def test_the_index_offers_what_the_role_allows(client: Client, city: City, sign_in: SignIn) -> None:
    assert 'href="/admin/people"' in client.get("/admin").text
    sign_in(city.actors["kythuat"].person_id)
    page = client.get("/admin").text
    assert 'href="/admin/people"' not in page
    assert "Điểm cầu của đơn vị" in page


def test_people_are_filtered(client: Client, city: City) -> None:
    def named(query: str) -> set[str]:
        page = client.get(f"/admin/people?{query}").text
        known = ("thuky.dongda", "truc.vanmieu", "truc.cattlinh", "thuky.snv")
        return {name for name in known if f">{name}<" in page}

    assert named("") == {"thuky.dongda", "truc.vanmieu", "truc.cattlinh", "thuky.snv"}
    assert named("unit=006") == {"thuky.dongda", "truc.vanmieu", "truc.cattlinh"}
    assert named("unit=006&role=operator") == {"truc.vanmieu", "truc.cattlinh"}
    assert named("q=le+ngoc+bich") == {"thuky.dongda"}
    assert named("state=left") == set()
    assert client.get("/admin/people?role=king").status_code == 422
    assert client.get("/admin/people?unit=none").status_code == 404
    assert str(city.units["01"]) in client.get("/admin/people").text


@pytest.mark.usefixtures("city")
def test_a_person_is_brought_in_and_their_password_told_once(client: Client, db: Database) -> None:
    page = client.post("/admin/people/new", data=NEW).text
    assert check_password(db, "nv.moi", told_password(page)).name == "Nguyễn Văn Mới"
    with db.reader() as session:
        person = session.scalars(select(Person).where(Person.username == "nv.moi")).one()
    assert "first-password" not in client.get(f"/admin/people/{person.id}").text


@pytest.mark.usefixtures("city")
def test_a_password_set_by_an_administrator_is_replaced_before_anything_else(
    client: Client, db: Database
) -> None:
    told = told_password(client.post("/admin/people/new", data=NEW).text)
    client.post("/logout")
    html = {"accept": "text/html"}
    entered = client.post("/login", data={"username": "nv.moi", "password": told}, headers=html)
    assert entered.url.path == "/account/password"
    assert "Đặt mật khẩu của riêng bạn" in entered.text
    for path in ("/", "/meetings", "/account", "/directives", "/search/suggest?q=a"):
        away = client.get(path, headers=html, follow_redirects=False)
        assert (away.status_code, away.headers["location"]) == (303, "/account/password")
    assert client.get("/meetings/events", headers={"accept": "application/json"}).status_code == 403
    assert client.post("/account/sessions/end-others").status_code == 403
    english = client.post("/language", data={"lang": "en", "next": "/account/password"})
    assert "Choose a password of your own" in english.text
    own = "bốn từ dễ nhớ lắm"
    said = {"present": told, "password": own, "repeated": own}
    wrong = client.post("/account/password", data=said | {"present": "khác"})
    assert wrong.status_code == 422
    assert "field-present" in wrong.text
    same = {"present": told, "password": told, "repeated": told}
    assert client.post("/account/password", data=same).status_code == 422
    done = client.post("/account/password", data=said, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert client.get("/meetings").status_code == 200
    assert client.get("/account/password").url.path == "/account"
    assert check_password(db, "nv.moi", own).username == "nv.moi"


@pytest.mark.usefixtures("city")
@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"username": ""}, 422, "field-username"),
        ({"username": "thuky"}, 409, "Tên đăng nhập thuky đã có"),
        ({"name": "x" * 121}, 422, "field-name"),
        ({"email": "nobody"}, 422, "field-email"),
        ({"phone": "call me"}, 422, "field-phone"),
        ({"unit": ""}, 422, "field-unit"),
        ({"unit": "none"}, 422, "field-unit"),
        ({"role": "king"}, 422, "field-role"),
        ({"valid_from": "soon"}, 422, "field-valid_from"),
        ({"valid_until": "2020-01-01"}, 422, "field-valid_until"),
    ],
)
def test_a_person_who_cannot_be_is_refused_and_nothing_typed_is_lost(
    client: Client, db: Database, wrong: dict[str, str], status: int, said: str
) -> None:
    answer = client.post("/admin/people/new", data=NEW | wrong)
    assert answer.status_code == status
    assert said in answer.text or said.startswith("Tên")
    assert 'value="Văn thư"' in answer.text
    with db.reader() as session:
        assert session.scalar(select(func.count()).where(Person.username == "nv.moi")) == 0


def test_roles_are_given_and_ended(client: Client, city: City, db: Database) -> None:
    person = city.actors["truc.vanmieu"].person_id
    place = f"/admin/people/{person}"
    given = {"role": "technician", "unit": "006", "valid_from": str(TODAY), "valid_until": ""}
    client.post(f"{place}/roles", data=given, follow_redirects=False)
    assert "Kỹ thuật viên" in client.get(place).text
    assert client.post(f"{place}/roles", data=given).status_code == 409
    assert client.post(f"{place}/roles", data=given | {"unit": "x"}).status_code == 422
    with db.reader() as session:
        grants = list(session.scalars(select(RoleGrant.id).where(RoleGrant.person_id == person)))
        admin = session.scalars(select(RoleGrant.id).where(RoleGrant.role == "administrator")).one()
    for grant in grants:
        client.post(f"/admin/roles/{grant}/end", follow_redirects=False)
    with db.reader() as session:
        left = session.scalars(
            select(RoleGrant.valid_until).where(RoleGrant.person_id == person)
        ).all()
    assert left == [TODAY]
    assert client.post(f"/admin/roles/{admin}/end").status_code == 409


def test_an_account_is_closed_and_opened_again(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    clerk = city.actors["thuky.dongda"].person_id
    sign_in(clerk)
    clerks = dict(client.cookies)
    sign_in(city.actors["quantri"].person_id)
    page = client.post(f"/admin/people/{clerk}/password").text
    password = told_password(page)
    client.post(f"/admin/people/{clerk}/deactivate", follow_redirects=False)
    assert "Đã khóa" in client.get(f"/admin/people/{clerk}").text
    client.post(f"/admin/people/{clerk}/reactivate", follow_redirects=False)
    assert check_password(db, "thuky.dongda", password).id == clerk
    client.cookies.clear()
    client.cookies.update(clerks)
    assert client.get("/account", headers={"accept": "application/json"}).status_code == 401


def test_the_last_administrator_cannot_shut_themselves_out(client: Client, city: City) -> None:
    me = city.actors["quantri"].person_id
    refused = client.post(f"/admin/people/{me}/deactivate")
    assert refused.status_code == 409
    assert "quản trị viên cuối cùng" in refused.text
    assert client.get("/admin/people").status_code == 200


def test_why_names_the_grant_and_its_unit(client: Client, city: City) -> None:
    def why(person: str, permission: str, unit: str) -> str:
        asked = {"person": person, "permission": permission, "unit": unit}
        return client.get("/admin/why", params=asked).text

    yes = why("thuky.dongda", "meeting:write", "00181")
    assert "Có: Lê Ngọc Bích có quyền này tại Phường Văn Miếu" in yes
    assert f'href="/units/{city.units["006"]}"' in yes
    no = why("thuky.dongda", "meeting:write", "001")
    assert "Không: Lê Ngọc Bích không có quyền này tại Quận Ba Đình" in no
    assert "Không có người dùng nào" in why("nobody", "meeting:write", "001")
    assert "Hiện không có đơn vị nào" in why("thuky.dongda", "meeting:write", "none")
    assert "field_invalid" in why("thuky.dongda", "meeting:own", "001")


@pytest.mark.usefixtures("city")
def test_the_health_of_the_server_is_told_in_vietnamese(client: Client) -> None:
    page = client.get("/admin/health").text
    assert "dung lượng đĩa" in page
    assert page.count("Bình thường") == 7
