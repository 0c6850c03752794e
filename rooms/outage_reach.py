"""What an outage reaches: the coming meetings that invite the point, and the rooms beside it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from rooms.booking import Occupancy
from rooms.bridge_points import IN_ORDER, BridgePoint, open_on
from rooms.hierarchy import Unit
from rooms.kernel import civil_day
from rooms.meetings import Meeting, MeetingState, Participation, visible
from rooms.outages import Outage, out_between
from rooms.policies import Actor

MOST_TOLD = 50
AHEAD = (
    MeetingState.DRAFT.value,
    MeetingState.SCHEDULED.value,
    MeetingState.IN_PROGRESS.value,
)


@dataclass(frozen=True, slots=True)
class Touched:
    """A coming meeting that invites the point. `title` is None where the actor may not see it."""

    meeting_id: int
    title: str | None
    host_unit: str
    starts_at: datetime
    ends_at: datetime
    is_main: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """Another point of the unit that is in service then, and in how many of the meetings it is taken."""

    point: BridgePoint
    taken: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What is lost while a point is out of service; `total` counts beyond the listed meetings."""

    meetings: list[Touched]
    total: int
    beside: list[Beside]


def reach_of(
    session: Session,
    actor: Actor,
    point: BridgePoint,
    starts_at: datetime,
    ends_at: datetime | None,
    now: datetime,
) -> Reach:
    """The coming meetings in `[starts_at, ends_at)` that invite the point; three statements."""
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.title,
            visible(actor, civil_day(now)),
            Unit.name,
            Meeting.starts_at,
            Meeting.ends_at,
            Participation.is_main,
            func.count().over(),
        )
        .join(Participation, Participation.meeting_id == Meeting.id)
        .join(Unit, Unit.id == Meeting.host_unit_id)
        .where(
            Participation.point_id == point.id,
            Participation.withdrawn_at.is_(None),
            Meeting.state.in_(AHEAD),
            Meeting.ends_at > max(starts_at, now),
            Meeting.starts_at < ends_at if ends_at is not None else literal(value=True),
        )
        .order_by(Meeting.starts_at, Meeting.id)
        .limit(MOST_TOLD)
    ).all()
    meetings = [
        Touched(meeting_id, title if seen else None, host, begins, ends, is_main)
        for meeting_id, title, seen, host, begins, ends, is_main, _total in rows
    ]
    beside = _beside(session, point, starts_at, ends_at)
    taken = _taken(session, point.id, [other.id for other in beside], meetings)
    return Reach(
        meetings,
        rows[0][-1] if rows else 0,
        [Beside(other, taken.get(other.id, 0)) for other in beside],
    )


def _beside(
    session: Session, point: BridgePoint, starts_at: datetime, ends_at: datetime | None
) -> list[BridgePoint]:
    """The unit's other points that are in service all the time."""
    out = select(Outage.point_id).where(out_between(starts_at, ends_at))
    return list(
        session.scalars(
            select(BridgePoint)
            .where(
                BridgePoint.unit_id == point.unit_id,
                BridgePoint.id != point.id,
                open_on(civil_day(starts_at)),
                BridgePoint.id.not_in(out),
            )
            .order_by(*IN_ORDER)
        )
    )


def _taken(
    session: Session, point_id: int, others: Collection[int], meetings: Collection[Touched]
) -> dict[int, int]:
    """In how many of the meetings each of the other points is held by another meeting."""
    if not others or not meetings:
        return {}
    own, other = aliased(Occupancy), aliased(Occupancy)
    return dict(
        session.execute(
            select(other.point_id, func.count(own.meeting_id.distinct()))
            .join(
                own,
                and_(
                    own.point_id == point_id,
                    own.meeting_id != other.meeting_id,
                    own.starts_at < other.ends_at,
                    own.ends_at > other.starts_at,
                ),
            )
            .where(
                own.meeting_id.in_([meeting.meeting_id for meeting in meetings]),
                other.point_id.in_(others),
            )
            .group_by(other.point_id)
        ).all()
    )


@dataclass(frozen=True, slots=True)
class Missing:
    """An invited point that cannot be used during the meeting, and why."""

    participation_id: int
    unit_id: int
    unit: str
    point_id: int
    point: str
    is_main: bool
    reason: str
    """Empty where the point is closed for good."""
    until: datetime | None
    closed_on: date | None
    instead: list[str]
    """The unit's other points that are in service then."""


def missing_points(session: Session, meeting: Meeting) -> list[Missing]:
    """The invited points of a coming meeting that are out of service then.

    One statement where there are none, else three. The main point first, then in the tree's order.
    """
    if meeting.state not in AHEAD:
        return []
    closed = and_(BridgePoint.closed_on.is_not(None), BridgePoint.closed_on <= meeting.day)
    wanted = [
        Participation.meeting_id == meeting.id,
        Participation.withdrawn_at.is_(None),
        or_(Outage.id.is_not(None), closed),
    ]
    rows: list[Any] = list(
        session.execute(
            select(Participation, Unit.name, BridgePoint, func.min(Outage.id))
            .join(BridgePoint, BridgePoint.id == Participation.point_id)
            .join(Unit, Unit.id == Participation.unit_id)
            .outerjoin(
                Outage,
                and_(
                    Outage.point_id == BridgePoint.id,
                    out_between(meeting.starts_at, meeting.ends_at),
                ),
            )
            .where(*wanted)
            .group_by(Participation.id, Unit.id, BridgePoint.id)
            .order_by(Participation.is_main.desc(), Unit.position, BridgePoint.id)
        )
    )
    if not rows:
        return []
    outages = {
        outage.id: outage
        for outage in session.scalars(
            select(Outage).where(Outage.id.in_([row[3] for row in rows if row[3] is not None]))
        )
    }
    instead = _instead(session, meeting, [row[2].unit_id for row in rows])
    return [
        Missing(
            participation.id,
            participation.unit_id,
            unit,
            point.id,
            point.name,
            participation.is_main,
            outages[outage_id].reason if outage_id is not None else "",
            outages[outage_id].ends_at if outage_id is not None else None,
            point.closed_on if outage_id is None else None,
            [name for other, name in instead.get(point.unit_id, []) if other != point.id],
        )
        for participation, unit, point, outage_id in rows
    ]


def _instead(
    session: Session, meeting: Meeting, units: Collection[int]
) -> dict[int, list[tuple[int, str]]]:
    out = select(Outage.point_id).where(out_between(meeting.starts_at, meeting.ends_at))
    invited_ids = select(Participation.point_id).where(
        Participation.meeting_id == meeting.id, Participation.withdrawn_at.is_(None)
    )
    found: dict[int, list[tuple[int, str]]] = {}
    for unit_id, point_id, name in session.execute(
        select(BridgePoint.unit_id, BridgePoint.id, BridgePoint.name)
        .where(
            BridgePoint.unit_id.in_(units),
            open_on(meeting.day),
            BridgePoint.id.not_in(out),
            BridgePoint.id.not_in(invited_ids),
        )
        .order_by(BridgePoint.unit_id, *IN_ORDER)
    ):
        found.setdefault(unit_id, []).append((point_id, name))
    return found
