"""Login through an OpenID Connect provider: a real one, driven as a browser does it."""

import html
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select, update

from meetings_server.database import Database
from meetings_server.doctor import examine
from meetings_server.identity import oidc_flows
from meetings_server.identity.external import ExternalIdentity
from meetings_server.identity.oidc_flows import OidcFlow
from meetings_server.identity.second_factor import (
    begin_enrolment,
    confirm_enrolment,
    enrolment_under_way,
)
from meetings_server.identity.sessions import COOKIE, OIDC, LoginSession
from meetings_server.identity.throttle import PROVIDER, begin_attempt, forget_failures
from meetings_server.settings import Settings
from meetings_server.web.second_step import seal_of
from rooms.kernel import utcnow
from rooms.people import Person
from tests.conftest import SignIn
from tests.factories import City
from tests.login_provider import CLIENT, HERE, SECRET, Browser, LoginProvider, running_provider

# What differs by database is tested with the parts; here it is the way.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Client = TestClient[Litestar]
OpenBrowser = Callable[[], Browser]

PEOPLE: dict[str, dict[str, Any]] = {
    "ha": {"claims": {"sub": "s-1", "preferred_username": "ThuKy", "name": "Hà"}},
    "ha-mfa": {"claims": {"sub": "s-1", "preferred_username": "thuky"}, "amr": ["pwd", "mfa"]},
    "stranger": {"claims": {"sub": "s-2", "preferred_username": "<b>nobody</b>"}},
    "successor": {"claims": {"sub": "s-3", "preferred_username": "thuky"}},
    "mail": {"claims": {"sub": "s-4", "email": "Van@Hanoi.example", "email_verified": True}},
    "mail-unverified": {
        "claims": {"sub": "s-5", "email": "van@hanoi.example", "email_verified": False}
    },
    "silent": {"claims": {"sub": "s-6"}},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[LoginProvider]:
    with running_provider(PEOPLE) as provider:
        yield provider


@pytest.fixture
def settings(settings: Settings, provider: LoginProvider) -> Settings:
    return replace(
        settings,
        public_url=HERE,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        oidc_label="Cổng của Thành phố",
    )


@pytest.fixture
def browser() -> Iterator[OpenBrowser]:
    """Opens one that nobody is logged in with."""
    opened: list[Browser] = []

    def fresh() -> Browser:
        opened.append(Browser())
        return opened[-1]

    yield fresh
    for each in opened:
        each.close()


def departure(client: Client, target: str = "/units?q=dong%20da", more: str = "") -> str:
    """Where the login page's button leads."""
    answer = client.get(
        "/login/oidc",
        params={"next": target} | ({more: "1"} if more else {}),
        follow_redirects=False,
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def told(client: Client, path: str) -> tuple[int, str]:
    """Status and what the page says for an answer of the provider that is refused."""
    answer = client.get(path, follow_redirects=False)
    assert COOKIE not in client.cookies
    assert 'href="/login?next=' in answer.text, "passwords go on working"
    return answer.status_code, html.unescape(
        answer.text.partition('id="error-detail">')[2].partition("</p>")[0]
    )


def logins(db: Database) -> list[LoginSession]:
    with db.reader() as session:
        return list(session.scalars(select(LoginSession).order_by(LoginSession.id)))


def test_a_login_through_the_provider(
    client: Client, city: City, browser: OpenBrowser, db: Database, provider: LoginProvider
) -> None:
    assert "Đăng nhập bằng Cổng của Thành phố" in client.get("/login?next=/units").text
    at_the_office = browser()
    sent = departure(client)
    asked = {name: value for name, (value,) in parse_qs(urlsplit(sent).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    back = at_the_office.log_in(sent, "ha")
    entered = client.get(back, follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/units?q=dong%20da")
    assert "Nguyễn Thu Hà" in client.get("/account").text
    (login,) = logins(db)
    assert (login.person_id, login.method) == (city.secretary.person_id, OIDC)
    assert login.second_factor is False
    with db.transaction() as session:
        link = session.scalars(select(ExternalIdentity)).one()
        assert (link.issuer, link.subject, link.called) == (provider.issuer, "s-1", "ThuKy")
        # From now on the subject decides, whatever the person is called.
        session.execute(
            update(Person).where(Person.id == city.secretary.person_id).values(username="ha.nguyen")
        )
    # The same answer again is heard by nobody.
    assert client.get(back, follow_redirects=False).status_code == 409

    client.get("/login")
    out = client.post(
        "/logout",
        headers={"x-csrftoken": client.cookies["meetings_csrf"], "x-enhanced": "form"},
    )
    elsewhere = out.headers["x-location"]
    assert elsewhere.startswith(f"{provider.issuer}/session/end?id_token_hint=")
    assert parse_qs(urlsplit(elsewhere).query)["post_logout_redirect_uri"] == [f"{HERE}/login"]
    assert at_the_office.open(elsewhere).status_code == 200
    assert logins(db) == []

    client.cookies.clear()
    assert (
        client.get(
            browser().log_in(departure(client, "//evil.example"), "ha-mfa"), follow_redirects=False
        ).headers["location"]
        == "/"
    )
    (login,) = logins(db)
    assert (login.person_id, login.second_factor) == (city.secretary.person_id, True)


@pytest.mark.usefixtures("city")
def test_people_who_are_nobody_here_are_told_what_to_do(
    client: Client, browser: OpenBrowser, db: Database
) -> None:
    status, said = told(client, browser().log_in(departure(client), "stranger"))
    assert status == 403
    assert "“<b>nobody</b>” chưa có tài khoản ở đây" in said
    # Logged in there as somebody unknown, one must be able to become somebody else.
    again = departure(client, "/units", "again")
    assert parse_qs(urlsplit(again).query)["prompt"] == ["login"]
    assert client.get(browser().log_in(again, "ha"), follow_redirects=False).status_code == 303
    client.cookies.clear()
    status, said = told(client, browser().log_in(departure(client), "successor"))
    assert status == 403
    assert "gắn với một danh tính khác" in said
    status, said = told(client, browser().log_in(departure(client), "silent"))
    assert status == 403
    assert "preferred_username" in said
    with db.transaction() as session:
        session.execute(update(Person).values(active=False))
    assert told(client, browser().log_in(departure(client), "ha"))[0] == 403


@pytest.mark.usefixtures("city")
def test_answers_that_nobody_awaits(client: Client, browser: OpenBrowser, db: Database) -> None:
    back = browser().log_in(departure(client), "ha")
    for wrong in ("?", "?state=&code=x", "?state=invented&code=x", f"?state={'x' * 9000}"):
        assert told(client, f"/login/oidc/callback{wrong}")[0] == 409
    mine = client.cookies[oidc_flows.COOKIE]
    client.cookies.delete(oidc_flows.COOKIE)
    assert told(client, back)[0] == 409  # another browser
    client.cookies.set(oidc_flows.COOKIE, mine, domain="testserver.local")
    with db.transaction() as session:
        session.execute(update(OidcFlow).values(expires_at=utcnow() - timedelta(seconds=1)))
    status, said = told(client, back)
    assert status == 409
    assert "bắt đầu quá lâu" in said
    status, said = told(client, browser().refuse(departure(client)))
    assert (status, "chưa hoàn tất" in said) == (403, True)
    # A mix-up of providers (RFC 9207), and a code that was never given out.
    state = parse_qs(urlsplit(departure(client)).query)["state"][0]
    assert (
        told(client, f"/login/oidc/callback?state={state}&code=x&iss=https://evil.example")[0]
        == 403
    )
    state = parse_qs(urlsplit(departure(client)).query)["state"][0]
    status, said = told(client, f"/login/oidc/callback?state={state}&code=invented")
    assert (status, "invalid_grant" in said) == (403, True)
    with db.reader() as session:
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 0


@pytest.mark.usefixtures("city")
def test_what_the_provider_signs_with_a_shared_secret_is_not_believed(
    client: Client, browser: OpenBrowser, settings: Settings
) -> None:
    client.app.state.settings = replace(settings, oidc_client_id="shared")
    status, said = told(client, browser().log_in(departure(client), "ha"))
    assert (status, "Không thể tin câu trả lời" in said) == (403, True)
    client.app.state.settings = replace(settings, oidc_client_secret="wrong")
    status, said = told(client, browser().log_in(departure(client), "ha"))
    assert (status, "invalid_client" in said) == (403, True)


def test_people_may_be_found_by_their_verified_mail_address(
    client: Client, city: City, browser: OpenBrowser, settings: Settings, db: Database
) -> None:
    client.app.state.settings = replace(settings, oidc_claim="email")
    with db.transaction() as session:
        person = session.get_one(Person, city.chair.person_id)
        person.email = "van@hanoi.example"
    status, said = told(client, browser().log_in(departure(client), "mail-unverified"))
    assert (status, "chưa xác minh" in said) == (403, True)
    back = browser().log_in(departure(client), "mail")
    assert client.get(back, follow_redirects=False).status_code == 303
    assert [login.person_id for login in logins(db)] == [city.chair.person_id]


def test_a_second_factor_of_ones_own_is_asked_for_unless_the_provider_has(
    client: Client, city: City, browser: OpenBrowser, settings: Settings, db: Database
) -> None:
    now = utcnow()
    with db.transaction() as session:
        me, seal = city.secretary.person_id, seal_of(settings)
        begin_enrolment(session, seal, me, now)
        waiting = enrolment_under_way(session, seal, me, "thuky", "x", now)
        assert waiting is not None
        totp = pyotp.TOTP(waiting.secret)
        confirm_enrolment(session, seal, me, totp.at(now - timedelta(seconds=30)), now)
    answer = client.get(browser().log_in(departure(client), "ha"), follow_redirects=False)
    assert answer.headers["location"] == "/login/code"
    assert COOKIE not in client.cookies
    client.get("/login/code")
    answer = client.post(
        "/login/code",
        data={"code": totp.at(now)},
        headers={"x-csrftoken": client.cookies["meetings_csrf"]},
        follow_redirects=False,
    )
    assert answer.headers["location"] == "/units?q=dong%20da"
    (login,) = logins(db)
    assert (login.method, login.second_factor) == (OIDC, True)
    assert login.id_token is not None
    assert "." not in login.id_token, "what the provider said is kept sealed"
    client.cookies.clear()
    answer = client.get(browser().log_in(departure(client), "ha-mfa"), follow_redirects=False)
    assert answer.headers["location"] == "/units?q=dong%20da"


def test_a_role_may_demand_it_of_those_who_come_through_the_provider(
    client: Client, city: City, browser: OpenBrowser, settings: Settings
) -> None:
    del city
    client.app.state.settings = replace(settings, second_factor_roles="secretary")
    client.get(browser().log_in(departure(client), "ha"), follow_redirects=False)
    page = client.get("/units", headers={"accept": "text/html"}, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/account/second-factor")
    client.cookies.clear()
    client.get(browser().log_in(departure(client), "ha-mfa"), follow_redirects=False)
    assert client.get("/units", headers={"accept": "text/html"}).status_code == 200


@pytest.mark.usefixtures("city")
def test_without_the_provider_passwords_go_on_working(
    client: Client, settings: Settings, sign_in: SignIn, city: City, db: Database
) -> None:
    client.app.state.settings = replace(settings, oidc_issuer="http://127.0.0.1:9")
    answer = client.get("/login/oidc?next=/units", follow_redirects=False)
    assert answer.status_code == 503
    assert "Cổng của Thành phố không trả lời" in answer.text
    assert 'href="/login?next=/units"' in answer.text
    # Many departures without an arrival, and the address waits.
    now = utcnow()
    with db.transaction() as session:
        for _ in range(PROVIDER.together):
            begin_attempt(session, "testclient", "testclient", now, PROVIDER)
    client.app.state.settings = settings
    waits = client.get("/login/oidc", follow_redirects=False)
    assert (waits.status_code, "đợi 15 phút" in waits.text) == (429, True)
    assert client.get("/login/oidc/callback?state=x", follow_redirects=False).status_code == 429
    with db.transaction() as session:
        forget_failures(session, "testclient", "testclient", PROVIDER)
    # It names itself otherwise: what it says is not taken for the one that was meant.
    client.app.state.settings = replace(settings, oidc_issuer=f"{settings.oidc_issuer}/")
    assert client.get("/login/oidc", follow_redirects=False).status_code == 503
    client.app.state.settings = replace(settings, oidc_issuer="")
    assert client.get("/login/oidc", follow_redirects=False).status_code == 404
    assert client.get("/login/oidc/callback?state=x", follow_redirects=False).status_code == 404
    sign_in(city.secretary.person_id)
    assert client.get("/units").status_code == 200


def test_the_doctor_asks_the_provider(settings: Settings) -> None:
    (found,) = [
        each for each in examine(settings) if "MEETINGS" in each.found or HERE in each.found
    ]
    assert (found.sound, f"{HERE}/login/oidc/callback" in found.found) == (True, True)
    away = replace(settings, oidc_issuer="http://127.0.0.1:9")
    (found,) = [each for each in examine(away) if "MEETINGS_OIDC_ISSUER" in each.found]
    assert not found.sound
