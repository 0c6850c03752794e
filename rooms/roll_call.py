"""Who was there and who was not, for the minutes; and who says nothing, for the reminders."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session, aliased

from rooms.attendance import PointState, Presence, start_of
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit, UnitAncestry, valid_on
from rooms.meetings import Meeting, Participation, Reply, UnknownMeeting, invited
from rooms.presence import Span, presence_spans, time_lines
from rooms.technicians import NAME_TO_CALL, PHONE_TO_CALL


@dataclass(frozen=True, slots=True)
class PresentUnit:
    """A unit that took part with a point."""

    unit_id: int
    unit_code: str
    unit_name: str
    level: str
    point_id: int
    point_name: str
    is_main: bool
    spans: list[Span]
    """From when until when, in order; the last is open (None) while the point is still present."""
    headcount: int | None
    """The last number reported."""
    head_of_delegation: str
    """As checked in; else the delegate named in the reply; else empty."""
    late: bool
    is_substitute: bool

    @property
    def present_from(self) -> datetime:
        return self.spans[0][0]


@dataclass(frozen=True, slots=True)
class AbsentUnit:
    """A unit that was invited and never present with this point."""

    unit_id: int
    unit_code: str
    unit_name: str
    level: str
    point_id: int
    point_name: str
    reply: str
    """`pending`, `accepted` or `declined`."""
    reason: str
    """What it gave as the reason for declining."""
    last_state: str
    """`invited` where it said nothing; else for example `ready` or `lost`."""


@dataclass(frozen=True, slots=True)
class RollCall:
    """Both lists are in the order of the tree."""

    present: list[PresentUnit] = field(default_factory=list)
    absent: list[AbsentUnit] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SilentPoint:
    """An invited point that has not said anything yet, and whom to ask."""

    participation_id: int
    point_id: int
    point_name: str
    technician_name: str
    technician_phone: str
    unit_id: int
    unit_name: str
    unit_email: str | None
    parent_id: int | None
    parent_name: str | None
    parent_email: str | None


def present_and_absent(session: Session, meeting_id: int) -> RollCall:
    """The roll of a meeting, from the log; three statements. Raises `UnknownMeeting`.

    What counts as present stands in `presence`.
    """
    meeting = session.get(Meeting, meeting_id)
    if meeting is None:
        raise UnknownMeeting(meeting_id)
    lines = time_lines(session, meeting_id)
    start = start_of(meeting.starts_at, meeting.started_at)
    roll = RollCall()
    for participation, unit, point in session.execute(
        select(Participation, Unit, BridgePoint)
        .join(Unit, Unit.id == Participation.unit_id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .where(invited(meeting_id), Participation.invited_at.is_not(None))
        .order_by(Participation.is_main.desc(), Unit.position, Unit.id, BridgePoint.id)
    ):
        line = lines.get(point.id, [])
        spans = presence_spans(line, meeting.ended_at)
        who = (unit.id, unit.code, unit.name, unit.level, point.id, point.name)
        if not spans:
            last = line[-1].state if line else Presence.INVITED.value
            roll.absent.append(
                AbsentUnit(*who, participation.reply, participation.reply_reason, last)
            )
            continue
        told = line[-1]
        roll.present.append(
            PresentUnit(
                *who,
                participation.is_main,
                spans,
                told.headcount,
                told.head_of_delegation or participation.delegate_name,
                spans[0][0] > start,
                participation.is_substitute,
            )
        )
    return roll


def silent_points(
    session: Session, meeting_id: int, wanted: ColumnElement[bool] | None = None
) -> list[SilentPoint]:
    """The invited points that have said nothing, in the order of the tree; one statement.

    Those whose unit declined are not asked. The parent is that of the day of the meeting.
    `wanted`: another condition on `Participation` in place of this one. Raises `UnknownMeeting`.
    """
    meeting = session.get(Meeting, meeting_id)
    if meeting is None:
        raise UnknownMeeting(meeting_id)
    parent = aliased(Unit)
    rows = session.execute(
        select(
            Participation.id,
            BridgePoint.id,
            BridgePoint.name,
            NAME_TO_CALL,
            PHONE_TO_CALL,
            Unit.id,
            Unit.name,
            Unit.email,
            parent.id,
            parent.name,
            parent.email,
        )
        .join(Unit, Unit.id == Participation.unit_id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .outerjoin(
            UnitAncestry,
            and_(
                UnitAncestry.unit_id == Unit.id,
                UnitAncestry.depth == 1,
                valid_on(UnitAncestry, meeting.day),
            ),
        )
        .outerjoin(parent, parent.id == UnitAncestry.ancestor_id)
        .where(_silent(meeting_id) if wanted is None else wanted)
        .order_by(Unit.position, Unit.id, BridgePoint.id)
    )
    return [SilentPoint(*row) for row in rows]


def _silent(meeting_id: int) -> ColumnElement[bool]:
    said = select(PointState.point_id).where(PointState.meeting_id == meeting_id)
    return and_(
        invited(meeting_id),
        Participation.invited_at.is_not(None),
        Participation.reply != Reply.DECLINED.value,
        Participation.point_id.not_in(said),
    )
