"""Looking units up: the tree level by level with counts, search, and lists for export.

Only what is shown is read, so that a nation of 11,372 units opens as fast as a city: the children
of the opened units in one statement, what lies below them counted in another.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from rooms.folding import fold, folded_pattern, has_words
from rooms.hierarchy import Unit, UnitAncestry, UnitRow, valid_on


@dataclass(frozen=True, slots=True)
class Line:
    """A unit as a line of a list. `below` counts what lies under it, by level."""

    id: int
    code: str
    level: str
    kind: str
    name: str
    parent_id: int | None
    below: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A unit on the way from another up to the root."""

    id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """Units that were asked for: `lines` of the page, `path` from a unit's parent to the root."""

    lines: list[Line]
    total: int
    path: dict[int, list[Step]]


def root_lines(session: Session, on: date) -> list[Line]:
    """The units without a parent on a day."""
    above = select(UnitAncestry.unit_id).where(UnitAncestry.depth == 1, valid_on(UnitAncestry, on))
    rows = session.execute(
        select(Unit.id, Unit.code, Unit.level, Unit.kind, Unit.name)
        .where(valid_on(Unit, on), Unit.id.not_in(above))
        .order_by(Unit.position, Unit.id)
    ).all()
    counts = _below(session, [row.id for row in rows], on)
    return [Line(*row, parent_id=None, below=counts[row.id]) for row in rows]


def lines_below(session: Session, parents: Collection[int], on: date) -> dict[int, list[Line]]:
    """The children of each of these units on a day, in their order. Two statements."""
    if not parents:
        return {}
    rows = session.execute(
        select(Unit.id, Unit.code, Unit.level, Unit.kind, Unit.name, UnitAncestry.ancestor_id)
        .join(UnitAncestry, UnitAncestry.unit_id == Unit.id)
        .where(
            UnitAncestry.ancestor_id.in_(parents),
            UnitAncestry.depth == 1,
            valid_on(UnitAncestry, on),
            valid_on(Unit, on),
        )
        .order_by(Unit.position, Unit.id)
    ).all()
    counts = _below(session, [row.id for row in rows], on)
    children: dict[int, list[Line]] = defaultdict(list)
    for row in rows:
        children[row.ancestor_id].append(Line(*row, below=counts[row.id]))
    return children


def _below(session: Session, ids: Collection[int], on: date) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    if ids:
        rows = session.execute(
            select(UnitAncestry.ancestor_id, Unit.level, func.count())
            .join(Unit, Unit.id == UnitAncestry.unit_id)
            .where(
                UnitAncestry.ancestor_id.in_(ids),
                UnitAncestry.depth > 0,
                valid_on(UnitAncestry, on),
                valid_on(Unit, on),
            )
            .group_by(UnitAncestry.ancestor_id, Unit.level)
            .order_by(func.min(UnitAncestry.depth), func.min(Unit.position))
        )
        for ancestor, level, number in rows:
            counts[ancestor][level] = number
    return counts


def level_counts(session: Session, on: date) -> dict[str, int]:
    """How many units of each level there are on a day, the top level first."""
    rows = session.execute(
        select(Unit.level, func.count())
        .where(valid_on(Unit, on))
        .group_by(Unit.level)
        .order_by(func.min(Unit.position))
    )
    return dict(rows.all())


def _wanted(query: str, level: str, on: date) -> ColumnElement[bool]:
    return and_(
        valid_on(Unit, on),
        *has_words(Unit.folded.expression, query),
        *([Unit.level == level] if level else []),
    )


def nearest_first(column: ColumnElement[str], query: str) -> ColumnElement[int]:
    """Order for a search: what begins with the words, then what has a word begin so, then the rest."""
    anywhere = folded_pattern(query)
    begins = anywhere[1:]
    return case(
        (column.like(begins, escape="\\"), 0),
        (column.like(f"% {begins}", escape="\\"), 1),
        (column.like(anywhere, escape="\\"), 2),
        else_=3,
    )


def find_units(
    session: Session,
    query: str,
    on: date,
    *,
    level: str = "",
    under: int | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Found:
    """Units whose name or code has every word of the query, diacritics and case aside.

    An empty query finds all; `level` and `under` (a unit's id) narrow it. Three statements.
    """
    condition = _wanted(query, level, on)
    if under is not None:
        condition = and_(
            condition,
            Unit.id.in_(
                select(UnitAncestry.unit_id).where(
                    UnitAncestry.ancestor_id == under, valid_on(UnitAncestry, on)
                )
            ),
        )
    total = session.scalar(select(func.count()).select_from(Unit).where(condition)) or 0
    order: list[ColumnElement[int] | ColumnElement[str]] = []
    if fold(query):
        order.append(nearest_first(Unit.folded.expression, query))
    rows = session.execute(
        select(Unit.id, Unit.code, Unit.level, Unit.kind, Unit.name)
        .where(condition)
        .order_by(*order, Unit.position, Unit.id)
        .limit(limit)
        .offset(offset)
    ).all()
    path = paths(session, [row.id for row in rows], on)
    lines = [Line(*row, parent_id=path[row.id][0].id if path.get(row.id) else None) for row in rows]
    return Found(lines, total, path)


def paths(session: Session, ids: Collection[int], on: date) -> dict[int, list[Step]]:
    """For each unit the units above it on a day, its parent first. One statement."""
    found: dict[int, list[Step]] = defaultdict(list)
    if ids:
        rows = session.execute(
            select(UnitAncestry.unit_id, Unit.id, Unit.code, Unit.name)
            .join(Unit, Unit.id == UnitAncestry.ancestor_id)
            .where(
                UnitAncestry.unit_id.in_(ids),
                UnitAncestry.depth > 0,
                valid_on(UnitAncestry, on),
            )
            .order_by(UnitAncestry.unit_id, UnitAncestry.depth)
        )
        for below, unit_id, code, name in rows:
            found[below].append(Step(unit_id, code, name))
    return found


def listed_rows(session: Session, on: date, query: str = "", level: str = "") -> Sequence[UnitRow]:
    """The units that were asked for with everything above them, as rows of a catalogue.

    The units above come along so that the list is a tree again and can be imported.
    """
    wanted = select(Unit.id).where(_wanted(query, level, on))
    above = select(UnitAncestry.ancestor_id).where(
        UnitAncestry.unit_id.in_(wanted), valid_on(UnitAncestry, on)
    )
    parent = aliased(Unit)
    rows = session.execute(
        select(
            Unit.code,
            parent.code,
            Unit.level,
            Unit.kind,
            Unit.name,
            Unit.lat,
            Unit.lon,
            Unit.email,
            Unit.phone,
        )
        .outerjoin(
            UnitAncestry,
            and_(
                UnitAncestry.unit_id == Unit.id,
                UnitAncestry.depth == 1,
                valid_on(UnitAncestry, on),
            ),
        )
        .outerjoin(parent, parent.id == UnitAncestry.ancestor_id)
        .where(valid_on(Unit, on), or_(Unit.id.in_(above), Unit.id.in_(wanted)))
        .order_by(Unit.position, Unit.id)
    )
    return [UnitRow(line, *row) for line, row in enumerate(rows, start=2)]
