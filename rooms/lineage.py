"""What became of units: who came before and after, and who stands for what no longer exists.

A unit is one span of life, so its own row tells what it was called; where it stood is told by its
ancestry on a day of that life. This module leads from one span to the next.
"""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Row, Select, literal, or_, select, union
from sqlalchemy.orm import Session, aliased

from rooms.directory import Step, paths
from rooms.folding import fold, has_words
from rooms.hierarchy import Succession, Unit, UnitAncestry, UnknownUnit, valid_on


def days_of_change(session: Session) -> list[date]:
    """The first days of every shape that the tree has had or will have, in order; one statement.

    A unit that only moves below another parent keeps its row, and gets new rows of ancestry.
    """
    begins = select(UnitAncestry.valid_from).where(UnitAncestry.depth <= 1)
    ends = select(Unit.valid_until).where(Unit.valid_until.is_not(None))
    days: Sequence[Row[date]] = session.execute(union(begins, ends)).all()
    return sorted(row[0] for row in days)


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
    """Whom a unit took over from, and who takes over from it; at most four statements."""
    return Lineage(
        _relatives(session, unit.id, before=True), _relatives(session, unit.id, before=False)
    )


def _relatives(session: Session, unit_id: int, *, before: bool) -> list[Relative]:
    other = Succession.predecessor_id if before else Succession.successor_id
    own = Succession.successor_id if before else Succession.predecessor_id
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
        )
        .join(Unit, Unit.id == other)
        .where(own == unit_id)
        .order_by(Succession.day, Succession.is_main.desc(), Unit.position, Unit.id)
    ).all()
    path: dict[int, list[Step]] = {}
    for day in {row.day for row in rows}:
        ids = [row.id for row in rows if row.day == day]
        # Before the change for what ended with it, from the change on for what began with it.
        path |= paths(session, ids, day - timedelta(days=1) if before else day)
    return [Relative(*row, path=tuple(path.get(row.id, ()))) for row in rows]


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
    line = line.union(select(there).where(here == line.c.unit_id))
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


def with_kept(units: Select[int], on: date) -> Select[int]:
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


AS_OF = "@"


def asked_unit(session: Session, said: str, today: date) -> tuple[Unit, date]:
    """The unit that an address names, and the day as of which "and below" is meant.

    `00004` is the unit that bears the code today, failing that the last one that bore it;
    `00004@2025-06-30` the one that bore it on that day. Of a unit that is gone the tree of its last
    day counts: what stood below it then. Raises `UnknownUnit`.
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
            borne.where(Unit.valid_until <= day).order_by(Unit.valid_until.desc()).limit(1)
        )
    if unit is None:
        raise UnknownUnit(said, day)
    return unit, shown_day(unit, today)


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
        .where(Unit.valid_until <= on, *has_words(Unit.folded.expression, query))
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
