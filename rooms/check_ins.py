"""Recording check-ins: a whole batch in one transaction, in a constant number of statements.

One writer takes what waits and commits it together (group commit); an ORM session for each check-in
would cost forty times as much. The batch locks the counters of its meetings in ascending id, reads
what it needs, decides each check-in, and writes rows, states and counters.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, select, tuple_, update

from rooms.attendance import (
    CLOCK_TOLERANCE,
    LARGEST_HEADCOUNT,
    REPORTABLE,
    AttendanceEntry,
    CheckIn,
    CheckInNotOpen,
    MeetingClosed,
    PointState,
    Standing,
    as_row,
    check_in_opens_at,
    entry_row,
    fold,
    follow,
    locked_heads,
    raise_head,
    standing_invitation,
)
from rooms.bridge_points import UnknownPoint
from rooms.kernel import DomainError, FieldInvalid, bounded_text
from rooms.meetings import AWAITED, Meeting, MeetingState, Participation, UnknownMeeting


def record_check_in(connection: Connection, check_in: CheckIn, now: datetime) -> int:
    """One check-in; see `record_check_ins`. Raises what that returns."""
    outcome = record_check_ins(connection, [check_in], now)[0]
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def record_check_ins(
    connection: Connection, check_ins: Sequence[CheckIn], now: datetime
) -> list[int | DomainError]:
    """Write a batch in the caller's transaction, in order: about 8 statements whatever its size.

    Gives for each the revision that holds it, or why it was refused: `UnknownMeeting`,
    `UnknownPoint`, `CheckInNotOpen`, `MeetingClosed`, `FieldInvalid`. What says nothing new gets
    the revision of what it repeats. Rights are the caller's to check (`require_check_in`).
    """
    batch = _Batch(connection, check_ins, now)
    outcomes = [batch.take(check_in) for check_in in check_ins]
    batch.write()
    return outcomes


_Key = tuple[int, int]


@dataclass
class _Batch:
    """What a batch needs to know, read in a constant number of statements, and what it writes."""

    connection: Connection
    check_ins: Sequence[CheckIn]
    now: datetime
    heads: dict[int, int] = field(init=False)
    fresh: dict[_Key, Standing] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        meetings = {check_in.meeting_id for check_in in self.check_ins}
        # The lock comes first: whatever is read after it cannot change until the commit.
        self.heads = locked_heads(self.connection, meetings)
        self.read_heads = dict(self.heads)
        self.meetings = {
            row.id: row
            for row in self.connection.execute(
                select(
                    Meeting.id,
                    Meeting.state,
                    Meeting.starts_at,
                    Meeting.setup_minutes,
                    Meeting.started_at,
                ).where(Meeting.id.in_(meetings))
            )
        }
        self.stored: dict[_Key, Standing | None] = {
            (row[0], row[1]): _standing(row[2:])
            for row in self.connection.execute(
                _STANDINGS,
                {
                    "meetings": sorted(meetings),
                    "points": sorted({check_in.point_id for check_in in self.check_ins}),
                },
            )
        }
        self.lines = self._read_lines()

    def _read_lines(self) -> dict[_Key, list[Standing]]:
        """The whole time lines of those points for which something comes out of order."""
        newest = {key: held.observed_at for key, held in self.stored.items() if held}
        behind: set[_Key] = set()
        for check_in in self.check_ins:
            key = (check_in.meeting_id, check_in.point_id)
            observed = self._observed(check_in)
            if key in newest and observed < newest[key]:
                behind.add(key)
            newest[key] = max(newest.get(key, observed), observed)
        if not behind:
            return {}
        lines: dict[_Key, list[Standing]] = defaultdict(list)
        table = AttendanceEntry
        for row in self.connection.execute(
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
            .where(tuple_(table.meeting_id, table.point_id).in_(sorted(behind)))
            .order_by(table.observed_at, table.revision)
        ):
            lines[row[0], row[1]].append(as_row(*row[2:]))  # type: ignore[index]  # only rows of points were asked for
        return {key: lines[key] for key in behind}

    def _observed(self, check_in: CheckIn) -> datetime:
        return min(check_in.observed_at or self.now, self.now)

    def take(self, check_in: CheckIn) -> int | DomainError:
        """The revision of one check-in, or its refusal."""
        try:
            return self._take(check_in)
        except DomainError as refusal:
            return refusal

    def _take(self, check_in: CheckIn) -> int:
        key = (check_in.meeting_id, check_in.point_id)
        self._require_open(check_in)
        if key not in self.stored:
            raise UnknownPoint(check_in.point_id)
        observed = self._observed(check_in)
        line = self.lines.get(key)
        if line is None:
            in_effect = self.fresh.get(key) or self.stored[key]
        else:
            place = bisect_right(line, observed, key=lambda row: row.observed_at)
            in_effect = line[place - 1] if place else None
        row = _said(check_in, in_effect, observed)
        if in_effect is not None and in_effect.says(row):
            return in_effect.revision
        row.revision = self.heads[check_in.meeting_id] = self.heads[check_in.meeting_id] + 1
        self.entries.append(
            entry_row(
                check_in.meeting_id,
                row.revision,
                check_in.point_id,
                row.state,
                observed,
                self.now,
                headcount=row.headcount,
                head_of_delegation=row.head_of_delegation,
                note=row.note,
                recorded_by=check_in.recorded_by,
                on_behalf_of_id=check_in.on_behalf_of_id,
                device_id=check_in.device_id,
                address=check_in.address,
                source=check_in.source.value,
            )
        )
        self._follow(key, row, line)
        return row.revision

    def _follow(self, key: _Key, row: Standing, line: list[Standing] | None) -> None:
        if line is None:
            standing = follow(self.fresh.get(key) or self.stored[key], row)
        else:
            line.insert(bisect_right(line, row.observed_at, key=lambda r: r.observed_at), row)
            # Folding changes the rows it is given; the line keeps what was said.
            folded = fold(as_row(*_facts(said)) for said in line)
            if folded is None:  # pragma: no cover -- the line has at least the row just put in
                raise AssertionError(key)
            standing = folded
        self.fresh[key] = standing

    def _require_open(self, check_in: CheckIn) -> None:
        meeting = self.meetings.get(check_in.meeting_id)
        if meeting is None:
            raise UnknownMeeting(check_in.meeting_id)
        opens_at = check_in_opens_at(meeting.starts_at, meeting.setup_minutes)
        if meeting.state == MeetingState.DRAFT.value:
            raise CheckInNotOpen(opens_at)
        if meeting.state not in AWAITED:
            raise MeetingClosed(meeting.state)
        # A meeting may be opened earlier than planned; then check-in is open too.
        started_at: datetime | None = meeting.started_at
        earliest = min(opens_at, started_at) if started_at else opens_at
        if self._observed(check_in) < earliest:
            raise CheckInNotOpen(opens_at)
        if check_in.observed_at is not None and check_in.observed_at > self.now + CLOCK_TOLERANCE:
            raise FieldInvalid("observed_at", "in_the_future")

    def write(self) -> None:
        """Append the rows, bring the states up to date, raise the counters."""
        if not self.entries:
            return
        self.connection.execute(insert(AttendanceEntry), self.entries)
        new, known = [], []
        for (meeting_id, point_id), standing in self.fresh.items():
            columns = {name: getattr(standing, name) for name in Standing.__slots__}
            if self.stored[meeting_id, point_id] is None:
                new.append({"meeting_id": meeting_id, "point_id": point_id} | columns)
            else:
                known.append({"of_meeting": meeting_id, "of_point": point_id} | columns)
        if new:
            self.connection.execute(insert(PointState), new)
        if known:
            self.connection.execute(_UPDATE_STATE, known)
        raised = [
            {"of_meeting": meeting_id, "to": revision}
            for meeting_id, revision in self.heads.items()
            if revision != self.read_heads[meeting_id]
        ]
        self.connection.execute(raise_head(), raised)


_STANDINGS = (
    select(
        Participation.meeting_id,
        Participation.point_id,
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
    .outerjoin(
        PointState,
        and_(
            PointState.meeting_id == Participation.meeting_id,
            PointState.point_id == Participation.point_id,
        ),
    )
    .where(
        Participation.meeting_id.in_(bindparam("meetings", expanding=True)),
        Participation.point_id.in_(bindparam("points", expanding=True)),
        standing_invitation(),
    )
)

_UPDATE_STATE = (
    update(PointState)
    .where(
        PointState.meeting_id == bindparam("of_meeting"),
        PointState.point_id == bindparam("of_point"),
    )
    .values({name: bindparam(name) for name in Standing.__slots__})
)


def _standing(columns: Sequence[Any]) -> Standing | None:
    """The columns of `_STANDINGS` past its keys; all None where the point has said nothing yet."""
    return None if columns[0] is None else Standing(*columns)


def _said(check_in: CheckIn, in_effect: Standing | None, observed: datetime) -> Standing:
    if check_in.state not in {state.value for state in REPORTABLE}:
        raise FieldInvalid("state", "unknown", check_in.state[:40])
    headcount = check_in.headcount
    if headcount is not None and not 0 <= headcount <= LARGEST_HEADCOUNT:
        raise FieldInvalid("headcount", "out_of_range", f"0–{LARGEST_HEADCOUNT}")
    head, note = check_in.head_of_delegation, check_in.note
    if in_effect is not None:
        headcount = in_effect.headcount if headcount is None else headcount
        head = in_effect.head_of_delegation if head is None else head
        if note is None and in_effect.state == check_in.state:
            note = in_effect.note
    return as_row(
        str(check_in.state),
        headcount,
        bounded_text("head_of_delegation", head, 120),
        bounded_text("note", note, 500),
        observed,
        0,
        check_in.source.value,
    )


_Facts = tuple[str, int | None, str, str, datetime, int, str, datetime | None]


def _facts(row: Standing) -> _Facts:
    return (
        row.state,
        row.headcount,
        row.head_of_delegation,
        row.note,
        row.observed_at,
        row.revision,
        row.source,
        row.device_at,
    )
