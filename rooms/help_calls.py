"""Calls for help during a meeting: asked for by a point, taken by a technician, solved.

A point that needs help has one call that is not over yet, and only such a point has one: the call begins,
changes and ends with what is said of the point (`help_book`, within the commit of the check-in), whichever
way that came. Here stand the tables and what technicians do with a call: take it, hand it on, solve it.

A call that is solved while its point still needs help waits for the point's word: the operator says that it
works, by checking in with what is true now, or that it does not (`reopen`). Every act is a row of
`HelpAct`, which is never changed.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, ForeignKey, Index, and_, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.attendance import require_check_in
from rooms.bridge_points import BridgePoint
from rooms.kernel import Base, Conflict, FieldInvalid, NotFound, record, require_text
from rooms.meetings import AWAITED, Meeting, Participation, standing_invitation, visible
from rooms.notices import MeetingNotice
from rooms.people import Person
from rooms.policies import Actor, NotPermitted, Permission, governed, require

LONGEST_REMEDY = 500


class Trouble(StrEnum):
    """What a point needs help with."""

    NO_SOUND = "no_sound"
    NO_PICTURE = "no_picture"
    CANNOT_JOIN = "cannot_join"
    OTHER = "other"


class HelpState(StrEnum):
    """Where a call stands. `SOLVED` and `WITHDRAWN` are the ends."""

    OPEN = "open"
    TAKEN = "taken"
    SOLVED = "solved"
    WITHDRAWN = "withdrawn"


RUNNING = (HelpState.OPEN.value, HelpState.TAKEN.value)


class Act(StrEnum):
    """What was done with a call."""

    ASKED = "asked"
    SAID = "said"
    """The point described the trouble anew."""
    TOLD = "told"
    """Nobody had taken it for a while, and technicians were told."""
    TAKEN = "taken"
    HANDED_OVER = "handed_over"
    GIVEN_BACK = "given_back"
    SOLVED = "solved"
    CONFIRMED = "confirmed"
    REOPENED = "reopened"
    WITHDRAWN = "withdrawn"


class HelpCall(Base):
    """One call, as it stands now; how it came there, its acts tell."""

    __tablename__ = "help_call"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"))
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), index=True)
    trouble: Mapped[str]
    words: Mapped[str]
    state: Mapped[str]
    asked_at: Mapped[datetime]
    """When the point says that it began to need help."""
    asked_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    taken_at: Mapped[datetime | None]
    """When somebody first took it; handing it over does not move it."""
    taken_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """Who looks after it now."""
    solved_at: Mapped[datetime | None]
    solved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    remedy: Mapped[str] = mapped_column(default="")
    """What was done."""
    confirmed_at: Mapped[datetime | None]
    """When the point said that it works."""
    withdrawn_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "meeting_id", "state"),)


class HelpAct(Base):
    """One act on a call. Never changed."""

    __tablename__ = "help_act"

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("help_call.id"), index=True)
    at: Mapped[datetime]
    act: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    on_behalf_of_id: Mapped[int | None]
    """The official for whom it was done: a person's id."""
    to_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """Whom it was handed to."""
    words: Mapped[str] = mapped_column(default="")


@dataclass
class UnknownHelpCall(NotFound):
    code: ClassVar[str] = "unknown_help_call"
    call: int


@dataclass
class HelpTaken(Conflict):
    """Somebody else looks after it already."""

    code: ClassVar[str] = "help_taken"
    by: str
    since: datetime


@dataclass
class HelpOver(Conflict):
    """The call was solved or withdrawn; there is nothing to do any more."""

    code: ClassVar[str] = "help_over"
    state: str


def may_help(actor: Actor, on: date) -> ColumnElement[bool]:
    """Calls that the actor may take; joined with `Participation` and `Meeting`.

    Technicians and secretaries of the point's unit, of units above it, and of the host.
    """
    return or_(
        governed(actor, Permission.HELP_WRITE, Participation.unit_id, on),
        governed(actor, Permission.HELP_WRITE, Meeting.host_unit_id, on),
    )


def may_see_help(actor: Actor, on: date) -> ColumnElement[bool]:
    """Calls that the actor may see: of points whose attendance they may see."""
    return or_(
        Meeting.chair_id == actor.principal_id,
        governed(actor, Permission.ATTENDANCE_READ, Participation.unit_id, on),
        governed(actor, Permission.ATTENDANCE_READ, Meeting.host_unit_id, on),
    )


_INVITED = and_(
    Participation.meeting_id == HelpCall.meeting_id, Participation.point_id == HelpCall.point_id
)


def with_whereabouts(*columns: Any) -> Any:
    """A query over calls with their meeting, invitation and point."""
    return (
        select(*columns)
        .select_from(HelpCall)
        .join(Meeting, Meeting.id == HelpCall.meeting_id)
        .join(Participation, _INVITED)
        .join(BridgePoint, BridgePoint.id == HelpCall.point_id)
    )


def take(session: Session, actor: Actor, call_id: int, now: datetime, on: date) -> HelpCall:
    """Look after a call. Of two at once the second is told who was first; twice changes nothing.

    Raises `UnknownHelpCall`, `NotPermitted`, `HelpTaken`, `HelpOver`.
    """
    call, unit_id = _to_change(session, actor, call_id, on)
    _require_running(call)
    if call.taken_by == actor.person_id:
        return call
    if call.state == HelpState.TAKEN.value:
        raise _taken(session, call)
    call.state = HelpState.TAKEN.value
    call.taken_by = actor.person_id
    call.taken_at = call.taken_at or now
    _note(session, actor, call, unit_id, Act.TAKEN, now)
    return call


def hand_over(
    session: Session, actor: Actor, call_id: int, person_id: int, now: datetime, on: date
) -> HelpCall:
    """Let somebody else look after it, whoever does now; they need the right to it themselves.

    Raises as `take` does, `FieldInvalid` for the field `person` where they lack the right.
    """
    call, unit_id = _to_change(session, actor, call_id, on)
    _require_running(call)
    if call.taken_by == person_id:
        return call
    person = session.get(Person, person_id)
    if person is None or not person.active:
        raise FieldInvalid("person", "unknown")
    heir = Actor(person.id, person.name, person.unit_id)
    if not session.scalar(
        with_whereabouts(HelpCall.id).where(HelpCall.id == call.id, may_help(heir, on))
    ):
        raise FieldInvalid("person", "not_a_helper")
    call.state = HelpState.TAKEN.value
    call.taken_by = person.id
    call.taken_at = call.taken_at or now
    _note(session, actor, call, unit_id, Act.HANDED_OVER, now, to=person.id)
    return call


def give_back(session: Session, actor: Actor, call_id: int, now: datetime, on: date) -> HelpCall:
    """Nobody looks after it any more; it stands in the queue again. Raises as `take` does."""
    call, unit_id = _to_change(session, actor, call_id, on)
    _require_running(call)
    _require_mine(session, actor, call)
    if call.state == HelpState.OPEN.value:
        return call
    call.state = HelpState.OPEN.value
    call.taken_by = None
    _note(session, actor, call, unit_id, Act.GIVEN_BACK, now)
    return call


def solve(
    session: Session, actor: Actor, call_id: int, remedy: str, now: datetime, on: date
) -> HelpCall:
    """What was done, 1 to 500 characters. The state of the point is said with a check-in of its own.

    An open call is taken with it. Raises as `take` does, `FieldInvalid`.
    """
    call, unit_id = _to_change(session, actor, call_id, on)
    _require_running(call)
    _require_mine(session, actor, call)
    call.remedy = require_text("remedy", remedy, LONGEST_REMEDY)
    call.state = HelpState.SOLVED.value
    call.taken_by = call.taken_by or actor.person_id
    call.taken_at = call.taken_at or now
    call.solved_at, call.solved_by = now, actor.person_id
    _note(session, actor, call, unit_id, Act.SOLVED, now, words=call.remedy)
    return call


def reopen(session: Session, actor: Actor, call_id: int, now: datetime, on: date) -> HelpCall:
    """The point says that it does not work yet; whoever solved it looks after it again.

    Who may check the point in may say so. Raises `UnknownHelpCall`, `NotPermitted`, `HelpOver` where the
    point has said since that it works.
    """
    call = _locked(session, call_id)
    require_check_in(session, actor, call.meeting_id, call.point_id, on)
    if call.state in RUNNING:
        return call
    if call.state == HelpState.WITHDRAWN.value or call.confirmed_at is not None:
        raise HelpOver(call.state)
    call.state = HelpState.TAKEN.value
    call.solved_at = call.solved_by = None
    unit_id = session.scalars(
        select(Participation.unit_id).where(
            Participation.meeting_id == call.meeting_id, Participation.point_id == call.point_id
        )
    ).one()
    _note(session, actor, call, unit_id, Act.REOPENED, now)
    return call


def _locked(session: Session, call_id: int) -> HelpCall:
    call = session.get(HelpCall, call_id, with_for_update=True, populate_existing=True)
    if call is None:
        raise UnknownHelpCall(call_id)
    return call


def _to_change(session: Session, actor: Actor, call_id: int, on: date) -> tuple[HelpCall, int]:
    """The call, locked, and the unit of its point, for somebody who may take it."""
    call = _locked(session, call_id)
    unit_id, seen, allowed = session.execute(
        with_whereabouts(Participation.unit_id, visible(actor, on), may_help(actor, on)).where(
            HelpCall.id == call.id
        )
    ).one()
    if not allowed:
        if not seen:
            raise UnknownHelpCall(call_id)
        require(session, actor, Permission.HELP_WRITE, unit_id, on)
        raise NotPermitted(
            Permission.HELP_WRITE.value, ""
        )  # pragma: no cover -- require has raised
    return call, unit_id


def _require_running(call: HelpCall) -> None:
    if call.state not in RUNNING:
        raise HelpOver(call.state)


def _require_mine(session: Session, actor: Actor, call: HelpCall) -> None:
    if call.state == HelpState.TAKEN.value and call.taken_by != actor.person_id:
        raise _taken(session, call)


def _taken(session: Session, call: HelpCall) -> HelpTaken:
    by = session.scalar(select(Person.name).where(Person.id == call.taken_by)) or ""
    since = session.scalar(
        select(HelpAct.at)
        .where(
            HelpAct.call_id == call.id,
            HelpAct.act.in_([Act.TAKEN.value, Act.HANDED_OVER.value, Act.REOPENED.value]),
        )
        .order_by(HelpAct.id.desc())
        .limit(1)
    )
    return HelpTaken(by, since or call.asked_at)


def _note(
    session: Session,
    actor: Actor,
    call: HelpCall,
    unit_id: int,
    act: Act,
    now: datetime,
    *,
    to: int | None = None,
    words: str = "",
) -> None:
    session.add(
        HelpAct(
            call_id=call.id,
            at=now,
            act=act.value,
            person_id=actor.person_id,
            on_behalf_of_id=actor.on_behalf_of,
            to_id=to,
            words=words,
        )
    )
    session.flush()
    facts: dict[str, str | int] = {
        "call": call.id,
        "point": call.point_id,
        "state": call.state,
    }
    record(session, MeetingNotice(call.meeting_id, "help", [unit_id], facts))


WAITING = and_(HelpCall.state.in_(RUNNING), Meeting.state.in_(AWAITED), standing_invitation())
"""Calls that somebody has to look after, in meetings that are to come or under way."""
