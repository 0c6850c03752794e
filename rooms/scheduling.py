"""The verbs that move a meeting: book, schedule, change, postpone, cancel, start, end.

Each works in the caller's transaction and raises to roll it back, so that a clash leaves nothing
half done. What follows from a change (mail, calendars, live frames) follows from its event.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from rooms.audience import Resolution, Rule
from rooms.booking import BookingConflict, clashes_of, hold, release
from rooms.bridge_points import Outage, out_between, point_by_id
from rooms.folding import fold
from rooms.invitees import invite, reinvite
from rooms.kernel import (
    Conflict,
    FieldInvalid,
    Invalid,
    bounded_text,
    civil_day,
    record,
    require_text,
)
from rooms.meetings import (
    OPEN_FOR_CHANGE,
    AgendaItem,
    Meeting,
    MeetingCancelled,
    MeetingChanged,
    MeetingEnded,
    MeetingKind,
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
from rooms.people import person_by_id
from rooms.policies import Actor, Permission, require
from rooms.slots import best_windows
from rooms.workdays import latest_invitation_day

LONGEST_MEETING = timedelta(days=7)
FURTHEST = timedelta(days=730)
SEARCH_SPAN = timedelta(days=14)
"""How far ahead the next free start is looked for."""
MOST_AGENDA_ITEMS = 100


@dataclass(frozen=True, slots=True)
class AgendaEntry:
    title: str
    presenter: str = ""


@dataclass(frozen=True, slots=True)
class MeetingRequest:
    """What a secretary says when making a meeting."""

    title: str
    kind: MeetingKind
    host_unit_id: int
    main_point_id: int
    chair_id: int
    starts_at: datetime
    ends_at: datetime
    audience: list[Rule]
    timezone: str = "Asia/Ho_Chi_Minh"
    agenda: list[AgendaEntry] = field(default_factory=list)
    requirements: str = ""
    join_url: str = ""
    join_address: str = ""
    join_pin: str = ""
    setup_minutes: int = 30
    clearing_minutes: int = 15


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
class MainPointOut(Conflict):
    """The main bridge point is out of service at that time."""

    code: ClassVar[str] = "main_point_out_of_service"
    point: str
    reason: str


@dataclass(frozen=True, slots=True)
class Booked:
    meeting: Meeting
    resolution: Resolution


def book(session: Session, actor: Actor, request: MeetingRequest, now: datetime) -> Booked:
    """Make a meeting as a draft that holds the time of all its points.

    Raises `FieldInvalid`, `NotPermitted`, `UnknownUnit`, `UnknownPoint`, `UnknownPerson`,
    `RuleInvalid`, `NobodyInvited`, `MainPointOut`, `BookingConflict`.
    """
    today = civil_day(now)
    require(session, actor, Permission.MEETING_WRITE, request.host_unit_id, today)
    meeting = Meeting(
        uid=f"{uuid4()}@meetings-server",
        sequence=0,
        version=1,
        state=MeetingState.DRAFT.value,
        host_unit_id=request.host_unit_id,
        created_by=actor.person_id,
        created_at=now,
        late_reason="",
        closing_reason="",
    )
    _write(session, meeting, request, now)
    with session.no_autoflush:
        session.add(meeting)
    session.flush()
    resolution = invite(session, meeting, request.audience)
    _hold_or_refuse(session, actor, meeting, now)
    note_change(session, meeting, actor, "booked", now, points=len(resolution.joining))
    return Booked(meeting, resolution)


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
    meeting that gets a new time is scheduled again. Raises as `book` does, `WrongState`,
    `ReasonMissing`, `LateReasonMissing`, `StaleVersion`.
    """
    today = civil_day(now)
    meeting = meeting_to_change(session, actor, meeting_id, today, version=version)
    _expect(meeting, "change", *OPEN_FOR_CHANGE)
    if request.host_unit_id != meeting.host_unit_id:
        require(session, actor, Permission.MEETING_WRITE, request.host_unit_id, today)
        meeting.host_unit_id = request.host_unit_id
    session.refresh(meeting, ["agenda"])
    before = _facts(meeting)
    _write(session, meeting, request, now)
    fields = tuple(name for name, value in _facts(meeting).items() if before[name] != value)
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
        before={name: before[name] for name in fields if name in {"starts_at", "ends_at", "title"}},
    )
    return Booked(meeting, resolution)


def request_of(session: Session, meeting: Meeting, rules: list[Rule]) -> MeetingRequest:
    """The request that would leave a meeting as it is: the ground for a change of some fields."""
    session.refresh(meeting, ["agenda"])
    return MeetingRequest(
        title=meeting.title,
        kind=MeetingKind(meeting.kind),
        host_unit_id=meeting.host_unit_id,
        main_point_id=meeting.main_point_id,
        chair_id=meeting.chair_id,
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        audience=rules,
        timezone=meeting.timezone,
        agenda=[AgendaEntry(item.title, item.presenter) for item in meeting.agenda],
        requirements=meeting.requirements,
        join_url=meeting.join_url,
        join_address=meeting.join_address,
        join_pin=meeting.join_pin,
        setup_minutes=meeting.setup_minutes,
        clearing_minutes=meeting.clearing_minutes,
    )


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


_TEXTS = (
    ("requirements", 4_000),
    ("join_url", 500),
    ("join_address", 200),
    ("join_pin", 40),
)


def _write(session: Session, meeting: Meeting, request: MeetingRequest, now: datetime) -> None:
    meeting.title = require_text("title", request.title, 300)
    meeting.folded = fold(meeting.title)
    meeting.kind = request.kind.value
    if request.timezone not in available_timezones():
        raise FieldInvalid("timezone", "unknown", request.timezone[:60])
    meeting.timezone = request.timezone
    _write_times(meeting, request, now)
    for name, limit in _TEXTS:
        setattr(meeting, name, bounded_text(name, getattr(request, name), limit))
    if meeting.join_url and not meeting.join_url.lower().startswith(("https://", "http://")):
        raise FieldInvalid("join_url", "not_a_link")
    meeting.chair_id = person_by_id(session, request.chair_id).id
    meeting.main_point_id = _main_point(session, request)
    meeting.audience = [rule.as_json() for rule in request.audience]
    _write_agenda(meeting, request.agenda)


def _write_times(meeting: Meeting, request: MeetingRequest, now: datetime) -> None:
    if request.ends_at <= request.starts_at:
        raise FieldInvalid("ends_at", "not_after_start")
    if request.ends_at - request.starts_at > LONGEST_MEETING:
        raise FieldInvalid("ends_at", "too_long", f"{LONGEST_MEETING.days} × 24 h")
    if request.starts_at != meeting.starts_at:
        if request.starts_at <= now:
            raise FieldInvalid("starts_at", "in_the_past")
        if request.starts_at > now + FURTHEST:
            raise FieldInvalid("starts_at", "too_far", FURTHEST.days)
    meeting.starts_at, meeting.ends_at = request.starts_at, request.ends_at
    for name in ("setup_minutes", "clearing_minutes"):
        minutes = getattr(request, name)
        if not 0 <= minutes <= 24 * 60:
            raise FieldInvalid(name, "out_of_range", "0–1440")
        setattr(meeting, name, minutes)


def _main_point(session: Session, request: MeetingRequest) -> int:
    point = point_by_id(session, request.main_point_id)
    outage = session.scalar(
        select(Outage).where(
            Outage.point_id == point.id, out_between(request.starts_at, request.ends_at)
        )
    )
    if outage is not None:
        raise MainPointOut(point.name, outage.reason)
    return point.id


def _write_agenda(meeting: Meeting, entries: list[AgendaEntry]) -> None:
    if len(entries) > MOST_AGENDA_ITEMS:
        raise FieldInvalid("agenda", "too_many", MOST_AGENDA_ITEMS)
    items = [
        (require_text("agenda", entry.title, 500), bounded_text("agenda", entry.presenter, 200))
        for entry in entries
    ]
    if items == [(item.title, item.presenter) for item in meeting.agenda]:
        return
    while len(meeting.agenda) > len(items):
        meeting.agenda.pop()
    for position, (title, presenter) in enumerate(items):
        if position < len(meeting.agenda):
            meeting.agenda[position].title = title
            meeting.agenda[position].presenter = presenter
        else:
            meeting.agenda.append(AgendaItem(position=position, title=title, presenter=presenter))


def _facts(meeting: Meeting) -> dict[str, Any]:
    facts: dict[str, Any] = {
        name: getattr(meeting, name)
        for name in ("title", "kind", "host_unit_id", "main_point_id", "chair_id", "audience")
    }
    facts |= {name: getattr(meeting, name) for name, _ in _TEXTS}
    facts["starts_at"] = meeting.starts_at.isoformat()
    facts["ends_at"] = meeting.ends_at.isoformat()
    facts["agenda"] = [(item.title, item.presenter) for item in meeting.agenda]
    return facts


def _hold_or_refuse(session: Session, actor: Actor, meeting: Meeting, now: datetime) -> None:
    hold(session, meeting)
    clashes = clashes_of(session, actor, meeting, civil_day(now))
    if clashes:
        raise BookingConflict(clashes, _next_free(session, meeting, now))


def _next_free(session: Session, meeting: Meeting, now: datetime) -> datetime | None:
    """The next start in office hours at which all points of the meeting are free."""
    earliest = max(meeting.starts_at, now)
    windows = best_windows(
        session,
        select(Participation.point_id).where(invited(meeting.id)),
        meeting.ends_at - meeting.starts_at,
        earliest,
        earliest + SEARCH_SPAN,
        setup=timedelta(minutes=meeting.setup_minutes),
        clearing=timedelta(minutes=meeting.clearing_minutes),
        zone=ZoneInfo(meeting.timezone),
        ignore_meeting=meeting.id,
        most=1,
    )
    return windows[0].starts_at if windows and windows[0].taken == 0 else None
