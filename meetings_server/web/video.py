"""Connections of video systems, for administrators; and who is in the video room of a meeting."""

import json
from datetime import timedelta
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.live.running import COMMIT_SECONDS, Live
from meetings_server.reading import RowId, read_number
from meetings_server.settings import Settings
from meetings_server.video.receiving import receive, seal_of
from meetings_server.video.signing import (
    SIGNATURE_HEADER,
    TIME_HEADER,
    ZOOM_SIGNATURE_HEADER,
    ZOOM_TIME_HEADER,
    sign,
    sign_as_zoom,
)
from meetings_server.web.during_words import DURING_WORDS, FORMATS
from meetings_server.web.help_desk import during_shell
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from rooms.bridge_points import BridgePoint
from rooms.folding import fold
from rooms.hierarchy import Unit
from rooms.kernel import Conflict, DomainError, FieldInvalid, Invalid, NotFound, civil_day, utcnow
from rooms.meetings import Meeting, Participation, standing_invitation, visible_meeting
from rooms.policies import Permission, require, top_units
from rooms.video_events import assign, participants
from rooms.video_systems import (
    NewConnection,
    VideoConnection,
    VideoFormat,
    connect,
    connection_to_change,
    connections,
    last_events,
    new_secret,
    rotate,
    secrets_of,
    trial_of,
)

MOST_EVENTS = 100
SHORTEST_SECRET, LONGEST_SECRET = 16, 200
"""Of one that the other side made."""
OVERLAPS = (0, 1, 24, 168)
"""Hours for which a secret that was replaced may hold."""

Page = Response[str] | Response[None]


def _list_view(
    request: PageRequest,
    session: Session,
    values: dict[str, str],
    errors: FormErrors | None = None,
) -> Response[str]:
    today = civil_day(utcnow())
    actor = request.user.actor
    units = top_units(session, actor, Permission.UNIT_WRITE, today)
    if not units:
        require(session, actor, Permission.UNIT_WRITE, request.user.unit_id, today)
    return render(
        request,
        "during/video_connections.html",
        status=errors.status if errors else HTTP_200_OK,
        lines=connections(session, actor, today),
        units=[(str(unit.id), unit.name) for unit in units],
        formats=words(FORMATS),
        values=values,
        errors=dict(errors.fields) if errors else {},
        **DURING_WORDS,
    )


@get("/admin/video", include_in_schema=False, sync_to_thread=True)
def video_page(request: PageRequest, db: Database) -> Response[str]:
    """The video systems that may report, with their last event and fault."""
    with db.reader() as session:
        return _list_view(request, session, {"format": VideoFormat.NEUTRAL.value})


@post("/admin/video", include_in_schema=False, sync_to_thread=True)
def add_connection(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings
) -> Page:
    now = utcnow()
    values = {name: text_of(form, name) for name in ("name", "unit", "format", "by_name")}
    try:
        with db.transaction() as session:
            unit_id = read_number(values["unit"])
            if not unit_id:
                raise FieldInvalid("unit", "missing")
            new = NewConnection(
                values["name"],
                unit_id,
                values["format"],
                bool(values["by_name"]),
                # Nobody has seen this one: the page of the connection makes the first that is shown.
                seal_of(settings).close(new_secret()),
            )
            made = connect(session, request.user.actor, new, now, civil_day(now))
            connection_id = made.id
    except (Invalid, Conflict, NotFound) as wrong:
        with db.reader() as session:
            return _list_view(request, session, values, FormErrors.of(wrong))
    return see_other(f"/admin/video/{connection_id}", "video_connected")


def _connection_view(
    request: PageRequest,
    session: Session,
    connection: VideoConnection,
    settings: Settings,
    *,
    shown: str = "",
    trial: str = "",
    errors: FormErrors | None = None,
) -> Response[str]:
    address = f"{settings.effective_public_url}/api/v1/video/{connection.key}/events"
    example = json.dumps(trial_of(connection, utcnow()), ensure_ascii=False)
    return render(
        request,
        "during/video_connection.html",
        status=errors.status if errors else HTTP_200_OK,
        connection=connection,
        unit=session.get_one(Unit, connection.unit_id).name,
        events=last_events(session, connection.id, MOST_EVENTS),
        address=address,
        example=example,
        shown=shown,
        trial=trial,
        overlaps=[(str(hours), _overlap(hours)) for hours in OVERLAPS],
        errors=dict(errors.fields) if errors else {},
        **DURING_WORDS,
    )


def _overlap(hours: int) -> str:
    if not hours:
        return _("not at all")
    return _("{hours} h").format(hours=hours)


@get("/admin/video/{connection_id:int}", include_in_schema=False, sync_to_thread=True)
def connection_page(
    request: PageRequest, db: Database, settings: Settings, connection_id: RowId
) -> Response[str]:
    """One connection: its address, how requests are signed, what came last."""
    with db.reader() as session:
        found = connection_to_change(
            session, request.user.actor, connection_id, civil_day(utcnow())
        )
        return _connection_view(request, session, found, settings)


@post(
    "/admin/video/{connection_id:int}/secret",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def change_secret(
    request: PageRequest,
    form: FormMultiDict,
    db: Database,
    settings: Settings,
    connection_id: RowId,
) -> Page:
    """Another secret, shown once; Zoom makes its own, which is typed in."""
    now = utcnow()
    hours = read_number(text_of(form, "overlap"))
    typed = text_of(form, "secret").strip()
    secret = typed or new_secret()
    with db.transaction() as session:
        found = connection_to_change(session, request.user.actor, connection_id, civil_day(now))
        try:
            _require_long(secret)
            overlap = timedelta(hours=hours if hours is not None else -1)
            rotate(found, seal_of(settings).close(secret), overlap, now)
        except FieldInvalid as wrong:
            return _connection_view(request, session, found, settings, errors=FormErrors.of(wrong))
        session.flush()
        return _connection_view(request, session, found, settings, shown="" if typed else secret)


def _require_long(secret: str) -> None:
    if not SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET:
        raise FieldInvalid("secret", "out_of_range", f"{SHORTEST_SECRET}–{LONGEST_SECRET}")


@post("/admin/video/{connection_id:int}/active", include_in_schema=False, sync_to_thread=True)
def switch_connection(
    request: PageRequest, form: FormMultiDict, db: Database, connection_id: RowId
) -> Response[None]:
    with db.transaction() as session:
        found = connection_to_change(
            session, request.user.actor, connection_id, civil_day(utcnow())
        )
        found.active = text_of(form, "active") == "true"
    return see_other(f"/admin/video/{connection_id}", "saved")


@post(
    "/admin/video/{connection_id:int}/trial",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def try_connection(
    request: PageRequest, db: Database, settings: Settings, connection_id: RowId
) -> Response[str]:
    """A signed request of our own goes the whole way that one of the video system goes."""
    now = utcnow()
    with db.reader() as session:
        found = connection_to_change(session, request.user.actor, connection_id, civil_day(now))
        secret = seal_of(settings).open(secrets_of(found, now)[0])
        key = found.key
        zoom = found.format == VideoFormat.ZOOM
        content: Any = (
            {"event": "meeting.started", "event_ts": 0, "payload": {}}
            if zoom
            else trial_of(found, now)
        )
    body = json.dumps(content).encode()
    time = str(int(now.timestamp()))
    headers = (
        {ZOOM_TIME_HEADER: time, ZOOM_SIGNATURE_HEADER: sign_as_zoom(secret, time, body)}
        if zoom
        else {TIME_HEADER: time, SIGNATURE_HEADER: sign(secret, time, body)}
    )
    try:
        receive(request.app, key, headers, body, now)
        trial = "works"
    except DomainError as wrong:
        trial = wrong.code
    with db.reader() as session:
        found = connection_to_change(session, request.user.actor, connection_id, civil_day(now))
        return _connection_view(request, session, found, settings, trial=trial)


@get("/meetings/{meeting_id:int}/video", include_in_schema=False, sync_to_thread=True)
def video_room(request: PageRequest, db: Database, meeting_id: RowId, q: str = "") -> Response[str]:
    """Who is in the video room; those of whom nobody knows which point they are stand on top."""
    with db.reader() as session:
        return _room_view(request, session, meeting_id, q[:100])


def _room_view(
    request: PageRequest,
    session: Session,
    meeting_id: int,
    q: str,
    errors: FormErrors | None = None,
) -> Response[str]:
    today = civil_day(utcnow())
    actor = request.user.actor
    meeting = visible_meeting(session, actor, meeting_id, today)
    require(session, actor, Permission.HELP_WRITE, meeting.host_unit_id, today)
    found = participants(session, meeting.id)
    return render(
        request,
        "during/video_room.html",
        status=errors.status if errors else HTTP_200_OK,
        found=found,
        unknown=sum(person.point_id is None for person, _point, _unit in found),
        points=_points(session, meeting, q),
        q=q,
        errors=dict(errors.fields) if errors else {},
        **during_shell(session, request, meeting, today),
    )


def _points(session: Session, meeting: Meeting, q: str) -> list[tuple[str, str]]:
    """The points that a participant may be, narrowed by the name of the unit."""
    query = (
        select(BridgePoint.id, Unit.name, BridgePoint.name)
        .join(Participation, Participation.point_id == BridgePoint.id)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(Participation.meeting_id == meeting.id, standing_invitation())
        .order_by(Unit.position, BridgePoint.id)
        .limit(1_000)
    )
    if q.strip():
        query = query.where(Unit.folded.contains(fold(q), autoescape=True))
    return [(str(row[0]), f"{row[1]} – {row[2]}") for row in session.execute(query)]


@post(
    "/meetings/{meeting_id:int}/video/{participant_id:int}",
    include_in_schema=False,
    sync_to_thread=True,
)
def assign_participant(
    request: PageRequest,
    form: FormMultiDict,
    db: Database,
    meeting_id: RowId,
    participant_id: RowId,
) -> Page:
    now = utcnow()
    try:
        with db.transaction() as session:
            said = assign(
                session,
                request.user.actor,
                participant_id,
                read_number(text_of(form, "point")),
                now,
                civil_day(now),
            )
        live: Live = request.app.state.live
        for future in [live.writer.submit(one) for one in said]:
            future.result(COMMIT_SECONDS)
    except (Invalid, Conflict) as wrong:
        with db.reader() as session:
            return _room_view(request, session, meeting_id, "", FormErrors.of(wrong))
    return see_other(f"/meetings/{meeting_id}/video", "saved")


HANDLERS = [
    add_connection,
    assign_participant,
    change_secret,
    connection_page,
    switch_connection,
    try_connection,
    video_page,
    video_room,
]
