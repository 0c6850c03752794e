"""Recovery codes: a way in for somebody whose phone is lost. Each opens once.

A code has 118 bits, so that a plain hash keeps it (NIST SP 800-63B-4, 3.1.2.2: look-up secrets of at
least 112 bits may be kept as a one-way hash, shorter ones need salt and a slow one).
"""

from datetime import datetime
from hashlib import sha256

from sqlalchemy import ForeignKey, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.identity.legible import invent
from rooms.auditing import audited
from rooms.kernel import Base

HOW_MANY = 8
GROUPS = 6


class RecoveryCode(Base):
    """One code, as a hash; `used_at` says that it opens nothing any more."""

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    code_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def make_codes(session: Session, person_id: int, now: datetime) -> list[str]:
    """New codes in place of all earlier ones; they are returned here and never again."""
    forget_codes(session, person_id)
    codes = [invent(GROUPS) for _ in range(HOW_MANY)]
    session.add_all(
        RecoveryCode(person_id=person_id, code_hash=_hash(code), created_at=now) for code in codes
    )
    session.flush()
    return codes


def use_code(session: Session, person_id: int, typed: str, now: datetime) -> bool:
    """Whether this is an unused code of the person; from here on it is used."""
    # Of two requests with the same code at the same moment one finds it used.
    used = session.scalars(
        update(RecoveryCode)
        .where(
            RecoveryCode.person_id == person_id,
            RecoveryCode.code_hash == _hash(typed),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.id)
    )
    if used.first() is None:
        return False
    audited(
        session,
        "change",
        "recovery_code",
        record=("person", person_id),
        after={"used_at": now.isoformat()},
    )
    return True


def codes_left(session: Session, person_id: int) -> int:
    return (
        session.scalar(
            select(func.count()).where(
                RecoveryCode.person_id == person_id, RecoveryCode.used_at.is_(None)
            )
        )
        or 0
    )


def forget_codes(session: Session, person_id: int) -> None:
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person_id))


def _hash(typed: str) -> str:
    """However it was typed: capital letters, blanks and strokes between the groups do not count."""
    return sha256("".join(c for c in typed.casefold() if c.isalnum()).encode()).hexdigest()
