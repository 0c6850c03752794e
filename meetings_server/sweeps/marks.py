"""What a sweep has done is written down in the commit in which it does it, and so is done once."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base


class SweepMark(Base):
    """An occasion that has been seen to, such as `day:12:2026-11-23T01:00:00+00:00`."""

    __tablename__ = "sweep_mark"

    occasion: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


def marked(session: Session, occasions: list[str]) -> set[str]:
    """Which of the occasions have been seen to."""
    return set(session.scalars(select(SweepMark.occasion).where(SweepMark.occasion.in_(occasions))))


def mark(session: Session, occasion: str, now: datetime) -> bool:
    """Take an occasion on. False where somebody else has, be it at this very moment.

    PostgreSQL lets the second one wait here until the first has committed or rolled back.
    """
    try:
        with session.begin_nested():
            session.add(SweepMark(occasion=occasion, at=now))
    except IntegrityError:
        return False
    return True
