"""Ends the lines of logins that have ended: logged out, expired, revoked, account closed.

A line may be open for hours and is let in once. So every while the logins of all open lines are
looked up together, a few statements however many lines there are.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from meetings_server.database import Database
from meetings_server.identity.sessions import standing
from rooms.kernel import utcnow

log = logging.getLogger(__name__)

End = Callable[[], Awaitable[None]]


class OpenLogins:
    """The open lines of this process by the login (its hash) that opened them."""

    def __init__(self, db: Database, seconds: float) -> None:
        self._db = db
        self._seconds = seconds
        self._lines: dict[str, set[End]] = {}

    @contextmanager
    def line(self, login: str, end: End) -> Iterator[None]:
        """`end` is called on the event loop when the login has ended while this lasts."""
        lines = self._lines.setdefault(login, set())
        lines.add(end)
        try:
            yield
        finally:
            lines.discard(end)
            if not lines and self._lines.get(login) is lines:
                del self._lines[login]

    async def watch(self) -> None:
        """Look every `seconds` until cancelled; while the database is away nobody is cut off."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._look()
            except Exception:
                log.exception("the logins of the open lines could not be looked up")

    async def _look(self) -> None:
        asked = list(self._lines)
        if not asked:
            return
        found = await asyncio.to_thread(self._standing, asked)
        ended = [end for login in asked if login not in found for end in self._lines.get(login, ())]
        for end in ended:
            try:
                await end()
            except RuntimeError:
                # The client left in this very moment.
                log.debug("a line had ended already", exc_info=True)

    def _standing(self, logins: list[str]) -> set[str]:
        with self._db.reader() as session:
            return standing(session, logins, utcnow())
