"""The clock of the server: short sweeps over what is due, again and again.

There is no job for each meeting: a sweep asks the database what is due now, does it, and writes down in
the same commit that it has (`sweeps.marks`). So it may run late, twice, or on two machines at once.
APScheduler runs the sweeps in threads, in UTC; one that was missed runs once, however often it was
missed. Where several processes serve, only the one that holds the lock `SCHEDULER` runs them, and
another takes over when that one ends.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from litestar import Litestar
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from meetings_server.database import Database, Exclusive
from meetings_server.sweeps import (
    logins,
    meeting_reminders,
    old_notices,
    orphan_files,
    receipts,
    reorganisations,
    summaries,
    waiting_calls,
)
from rooms.auditing import Doer, Login, acting
from rooms.kernel import utcnow

log = logging.getLogger(__name__)
# It tells of every run; what a sweep has done is told here.
logging.getLogger("apscheduler").setLevel(logging.WARNING)

FIRST_RUN_AFTER = timedelta(seconds=5)
"""After a restart everybody comes back at once; the sweeps let them in first."""
SCHEDULER = 4_830_001
"""Number of the lock; any number will do that nothing else in this database uses."""
TAKE_OVER_SECONDS = 15
"""How often a process without the lock asks for it, and one with it looks whether it still has it."""

Sweep = Callable[[Session, datetime], int]
FileSweep = Callable[[Session, datetime, Path], int]
LongSweep = Callable[[Database, datetime], int]

SWEEPS: tuple[tuple[str, Sweep, int], ...] = (
    # First of all: what else is due goes by the tree of the day.
    ("reorganisations", reorganisations.sweep, 60),
    ("waiting calls for help", waiting_calls.sweep, 15),
    ("receipt reminders", receipts.sweep, 300),
    ("ended sessions", logins.sweep, 3600),
    ("old notices", old_notices.sweep, 6 * 3600),
)
"""Name, sweep, and seconds between two runs."""

FILE_SWEEPS: tuple[tuple[str, FileSweep, int], ...] = (
    ("files nobody names", orphan_files.sweep, 6 * 3600),
)
"""The same for the folder of the stored files."""


LONG_SWEEPS: tuple[tuple[str, LongSweep, int], ...] = (
    ("meeting reminders", meeting_reminders.sweep, 30),
    ("attendance summaries", summaries.sweep, 30),
)
"""The same for what reads so long that it has to open its transactions by itself."""


def run_sweep(db: Database, name: str, sweep: Sweep, now: datetime) -> int:
    """One sweep in one transaction. Returns what it did; an error is logged and raised."""

    def in_one_transaction(db: Database, now: datetime) -> int:
        with db.transaction() as session:
            return sweep(session, now)

    return run_long_sweep(db, name, in_one_transaction, now)


def run_long_sweep(db: Database, name: str, sweep: LongSweep, now: datetime) -> int:
    """One sweep that opens its own transactions. As `run_sweep` otherwise."""
    try:
        with acting(Doer(name=name, login=Login.SWEEP)):
            done = sweep(db, now)
    except Exception:
        log.exception("the sweep of %s failed; it runs again when it is next due", name)
        raise
    if done:
        log.info("sweep of %s: %d", name, done)
    return done


def _below(root: Path, tidy: FileSweep) -> Sweep:
    return lambda session, now: tidy(session, now, root)


def _run_now(run: Callable[..., int], *arguments: Any) -> int:
    return run(*arguments, utcnow())


def make_scheduler(db: Database, files: Path | None = None) -> BackgroundScheduler:
    """A scheduler with all sweeps, not started; each runs soon after it starts.

    `files`: the folder of the stored files; without one nobody tidies up there.
    """
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(2)},
        # By default a run that is a second late is dropped: here lateness is what sweeps are made for.
        job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
    )
    sweeps = list(SWEEPS)
    if files is not None:
        sweeps += [(name, _below(files, tidy), seconds) for name, tidy, seconds in FILE_SWEEPS]
    runs: list[tuple[str, Callable[[], int], int]] = [
        (name, partial(_run_now, run_sweep, db, name, sweep), seconds)
        for name, sweep, seconds in sweeps
    ]
    runs += [
        (name, partial(_run_now, run_long_sweep, db, name, sweep), seconds)
        for name, sweep, seconds in LONG_SWEEPS
    ]
    for name, run, seconds in runs:
        scheduler.add_job(
            run,
            "interval",
            seconds=seconds,
            id=name,
            name=name,
            next_run_time=utcnow() + FIRST_RUN_AFTER,
        )
    return scheduler


@dataclass
class Clock:
    """Runs the sweeps while this process holds the lock."""

    db: Database
    take_over_seconds: float = TAKE_OVER_SECONDS
    files: Path | None = None
    scheduler: BackgroundScheduler | None = None
    _lock: Exclusive | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_running(self) -> bool:
        return self.scheduler is not None

    async def run(self) -> None:
        """Take the lock when it is free, give the sweeps up when it is lost, until `stop()`."""
        while not self._stopping.is_set():
            try:
                await to_thread.run_sync(self._keep_or_take)
            except SQLAlchemyError:
                log.exception("the database cannot be asked who runs the sweeps")
            with suppress(TimeoutError):
                async with asyncio.timeout(self.take_over_seconds):
                    await self._stopping.wait()
        await to_thread.run_sync(self._give_up)

    def stop(self) -> None:
        self._stopping.set()

    def _keep_or_take(self) -> None:
        if self._lock is not None and not self._lock.is_held():
            log.warning("the lock of the sweeps is lost; another process may take it")
            self._give_up()
        if self._lock is None:
            self._lock = self.db.try_exclusive(SCHEDULER)
            if self._lock is not None:
                self.scheduler = make_scheduler(self.db, self.files)
                self.scheduler.start()

    def _give_up(self) -> None:
        if self.scheduler is not None:
            # A sweep under way ends before another process may begin the same one.
            self.scheduler.shutdown(wait=True)
            self.scheduler = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None


@asynccontextmanager
async def ticking(app: Litestar) -> AsyncIterator[None]:
    """The sweeps as a part of the running server."""
    clock = Clock(app.state.database, files=app.state.settings.files)
    task = asyncio.create_task(clock.run(), name="clock")
    try:
        yield
    finally:
        clock.stop()
        await task
