"""Calls for help during a meeting, for programs."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.database import Database
from meetings_server.live.running import check_in
from rooms.attendance import CheckIn, Source
from rooms.help_calls import HelpCall, HelpState, Trouble, give_back, hand_over, solve, take
from rooms.help_lists import CallLine, calls, one_call
from rooms.kernel import LARGEST_ID, civil_day, utcnow
from rooms.meetings import visible_meeting

MOST = 1_000


class CallOut(msgspec.Struct):
    """A call for help. Times to take and to fix count from `asked_at`."""

    id: int
    point: int
    unit: str
    point_name: str
    state: HelpState
    trouble: Trouble
    words: str
    asked_at: datetime
    asked_by: int | None
    taken_at: datetime | None
    taken_by: int | None
    taken_by_name: str
    solved_at: datetime | None
    remedy: str
    confirmed_at: datetime | None
    withdrawn_at: datetime | None


class CallsOut(msgspec.Struct):
    """The oldest first."""

    items: list[CallOut]


class HandOverIn(msgspec.Struct, forbid_unknown_fields=True):
    """To whom: a person's id."""

    person: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]


class SolveIn(msgspec.Struct, forbid_unknown_fields=True):
    """What was done, and what is true of the point now; without a state the point says so itself."""

    remedy: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    state: Annotated[str, msgspec.Meta(max_length=20, examples=["present"])] | None = None


def call_out(line: CallLine) -> CallOut:
    call = line.call
    return CallOut(
        id=call.id,
        point=call.point_id,
        unit=line.unit,
        point_name=line.point,
        state=HelpState(call.state),
        trouble=Trouble(call.trouble),
        words=call.words,
        asked_at=call.asked_at,
        asked_by=call.asked_by,
        taken_at=call.taken_at,
        taken_by=call.taken_by,
        taken_by_name=line.helper,
        solved_at=call.solved_at,
        remedy=call.remedy,
        confirmed_at=call.confirmed_at,
        withdrawn_at=call.withdrawn_at,
    )


@get("/meetings/{meeting_id:int}/help", sync_to_thread=True, summary="Calls for help of a meeting")
def read_calls(
    request: ApiRequest,
    db: Database,
    meeting_id: Id,
    standing: Annotated[
        HelpState | None, QueryParameter(name="state", description="Only calls that stand so")
    ] = None,
) -> CallsOut:
    """At most 1,000, the oldest first; those of points whose attendance the caller may see.

    A call is made by checking a point in with `needs_help` (and `trouble`), and ends when the point is
    checked in with another state.
    """
    today = civil_day(utcnow())
    with db.reader() as session:
        meeting = visible_meeting(session, request.user.actor, meeting_id, today)
        conditions = [HelpCall.meeting_id == meeting.id]
        if standing is not None:
            conditions.append(HelpCall.state == standing.value)
        found = calls(session, request.user.actor, today, *conditions, most=MOST)
        return CallsOut([call_out(line) for line in found])


def _one(db: Database, request: ApiRequest, call_id: int) -> CallOut:
    with db.reader() as session:
        return call_out(one_call(session, request.user.actor, call_id, civil_day(utcnow())))


@post(
    "/help/{call_id:int}/take", sync_to_thread=True, status_code=HTTP_200_OK, summary="Take a call"
)
def take_call(request: ApiRequest, db: Database, call_id: Id) -> CallOut:
    """Of two at once one wins; the other gets 409 `help_taken` with who has it and since when."""
    now = utcnow()
    with db.transaction() as session:
        take(session, request.user.actor, call_id, now, civil_day(now))
    return _one(db, request, call_id)


@post(
    "/help/{call_id:int}/give-back",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Put a call back into the queue",
)
def give_call_back(request: ApiRequest, db: Database, call_id: Id) -> CallOut:
    now = utcnow()
    with db.transaction() as session:
        give_back(session, request.user.actor, call_id, now, civil_day(now))
    return _one(db, request, call_id)


@post(
    "/help/{call_id:int}/hand-over",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Let somebody else look after a call",
)
def hand_call_over(
    request: ApiRequest, db: Database, call_id: Id, data: JSONBody[HandOverIn]
) -> CallOut:
    now = utcnow()
    with db.transaction() as session:
        hand_over(session, request.user.actor, call_id, data.person, now, civil_day(now))
    return _one(db, request, call_id)


@post(
    "/help/{call_id:int}/solve",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Solve a call",
)
def solve_call(request: ApiRequest, db: Database, call_id: Id, data: JSONBody[SolveIn]) -> CallOut:
    """With a state the point is checked in with it; without one it has still to say that it works."""
    now = utcnow()
    actor = request.user.actor
    with db.transaction() as session:
        call = solve(session, actor, call_id, data.remedy, now, civil_day(now))
        where = call.meeting_id, call.point_id
    if data.state is not None:
        check_in(request.app, actor, CheckIn(*where, data.state, actor.person_id, Source.API))
    return _one(db, request, call_id)


HANDLERS = [give_call_back, hand_call_over, read_calls, solve_call, take_call]
