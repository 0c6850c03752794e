"""Bridge points (điểm cầu): rooms with equipment that join wide-area meetings."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import ColumnElement, ForeignKey, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import Base, FieldInvalid, NotFound, bounded_text, require_text
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
    position: Mapped[int] = mapped_column(default=0, server_default="0")
    """Order among the points of the unit; among equals the older one comes first."""
    name: Mapped[str]
    address: Mapped[str] = mapped_column(default="", server_default=text("''"))
    """Where the room is: floor, house, street."""
    capacity: Mapped[int | None]
    """Seats."""
    endpoint_kind: Mapped[str]
    endpoint_address: Mapped[str]
    technician_name: Mapped[str]
    technician_phone: Mapped[str]
    """The technician who is no user of the system; those who are stand in `PointTechnician`."""
    closed_on: Mapped[date | None]
    """The first day on which the point no longer exists; what it took part in stays."""

    unit: Mapped[Unit] = relationship(lazy="raise")


IN_ORDER = (BridgePoint.position, BridgePoint.id)
"""The points of one unit, the default first."""


def open_on(day: date) -> ColumnElement[bool]:
    """The points that are not closed for good on a day."""
    return or_(BridgePoint.closed_on.is_(None), BridgePoint.closed_on > day)


@dataclass
class UnknownPoint(NotFound):
    code: ClassVar[str] = "unknown_point"
    point: int


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


def points_of(session: Session, unit_id: int) -> list[BridgePoint]:
    """A unit's points, the default first."""
    return list(
        session.scalars(
            select(BridgePoint).where(BridgePoint.unit_id == unit_id).order_by(*IN_ORDER)
        )
    )
