"""Guessing is made slow: failed logins are counted per account and address.

Passwords, codes of the second factor (recovery codes among them) and logins through the provider are
counted alike, each with bounds of its own; what comes from one address is counted together. API
tokens are not: nobody guesses 256 bits.

An attempt is put down before anything is checked and taken out when it fits, so that many attempts
at once cannot outrun the count. Names are kept as hashes: people type passwords there.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from sqlalchemy import Index, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base, Conflict

WINDOW = timedelta(minutes=15)

MOST_TOGETHER = 10
"""Failures for one account from one address within the window."""
MOST_PER_ACCOUNT = 50
"""Failures for one account from anywhere: more, so that a stranger cannot lock people out easily."""
MOST_PER_ADDRESS = 200
"""Failures from one address: a whole office shares one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is tried, and how often one may fail within the window."""

    name: str
    together: int
    per_account: int


PASSWORD = Kind("", MOST_TOGETHER, MOST_PER_ACCOUNT)
CODE = Kind("code", 5, 10)
"""Three of a million codes fit at any time, and only who knows the password gets here."""
PROVIDER = Kind("provider", MOST_PER_ADDRESS, MOST_PER_ADDRESS)
"""Who it is, is known only when they come back: the address stands for the account."""


class LoginAttempt(Base):
    """A login that failed, or whose password is being checked."""

    __tablename__ = "login_attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str]
    """SHA-256 of the user name as it was typed, folded."""
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (Index(None, "account", "at"), Index(None, "address", "at"))


@dataclass
class TooManyAttempts(Conflict):
    """Failed too often; the next attempt is heard in `minutes`."""

    code: ClassVar[str] = "too_many_attempts"
    minutes: int


def _account(kind: Kind, name: str) -> str:
    told = f"{kind.name}:{name}" if kind.name else name
    return sha256(told.strip().casefold().encode()).hexdigest()


def begin_attempt(
    session: Session, name: str, address: str, now: datetime, kind: Kind = PASSWORD
) -> int:
    """Count an attempt before it is checked; returns its id. Raises `TooManyAttempts`.

    `name`: the user name as it was typed; for a code the person's id; for the provider the
    address.
    """
    account = _account(kind, name)
    since = now - WINDOW
    session.execute(delete(LoginAttempt).where(LoginAttempt.at <= since))
    same_account = LoginAttempt.account == account
    same_address = LoginAttempt.address == address
    for condition, most in (
        (same_account & same_address, kind.together),
        (same_account, kind.per_account),
        (same_address, MOST_PER_ADDRESS),
    ):
        count, oldest = session.execute(
            select(func.count(), func.min(LoginAttempt.at)).where(
                condition, LoginAttempt.at > since
            )
        ).one()
        if count >= most:
            left = oldest + WINDOW - now
            raise TooManyAttempts(max(1, -(-left // timedelta(minutes=1))))
    attempt = LoginAttempt(account=account, address=address, at=now)
    session.add(attempt)
    session.flush()
    return attempt.id


def forget_failures(session: Session, name: str, address: str, kind: Kind = PASSWORD) -> None:
    """It fitted: what failed before, from here and for this account, counts no more."""
    session.execute(
        delete(LoginAttempt).where(
            LoginAttempt.account == _account(kind, name), LoginAttempt.address == address
        )
    )
