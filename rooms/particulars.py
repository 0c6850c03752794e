"""What a secretary says of a meeting, and how it is checked and written down."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.audience import Rule
from rooms.booking import LONGEST_MARGIN, LONGEST_MEETING
from rooms.bridge_points import PointClosed, point_by_id
from rooms.folding import fold
from rooms.hierarchy import Unit
from rooms.kernel import (
    Conflict,
    FieldInvalid,
    bounded_text,
    civil_day,
    is_time_zone,
    require_text,
)
from rooms.meetings import AgendaItem, Meeting, MeetingKind
from rooms.outages import Outage, out_between
from rooms.people import person_by_id

MINUTE = timedelta(minutes=1)
FURTHEST = timedelta(days=730)
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
class MainPointOut(Conflict):
    """The main bridge point is out of service at that time."""

    code: ClassVar[str] = "main_point_out_of_service"
    point: str
    reason: str


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


_TEXTS = (
    ("requirements", 4_000),
    ("join_url", 500),
    ("join_address", 200),
    ("join_pin", 40),
)


def write_request(
    session: Session, meeting: Meeting, request: MeetingRequest, now: datetime
) -> None:
    """Check what is said and write it onto a meeting; the audience's snapshot is not touched.

    Raises `FieldInvalid` (also where the host does not exist on that day), `UnknownPoint`, `UnknownPerson`, `MainPointOut`.
    """
    meeting.title = require_text("title", request.title, 300)
    meeting.folded = fold(meeting.title)
    meeting.kind = request.kind.value
    if not is_time_zone(request.timezone):
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
    _require_host(session, request, meeting.day)


def _require_host(session: Session, request: MeetingRequest, day: date) -> None:
    """A unit hosts while it exists: after a reorganisation its successor does."""
    host = session.get(Unit, request.host_unit_id)
    if host is None:
        raise FieldInvalid("host_unit", "unknown", request.host_unit_id)
    if host.valid_until is not None and host.valid_until <= day:
        raise FieldInvalid("host_unit", "unit_ended", str(host.valid_until))
    if host.valid_from > day:
        raise FieldInvalid("host_unit", "unit_not_begun", str(host.valid_from))


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
        if not 0 <= minutes <= LONGEST_MARGIN // MINUTE:
            raise FieldInvalid(name, "out_of_range", "0–1440")
        setattr(meeting, name, minutes)


def _main_point(session: Session, request: MeetingRequest) -> int:
    point = point_by_id(session, request.main_point_id)
    if point.closed_on is not None and point.closed_on <= civil_day(request.starts_at):
        raise PointClosed(point.name, point.closed_on)
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


def facts_of(meeting: Meeting) -> dict[str, Any]:
    """What the invited know of a meeting, by field: two of these say what a change has changed."""
    facts: dict[str, Any] = {
        name: getattr(meeting, name)
        for name in ("title", "kind", "host_unit_id", "main_point_id", "chair_id", "audience")
    }
    facts |= {name: getattr(meeting, name) for name, _ in _TEXTS}
    facts["starts_at"] = meeting.starts_at.isoformat()
    facts["ends_at"] = meeting.ends_at.isoformat()
    facts["agenda"] = [(item.title, item.presenter) for item in meeting.agenda]
    return facts
