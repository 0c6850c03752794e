"""Load on the live path: many sockets watch one meeting while points check in.

    python -m tests.load.live_storm --points 632 --sockets 1000 --rate 20 --seconds 10

Starts the program on SQLite in a temporary folder, opens the sockets, checks points in over one
more socket, and prints figures: CPU and memory of a connection, acknowledgement, commit to arrival,
CPU for each frame delivered. `--rate 0` lets all points check in at once. Server and client share
the machine's cores, so the absolute figures are too high by what the client takes.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import cycle
from pathlib import Path

from websockets.asyncio.client import connect

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.tokens import create_token
from meetings_server.migrations import migrate
from rooms.kernel import utcnow
from tests import programs
from tests.factories import SMALL_CITY, make_city, scheduled_meeting

CONNECTING = 100
"""Sockets being opened at the same time."""
PORTS_OF_AN_ADDRESS = 20_000
WARDS_OF_A_DISTRICT = 20
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SMALL_FRAME, LONG_FRAME = 126, 127
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Storm:
    """What to do: `rate` in check-ins a second, 0 for all at once."""

    points: int = 632
    sockets: int = 1000
    rate: float = 20.0
    seconds: float = 10.0


@dataclass
class Figures:
    """What was measured. Times in milliseconds, CPU in microseconds."""

    sockets: int
    check_ins: int
    frames: int
    handshake_cpu_us: float
    memory_per_connection_kib: float
    ack_p50_ms: float
    ack_p99_ms: float
    arrival_p50_ms: float
    arrival_p99_ms: float
    last_screen_ms: float
    """From the first check-in sent until every screen had the last one."""
    cpu_per_frame_us: float
    cpu_per_change_us: float
    """For each change on each screen: frames gather changes."""


@dataclass
class Watcher(asyncio.Protocol):
    """A screen: opens a line and notes when which revision arrives. As cheap as Python allows."""

    request: bytes
    opened: "asyncio.Future[None]"
    arrivals: list[tuple[int, float]] = field(default_factory=list)
    revision: int = -1
    buffer: bytes = b""
    upgraded: bool = False
    waiting: "tuple[int, asyncio.Future[None]] | None" = None
    transport: asyncio.Transport | None = None

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    async def until(self, revision: int) -> None:
        """Return once this revision has arrived."""
        if self.revision < revision:
            reached = asyncio.get_running_loop().create_future()
            self.waiting = revision, reached
            await reached

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self.buffer += data
        if not self.upgraded:
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self.opened.set_exception(ConnectionError(head[:200].decode()))
                return
            self.upgraded, self.buffer = True, rest
        for payload in self._frames():
            place = payload.find(b'"revision":')
            revision = int(payload[place + 11 :].split(b",", 1)[0].rstrip(b"}"))
            if payload.startswith(b'{"type":"changes"'):
                self.arrivals.append((revision, now))
            self.revision = revision
            if self.waiting and self.waiting[0] <= revision:
                self.waiting[1].set_result(None)
                self.waiting = None
            if not self.opened.done():
                self.opened.set_result(None)

    def _frames(self) -> Iterator[bytes]:
        while len(self.buffer) >= 2:
            size, start = self.buffer[1], 2
            if size == SMALL_FRAME:
                size, start = int.from_bytes(self.buffer[2:4]), 4
            elif size == LONG_FRAME:
                size, start = int.from_bytes(self.buffer[2:10]), 10
            if len(self.buffer) < start + size:
                return
            yield self.buffer[start : start + size]
            self.buffer = self.buffer[start + size :]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("the server hung up"))


def seed(url: str, points: int) -> tuple[int, list[int], str]:
    """A city with so many points and a meeting of all of them: its id, points, and a token."""
    rows = list(SMALL_CITY)
    district = ""
    while len(rows) < points:
        number = len(rows)
        if number % (WARDS_OF_A_DISTRICT + 1) == 0 or not district:
            district = f"D{number}"
            rows.append((district, "01", "district", "Quận", f"Quận {number}"))
        else:
            rows.append((f"W{number}", district, "ward", "Phường", f"Phường {number}"))
    migrate(url)
    database = Database(url, [apply_effects])
    now = utcnow()
    with database.transaction() as session:
        city = make_city(session, now, rows)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=30))
        token = create_token(session, city.actors["kythuat"].person_id, "storm", now)
    database.dispose()
    return meeting.id, list(city.points.values()), token


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


async def open_watchers(port: int, path: str, token: str, count: int) -> list[Watcher]:
    """All the screens, a hundred at a time, each with its first frame."""
    loop = asyncio.get_running_loop()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()
    gate = asyncio.Semaphore(CONNECTING)

    async def one(number: int) -> Watcher:
        watcher = Watcher(request, loop.create_future())
        source = f"127.0.0.{1 + number // PORTS_OF_AN_ADDRESS}"
        async with gate:
            await loop.create_connection(lambda: watcher, "127.0.0.1", port, local_addr=(source, 0))
            await watcher.opened
        return watcher

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def storm(
    plan: Storm, server: programs.Program, meeting_id: int, points: list[int], token: str
) -> Figures:
    """Open, storm, wait for the last screen, count."""
    port = int(server.url.rpartition(":")[2])
    pid = server.process.pid
    path = f"/live/meetings/{meeting_id}"
    warm = await open_watchers(port, path, token, 1)
    cpu, memory = cpu_seconds(pid), resident(pid)
    watchers = warm + await open_watchers(port, path, token, plan.sockets - 1)
    opened = max(1, plan.sockets - 1)
    handshake = (cpu_seconds(pid) - cpu) / opened
    per_connection = (resident(pid) - memory) / opened

    sent: dict[int, float] = {}
    acked: dict[int, tuple[int, float]] = {}
    count = len(points) if plan.rate == 0 else int(plan.rate * plan.seconds)
    async with connect(
        f"{server.live_url}{path}",
        additional_headers={"Authorization": f"Bearer {token}"},
        compression=None,
        max_size=None,
        max_queue=None,
    ) as operator:
        await operator.recv()

        async def read_answers() -> None:
            while len(acked) < count:
                answer = json.loads(await operator.recv())
                if answer["type"] == "ack":
                    acked[answer["id"]] = (answer["revision"], time.perf_counter())
                elif answer["type"] == "error":
                    raise AssertionError(answer)

        reading = asyncio.create_task(read_answers())
        cpu = cpu_seconds(pid)
        began = time.perf_counter()
        states = cycle(("ready", "present", "lost", "needs_help"))
        state = next(states)
        for number in range(count):
            if number and number % len(points) == 0:
                state = next(states)
            if plan.rate:
                await asyncio.sleep(began + number / plan.rate - time.perf_counter())
            sent[number] = time.perf_counter()
            point = points[number % len(points)]
            await operator.send(
                json.dumps({"type": "check_in", "id": number, "point": point, "state": state})
            )
        async with asyncio.timeout(PATIENCE):
            await reading
            last = max(revision for revision, _ in acked.values())
            for watcher in watchers:
                await watcher.until(last)
    for watcher in watchers:
        watcher.close()
    finished = max(watcher.arrivals[-1][1] for watcher in watchers)
    spent = cpu_seconds(pid) - cpu
    frames = sum(len(watcher.arrivals) for watcher in watchers)
    committed = dict(acked.values())
    arrivals = sorted(
        max(0.0, when - committed[revision])
        for watcher in watchers
        for revision, when in watcher.arrivals
        if revision in committed
    )
    acks = sorted(acked[number][1] - when for number, when in sent.items())
    return Figures(
        sockets=len(watchers),
        check_ins=count,
        frames=frames,
        handshake_cpu_us=handshake * 1e6,
        memory_per_connection_kib=per_connection / 1024,
        ack_p50_ms=quantile(acks, 0.5),
        ack_p99_ms=quantile(acks, 0.99),
        arrival_p50_ms=quantile(arrivals, 0.5),
        arrival_p99_ms=quantile(arrivals, 0.99),
        last_screen_ms=(finished - began) * 1000,
        cpu_per_frame_us=spent / frames * 1e6,
        cpu_per_change_us=spent / (count * len(watchers)) * 1e6,
    )


def quantile(ordered: list[float], share: float) -> float:
    """Milliseconds."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def measure(plan: Storm, folder: Path) -> Figures:
    """Start a server in a folder, storm it, stop it."""
    url = f"sqlite:///{folder / 'storm.db'}"
    meeting_id, points, token = seed(url, plan.points)
    server = programs.start(
        ["serve"], folder, {"database_url": url, "data": str(folder), "log_level": "warning"}
    )
    try:
        server.wait_until_ready()
        return asyncio.run(storm(plan, server, meeting_id, points, token))
    finally:
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=632, help="units, a bridge point each")
    parser.add_argument("--sockets", type=int, default=1000, help="screens of the whole meeting")
    parser.add_argument("--rate", type=float, default=20, help="check-ins a second; 0: all at once")
    parser.add_argument("--seconds", type=float, default=10)
    told = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="live-storm-") as folder:
        figures = measure(Storm(told.points, told.sockets, told.rate, told.seconds), Path(folder))
    for name, value in asdict(figures).items():
        print(f"{name:<28} {value:,.1f}" if isinstance(value, float) else f"{name:<28} {value:,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
