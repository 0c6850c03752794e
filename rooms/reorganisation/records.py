"""Reorganisations as they were planned, applied and taken back: the tables."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from rooms.kernel import LARGEST_ID, Base, Conflict, NotFound
from rooms.people import Person
from rooms.reorganisation.plans import Plan, plan_from_json


class ReorganisationState(StrEnum):
    PLANNED = "planned"
    """Kept to be looked at; nothing is changed yet."""
    APPLIED = "applied"
    """Written for a day that has not come; may be taken back."""
    IN_FORCE = "in_force"
    TAKEN_BACK = "taken_back"


class Reorganisation(Base):
    """One plan, the day it is for, and what has become of it."""

    __tablename__ = "reorganisation"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    day: Mapped[date] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str]
    plan: Mapped[dict[str, list[list[Any]]]] = mapped_column(JSON, deferred=True)
    """`Plan.as_json`."""
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """What applying it did: `Preview.counts`."""
    touched: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, deferred=True)
    """Ids of the units, grants and points it changed, so that it can be taken back."""
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    applied_at: Mapped[datetime | None]
    applied_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """Nobody where it was done by command."""
    in_force_at: Mapped[datetime | None]
    taken_back_at: Mapped[datetime | None]
    taken_back_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))

    creator: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[created_by])
    applier: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[applied_by])
    withdrawer: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[taken_back_by])

    def read_plan(self) -> Plan:
        return plan_from_json(self.plan)


class ReaimedMeeting(Base):
    """A coming meeting that a reorganisation has re-aimed: how it was, and what it came to."""

    __tablename__ = "reaimed_meeting"

    reorganisation_id: Mapped[int] = mapped_column(
        ForeignKey("reorganisation.id"), primary_key=True
    )
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    audience_before: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    audience_after: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    host_before: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    host_after: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    main_point_before: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"))
    main_point_after: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"))
    points_before: Mapped[int]
    points_after: Mapped[int]
    doubles: Mapped[int]
    """Invitations that fell together with another one."""
    added: Mapped[list[int]] = mapped_column(JSON)
    """Bridge points that were not invited before."""

    __table_args__ = (Index(None, "meeting_id"),)


@dataclass
class UnknownReorganisation(NotFound):
    code: ClassVar[str] = "unknown_reorganisation"
    reorganisation: int


@dataclass
class WrongReorganisationState(Conflict):
    """The plan's state does not allow the act: it is in force, or was taken back."""

    code: ClassVar[str] = "reorganisation_state"
    state: str
    action: str


def reorganisations(session: Session) -> list[Reorganisation]:
    """All of them, the latest day first; people loaded. One statement."""
    return list(
        session.scalars(
            select(Reorganisation)
            .options(
                joinedload(Reorganisation.creator),
                joinedload(Reorganisation.applier),
                joinedload(Reorganisation.withdrawer),
            )
            .order_by(Reorganisation.day.desc(), Reorganisation.id.desc())
        )
    )


def reorganisation_by_id(session: Session, reorganisation_id: int) -> Reorganisation:
    """Raises `UnknownReorganisation`."""
    found = None
    if 0 < reorganisation_id <= LARGEST_ID:
        found = session.get(Reorganisation, reorganisation_id)
    if found is None:
        raise UnknownReorganisation(reorganisation_id)
    return found
