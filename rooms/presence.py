"""From when until when a point was there: the one rule that minutes, reports and time lines share.

A point is there from its report `present` until it reports `lost`, `left` or only `ready`, or the
meeting ends; asking for help does not end its presence, and does not begin it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from rooms.attendance import Presence

Span = tuple[datetime, datetime | None]
"""`[from, until)`; None while it still lasts."""

ENDS_PRESENCE = frozenset({Presence.LOST.value, Presence.LEFT.value, Presence.READY.value})


class Said(Protocol):
    """What of a row of the log matters here."""

    @property
    def state(self) -> str: ...

    @property
    def observed_at(self) -> datetime: ...


def attends(before: bool, state: str) -> bool:
    """Whether a point is there after a row of its time line, given whether it was before."""
    return state == Presence.PRESENT or (before and state not in ENDS_PRESENCE)


def presence_spans(line: Iterable[Said], ended_at: datetime | None) -> list[Span]:
    """The spans of a time line, which is ordered by `observed_at`, then `revision`.

    `ended_at`: when the meeting ended; without it the last span may be open.
    """
    spans: list[Span] = []
    since: datetime | None = None
    for row in line:
        there = attends(since is not None, row.state)
        if there and since is None:
            since = row.observed_at
        elif not there and since is not None:
            spans.append((since, row.observed_at))
            since = None
    if since is not None:
        # Whoever checks in while the meeting is being closed was there when it ended.
        spans.append((since, max(since, ended_at) if ended_at else None))
    return spans
