"""Runs what sends the outbox's lines as a part of the server, whichever channel they take."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from meetings_server.database import Database
from meetings_server.mail.outbox import MailQueued
from rooms.kernel import Event


class OutboxSender(Protocol):
    """Sends what is due, then waits until it is woken or the next line is due."""

    def wake(self) -> None: ...

    def stop(self) -> None: ...

    async def run(self) -> None: ...


@asynccontextmanager
async def running(
    database: Database, sender: OutboxSender, name: str, stop_seconds: float
) -> AsyncIterator[None]:
    """Woken after each commit that queued something; at the end it may finish what it has begun."""
    loop = asyncio.get_running_loop()

    def hint(events: Sequence[Event]) -> None:
        if any(isinstance(event, MailQueued) for event in events):
            loop.call_soon_threadsafe(sender.wake)

    database.hints.append(hint)
    task = asyncio.create_task(sender.run(), name=name)
    try:
        yield
    finally:
        database.hints.remove(hint)
        sender.stop()
        with suppress(asyncio.CancelledError):
            await _ended(task, stop_seconds)


async def _ended(task: asyncio.Task[None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(task)
    except TimeoutError:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
