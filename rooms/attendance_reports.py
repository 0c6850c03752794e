"""Attendance over many meetings: by unit, level, parent and month, from the summaries of closed meetings.

Whole months come from `unit_month`, the days at the edges of a period from `point_summary`; a year of
a city is then some thousand rows. Names, levels and parents are those of each meeting's day: a ward
that was merged stands there under its own name as long as it existed, and its successor beside it.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from rooms.hierarchy import Unit, UnitIds
from rooms.meetings import Meeting
from rooms.periods import Period, month_after, months_before
from rooms.punctuality import CLOSED, Outcome, Tally
from rooms.summaries import EDITION, SUMS, MeetingSummary, PointSummary, UnitMonth, sums_of_points

TREND_MONTHS = 12

Key = TypeVar("Key", bound=Hashable)


class Order(StrEnum):
    """By what units are ranked, the worst first."""

    MISSED = "missed"
    ABSENT = "absent"
    LATE = "late"
    UNIT = "unit"
    """In the order of the tree."""


@dataclass(frozen=True, slots=True)
class UnitLine:
    """A unit in a report; `valid_until` is None while it exists."""

    unit_id: int
    code: str
    name: str
    level: str
    parent_name: str
    valid_until: date | None
    tally: Tally


@dataclass(frozen=True, slots=True)
class ParentLine:
    """What was below a unit on the days of the meetings."""

    unit_id: int
    code: str
    name: str
    level: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class AttendanceReport:
    """A period. `waiting`: closed meetings of it that are not summed up yet."""

    period: Period
    total: Tally
    meetings: int
    waiting: int
    levels: dict[str, Tally] = field(default_factory=dict)
    parents: list[ParentLine] = field(default_factory=list)
    units: list[UnitLine] = field(default_factory=list)
    trend: list[tuple[date, Tally]] = field(default_factory=list)
    """The last months until the end of the period, by their first days."""


def add_sums(into: Tally, sums: Any) -> None:
    """Add the columns of `SUMS`, which may be NULL where there is no row."""
    told = dict(zip(SUMS, (int(value or 0) for value in sums), strict=True))
    for name in ("expected", "missed"):
        length = timedelta(seconds=told.pop(name))
        setattr(into, name, getattr(into, name) + length)
    for name, value in told.items():
        setattr(into, name, getattr(into, name) + value)


def attendance_report(
    session: Session, units: UnitIds, period: Period, level: str = ""
) -> AttendanceReport:
    """A period for units: everything that they were invited to; seven statements.

    `level`: only units that were of it on the day of the meeting.
    """
    rows = [*_months(session, units, period, level), *_edges(session, units, period, level)]
    named = _named(session, {row[0] for row in rows} | {row[1] for row in rows})
    total = Tally()
    levels: dict[str, Tally] = {}
    by_unit: dict[tuple[int, str], Tally] = {}
    by_parent: dict[int, Tally] = {}
    last_parent: dict[tuple[int, str], int] = {}
    for unit_id, parent_id, level_then, *sums in rows:
        last_parent[unit_id, level_then] = parent_id
        for tally in (
            total,
            _of(levels, level_then),
            _of(by_unit, (unit_id, level_then)),
            _of(by_parent, parent_id),
        ):
            add_sums(tally, sums)
    place = {unit_id: number for number, unit_id in enumerate(named)}
    return AttendanceReport(
        period,
        total,
        _meetings(session, units, period, level),
        _waiting(session, period),
        levels,
        [
            ParentLine(parent_id, *named[parent_id][:3], by_parent[parent_id])
            for parent_id in sorted(by_parent, key=place.__getitem__)
        ],
        [
            UnitLine(
                unit_id,
                *named[unit_id][:2],
                level_then,
                named[last_parent[unit_id, level_then]].name,
                named[unit_id].valid_until,
                by_unit[unit_id, level_then],
            )
            for unit_id, level_then in sorted(by_unit, key=lambda key: place[key[0]])
        ],
        _trend(session, units, period, level),
    )


def ranked(lines: list[UnitLine], order: Order) -> list[UnitLine]:
    """Units with the worst figure first; among equals as they came."""
    keys: dict[Order, Callable[[UnitLine], Any]] = {
        Order.MISSED: lambda line: line.tally.missed,
        Order.ABSENT: lambda line: (line.tally.absent, line.tally.invited),
        Order.LATE: lambda line: line.tally.late,
    }
    return sorted(lines, key=keys[order], reverse=True) if order in keys else lines


def _of(tallies: dict[Key, Tally], key: Key) -> Tally:
    return tallies.setdefault(key, Tally())


def _months(session: Session, units: UnitIds, period: Period, level: str) -> list[Any]:
    first, after = period.whole_months
    if first == after:
        return []
    table = UnitMonth
    return list(
        session.execute(
            select(
                table.unit_id,
                table.parent_id,
                table.level,
                *(func.sum(getattr(table, name)) for name in SUMS),
            )
            .where(
                table.month >= first,
                table.month < after,
                table.unit_id.in_(units),
                *([table.level == level] if level else []),
            )
            .group_by(table.unit_id, table.parent_id, table.level)
        )
    )


def _edges(session: Session, units: UnitIds, period: Period, level: str) -> list[Any]:
    """The days of the period before its first whole month and after its last."""
    first, after = period.whole_months
    table = PointSummary
    if first == after:
        days: ColumnElement[bool] = and_(table.day >= period.first, table.day < period.after)
    elif (first, after) == (period.first, period.after):
        return []
    else:
        days = or_(
            and_(table.day >= period.first, table.day < first),
            and_(table.day >= after, table.day < period.after),
        )
    return list(
        session.execute(
            select(table.unit_id, table.parent_id, table.level, *sums_of_points())
            .where(days, table.unit_id.in_(units), *([table.level == level] if level else []))
            .group_by(table.unit_id, table.parent_id, table.level)
        )
    )


class _Named(NamedTuple):
    code: str
    name: str
    level: str
    valid_until: date | None


def _named(session: Session, unit_ids: set[int]) -> dict[int, _Named]:
    """Code, name, level and last day by id, in the order of the tree."""
    rows = session.execute(
        select(Unit.id, Unit.code, Unit.name, Unit.level, Unit.valid_until)
        .where(Unit.id.in_(unit_ids))
        .order_by(Unit.position, Unit.id)
    )
    return {row[0]: _Named(*row[1:]) for row in rows}


def _trend(
    session: Session, units: UnitIds, period: Period, level: str
) -> list[tuple[date, Tally]]:
    months = list(months_before(period.after, TREND_MONTHS))
    table = UnitMonth
    trend = {month: Tally() for month in months}
    for month, *sums in session.execute(
        select(table.month, *(func.sum(getattr(table, name)) for name in SUMS))
        .where(
            table.month >= months[0],
            table.month < month_after(months[-1]),
            table.unit_id.in_(units),
            *([table.level == level] if level else []),
        )
        .group_by(table.month)
    ):
        add_sums(trend[month], sums)
    return list(trend.items())


def _meetings(session: Session, units: UnitIds, period: Period, level: str) -> int:
    """How many closed meetings these units were invited to."""
    table = PointSummary
    return (
        session.scalar(
            select(func.count()).where(
                MeetingSummary.day >= period.first,
                MeetingSummary.day < period.after,
                select(table.meeting_id)
                .where(
                    table.meeting_id == MeetingSummary.meeting_id,
                    table.unit_id.in_(units),
                    *([table.level == level] if level else []),
                )
                .correlate(MeetingSummary)
                .exists(),
            )
        )
        or 0
    )


def _waiting(session: Session, period: Period) -> int:
    return (
        session.scalar(
            select(func.count(Meeting.id))
            .outerjoin(
                MeetingSummary,
                and_(MeetingSummary.meeting_id == Meeting.id, MeetingSummary.edition == EDITION),
            )
            .where(
                Meeting.state.in_(CLOSED),
                Meeting.starts_at >= period.starts_at,
                Meeting.starts_at < period.ends_at,
                MeetingSummary.meeting_id.is_(None),
            )
        )
        or 0
    )


@dataclass(frozen=True, slots=True)
class InvitationLine:
    """An invitation of the list behind a figure. Times in seconds."""

    meeting_id: int
    title: str
    day: date
    unit_id: int
    unit_name: str
    level: str
    outcome: str
    is_substitute: bool
    late: int
    lost: int
    left_early: int
    interruptions: int
    headcount: int


FILTERS: dict[str, ColumnElement[bool]] = {
    "present": PointSummary.outcome.in_([Outcome.PRESENT.value, Outcome.LATE.value]),
    "late": PointSummary.outcome == Outcome.LATE.value,
    "absent": PointSummary.outcome.in_([Outcome.ABSENT.value, Outcome.DECLINED.value]),
    "unexcused": PointSummary.outcome == Outcome.ABSENT.value,
    "declined": PointSummary.outcome == Outcome.DECLINED.value,
    "substitute": PointSummary.is_substitute.is_(True),
    "missed": PointSummary.late + PointSummary.lost + PointSummary.left_early > 0,
    "interrupted": PointSummary.interruptions > 0,
}
"""Which invitations a figure counts."""


def invitations(
    session: Session,
    units: UnitIds,
    period: Period,
    *,
    level: str = "",
    only: str = "",
    limit: int,
    offset: int = 0,
) -> list[InvitationLine]:
    """The list behind the figures, the latest day first; one statement. `only`: a name of `FILTERS`."""
    table = PointSummary
    rows: Iterable[Any] = session.execute(
        select(
            table.meeting_id,
            Meeting.title,
            table.day,
            table.unit_id,
            Unit.name,
            table.level,
            table.outcome,
            table.is_substitute,
            table.late,
            table.lost,
            table.left_early,
            table.interruptions,
            table.headcount,
        )
        .join(Meeting, Meeting.id == table.meeting_id)
        .join(Unit, Unit.id == table.unit_id)
        .where(
            table.day >= period.first,
            table.day < period.after,
            table.unit_id.in_(units),
            *([table.level == level] if level else []),
            *([FILTERS[only]] if only else []),
        )
        .order_by(table.day.desc(), table.meeting_id.desc(), Unit.position, table.point_id)
        .limit(limit)
        .offset(offset)
    )
    return [InvitationLine(*row) for row in rows]
