"""What an operator has to check in, and what a point has said so far."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.attendance import AttendanceEntry, PointState, Presence, check_in_opens_at, start_of
from rooms.booking import LONGEST_MEETING
from rooms.bridge_points import BridgePoint
from rooms.devices import KioskDevice
from rooms.folding import fold
from rooms.hierarchy import Unit
from rooms.kernel import CIVIL_ZONE, civil_day
from rooms.meetings import AWAITED, Meeting, MeetingState, Participation, standing_invitation
from rooms.merging import VIDEO, effective
from rooms.people import Person
from rooms.policies import Actor, Permission, governed
from rooms.rollup import shown_state

LOOK_AHEAD = timedelta(days=7)
LONGEST_LINE = 50


@dataclass(frozen=True, slots=True)
class Duty:
    """A meeting of a point that the person may check in, and where the point stands."""

    meeting: Meeting
    point: BridgePoint
    unit: Unit
    state: str
    since: datetime | None
    is_open: bool
    opens_at: datetime


def duties(session: Session, actor: Actor, now: datetime, most: int, words: str = "") -> list[Duty]:
    """What the actor may check in today and in the next days, own unit first; one statement.

    At most `most`; `words` narrow by the name of the unit.
    """
    today = civil_day(now)
    midnight = datetime.combine(today, datetime.min.time(), CIVIL_ZONE)
    near = select(Meeting.id).where(
        Meeting.state.in_(AWAITED),
        Meeting.ends_at > midnight,
        Meeting.starts_at.between(midnight - LONGEST_MEETING, now + LOOK_AHEAD),
    )
    query = (
        select(Meeting, BridgePoint, Unit, PointState)
        .join(Participation, Participation.meeting_id == Meeting.id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .join(Unit, Unit.id == Participation.unit_id)
        .outerjoin(
            PointState,
            (PointState.meeting_id == Meeting.id) & (PointState.point_id == BridgePoint.id),
        )
        .where(
            standing_invitation(),
            # Both columns of the index: not every invitation that hundreds of units ever got.
            Participation.meeting_id.in_(near),
            governed(actor, Permission.ATTENDANCE_WRITE, Participation.unit_id, today),
        )
        .order_by(Unit.id != actor.unit_id, Meeting.starts_at, Unit.position, BridgePoint.id)
        .limit(most)
    )
    if words:
        query = query.where(Unit.folded.contains(fold(words), autoescape=True))
    return [
        duty_of(meeting, point, unit, held, now)
        for meeting, point, unit, held in session.execute(query)
    ]


def duty_of(
    meeting: Meeting, point: BridgePoint, unit: Unit, held: PointState | None, now: datetime
) -> Duty:
    start = start_of(meeting.starts_at, meeting.started_at)
    opens_at = check_in_opens_at(meeting.starts_at, meeting.setup_minutes)
    return Duty(
        meeting,
        point,
        unit,
        shown_state(held.state, held.first_present_at, start)
        if held is not None
        else Presence.INVITED.value,
        held.since if held is not None else None,
        meeting.state == MeetingState.IN_PROGRESS.value
        or (meeting.state == MeetingState.SCHEDULED.value and now >= opens_at),
        opens_at,
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a point's time line."""

    state: str
    headcount: int | None
    head_of_delegation: str
    note: str
    observed_at: datetime
    recorded_at: datetime
    by: str | None
    device: str | None
    """The tablet at the door on which it was said."""
    source: str
    has_effect: bool = True
    """Whether it counts: what the video system says against people's word does not."""

    @property
    def by_video(self) -> bool:
        """Whether nobody said so: a line was opened or cut."""
        return self.source == VIDEO

    @property
    def came_later(self) -> bool:
        """Whether the report waited for the network before it reached the server."""
        return self.recorded_at - self.observed_at > timedelta(seconds=30)


def time_line(session: Session, meeting_id: int, point_id: int) -> list[Entry]:
    """What a point has said, the newest first."""
    entry = AttendanceEntry
    rows = session.execute(
        select(
            entry.state,
            entry.headcount,
            entry.head_of_delegation,
            entry.note,
            entry.observed_at,
            entry.recorded_at,
            Person.name,
            KioskDevice.name,
            entry.source,
        )
        .outerjoin(Person, Person.id == entry.recorded_by)
        .outerjoin(KioskDevice, KioskDevice.id == entry.device_id)
        .where(entry.meeting_id == meeting_id, entry.point_id == point_id)
        .order_by(entry.observed_at.desc(), entry.revision.desc())
        .limit(LONGEST_LINE)
    )
    line = [Entry(*row) for row in rows]
    counting = {id(one) for one in effective(reversed(line))}
    return [one if id(one) in counting else replace(one, has_effect=False) for one in line]
