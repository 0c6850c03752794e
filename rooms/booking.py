"""The time of bridge points: who holds which point from when until when.

A held interval is the meeting's with its line-test and clearing time around it. Holding checks all
points of a meeting in one statement. Two bookings of the same point at the same moment: SQLite lets
one writer in at a time, PostgreSQL locks the points' rows in ascending id before it looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit
from rooms.kernel import Base, Conflict
from rooms.meetings import Meeting, Participation, invited, visible
from rooms.people import Person
from rooms.policies import Actor

LONGEST_MEETING = timedelta(days=7)
LONGEST_MARGIN = timedelta(days=1)
"""Line-test time before a meeting, and clearing time after it, at most."""
LONGEST_HOLD = LONGEST_MARGIN + LONGEST_MEETING + LONGEST_MARGIN

MOST_CLASHES = 50
"""Clashes told in one refusal; the count is always of all."""


class Occupancy(Base):
    """A meeting holds a point in `[starts_at, ends_at)`."""

    __tablename__ = "occupancy"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), primary_key=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]

    __table_args__ = (Index(None, "point_id", "starts_at", "ends_at"),)


@dataclass(frozen=True, slots=True)
class Clash:
    """Another meeting holds points at the time wanted.

    `title` is None where the actor may not see the other meeting; who holds it is always told.
    """

    meeting_id: int
    title: str | None
    host_unit: str
    holder: str
    holder_phone: str
    starts_at: datetime
    ends_at: datetime
    points: int
    """How many of the points wanted it holds."""
    first_point: str


@dataclass
class BookingConflict(Conflict):
    """Points are taken. `next_free` is the next start in office hours that suits all of them."""

    code: ClassVar[str] = "booking_conflict"
    clashes: list[Clash]
    next_free: datetime | None = None


def hold(session: Session, meeting: Meeting) -> None:
    """Hold the time of all points of a meeting, replacing what it held before.

    Does not look for clashes; `clashes_of` does, in the same transaction.
    """
    # Ascending id: overlapping bookings must not deadlock. The weaker lock (FOR NO KEY UPDATE) lets
    # foreign keys of participations refer to the points meanwhile.
    session.execute(
        select(BridgePoint.id)
        .where(BridgePoint.id.in_(select(Participation.point_id).where(invited(meeting.id))))
        .order_by(BridgePoint.id)
        .with_for_update(key_share=True)
    ).all()
    release(session, meeting.id)
    session.execute(
        insert(Occupancy).from_select(
            ["meeting_id", "point_id", "starts_at", "ends_at"],
            select(
                Participation.meeting_id,
                Participation.point_id,
                literal(meeting.held_from, Occupancy.starts_at.type),
                literal(meeting.held_until, Occupancy.ends_at.type),
            ).where(invited(meeting.id)),
        )
    )


def held_between(starts_at: datetime, ends_at: datetime) -> ColumnElement[bool]:
    """The occupancies that touch `[starts_at, ends_at)`."""
    return and_(
        Occupancy.starts_at < ends_at,
        Occupancy.ends_at > starts_at,
        # No hold is longer: the index is read from here on, not from a point's first booking.
        Occupancy.starts_at > starts_at - LONGEST_HOLD,
    )


def release(session: Session, meeting_id: int) -> None:
    """Give the points' time back."""
    session.execute(delete(Occupancy).where(Occupancy.meeting_id == meeting_id))


def clashes_of(session: Session, actor: Actor, meeting: Meeting, on: date) -> list[Clash]:
    """The meetings that hold points of this one at its time, one entry per meeting."""
    points = select(Participation.point_id).where(invited(meeting.id))
    return clashes_at(
        session, actor, points, meeting.held_from, meeting.held_until, on, ignore_meeting=meeting.id
    )


def clashes_at(
    session: Session,
    actor: Actor,
    points: Select[int] | Sequence[int],
    held_from: datetime,
    held_until: datetime,
    on: date,
    *,
    ignore_meeting: int | None = None,
) -> list[Clash]:
    """The meetings that hold any of the points in `[held_from, held_until)`, the earliest first.

    One statement; it changes nothing, so that a form may ask while somebody types.
    """
    taken = (
        select(
            Occupancy.meeting_id,
            func.count().label("points"),
            func.min(Occupancy.point_id).label("first_point_id"),
        )
        .where(
            Occupancy.point_id.in_(points),
            Occupancy.meeting_id != (ignore_meeting or 0),
            held_between(held_from, held_until),
        )
        .group_by(Occupancy.meeting_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.title,
            visible(actor, on),
            Unit.name,
            Person.name,
            Person.phone,
            Meeting.starts_at,
            Meeting.ends_at,
            taken.c.points,
            BridgePoint.name,
        )
        .join(taken, taken.c.meeting_id == Meeting.id)
        .join(Unit, Unit.id == Meeting.host_unit_id)
        .join(Person, Person.id == Meeting.created_by)
        .join(BridgePoint, BridgePoint.id == taken.c.first_point_id)
        .order_by(Meeting.starts_at, Meeting.id)
        .limit(MOST_CLASHES)
    )
    return [
        Clash(mid, title if seen else None, host, holder, phone or "", start, end, points, point)
        for mid, title, seen, host, holder, phone, start, end, points, point in rows
    ]
