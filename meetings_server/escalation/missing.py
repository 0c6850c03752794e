"""The list of the chair: which invited points are not there, whom to ring, and who came late.

Those who have said nothing come first. Whoever hosts or chairs sees all; others see the points of units
whose attendance they may read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from rooms.attendance import PointState, Presence, start_of
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit, UnitAncestry, valid_on
from rooms.meetings import Meeting, Participation, Reply, invited
from rooms.policies import Actor, Permission, governed, holds
from rooms.technicians import NAME_TO_CALL, PHONE_TO_CALL

MOST_ROWS = 300
"""Of each list; the board has them all."""

NOT_THERE = (Presence.READY.value, Presence.LOST.value, Presence.LEFT.value)
"""What a point may have said last and not be there."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A point that is not there. `state` is `invited` where it has said nothing."""

    point_id: int
    point: str
    unit: str
    level: str
    parent: str
    technician: str
    phone: str
    state: str
    since: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class LateComer:
    """A point that came after the start."""

    point_id: int
    point: str
    unit: str
    came_at: datetime
    late_by: timedelta
    state: str


@dataclass(frozen=True, slots=True)
class Excused:
    """A unit that has declined."""

    unit: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChairsList:
    """At most `MOST_ROWS` of each; the numbers are of all."""

    invited: int
    silent: int
    absent_count: int
    late_count: int
    absent: Sequence[Absent]
    late: Sequence[LateComer]
    excused: Sequence[Excused]
    sees_all: bool


def chairs_list(session: Session, actor: Actor, meeting: Meeting, on: date) -> ChairsList:
    """Who is not there now; five statements, any number of points."""
    sees_all = meeting.chair_id == actor.principal_id or holds(
        session, actor, Permission.ATTENDANCE_READ, meeting.host_unit_id, on
    )
    wanted = and_(
        invited(meeting.id),
        Participation.invited_at.is_not(None),
        # Where the chair sits, somebody looks at this list.
        ~and_(
            Participation.point_id == meeting.main_point_id,
            Participation.unit_id == meeting.host_unit_id,
        ),
        true()
        if sees_all
        else governed(actor, Permission.ATTENDANCE_READ, Participation.unit_id, on),
    )
    start = start_of(meeting.starts_at, meeting.started_at)
    is_late = PointState.first_present_at > start
    awaited = Participation.reply != Reply.DECLINED.value
    silent = and_(awaited, PointState.point_id.is_(None))
    absent = or_(silent, PointState.state.in_(NOT_THERE))
    counts = session.execute(
        _of(meeting, func.count(), _sum(silent), _sum(absent), _sum(is_late)).where(wanted)
    ).one()
    return ChairsList(
        invited=counts[0],
        silent=counts[1] or 0,
        absent_count=counts[2] or 0,
        late_count=counts[3] or 0,
        absent=_absent(session, meeting, and_(wanted, absent)),
        late=_late(session, meeting, and_(wanted, is_late), start),
        excused=[
            Excused(*row)
            for row in session.execute(
                select(Unit.name, Participation.reply_reason)
                .join(Unit, Unit.id == Participation.unit_id)
                .where(wanted, ~awaited)
                .order_by(Unit.position, Unit.id)
                .limit(MOST_ROWS)
            )
        ],
        sees_all=sees_all,
    )


def _sum(wanted: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((wanted, 1), else_=0))


def _of(meeting: Meeting, *columns: Any) -> Select[Any]:
    return select(*columns).select_from(Participation).outerjoin(PointState, _state_of(meeting))


def _state_of(meeting: Meeting) -> ColumnElement[bool]:
    return and_(PointState.meeting_id == meeting.id, PointState.point_id == Participation.point_id)


def _absent(session: Session, meeting: Meeting, wanted: ColumnElement[bool]) -> list[Absent]:
    parent = aliased(Unit)
    columns: Any = (
        select(
            BridgePoint.id,
            BridgePoint.name,
            Unit.name,
            Unit.level,
            func.coalesce(parent.name, ""),
            NAME_TO_CALL,
            PHONE_TO_CALL,
            func.coalesce(PointState.state, Presence.INVITED.value),
            PointState.since,
            func.coalesce(PointState.note, ""),
        )
        .select_from(Participation)
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
        .outerjoin(PointState, _state_of(meeting))
        .where(wanted)
        .order_by(
            PointState.point_id.is_not(None),
            Participation.is_main.desc(),
            Unit.position,
            Unit.id,
            BridgePoint.id,
        )
        .limit(MOST_ROWS)
    )
    return [Absent(*row) for row in session.execute(columns)]


def _late(
    session: Session, meeting: Meeting, wanted: ColumnElement[bool], start: datetime
) -> list[LateComer]:
    rows = session.execute(
        select(
            BridgePoint.id,
            BridgePoint.name,
            Unit.name,
            PointState.first_present_at,
            PointState.state,
        )
        .select_from(Participation)
        .join(Unit, Unit.id == Participation.unit_id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .join(PointState, _state_of(meeting))
        .where(wanted)
        .order_by(PointState.first_present_at.desc(), Unit.position, BridgePoint.id)
        .limit(MOST_ROWS)
    )
    return [
        LateComer(point_id, point, unit, came_at, came_at - start, state)
        for point_id, point, unit, came_at, state in rows
        if came_at is not None
    ]
