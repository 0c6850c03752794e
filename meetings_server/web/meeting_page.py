"""One meeting: its head with the next action, who takes part, papers, history, and its acts."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from litestar import Response, get
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from meetings_server.database import Database
from meetings_server.settings import Settings
from meetings_server.web.meeting_typing import Refusal
from meetings_server.web.meeting_words import ACTIONS, FIELDS, KINDS, LEVELS, chips, word
from meetings_server.web.pages import PageRequest, render
from meetings_server.web.papers import papers_context
from rooms.audience import parse_rules
from rooms.bridge_points import BridgePoint
from rooms.earlier_replies import EarlierReply, latest_of
from rooms.folding import has_words
from rooms.go_decisions import standing_decision
from rooms.hierarchy import Unit, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.lineage import own_units
from rooms.meetings import (
    AWAITED,
    OPEN_FOR_CHANGE,
    Meeting,
    MeetingChange,
    Participation,
    Reply,
    invited,
    visible_meeting,
)
from rooms.outage_reach import Missing, missing_points
from rooms.policies import Actor, Permission, holds
from rooms.replies import readable
from rooms.technicians import PHONE_TO_CALL
from rooms.workdays import latest_invitation_day

TABS = ("participants", "papers", "history")
PAGE_ROWS = 100
LAST_PAGE = 1_000
LONGEST_TEXT = 100
JOINED = (
    joinedload(Meeting.host_unit),
    joinedload(Meeting.main_point).joinedload(BridgePoint.unit),
    joinedload(Meeting.chair),
    selectinload(Meeting.agenda),
)
REPLIES = ("pending", "accepted", "declined", "substitute")


@dataclass
class Answers:
    """How many of the invited points have answered what; the main point is not asked."""

    invited: int = 0
    accepted: int = 0
    declined: int = 0
    pending: int = 0
    substitutes: int = 0


@dataclass
class Participants:
    rows: list[Any] = field(default_factory=list)
    total: int = 0
    page: int = 1
    has_more: bool = False
    levels: list[tuple[str, str]] = field(default_factory=list)
    chosen: dict[str, str] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    """Invited points that cannot be used then, for those who look after the meeting."""


def meeting_view(
    request: PageRequest,
    session: Session,
    meeting_id: int,
    now: datetime,
    settings: Settings,
    act: str = "",
    refusal: Refusal | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    """The page; after a refused act with what was wrong in its dialog."""
    today = civil_day(now)
    actor = request.user.actor
    meeting = visible_meeting(session, actor, meeting_id, today, JOINED)
    may_change = holds(session, actor, Permission.MEETING_WRITE, meeting.host_unit_id, today)
    sees_all = (
        may_change
        or meeting.chair_id == actor.principal_id
        or holds(session, actor, Permission.MEETING_READ, meeting.host_unit_id, today)
    )
    asked = request.query_params.get("tab", "")
    tab = asked if asked in TABS else TABS[0]
    context: dict[str, Any] = {"people": None, "changes": [], "rules": []}
    answers = _answers(session, meeting.id)
    if tab == "participants":
        tree = load_tree(session, meeting.day)
        context["rules"] = chips(tree, parse_rules(meeting.audience))
        context["people"] = _participants(session, request, meeting, sees_all, today, tree.levels)
    elif tab == "papers":
        context |= papers_context(session, meeting, actor, settings)
    else:
        context["changes"] = _history(session, meeting.id) if sees_all else []
    return render(
        request,
        "meetings/show.html",
        status=refusal.status if refusal else HTTP_200_OK,
        meeting=meeting,
        kind=word(KINDS, meeting.kind),
        tab=tab,
        answers=answers,
        may_change=may_change,
        sees_all=sees_all,
        can_edit=may_change and meeting.state in {state.value for state in OPEN_FOR_CHANGE},
        mine=_own_invitation(session, actor, meeting.id, today),
        latest_day=latest_invitation_day(meeting.day),
        is_late=today > latest_invitation_day(meeting.day),
        is_near=now >= meeting.held_from - timedelta(hours=12),
        decision=standing_decision(session, meeting) if meeting.state in AWAITED else None,
        act=act,
        act_errors=dict(refusal.errors) if refusal else {},
        act_values=typed or {},
        **context,
    )


def _answers(session: Session, meeting_id: int) -> Answers:
    answers = Answers()
    for reply, is_substitute, count in session.execute(
        select(Participation.reply, Participation.is_substitute, func.count())
        .where(invited(meeting_id), Participation.is_main.is_(False))
        .group_by(Participation.reply, Participation.is_substitute)
    ):
        answers.invited += count
        setattr(answers, reply, getattr(answers, reply) + count)
        if is_substitute:
            answers.substitutes += count
    return answers


def _participants(
    session: Session,
    request: PageRequest,
    meeting: Meeting,
    sees_all: bool,
    today: date,
    levels: list[str],
) -> Participants:
    """The invited points that the actor may see: those of own units, or all of an own meeting."""
    asked = {key: value[:LONGEST_TEXT] for key, value in request.query_params.items()}
    chosen = {
        "level": asked["level"] if asked.get("level") in levels else "",
        "reply": asked["reply"] if asked.get("reply") in REPLIES else "",
        "q": asked.get("q", "").strip(),
    }
    wanted = [invited(meeting.id)]
    if not sees_all:
        wanted.append(readable(request.user.actor, Permission.MEETING_READ, today))
    if chosen["level"]:
        wanted.append(Unit.level == chosen["level"])
    if chosen["reply"]:
        wanted.append(_replied(chosen["reply"]))
    wanted += has_words(Unit.folded.expression, chosen["q"])
    number = asked.get("page", "")
    page = min(int(number), LAST_PAGE) if number.isascii() and number.isdecimal() else 1
    page = max(page, 1)
    rows = session.execute(
        select(
            Participation,
            Unit.name,
            Unit.level,
            BridgePoint,
            EarlierReply,
            func.count().over(),
            PHONE_TO_CALL,
        )
        .join(Unit, Unit.id == Participation.unit_id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .outerjoin(
            EarlierReply,
            and_(EarlierReply.participation_id == Participation.id, latest_of(meeting.id)),
        )
        .where(*wanted)
        .order_by(Participation.is_main.desc(), Unit.position, Participation.point_id)
        .offset((page - 1) * PAGE_ROWS)
        .limit(PAGE_ROWS)
    ).all()
    total = rows[0][5] if rows else 0
    return Participants(
        rows=[
            {
                "row": row,
                "unit": unit,
                "level": word(LEVELS, level),
                "point": point,
                "before": before,
                "phone": phone,
            }
            for row, unit, level, point, before, _total, phone in rows
        ],
        total=total,
        page=page,
        has_more=page * PAGE_ROWS < total,
        levels=[(level, word(LEVELS, level)) for level in levels],
        chosen=chosen,
        missing=missing_points(session, meeting) if sees_all else [],
    )


def _replied(reply: str) -> ColumnElement[bool]:
    if reply == "substitute":
        return Participation.is_substitute.is_(True)
    if reply == Reply.PENDING.value:
        return and_(Participation.reply == reply, Participation.is_main.is_(False))
    return Participation.reply == reply


def _own_invitation(
    session: Session, actor: Actor, meeting_id: int, today: date
) -> Participation | None:
    return session.scalars(
        select(Participation)
        .where(
            invited(meeting_id),
            Participation.unit_id.in_(own_units(actor.unit_id, today)),
            Participation.is_main.is_(False),
            Participation.invited_at.is_not(None),
        )
        .order_by(Participation.id)
        .limit(1)
    ).first()


def _history(session: Session, meeting_id: int) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(MeetingChange)
        .where(MeetingChange.meeting_id == meeting_id)
        .order_by(MeetingChange.at.desc(), MeetingChange.id.desc())
        .limit(500)
        .options(joinedload(MeetingChange.actor), joinedload(MeetingChange.on_behalf_of))
    )
    return [
        {
            "at": row.at,
            "who": row.actor.name,
            "on_behalf_of": row.on_behalf_of.name if row.on_behalf_of else None,
            "action": word(ACTIONS, row.action),
            "reason": row.reason,
            "fields": [word(FIELDS, name) for name in row.detail.get("fields", [])],
            "added": row.detail.get("added", 0),
            "removed": row.detail.get("removed", 0),
            "asked_again": row.detail.get("asked_again", 0),
            "reorganised": row.detail if "points_before" in row.detail else None,
            "before": _before(row.detail.get("before", {})),
            "paper": row.detail.get("title", ""),
        }
        for row in rows
    ]


def _before(detail: dict[str, str]) -> datetime | None:
    text = detail.get("starts_at")
    return datetime.fromisoformat(text) if text else None


@get("/meetings/{meeting_id:int}", include_in_schema=False, sync_to_thread=True)
def meeting_page(
    request: PageRequest, db: Database, settings: Settings, meeting_id: int
) -> Response[str]:
    with db.reader() as session:
        return meeting_view(request, session, meeting_id, utcnow(), settings)


HANDLERS = [meeting_page]
