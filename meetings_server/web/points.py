"""Bridge points: their pages, their facts, their order within the unit, their end."""

from datetime import date, datetime, time

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK, HTTP_409_CONFLICT
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.reading import RowId, read_day, read_number
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.point_page import TEXTS, Page, Refused, Values, point_view, typed
from meetings_server.web.unit_words import ENDPOINTS
from rooms.bridge_points import (
    PointFacts,
    add_point,
    change_point,
    close_point,
    order_points,
    point_by_id,
    reopen_point,
)
from rooms.endpoints import EndpointKind
from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import CIVIL_ZONE, Conflict, FieldInvalid, Invalid, civil_day, utcnow
from rooms.outage_reach import reach_of
from rooms.policies import Permission, require


def read_point(values: Values) -> PointFacts:
    """A point's facts from a form's texts. Raises `FieldInvalid`."""
    capacity = read_number(values["capacity"])
    if values["capacity"] and capacity is None:
        raise FieldInvalid("capacity", "not_a_number")
    try:
        kind = EndpointKind(values["endpoint_kind"])
    except ValueError:
        raise FieldInvalid("endpoint_kind", "unknown", values["endpoint_kind"][:40]) from None
    return PointFacts(
        values["name"],
        capacity,
        kind,
        values["endpoint_address"],
        values["technician_name"],
        values["technician_phone"],
        values["address"],
    )


@get("/points/{point_id:int}", include_in_schema=False, sync_to_thread=True)
def point_page(request: PageRequest, db: Database, point_id: RowId) -> Response[str]:
    with db.reader() as session:
        return point_view(request, session, point_id, utcnow())


@post("/points/{point_id:int}", include_in_schema=False, sync_to_thread=True)
def save_point(request: PageRequest, form: FormMultiDict, db: Database, point_id: RowId) -> Page:
    now = utcnow()
    values = typed(form, TEXTS)
    try:
        with db.transaction() as session:
            change_point(session, request.user.actor, point_id, read_point(values), civil_day(now))
    except FieldInvalid as wrong:
        with db.reader() as session:
            return point_view(request, session, point_id, now, Refused.of("point", values, wrong))
    return see_other(f"/points/{point_id}", "saved")


def _new_form(
    request: PageRequest,
    unit: Unit,
    values: Values,
    errors: object,
    status: int = HTTP_200_OK,
) -> Response[str]:
    return render(
        request,
        "units/point_new.html",
        status=status,
        unit=unit,
        kinds=words(ENDPOINTS),
        values=values,
        errors=errors,
    )


def _unit_to_equip(session: Session, request: PageRequest, unit_id: int, today: date) -> Unit:
    unit = unit_by_id(session, unit_id, today)
    require(session, request.user.actor, Permission.POINT_WRITE, unit.id, today)
    return unit


@get("/units/{unit_id:int}/points/new", include_in_schema=False, sync_to_thread=True)
def new_point(request: PageRequest, db: Database, unit_id: RowId) -> Response[str]:
    with db.reader() as session:
        unit = _unit_to_equip(session, request, unit_id, civil_day(utcnow()))
        return _new_form(request, unit, {"endpoint_kind": EndpointKind.SIP.value}, {})


@post("/units/{unit_id:int}/points/new", include_in_schema=False, sync_to_thread=True)
def create_point(request: PageRequest, form: FormMultiDict, db: Database, unit_id: RowId) -> Page:
    today = civil_day(utcnow())
    values = typed(form, TEXTS)
    try:
        with db.transaction() as session:
            _unit_to_equip(session, request, unit_id, today)
            point = add_point(session, request.user.actor, unit_id, read_point(values), today)
    except FieldInvalid as wrong:
        told = FormErrors.of(wrong)
        with db.reader() as session:
            unit = unit_by_id(session, unit_id, today)
            return _new_form(request, unit, values, told.fields, told.status)
    return see_other(f"/points/{point.id}", "saved")


@post("/units/{unit_id:int}/points/order", include_in_schema=False, sync_to_thread=True)
def move_point(
    request: PageRequest, form: FormMultiDict, db: Database, unit_id: RowId
) -> Response[None]:
    """Move a point up or down; `order` is what the page showed, so that nothing moves unseen."""
    order = [read_number(part) or 0 for part in text_of(form, "order").split(",")]
    point_id = read_number(text_of(form, "point")) or 0
    step = {"up": -1, "down": 1}.get(text_of(form, "move"), 0)
    if point_id not in order:
        raise FieldInvalid("point", "missing")
    here = order.index(point_id)
    there = min(max(here + step, 0), len(order) - 1)
    order.insert(there, order.pop(here))
    with db.transaction() as session:
        order_points(session, request.user.actor, unit_id, order, civil_day(utcnow()))
    back = text_of(form, "back")
    return see_other(f"/points/{point_id}" if back == "point" else f"/units/{unit_id}", "saved")


@post("/points/{point_id:int}/close", include_in_schema=False, sync_to_thread=True)
def end_point(request: PageRequest, form: FormMultiDict, db: Database, point_id: RowId) -> Page:
    """Close a point for good; the meetings that this touches have to have been seen first."""
    now = utcnow()
    today = civil_day(now)
    values = typed(form, ("from_day", "seen"))
    try:
        day = _closing_day(values, today)
        with db.transaction() as session:
            point = point_by_id(session, point_id)
            require(session, request.user.actor, Permission.POINT_WRITE, point.unit_id, today)
            begins = datetime.combine(day, time(0), CIVIL_ZONE)
            reach = reach_of(session, request.user.actor, point, begins, None, now)
            if reach.total > (read_number(values["seen"]) or 0):
                refused = Refused("close", values, {}, HTTP_409_CONFLICT, reach)
                return point_view(request, session, point_id, now, refused)
            close_point(session, request.user.actor, point_id, day, today)
    except (Invalid, Conflict) as wrong:
        refused = Refused.of(
            "close", values, wrong, {"closed_on": "from_day", "point_closed": "from_day"}
        )
        with db.reader() as session:
            return point_view(request, session, point_id, now, refused)
    return see_other(f"/points/{point_id}", "point_closed")


def _closing_day(values: Values, today: date) -> date:
    if not values["from_day"]:
        return today
    day = read_day(values["from_day"])
    if day is None:
        raise FieldInvalid("from_day", "not_a_date")
    return day


@post("/points/{point_id:int}/reopen", include_in_schema=False, sync_to_thread=True)
def use_again(request: PageRequest, db: Database, point_id: RowId) -> Response[None]:
    with db.transaction() as session:
        reopen_point(session, request.user.actor, point_id, civil_day(utcnow()))
    return see_other(f"/points/{point_id}", "saved")


HANDLERS = [
    create_point,
    end_point,
    move_point,
    new_point,
    point_page,
    save_point,
    use_again,
]
