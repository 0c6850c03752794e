"""Technicians of a bridge point who are users of the system: several, the first one on duty."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from rooms.kernel import Base


class PointTechnician(Base):
    """A person looks after a point; the lowest `position` is on duty first."""

    __tablename__ = "point_technician"

    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    position: Mapped[int]
