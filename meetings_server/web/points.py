"""Bridge points: a point's page, its facts, and when it is out of service."""

from datetime import date, datetime

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.reading import RowId, read_clock, read_day, read_number
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.unit_words import ENDPOINTS
from meetings_server.web.units import WORDS
from rooms.bridge_points import (
    BridgePoint,
    PointFacts,
    add_point,
    change_point,
    point_by_id,
)
from rooms.directory import paths
from rooms.endpoints import EndpointKind
from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import CIVIL_ZONE, FieldInvalid, civil_day, utcnow
from rooms.outages import Outage, UnknownOutage, close_outage, outages_since, report_outage
from rooms.policies import Permission, permissions_at, require

TEXTS = (
    "name",
    "capacity",
    "endpoint_kind",
    "endpoint_address",
    "technician_name",
    "technician_phone",
)
OUTAGE_TEXTS = ("from_day", "from_clock", "until_day", "until_clock", "reason")

Values = dict[str, str]
Page = Response[str] | Response[None]


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
    )


def _typed(form: FormMultiDict, names: tuple[str, ...]) -> Values:
    return {name: text_of(form, name).strip() for name in names}


def _facts_of(point: BridgePoint) -> Values:
    return {name: str(getattr(point, name) or "") for name in TEXTS}


def _read_instant(values: Values, which: str) -> datetime | None:
    """Day and clock of a form in civil time; None where both are empty. Raises `FieldInvalid`."""
    day_text, clock_text = values[f"{which}_day"], values[f"{which}_clock"]
    if not day_text and not clock_text:
        return None
    day, clock = read_day(day_text), read_clock(clock_text or "00:00")
    if day is None:
        raise FieldInvalid(f"{which}_day", "not_a_date" if day_text else "missing")
    if clock is None:
        raise FieldInvalid(f"{which}_clock", "not_a_time")
    return datetime.combine(day, clock, CIVIL_ZONE)


def _point_page(
    request: PageRequest,
    session: Session,
    point: BridgePoint,
    now: datetime,
    *,
    status: int = HTTP_200_OK,
    values: Values | None = None,
    errors: object = None,
    outage_values: Values | None = None,
    outage_errors: object = None,
) -> Response[str]:
    today = civil_day(now)
    start = now.astimezone(CIVIL_ZONE)
    unit = unit_by_id(session, point.unit_id, today)
    return render(
        request,
        "units/point.html",
        status=status,
        point=point,
        unit=unit,
        above=paths(session, [unit.id], today).get(unit.id, []),
        rights=permissions_at(session, request.user.actor, unit.id, today),
        outages=outages_since(session, [point.id], now),
        kinds=words(ENDPOINTS),
        values=values or _facts_of(point),
        errors=errors or {},
        outage_values=outage_values
        or {"from_day": f"{start:%Y-%m-%d}", "from_clock": f"{start:%H:%M}"},
        outage_errors=outage_errors or {},
        **WORDS,
    )


@get("/points/{point_id:int}", include_in_schema=False, sync_to_thread=True)
def point_page(request: PageRequest, db: Database, point_id: RowId) -> Response[str]:
    with db.reader() as session:
        return _point_page(request, session, point_by_id(session, point_id), utcnow())


@post("/points/{point_id:int}", include_in_schema=False, sync_to_thread=True)
def save_point(request: PageRequest, form: FormMultiDict, db: Database, point_id: RowId) -> Page:
    now = utcnow()
    values = _typed(form, TEXTS)
    try:
        with db.transaction() as session:
            change_point(session, request.user.actor, point_id, read_point(values), civil_day(now))
    except FieldInvalid as wrong:
        told = FormErrors.of(wrong)
        with db.reader() as session:
            point = point_by_id(session, point_id)
            return _point_page(
                request, session, point, now, status=told.status, values=values, errors=told.fields
            )
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
    values = _typed(form, TEXTS)
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


@post("/points/{point_id:int}/outages", include_in_schema=False, sync_to_thread=True)
def new_outage(request: PageRequest, form: FormMultiDict, db: Database, point_id: RowId) -> Page:
    """Take a point out of service; without an end until it is reported to work again."""
    now = utcnow()
    values = _typed(form, OUTAGE_TEXTS)
    places = {"ends_at": "until_day"}
    try:
        with db.transaction() as session:
            point = point_by_id(session, point_id)
            require(
                session, request.user.actor, Permission.POINT_WRITE, point.unit_id, civil_day(now)
            )
            report_outage(
                session,
                request.user.actor,
                point_id,
                _read_instant(values, "from") or now,
                _read_instant(values, "until"),
                values["reason"],
                now,
            )
    except FieldInvalid as wrong:
        told = FormErrors.of(wrong)
        errors = {places.get(name, name): said for name, said in told.fields.items()}
        with db.reader() as session:
            return _point_page(
                request,
                session,
                point_by_id(session, point_id),
                now,
                status=told.status,
                outage_values=values,
                outage_errors=errors,
            )
    return see_other(f"/points/{point_id}", "outage_reported")


@post("/outages/{outage_id:int}/close", include_in_schema=False, sync_to_thread=True)
def end_outage(request: PageRequest, db: Database, outage_id: RowId) -> Response[None]:
    now = utcnow()
    with db.transaction() as session:
        outage = session.get(Outage, outage_id)
        if outage is None:
            raise UnknownOutage(outage_id)
        close_outage(session, request.user.actor, outage_id, now)
        return see_other(f"/points/{outage.point_id}", "outage_closed")


HANDLERS = [create_point, end_outage, new_outage, new_point, point_page, save_point]
