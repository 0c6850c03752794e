"""Outages: a bridge point is out of service from an instant until another, and why.

While an outage lasts the point cannot be invited. Outages of a point do not overlap: a repair that
takes longer moves the end of the one there is.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import ColumnElement, ForeignKey, and_, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.bridge_points import IN_ORDER, BridgePoint, PointClosed, point_to_change
from rooms.kernel import (
    Base,
    Conflict,
    FieldInvalid,
    NotFound,
    civil_day,
    require_text,
)
from rooms.policies import Actor

EARLIEST = timedelta(days=3650)
FURTHEST = timedelta(days=730)
"""An outage begins or ends at most so long before or after now; beyond lies a slip of the hand."""
LONGEST_REASON = 500


class Outage(Base):
    """A point is out of service in `[starts_at, ends_at)`, for a reason; open-ended without an end."""

    __tablename__ = "outage"

    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    reason: Mapped[str]
    reported_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """Unknown for outages from before this was noted."""
    reported_at: Mapped[datetime | None]


@dataclass
class UnknownOutage(NotFound):
    code: ClassVar[str] = "unknown_outage"
    outage: int


@dataclass
class OutageOver(Conflict):
    """The outage has ended already."""

    code: ClassVar[str] = "outage_over"
    ended_at: datetime


@dataclass
class OutageOverlaps(Conflict):
    """The point is out of service then already; `outage` is the one that says so."""

    code: ClassVar[str] = "outage_overlaps"
    outage: int
    starts_at: datetime
    ends_at: datetime | None
    reason: str


def out_between(starts_at: datetime, ends_at: datetime | None) -> ColumnElement[bool]:
    """The outages that touch `[starts_at, ends_at)`; without an end, all that last beyond the start."""
    lasting = or_(Outage.ends_at.is_(None), Outage.ends_at > starts_at)
    return lasting if ends_at is None else and_(Outage.starts_at < ends_at, lasting)


def outage_by_id(session: Session, outage_id: int) -> Outage:
    """Raises `UnknownOutage`."""
    outage = session.get(Outage, outage_id)
    if outage is None:
        raise UnknownOutage(outage_id)
    return outage


def report_outage(
    session: Session,
    actor: Actor,
    point_id: int,
    starts_at: datetime,
    ends_at: datetime | None,
    reason: str,
    now: datetime,
) -> Outage:
    """Take a point out of service; a past outage may be entered for the record.

    Raises `UnknownPoint`, `FieldInvalid`, `NotPermitted`, `OutageOverlaps`, and `PointClosed` where
    the point no longer exists at the start.
    """
    point = point_to_change(session, actor, point_id, civil_day(now))
    reason = require_text("reason", reason, LONGEST_REASON)
    _require_span(starts_at, ends_at, now)
    if point.closed_on is not None and point.closed_on <= civil_day(starts_at):
        raise PointClosed(point.name, point.closed_on)
    _refuse_overlap(session, point.id, starts_at, ends_at)
    outage = Outage(
        point_id=point.id,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=reason,
        reported_by=actor.person_id,
        reported_at=now,
    )
    session.add(outage)
    session.flush()
    return outage


def change_outage(
    session: Session,
    actor: Actor,
    outage_id: int,
    ends_at: datetime | None,
    reason: str,
    now: datetime,
) -> Outage:
    """Say until when an outage lasts, longer or shorter than it was said, and why.

    Raises `UnknownOutage`, `FieldInvalid`, `NotPermitted`, `OutageOverlaps`.
    """
    outage = outage_by_id(session, outage_id)
    point_to_change(session, actor, outage.point_id, civil_day(now))
    reason = require_text("reason", reason, LONGEST_REASON)
    _require_span(outage.starts_at, ends_at, now)
    _refuse_overlap(session, outage.point_id, outage.starts_at, ends_at, but=outage.id)
    outage.ends_at = ends_at
    outage.reason = reason
    session.flush()
    return outage


def _require_span(starts_at: datetime, ends_at: datetime | None, now: datetime) -> None:
    if ends_at is not None and ends_at <= starts_at:
        raise FieldInvalid("ends_at", "not_after_start")
    if starts_at < now - EARLIEST:
        raise FieldInvalid("starts_at", "too_long_ago", EARLIEST.days)
    if starts_at > now + FURTHEST:
        raise FieldInvalid("starts_at", "too_far", FURTHEST.days)
    if ends_at is not None and ends_at > now + FURTHEST:
        raise FieldInvalid("ends_at", "too_far", FURTHEST.days)


def _refuse_overlap(
    session: Session,
    point_id: int,
    starts_at: datetime,
    ends_at: datetime | None,
    but: int | None = None,
) -> None:
    # Two reports at the same moment: the second waits for the point's row and then sees the first.
    session.execute(
        select(BridgePoint.id).where(BridgePoint.id == point_id).with_for_update(key_share=True)
    ).all()
    other = session.scalars(
        select(Outage)
        .where(
            Outage.point_id == point_id, Outage.id != (but or 0), out_between(starts_at, ends_at)
        )
        .order_by(Outage.starts_at)
        .limit(1)
    ).first()
    if other is not None:
        raise OutageOverlaps(other.id, other.starts_at, other.ends_at, other.reason)


def close_outage(session: Session, actor: Actor, outage_id: int, now: datetime) -> Outage | None:
    """Put a point into service again, from now on; what lay in the past stays on record.

    An outage that has not begun is taken back whole; then there is none to return. Raises
    `UnknownOutage`, `NotPermitted`, `OutageOver`.
    """
    outage = outage_by_id(session, outage_id)
    point_to_change(session, actor, outage.point_id, civil_day(now))
    if outage.ends_at is not None and outage.ends_at <= now:
        raise OutageOver(outage.ends_at)
    if outage.starts_at >= now:
        session.delete(outage)
        session.flush()
        return None
    outage.ends_at = now
    session.flush()
    return outage


def outages_since(session: Session, point_ids: Collection[int], now: datetime) -> list[Outage]:
    """The outages of these points that last or are still to come, the earliest first."""
    return list(
        session.scalars(
            select(Outage)
            .where(Outage.point_id.in_(point_ids), out_between(now, None))
            .order_by(Outage.starts_at, Outage.id)
        )
    )


def equipment_of(
    session: Session, unit_id: int, now: datetime
) -> list[tuple[BridgePoint, list[Outage]]]:
    """A unit's points with the outages that last or are to come, the default first. One statement."""
    rows = session.execute(
        select(BridgePoint, Outage)
        .outerjoin(Outage, and_(Outage.point_id == BridgePoint.id, out_between(now, None)))
        .where(BridgePoint.unit_id == unit_id)
        .order_by(*IN_ORDER, Outage.starts_at, Outage.id)
    )
    found: dict[int, tuple[BridgePoint, list[Outage]]] = {}
    for point, outage in rows:
        outages = found.setdefault(point.id, (point, []))[1]
        if outage is not None:
            outages.append(outage)
    return list(found.values())
