"""What a sweep has done is written down in the commit in which it does it, and so is done once."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base


class SweepMark(Base):
    """An occasion that has been seen to, such as `day:12:2026-11-23T01:00:00+00:00`."""

    __tablename__ = "sweep_mark"

    occasion: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


MOST_OCCASIONS = 5_000
"""Occasions in one condition: databases bound the number of parameters of a statement."""


def marked(session: Session, occasions: Sequence[str]) -> set[str]:
    """Which of the occasions have been seen to."""
    found: set[str] = set()
    for start in range(0, len(occasions), MOST_OCCASIONS):
        part = occasions[start : start + MOST_OCCASIONS]
        found.update(
            session.scalars(select(SweepMark.occasion).where(SweepMark.occasion.in_(part)))
        )
    return found


def mark_all(session: Session, occasions: Sequence[str], now: datetime) -> bool:
    """Take occasions on, all or none.

    False where somebody else has taken one of them, be it at this very moment: PostgreSQL lets the
    second one wait here until the first has committed or rolled back. The next sweep sees what is left.
    """
    if not occasions:
        return True
    rows = [{"occasion": occasion, "at": now} for occasion in occasions]
    try:
        with session.begin_nested():
            session.execute(insert(SweepMark), rows)
    except IntegrityError:
        return False
    return True
