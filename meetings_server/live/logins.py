"""Ends the lines of logins that have ended: logged out, expired, revoked, account closed.

A line may be open for hours and is let in once. So every while the logins of all open lines are
looked up together, a few statements however many lines there are.
"""

import asyncio
import logging

from meetings_server.database import Database
from meetings_server.identity.sessions import standing
from meetings_server.live.lines import Line
from meetings_server.live.passes import Passes
from rooms.kernel import utcnow

log = logging.getLogger(__name__)

NOT_LOGGED_IN = 4401


class OpenLogins:
    """The open lines of this process by the login (its hash) that opened them."""

    def __init__(self, db: Database, passes: Passes, seconds: float) -> None:
        self._db = db
        self._passes = passes
        self._seconds = seconds
        self._lines: dict[str, set[Line]] = {}

    def enter(self, login: str, line: Line) -> None:
        """From now on the line is closed when the login ends."""
        self._lines.setdefault(login, set()).add(line)

    def leave(self, login: str, line: Line) -> None:
        lines = self._lines[login]
        lines.discard(line)
        if not lines:
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
        for login in asked:
            if login in found:
                continue
            self._passes.withdraw(login)
            for line in list(self._lines.get(login, ())):
                line.close(NOT_LOGGED_IN, "logged out")

    def _standing(self, logins: list[str]) -> set[str]:
        with self._db.reader() as session:
            return standing(session, logins, utcnow())
