"""What no handler sees: bodies that are no JSON, instants out of the calendar, faults of the machine."""

import errno
import json
import os
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy.exc import OperationalError, ProgrammingError

from meetings_server.database import Database
from meetings_server.faults import DATABASE_AWAY, STORAGE_FULL, STORAGE_REFUSED, Fault, fault_of
from meetings_server.headers import HEADERS
from meetings_server.identity.tokens import create_token
from minutes.directives import Directive
from minutes.storage import FolderStore, StoredFile
from rooms.kernel import utcnow
from tests.conftest import SignIn, StartServer
from tests.documents import form, how_many, pdf
from tests.factories import City, make_city

Client = TestClient[Litestar]


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


@pytest.fixture
def program(client: Client, city: City, db: Database) -> Client:
    """The application as the city secretary's program asks it."""
    with db.transaction() as session:
        token = create_token(session, city.secretary.person_id, "test", utcnow())
    client.headers["authorization"] = f"Bearer {token}"
    return client


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000 + b"]" * 100_000, b'{"title": "\xff\xfe"}', b'{"a":' * 50_000, b"{", b"NaN"],
)
def test_a_body_that_is_no_json_is_the_senders_mistake(program: Client, body: bytes) -> None:
    answer = program.post("/api/v1/meetings", content=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "http_400"


@pytest.mark.parametrize("name", ["directives", "search", "units", "meetings", "tasks", "faults"])
def test_a_nul_in_a_question_is_left_out(program: Client, name: str) -> None:
    for question in ("q=H%00%E1%BB%8Dp", "unit=0%0001", "q=%00&unit=%00", "cursor=%00"):
        answer = program.get(f"/api/v1/{name}?{question}")
        assert answer.status_code < 500, (question, answer.text)


def request(city: City, **changes: Any) -> dict[str, Any]:
    return {
        "title": "Họp giao ban",
        "kind": "thematic",
        "host_unit": "01",
        "main_point": city.points["01"],
        "chair": city.chair.person_id,
        "starts_at": "2099-01-05T08:00:00+07:00",
        "ends_at": "2099-01-05T09:00:00+07:00",
        "audience": [{"include": "unit", "unit": "00181"}],
    } | changes


ENDS_OF_THE_CALENDAR = [
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-12:00",
]


@pytest.mark.parametrize("instant", ENDS_OF_THE_CALENDAR)
def test_instants_at_the_ends_of_the_calendar_are_refused(
    program: Client, city: City, instant: str
) -> None:
    for body in (request(city, starts_at=instant), request(city, ends_at=instant)):
        answer = program.post("/api/v1/meetings", content=json.dumps(body))
        assert answer.status_code == 422, answer.text
    slots = {
        "audience": [{"include": "unit", "unit": "00181"}],
        "duration_minutes": 60,
        "earliest": instant,
        "latest": instant,
    }
    assert program.post("/api/v1/meetings/slots", json=slots).status_code == 422
    for name in ("from", "to"):
        answer = program.get("/api/v1/meetings", params={name: instant})
        assert answer.status_code == 422, answer.text
    document = {"kind": "TB", "from_unit": "01", "title": "Thông báo", "deadline": instant}
    assert program.post("/api/v1/directives", json=document).status_code == 422


def test_every_refusal_has_the_headers_and_is_never_kept(
    client: Client, city: City, sign_in: SignIn
) -> None:
    sign_in(city.secretary.person_id)
    for path in ("/no/such/page", "/meetings/999", "/admin/people", "/api/v1/no-such-call"):
        answer = client.get(path)
        assert answer.status_code >= 400
        assert answer.headers["cache-control"] == "no-store", path
        assert HEADERS.items() <= dict(answer.headers).items(), path


def _of_sqlite(text: str) -> OperationalError:
    return OperationalError("INSERT", {}, Exception(text))


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), STORAGE_FULL),
        (PermissionError(errno.EACCES, "Permission denied"), STORAGE_REFUSED),
        (FileNotFoundError(errno.ENOENT, "No such file"), None),
        (_of_sqlite("database or disk is full"), STORAGE_FULL),
        (_of_sqlite("attempt to write a readonly database"), STORAGE_REFUSED),
        (_of_sqlite("database is locked"), DATABASE_AWAY),
        (_of_sqlite("no such table: meeting"), None),
        (_of_sqlite("connection is bad: No such file or directory"), DATABASE_AWAY),
        (ProgrammingError("SELECT", {}, Exception("syntax error")), None),
        (KeyError("x"), None),
    ],
)
def test_faults_are_told_from_mistakes(error: Exception, fault: Fault | None) -> None:
    assert fault_of(error) is fault


def test_a_full_disk_is_told_and_nothing_is_kept(
    client: Client,
    city: City,
    sign_in: SignIn,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sign_in(city.secretary.person_id)
    # The disk of this machine cannot be filled for a test: the last step of keeping refuses.
    monkeypatch.setattr(FolderStore, "_settle", full)
    answer = client.post(
        "/directives/new",
        data=form(city, utcnow()),
        files=pdf(),
    )
    assert answer.status_code == 507, answer.text
    assert "Ổ đĩa của máy chủ đã đầy" in answer.text
    assert answer.headers["retry-after"] == "30"
    assert how_many(db, Directive) == how_many(db, StoredFile) == 0


def test_an_upload_that_is_cut_is_no_mistake_of_the_server(running_server: StartServer) -> None:
    server = running_server("serve")
    with httpx.Client(base_url=server.url) as browser:
        browser.get("/login")
        token = browser.cookies["meetings_csrf"]
    address = urlsplit(server.url)
    head = (
        f"POST /login HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: meetings_csrf={token}\r\n"
        f"X-CSRFToken: {token}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: 5000000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="files"; filename="a.pdf"\r\n\r\n'
    )
    with socket.create_connection((address.hostname, address.port)) as sender:
        sender.sendall(head.encode() + b"x" * 1_000_000)
        time.sleep(0.5)
    time.sleep(0.5)
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    assert "failed, number" not in server.log()
    assert "Traceback" not in server.log()
