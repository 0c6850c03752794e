"""What the invited answer: they come, they don't and why, or who comes in whose place."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, joinedload

from rooms.kernel import Event, Invalid, NotFound, bounded_text, civil_day, record
from rooms.meetings import AWAITED, Meeting, Participation, Reply, WrongState
from rooms.policies import Actor, Permission, governed, require


@dataclass
class UnknownParticipation(NotFound):
    code: ClassVar[str] = "unknown_participation"
    participation: int


@dataclass
class DeclineReasonMissing(Invalid):
    code: ClassVar[str] = "decline_reason_missing"


@dataclass(frozen=True)
class Replied(Event):
    meeting_id: int
    participation_id: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A unit's answer to an invitation."""

    reply: Reply
    reason: str = ""
    delegate_name: str = ""
    delegate_title: str = ""
    is_substitute: bool = False


def readable(actor: Actor, permission: Permission, on: date) -> ColumnElement[bool]:
    """The participations within an actor's right: of their own units, or of meetings they host."""
    return or_(
        governed(actor, permission, Participation.unit_id, on),
        Participation.meeting_id.in_(
            select(Meeting.id).where(governed(actor, permission, Meeting.host_unit_id, on))
        ),
    )


def reply(
    session: Session, actor: Actor, participation_id: int, answer: Answer, now: datetime
) -> Participation:
    """Answer an invitation for the unit; the last answer holds, the meeting keeps the history.

    Raises `UnknownParticipation`, `NotPermitted`, `WrongState` once the meeting has ended or was
    called off, `DeclineReasonMissing`, `FieldInvalid`.
    """
    today = civil_day(now)
    participation = session.scalar(
        select(Participation)
        .where(
            Participation.id == participation_id,
            Participation.invited_at.is_not(None),
            readable(actor, Permission.MEETING_READ, today),
        )
        .options(joinedload(Participation.meeting))
    )
    if participation is None or participation.withdrawn_at is not None:
        raise UnknownParticipation(participation_id)
    require(session, actor, Permission.REPLY_WRITE, participation.unit_id, today)
    meeting = participation.meeting
    if meeting.state not in AWAITED:
        raise WrongState(meeting.state, "reply")
    reason = bounded_text("reason", answer.reason, 500)
    if answer.reply is Reply.DECLINED and not reason:
        raise DeclineReasonMissing
    participation.reply = answer.reply.value
    participation.reply_reason = reason
    participation.delegate_name = bounded_text("delegate_name", answer.delegate_name, 120)
    participation.delegate_title = bounded_text("delegate_title", answer.delegate_title, 120)
    participation.is_substitute = answer.is_substitute
    participation.replied_at = now
    participation.replied_by = actor.person_id
    participation.replied_on_behalf_of_id = actor.on_behalf_of
    record(session, Replied(meeting.id, participation.id))
    return participation
