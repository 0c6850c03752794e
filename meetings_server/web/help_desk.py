"""The queue of calls for help in a meeting, and one call: taken, handed on, solved."""

from datetime import date
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session, joinedload

from meetings_server.database import Database
from meetings_server.live.running import check_in
from meetings_server.reading import RowId, read_number
from meetings_server.web.during_words import DURING_WORDS
from meetings_server.web.pages import FormErrors, PageRequest, fragment, render, see_other, text_of
from rooms.attendance import CheckIn, Presence, Source
from rooms.help_calls import RUNNING, give_back, hand_over, reopen, solve, take
from rooms.help_lists import (
    CallLine,
    acts_of,
    call_of_point,
    help_times,
    helpers,
    one_call,
    over,
    queue,
    state_before,
)
from rooms.hierarchy import load_tree
from rooms.host_messages import may_announce
from rooms.kernel import Conflict, Invalid, civil_day, utcnow
from rooms.meetings import Meeting, visible_meeting
from rooms.policies import Permission, holds
from rooms.rollup import visible_scope

MOST_OVER = 100
AFTERWARDS = (
    Presence.PRESENT.value,
    Presence.READY.value,
    Presence.LEFT.value,
    Presence.LOST.value,
)
"""What may be true of a point that has been helped."""

Page = Response[str] | Response[None]


def during_shell(
    session: Session, request: PageRequest, meeting: Meeting, on: date
) -> dict[str, Any]:
    """What the head of every page of a running meeting shows."""
    actor = request.user.actor
    scope = visible_scope(session, actor, meeting, load_tree(session, meeting.day), on)
    return {
        "meeting": meeting,
        "scope": scope.roots[0].code if len(scope.roots) == 1 else "",
        "announces": may_announce(session, actor, meeting, on),
        "hosts": holds(session, actor, Permission.HELP_WRITE, meeting.host_unit_id, on),
        **DURING_WORDS,
    }


@get("/meetings/{meeting_id:int}/help", include_in_schema=False, sync_to_thread=True)
def help_page(request: PageRequest, db: Database, meeting_id: RowId) -> Response[str]:
    """Who waits for help, the longest first, and what is over."""
    today = civil_day(utcnow())
    actor = request.user.actor
    with db.reader() as session:
        meeting = visible_meeting(
            session, actor, meeting_id, today, [joinedload(Meeting.host_unit)]
        )
        shell = during_shell(session, request, meeting, today)
        return render(
            request,
            "during/help.html",
            lines=queue(session, actor, meeting.id, today),
            done=over(session, actor, meeting.id, today, MOST_OVER),
            times=help_times(session, meeting.id) if shell["hosts"] else None,
            **shell,
        )


@get("/meetings/{meeting_id:int}/help/queue", include_in_schema=False, sync_to_thread=True)
def help_queue(request: PageRequest, db: Database, meeting_id: RowId) -> Response[str]:
    """The lists alone, for the page to renew."""
    now = utcnow()
    today = civil_day(now)
    actor = request.user.actor
    with db.reader() as session:
        meeting = visible_meeting(session, actor, meeting_id, today)
        return fragment(
            "during/help_lists.html",
            meeting=meeting,
            lines=queue(session, actor, meeting.id, today),
            done=over(session, actor, meeting.id, today, MOST_OVER),
            user=request.user,
            now=now,
            **DURING_WORDS,
        )


def _call_view(
    request: PageRequest,
    session: Session,
    call_id: int,
    errors: FormErrors | None = None,
    values: dict[str, str] | None = None,
) -> Response[str]:
    today = civil_day(utcnow())
    line = one_call(session, request.user.actor, call_id, today)
    before = state_before(session, line.call, line.meeting)
    return render(
        request,
        "during/call.html",
        status=errors.status if errors else HTTP_200_OK,
        line=line,
        acts=acts_of(session, [call_id])[call_id],
        running=line.call.state in RUNNING,
        heirs=_heirs(session, line, today) if line.mine else [],
        before=before,
        afterwards=AFTERWARDS,
        errors=dict(errors.fields) if errors else {},
        values=values or {"state": before},
        **during_shell(session, request, line.meeting, today),
    )


def _heirs(session: Session, line: CallLine, on: date) -> list[tuple[str, str]]:
    """Whom it may be handed to, as the options of a choice."""
    return [
        (str(person_id), f"{name}, {office}" if office else name)
        for person_id, name, office in helpers(session, line, on)
        if person_id != line.call.taken_by
    ]


@get("/help/{call_id:int}", include_in_schema=False, sync_to_thread=True)
def call_page(request: PageRequest, db: Database, call_id: RowId) -> Response[str]:
    """One call with everything that happened to it."""
    with db.reader() as session:
        return _call_view(request, session, call_id)


@get("/help/{call_id:int}/facts", include_in_schema=False, sync_to_thread=True)
def call_facts(request: PageRequest, db: Database, call_id: RowId) -> Response[str]:
    """What happened so far, for the page to renew without touching what is being typed."""
    now = utcnow()
    with db.reader() as session:
        line = one_call(session, request.user.actor, call_id, civil_day(now))
        return fragment(
            "during/call_facts.html",
            line=line,
            acts=acts_of(session, [call_id])[call_id],
            now=now,
            **DURING_WORDS,
        )


@post("/help/{call_id:int}/take", include_in_schema=False, sync_to_thread=True)
def take_call(request: PageRequest, db: Database, call_id: RowId) -> Response[None]:
    now = utcnow()
    with db.transaction() as session:
        take(session, request.user.actor, call_id, now, civil_day(now))
    return see_other(f"/help/{call_id}", "help_taken")


@post("/help/{call_id:int}/give-back", include_in_schema=False, sync_to_thread=True)
def give_call_back(request: PageRequest, db: Database, call_id: RowId) -> Response[None]:
    now = utcnow()
    with db.transaction() as session:
        call = give_back(session, request.user.actor, call_id, now, civil_day(now))
        meeting_id = call.meeting_id
    return see_other(f"/meetings/{meeting_id}/help", "help_given_back")


@post("/help/{call_id:int}/hand-over", include_in_schema=False, sync_to_thread=True)
def hand_call_over(request: PageRequest, form: FormMultiDict, db: Database, call_id: RowId) -> Page:
    now = utcnow()
    person = read_number(text_of(form, "person")) or 0
    try:
        with db.transaction() as session:
            hand_over(session, request.user.actor, call_id, person, now, civil_day(now))
    except (Invalid, Conflict) as wrong:
        with db.reader() as session:
            return _call_view(request, session, call_id, FormErrors.of(wrong))
    return see_other(f"/help/{call_id}", "help_handed_over")


@post("/help/{call_id:int}/solve", include_in_schema=False, sync_to_thread=True)
def solve_call(request: PageRequest, form: FormMultiDict, db: Database, call_id: RowId) -> Page:
    """What was done, and what is true of the point now, unless that is left to the point itself."""
    now = utcnow()
    actor = request.user.actor
    values = {name: text_of(form, name) for name in ("remedy", "state")}
    try:
        with db.transaction() as session:
            call = solve(session, actor, call_id, values["remedy"], now, civil_day(now))
            where = call.meeting_id, call.point_id
        if values["state"] in AFTERWARDS:
            said = CheckIn(*where, values["state"], actor.person_id, Source.PAGE)
            check_in(request.app, actor, said)
    except (Invalid, Conflict) as wrong:
        with db.reader() as session:
            return _call_view(request, session, call_id, FormErrors.of(wrong), values)
    return see_other(f"/meetings/{where[0]}/help", "help_solved")


@post(
    "/check-in/{meeting_id:int}/{point_id:int}/help-again",
    include_in_schema=False,
    sync_to_thread=True,
)
def ask_again(
    request: PageRequest, db: Database, meeting_id: RowId, point_id: RowId
) -> Response[None]:
    """The point says that what was called solved does not work yet."""
    now = utcnow()
    with db.transaction() as session:
        found = call_of_point(session, meeting_id, point_id)
        if found is not None:
            reopen(session, request.user.actor, found[0].id, now, civil_day(now))
    return see_other(f"/check-in/{meeting_id}/{point_id}", "help_reopened")


def point_help(session: Session, meeting_id: int, point_id: int) -> dict[str, Any]:
    """What the check-in page says of the point's own call."""
    found = call_of_point(session, meeting_id, point_id)
    return {"call": found[0] if found else None, "helper": found[1] if found else ""}


HANDLERS = [
    ask_again,
    call_facts,
    call_page,
    give_call_back,
    hand_call_over,
    help_page,
    help_queue,
    solve_call,
    take_call,
]
