"""The second factor: set up, asked for, lost, demanded."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyotp
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select, update

from meetings_server.database import Database
from meetings_server.identity.locking_out import remove_second_factor
from meetings_server.identity.passwords import Credential, keep_password
from meetings_server.identity.recovery import HOW_MANY, make_codes, use_code
from meetings_server.identity.sealing import Seal, SealBroken
from meetings_server.identity.second_factor import (
    ENROLMENT_KEPT,
    NothingToConfirm,
    SecondFactor,
    begin_enrolment,
    code_fits,
    confirm_enrolment,
    enrolment_under_way,
    forget_unfinished,
    has_second_factor,
)
from meetings_server.identity.sessions import COOKIE, LoginSession, open_session
from meetings_server.identity.throttle import CODE
from meetings_server.settings import Settings
from meetings_server.web.second_step import seal_of
from rooms.kernel import FieldInvalid, utcnow
from rooms.people import Person
from tests.factories import City

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PASSWORD = "mua-roi-tren-ho-tay"
Client = TestClient[Litestar]
Enter = Callable[[str], None]
CODES = r"(?:[a-z2-9]{4}-){5}[a-z2-9]{4}"
SEAL = Seal("0" * 64, "second factor")


@dataclass
class Telephone:
    """What shows the codes."""

    totp: pyotp.TOTP

    def shows(self, at: datetime) -> str:
        return self.totp.at(at)


def enrol(db: Database, person_id: int, now: datetime, seal: Seal = SEAL) -> Telephone:
    """Set a second factor up; its first code is that of a minute ago, so that all others are free."""
    with db.transaction() as session:
        begin_enrolment(session, seal, person_id, now)
        shown = enrolment_under_way(session, seal, person_id, "thuky", "Họp", now)
        assert shown is not None
        telephone = Telephone(pyotp.TOTP(shown.secret))
        confirm_enrolment(session, seal, person_id, telephone.shows(now), now)
        session.execute(update(SecondFactor).values(last_step=0))
    return telephone


def post(client: Client, path: str, **sent: str) -> tuple[int, str, str]:
    """Status, `location` and text of a form as a browser sends it."""
    client.get("/login")
    answer = client.post(
        path,
        data=sent,
        headers={"x-csrftoken": client.cookies["meetings_csrf"]},
        follow_redirects=False,
    )
    return answer.status_code, answer.headers.get("location", ""), answer.text


def test_a_code_fits_once_and_a_step_to_either_side(db: Database, city: City) -> None:
    me, now = city.secretary.person_id, utcnow()
    telephone = enrol(db, me, now)

    def fits(shown_at: datetime, typed_at: datetime) -> bool:
        with db.transaction() as session:
            return code_fits(session, SEAL, me, telephone.shows(shown_at), typed_at)

    step = timedelta(seconds=30)
    later = now + 10 * step
    assert not fits(later - 2 * step, later)
    assert not fits(later + 2 * step, later)
    assert fits(later - step, later)
    assert not fits(later - step, later), "it has been used"
    assert fits(later, later)
    assert fits(later + step, later)
    assert not fits(later, later), "an earlier one must not follow a later one"
    with db.transaction() as session:
        assert not code_fits(session, SEAL, me, "", later)
        assert not code_fits(session, SEAL, me, "١٢٣٤٥٦", later)
        # Under another secret of the server nothing fits, and nothing fails.
        other = Seal("1" * 64, "second factor")
        assert not code_fits(
            session, other, me, telephone.shows(later + 9 * step), later + 9 * step
        )
        stored = session.get_one(SecondFactor, me).secret
    assert stored is not None
    assert telephone.totp.secret not in stored
    with pytest.raises(SealBroken):
        other.open(stored)


def test_a_recovery_code_opens_once(db: Database, city: City) -> None:
    me, now = city.secretary.person_id, utcnow()
    with db.transaction() as session:
        earlier = make_codes(session, me, now)
        codes = make_codes(session, me, now)
        assert len(set(codes)) == HOW_MANY
        assert not use_code(session, me, earlier[0], now)
        assert not use_code(session, city.chair.person_id, codes[0], now)
        assert use_code(session, me, codes[0].upper().replace("-", " "), now)
        assert not use_code(session, me, codes[0], now)
        assert not use_code(session, me, "", now)


@SQLITE
def test_an_enrolment_waits_for_its_first_code_only_so_long(db: Database, city: City) -> None:
    me, now = city.secretary.person_id, utcnow()
    with db.transaction() as session:
        with pytest.raises(NothingToConfirm):
            confirm_enrolment(session, SEAL, me, "123456", now)
        begin_enrolment(session, SEAL, me, now)
        with pytest.raises(FieldInvalid):
            confirm_enrolment(session, SEAL, me, "12345", now)
        assert not has_second_factor(session, me)
        late = now + ENROLMENT_KEPT
        with pytest.raises(NothingToConfirm):
            confirm_enrolment(session, SEAL, me, "123456", late)
        assert forget_unfinished(session, late) == 1
        assert session.get(SecondFactor, me) is None


@SQLITE
def test_the_way_of_a_second_factor(client: Client, city: City, enter: Enter, db: Database) -> None:
    me = city.secretary.person_id
    with db.transaction() as session:
        keep_password(session, me, PASSWORD, utcnow())
    enter("thuky")
    enter("thuky")
    page = client.get("/account/second-factor").text
    assert "Bắt đầu" in page
    assert post(client, "/account/second-factor/begin")[:2] == (303, "/account/second-factor")
    page = client.get("/account/second-factor").text
    assert "<svg" in page
    assert "style=" not in page, "the content policy refuses inline styles"
    secret = re.search(r'class="secret-text">([A-Z2-7 ]+)<', page)
    assert secret is not None
    telephone = Telephone(pyotp.TOTP(secret[1].replace(" ", "")))
    assert post(client, "/account/second-factor/confirm", first="000000")[0] == 422
    used = telephone.shows(utcnow())
    status, _, page = post(client, "/account/second-factor/confirm", first=used)
    codes = re.findall(CODES, page)
    assert (status, len(codes)) == (200, HOW_MANY)
    assert codes[0] not in client.get("/account/second-factor").text
    with db.reader() as session:
        (login,) = session.scalars(select(LoginSession))
        assert login.second_factor, "the other login has ended, this one has shown both"

    # From now on the password is half of the way.
    client.cookies.clear()
    assert post(client, "/login", username="thuky", password=PASSWORD, next="/units")[:2] == (
        303,
        "/login/code",
    )
    assert COOKIE not in client.cookies
    assert "Nguyễn Thu Hà" in client.get("/login/code").text
    assert client.get("/units", headers={"accept": "application/json"}).status_code == 401
    assert post(client, "/login/code", code=used)[0] == 422, "used already"
    assert post(client, "/login/code", recovery="x")[0] == 422
    status, where, _ = post(client, "/login/code", recovery=codes[0])
    assert (status, where) == (303, "/units")
    assert "mã khôi phục; mã đó không dùng được nữa" in client.get("/units").text
    assert "Còn 7 mã khôi phục" in client.get("/account").text

    # A dialog in the middle of a form asks in JSON.
    client.get("/login")
    scripted = {"accept": "application/json", "x-csrftoken": client.cookies["meetings_csrf"]}
    half = client.post("/login", data={"username": "thuky", "password": PASSWORD}, headers=scripted)
    assert (half.status_code, half.json()["code"]) == (401, "second_factor_required")
    wrong = client.post("/login/code", data={"code": "1"}, headers=scripted)
    assert (wrong.status_code, wrong.json()["code"]) == (401, "field_invalid")
    later = utcnow() + timedelta(seconds=30)
    done = client.post("/login/code", data={"code": telephone.shows(later)}, headers=scripted)
    assert done.status_code == 200
    assert "csrf_token" in done.json()


@SQLITE
def test_whatever_changes_it_asks_for_the_code(
    client: Client, city: City, enter: Enter, db: Database
) -> None:
    me = city.secretary.person_id
    enrol(db, me, utcnow())
    with db.transaction() as session:
        codes = make_codes(session, me, utcnow())
    enter("thuky")
    assert post(client, "/account/second-factor/codes", code="000000")[0] == 422
    status, _, page = post(client, "/account/second-factor/codes", code=codes[1])
    assert status == 200
    fresh = re.findall(CODES, page)
    assert codes[2] not in fresh
    assert post(client, "/account/second-factor/begin")[0] == 422, "another telephone"
    assert post(client, "/account/second-factor/remove", code=codes[2])[0] == 422
    assert post(client, "/account/second-factor/remove", code=fresh[0])[:2] == (303, "/account")
    with db.reader() as session:
        assert not has_second_factor(session, me)


@SQLITE
def test_codes_are_guessed_slowly(
    client: Client, city: City, db: Database, settings: Settings
) -> None:
    me = city.secretary.person_id
    with db.transaction() as session:
        keep_password(session, me, PASSWORD, utcnow())
    telephone = enrol(db, me, utcnow(), seal_of(settings))
    post(client, "/login", username="thuky", password=PASSWORD)
    for _ in range(CODE.together - 1):
        assert post(client, "/login/code", code="000000")[0] == 422
    assert post(client, "/login/code", recovery="none-such")[0] == 422
    client.get("/login")
    answer = client.post(
        "/login/code",
        data={"code": telephone.shows(utcnow())},
        headers={"x-csrftoken": client.cookies["meetings_csrf"], "accept": "text/html"},
    )
    assert answer.status_code == 429
    assert "đợi 15 phút" in answer.text
    assert answer.headers["retry-after"] == "900"


@SQLITE
def test_a_half_login_ends(client: Client, city: City, db: Database, settings: Settings) -> None:
    me = city.secretary.person_id
    with db.transaction() as session:
        keep_password(session, me, PASSWORD, utcnow())
    telephone = enrol(db, me, utcnow(), seal_of(settings))
    assert client.get("/login/code", follow_redirects=False).headers["location"] == "/login"
    post(client, "/login", username="thuky", password=PASSWORD)
    with db.transaction() as session:
        session.get_one(Person, me).active = False
    status, where, _ = post(client, "/login/code", code=telephone.shows(utcnow()))
    assert (status, where) == (303, "/login")
    assert COOKIE not in client.cookies


@SQLITE
def test_a_role_may_demand_it_before_anything_else(
    client: Client, city: City, enter: Enter, db: Database, settings: Settings
) -> None:
    client.app.state.settings = replace(settings, second_factor_roles="administrator,secretary")
    with db.transaction() as session:
        keep_password(session, city.secretary.person_id, PASSWORD, utcnow())
    post(client, "/login", username="thuky", password=PASSWORD)
    html = {"accept": "text/html"}
    for path in ("/", "/units", "/account", "/account/tokens"):
        led = client.get(path, headers=html, follow_redirects=False)
        assert led.headers["location"] == "/account/second-factor", path
    assert client.post("/account/tokens", data={}).status_code == 403
    page = client.get("/account/second-factor").text
    assert "Vai trò của anh/chị yêu cầu" in page
    post(client, "/account/second-factor/begin")
    with db.reader() as session:
        shown = enrolment_under_way(
            session, seal_of(settings), city.secretary.person_id, "thuky", "x", utcnow()
        )
    assert shown is not None
    first = pyotp.TOTP(shown.secret).at(utcnow())
    status, _, page = post(client, "/account/second-factor/confirm", first=first)
    assert (status, 'href="/"' in page) == (200, True)
    assert client.get("/units", headers=html, follow_redirects=False).status_code == 200
    code = re.findall(CODES, page)[0]
    assert post(client, "/account/second-factor/remove", code=code)[0] == 403
    # Whose role demands nothing goes on as before.
    enter("kythuat")
    assert client.get("/units", headers=html, follow_redirects=False).status_code == 200


@SQLITE
def test_a_browser_left_open_is_not_the_way_to_set_one_up(
    client: Client, city: City, enter: Enter, db: Database
) -> None:
    enter("thuky")
    with db.transaction() as session:
        session.execute(update(LoginSession).values(created_at=utcnow() - timedelta(minutes=16)))
    assert "/login?next=/account/second-factor" in client.get("/account/second-factor").text
    post(client, "/account/second-factor/begin")
    with db.reader() as session:
        assert session.get(SecondFactor, city.secretary.person_id) is None


@SQLITE
def test_an_administrator_helps_who_has_lost_it(
    client: Client, city: City, enter: Enter, db: Database
) -> None:
    me = city.secretary.person_id
    enrol(db, me, utcnow())
    with db.transaction() as session:
        # Long enough only beside a second factor.
        keep_password(session, me, "tám ký tự", utcnow())
        open_session(session, session.get_one(Person, me), utcnow(), 1)
    path = f"/admin/people/{me}"
    enter("thuky.dongda")
    assert client.post(f"{path}/second-factor/reset").status_code == 403
    assert client.post(f"{path}/logins/end").status_code == 403
    enter("quantri")
    assert "Đặt lại xác thực hai lớp" in client.get(f"{path}/logins").text
    reset = client.post(f"{path}/second-factor/reset", follow_redirects=False)
    assert (reset.status_code, reset.headers["location"]) == (303, f"{path}/logins")
    with db.transaction() as session:
        assert not has_second_factor(session, me)
        assert session.get_one(Credential, me).must_change
        assert session.scalars(select(LoginSession).where(LoginSession.person_id == me)).all() == []
        assert not remove_second_factor(session, me)
        open_session(session, session.get_one(Person, me), utcnow(), 1)
    client.post(f"{path}/logins/end", follow_redirects=False)
    with db.reader() as session:
        assert session.scalars(select(LoginSession).where(LoginSession.person_id == me)).all() == []
