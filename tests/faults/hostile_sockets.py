"""Sockets that mean harm, against the real server, while others work.

    python -m tests.faults.hostile_sockets --each 20

Garbage, endless frames, wrong UTF-8, frames without a mask, pings by the thousand, another's point,
unknown points, check-ins as fast as they go, logins that are none, requests that never become whole:
each must end with its closing code, and the log names it once for each line. Meanwhile an operator
checks in point after point, and a watcher must hold every revision of it.
"""

import argparse
import json
import os
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from pathlib import Path

from websockets.sync.client import connect

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.tokens import create_token
from meetings_server.migrations import migrate
from meetings_server.slow_requests import HEAD_SECONDS
from rooms.kernel import utcnow
from tests import programs
from tests.factories import City, make_city, scheduled_meeting
from tests.live_lines import LiveLine

PATIENCE = 120.0
TEXT, BINARY, CLOSE, PING = 0x1, 0x2, 0x8, 0x9
STATES = ("ready", "present", "lost", "needs_help")
REFUSED, BROKEN = "a line sent", "a line broke the protocol"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is, and who comes."""

    host: str
    port: int
    meeting_id: int
    stranger: str
    """The token of an operator who uses it for harm."""
    operator: str
    points: Sequence[int]
    """Those that the operator checks in."""
    own_point: int
    """Of the stranger."""

    @property
    def path(self) -> str:
        return f"/live/meetings/{self.meeting_id}"

    @property
    def url(self) -> str:
        return f"ws://{self.host}:{self.port}{self.path}"


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True) -> bytes:
    """A frame as a client sends it, whatever is in it."""
    first = bytes([opcode | (0x80 if final else 0)])
    mask = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = bytes([mask | size])
    elif size < 1 << 16:
        head = bytes([mask | 126]) + struct.pack("!H", size)
    else:
        head = bytes([mask | 127]) + struct.pack("!Q", size)
    return first + head + (bytes(4) if masked else b"") + payload


def check_in(point: int, number: int, state: str = "present") -> bytes:
    said = {"type": "check_in", "id": number, "point": point, "state": state}
    return frame(TEXT, json.dumps(said).encode())


class Raw:
    """A socket without any library's manners."""

    def __init__(self, place: Place, token: str | None = None) -> None:
        self.sock = socket.create_connection((place.host, place.port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.answers: Counter[str] = Counter()
        self.code: int | None = None
        if token is not None:
            self.sock.sendall(
                f"GET {place.path} HTTP/1.1\r\nHost: {place.host}:{place.port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                f"Authorization: Bearer {token}\r\n\r\n".encode()
            )
            while b"\r\n\r\n" not in self.buffer:
                self._receive()
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101"), head

    def _receive(self) -> bool:
        try:
            data = self.sock.recv(1 << 16)
        except OSError:
            data = b""
        self.buffer += data
        return bool(data)

    def send(self, data: bytes) -> None:
        """Everything, unless the server has had enough."""
        try:
            self.sock.sendall(data)
        except OSError:
            return

    def until_closed(self) -> int | None:
        """The closing code, once the server has said it; None where it only hung up."""
        self._frames()
        while self.code is None:
            if not self._receive():
                break
            self._frames()
        self.sock.close()
        return self.code

    def until_hung_up(self) -> bytes:
        """All that the server says before it hangs up."""
        while self._receive():
            pass
        self.sock.close()
        return self.buffer

    def _frames(self) -> None:
        while len(self.buffer) >= 2:
            size, start = self.buffer[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(self.buffer[2:start])
            if len(self.buffer) < start + size:
                return
            payload = self.buffer[start : start + size]
            if self.buffer[0] & 0x0F == CLOSE:
                self.code = int.from_bytes(payload[:2])
                return
            if self.buffer[0] & 0x0F == TEXT:
                said = json.loads(payload)
                self.answers[said.get("code", said["type"])] += 1
            self.buffer = self.buffer[start + size :]


def _another(place: Place) -> bytes:
    return b"".join(check_in(place.points[n % len(place.points)], n) for n in range(1_000))


ASSAULTS: dict[str, tuple[int, Callable[[Place], bytes]]] = {
    "garbage": (1008, lambda _: frame(TEXT, os.urandom(12).hex().encode()) * 1_000),
    "binary": (1008, lambda _: frame(BINARY, os.urandom(100)) * 1_000),
    "wrong UTF-8": (1007, lambda _: frame(TEXT, b"\xc3\x28\xff")),
    "10 MB": (1009, lambda _: frame(TEXT, b"x" * 10_000_000)),
    "endless fragments": (
        1009,
        lambda _: frame(TEXT, b"x", final=False) + frame(0, b"x", final=False) * 5_000,
    ),
    "without a mask": (1002, lambda _: frame(TEXT, b"{}", masked=False)),
    "unknown opcode": (1002, lambda _: frame(0x5, b"")),
    "pings": (1008, lambda _: frame(PING, b"?") * 1_000),
    "another's point": (1008, _another),
    "unknown points": (1008, lambda _: b"".join(check_in(10**6 + n, n) for n in range(1_000))),
    "a flood": (1008, lambda place: b"".join(check_in(place.own_point, n) for n in range(2_500))),
}
"""What is sent after the handshake, and the code with which it must end."""


@dataclass
class Outcome:
    """What became of it all."""

    codes: dict[str, Counter[int | None]] = field(default_factory=dict)
    slow: list[bytes] = field(default_factory=list)
    """What requests that never became whole were told."""
    logins: Counter[int | None] = field(default_factory=Counter)
    checked_in: int = 0
    held: int = -1
    """The revision that the watcher holds."""
    last: int = 0

    def faults(self) -> list[str]:
        """What is not as it must be."""
        found = [
            f"{name}: {dict(codes)}"
            for name, codes in self.codes.items()
            if set(codes) != {ASSAULTS[name][0]}
        ]
        if set(self.logins) != {4401}:
            found.append(f"logins that are none: {dict(self.logins)}")
        found += [f"a half request: {told!r}" for told in self.slow if b" 408 " not in told]
        if self.held < self.last:
            found.append(f"the watcher holds {self.held} of {self.last}")
        return found


def assault(place: Place, each: int) -> Outcome:
    """Each assault so many times, while an operator and a watcher work."""
    outcome = Outcome()
    over = threading.Event()
    header = {"Authorization": f"Bearer {place.operator}"}
    # From the beginning: a byte, half a request, and nothing at all.
    halves = [Raw(place) for _ in range(3)]
    halves[0].send(b"G")
    halves[1].send(f"GET {place.path} HTTP/1.1\r\nUpgrade: websock".encode())

    def operate() -> None:
        with connect(place.url, additional_headers=header, compression=None) as connection:
            line = LiveLine(connection)
            said = ((state, point) for state in cycle(STATES) for point in place.points)
            for number, (state, point) in enumerate(said):
                outcome.last = line.ask(id=number, point=point, state=state)["revision"]
                outcome.checked_in += 1
                if over.is_set():
                    return

    # The watcher reads on during an assault, as a page does; a queue with an end would stop it.
    with connect(
        place.url, additional_headers=header, compression=None, max_size=None, max_queue=None
    ) as watch:
        watcher = LiveLine(watch)
        operating = threading.Thread(target=operate)
        operating.start()
        try:
            for name, (_, made) in ASSAULTS.items():
                outcome.codes[name] = _all_at_once(place, made(place), each)
                # Whoever watches has what was acknowledged until now.
                watcher.until(outcome.last)
            for _ in range(each):
                outcome.logins[Raw(place, "mt_none").until_closed()] += 1
            outcome.slow = [half.until_hung_up() for half in halves]
        finally:
            over.set()
            operating.join()
        outcome.held = watcher.until(outcome.last).revision
    return outcome


def _all_at_once(place: Place, message: bytes, each: int) -> Counter[int | None]:
    lines = [Raw(place, place.stranger) for _ in range(each)]
    senders = [threading.Thread(target=line.send, args=(message,)) for line in lines]
    for sender in senders:
        sender.start()
    codes = Counter(line.until_closed() for line in lines)
    for sender in senders:
        sender.join()
    return codes


def prepare(database: Database, host: str, port: int) -> tuple[Place, City]:
    """A small city with a meeting, an operator of the city, and one of a ward who means harm."""
    now = utcnow()
    with database.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=10))
        stranger, operator = (
            create_token(session, city.actors[name].person_id, "assault", now)
            for name in ("truc.vanmieu", "kythuat")
        )
    own = city.points["00181"]
    points = [point for point in city.points.values() if point != own]
    return Place(host, port, meeting.id, stranger, operator, points, own), city


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--each", type=int, default=20, help="lines for each assault")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'hostile.db'}"
        migrate(url)
        server = programs.start(
            ["serve"], folder, {"database_url": url, "data": str(folder), "log_level": "warning"}
        )
        try:
            server.wait_until_ready()
            database = Database(url, [apply_effects])
            port = int(server.url.rpartition(":")[2])
            place, _ = prepare(database, "127.0.0.1", port)
            database.dispose()
            began = time.monotonic()
            outcome = assault(place, told.each)
            took = time.monotonic() - began
        finally:
            server.stop()
        log = server.log()
    for assaulted, codes in outcome.codes.items():
        print(f"{assaulted:<20} {dict(codes)}")
    print(f"logins that are none {dict(outcome.logins)}")
    print(
        f"half requests        {[told[:20] for told in outcome.slow]} within {HEAD_SECONDS:.0f} s"
    )
    print(f"named in the log     {log.count(REFUSED) + log.count(BROKEN)} times")
    print(
        f"checked in meanwhile {outcome.checked_in} in {took:.0f} s, last revision {outcome.last}"
    )
    print(f"the watcher holds    {outcome.held}")
    faults = outcome.faults()
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
