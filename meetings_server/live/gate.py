"""Lets in as many handshakes at once as can be served, and tells the others when to come back.

After a cut all come back at the same moment. Whoever finds the server full is told a time of their
own, one after the other at the pace at which handshakes are served, so that all get in and none has
to try again and again.
"""

from dataclasses import dataclass, field

SOONEST = 1.0
"""Seconds until the first of those who are sent away may come back."""


@dataclass
class Gate:
    """Counts the handshakes of this process that are under way."""

    most: int = 400
    """At once. Their clients wait as long as it takes, which should be well below a second."""
    pace: float = 500.0
    """How many of those who were sent away are told to come back within one second."""
    inside: int = 0
    refused: int = 0
    _next: float = field(default=0.0, repr=False)

    def enter(self, now: float) -> float | None:
        """Let one in (None; then `leave` follows), or the seconds after which it may come back."""
        if self.inside < self.most:
            self.inside += 1
            return None
        self.refused += 1
        self._next = max(self._next, now + SOONEST) + 1 / self.pace
        return self._next - now

    def leave(self) -> None:
        self.inside -= 1
