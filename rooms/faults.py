"""Faults: what went wrong at a bridge point, when it was noticed, and what was done about it.

Whoever works in the room reports a fault; whoever repairs it says what was done. A fault may take the
point out of service; then it names the outage.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.bridge_points import BridgePoint, point_by_id
from rooms.kernel import (
    Base,
    Conflict,
    FieldInvalid,
    NotFound,
    bounded_text,
    civil_day,
    require_text,
)
from rooms.meetings import Participation, UnknownMeeting
from rooms.outages import EARLIEST, Outage, close_outage, report_outage
from rooms.policies import Actor, Permission, holds, require

LONGEST_TEXT = 1_000
TOLERANCE = timedelta(minutes=2)
"""How far the clock of a device may run ahead."""


class FaultKind(StrEnum):
    """What went wrong."""

    PICTURE = "picture"
    SOUND = "sound"
    NETWORK = "network"
    POWER = "power"
    OTHER = "other"


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
    outage_id: Mapped[int | None] = mapped_column(ForeignKey("outage.id", ondelete="SET NULL"))
    """The outage that it led to; none again where that was taken back before it began."""
    solved_at: Mapped[datetime | None]
    solved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    remedy: Mapped[str]
    """What was done."""
    request_key: Mapped[str | None] = mapped_column(unique=True)
    """Made with the form; a second click finds it taken."""

    __table_args__ = (Index(None, "point_id", "noticed_at"), Index(None, "solved_at"))


@dataclass
class UnknownFault(NotFound):
    code: ClassVar[str] = "unknown_fault"
    fault: int


@dataclass
class FaultSolved(Conflict):
    """Somebody has solved it already."""

    code: ClassVar[str] = "fault_solved"
    solved_at: datetime


@dataclass
class FaultReported(Conflict):
    """The same form was sent before; `fault` is what it made."""

    code: ClassVar[str] = "fault_reported"
    fault: int


@dataclass(frozen=True, slots=True)
class NewFault:
    """What is said of a fault. `noticed_at` None: now."""

    kind: str
    text: str
    noticed_at: datetime | None = None
    meeting_id: int | None = None
    out_of_service: bool = False
    """Take the point out of service from now on, until `out_until`."""
    out_until: datetime | None = None


def report_fault(
    session: Session,
    actor: Actor,
    point_id: int,
    new: NewFault,
    now: datetime,
    *,
    request_key: str | None = None,
) -> Fault:
    """Put a fault on record; whoever may check in at the point may report.

    Taking the point out of service needs the right to look after it. Raises `UnknownPoint`,
    `NotPermitted`, `FieldInvalid`, `UnknownMeeting`, `OutageOverlaps`, `FaultReported`.
    """
    point = point_by_id(session, point_id)
    require_room_work(session, actor, point, now)
    key = (
        f"{actor.person_id}:{bounded_text('request_key', request_key, 200)}"
        if request_key
        else None
    )
    if key is not None and (known := _made_with(session, key)) is not None:
        raise FaultReported(known)
    fault = Fault(
        point_id=point.id,
        kind=_kind(new.kind),
        text=require_text("text", new.text, LONGEST_TEXT),
        noticed_at=_past("noticed_at", new.noticed_at or now, now),
        reported_by=actor.person_id,
        reported_at=now,
        meeting_id=_meeting(session, point.id, new.meeting_id),
        remedy="",
        request_key=key,
    )
    if new.out_of_service:
        reason = fault.text.splitlines()[0][:500]
        fault.outage_id = report_outage(
            session, actor, point.id, now, new.out_until, reason, now
        ).id
    session.add(fault)
    try:
        session.flush()
    except IntegrityError:
        # The other click came between our look and our insert; the caller looks again.
        raise FaultReported(0) from None
    return fault


def require_room_work(session: Session, actor: Actor, point: BridgePoint, now: datetime) -> None:
    """Whoever checks in at a point or looks after it. Raises `NotPermitted`."""
    today = civil_day(now)
    if not holds(session, actor, Permission.POINT_WRITE, point.unit_id, today):
        require(session, actor, Permission.ATTENDANCE_WRITE, point.unit_id, today)


def solve_fault(
    session: Session,
    actor: Actor,
    fault_id: int,
    remedy: str,
    solved_at: datetime | None,
    now: datetime,
    *,
    in_service: bool = False,
) -> Fault:
    """Say what was done and when it worked again; `in_service` ends the outage that it led to.

    Raises `UnknownFault`, `NotPermitted`, `FaultSolved`, `FieldInvalid`.
    """
    fault = fault_by_id(session, fault_id)
    require_room_work(session, actor, point_by_id(session, fault.point_id), now)
    if fault.solved_at is not None:
        raise FaultSolved(fault.solved_at)
    fault.remedy = require_text("remedy", remedy, LONGEST_TEXT)
    at = _past("solved_at", solved_at or now, now)
    if at < fault.noticed_at:
        raise FieldInvalid("solved_at", "before_noticed")
    fault.solved_at = at
    fault.solved_by = actor.person_id
    if in_service and fault.outage_id is not None:
        outage = session.get_one(Outage, fault.outage_id)
        if outage.ends_at is None or outage.ends_at > now:
            close_outage(session, actor, outage.id, now)
    session.flush()
    return fault


def fault_by_id(session: Session, fault_id: int) -> Fault:
    """Raises `UnknownFault`."""
    fault = session.get(Fault, fault_id)
    if fault is None:
        raise UnknownFault(fault_id)
    return fault


def _made_with(session: Session, key: str) -> int | None:
    return session.scalar(select(Fault.id).where(Fault.request_key == key))


def _kind(said: str) -> str:
    try:
        return FaultKind(said).value
    except ValueError:
        raise FieldInvalid("kind", "unknown" if said else "missing", said[:40]) from None


def _past(field: str, instant: datetime, now: datetime) -> datetime:
    if instant > now + TOLERANCE:
        raise FieldInvalid(field, "in_the_future")
    if instant < now - EARLIEST:
        raise FieldInvalid(field, "too_long_ago", EARLIEST.days)
    return min(instant, now)


def _meeting(session: Session, point_id: int, meeting_id: int | None) -> int | None:
    """The point was invited to it; anything else is no meeting of this point."""
    if meeting_id is None:
        return None
    found = session.scalar(
        select(Participation.meeting_id).where(
            Participation.meeting_id == meeting_id, Participation.point_id == point_id
        )
    )
    if found is None:
        raise UnknownMeeting(meeting_id)
    return found
