"""What became of units: who came before and after, and who stands for what no longer exists.

A unit is one span of life, so its own row tells what it was called; where it stood is told by its
ancestry on a day of that life. This module leads from one span to the next.
"""

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import ClassVar

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    literal,
    or_,
    select,
    true,
    union,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from rooms.directory import Step, paths
from rooms.folding import fold, has_words
from rooms.hierarchy import (
    Succession,
    Unit,
    UnitAncestry,
    UnitIds,
    UnknownUnit,
    subtree_of,
    valid_on,
)
from rooms.kernel import CIVIL_ZONE, Conflict
from rooms.reorganisation.records import Reorganisation, ReorganisationState

_LIVED = or_(Unit.valid_until.is_(None), Unit.valid_until > Unit.valid_from)
"""Not a unit of a reorganisation that was taken back before its day."""


def days_of_change(session: Session) -> list[date]:
    """The first days of every shape that the tree has had or will have, in order; one statement.

    A reorganisation that only moves units below other parents begins and ends none.
    """
    days: CompoundSelect[date | None] = union(
        select(Unit.valid_from).where(_LIVED),
        select(Unit.valid_until).where(_LIVED, Unit.valid_until.is_not(None)),
        select(Reorganisation.day).where(
            Reorganisation.state.in_(
                [ReorganisationState.APPLIED.value, ReorganisationState.IN_FORCE.value]
            )
        ),
    )
    return sorted(day for day in session.scalars(days) if day is not None)


def shape_on(days: list[date], on: date) -> date:
    """The day from which the tree has looked as it does on a day; `days` as `days_of_change` has them.

    Days between two changes share one tree, and so one reading of it.
    """
    place = bisect_right(days, on)
    return days[place - 1] if place else on


@dataclass(frozen=True, slots=True)
class Relative:
    """A unit before or after another, as it stood on the day next to the change.

    `extent`: `whole` or `part`. `is_main`: inherits by default. `path`: from its parent to the root.
    """

    id: int
    code: str
    name: str
    level: str
    day: date
    extent: str
    is_main: bool
    valid_from: date
    valid_until: date | None
    path: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """The direct neighbours of a unit in time, in the order of the days."""

    predecessors: list[Relative]
    successors: list[Relative]


def lineage(session: Session, unit: Unit) -> Lineage:
    """Whom a unit took over from, and who takes over from it.

    One statement, and one for the places of each change.
    """
    rows = session.execute(
        select(
            Unit.id,
            Unit.code,
            Unit.name,
            Unit.level,
            Succession.day,
            Succession.extent,
            Succession.is_main,
            Unit.valid_from,
            Unit.valid_until,
            Succession.successor_id == unit.id,
        )
        .join(
            Unit,
            or_(
                and_(Succession.successor_id == unit.id, Unit.id == Succession.predecessor_id),
                and_(Succession.predecessor_id == unit.id, Unit.id == Succession.successor_id),
            ),
        )
        .order_by(Succession.day, Succession.is_main.desc(), Unit.position, Unit.id)
    ).all()
    found = Lineage([], [])
    for day, before in sorted({(row.day, row[9]) for row in rows}):
        beside = [row for row in rows if (row.day, row[9]) == (day, before)]
        # Before the change for what ended with it, from the change on for what began with it.
        path = paths(
            session, [row.id for row in beside], day - timedelta(days=1) if before else day
        )
        (found.predecessors if before else found.successors).extend(
            Relative(*row[:9], path=tuple(path.get(row.id, ()))) for row in beside
        )
    return found


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A unit that stood, or stands, on a day for another one; `path` from its parent to the root."""

    id: int
    code: str
    name: str
    path: tuple[Step, ...]


def counterparts(session: Session, unit: Unit, on: date) -> list[Counterpart]:
    """Who stood on a day for a unit that did not exist then; two statements, any number of changes.

    Before its first day its predecessors, theirs where they did not exist either, and so on; after
    its last day the same with successors. None where the line was broken.
    """
    if unit.valid_from <= on and (unit.valid_until is None or on < unit.valid_until):
        return []
    earlier = on < unit.valid_from
    here = Succession.successor_id if earlier else Succession.predecessor_id
    there = Succession.predecessor_id if earlier else Succession.successor_id
    line = select(literal(unit.id).label("unit_id")).cte("line", recursive=True)
    # On from those that did not exist either; who did stands for them, whatever it gave away itself.
    line = line.union(
        select(there)
        .join(line, here == line.c.unit_id)
        .join(Unit, and_(Unit.id == line.c.unit_id, ~valid_on(Unit, on)))
    )
    rows = session.execute(
        select(Unit.id, Unit.code, Unit.name)
        .where(Unit.id.in_(select(line.c.unit_id)), valid_on(Unit, on))
        .order_by(Unit.position, Unit.id)
    ).all()
    path = paths(session, [row.id for row in rows], on)
    return [Counterpart(*row, tuple(path.get(row.id, ()))) for row in rows]


def keepers(session: Session, unit_ids: Collection[int], on: date) -> dict[int, Step]:
    """For each of these units that no longer exists on a day: who keeps its affairs; one statement."""
    if not unit_ids:
        return {}
    ended, keeper = aliased(Unit), aliased(Unit)
    rows = session.execute(
        select(ended.id, keeper.id, keeper.code, keeper.name)
        .join(UnitAncestry, UnitAncestry.unit_id == ended.id)
        .join(keeper, keeper.id == UnitAncestry.ancestor_id)
        .where(
            ended.id.in_(unit_ids),
            ended.valid_until <= on,
            UnitAncestry.depth == 1,
            valid_on(UnitAncestry, on),
        )
    )
    return {row[0]: Step(row[1], row[2], row[3]) for row in rows}


def with_kept(units: UnitIds, on: date) -> Select[int]:
    """Ids of units, and of those that no longer exist and whose affairs they keep on a day.

    What an abolished unit left behind lies on the desk of its main successor.
    """
    wanted = units.subquery()
    only = select(wanted.c[0])
    ended = aliased(Unit)
    return select(Unit.id).where(
        or_(
            Unit.id.in_(only),
            Unit.id.in_(
                select(UnitAncestry.unit_id)
                .join(ended, ended.id == UnitAncestry.unit_id)
                .where(
                    UnitAncestry.ancestor_id.in_(only),
                    UnitAncestry.depth == 1,
                    ended.valid_until <= on,
                    valid_on(UnitAncestry, on),
                )
            ),
        )
    )


@dataclass
class UnitEnded(Conflict):
    """What only an existing unit may do: it ended, and `day` is the first on which it is gone."""

    code: ClassVar[str] = "unit_ended"
    unit: str
    day: date


def require_existing(session: Session, unit_id: int, on: date) -> None:
    """Raises `UnitEnded`."""
    unit = session.get_one(Unit, unit_id)
    if unit.valid_until is not None and unit.valid_until <= on:
        raise UnitEnded(unit.name, unit.valid_until)


def own_units(unit_id: int, on: date) -> Select[int]:
    """Ids of a unit, of those that will take its place, and of those whose affairs it keeps.

    Before the day of a reorganisation an invitation may already name a unit that does not exist yet:
    it is its predecessors' business until then.
    """
    return (
        select(UnitAncestry.unit_id)
        .join(Unit, Unit.id == UnitAncestry.unit_id)
        .where(
            UnitAncestry.ancestor_id == unit_id,
            valid_on(UnitAncestry, on),
            or_(
                Unit.id == unit_id,
                and_(UnitAncestry.depth == 1, or_(Unit.valid_from > on, Unit.valid_until <= on)),
            ),
        )
    )


AS_OF = "@"


def asked_unit(session: Session, said: str, today: date) -> tuple[Unit, Select[int]]:
    """The unit that an address names, and the ids of the units meant by "it and below".

    `00004` is the unit that bears the code today, failing that the last one that bore it;
    `00004@2025-06-30` the one that bore it on that day. Below a unit of today stands also what it
    has taken over; below one that is gone only what stood there on its last day. Raises
    `UnknownUnit`.
    """
    code, _, day_text = said.partition(AS_OF)
    day = today
    if day_text:
        try:
            day = date.fromisoformat(day_text)
        except ValueError:
            raise UnknownUnit(said, today) from None
    borne = select(Unit).where(Unit.code == code)
    unit = session.scalar(borne.where(valid_on(Unit, day)))
    if unit is None and not day_text:
        unit = session.scalar(
            borne.where(Unit.valid_until <= day, _LIVED).order_by(Unit.valid_until.desc()).limit(1)
        )
    if unit is None:
        raise UnknownUnit(said, day)
    on = shown_day(unit, today)
    if on == today:
        return unit, subtree_of(unit.id, today)
    return unit, select(Unit.id).where(Unit.id.in_(subtree_of(unit.id, on)), valid_on(Unit, on))


def found_unit(session: Session, said: str, today: date) -> tuple[Unit | None, Select[int]]:
    """As `asked_unit`; no unit, and none below it, where the text is empty or nobody knows it."""
    if said:
        try:
            return asked_unit(session, said, today)
        except UnknownUnit:
            pass
    return None, select(Unit.id).where(Unit.id.is_(None))


def in_lifetime(
    instant: InstrumentedAttribute[datetime], unit: Unit, today: date
) -> ColumnElement[bool]:
    """Before a unit ended: what its parts did later is not its doing. Always, where it still exists."""
    if unit.valid_until is None or unit.valid_until > today:
        return true()
    return instant < datetime.combine(unit.valid_until, time(0), CIVIL_ZONE)


def shown_day(unit: Unit, today: date) -> date:
    """Today, or the last or first day of a unit that does not exist today."""
    if unit.valid_until is not None and unit.valid_until <= today:
        return unit.valid_until - timedelta(days=1)
    return max(today, unit.valid_from)


@dataclass(frozen=True, slots=True)
class Former:
    """A unit of the past that a search found, and who keeps its affairs now."""

    id: int
    code: str
    name: str
    level: str
    last_day: date
    keeper: Step | None

    @property
    def key(self) -> str:
        """How an address names it: its code may be another unit's by now."""
        return f"{self.code}{AS_OF}{self.last_day}"


def former_units(session: Session, query: str, on: date, limit: int) -> list[Former]:
    """Units that no longer exist on a day, by their name or code, the last ones first; two statements.

    Nothing for an empty query.
    """
    if not fold(query):
        return []
    rows = session.execute(
        select(Unit.id, Unit.code, Unit.name, Unit.level, Unit.valid_until)
        .where(Unit.valid_until <= on, _LIVED, *has_words(Unit.folded.expression, query))
        .order_by(Unit.valid_until.desc(), Unit.position, Unit.id)
        .limit(limit)
    ).all()
    kept = keepers(session, [row.id for row in rows], on)
    return [
        Former(
            row.id,
            row.code,
            row.name,
            row.level,
            row.valid_until - timedelta(days=1),
            kept.get(row.id),
        )
        for row in rows
    ]
