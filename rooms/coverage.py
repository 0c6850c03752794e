"""Which share of the meetings was run through this system.

The plan for 2022–2025 asks for 100 % of the city's meetings and 80 % of the districts'. Counted are
meetings with other units than the host:

- run here: opened in this system (in progress, ended, concluded), so that it holds their attendance;
- not opened: their invitation went out from here and their end has passed, but nobody opened them: they
  took place without the system, or not at all, and nobody said which. They count as run elsewhere;
- run elsewhere: what a unit states for a month, because no system knows what is not in it.

The share is run here ÷ (run here + not opened + run elsewhere). Cancelled and postponed meetings and
drafts count nowhere. A unit that has stated nothing for a month has not said nought: such months are
told beside the share, which is then the highest possible.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, exists, func, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from rooms.hierarchy import Unit, UnitIds
from rooms.kernel import CIVIL_ZONE, Base, FieldInvalid, bounded_text
from rooms.lineage import require_existing
from rooms.meetings import Meeting, MeetingState, Participation
from rooms.periods import Period, month_after
from rooms.policies import Actor, Permission, require
from rooms.punctuality import TOOK_PLACE

TARGETS: dict[str, float] = {"city": 1.0, "district": 0.8}
"""By level of the host: what the plan for 2022–2025 asks for."""
MOST_MEETINGS = 1000
"""In a month; more is a slip of the finger."""


class ElsewhereStatement(Base):
    """How many meetings of a unit in a month were not run through this system."""

    __tablename__ = "elsewhere_statement"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    meetings: Mapped[int]
    note: Mapped[str] = mapped_column(default="")
    stated_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    stated_at: Mapped[datetime]

    __table_args__ = (Index(None, "month"),)


def state_elsewhere(
    session: Session,
    actor: Actor,
    unit_id: int,
    month: date,
    meetings: int,
    note: str,
    now: datetime,
) -> ElsewhereStatement:
    """Say, or correct, how many meetings of a unit were run elsewhere in a month; 0 is a statement.

    Needs the right to make meetings there. Raises `NotPermitted`, `UnitEnded` and `FieldInvalid`:
    `month` (not the first day, not yet begun), `meetings`, `note`.
    """
    today = now.astimezone(CIVIL_ZONE).date()
    require(session, actor, Permission.MEETING_WRITE, unit_id, today)
    require_existing(session, unit_id, month)
    if month.day != 1:
        raise FieldInvalid("month", "not_a_date")
    if month > today:
        raise FieldInvalid("month", "day_to_come")
    if not 0 <= meetings <= MOST_MEETINGS:
        raise FieldInvalid("meetings", "out_of_range", f"0–{MOST_MEETINGS}")
    statement = session.get(ElsewhereStatement, (unit_id, month))
    if statement is None:
        statement = ElsewhereStatement(unit_id=unit_id, month=month)
        session.add(statement)
    statement.meetings = meetings
    statement.note = bounded_text("note", note, 500)
    statement.stated_by = actor.person_id
    statement.stated_at = now
    session.flush()
    return statement


@dataclass(slots=True)
class Share:
    """Numbers of meetings, and of months for which a host has (not) stated how many ran elsewhere."""

    here: int = 0
    unopened: int = 0
    elsewhere: int = 0
    stated: int = 0
    unstated: int = 0

    @property
    def total(self) -> int:
        return self.here + self.unopened + self.elsewhere

    @property
    def share(self) -> float | None:
        """None where there was no meeting at all."""
        return self.here / self.total if self.total else None

    def add(self, other: "Share") -> None:
        self.here += other.here
        self.unopened += other.unopened
        self.elsewhere += other.elsewhere
        self.stated += other.stated
        self.unstated += other.unstated


@dataclass(frozen=True, slots=True)
class HostShare:
    """A unit that hosted meetings, or stated that it had."""

    unit_id: int
    code: str
    name: str
    level: str
    valid_until: date | None
    share: Share


@dataclass(frozen=True, slots=True)
class Coverage:
    """Levels and hosts in the order of the tree; months in order, each with its levels."""

    levels: dict[str, Share] = field(default_factory=dict)
    months: dict[date, dict[str, Share]] = field(default_factory=dict)
    hosts: list[HostShare] = field(default_factory=list)


def coverage(session: Session, units: UnitIds, period: Period, now: datetime) -> Coverage:
    """The shares of the hosts among units, by level and month; three statements.

    Statements are made for months, so a period counts with all months that it touches. A month is
    awaited from a unit once it is over: from units of the levels that have a target, and from others
    that hosted or stated something in the period.
    """
    period = in_months(period)
    today = now.astimezone(CIVIL_ZONE).date()
    cells: dict[tuple[int, date], Share] = defaultdict(Share)
    for unit_id, starts_at, state in session.execute(_counted(units, period, now)):
        month = starts_at.astimezone(CIVIL_ZONE).date().replace(day=1)
        cell = cells[unit_id, month]
        if state in TOOK_PLACE:
            cell.here += 1
        else:
            cell.unopened += 1
    statement = ElsewhereStatement
    stated: set[tuple[int, date]] = set()
    for unit_id, month, meetings in session.execute(
        select(statement.unit_id, statement.month, statement.meetings).where(
            statement.unit_id.in_(units),
            statement.month >= period.first.replace(day=1),
            statement.month < period.after,
        )
    ):
        cells[unit_id, month].elsewhere += meetings
        stated.add((unit_id, month))
    months = _months(period, today)
    hosts = session.execute(
        select(Unit.id, Unit.code, Unit.name, Unit.level, Unit.valid_from, Unit.valid_until)
        .where(Unit.id.in_(units))
        .order_by(Unit.position, Unit.id)
    ).all()
    seen = {unit_id for unit_id, _ in cells}
    found = Coverage(months={month: {} for month in months})
    for unit_id, code, name, level, valid_from, valid_until in hosts:
        if unit_id not in seen and level not in TARGETS:
            continue
        own = Share()
        for month in months:
            cell = cells.get((unit_id, month), Share())
            existed = valid_from < month_after(month) and (
                valid_until is None or valid_until > month
            )
            if (unit_id, month) in stated:
                cell.stated = 1
            elif existed and month_after(month) <= today:
                cell.unstated = 1
            found.months[month].setdefault(level, Share()).add(cell)
            own.add(cell)
        found.levels.setdefault(level, Share()).add(own)
        found.hosts.append(HostShare(unit_id, code, name, level, valid_until, own))
    return found


def in_months(period: Period) -> Period:
    """A period with all of the months that it touches."""
    return replace(period, first=period.first.replace(day=1), after=month_after(period.last))


def _months(period: Period, today: date) -> list[date]:
    months = []
    month = period.first.replace(day=1)
    while month < period.after and month <= today:
        months.append(month)
        month = month_after(month)
    return months


def _counted(units: UnitIds, period: Period, now: datetime) -> Any:
    other = aliased(Participation)
    return select(Meeting.host_unit_id, Meeting.starts_at, Meeting.state).where(
        Meeting.host_unit_id.in_(units),
        Meeting.starts_at >= period.starts_at,
        Meeting.starts_at < period.ends_at,
        (Meeting.state.in_(TOOK_PLACE))
        | ((Meeting.state == MeetingState.SCHEDULED.value) & (Meeting.ends_at < now)),
        exists()
        .where(
            other.meeting_id == Meeting.id,
            other.withdrawn_at.is_(None),
            other.is_main.is_(False),
        )
        .correlate(Meeting),
    )


def meetings_counted(
    session: Session, units: UnitIds, period: Period, now: datetime, limit: int, offset: int = 0
) -> tuple[list[Any], int]:
    """The list behind the share: meeting, name and level of its host, the latest first; one statement.

    The number is that of all of them.
    """
    counted = _counted(units, in_months(period), now).with_only_columns(Meeting.id)
    rows = session.execute(
        select(Meeting, Unit.name, Unit.level, func.count().over())
        .join(Unit, Unit.id == Meeting.host_unit_id)
        .where(Meeting.id.in_(counted))
        .order_by(Meeting.starts_at.desc(), Meeting.id.desc())
        .limit(limit)
        .offset(offset)
    ).all()
    return list(rows), rows[0][3] if rows else 0


def statements_of(session: Session, unit_id: int, months: Iterable[date]) -> dict[date, Any]:
    """What a unit has stated for months; one statement."""
    rows = session.scalars(
        select(ElsewhereStatement).where(
            ElsewhereStatement.unit_id == unit_id, ElsewhereStatement.month.in_(list(months))
        )
    )
    return {row.month: row for row in rows}
