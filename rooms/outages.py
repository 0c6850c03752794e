"""Outages: a bridge point is out of service from an instant until another, and why."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from sqlalchemy import ColumnElement, ForeignKey, and_, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.bridge_points import IN_ORDER, BridgePoint, point_by_id
from rooms.kernel import Base, Conflict, FieldInvalid, NotFound, require_text
from rooms.policies import Actor, Permission, require


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


def out_between(starts_at: datetime, ends_at: datetime) -> ColumnElement[bool]:
    """The outages that touch `[starts_at, ends_at)`."""
    return and_(
        Outage.starts_at < ends_at, or_(Outage.ends_at.is_(None), Outage.ends_at > starts_at)
    )


def report_outage(
    session: Session,
    actor: Actor,
    point_id: int,
    starts_at: datetime,
    ends_at: datetime | None,
    reason: str,
    on: date,
) -> Outage:
    """Take a point out of service. Raises `UnknownPoint`, `FieldInvalid`, `NotPermitted`."""
    point = point_by_id(session, point_id)
    require(session, actor, Permission.POINT_WRITE, point.unit_id, on)
    if ends_at is not None and ends_at <= starts_at:
        raise FieldInvalid("ends_at", "not_after_start")
    outage = Outage(
        point_id=point.id,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=require_text("reason", reason, 500),
    )
    session.add(outage)
    session.flush()
    return outage


def close_outage(
    session: Session, actor: Actor, outage_id: int, now: datetime, on: date
) -> Outage | None:
    """Put a point into service again, from now on; what lay in the past stays on record.

    An outage that has not begun is taken back whole; then there is none to return. Raises
    `UnknownOutage`, `NotPermitted`, `OutageOver`.
    """
    outage = session.get(Outage, outage_id)
    if outage is None:
        raise UnknownOutage(outage_id)
    point = point_by_id(session, outage.point_id)
    require(session, actor, Permission.POINT_WRITE, point.unit_id, on)
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
            .where(
                Outage.point_id.in_(point_ids), or_(Outage.ends_at.is_(None), Outage.ends_at > now)
            )
            .order_by(Outage.starts_at, Outage.id)
        )
    )


def equipment_of(
    session: Session, unit_id: int, now: datetime
) -> list[tuple[BridgePoint, list[Outage]]]:
    """A unit's points with the outages that last or are to come, the default first. One statement."""
    rows = session.execute(
        select(BridgePoint, Outage)
        .outerjoin(
            Outage,
            and_(
                Outage.point_id == BridgePoint.id,
                or_(Outage.ends_at.is_(None), Outage.ends_at > now),
            ),
        )
        .where(BridgePoint.unit_id == unit_id)
        .order_by(*IN_ORDER, Outage.starts_at, Outage.id)
    )
    found: dict[int, tuple[BridgePoint, list[Outage]]] = {}
    for point, outage in rows:
        outages = found.setdefault(point.id, (point, []))[1]
        if outage is not None:
            outages.append(outage)
    return list(found.values())
