"""How long each point was there of the time in which it was expected: lateness, losses, early leaving.

A point is expected from the start of the meeting (the planned one, or the opening where that was
later) until its end; one that was invited later, from then on. What counts as being there stands in
`presence`, so that minutes, board and reports cannot disagree. Of the expected time of a point that
took part

- `late` is what passed before it was there for the first time,
- `left_early` what passed after it had left (or fallen back to ready) and did not come again,
- `lost` all other time without it: lines cut, rooms left and entered again,
- and these three together are its lost time, the rest of the expected time it was there.

A point that never came has no lost time: it is absent, and absences are counted on their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.attendance import Presence, start_of
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit
from rooms.kernel import Conflict
from rooms.meetings import Meeting, MeetingState, Participation, Reply, invited
from rooms.presence import Span, presence_spans, time_lines
from rooms.rollup import Scope, lies_within

TOOK_PLACE = (
    MeetingState.IN_PROGRESS.value,
    MeetingState.ENDED.value,
    MeetingState.CONCLUDED.value,
)
"""States of meetings that have begun: only these have an attendance."""

CLOSED = (MeetingState.ENDED.value, MeetingState.CONCLUDED.value)
"""States of meetings whose attendance is complete."""

NOTHING = timedelta(0)


class Outcome(StrEnum):
    """What became of an invitation. `DECLINED` is absent with a reason given before."""

    PRESENT = "present"
    LATE = "late"
    ABSENT = "absent"
    DECLINED = "declined"


@dataclass
class NotHeld(Conflict):
    """The meeting has not begun (yet, or at all), so nobody was present or absent."""

    code: ClassVar[str] = "meeting_not_held"
    state: str


@dataclass(frozen=True, slots=True)
class Window:
    """In which points are expected, `[start, end)`; empty where a meeting ended before its start."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Held:
    """What of a point's time is told; see the module."""

    expected: timedelta
    late: timedelta
    lost: timedelta
    left_early: timedelta
    interruptions: int
    """How often it was away and came again, or was cut off until the end."""

    @property
    def missed(self) -> timedelta:
        return self.late + self.lost + self.left_early

    @property
    def attended(self) -> timedelta:
        return self.expected - self.missed


@dataclass(frozen=True, slots=True)
class PointAttendance:
    """An invited point in a meeting that has begun; `held` is None where it never came."""

    participation_id: int
    point_id: int
    point_name: str
    unit_id: int
    unit_code: str
    unit_name: str
    level: str
    is_main: bool
    outcome: Outcome
    is_substitute: bool
    spans: tuple[Span, ...]
    held: Held | None
    headcount: int | None
    """The last number reported."""
    head_of_delegation: str
    """As checked in; else the delegate named in the reply; else empty."""
    reason: str
    """Why it declined, as it said."""

    @property
    def came(self) -> bool:
        return self.held is not None

    @property
    def first_present_at(self) -> datetime | None:
        return self.spans[0][0] if self.spans else None


def window_of(meeting: Meeting, now: datetime) -> Window:
    """The time in which points are expected; raises `NotHeld`.

    A meeting that has not ended counts until now, one that nobody closed no longer than its points
    were held.
    """
    if meeting.state not in TOOK_PLACE:
        raise NotHeld(meeting.state)
    start = start_of(meeting.starts_at, meeting.started_at)
    end = meeting.ended_at or min(now, meeting.held_until)
    return Window(start, max(start, end))


def held_in(spans: Sequence[Span], window: Window, last_state: str) -> Held:
    """What the spans of a point come to in its window; `last_state` is what it said at the end."""
    end = window.end
    clipped = [
        (max(since, window.start), min(until or end, end))
        for since, until in spans
        if since < end and (until is None or until > window.start)
    ]
    inside = [(since, until) for since, until in clipped if since < until]
    went = last_state in {Presence.LEFT, Presence.READY}
    if not inside:
        # There before the window or after it only: away for all of it.
        came_before = bool(spans) and spans[0][0] < window.start
        away = window.length
        return Held(
            expected=away,
            late=NOTHING if came_before else away,
            lost=NOTHING if went or not came_before else away,
            left_early=away if went and came_before else NOTHING,
            interruptions=int(bool(away) and came_before and not went),
        )
    before, after = inside[0][0] - window.start, end - inside[-1][1]
    # Who was there before the start, and not at the start, was cut off rather than late.
    late = NOTHING if spans[0][0] < window.start else before
    gaps = [later[0] - earlier[1] for earlier, later in pairwise(inside)]
    cut = [before - late, *gaps, NOTHING if went else after]
    return Held(
        expected=window.length,
        late=late,
        lost=sum(cut, NOTHING),
        left_early=after if went else NOTHING,
        interruptions=sum(bool(gap) for gap in cut),
    )


def attendances(
    session: Session, meeting: Meeting, now: datetime, scope: Scope | None = None
) -> list[PointAttendance]:
    """Every standing invitation of a scope, from the log: the main point first, then by the tree.

    Two statements. Raises `NotHeld`.
    """
    window = window_of(meeting, now)
    lines = time_lines(session, meeting.id)
    start = window.start
    found = []
    rows: Iterable[Any] = session.execute(
        select(
            Participation.id,
            Participation.point_id,
            BridgePoint.name.label("point_name"),
            Participation.unit_id,
            Unit.code,
            Unit.name,
            Unit.level,
            Participation.is_main,
            Participation.is_substitute,
            Participation.reply,
            Participation.delegate_name,
            Participation.reply_reason,
            Participation.invited_at,
        )
        .join(Unit, Unit.id == Participation.unit_id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .where(
            invited(meeting.id),
            Participation.invited_at.is_not(None),
            lies_within(scope, meeting.day),
        )
        .order_by(
            Participation.is_main.desc(),
            Unit.position,
            Participation.unit_id,
            Participation.point_id,
        )
    )
    for row in rows:
        line = lines.get(row.point_id, [])
        spans = tuple(presence_spans(line, meeting.ended_at))
        expected = window
        if row.invited_at > start:
            expected = Window(min(row.invited_at, window.end), window.end)
        if spans:
            outcome = Outcome.LATE if spans[0][0] > start else Outcome.PRESENT
        else:
            declined = row.reply == Reply.DECLINED.value
            outcome = Outcome.DECLINED if declined else Outcome.ABSENT
        found.append(
            PointAttendance(
                row.id,
                row.point_id,
                row.point_name,
                row.unit_id,
                row.code,
                row.name,
                row.level,
                row.is_main,
                outcome,
                row.is_substitute,
                spans,
                held_in(spans, expected, line[-1].state) if spans else None,
                line[-1].headcount if spans else None,
                (line[-1].head_of_delegation or row.delegate_name) if spans else row.delegate_name,
                row.reply_reason,
            )
        )
    return found


@dataclass(slots=True)
class Tally:
    """Sums over invitations. `present` includes `late`; `absent` includes `declined`."""

    invited: int = 0
    present: int = 0
    late: int = 0
    absent: int = 0
    declined: int = 0
    substitutes: int = 0
    """Of those present, the ones for whom a substitute came."""
    people: int = 0
    interruptions: int = 0
    expected: timedelta = NOTHING
    """Of those present."""
    missed: timedelta = NOTHING

    @property
    def attendance_share(self) -> float | None:
        """Present of invited; None where nobody was invited."""
        return self.present / self.invited if self.invited else None

    @property
    def punctuality(self) -> float | None:
        """Of those who came, the share that was there at the start; None where nobody came."""
        return (self.present - self.late) / self.present if self.present else None

    def add(self, point: PointAttendance) -> None:
        self.invited += 1
        if point.held is None:
            self.absent += 1
            self.declined += point.outcome is Outcome.DECLINED
            return
        self.present += 1
        self.late += point.outcome is Outcome.LATE
        self.substitutes += point.is_substitute
        self.people += point.headcount or 0
        self.interruptions += point.held.interruptions
        self.expected += point.held.expected
        self.missed += point.held.missed


def tally(points: Iterable[PointAttendance]) -> Tally:
    total = Tally()
    for point in points:
        total.add(point)
    return total
