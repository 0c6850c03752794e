"""Check-in, made for a thumb: today's meetings of my points, and one page for one point.

The page sends over the websocket or, where there is none, as the form posted here. Either way the
answer comes after the commit, and the same check-in again changes nothing.
"""

from datetime import datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.errors import wants_problem
from meetings_server.live.running import check_in
from meetings_server.reading import read_instant, read_number
from meetings_server.web.during_words import TROUBLES
from meetings_server.web.host_messages import point_notices
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from rooms.attendance import (
    CheckIn,
    PointState,
    Source,
    require_check_in,
)
from rooms.bridge_points import BridgePoint
from rooms.duties import duties, duty_of, time_line
from rooms.go_decisions import standing_decision
from rooms.hierarchy import Unit
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.line_tests import is_asked_for
from rooms.meetings import AWAITED, Meeting, Participation
from rooms.people import Person
from rooms.policies import Actor

KEPT_BEFORE = timedelta(hours=12)
"""Browsers keep the pages of meetings that open so soon, in case there is no network by then."""
MOST_LISTED = 60
"""A technician looks after hundreds of points: the list shows the first, the search the others."""


@get("/check-in", include_in_schema=False, sync_to_thread=True)
def check_in_list(request: PageRequest, db: Database, q: str = "") -> Response[str]:
    """The meetings of today and of the coming days for the points that one may check in."""
    now = utcnow()
    with db.reader() as session:
        found = duties(session, request.user.actor, now, MOST_LISTED + 1, q.strip()[:100])
        today = civil_day(now)
        listed = found[:MOST_LISTED]
        return render(
            request,
            "checkin_list.html",
            today=[duty for duty in listed if civil_day(duty.meeting.starts_at) <= today],
            coming=[duty for duty in listed if civil_day(duty.meeting.starts_at) > today],
            more=len(found) > MOST_LISTED,
            test_now={duty.meeting.id for duty in listed if is_asked_for(duty.meeting, now)},
            many=len({duty.point.id for duty in listed}) > 1 or bool(q),
            q=q,
            soon=KEPT_BEFORE,
        )


def _context(
    session: Session, actor: Actor, meeting_id: int, point_id: int, now: datetime
) -> dict[str, Any]:
    """Everything the page of one point shows. Raises what `require_check_in` raises."""
    today = civil_day(now)
    require_check_in(session, actor, meeting_id, point_id, today)
    row = session.execute(
        select(Participation, Meeting, BridgePoint, Unit, PointState)
        .join(Meeting, Meeting.id == Participation.meeting_id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .join(Unit, Unit.id == Participation.unit_id)
        .outerjoin(
            PointState,
            (PointState.meeting_id == Meeting.id) & (PointState.point_id == BridgePoint.id),
        )
        .where(Participation.meeting_id == meeting_id, Participation.point_id == point_id)
    ).one()
    participation, meeting, point, unit = row[:4]
    held: PointState | None = row[4]
    duty = duty_of(meeting, point, unit, held, now)
    said = (held.headcount, held.head_of_delegation) if held else (None, "")
    return {
        "duty": duty,
        "meeting": meeting,
        "point": point,
        "unit": unit,
        "participation": participation,
        "headcount": said[0],
        "head": said[1] or ("" if held else participation.delegate_name),
        "note": held.note if held else "",
        "people": _people_of(session, unit.id, participation),
        "line": time_line(session, meeting_id, point_id),
        "closed": meeting.state not in AWAITED,
        "troubles": words(TROUBLES),
        **point_notices(session, meeting_id, point_id),
        "decision": standing_decision(session, meeting),
    }


def _people_of(
    session: Session, unit_id: int, participation: Participation
) -> list[tuple[str, str]]:
    """Names and offices that may lead the delegation: the delegate first, then the unit's people."""
    named = session.execute(
        select(Person.name, Person.title)
        .where(Person.unit_id == unit_id, Person.active)
        .order_by(Person.id)
        .limit(100)
    )
    delegate = [(participation.delegate_name, participation.delegate_title)]
    return [*(d for d in delegate if d[0]), *((name, title) for name, title in named)]


@get("/check-in/{meeting_id:int}/{point_id:int}", include_in_schema=False, sync_to_thread=True)
def check_in_page(
    request: PageRequest, db: Database, meeting_id: int, point_id: int
) -> Response[str]:
    """The page of one point for one meeting."""
    now = utcnow()
    with db.reader() as session:
        context = _context(session, request.user.actor, meeting_id, point_id, now)
        return render(request, "checkin.html", errors={}, **context)


@get("/check-in/{meeting_id:int}/{point_id:int}/line", include_in_schema=False, sync_to_thread=True)
def check_in_line(
    request: PageRequest, db: Database, meeting_id: int, point_id: int
) -> Response[str]:
    """The time line alone, for the page to renew after a change."""
    with db.reader() as session:
        require_check_in(session, request.user.actor, meeting_id, point_id, civil_day(utcnow()))
        return render(request, "checkin_line.html", line=time_line(session, meeting_id, point_id))


@post(
    "/check-in/{meeting_id:int}/{point_id:int}",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def check_in_post(
    request: PageRequest, form: FormMultiDict, db: Database, meeting_id: int, point_id: int
) -> Response[Any]:
    """One check-in. Scripts that ask for JSON get the revision, others go back to the page."""
    now = utcnow()
    actor = request.user.actor
    try:
        said = said_in(form, meeting_id, point_id, recorded_by=actor.person_id, source=Source.PAGE)
        revision = check_in(request.app, actor, said)
    except DomainError as refusal:
        if wants_problem(request):
            raise
        errors = FormErrors.of(refusal)
        with db.reader() as session:
            context = _context(session, actor, meeting_id, point_id, now)
            return render(
                request, "checkin.html", status=errors.status, errors=errors.fields, **context
            )
    if wants_problem(request):
        return Response({"revision": revision})
    return see_other(f"/check-in/{meeting_id}/{point_id}", "saved")


def said_in(
    form: FormMultiDict,
    meeting_id: int,
    point_id: int,
    *,
    recorded_by: int | None,
    source: Source,
    device_id: int | None = None,
) -> CheckIn:
    """The check-in of a form; a field that is not there was not said. Raises `FieldInvalid`."""
    return CheckIn(
        meeting_id=meeting_id,
        point_id=point_id,
        state=text_of(form, "state"),
        recorded_by=recorded_by,
        source=source,
        device_id=device_id,
        headcount=_whole_number(text_of(form, "headcount")),
        head_of_delegation=text_of(form, "head_of_delegation")
        if "head_of_delegation" in form
        else None,
        note=text_of(form, "note") if "note" in form else None,
        trouble=text_of(form, "trouble"),
        observed_at=_instant(text_of(form, "observed_at")),
    )


def _whole_number(text: str) -> int | None:
    if not text.strip():
        return None
    number = read_number(text.strip())
    if number is None:
        raise FieldInvalid("headcount", "not_a_number")
    return number


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    instant = read_instant(text)
    if instant is None:
        raise FieldInvalid("observed_at", "not_an_instant")
    return instant


HANDLERS = [check_in_list, check_in_page, check_in_line, check_in_post]
