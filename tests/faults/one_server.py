"""One server on SQLite: killed at random moments, its clock set back, its disk filled.

    python -m tests.faults.one_server kill --points 31097 --times 20
    python -m tests.faults.one_server clock --points 31097 --once
    python -m tests.faults.one_server disk --points 31097 --once

Points check in over HTTP and over the socket and send again until acknowledged; screens watch and come
back by themselves. `kill`: kill -9 and a new start, so many times. `clock`: by libfaketime (Debian's
package `faketime`) the server alone sees the time go back, and go on from there. `disk`: the folder is
a file system of its own (root or a user who may mount), which is filled and, after a while, emptied;
where mounting is not possible the server may not make its files larger instead, `prlimit`. At the end
every acknowledged check-in must be in the log, none twice, in the order of time, and every screen must
hold what `GET …/attendance` answers.
"""

import argparse
import asyncio
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from meetings_server.database import Database
from rooms.attendance import log_after
from tests import programs
from tests.faults.several_processes import (
    LOG_SHOWN,
    ROUNDS,
    SEED,
    Day,
    Fault,
    Plan,
    check,
    live_through,
)
from tests.live_lines import of_answer
from tests.load.days import seed

END_SECONDS = 1800.0
LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
BACK = timedelta(hours=1)
MANY = 1_000
"""Points with whose check-ins the shift is looked at once a second instead of with each question for the time."""
MEBIBYTE = 1024 * 1024
DISK, DISK_OF_A_POINT = 16 * MEBIBYTE, 8192
"""Bytes of the small disk: it holds the database, and what is written between two checkpoints."""
NOTICED_SECONDS = 60.0
"""Within which a write must have met the full disk: SQLite first uses what its files have left."""
FULL_SECONDS = 2.0
"""How long the disk stays full from then on."""
REFUSED = "could not be written"
"""What the server's log says of it."""


@dataclass
class Machine:
    """Where the server runs, and how it is started again as it was."""

    folder: Path
    settings: dict[str, str]
    program: Sequence[str]
    port: int
    server: programs.Program | None = None
    starts: int = 0

    def start(self) -> programs.Program:
        self.starts += 1
        self.server = programs.start(
            ["serve"],
            self.folder / f"start-{self.starts}",
            self.settings,
            program=self.program,
            port=self.port,
        )
        self.server.wait_until_ready(seconds=END_SECONDS)
        return self.server

    def stop(self) -> None:
        self.running.stop()

    @property
    def running(self) -> programs.Program:
        assert self.server is not None
        return self.server


def kill(machine: Machine, chance: random.Random) -> None:
    """Somewhere between two acknowledgements."""
    time.sleep(chance.uniform(0, 0.2))
    machine.running.crash()
    machine.start()


def fill_disk(machine: Machine, database: Path, *, mounted: bool) -> dict[str, str]:
    """Leave no room, look what a call is answered, make room again."""
    pid = machine.running.process.pid
    filler = database.with_name("filler")
    if mounted:
        with filler.open("wb", buffering=0) as file:
            # Quickly, while check-ins are still coming, and to the last page.
            for size in (MEBIBYTE, 4096):
                with suppress(OSError):
                    while file.write(b"\0" * size) == size:
                        pass
    else:
        largest = max(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, hard))
    deadline = time.monotonic() + NOTICED_SECONDS
    while REFUSED not in machine.running.log() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(FULL_SECONDS)
    try:
        assert machine.running.process.poll() is None, "the server ended"
        told = _healthy(machine.running.url)
    finally:
        if mounted:
            filler.unlink()
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    return told


def _healthy(url: str) -> dict[str, str]:
    """What the server says of itself; it must answer."""
    found = {}
    for path in ("/healthz", "/readyz"):
        try:
            with urllib.request.urlopen(url + path, timeout=20) as answer:  # noqa: S310 -- http on 127.0.0.1
                found[path] = str(answer.status)
        except urllib.error.HTTPError as refused:
            found[path] = str(refused.code)
    return found


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """A file system of so many bytes in this folder, where that is possible."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mount = shutil.which("mount") or "false"
    mounted = subprocess.run([mount, *asked], capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def run(fault: Fault, plan: Plan, folder: Path) -> dict[str, float]:
    """Start, live through the faults, check, stop. Raises `AssertionError`."""
    with ExitStack() as stack:
        disk = folder / "disk"
        mounted = fault == "disk" and stack.enter_context(
            small_disk(disk, DISK + plan.points * DISK_OF_A_POINT)
        )
        disk.mkdir(exist_ok=True)
        database = disk / "meetings.db"
        url = f"sqlite:///{database}"
        meeting_id, points, token = seed(url, plan.points)
        shift = folder / "shift"
        shift.write_text("+0")
        machine = Machine(
            folder,
            {
                "database_url": url,
                "data": str(folder / "data"),
                "log_level": "warning",
                "secret_key": "0123456789abcdef" * 4,
            },
            _with_clock(shift, cached=plan.points > MANY)
            if fault == "clock"
            else programs.THIS_PROGRAM,
            programs.free_port(),
        )
        first = machine.start()
        stack.callback(machine.stop)
        day = Day(first.url, meeting_id, token)
        chance = random.Random(SEED)  # noqa: S311 -- the same moments every time
        told: dict[str, str] = {}
        cut_before: list[int] = []

        def set_clock_back() -> None:
            cut_before.append(day.reconnects)
            shift.write_text(f"-{int(BACK.total_seconds())}")

        def strike(kind: Fault) -> None:
            strikes[kind]()

        strikes: dict[Fault, Callable[[], object]] = {
            "kill": lambda: kill(machine, chance),
            "clock": set_clock_back,
            "disk": lambda: told.update(fill_disk(machine, database, mounted=mounted)),
        }
        try:
            held, answer, took = asyncio.run(
                asyncio.wait_for(
                    live_through(plan, day, points, [first], strike),
                    END_SECONDS,
                )
            )
        except (AssertionError, TimeoutError) as failure:
            failure.add_note(machine.running.log()[-LOG_SHOWN:])
            raise
        expected = of_answer(answer)
        for holding in held:
            assert holding.as_answer() == expected
        look = Database(url, [])
        rows = check(look, day)
        _in_order(look, day)
        look.dispose()
        log = machine.running.log()
        if fault == "clock":
            assert "the clock was set back" in log, log[-LOG_SHOWN:]
            assert day.reconnects == cut_before[0], "a line was dropped"
        if fault == "disk":
            assert REFUSED in log, log[-LOG_SHOWN:]
            assert told["/healthz"] == "200", told
            assert day.tries_again > 0, "nobody noticed"
        return {
            "acknowledged": len(day.acknowledged),
            "rows in the log": rows,
            "starts": machine.starts,
            "sent again": day.tries_again,
            "screens": len(held),
            "reconnects": day.reconnects,
            "seconds": took,
        }


def _with_clock(shift: Path, *, cached: bool) -> list[str]:
    return [
        "env",
        f"LD_PRELOAD={LIBRARY}",
        f"FAKETIME_TIMESTAMP_FILE={shift}",
        "FAKETIME_CACHE_DURATION=1" if cached else "FAKETIME_NO_CACHE=1",
        # As where a clock is really set: what measures spans goes on.
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "DONT_FAKE_MONOTONIC=1",
        *programs.THIS_PROGRAM,
    ]


def _in_order(database: Database, day: Day) -> None:
    """What was said last of a point is its state, and the log's time never goes back."""
    with database.reader() as session:
        rows = log_after(session, day.meeting_id, 0, 10_000_000)
    times = [row.recorded_at for row in rows]
    assert times == sorted(times), "the log's time went back"
    late = [row for row in rows if row.recorded_at - row.observed_at > timedelta(minutes=10)]
    assert not late, f"recorded long after it was observed: {late[0]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("fault", choices=["kill", "clock", "disk"])
    parser.add_argument("--points", type=int, default=632)
    parser.add_argument("--watchers", type=int, default=20)
    parser.add_argument("--times", type=int, default=1, help="how many times it happens")
    parser.add_argument("--once", action="store_true", help="each point checks in only once")
    told = parser.parse_args()
    plan = Plan((told.fault,) * told.times, told.points, told.watchers, ROUNDS)
    if told.once:
        plan = replace(plan, rounds=("present",))
    with tempfile.TemporaryDirectory(prefix="one-server-", dir=os.environ.get("TMPDIR")) as folder:
        figures = run(told.fault, plan, Path(folder))
    for name, value in figures.items():
        print(f"{name:<18} {value:12,.1f}")
    print("every acknowledged check-in is in the log, none twice; every screen holds the answer")
    return 0


if __name__ == "__main__":
    sys.exit(main())
