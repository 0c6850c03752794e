"""What callers may check in, kept for seconds.

A program that reports for a whole city calls once for each of its points. A right that was taken
away lives on for `LASTS` seconds, or for as long as looking up so many points is a twentieth of the work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from meetings_server.database import Database
from rooms.attendance import require_check_in, writable_points
from rooms.kernel import civil_day, utcnow
from rooms.policies import Actor

LASTS = 2.0
"""Seconds."""
OFTEN = 3
"""Who asks for more points than these within that time gets all of them looked up at once."""
PART = 20
"""All points of a nation take a third of a second: they are known for so many times as long."""
MOST = 5_000


@dataclass(slots=True)
class _Known:
    until: float
    asked: int = 0
    points: frozenset[int] | None = None
    """None until all of them have been looked up."""
    looking: Lock = field(default_factory=Lock)
    """Held while all are looked up: whoever asks meanwhile waits instead of doing the same."""


class KnownRights:
    """Of one process. `knows` never waits; `ask` reads, in a thread."""

    def __init__(self, db: Database, clock: Callable[[], float] = monotonic) -> None:
        self._db = db
        self._clock = clock
        self._known: dict[tuple[int, int | None, int], _Known] = {}

    def knows(self, actor: Actor, meeting_id: int, point_id: int) -> bool:
        """Whether it was found a moment ago that the actor may check this point in."""
        known = self._known.get((actor.person_id, actor.on_behalf_of, meeting_id))
        if known is None or known.points is None or self._clock() >= known.until:
            return False
        return point_id in known.points

    def ask(self, actor: Actor, meeting_id: int, point_id: int) -> None:
        """Raises `UnknownMeeting`, `UnknownPoint`, `NotPermitted`. Blocks."""
        now = self._clock()
        key = actor.person_id, actor.on_behalf_of, meeting_id
        known = self._known.get(key)
        if known is None or now >= known.until:
            if len(self._known) >= MOST:
                self._known.clear()
            known = self._known[key] = _Known(now + LASTS)
        known.asked += 1
        today = civil_day(utcnow())
        if known.asked > OFTEN:
            with known.looking:
                if known.points is None:
                    began = self._clock()
                    with self._db.reader() as session:
                        known.points = writable_points(session, actor, meeting_id, today)
                    known.until = max(known.until, began + PART * (self._clock() - began))
        if known.points is None or point_id not in known.points:
            with self._db.reader() as session:
                require_check_in(session, actor, meeting_id, point_id, today)
