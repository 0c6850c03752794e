"""Accounts in the hands of administrators: people brought in, sent off, and their roles.

Whoever holds `person:write` at a unit looks after the people of that unit and of everything below
it, and gives roles there, never higher than where they stand themselves. Over a person who also
holds a role elsewhere only those decide who govern that unit too: a new password for such a person
would be a way to rights that its giver does not have.
"""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from rooms.hierarchy import Unit, UnitAncestry, unit_by_id, valid_on
from rooms.kernel import Conflict, NotFound
from rooms.people import NewPerson, Person, Role, RoleGrant, UnknownPerson, add_person, grant_role
from rooms.policies import Actor, NotPermitted, Permission, governed, holding, require


@dataclass
class UnknownGrant(NotFound):
    code: ClassVar[str] = "unknown_grant"
    grant: int


@dataclass
class LastAdministrator(Conflict):
    """Without this administrator nobody could give rights at `unit` any more."""

    code: ClassVar[str] = "last_administrator"
    person: str
    unit: str


@dataclass
class RoleHeld(Conflict):
    """The person holds this role at this unit already."""

    code: ClassVar[str] = "role_held"
    role: str
    unit: str


def governed_person(session: Session, actor: Actor, person_id: int, on: date) -> Person:
    """A person the actor looks after, active or not. Raises `UnknownPerson`, `NotPermitted`."""
    person = session.get(Person, person_id)
    if person is None:
        raise UnknownPerson(str(person_id))
    require(session, actor, Permission.PERSON_WRITE, person.unit_id, on)
    return person


def person_under(session: Session, actor: Actor, person_id: int, on: date) -> Person:
    """A person whose every role lies where the actor governs. Raises as `governed_person`."""
    person = governed_person(session, actor, person_id, on)
    beyond = session.scalar(
        select(Unit.name)
        .join(RoleGrant, RoleGrant.unit_id == Unit.id)
        .where(
            RoleGrant.person_id == person.id,
            # A grant that begins tomorrow counts as well.
            or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > on),
            ~governed(actor, Permission.PERSON_WRITE, RoleGrant.unit_id, on),
        )
    )
    if beyond is not None:
        raise NotPermitted(Permission.PERSON_WRITE.value, beyond)
    return person


def open_account(
    session: Session,
    actor: Actor,
    new: NewPerson,
    unit_id: int,
    role: Role,
    on: date,
    *,
    valid_from: date | None = None,
    valid_until: date | None = None,
) -> Person:
    """Bring in a person with a role at their unit. Days: today without an end unless given.

    Raises `UnknownUnit`, `NotPermitted`, `FieldInvalid`, `UsernameTaken`.
    """
    unit = unit_by_id(session, unit_id, on)
    require(session, actor, Permission.PERSON_WRITE, unit.id, on)
    person = add_person(session, new, unit.id, on)
    grant_role(session, person.id, role, unit.id, valid_from or on, valid_until)
    return person


def give_role(
    session: Session,
    actor: Actor,
    person_id: int,
    role: Role,
    unit_id: int,
    on: date,
    *,
    valid_from: date,
    valid_until: date | None = None,
) -> RoleGrant:
    """Let a person hold a role at a unit and everything below.

    Raises `UnknownPerson`, `UnknownUnit`, `NotPermitted`, `FieldInvalid`, `RoleHeld`.
    """
    person = governed_person(session, actor, person_id, on)
    unit = unit_by_id(session, unit_id, on)
    require(session, actor, Permission.PERSON_WRITE, unit.id, on)
    overlapping = select(RoleGrant.id).where(
        RoleGrant.person_id == person.id,
        RoleGrant.role == role.value,
        RoleGrant.unit_id == unit.id,
        or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > valid_from),
        *([RoleGrant.valid_from < valid_until] if valid_until else []),
    )
    if session.scalar(overlapping) is not None:
        raise RoleHeld(role.value, unit.name)
    return grant_role(session, person.id, role, unit.id, valid_from, valid_until)


def end_role(session: Session, actor: Actor, grant_id: int, on: date) -> None:
    """Let a grant end: the person does not hold the role from this day on.

    A grant that has not begun is taken back whole. Raises `UnknownGrant`, `NotPermitted`,
    `LastAdministrator`.
    """
    grant = session.get(RoleGrant, grant_id)
    if grant is None:
        raise UnknownGrant(grant_id)
    require(session, actor, Permission.PERSON_WRITE, grant.unit_id, on)
    if grant.valid_until is not None and grant.valid_until <= on:
        return
    _keep_administrators(session, RoleGrant.id == grant.id, on)
    if grant.valid_from >= on:
        session.delete(grant)
    else:
        grant.valid_until = on
    session.flush()


def deactivate(session: Session, actor: Actor, person_id: int, on: date) -> Person:
    """Shut a person out; their past stays. Raises as `person_under`, and `LastAdministrator`."""
    person = person_under(session, actor, person_id, on)
    if person.active:
        _keep_administrators(session, RoleGrant.person_id == person.id, on)
        person.active = False
        session.flush()
    return person


def reactivate(session: Session, actor: Actor, person_id: int, on: date) -> Person:
    """Let a person in again, with the roles they held. Raises as `person_under`."""
    person = person_under(session, actor, person_id, on)
    person.active = True
    session.flush()
    return person


def _keep_administrators(session: Session, leaving: ColumnElement[bool], on: date) -> None:
    """Raises `LastAdministrator` where these grants go and leave a unit without an administrator.

    Another one counts who stands at the unit or above it, and stays as long as the leaving one.
    """
    administers = and_(RoleGrant.role == Role.ADMINISTRATOR.value, holding(on))
    # In ascending id: two administrators who dismiss each other must wait, not deadlock.
    held = session.execute(
        select(RoleGrant, Person.active, Person.name)
        .join(Person, Person.id == RoleGrant.person_id)
        .where(administers)
        .order_by(RoleGrant.id)
        .with_for_update(of=RoleGrant)
    ).all()
    gone = set(session.scalars(select(RoleGrant.id).where(administers, leaving)))
    staying = [grant for grant, active, _name in held if active and grant.id not in gone]
    for grant, active, name in held:
        if grant.id not in gone or not active:
            continue
        lasting = [
            other.unit_id
            for other in staying
            if other.valid_until is None
            or (grant.valid_until is not None and other.valid_until >= grant.valid_until)
        ]
        covered = session.scalar(
            select(
                exists().where(
                    UnitAncestry.unit_id == grant.unit_id,
                    UnitAncestry.ancestor_id.in_(lasting),
                    valid_on(UnitAncestry, on),
                )
            )
        )
        if not covered:
            unit = unit_by_id(session, grant.unit_id, on)
            raise LastAdministrator(name, unit.name)


def person_by_username(session: Session, username: str) -> Person:
    """Raises `UnknownPerson`; people who have left are found as well."""
    person = session.scalar(select(Person).where(Person.username == username.strip().casefold()))
    if person is None:
        raise UnknownPerson(username)
    return person
