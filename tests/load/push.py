"""Fan-out side by side: this server, nginx with nchan, and the `websockets` library's `broadcast()`.

    python -m tests.load.push --sockets 10000

The same client in the same run: it opens the sockets, then changes come at 1 a second, at 20 a second,
and 20 at once, and it counts what arrives. Printed are the CPU of the server for each frame delivered
and for each change delivered to each socket (this server gathers changes for a tick, so that it sends
fewer frames than there were changes), the time from a change to its arrival, memory and CPU of a
connection, and what the client itself took for a frame. This server's figures hold everything it
does: the check-in over a socket, its right, the commit, the log read again, roll-ups and heartbeats;
the other two pass on bytes of the same length. Needs Debian's nginx-core and libnginx-mod-nchan.
"""

import argparse
import asyncio
import http.client
import json
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from operator import attrgetter
from pathlib import Path
from typing import Protocol

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.sync.client import ClientConnection, connect

from tests import programs
from tests.load.days import seed
from tests.load.lines import Lines, Visitor
from tests.load.processes import cpu_seconds, resident

NGINX_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
NGINX = """
daemon off; master_process off; worker_rlimit_nofile {files}; pid {folder}/nginx.pid;
error_log {folder}/error.log error;
load_module {module};
events {{ worker_connections {files}; use epoll; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  nchan_shared_memory_size 256m; keepalive_timeout 600s; keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /sub {{ nchan_subscriber websocket; nchan_channel_id day; }}
    location = /pub {{ nchan_publisher; nchan_channel_id day; }}
  }}
}}
"""
STRANGERS = 300
"""Lines that are let in by the database; the others come with a pass."""
FRAME_BYTES = 215
"""A change of one point with the counts above it, as this server sends it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many sockets, and how many changes each way."""

    sockets: int = 2000
    points: int = 632
    slow: int = 10
    """Changes at one a second."""
    quick: int = 60
    """Changes at 20 a second."""
    burst: int = 20
    """Changes at once."""


@dataclass
class Way:
    """One contender, one rhythm. CPU in microseconds, times in milliseconds."""

    frames: int
    cpu_per_frame: float
    cpu_per_change: float
    p50: float
    p99: float
    client_cpu_per_frame: float


@dataclass
class Figures:
    """One contender."""

    name: str
    handshake_cpu: float
    again_cpu: float | None
    """A handshake of one who was here before, with rights and resume."""
    memory_kib: float
    slow: Way
    quick: Way
    burst: Way


class Contender(Protocol):
    """A server that tells all sockets of a change."""

    name: str
    pid: int
    address: tuple[str, int]
    visitor: Visitor
    text_first: bool

    def change(self) -> tuple[int, float]:
        """Let a change happen: the revision that will arrive, and when it had happened."""

    def burst(self, count: int) -> list[tuple[int, float]]:
        """Several at once."""


class Ours:
    """The program, on SQLite; changes are check-ins over a socket."""

    name = "this server"
    text_first = True

    def __init__(
        self, server: programs.Program, meeting_id: int, points: Sequence[int], token: str
    ) -> None:
        self.pid = server.process.pid
        port = int(server.url.rpartition(":")[2])
        self.address = ("127.0.0.1", port)
        path = f"/live/meetings/{meeting_id}"
        header = f"Authorization: Bearer {token}"
        self.visitor = Visitor(f"{path}?scope=", f"{header}\r\n")
        self.operator: ClientConnection = connect(
            f"{server.live_url}{path}",
            additional_headers={"Authorization": f"Bearer {token}"},
            compression=None,
            max_size=None,
            legacy=True,
        )
        states = cycle(("ready", "present", "lost", "needs_help"))
        self.said = ((point, state) for state in states for point in points)
        self.sent = 0

    def change(self) -> tuple[int, float]:
        return self.burst(1)[0]

    def burst(self, count: int) -> list[tuple[int, float]]:
        for _ in range(count):
            self.sent += 1
            point, state = next(self.said)
            said = {"type": "check_in", "id": self.sent, "point": point, "state": state}
            self.operator.send(json.dumps(said))
        committed: list[tuple[int, float]] = []
        while len(committed) < count:
            text = self.operator.recv()
            if '"type":"ack"' in str(text):
                committed.append((json.loads(text)["revision"], time.monotonic()))
        return committed


class _Numbered:
    """Messages of the length of a frame, numbered like revisions."""

    sent = 0

    def message(self) -> bytes:
        self.sent += 1
        return (
            b'{"type":"changes","revision":%d,"points":"' % self.sent + b"x" * FRAME_BYTES + b'"}'
        )


class Nchan(_Numbered):
    """nginx with nchan: changes are published over HTTP."""

    name = "nginx + nchan"
    text_first = False

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.address = ("127.0.0.1", port)
        self.visitor = Visitor("/sub")
        self.http = http.client.HTTPConnection("127.0.0.1", port)

    def change(self) -> tuple[int, float]:
        body = self.message()
        began = time.monotonic()
        self.http.request("POST", "/pub", body)
        self.http.getresponse().read()
        return self.sent, began

    def burst(self, count: int) -> list[tuple[int, float]]:
        return [self.change() for _ in range(count)]


class Broadcast(_Numbered):
    """A bare server of the `websockets` library."""

    name = "websockets broadcast()"
    text_first = False

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.address = ("127.0.0.1", port)
        self.visitor = Visitor("/")
        self.publisher = connect(f"ws://127.0.0.1:{port}/publish", compression=None, legacy=True)

    def change(self) -> tuple[int, float]:
        body = self.message()
        began = time.monotonic()
        self.publisher.send(body.decode())
        return self.sent, began

    def burst(self, count: int) -> list[tuple[int, float]]:
        return [self.change() for _ in range(count)]


def serve_broadcast(port: int) -> None:
    """What `Broadcast` talks to, in a process of its own."""
    watching: set[ServerConnection] = set()

    async def take(connection: ServerConnection) -> None:
        request = connection.request
        if request is not None and request.path == "/publish":
            async for message in connection:
                broadcast(watching, message)
            return
        watching.add(connection)
        try:
            await connection.wait_closed()
        finally:
            watching.discard(connection)

    async def run() -> None:
        server = await serve(
            take, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096
        )
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def ours(folder: Path, points: int) -> Iterator[Ours]:
    url = f"sqlite:///{folder / 'push.db'}"
    meeting_id, ids, token = seed(url, points)
    server = programs.start(
        ["serve"], folder, {"database_url": url, "data": str(folder), "log_level": "warning"}
    )
    try:
        server.wait_until_ready()
        contender = Ours(server, meeting_id, ids, token)
        yield contender
        contender.operator.close()
    finally:
        server.stop()


@contextmanager
def nchan(folder: Path) -> Iterator[Nchan]:
    """One process of nginx, without a master, so that its CPU is that of the work."""
    program = shutil.which("nginx", path=NGINX_PATH)
    if program is None or not NCHAN_MODULE.exists():
        raise FileNotFoundError("apt install nginx-core libnginx-mod-nchan")
    port = programs.free_port()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, files=files, module=NCHAN_MODULE))
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(config)])
    try:
        _wait_until_listening(port, process)
        contender = Nchan(process.pid, port)
        yield contender
        contender.http.close()
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def broadcasting() -> Iterator[Broadcast]:
    port = programs.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.load.push", "--serve-broadcast", str(port)],
        cwd=Path(__file__).parents[2],
    )
    try:
        _wait_until_listening(port, process)
        contender = Broadcast(process.pid, port)
        yield contender
        contender.publisher.close()
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


def measure(contender: Contender, plan: Plan) -> Figures:
    """Connect, let changes happen in three rhythms, count."""
    pid = contender.pid
    with Lines() as lines:
        # The first line reads the meeting; that is not the cost of a connection.
        lines.open(contender.address, [contender.visitor], text_first=contender.text_first)
        memory = resident(pid)
        left = plan.sockets - 1
        strangers = min(STRANGERS, left // 2) if contender.text_first else left
        handshake = _open(contender, lines, contender.visitor, strangers)
        again = None
        if contender.text_first:
            again = _open(contender, lines, _known(contender, lines), left - strangers)
        per_connection = (resident(pid) - memory) / left
        time.sleep(1)
        return Figures(
            contender.name,
            handshake,
            again,
            per_connection / 1024,
            _way(contender, lines, plan, [1] * plan.slow, 1.0),
            _way(contender, lines, plan, [1] * plan.quick, 0.05),
            _way(contender, lines, plan, [plan.burst], 0.0),
        )


def _open(contender: Contender, lines: Lines, visitor: Visitor, count: int) -> float:
    """The server's CPU for each of these handshakes."""
    cpu = cpu_seconds(contender.pid)
    lines.open(contender.address, [visitor] * count, text_first=contender.text_first)
    return (cpu_seconds(contender.pid) - cpu) / count * 1e6


def _known(contender: Contender, lines: Lines) -> Visitor:
    """Somebody who was here before: with a pass, and the last revision they have."""
    revision, granted = lines.ask("passes")[0]
    path = f"{contender.visitor.path}&after={revision}"
    return Visitor(path, contender.visitor.headers, granted.decode())


def _way(
    contender: Contender, lines: Lines, plan: Plan, sizes: Sequence[int], seconds: float
) -> Way:
    lines.report()
    cpu, began = cpu_seconds(contender.pid), time.monotonic()
    happened: list[tuple[int, float]] = []
    for number, size in enumerate(sizes):
        time.sleep(max(0.0, began + number * seconds - time.monotonic()))
        happened += contender.burst(size)
    heard = lines.until(happened[-1][0])
    spent = cpu_seconds(contender.pid) - cpu
    took: list[float] = []
    revisions = sorted(heard.arrivals)
    for revision, when in happened:
        # The frame that brought this change is the first at or past its revision.
        arrivals = heard.arrivals[revisions[bisect_left(revisions, revision)]]
        took.extend(arrived - when for arrived in arrivals)
    took.sort()
    return Way(
        heard.frames,
        spent / heard.frames * 1e6,
        spent / (len(happened) * plan.sockets) * 1e6,
        max(0.0, took[len(took) // 2]) * 1000,
        took[int(len(took) * 0.99)] * 1000,
        heard.cpu / heard.frames * 1e6,
    )


def compare(plan: Plan, folder: Path) -> list[Figures]:
    """The three of them, one after the other."""
    found = []
    with ExitStack() as stack:
        found.append(measure(stack.enter_context(nchan(folder)), plan))
    with ours(folder, plan.points) as contender:
        found.append(measure(contender, plan))
    with broadcasting() as other:
        found.append(measure(other, plan))
    return found


def table(found: Sequence[Figures]) -> str:
    rows = [
        ("CPU of a handshake, µs", "handshake_cpu"),
        ("  with a pass and resume, µs", "again_cpu"),
        ("memory of a connection, KiB", "memory_kib"),
    ]
    ways = (("1/s", "slow"), ("20/s", "quick"), ("burst", "burst"))
    for title, attribute in (
        ("CPU per frame, µs", "cpu_per_frame"),
        ("CPU per change and socket, µs", "cpu_per_change"),
        ("change to arrival p50, ms", "p50"),
        ("change to arrival p99, ms", "p99"),
        ("frames", "frames"),
        ("client's CPU per frame, µs", "client_cpu_per_frame"),
    ):
        for rhythm, way in ways:
            rows.append((f"{title} · {rhythm}", f"{way}.{attribute}"))
    lines = [f"{'':<40}" + "".join(f"{one.name:>24}" for one in found)]
    for title, path in rows:
        values = map(attrgetter(path), found)
        cells = ("–" if value is None else f"{value:,.1f}" for value in values)
        lines.append(f"{title:<40}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


def main() -> int:
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sockets", type=int, default=usual.sockets)
    parser.add_argument("--points", type=int, default=usual.points, help="of the meeting")
    parser.add_argument("--slow", type=int, default=usual.slow, help="changes at one a second")
    parser.add_argument("--quick", type=int, default=usual.quick, help="changes at 20 a second")
    parser.add_argument("--burst", type=int, default=usual.burst, help="changes at once")
    parser.add_argument("--serve-broadcast", type=int, metavar="PORT", help=argparse.SUPPRESS)
    told = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if told.serve_broadcast:
        serve_broadcast(told.serve_broadcast)
        return 0
    plan = Plan(told.sockets, told.points, told.slow, told.quick, told.burst)
    with tempfile.TemporaryDirectory(prefix="push-") as folder:
        print(table(compare(plan, Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
