"""A full house: every point checks in within a minute while all watch, or hundreds at the same moment.

    python -m tests.load.full_house --points 31097 --sockets 19000
    python -m tests.load.full_house --points 31097 --sockets 31097 --processes 2
    python -m tests.load.full_house --points 700 --sockets 0 --boards 700 --at-once

One line for each point, as many as `--sockets`, watches its own unit, as the operator's page does;
`--boards` watch the whole meeting. They are held by processes of their own (`lines`). The check-ins
come over further lines at an even pace, all within `--seconds`, or together. Told are refusals, how
long an acknowledgement took, how long after the last one every board had all of it, and how long a
check-in took from being sent to being on every board, commit included. This machine gives a process
20,000 files, so that is about what one server can hold here; `--processes` share the lines, the boards
and those who check in, on one PostgreSQL that keeps its files in memory where it can.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import resource
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import uvloop
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from meetings_server.live.client import FEW
from rooms.hierarchy import Unit
from rooms.kernel import civil_day, utcnow
from rooms.people import Role
from tests import programs
from tests.factories import City, make_person
from tests.load.check_ins import text_frame, upgrade
from tests.load.days import seed
from tests.load.known_visitors import known_visitor, settings_of
from tests.load.lines import Lines, Visitor
from tests.load.processes import cpu_seconds, resident
from tests.postgres import Postgres

OPERATORS = 4
"""Lines that check in, of somebody who governs all: each looks up tens of thousands of rights a minute."""
PATIENCE = 300.0
_ACK = re.compile(rb'"type":"ack","id":(\d+),"revision":(\d+)\}')


@dataclass(frozen=True, slots=True)
class Plan:
    """How many, and within how many seconds; 0 is all at once."""

    points: int = 31_097
    sockets: int = 19_000
    boards: int = 20
    seconds: float = 60.0
    processes: int = 1
    """One keeps its log in SQLite, several share a PostgreSQL."""


@dataclass
class Figures:
    """Times in milliseconds, CPU in microseconds."""

    lines: int
    handshake_cpu_us: float
    memory_per_line_kib: float
    check_ins: int
    refused: int
    took_seconds: float
    ack_p50_ms: float
    ack_p99_ms: float
    to_boards_p50_ms: float
    to_boards_p99_ms: float
    boards_complete_after_ms: float
    """After the last acknowledgement."""
    frames: int
    server_cpu_us: float
    """For each check-in, with all the frames that it caused; without what PostgreSQL took."""


@dataclass
class Operator(asyncio.Protocol):
    """A line that sends and notes when what was acknowledged."""

    request: bytes
    opened: "asyncio.Future[None]"
    acked: dict[int, tuple[int, float]] = field(default_factory=dict)
    refused: list[bytes] = field(default_factory=list)
    rest: bytes = b""
    transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.request)

    def send(self, frame: bytes) -> None:
        assert self.transport is not None
        self.transport.write(frame)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        seen = self.rest + data
        if not self.opened.done():
            if b'"type":"snapshot"' in seen:
                self.opened.set_result(None)
            elif not seen.startswith(b"HTTP/1.1 101"[: len(seen)]):
                self.opened.set_exception(ConnectionError(seen[:200].decode()))
        end = 0
        for found in _ACK.finditer(seen):
            self.acked[int(found[1])] = int(found[2]), now
            end = found.end()
        if b'"type":"error"' in seen:
            self.refused.append(seen[seen.index(b'"type":"error"') :][:200])
        self.rest = seen[max(end, len(seen) - 100) :]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("the server hung up"))


def _frame(number: int, point: int, state: str) -> bytes:
    said = {"type": "check_in", "id": number, "point": point, "state": state, "headcount": 7}
    return text_frame(json.dumps(said).encode())


@dataclass
class Servers:
    """One process or several, and what each of them has open."""

    programs: list[programs.Program]
    rooms: list[Lines]
    boards: list[Lines]

    @property
    def ports(self) -> list[int]:
        return [int(program.url.rpartition(":")[2]) for program in self.programs]

    def cpu(self) -> float:
        return sum(cpu_seconds(program.process.pid) for program in self.programs)

    def resident(self) -> int:
        return sum(resident(program.process.pid) for program in self.programs)

    def open(self, lines: list[Lines], visitors: Sequence[Visitor]) -> None:
        """Shares them out evenly."""
        for number, (port, held) in enumerate(zip(self.ports, lines, strict=True)):
            held.open(("127.0.0.1", port), visitors[number :: len(lines)])


@contextlib.contextmanager
def serving(plan: Plan, folder: Path, url: str) -> Iterator[Servers]:
    """The servers, ready, and processes that will hold lines to each."""
    with contextlib.ExitStack() as stack:
        servers = Servers([], [], [])
        for _ in range(plan.processes):
            program = programs.start(["serve"], folder, settings_of(url, folder))
            stack.callback(program.stop)
            program.wait_until_ready()
            servers.programs.append(program)
            servers.rooms.append(stack.enter_context(Lines()))
            servers.boards.append(stack.enter_context(Lines()))
        yield servers


@contextlib.contextmanager
def database_for(plan: Plan, folder: Path) -> Iterator[str]:
    """The address of a new database."""
    if plan.processes == 1:
        yield f"sqlite:///{folder / 'house.db'}"
        return
    with Postgres(fsync="on", synchronous_commit="on", full_page_writes="on") as postgres:
        postgres.create("house")
        yield postgres.url("house")


async def check_all_in(
    plan: Plan, ports: Sequence[int], path: str, scope: str, token: str, points: Sequence[int]
) -> tuple[dict[int, float], dict[int, tuple[int, float]], int]:
    """When each was sent, its revision and when it was acknowledged, and how many were refused."""
    loop = asyncio.get_running_loop()
    operators = []
    for number in range(min(OPERATORS, len(points))):
        port = ports[number % len(ports)]
        request = upgrade(port, f"{path}?scope={scope}", token)
        operator = Operator(request, loop.create_future())
        await loop.create_connection(lambda made=operator: made, "127.0.0.1", port)  # type: ignore[misc]  # bound now
        await operator.opened
        operators.append(operator)
        # All that somebody who governs a nation may check in is looked up with their third point: that is
        # their cost, and no operator's.
        for first, point in enumerate(points[: FEW + 1]):
            operator.send(_frame(first, point, "ready"))
            while first not in operator.acked and not operator.refused:  # noqa: ASYNC110 -- as below
                await asyncio.sleep(0.01)
        operator.acked.clear()
    said = [_frame(number, point, "present") for number, point in enumerate(points)]
    sent: dict[int, float] = {}
    began = time.monotonic()
    for number, frame in enumerate(said):
        ahead = began + number * plan.seconds / len(said) - time.monotonic()
        if ahead > 0:
            await asyncio.sleep(ahead)
        sent[number] = time.monotonic()
        operators[number % len(operators)].send(frame)
    deadline = time.monotonic() + PATIENCE
    while sum(len(o.acked) + len(o.refused) for o in operators) < len(said):
        assert time.monotonic() < deadline, "not everything was answered"
        await asyncio.sleep(0.01)
    acked = {number: told for operator in operators for number, told in operator.acked.items()}
    for operator in operators:
        assert operator.transport is not None
        operator.transport.close()
    return sent, acked, sum(len(operator.refused) for operator in operators)


def measure(plan: Plan, folder: Path) -> Figures:
    """Seed, start, open all lines, let all check in, wait for the last board. Raises `AssertionError`."""
    with database_for(plan, folder) as url:
        meeting_id, points, token = seed(url, plan.points)
        scope, watched = _operators(url, meeting_id, plan.sockets)
        path = f"/live/meetings/{meeting_id}"
        board = Visitor(f"{path}?scope=", f"Authorization: Bearer {token}\r\n")
        boards = [board] * max(plan.processes, plan.boards)
        with serving(plan, folder, url) as servers:
            servers.open(servers.boards, boards)
            cpu, memory = servers.cpu(), servers.resident()
            servers.open(servers.rooms, watched)
            opened = max(1, len(watched))
            handshake = (servers.cpu() - cpu) / opened
            per_line = (servers.resident() - memory) / opened
            cpu = servers.cpu()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                sent, acked, refused = runner.run(
                    check_all_in(plan, servers.ports, path, scope, token, points)
                )
            last = max(revision for revision, _ in acked.values())
            heard = [boards.until(last) for boards in servers.boards]
            spent = servers.cpu() - cpu
            seen = sum(lines.report().frames for lines in servers.rooms)
    waited = sorted(when - sent[number] for number, (_, when) in acked.items())
    final = max(when for _, when in acked.values())
    told = [_told(of_one.arrivals, sent, acked, last) for of_one in heard]
    arrived = sorted(seconds for times, _ in told for seconds in times)
    complete = max(at for _, at in told)
    return Figures(
        lines=len(watched) + len(boards),
        handshake_cpu_us=handshake * 1e6,
        memory_per_line_kib=per_line / 1024,
        check_ins=len(acked),
        refused=refused,
        took_seconds=final - min(sent.values()),
        ack_p50_ms=quantile(waited, 0.5),
        ack_p99_ms=quantile(waited, 0.99),
        to_boards_p50_ms=quantile(arrived, 0.5),
        to_boards_p99_ms=quantile(arrived, 0.99),
        boards_complete_after_ms=max(0.0, complete - final) * 1000,
        frames=seen + sum(of_one.frames for of_one in heard),
        server_cpu_us=spent / len(sent) * 1e6,
    )


def _told(
    arrivals: Mapping[int, Sequence[float]],
    sent: dict[int, float],
    acked: dict[int, tuple[int, float]],
    last: int,
) -> tuple[list[float], float]:
    """How long each check-in took to the boards of one server, and when they had the last one."""
    frames = sorted(arrivals)
    times = [
        when - sent[number]
        for number, (revision, _) in acked.items()
        for when in arrivals[frames[bisect_left(frames, revision)]]
    ]
    return times, max(max(arrivals[revision]) for revision in frames if revision >= last)


def quantile(ordered: list[float], share: float) -> float:
    """Milliseconds."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def _operators(url: str, meeting_id: int, count: int) -> tuple[str, list[Visitor]]:
    """Somebody for each of so many units who may check its point in, and was here before.

    Before them the code of one such unit. Each has a right at one unit, as operators do: whoever governs
    a nation costs more to let in.
    """
    database = Database(url)
    now = utcnow()
    visitors = []
    with database.reader() as session:
        units = session.execute(
            select(Unit.id, Unit.code).order_by(Unit.level != "ward", Unit.position)
        ).all()
    # Made without their entries in the record of changes.
    with Session(database.engine) as session, session.begin():
        for number, (unit_id, code) in enumerate(units[:count]):
            city = City({code: unit_id}, {})
            actor = make_person(
                session, city, f"operator{number}", "Trực", "", code, Role.OPERATOR, now
            )
            token = create_token(session, actor.person_id, "load", now)
            visitors.append(
                known_visitor(meeting_id, token, actor.person_id, (unit_id, code), civil_day(now))
            )
    database.dispose()
    return units[0].code, visitors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    plan = Plan()
    parser.add_argument("--points", type=int, default=plan.points)
    parser.add_argument("--sockets", type=int, default=plan.sockets, help="lines of single units")
    parser.add_argument(
        "--boards", type=int, default=plan.boards, help="lines of the whole meeting"
    )
    parser.add_argument("--seconds", type=float, default=plan.seconds)
    parser.add_argument("--at-once", action="store_true")
    parser.add_argument("--processes", type=int, default=plan.processes)
    told = parser.parse_args()
    seconds = 0.0 if told.at_once else told.seconds
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="full-house-", dir=os.environ.get("TMPDIR")) as folder:
        plan = Plan(told.points, told.sockets, told.boards, seconds, told.processes)
        figures = measure(plan, Path(folder))
    for name, value in asdict(figures).items():
        print(f"{name:<28} {value:,.1f}" if isinstance(value, float) else f"{name:<28} {value:,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
