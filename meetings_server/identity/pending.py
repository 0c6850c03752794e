"""Half a login: the password was right, the code is still missing. It opens nothing.

The browser keeps the secret in a cookie of its own for a few minutes; the right code turns it into a
login (`sessions`).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base, Conflict, Denied
from rooms.people import Person

COOKIE = "meetings_half_login"
LASTS = timedelta(minutes=10)


class PendingLogin(Base):
    """Somebody who has shown the first factor, until `expires_at`."""

    __tablename__ = "pending_login"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    method: Mapped[str]
    """`password` or `oidc`, as in `sessions.LoginSession`."""
    id_token: Mapped[str | None]
    target: Mapped[str]
    """Where the login leads on to."""
    expires_at: Mapped[datetime]


@dataclass
class SecondFactorRequired(Denied):
    """The password fits; the code is still to come."""

    code: ClassVar[str] = "second_factor_required"


@dataclass
class NoPendingLogin(Conflict):
    """The half login is over, was finished, or never was: begin with the password again."""

    code: ClassVar[str] = "no_pending_login"


def begin_pending(
    session: Session,
    person_id: int,
    now: datetime,
    *,
    method: str,
    target: str,
    id_token: str | None = None,
) -> str:
    """Remember the first factor; returns the secret for the cookie."""
    session.execute(delete(PendingLogin).where(PendingLogin.expires_at <= now))
    secret = secrets.token_urlsafe(32)
    session.add(
        PendingLogin(
            secret_hash=_digest(secret),
            person_id=person_id,
            method=method,
            id_token=id_token,
            target=target,
            expires_at=now + LASTS,
        )
    )
    return secret


def find_pending(session: Session, secret: str, now: datetime) -> tuple[PendingLogin, Person]:
    """Whose half login a cookie stands for. Raises `NoPendingLogin`."""
    found = session.execute(
        select(PendingLogin, Person)
        .join(Person, Person.id == PendingLogin.person_id)
        .where(
            PendingLogin.secret_hash == _digest(secret),
            PendingLogin.expires_at > now,
            Person.active,
        )
    ).first()
    if found is None:
        raise NoPendingLogin
    return found[0], found[1]


def end_pending(session: Session, person_id: int) -> None:
    """Forget the half logins of a person: one was finished, or the password is another now."""
    session.execute(delete(PendingLogin).where(PendingLogin.person_id == person_id))


def sweep_pending(session: Session, now: datetime) -> int:
    """Delete what has expired. Returns how many."""
    gone = session.scalars(
        delete(PendingLogin).where(PendingLogin.expires_at <= now).returning(PendingLogin.id)
    )
    return len(gone.all())


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
