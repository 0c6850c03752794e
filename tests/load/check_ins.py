"""Check-ins as fast as they go: single commits with bare `sqlite3`, our socket, our HTTP, in one run.

    python -m tests.load.check_ins --points 2000 --count 40000 --lines 50

The bare commits are the floor of the disk: the rows that a check-in writes and nothing else, each
in a transaction of its own with `synchronous=FULL`, in a copy of the database. Then the program is
started; lines send check-ins and keep some of them under way, each is counted when it has been
acknowledged, which is after its commit. What was acknowledged is compared with the log at the end.
The client builds its bytes before the clock starts and only counts answers. `--database-url` takes
an empty PostgreSQL database; the bare commits are left out there.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import cast

import uvloop

from meetings_server.database import Database
from rooms.attendance import revision_of
from tests import programs
from tests.load.days import seed
from tests.load.processes import cpu_seconds

PATIENCE = 300.0
SMALL_FRAME, LONG_FRAME = 126, 127
UNMASKED = b"\0\0\0\0"
"""A mask that leaves the text as it is: every frame of a client bears one."""
ACK, ERROR = b'"type":"ack"', b'"type":"error"'
STATES = ("ready", "present", "lost", "left")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of each; `window` check-ins of a line may be under way."""

    points: int = 2000
    count: int = 40_000
    lines: int = 50
    window: int = 200
    single: int = 2000
    http: int = 5000
    connections: int = 16


@dataclass
class Rate:
    """One way to write: how many a second, and the CPU each took, in microseconds."""

    count: int
    per_second: float
    server_cpu_us: float
    client_cpu_us: float


@dataclass
class Figures:
    """The three ways, and how many times as many as single commits the socket writes."""

    single: Rate | None
    socket: Rate
    http: Rate
    ratio: float
    in_log: int


@dataclass
class Sender(asyncio.Protocol):
    """A line that sends check-ins: `window` under way, the next ones as answers come in."""

    request: bytes
    frames: list[bytes]
    window: int
    opened: "asyncio.Future[None]"
    done: "asyncio.Future[None]"
    answered: int = 0
    sent: int = 0
    tail: bytes = b""
    transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.request)

    def begin(self) -> None:
        self._send(self.window)

    def _send(self, more: int) -> None:
        assert self.transport is not None
        self.transport.write(b"".join(self.frames[self.sent : self.sent + more]))
        self.sent = min(self.sent + more, len(self.frames))

    def data_received(self, data: bytes) -> None:
        seen = self.tail + data
        if not self.opened.done():
            # The first frame follows the answer to the handshake.
            if b'"type":"snapshot"' in seen:
                self.opened.set_result(None)
            elif not seen.startswith(b"HTTP/1.1 101"[: len(seen)]):
                self.opened.set_exception(ConnectionError(seen[:200].decode()))
            self.tail = seen if not self.opened.done() else b""
            return
        if ERROR in seen:
            self._end(ConnectionError(seen[seen.index(ERROR) - 10 :][:300].decode()))
            return
        answered = seen.count(ACK)
        self.tail = seen[-len(ACK) + 1 :]
        if answered:
            self.answered += answered
            if self.sent < len(self.frames):
                self._send(answered)
            elif self.answered == len(self.frames):
                self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("the server hung up"))

    def _end(self, failure: Exception | None) -> None:
        for waiting in (self.opened, self.done):
            if waiting.done():
                continue
            if failure:
                waiting.set_exception(failure)
            elif waiting is self.done:
                waiting.set_result(None)


@dataclass
class Caller(asyncio.Protocol):
    """A kept-alive connection: one call after the other."""

    requests: list[bytes]
    done: "asyncio.Future[None]"
    sent: int = 0
    answer: bytes = b""
    transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._next()

    def _next(self) -> None:
        assert self.transport is not None
        self.transport.write(self.requests[self.sent])
        self.sent += 1

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end or not body.endswith(b"}"):
            return
        if not head.startswith(b"HTTP/1.1 200") or not body.startswith(b'{"revision":'):
            self.done.set_exception(ConnectionError(self.answer[:600].decode()))
            return
        self.answer = b""
        if self.sent < len(self.requests):
            self._next()
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))


def text_frame(payload: bytes) -> bytes:
    """A whole text frame as a client sends it."""
    size = len(payload)
    if size < SMALL_FRAME:
        return bytes((0x81, 0x80 | size)) + UNMASKED + payload
    return bytes((0x81, 0x80 | SMALL_FRAME)) + size.to_bytes(2) + UNMASKED + payload


def upgrade(port: int, path: str, token: str) -> bytes:
    """The request that opens a line."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


def single_commits(url: str, meeting_id: int, points: list[int], count: int) -> Rate:
    """What a check-in writes, each with its own commit, into a copy of the database."""
    source = Path(url.removeprefix("sqlite:///"))
    with sqlite3.connect(source) as original:
        copy = sqlite3.connect(source.with_suffix(".single"), isolation_level=None)
        original.backup(copy)
    original.close()
    copy.execute("PRAGMA journal_mode=WAL")
    copy.execute("PRAGMA synchronous=FULL")
    copy.execute("PRAGMA foreign_keys=ON")
    person = copy.execute("SELECT min(id) FROM person").fetchone()[0]
    (head,) = copy.execute(
        "SELECT coalesce(max(revision), 0) FROM attendance_head WHERE meeting_id = ?", (meeting_id,)
    ).fetchone()
    copy.execute("INSERT OR IGNORE INTO attendance_head VALUES (?, 0)", (meeting_id,))
    began, cpu = time.perf_counter(), time.process_time()
    now = "2026-01-01 00:00:00.000000"
    for number in range(count):
        point, state = points[number % len(points)], STATES[number // len(points) % len(STATES)]
        revision = head + number + 1
        copy.execute("BEGIN IMMEDIATE")
        copy.execute(
            "INSERT INTO attendance_entry (meeting_id, revision, point_id, state,"
            " head_of_delegation, note, observed_at, recorded_at, recorded_by, source)"
            " VALUES (?, ?, ?, ?, '', '', ?, ?, ?, 'live')",
            (meeting_id, revision, point, state, now, now, person),
        )
        copy.execute(
            "INSERT OR REPLACE INTO point_state (meeting_id, point_id, state, since,"
            " head_of_delegation, note, observed_at, revision)"
            " VALUES (?, ?, ?, ?, '', '', ?, ?)",
            (meeting_id, point, state, now, now, revision),
        )
        copy.execute(
            "UPDATE attendance_head SET revision = ? WHERE meeting_id = ?", (revision, meeting_id)
        )
        copy.execute("COMMIT")
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu
    copy.close()
    return Rate(count, count / spent, cpu / count * 1e6, 0.0)


def shares(items: list[bytes], parts: int) -> list[list[bytes]]:
    """Dealt out like cards."""
    return [list(islice(items, part, None, parts)) for part in range(parts)]


def messages(points: list[int], count: int) -> list[bytes]:
    """Check-ins that each say something new: round after round with another state."""
    return [
        json.dumps(
            {
                "type": "check_in",
                "id": number,
                "point": points[number % len(points)],
                "state": STATES[number // len(points) % len(STATES)],
                "headcount": 5 + number // (len(points) * len(STATES)),
            }
        ).encode()
        for number in range(count)
    ]


@dataclass
class Storm:
    """A running server, and what is done to it."""

    plan: Plan
    server: programs.Program
    meeting_id: int
    points: list[int]
    token: str
    scopes: list[str] = field(default_factory=lambda: ["01-SNV"])

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    async def over_sockets(self) -> Rate:
        loop = asyncio.get_running_loop()
        plan = self.plan
        dealt = shares([text_frame(m) for m in messages(self.points, plan.count)], plan.lines)
        senders = []
        for frames in dealt:
            path = f"/live/meetings/{self.meeting_id}?scope={self.scopes[0]}"
            request = upgrade(self.port, path, self.token)
            opened, done = loop.create_future(), loop.create_future()
            sender = Sender(request, frames, plan.window, opened, done)
            await loop.create_connection(lambda made=sender: made, "127.0.0.1", self.port)  # type: ignore[misc]  # bound now
            await sender.opened
            senders.append(sender)

        async def begin() -> None:
            for sender in senders:
                sender.begin()

        return await self._timed(plan.count, senders, begin)

    async def over_http(self) -> Rate:
        loop = asyncio.get_running_loop()
        plan = self.plan
        requests = []
        for message in messages(self.points, plan.http):
            said = json.loads(message)
            body = json.dumps({"state": said["state"], "headcount": said["headcount"] + 5000})
            requests.append(
                (
                    f"POST /api/v1/meetings/{self.meeting_id}/attendance/{said['point']} HTTP/1.1\r\n"
                    f"Host: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                ).encode()
            )
        callers = [
            Caller(share, loop.create_future())
            for share in shares(requests, min(plan.connections, plan.http))
        ]

        async def begin() -> None:
            for caller in callers:
                await loop.create_connection(lambda made=caller: made, "127.0.0.1", self.port)  # type: ignore[misc]  # bound now

        return await self._timed(plan.http, callers, begin)

    async def _timed(
        self, count: int, clients: Sequence[Sender | Caller], begin: Callable[[], Awaitable[None]]
    ) -> Rate:
        pid = self.server.process.pid
        cpu, own, began = cpu_seconds(pid), time.process_time(), time.perf_counter()
        await begin()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(client.done for client in clients))
        spent = time.perf_counter() - began
        own = time.process_time() - own
        cpu = cpu_seconds(pid) - cpu
        for client in clients:
            assert client.transport is not None
            client.transport.close()
        return Rate(count, count / spent, cpu / count * 1e6, own / count * 1e6)


def measure(plan: Plan, folder: Path, database_url: str = "") -> Figures:
    """Seed, write in the three ways, stop, compare with the log."""
    url = database_url or f"sqlite:///{folder / 'check-ins.db'}"
    meeting_id, points, token = seed(url, plan.points)
    single = None if database_url else single_commits(url, meeting_id, points, plan.single)
    server = programs.start(
        ["serve"], folder, {"database_url": url, "data": str(folder), "log_level": "warning"}
    )
    try:
        server.wait_until_ready()
        storm = Storm(plan, server, meeting_id, points, token)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            socket = runner.run(storm.over_sockets())
            http = runner.run(storm.over_http())
    finally:
        server.stop()
    database = Database(url)
    with database.reader() as session:
        in_log = revision_of(session, meeting_id)
    database.dispose()
    ratio = socket.per_second / single.per_second if single else 0.0
    return Figures(single, socket, http, ratio, in_log)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    plan = Plan()
    for name, value in asdict(plan).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--database-url", default="", help="an empty PostgreSQL database")
    told = vars(parser.parse_args())
    address = told.pop("database_url")
    with tempfile.TemporaryDirectory(prefix="check-ins-", dir=os.environ.get("TMPDIR")) as folder:
        figures = measure(Plan(**told), Path(folder), address)
    print(f"{'':<24} {'count':>8} {'a second':>10} {'server CPU µs':>14} {'client CPU µs':>14}")
    ways = {
        "single commits, sqlite3": figures.single,
        "socket": figures.socket,
        "HTTP": figures.http,
    }
    for name, rate in ways.items():
        if rate is not None:
            print(
                f"{name:<24} {rate.count:>8,} {rate.per_second:>10,.0f}"
                f" {rate.server_cpu_us:>14,.0f} {rate.client_cpu_us:>14,.0f}"
            )
    print(f"socket : single {figures.ratio:.1f}; rows in the log {figures.in_log:,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
