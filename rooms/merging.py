"""What the video system says, merged with what people said.

A person in the room knows more than a line that is open or cut: where the two differ, the person's word
stands. The video system says `present` when a participant of the point has joined and `lost` when the
last one is gone; what that changes, `takes_effect` says. Every state is a fold over a time line
(`standings.follow`), so the rule holds for whatever comes late or out of order, too. What changed nothing
stays in the log; whoever walks the log itself asks `effective`.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

VIDEO = "video"
"""`Source.VIDEO`, as rows of the log have it."""

_CHANGES = frozenset(
    {
        # A line that is open: whoever was awaited or had lost it is there.
        (None, "present"),
        ("invited", "present"),
        ("ready", "present"),
        ("lost", "present"),
        # The line of those who were there is cut. Whether they left, a person has to say.
        ("present", "lost"),
    }
)


class Said(Protocol):
    """A row of a time line."""

    @property
    def state(self) -> str: ...
    @property
    def source(self) -> str: ...


Row = TypeVar("Row", bound=Said)


def takes_effect(before: str | None, said: str, source: str) -> bool:
    """Whether a word changes the state: a person's always does.

    `needs_help` and `left` stay until a person says otherwise, and a cut line of those who were never
    there means nothing.
    """
    return source != VIDEO or (before, said) in _CHANGES


def effective(line: Iterable[Row]) -> Iterator[Row]:
    """The rows of one point's time line, in its order, that changed the state or confirmed it."""
    before: str | None = None
    for row in line:
        if takes_effect(before, row.state, row.source):
            before = row.state
            yield row
