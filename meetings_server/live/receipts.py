"""Receipts of messages, written together: a message to a nation is receipted by 31,097 pages at once.

A thread takes whatever waits and commits it in one transaction, two statements for all; handlers wait on a
future in their worker threads. One transaction for each would keep the check-ins of the same minute waiting.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from threading import Condition, Thread

from litestar import Litestar

from meetings_server.database import Database
from meetings_server.live.writer import ServerStopping, TooManyAtOnce
from rooms.kernel import utcnow
from rooms.message_receipts import Receipt, record_receipts

log = logging.getLogger(__name__)

LARGEST_BATCH = 2_000
MOST_WAITING = 50_000
COMMIT_SECONDS = 30
"""How long a handler waits for its commit: past it the database is not answering."""


class ReceiptWriter:
    """Started and stopped with the server."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[tuple[Sequence[Receipt], Future[None]]] = []
        self._changed = Condition()
        self._stopping = False
        self._thread = Thread(target=self._run, name="receipt-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Commit what has been accepted, then end. Blocks."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def write(self, receipts: Sequence[Receipt]) -> None:
        """Blocks until they are committed. Raises `TooManyAtOnce`, `ServerStopping`."""
        if not receipts:
            return
        done: Future[None] = Future()
        with self._changed:
            if self._stopping:
                raise ServerStopping
            if len(self._waiting) >= MOST_WAITING:
                raise TooManyAtOnce(5)
            self._waiting.append((receipts, done))
            self._changed.notify()
        done.result(COMMIT_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                batch = self._waiting[:LARGEST_BATCH]
                del self._waiting[:LARGEST_BATCH]
            if not batch:
                return
            self._commit(batch)

    def _commit(self, batch: Sequence[tuple[Sequence[Receipt], "Future[None]"]]) -> None:
        try:
            with self._db.connection() as connection:
                receipts = [receipt for receipts, _ in batch for receipt in receipts]
                record_receipts(connection, receipts, utcnow())
        except Exception as failure:  # whatever it is, the callers must be answered
            if len(batch) == 1:
                log.exception("a receipt could not be written")
                batch[0][1].set_exception(failure)
                return
            # One row that the database refuses must not take its neighbours along.
            for one in batch:
                self._commit([one])
            return
        for _, done in batch:
            done.set_result(None)


@asynccontextmanager
async def receipting(app: Litestar) -> AsyncIterator[None]:
    """A part of the running server; in the application's state as `receipts`."""
    writer = ReceiptWriter(app.state.database)
    writer.start()
    app.state.receipts = writer
    try:
        yield
    finally:
        await asyncio.to_thread(writer.stop)
