"""Server-side sessions and API tokens: what a request shows, and whom it stands for.

A cookie or a bearer token is a random secret; the database keeps its SHA-256, so that a copy of the
database opens no door.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.hierarchy import Unit
from rooms.kernel import Base, FieldInvalid, civil_day, require_text
from rooms.people import Person, Role
from rooms.policies import Actor, roles_of

COOKIE = "meetings_session"


class LoginSession(Base):
    """One browser that is logged in, until `expires_at`."""

    __tablename__ = "login_session"

    secret_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ApiToken(Base):
    """A secret for a program that acts for a person; shown once, ends on a day."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person a request stands for, with what every page shows of them."""

    person_id: int
    username: str
    name: str
    title: str
    unit_id: int
    unit_name: str
    unit_code: str
    locale: str
    roles: frozenset[Role]

    @property
    def actor(self) -> Actor:
        return Actor(self.person_id, self.name, self.unit_id)


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def open_session(session: Session, person: Person, now: datetime, hours: int) -> str:
    """Log a person in; returns the secret for the cookie. Expired sessions are swept here."""
    session.execute(delete(LoginSession).where(LoginSession.expires_at <= now))
    secret = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            secret_hash=_digest(secret),
            person_id=person.id,
            created_at=now,
            expires_at=now + timedelta(hours=hours),
        )
    )
    return secret


def close_session(session: Session, secret: str) -> None:
    session.execute(delete(LoginSession).where(LoginSession.secret_hash == _digest(secret)))


def create_token(
    session: Session, person_id: int, name: str, now: datetime, days: int = 365
) -> str:
    """Make an API token; the secret is returned here and never again. Raises `FieldInvalid`."""
    if not 1 <= days <= 3650:  # noqa: PLR2004 -- ten years is the bound itself
        raise FieldInvalid("days", "out_of_range", "1–3650")
    secret = f"mt_{secrets.token_urlsafe(32)}"
    session.add(
        ApiToken(
            secret_hash=_digest(secret),
            person_id=person_id,
            name=require_text("name", name, 80),
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
    )
    return secret


def by_cookie(session: Session, secret: str, now: datetime) -> SignedIn | None:
    """Whom a session cookie stands for; None where it is unknown or has expired."""
    return _signed_in(
        session,
        select(LoginSession.person_id)
        .where(LoginSession.secret_hash == _digest(secret), LoginSession.expires_at > now)
        .scalar_subquery(),
        now,
    )


def by_token(session: Session, secret: str, now: datetime) -> SignedIn | None:
    """Whom an API token stands for; None where it is unknown or has expired."""
    return _signed_in(
        session,
        select(ApiToken.person_id)
        .where(ApiToken.secret_hash == _digest(secret), ApiToken.expires_at > now)
        .scalar_subquery(),
        now,
    )


def _signed_in(session: Session, person_id: object, now: datetime) -> SignedIn | None:
    row = session.execute(
        select(
            Person.id,
            Person.username,
            Person.name,
            Person.title,
            Person.unit_id,
            Unit.name,
            Unit.code,
            Person.locale,
        )
        .join(Unit, Unit.id == Person.unit_id)
        .where(Person.id == person_id, Person.active)
    ).first()
    if row is None:
        return None
    actor = Actor(row[0], row[2], row[4])
    return SignedIn(*row, roles=frozenset(roles_of(session, actor, civil_day(now))))
