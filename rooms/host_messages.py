"""Messages of the host during a meeting: to all points, a level, a unit with all below it, or one point.

The chair, secretaries and technicians of the host write them. A message is not kept once for each point: it
says whom it is for, and which points these are follows from the invitations and the tree of the meeting's
day, so that sending costs the same for ten points and for thirty thousand. What a point did with it is a
receipt: shown on its page, acknowledged by somebody in the room.

A message is never changed: one may be withdrawn, or corrected by a new one that names it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    func,
    select,
    true,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.hierarchy import Unit, UnitAncestry, load_tree, unit_by_code, valid_on
from rooms.kernel import (
    Base,
    Conflict,
    FieldInvalid,
    NotFound,
    bounded_text,
    record,
    require_text,
)
from rooms.meetings import (
    AWAITED,
    Meeting,
    Participation,
    WrongState,
    standing_invitation,
    visible_meeting,
)
from rooms.notices import MeetingNotice
from rooms.policies import Actor, NotPermitted, Permission, holds, stands_for

LONGEST_MESSAGE = 500
LONGEST_REASON = 200
MOST_MESSAGES = 500
"""Of one meeting."""


class Aim(StrEnum):
    """Whom a message is for."""

    ALL = "all"
    LEVEL = "level"
    UNIT = "unit"
    """A unit with everything below it."""
    POINT = "point"


class HostMessage(Base):
    """One message. Only what withdraws it is added later."""

    __tablename__ = "host_message"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), index=True)
    text: Mapped[str]
    aim: Mapped[str]
    level: Mapped[str] = mapped_column(default="")
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    point_id: Mapped[int | None] = mapped_column(ForeignKey("bridge_point.id"))
    to_confirm: Mapped[bool]
    """Whether somebody in the room shall say that they have read it."""
    points: Mapped[int]
    """How many points it was for when it was sent."""
    sent_at: Mapped[datetime]
    sent_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    on_behalf_of_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("host_message.id"), unique=True)
    """The message that this one takes the place of."""
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    withdrawal_reason: Mapped[str] = mapped_column(default="")
    request_key: Mapped[str | None] = mapped_column(unique=True)
    """Made with the form; a second click finds it taken."""


class HostMessageReceipt(Base):
    """What a point did with a message; a missing row means that it has not seen it."""

    __tablename__ = "host_message_receipt"

    message_id: Mapped[int] = mapped_column(ForeignKey("host_message.id"), primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), primary_key=True)
    shown_at: Mapped[datetime]
    shown_to: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


@dataclass
class UnknownMessage(NotFound):
    code: ClassVar[str] = "unknown_message"
    message: int


@dataclass
class MessageOver(Conflict):
    """It was withdrawn, or another one has taken its place."""

    code: ClassVar[str] = "message_over"


@dataclass
class TooManyMessages(Conflict):
    code: ClassVar[str] = "too_many_messages"
    most: int


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What is to be sent. `level`, `unit` (a code) or `point` (an id) as the aim asks for."""

    text: str
    aim: str = Aim.ALL.value
    level: str = ""
    unit: str = ""
    point: int | None = None
    to_confirm: bool = True


def may_announce(session: Session, actor: Actor, meeting: Meeting, on: date) -> bool:
    """Whether the actor speaks for the host: the chair, or secretaries and technicians there."""
    chairs = select(Meeting.id).where(
        Meeting.id == meeting.id, stands_for(actor, Meeting.chair_id, on, Permission.MEETING_WRITE)
    )
    return holds(session, actor, Permission.MESSAGE_WRITE, meeting.host_unit_id, on) or bool(
        session.scalar(chairs)
    )


def meeting_to_address(session: Session, actor: Actor, meeting_id: int, on: date) -> Meeting:
    """Raises `UnknownMeeting`, `NotPermitted`."""
    meeting = visible_meeting(session, actor, meeting_id, on)
    if not may_announce(session, actor, meeting, on):
        host = session.get(Unit, meeting.host_unit_id)
        raise NotPermitted(Permission.MESSAGE_WRITE.value, host.name if host else "")
    return meeting


def send(
    session: Session,
    actor: Actor,
    meeting_id: int,
    new: NewMessage,
    now: datetime,
    on: date,
    *,
    request_key: str | None = None,
) -> HostMessage:
    """Send a message; the same key again gives the first one.

    Raises `UnknownMeeting`, `NotPermitted`, `WrongState`, `FieldInvalid`, `UnknownUnit`,
    `TooManyMessages`.
    """
    meeting = meeting_to_address(session, actor, meeting_id, on)
    key = _key(actor, request_key)
    if key is not None and (first := _made_with(session, key)) is not None:
        return first
    message = HostMessage(
        meeting_id=meeting.id,
        text=require_text("text", new.text, LONGEST_MESSAGE),
        to_confirm=new.to_confirm,
        request_key=key,
        **_aim(session, meeting, new),
    )
    return _put(session, actor, meeting, message, now)


def correct(
    session: Session,
    actor: Actor,
    message_id: int,
    words: str,
    now: datetime,
    on: date,
    *,
    request_key: str | None = None,
) -> HostMessage:
    """Send another text in a message's place, to the same points; they confirm it anew.

    Raises as `send` does, `UnknownMessage`, `MessageOver`.
    """
    old, meeting = _to_change(session, actor, message_id, on)
    key = _key(actor, request_key)
    if key is not None and (first := _made_with(session, key)) is not None:
        return first
    _require_standing(session, old)
    message = HostMessage(
        meeting_id=old.meeting_id,
        text=require_text("text", words, LONGEST_MESSAGE),
        aim=old.aim,
        level=old.level,
        unit_id=old.unit_id,
        point_id=old.point_id,
        to_confirm=old.to_confirm,
        corrects_id=old.id,
        request_key=key,
    )
    return _put(session, actor, meeting, message, now)


def withdraw(
    session: Session, actor: Actor, message_id: int, reason: str, now: datetime, on: date
) -> HostMessage:
    """Take a message back; the points are told that it no longer holds.

    Raises `UnknownMessage`, `NotPermitted`, `MessageOver`, `FieldInvalid`.
    """
    message, meeting = _to_change(session, actor, message_id, on)
    _require_standing(session, message)
    message.withdrawal_reason = bounded_text("reason", reason, LONGEST_REASON)
    message.withdrawn_at, message.withdrawn_by = now, actor.person_id
    session.flush()
    _tell(session, meeting, message)
    return message


def _put(
    session: Session, actor: Actor, meeting: Meeting, message: HostMessage, now: datetime
) -> HostMessage:
    if meeting.state not in AWAITED:
        raise WrongState(meeting.state, "message")
    sent = session.scalar(
        select(func.count()).select_from(HostMessage).where(HostMessage.meeting_id == meeting.id)
    )
    if (sent or 0) >= MOST_MESSAGES:
        raise TooManyMessages(MOST_MESSAGES)
    message.sent_at = now
    message.sent_by, message.on_behalf_of_id = actor.person_id, actor.on_behalf_of
    message.points = session.scalar(_counted(meeting, message)) or 0
    if not message.points:
        raise FieldInvalid("aim", "nobody_addressed")
    key = message.request_key
    try:
        with session.begin_nested():
            session.add(message)
    except IntegrityError:
        # Two clicks at once: the other one's commit was first.
        first = _made_with(session, key) if key else None
        if first is None:
            raise MessageOver from None
        return first
    _tell(session, meeting, message)
    return message


def _counted(meeting: Meeting, message: HostMessage) -> Any:
    return (
        select(func.count())
        .select_from(Participation)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(
            Participation.meeting_id == meeting.id,
            standing_invitation(),
            addressed(message, meeting.day),
        )
    )


def _aim(session: Session, meeting: Meeting, new: NewMessage) -> dict[str, Any]:
    if new.aim not in set(Aim):
        raise FieldInvalid("aim", "unknown", new.aim[:40])
    aim: dict[str, Any] = {"aim": new.aim, "level": "", "unit_id": None, "point_id": None}
    if new.aim == Aim.LEVEL.value:
        if new.level not in load_tree(session, meeting.day).levels:
            raise FieldInvalid("level", "unknown", new.level[:40])
        return aim | {"level": new.level}
    if new.aim == Aim.UNIT.value:
        if not new.unit:
            raise FieldInvalid("unit", "missing")
        return aim | {"unit_id": unit_by_code(session, new.unit, meeting.day).id}
    if new.aim == Aim.POINT.value:
        if new.point is None:
            raise FieldInvalid("point", "missing")
        return aim | {"point_id": new.point}
    return aim


def addressed(message: HostMessage, day: date) -> ColumnElement[bool]:
    """The invitations that a message is for; joined with `Unit`."""
    if message.aim == Aim.LEVEL.value:
        return Unit.level == message.level
    if message.aim == Aim.UNIT.value:
        return Participation.unit_id.in_(
            select(UnitAncestry.unit_id).where(
                UnitAncestry.ancestor_id == message.unit_id, valid_on(UnitAncestry, day)
            )
        )
    if message.aim == Aim.POINT.value:
        return Participation.point_id == message.point_id
    return true()


def _key(actor: Actor, request_key: str | None) -> str | None:
    key = bounded_text("request_key", request_key, 200)
    return f"{actor.person_id}:{key}" if key else None


def _made_with(session: Session, key: str) -> HostMessage | None:
    return session.scalars(select(HostMessage).where(HostMessage.request_key == key)).first()


def _to_change(
    session: Session, actor: Actor, message_id: int, on: date
) -> tuple[HostMessage, Meeting]:
    message = session.get(HostMessage, message_id, with_for_update=True, populate_existing=True)
    if message is None:
        raise UnknownMessage(message_id)
    return message, meeting_to_address(session, actor, message.meeting_id, on)


def _require_standing(session: Session, message: HostMessage) -> None:
    replaced = select(HostMessage.id).where(HostMessage.corrects_id == message.id)
    if message.withdrawn_at is not None or session.scalar(replaced) is not None:
        raise MessageOver


def _tell(session: Session, meeting: Meeting, message: HostMessage) -> None:
    """Those whom it is for look at once; its text goes along only where all may read it."""
    facts: dict[str, str | int | bool] = {
        "message": message.id,
        "withdrawn": message.withdrawn_at is not None,
    }
    if message.aim == Aim.ALL.value:
        facts |= {
            "text": message.text,
            "to_confirm": message.to_confirm,
            "at": message.sent_at.isoformat(),
        }
        record(session, MeetingNotice(meeting.id, "message", None, facts))
        return
    units = session.scalars(
        select(Participation.unit_id)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(
            Participation.meeting_id == meeting.id,
            standing_invitation(),
            addressed(message, meeting.day),
        )
        .distinct()
    ).all()
    record(session, MeetingNotice(meeting.id, "message", units, facts))
