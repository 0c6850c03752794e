"""Thousands of websockets in a process of their own, which takes less for a frame than any server.

Bare `epoll` and `recv`: frames are counted by their headers, and of their text no more is looked at
than the revision. What a board would do with a frame is not what these programs measure.
`Lines` starts the process and asks it; all times are `time.monotonic()`, which processes share.
"""

import contextlib
import heapq
import multiprocessing
import random
import resource
import select
import socket
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Self, cast

SHORT, LONG = 126, 127
CLOSE = 0x88
RESTARTING, TOO_MANY = 1012, 1013
SPREAD = 10.0
"""Seconds over which clients come back, as `static/js/live.js` has it."""
PORTS_OF_AN_ADDRESS = 20_000
IP_BIND_ADDRESS_NO_PORT = 24
"""`linux/in.h`; `socket` has it from Python 3.12 on."""
READ = 262_144
ABOUT_REVISION, ABOUT_PASS, ABOUT_POINTS = b'"revision":', b'"pass":"', b'"points":[['


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opens a line: path with a query that ends in a parameter, and the headers that let in."""

    path: str
    headers: str = ""
    granted: str = ""
    """A pass from an earlier line."""


@dataclass
class Opened:
    """How lines were opened: how long it took, and what became of attempts that were sent away."""

    lines: int
    seconds: float
    cpu: float
    sent_away: int
    refused: int
    """Connections that the system refused: nobody was listening."""
    errors: list[str]
    """Answers that are neither a line nor a time to come back: what a person would see as an error."""


@dataclass
class Heard:
    """What all lines together heard since the last report."""

    lines: int
    frames: int
    bytes: int
    cpu: float
    lowest: int
    """The revision that every line has reached."""
    arrivals: dict[int, "array[float]"] = field(default_factory=dict)
    """By revision, when a frame with it came to each line."""


@dataclass(slots=True, eq=False)
class _Line:
    visitor: Visitor
    source: str
    sock: socket.socket | None = None
    upgraded: bool = False
    rest: bytes = b""
    revision: int = -1
    granted: bytes = b""
    point: bytes = b""
    """Of a line that watches one point: its last row."""
    attempts: int = 0
    awaiting: bool = True


class _Process:
    """The other process: an epoll loop that also listens to who started it."""

    def __init__(self, asked: Connection) -> None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.asked = asked
        self.poll = select.epoll()
        self.poll.register(asked.fileno(), select.EPOLLIN)
        self.lines: list[_Line] = []
        self.by_fd: dict[int, _Line] = {}
        self.waiting: list[tuple[float, int, _Line]] = []
        self.chance = random.Random(1)  # noqa: S311 -- to come back at different times
        self.address = ("", 0)
        self.text_first = True
        self.returning = False
        self.opening = 0
        self.at_once = 100
        self.heard = Heard(0, 0, 0, 0.0, -1)
        self.cpu = 0.0
        self._forget_opening()

    def _forget_opening(self) -> None:
        self.sent_away = self.refused = 0
        self.errors: list[str] = []

    def run(self) -> None:
        while True:
            self._connect_due()
            pause = 0.2
            if self.waiting:
                pause = min(pause, max(0.0, self.waiting[0][0] - time.monotonic()))
            if self.opening >= self.at_once:
                pause = 0.2
            for fd, _ in self.poll.poll(pause):
                line = self.by_fd.get(fd)
                if line is not None:
                    self._read(line)
                elif fd == self.asked.fileno():
                    name, arguments = self.asked.recv()
                    if name == "end":
                        return
                    self.asked.send(getattr(self, name)(*arguments))

    # What is asked.

    def begin(
        self,
        address: tuple[str, int],
        visitors: Sequence[Visitor],
        at_once: int,
        text_first: bool,
        returning: bool,
    ) -> None:
        """Begin to open lines, so many at once."""
        self.address, self.at_once = address, at_once
        self.text_first, self.returning = text_first, returning
        self._forget_opening()
        self.cpu = time.process_time()
        self.began = time.monotonic()
        for visitor in visitors:
            line = _Line(visitor, f"127.0.0.{1 + len(self.lines) // PORTS_OF_AN_ADDRESS}")
            line.granted = visitor.granted.encode()
            self.lines.append(line)
            self._later(line, 0.0)

    def opened(self) -> Opened:
        """How far opening has come."""
        return Opened(
            sum(not line.awaiting for line in self.lines),
            time.monotonic() - self.began,
            time.process_time() - self.cpu,
            self.sent_away,
            self.refused,
            self.errors[:20],
        )

    def recount(self) -> None:
        """Count from here on how lines are opened: they are about to be cut."""
        self._forget_opening()
        self.cpu, self.began = time.process_time(), time.monotonic()

    def report(self) -> Heard:
        """What was heard since the last time."""
        heard, self.heard = self.heard, Heard(0, 0, 0, 0.0, -1)
        heard.lines = len(self.by_fd)
        heard.lowest = min((line.revision for line in self.lines), default=-1)
        heard.cpu = time.process_time() - self.cpu
        self.cpu = time.process_time()
        return heard

    def held(self) -> list[bytes]:
        """The last row of its point that each line has heard."""
        return [line.point for line in self.lines]

    def passes(self) -> list[tuple[int, bytes]]:
        return [(line.revision, line.granted) for line in self.lines]

    def leave(self) -> None:
        """Close all lines."""
        for line in self.lines:
            self._drop(line)
        self.lines.clear()
        self.waiting.clear()
        self.opening = 0

    # Lines.

    def _later(self, line: _Line, seconds: float) -> None:
        line.awaiting = True
        heapq.heappush(self.waiting, (time.monotonic() + seconds, id(line), line))

    def _connect_due(self) -> None:
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now and self.opening < self.at_once:
            self._connect(heapq.heappop(self.waiting)[2])

    def _connect(self, line: _Line) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A port is chosen when connecting: one that still waits after a line to another server will do.
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((line.source, 0))
        sock.setblocking(False)
        sock.connect_ex(self.address)
        line.sock, line.upgraded, line.rest = sock, False, b""
        self.by_fd[sock.fileno()] = line
        self.opening += 1
        self.poll.register(sock.fileno(), select.EPOLLOUT | select.EPOLLIN)

    def _ask(self, line: _Line, sock: socket.socket) -> None:
        path = line.visitor.path
        if line.revision >= 0 and "?" in path:
            path += f"&after={line.revision}"
        if line.granted:
            path += f"&pass={line.granted.decode()}"
        sock.send(
            (
                f"GET {path} HTTP/1.1\r\nHost: {self.address[0]}:{self.address[1]}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                f"{line.visitor.headers}\r\n"
            ).encode()
        )
        self.poll.modify(sock.fileno(), select.EPOLLIN)
        line.attempts += 1

    def _drop(self, line: _Line) -> None:
        if line.sock is not None:
            self.by_fd.pop(line.sock.fileno(), None)
            line.sock.close()
            line.sock = None
            self.opening -= line.awaiting

    def _lost(self, line: _Line, code: int = 1006, reason: bytes = b"") -> None:
        """A line has ended: come back as a browser does."""
        self._drop(line)
        line.awaiting = True
        if not self.returning:
            self.errors.append(f"closed with {code} {reason.decode()}")
            return
        if code == TOO_MANY:
            self.sent_away += 1
            self._later(line, float(reason) * (1 + self.chance.random() / 5))
        elif code in {RESTARTING, 1006}:
            self._later(line, self.chance.random() * SPREAD)
        else:
            self.errors.append(f"closed with {code} {reason.decode()}")

    def _read(self, line: _Line) -> None:
        sock = cast("socket.socket", line.sock)
        try:
            data = sock.recv(READ)
        except BlockingIOError:
            # Connected: it may be written.
            self._ask(line, sock)
            return
        except ConnectionRefusedError:
            self.refused += 1
            data = b""
        except OSError:
            data = b""
        if not data:
            self._lost(line)
            return
        now = time.monotonic()
        if line.rest:
            data = line.rest + data
        if line.upgraded:
            self._frames(line, data, 0, now)
            return
        end = data.find(b"\r\n\r\n")
        if end < 0:
            line.rest = data
        elif not data.startswith(b"HTTP/1.1 101"):
            self.errors.append(data[:100].decode("latin-1"))
            self._drop(line)
        else:
            line.upgraded = True
            if not self.text_first:
                self._is_open(line)
            self._frames(line, data, end + 4, now)

    def _frames(self, line: _Line, data: bytes, start: int, now: float) -> None:
        size = len(data)
        while size - start >= 2:
            length, head = data[start + 1], start + 2
            if length >= SHORT:
                head = start + (4 if length == SHORT else 10)
                if size < head:
                    break
                length = int.from_bytes(data[start + 2 : head])
            end = head + length
            if size < end:
                break
            if data[start] == CLOSE:
                code = int.from_bytes(data[head : head + 2]) if length else 1005
                self._lost(line, code, data[head + 2 : end])
                return
            self._hear(line, data, head, end, now)
            start = end
        line.rest = data[start:]

    def _hear(self, line: _Line, data: bytes, start: int, end: int, now: float) -> None:
        place = data.find(ABOUT_REVISION, start, start + 60)
        if place < 0:
            place = data.find(ABOUT_PASS, start, end)
            if place >= 0:
                line.granted = data[place + 8 : data.index(b'"', place + 8)]
            return
        place += 11
        stop = place
        while 48 <= data[stop] <= 57:
            stop += 1
        revision = int(data[place:stop])
        line.revision = revision
        if line.awaiting:
            self._is_open(line)
        place = data.find(ABOUT_POINTS, stop, min(end, stop + 1000))
        if place >= 0:
            line.point = data[place + 11 : data.index(b"]", place)]
        heard = self.heard
        heard.frames += 1
        heard.bytes += end - start
        arrivals = heard.arrivals.get(revision)
        if arrivals is None:
            arrivals = heard.arrivals[revision] = array("d")
        arrivals.append(now)

    def _is_open(self, line: _Line) -> None:
        line.awaiting = False
        self.opening -= 1


def _run(asked: Connection) -> None:
    _Process(asked).run()


class Lines:
    """The process, for who started it. Used as a context; ends with it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_run, args=(other,), daemon=True)
        self._process.start()
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        with contextlib.suppress(OSError):
            self._pipe.send(("end", ()))
        self._process.join(10)
        self._process.kill()

    def open(
        self,
        address: tuple[str, int],
        visitors: Sequence[Visitor],
        *,
        at_once: int = 100,
        text_first: bool = True,
        returning: bool = False,
        patience: float = 300.0,
    ) -> Opened:
        """Open a line for each and wait until all are open. Raises `AssertionError` if they are not.

        `text_first`: a line counts as open with its first frame. `returning`: lines come back by
        themselves whenever they are cut.
        """
        before = self.ask("opened").lines if self._begun else 0
        self._begun = True
        self.ask("begin", address, list(visitors), at_once, text_first, returning)
        return self.wait_for(before + len(visitors), patience)

    def wait_for(self, lines: int, patience: float = 300.0) -> Opened:
        """Wait until so many lines are open."""
        deadline = time.monotonic() + patience
        while True:
            opened: Opened = self.ask("opened")
            if opened.lines >= lines:
                return opened
            assert time.monotonic() < deadline, opened
            assert not opened.errors, opened
            time.sleep(0.05)

    def until(self, revision: int, patience: float = 300.0) -> Heard:
        """What was heard until every line has reached a revision."""
        deadline = time.monotonic() + patience
        total = self.report()
        while total.lowest < revision:
            assert time.monotonic() < deadline, (
                f"{total.lines} lines, one of them at {total.lowest}"
            )
            time.sleep(0.05)
            more = self.report()
            more.frames += total.frames
            more.bytes += total.bytes
            more.cpu += total.cpu
            for at, arrivals in total.arrivals.items():
                more.arrivals[at] = arrivals + more.arrivals.get(at, array("d"))
            total = more
        return total

    def report(self) -> Heard:
        heard: Heard = self.ask("report")
        return heard

    def ask(self, name: str, *arguments: Any) -> Any:
        """What the other process answers; raises `EOFError` where it has ended."""
        self._pipe.send((name, arguments))
        return self._pipe.recv()
