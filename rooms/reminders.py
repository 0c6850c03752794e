"""Reminding those who are not there, by a press on the board: who was reminded when, and by whom.

Nobody is reminded twice within `AGAIN_AFTER`, whoever presses. What is sent is not decided here; see
`PointsReminded`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.attendance import (
    CheckInNotOpen,
    MeetingClosed,
    PointState,
    Presence,
    check_in_opens_at,
    state_of_invitation,
    writable_points,
)
from rooms.bridge_points import UnknownPoint
from rooms.hierarchy import Unit
from rooms.kernel import Base, Event, civil_day, record
from rooms.meetings import AWAITED, Meeting, Participation, standing_invitation, visible_meeting
from rooms.people import Person
from rooms.policies import Actor, NotPermitted, Permission, governed, holds

AGAIN_AFTER = timedelta(minutes=10)
NEEDS_NONE = frozenset({Presence.PRESENT.value, Presence.NEEDS_HELP.value})
"""Who is there, and who waits for help, is not asked to come."""


class Reminder(Base):
    """One press: a person reminded points of a meeting."""

    __tablename__ = "reminder"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"))
    at: Mapped[datetime]
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))

    __table_args__ = (Index(None, "meeting_id", "at"),)


class RemindedPoint(Base):
    """A point that a press reminded."""

    __tablename__ = "reminded_point"

    reminder_id: Mapped[int] = mapped_column(ForeignKey("reminder.id"), primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), primary_key=True)


@dataclass(frozen=True)
class PointsReminded(Event):
    """The points of a reminder are to be told; they lie in `RemindedPoint`."""

    reminder_id: int
    meeting_id: int


@dataclass(frozen=True, slots=True)
class Reminded:
    """What came of a press: points told, told lately and so left alone, already there."""

    told: frozenset[int]
    lately: int
    there: int


def may_remind(session: Session, actor: Actor, meeting: Meeting, now: datetime) -> bool:
    """Whether there is any point that the actor might remind."""
    if meeting.state not in AWAITED:
        return False
    on = civil_day(now)
    if meeting.chair_id == actor.principal_id or holds(
        session, actor, Permission.ATTENDANCE_WRITE, meeting.host_unit_id, on
    ):
        return True
    some = (
        select(Participation.point_id)
        .where(
            Participation.meeting_id == meeting.id,
            standing_invitation(),
            governed(actor, Permission.ATTENDANCE_WRITE, Participation.unit_id, on),
        )
        .limit(1)
    )
    return session.scalar(some) is not None


def remind(
    session: Session, actor: Actor, meeting_id: int, point_ids: Collection[int], now: datetime
) -> Reminded:
    """Remind those of the points that are absent and were not reminded lately.

    Who may check a point in may remind it, and the chair all of them. Raises `UnknownMeeting`,
    `MeetingClosed`, `CheckInNotOpen`, `UnknownPoint`, `NotPermitted`.
    """
    meeting = visible_meeting(session, actor, meeting_id, civil_day(now))
    opens_at = check_in_opens_at(meeting.starts_at, meeting.setup_minutes)
    if meeting.state not in AWAITED:
        raise MeetingClosed(meeting.state)
    if now < opens_at:
        raise CheckInNotOpen(opens_at)
    # Two people may press at the same moment: the second one waits, and then sees the first.
    session.execute(select(Meeting.id).where(Meeting.id == meeting_id).with_for_update())
    states = dict(
        session.execute(
            select(Participation.point_id, PointState.state)
            .outerjoin(PointState, state_of_invitation())
            .where(Participation.meeting_id == meeting_id, standing_invitation())
        ).all()
    )
    asked = set(point_ids)
    if strange := asked - states.keys():
        raise UnknownPoint(min(strange))
    if forbidden := asked - _remindable(session, actor, meeting, now):
        raise NotPermitted(
            Permission.ATTENDANCE_WRITE.value, _unit_of(session, meeting_id, min(forbidden))
        )
    absent = {point_id for point_id in asked if states[point_id] not in NEEDS_NONE}
    lately = absent & set(
        session.scalars(
            select(RemindedPoint.point_id)
            .join(Reminder, Reminder.id == RemindedPoint.reminder_id)
            .where(Reminder.meeting_id == meeting_id, Reminder.at > now - AGAIN_AFTER)
        )
    )
    told = frozenset(absent - lately)
    if told:
        reminder = Reminder(meeting_id=meeting_id, at=now, by_id=actor.person_id)
        session.add(reminder)
        session.flush()
        session.execute(
            insert(RemindedPoint),
            [{"reminder_id": reminder.id, "point_id": point_id} for point_id in sorted(told)],
        )
        record(session, PointsReminded(reminder.id, meeting_id))
    return Reminded(told, len(lately), len(asked) - len(absent))


def _remindable(session: Session, actor: Actor, meeting: Meeting, now: datetime) -> frozenset[int]:
    if meeting.chair_id == actor.principal_id:
        return frozenset(
            session.scalars(
                select(Participation.point_id).where(
                    Participation.meeting_id == meeting.id, standing_invitation()
                )
            )
        )
    return writable_points(session, actor, meeting.id, civil_day(now))


def _unit_of(session: Session, meeting_id: int, point_id: int) -> str:
    return session.scalars(
        select(Unit.name)
        .join(Participation, Participation.unit_id == Unit.id)
        .where(Participation.meeting_id == meeting_id, Participation.point_id == point_id)
    ).one()


@dataclass(frozen=True, slots=True)
class LastReminder:
    """When a point was last reminded, by whom, and how often in all."""

    at: datetime
    by: str
    times: int


def last_reminders(session: Session, meeting_id: int) -> dict[int, LastReminder]:
    """By point; one statement."""
    latest = (
        select(
            RemindedPoint.point_id,
            func.max(Reminder.id).label("reminder_id"),
            func.count().label("times"),
        )
        .join(Reminder, Reminder.id == RemindedPoint.reminder_id)
        .where(Reminder.meeting_id == meeting_id)
        .group_by(RemindedPoint.point_id)
        .subquery("latest")
    )
    return {
        point_id: LastReminder(at, by, times)
        for point_id, at, by, times in session.execute(
            select(latest.c.point_id, Reminder.at, Person.name, latest.c.times)
            .join(Reminder, Reminder.id == latest.c.reminder_id)
            .join(Person, Person.id == Reminder.by_id)
        )
    }
