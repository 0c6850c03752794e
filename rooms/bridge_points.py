"""Bridge points (điểm cầu): rooms with equipment that join wide-area meetings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from sqlalchemy import ColumnElement, ForeignKey, func, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from rooms.endpoints import EndpointKind, read_endpoint
from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import Base, Conflict, FieldInvalid, NotFound, bounded_text, require_text
from rooms.policies import Actor, Permission, require

LARGEST_ROOM = 100_000


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
    endpoint_address: Mapped[str] = mapped_column(index=True)
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


@dataclass
class PointClosed(Conflict):
    """The point no longer exists on the day in question."""

    code: ClassVar[str] = "point_closed"
    point: str
    closed_on: date


@dataclass
class PointsChanged(Conflict):
    """The points of the unit are not those that were put into an order."""

    code: ClassVar[str] = "points_changed"
    unit: str


@dataclass(frozen=True, slots=True)
class PointFacts:
    """What can be said of a bridge point when it is made or changed."""

    name: str
    capacity: int | None = None
    endpoint_kind: EndpointKind = EndpointKind.NONE
    endpoint_address: str = ""
    technician_name: str = ""
    technician_phone: str = ""
    address: str = ""


def point_by_id(session: Session, point_id: int) -> BridgePoint:
    """Raises `UnknownPoint`."""
    point = session.get(BridgePoint, point_id)
    if point is None:
        raise UnknownPoint(point_id)
    return point


def add_point(
    session: Session, actor: Actor, unit_id: int, facts: PointFacts, on: date
) -> BridgePoint:
    """Make a bridge point of a unit, behind those it has. Raises `FieldInvalid`, `UnknownUnit`, `NotPermitted`."""
    unit = unit_by_id(session, unit_id, on)
    require(session, actor, Permission.POINT_WRITE, unit.id, on)
    last = session.scalar(
        select(func.max(BridgePoint.position)).where(BridgePoint.unit_id == unit.id)
    )
    point = BridgePoint(unit_id=unit.id, position=0 if last is None else last + 1)
    describe(point, facts)
    session.add(point)
    session.flush()
    return point


def change_point(
    session: Session, actor: Actor, point_id: int, facts: PointFacts, on: date
) -> BridgePoint:
    """Replace a point's facts. Raises `UnknownPoint`, `FieldInvalid`, `NotPermitted`."""
    point = point_to_change(session, actor, point_id, on)
    describe(point, facts)
    session.flush()
    return point


def point_to_change(session: Session, actor: Actor, point_id: int, on: date) -> BridgePoint:
    """A point that the actor looks after. Raises `UnknownPoint`, `NotPermitted`."""
    point = point_by_id(session, point_id)
    require(session, actor, Permission.POINT_WRITE, point.unit_id, on)
    return point


def facts_of_point(point: BridgePoint) -> PointFacts:
    """What is said of a point now."""
    return PointFacts(
        point.name,
        point.capacity,
        EndpointKind(point.endpoint_kind),
        point.endpoint_address,
        point.technician_name,
        point.technician_phone,
        point.address,
    )


def describe(point: BridgePoint, facts: PointFacts) -> None:
    point.name = require_text("name", facts.name, 120)
    if facts.capacity is not None and not 1 <= facts.capacity <= LARGEST_ROOM:
        raise FieldInvalid("capacity", "out_of_range", f"1–{LARGEST_ROOM}")
    point.capacity = facts.capacity
    point.endpoint_kind = facts.endpoint_kind.value
    point.endpoint_address = read_endpoint(facts.endpoint_kind, facts.endpoint_address)
    point.technician_name = bounded_text("technician_name", facts.technician_name, 120)
    point.technician_phone = bounded_text("technician_phone", facts.technician_phone, 40)
    point.address = bounded_text("address", facts.address, 200)


def points_of(session: Session, unit_id: int) -> list[BridgePoint]:
    """A unit's points, the default first; those that are closed come too."""
    return list(
        session.scalars(
            select(BridgePoint).where(BridgePoint.unit_id == unit_id).order_by(*IN_ORDER)
        )
    )


def order_points(
    session: Session, actor: Actor, unit_id: int, point_ids: Sequence[int], on: date
) -> None:
    """Say in which order a unit's open points stand; the first is invited by default.

    `point_ids` names each of them once. Raises `PointsChanged` where they are others by now,
    `UnknownUnit`, `NotPermitted`.
    """
    unit = unit_by_id(session, unit_id, on)
    require(session, actor, Permission.POINT_WRITE, unit.id, on)
    points = {point.id: point for point in points_of(session, unit.id)}
    open_ids = {
        point.id for point in points.values() if point.closed_on is None or point.closed_on > on
    }
    if len(point_ids) != len(open_ids) or set(point_ids) != open_ids:
        raise PointsChanged(unit.name)
    behind = [point_id for point_id in points if point_id not in open_ids]
    for position, point_id in enumerate([*point_ids, *behind]):
        points[point_id].position = position
    session.flush()


def close_point(session: Session, actor: Actor, point_id: int, day: date, on: date) -> BridgePoint:
    """Close a point for good from a day on; what it took part in stays.

    Raises `UnknownPoint`, `NotPermitted`, `PointClosed` where it is closed already.
    """
    point = point_to_change(session, actor, point_id, on)
    if point.closed_on is not None and point.closed_on <= on:
        raise PointClosed(point.name, point.closed_on)
    if day < on:
        raise FieldInvalid("closed_on", "in_the_past")
    point.closed_on = day
    session.flush()
    return point


def reopen_point(session: Session, actor: Actor, point_id: int, on: date) -> BridgePoint:
    """Take the closing of a point back. Raises `UnknownPoint`, `NotPermitted`."""
    point = point_to_change(session, actor, point_id, on)
    point.closed_on = None
    session.flush()
    return point
