"""The verbs that move a meeting: book, schedule, change, postpone, cancel, start, end.

Each works in the caller's transaction and raises to roll it back, so that a clash leaves nothing
half done. What follows from a change (mail, calendars, live frames) follows from its event.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rooms.audience import Resolution
from rooms.booking import BookingConflict, clashes_of, hold, release
from rooms.earlier_replies import ask_again
from rooms.invitees import invite, reinvite
from rooms.kernel import (
    Conflict,
    FieldInvalid,
    Invalid,
    bounded_text,
    civil_day,
    record,
)
from rooms.meetings import (
    OPEN_FOR_CHANGE,
    Meeting,
    MeetingCancelled,
    MeetingChanged,
    MeetingEnded,
    MeetingPostponed,
    MeetingScheduled,
    MeetingStarted,
    MeetingState,
    Participation,
    WrongState,
    invited,
    meeting_to_change,
    note_change,
)
from rooms.particulars import (
    AgendaEntry,
    MainPointOut,
    MeetingRequest,
    facts_of,
    request_of,
    write_request,
)
from rooms.policies import Actor, Permission, require
from rooms.slots import Margins, next_free
from rooms.workdays import latest_invitation_day

__all__ = [
    "AgendaEntry",
    "AlreadyBooked",
    "Booked",
    "LateReasonMissing",
    "MainPointOut",
    "MeetingRequest",
    "ReasonMissing",
    "book",
    "booked_before",
    "cancel",
    "change",
    "end",
    "postpone",
    "request_of",
    "schedule",
    "start",
]


@dataclass
class LateReasonMissing(Invalid):
    """The notice period is not kept and no reason is stated."""

    code: ClassVar[str] = "late_reason_missing"
    working_days: int
    latest_day: date


@dataclass
class ReasonMissing(Invalid):
    code: ClassVar[str] = "reason_missing"
    action: str


@dataclass
class AlreadyBooked(Conflict):
    """The same request has made a meeting before; `booked_before` says which."""

    code: ClassVar[str] = "already_booked"
    request_key: str


@dataclass(frozen=True, slots=True)
class Booked:
    meeting: Meeting
    resolution: Resolution


def book(
    session: Session,
    actor: Actor,
    request: MeetingRequest,
    now: datetime,
    *,
    request_key: str | None = None,
) -> Booked:
    """Make a meeting as a draft that holds the time of all its points.

    `request_key` names this very request of the actor: a second one with the same key raises
    `AlreadyBooked`, also where both come at once. Raises `FieldInvalid`, `NotPermitted`, `UnknownUnit`, `UnknownPoint`, `UnknownPerson`,
    `RuleInvalid`, `NobodyInvited`, `MainPointOut`, `BookingConflict`.
    """
    today = civil_day(now)
    require(session, actor, Permission.MEETING_WRITE, request.host_unit_id, today)
    if request_key is not None and booked_before(session, actor, request_key) is not None:
        raise AlreadyBooked(request_key)
    meeting = Meeting(
        uid=f"{uuid4()}@meetings-server",
        request_key=_key(actor, request_key) if request_key is not None else None,
        sequence=0,
        version=1,
        state=MeetingState.DRAFT.value,
        host_unit_id=request.host_unit_id,
        created_by=actor.person_id,
        created_at=now,
        late_reason="",
        closing_reason="",
    )
    write_request(session, meeting, request, now)
    session.add(meeting)
    try:
        session.flush()
    except IntegrityError:
        # The other click came between our look and our insert, and has been committed.
        if request_key is None:
            raise
        raise AlreadyBooked(request_key) from None
    resolution = invite(session, meeting, request.audience)
    _hold_or_refuse(session, actor, meeting, now)
    note_change(session, meeting, actor, "booked", now, points=len(resolution.joining))
    return Booked(meeting, resolution)


def booked_before(session: Session, actor: Actor, request_key: str) -> int | None:
    """The id of the meeting that this request of the actor made before."""
    return session.scalar(select(Meeting.id).where(Meeting.request_key == _key(actor, request_key)))


def _key(actor: Actor, request_key: str) -> str:
    return f"{actor.person_id}:{bounded_text('request_key', request_key, 200)}"


def schedule(
    session: Session,
    actor: Actor,
    meeting_id: int,
    now: datetime,
    *,
    late_reason: str = "",
    version: int | None = None,
) -> Meeting:
    """Send the invitation of a draft.

    Later than 3 working days before the meeting a reason is needed (họp khẩn) and kept.
    Raises `WrongState`, `LateReasonMissing`, `FieldInvalid` when the start has passed.
    """
    meeting = meeting_to_change(session, actor, meeting_id, civil_day(now), version=version)
    _expect(meeting, "schedule", MeetingState.DRAFT)
    if meeting.starts_at <= now:
        raise FieldInvalid("starts_at", "in_the_past")
    meeting.late_reason = _notice_kept_or_explained(meeting, now, late_reason)
    meeting.state = MeetingState.SCHEDULED.value
    meeting.scheduled_at = now
    meeting.version += 1
    session.execute(update(Participation).where(invited(meeting.id)).values(invited_at=now))
    note_change(session, meeting, actor, "scheduled", now, reason=meeting.late_reason)
    record(session, MeetingScheduled(meeting.id))
    return meeting


def change(
    session: Session,
    actor: Actor,
    meeting_id: int,
    request: MeetingRequest,
    now: datetime,
    *,
    reason: str = "",
    late_reason: str = "",
    version: int | None = None,
) -> Booked:
    """Change a meeting that has not begun; moving one whose invitation is out needs a reason.

    The audience is resolved again: new points are invited, dropped ones are told so. A postponed
    meeting that gets a new time is scheduled again. Answers given for another time do not hold:
    they are kept and asked again. Raises as `book` does, `WrongState`, `ReasonMissing`,
    `LateReasonMissing`, `StaleVersion`.
    """
    today = civil_day(now)
    meeting = meeting_to_change(session, actor, meeting_id, today, version=version)
    _expect(meeting, "change", *OPEN_FOR_CHANGE)
    if request.host_unit_id != meeting.host_unit_id:
        require(session, actor, Permission.MEETING_WRITE, request.host_unit_id, today)
        meeting.host_unit_id = request.host_unit_id
    session.refresh(meeting, ["agenda"])
    before = facts_of(meeting)
    write_request(session, meeting, request, now)
    fields = tuple(name for name, value in facts_of(meeting).items() if before[name] != value)
    published = meeting.state != MeetingState.DRAFT.value
    moved = "starts_at" in fields or "ends_at" in fields
    if published and moved:
        reason = _reason("reschedule", reason)
        if meeting.state == MeetingState.SCHEDULED.value and "starts_at" in fields:
            meeting.late_reason = _notice_kept_or_explained(
                meeting, now, late_reason or meeting.late_reason or reason
            )
    again = meeting.state == MeetingState.POSTPONED.value and moved
    if again:
        meeting.state = MeetingState.SCHEDULED.value
        meeting.closing_reason = ""
    session.flush()
    added, removed, resolution = reinvite(session, meeting, request.audience, now)
    if meeting.state != MeetingState.POSTPONED.value:
        _hold_or_refuse(session, actor, meeting, now)
    if not (fields or added or removed):
        return Booked(meeting, resolution)
    asked_again = 0
    if published and moved:
        began, ended = (datetime.fromisoformat(before[name]) for name in ("starts_at", "ends_at"))
        asked_again = ask_again(session, meeting.id, began, ended, now)
    meeting.version += 1
    if published:
        meeting.sequence += 1
        record(session, MeetingChanged(meeting.id, fields, tuple(added), tuple(removed)))
    note_change(
        session,
        meeting,
        actor,
        "rescheduled" if moved else "changed",
        now,
        reason=reason,
        fields=list(fields),
        added=len(added),
        removed=len(removed),
        asked_again=asked_again,
        before={name: before[name] for name in fields if name in {"starts_at", "ends_at", "title"}},
    )
    return Booked(meeting, resolution)


def cancel(session: Session, actor: Actor, meeting_id: int, reason: str, now: datetime) -> Meeting:
    """Call a meeting off for good, with a reason. Raises `WrongState`, `ReasonMissing`."""
    meeting = meeting_to_change(session, actor, meeting_id, civil_day(now))
    _expect(meeting, "cancel", *OPEN_FOR_CHANGE)
    meeting.closing_reason = _reason("cancel", reason)
    published = meeting.state != MeetingState.DRAFT.value
    meeting.state = MeetingState.CANCELLED.value
    _told(meeting)
    release(session, meeting.id)
    note_change(session, meeting, actor, "cancelled", now, reason=meeting.closing_reason)
    if published:
        record(session, MeetingCancelled(meeting.id))
    return meeting


def postpone(
    session: Session, actor: Actor, meeting_id: int, reason: str, now: datetime
) -> Meeting:
    """Put a meeting off without a new time yet; its points are free again."""
    meeting = meeting_to_change(session, actor, meeting_id, civil_day(now))
    _expect(meeting, "postpone", MeetingState.SCHEDULED)
    meeting.closing_reason = _reason("postpone", reason)
    meeting.state = MeetingState.POSTPONED.value
    _told(meeting)
    release(session, meeting.id)
    note_change(session, meeting, actor, "postponed", now, reason=meeting.closing_reason)
    record(session, MeetingPostponed(meeting.id))
    return meeting


def start(session: Session, actor: Actor, meeting_id: int, now: datetime) -> Meeting:
    """Open the meeting. Raises `WrongState`."""
    meeting = meeting_to_change(session, actor, meeting_id, civil_day(now))
    _expect(meeting, "start", MeetingState.SCHEDULED)
    if now < meeting.held_from - timedelta(hours=12):
        raise WrongState(meeting.state, "start_too_early")
    meeting.state = MeetingState.IN_PROGRESS.value
    meeting.started_at = now
    meeting.version += 1
    note_change(session, meeting, actor, "started", now)
    record(session, MeetingStarted(meeting.id))
    return meeting


def end(session: Session, actor: Actor, meeting_id: int, now: datetime) -> Meeting:
    """Close the meeting; its points are free from now on. Raises `WrongState`."""
    meeting = meeting_to_change(session, actor, meeting_id, civil_day(now))
    _expect(meeting, "end", MeetingState.IN_PROGRESS)
    meeting.state = MeetingState.ENDED.value
    meeting.ended_at = now
    meeting.version += 1
    release(session, meeting.id)
    note_change(session, meeting, actor, "ended", now)
    record(session, MeetingEnded(meeting.id))
    return meeting


def _told(meeting: Meeting) -> None:
    meeting.version += 1
    meeting.sequence += 1


def _expect(meeting: Meeting, action: str, *states: MeetingState) -> None:
    if meeting.state not in {state.value for state in states}:
        raise WrongState(meeting.state, action)


def _reason(action: str, reason: str) -> str:
    text = bounded_text("reason", reason, 500)
    if not text:
        raise ReasonMissing(action)
    return text


def _notice_kept_or_explained(meeting: Meeting, now: datetime, late_reason: str) -> str:
    latest = latest_invitation_day(meeting.day)
    if civil_day(now) <= latest:
        return ""
    text = bounded_text("late_reason", late_reason, 500)
    if not text:
        raise LateReasonMissing(3, latest)
    return text


def _hold_or_refuse(session: Session, actor: Actor, meeting: Meeting, now: datetime) -> None:
    hold(session, meeting)
    clashes = clashes_of(session, actor, meeting, civil_day(now))
    if clashes:
        raise BookingConflict(clashes, _next_free(session, meeting, now))


def _next_free(session: Session, meeting: Meeting, now: datetime) -> datetime | None:
    return next_free(
        session,
        select(Participation.point_id).where(invited(meeting.id)),
        meeting.ends_at - meeting.starts_at,
        max(meeting.starts_at, now),
        margins=Margins(
            timedelta(minutes=meeting.setup_minutes), timedelta(minutes=meeting.clearing_minutes)
        ),
        zone=ZoneInfo(meeting.timezone),
        ignore_meeting=meeting.id,
    )
