"""Hôm nay: what a person has to know and do today, by their role."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from litestar import Response, get
from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.web.during_words import DURING_WORDS
from meetings_server.web.invitations import standing, waiting
from meetings_server.web.pages import PageRequest, render
from meetings_server.web.point_words import POINT_WORDS
from minutes.desks import Filed, Search, Waiting, incoming, waiting_for
from minutes.meeting_minutes import Minutes, MinutesState
from rooms.attendance import PointState, Presence, state_of_invitation
from rooms.bridge_points import BridgePoint
from rooms.fault_lists import FaultLine, Wanted, list_faults
from rooms.help_lists import CallLine, waiting_everywhere
from rooms.hierarchy import Unit
from rooms.kernel import CIVIL_ZONE, civil_day, utcnow
from rooms.line_tests import is_asked_for
from rooms.lineage import own_units
from rooms.meetings import AWAITED, Meeting, MeetingState, Participation, Reply, visible
from rooms.outages import Outage
from rooms.people import Role
from rooms.policies import Actor, Permission, governed
from rooms.readiness import Missing, missing_tests
from rooms.workdays import add_working_days, latest_invitation_day

AHEAD = timedelta(days=30)
MOST_MEETINGS = 60
MOST_LINES = 8
MOST_CALLS = 50
TESTS_AHEAD = timedelta(hours=12)
"""Line tests of the early morning are seen to in the evening before."""
STANDS = (
    MeetingState.SCHEDULED.value,
    MeetingState.IN_PROGRESS.value,
    MeetingState.ENDED.value,
    MeetingState.CONCLUDED.value,
)


@dataclass
class Line:
    """A meeting as the time line shows it."""

    meeting: Meeting
    host: str
    point: str = ""
    """The bridge point of the person's own unit."""
    point_id: int | None = None
    invitation: int | None = None
    reply: str = ""
    is_main: bool = False
    invited: int = 0
    replied: int = 0
    present: int | None = None
    """Points present now; None where the meeting is not running."""


@dataclass
class Day:
    """What the page shows; parts that a role does not have stay empty."""

    today: list[Line] = field(default_factory=list)
    tomorrow: list[Line] = field(default_factory=list)
    later: list[Line] = field(default_factory=list)
    next: Line | None = None
    """The next meeting that the person's own unit takes part in."""
    invitations: list[Any] = field(default_factory=list)
    invitations_count: int = 0
    drafts: list[tuple[Meeting, date]] = field(default_factory=list)
    """Drafts with the last day for their invitation, the most pressing first."""
    unwritten: list[Meeting] = field(default_factory=list)
    """Meetings that have ended and have no issued minutes."""
    documents: Waiting | None = None
    fresh: list[Filed] = field(default_factory=list)
    minutes: list[Any] = field(default_factory=list)
    faults: list[FaultLine] = field(default_factory=list)
    """The open ones of the area, the oldest first."""
    faults_count: int = 0
    outages: list[Any] = field(default_factory=list)
    line_tests: list[Missing] = field(default_factory=list)
    """Meetings of today and of the next hours with points that are not ready."""
    help: list[CallLine] = field(default_factory=list)


@get("/", include_in_schema=False, sync_to_thread=True)
def today_page(request: PageRequest, db: Database) -> Response[str]:
    now = utcnow()
    today = civil_day(now)
    actor = request.user.actor
    roles = request.user.roles
    seen = Day()
    with db.reader() as session:
        _meetings(session, seen, actor, now)
        if Role.SECRETARY in roles:
            _replies(session, seen)
            _desk(session, seen, actor, now)
            seen.documents = waiting_for(session, actor, now, MOST_LINES)
        elif Role.OFFICIAL in roles:
            _reading(session, seen, actor, now)
        if Role.TECHNICIAN in roles:
            _faults(session, seen, actor, now)
        return render(
            request,
            "today.html",
            seen=seen,
            today=today,
            tomorrow=today + timedelta(days=1),
            soon=add_working_days(today, 2),
            test_now=seen.next is not None and is_asked_for(seen.next.meeting, now),
            is_secretary=Role.SECRETARY in roles,
            is_operator=bool({Role.OPERATOR, Role.TECHNICIAN} & roles),
            is_official=Role.OFFICIAL in roles and Role.SECRETARY not in roles,
            is_technician=Role.TECHNICIAN in roles,
            is_administrator=Role.ADMINISTRATOR in roles,
            **(POINT_WORDS | DURING_WORDS),
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), CIVIL_ZONE)


def _meetings(session: Session, seen: Day, actor: Actor, now: datetime) -> None:
    """What is visible from this morning on, with the invitation of the person's own unit."""
    day = civil_day(now)
    mine = (
        select(
            Participation.meeting_id,
            func.min(Participation.id).label("id"),
            func.min(BridgePoint.name).label("point"),
            func.min(Participation.point_id).label("point_id"),
            func.min(Participation.reply).label("reply"),
            func.max(case((Participation.is_main, 1), else_=0)).label("is_main"),
        )
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .where(
            Participation.unit_id.in_(own_units(actor.unit_id, day)),
            Participation.withdrawn_at.is_(None),
            Participation.invited_at.is_not(None),
        )
        .group_by(Participation.meeting_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Meeting,
            Unit.name,
            mine.c.id,
            mine.c.point,
            mine.c.point_id,
            mine.c.reply,
            mine.c.is_main,
        )
        .join(Unit, Unit.id == Meeting.host_unit_id)
        .outerjoin(mine, mine.c.meeting_id == Meeting.id)
        .where(
            Meeting.ends_at >= _midnight(day),
            Meeting.starts_at < now + AHEAD,
            Meeting.state.in_(STANDS),
            visible(actor, day),
        )
        .order_by(Meeting.starts_at, Meeting.id)
        .limit(MOST_MEETINGS)
    )
    for meeting, host, invitation, point, point_id, reply, is_main in rows:
        line = Line(meeting, host, point or "", point_id, invitation, reply or "", bool(is_main))
        if meeting.starts_at < _midnight(day + timedelta(days=1)):
            seen.today.append(line)
        elif meeting.starts_at < _midnight(day + timedelta(days=2)):
            seen.tomorrow.append(line)
        else:
            seen.later.append(line)
        is_ahead = meeting.state in AWAITED and (
            meeting.ends_at > now or meeting.state == MeetingState.IN_PROGRESS.value
        )
        if (
            seen.next is None
            and is_ahead
            and (invitation or meeting.chair_id == actor.principal_id)
        ):
            seen.next = line


def _replies(session: Session, seen: Day) -> None:
    """Invited, replied and present, of the meetings of today and tomorrow: one statement."""
    lines = {line.meeting.id: line for line in [*seen.today, *seen.tomorrow]}
    if not lines:
        return
    here = [Presence.PRESENT.value, Presence.NEEDS_HELP.value]
    rows = session.execute(
        select(
            Participation.meeting_id,
            func.count(),
            func.sum(case((Participation.reply != Reply.PENDING.value, 1), else_=0)),
            func.sum(case((PointState.state.in_(here), 1), else_=0)),
        )
        .outerjoin(PointState, state_of_invitation())
        .where(
            Participation.meeting_id.in_(lines),
            Participation.withdrawn_at.is_(None),
            Participation.is_main.is_(False),
        )
        .group_by(Participation.meeting_id)
    )
    for meeting_id, invited, replied, present in rows:
        line = lines[meeting_id]
        line.invited, line.replied = invited, replied
        if line.meeting.state == MeetingState.IN_PROGRESS.value:
            line.present = present


def _desk(session: Session, seen: Day, actor: Actor, now: datetime) -> None:
    """What waits for a secretary: invitations to answer, drafts to send, minutes to write."""
    today = civil_day(now)
    rows = session.execute(
        select(
            Participation.id,
            Meeting.title,
            Meeting.starts_at,
            Meeting.ends_at,
            func.count().over().label("total"),
        )
        .join(Meeting, Meeting.id == Participation.meeting_id)
        .where(standing(), waiting(now), Participation.unit_id.in_(own_units(actor.unit_id, today)))
        .order_by(Meeting.starts_at, Participation.id)
        .limit(MOST_LINES)
    ).all()
    seen.invitations = list(rows)
    seen.invitations_count = rows[0].total if rows else 0
    issued = select(Minutes.id).where(
        Minutes.meeting_id == Meeting.id, Minutes.state == MinutesState.ISSUED.value
    )
    own = session.scalars(
        select(Meeting)
        .where(
            governed(actor, Permission.MEETING_WRITE, Meeting.host_unit_id, today),
            or_(
                Meeting.state == MeetingState.DRAFT.value,
                and_(Meeting.state == MeetingState.ENDED.value, ~issued.exists()),
            ),
        )
        .order_by(Meeting.starts_at.desc())
        .limit(2 * MOST_LINES)
    )
    for meeting in own:
        if meeting.state == MeetingState.DRAFT.value:
            seen.drafts.append((meeting, latest_invitation_day(meeting.day)))
        else:
            seen.unwritten.append(meeting)
    seen.drafts.sort(key=lambda draft: draft[1])


def _reading(session: Session, seen: Day, actor: Actor, now: datetime) -> None:
    """What is new to read: documents sent to the unit, minutes of meetings one may see."""
    own = own_units(actor.unit_id, civil_day(now))
    seen.fresh = incoming(session, own, Search(rows=MOST_LINES), now).lines
    seen.minutes = list(
        session.execute(
            select(Minutes.id, Meeting.id.label("meeting_id"), Meeting.title, Minutes.issued_at)
            .join(Meeting, Meeting.id == Minutes.meeting_id)
            .where(Minutes.issued_at.is_not(None), visible(actor, civil_day(now)))
            .order_by(Minutes.issued_at.desc(), Minutes.id.desc())
            .limit(MOST_LINES)
        )
    )


def _faults(session: Session, seen: Day, actor: Actor, now: datetime) -> None:
    """What waits for a technician: calls for help in running meetings, faults, points out of service."""
    today = civil_day(now)
    seen.faults, seen.faults_count = list_faults(session, actor, Wanted(), today, MOST_LINES)
    until = max(_midnight(today + timedelta(days=1)), now + TESTS_AHEAD)
    seen.line_tests = missing_tests(session, actor, now, until)
    point = governed(actor, Permission.POINT_WRITE, BridgePoint.unit_id, today)
    seen.help = waiting_everywhere(session, actor, today, MOST_CALLS)
    seen.outages = list(
        session.execute(
            select(
                BridgePoint.id,
                BridgePoint.name,
                Unit.name.label("unit"),
                Unit.code,
                Outage.reason,
                Outage.starts_at,
                Outage.ends_at,
            )
            .join(BridgePoint, BridgePoint.id == Outage.point_id)
            .join(Unit, Unit.id == BridgePoint.unit_id)
            .where(or_(Outage.ends_at.is_(None), Outage.ends_at > now), point)
            .order_by(Outage.starts_at)
            .limit(50)
        )
    )


HANDLERS = [today_page]
