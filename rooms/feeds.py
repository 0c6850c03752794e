"""Calendar feeds: an address with a secret in it, for a unit, a bridge point or a person."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from rooms.kernel import Base


class FeedKind(StrEnum):
    UNIT = "unit"
    POINT = "point"
    PERSON = "person"


class CalendarFeed(Base):
    """One address of one calendar; renewing it ends the old one.

    The token is kept as it is, not as a hash: the page shows the address again to whoever may have
    it, and it opens nothing but the times and places of meetings.
    """

    __tablename__ = "calendar_feed"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    of_id: Mapped[int]
    """Id of the unit, the point or the person."""
    created_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "kind", "of_id"),)
