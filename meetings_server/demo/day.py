"""The meetings of the demonstration that have a day of their own: one that runs now, one that is over."""

import random
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.demo.answers import answer_invitations
from meetings_server.demo.line_tests import seed_line_tests
from meetings_server.escalation.rules import DEFAULTS
from meetings_server.escalation.steps import Due, carry_out
from meetings_server.mail.invitations import loaded_meeting
from meetings_server.push.telling import By
from meetings_server.sweeps.marks import mark_all
from meetings_server.sweeps.meeting_reminders import OCCASIONS
from rooms.attendance import CheckIn, Source
from rooms.audience import Rule
from rooms.booking import BookingConflict
from rooms.bridge_points import points_of
from rooms.check_ins import record_check_ins
from rooms.hierarchy import load_tree
from rooms.kernel import CIVIL_ZONE, civil_day
from rooms.meetings import AWAITED, Meeting, MeetingKind, Participation, Reply, standing_invitation
from rooms.people import Person
from rooms.policies import Actor
from rooms.scheduling import AgendaEntry, MeetingRequest, book, end, schedule, start

MOVING = "Hội nghị trực tuyến toàn Thành phố về chuyển đổi số và cải cách hành chính"
NOTICE = timedelta(days=10)
ALL_LEVELS = [
    Rule(include=True, by="level", level=name) for name in ("department", "district", "ward")
]
ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Host:
    """Who makes the city's meetings in the demonstration, and where their chair sits."""

    actor: Actor
    unit_id: int
    point_id: int
    chair_id: int

    def request(
        self,
        title: str,
        kind: MeetingKind,
        starts_at: datetime,
        hours: float,
        rules: list[Rule],
        *items: str,
    ) -> MeetingRequest:
        return MeetingRequest(
            title=title,
            kind=kind,
            host_unit_id=self.unit_id,
            main_point_id=self.point_id,
            chair_id=self.chair_id,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=hours),
            audience=rules,
            agenda=[AgendaEntry(item) for item in items],
            requirements="Các điểm cầu kiểm tra đường truyền trước giờ họp 30 phút.",
            join_url="https://hop.hanoi.example/phong/1000",
            join_address="sip:1000@hop.hanoi.example",
            join_pin="246810",
        )


def host_of(session: Session, now: datetime) -> Host:
    """The city's secretary, its main point and its chair, among the accounts of the demonstration."""
    city = load_tree(session, civil_day(now)).roots[0]
    people = {
        person.username: person
        for person in session.scalars(
            select(Person).where(Person.username.in_(["thuky", "lanhdao"]))
        )
    }
    secretary = people["thuky"]
    return Host(
        Actor(secretary.id, secretary.name, secretary.unit_id),
        city.id,
        points_of(session, city.id)[0].id,
        people["lanhdao"].id,
    )


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """An instant by the clock of the office."""
    return datetime.combine(day, time(hour, minute), CIVIL_ZONE)


def meeting_of_the_day(database: Database, now: datetime) -> int | None:
    """The meeting that runs by itself: the one under way or about to begin, or a new one.

    A data folder may be used again on a later day. None where the calendar is full around now.
    """
    with database.reader() as session:
        found = session.scalar(
            select(Meeting.id)
            .where(
                Meeting.title == MOVING,
                Meeting.state.in_(AWAITED),
                Meeting.starts_at > now - timedelta(minutes=15),
                Meeting.starts_at < now + timedelta(hours=1),
            )
            .order_by(Meeting.starts_at.desc())
            .limit(1)
        )
        if found is not None:
            return found
        host = host_of(session, now)
    begins = _next_five(now + timedelta(minutes=4))
    for attempt in range(ATTEMPTS):
        request = host.request(
            MOVING,
            MeetingKind.CONFERENCE,
            begins + timedelta(minutes=5 * attempt),
            1,
            ALL_LEVELS,
            "Khai mạc, giới thiệu đại biểu",
            "Báo cáo kết quả chuyển đổi số 9 tháng",
            "Thảo luận tại các điểm cầu",
            "Kết luận của chủ trì",
        )
        try:
            meeting_id = book_and_invite(database, host.actor, request, now - NOTICE, now)
        except BookingConflict:
            continue
        _spare_the_mailboxes(database, meeting_id, request.starts_at, now)
        with database.transaction() as session:
            seed_line_tests(session, meeting_id, host.actor.person_id, now, 0.86)
        return meeting_id
    return None


def _spare_the_mailboxes(
    database: Database, meeting_id: int, starts_at: datetime, now: datetime
) -> None:
    """It begins in minutes: hundreds of reminders that were due before count as sent.

    In the page the people of the points are reminded.
    """
    first = replace(DEFAULTS[0], channels=frozenset({By.PAGE}))
    due = Due(first, meeting_id, starts_at, 0)
    hour = [
        each.key(meeting_id, starts_at, 0) for each in OCCASIONS if each.kind == "reminder_hour"
    ]
    with database.transaction() as session:
        mark_all(session, [*hour, due.key], now)
        carry_out(session, due, loaded_meeting(session, meeting_id), now)


def _next_five(instant: datetime) -> datetime:
    whole = instant.replace(second=0, microsecond=0)
    return whole + timedelta(minutes=-whole.minute % 5)


def book_and_invite(
    database: Database, actor: Actor, request: MeetingRequest, invited_at: datetime, now: datetime
) -> int:
    """Make a meeting, invite, and let most units answer by now. Raises `BookingConflict`."""
    with database.transaction() as session:
        booked = book(session, actor, request, invited_at)
        schedule(session, actor, booked.meeting.id, invited_at, late_reason="Theo chỉ đạo")
        until = min(now, request.starts_at)
        answer_invitations(session, booked.meeting.id, actor.person_id, invited_at, until)
        return booked.meeting.id


def hold_yesterday(database: Database, host: Host, now: datetime) -> int:
    """A meeting that is over, with its attendance: minutes can be written for it at once."""
    day = civil_day(now) - timedelta(days=1)
    while day.weekday() >= 5:  # noqa: PLR2004 -- Saturday
        day -= timedelta(days=1)
    begins = at(day, 14)
    request = host.request(
        "Họp trực tuyến triển khai nhiệm vụ phát triển kinh tế – xã hội quý IV",
        MeetingKind.THEMATIC,
        begins,
        1.5,
        [*ALL_LEVELS[:2], Rule(include=True, by="subtree", unit="006")],
        "Báo cáo tình hình thực hiện nhiệm vụ quý III",
        "Thảo luận nhiệm vụ quý IV",
        "Kết luận của chủ trì",
    )
    return hold(database, host, request, now)


def hold(database: Database, host: Host, request: MeetingRequest, now: datetime) -> int:
    """Let a meeting of the past take place, from the invitation to its end."""
    begins = request.starts_at
    meeting_id = book_and_invite(database, host.actor, request, begins - NOTICE, now)
    reports = _reports(database, meeting_id, host.actor.person_id)
    for minutes in (-12, -3):
        with database.connection() as connection:
            moment = begins + timedelta(minutes=minutes)
            record_check_ins(connection, _observed(reports.pop(0), moment), moment)
    with database.transaction() as session:
        start(session, host.actor, meeting_id, begins + timedelta(minutes=1))
    with database.connection() as connection:
        # The opening is in the log as of now: what was seen before it says when.
        moment = begins + timedelta(minutes=6)
        record_check_ins(connection, _observed(reports.pop(0), moment), moment)
    with database.transaction() as session:
        end(session, host.actor, meeting_id, begins + timedelta(minutes=84))
    return meeting_id


def _observed(reports: list[CheckIn], at: datetime) -> list[CheckIn]:
    return [replace(report, observed_at=at) for report in reports]


def _reports(database: Database, meeting_id: int, person_id: int) -> list[list[CheckIn]]:
    """Ready ones, then the present, then the late and one whose line was lost. A few never come."""
    with database.reader() as session:
        points = session.execute(
            select(Participation.point_id, Participation.is_main)
            .where(
                Participation.meeting_id == meeting_id,
                standing_invitation(),
                Participation.reply != Reply.DECLINED.value,
            )
            .order_by(Participation.point_id)
        ).all()
    chance = random.Random(meeting_id)  # noqa: S311 -- a play, not a secret
    ready: list[CheckIn] = []
    present: list[CheckIn] = []
    late: list[CheckIn] = []
    for point_id, is_main in points:
        # Where the chair sits, somebody is there.
        lot = 0.0 if is_main else chance.random()
        there = CheckIn(
            meeting_id, point_id, "present", person_id, Source.API, chance.randint(4, 24)
        )
        if lot < 0.3:  # noqa: PLR2004 -- shares of a play
            ready.append(CheckIn(meeting_id, point_id, "ready", person_id, Source.API))
        if lot < 0.88:  # noqa: PLR2004
            present.append(there)
        elif lot < 0.95:  # noqa: PLR2004
            late.append(there)
    late.append(
        CheckIn(meeting_id, points[-1].point_id, "lost", person_id, Source.API, note="Mất mạng")
    )
    return [ready, present, late]
