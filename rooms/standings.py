"""Where a point stands: what the fold over its time line gives, whatever order the rows arrived in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rooms.attendance import Presence
from rooms.merging import takes_effect


@dataclass(slots=True)
class Standing:
    """Where a point stands: the columns of `PointState` but its keys."""

    state: str
    since: datetime
    headcount: int | None
    head_of_delegation: str
    note: str
    observed_at: datetime
    first_present_at: datetime | None
    revision: int
    source: str = ""
    device_at: datetime | None = None

    def says(self, other: "Standing") -> bool:
        """Whether the other adds nothing."""
        return (self.state, self.headcount, self.head_of_delegation, self.note) == (
            other.state,
            other.headcount,
            other.head_of_delegation,
            other.note,
        )


def follow(before: Standing | None, row: Standing) -> Standing | None:
    """The state after a row of the time line. `row` bears the row's own facts and instants.

    None where the row is the first and has no effect: the video system lost whoever was never there.
    """
    if not takes_effect(before.state if before else None, row.state, row.source):
        if before is not None:
            before.observed_at = max(row.observed_at, before.observed_at)
            before.revision = max(row.revision, before.revision)
            before.device_at = later(before.device_at, row.device_at)
        return before
    if before is None:
        return row
    if row.state == before.state:
        row.since = before.since
    row.first_present_at = before.first_present_at or row.first_present_at
    row.revision = max(row.revision, before.revision)
    row.device_at = later(before.device_at, row.device_at)
    return row


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two instants that may be missing."""
    if one is None or other is None:
        return one or other
    return max(one, other)


def as_row(
    state: str,
    headcount: int | None,
    head_of_delegation: str,
    note: str,
    observed_at: datetime,
    revision: int,
    source: str = "",
    device_at: datetime | None = None,
) -> Standing:
    """A row of the log before anything is known of what came earlier."""
    return Standing(
        state,
        observed_at,
        headcount,
        head_of_delegation,
        note,
        observed_at,
        observed_at if state == Presence.PRESENT else None,
        revision,
        source,
        device_at,
    )


def fold(rows: Iterable[Standing]) -> Standing | None:
    """The state that a whole time line, ordered by observation and revision, leads to."""
    standing: Standing | None = None
    for row in rows:
        standing = follow(standing, row)
    return standing
