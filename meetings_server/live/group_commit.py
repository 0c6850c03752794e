"""Group commit: one thread takes whatever waits and commits it together.

Handlers in worker threads wait on a future; the sockets are called back on the event loop, one wake-up
for a whole batch.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from threading import Condition, Thread
from typing import ClassVar, Generic, TypeVar

from meetings_server.faults import fault_of
from rooms.kernel import Conflict

log = logging.getLogger(__name__)

MOST_WAITING = 50_000
"""Items that may wait; a whole nation fits in."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Done = Callable[[Result | Exception], None]


@dataclass
class TooManyAtOnce(Conflict):
    """More waits than the server can keep; come back after `seconds`."""

    code: ClassVar[str] = "too_many_at_once"
    seconds: int


@dataclass
class ServerStopping(Conflict):
    """The server is being restarted; nothing was written."""

    code: ClassVar[str] = "server_stopping"


PASSING = (ServerStopping, TooManyAtOnce)
"""Refusals that hold for the moment: the same may be sent again."""


class GroupCommit(ABC, Generic[Item, Result]):
    """Started and stopped with the server. What is submitted is answered after its commit, in order."""

    most: ClassVar[int]
    """Items of one commit."""
    name: ClassVar[str]
    """Of the thread, and of an item in the log."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[Item, Future[Result] | Done[Result]]] = deque()
        self._changed = Condition()
        self._stopping = False
        self._thread = Thread(target=self._run, name=f"{self.name}-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Commit what has been accepted, then end. Blocks."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, item: Item) -> "Future[Result]":
        """For threads: the result once it is committed, or the refusal as the exception.

        Raises `TooManyAtOnce`, `ServerStopping`. The right is the caller's to check.
        """
        future: Future[Result] = Future()
        self._accept(item, future)
        return future

    def submit_on_loop(self, item: Item, done: Done[Result]) -> None:
        """For the event loop: `done` is called there with the result or the refusal."""
        self._accept(item, done)

    @abstractmethod
    def _commit(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        """Write all in one transaction; the outcome of each. Whatever is raised: nothing was written."""

    def _written(self, items: Sequence[Item], outcomes: Sequence[Result | Exception]) -> None:
        """A batch was committed."""

    def _undone(self) -> None:
        """Nothing of a batch was written."""

    def _accept(self, item: Item, answer: "Future[Result] | Done[Result]") -> None:
        with self._changed:
            if self._stopping:
                raise ServerStopping
            if len(self._waiting) >= MOST_WAITING:
                raise TooManyAtOnce(5)
            self._waiting.append((item, answer))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                batch = list(islice(self._waiting, self.most))
                for _ in batch:
                    self._waiting.popleft()
            if not batch:
                return
            outcomes = self._write([item for item, _ in batch])
            self._answer([answer for _, answer in batch], outcomes)

    def _write(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        try:
            outcomes = self._commit(items)
        except Exception as failure:  # whatever it is, the callers must be answered
            self._undone()
            if fault_of(failure) is not None:
                # A full disk, a database that is away: it would be the same for each alone.
                log.exception("%s × %s could not be written", len(items), self.name)
                return [failure] * len(items)
            if len(items) == 1:
                log.exception("a %s could not be written", self.name)
                return [failure]
            # One row that the database refuses must not take its neighbours along.
            return [outcome for one in items for outcome in self._write([one])]
        self._written(items, outcomes)
        return outcomes

    def _answer(
        self,
        answers: "Sequence[Future[Result] | Done[Result]]",
        outcomes: Sequence[Result | Exception],
    ) -> None:
        on_loop: list[tuple[Done[Result], Result | Exception]] = []
        for answer, outcome in zip(answers, outcomes, strict=True):
            if not isinstance(answer, Future):
                on_loop.append((answer, outcome))
            elif isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
        if on_loop:
            self._loop.call_soon_threadsafe(_call_all, on_loop)


def _call_all(answers: Sequence[tuple[Done[Result], Result | Exception]]) -> None:
    for done, outcome in answers:
        done(outcome)
