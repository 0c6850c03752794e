"""What stands in the room of a bridge point: cameras, microphones, codecs, lines."""

from datetime import date

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from rooms.kernel import Base


class Equipment(Base):
    """One piece of a point's equipment.

    `kind` is one of `EquipmentKind`, or the word of whoever imported it; `condition` one of
    `Condition`.
    """

    __tablename__ = "equipment"

    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), index=True)
    kind: Mapped[str]
    model: Mapped[str]
    """Make and model."""
    serial: Mapped[str]
    """Serial or inventory number."""
    since: Mapped[date | None]
    note: Mapped[str]
    condition: Mapped[str]
