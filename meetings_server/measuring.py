"""How much of the server's line the test pages of browsers may take.

An hour before a national meeting thousands try their line at once, and must not take it away from
those who are already in a meeting. Two buckets are asked: the person's, and that of this process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

MEBIBYTE = 2**20

PERSON_BYTES = 24 * MEBIBYTE
"""What one person may measure at once; a whole test takes about 9 MiB at the most."""
PERSON_SECONDS = 120.0
"""In this time the person's bucket fills again."""
PROCESS_SECONDS = 2.0
"""The bucket of the process holds as much as its rate gives in this time."""
MOST_PEOPLE = 10_000
"""Whoever's bucket is full again is forgotten; past this many, so are those who waited longest."""


@dataclass(slots=True)
class Bucket:
    """Holds `level` bytes at the instant `at`, in seconds of the clock."""

    level: float
    at: float

    def fill(self, capacity: float, rate: float, now: float) -> None:
        self.level = min(capacity, self.level + (now - self.at) * rate)
        self.at = now


class Allowance:
    """Asked before each transfer; safe from any thread."""

    def __init__(self, mbits: int, clock: Callable[[], float]) -> None:
        """`mbits`: what this process gives to measurements, in Mbit/s. `clock`: seconds, rising."""
        self._rate = mbits * 1_000_000 / 8
        # The largest transfer must fit, however small the rate.
        self._capacity = max(self._rate * PROCESS_SECONDS, 5.0 * MEBIBYTE)
        self._clock = clock
        self._whole = Bucket(self._capacity, clock())
        self._people: dict[int, Bucket] = {}
        self._lock = Lock()

    def take(self, person_id: int, size: int) -> float:
        """Take `size` bytes; gives 0, or the seconds to wait where nothing was taken."""
        with self._lock:
            now = self._clock()
            own = self._people.pop(person_id, None) or Bucket(PERSON_BYTES, now)
            # Taken out and put back, the dictionary is in the order of who asked last.
            self._people[person_id] = own
            own.fill(PERSON_BYTES, PERSON_BYTES / PERSON_SECONDS, now)
            self._whole.fill(self._capacity, self._rate, now)
            wait = max(
                (size - own.level) / (PERSON_BYTES / PERSON_SECONDS),
                (size - self._whole.level) / self._rate,
                0.0,
            )
            if wait > 0:
                return wait
            own.level -= size
            self._whole.level -= size
            if len(self._people) > MOST_PEOPLE:
                del self._people[next(iter(self._people))]
            return 0.0
