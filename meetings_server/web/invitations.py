"""The invitations of a unit: what still waits for an answer first, and the answer to one."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from meetings_server.database import Database
from meetings_server.reading import read_page
from meetings_server.web.meeting_typing import Refusal, refusal_of
from meetings_server.web.meeting_words import KINDS, word
from meetings_server.web.pages import PageRequest, render, see_other, text_of
from minutes.papers import papers_of
from rooms.bridge_points import BridgePoint
from rooms.earlier_replies import former_reply
from rooms.hierarchy import Unit
from rooms.kernel import LARGEST_ID, DomainError, FieldInvalid, civil_day, utcnow
from rooms.lineage import own_units
from rooms.meetings import AWAITED, Meeting, Participation, Reply
from rooms.people import Person
from rooms.policies import Actor, Permission, governed, holds
from rooms.replies import Answer, UnknownParticipation, readable, reply

PAGE_ROWS = 50
LAST_PAGE = 10_000


def standing() -> ColumnElement[bool]:
    """Invitations that have gone out and were not taken back; the host's own point is not asked."""
    return and_(
        Participation.invited_at.is_not(None),
        Participation.withdrawn_at.is_(None),
        Participation.is_main.is_(False),
    )


def waiting(now: datetime) -> ColumnElement[bool]:
    """Invitations without an answer to meetings that are still to come. Needs a join to `Meeting`."""
    return and_(
        Participation.reply == Reply.PENDING.value,
        Meeting.state.in_(AWAITED),
        Meeting.ends_at > now,
    )


@get("/invitations", include_in_schema=False, sync_to_thread=True)
def invitations_page(request: PageRequest, db: Database) -> Response[str]:
    """The invitations of one's own unit, or with `?below=1` of all units within one's right."""
    now = utcnow()
    today = civil_day(now)
    actor = request.user.actor
    below = request.query_params.get("below") == "1"
    page = read_page(request.query_params.get("page", ""), LAST_PAGE)
    wanted = and_(
        standing(),
        governed(actor, Permission.MEETING_READ, Participation.unit_id, today),
        *([] if below else [Participation.unit_id.in_(own_units(actor.unit_id, today))]),
    )
    with db.reader() as session:
        rows = session.execute(
            select(
                Participation.id,
                Participation.reply,
                Participation.is_substitute,
                Participation.delegate_name,
                Meeting.id,
                Meeting.title,
                Meeting.state,
                Meeting.starts_at,
                Meeting.ends_at,
                Unit.name,
                waiting(now).label("is_waiting"),
                func.count().over(),
            )
            .join(Meeting, Meeting.id == Participation.meeting_id)
            .join(Unit, Unit.id == Participation.unit_id)
            .where(wanted)
            .order_by(
                case((waiting(now), 0), (Meeting.ends_at > now, 1), else_=2),
                # What is to come in order of time, what has been with the latest first.
                case((Meeting.ends_at > now, Meeting.starts_at)),
                Meeting.starts_at.desc(),
                Participation.id,
            )
            .offset((page - 1) * PAGE_ROWS)
            .limit(PAGE_ROWS)
        ).all()
        total = rows[0][11] if rows else 0
        return render(
            request,
            "meetings/invitations.html",
            rows=[
                {
                    "id": row[0],
                    "reply": "substitute" if row[2] and row[1] == "accepted" else row[1],
                    "delegate": row[3],
                    "meeting_id": row[4],
                    "title": row[5],
                    "state": row[6],
                    "starts_at": row[7],
                    "ends_at": row[8],
                    "unit": row[9],
                    "is_waiting": row[10],
                }
                for row in rows
            ],
            total=total,
            page=page,
            has_more=page * PAGE_ROWS < total,
            below=below,
        )


def _invitation(
    session: Session, actor: Actor, participation_id: int, now: datetime
) -> Participation:
    found = None
    if 0 < participation_id <= LARGEST_ID:
        found = session.scalar(
            select(Participation)
            .where(
                Participation.id == participation_id,
                Participation.invited_at.is_not(None),
                readable(actor, Permission.MEETING_READ, civil_day(now)),
            )
            .options(
                joinedload(Participation.unit),
                joinedload(Participation.point),
                joinedload(Participation.meeting).options(
                    joinedload(Meeting.host_unit),
                    joinedload(Meeting.chair),
                    joinedload(Meeting.main_point).joinedload(BridgePoint.unit),
                    selectinload(Meeting.agenda),
                ),
            )
        )
    if found is None:
        raise UnknownParticipation(participation_id)
    return found


def _page(
    request: PageRequest,
    session: Session,
    participation_id: int,
    now: datetime,
    refusal: Refusal | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    actor = request.user.actor
    found = _invitation(session, actor, participation_id, now)
    may_reply = holds(session, actor, Permission.REPLY_WRITE, found.unit_id, civil_day(now))
    is_open = found.meeting.state in AWAITED and found.withdrawn_at is None
    replier = session.get(Person, found.replied_by) if found.replied_by else None
    before = former_reply(session, found.id) if found.reply == Reply.PENDING.value else None
    # Most units send the same delegate to the new time.
    named = before if before is not None and before.reply == Reply.ACCEPTED.value else found
    return render(
        request,
        "meetings/invitation.html",
        status=refusal.status if refusal else HTTP_200_OK,
        invitation=found,
        meeting=found.meeting,
        kind=word(KINDS, found.meeting.kind),
        papers=papers_of(session, found.meeting_id),
        replier=replier,
        replied_for=session.get(Person, found.replied_on_behalf_of_id)
        if found.replied_on_behalf_of_id
        else None,
        before=before,
        is_open=is_open,
        may_reply=may_reply,
        values=typed
        or {
            "reply": found.reply if found.reply != Reply.PENDING.value else "",
            "reason": found.reply_reason,
            "delegate_name": named.delegate_name,
            "delegate_title": named.delegate_title,
            "is_substitute": "true" if named.is_substitute else "",
        },
        errors=dict(refusal.errors) if refusal else {},
    )


@get("/invitations/{participation_id:int}", include_in_schema=False, sync_to_thread=True)
def invitation_page(request: PageRequest, db: Database, participation_id: int) -> Response[str]:
    with db.reader() as session:
        return _page(request, session, participation_id, utcnow())


@post(
    "/invitations/{participation_id:int}",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def answer_invitation(
    request: PageRequest, form: FormMultiDict, db: Database, participation_id: int
) -> Response[Any]:
    """The unit comes, with whom; or it does not, and why."""
    now = utcnow()
    names = ("reply", "reason", "delegate_name", "delegate_title", "is_substitute")
    typed = {name: text_of(form, name).strip() for name in names}
    try:
        answer = _answer(typed)
        with db.transaction() as session:
            _invitation(session, request.user.actor, participation_id, now)
            reply(session, request.user.actor, participation_id, answer, now)
    except UnknownParticipation:
        raise
    except DomainError as error:
        refusal = refusal_of(error)
        if error.code == "decline_reason_missing":
            refusal = Refusal({"reason": list(refusal.errors.get("", []))}, refusal.status, error)
        with db.reader() as session:
            return _page(request, session, participation_id, now, refusal, typed)
    return see_other(f"/invitations/{participation_id}", "replied")


def _answer(typed: dict[str, str]) -> Answer:
    if typed["reply"] not in {Reply.ACCEPTED.value, Reply.DECLINED.value}:
        raise FieldInvalid("reply", "missing")
    return Answer(
        reply=Reply(typed["reply"]),
        reason=typed["reason"],
        delegate_name=typed["delegate_name"],
        delegate_title=typed["delegate_title"],
        is_substitute=bool(typed["is_substitute"]),
    )


HANDLERS = [invitations_page, invitation_page, answer_invitation]
