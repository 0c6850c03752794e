"""Accounts in the hands of administrators: people brought in, sent off, and their roles.

Whoever holds `person:write` at a unit looks after the people of that unit and of everything below
it, and gives roles there, never higher than where they stand themselves. Over a person who also
holds a role elsewhere only those decide who govern that unit too: a new password for such a person
would be a way to rights that its giver does not have.
"""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from rooms.addresses import mail_address, telephone
from rooms.administrators import administrators_kept
from rooms.folding import fold
from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import Conflict, FieldInvalid, NotFound, bounded_text, require_text
from rooms.people import NewPerson, Person, Role, RoleGrant, UnknownPerson, add_person, grant_role
from rooms.policies import Actor, NotPermitted, Permission, governed, require


@dataclass
class UnknownGrant(NotFound):
    code: ClassVar[str] = "unknown_grant"
    grant: int


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
    if unit.valid_until is not None and unit.valid_until <= (valid_from or on):
        raise FieldInvalid("unit", "unit_ended", str(unit.valid_until))
    person = add_person(session, new, unit.id, on)
    grant_role(session, person.id, role, unit.id, valid_from or on, valid_until)
    return person


@dataclass(frozen=True, slots=True)
class Particulars:
    """What may change of a person; their user name stays."""

    name: str
    title: str
    email: str
    phone: str
    unit_id: int


def describe(session: Session, actor: Actor, person_id: int, said: Particulars, on: date) -> Person:
    """Change a person's name, office and contact, or move them to another unit one governs.

    Their roles stay where they are. Raises as `person_under`, `UnknownUnit`, `FieldInvalid`.
    """
    person = person_under(session, actor, person_id, on)
    name = require_text("name", said.name, 120)
    title = bounded_text("title", said.title, 120)
    email, phone = mail_address("email", said.email), telephone("phone", said.phone)
    if said.unit_id != person.unit_id:
        unit = unit_by_id(session, said.unit_id, on)
        require(session, actor, Permission.PERSON_WRITE, unit.id, on)
        if unit.valid_until is not None and unit.valid_until <= on:
            raise FieldInvalid("unit", "unit_ended", str(unit.valid_until))
    person.name, person.folded = name, fold(f"{name} {person.username}")
    person.title, person.email, person.phone = title, email, phone
    person.unit_id = said.unit_id
    session.flush()
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
    if unit.valid_until is not None and unit.valid_until <= valid_from:
        raise FieldInvalid("unit", "unit_ended", str(unit.valid_until))
    _require_free(session, person.id, role, unit, valid_from, valid_until)
    return grant_role(session, person.id, role, unit.id, valid_from, valid_until)


def _require_free(
    session: Session,
    person_id: int,
    role: Role,
    unit: Unit,
    first: date,
    end: date | None,
    besides: int | None = None,
) -> None:
    # The person's row is the lock: of two administrators who give the same, the second is told.
    session.execute(select(Person.id).where(Person.id == person_id).with_for_update(key_share=True))
    overlapping = select(RoleGrant.id).where(
        RoleGrant.person_id == person_id,
        RoleGrant.role == role.value,
        RoleGrant.unit_id == unit.id,
        or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > first),
        *([RoleGrant.valid_from < end] if end else []),
        *([RoleGrant.id != besides] if besides else []),
    )
    if session.scalar(overlapping) is not None:
        raise RoleHeld(role.value, unit.name)


def grant_to_change(session: Session, actor: Actor, grant_id: int, on: date) -> RoleGrant:
    """A grant at a unit whose people the actor looks after. Raises `UnknownGrant`, `NotPermitted`."""
    grant = session.get(RoleGrant, grant_id)
    if grant is None:
        raise UnknownGrant(grant_id)
    require(session, actor, Permission.PERSON_WRITE, grant.unit_id, on)
    return grant


def end_role(
    session: Session,
    actor: Actor,
    grant_id: int,
    on: date,
    *,
    until: date | None = None,
    gap_accepted: bool = False,
) -> None:
    """Let a grant end: the person does not hold the role from `until` on, today unless given.

    A later day than the present end lengthens it. A grant that would end before it begins is taken
    back whole; one that is over stays as it is. Raises `UnknownGrant`, `NotPermitted`, `RoleHeld`,
    `FieldInvalid` for a day that has passed, `LastAdministrator`, `AdministratorGap` unless
    `gap_accepted`.
    """
    grant = grant_to_change(session, actor, grant_id, on)
    if grant.valid_until is not None and grant.valid_until <= on:
        return
    end = until or on
    if end < on:
        raise FieldInvalid("valid_until", "in_the_past")
    with administrators_kept(session, on, gap_accepted=gap_accepted):
        # Locked by now where it is an administrator's; another may have ended it meanwhile.
        found = session.get(RoleGrant, grant_id, with_for_update=True, populate_existing=True)
        if found is None:
            raise UnknownGrant(grant_id)
        if end <= grant.valid_from:
            session.delete(grant)
            return
        if grant.valid_until is not None and end > grant.valid_until:
            unit = unit_by_id(session, grant.unit_id, on)
            _require_free(
                session, grant.person_id, Role(grant.role), unit, grant.valid_until, end, grant.id
            )
        grant.valid_until = end


def deactivate(
    session: Session, actor: Actor, person_id: int, on: date, *, gap_accepted: bool = False
) -> Person:
    """Shut a person out; their past stays. Raises as `person_under`, and as `end_role`."""
    person = person_under(session, actor, person_id, on)
    if person.active:
        with administrators_kept(session, on, gap_accepted=gap_accepted):
            person.active = False
    return person


def reactivate(session: Session, actor: Actor, person_id: int, on: date) -> Person:
    """Let a person in again, with the roles they held. Raises as `person_under`."""
    person = person_under(session, actor, person_id, on)
    person.active = True
    session.flush()
    return person


def person_by_username(session: Session, username: str) -> Person:
    """Raises `UnknownPerson`; people who have left are found as well."""
    person = session.scalar(select(Person).where(Person.username == username.strip().casefold()))
    if person is None:
        raise UnknownPerson(username)
    return person
