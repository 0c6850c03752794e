"""Faults as they are read: the open ones of an area, the time to repair, the history of a point."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import zip_longest
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased

from rooms.attendance import AttendanceEntry, Presence
from rooms.bridge_points import BridgePoint
from rooms.faults import Fault, UnknownFault
from rooms.folding import has_words
from rooms.hierarchy import Unit, subtree_of
from rooms.kernel import civil_day
from rooms.meetings import Meeting, Participation
from rooms.outages import Outage
from rooms.people import Person
from rooms.policies import Actor, Permission, governed

STATES = ("open", "solved", "all")
REPAIR_WINDOW = timedelta(days=90)
MOST_REPAIRS = 5_000
MEETINGS_LOOKED_AT = 40
"""Meetings in which losses of a point are looked for: the newest ones."""
LOSS_WINDOW = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which faults to list. `unit_id` means that unit and everything below it."""

    state: str = "open"
    kind: str = ""
    unit_id: int | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class FaultLine:
    """A fault with where it is and who said so."""

    fault: Fault
    point: BridgePoint
    unit: Unit
    reporter: str
    solver: str | None
    outage: Outage | None
    meeting: str | None
    """Title of the meeting in which it was noticed."""

    @property
    def lasted(self) -> timedelta | None:
        """From noticing to solving; None while it is open."""
        return self.fault.solved_at - self.fault.noticed_at if self.fault.solved_at else None


def _lines() -> Select[*tuple[Any, ...]]:
    solver = aliased(Person)
    return (
        select(Fault, BridgePoint, Unit, Person.name, solver.name, Outage, Meeting.title)
        .join(BridgePoint, BridgePoint.id == Fault.point_id)
        .join(Unit, Unit.id == BridgePoint.unit_id)
        .join(Person, Person.id == Fault.reported_by)
        .outerjoin(solver, solver.id == Fault.solved_by)
        .outerjoin(Outage, Outage.id == Fault.outage_id)
        .outerjoin(Meeting, Meeting.id == Fault.meeting_id)
    )


def _in_area(actor: Actor, wanted: Wanted, on: date) -> list[ColumnElement[bool]]:
    conditions = [governed(actor, Permission.ATTENDANCE_READ, BridgePoint.unit_id, on)]
    if wanted.unit_id is not None:
        conditions.append(BridgePoint.unit_id.in_(subtree_of(wanted.unit_id, on)))
    if wanted.kind:
        conditions.append(Fault.kind == wanted.kind)
    conditions += has_words(Unit.folded.expression, wanted.words)
    return conditions


def _in_state(wanted: Wanted) -> list[ColumnElement[bool]]:
    if wanted.state == "open":
        return [Fault.solved_at.is_(None)]
    return [Fault.solved_at.is_not(None)] if wanted.state == "solved" else []


def list_faults(
    session: Session, actor: Actor, wanted: Wanted, on: date, limit: int, offset: int = 0
) -> tuple[list[FaultLine], int]:
    """The faults that the actor may see, and how many there are; one statement.

    Open ones come first: alone the oldest on top, beside solved ones the newest.
    """
    conditions = [*_in_area(actor, wanted, on), *_in_state(wanted)]
    order: tuple[Any, ...] = (
        (Fault.noticed_at, Fault.id)
        if wanted.state == "open"
        else (Fault.solved_at.is_not(None), Fault.noticed_at.desc(), Fault.id.desc())
    )
    rows = session.execute(
        _lines()
        .add_columns(func.count().over())
        .where(*conditions)
        .order_by(*order)
        .limit(limit)
        .offset(offset)
    ).all()
    return [FaultLine(*row[:-1]) for row in rows], rows[0][-1] if rows else 0


def faults_after(
    session: Session,
    actor: Actor,
    wanted: Wanted,
    on: date,
    after: int,
    limit: int,
    point_id: int | None = None,
) -> list[FaultLine]:
    """The faults that the actor may see with ids past `after`, in the order of ids."""
    conditions = [*_in_area(actor, wanted, on), *_in_state(wanted), Fault.id > after]
    if point_id is not None:
        conditions.append(Fault.point_id == point_id)
    rows = session.execute(_lines().where(*conditions).order_by(Fault.id).limit(limit))
    return [FaultLine(*row) for row in rows]


def one_fault(session: Session, fault_id: int) -> FaultLine:
    """A fault with where it is. Raises `UnknownFault`."""
    row = session.execute(_lines().where(Fault.id == fault_id)).first()
    if row is None:
        raise UnknownFault(fault_id)
    return FaultLine(*row)


@dataclass(frozen=True, slots=True)
class Repairs:
    """Faults solved in the last 90 days, and how long the middle one of them took."""

    solved: int
    median: timedelta | None


def repairs(session: Session, actor: Actor, wanted: Wanted, now: datetime) -> Repairs:
    """The time to repair in an area, whatever the state that is listed. One statement."""
    rows = session.execute(
        select(Fault.noticed_at, Fault.solved_at)
        .join(BridgePoint, BridgePoint.id == Fault.point_id)
        .join(Unit, Unit.id == BridgePoint.unit_id)
        .where(*_in_area(actor, wanted, civil_day(now)), Fault.solved_at > now - REPAIR_WINDOW)
        .order_by(Fault.solved_at.desc())
        .limit(MOST_REPAIRS)
    )
    spans = [solved_at - noticed_at for noticed_at, solved_at in rows if solved_at is not None]
    middle = median(span.total_seconds() for span in spans) if spans else None
    return Repairs(len(spans), timedelta(seconds=middle) if middle is not None else None)


def faults_of(session: Session, point_id: int, limit: int = 100) -> list[FaultLine]:
    """The newest faults of a point, open ones first."""
    rows = session.execute(
        _lines()
        .where(Fault.point_id == point_id)
        .order_by(Fault.solved_at.is_not(None), Fault.noticed_at.desc(), Fault.id.desc())
        .limit(limit)
    )
    return [FaultLine(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Loss:
    """The point lost its connection in a meeting; `until` is None where it did not come back."""

    meeting_id: int
    title: str
    since: datetime
    until: datetime | None
    note: str


def losses_of(session: Session, point_id: int, now: datetime) -> list[Loss]:
    """When a point was lost in its newest meetings of the last year, the newest first."""
    newest = (
        select(Participation.meeting_id)
        .join(Meeting, Meeting.id == Participation.meeting_id)
        .where(
            Participation.point_id == point_id,
            Participation.invited_at.is_not(None),
            Meeting.starts_at > now - LOSS_WINDOW,
            Meeting.starts_at <= now,
        )
        .order_by(Meeting.starts_at.desc())
        .limit(MEETINGS_LOOKED_AT)
        .subquery()
    )
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.title,
            Meeting.ended_at,
            AttendanceEntry.state,
            AttendanceEntry.observed_at,
            AttendanceEntry.note,
        )
        .join(newest, newest.c.meeting_id == Meeting.id)
        .join(AttendanceEntry, AttendanceEntry.meeting_id == Meeting.id)
        .where(AttendanceEntry.point_id == point_id)
        .order_by(Meeting.id, AttendanceEntry.observed_at, AttendanceEntry.revision)
    ).all()
    losses: list[Loss] = []
    open_loss: Loss | None = None
    for row, following in zip_longest(rows, rows[1:]):
        if row.state == Presence.LOST.value and open_loss is None:
            open_loss = Loss(row.id, row.title, row.observed_at, row.ended_at, row.note)
        elif row.state != Presence.LOST.value and open_loss is not None:
            losses.append(Loss(row.id, row.title, open_loss.since, row.observed_at, open_loss.note))
            open_loss = None
        if open_loss is not None and (following is None or following.id != row.id):
            losses.append(open_loss)
            open_loss = None
    return sorted(losses, key=lambda loss: loss.since, reverse=True)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One entry of a point's history: exactly one of the three is set."""

    at: datetime
    fault: FaultLine | None = None
    outage: Outage | None = None
    loss: Loss | None = None
    reporter: str | None = None


def history_of(session: Session, point_id: int, now: datetime, most: int = 60) -> list[Chapter]:
    """Faults, outages and losses of a point, the newest first; three statements."""
    chapters = [
        Chapter(line.fault.noticed_at, fault=line) for line in faults_of(session, point_id, most)
    ]
    chapters += [
        Chapter(outage.starts_at, outage=outage, reporter=reporter)
        for outage, reporter in session.execute(
            select(Outage, Person.name)
            .outerjoin(Person, Person.id == Outage.reported_by)
            .where(
                Outage.point_id == point_id,
                Outage.starts_at <= now,
            )
            .order_by(Outage.starts_at.desc())
            .limit(most)
        )
    ]
    chapters += [Chapter(loss.since, loss=loss) for loss in losses_of(session, point_id, now)]
    return sorted(chapters, key=lambda chapter: chapter.at, reverse=True)[:most]
