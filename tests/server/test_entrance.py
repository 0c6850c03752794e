"""Logging in and out, what a stranger meets, and one's own account."""

from datetime import timedelta
from hashlib import sha256

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select, update

from meetings_server.database import Database
from meetings_server.identity import throttle
from meetings_server.identity.passwords import check_password, invent_password, set_password
from meetings_server.identity.sessions import COOKIE, LoginSession
from meetings_server.identity.throttle import TooManyAttempts, begin_attempt
from meetings_server.web.entering import local_path
from rooms.kernel import utcnow
from tests.conftest import SignIn
from tests.factories import City, make_city

PASSWORD = "mua-roi-tren-ho-tay"
Client = TestClient[Litestar]


@pytest.fixture
def city(db: Database) -> City:
    """A small city whose secretary has a password."""
    with db.transaction() as session:
        city = make_city(session, utcnow())
        set_password(session, city.secretary.person_id, PASSWORD, utcnow())
    return city


def log_in(client: Client, password: str = PASSWORD, **more: str) -> tuple[int, str, str]:
    """Status, `location`, and text of a login as a browser sends it."""
    client.get("/login")
    answer = client.post(
        "/login",
        data={"username": "thuky", "password": password, **more},
        headers={"x-csrftoken": client.cookies["meetings_csrf"]},
        follow_redirects=False,
    )
    return answer.status_code, answer.headers.get("location", ""), answer.text


@pytest.mark.usefixtures("city")
def test_a_stranger_is_led_to_the_login_and_back(client: Client) -> None:
    asked = client.get(
        "/units?q=dong%20da", headers={"accept": "text/html"}, follow_redirects=False
    )
    assert asked.status_code == 303
    assert asked.headers["location"] == "/login?next=/units%3Fq%3Ddong%2520da"
    page = client.get(asked.headers["location"])
    assert 'name="next" value="/units?q=dong%20da"' in page.text
    assert log_in(client, next="/units?q=dong%20da")[:2] == (303, "/units?q=dong%20da")
    assert "Quận" in client.get("/units?q=dong%20da").text


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "application/json"},
        {"accept": "text/html", "x-enhanced": "part"},
        {"accept": "text/html", "hx-request": "true"},
        {"accept": "text/html", "sec-fetch-mode": "cors"},
    ],
)
@pytest.mark.usefixtures("city")
def test_scripts_are_told_401(client: Client, headers: dict[str, str]) -> None:
    assert client.get("/units", headers=headers, follow_redirects=False).status_code == 401


def test_a_form_after_the_session_has_ended_is_told_401(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    sign_in(city.secretary.person_id)
    with db.transaction() as session:
        session.execute(update(LoginSession).values(expires_at=utcnow() - timedelta(seconds=1)))
    enhanced = {"accept": "text/html", "x-enhanced": "form"}
    assert client.post("/account/password", headers=enhanced).status_code == 401
    page = client.get("/account", headers={"accept": "text/html"}, follow_redirects=False)
    assert page.headers["location"] == "/login?next=/account"


@pytest.mark.usefixtures("city")
def test_a_form_without_its_token_is_refused(client: Client) -> None:
    client.get("/login")
    answer = client.post("/login", data={"username": "thuky", "password": PASSWORD})
    assert answer.status_code == 403
    assert COOKIE not in client.cookies


@pytest.mark.parametrize(
    ("username", "password"),
    [("thuky", "wrong"), ("nobody", PASSWORD), ("", ""), ("thuky", "nobody has this password")],
)
@pytest.mark.usefixtures("city")
def test_name_and_password_are_not_told_apart(client: Client, username: str, password: str) -> None:
    client.get("/login")
    answer = client.post(
        "/login",
        data={"username": username, "password": password},
        headers={"x-csrftoken": client.cookies["meetings_csrf"]},
    )
    assert answer.status_code == 422
    assert "Tên đăng nhập hoặc mật khẩu không đúng" in answer.text
    assert COOKIE not in client.cookies


@pytest.mark.usefixtures("city")
def test_who_fails_too_often_waits(client: Client, db: Database) -> None:
    for _ in range(throttle.MOST_TOGETHER):
        assert log_in(client, "wrong")[0] == 422
    status, _location, text = log_in(client)
    assert status == 429
    assert "đợi 15 phút" in text
    with db.transaction() as session:
        session.execute(update(throttle.LoginAttempt).values(at=utcnow() - throttle.WINDOW))
    assert log_in(client)[0] == 303
    with db.reader() as session:
        assert session.scalar(select(func.count()).select_from(throttle.LoginAttempt)) == 0


def test_failures_elsewhere_do_not_lock_a_person_out_at_once(db: Database) -> None:
    now = utcnow()
    with db.transaction() as session:
        for _ in range(throttle.MOST_TOGETHER):
            begin_attempt(session, "thuky", "198.51.100.7", now)
        with pytest.raises(TooManyAttempts):
            begin_attempt(session, " THUKY ", "198.51.100.7", now)
        begin_attempt(session, "thuky", "192.0.2.1", now)
        for number in range(throttle.MOST_PER_ACCOUNT - throttle.MOST_TOGETHER - 1):
            begin_attempt(session, "thuky", f"192.0.2.{number + 2}", now)
        with pytest.raises(TooManyAttempts):
            begin_attempt(session, "thuky", "203.0.113.1", now)


def test_one_address_may_not_try_all_names(db: Database) -> None:
    now = utcnow()
    with db.transaction() as session:
        for number in range(throttle.MOST_PER_ADDRESS):
            begin_attempt(session, f"person{number}", "198.51.100.7", now)
        with pytest.raises(TooManyAttempts) as refused:
            begin_attempt(session, "another", "198.51.100.7", now + timedelta(minutes=14))
        assert refused.value.minutes == 1


@pytest.mark.usefixtures("city")
def test_a_login_replaces_the_one_before(client: Client, db: Database) -> None:
    client.get("/login")
    client.cookies.set(COOKIE, "set-by-somebody-else", domain="testserver.local")
    assert log_in(client)[0] == 303
    with db.reader() as session:
        first = session.scalars(select(LoginSession.secret_hash)).one()
    assert log_in(client)[0] == 303
    with db.reader() as session:
        (login,) = session.scalars(select(LoginSession))
        assert login.secret_hash not in {first, sha256(b"set-by-somebody-else").hexdigest()}
        assert (login.address, login.user_agent) == ("testclient", "testclient")


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "/\t\\evil.example",
        "/units\\evil.example",
        "\t//evil.example",
        "/\r\nset-cookie: a=b",
        "/\x00",
        "/\u2028",
        "javascript:x",
        "x",
        "",
    ],
)
def test_a_login_leads_nowhere_else(target: str) -> None:
    assert local_path(target) == "/"


@pytest.mark.usefixtures("city")
def test_a_login_leads_on_to_an_address_with_vietnamese_letters(client: Client) -> None:
    status, address, _text = log_in(client, next="/units?q=Đống%20Đa")
    assert (status, address) == (303, "/units?q=%C4%90%E1%BB%91ng%20%C4%90a")


def test_logins_are_listed_and_ended(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    sign_in(city.secretary.person_id)
    sign_in(city.secretary.person_id)
    assert "Đăng xuất mọi nơi khác" in client.get("/account").text
    client.post("/account/sessions/end-others", follow_redirects=False)
    with db.reader() as session:
        (left,) = session.scalars(select(LoginSession))
    assert client.get("/account").status_code == 200
    # Somebody else's login stays, whatever number is asked for.
    sign_in(city.chair.person_id)
    client.post(f"/account/sessions/{left.id}/end", follow_redirects=False)
    with db.reader() as session:
        assert session.get(LoginSession, left.id) is not None


def test_a_new_password_wants_the_old_one_and_ends_other_logins(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    sign_in(city.secretary.person_id)
    sign_in(city.secretary.person_id)

    def change(present: str, fresh: str, repeated: str) -> str:
        sent = {"present": present, "password": fresh, "repeated": repeated}
        answer = client.post("/account/password", data=sent, follow_redirects=False)
        return f"{answer.status_code} {answer.text}"

    assert "Không đúng mật khẩu hiện tại" in change(
        "wrong", "ngoi-nha-ven-song", "ngoi-nha-ven-song"
    )
    assert change(PASSWORD, "ngan", "ngan").startswith("422")
    assert change(PASSWORD, "ngoi-nha-ven-song", "ngoi-nha").startswith("422")
    assert change(PASSWORD, PASSWORD, PASSWORD).startswith("422")
    assert check_password(db, "thuky", PASSWORD).username == "thuky"
    assert change(PASSWORD, "ngoi-nha-ven-song", "ngoi-nha-ven-song").startswith("303")
    assert check_password(db, " ThuKy ", "ngoi-nha-ven-song").username == "thuky"
    with db.reader() as session:
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 1


def test_invented_passwords_differ_and_read_well() -> None:
    made = {invent_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(each) == 19 and not set(each) & set("0o1li") for each in made)
