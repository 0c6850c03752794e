"""Who may do what.

A right comes from a role (`ROLE_PERMISSIONS`) that holds at a unit on a day and reaches everything
below that unit. Which grants are in effect for an actor, `grants_in_effect()` says in one place: their
own, those of people whose substitute they are, or, while they act on behalf of an official, what that
official has entrusted. `governed()` makes one SQL expression of it over any column that holds a unit's
id: lists filter by it, single checks ask it, so that the two cannot drift. Why somebody has a right,
`reasons` tells from the same expression.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    cast,
    exists,
    false,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from rooms.hierarchy import Unit, UnitAncestry, UnitIds, valid_on
from rooms.kernel import Denied
from rooms.lending import Act, EntrustedAct, Entrustment, SubstitutedRole, Substitution, lent_on
from rooms.people import Person, Role, RoleGrant


class Permission(StrEnum):
    """`resource:action`."""

    UNIT_WRITE = "unit:write"
    PERSON_READ = "person:read"
    """Telephone, mail address and roles of people; names and offices are known to all."""
    PERSON_WRITE = "person:write"
    POINT_WRITE = "bridge_point:write"
    MEETING_READ = "meeting:read"
    MEETING_WRITE = "meeting:write"
    MEETING_GO = "meeting:go"
    """Decide after the line test whether a meeting is held as planned; its chair always may."""
    REPLY_WRITE = "reply:write"
    ATTENDANCE_READ = "attendance:read"
    ATTENDANCE_WRITE = "attendance:write"
    HELP_WRITE = "help:write"
    """Look after the points that ask for help during a meeting."""
    MESSAGE_WRITE = "message:write"
    """Speak to the points of a meeting for its host."""
    MINUTES_WRITE = "minutes:write"
    MINUTES_REVIEW = "minutes:review"
    """Look through what was submitted, and send it back."""
    MINUTES_ISSUE = "minutes:issue"
    DIRECTIVE_READ = "directive:read"
    DIRECTIVE_WRITE = "directive:write"
    RECEIPT_WRITE = "receipt:write"
    MAIL_READ = "mail:read"
    AUDIT_READ = "audit:read"
    """What was done at the unit, by whom, when and from where."""


_READ = frozenset({Permission.MEETING_READ, Permission.ATTENDANCE_READ, Permission.PERSON_READ})

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.UNIT_WRITE,
            Permission.PERSON_WRITE,
            Permission.POINT_WRITE,
            Permission.MAIL_READ,
            Permission.AUDIT_READ,
        }
    )
    | _READ,
    Role.SECRETARY: frozenset(
        {
            Permission.POINT_WRITE,
            Permission.MEETING_WRITE,
            Permission.MEETING_GO,
            Permission.REPLY_WRITE,
            Permission.ATTENDANCE_WRITE,
            Permission.HELP_WRITE,
            Permission.MESSAGE_WRITE,
            Permission.MINUTES_WRITE,
            Permission.DIRECTIVE_READ,
            Permission.DIRECTIVE_WRITE,
            Permission.RECEIPT_WRITE,
        }
    )
    | _READ,
    Role.OPERATOR: frozenset({Permission.ATTENDANCE_WRITE}) | _READ,
    Role.TECHNICIAN: frozenset(
        {
            Permission.ATTENDANCE_WRITE,
            Permission.POINT_WRITE,
            Permission.MEETING_GO,
            Permission.HELP_WRITE,
            Permission.MESSAGE_WRITE,
        }
    )
    | _READ,
    Role.OFFICIAL: frozenset(
        {
            Permission.REPLY_WRITE,
            Permission.MINUTES_REVIEW,
            Permission.MINUTES_ISSUE,
            Permission.DIRECTIVE_READ,
        }
    )
    | _READ,
}

ACT_PERMISSIONS: dict[Act, frozenset[Permission]] = {
    Act.MEETINGS: frozenset({Permission.MEETING_WRITE, Permission.MEETING_GO}),
    Act.REPLIES: frozenset({Permission.REPLY_WRITE}),
    Act.MINUTES: frozenset({Permission.MINUTES_WRITE, Permission.MINUTES_REVIEW}),
    Act.DIRECTIVES: frozenset({Permission.DIRECTIVE_WRITE, Permission.RECEIPT_WRITE}),
}
"""What a kind of acts comes to; what stands nowhere here (signing, accounts) is never entrusted."""

ENTRUSTED_READING = _READ | {Permission.DIRECTIVE_READ}
"""What whoever is entrusted with anything may read, as far as the official may."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The person who acts. `unit_id` is their own unit."""

    person_id: int
    name: str
    unit_id: int
    on_behalf_of: int | None = None
    """The official for whom a secretary acts: a person's id. Records name both."""
    no_substitution_on: date | None = field(default=None, compare=False)
    """A day for which the login has just found that they are nobody's substitute: most are not, and
    are spared the question in every statement."""

    @property
    def principal_id(self) -> int:
        """Whose affairs these are: the official's where somebody acts on behalf, else one's own."""
        return self.person_id if self.on_behalf_of is None else self.on_behalf_of

    @property
    def in_own_name(self) -> "Actor":
        """The same person, for what concerns nobody but themselves."""
        return replace(self, on_behalf_of=None)


UnitColumn = InstrumentedAttribute[int] | ColumnElement[int] | InstrumentedAttribute[int | None]


def roles_with(permission: Permission) -> list[str]:
    return [role.value for role, held in ROLE_PERMISSIONS.items() if permission in held]


def acts_with(permission: Permission) -> list[str]:
    return [act.value for act, held in ACT_PERMISSIONS.items() if permission in held]


def holding(on: date) -> ColumnElement[bool]:
    """The grants that hold on a day."""
    return and_(
        RoleGrant.valid_from <= on,
        or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > on),
    )


_NO_LOAN = cast(null(), Integer)


def _ways(actor: Actor, on: date, permission: Permission | None) -> list[Select[int, int]]:
    """The ways by which grants are in effect for an actor; each selects columns of `RoleGrant`.

    The columns that tell the loan stand at the end: a substitution's id, an entrustment's id. Of
    others only their own grants count, so that no loan is passed on.
    """
    wanted = [holding(on)]
    if permission is not None:
        wanted.append(RoleGrant.role.in_(roles_with(permission)))
    if actor.on_behalf_of is not None:
        return [
            select(_NO_LOAN, Entrustment.id)
            .select_from(RoleGrant)
            .join(Entrustment, Entrustment.official_id == RoleGrant.person_id)
            .where(*wanted, _entrusted(actor, on), _covers(permission))
        ]
    own = (
        select(_NO_LOAN, _NO_LOAN)
        .select_from(RoleGrant)
        .where(RoleGrant.person_id == actor.person_id, *wanted)
    )
    if actor.no_substitution_on == on:
        return [own]
    lent = (
        select(Substitution.id, _NO_LOAN)
        .select_from(RoleGrant)
        .join(Substitution, Substitution.absent_id == RoleGrant.person_id)
        .join(
            SubstitutedRole,
            and_(
                SubstitutedRole.substitution_id == Substitution.id,
                SubstitutedRole.role == RoleGrant.role,
            ),
        )
        .join(Person, Person.id == RoleGrant.person_id)
        .where(
            Substitution.substitute_id == actor.person_id,
            lent_on(Substitution, on),
            Person.active,
            *wanted,
        )
    )
    return [own, lent]


def grants_in_effect(actor: Actor, on: date, permission: Permission | None = None) -> Subquery:
    """The grants from which the actor has rights on a day; those that give a permission, or all.

    Columns: `grant_id`, `role`, `unit_id`, and the loan they come by: `substitution_id` where the
    holder is away, `entrustment_id` where the actor acts on behalf of the holder, both NULL where the
    grant is the actor's own.
    """
    ways = []
    for way in _ways(actor, on, permission):
        substitution, entrustment = way.selected_columns
        ways.append(
            way.with_only_columns(
                RoleGrant.id.label("grant_id"),
                RoleGrant.role,
                RoleGrant.unit_id,
                substitution.label("substitution_id"),
                entrustment.label("entrustment_id"),
            )
        )
    return union_all(*ways).subquery("in_effect")


def _entrusted(actor: Actor, on: date) -> ColumnElement[bool]:
    """The entrustments by which the actor acts on behalf of the official whom they name."""
    return and_(
        Entrustment.secretary_id == actor.person_id,
        Entrustment.official_id == actor.on_behalf_of,
        lent_on(Entrustment, on),
        # An account that is closed lends nothing.
        Entrustment.official.has(Person.active),
    )


def _covers(permission: Permission | None) -> ColumnElement[bool]:
    """The entrustments that cover a permission; without one, all."""
    if permission is None or permission in ENTRUSTED_READING:
        return Entrustment.id.is_not(None)
    acts = acts_with(permission)
    if not acts:
        return false()
    return exists().where(EntrustedAct.entrustment_id == Entrustment.id, EntrustedAct.act.in_(acts))


def stands_for(
    actor: Actor, person: InstrumentedAttribute[int], on: date, permission: Permission
) -> ColumnElement[bool]:
    """Whether the person in a column is the actor, or the official for whom the actor acts.

    `permission`: what the actor wants to do there; an official's secretary needs it entrusted.
    """
    if actor.on_behalf_of is None:
        return person == actor.person_id
    return and_(
        person == actor.on_behalf_of,
        exists().where(_entrusted(actor, on), _covers(permission)),
    )


def governed_units(actor: Actor, permission: Permission, on: date) -> UnitIds:
    """Ids of the units in which the actor holds a permission on a day."""
    return _united(
        way.with_only_columns(UnitAncestry.unit_id)
        .join(UnitAncestry, UnitAncestry.ancestor_id == RoleGrant.unit_id)
        .where(valid_on(UnitAncestry, on))
        for way in _ways(actor, on, permission)
    )


def granted_units(actor: Actor, permission: Permission, on: date) -> UnitIds:
    """Ids of the units at which the actor's grants for a permission stand: their desks."""
    return _united(way.with_only_columns(RoleGrant.unit_id) for way in _ways(actor, on, permission))


def _united(ways: Iterable[Select[int]]) -> UnitIds:
    """One list out of the ways: most people have but one, and statements are built all the time."""
    found = list(ways)
    return found[0] if len(found) == 1 else union_all(*found)


def governed(
    actor: Actor, permission: Permission, unit: UnitColumn, on: date
) -> ColumnElement[bool]:
    """Whether the unit in a column lies where the actor holds a permission on a day."""
    return unit.in_(governed_units(actor, permission, on))


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


@dataclass
class InPersonOnly(Denied):
    """Whoever acts on behalf of somebody may not do this: it takes the person themselves."""

    code: ClassVar[str] = "in_person_only"


def require_in_person(actor: Actor) -> None:
    """Signing, issuing and lending rights are not entrusted to anybody. Raises `InPersonOnly`."""
    if actor.on_behalf_of is not None:
        raise InPersonOnly


def permissions_at(session: Session, actor: Actor, unit_id: int, on: date) -> frozenset[Permission]:
    """Everything the actor may do at one unit; one statement, two while acting on behalf."""
    in_effect = grants_in_effect(actor, on)
    roles = session.scalars(
        select(in_effect.c.role)
        .join(UnitAncestry, UnitAncestry.ancestor_id == in_effect.c.unit_id)
        .where(UnitAncestry.unit_id == unit_id, valid_on(UnitAncestry, on))
        .distinct()
    )
    return permissions_of(map(Role, roles)) & lent_permissions(session, actor, on)


def lent_permissions(session: Session, actor: Actor, on: date) -> frozenset[Permission]:
    """What an actor may do at all: everything in their own name, else what is entrusted."""
    if actor.on_behalf_of is None:
        return frozenset(Permission)
    acts = session.scalars(
        select(EntrustedAct.act)
        .join(Entrustment, Entrustment.id == EntrustedAct.entrustment_id)
        .where(_entrusted(actor, on))
    )
    return permissions_of_acts(map(Act, acts))


def permissions_of_acts(acts: Iterable[Act]) -> frozenset[Permission]:
    """What entrusted kinds of acts come to, with the reading that goes with them."""
    return ENTRUSTED_READING.union(*(ACT_PERMISSIONS[act] for act in acts))


def roles_of(session: Session, actor: Actor, on: date) -> set[Role]:
    """The roles in effect for a person anywhere on a day: what their navigation offers."""
    return {Role(role) for role in session.scalars(select(grants_in_effect(actor, on).c.role))}


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """What a set of roles gives somewhere; where, `governed()` says."""
    held: frozenset[Permission] = frozenset()
    return held.union(*(ROLE_PERMISSIONS[role] for role in roles))


def top_units(session: Session, actor: Actor, permission: Permission, on: date) -> list[Unit]:
    """The units at which the actor's grants for a permission stand, the highest first."""
    rows = session.scalars(
        select(Unit)
        .where(Unit.id.in_(granted_units(actor, permission, on)))
        .order_by(Unit.position)
    )
    return list(rows)
