"""What the writer of check-ins has to know of a meeting, read when it is needed and then kept.

Every change of a meeting or of a point takes a revision of the meeting's log. So what was read at a
revision still holds when the counter, locked by the next batch, shows the same one; where others have
written meanwhile, the rows past it tell what to forget.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, tuple_

from rooms.attendance import AttendanceEntry, PointState, state_of_invitation
from rooms.meetings import Participation, standing_invitation
from rooms.standings import Standing, as_row

Key = tuple[int, int]
"""A meeting and a point."""

MOST_MEETINGS = 16
"""Meetings of which states are kept; a nation's takes some 15 MB."""
MOST_CHANGED = 2000
"""Rows of others that are looked through; past that everything is read anew."""


@dataclass(slots=True)
class Held:
    """An invited point: where it stands (None before it has said anything that counts)."""

    standing: Standing | None
    newest: datetime | None
    """The newest observation that its time line has, whether or not it had an effect."""


@dataclass(slots=True)
class _Meeting:
    revision: int
    points: dict[int, Held] = field(default_factory=dict)


class Memory:
    """Of one writer, which must `forget` when a batch was not committed."""

    def __init__(self) -> None:
        self._meetings: OrderedDict[int, _Meeting] = OrderedDict()
        self.latest: datetime | None = None
        """The newest instant that the logs of the last batch had come to."""

    def forget(self) -> None:
        self._meetings.clear()

    def catch_up(self, connection: Connection, heads: dict[int, int]) -> None:
        """Bring what is kept of these meetings to the revisions that their locked counters show."""
        for meeting_id, revision in heads.items():
            known = self._meetings.setdefault(meeting_id, _Meeting(revision))
            self._meetings.move_to_end(meeting_id)
            if known.revision != revision:
                _leave_out_changed(connection, meeting_id, known, revision)
        while len(self._meetings) > max(MOST_MEETINGS, len(heads)):
            self._meetings.popitem(last=False)

    def points_of(self, connection: Connection, keys: Collection[Key]) -> dict[Key, Held]:
        """The invited ones of these points; what was not known is read in one statement."""
        unknown = [key for key in keys if key[1] not in self._meetings[key[0]].points]
        if unknown:
            self._read(connection, unknown)
        found: dict[Key, Held] = {}
        for key in keys:
            held = self._meetings[key[0]].points.get(key[1])
            if held is not None:
                found[key] = held
        return found

    def keep(self, heads: dict[int, int]) -> None:
        """The revisions at which a batch leaves its meetings; its states were changed in place."""
        for meeting_id, revision in heads.items():
            self._meetings[meeting_id].revision = revision

    def _read(self, connection: Connection, keys: Iterable[Key]) -> None:
        asked = sorted(keys)
        rows: Iterable[Any] = connection.execute(
            _POINTS,
            {
                "meetings": sorted({meeting_id for meeting_id, _ in asked}),
                "points": sorted({point_id for _, point_id in asked}),
            },
        )
        for row in rows:
            # Of two meetings in one batch points may be read that are known already, and have moved.
            self._meetings[row[0]].points.setdefault(
                row[1], Held(None if row[3] is None else Standing(*row[3:]), row[2])
            )


def read_lines(connection: Connection, keys: Collection[Key]) -> dict[Key, list[Standing]]:
    """The whole time lines of points; empty ones too."""
    lines: dict[Key, list[Standing]] = defaultdict(list)
    table = AttendanceEntry
    rows: Iterable[Any] = connection.execute(
        select(
            table.meeting_id,
            table.point_id,
            table.state,
            table.headcount,
            table.head_of_delegation,
            table.note,
            table.observed_at,
            table.revision,
            table.source,
            table.device_at,
        )
        .where(tuple_(table.meeting_id, table.point_id).in_(sorted(keys)))
        .order_by(table.observed_at, table.revision)
    )
    for row in rows:
        lines[row[0], row[1]].append(as_row(*row[2:]))
    return {key: lines[key] for key in keys}


def _leave_out_changed(
    connection: Connection, meeting_id: int, known: _Meeting, revision: int
) -> None:
    entry = AttendanceEntry
    changed = connection.scalars(
        select(entry.point_id)
        .where(entry.meeting_id == meeting_id, entry.revision > known.revision)
        .order_by(entry.revision)
        .limit(MOST_CHANGED)
    ).all()
    if known.revision > revision or len(changed) == MOST_CHANGED or None in changed:
        # The meeting itself changed: who is invited may be others.
        known.points.clear()
    else:
        for point_id in changed:
            known.points.pop(point_id or 0, None)
    known.revision = revision


_POINTS = (
    select(
        Participation.meeting_id,
        Participation.point_id,
        select(func.max(AttendanceEntry.observed_at))
        .where(
            AttendanceEntry.meeting_id == Participation.meeting_id,
            AttendanceEntry.point_id == Participation.point_id,
        )
        .correlate(Participation)
        .scalar_subquery(),
        PointState.state,
        PointState.since,
        PointState.headcount,
        PointState.head_of_delegation,
        PointState.note,
        PointState.observed_at,
        PointState.first_present_at,
        PointState.revision,
        PointState.source,
        PointState.device_at,
    )
    .outerjoin(PointState, state_of_invitation())
    .where(
        Participation.meeting_id.in_(bindparam("meetings", expanding=True)),
        Participation.point_id.in_(bindparam("points", expanding=True)),
        standing_invitation(),
    )
)
