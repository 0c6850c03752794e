"""A client of the live line that holds what the frames tell, as a board in a browser does."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from litestar import Litestar
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from meetings_server.database import Database
from meetings_server.identity.sessions import open_session
from meetings_server.identity.tokens import ALL_SCOPES, create_token
from meetings_server.live.wire import payloads_of
from meetings_server.serving import make_server
from meetings_server.settings import Settings
from rooms.kernel import utcnow
from rooms.people import Person
from tests.factories import City
from tests.programs import free_port

PATIENCE = 20.0
SILENCE = 60.0
"""Seconds with nothing but heartbeats after which whatever a test waits for does not come any more."""

ANSWERS = ("ack", "receipted", "error")


def text_of(frame: bytes) -> dict[str, Any]:
    """What a frame says."""
    (payload,) = payloads_of(frame)
    said: dict[str, Any] = json.loads(payload)
    return said


@dataclass
class Holding:
    """What a client has after applying frames in order."""

    revision: int = -1
    meeting: dict[str, Any] = field(default_factory=dict)
    points: dict[int, list[Any]] = field(default_factory=dict)
    rollup: dict[str, list[int]] = field(default_factory=dict)
    levels: dict[str, list[int]] = field(default_factory=dict)

    def apply(self, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == "snapshot":
            self.points, self.rollup, self.levels = {}, {}, {}
        if kind in {"snapshot", "changes"}:
            self.points |= {row[0]: row for row in frame["points"]}
            self.rollup |= {row[0]: row[1:] for row in frame["rollup"]}
            self.levels |= {row[0]: row[1:] for row in frame["levels"]}
        if kind in {"snapshot", "meeting"}:
            self.meeting = frame["meeting"]
        assert frame["revision"] >= self.revision
        self.revision = frame["revision"]

    def as_answer(self) -> dict[str, Any]:
        """In a form that can be compared with `of_answer`."""
        return {
            "revision": self.revision,
            "meeting": self.meeting,
            "points": self.points,
            "rollup": self.rollup,
            "levels": self.levels,
        }


def of_answer(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer of `GET …/attendance` as a holding."""
    counts = ("invited", "present", "late", "lost", "needs_help")
    return {
        "revision": answer["revision"],
        "meeting": answer["meeting"],
        "points": {
            p["point"]: [p["point"], p["state"], p["since"], p["headcount"]]
            for p in answer["points"]
        },
        "rollup": {row["unit"]: [row[name] for name in counts] for row in answer["rollup"]},
        "levels": {row["level"]: [row[name] for name in counts] for row in answer["levels"]},
    }


class LiveLine:
    """One open line and what it holds; answers to check-ins and notices are kept apart."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.holding = Holding()
        self.frames: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self.granted: str | None = None
        """The pass with which this client may come back."""
        self._spoke_at = time.monotonic()

    def receive(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """The next frame but passes, applied. Raises `TimeoutError`, `ConnectionClosed`."""
        frame: dict[str, Any] = json.loads(self.connection.recv(timeout=seconds))
        if frame["type"] == "pass":
            self.granted = frame["pass"]
            return self.receive(seconds)
        if frame["type"] != "heartbeat":
            self._spoke_at = time.monotonic()
        elif time.monotonic() - self._spoke_at > SILENCE:
            raise TimeoutError(f"nothing but heartbeats for {SILENCE} s")
        if frame["type"] in ANSWERS:
            self.answers.append(frame)
        elif frame["type"] == "notice":
            self.notices.append(frame)
        else:
            self.frames.append(frame)
            self.holding.apply(frame)
        return frame

    def next_of(self, *kinds: str) -> dict[str, Any]:
        """The next frame of one of these kinds; the others are applied on the way."""
        while True:
            frame = self.receive()
            if frame["type"] in kinds:
                return frame

    def until(self, revision: int) -> Holding:
        """Read on until this revision is held."""
        while self.holding.revision < revision:
            self.receive()
        return self.holding

    def send(self, **message: Any) -> None:
        self.connection.send(json.dumps({"type": "check_in"} | message))

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a check-in, or what `type` names, and read on until its answer."""
        self.send(**message)
        return self.next_of(*ANSWERS)


@contextmanager
def line(
    live_url: str,
    meeting_id: int,
    *,
    token: str | None = None,
    cookie: str | None = None,
    query: str = "",
    **options: Any,
) -> Iterator[LiveLine]:
    """Open a line, as a program with a token or as a browser with its session."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    if cookie:
        headers["cookie"] = f"meetings_session={cookie}"
    with connect(
        f"{live_url}/live/meetings/{meeting_id}{query}",
        additional_headers=headers,
        compression=None,
        max_size=None,
        **options,
    ) as connection:
        yield LiveLine(connection)


@contextmanager
def serving(settings: Settings, app: Any) -> Iterator[str]:
    """The server in a thread of this process, so that a test can reach into it; gives its URL."""
    port = free_port()
    server: uvicorn.Server = make_server(
        Settings(
            data=settings.data,
            database_url=settings.database_url,
            secret_key=settings.secret_key,
            port=port,
            log_level="warning",
        ),
        app,
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the server ended"
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive(), "the server did not end"


@dataclass
class Served:
    """A running server with a small city and a meeting that starts in ten minutes."""

    url: str
    app: Litestar
    db: Database
    city: City
    meeting_id: int

    @property
    def live_url(self) -> str:
        return self.url.replace("http://", "ws://")

    def token(self, username: str, *scopes: str) -> str:
        """One that opens everything, unless scopes are named."""
        with self.db.transaction() as session:
            person_id = self.city.actors[username].person_id
            return create_token(session, person_id, "test", utcnow(), 1, scopes or ALL_SCOPES)

    def cookie(self, username: str) -> str:
        with self.db.transaction() as session:
            person = session.get_one(Person, self.city.actors[username].person_id)
            return open_session(session, person, utcnow(), 1)

    def call(self, method: str, path: str, username: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token(username)}"}
        return httpx.request(method, f"{self.url}{path}", headers=headers, **options)

    def check_in(self, code: str, state: str, username: str = "kythuat", **facts: Any) -> int:
        path = f"/api/v1/meetings/{self.meeting_id}/attendance/{self.city.points[code]}"
        answer = self.call("POST", path, username, json={"state": state} | facts)
        assert answer.status_code == 200, answer.text
        revision: int = answer.json()["revision"]
        return revision

    def attendance(self, username: str, **query: str) -> dict[str, Any]:
        path = f"/api/v1/meetings/{self.meeting_id}/attendance"
        answer = self.call("GET", path, username, params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def closing_code(served: Served, meeting_id: int | None = None, **options: Any) -> int:
    with (
        line(served.live_url, meeting_id or served.meeting_id, **options) as client,
        pytest.raises(ConnectionClosed) as closed,
    ):
        client.receive()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code
