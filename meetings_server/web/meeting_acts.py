"""The acts on a meeting that has been made: send, open, close, postpone, cancel, move.

Each answers the page it was asked from: with the next state, or with what is wrong in its dialog.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.exceptions import NotFoundException
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.reading import read_clock, read_day, read_number
from meetings_server.settings import Settings
from meetings_server.web.meeting_form import LOADED
from meetings_server.web.meeting_page import meeting_view
from meetings_server.web.meeting_preview import (
    button_words,
    notice_words,
    preview,
    with_conflict,
)
from meetings_server.web.meeting_typing import Refusal, Typed, read_last_day, refusal_of
from meetings_server.web.pages import PageRequest, fragment, see_other, text_of
from rooms.audience import parse_rules
from rooms.kernel import CIVIL_ZONE, DomainError, FieldInvalid, civil_day, utcnow
from rooms.meetings import OPEN_FOR_CHANGE, MeetingState, WrongState, visible_meeting
from rooms.policies import Actor, Permission, require
from rooms.scheduling import cancel, change, end, postpone, request_of, schedule, start

ACTS = {
    "schedule": "meeting_scheduled",
    "cancel": "meeting_cancelled",
    "postpone": "meeting_postponed",
    "start": "meeting_started",
    "end": "meeting_ended",
}
"""The acts and what is said when they are done."""


def _do(
    session: Session,
    actor: Actor,
    meeting_id: int,
    act: str,
    typed: dict[str, str],
    now: datetime,
) -> None:
    if act == "schedule":
        schedule(session, actor, meeting_id, now, late_reason=typed["late_reason"])
    elif act == "cancel":
        cancel(session, actor, meeting_id, typed["reason"], now)
    elif act == "postpone":
        postpone(session, actor, meeting_id, typed["reason"], now)
    elif act == "start":
        start(session, actor, meeting_id, now)
    else:
        end(session, actor, meeting_id, now)


@post(
    "/meetings/{meeting_id:int}/acts/{act:str}",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def act_on_meeting(
    request: PageRequest,
    form: FormMultiDict,
    db: Database,
    settings: Settings,
    meeting_id: int,
    act: str,
) -> Response[Any]:
    """One of `ACTS`."""
    if act not in ACTS:
        raise NotFoundException
    now = utcnow()
    typed = {name: text_of(form, name) for name in ("reason", "late_reason")}
    try:
        with db.transaction() as session:
            _do(session, request.user.actor, meeting_id, act, typed, now)
    except DomainError as error:
        with db.reader() as session:
            return meeting_view(
                request, session, meeting_id, now, settings, act, refusal_of(error), typed
            )
    return see_other(f"/meetings/{meeting_id}", ACTS[act])


@get("/meetings/{meeting_id:int}/move", include_in_schema=False, sync_to_thread=True)
def move_dialog(request: PageRequest, db: Database, meeting_id: int) -> Response[str]:
    """What moving a meeting to `?date=&start=&end_date=&end=` would do: clashes, then the reason."""
    now = utcnow()
    names = ("date", "start", "end_date", "end")
    asked = {name: request.query_params.get(name, "") for name in names}
    with db.reader() as session:
        return _move_form(session, request.user.actor, meeting_id, asked, now)


@post(
    "/meetings/{meeting_id:int}/move",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def move_meeting(
    request: PageRequest, form: FormMultiDict, db: Database, meeting_id: int
) -> Response[Any]:
    """Move a meeting from the calendar: the same change as in its form, of the hours alone."""
    now = utcnow()
    actor = request.user.actor
    names = ("date", "start", "end_date", "end", "reason", "late_reason", "version")
    asked = {name: text_of(form, name).strip() for name in names}
    try:
        starts_at, ends_at = _interval(asked)
        version = read_number(asked["version"])
        if version is None:
            raise FieldInvalid("version", "missing")
        with db.transaction() as session:
            meeting = visible_meeting(session, actor, meeting_id, civil_day(now))
            wanted = replace(
                request_of(session, meeting, parse_rules(meeting.audience)),
                starts_at=starts_at,
                ends_at=ends_at,
            )
            change(
                session,
                actor,
                meeting_id,
                wanted,
                now,
                reason=asked["reason"],
                late_reason=asked["late_reason"],
                version=version,
            )
    except DomainError as error:
        with db.reader() as session:
            return _move_form(session, actor, meeting_id, asked, now, refusal_of(error))
    return see_other(f"/meetings/{meeting_id}", "meeting_changed")


def _interval(asked: dict[str, str]) -> tuple[datetime, datetime]:
    day, begin, finish = read_day(asked["date"]), *map(read_clock, (asked["start"], asked["end"]))
    if day is None:
        raise FieldInvalid("date", "not_a_date")
    if begin is None or finish is None:
        raise FieldInvalid("start" if begin is None else "end", "not_a_time")
    last = read_last_day(asked)
    if not last:
        raise FieldInvalid("end_date", "not_a_date")
    return datetime.combine(day, begin, CIVIL_ZONE), datetime.combine(last, finish, CIVIL_ZONE)


def _move_form(
    session: Session,
    actor: Actor,
    meeting_id: int,
    asked: dict[str, str],
    now: datetime,
    refusal: Refusal | None = None,
) -> Response[str]:
    today = civil_day(now)
    meeting = visible_meeting(session, actor, meeting_id, today, LOADED)
    require(session, actor, Permission.MEETING_WRITE, meeting.host_unit_id, today)
    if meeting.state not in {state.value for state in OPEN_FOR_CHANGE}:
        raise WrongState(meeting.state, "change")
    try:
        starts_at, ends_at = _interval(asked)
    except FieldInvalid:
        if refusal is None:
            raise
        starts_at, ends_at = meeting.starts_at, meeting.ends_at
    typed = Typed(
        asked,
        main_point=meeting.main_point_id,
        starts_at=starts_at,
        ends_at=ends_at,
        setup_minutes=meeting.setup_minutes,
        clearing_minutes=meeting.clearing_minutes,
        rules=parse_rules(meeting.audience),
    )
    seen = with_conflict(preview(session, actor, typed, now, meeting), refusal)
    is_draft = meeting.state == MeetingState.DRAFT.value
    answer = fragment(
        "meetings/move.html",
        meeting=meeting,
        starts_at=starts_at,
        ends_at=ends_at,
        values={"reason": "", "version": ""} | asked,
        errors=dict(refusal.errors) if refusal else {},
        seen=seen,
        is_draft=is_draft,
        button=button_words(seen, meeting),
        notice=notice_words(seen),
    )
    if refusal:
        answer.status_code = refusal.status
    return answer


HANDLERS = [act_on_meeting, move_dialog, move_meeting]
