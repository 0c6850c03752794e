"""The day of a reorganisation has come: people and rooms move to the successors of their units."""

from datetime import datetime

from sqlalchemy.orm import Session

from rooms.kernel import civil_day
from rooms.reorganisation import come_into_force


def sweep(session: Session, now: datetime) -> int:
    """Returns how many reorganisations have come into force."""
    return come_into_force(session, civil_day(now), now)
