"""Faults: what went wrong at a bridge point, when it was noticed, and what was done about it."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from rooms.kernel import Base


class Fault(Base):
    """Something at a point went wrong at `noticed_at`; it is open until `solved_at`."""

    __tablename__ = "fault"

    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"))
    kind: Mapped[str]
    text: Mapped[str]
    noticed_at: Mapped[datetime]
    reported_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reported_at: Mapped[datetime]
    meeting_id: Mapped[int | None] = mapped_column(ForeignKey("meeting.id"))
    """The meeting in which it was noticed."""
    outage_id: Mapped[int | None] = mapped_column(ForeignKey("outage.id"))
    """The outage that it led to."""
    solved_at: Mapped[datetime | None]
    solved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    remedy: Mapped[str]
    """What was done."""
    request_key: Mapped[str | None] = mapped_column(unique=True)
    """Made with the form; a second click finds it taken."""

    __table_args__ = (Index(None, "point_id", "noticed_at"), Index(None, "solved_at"))
