"""What of a board does not move: who the points are, where they lie, whom to call.

It comes once over HTTP, in rows like the live frames, and is kept by the browser until it changes.
"""

import gzip
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter
from litestar.status_codes import HTTP_304_NOT_MODIFIED
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.database import Database
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Tree, Unit, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, Participation, invited, visible_meeting
from rooms.policies import Actor
from rooms.rollup import Scope, counted_above, visible_scope
from rooms.technicians import NAME_TO_CALL, PHONE_TO_CALL

POINT_COLUMNS = [
    "point",
    "name",
    "unit",
    "unit_name",
    "level",
    "parent",
    "lat",
    "lon",
    "is_main",
    "technician_name",
    "technician_phone",
    "reply",
    "reply_reason",
    "delegate_name",
    "delegate_title",
]
UNIT_COLUMNS = ["unit", "name", "level", "parent"]


class Roster(msgspec.Struct):
    """The points of a scope, and the units that its roll-up counts, in the order of the tree."""

    meeting: int
    scope: str
    """A unit's code; several with commas; empty for the whole meeting."""
    point_columns: list[str]
    points: list[list[Any]]
    unit_columns: list[str]
    units: list[list[Any]]


def read_roster(
    session: Session, actor: Actor, meeting_id: int, code: str | None, now: datetime
) -> Roster:
    """At most eight statements. Raises `UnknownMeeting`, `UnknownUnit`, `NotPermitted`."""
    today = civil_day(now)
    meeting = visible_meeting(session, actor, meeting_id, today)
    tree = load_tree(session, meeting.day)
    scope = visible_scope(session, actor, meeting, tree, today, code)
    return Roster(
        meeting=meeting.id,
        scope=scope.code,
        point_columns=POINT_COLUMNS,
        points=_points(session, meeting, tree, scope),
        unit_columns=UNIT_COLUMNS,
        units=_units(tree, scope),
    )


def _points(session: Session, meeting: Meeting, tree: Tree, scope: Scope) -> list[list[Any]]:
    inside = {node.id for root in scope.roots for node in tree.subtree(root.id)}
    rows = session.execute(
        select(
            BridgePoint.id,
            BridgePoint.name,
            Unit.id,
            Unit.code,
            Unit.name,
            Unit.level,
            Unit.lat,
            Unit.lon,
            Participation.is_main,
            NAME_TO_CALL,
            PHONE_TO_CALL,
            Participation.reply,
            Participation.reply_reason,
            Participation.delegate_name,
            Participation.delegate_title,
        )
        .join(Unit, Unit.id == Participation.unit_id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .where(invited(meeting.id), Participation.invited_at.is_not(None))
        .order_by(Unit.position, Unit.id, BridgePoint.id)
    )
    return [
        [
            *(row[0], row[1], row[3], row[4], row[5]),
            _parent_code(tree, row[2]),
            *row[6:],
        ]
        for row in rows
        if not scope.roots or row[2] in inside
    ]


def _units(tree: Tree, scope: Scope) -> list[list[Any]]:
    roots = scope.roots or tuple(tree.roots)
    above = {node.id for root in scope.roots for node in counted_above(tree, root)}
    inside = {node.id for root in roots for node in tree.subtree(root.id)} | above
    return [
        [node.code, node.name, node.level, _parent_code(tree, node.id)]
        for node in tree.by_id.values()
        if node.id in inside
    ]


def _parent_code(tree: Tree, unit_id: int) -> str | None:
    node = tree.by_id.get(unit_id)
    if node is None or node.parent_id is None:
        return None
    return tree.by_id[node.parent_id].code


Scoped = Annotated[
    str | None,
    QueryParameter(
        name="scope", max_length=20, description="A unit's code; else all the caller may see"
    ),
]


@get(
    "/live/meetings/{meeting_id:int}/roster",
    sync_to_thread=True,
    include_in_schema=False,
    media_type="application/json",
)
def roster(
    request: ApiRequest, db: Database, meeting_id: Id, unit: Scoped = None
) -> Response[bytes]:
    """The roster for the board's page, with an ETag."""
    with db.reader() as session:
        found = read_roster(session, request.user.actor, meeting_id, unit, utcnow())
    body = msgspec.json.encode(found)
    tag = f'W/"{sha256(body).hexdigest()[:32]}"'
    # Personal, and asked for again each time; a page that has it gets 304.
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers | {"vary": VARY})
    return packed(request, body, headers)


VARY = "Cookie, Authorization, Accept-Encoding"
WORTH_PACKING = 16 * 1024
"""Bytes of JSON; below that packing saves no packet."""


def packed(
    request: Request[Any, Any, Any], body: bytes, headers: Mapping[str, str] = MappingProxyType({})
) -> Response[bytes]:
    """JSON for a page: a nation's 7 MB of names leave as 1.2 MB where the browser unpacks them."""
    told = {"vary": VARY, **headers}
    if len(body) >= WORTH_PACKING and "gzip" in request.headers.get("accept-encoding", ""):
        # Level 4: a sixth larger than level 9, in a fifth of its time.
        body = gzip.compress(body, compresslevel=4, mtime=0)
        told["content-encoding"] = "gzip"
    return Response(body, headers=told, media_type="application/json")


HANDLERS = [roster]
