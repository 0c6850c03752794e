"""Passwords: kept as Argon2id hashes, checked in constant effort."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base, DomainError, FieldInvalid
from rooms.people import Person

SHORTEST = 8
LONGEST = 256

_hasher = PasswordHasher()
# Checked when the name is unknown, so that the time of the answer does not tell names apart.
_nobody = _hasher.hash("nobody has this password")


class Credential(Base):
    """A person's password hash, Argon2id with its parameters inside."""

    __tablename__ = "credential"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    password_hash: Mapped[str]
    changed_at: Mapped[datetime]


@dataclass
class LoginRefused(DomainError):
    """Name and password do not fit; which of the two is not said."""

    code: ClassVar[str] = "login_refused"


def set_password(session: Session, person_id: int, password: str, now: datetime) -> None:
    """Raises `FieldInvalid` for a password shorter than 8 or longer than 256 characters."""
    if len(password) < SHORTEST:
        raise FieldInvalid("password", "too_short", SHORTEST)
    if len(password) > LONGEST:
        raise FieldInvalid("password", "too_long", LONGEST)
    credential = session.get(Credential, person_id)
    if credential is None:
        credential = Credential(person_id=person_id)
        session.add(credential)
    credential.password_hash = _hasher.hash(password)
    credential.changed_at = now
    session.flush()


def check_password(session: Session, username: str, password: str) -> Person:
    """The person with this name and password. Raises `LoginRefused`. Takes about 50 ms of CPU."""
    found = session.execute(
        select(Person, Credential.password_hash)
        .join(Credential, Credential.person_id == Person.id)
        .where(Person.username == username.strip().casefold(), Person.active)
    ).first()
    known = found[1] if found else _nobody
    try:
        _hasher.verify(known, password[: LONGEST + 1])
    except VerificationError:
        raise LoginRefused from None
    if found is None:
        raise LoginRefused
    person: Person = found[0]
    return person
