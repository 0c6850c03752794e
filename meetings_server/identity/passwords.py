"""Passwords: kept as Argon2id hashes, checked in constant effort."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.database import Database
from rooms.kernel import Base, Denied, DomainError, FieldInvalid
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
    must_change: Mapped[bool] = mapped_column(default=False)
    """Set by somebody else: its owner replaces it before anything else."""


@dataclass
class LoginRefused(DomainError):
    """Name and password do not fit; which of the two is not said."""

    code: ClassVar[str] = "login_refused"


@dataclass
class PasswordChangeDue(Denied):
    """The password was set by somebody else: its owner replaces it before anything else."""

    code: ClassVar[str] = "password_change_due"


def set_password(
    session: Session, person_id: int, password: str, now: datetime, *, must_change: bool = False
) -> None:
    """Raises `FieldInvalid` for a password shorter than 8 or longer than 256 characters.

    `must_change`: somebody else knows it, so its owner has to replace it at the next login.
    """
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
    credential.must_change = must_change
    session.flush()


def check_password(database: Database, username: str, password: str) -> Person:
    """The person with this name and password. Raises `LoginRefused`. Takes about 50 ms of CPU.

    The look-up is over before the check begins: no lock is held while it computes.
    """
    with database.reader() as session:
        found = session.execute(
            select(Person, Credential.password_hash)
            .join(Credential, Credential.person_id == Person.id)
            .where(Person.username == username.strip().casefold(), Person.active)
        ).first()
    if not _fits(found[1] if found else _nobody, password) or found is None:
        raise LoginRefused
    person: Person = found[0]
    return person


def change_password(
    session: Session, person_id: int, present: str, fresh: str, now: datetime
) -> None:
    """Replace one's own password. Raises `FieldInvalid` at `present` or at `password`."""
    credential = session.get(Credential, person_id)
    if not _fits(credential.password_hash if credential else _nobody, present):
        raise FieldInvalid("present", "wrong_password")
    if present == fresh:
        raise FieldInvalid("password", "same_as_before")
    set_password(session, person_id, fresh, now)


ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without letters and digits that are taken for each other on paper or on the telephone."""


def invent_password() -> str:
    """A first password to be told once: four groups of four, about 79 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))


def _fits(known: str, password: str) -> bool:
    try:
        return _hasher.verify(known, password[: LONGEST + 1])
    except VerificationError:
        return False
