"""State secrets stay on paper: all that is kept here is where the paper lies.

Source: Luật Bảo vệ bí mật nhà nước 2018. There is no column for a title, a content or a file.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ForeignKey, Select, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from rooms.hierarchy import Unit
from rooms.kernel import Base, FieldInvalid, bounded_text, civil_day, require_text
from rooms.policies import Actor, Permission, governed, require

LONGEST_NUMBER = 40
LONGEST_PLACE = 200


class PaperPointer(Base):
    """A document on paper that a unit holds: its number, its date, and where it lies."""

    __tablename__ = "paper_pointer"

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    number: Mapped[str]
    document_date: Mapped[date]
    place: Mapped[str]
    """Where the paper is kept, such as a safe and its room."""
    created_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]

    unit: Mapped[Unit] = relationship(lazy="raise")


@dataclass(frozen=True, slots=True)
class NewPointer:
    unit_id: int
    number: str
    document_date: date
    place: str


def point_to_paper(session: Session, actor: Actor, new: NewPointer, now: datetime) -> PaperPointer:
    """Keep where a paper lies; the same paper twice is one pointer.

    Raises `NotPermitted`, `FieldInvalid`.
    """
    require(session, actor, Permission.DIRECTIVE_WRITE, new.unit_id, civil_day(now))
    number = require_text("paper_number", new.number, LONGEST_NUMBER)
    place = require_text("paper_place", new.place, LONGEST_PLACE)
    bounded_text("paper_number", number, LONGEST_NUMBER)
    if new.document_date > civil_day(now):
        raise FieldInvalid("paper_date", "in_the_future")
    known = session.scalar(
        select(PaperPointer).where(
            PaperPointer.unit_id == new.unit_id,
            PaperPointer.number == number,
            PaperPointer.document_date == new.document_date,
        )
    )
    if known is not None:
        known.place = place
        return known
    pointer = PaperPointer(
        unit_id=new.unit_id,
        number=number,
        document_date=new.document_date,
        place=place,
        created_by=actor.person_id,
        created_at=now,
    )
    session.add(pointer)
    session.flush()
    return pointer


def paper_pointers(actor: Actor, on: date) -> Select[PaperPointer]:
    """The pointers of the units that the actor writes documents for, the newest first."""
    return (
        select(PaperPointer)
        .where(governed(actor, Permission.DIRECTIVE_WRITE, PaperPointer.unit_id, on))
        .order_by(PaperPointer.document_date.desc(), PaperPointer.id.desc())
    )
