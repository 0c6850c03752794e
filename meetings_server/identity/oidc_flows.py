"""Logins that were sent to the OpenID Connect provider and have not come back.

State, nonce and code verifier are kept here and not in the browser, so that an answer of the provider
is heard once, within minutes, and only in the browser that was sent away.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from sqlalchemy import delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base, Conflict

COOKIE = "meetings_sso"
LASTS = timedelta(minutes=10)


class OidcFlow(Base):
    """One browser on its way to the provider and back."""

    __tablename__ = "oidc_flow"

    state_hash: Mapped[str] = mapped_column(primary_key=True)
    browser_hash: Mapped[str]
    """Of the secret in the cookie of the browser that was sent away."""
    nonce: Mapped[str]
    verifier: Mapped[str]
    """The code verifier of PKCE (RFC 7636)."""
    target: Mapped[str]
    """Where the login leads on to: a path on this server."""
    expires_at: Mapped[datetime]


@dataclass
class AnswerNotAwaited(Conflict):
    """The state is unknown, was used, has expired, or belongs to another browser."""

    code: ClassVar[str] = "answer_not_awaited"


@dataclass(frozen=True, slots=True)
class Departure:
    """What goes along with a browser that is sent to the provider."""

    state: str
    nonce: str
    verifier: str
    browser: str
    """For the cookie."""


@dataclass(frozen=True, slots=True)
class Return:
    """What was kept for the answer."""

    nonce: str
    verifier: str
    target: str


def depart(session: Session, target: str, now: datetime) -> Departure:
    sweep_flows(session, now)
    leaving = Departure(*(secrets.token_urlsafe(size) for size in (32, 32, 48, 32)))
    session.add(
        OidcFlow(
            state_hash=_digest(leaving.state),
            browser_hash=_digest(leaving.browser),
            nonce=leaving.nonce,
            verifier=leaving.verifier,
            target=target,
            expires_at=now + LASTS,
        )
    )
    return leaving


def come_back(session: Session, state: str, browser: str, now: datetime) -> Return:
    """What belongs to an answer; it is forgotten at once. Raises `AnswerNotAwaited`.

    An answer that comes to another browser leaves the flow alone: its owner may still come back.
    """
    found = session.execute(
        delete(OidcFlow)
        .where(
            OidcFlow.state_hash == _digest(state),
            OidcFlow.browser_hash == _digest(browser),
            OidcFlow.expires_at > now,
        )
        .returning(OidcFlow.nonce, OidcFlow.verifier, OidcFlow.target)
    ).first()
    if found is None:
        raise AnswerNotAwaited
    return Return(*found)


def sweep_flows(session: Session, now: datetime) -> int:
    """Delete what has expired. Returns how many."""
    gone = session.scalars(
        delete(OidcFlow).where(OidcFlow.expires_at <= now).returning(OidcFlow.state_hash)
    )
    return len(gone.all())


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
