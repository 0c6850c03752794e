"""From when until when a point was there: the one rule that minutes, reports and time lines share.

A point is there from its report `present` until it reports `lost`, `left` or only `ready`, or the
meeting ends; asking for help does not end its presence, and does not begin it. What the video system
said against people's word (`merging`) is left out.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.attendance import AttendanceEntry, Presence
from rooms.merging import effective

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
    """The spans of a time line (`time_lines`), which is ordered by `observed_at`, then `revision`.

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


def time_lines(session: Session, meeting_id: int) -> dict[int, list[Any]]:
    """What each point said, as far as it had an effect, in the order of observation; one statement.

    Rows of `point_id`, `state`, `source`, `observed_at`, `headcount`, `head_of_delegation`. No line is
    empty.
    """
    entry = AttendanceEntry
    said: dict[int, list[Any]] = defaultdict(list)
    for row in session.execute(
        select(
            entry.point_id,
            entry.state,
            entry.source,
            entry.observed_at,
            entry.headcount,
            entry.head_of_delegation,
        )
        .where(entry.meeting_id == meeting_id, entry.point_id.is_not(None))
        .order_by(entry.point_id, entry.observed_at, entry.revision)
    ):
        said[row.point_id or 0].append(row)
    lines = {point_id: list(effective(line)) for point_id, line in said.items()}
    return {point_id: line for point_id, line in lines.items() if line}
