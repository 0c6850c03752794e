"""Check-ins, the state at any instant, and the log of a meeting day."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.api.paging import MOST
from meetings_server.database import Database
from meetings_server.live.picture import MeetingFacts
from meetings_server.live.roster import Roster, Scoped, read_roster
from meetings_server.live.running import check_in_soon
from meetings_server.reading import read_instant
from rooms.attendance import (
    LARGEST_HEADCOUNT,
    AttendanceEntry,
    CheckIn,
    Presence,
    Source,
    log_after,
    revision_of,
)
from rooms.help_calls import Trouble
from rooms.hierarchy import Tree, load_tree
from rooms.kernel import LARGEST_ID, FieldInvalid, civil_day, utcnow
from rooms.meetings import Meeting, visible_meeting
from rooms.policies import Actor
from rooms.rollup import Attendance, PointNow, Scope, attendance, state_at, visible_scope


class CheckInIn(msgspec.Struct, forbid_unknown_fields=True):
    """What an operator declares; what is left out stays as it was said before."""

    state: Annotated[str, msgspec.Meta(max_length=20, examples=["present"])]
    """`ready`, `present`, `lost`, `needs_help` or `left`."""
    headcount: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_HEADCOUNT)] | None = None
    head_of_delegation: Annotated[str, msgspec.Meta(max_length=120)] | None = None
    note: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    trouble: Trouble | None = None
    """What help is needed with; only with `needs_help`."""
    observed_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """When it was so; now where it is left out."""


class CheckedIn(msgspec.Struct):
    """The revision of the log that holds what was declared."""

    revision: int


class PointOut(msgspec.Struct):
    """A point; `state` is `invited` before it said anything, `late` for the present who came late."""

    point: int
    unit: str
    state: Presence
    since: datetime | None
    headcount: int | None
    head_of_delegation: str
    note: str


class CountsOut(msgspec.Struct):
    """Points by state; `present` counts all who are present, `late` those of them who are late."""

    invited: int
    present: int
    late: int
    lost: int
    needs_help: int


class UnitCounts(CountsOut):
    """A unit with everything below it."""

    unit: str


class LevelCounts(CountsOut):
    """All units of a level in the scope."""

    level: str


class AttendanceOut(msgspec.Struct):
    """A scope of a meeting, now or at an instant."""

    meeting: MeetingFacts
    revision: int
    scope: str
    at: datetime | None
    points: list[PointOut]
    rollup: list[UnitCounts]
    levels: list[LevelCounts]


class EntryOut(msgspec.Struct):
    """A row of the log; without a point the meeting itself changed."""

    revision: int
    point: int | None
    state: str
    headcount: int | None
    head_of_delegation: str
    note: str
    observed_at: datetime
    recorded_at: datetime
    recorded_by: int | None
    source: str
    device: int | None
    """The tablet at the door on which it was said, by nobody who is known."""


class LogOut(msgspec.Struct):
    """Rows in order. `next_after` is there when more follow."""

    items: list[EntryOut]
    revision: int
    """Everything up to here has been looked at, whether or not the caller may see all of it."""
    next_after: int | None = None


@post(
    "/meetings/{meeting_id:int}/attendance/{point_id:int}",
    lately=True,
    status_code=HTTP_200_OK,
    summary="Check a point in",
)
async def declare(
    request: ApiRequest, meeting_id: Id, point_id: Id, data: JSONBody[CheckInIn]
) -> CheckedIn:
    """Answers after the commit. What says nothing new writes nothing."""
    said = CheckIn(
        meeting_id=meeting_id,
        point_id=point_id,
        state=data.state,
        recorded_by=request.user.person_id,
        source=Source.API,
        headcount=data.headcount,
        head_of_delegation=data.head_of_delegation,
        note=data.note,
        trouble=data.trouble.value if data.trouble else "",
        observed_at=data.observed_at,
    )
    return CheckedIn(await check_in_soon(request.app, request.user.actor, said))


@get(
    "/meetings/{meeting_id:int}/attendance",
    sync_to_thread=True,
    summary="Who is there, now or at an instant",
)
def read_attendance(
    request: ApiRequest,
    db: Database,
    meeting_id: Id,
    at: Annotated[
        str | None, QueryParameter(max_length=40, description="An instant, ISO 8601 with offset")
    ] = None,
    unit: Scoped = None,
) -> AttendanceOut:
    """The state of every invited point of the scope, with the roll-up by level and parent."""
    instant = _instant(at)
    with db.reader() as session:
        meeting, tree, scope = _admit(session, request.user.actor, meeting_id, unit)
        return shape_attendance(
            attendance(session, meeting, scope, at=instant, tree=tree), scope, instant
        )


@get(
    "/meetings/{meeting_id:int}/attendance/log",
    sync_to_thread=True,
    summary="The log past a revision",
)
def read_log(
    request: ApiRequest,
    db: Database,
    meeting_id: Id,
    after: Annotated[int, QueryParameter(ge=0, le=LARGEST_ID)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST)] = MOST,
) -> LogOut:
    """Rows of the points that the caller may see, and of the meeting itself."""
    with db.reader() as session:
        meeting, _, scope = _admit(session, request.user.actor, meeting_id, None)
        rows = log_after(session, meeting.id, after, limit + 1)
        more = len(rows) > limit
        rows = rows[:limit]
        if scope.roots:
            visible = {point.point_id for point in state_at(session, meeting.id, None, scope)}
            shown = [row for row in rows if row.point_id is None or row.point_id in visible]
        else:
            shown = rows
        last = rows[-1].revision if rows else max(after, revision_of(session, meeting.id))
        return LogOut([_entry(row) for row in shown], last, last if more else None)


@get(
    "/meetings/{meeting_id:int}/attendance/roster",
    sync_to_thread=True,
    summary="Names, units and places of the points",
)
def read_facts(request: ApiRequest, db: Database, meeting_id: Id, unit: Scoped = None) -> Roster:
    """What of a board does not move; rows in the order of the named columns."""
    with db.reader() as session:
        return read_roster(session, request.user.actor, meeting_id, unit, utcnow())


def _admit(
    session: Session, actor: Actor, meeting_id: int, code: str | None
) -> tuple[Meeting, Tree, Scope]:
    today = civil_day(utcnow())
    meeting = visible_meeting(session, actor, meeting_id, today)
    tree = load_tree(session, meeting.day)
    return meeting, tree, visible_scope(session, actor, meeting, tree, today, code)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    # A plus sign that was not escaped arrives as a space.
    instant = read_instant(text.replace(" ", "+"))
    if instant is None:
        raise FieldInvalid("at", "not_an_instant")
    return instant


def shape_attendance(found: Attendance, scope: Scope, at: datetime | None = None) -> AttendanceOut:
    by_id = found.tree.by_id
    return AttendanceOut(
        meeting=MeetingFacts.of(found.meeting),
        revision=found.revision,
        scope=scope.code,
        at=at,
        points=[_point(point, found.tree) for point in found.points],
        rollup=[
            UnitCounts(**asdict(counts), unit=by_id[unit_id].code)
            for unit_id, counts in found.rollup.units.items()
        ],
        levels=[
            LevelCounts(**asdict(counts), level=x) for x, counts in found.rollup.levels.items()
        ],
    )


def _point(point: PointNow, tree: Tree) -> PointOut:
    node = tree.by_id.get(point.unit_id)
    return PointOut(
        point=point.point_id,
        unit=node.code if node else "",
        state=Presence(point.state),
        since=point.since,
        headcount=point.headcount,
        head_of_delegation=point.head_of_delegation,
        note=point.note,
    )


def _entry(row: AttendanceEntry) -> EntryOut:
    return EntryOut(
        revision=row.revision,
        point=row.point_id,
        state=row.state,
        headcount=row.headcount,
        head_of_delegation=row.head_of_delegation,
        note=row.note,
        observed_at=row.observed_at,
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
        source=row.source,
        device=row.device_id,
    )


HANDLERS = [declare, read_attendance, read_log, read_facts]
