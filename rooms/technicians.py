"""Technicians of a bridge point who are users of the system: several, the first one on duty.

Whoever looks after a point from outside stands in the point's own fields as a name and a telephone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, ForeignKey, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from rooms.bridge_points import BridgePoint, point_to_change
from rooms.hierarchy import UnitAncestry, valid_on
from rooms.kernel import Base, Conflict, NotFound
from rooms.people import Person, Role, RoleGrant
from rooms.policies import Actor, holding

ROLES = (Role.TECHNICIAN.value, Role.OPERATOR.value)
MOST_TECHNICIANS = 20


class PointTechnician(Base):
    """A person looks after a point; the lowest `position` is on duty first."""

    __tablename__ = "point_technician"

    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    position: Mapped[int]


def _of_whom_to_call(fact: InstrumentedAttribute[Any]) -> ColumnElement[str]:
    return (
        select(fact)
        .join(PointTechnician, PointTechnician.person_id == Person.id)
        .where(PointTechnician.point_id == BridgePoint.id, Person.active, Person.phone.is_not(None))
        .order_by(PointTechnician.position, Person.id)
        .limit(1)
        .correlate(BridgePoint)
        .scalar_subquery()
    )


NAME_TO_CALL = func.coalesce(_of_whom_to_call(Person.name), BridgePoint.technician_name)
PHONE_TO_CALL = func.coalesce(_of_whom_to_call(Person.phone), BridgePoint.technician_phone)
"""Whom to call about a point: the first on duty who has a telephone, else the one from outside."""


@dataclass
class NotATechnician(Conflict):
    """The person holds neither role over the point's unit, or has left."""

    code: ClassVar[str] = "not_a_technician"
    person: int


@dataclass
class UnknownTechnician(NotFound):
    """The person does not look after the point."""

    code: ClassVar[str] = "unknown_technician"
    person: int


@dataclass
class TooManyTechnicians(Conflict):
    code: ClassVar[str] = "too_many_technicians"
    most: int


@dataclass(frozen=True, slots=True)
class Technician:
    """A person who looks after a point, or may."""

    person_id: int
    name: str
    title: str
    phone: str
    email: str


def technicians_of(session: Session, point_ids: Collection[int]) -> dict[int, list[Technician]]:
    """Who looks after these points, the one on duty first; people who have left are not shown."""
    found: dict[int, list[Technician]] = {}
    for point_id, person_id, name, title, phone, email in session.execute(
        select(
            PointTechnician.point_id,
            Person.id,
            Person.name,
            Person.title,
            Person.phone,
            Person.email,
        )
        .join(Person, Person.id == PointTechnician.person_id)
        .where(PointTechnician.point_id.in_(point_ids), Person.active)
        .order_by(PointTechnician.point_id, PointTechnician.position, Person.id)
    ):
        found.setdefault(point_id, []).append(_technician(person_id, name, title, phone, email))
    return found


def _technician(
    person_id: int, name: str, title: str, phone: str | None, email: str | None
) -> Technician:
    return Technician(person_id, name, title, phone or "", email or "")


def _able(unit_id: int, on: date) -> Select[int]:
    """Ids of the people who hold one of the roles at the unit or above it on a day."""
    return (
        select(RoleGrant.person_id)
        .join(UnitAncestry, UnitAncestry.ancestor_id == RoleGrant.unit_id)
        .where(
            UnitAncestry.unit_id == unit_id,
            RoleGrant.role.in_(ROLES),
            valid_on(UnitAncestry, on),
            holding(on),
        )
    )


def candidates(session: Session, point: BridgePoint, on: date) -> list[Technician]:
    """Who may be assigned to a point and is not yet, people of its own unit first."""
    assigned = select(PointTechnician.person_id).where(PointTechnician.point_id == point.id)
    rows = session.execute(
        select(Person.id, Person.name, Person.title, Person.phone, Person.email)
        .where(
            Person.active,
            Person.id.in_(_able(point.unit_id, on)),
            Person.id.not_in(assigned),
        )
        .order_by(Person.unit_id != point.unit_id, Person.name, Person.id)
        .limit(200)
    )
    return [_technician(*row) for row in rows]


def assign_technician(
    session: Session, actor: Actor, point_id: int, person_id: int, on: date
) -> None:
    """Let a person look after a point, behind those who do already; doing it twice changes nothing.

    Raises `UnknownPoint`, `NotPermitted`, `NotATechnician`, `TooManyTechnicians`.
    """
    point = point_to_change(session, actor, point_id, on)
    rows = _rows(session, point.id)
    if any(row.person_id == person_id for row in rows):
        return
    if len(rows) >= MOST_TECHNICIANS:
        raise TooManyTechnicians(MOST_TECHNICIANS)
    _require_able(session, point, [person_id], on)
    behind = max((row.position for row in rows), default=-1) + 1
    session.add(PointTechnician(point_id=point.id, person_id=person_id, position=behind))
    session.flush()


def _require_able(
    session: Session, point: BridgePoint, person_ids: Collection[int], on: date
) -> None:
    able = set(
        session.scalars(
            select(Person.id).where(
                Person.id.in_(person_ids), Person.active, Person.id.in_(_able(point.unit_id, on))
            )
        )
    )
    for person_id in person_ids:
        if person_id not in able:
            raise NotATechnician(person_id)


def replace_technicians(
    session: Session, actor: Actor, point_id: int, person_ids: Sequence[int], on: date
) -> None:
    """Say who looks after a point, the one on duty first; whoever is not named no longer does.

    Raises as `assign_technician` does; those who look after it already may stay in any case.
    """
    point = point_to_change(session, actor, point_id, on)
    wanted = list(dict.fromkeys(person_ids))
    if len(wanted) > MOST_TECHNICIANS:
        raise TooManyTechnicians(MOST_TECHNICIANS)
    present = {row.person_id: row for row in _rows(session, point.id)}
    _require_able(session, point, [one for one in wanted if one not in present], on)
    for person_id, row in present.items():
        if person_id not in wanted:
            session.delete(row)
    for position, person_id in enumerate(wanted):
        if person_id in present:
            present[person_id].position = position
        else:
            session.add(PointTechnician(point_id=point.id, person_id=person_id, position=position))
    session.flush()


def dismiss_technician(
    session: Session, actor: Actor, point_id: int, person_id: int, on: date
) -> None:
    """The person no longer looks after the point. Raises `UnknownTechnician`, `NotPermitted`."""
    point_to_change(session, actor, point_id, on)
    session.delete(_row(session, point_id, person_id))
    session.flush()


def put_on_duty(session: Session, actor: Actor, point_id: int, person_id: int, on: date) -> None:
    """The person is asked first from now on. Raises `UnknownTechnician`, `NotPermitted`."""
    point_to_change(session, actor, point_id, on)
    first = _row(session, point_id, person_id)
    others = [row for row in _rows(session, point_id) if row is not first]
    for position, row in enumerate([first, *others]):
        row.position = position
    session.flush()


def _rows(session: Session, point_id: int) -> list[PointTechnician]:
    return list(
        session.scalars(
            select(PointTechnician)
            .where(PointTechnician.point_id == point_id)
            .order_by(PointTechnician.position, PointTechnician.person_id)
        )
    )


def _row(session: Session, point_id: int, person_id: int) -> PointTechnician:
    row = session.get(PointTechnician, (point_id, person_id))
    if row is None:
        raise UnknownTechnician(person_id)
    return row
