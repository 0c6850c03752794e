"""Guessing passwords is made slow: failed logins are counted per account and address.

An attempt is put down before the password is checked and taken out when it fits, so that many
attempts at once cannot outrun the count. Names are kept as hashes: people type passwords there.
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


def _account(username: str) -> str:
    return sha256(username.strip().casefold().encode()).hexdigest()


def begin_attempt(session: Session, username: str, address: str, now: datetime) -> int:
    """Count an attempt before its password is checked; returns its id. Raises `TooManyAttempts`."""
    account = _account(username)
    since = now - WINDOW
    session.execute(delete(LoginAttempt).where(LoginAttempt.at <= since))
    same_account = LoginAttempt.account == account
    same_address = LoginAttempt.address == address
    for condition, most in (
        (same_account & same_address, MOST_TOGETHER),
        (same_account, MOST_PER_ACCOUNT),
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


def forget_failures(session: Session, username: str, address: str) -> None:
    """The password fitted: what failed before, from here and for this account, counts no more."""
    session.execute(
        delete(LoginAttempt).where(
            LoginAttempt.account == _account(username), LoginAttempt.address == address
        )
    )
