"""People and the roles they hold: a role holds at a unit and everything below, between two days."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from rooms.addresses import mail_address, telephone
from rooms.folding import fold
from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import Base, Conflict, FieldInvalid, NotFound, bounded_text, require_text


class Role(StrEnum):
    """What a person does at a unit and everything below it."""

    ADMINISTRATOR = "administrator"
    SECRETARY = "secretary"
    OPERATOR = "operator"
    TECHNICIAN = "technician"
    OFFICIAL = "official"


class Person(Base):
    """A user of the system. Belongs to a unit; what they may do stands in their grants."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    folded: Mapped[str]
    title: Mapped[str]
    """The office held (chức vụ), as it stands on an invitation."""
    email: Mapped[str | None]
    phone: Mapped[str | None]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    active: Mapped[bool] = mapped_column(default=True)
    locale: Mapped[str] = mapped_column(default="vi")

    unit: Mapped[Unit] = relationship(lazy="raise")


class RoleGrant(Base):
    """`person` holds `role` at `unit` and everything below it in `[valid_from, valid_until)`."""

    __tablename__ = "role_grant"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    role: Mapped[str]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]

    unit: Mapped[Unit] = relationship(lazy="raise")

    __table_args__ = (Index(None, "person_id", "role"),)


@dataclass
class UnknownPerson(NotFound):
    code: ClassVar[str] = "unknown_person"
    person: str


@dataclass
class UsernameTaken(Conflict):
    code: ClassVar[str] = "username_taken"
    username: str


@dataclass(frozen=True, slots=True)
class NewPerson:
    """What is known of a person when they are brought in."""

    username: str
    name: str
    title: str = ""
    email: str | None = None
    phone: str | None = None


def add_person(session: Session, new: NewPerson, unit_id: int, on: date) -> Person:
    """Bring in a person at a unit. Raises `FieldInvalid`, `UnknownUnit`, `UsernameTaken`."""
    username = require_text("username", new.username, 80).casefold()
    if any(c.isspace() for c in username):
        raise FieldInvalid("username", "has_spaces")
    name = require_text("name", new.name, 120)
    unit = unit_by_id(session, unit_id, on)
    if session.scalar(select(Person.id).where(Person.username == username)) is not None:
        raise UsernameTaken(username)
    person = Person(
        username=username,
        name=name,
        folded=fold(f"{name} {username}"),
        title=bounded_text("title", new.title, 120),
        email=mail_address("email", new.email),
        phone=telephone("phone", new.phone),
        unit_id=unit.id,
        active=True,
        locale="vi",
    )
    session.add(person)
    session.flush()
    return person


def grant_role(
    session: Session,
    person_id: int,
    role: Role,
    unit_id: int,
    valid_from: date,
    valid_until: date | None = None,
) -> RoleGrant:
    """Give a role at a unit and everything below, from a day on. Raises `FieldInvalid`."""
    if valid_until is not None and valid_until <= valid_from:
        raise FieldInvalid("valid_until", "not_after_start")
    grant = RoleGrant(
        person_id=person_id,
        unit_id=unit_id,
        role=role.value,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    session.add(grant)
    session.flush()
    return grant


def person_by_id(session: Session, person_id: int) -> Person:
    """Raises `UnknownPerson`; a person who has left counts as unknown for new work."""
    person = session.get(Person, person_id)
    if person is None or not person.active:
        raise UnknownPerson(str(person_id))
    return person
