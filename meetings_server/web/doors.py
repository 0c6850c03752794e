"""The code at the door of a room: sheets to print, and the way from the code to the check-in.

The code holds the address of the point, not of a meeting, so that a sheet stays good for years. It is
no secret: whoever opens it logs in and needs the rights as always.
"""

import io
from functools import lru_cache

import segno
from litestar import Response, get
from litestar.status_codes import HTTP_403_FORBIDDEN
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import catalogue, mark
from meetings_server.reading import RowId
from meetings_server.settings import Settings
from meetings_server.web.pages import PageRequest, render, see_other
from rooms.bridge_points import point_by_id
from rooms.doors import Door, doors_of, doors_of_meeting, meetings_at_the_door
from rooms.faults import require_room_work
from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, visible_meeting
from rooms.policies import NotPermitted, Permission, require
from rooms.technicians import technicians_of

PAPERS = ("a4", "a5")
STEPS = (
    mark("Open the camera of the telephone and point it at the code."),
    mark("Log in with your account."),
    mark("Press the button that says the point is present, and tell how many people are there."),
)
CODE_LABEL = mark("QR code of the check-in page")
QUIET_ZONE = 4
"""Modules of white around the code, as ISO/IEC 18004 asks for."""


def door_address(settings: Settings, point_id: int) -> str:
    """What the code holds."""
    return f"{settings.effective_public_url}/points/{point_id}/checkin"


@lru_cache(maxsize=64)
def _best_mask(length: int, example: str) -> int:
    """The mask that suits an address; its neighbours of the same length differ in a few digits."""
    del length
    return int(segno.make_qr(example, error="m", boost_error=False).mask)


def code_svg(address: str) -> str:
    """A QR code as an SVG element, black on what lies below, without sizes or styles.

    Trying all eight masks for each of 600 sheets takes three seconds; so one is tried for all
    addresses of one shape.
    """
    mask = _best_mask(len(address), _shape(address))
    code = segno.make_qr(address, error="m", boost_error=False, mask=mask)
    out = io.BytesIO()
    code.save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=True,
        svgclass=None,
        lineclass=None,
        omitsize=True,
        border=QUIET_ZONE,
        nl=False,
    )
    return out.getvalue().decode()


def _shape(address: str) -> str:
    return "".join("1" if c.isdigit() else c for c in address)


def _paper(request: PageRequest) -> str:
    asked = request.query_params.get("paper", "")
    return asked if asked in PAPERS else PAPERS[0]


def _sheets(
    request: PageRequest,
    settings: Settings,
    unit: Unit | None,
    doors: list[Door],
    back: str,
    *,
    below: bool = False,
    meeting: Meeting | None = None,
) -> Response[str]:
    # The sheet hangs at a door in Viet Nam, whatever language the person at the printer reads.
    spoken = catalogue("vi").gettext
    return render(
        request,
        "units/doors.html",
        unit=unit,
        meeting=meeting,
        doors=doors,
        back=back,
        paper=_paper(request),
        below=below,
        code_svg=code_svg,
        address_of=lambda point_id: door_address(settings, point_id),
        system=spoken("Wide-area meetings"),
        code_label=spoken(CODE_LABEL),
        steps=[spoken(step) for step in STEPS],
        reachable=bool(settings.public_url),
    )


@get("/points/{point_id:int}/door", include_in_schema=False, sync_to_thread=True)
def door_sheet(
    request: PageRequest, db: Database, settings: Settings, point_id: RowId
) -> Response[str]:
    """The sheet for one door."""
    today = civil_day(utcnow())
    with db.reader() as session:
        point = point_by_id(session, point_id)
        unit = unit_by_id(session, point.unit_id, today)
        require(session, request.user.actor, Permission.ATTENDANCE_READ, unit.id, today)
        door = Door(point.id, point.name, point.address, unit.name)
        return _sheets(request, settings, unit, [door], f"/points/{point.id}")


@get("/units/{unit_id:int}/doors", include_in_schema=False, sync_to_thread=True)
def door_sheets(
    request: PageRequest, db: Database, settings: Settings, unit_id: RowId
) -> Response[str]:
    """The sheets for all doors of a unit, with `below=1` of everything below it, in one print."""
    today = civil_day(utcnow())
    below = request.query_params.get("below") == "1"
    with db.reader() as session:
        unit = unit_by_id(session, unit_id, today)
        require(session, request.user.actor, Permission.ATTENDANCE_READ, unit.id, today)
        doors = doors_of(session, request.user.actor, unit.id, today, below=below)
        return _sheets(request, settings, unit, doors, f"/units/{unit.id}", below=below)


@get("/meetings/{meeting_id:int}/doors", include_in_schema=False, sync_to_thread=True)
def doors_of_the_meeting(
    request: PageRequest, db: Database, settings: Settings, meeting_id: RowId
) -> Response[str]:
    """The sheets for the doors of all rooms that a meeting invites, as far as one may see them."""
    today = civil_day(utcnow())
    with db.reader() as session:
        meeting = visible_meeting(session, request.user.actor, meeting_id, today)
        doors = doors_of_meeting(session, request.user.actor, meeting_id, today)
        return _sheets(request, settings, None, doors, f"/meetings/{meeting_id}", meeting=meeting)


@get("/points/{point_id:int}/code.svg", include_in_schema=False, sync_to_thread=True)
def code_picture(db: Database, settings: Settings, point_id: RowId) -> Response[bytes]:
    """The code alone, for a sheet of one's own."""
    with db.reader() as session:
        point = point_by_id(session, point_id)
        return Response(
            code_svg(door_address(settings, point.id)).encode(),
            media_type="image/svg+xml",
            headers={"cache-control": "private, max-age=3600"},
        )


@get("/points/{point_id:int}/checkin", include_in_schema=False, sync_to_thread=True)
def at_the_door(
    request: PageRequest, db: Database, point_id: RowId
) -> Response[str] | Response[None]:
    """Where the code leads: to the meeting the point is in, or to when the next one is."""
    now = utcnow()
    today = civil_day(now)
    with db.reader() as session:
        point = point_by_id(session, point_id)
        unit = unit_by_id(session, point.unit_id, today)
        may = _may_work_here(request, session, point_id)
        duties = meetings_at_the_door(session, point_id, now) if may else []
        running = [duty for duty in duties if duty.is_open]
        if len(running) == 1:
            return see_other(f"/check-in/{running[0].meeting.id}/{point_id}")
        return render(
            request,
            "units/at_the_door.html",
            status=200 if may else HTTP_403_FORBIDDEN,
            point=point,
            unit=unit,
            may=may,
            closed=point.closed_on is not None and point.closed_on <= today,
            duties=duties,
            technicians=technicians_of(session, [point_id]).get(point_id, []) if may else [],
        )


def _may_work_here(request: PageRequest, session: Session, point_id: int) -> bool:
    try:
        require_room_work(session, request.user.actor, point_by_id(session, point_id), utcnow())
    except NotPermitted:
        return False
    return True


HANDLERS = [at_the_door, code_picture, door_sheet, door_sheets, doors_of_the_meeting]
