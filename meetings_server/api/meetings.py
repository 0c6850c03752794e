"""Meetings, their states, their participations, and free times."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, patch, post
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.api.idempotency import IdempotencyKey, once
from meetings_server.api.meeting_shapes import (
    WITH_FACTS,
    MeetingIn,
    MeetingOut,
    MeetingPatch,
    ParticipationOut,
    ReasonIn,
    ReplyIn,
    ScheduleIn,
    SlotOut,
    SlotsIn,
    shape_meetings,
    shape_participation,
)
from meetings_server.api.paging import Cursor, Limit, Page, after, page_of
from meetings_server.database import Database
from meetings_server.reading import YEARS
from rooms.audience import Resolution, parse_rules, resolve
from rooms.hierarchy import load_tree, unit_by_code
from rooms.kernel import FieldInvalid, civil_day, is_time_zone, utcnow
from rooms.lineage import asked_unit, in_lifetime
from rooms.meetings import Meeting, MeetingState, Participation, visible, visible_meeting
from rooms.policies import Actor, Permission, require
from rooms.replies import Answer, readable, reply
from rooms.scheduling import (
    AgendaEntry,
    MeetingRequest,
    book,
    cancel,
    change,
    end,
    postpone,
    request_of,
    schedule,
    start,
)
from rooms.slots import Margins, best_windows

LONGEST_SEARCH = timedelta(days=92)


def _shown(
    session: Session,
    actor: Actor,
    meeting_id: int,
    now: datetime,
    resolution: Resolution | None = None,
) -> MeetingOut:
    session.flush()
    meeting = visible_meeting(session, actor, meeting_id, civil_day(now), WITH_FACTS)
    return shape_meetings(session, [meeting], resolution)[0]


@post("/meetings", sync_to_thread=True, summary="Make a meeting; its points are held")
def create_meeting(
    request: ApiRequest,
    db: Database,
    data: JSONBody[MeetingIn],
    idempotency_key: IdempotencyKey = None,
) -> Response[MeetingOut]:
    """A draft that holds the time of all its points, or 409 `booking_conflict`."""
    now = utcnow()
    actor = request.user.actor
    with db.transaction() as session:

        def work() -> tuple[int, MeetingOut]:
            host = unit_by_code(session, data.host_unit, civil_day(data.starts_at))
            said = MeetingRequest(
                title=data.title,
                kind=data.kind,
                host_unit_id=host.id,
                main_point_id=data.main_point,
                chair_id=data.chair,
                starts_at=data.starts_at,
                ends_at=data.ends_at,
                audience=parse_rules(data.audience),
                timezone=data.timezone,
                agenda=[AgendaEntry(item.title, item.presenter) for item in data.agenda],
                requirements=data.requirements,
                join_url=data.join_url,
                join_address=data.join_address,
                join_pin=data.join_pin,
                setup_minutes=data.setup_minutes,
                clearing_minutes=data.clearing_minutes,
            )
            booked = book(session, actor, said, now)
            shown = _shown(session, actor, booked.meeting.id, now, booked.resolution)
            return HTTP_201_CREATED, shown

        return once(session, request, idempotency_key, data, now, work)


@get("/meetings", sync_to_thread=True, summary="Meetings the caller may see")
def list_meetings(
    request: ApiRequest,
    db: Database,
    starting: Annotated[
        datetime | None,
        QueryParameter(name="from", description="Meetings that end after this instant"),
    ] = None,
    until: Annotated[
        datetime | None,
        QueryParameter(name="to", description="Meetings that begin before this instant"),
    ] = None,
    unit: Annotated[
        str | None,
        QueryParameter(max_length=20, description="Hosted by this unit or below, or invited"),
    ] = None,
    meeting_state: Annotated[MeetingState | None, QueryParameter(name="state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[MeetingOut]:
    today = civil_day(utcnow())
    with db.reader() as session:
        query = (
            select(Meeting)
            .where(visible(request.user.actor, today), Meeting.id > after(cursor))
            .options(*WITH_FACTS)
            .order_by(Meeting.id)
            .limit(limit + 1)
        )
        if starting is not None:
            query = query.where(Meeting.ends_at > _aware("from", starting))
        if until is not None:
            query = query.where(Meeting.starts_at < _aware("to", until))
        if meeting_state is not None:
            query = query.where(Meeting.state == meeting_state.value)
        if unit is not None:
            asked, below = asked_unit(session, unit, today)
            query = query.where(in_lifetime(Meeting.starts_at, asked, today))
            invited_there = select(Participation.meeting_id).where(Participation.unit_id.in_(below))
            query = query.where(Meeting.host_unit_id.in_(below) | Meeting.id.in_(invited_there))
        meetings = session.scalars(query).all()
        shown = shape_meetings(session, meetings)
        return page_of(shown, limit, lambda one: one.id, lambda one: one)


def _aware(field: str, instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise FieldInvalid(field, "no_offset")
    if instant.year not in YEARS:
        raise FieldInvalid(field, "out_of_range", f"{YEARS[0]}–{YEARS[-1]}")
    return instant


@get("/meetings/{meeting_id:int}", sync_to_thread=True, summary="One meeting")
def get_meeting(request: ApiRequest, db: Database, meeting_id: Id) -> MeetingOut:
    with db.reader() as session:
        return _shown(session, request.user.actor, meeting_id, utcnow())


@patch("/meetings/{meeting_id:int}", sync_to_thread=True, summary="Change or reschedule")
def patch_meeting(
    request: ApiRequest, db: Database, meeting_id: Id, data: JSONBody[MeetingPatch]
) -> MeetingOut:
    """Moving a meeting whose invitation is out needs a `reason`."""
    now = utcnow()
    actor = request.user.actor
    with db.transaction() as session:
        meeting = visible_meeting(session, actor, meeting_id, civil_day(now))
        said: dict[str, Any] = {
            _FIELDS.get(name, name): value
            for name, value in msgspec.structs.asdict(data).items()
            if value is not msgspec.UNSET and name not in {"reason", "late_reason", "version"}
        }
        if "audience" in said:
            said["audience"] = parse_rules(said["audience"])
        if "agenda" in said:
            said["agenda"] = [AgendaEntry(item.title, item.presenter) for item in said["agenda"]]
        standing = request_of(session, meeting, parse_rules(meeting.audience))
        changed = change(
            session,
            actor,
            meeting_id,
            replace(standing, **said),
            now,
            reason=data.reason,
            late_reason=data.late_reason,
            version=data.version,
        )
        return _shown(session, actor, meeting_id, now, changed.resolution)


_FIELDS = {"main_point": "main_point_id", "chair": "chair_id"}


def _act(
    request: ApiRequest, db: Database, meeting_id: int, act: Callable[[Session, datetime], Meeting]
) -> MeetingOut:
    now = utcnow()
    with db.transaction() as session:
        act(session, now)
        return _shown(session, request.user.actor, meeting_id, now)


@post(
    "/meetings/{meeting_id:int}/schedule",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Send the invitation",
)
def schedule_meeting(
    request: ApiRequest, db: Database, meeting_id: Id, data: JSONBody[ScheduleIn]
) -> MeetingOut:
    actor = request.user.actor
    return _act(
        request,
        db,
        meeting_id,
        lambda session, now: schedule(session, actor, meeting_id, now, late_reason=data.reason),
    )


@post(
    "/meetings/{meeting_id:int}/cancel",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Call it off",
)
def cancel_meeting(
    request: ApiRequest, db: Database, meeting_id: Id, data: JSONBody[ReasonIn]
) -> MeetingOut:
    actor = request.user.actor
    return _act(
        request,
        db,
        meeting_id,
        lambda session, now: cancel(session, actor, meeting_id, data.reason, now),
    )


@post(
    "/meetings/{meeting_id:int}/postpone",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Put it off without a new time",
)
def postpone_meeting(
    request: ApiRequest, db: Database, meeting_id: Id, data: JSONBody[ReasonIn]
) -> MeetingOut:
    actor = request.user.actor
    return _act(
        request,
        db,
        meeting_id,
        lambda session, now: postpone(session, actor, meeting_id, data.reason, now),
    )


@post(
    "/meetings/{meeting_id:int}/start",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Open it",
)
def start_meeting(request: ApiRequest, db: Database, meeting_id: Id) -> MeetingOut:
    actor = request.user.actor
    return _act(
        request, db, meeting_id, lambda session, now: start(session, actor, meeting_id, now)
    )


@post(
    "/meetings/{meeting_id:int}/end",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Close it",
)
def end_meeting(request: ApiRequest, db: Database, meeting_id: Id) -> MeetingOut:
    actor = request.user.actor
    return _act(request, db, meeting_id, lambda session, now: end(session, actor, meeting_id, now))


@post(
    "/meetings/slots",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Free times for an audience, best first",
)
def find_slots(request: ApiRequest, db: Database, data: JSONBody[SlotsIn]) -> Page[SlotOut]:
    """Windows in office hours, the least taken first; `taken` counts points that are not free."""
    now = utcnow()
    earliest = max(data.earliest, now)
    if data.latest <= earliest:
        raise FieldInvalid("latest", "not_after_start")
    if data.latest - earliest > LONGEST_SEARCH:
        raise FieldInvalid("latest", "too_far", LONGEST_SEARCH.days)
    if not is_time_zone(data.timezone):
        raise FieldInvalid("timezone", "unknown", data.timezone)
    with db.reader() as session:
        # Free time tells when others meet: only those who book somewhere may ask.
        actor = request.user.actor
        require(session, actor, Permission.MEETING_WRITE, actor.unit_id, civil_day(now))
        tree = load_tree(session, civil_day(earliest))
        resolution = resolve(
            session,
            tree,
            parse_rules(data.audience),
            earliest,
            data.latest,
            data.main_point,
        )
        windows = best_windows(
            session,
            [invitee.point_id for invitee in resolution.joining if invitee.point_id is not None],
            timedelta(minutes=data.duration_minutes),
            earliest,
            data.latest,
            margins=Margins(
                timedelta(minutes=data.setup_minutes), timedelta(minutes=data.clearing_minutes)
            ),
            zone=ZoneInfo(data.timezone),
            most=50,
        )
    return Page([SlotOut(w.starts_at, w.ends_at, w.taken) for w in windows])


@get(
    "/meetings/{meeting_id:int}/participations",
    sync_to_thread=True,
    summary="Invited points and their replies",
)
def list_participations(
    request: ApiRequest, db: Database, meeting_id: Id, limit: Limit = 1000, cursor: Cursor = None
) -> Page[ParticipationOut]:
    """Hosts see all, others the points of the units they govern."""
    today = civil_day(utcnow())
    actor = request.user.actor
    with db.reader() as session:
        visible_meeting(session, actor, meeting_id, today)
        rows = session.scalars(
            select(Participation)
            .where(
                Participation.meeting_id == meeting_id,
                readable(actor, Permission.MEETING_READ, today),
                Participation.id > after(cursor),
            )
            .options(joinedload(Participation.unit), joinedload(Participation.point))
            .order_by(Participation.id)
            .limit(limit + 1)
        ).all()
        return page_of(rows, limit, lambda row: row.id, shape_participation)


@post(
    "/participations/{participation_id:int}/reply",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Answer an invitation for a unit",
)
def post_reply(
    request: ApiRequest, db: Database, participation_id: Id, data: JSONBody[ReplyIn]
) -> ParticipationOut:
    now = utcnow()
    answer = Answer(
        data.reply, data.reason, data.delegate_name, data.delegate_title, data.is_substitute
    )
    with db.transaction() as session:
        reply(session, request.user.actor, participation_id, answer, now)
        row = session.scalars(
            select(Participation)
            .where(Participation.id == participation_id)
            .options(joinedload(Participation.unit), joinedload(Participation.point))
        ).one()
        return shape_participation(row)


HANDLERS = [
    cancel_meeting,
    create_meeting,
    end_meeting,
    find_slots,
    get_meeting,
    list_meetings,
    list_participations,
    patch_meeting,
    post_reply,
    postpone_meeting,
    schedule_meeting,
    start_meeting,
]
