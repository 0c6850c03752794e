"""At the door of a room: which meeting its point is in, or is next in."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from rooms.attendance import PointState
from rooms.bridge_points import IN_ORDER, BridgePoint, open_on
from rooms.duties import Duty, duty_of
from rooms.hierarchy import Unit, subtree_of
from rooms.meetings import AWAITED, Meeting, MeetingState, Participation, standing_invitation
from rooms.policies import Actor, Permission, governed

OVERRUN = timedelta(hours=12)
"""A running meeting counts so long after its planned end; then somebody forgot to close it."""
MOST_SHOWN = 3
MOST_DOORS = 2_000


def meetings_at_the_door(session: Session, point_id: int, now: datetime) -> list[Duty]:
    """The meetings that a point is in or comes to next, at most three, the earliest first."""
    rows = session.execute(
        select(Meeting, BridgePoint, Unit, PointState)
        .join(Participation, Participation.meeting_id == Meeting.id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .join(Unit, Unit.id == Participation.unit_id)
        .outerjoin(
            PointState,
            (PointState.meeting_id == Meeting.id) & (PointState.point_id == BridgePoint.id),
        )
        .where(
            Participation.point_id == point_id,
            standing_invitation(),
            Meeting.state.in_(AWAITED),
            Meeting.ends_at > now - OVERRUN,
            or_(Meeting.ends_at > now, Meeting.state == MeetingState.IN_PROGRESS.value),
        )
        .order_by(Meeting.starts_at, Meeting.id)
        .limit(MOST_SHOWN)
    )
    return [duty_of(meeting, point, unit, held, now) for meeting, point, unit, held in rows]


@dataclass(frozen=True, slots=True)
class Door:
    """What the sheet at a door names."""

    point_id: int
    point: str
    address: str
    unit: str


def doors_of_meeting(session: Session, actor: Actor, meeting_id: int, on: date) -> list[Door]:
    """The points that a meeting invites and the actor knows, the main point first.

    That the meeting may be seen is the caller's to check.
    """
    rows = session.execute(
        select(BridgePoint.id, BridgePoint.name, BridgePoint.address, Unit.name)
        .join(Participation, Participation.point_id == BridgePoint.id)
        .join(Unit, Unit.id == Participation.unit_id)
        .join(Meeting, Meeting.id == Participation.meeting_id)
        .where(
            Participation.meeting_id == meeting_id,
            standing_invitation(),
            or_(
                governed(actor, Permission.ATTENDANCE_READ, Participation.unit_id, on),
                governed(actor, Permission.ATTENDANCE_READ, Meeting.host_unit_id, on),
            ),
        )
        .order_by(Participation.is_main.desc(), Unit.position, Unit.id)
        .limit(MOST_DOORS)
    )
    return [Door(*row) for row in rows]


def doors_of(session: Session, actor: Actor, unit_id: int, on: date, *, below: bool) -> list[Door]:
    """The open points of a unit, or of all below it, that the actor knows, in the tree's order."""
    where = (
        BridgePoint.unit_id.in_(subtree_of(unit_id, on))
        if below
        else (BridgePoint.unit_id == unit_id)
    )
    rows = session.execute(
        select(BridgePoint.id, BridgePoint.name, BridgePoint.address, Unit.name)
        .join(Unit, Unit.id == BridgePoint.unit_id)
        .where(
            where,
            open_on(on),
            governed(actor, Permission.ATTENDANCE_READ, BridgePoint.unit_id, on),
        )
        .order_by(Unit.position, Unit.id, *IN_ORDER)
        .limit(MOST_DOORS)
    )
    return [Door(*row) for row in rows]
