"""Tokens that were looked up a moment ago, for calls that a device or a program makes very often.

A call says so with the option `lately=True`. A token that is revoked opens such a call for as long as
`LASTS` more, and nothing else.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from meetings_server.identity.sessions import SignedIn

LASTS = 2.0
"""Seconds."""
MOST = 10_000


class Lately:
    """Whom tokens stood for when they were looked up, by the hash of the token. Of one event loop."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._found: OrderedDict[str, tuple[float, SignedIn]] = OrderedDict()

    def find(self, login: str) -> SignedIn | None:
        """Whom this token stood for within the last `LASTS` seconds."""
        found = self._found.get(login)
        if found is None:
            return None
        until, user = found
        if self._clock() >= until:
            del self._found[login]
            return None
        return user

    def keep(self, login: str, user: SignedIn) -> None:
        self._found[login] = self._clock() + LASTS, user
        self._found.move_to_end(login)
        if len(self._found) > MOST:
            self._found.popitem(last=False)
