"""Who may do what, and why.

A right comes from a role (`ROLE_PERMISSIONS`) that a person holds at a unit today (`RoleGrant`) and
reaches everything below that unit. `governed()` says so as one SQL expression over any column that
holds a unit's id: lists filter by it, single checks ask it, so that the two cannot drift.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from rooms.hierarchy import Unit, UnitAncestry, valid_on
from rooms.kernel import Denied
from rooms.people import Role, RoleGrant


class Permission(StrEnum):
    """`resource:action`."""

    UNIT_WRITE = "unit:write"
    PERSON_READ = "person:read"
    """Telephone, mail address and roles of people; names and offices are known to all."""
    PERSON_WRITE = "person:write"
    POINT_WRITE = "bridge_point:write"
    MEETING_READ = "meeting:read"
    MEETING_WRITE = "meeting:write"
    REPLY_WRITE = "reply:write"
    ATTENDANCE_READ = "attendance:read"
    ATTENDANCE_WRITE = "attendance:write"
    MINUTES_WRITE = "minutes:write"
    MINUTES_ISSUE = "minutes:issue"
    DIRECTIVE_READ = "directive:read"
    DIRECTIVE_WRITE = "directive:write"
    RECEIPT_WRITE = "receipt:write"
    MAIL_READ = "mail:read"


_READ = frozenset({Permission.MEETING_READ, Permission.ATTENDANCE_READ, Permission.PERSON_READ})

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.UNIT_WRITE,
            Permission.PERSON_WRITE,
            Permission.POINT_WRITE,
            Permission.MAIL_READ,
        }
    )
    | _READ,
    Role.SECRETARY: frozenset(
        {
            Permission.POINT_WRITE,
            Permission.MEETING_WRITE,
            Permission.REPLY_WRITE,
            Permission.ATTENDANCE_WRITE,
            Permission.MINUTES_WRITE,
            Permission.DIRECTIVE_READ,
            Permission.DIRECTIVE_WRITE,
            Permission.RECEIPT_WRITE,
        }
    )
    | _READ,
    Role.OPERATOR: frozenset({Permission.ATTENDANCE_WRITE}) | _READ,
    Role.TECHNICIAN: frozenset({Permission.ATTENDANCE_WRITE, Permission.POINT_WRITE}) | _READ,
    Role.OFFICIAL: frozenset({Permission.MINUTES_ISSUE, Permission.DIRECTIVE_READ}) | _READ,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """The person who acts. `unit_id` is their own unit."""

    person_id: int
    name: str
    unit_id: int
    on_behalf_of: int | None = None
    """The official for whom a secretary acts: a person's id. Records name both."""

    @property
    def principal_id(self) -> int:
        """Whose affairs these are: the official's where somebody acts on behalf, else one's own."""
        return self.person_id if self.on_behalf_of is None else self.on_behalf_of


UnitColumn = InstrumentedAttribute[int] | ColumnElement[int] | InstrumentedAttribute[int | None]


def roles_with(permission: Permission) -> list[str]:
    return [role.value for role, held in ROLE_PERMISSIONS.items() if permission in held]


def governed_units(actor: Actor, permission: Permission, on: date) -> Select[int]:
    """Ids of the units in which the actor holds a permission on a day."""
    return (
        select(UnitAncestry.unit_id)
        .join(RoleGrant, RoleGrant.unit_id == UnitAncestry.ancestor_id)
        .where(
            RoleGrant.person_id == actor.person_id,
            RoleGrant.role.in_(roles_with(permission)),
            holding(on),
            valid_on(UnitAncestry, on),
        )
    )


def granted_units(actor: Actor, permission: Permission, on: date) -> Select[int]:
    """Ids of the units at which the actor's own grants for a permission stand: their desks."""
    return select(RoleGrant.unit_id).where(
        RoleGrant.person_id == actor.person_id,
        RoleGrant.role.in_(roles_with(permission)),
        holding(on),
    )


def governed(
    actor: Actor, permission: Permission, unit: UnitColumn, on: date
) -> ColumnElement[bool]:
    """Whether the unit in a column lies where the actor holds a permission on a day."""
    return unit.in_(governed_units(actor, permission, on))


def holding(on: date) -> ColumnElement[bool]:
    """The grants that hold on a day."""
    return and_(
        RoleGrant.valid_from <= on,
        or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > on),
    )


def holds(session: Session, actor: Actor, permission: Permission, unit_id: int, on: date) -> bool:
    """The single check beside `governed()`: the same expression, asked of one unit."""
    return (
        session.scalar(
            select(Unit.id).where(Unit.id == unit_id, governed(actor, permission, Unit.id, on))
        )
        is not None
    )


def require(session: Session, actor: Actor, permission: Permission, unit_id: int, on: date) -> None:
    """Raises `NotPermitted` unless the actor holds the permission at the unit."""
    if not holds(session, actor, permission, unit_id, on):
        unit = session.get(Unit, unit_id)
        raise NotPermitted(permission.value, unit.name if unit else f"#{unit_id}")


@dataclass
class NotPermitted(Denied):
    """The actor does not hold `permission` at `unit`."""

    permission: str
    unit: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A right explained: the grant, and the unit where it was given."""

    grant_id: int
    role: str
    unit_id: int
    unit_name: str
    depth: int
    """Steps from the unit asked about up to the unit of the grant."""


def explain(
    session: Session, actor: Actor, permission: Permission, unit_id: int, on: date
) -> list[Reason]:
    """Which grants on which units give a right at a unit, the nearest first."""
    rows = session.execute(
        select(RoleGrant.id, RoleGrant.role, Unit.id, Unit.name, UnitAncestry.depth)
        .join(UnitAncestry, UnitAncestry.ancestor_id == RoleGrant.unit_id)
        .join(Unit, Unit.id == RoleGrant.unit_id)
        .where(
            RoleGrant.person_id == actor.person_id,
            RoleGrant.role.in_(roles_with(permission)),
            holding(on),
            UnitAncestry.unit_id == unit_id,
            valid_on(UnitAncestry, on),
        )
        .order_by(UnitAncestry.depth)
    )
    return [Reason(*row) for row in rows]


def permissions_at(session: Session, actor: Actor, unit_id: int, on: date) -> frozenset[Permission]:
    """Everything the actor may do at one unit, in one statement."""
    roles = session.scalars(
        select(RoleGrant.role)
        .join(UnitAncestry, UnitAncestry.ancestor_id == RoleGrant.unit_id)
        .where(
            RoleGrant.person_id == actor.person_id,
            holding(on),
            UnitAncestry.unit_id == unit_id,
            valid_on(UnitAncestry, on),
        )
        .distinct()
    )
    return permissions_of(Role(role) for role in roles)


def roles_of(session: Session, actor: Actor, on: date) -> set[Role]:
    """The roles a person holds anywhere on a day: what their navigation offers."""
    return {
        Role(role)
        for role in session.scalars(
            select(RoleGrant.role).where(RoleGrant.person_id == actor.person_id, holding(on))
        )
    }


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """What a set of roles gives somewhere; where, `governed()` says."""
    held: frozenset[Permission] = frozenset()
    return held.union(*(ROLE_PERMISSIONS[role] for role in roles))


def top_units(session: Session, actor: Actor, permission: Permission, on: date) -> list[Unit]:
    """The units at which the actor's grants for a permission stand, the highest first."""
    rows = session.scalars(
        select(Unit)
        .join(RoleGrant, RoleGrant.unit_id == Unit.id)
        .where(
            RoleGrant.person_id == actor.person_id,
            RoleGrant.role.in_(roles_with(permission)),
            holding(on),
        )
        .order_by(Unit.position)
        .distinct()
    )
    return list(rows)
