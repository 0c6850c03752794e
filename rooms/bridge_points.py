"""Bridge points (điểm cầu): rooms with equipment that join wide-area meetings."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import ColumnElement, ForeignKey, and_, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import Base, Conflict, FieldInvalid, NotFound, bounded_text, require_text
from rooms.policies import Actor, Permission, require

LARGEST_ROOM = 100_000


class EndpointKind(StrEnum):
    """How the room's equipment is called."""

    SIP = "sip"
    H323 = "h323"
    CLIENT = "client"
    NONE = "none"


class BridgePoint(Base):
    """A room with equipment, owned by a unit. A unit may have several; the first is its default."""

    __tablename__ = "bridge_point"

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    name: Mapped[str]
    capacity: Mapped[int | None]
    """Seats."""
    endpoint_kind: Mapped[str]
    endpoint_address: Mapped[str]
    technician_name: Mapped[str]
    technician_phone: Mapped[str]

    unit: Mapped[Unit] = relationship(lazy="raise")


class Outage(Base):
    """A point is out of service in `[starts_at, ends_at)`, for a reason; open-ended without an end."""

    __tablename__ = "outage"

    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    reason: Mapped[str]


@dataclass
class UnknownPoint(NotFound):
    code: ClassVar[str] = "unknown_point"
    point: int


@dataclass
class UnknownOutage(NotFound):
    code: ClassVar[str] = "unknown_outage"
    outage: int


@dataclass
class OutageOver(Conflict):
    """The outage has ended already."""

    code: ClassVar[str] = "outage_over"
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class PointFacts:
    """What can be said of a bridge point when it is made or changed."""

    name: str
    capacity: int | None = None
    endpoint_kind: EndpointKind = EndpointKind.NONE
    endpoint_address: str = ""
    technician_name: str = ""
    technician_phone: str = ""


def point_by_id(session: Session, point_id: int) -> BridgePoint:
    """Raises `UnknownPoint`."""
    point = session.get(BridgePoint, point_id)
    if point is None:
        raise UnknownPoint(point_id)
    return point


def add_point(
    session: Session, actor: Actor, unit_id: int, facts: PointFacts, on: date
) -> BridgePoint:
    """Make a bridge point of a unit. Raises `FieldInvalid`, `UnknownUnit`, `NotPermitted`."""
    unit = unit_by_id(session, unit_id, on)
    require(session, actor, Permission.POINT_WRITE, unit.id, on)
    point = BridgePoint(unit_id=unit.id)
    _write(point, facts)
    session.add(point)
    session.flush()
    return point


def change_point(
    session: Session, actor: Actor, point_id: int, facts: PointFacts, on: date
) -> BridgePoint:
    """Replace a point's facts. Raises `UnknownPoint`, `FieldInvalid`, `NotPermitted`."""
    point = point_by_id(session, point_id)
    require(session, actor, Permission.POINT_WRITE, point.unit_id, on)
    _write(point, facts)
    session.flush()
    return point


def _write(point: BridgePoint, facts: PointFacts) -> None:
    point.name = require_text("name", facts.name, 120)
    if facts.capacity is not None and not 1 <= facts.capacity <= LARGEST_ROOM:
        raise FieldInvalid("capacity", "out_of_range", f"1–{LARGEST_ROOM}")
    point.capacity = facts.capacity
    point.endpoint_kind = facts.endpoint_kind.value
    point.endpoint_address = bounded_text("endpoint_address", facts.endpoint_address, 200)
    if facts.endpoint_kind in {EndpointKind.SIP, EndpointKind.H323} and not point.endpoint_address:
        raise FieldInvalid("endpoint_address", "missing")
    point.technician_name = bounded_text("technician_name", facts.technician_name, 120)
    point.technician_phone = bounded_text("technician_phone", facts.technician_phone, 40)


def out_between(starts_at: datetime, ends_at: datetime) -> ColumnElement[bool]:
    """The outages that touch `[starts_at, ends_at)`."""
    return and_(
        Outage.starts_at < ends_at, or_(Outage.ends_at.is_(None), Outage.ends_at > starts_at)
    )


def points_of(session: Session, unit_id: int) -> list[BridgePoint]:
    """A unit's points, the default first."""
    return list(
        session.scalars(
            select(BridgePoint).where(BridgePoint.unit_id == unit_id).order_by(BridgePoint.id)
        )
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
        .order_by(BridgePoint.id, Outage.starts_at, Outage.id)
    )
    found: dict[int, tuple[BridgePoint, list[Outage]]] = {}
    for point, outage in rows:
        outages = found.setdefault(point.id, (point, []))[1]
        if outage is not None:
            outages.append(outage)
    return list(found.values())
