"""How ready the points of a meeting are: counted by level and unit, and as a list that can be narrowed.

Counts and lists cost the same number of statements for any number of points.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from rooms.bridge_points import BridgePoint
from rooms.folding import has_words
from rooms.hierarchy import Tree, Unit
from rooms.kernel import civil_day
from rooms.line_tests import LineItem, LineTest, Outcome, Result, counts_for
from rooms.meetings import Meeting, MeetingState, Participation, standing_invitation
from rooms.outages import Outage
from rooms.policies import Actor, Permission, governed
from rooms.rollup import Scope, lies_within
from rooms.technicians import NAME_TO_CALL, PHONE_TO_CALL


@dataclass(slots=True)
class Readiness:
    """Points by what their line test says."""

    points: int = 0
    ready: int = 0
    problem: int = 0
    partial: int = 0
    untested: int = 0

    def count(self, outcome: str, by: int) -> None:
        self.points += by
        setattr(self, outcome, getattr(self, outcome) + by)


@dataclass(frozen=True, slots=True)
class ReadinessRollup:
    """The points of a scope; `units` has every unit at or above an invited one."""

    total: Readiness = field(default_factory=Readiness)
    levels: dict[str, Readiness] = field(default_factory=lambda: defaultdict(Readiness))
    units: dict[int, Readiness] = field(default_factory=lambda: defaultdict(Readiness))


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What of the list is wanted; empty is everything."""

    outcome: str = ""
    item: str = ""
    """Only points with a problem of this item."""
    level: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class PointReadiness:
    """A line of the list."""

    participation_id: int
    point_id: int
    point: str
    unit_id: int
    unit_code: str
    unit: str
    level: str
    is_main: bool
    technician: str
    phone: str
    results: Mapping[str, str]
    notes: Mapping[str, str]
    faults: Mapping[str, int]
    outcome: str
    tested_at: datetime | None
    out_of_service: bool
    """An outage reaches into the time for which the point is held."""


NO_WORD = Outcome.UNTESTED.value
outcome_said = func.coalesce(LineTest.outcome, NO_WORD)
# In the order in which technicians care, which is that of the words.
_URGENCY = case({outcome.value: place for place, outcome in enumerate(Outcome)}, value=outcome_said)


def readiness(session: Session, meeting: Meeting, scope: Scope, tree: Tree) -> ReadinessRollup:
    """Count the points of a scope; one statement."""
    counted = ReadinessRollup()
    rows = session.execute(
        select(Participation.unit_id, outcome_said, func.count())
        .outerjoin(LineTest, _of_point(meeting))
        .where(_invited(meeting, scope))
        .group_by(Participation.unit_id, outcome_said)
    )
    chains: dict[int, list[Readiness]] = {}
    for unit_id, outcome, number in rows:
        chain = chains.get(unit_id)
        if chain is None:
            above = tree.ancestry(unit_id)
            chain = [counted.units[node.id] for node in above]
            if above:
                chain.append(counted.levels[above[0].level])
            chains[unit_id] = chain
        for counts in (counted.total, *chain):
            counts.count(outcome, number)
    return counted


def lines_of(
    session: Session,
    meeting: Meeting,
    scope: Scope,
    wanted: Narrowed,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[list[PointReadiness], int]:
    """The points of a scope, problems first, then in the order of the tree; and how many there are.

    Two statements. Without a limit all of them, for a file.
    """
    chosen = (
        select(Participation.id, func.count().over().label("total"))
        .join(Unit, Unit.id == Participation.unit_id)
        .outerjoin(LineTest, _of_point(meeting))
        .where(_invited(meeting, scope), *_narrowing(wanted))
        .order_by(_URGENCY, Unit.position, Participation.point_id)
        .offset(offset)
        .limit(limit)
    )
    # The telephone of whom to call is looked up for the lines that are shown, not for those skipped.
    page = chosen.subquery("page")
    rows = session.execute(
        _LINE.add_columns(_out_of_service(meeting), page.c.total)
        .join(page, page.c.id == Participation.id)
        .outerjoin(LineTest, _of_point(meeting))
        .order_by(_URGENCY, Unit.position, Participation.point_id)
    ).all()
    return [_line(row) for row in rows], rows[0].total if rows else 0


def line_of(session: Session, meeting: Meeting, point_id: int) -> PointReadiness | None:
    """The line of one point; None where it is not invited."""
    row = session.execute(
        _LINE.add_columns(_out_of_service(meeting))
        .outerjoin(LineTest, _of_point(meeting))
        .where(_invited(meeting, Scope()), Participation.point_id == point_id)
    ).one_or_none()
    return None if row is None else _line(row)


@dataclass(frozen=True, slots=True)
class Missing:
    """How far the line tests of a meeting are, as far as somebody looks after its points."""

    meeting_id: int
    title: str
    starts_at: datetime
    points: int
    ready: int
    problem: int

    @property
    def missing(self) -> int:
        return self.points - self.ready


def missing_tests(session: Session, actor: Actor, now: datetime, until: datetime) -> list[Missing]:
    """The meetings that begin before `until` and have points that are not ready, the next first."""
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.title,
            Meeting.starts_at,
            func.count(),
            func.count().filter(LineTest.outcome == Outcome.READY.value),
            func.count().filter(LineTest.outcome == Outcome.PROBLEM.value),
        )
        .join(Participation, Participation.meeting_id == Meeting.id)
        .outerjoin(
            LineTest,
            and_(
                LineTest.meeting_id == Meeting.id,
                LineTest.point_id == Participation.point_id,
                LineTest.tested_for == Meeting.starts_at,
            ),
        )
        .where(
            Meeting.state == MeetingState.SCHEDULED.value,
            Meeting.ends_at > now,
            Meeting.starts_at < until,
            standing_invitation(),
            governed(actor, Permission.POINT_WRITE, Participation.unit_id, civil_day(now)),
        )
        .group_by(Meeting.id, Meeting.title, Meeting.starts_at)
        .order_by(Meeting.starts_at, Meeting.id)
    )
    found = [Missing(*row) for row in rows]
    return [each for each in found if each.missing]


_LINE: Any = (
    select(
        Participation.id,
        Participation.point_id,
        BridgePoint.name.label("point"),
        Participation.unit_id,
        Unit.code,
        Unit.name.label("unit"),
        Unit.level,
        Participation.is_main,
        NAME_TO_CALL.label("technician"),
        PHONE_TO_CALL.label("phone"),
        LineTest,
    )
    .select_from(Participation)
    .join(Unit, Unit.id == Participation.unit_id)
    .join(BridgePoint, BridgePoint.id == Participation.point_id)
)


def _of_point(meeting: Meeting) -> ColumnElement[bool]:
    return and_(LineTest.point_id == Participation.point_id, counts_for(meeting))


def _invited(meeting: Meeting, scope: Scope) -> ColumnElement[bool]:
    return and_(
        Participation.meeting_id == meeting.id,
        standing_invitation(),
        lies_within(scope, meeting.day),
    )


def _narrowing(wanted: Narrowed) -> list[ColumnElement[bool]]:
    found = has_words(Unit.folded.expression, wanted.words)
    if wanted.outcome:
        found.append(outcome_said == wanted.outcome)
    if wanted.item:
        found.append(_result(LineItem(wanted.item)) == Result.PROBLEM.value)
    if wanted.level:
        found.append(Unit.level == wanted.level)
    return found


def _result(item: LineItem) -> InstrumentedAttribute[str]:
    column: InstrumentedAttribute[str] = getattr(LineTest, item.value)
    return column


def _out_of_service(meeting: Meeting) -> ColumnElement[bool]:
    return (
        exists()
        .where(
            Outage.point_id == Participation.point_id,
            Outage.starts_at < meeting.held_until,
            or_(Outage.ends_at.is_(None), Outage.ends_at > meeting.held_from),
        )
        .correlate(Participation)
        .label("out_of_service")
    )


def _line(row: Any) -> PointReadiness:
    test: LineTest | None = row.LineTest
    return PointReadiness(
        participation_id=row.id,
        point_id=row.point_id,
        point=row.point,
        unit_id=row.unit_id,
        unit_code=row.code,
        unit=row.unit,
        level=row.level,
        is_main=row.is_main,
        technician=row.technician or "",
        phone=row.phone or "",
        results={
            item.value: getattr(test, item.value) if test else Result.UNTESTED.value
            for item in LineItem
        },
        notes=test.notes if test else {},
        faults=test.faults if test else {},
        outcome=test.outcome if test else NO_WORD,
        tested_at=test.tested_at if test and test.outcome != NO_WORD else None,
        out_of_service=bool(row.out_of_service),
    )
