"""The attendance report of one meeting, as a page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from meetings_server.database import Database
from meetings_server.errors import sentence
from meetings_server.i18n import _, mark
from meetings_server.mail.outbox import DeliveryState, OutboxDelivery, OutboxMessage
from meetings_server.reading import read_page
from meetings_server.web import charts
from meetings_server.web.meeting_words import word, words
from meetings_server.web.pages import PageRequest, render
from meetings_server.web.report_words import FILTER_WORDS, REPORT_WORDS
from rooms.help_lists import help_times
from rooms.hierarchy import load_tree
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.meeting_report import MeetingReport, meeting_report
from rooms.meetings import Meeting, visible_meeting
from rooms.policies import Actor
from rooms.punctuality import TOOK_PLACE, Outcome, PointAttendance
from rooms.quorum import Of, QuorumRule, Share, parse_rule
from rooms.rollup import visible_scope

POINT_ROWS = 100
LAST_PAGE = 1_000
QUORUMS: dict[str, str] = {
    Share.TWO_THIRDS: mark("two thirds of them"),
    Share.MORE_THAN_HALF: mark("more than half of them"),
    Share.THREE_QUARTERS: mark("three quarters of them"),
    Share.ALL: mark("all of them"),
}
COUNTED: dict[str, str] = {Of.UNITS: mark("Units"), Of.POINTS: mark("Bridge points")}
SENT = (DeliveryState.SENT.value, DeliveryState.KEPT.value)
REMINDERS: dict[str, str] = {
    "invitation": mark("Invitations"),
    "reminder_day": mark("Reminders a day before"),
    "reminder_hour": mark("Reminders an hour before"),
    "silent_point": mark("Silent points reminded"),
    "silent_children": mark("Units above told of silent points"),
    "missing": mark("Chair told who is missing"),
}

LINE_WORDS: dict[str, str] = {
    "present": mark("Present"),
    "late": mark("Late"),
    "lost": mark("Connection lost"),
    "needs_help": mark("Needs help"),
    "left": mark("Left"),
}
TESTS: dict[str, Any] = {
    "present": lambda point: point.came,
    "late": lambda point: point.outcome is Outcome.LATE,
    "absent": lambda point: not point.came,
    "unexcused": lambda point: point.outcome is Outcome.ABSENT,
    "declined": lambda point: point.outcome is Outcome.DECLINED,
    "substitute": lambda point: point.is_substitute,
    "missed": lambda point: bool(point.held and point.held.missed),
    "interrupted": lambda point: bool(point.held and point.held.interruptions),
}


def chosen(
    points: Sequence[PointAttendance], only: str, parent_id: int | None, tree: Any
) -> list[PointAttendance]:
    """The points of a filter, below one unit where it is named, those with the most lost time first."""
    test = TESTS.get(only)
    found = [point for point in points if test is None or test(point)]
    if parent_id is not None:
        found = [
            point
            for point in found
            if (node := tree.by_id.get(point.unit_id)) and node.parent_id == parent_id
        ]
    if only in {"missed", "interrupted"}:
        found.sort(key=lambda point: -point.held.missed if point.held else 0)
    return found


def read_report(
    session: Session,
    actor: Actor,
    meeting_id: int,
    rule: QuorumRule,
    now: datetime,
    code: str | None = None,
    *,
    curve: bool = True,
) -> MeetingReport:
    """What the person may see of it. Raises `UnknownMeeting`, `NotPermitted`, `NotHeld`."""
    today = civil_day(now)
    meeting = visible_meeting(
        session,
        actor,
        meeting_id,
        today,
        (joinedload(Meeting.host_unit), joinedload(Meeting.chair)),
    )
    tree = load_tree(session, meeting.day)
    scope = visible_scope(session, actor, meeting, tree, today, code)
    return meeting_report(session, meeting, tree, scope, rule, now, curve=curve)


def asked_rule(query: Any) -> tuple[QuorumRule, FieldInvalid | None]:
    """The rule of an address: a share or, where `number` is said, that number."""
    try:
        return parse_rule(
            query.get("number", "").strip() or query.get("quorum", ""), query.get("of", "")
        ), None
    except FieldInvalid as refusal:
        return QuorumRule(), refusal


@get("/reports/meetings/{meeting_id:int}", include_in_schema=False, sync_to_thread=True)
def meeting_report_page(request: PageRequest, db: Database, meeting_id: int) -> Response[str]:
    """The report; of a meeting that was not held, why there is none."""
    now = utcnow()
    actor = request.user.actor
    query = request.query_params
    with db.reader() as session:
        meeting = visible_meeting(session, actor, meeting_id, civil_day(now))
        if meeting.state not in TOOK_PLACE:
            return render(
                request, "reports/not_held.html", meeting=meeting, over=meeting.ends_at < now
            )
        rule, refusal = asked_rule(query)
        code = query.get("unit", "")[:40] or None
        report = read_report(session, actor, meeting_id, rule, now, code)
        tree = report.tree
        only = query.get("which", "") if query.get("which", "") in TESTS else ""
        below = tree.by_code.get(query.get("below", ""))
        points = chosen(report.points, only, below.id if below else None, tree)
        page = read_page(query.get("page", ""), LAST_PAGE)
        kept = {
            "unit": code or "",
            "quorum": query.get("quorum", "")[:40],
            "number": query.get("number", "")[:10],
            "of": query.get("of", "")[:10],
            "which": only,
            "below": below.code if below else "",
        }

        def address(**changed: Any) -> str:
            told = urlencode({name: value for name, value in (kept | changed).items() if value})
            return f"?{told}" if told else ""

        return render(
            request,
            "reports/meeting.html",
            report=report,
            meeting=meeting,
            total=report.total,
            rule=rule,
            kept=kept,
            errors={"number": [sentence(refusal)]} if refusal else {},
            quorums=words(QUORUMS),
            counted=words(COUNTED),
            chart=charts.curve(
                report.curve,
                charts.Marks(
                    report.window.start,
                    report.window.end,
                    report.quorum.needed if report.quorum and rule.of is Of.POINTS else None,
                ),
                meeting.timezone,
            ),
            points=points[POINT_ROWS * (page - 1) : POINT_ROWS * page],
            found=len(points),
            first=POINT_ROWS * (page - 1) + 1,
            page=page,
            filters=[("", _("All")), *words(FILTER_WORDS)],
            below=below,
            address=address,
            sent=_sent(session, meeting_id) if not code else [],
            help=help_times(session, meeting_id),
            state_of=lambda name: word(LINE_WORDS, name),
            parent_of=lambda point: _parent(report, point),
            **REPORT_WORDS,
        )


def _parent(report: MeetingReport, point: PointAttendance) -> str:
    node = report.tree.by_id.get(point.unit_id)
    above = report.tree.by_id.get(node.parent_id) if node and node.parent_id else None
    return above.name if above else ""


def _sent(session: Session, meeting_id: int) -> list[tuple[str, int]]:
    """How many of which mail about the meeting went out, in the order of `REMINDERS`."""
    rows = dict(
        session.execute(
            select(OutboxMessage.kind, func.count())
            .join(OutboxDelivery, OutboxDelivery.message_id == OutboxMessage.id)
            .where(OutboxMessage.meeting_id == meeting_id, OutboxDelivery.state.in_(SENT))
            .group_by(OutboxMessage.kind)
        ).all()
    )
    return [(_(text), rows[kind]) for kind, text in REMINDERS.items() if kind in rows]


HANDLERS = [meeting_report_page]
