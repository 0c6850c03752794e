"""Runs what sends the outbox's lines as a part of the server, whichever channel they take."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from meetings_server.database import Database
from meetings_server.mail.claims import Parcel
from meetings_server.mail.outbox import MailQueued
from meetings_server.settings import Settings
from rooms.kernel import Event, utcnow

log = logging.getLogger(__name__)


@dataclass
class OutboxSender(ABC):
    """Sends the lines of one channel until `stop()`. `clock` gives the present instant."""

    db: Database
    settings: Settings
    clock: Callable[[], datetime] = utcnow
    idle_seconds: float = 20
    """How often to look for what became due by itself, such as a retry."""
    name: str = field(default_factory=lambda: uuid4().hex)
    """Under which it claims lines."""
    _awake: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False

    @abstractmethod
    async def round(self) -> bool:
        """Send some of what is due. Whether anything was."""

    def wake(self) -> None:
        self._awake.set()

    def stop(self) -> None:
        self._stopping = True
        self._awake.set()

    async def run(self) -> None:
        """Rounds as long as there is something to send, then rest until woken."""
        while not self._stopping:
            self._awake.clear()
            try:
                busy = await self.round()
            except Exception:  # whatever it was: sending must go on once it is over
                log.exception("a round of %s failed", type(self).__name__)
                busy = False
            if not busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.idle_seconds):
                        await self._awake.wait()

    def has_time(self, parcel: Parcel, seconds: float) -> bool:
        """Whether the claim outlives a message that may take so long."""
        until = parcel.claimed_until
        return until is not None and self.clock() + timedelta(seconds=seconds) < until


@asynccontextmanager
async def running(sender: OutboxSender, name: str, stop_seconds: float) -> AsyncIterator[None]:
    """Woken after each commit that queued something; at the end it may finish what it has begun."""
    loop = asyncio.get_running_loop()

    def hint(events: Sequence[Event]) -> None:
        if any(isinstance(event, MailQueued) for event in events):
            loop.call_soon_threadsafe(sender.wake)

    sender.db.hints.append(hint)
    task = asyncio.create_task(sender.run(), name=name)
    try:
        yield
    finally:
        sender.db.hints.remove(hint)
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
