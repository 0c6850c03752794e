"""The one writer of check-ins: takes whatever waits and commits it together (group commit).

A thread of its own. Page and API handlers wait on a future in their worker threads; the sockets
are called back on the event loop, one wake-up for a whole batch.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from threading import Condition, Thread
from typing import ClassVar

from meetings_server.database import Database
from meetings_server.faults import fault_of
from meetings_server.live.steady import SteadyClock
from rooms.attendance import CheckIn
from rooms.check_ins import record_check_ins
from rooms.kernel import Conflict, DomainError
from rooms.known_states import Memory

log = logging.getLogger(__name__)

LARGEST_BATCH = 1000
MOST_WAITING = 50_000
"""Check-ins that may wait; a whole nation fits in."""

Outcome = int | Exception
Done = Callable[[Outcome], None]


@dataclass
class TooManyAtOnce(Conflict):
    """More check-ins wait than the server can keep; come back after `seconds`."""

    code: ClassVar[str] = "too_many_at_once"
    seconds: int


@dataclass
class ServerStopping(Conflict):
    """The server is being restarted; nothing was written."""

    code: ClassVar[str] = "server_stopping"


class CheckInWriter:
    """Started and stopped with the server. `committed` gets the new revision of each meeting."""

    def __init__(
        self,
        db: Database,
        loop: asyncio.AbstractEventLoop,
        committed: Callable[[dict[int, int]], None],
    ) -> None:
        self._db = db
        self._loop = loop
        self._committed = committed
        self._waiting: deque[tuple[CheckIn, Future[int] | Done]] = deque()
        self._changed = Condition()
        self._stopping = False
        self._memory = Memory()
        self._clock = SteadyClock()
        self._thread = Thread(target=self._run, name="check-in-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Commit what has been accepted, then end. Blocks."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, check_in: CheckIn) -> "Future[int]":
        """For threads: the revision once it is committed, or the refusal as the exception.

        Raises `TooManyAtOnce`, `ServerStopping`. The right is the caller's to check.
        """
        future: Future[int] = Future()
        self._accept(check_in, future)
        return future

    def submit_on_loop(self, check_in: CheckIn, done: Done) -> None:
        """For the event loop: `done` is called there with the revision or the refusal."""
        self._accept(check_in, done)

    def _accept(self, check_in: CheckIn, answer: "Future[int] | Done") -> None:
        with self._changed:
            if self._stopping:
                raise ServerStopping
            if len(self._waiting) >= MOST_WAITING:
                raise TooManyAtOnce(5)
            self._waiting.append((check_in, answer))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                batch = list(islice(self._waiting, LARGEST_BATCH))
                for _ in batch:
                    self._waiting.popleft()
            if not batch:
                return
            outcomes = self._write([check_in for check_in, _ in batch])
            self._answer([answer for _, answer in batch], outcomes)

    def _write(self, check_ins: Sequence[CheckIn]) -> list[Outcome]:
        try:
            with self._db.connection() as connection:
                outcomes = record_check_ins(connection, check_ins, self._clock.now(), self._memory)
        except Exception as failure:  # whatever it is, the callers must be answered
            self._memory.forget()
            if fault_of(failure) is not None:
                # A full disk, a database that is away: it would be the same for each alone.
                log.exception("%s check-ins could not be written", len(check_ins))
                return [failure] * len(check_ins)
            if len(check_ins) == 1:
                log.exception("a check-in could not be written")
                return [failure]
            # One row that the database refuses must not take its neighbours along.
            return [outcome for one in check_ins for outcome in self._write([one])]
        if self._memory.latest is not None:
            self._clock.not_before(self._memory.latest)
        revisions: dict[int, int] = {}
        for check_in, outcome in zip(check_ins, outcomes, strict=True):
            if not isinstance(outcome, DomainError):
                revisions[check_in.meeting_id] = max(outcome, revisions.get(check_in.meeting_id, 0))
        if revisions:
            self._committed(revisions)
        return list(outcomes)

    def _answer(self, answers: "Sequence[Future[int] | Done]", outcomes: Sequence[Outcome]) -> None:
        on_loop: list[tuple[Done, Outcome]] = []
        for answer, outcome in zip(answers, outcomes, strict=True):
            if not isinstance(answer, Future):
                on_loop.append((answer, outcome))
            elif isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
        if on_loop:
            self._loop.call_soon_threadsafe(_call_all, on_loop)


def _call_all(answers: Sequence[tuple[Done, Outcome]]) -> None:
    for done, outcome in answers:
        done(outcome)
