"""The day has come: people and rooms move to the main successors of their units."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.orm import Session

from rooms.auditing import audited
from rooms.bridge_points import IN_ORDER, BridgePoint
from rooms.hierarchy import Succession, Unit
from rooms.kernel import CIVIL_ZONE, Event, record
from rooms.meetings import Meeting, Participation
from rooms.people import Person
from rooms.reorganisation.comparing import Comparison, compare_written
from rooms.reorganisation.grants import pass_on, passing_grants
from rooms.reorganisation.invitations import write_aims
from rooms.reorganisation.ownership import points_of_plan
from rooms.reorganisation.reaiming import Aiming, coming_meetings
from rooms.reorganisation.records import ReaimedMeeting, Reorganisation, ReorganisationState

FACTS = ("lat", "lon", "email", "phone")
"""What a plan says of units that go on, besides what they are called and where they stand."""


@dataclass(frozen=True)
class UnitsReorganised(Event):
    """The day of a reorganisation has come; `Succession` says who inherits since `day`."""

    reorganisation_id: int
    day: date


def come_into_force(session: Session, today: date, now: datetime) -> int:
    """Let every applied reorganisation whose day has come take effect; doing it twice changes nothing.

    Returns how many did.
    """
    due = session.scalars(
        select(Reorganisation)
        .where(
            Reorganisation.state == ReorganisationState.APPLIED.value, Reorganisation.day <= today
        )
        .order_by(Reorganisation.day, Reorganisation.id)
        # Another process that is at the same one lets us wait, and then there is nothing to do.
        .with_for_update()
    ).all()
    for reorganisation in due:
        _catch_up(session, reorganisation, now)
        take_effect(session, reorganisation, now)
    return len(due)


def take_effect(session: Session, reorganisation: Reorganisation, now: datetime) -> None:
    """Move people and rooms, and take over what the plan says of units that go on."""
    day = reorganisation.day
    heirs = dict(
        session.execute(
            select(Succession.predecessor_id, Succession.successor_id)
            .join(Unit, and_(Unit.id == Succession.predecessor_id, Unit.valid_until == day))
            .where(Succession.day == day, Succession.is_main)
        ).all()
    )
    _move_people(session, day)
    _move_points(session, heirs)
    _take_facts(session, reorganisation)
    reorganisation.state = ReorganisationState.IN_FORCE.value
    reorganisation.in_force_at = now
    session.flush()
    audited(
        session,
        "take_effect",
        "reorganisation",
        reorganisation.id,
        after={"day": day},
        label=reorganisation.name,
    )
    record(session, UnitsReorganised(reorganisation.id, day))


def _move_people(session: Session, day: date) -> None:
    passed = (
        select(Succession.successor_id)
        .join(Unit, Unit.id == Succession.predecessor_id)
        .where(
            Succession.predecessor_id == Person.unit_id,
            Succession.day == day,
            Succession.is_main,
            Unit.valid_until == day,
        )
    )
    session.execute(
        update(Person)
        .where(passed.exists())
        .values(unit_id=passed.scalar_subquery())
        .execution_options(synchronize_session=False)
    )
    for known in list(session.identity_map.values()):
        if isinstance(known, Person):
            session.expire(known)


def _move_points(session: Session, heirs: dict[int, int]) -> None:
    """Inherited rooms come behind the heir's own, in the order they had."""
    behind: dict[int, int] = defaultdict(int)
    moved: list[dict[str, Any]] = []
    rows = session.execute(
        select(BridgePoint.id, BridgePoint.unit_id, BridgePoint.position).order_by(*IN_ORDER)
    ).all()
    for _point, unit_id, position in rows:
        behind[unit_id] = max(behind[unit_id], position + 1)
    for point, unit_id, position in rows:
        if unit_id in heirs:
            heir = heirs[unit_id]
            moved.append({"id": point, "unit_id": heir, "position": behind[heir] + position})
    if moved:
        session.execute(update(BridgePoint), moved)
    for known in list(session.identity_map.values()):
        if isinstance(known, BridgePoint):
            session.expire(known)


def _take_facts(session: Session, reorganisation: Reorganisation) -> None:
    told = {row.code: row for row in reorganisation.read_plan().units}
    day = reorganisation.day
    changed = []
    for row in session.execute(
        select(Unit.id, Unit.code, *(getattr(Unit, name) for name in FACTS)).where(
            Unit.code.in_(told), Unit.valid_from < day, Unit.valid_until.is_(None)
        )
    ):
        new = {
            name: value
            for name in FACTS
            if (value := getattr(told[row.code], name)) is not None and value != getattr(row, name)
        }
        if new:
            changed.append({"id": row.id} | {name: getattr(row, name) for name in FACTS} | new)
    if changed:
        session.execute(update(Unit), changed)
        for known in list(session.identity_map.values()):
            if isinstance(known, Unit):
                session.expire(known)


def _catch_up(session: Session, reorganisation: Reorganisation, now: datetime) -> None:
    """What was made between applying and the day, and still hangs on units that end."""
    comparison = compare_written(session, reorganisation.read_plan(), reorganisation.day)
    pass_on(session, passing_grants(session, comparison), reorganisation.day)
    late = coming_meetings(session, reorganisation.day, only=_hangs_on(comparison))
    if not late:
        return
    since = datetime.combine(reorganisation.day, datetime.min.time(), CIVIL_ZONE)
    points = points_of_plan(session, comparison, since)
    aims = list(Aiming(session, comparison, points).aims(late))
    for kept in session.scalars(
        select(ReaimedMeeting).where(
            ReaimedMeeting.reorganisation_id == reorganisation.id,
            ReaimedMeeting.meeting_id.in_([aim.meeting.id for aim in aims]),
        )
    ).all():
        session.delete(kept)
    session.flush()
    names = {node.id: node.name for node in comparison.before.by_id.values()} | {
        unit_id: row.name for unit_id, row in comparison.begun.items()
    }
    write_aims(session, None, reorganisation, aims, {}, names, now)


def _hangs_on(comparison: Comparison) -> Any:
    ended = list(comparison.ended)
    return or_(
        Meeting.host_unit_id.in_(ended),
        # Correlated: it looks only at the invitations of the meetings that are to come.
        exists()
        .where(
            Participation.meeting_id == Meeting.id,
            Participation.unit_id.in_(ended),
            Participation.withdrawn_at.is_(None),
        )
        .correlate(Meeting),
    )
