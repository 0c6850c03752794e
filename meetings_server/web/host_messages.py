"""Messages of the host: written, followed, corrected; and what a point sees of them on its page."""

from typing import Any
from uuid import uuid4

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import clock
from meetings_server.live.running import receipt_soon
from meetings_server.reading import RowId, read_number
from meetings_server.web.during_words import DURING_WORDS
from meetings_server.web.help_desk import during_shell, point_help
from meetings_server.web.meeting_words import LEVELS, word
from meetings_server.web.pages import FormErrors, PageRequest, fragment, render, see_other, text_of
from rooms.attendance import require_check_in
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Tree, Unit, load_tree
from rooms.host_messages import (
    LONGEST_MESSAGE,
    HostMessage,
    NewMessage,
    correct,
    meeting_to_address,
    send,
    withdraw,
)
from rooms.kernel import Conflict, Invalid, NotFound, civil_day, utcnow
from rooms.meetings import AWAITED, Meeting, Participation, standing_invitation
from rooms.message_receipts import Receipts, messages_of_point, one_sent, receipts_of, sent

PAGE_ROWS = 200
MOST_AT_ONCE = 100
"""Receipts of one request."""

Page = Response[str] | Response[None]


def _levels_and_units(session: Session, meeting: Meeting) -> tuple[list[Any], list[Any]]:
    """Whom a message may be for: levels that are invited, and units with invited ones below them."""
    tree: Tree = load_tree(session, meeting.day)
    rows = session.execute(
        select(Participation.unit_id)
        .where(Participation.meeting_id == meeting.id, standing_invitation())
        .distinct()
    )
    invited = {row[0] for row in rows} & tree.by_id.keys()
    levels = [
        (level, word(LEVELS, level))
        for level in tree.levels
        if any(tree.by_id[unit_id].level == level for unit_id in invited)
    ]
    above = {
        node.id
        for unit_id in invited
        for node in tree.ancestry(unit_id)
        if tree.children.get(node.id)
    }
    units = [(node.code, node.name) for node in tree.by_id.values() if node.id in above]
    return levels, units


def _messages_view(
    request: PageRequest,
    session: Session,
    meeting_id: int,
    values: dict[str, str],
    errors: FormErrors | None = None,
) -> Response[str]:
    today = civil_day(utcnow())
    meeting = meeting_to_address(session, request.user.actor, meeting_id, today)
    levels, units = _levels_and_units(session, meeting)
    point = _point(session, meeting.id, read_number(values.get("point", "")))
    return render(
        request,
        "during/messages.html",
        status=errors.status if errors else HTTP_200_OK,
        lines=sent(session, meeting.id),
        levels=levels,
        units=units,
        point=point,
        can_send=meeting.state in AWAITED,
        longest=LONGEST_MESSAGE,
        values=values | {"request_key": values.get("request_key") or uuid4().hex},
        errors=dict(errors.fields) if errors else {},
        **during_shell(session, request, meeting, today),
    )


def _point(session: Session, meeting_id: int, point_id: int | None) -> Any:
    if point_id is None:
        return None
    return session.execute(
        select(BridgePoint.id, BridgePoint.name, Unit.name.label("unit"))
        .join(Participation, Participation.point_id == BridgePoint.id)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(Participation.meeting_id == meeting_id, BridgePoint.id == point_id)
    ).first()


@get("/meetings/{meeting_id:int}/messages", include_in_schema=False, sync_to_thread=True)
def messages_page(request: PageRequest, db: Database, meeting_id: RowId) -> Response[str]:
    """What the host has told the points, with receipts; `?point=` writes to that one."""
    point = request.query_params.get("point", "")
    values = {"aim": "point" if point else "all", "point": point, "to_confirm": "true"}
    with db.reader() as session:
        return _messages_view(request, session, meeting_id, values)


@get("/meetings/{meeting_id:int}/messages/sent", include_in_schema=False, sync_to_thread=True)
def sent_messages(request: PageRequest, db: Database, meeting_id: RowId) -> Response[str]:
    """The list alone, for the page to renew."""
    now = utcnow()
    with db.reader() as session:
        meeting = meeting_to_address(session, request.user.actor, meeting_id, civil_day(now))
        return fragment(
            "during/sent.html", meeting=meeting, lines=sent(session, meeting.id), **DURING_WORDS
        )


@post("/meetings/{meeting_id:int}/messages", include_in_schema=False, sync_to_thread=True)
def send_message(
    request: PageRequest, form: FormMultiDict, db: Database, meeting_id: RowId
) -> Page:
    now = utcnow()
    names = ("text", "aim", "level", "unit", "point", "to_confirm", "request_key")
    values = {name: text_of(form, name) for name in names}
    new = NewMessage(
        values["text"],
        values["aim"],
        values["level"],
        values["unit"],
        read_number(values["point"]),
        to_confirm=bool(values["to_confirm"]),
    )
    try:
        with db.transaction() as session:
            send(
                session,
                request.user.actor,
                meeting_id,
                new,
                now,
                civil_day(now),
                request_key=values["request_key"],
            )
    except (Invalid, Conflict, NotFound) as wrong:
        with db.reader() as session:
            errors = FormErrors.of(wrong, {"unknown_unit": "unit", "unknown_point": "point"})
            return _messages_view(request, session, meeting_id, values, errors)
    return see_other(f"/meetings/{meeting_id}/messages", "message_sent")


def _message_view(
    request: PageRequest,
    session: Session,
    meeting_id: int,
    message_id: int,
    values: dict[str, str],
    errors: FormErrors | None = None,
) -> Response[str]:
    today = civil_day(utcnow())
    meeting = meeting_to_address(session, request.user.actor, meeting_id, today)
    line = one_sent(session, meeting.id, message_id)
    everybody = request.query_params.get("show", "") == "all"
    after = read_number(request.query_params.get("after", "")) or 0
    rows = receipts_of(
        session, meeting, line.message, missing=not everybody, after=after, most=PAGE_ROWS + 1
    )
    return render(
        request,
        "during/message.html",
        status=errors.status if errors else HTTP_200_OK,
        line=line,
        rows=rows[:PAGE_ROWS],
        next_after=rows[PAGE_ROWS - 1].point_id if len(rows) > PAGE_ROWS else None,
        everybody=everybody,
        can_send=meeting.state in AWAITED,
        longest=LONGEST_MESSAGE,
        values=values | {"request_key": values.get("request_key") or uuid4().hex},
        errors=dict(errors.fields) if errors else {},
        **during_shell(session, request, meeting, today),
    )


@get(
    "/meetings/{meeting_id:int}/messages/{message_id:int}",
    include_in_schema=False,
    sync_to_thread=True,
)
def message_page(
    request: PageRequest, db: Database, meeting_id: RowId, message_id: RowId
) -> Response[str]:
    """One message: which points have not seen or confirmed it yet, and whom to ring there."""
    with db.reader() as session:
        message = session.get(HostMessage, message_id)
        values = {"text": message.text if message is not None else ""}
        return _message_view(request, session, meeting_id, message_id, values)


@post(
    "/meetings/{meeting_id:int}/messages/{message_id:int}/correct",
    include_in_schema=False,
    sync_to_thread=True,
)
def correct_message(
    request: PageRequest, form: FormMultiDict, db: Database, meeting_id: RowId, message_id: RowId
) -> Page:
    now = utcnow()
    values = {name: text_of(form, name) for name in ("text", "request_key")}
    try:
        with db.transaction() as session:
            correct(
                session,
                request.user.actor,
                message_id,
                values["text"],
                now,
                civil_day(now),
                request_key=values["request_key"],
            )
    except (Invalid, Conflict) as wrong:
        with db.reader() as session:
            return _message_view(
                request, session, meeting_id, message_id, values, FormErrors.of(wrong)
            )
    return see_other(f"/meetings/{meeting_id}/messages", "message_corrected")


@post(
    "/meetings/{meeting_id:int}/messages/{message_id:int}/withdraw",
    include_in_schema=False,
    sync_to_thread=True,
)
def withdraw_message(
    request: PageRequest, form: FormMultiDict, db: Database, meeting_id: RowId, message_id: RowId
) -> Page:
    now = utcnow()
    reason = text_of(form, "reason")
    try:
        with db.transaction() as session:
            withdraw(session, request.user.actor, message_id, reason, now, civil_day(now))
    except (Invalid, Conflict) as wrong:
        with db.reader() as session:
            return _message_view(
                request, session, meeting_id, message_id, {"reason": reason}, FormErrors.of(wrong)
            )
    return see_other(f"/meetings/{meeting_id}/messages", "message_withdrawn")


def point_notices(session: Session, meeting_id: int, point_id: int) -> dict[str, Any]:
    """What the check-in page shows above its buttons: messages of the host, the point's own call."""
    return {
        "received": messages_of_point(session, meeting_id, point_id),
        "notices_of": (meeting_id, point_id),
        **point_help(session, meeting_id, point_id),
        **DURING_WORDS,
    }


@get(
    "/check-in/{meeting_id:int}/{point_id:int}/notices",
    include_in_schema=False,
    sync_to_thread=True,
)
def read_notices(
    request: PageRequest, db: Database, meeting_id: RowId, point_id: RowId
) -> Response[str]:
    """The part of the check-in page, for it to renew."""
    with db.reader() as session:
        require_check_in(session, request.user.actor, meeting_id, point_id, civil_day(utcnow()))
        return fragment("during/point_notices.html", **point_notices(session, meeting_id, point_id))


@post(
    "/check-in/{meeting_id:int}/{point_id:int}/receipts",
    include_in_schema=False,
    status_code=HTTP_200_OK,
)
async def give_receipts(
    request: PageRequest, form: FormMultiDict, meeting_id: RowId, point_id: RowId
) -> Response[Any]:
    """Receipts: `shown` and `acknowledged` name messages. The way without a line, as without scripts."""
    actor = request.user.actor
    confirmed = _ids(form, "acknowledged")
    told = confirmed | _ids(form, "shown")
    given = Receipts(meeting_id, point_id, actor.person_id, told, confirmed)
    kept = await receipt_soon(request.app, actor, given)
    if "x-enhanced" not in request.headers:
        return see_other(f"/check-in/{meeting_id}/{point_id}", "message_confirmed")
    return Response({"messages": kept, "at": clock(utcnow())})


def _ids(form: FormMultiDict, name: str) -> frozenset[int]:
    numbers = (read_number(value) for value in form.getall(name, []) if isinstance(value, str))
    return frozenset(number for number in list(numbers)[:MOST_AT_ONCE] if number)


HANDLERS = [
    correct_message,
    give_receipts,
    message_page,
    messages_page,
    read_notices,
    send_message,
    sent_messages,
    withdraw_message,
]
