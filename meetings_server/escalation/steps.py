"""Carries out the steps of the meetings that are near; `settling` notes what has been done since.

A step before the start is due from its minute until the start, one at or after the start until the
meeting is to end: a server that was away does what still makes sense. Each step of a meeting is taken on
by a mark in the commit in which it is carried out; the mark names the time of the meeting and how often
it has moved, so that another time begins anew. All that one moment has to say to a person is one notice.

Points and parents are units: mail to them goes to their official addresses. Chair, secretary and
technicians are people: mail to them goes to their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.escalation.rules import EARLIEST, About, Step, Whom, rules
from meetings_server.i18n import _, mark
from meetings_server.mail.invitations import facts_of, loaded_meeting
from meetings_server.mail.letters import SUBJECTS, speaking, subject_of
from meetings_server.mail.outbox import Addressee, Post, post, post_to_invited
from meetings_server.push.addressed import (
    People,
    of_chair,
    of_parents,
    of_points,
    of_secretaries,
    of_technicians,
    silent,
)
from meetings_server.push.telling import By, Telling, tell_people
from meetings_server.sweeps.giving_way import giving_way
from meetings_server.sweeps.marks import mark_all, marked
from rooms.kernel import civil_day
from rooms.line_tests import LineTest
from rooms.meetings import (
    AWAITED,
    Meeting,
    MeetingChange,
    MeetingKind,
    MeetingState,
    Participation,
    Reply,
    invited,
)
from rooms.roll_call import SilentPoint, silent_points

MOST_LINES = 200
"""Points that a letter lists; the page has them all."""

KINDS: dict[tuple[About, Whom], str] = {
    (About.SILENT, Whom.POINT): "silent_point",
    (About.SILENT, Whom.PARENT): "silent_children",
    (About.LINE_TEST, Whom.POINT): "line_test_due",
}
"""The kind of notice and letter; what stands nowhere here goes to people of the host."""
HOST_KINDS = {About.SILENT: "missing", About.LINE_TEST: "line_tests_missing"}

TEXTS: dict[str, str] = {
    "silent_point": mark("Begins at {starts_at}. Not checked in yet: {count}."),
    "silent_children": mark("Begins at {starts_at}. Silent below your unit: {count}."),
    "line_test_due": mark("Begins at {starts_at}. Line not tested yet: {count}."),
    "line_tests_missing": mark("Begins at {starts_at}. Lines not tested yet: {count}."),
    "missing": mark("Not checked in: {count} of {invited} bridge points."),
}
PATHS: dict[str, str] = {
    "silent_point": "/check-in",
    "silent_children": "/meetings/{meeting}/board",
    "line_test_due": "/check-in",
    "line_tests_missing": "/meetings/{meeting}",
    "missing": "/meetings/{meeting}/missing",
}

# The keys under which these were marked before there were rules.
FIRST_NUMBERS = {"silent_point": 1, "silent_children": 2}


@dataclass(frozen=True, slots=True)
class Due:
    """A step of a meeting that is due."""

    step: Step
    meeting_id: int
    starts_at: datetime
    moves: int

    @property
    def kind(self) -> str:
        step = self.step
        return KINDS.get((step.about, step.whom), HOST_KINDS[step.about])

    @property
    def key(self) -> str:
        return key_of(self.step, self.meeting_id, self.starts_at, self.moves)

    @property
    def moment(self) -> str:
        """The steps about the same thing at the same minute."""
        step = self.step
        time = f"{self.starts_at.isoformat()}:{self.moves}"
        return f"{step.about.value}:{step.minutes}:{self.meeting_id}:{time}"


def key_of(step: Step, meeting_id: int, starts_at: datetime, moves: int) -> str:
    """Names a step of a meeting at a time, for all time."""
    kind = KINDS.get((step.about, step.whom), HOST_KINDS[step.about])
    if FIRST_NUMBERS.get(kind) != step.number:
        kind = f"{kind}.{step.number}"
    times = f":{moves}" if moves else ""
    return f"{kind}:{meeting_id}:{starts_at.isoformat()}{times}"


def sweep(db: Database, now: datetime) -> int:
    """Carry out what is due. Returns how many steps were carried out.

    Each step in a transaction of its own: check-ins wait for whoever writes.
    """
    with db.reader() as session:
        due = due_steps(session, now)
        done = marked(session, [each.key for each in due])
    carried_out = 0
    for each in due:
        if each.key in done:
            continue
        with db.reader() as session:
            words = prepare(session, each, loaded_meeting(session, each.meeting_id), now)
        with giving_way(db) as session:
            # The meeting or the rules may have changed meanwhile.
            still = each in due_steps(session, now, each.meeting_id)
            if still and mark_all(session, [each.key], now):
                _write(session, each, loaded_meeting(session, each.meeting_id), words, now)
                carried_out += 1
    return carried_out


def due_steps(session: Session, now: datetime, meeting_id: int | None = None) -> list[Due]:
    """The steps that are due now, done or not, of all meetings or of one; two statements.

    Those before the start come first.
    """
    of_kind = rules(session)
    found: list[Due] = []
    query = select(
        Meeting.id, Meeting.kind, Meeting.state, Meeting.starts_at, moves_of().label("moves")
    ).where(
        Meeting.state.in_(AWAITED),
        Meeting.starts_at <= now + timedelta(minutes=EARLIEST),
        Meeting.ends_at > now,
    )
    if meeting_id is not None:
        query = query.where(Meeting.id == meeting_id)
    for row in session.execute(query.order_by(Meeting.id)):
        found += [
            Due(step, row.id, row.starts_at, row.moves)
            for step in of_kind[MeetingKind(row.kind)]
            if step.active and is_due(step, row.state, row.starts_at, now)
        ]
    return found


def moves_of() -> ScalarSelect[int]:
    """How often the invited have been told another time."""
    return (
        select(func.count())
        .where(MeetingChange.meeting_id == Meeting.id, MeetingChange.action == "rescheduled")
        .scalar_subquery()
    )


def is_due(step: Step, state: str, starts_at: datetime, now: datetime) -> bool:
    if now < starts_at - timedelta(minutes=step.minutes):
        return False
    if step.minutes > 0:
        # Whoever was to be reminded of the start needs no word once the meeting is open.
        return now < starts_at and state == MeetingState.SCHEDULED.value
    return True


def undone(meeting: Meeting, about: About) -> ColumnElement[bool]:
    """The invitations whose points have not done what a step is about."""
    if about is About.SILENT:
        return silent(meeting)
    tested = select(LineTest.point_id).where(
        LineTest.meeting_id == meeting.id, LineTest.tested_for == meeting.starts_at
    )
    return and_(
        invited(meeting.id),
        Participation.invited_at.is_not(None),
        Participation.reply != Reply.DECLINED.value,
        Participation.point_id.not_in(tested),
    )


@dataclass(frozen=True, slots=True)
class Words:
    """What a step has to say: read before anything is locked, thousands of points take a while."""

    count: int
    """Points it is about."""
    telling: Telling
    parents: list[Addressee]
    """Units above, each with its points, where they get mail."""


def carry_out(session: Session, due: Due, meeting: Meeting, now: datetime) -> None:
    """Tell whom a step means, unless everything it is about has been done."""
    _write(session, due, meeting, prepare(session, due, meeting, now), now)


def prepare(session: Session, due: Due, meeting: Meeting, now: datetime) -> Words | None:
    """None where everything has been done."""
    count = _count(session, undone(meeting, due.step.about))
    if not count:
        return None
    mails = By.MAIL in due.step.channels and due.step.whom is Whom.PARENT
    parents = _parents(session, due, meeting) if mails else []
    return Words(count, _telling(session, due, meeting, now), parents)


def _write(
    session: Session, due: Due, meeting: Meeting, words: Words | None, now: datetime
) -> None:
    if words is None:
        return
    points = undone(meeting, due.step.about)
    tell_people(session, words.telling, people_of(due.step, meeting, points, words.count, now))
    if By.MAIL in due.step.channels:
        _mail_to_units(session, due, meeting, points, words.parents, now)


def people_of(
    step: Step, meeting: Meeting, points: ColumnElement[bool], count: int, now: datetime
) -> People:
    """Whom a step means at this moment."""
    on = civil_day(now)
    to: dict[Whom, Callable[[], People]] = {
        Whom.POINT: lambda: of_points(points, on),
        Whom.PARENT: lambda: of_parents(points, meeting, on),
        Whom.CHAIR: lambda: of_chair(meeting, count, on),
        Whom.SECRETARY: lambda: of_secretaries(meeting, count, on),
        Whom.TECHNICIANS: lambda: of_technicians(meeting, count, on),
    }
    return to[step.whom]()


def _count(session: Session, points: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Participation).where(points)) or 0


def _telling(session: Session, due: Due, meeting: Meeting, now: datetime) -> Telling:
    kind, channels = due.kind, set(due.step.channels)
    letter: dict[str, Any] = {}
    items: list[str] = []
    if due.step.whom in {Whom.POINT, Whom.PARENT}:
        channels.discard(By.MAIL)
    elif By.MAIL in channels:
        letter, items = facts_of(meeting), _lines(session, due, meeting)
    all_invited = _count(session, and_(invited(meeting.id), Participation.invited_at.is_not(None)))
    return Telling(
        key=due.key,
        kind=kind,
        unit_id=meeting.host_unit_id,
        title=SUBJECTS[kind],
        text=TEXTS[kind],
        facts={
            "title": meeting.title,
            "starts_at": meeting.starts_at.isoformat(),
            "invited": all_invited,
            "step": [due.step.whom.value, due.step.about.value],
        },
        path=PATHS[kind].format(meeting=meeting.id),
        at=now,
        channels=channels,
        meeting_id=meeting.id,
        expires_at=meeting.ends_at,
        urgent=due.step.about is About.SILENT,
        moment=due.moment,
        letter=letter,
        items=items,
    )


def _mail_to_units(
    session: Session,
    due: Due,
    meeting: Meeting,
    points: ColumnElement[bool],
    parents: list[Addressee],
    now: datetime,
) -> None:
    facts = facts_of(meeting)
    message = Post(
        key=due.key,
        kind=due.kind,
        unit_id=meeting.host_unit_id,
        subject=subject_of(due.kind, facts),
        facts=facts,
        at=now,
        meeting_id=meeting.id,
        expires_at=meeting.starts_at if due.step.minutes > 0 else meeting.ends_at,
    )
    if due.step.whom is Whom.POINT:
        post_to_invited(session, message, points)
    elif parents:
        post(session, message, parents)


def _parents(session: Session, due: Due, meeting: Meeting) -> list[Addressee]:
    below: dict[int, list[SilentPoint]] = {}
    for point in _points(session, due, meeting):
        if point.parent_id is not None:
            below.setdefault(point.parent_id, []).append(point)
    return [
        Addressee(
            recipient=f"unit:{parent_id}",
            name=points[0].parent_name or "",
            address=points[0].parent_email,
            unit_id=parent_id,
            own={"items": [line_of(point) for point in points]},
        )
        for parent_id, points in below.items()
    ]


def _points(session: Session, due: Due, meeting: Meeting) -> list[SilentPoint]:
    return silent_points(session, meeting.id, undone(meeting, due.step.about))


def _lines(session: Session, due: Due, meeting: Meeting) -> list[str]:
    points = _points(session, due, meeting)
    lines = [line_of(point) for point in points[:MOST_LINES]]
    if len(points) > MOST_LINES:
        with speaking("vi"):
            lines.append(_("… and {count} more").format(count=len(points) - MOST_LINES))
    return lines


def line_of(point: SilentPoint) -> str:
    """A silent point with whom to ring; without a telephone, that is said too."""
    with speaking("vi"):
        words = _("{unit}: {point}; {technician}, telephone {phone}")
        if not point.technician_phone:
            words = _("{unit}: {point}; no telephone is known")
        return words.format(
            unit=point.unit_name,
            point=point.point_name,
            technician=point.technician_name or _("technician"),
            phone=point.technician_phone,
        )
