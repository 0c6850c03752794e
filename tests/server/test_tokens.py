"""API tokens: what they open, how long, and who sees and ends them."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.testing import TestClient
from sqlalchemy import select, update

from meetings_server import migrations
from meetings_server.api.scopes import NEEDED, PREFIX, scope_of
from meetings_server.database import Database
from meetings_server.identity.tokens import EVERYTHING, SCOPES, ApiToken, create_token
from meetings_server.routes import CALLS
from meetings_server.web.scope_words import AREAS, WORDS
from rooms.kernel import utcnow
from rooms.people import Person
from tests.factories import City

Client = TestClient[Litestar]
Enter = Callable[[str], None]

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def bearer(db: Database, city: City, username: str, *scopes: str) -> dict[str, str]:
    with db.transaction() as session:
        person_id = city.actors[username].person_id
        token = create_token(session, person_id, "test", utcnow(), 1, scopes or {EVERYTHING})
    return {"authorization": f"Bearer {token}", "accept": "application/json"}


def test_every_call_says_which_scope_it_needs() -> None:
    handlers = [handler for place in CALLS for handler in place.HANDLERS]
    forgotten = [
        (sorted(handler.http_methods), sorted(handler.paths))
        for handler in handlers
        if isinstance(handler, HTTPRouteHandler)
        and not handler.opt.get("public")
        and scope_of(handler, PREFIX) not in SCOPES
    ]
    assert not forgotten, "write it in meetings_server/api/scopes.py"
    paths = {PREFIX + path for handler in handlers for path in handler.paths}
    assert {path for _method, path in NEEDED if not path.startswith("/live/")} <= paths
    assert set(NEEDED.values()) == set(SCOPES)
    assert {EVERYTHING, *SCOPES} == WORDS.keys()
    assert sorted(scope for _area, scopes in AREAS for scope in scopes) == sorted(SCOPES)


def test_the_document_names_the_scopes(client: Client) -> None:
    document = client.get("/schema/openapi.json").json()
    calls = document["paths"]
    assert calls["/api/v1/meetings"]["post"]["security"] == [{"token": ["meetings:write"]}]
    assert calls["/api/v1/meetings/slots"]["post"]["security"] == [{"token": ["meetings:read"]}]
    assert all(f"`{scope}`" in document["info"]["description"] for scope in SCOPES)


@SQLITE
def test_a_token_opens_what_it_was_made_for(client: Client, city: City, db: Database) -> None:
    reads = bearer(db, city, "thuky", "meetings:read", "units:read")
    assert client.get("/api/v1/meetings", headers=reads).status_code == 200
    refused = client.post("/api/v1/meetings", headers=reads, json={})
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "scope_missing"
    assert refused.json()["scope"] == "meetings:write"
    # Pages are for people, whatever they show; a token from before scopes were goes on opening them.
    assert client.get("/units", headers=reads).json()["scope"] == EVERYTHING
    assert client.get("/units", headers=bearer(db, city, "thuky")).status_code == 200
    assert client.get("/account", headers=bearer(db, city, "thuky")).status_code == 403
    # A scope gives no right that the person does not hold.
    operator = bearer(db, city, "truc.vanmieu", "bridge-points:write")
    point = city.points["00178"]
    answer = client.patch(f"/api/v1/bridge-points/{point}", headers=operator, json={"name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "denied")
    with db.reader() as session:
        assert session.scalars(select(ApiToken.last_seen_at)).first() is not None
    with db.transaction() as session:
        session.execute(update(ApiToken).values(expires_at=utcnow() - timedelta(seconds=1)))
    assert client.get("/api/v1/meetings", headers=reads).status_code == 401


@SQLITE
def test_a_token_is_made_shown_once_and_revoked(
    client: Client, city: City, enter: Enter, db: Database
) -> None:
    enter("thuky")
    page = client.post(
        "/account/tokens",
        data={"name": "Phần mềm văn thư", "days": "30", "scopes": ["units:read", "tasks:read"]},
    ).text
    shown = re.search(r'value="(mt_[\w-]+)" readonly', page)
    assert shown is not None
    again = client.get("/account/tokens").text
    assert shown[1] not in again
    assert "Xem đơn vị · Xem nhiệm vụ" in again
    with db.reader() as session:
        token = session.scalars(select(ApiToken)).one()
    assert token.scopes == "tasks:read units:read"
    program = {"authorization": f"Bearer {shown[1]}"}
    assert client.get("/api/v1/units", headers=program).status_code == 200
    enter("lanhdao")
    client.post(f"/account/tokens/{token.id}/revoke", follow_redirects=False)
    assert client.get("/api/v1/units", headers=program).status_code == 200, "another's token"
    # Whoever looks after the person sees the token and may end it.
    enter("thuky.dongda")
    path = f"/admin/people/{city.secretary.person_id}"
    assert client.get(f"{path}/logins").status_code == 403
    assert client.post(f"{path}/tokens/{token.id}/revoke").status_code == 403
    enter("quantri")
    assert "Phần mềm văn thư" in client.get(f"{path}/logins").text
    client.post(f"{path}/tokens/{token.id}/revoke", follow_redirects=False)
    assert client.get("/api/v1/units", headers=program).status_code == 401


@SQLITE
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"name": "", "days": "3", "scopes": "units:read"}, "Chưa nhập"),
        ({"name": "x", "days": "9999", "scopes": "units:read"}, "1–366"),
        ({"name": "x", "days": "-1", "scopes": "units:read"}, "số"),
        ({"name": "x", "days": "3"}, "Chọn ít nhất một mục"),
        ({"name": "x", "days": "3", "scopes": "invented"}, "invented"),
    ],
)
def test_a_token_needs_a_name_an_end_and_a_scope(
    client: Client, enter: Enter, sent: dict[str, str], said: str, db: Database
) -> None:
    enter("thuky")
    answer = client.post("/account/tokens", data=sent)
    assert answer.status_code == 422
    assert said in answer.text
    with db.reader() as session:
        assert session.scalars(select(ApiToken)).all() == []


@SQLITE
def test_tokens_end_with_the_account(client: Client, city: City, db: Database) -> None:
    program = bearer(db, city, "thuky", "units:read")
    with db.transaction() as session:
        session.execute(update(Person).values(active=False))
    assert client.get("/api/v1/units", headers=program).status_code == 401


def test_tokens_from_before_scopes_were_open_what_they_opened(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'before.db'}"
    migrations.migrate(url, "0007")
    with closing(sqlite3.connect(tmp_path / "before.db")) as before:
        before.execute(
            "INSERT INTO api_token (id, secret_hash, person_id, name, created_at, expires_at)"
            " VALUES (1, 'x', 1, 'old', '2026-01-01', '2027-01-01')"
        )
        before.commit()
    migrations.migrate(url)
    with closing(sqlite3.connect(tmp_path / "before.db")) as after:
        assert after.execute("SELECT scopes FROM api_token").fetchall() == [(EVERYTHING,)]
