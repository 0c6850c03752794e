"""A clock for the logs of meetings: it does not go back when the machine's clock is set back.

What is said after something else must not be recorded before it: the state of a point is what was
observed last. So a clock that was set back is followed again when it has caught up, or when the
server is started anew; until then the time goes on from where it was.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

from rooms.kernel import utcnow

log = logging.getLogger(__name__)

WORTH_TELLING = timedelta(seconds=5)


class SteadyClock:
    """Of one thread."""

    def __init__(
        self, wall: Callable[[], datetime] = utcnow, elapsed: Callable[[], float] = monotonic
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._from = wall()
        self._since = elapsed()
        self._told = False

    def now(self) -> datetime:
        wall = self._wall()
        steady = self._steady()
        if wall >= steady:
            self._from, self._since = wall, self._elapsed()
            self._told = False
            return wall
        if not self._told and steady - wall > WORTH_TELLING:
            self._told = True
            log.warning(
                "the clock was set back by %s: the logs of meetings go on by the time before; "
                "restart the server where the new time is the right one",
                steady - wall,
            )
        return steady

    def not_before(self, instant: datetime) -> None:
        """What a log says has been recorded already: the time goes on from there."""
        if instant > self._steady():
            self._from, self._since = instant, self._elapsed()

    def _steady(self) -> datetime:
        return self._from + timedelta(seconds=self._elapsed() - self._since)
