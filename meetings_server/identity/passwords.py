"""Passwords: kept as Argon2id hashes, checked in constant effort.

What one may choose stands in `password_rules`. A password that was chosen under earlier rules stays:
nothing is gained by a forced change (NIST SP 800-63B-4, 3.1.1.2).
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import ClassVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import ForeignKey, false, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.database import Database
from meetings_server.identity.legible import invent
from meetings_server.identity.password_rules import (
    LONGEST,
    SHORTEST_ALONE,
    SHORTEST_WITH_SECOND_FACTOR,
    normalised,
    require_sound,
)
from meetings_server.identity.second_factor import has_second_factor
from rooms.hierarchy import Unit
from rooms.kernel import Base, Denied, DomainError, FieldInvalid
from rooms.people import Person

_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """Checked when the name is unknown, so that the time of the answer does not tell names apart."""
    return _hasher.hash("nobody has this password")


class Credential(Base):
    """A person's password hash, Argon2id with its parameters inside."""

    __tablename__ = "credential"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    password_hash: Mapped[str]
    changed_at: Mapped[datetime]
    must_change: Mapped[bool] = mapped_column(default=False)
    """Set by somebody else, or too short by now: its owner replaces it before anything else."""
    short: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Long enough only beside a second factor: without one it has to be replaced."""


@dataclass
class LoginRefused(DomainError):
    """Name and password do not fit; which of the two is not said."""

    code: ClassVar[str] = "login_refused"


@dataclass
class PasswordChangeDue(Denied):
    """The password was set by somebody else: its owner replaces it before anything else."""

    code: ClassVar[str] = "password_change_due"


def shortest_for(session: Session, person_id: int) -> int:
    """Characters that a new password of this person needs."""
    beside = has_second_factor(session, person_id)
    return SHORTEST_WITH_SECOND_FACTOR if beside else SHORTEST_ALONE


def set_password(
    session: Session, person_id: int, password: str, now: datetime, *, must_change: bool = False
) -> None:
    """Raises `FieldInvalid` for a password that breaks the rules (`password_rules`).

    `must_change`: somebody else knows it, so its owner has to replace it at the next login.
    """
    username, name, unit, code = session.execute(
        select(Person.username, Person.name, Unit.name, Unit.code)
        .join(Unit, Unit.id == Person.unit_id)
        .where(Person.id == person_id)
    ).one()
    words = (username, name, unit, code, *name.split(), *username.split("."))
    require_sound(password, words, shortest_for(session, person_id))
    keep_password(session, person_id, password, now, must_change=must_change)


def keep_password(
    session: Session, person_id: int, password: str, now: datetime, *, must_change: bool = False
) -> None:
    """Keep a password without judging it.

    For people who choose one there is `set_password`. This is for the demonstration, whose password
    stands on its front page, and for what it leaves to `set_password`: the keeping.
    """
    credential = session.get(Credential, person_id)
    if credential is None:
        credential = Credential(person_id=person_id)
        session.add(credential)
    kept = normalised(password)
    credential.password_hash = _hasher.hash(kept)
    credential.changed_at = now
    credential.must_change = must_change
    credential.short = len(kept) < SHORTEST_ALONE
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
    if not _fits(found[1] if found else _nobody(), password) or found is None:
        raise LoginRefused
    person: Person = found[0]
    return person


def change_password(
    session: Session, person_id: int, present: str, fresh: str, now: datetime
) -> None:
    """Replace one's own password. Raises `FieldInvalid` at `present` or at `password`."""
    credential = session.get(Credential, person_id)
    if not _fits(credential.password_hash if credential else _nobody(), present):
        raise FieldInvalid("present", "wrong_password")
    if present == fresh:
        raise FieldInvalid("password", "same_as_before")
    set_password(session, person_id, fresh, now)


def invent_password() -> str:
    """A first password to be told once: four groups of four, about 79 bits."""
    return invent(4)


def _fits(known: str, password: str) -> bool:
    typed = password[: LONGEST + 1]
    # What was kept before passwords were normalised was kept as it was typed.
    return any(_matches(known, form) for form in dict.fromkeys((normalised(typed), typed)))


def _matches(known: str, password: str) -> bool:
    try:
        return _hasher.verify(known, password)
    except VerificationError:
        return False
