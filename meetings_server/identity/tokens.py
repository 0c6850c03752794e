"""API tokens: a program's way in, for one person, for some of what that person may do.

A token is a random secret of 256 bits that is shown once; the database keeps its SHA-256. Nobody
guesses one, so tries are not counted as those of passwords are. What it opens are scopes such as
`meetings:read`; within them it may do what its person may. Which call needs which scope stands in
`meetings_server/api/scopes.py`.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base, Denied, FieldInvalid, require_text

LONGEST_DAYS = 366
"""A token is looked at again once a year."""

EVERYTHING = "*"
"""What the person may, also in calls that do not exist yet: what a token meant before scopes were."""
ALL_SCOPES = frozenset({EVERYTHING})

SCOPES = (
    "units:read",
    "bridge-points:read",
    "bridge-points:write",
    "people:read",
    "meetings:read",
    "meetings:write",
    "replies:write",
    "attendance:read",
    "attendance:write",
    "minutes:read",
    "minutes:write",
    "tasks:read",
    "tasks:write",
    "directives:read",
    "directives:write",
    "receipts:write",
    "search:read",
    "reports:read",
    "audit:read",
)
"""As they are offered. `write` does not contain `read`: a device that checks in needs to read nothing."""


@dataclass
class ScopeMissing(Denied):
    """The token was not made for this."""

    code: ClassVar[str] = "scope_missing"
    scope: str


def opens(held: Collection[str], scope: str) -> bool:
    """Whether scopes that are held let through to what needs `scope`."""
    return EVERYTHING in held or scope in held


class ApiToken(Base):
    """A secret for a program that acts for a person; shown once, ends on a day."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    scopes: Mapped[str] = mapped_column(server_default=EVERYTHING)
    """Words of `SCOPES` with blanks between them, or `*`."""

    @property
    def scope_list(self) -> list[str]:
        """The scopes one by one, as they are offered."""
        held = set(self.scopes.split())
        return [scope for scope in (EVERYTHING, *SCOPES) if scope in held]


def create_token(
    session: Session,
    person_id: int,
    name: str,
    now: datetime,
    days: int = 365,
    scopes: Collection[str] = ALL_SCOPES,
) -> str:
    """Make an API token; the secret is returned here and never again. Raises `FieldInvalid`."""
    if not 1 <= days <= LONGEST_DAYS:
        raise FieldInvalid("days", "out_of_range", f"1–{LONGEST_DAYS}")
    unknown = sorted(set(scopes) - {EVERYTHING, *SCOPES})
    if unknown:
        raise FieldInvalid("scopes", "unknown", unknown[0])
    if not scopes:
        raise FieldInvalid("scopes", "nothing_chosen")
    secret = f"mt_{secrets.token_urlsafe(32)}"
    session.add(
        ApiToken(
            secret_hash=sha256(secret.encode()).hexdigest(),
            person_id=person_id,
            name=require_text("name", name, 80),
            created_at=now,
            expires_at=now + timedelta(days=days),
            scopes=EVERYTHING if EVERYTHING in scopes else " ".join(sorted(set(scopes))),
        )
    )
    return secret


def tokens_of(session: Session, person_id: int) -> list[ApiToken]:
    """A person's API tokens, the newest first; those that have ended stay until they are revoked."""
    return list(
        session.scalars(
            select(ApiToken).where(ApiToken.person_id == person_id).order_by(ApiToken.id.desc())
        )
    )


def revoke_token(session: Session, person_id: int, token_id: int) -> None:
    """Make a person's token worthless; another's stays as it is."""
    token = session.get(ApiToken, token_id)
    if token is not None and token.person_id == person_id:
        session.delete(token)
        session.flush()
