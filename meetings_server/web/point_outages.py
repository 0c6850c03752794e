"""When a bridge point is out of service: told, changed and ended; what it touches comes first."""

from datetime import datetime

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_409_CONFLICT
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.reading import RowId, read_number
from meetings_server.web.pages import PageRequest, fragment, see_other
from meetings_server.web.point_page import Page, Refused, Values, point_view, read_moment, typed
from rooms.bridge_points import point_by_id
from rooms.faults import Fault
from rooms.kernel import Conflict, FieldInvalid, Invalid, civil_day, utcnow
from rooms.outage_reach import Reach, reach_of
from rooms.outages import change_outage, close_outage, outage_by_id, report_outage
from rooms.policies import Permission, require

OUTAGE_TEXTS = ("from_day", "from_clock", "until_day", "until_clock", "reason", "seen", "fault")
PLACES = {
    "starts_at": "from_day",
    "ends_at": "until_day",
    "outage_overlaps": "from_day",
    "point_closed": "from_day",
}


@get("/points/{point_id:int}/reach", include_in_schema=False, sync_to_thread=True)
def reach_part(request: PageRequest, db: Database, point_id: RowId) -> Response[str]:
    """What an outage with the typed days would touch, while one types."""
    now = utcnow()
    values = {name: request.query_params.get(name, "").strip() for name in OUTAGE_TEXTS}
    try:
        begins, ends = read_moment(values, "from") or now, read_moment(values, "until")
    except FieldInvalid:
        return fragment("units/outage_reach.html", reach=None)
    with db.reader() as session:
        point = point_by_id(session, point_id)
        require(session, request.user.actor, Permission.POINT_WRITE, point.unit_id, civil_day(now))
        reach = _reach(session, request, point_id, begins, ends, now)
        return fragment("units/outage_reach.html", reach=reach)


@post("/points/{point_id:int}/outages", include_in_schema=False, sync_to_thread=True)
def new_outage(request: PageRequest, form: FormMultiDict, db: Database, point_id: RowId) -> Page:
    """Take a point out of service; without an end until it is reported to work again."""
    now = utcnow()
    values = typed(form, OUTAGE_TEXTS)
    try:
        with db.transaction() as session:
            begins = read_moment(values, "from") or now
            ends = read_moment(values, "until")
            outage = report_outage(
                session, request.user.actor, point_id, begins, ends, values["reason"], now
            )
            _name_in_fault(session, values, point_id, outage.id)
            reach = _reach(session, request, point_id, begins, ends, now)
            _require_seen(reach, values)
    except _NotSeenError:
        with db.reader() as session:
            reach = _reach(session, request, point_id, begins, ends, now)
            refused = Refused("outage", values, {}, HTTP_409_CONFLICT, reach)
            return point_view(request, session, point_id, now, refused)
    except (Invalid, Conflict) as wrong:
        with db.reader() as session:
            refused = Refused.of("outage", values, wrong, PLACES)
            return point_view(request, session, point_id, now, refused)
    return see_other(f"/points/{point_id}", "outage_reported")


class _NotSeenError(Exception):
    """More meetings are touched than the form showed; leaving the transaction undoes the outage."""


def _require_seen(reach: Reach, values: Values) -> None:
    if reach.total > (read_number(values["seen"]) or 0):
        raise _NotSeenError


def _reach(
    session: Session,
    request: PageRequest,
    point_id: int,
    begins: datetime,
    ends: datetime | None,
    now: datetime,
) -> Reach:
    point = point_by_id(session, point_id)
    return reach_of(session, request.user.actor, point, begins, ends, now)


def _name_in_fault(session: Session, values: Values, point_id: int, outage_id: int) -> None:
    """The fault that leads to the outage names it from now on."""
    number = read_number(values["fault"])
    fault = session.get(Fault, number) if number else None
    if fault is not None and fault.point_id == point_id and fault.outage_id is None:
        fault.outage_id = outage_id


@post("/outages/{outage_id:int}", include_in_schema=False, sync_to_thread=True)
def save_outage(request: PageRequest, form: FormMultiDict, db: Database, outage_id: RowId) -> Page:
    """The repair takes longer or shorter than was said."""
    now = utcnow()
    values = typed(form, ("until_day", "until_clock", "reason"))
    with db.reader() as session:
        point_id = outage_by_id(session, outage_id).point_id
    try:
        with db.transaction() as session:
            change_outage(
                session,
                request.user.actor,
                outage_id,
                read_moment(values, "until"),
                values["reason"],
                now,
            )
    except (Invalid, Conflict) as wrong:
        places = PLACES | {"outage_overlaps": "until_day"}
        refused = Refused.of(f"outage-{outage_id}", values, wrong, places)
        with db.reader() as session:
            return point_view(request, session, point_id, now, refused)
    return see_other(f"/points/{point_id}", "saved")


@post("/outages/{outage_id:int}/close", include_in_schema=False, sync_to_thread=True)
def end_outage(request: PageRequest, db: Database, outage_id: RowId) -> Response[None]:
    now: datetime = utcnow()
    with db.transaction() as session:
        point_id = outage_by_id(session, outage_id).point_id
        close_outage(session, request.user.actor, outage_id, now)
        return see_other(f"/points/{point_id}", "outage_closed")


HANDLERS = [end_outage, new_outage, reach_part, save_outage]
