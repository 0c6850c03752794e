"""Making a meeting and changing it: one page, what and when on the left, for whom on the right."""

import json
import secrets
from datetime import date, datetime
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from meetings_server.database import Database
from meetings_server.reading import read_clock, read_day, read_number
from meetings_server.settings import Settings
from meetings_server.web.meeting_choices import host_units, main_points
from meetings_server.web.meeting_preview import (
    button_words,
    notice_words,
    preview,
    with_conflict,
)
from meetings_server.web.meeting_typing import (
    TEXTS,
    Refusal,
    Typed,
    read_form,
    refusal_of,
    typed_start,
)
from meetings_server.web.meeting_words import KINDS, words
from meetings_server.web.pages import PageRequest, fragment, render, see_other, text_of
from meetings_server.web.papers import receive_papers
from minutes.papers import attach_paper
from minutes.storage import ReceivedFile
from rooms.kernel import DomainError, civil_day, utcnow
from rooms.meetings import (
    OPEN_FOR_CHANGE,
    Meeting,
    MeetingState,
    UnknownMeeting,
    WrongState,
    visible_meeting,
)
from rooms.policies import Actor, NotPermitted, Permission, governed_units, require
from rooms.scheduling import AlreadyBooked, book, booked_before, change, schedule
from rooms.workdays import INVITATION_NOTICE, add_working_days, latest_invitation_day

SEND, DRAFT = "send", "draft"
LOADED = (
    joinedload(Meeting.host_unit),
    joinedload(Meeting.main_point),
    joinedload(Meeting.chair),
    selectinload(Meeting.agenda),
)


def _form_page(
    request: PageRequest,
    session: Session,
    typed: Typed,
    now: datetime,
    settings: Settings,
    *,
    meeting: Meeting | None = None,
    refusal: Refusal | None = None,
    is_changed: bool = True,
) -> Response[str]:
    actor = request.user.actor
    seen = preview(session, actor, typed, now, meeting, is_changed=is_changed)
    seen = with_conflict(seen, refusal)
    return render(
        request,
        "meetings/form.html",
        status=refusal.status if refusal else HTTP_200_OK,
        values=typed.values,
        errors=dict(refusal.errors) if refusal else {},
        meeting=meeting,
        is_draft=meeting is None or meeting.state == MeetingState.DRAFT.value,
        kinds=words(KINDS),
        seen=seen,
        button=button_words(seen, meeting),
        notice=notice_words(seen),
        upload_limit_mb=settings.max_upload_mb,
    )


@get("/meetings/new", include_in_schema=False, sync_to_thread=True)
def new_meeting_page(request: PageRequest, db: Database, settings: Settings) -> Response[str]:
    """An empty form; day and hours may come from the calendar."""
    now = utcnow()
    today = civil_day(now)
    actor = request.user.actor
    values = dict.fromkeys(TEXTS, "") | {
        "kind": "periodic",
        "setup_minutes": "30",
        "clearing_minutes": "15",
        "agenda": "[]",
        "audience": "[]",
        "start": "08:00",
        "end": "10:00",
        # The first day that leaves the invited the time that the law gives them.
        "date": _first_day_in_time(today).isoformat(),
        "request_key": secrets.token_urlsafe(16),
    }
    names = ("date", "start", "end_date", "end")
    asked = {name: request.query_params.get(name, "")[:10] for name in names}
    if read_day(asked["date"]):
        values["date"] = asked["date"]
        if asked["end_date"] != asked["date"] and read_day(asked["end_date"]):
            values["end_date"] = asked["end_date"]
    values |= {name: asked[name] for name in ("start", "end") if read_clock(asked[name])}
    with db.reader() as session:
        hosts = host_units(session, actor, "", today)
        if not hosts:
            raise NotPermitted(Permission.MEETING_WRITE.value, request.user.unit_name)
        values |= {"host_unit": str(hosts[0]["id"]), "host_unit_name": hosts[0]["label"]}
        points = main_points(session, actor, request.user.unit_name, today)
        if points:
            values |= {"main_point": str(points[0]["id"]), "main_point_name": points[0]["label"]}
        typed = read_form(FormMultiDict(values))
        return _form_page(request, session, typed, now, settings)


def _first_day_in_time(today: date) -> date:
    day = add_working_days(today, INVITATION_NOTICE)
    while latest_invitation_day(day) < today:
        day = add_working_days(day, 1)
    return day


@post("/meetings/new", include_in_schema=False, sync_to_thread=True, status_code=HTTP_200_OK)
def make_meeting(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings
) -> Response[Any]:
    """Book, and send the invitation unless a draft was asked for: all in one transaction."""
    now = utcnow()
    actor = request.user.actor
    typed = read_form(form)
    key = typed.values["request_key"] or None
    wanted = typed.request()
    if wanted is None:
        return _refused(request, db, typed, now, settings, Refusal(typed.errors))
    try:
        papers, problems = _papers(form, db, actor, settings, wanted.host_unit_id, now)
        if problems:
            return _refused(request, db, typed, now, settings, problems)
        with db.transaction() as session:
            meeting_id = book(session, actor, wanted, now, request_key=key).meeting.id
            for paper in papers:
                attach_paper(session, actor, meeting_id, paper, now)
            if text_of(form, "act") != DRAFT:
                reason = typed.values["late_reason"]
                schedule(session, actor, meeting_id, now, late_reason=reason)
    except AlreadyBooked as doubled:
        with db.reader() as session:
            made = booked_before(session, actor, doubled.request_key)
        return see_other(f"/meetings/{made}" if made else "/meetings", "meeting_made_once")
    except DomainError as error:
        return _refused(request, db, typed, now, settings, refusal_of(error))
    sent = text_of(form, "act") != DRAFT
    return see_other(f"/meetings/{meeting_id}", "meeting_scheduled" if sent else "meeting_booked")


def _refused(
    request: PageRequest,
    db: Database,
    typed: Typed,
    now: datetime,
    settings: Settings,
    refusal: Refusal,
    meeting_id: int | None = None,
) -> Response[str]:
    with db.reader() as session:
        meeting = None
        if meeting_id is not None:
            meeting = visible_meeting(
                session, request.user.actor, meeting_id, civil_day(now), LOADED
            )
        return _form_page(request, session, typed, now, settings, meeting=meeting, refusal=refusal)


def _papers(
    form: FormMultiDict,
    db: Database,
    actor: Actor,
    settings: Settings,
    host_unit_id: int,
    now: datetime,
) -> tuple[list[ReceivedFile], Refusal | None]:
    if not any(isinstance(part, UploadFile) for part in form.getall("papers", [])):
        return [], None
    with db.reader() as session:
        # Whoever may not make the meeting shall not fill the disk.
        require(session, actor, Permission.MEETING_WRITE, host_unit_id, civil_day(now))
    received = receive_papers(form, settings)
    if received.problems:
        return [], Refusal({"papers": received.problems}, received.status)
    return received.files, None


def _meeting_to_edit(session: Session, actor: Actor, meeting_id: int, now: datetime) -> Meeting:
    today = civil_day(now)
    meeting = visible_meeting(session, actor, meeting_id, today, LOADED)
    require(session, actor, Permission.MEETING_WRITE, meeting.host_unit_id, today)
    if meeting.state not in {state.value for state in OPEN_FOR_CHANGE}:
        raise WrongState(meeting.state, "change")
    return meeting


@get("/meetings/{meeting_id:int}/edit", include_in_schema=False, sync_to_thread=True)
def edit_meeting_page(
    request: PageRequest, db: Database, settings: Settings, meeting_id: int
) -> Response[str]:
    now = utcnow()
    with db.reader() as session:
        meeting = _meeting_to_edit(session, request.user.actor, meeting_id, now)
        typed = read_form(FormMultiDict(_values_of(meeting)))
        asked = typed_move(request)
        if asked:
            typed = read_form(FormMultiDict(typed.values | asked))
        return _form_page(
            request, session, typed, now, settings, meeting=meeting, is_changed=bool(asked)
        )


def typed_move(request: PageRequest) -> dict[str, str]:
    """Another time that the address asks for, where it can be read."""
    names = ("date", "start", "end_date", "end")
    asked = {name: request.query_params.get(name, "")[:10] for name in names}
    if read_day(asked["date"]) and read_clock(asked["start"]) and read_clock(asked["end"]):
        return asked
    return {}


def _values_of(meeting: Meeting) -> dict[str, str]:
    agenda = [{"title": item.title, "presenter": item.presenter} for item in meeting.agenda]
    return (
        dict.fromkeys(TEXTS, "")
        | typed_start(meeting.starts_at, meeting.ends_at)
        | {
            "title": meeting.title,
            "kind": meeting.kind,
            "host_unit": str(meeting.host_unit_id),
            "host_unit_name": meeting.host_unit.name,
            "main_point": str(meeting.main_point_id),
            "main_point_name": meeting.main_point.name,
            "chair": str(meeting.chair_id),
            "chair_name": meeting.chair.name,
            "setup_minutes": str(meeting.setup_minutes),
            "clearing_minutes": str(meeting.clearing_minutes),
            "requirements": meeting.requirements,
            "join_url": meeting.join_url,
            "join_address": meeting.join_address,
            "join_pin": meeting.join_pin,
            "agenda": json.dumps(agenda, ensure_ascii=False),
            "audience": json.dumps(meeting.audience, ensure_ascii=False),
            "late_reason": meeting.late_reason,
            "version": str(meeting.version),
        }
    )


@post(
    "/meetings/{meeting_id:int}/edit",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def change_meeting(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings, meeting_id: int
) -> Response[Any]:
    """Change a meeting; a draft may be sent in the same step."""
    now = utcnow()
    actor = request.user.actor
    typed = read_form(form)
    version = read_number(typed.values["version"])
    if version is None:
        typed.fail("version", "missing")
    with db.reader() as session:
        # Whether the form may be shown at all comes first: others learn nothing by sending one.
        before = _meeting_to_edit(session, actor, meeting_id, now)
        was_draft = before.state == MeetingState.DRAFT.value
        host_unit_id = before.host_unit_id
    wanted = typed.request()
    if wanted is None or version is None:
        return _refused(request, db, typed, now, settings, Refusal(typed.errors), meeting_id)
    sends = was_draft and text_of(form, "act") != DRAFT
    try:
        papers, problems = _papers(form, db, actor, settings, host_unit_id, now)
        if problems:
            return _refused(request, db, typed, now, settings, problems, meeting_id)
        with db.transaction() as session:
            late_reason = typed.values["late_reason"]
            change(
                session,
                actor,
                meeting_id,
                wanted,
                now,
                reason=typed.values["reason"],
                late_reason=late_reason,
                version=version,
            )
            for paper in papers:
                attach_paper(session, actor, meeting_id, paper, now)
            if sends:
                schedule(session, actor, meeting_id, now, late_reason=late_reason)
    except DomainError as error:
        return _refused(request, db, typed, now, settings, refusal_of(error), meeting_id)
    told = "meeting_scheduled" if sends else "saved" if was_draft else "meeting_changed"
    return see_other(f"/meetings/{meeting_id}", told)


@post("/meetings/preview", include_in_schema=False, sync_to_thread=True, status_code=HTTP_200_OK)
def preview_meeting(request: PageRequest, form: FormMultiDict, db: Database) -> Response[str]:
    """The parts of the form that follow from what has been typed so far. Writes nothing."""
    now = utcnow()
    typed = read_form(form)
    asked = request.query_params.get("meeting", "")
    with db.reader() as session:
        meeting = None
        if asked:
            number = read_number(asked)
            if number is None:
                raise UnknownMeeting(0)
            meeting = _meeting_to_edit(session, request.user.actor, number, now)
        elif not _may_book(session, request.user.actor, now):
            raise NotPermitted(Permission.MEETING_WRITE.value, request.user.unit_name)
        seen = preview(session, request.user.actor, typed, now, meeting)
        return fragment(
            "meetings/preview.html",
            seen=seen,
            button=button_words(seen, meeting),
            notice=notice_words(seen),
        )


def _may_book(session: Session, actor: Actor, now: datetime) -> bool:
    held = governed_units(actor, Permission.MEETING_WRITE, civil_day(now))
    return session.scalar(select(held.exists())) is True


HANDLERS = [
    new_meeting_page,
    make_meeting,
    edit_meeting_page,
    change_meeting,
    preview_meeting,
]
