"""Meetings of the past year, written in bulk: what reports of the demonstration tell of.

They are put down as they would have been left behind (invitations, log, present states); nobody is
written to, and no room is held.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from meetings_server.demo.answers import REASONS, person_name
from meetings_server.demo.day import Host, at
from rooms.attendance import (
    AttendanceEntry,
    AttendanceHead,
    PointState,
    Presence,
    Source,
    entry_row,
)
from rooms.bridge_points import BridgePoint
from rooms.coverage import ElsewhereStatement
from rooms.folding import fold as folded
from rooms.hierarchy import Node, Tree
from rooms.kernel import CIVIL_ZONE
from rooms.meetings import Meeting, MeetingKind, MeetingState, Participation, Reply
from rooms.people import NewPerson, add_person
from rooms.periods import months_before
from rooms.standings import as_row, fold
from rooms.workdays import is_working_day

MONTHS = 12
TITLES = (
    ("Phiên họp thường kỳ tháng của UBND Thành phố", MeetingKind.PERIODIC),
    ("Hội nghị trực tuyến về giải ngân vốn đầu tư công", MeetingKind.THEMATIC),
)
DISTRICT_TITLE = "Họp trực tuyến của quận, huyện với các phường, xã"
HOSTING_DISTRICTS = 8
MEETINGS_OF_DISTRICTS = 4
"""In a month."""
SILENT_DISTRICTS = 4
"""Every so many districts has not stated its last month."""


@dataclass(frozen=True, slots=True)
class PastMeeting:
    """A meeting that was held. `points`: unit and point of the invited, the main one first."""

    title: str
    kind: MeetingKind
    host_unit_id: int
    chair_id: int
    written_by: int
    starts_at: datetime
    length: timedelta
    points: Sequence[tuple[int, int]]
    absent: float
    """Share of the points that never came."""
    late: float
    cut: float
    """Share of those whose line was cut for a while."""


def write_history(session: Session, meetings: Iterable[PastMeeting], seed: int = 1) -> list[int]:
    """Put meetings down with their invitations and logs; six statements, whatever their number."""
    chance = random.Random(seed)  # noqa: S311 -- a play, not a secret
    connection = session.connection()
    held = list(meetings)
    ids = list(
        connection.scalars(
            insert(Meeting).returning(Meeting.id, sort_by_parameter_order=True),
            [_meeting(meeting) for meeting in held],
        )
    )
    invitations: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    states: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    for meeting_id, meeting in zip(ids, held, strict=True):
        said = sorted(_days(meeting, chance, invitations, meeting_id), key=lambda row: row[0])
        lines: dict[int, list[Any]] = {}
        for revision, (observed, point_id, state, headcount, head) in enumerate(said, start=1):
            entries.append(
                entry_row(
                    meeting_id,
                    revision,
                    point_id,
                    state,
                    observed,
                    observed,
                    headcount=headcount,
                    head_of_delegation=head,
                    recorded_by=meeting.written_by,
                    source=Source.API.value,
                )
            )
            lines.setdefault(point_id, []).append(
                as_row(state, headcount, head, "", observed, revision, Source.API.value)
            )
        for point_id, line in lines.items():
            standing = fold(line)
            if standing is not None:
                names = standing.__slots__
                states.append(
                    {"meeting_id": meeting_id, "point_id": point_id}
                    | {name: getattr(standing, name) for name in names}
                )
        heads.append({"meeting_id": meeting_id, "revision": len(said)})
    for table, rows in (
        (Participation, invitations),
        (AttendanceEntry, entries),
        (PointState, states),
        (AttendanceHead, heads),
    ):
        if rows:
            connection.execute(insert(table), rows)
    return ids


def _meeting(meeting: PastMeeting) -> dict[str, Any]:
    return {
        "uid": f"{uuid4()}@demo",
        "title": meeting.title,
        "folded": folded(meeting.title),
        "kind": meeting.kind.value,
        "state": MeetingState.CONCLUDED.value,
        "host_unit_id": meeting.host_unit_id,
        "main_point_id": meeting.points[0][1],
        "chair_id": meeting.chair_id,
        "starts_at": meeting.starts_at,
        "ends_at": meeting.starts_at + meeting.length,
        "timezone": CIVIL_ZONE.key,
        "setup_minutes": 30,
        "clearing_minutes": 15,
        "audience": [],
        "created_by": meeting.written_by,
        "created_at": meeting.starts_at - timedelta(days=12),
        "scheduled_at": meeting.starts_at - timedelta(days=10),
        "started_at": meeting.starts_at + timedelta(minutes=1),
        "ended_at": meeting.starts_at + meeting.length - timedelta(minutes=4),
    }


def _days(
    meeting: PastMeeting,
    chance: random.Random,
    invitations: list[dict[str, Any]],
    meeting_id: int,
) -> Iterable[tuple[datetime, int, str, int | None, str]]:
    """What each point said, in no order; its invitation is put to the others."""
    for place, (unit_id, point_id) in enumerate(meeting.points):
        is_main = place == 0
        lot = 1.0 if is_main else chance.random()
        comes = lot >= meeting.absent
        # Of those who do not come every other one has said so.
        declined = not comes and lot < meeting.absent / 2
        invitations.append(
            {
                "meeting_id": meeting_id,
                "unit_id": unit_id,
                "point_id": point_id,
                "is_main": is_main,
                "invited_at": meeting.starts_at - timedelta(days=10),
                "reply": (Reply.DECLINED if declined else Reply.ACCEPTED).value,
                "reply_reason": chance.choice(REASONS) if declined else "",
                "replied_at": meeting.starts_at - timedelta(days=6),
                "is_substitute": comes and not is_main and chance.random() < 0.06,  # noqa: PLR2004 -- shares of a play
            }
        )
        if not comes:
            continue
        late = not is_main and chance.random() < meeting.late
        first = chance.uniform(3, 20) if late else -chance.uniform(2, 14)
        people, head = chance.randint(3, 18), person_name(chance)

        def say(
            minute: float,
            state: Presence,
            point_id: int = point_id,
            people: int = people,
            head: str = head,
        ) -> tuple[datetime, int, str, int | None, str]:
            seconds = round(minute * 60)
            moment = meeting.starts_at + timedelta(seconds=seconds)
            return moment, point_id, state.value, people, head

        yield say(first, Presence.PRESENT)
        if not is_main and chance.random() < meeting.cut:
            away = max(first, 0) + chance.uniform(5, 30)
            yield say(away, Presence.LOST)
            yield say(away + chance.uniform(1, 9), Presence.PRESENT)


def seed_past(session: Session, tree: Tree, host: Host, now: datetime) -> None:
    """A year of meetings of the city and of some districts, and what hosts state of the others."""
    points = dict(
        session.execute(
            select(BridgePoint.unit_id, BridgePoint.id).order_by(BridgePoint.id.desc())
        ).all()
    )
    today = now.astimezone(CIVIL_ZONE).date()
    months = list(months_before(today.replace(day=1), MONTHS - 1))
    city = tree.by_id[host.unit_id]
    districts = [node for node in tree.children.get(city.id, ()) if node.level == "district"]
    invited = [(node.id, points[node.id]) for node in tree.children.get(city.id, ())]
    hosting = districts[:HOSTING_DISTRICTS]
    chance = random.Random(7)  # noqa: S311 -- a play, not a secret
    chairs = {
        node.id: add_person(
            session,
            NewPerson(f"chutich.{node.code.lower()}", person_name(chance), "Chủ tịch UBND"),
            node.id,
            today,
        ).id
        for node in hosting
    }
    past: list[PastMeeting] = []
    for number, month in enumerate(months):
        # Discipline grows over the year: a trend that can be seen.
        grown = number / max(len(months) - 1, 1)
        habits = (0.14 - 0.09 * grown, 0.2 - 0.13 * grown, 0.09 - 0.05 * grown)
        for place, (title, kind) in enumerate(TITLES):
            starts = at(_working_day(month, 6 + 12 * place), 8)
            here = [(city.id, host.point_id), *invited]
            past.append(
                PastMeeting(
                    title,
                    kind,
                    city.id,
                    host.chair_id,
                    host.actor.person_id,
                    starts,
                    timedelta(hours=2),
                    here,
                    *habits,
                )
            )
        for place in range(MEETINGS_OF_DISTRICTS if hosting else 0):
            node = hosting[(number * MEETINGS_OF_DISTRICTS + place) % len(hosting)]
            past.append(_of_district(tree, points, node, chairs[node.id], month, habits))
    write_history(session, past)
    _state(session, host, city, districts, months)


def _of_district(
    tree: Tree,
    points: dict[int, int],
    node: Node,
    chair_id: int,
    month: date,
    habits: tuple[float, float, float],
) -> PastMeeting:
    below = [(ward.id, points[ward.id]) for ward in tree.children.get(node.id, ())]
    return PastMeeting(
        DISTRICT_TITLE,
        MeetingKind.PERIODIC,
        node.id,
        chair_id,
        chair_id,
        at(_working_day(month, 20), 14),
        timedelta(minutes=90),
        [(node.id, points[node.id]), *below],
        *habits,
    )


def _working_day(month: date, day: int) -> date:
    found = month.replace(day=day)
    while not is_working_day(found):
        found += timedelta(days=1)
    return found


def _state(
    session: Session, host: Host, city: Node, districts: Sequence[Node], months: Sequence[date]
) -> None:
    """The city ran nothing elsewhere, districts less and less; a few have not stated the last month."""
    rows = []
    for number, month in enumerate(months):
        for place, node in enumerate([city, *districts]):
            if month == months[-1] and place % SILENT_DISTRICTS == SILENT_DISTRICTS - 1:
                continue
            many = 0 if node.id == city.id else int(place % 16 == number + 1)
            rows.append(
                {
                    "unit_id": node.id,
                    "month": month,
                    "meetings": many,
                    "note": "Họp tại hội trường" if many else "",
                    "stated_by": host.actor.person_id,
                    "stated_at": at(month + timedelta(days=32), 9),
                }
            )
    if rows:
        session.connection().execute(insert(ElsewhereStatement), rows)
