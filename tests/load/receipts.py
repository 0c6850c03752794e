"""Receipts of a message to all: over the lines of the points, and over HTTP, each by its own operator.

    python -m tests.load.receipts --points 5000 --calls 1000

Each point has an operator with a token and an open line. A message goes to all; each line answers it with a
receipt as its page would, but at once. The first message meets lines whose right to speak for their
point has to be looked up, the second finds it known. Then as many operators as are named by `--calls`
send the receipt of a third message over HTTP. Printed are receipts a second, the server's CPU of each with all
that belongs to it, and at the end whether the database holds every receipt that was answered.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import func, select
from websockets.asyncio.client import ClientConnection, connect

from meetings_server.database import Database
from rooms.host_messages import HostMessageReceipt
from tests import programs
from tests.load.herd import Day, prepare
from tests.load.known_visitors import settings_of
from tests.load.lines import Visitor
from tests.load.processes import cpu_seconds

AT_ONCE = 100
"""Handshakes under way."""
CONNECTIONS = 16
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One way; CPU in microseconds of the server."""

    name: str
    count: int
    per_second: float
    cpu: float


async def opened(url: str, visitor: Visitor, gate: asyncio.Semaphore) -> ClientConnection:
    name, _, value = visitor.headers.strip().partition(": ")
    async with gate:
        line = await connect(
            f"{url}{visitor.path}&pass={visitor.granted}",
            additional_headers={name: value},
            compression=None,
            open_timeout=PATIENCE,
            ping_interval=None,
        )
        while json.loads(await line.recv())["type"] != "snapshot":
            pass
    return line


async def receipted(line: ClientConnection, point: int) -> float:
    """Answer the next message; when the server had kept the receipt."""
    while True:
        frame = json.loads(await line.recv())
        if frame["type"] == "notice" and frame["kind"] == "message":
            break
    said = {"type": "receipt", "id": frame["message"], "point": point, "shown": [frame["message"]]}
    await line.send(json.dumps(said))
    while True:
        answer = json.loads(await line.recv())
        if answer["type"] == "receipted":
            assert answer["messages"] == [frame["message"]], answer
            return time.monotonic()
        assert answer["type"] != "error", answer


async def send(client: httpx.AsyncClient, day: Day, text: str) -> int:
    """A message to all; its id."""
    answer = await client.post(
        f"/api/v1/meetings/{day.meeting_id}/messages",
        json={"text": text},
        headers={"Authorization": f"Bearer {day.operator}"},
    )
    assert answer.status_code == httpx.codes.CREATED, answer.text
    message: int = answer.json()["id"]
    return message


async def over_lines(server: programs.Program, day: Day) -> list[Measured]:
    gate = asyncio.Semaphore(AT_ONCE)
    lines = await asyncio.gather(
        *(opened(server.live_url, visitor, gate) for visitor in day.visitors)
    )
    found = []
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
        for name in ("lines, rights looked up", "lines, rights known"):
            waiting = [
                asyncio.create_task(receipted(line, point))
                for line, point in zip(lines, day.points, strict=True)
            ]
            # What opening has left to do is not what is measured.
            await asyncio.sleep(1)
            cpu, began = cpu_seconds(server.process.pid), time.monotonic()
            await send(client, day, name)
            async with asyncio.timeout(PATIENCE):
                last = max(await asyncio.gather(*waiting))
            spent = cpu_seconds(server.process.pid) - cpu
            count = len(lines)
            found.append(Measured(name, count, count / (last - began), 1e6 * spent / count))
    await asyncio.gather(*(line.close() for line in lines))
    return found


async def over_http(server: programs.Program, day: Day, calls: int) -> Measured:
    pairs = list(zip(day.visitors, day.points, strict=True))[:calls]
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE, limits=limits) as client:
        message = await send(client, day, "HTTP")
        path = f"/api/v1/meetings/{day.meeting_id}/messages/{message}/receipts"

        async def give(visitor: Visitor, point: int) -> None:
            name, _, value = visitor.headers.strip().partition(": ")
            answer = await client.post(path, json={"point": point}, headers={name: value})
            assert answer.json() == {"kept": True}, answer.text

        cpu, began = cpu_seconds(server.process.pid), time.monotonic()
        await asyncio.gather(*(give(visitor, point) for visitor, point in pairs))
        took = time.monotonic() - began
        spent = cpu_seconds(server.process.pid) - cpu
    return Measured("HTTP", len(pairs), len(pairs) / took, 1e6 * spent / len(pairs))


def kept(url: str) -> int:
    database = Database(url)
    with database.reader() as session:
        count = session.scalar(select(func.count()).select_from(HostMessageReceipt)) or 0
    database.dispose()
    return count


async def measure(server: programs.Program, day: Day, calls: int) -> list[Measured]:
    return [*await over_lines(server, day), await over_http(server, day, calls)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--calls", type=int, default=1000, help="receipts over HTTP")
    told = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="receipts-") as name:
        folder = Path(name)
        day = prepare(f"sqlite:///{folder / 'receipts.db'}", told.points)
        server = programs.start(["serve"], folder, settings_of(day.url, folder))
        try:
            server.wait_until_ready()
            found = asyncio.run(measure(server, day, told.calls))
        finally:
            server.stop()
        in_database = kept(day.url)
    for one in found:
        print(
            f"{one.name:<24} {one.count:>7,} receipts {one.per_second:>8,.0f}/s {one.cpu:>8,.0f} µs"
        )
    answered = sum(one.count for one in found)
    print(f"answered {answered}, in the database {in_database}")
    return 0 if answered == in_database else 1


if __name__ == "__main__":
    sys.exit(main())
