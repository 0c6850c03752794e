"""Recording check-ins: a whole batch in one transaction, in few statements.

One writer takes what waits and commits it together (group commit); an ORM session for each check-in
would cost forty times as much. The batch locks the counters of its meetings in ascending id, reads
what it does not know yet, decides each check-in, and writes rows, states and counters.

Nothing is written twice: what says nothing new gets the revision of what it repeats. A check-in that
bears the instant at which it was observed is known again at any later time, whatever came between:
by its point, that instant, and that it says nothing else.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from rooms.attendance import (
    CLOCK_TOLERANCE,
    LARGEST_HEADCOUNT,
    RAISE_HEAD,
    REPORTABLE,
    AttendanceEntry,
    AttendanceHead,
    CheckIn,
    CheckInNotOpen,
    MeetingClosed,
    PointState,
    Source,
    check_in_opens_at,
    locked_heads,
)
from rooms.bridge_points import UnknownPoint
from rooms.help_book import HelpBook, require_trouble
from rooms.kernel import DomainError, FieldInvalid, bounded_text
from rooms.known_states import Held, Key, Memory, read_lines
from rooms.meetings import AWAITED, Meeting, MeetingState, UnknownMeeting
from rooms.merging import takes_effect
from rooms.row_writing import RowWriter, instants_for
from rooms.standings import Standing, as_row, fold, follow


def record_check_in(connection: Connection, check_in: CheckIn, now: datetime) -> int:
    """One check-in; see `record_check_ins`. Raises what that returns."""
    outcome = record_check_ins(connection, [check_in], now)[0]
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def record_check_ins(
    connection: Connection,
    check_ins: Sequence[CheckIn],
    now: datetime,
    memory: Memory | None = None,
) -> list[int | DomainError]:
    """Write a batch in the caller's transaction, in order: about 8 statements, 40 for a thousand.

    Gives for each the revision that holds it, or why it was refused: `UnknownMeeting`,
    `UnknownPoint`, `CheckInNotOpen`, `MeetingClosed`, `FieldInvalid`. Rights are the caller's to
    check (`require_check_in`). `memory` is the writer's own; it has to `forget` where the
    transaction fails. Where the clock has been set back, the log's own time goes on: nothing is
    recorded before what was recorded already.
    """
    batch = _Batch(connection, check_ins, now, memory or Memory())
    outcomes = [batch.take(check_in) for check_in in check_ins]
    batch.write()
    return outcomes


@dataclass
class _Batch:
    """What a batch needs to know, read in a constant number of statements, and what it writes."""

    connection: Connection
    check_ins: Sequence[CheckIn]
    now: datetime
    memory: Memory
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    touched: dict[Key, Standing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        meetings = {check_in.meeting_id for check_in in self.check_ins}
        # The lock comes first: whatever is read after it cannot change until the commit.
        self.heads = locked_heads(self.connection, meetings)
        self.read_heads = dict(self.heads)
        self.meetings = {row.id: _Facts.of(row, self.now) for row in self._read_meetings()}
        self.memory.latest = max((m.now for m in self.meetings.values()), default=None)
        self.memory.catch_up(self.connection, self.heads)
        keys = {(c.meeting_id, c.point_id) for c in self.check_ins if c.meeting_id in self.heads}
        self.points = self.memory.points_of(self.connection, keys)
        self.instant = instants_for(self.connection.dialect)
        self.help = HelpBook(self.connection)
        self.lines = self._read_lines()

    def _read_meetings(self) -> Sequence[Any]:
        return self.connection.execute(_MEETINGS, {"meetings": sorted(self.heads)}).all()

    def _read_lines(self) -> dict[Key, list[Standing]]:
        """The whole time lines of those points for which order or repetition has to be looked at."""
        newest: dict[Key, datetime | None] = {}
        wanted: set[Key] = set()
        for check_in in self.check_ins:
            key = check_in.meeting_id, check_in.point_id
            held = self.points.get(key)
            if held is None:
                continue
            said_at = check_in.observed_at
            if said_at is None:
                # Said now: newer than all that was recorded.
                newest[key] = self.meetings[key[0]].now
            else:
                last = newest.get(key, held.newest)
                claimed = held.standing.device_at if held.standing else None
                if (last and said_at <= last) or (claimed and said_at <= claimed):
                    wanted.add(key)
                newest[key] = max(last, said_at) if last else said_at
            if check_in.source is Source.VIDEO:
                wanted.add(key)
        return read_lines(self.connection, wanted) if wanted else {}

    def take(self, check_in: CheckIn) -> int | DomainError:
        """The revision of one check-in, or its refusal."""
        try:
            return self._take(check_in)
        except DomainError as refusal:
            return refusal

    def _take(self, check_in: CheckIn) -> int:
        key = check_in.meeting_id, check_in.point_id
        meeting = self.meetings.get(check_in.meeting_id)
        if meeting is None:
            raise UnknownMeeting(check_in.meeting_id)
        line = self.lines.get(key)
        if line is not None and check_in.observed_at is not None:
            repeated = _repeated(line, check_in)
            if repeated is not None:
                # Said before, and sent again because the answer was lost: also when it is over now.
                return repeated.revision
        observed = check_in.observed_at
        if observed is None or observed > meeting.now:
            observed = meeting.now
        meeting.require_open(check_in, observed)
        held = self.points.get(key)
        if held is None:
            raise UnknownPoint(check_in.point_id)
        require_trouble(check_in)
        before = held.standing
        earlier = None if line is None else line[: bisect_right(line, observed, key=_observed_at)]
        in_effect = before if earlier is None else _folded(earlier)
        row = _said(check_in, in_effect, observed)
        known = None if _is_event(check_in) else _says_nothing_new(row, in_effect, earlier)
        if known is not None:
            self.help.note(before.state if before else None, before, check_in, observed)
            return known.revision
        revision = row.revision = self.heads[check_in.meeting_id] + 1
        self.heads[check_in.meeting_id] = revision
        if check_in.observed_at is not None and check_in.observed_at > observed:
            row.device_at = check_in.observed_at
        self.entries.append(self._entry(check_in, row, meeting.now))
        state_before = before.state if before else None
        after = _placed(held, line, row)
        held.standing = after
        held.newest = max(held.newest, observed) if held.newest else observed
        if after is not None:
            self.touched[key] = after
        self.help.note(state_before, after, check_in, observed)
        return revision

    def _entry(self, check_in: CheckIn, row: Standing, now: datetime) -> tuple[Any, ...]:
        instant = self.instant
        return (
            check_in.meeting_id,
            row.revision,
            check_in.point_id,
            row.state,
            row.headcount,
            row.head_of_delegation,
            row.note,
            instant(row.observed_at),
            instant(row.device_at),
            instant(now),
            check_in.recorded_by,
            check_in.on_behalf_of_id,
            check_in.device_id,
            check_in.address,
            check_in.source.value,
        )

    def write(self) -> None:
        """Append the rows, bring the states up to date, raise the counters."""
        if self.entries:
            _ENTRIES.write(self.connection, self.entries)
            _STATES.write(self.connection, [self._state(*held) for held in self.touched.items()])
            raised = [
                {"of_meeting": meeting_id, "to": revision}
                for meeting_id, revision in self.heads.items()
                if revision != self.read_heads[meeting_id]
            ]
            self.connection.execute(RAISE_HEAD, raised)
            self.memory.keep(self.heads)
        self.help.write()

    def _state(self, key: Key, standing: Standing) -> tuple[Any, ...]:
        instant = self.instant
        return (
            *key,
            standing.state,
            instant(standing.since),
            standing.headcount,
            standing.head_of_delegation,
            standing.note,
            instant(standing.observed_at),
            instant(standing.first_present_at),
            standing.revision,
            standing.source,
            instant(standing.device_at),
        )


_ENTRIES = RowWriter(
    AttendanceEntry,
    (
        "meeting_id",
        "revision",
        "point_id",
        "state",
        "headcount",
        "head_of_delegation",
        "note",
        "observed_at",
        "device_at",
        "recorded_at",
        "recorded_by",
        "on_behalf_of_id",
        "device_id",
        "address",
        "source",
    ),
)
_STATES = RowWriter(
    PointState,
    ("meeting_id", "point_id", *Standing.__slots__),
    replacing=("meeting_id", "point_id"),
)


# Made once: to put such a statement together costs more than to run it.
_MEETINGS = (
    select(
        Meeting.id,
        Meeting.state,
        Meeting.starts_at,
        Meeting.setup_minutes,
        Meeting.started_at,
        AttendanceEntry.recorded_at,
    )
    .outerjoin(AttendanceHead, AttendanceHead.meeting_id == Meeting.id)
    .outerjoin(
        AttendanceEntry,
        and_(
            AttendanceEntry.meeting_id == Meeting.id,
            AttendanceEntry.revision == AttendanceHead.revision,
        ),
    )
    .where(Meeting.id.in_(bindparam("meetings", expanding=True)))
)


@dataclass(slots=True)
class _Facts:
    """Of a meeting what decides whether it takes check-ins."""

    state: str
    opens_at: datetime
    earliest: datetime
    now: datetime
    """By the clock of its log, which never goes back."""

    @classmethod
    def of(cls, row: Any, now: datetime) -> "_Facts":
        opens_at = check_in_opens_at(row.starts_at, row.setup_minutes)
        # A meeting may be opened earlier than planned; then check-in is open too.
        earliest = min(opens_at, row.started_at) if row.started_at else opens_at
        return cls(row.state, opens_at, earliest, max(now, row.recorded_at or now))

    def require_open(self, check_in: CheckIn, observed: datetime) -> None:
        if self.state == MeetingState.DRAFT.value:
            raise CheckInNotOpen(self.opens_at)
        if self.state not in AWAITED:
            raise MeetingClosed(self.state)
        if observed < self.earliest:
            raise CheckInNotOpen(self.opens_at)
        if check_in.observed_at is not None and check_in.observed_at > self.now + CLOCK_TOLERANCE:
            raise FieldInvalid("observed_at", "in_the_future")


def _repeated(line: list[Standing], check_in: CheckIn) -> Standing | None:
    """The row of a time line that holds this very check-in."""
    for row in line:
        if (
            (row.device_at or row.observed_at) == check_in.observed_at
            and row.state == check_in.state
            and (row.source == _VIDEO) == (check_in.source is Source.VIDEO)
            and check_in.headcount in {None, row.headcount}
            and _same_text(check_in.head_of_delegation, row.head_of_delegation)
            and _same_text(check_in.note, row.note)
        ):
            return row
    return None


def _is_event(check_in: CheckIn) -> bool:
    """Whether the video system tells when it was.

    What has no effect now may get one, or give one, by what comes later and was before it. Events come
    once each, so that they are all written down.
    """
    return check_in.source is Source.VIDEO and check_in.observed_at is not None


def _same_text(said: str | None, written: str) -> bool:
    return said is None or said.strip() == written


def _says_nothing_new(
    row: Standing, in_effect: Standing | None, earlier: list[Standing] | None
) -> Standing | None:
    """What it repeats; None where it has to be written down.

    A person who says what so far only the video system said confirms it. What the video system says
    against people's word has no effect, and is written down once, not every time that it is said.
    """
    if row.source != _VIDEO:
        confirmed = in_effect is not None and in_effect.source != _VIDEO and in_effect.says(row)
        return in_effect if confirmed else None
    if takes_effect(in_effect.state if in_effect else None, row.state, row.source):
        return None
    last = next((said for said in reversed(earlier or ()) if said.source == _VIDEO), None)
    return last if last is not None and last.state == row.state else None


def _placed(held: Held, line: list[Standing] | None, row: Standing) -> Standing | None:
    """The state of a point once a row is put into its time line."""
    if line is None:
        return follow(held.standing, row)
    line.insert(bisect_right(line, row.observed_at, key=_observed_at), row)
    return _folded(line)


def _folded(line: list[Standing]) -> Standing | None:
    # Folding changes the rows it is given; the line keeps what was said.
    return fold(as_row(*_facts(said)) for said in line)


def _observed_at(row: Standing) -> datetime:
    return row.observed_at


_VIDEO = Source.VIDEO.value
_REPORTABLE = frozenset(state.value for state in REPORTABLE)


def _said(check_in: CheckIn, in_effect: Standing | None, observed: datetime) -> Standing:
    if check_in.state not in _REPORTABLE:
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
        bounded_text("head_of_delegation", head, 120) if head else "",
        bounded_text("note", note, 500) if note else "",
        observed,
        0,
        check_in.source.value,
    )


def _facts(row: Standing) -> tuple[Any, ...]:
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
