"""Writing the aims: participations, rooms held, and the line in each meeting's history.

Everything goes by sets, whatever the number of meetings: who stands from now on is laid down in a
temporary table, and participations and held rooms are brought to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Delete,
    Integer,
    MetaData,
    Table,
    Update,
    and_,
    case,
    delete,
    exists,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from rooms.booking import Occupancy
from rooms.bridge_points import BridgePoint
from rooms.endpoints import EndpointKind
from rooms.kernel import Event, record
from rooms.meetings import Meeting, MeetingChange, MeetingState, Participation
from rooms.policies import Actor
from rooms.reorganisation.ownership import Points
from rooms.reorganisation.reaiming import Aim
from rooms.reorganisation.records import ReaimedMeeting, Reorganisation

STANDING = Table(
    "standing_after",
    MetaData(),
    Column("meeting_id", Integer, primary_key=True),
    Column("point_id", Integer, primary_key=True),
    Column("unit_id", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True)
class MeetingsReaimed(Event):
    """A reorganisation, or taking it back, has changed who is invited to these meetings.

    `without_heir`: units whose invitations go to nobody.
    """

    reorganisation_id: int
    meeting_ids: tuple[int, ...]
    without_heir: tuple[int, ...]
    at: datetime
    taken_back: bool = False


def make_points(
    session: Session, points: Points, ids: Mapping[int, int], pattern: str
) -> dict[int, int]:
    """The points of units that inherit none; `pattern` has `{unit}`. Returns the ids written.

    A unit whose plan was taken back once has its point still.
    """
    homes = {number: ids[unit_id] for number, unit_id in points.made.items()}
    there = dict(
        session.execute(
            select(BridgePoint.unit_id, BridgePoint.id).where(
                BridgePoint.unit_id.in_(homes.values())
            )
        ).all()
    )
    missing = [number for number, unit_id in homes.items() if unit_id not in there]
    made: list[int] = []
    if missing:
        made += session.scalars(
            insert(BridgePoint).returning(BridgePoint.id, sort_by_parameter_order=True),
            [
                {
                    "unit_id": homes[number],
                    "name": pattern.format(unit=points.names[number])[:120],
                    "endpoint_kind": EndpointKind.NONE.value,
                    "endpoint_address": "",
                    "technician_name": "",
                    "technician_phone": "",
                }
                for number in missing
            ],
        )
    written = dict(zip(missing, made, strict=True))
    return {
        number: written[number] if number in written else there[unit_id]
        for number, unit_id in homes.items()
    }


def write_aims(
    session: Session,
    actor: Actor | None,
    reorganisation: Reorganisation,
    aims: Sequence[Aim],
    ids: Mapping[int, int],
    names: Mapping[int, str],
    now: datetime,
) -> None:
    """Bring meetings to their aims. `ids` leads from ids below 0, of units and points, to written ones.

    `names`: of units, before and after.
    """
    if not aims:
        return
    published = [aim for aim in aims if aim.meeting.state != MeetingState.DRAFT.value]
    told = tuple(aim.meeting.id for aim in published)
    session.flush()
    connection = session.connection()
    STANDING.create(connection)
    connection.execute(
        insert(STANDING),
        [
            {
                "meeting_id": aim.meeting.id,
                "point_id": ids.get(point, point),
                "unit_id": ids.get(unit_id, unit_id),
            }
            for aim in aims
            for point, unit_id in aim.standing.items()
        ],
    )
    _keep(session, reorganisation, aims, ids)
    _write_participations(session, aims, ids, now)
    _write_holds(session, aims, ids)
    _write_meetings(session, actor, reorganisation, aims, ids, names, now)
    STANDING.drop(connection)
    record(
        session,
        MeetingsReaimed(
            reorganisation.id, told, tuple({gone for aim in published for gone in aim.removed}), now
        ),
    )


def _keep(
    session: Session,
    reorganisation: Reorganisation,
    aims: Iterable[Aim],
    ids: Mapping[int, int],
) -> None:
    session.execute(
        insert(ReaimedMeeting),
        [
            {
                "reorganisation_id": reorganisation.id,
                "meeting_id": aim.meeting.id,
                "audience_before": aim.meeting.audience,
                "audience_after": [rule.as_json() for rule in aim.rules],
                "host_before": aim.meeting.host_unit_id,
                "host_after": ids.get(aim.host, aim.host),
                "main_point_before": aim.meeting.main_point_id,
                "main_point_after": ids.get(aim.main_point, aim.main_point),
                "points_before": aim.before,
                "points_after": len(aim.standing),
                "doubles": aim.doubles,
                "added": [ids.get(point, point) for point in aim.added],
            }
            for aim in aims
        ],
    )


def _write_participations(
    session: Session, aims: Sequence[Aim], ids: Mapping[int, int], now: datetime
) -> None:
    there = and_(
        STANDING.c.meeting_id == Participation.meeting_id,
        STANDING.c.point_id == Participation.point_id,
    )
    stands = exists().where(there)
    everywhere = select(STANDING.c.meeting_id)
    is_draft = Meeting.state == MeetingState.DRAFT.value
    drafts = select(Meeting.id).where(Meeting.id.in_(everywhere), is_draft)
    published = select(Meeting.id).where(Meeting.id.in_(everywhere), ~is_draft)
    _run(
        session,
        update(Participation)
        .where(
            Participation.meeting_id.in_(published), Participation.withdrawn_at.is_(None), ~stands
        )
        .values(withdrawn_at=now),
    )
    _run(session, delete(Participation).where(Participation.meeting_id.in_(drafts), ~stands))
    heir = select(STANDING.c.unit_id).where(there).scalar_subquery()
    _run(
        session,
        update(Participation)
        .where(Participation.meeting_id.in_(everywhere), stands, Participation.unit_id != heir)
        .values(unit_id=heir),
    )
    # Whom an earlier change had taken off, and the heirs' rules invite again.
    again = and_(Participation.meeting_id.in_(everywhere), Participation.withdrawn_at.is_not(None))
    _run(
        session,
        update(Participation).where(again, stands).values(withdrawn_at=None, invited_at=now),
    )
    for aim in aims:
        if aim.main_point != aim.meeting.main_point_id:
            _run(
                session,
                update(Participation)
                .where(Participation.meeting_id == aim.meeting.id)
                .values(
                    is_main=case((Participation.point_id == aim.main_point, True), else_=False)
                ),
            )
    known = _known(session, aims, ids)
    fresh = [
        {
            "meeting_id": aim.meeting.id,
            "unit_id": ids.get(aim.standing[point], aim.standing[point]),
            "point_id": ids.get(point, point),
            "is_main": point == aim.main_point,
            "invited_at": None if aim.meeting.state == MeetingState.DRAFT.value else now,
        }
        for aim in aims
        for point in aim.added
        if (aim.meeting.id, ids.get(point, point)) not in known
    ]
    if fresh:
        session.execute(insert(Participation), fresh)


def _known(session: Session, aims: Sequence[Aim], ids: Mapping[int, int]) -> set[tuple[int, int]]:
    """Which of the added points have a row in their meeting already, withdrawn until now."""
    points = {ids.get(point, point) for aim in aims for point in aim.added}
    if not points:
        return set()
    rows = session.execute(
        select(Participation.meeting_id, Participation.point_id).where(
            Participation.point_id.in_(points),
            Participation.meeting_id.in_(select(STANDING.c.meeting_id)),
        )
    )
    return {(meeting_id, point_id) for meeting_id, point_id in rows}


def _write_holds(session: Session, aims: Sequence[Aim], ids: Mapping[int, int]) -> None:
    holding = [aim for aim in aims if aim.holds_rooms]
    stands = exists().where(
        STANDING.c.meeting_id == Occupancy.meeting_id, STANDING.c.point_id == Occupancy.point_id
    )
    everywhere = select(STANDING.c.meeting_id)
    _run(session, delete(Occupancy).where(Occupancy.meeting_id.in_(everywhere), ~stands))
    fresh = [
        {
            "meeting_id": aim.meeting.id,
            "point_id": ids.get(point, point),
            "starts_at": aim.meeting.held_from,
            "ends_at": aim.meeting.held_until,
        }
        for aim in holding
        for point in aim.added
    ]
    if fresh:
        session.execute(insert(Occupancy), fresh)


def _write_meetings(
    session: Session,
    actor: Actor | None,
    reorganisation: Reorganisation,
    aims: Sequence[Aim],
    ids: Mapping[int, int],
    names: Mapping[int, str],
    now: datetime,
) -> None:
    def name(unit_id: int) -> str:
        return names.get(unit_id, "")

    session.execute(
        insert(MeetingChange),
        [
            {
                "meeting_id": aim.meeting.id,
                "at": now,
                # By command there is no person; the line then stands under who made the meeting.
                "actor_id": actor.person_id if actor else aim.meeting.created_by,
                "action": "reorganised",
                "reason": reorganisation.name,
                "detail": {
                    "reorganisation": reorganisation.id,
                    "day": reorganisation.day.isoformat(),
                    "points_before": aim.before,
                    "points_after": len(aim.standing),
                    "doubles": aim.doubles,
                    "added": len(aim.added),
                    "removed": len(aim.removed),
                    "units_added": [name(aim.standing[point]) for point in aim.added],
                    "units_removed": [name(unit_id) for unit_id in aim.removed],
                    "host_before": name(aim.meeting.host_unit_id),
                    "host_after": name(aim.host),
                    "audience_before": aim.meeting.audience,
                    "audience_after": [rule.as_json() for rule in aim.rules],
                },
            }
            for aim in aims
        ],
    )
    session.execute(
        update(Meeting),
        [
            {
                "id": aim.meeting.id,
                "audience": [rule.as_json() for rule in aim.rules],
                "host_unit_id": ids.get(aim.host, aim.host),
                "main_point_id": ids.get(aim.main_point, aim.main_point),
                "version": aim.meeting.version + 1,
                "sequence": aim.meeting.sequence + (aim.meeting.state != MeetingState.DRAFT.value),
            }
            for aim in aims
        ],
    )
    for aim in aims:
        session.expire(aim.meeting)


def _run(session: Session, statement: Update | Delete) -> None:
    # Past the session: hundreds of thousands of rows, which the history of each meeting tells of.
    session.connection().execute(statement)
