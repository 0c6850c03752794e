"""The tablet at a door: one point, its next meetings, one large button.

Everything here is for devices (`identity/doors.py`); nobody is logged in. What a page tells stands on
a door: titles and times of the point's meetings, no names of people.
"""

from datetime import datetime
from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK, HTTP_401_UNAUTHORIZED
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import current_language, interval
from meetings_server.identity.doors import COOKIE, PATH, DeviceLogin
from meetings_server.live.running import COMMIT_SECONDS, Live
from meetings_server.settings import Settings
from meetings_server.web.checkin import said_in
from meetings_server.web.entering import origin_of
from meetings_server.web.pages import FormErrors, csrf_token, render, see_other, text_of
from meetings_server.web.shell import build
from rooms.attendance import PointState, Source
from rooms.devices import AtTheDoor, pair, require_device_check_in
from rooms.doors import meetings_at_the_door
from rooms.duties import Duty
from rooms.help_lists import call_of_point
from rooms.kernel import DomainError, utcnow
from rooms.message_receipts import messages_of_point

DeviceRequest = Request[DeviceLogin, str, Any]
AnyRequest = Request[DeviceLogin | None, str | None, Any]


@get(PATH, opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def kiosk_page(request: AnyRequest, db: Database) -> Response[str]:
    """The page that a tablet shows all day; without a device, how to become one."""
    if request.user is None:
        was_one = bool(request.cookies.get(COOKIE))
        return render(
            request,
            "kiosk/pair.html",
            status=HTTP_401_UNAUTHORIZED,
            was_one=was_one,
            code="",
            errors={},
        )
    door = request.user.door
    now = utcnow()
    with db.reader() as session:
        return render(
            request, "kiosk/kiosk.html", door=door, told=_told(request, session, door, now)
        )


@get(f"{PATH}/pair", opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def pairing_page(request: AnyRequest) -> Response[str]:
    """Where the code of a new device leads. Looking at it uses nothing up."""
    code = request.query_params.get("code", "")[:40]
    return render(request, "kiosk/pair.html", was_one=False, code=code, errors={})


@post(
    f"{PATH}/pair",
    opt={"public": True},
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def pair_tablet(
    request: AnyRequest, form: FormMultiDict, db: Database, settings: Settings
) -> Response[Any]:
    """Make the browser that asks the device whose code it shows."""
    now = utcnow()
    typed = text_of(form, "code")
    try:
        with db.transaction() as session:
            device, secret = pair(session, typed, origin_of(request).user_agent, now)
            seconds = int((device.expires_at - now).total_seconds())
    except DomainError as refusal:
        told = FormErrors.of(refusal, {"pairing_refused": "code"})
        return render(
            request,
            "kiosk/pair.html",
            status=told.status,
            was_one=False,
            code=typed[:40],
            errors=told.fields,
        )
    answer = see_other(PATH)
    answer.set_cookie(
        COOKIE,
        secret,
        path=PATH,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )
    return answer


@get(f"{PATH}/state", opt={"device": True}, include_in_schema=False, sync_to_thread=True)
def kiosk_state(request: DeviceRequest, db: Database) -> Response[dict[str, Any]]:
    """What the page shows, for it to ask again and again."""
    with db.reader() as session:
        told = _told(request, session, request.user.door, utcnow())
    return Response(told, headers={"cache-control": "no-store"})


@post(
    f"{PATH}/check-in/{{meeting_id:int}}",
    opt={"device": True},
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def kiosk_check_in(
    request: DeviceRequest, form: FormMultiDict, db: Database, meeting_id: int
) -> Response[dict[str, int]]:
    """A check-in of the device's own point; another one cannot even be named."""
    door = request.user.door
    said = said_in(
        form,
        meeting_id,
        door.point_id,
        recorded_by=None,
        device_id=door.device_id,
        source=Source.KIOSK,
    )
    with db.reader() as session:
        require_device_check_in(session, door, meeting_id)
    running: Live = request.app.state.live
    return Response({"revision": running.writer.submit(said).result(COMMIT_SECONDS)})


def _told(
    request: AnyRequest | DeviceRequest, session: Session, door: AtTheDoor, now: datetime
) -> dict[str, Any]:
    duties = meetings_at_the_door(session, door.point_id, now)
    counts = _headcounts(session, door.point_id, [duty.meeting.id for duty in duties])
    return {
        "owner": f"device:{door.device_id}",
        "now": now.isoformat(),
        "build": build().version,
        "csrf_token": csrf_token(request),
        "language": current_language.get(),
        "device": door.name,
        "point": door.point_id,
        "expires_at": door.expires_at.isoformat(),
        "meetings": [
            _meeting(duty, counts.get(duty.meeting.id)) | _told_by_others(session, duty)
            for duty in duties
        ],
    }


def _headcounts(session: Session, point_id: int, meetings: list[int]) -> dict[int, int | None]:
    rows = session.execute(
        select(PointState.meeting_id, PointState.headcount).where(
            PointState.point_id == point_id, PointState.meeting_id.in_(meetings)
        )
    )
    return {row[0]: row[1] for row in rows}


def _told_by_others(session: Session, duty: Duty) -> dict[str, Any]:
    """What the host says to the point, and how its call for help stands; by whom, a door need not know."""
    if not duty.is_open:
        return {"messages": [], "help": None}
    meeting_id, point_id = duty.meeting.id, duty.point.id
    call = call_of_point(session, meeting_id, point_id)
    stands = call is not None and not (call[0].confirmed_at or call[0].withdrawn_at)
    return {
        "messages": [
            {"id": one.message.id, "text": one.message.text, "at": one.message.sent_at.isoformat()}
            for one in messages_of_point(session, meeting_id, point_id)
        ],
        "help": call[0].state if call and stands else None,
    }


def _meeting(duty: Duty, headcount: int | None) -> dict[str, Any]:
    meeting = duty.meeting
    return {
        "id": meeting.id,
        "title": meeting.title,
        "state": meeting.state,
        "when": interval(meeting.starts_at, meeting.ends_at, meeting.timezone),
        "starts_at": meeting.starts_at.isoformat(),
        "ends_at": meeting.ends_at.isoformat(),
        "opens_at": duty.opens_at.isoformat(),
        "standing": duty.state,
        "since": duty.since.isoformat() if duty.since else None,
        "headcount": headcount,
        "seats": duty.point.capacity,
    }


HANDLERS = [kiosk_page, pairing_page, pair_tablet, kiosk_state, kiosk_check_in]
