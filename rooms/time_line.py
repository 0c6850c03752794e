"""The day of a meeting as a line: counts at many instants, and what each point said from when to when.

Everything follows from the log in the order of observation, so a correction that came in later
stands where it belongs. At each instant the counts are those that `rollup.state_at` gives for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from rooms.attendance import (
    AttendanceEntry,
    Presence,
    check_in_opens_at,
    start_of,
)
from rooms.meetings import Meeting, Participation
from rooms.merging import effective, takes_effect
from rooms.presence import attends
from rooms.rollup import Scope, lies_within

MOST_STEPS = 1000
"""More instants than a screen has columns."""


@dataclass(frozen=True, slots=True)
class CountsAt:
    """Points by shown state at an instant. `present` includes the `late` ones, as in `Counts`.

    `attending`: points that are there by the rule of `presence`, which those who ask for help still
    are; quorums go by it.
    """

    at: datetime
    invited: int
    present: int
    late: int
    lost: int
    needs_help: int
    left: int
    attending: int


@dataclass(frozen=True, slots=True)
class StateSpan:
    """What was said of a point, from `since` until the next word that counted (None: it still holds).

    `recorded_at` tells when the server learned of it, which may be long after. Where the video system
    said it against a person's word it does not count, and `until` is `since`.
    """

    state: str
    since: datetime
    until: datetime | None
    source: str
    recorded_at: datetime
    recorded_by: int | None
    headcount: int | None
    head_of_delegation: str
    note: str
    revision: int
    counts: bool


def day_of(meeting: Meeting, now: datetime) -> tuple[datetime, datetime]:
    """The instants between which a meeting's day is told: from the opening of the check-in to the end.

    Until `now` while it has not ended, but no longer than its points were held.
    """
    since = check_in_opens_at(meeting.starts_at, meeting.setup_minutes)
    if meeting.started_at:
        since = min(since, meeting.started_at)
    until = meeting.ended_at or min(now, meeting.held_until)
    return since, max(since, until)


def counts_over(
    session: Session,
    meeting: Meeting,
    scope: Scope | None = None,
    *,
    since: datetime,
    until: datetime,
    steps: int = 240,
) -> list[CountsAt]:
    """The counts of a scope at `steps + 1` instants at equal distances, `since` and `until` among them.

    One instant where both are the same. Two statements, and one walk over the log.
    """
    if until < since or not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"{steps} steps from {since} until {until}")
    length = until - since
    instants = [since + length * step / steps for step in range(steps + 1)] if length else [since]
    return counts_at(session, meeting, scope, instants)


def counts_at(
    session: Session, meeting: Meeting, scope: Scope | None, instants: list[datetime]
) -> list[CountsAt]:
    """The counts at instants, which are in order; two statements, and one walk over the log."""
    count = _Count(meeting.starts_at, meeting.started_at)
    last = instants[-1]
    comings: list[tuple[datetime, int, bool]] = []
    for point_id, invited_at, withdrawn_at in session.execute(
        select(Participation.point_id, Participation.invited_at, Participation.withdrawn_at).where(
            Participation.meeting_id == meeting.id,
            Participation.invited_at <= last,
            or_(
                Participation.withdrawn_at.is_(None),
                Participation.withdrawn_at > instants[0],
            ),
            lies_within(scope, meeting.day),
        )
    ):
        comings.append((invited_at, point_id, True))  # type: ignore[arg-type]  # asked for above
        if withdrawn_at is not None:
            comings.append((withdrawn_at, point_id, False))
    comings.sort()
    return list(_sample(count, iter(comings), _log(session, meeting.id, last), instants))


def _log(session: Session, meeting_id: int, last: datetime) -> Iterator[Any]:
    entry = AttendanceEntry
    return iter(
        session.execute(
            select(entry.observed_at, entry.point_id, entry.state, entry.source)
            .where(
                entry.meeting_id == meeting_id,
                entry.point_id.is_not(None),
                entry.observed_at <= last,
            )
            .order_by(entry.observed_at, entry.revision)
        )
    )


def _sample(
    count: "_Count",
    comings: Iterator[tuple[datetime, int, bool]],
    rows: Iterator[Any],
    instants: list[datetime],
) -> Iterator[CountsAt]:
    coming, row = next(comings, None), next(rows, None)
    for instant in instants:
        while coming is not None and coming[0] <= instant:
            count.come(coming[1], is_invited=coming[2])
            coming = next(comings, None)
        while row is not None and row[0] <= instant:
            count.say(row[1], row[2], row[3], row[0])
            row = next(rows, None)
        yield count.at(instant)


@dataclass
class _Point:
    """Where a point stands on the walk. Before it is invited, and after, it is not counted."""

    state: str = Presence.INVITED.value
    is_invited: bool = False
    is_attending: bool = False
    late_by_plan: bool = False
    """Its first presence came after the planned start."""
    late: bool = False
    """Its first presence came after the start."""
    first_present_at: datetime | None = None


@dataclass
class _Count:
    """Counts that follow the log row by row."""

    starts_at: datetime
    started_at: datetime | None
    invited: int = 0
    attending: int = 0
    late_by_plan: int = 0
    late: int = 0
    by_state: dict[str, int] = field(default_factory=lambda: dict.fromkeys(map(str, Presence), 0))
    points: dict[int, _Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start = start_of(self.starts_at, self.started_at)

    def say(self, point_id: int, state: str, source: str, observed_at: datetime) -> None:
        """A row of the log."""
        point = self.points.get(point_id)
        if point is None:
            point = self.points[point_id] = _Point()
        if not takes_effect(point.state, state, source):
            return
        if point.is_invited:
            self._put(point, -1)
        if state == Presence.PRESENT and point.first_present_at is None:
            point.first_present_at = observed_at
            point.late_by_plan = observed_at > self.starts_at
            point.late = observed_at > self.start
        point.is_attending = attends(point.is_attending, state)
        point.state = state
        if point.is_invited:
            self._put(point, 1)

    def come(self, point_id: int, *, is_invited: bool) -> None:
        """A point is invited, or its invitation is withdrawn."""
        point = self.points.setdefault(point_id, _Point())
        point.is_invited = is_invited
        by = 1 if is_invited else -1
        self.invited += by
        self._put(point, by)

    def _put(self, point: _Point, by: int) -> None:
        self.by_state[point.state] += by
        self.attending += by * point.is_attending
        if point.state == Presence.PRESENT:
            self.late_by_plan += by * point.late_by_plan
            self.late += by * point.late

    def at(self, instant: datetime) -> CountsAt:
        """Before a meeting is opened, whoever came after the planned start is shown as late."""
        opened = self.started_at is not None and self.started_at <= instant
        states = self.by_state
        return CountsAt(
            at=instant,
            invited=self.invited,
            present=states[Presence.PRESENT],
            late=self.late if opened else self.late_by_plan,
            lost=states[Presence.LOST],
            needs_help=states[Presence.NEEDS_HELP],
            left=states[Presence.LEFT],
            attending=self.attending,
        )


def line_of(session: Session, meeting_id: int, point_id: int) -> list[StateSpan]:
    """Everything a point has said, in the order of observation, each until the next; one statement.

    What was said twice, or corrected, stands there too: the log keeps it.
    """
    entry = AttendanceEntry
    rows = session.execute(
        select(
            entry.state,
            entry.observed_at,
            entry.source,
            entry.recorded_at,
            entry.recorded_by,
            entry.headcount,
            entry.head_of_delegation,
            entry.note,
            entry.revision,
        )
        .where(entry.meeting_id == meeting_id, entry.point_id == point_id)
        .order_by(entry.observed_at, entry.revision)
    ).all()
    counting = {row.revision for row in effective(rows)}
    spans: list[StateSpan] = []
    until: datetime | None = None
    for row in reversed(rows):
        counts = row.revision in counting
        spans.append(StateSpan(row[0], row[1], until if counts else row[1], *row[2:], counts))
        if counts:
            until = row[1]
    return spans[::-1]


def attending_at(session: Session, meeting: Meeting, at: datetime) -> frozenset[int]:
    """Ids of the points that were there at an instant, by the rule of `presence`; two statements.

    Of points that were invited then; nobody is there after the end.
    """
    if meeting.ended_at is not None and at >= meeting.ended_at:
        return frozenset()
    invited = frozenset(
        session.scalars(
            select(Participation.point_id).where(
                Participation.meeting_id == meeting.id,
                Participation.invited_at <= at,
                or_(Participation.withdrawn_at.is_(None), Participation.withdrawn_at > at),
            )
        )
    )
    points: dict[int, tuple[str | None, bool]] = {}
    for _, point_id, state, source in _log(session, meeting.id, at):
        before, there = points.get(point_id, (None, False))
        if takes_effect(before, state, source):
            points[point_id] = state, attends(there, state)
    return invited & {point_id for point_id, (_, there) in points.items() if there}
