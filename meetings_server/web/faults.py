"""Faults of bridge points: reported in the room, listed for those who repair, solved."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.reading import RowId, read_number, read_page
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other
from meetings_server.web.point_page import Page, Values, moment_typed, read_moment, typed
from meetings_server.web.point_words import FAULTS, POINT_WORDS
from rooms.bridge_points import point_by_id
from rooms.directory import paths
from rooms.doors import meetings_at_the_door
from rooms.fault_lists import STATES, FaultLine, Wanted, list_faults, one_fault, repairs
from rooms.faults import (
    FaultReported,
    NewFault,
    fault_by_id,
    report_fault,
    require_room_work,
    solve_fault,
)
from rooms.hierarchy import Unit, unit_by_code, unit_by_id
from rooms.kernel import Conflict, Invalid, NotFound, civil_day, utcnow
from rooms.policies import Permission, permissions_at, require
from rooms.technicians import technicians_of

PAGE_ROWS = 50
LAST_PAGE = 1_000
REPORT_TEXTS = (
    "kind",
    "text",
    "noticed_day",
    "noticed_clock",
    "meeting",
    "out",
    "until_day",
    "until_clock",
    "request_key",
)
SOLVE_TEXTS = ("remedy", "solved_day", "solved_clock", "in_service")
PLACES = {
    "noticed_at": "noticed_day",
    "solved_at": "solved_day",
    "ends_at": "until_day",
    "outage_overlaps": "out",
    "point_closed": "out",
    "unknown_meeting": "meeting",
}


@get("/faults", include_in_schema=False, sync_to_thread=True)
def faults_page(request: PageRequest, db: Database) -> Response[str]:
    """The faults in the area of the person, open ones unless asked otherwise."""
    now = utcnow()
    today = civil_day(now)
    asked = {key: value.strip()[:100] for key, value in request.query_params.items()}
    with db.reader() as session:
        unit = _asked_unit(session, asked.get("unit", ""), now)
        wanted = Wanted(
            asked["state"] if asked.get("state") in STATES else STATES[0],
            asked["kind"] if asked.get("kind") in FAULTS else "",
            unit.id if unit else None,
            asked.get("q", ""),
        )
        page = read_page(asked.get("page", ""), LAST_PAGE)
        lines, total = list_faults(
            session, request.user.actor, wanted, today, PAGE_ROWS, PAGE_ROWS * (page - 1)
        )
        return render(
            request,
            "faults/list.html",
            lines=lines,
            total=total,
            page=page,
            last=PAGE_ROWS * (page - 1) + len(lines),
            first=PAGE_ROWS * (page - 1) + 1,
            wanted=wanted,
            unit=unit,
            unknown_unit=asked.get("unit", "") if unit is None else "",
            technicians=technicians_of(session, [line.point.id for line in lines]),
            repairs=repairs(session, request.user.actor, wanted, now),
            kinds=words(FAULTS),
            address=_address,
            **POINT_WORDS,
        )


def _address(wanted: Wanted, unit: Unit | None, **changed: Any) -> str:
    asked = {
        "state": wanted.state if wanted.state != STATES[0] else "",
        "kind": wanted.kind,
        "unit": unit.code if unit else "",
        "q": wanted.words,
    } | changed
    told = urlencode({name: value for name, value in asked.items() if value})
    return f"/faults?{told}" if told else "/faults"


def _asked_unit(session: Session, code: str, now: datetime) -> Unit | None:
    """The unit that the filter names; one that nobody knows filters nothing and is told so."""
    if not code:
        return None
    try:
        return unit_by_code(session, code, civil_day(now))
    except NotFound:
        return None


def _report_form(
    request: PageRequest,
    session: Session,
    point_id: int,
    now: datetime,
    values: Values,
    errors: Any = None,
    status: int = HTTP_200_OK,
) -> Response[str]:
    today = civil_day(now)
    point = point_by_id(session, point_id)
    unit = unit_by_id(session, point.unit_id, today)
    require_room_work(session, request.user.actor, point, now)
    rights = permissions_at(session, request.user.actor, unit.id, today)
    duties = [duty for duty in meetings_at_the_door(session, point_id, now) if duty.is_open]
    return render(
        request,
        "faults/new.html",
        status=status,
        point=point,
        unit=unit,
        above=paths(session, [unit.id], today).get(unit.id, []),
        may_write=Permission.POINT_WRITE in rights,
        kinds=words(FAULTS),
        meetings=[(duty.meeting.id, duty.meeting.title) for duty in duties],
        values=values,
        errors=errors or {},
    )


@get("/points/{point_id:int}/faults/new", include_in_schema=False, sync_to_thread=True)
def new_fault(request: PageRequest, db: Database, point_id: RowId) -> Response[str]:
    now = utcnow()
    meeting = read_number(request.query_params.get("meeting", ""))
    values = moment_typed(now, "noticed") | {
        "request_key": uuid4().hex,
        "meeting": str(meeting) if meeting else "",
    }
    with db.reader() as session:
        return _report_form(request, session, point_id, now, values)


@post("/points/{point_id:int}/faults/new", include_in_schema=False, sync_to_thread=True)
def save_fault(request: PageRequest, form: FormMultiDict, db: Database, point_id: RowId) -> Page:
    now = utcnow()
    values = typed(form, REPORT_TEXTS)
    meeting = read_number(values["meeting"])
    try:
        with db.transaction() as session:
            new = NewFault(
                values["kind"],
                values["text"],
                read_moment(values, "noticed"),
                meeting,
                out_of_service=bool(values["out"]),
                out_until=read_moment(values, "until"),
            )
            fault = report_fault(
                session,
                request.user.actor,
                point_id,
                new,
                now,
                request_key=values["request_key"] or None,
            )
            fault_id = fault.id
    except FaultReported as known:
        return see_other(f"/faults/{known.fault}" if known.fault else f"/points/{point_id}")
    except (Invalid, Conflict, NotFound) as wrong:
        told = FormErrors.of(wrong, PLACES)
        errors = {PLACES.get(name, name): said for name, said in told.fields.items()}
        with db.reader() as session:
            return _report_form(request, session, point_id, now, values, errors, told.status)
    if meeting:
        return see_other(f"/check-in/{meeting}/{point_id}", "fault_reported")
    return see_other(f"/faults/{fault_id}", "fault_reported")


def _fault_view(
    request: PageRequest,
    session: Session,
    fault_id: int,
    now: datetime,
    values: Values,
    errors: Any = None,
    status: int = HTTP_200_OK,
) -> Response[str]:
    today = civil_day(now)
    line: FaultLine = one_fault(session, fault_id)
    require(session, request.user.actor, Permission.ATTENDANCE_READ, line.unit.id, today)
    rights = permissions_at(session, request.user.actor, line.unit.id, today)
    outage = line.outage
    return render(
        request,
        "faults/show.html",
        status=status,
        line=line,
        may_solve=bool({Permission.POINT_WRITE, Permission.ATTENDANCE_WRITE} & rights),
        may_write=Permission.POINT_WRITE in rights,
        lasting=outage is not None and (outage.ends_at is None or outage.ends_at > now),
        technicians=technicians_of(session, [line.point.id]).get(line.point.id, []),
        outage_values=moment_typed(now, "from") | {"reason": line.fault.text.splitlines()[0][:500]},
        values=values,
        errors=errors or {},
        **POINT_WORDS,
    )


@get("/faults/{fault_id:int}", include_in_schema=False, sync_to_thread=True)
def fault_page(request: PageRequest, db: Database, fault_id: RowId) -> Response[str]:
    now = utcnow()
    with db.reader() as session:
        values = moment_typed(now, "solved") | {"in_service": "true"}
        return _fault_view(request, session, fault_id, now, values)


@post("/faults/{fault_id:int}", include_in_schema=False, sync_to_thread=True)
def end_fault(request: PageRequest, form: FormMultiDict, db: Database, fault_id: RowId) -> Page:
    """It works again: what was done, and since when."""
    now = utcnow()
    values = typed(form, SOLVE_TEXTS)
    try:
        with db.transaction() as session:
            solve_fault(
                session,
                request.user.actor,
                fault_by_id(session, fault_id).id,
                values["remedy"],
                read_moment(values, "solved"),
                now,
                in_service=bool(values["in_service"]),
            )
    except (Invalid, Conflict) as wrong:
        told = FormErrors.of(wrong, PLACES)
        errors = {PLACES.get(name, name): said for name, said in told.fields.items()}
        with db.reader() as session:
            return _fault_view(request, session, fault_id, now, values, errors, told.status)
    return see_other(f"/faults/{fault_id}", "fault_solved")


HANDLERS = [end_fault, fault_page, faults_page, new_fault, save_fault]
