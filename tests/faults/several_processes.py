"""Three processes on one PostgreSQL behind nginx, while one is killed and the database crashes.

    python -m tests.faults.several_processes --points 632 --watchers 60
    python -m tests.faults.several_processes --points 31097 --once

Points check in over HTTP and over the socket, all through nginx, and send again until acknowledged,
as the operator's page does; screens watch through nginx and come back by themselves. After a third
of the check-ins one process gets kill -9 and is started again, after two thirds PostgreSQL is ended
without its closing work and started again (`--faults kill`, `--faults database`, `--faults` for one
or none of them). At the end every acknowledged check-in must be
in the log, none twice, and every screen must hold what `GET …/attendance` answers.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from meetings_server.database import Database
from rooms.attendance import log_after
from rooms.kernel import utcnow
from tests import programs
from tests.debian import required
from tests.live_lines import Holding, of_answer
from tests.load.days import seed
from tests.postgres import Postgres

PROCESSES = 3
ROUNDS = ("ready", "present", "lost", "present")
"""What each point says, one after the other."""
OPERATORS = 24
"""Who each check a share of the points in, one check-in at a time."""
ANSWER_SECONDS = 30.0
END_SECONDS = 1800.0
LOG_SHOWN = 6_000
"""Characters of each log that a failure shows."""
SEED = 20260207
"""Of the pauses before trying again."""

PASSING = {"database_unavailable", "server_stopping", "storage_full", "storage_refused"}
"""Codes of what is no fault of the check-in: it is sent again."""

Fault = Literal["kill", "database", "clock", "disk"]
FAULTS: tuple[Fault, ...] = ("kill", "database")

# The same as the README's, with several processes and everything in one folder.
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors.log warn;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
    upstream meetings {{
        least_conn;
        {servers}
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://meetings;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 120s;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large, and what goes wrong."""

    faults: tuple[Fault, ...] = FAULTS
    points: int = 632
    watchers: int = 60
    rounds: tuple[str, ...] = ROUNDS


@dataclass
class Said:
    """One check-in and the revision that acknowledged it."""

    point: int
    state: str
    observed_at: datetime
    revision: int


@dataclass
class Day:
    """What the clients share: where to send, and what has come back."""

    url: str
    meeting_id: int
    token: str
    acknowledged: list[Said] = field(default_factory=list)
    tries_again: int = 0
    reconnects: int = 0
    last_revision: int | None = None
    """Known once everything is acknowledged: the watchers read on until they hold it."""
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def line(self) -> str:
        return f"{self.url.replace('http://', 'ws://')}/live/meetings/{self.meeting_id}"

    async def pause(self) -> None:
        await asyncio.sleep(self.chance.uniform(0.05, 0.5))


@contextmanager
def nginx(folder: Path, servers: list[programs.Program]) -> Iterator[str]:
    """Nginx before these servers; gives its address."""
    port = programs.free_port()
    config = folder / "nginx.conf"
    listed = "".join(f"server {server.url[7:]} max_fails=1 fail_timeout=1s; " for server in servers)
    config.write_text(NGINX.format(folder=folder, servers=listed, port=port))
    program = required("nginx", "nginx-core")
    process = subprocess.Popen([program, "-p", folder, "-c", config, "-e", folder / "start.log"])
    try:
        url = f"http://127.0.0.1:{port}"
        programs.Program(process, url, folder, folder / "start.log").wait_until_ready()
        yield url
    finally:
        process.terminate()
        process.wait(programs.STOP_SECONDS)


async def watch(day: Day, number: int) -> Holding:
    """A screen: resumes after every cut until it holds the last revision."""
    holding = Holding()
    while day.last_revision is None or holding.revision < day.last_revision:
        after = f"?after={holding.revision}" if holding.revision >= 0 else ""
        try:
            async with connect(
                day.line + after, additional_headers=day.headers, compression=None, max_size=None
            ) as line:
                await _read(day, line, holding)
        except (OSError, TimeoutError, WebSocketException):
            day.reconnects += 1
            await day.pause()
    assert holding.revision >= 0, number
    return holding


async def _read(day: Day, line: ClientConnection, holding: Holding) -> None:
    while day.last_revision is None or holding.revision < day.last_revision:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                frame = json.loads(await line.recv())
                if frame["type"] not in {"notice", "pass"}:
                    holding.apply(frame)


async def operate(day: Day, points: list[int], rounds: tuple[str, ...], *, over_http: bool) -> None:
    """Each of the points says its states; what is not acknowledged is sent again as it was."""
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, headers=day.headers) as client:
        line: ClientConnection | None = None
        for state in rounds:
            for point in points:
                observed_at = utcnow()
                revision = None
                while revision is None:
                    try:
                        if over_http:
                            revision = await _post(day, client, point, state, observed_at)
                        else:
                            line = line or await _open(day)
                            revision = await _send(line, point, state, observed_at)
                    except (OSError, TimeoutError, WebSocketException, httpx.HTTPError):
                        line = None
                    if revision is None:
                        day.tries_again += 1
                        await day.pause()
                day.acknowledged.append(Said(point, state, observed_at, revision))
        if line is not None:
            await line.close()


async def _open(day: Day) -> ClientConnection:
    return await connect(
        day.line, additional_headers=day.headers, compression=None, max_size=None, max_queue=None
    )


async def _post(
    day: Day, client: httpx.AsyncClient, point: int, state: str, observed_at: datetime
) -> int | None:
    answer = await client.post(
        f"{day.url}/api/v1/meetings/{day.meeting_id}/attendance/{point}",
        json={"state": state, "observed_at": observed_at.isoformat()},
    )
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        # 500 is a mistake of the program; away, busy and the proxy's own are the faults.
        assert answer.status_code != httpx.codes.INTERNAL_SERVER_ERROR, answer.text
        return None
    assert answer.status_code == httpx.codes.OK, answer.text
    revision: int = answer.json()["revision"]
    return revision


async def _send(
    line: ClientConnection, point: int, state: str, observed_at: datetime
) -> int | None:
    key = f"{point}:{state}:{time.monotonic_ns()}"
    await line.send(
        json.dumps(
            {
                "type": "check_in",
                "id": key,
                "point": point,
                "state": state,
                "observed_at": observed_at.isoformat(),
            }
        )
    )
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            answer = json.loads(await line.recv())
            if answer.get("id") != key:
                continue
            if answer["type"] == "ack":
                revision: int = answer["revision"]
                return revision
            assert answer["code"] in PASSING, answer
            return None


def check(database: Database, day: Day) -> int:
    """Every acknowledged check-in is in the log, none twice; gives the number of rows."""
    with database.reader() as session:
        rows = {row.revision: row for row in log_after(session, day.meeting_id, 0, 10_000_000)}
    assert sorted(rows) == list(range(1, len(rows) + 1)), "the revisions have a gap"
    for said in day.acknowledged:
        row = rows.get(said.revision)
        assert row is not None, f"acknowledged and lost: {said}"
        assert (row.point_id, row.state) == (said.point, said.state), (said, row)
        assert row.observed_at == said.observed_at, (said, row)
    times = Counter((row.point_id, row.observed_at) for row in rows.values() if row.point_id)
    assert max(times.values()) == 1, f"written twice: {times.most_common(3)}"
    return len(rows)


async def live_through(
    plan: Plan,
    day: Day,
    points: list[int],
    servers: list[programs.Program],
    strike: Callable[[Fault], None],
) -> tuple[list[Holding], dict[str, Any], float]:
    """The clients and, spread over their work, the faults. Gives what screens hold and what the API says."""
    watching = [asyncio.create_task(watch(day, number)) for number in range(plan.watchers)]
    began = time.monotonic()
    shares = [points[number::OPERATORS] for number in range(min(OPERATORS, len(points)))]
    operating = [
        asyncio.create_task(operate(day, share, plan.rounds, over_http=number % 2 == 0))
        for number, share in enumerate(shares)
    ]
    everything = len(points) * len(plan.rounds)
    for number, fault in enumerate(plan.faults, start=1):
        while len(day.acknowledged) < everything * number // (len(plan.faults) + 1):
            failed = next((task for task in operating if task.done() and task.exception()), None)
            if failed:
                failed.result()
            await asyncio.sleep(0.01)
        await asyncio.to_thread(strike, fault)
    await asyncio.gather(*operating)
    took = time.monotonic() - began
    day.last_revision = max(said.revision for said in day.acknowledged)
    held = list(await asyncio.gather(*watching))
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, headers=day.headers) as client:
        answers = [
            (await client.get(f"{base}/api/v1/meetings/{day.meeting_id}/attendance")).json()
            for base in [day.url, *(server.url for server in servers)]
        ]
    assert all(answer == answers[0] for answer in answers), "the processes do not agree"
    return held, answers[0], took


def run(plan: Plan, folder: Path) -> dict[str, float]:
    """Start everything, live through the fault, check, stop. Raises `AssertionError`."""
    with ExitStack() as stack:
        # A crash must not lose what was committed, so this server writes its log in earnest.
        postgres = stack.enter_context(
            Postgres(fsync="on", synchronous_commit="on", full_page_writes="on")
        )
        postgres.create("meetings")
        url = postgres.url("meetings")
        meeting_id, points, token = seed(url, plan.points)
        settings = {
            "database_url": url,
            "data": str(folder / "data"),
            "log_level": "warning",
            "secret_key": "0123456789abcdef" * 4,
        }
        ports = [programs.free_port() for _ in range(PROCESSES)]
        servers = [
            programs.start(["serve"], folder / f"process-{number}", settings, port=port)
            for number, port in enumerate(ports)
        ]
        for server in servers:
            stack.callback(server.stop)
            server.wait_until_ready()
        day = Day(stack.enter_context(nginx(folder, servers)), meeting_id, token)

        def strike(fault: Fault) -> None:
            if fault == "database":
                postgres.crash_and_restart(pause=0.5)
            else:
                servers[0].crash()
                again = programs.start(["serve"], folder / "again", settings, port=ports[0])
                stack.callback(again.stop)
                again.wait_until_ready()

        try:
            held, answer, took = asyncio.run(
                asyncio.wait_for(live_through(plan, day, points, servers, strike), END_SECONDS)
            )
        except (AssertionError, TimeoutError) as failure:
            for server in servers:
                failure.add_note(server.log()[-LOG_SHOWN:])
            raise
        expected = of_answer(answer)
        for holding in held:
            assert holding.as_answer() == expected
        database = Database(url, [])
        rows = check(database, day)
        database.dispose()
        return {
            "acknowledged": len(day.acknowledged),
            "rows in the log": rows,
            "sent again": day.tries_again,
            "screens": len(held),
            "reconnects": day.reconnects,
            "seconds": took,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faults", nargs="*", choices=FAULTS, default=FAULTS)
    parser.add_argument("--points", type=int, default=632)
    parser.add_argument("--watchers", type=int, default=60)
    parser.add_argument("--once", action="store_true", help="each point checks in only once")
    told = parser.parse_args()
    plan = Plan(tuple(told.faults), told.points, told.watchers)
    if told.once:
        plan = replace(plan, rounds=("present",))
    with tempfile.TemporaryDirectory(prefix="several-processes-") as folder:
        figures = run(plan, Path(folder))
    for name, value in figures.items():
        print(f"{name:<18} {value:12,.1f}")
    print("every acknowledged check-in is in the log, none twice; every screen holds the answer")
    return 0


if __name__ == "__main__":
    sys.exit(main())
