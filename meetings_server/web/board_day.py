"""What the board asks while it is open: notes and reminders, an instant of the day, the day as a line."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.live.roster import Scoped, packed
from meetings_server.reading import read_instant
from meetings_server.web.pages import PageRequest
from rooms.attendance import PointState, Presence, Source, start_of
from rooms.help_calls import RUNNING
from rooms.help_lists import queue
from rooms.hierarchy import load_tree
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.meetings import Meeting, Participation, visible_meeting
from rooms.policies import Actor
from rooms.reminders import last_reminders, remind
from rooms.rollup import Scope, lies_within, state_at, visible_scope
from rooms.time_line import counts_over, day_of

TELLING = frozenset({Presence.LOST.value, Presence.NEEDS_HELP.value, Presence.LEFT.value})
"""States whose note the board shows."""
STEPS = 240
"""Instants of the line: more are not seen on a screen."""
DAY_COLUMNS = ("at", "invited", "present", "late", "lost", "needs_help")
MOST_AT_ONCE = 100_000
"""Points in one press: more than there are."""

Notes = dict[str, list[Any]]
Reminders = dict[str, list[Any]]


def notes_of(session: Session, meeting: Meeting, scope: Scope) -> Notes:
    """What points said with a state that calls for attention: id → [note, head of delegation, video].

    `video`: not a person said so, but the video system.
    """
    rows = session.execute(
        select(
            PointState.point_id,
            PointState.note,
            PointState.head_of_delegation,
            PointState.source == Source.VIDEO.value,
        )
        .join(
            Participation,
            and_(
                Participation.meeting_id == PointState.meeting_id,
                Participation.point_id == PointState.point_id,
            ),
        )
        .where(
            PointState.meeting_id == meeting.id,
            PointState.state.in_(sorted(TELLING)),
            or_(
                PointState.note != "",
                PointState.head_of_delegation != "",
                PointState.source == Source.VIDEO.value,
            ),
            Participation.withdrawn_at.is_(None),
            lies_within(scope, meeting.day),
        )
    )
    return {str(point_id): [note, head, bool(video)] for point_id, note, head, video in rows}


def reminders_of(session: Session, meeting: Meeting, scope: Scope) -> Reminders:
    """The last reminder of each point: id → [when, by whom, how often in all]."""
    found = last_reminders(session, meeting.id)
    if found and scope.roots:
        inside = set(
            session.scalars(
                select(Participation.point_id).where(
                    Participation.meeting_id == meeting.id, lies_within(scope, meeting.day)
                )
            )
        )
        found = {point_id: last for point_id, last in found.items() if point_id in inside}
    return {
        str(point_id): [last.at.isoformat(), last.by, last.times]
        for point_id, last in found.items()
    }


Helps = dict[str, list[Any]]


def helps_of(session: Session, actor: Actor, meeting_id: int, on: date) -> Helps:
    """The calls for help that run, by point: [id of the call, who looks after it]."""
    return {
        str(line.call.point_id): [line.call.id, line.helper]
        for line in queue(session, actor, meeting_id, on)
        if line.call.state in RUNNING
    }


def _admit(
    session: Session, actor: Actor, meeting_id: int, code: str | None, now: datetime
) -> tuple[Meeting, Scope]:
    today = civil_day(now)
    meeting = visible_meeting(session, actor, meeting_id, today)
    tree = load_tree(session, meeting.day)
    return meeting, visible_scope(session, actor, meeting, tree, today, code)


@get("/meetings/{meeting_id:int}/board/notes", include_in_schema=False, sync_to_thread=True)
def board_notes(
    request: PageRequest, db: Database, meeting_id: int, unit: Scoped = None
) -> Response[bytes]:
    """The notes that go with lost lines and requests for help, and who was reminded."""
    now = utcnow()
    with db.reader() as session:
        actor = request.user.actor
        meeting, scope = _admit(session, actor, meeting_id, unit or None, now)
        told = {
            "helps": helps_of(session, actor, meeting.id, civil_day(now)),
            "notes": notes_of(session, meeting, scope),
            "reminders": reminders_of(session, meeting, scope),
        }
    return packed(request, msgspec.json.encode(told))


@get("/meetings/{meeting_id:int}/board/instant", include_in_schema=False, sync_to_thread=True)
def board_at(
    request: PageRequest,
    db: Database,
    meeting_id: int,
    at: Annotated[str, QueryParameter(max_length=40)],
    unit: Scoped = None,
) -> Response[bytes]:
    """The board as it was: what `GET …/attendance?at=` answers, in rows as the live frames have them."""
    instant = read_instant(at.replace(" ", "+"))
    if instant is None:
        raise FieldInvalid("at", "not_an_instant")
    with db.reader() as session:
        meeting, scope = _admit(session, request.user.actor, meeting_id, unit or None, utcnow())
        points = state_at(session, meeting.id, instant, scope)
        told = {
            "at": instant,
            "columns": ["point", "state", "since", "headcount"],
            "points": [[p.point_id, p.state, p.since, p.headcount] for p in points],
            "notes": {
                str(p.point_id): [p.note, p.head_of_delegation, p.source == Source.VIDEO]
                for p in points
                if p.state in TELLING
                and (p.note or p.head_of_delegation or p.source == Source.VIDEO)
            },
        }
    return packed(request, msgspec.json.encode(told))


@get("/meetings/{meeting_id:int}/board/day", include_in_schema=False, sync_to_thread=True)
def board_day(
    request: PageRequest, db: Database, meeting_id: int, unit: Scoped = None
) -> Response[bytes]:
    """The counts over the day so far, at equal distances."""
    now = utcnow()
    with db.reader() as session:
        meeting, scope = _admit(session, request.user.actor, meeting_id, unit or None, now)
        since, until = day_of(meeting, now)
        until = min(until, now) if now > since else since
        counts = counts_over(session, meeting, scope, since=since, until=until, steps=STEPS)
        told = {
            "since": since,
            "until": until,
            "start": start_of(meeting.starts_at, meeting.started_at),
            "over": meeting.ended_at is not None,
            "columns": DAY_COLUMNS,
            "rows": [[getattr(row, name) for name in DAY_COLUMNS] for row in counts],
        }
    return packed(request, msgspec.json.encode(told))


class RemindIn(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to remind: ids of points."""

    points: Annotated[list[int], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]


class RemindedOut(msgspec.Struct):
    """How many were told, told lately and so left alone, already there; and their last reminders."""

    told: int
    lately: int
    there: int
    reminders: Reminders


@post(
    "/meetings/{meeting_id:int}/board/remind",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def board_remind(
    request: PageRequest, db: Database, meeting_id: int, data: JSONBody[RemindIn]
) -> RemindedOut:
    """Remind absent points to come; who was told within the last minutes is left alone."""
    now = utcnow()
    with db.transaction() as session:
        done = remind(session, request.user.actor, meeting_id, data.points, now)
        before = last_reminders(session, meeting_id)
        reminders: Reminders = {
            str(point_id): [
                before[point_id].at.isoformat(),
                before[point_id].by,
                before[point_id].times,
            ]
            for point_id in data.points
            if point_id in before
        }
    return RemindedOut(len(done.told), done.lately, done.there, reminders)


HANDLERS = [board_notes, board_at, board_day, board_remind]
