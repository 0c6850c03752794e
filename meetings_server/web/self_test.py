"""The test page of the browser: camera, microphone, loudspeakers, and the line to this server.

It works by itself, and within the line test of a point, to which its result can be attached. What it
transfers for measuring is of bounded size and counted (`measuring`).
"""

import os
from collections.abc import AsyncIterator
from math import ceil
from typing import Annotated

from litestar import Response, get, post
from litestar.exceptions import TooManyRequestsException
from litestar.params import QueryParameter
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.measuring import MEBIBYTE, Allowance
from meetings_server.reading import read_number
from meetings_server.web.line_test_words import LINE_TEST_WORDS
from meetings_server.web.pages import PageRequest, render
from rooms.attendance import may_check_in
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit
from rooms.kernel import civil_day, utcnow
from rooms.meetings import AWAITED, Meeting, Participation
from rooms.policies import Actor

LARGEST_DOWN = 4 * MEBIBYTE
LARGEST_UP = 2 * MEBIBYTE
CHUNK = 64 * 1024
PING_COSTS = 1024
"""Headers there and back."""

# Nothing on the way can make it smaller.
NOISE = os.urandom(MEBIBYTE)

PERMISSIONS = "camera=(self), microphone=(self), geolocation=()"
UNCACHED = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def _take(request: PageRequest, size: int) -> None:
    allowance: Allowance = request.app.state.measuring
    wait = allowance.take(request.user.person_id, size)
    if wait:
        raise TooManyRequestsException(
            detail=_("Many are testing their line now. Try again in a moment."),
            headers={"retry-after": str(ceil(wait))},
        )


@get("/self-test", include_in_schema=False, sync_to_thread=True)
def self_test_page(request: PageRequest, db: Database) -> Response[str]:
    """`?meeting=&point=` names the line test to which the result can be attached."""
    meeting_id = read_number(request.query_params.get("meeting", ""))
    point_id = read_number(request.query_params.get("point", ""))
    with db.reader() as session:
        place = None
        if meeting_id and point_id:
            place = _place(session, request.user.actor, meeting_id, point_id)
        answer = render(
            request,
            "line_tests/self_test.html",
            place=place,
            largest_down=LARGEST_DOWN,
            largest_up=LARGEST_UP,
            **LINE_TEST_WORDS,
        )
    # The only page that may ask for them; all others are refused by the general header.
    answer.headers["permissions-policy"] = PERMISSIONS
    return answer


def _place(
    session: Session, actor: Actor, meeting_id: int, point_id: int
) -> tuple[Meeting, BridgePoint, Unit] | None:
    """Where the result may go; None where the person may not say anything there."""
    if not may_check_in(session, actor, meeting_id, point_id, civil_day(utcnow())):
        return None
    row = session.execute(
        select(Meeting, BridgePoint, Unit)
        .join(Participation, Participation.meeting_id == Meeting.id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(Meeting.id == meeting_id, BridgePoint.id == point_id, Meeting.state.in_(AWAITED))
    ).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


@get("/self-test/ping", include_in_schema=False, sync_to_thread=False)
def ping(request: PageRequest) -> Response[None]:
    """There and back, as small as an answer can be."""
    _take(request, PING_COSTS)
    return Response(None, status_code=HTTP_200_OK, headers=UNCACHED)


@get("/self-test/download", include_in_schema=False)
async def download(
    request: PageRequest, size: Annotated[int, QueryParameter(ge=1, le=LARGEST_DOWN)]
) -> Stream:
    """`size` bytes that cannot be packed smaller."""
    _take(request, size)
    return Stream(
        _noise(size),
        media_type="application/octet-stream",
        headers=UNCACHED | {"content-length": str(size)},
    )


async def _noise(size: int) -> AsyncIterator[bytes]:
    # Small pieces: a slow reader holds one of them and not the whole.
    sent = 0
    while sent < size:
        begin = sent % len(NOISE)
        piece = NOISE[begin : begin + min(CHUNK, size - sent)]
        sent += len(piece)
        yield piece


@post(
    "/self-test/upload",
    include_in_schema=False,
    request_max_body_size=LARGEST_UP,
    status_code=HTTP_200_OK,
)
async def upload(request: PageRequest) -> dict[str, int]:
    """Counts what comes and forgets it."""
    told = read_number(request.headers.get("content-length", ""))
    _take(request, LARGEST_UP if told is None else min(told, LARGEST_UP))
    received = 0
    async for piece in request.stream():
        received += len(piece)
    return {"received": received}


HANDLERS = [download, ping, self_test_page, upload]
