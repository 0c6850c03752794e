"""Looking units up: the tree level by level with counts, search, and lists for export.

The tree of a day is kept in memory until it changes (`rooms.tree_state`), so that a nation of 11,372
units opens as fast as a city.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, or_, select
from sqlalchemy.orm import Session, aliased

from rooms.folding import fold, folded_pattern, has_words
from rooms.hierarchy import Node, Tree, Unit, UnitAncestry, UnitRow, load_tree, valid_on


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
    tree = load_tree(session, on)
    return [_line(tree, node) for node in tree.roots]


def lines_below(session: Session, parents: Collection[int], on: date) -> dict[int, list[Line]]:
    """The children of each of these units on a day, in their order."""
    tree = load_tree(session, on)
    children = {parent: tree.children.get(parent, ()) for parent in parents}
    return {
        parent: [_line(tree, node) for node in nodes] for parent, nodes in children.items() if nodes
    }


def _line(tree: Tree, node: Node) -> Line:
    below = dict(tree.below.get(node.id, {}))
    return Line(node.id, node.code, node.level, node.kind, node.name, node.parent_id, below)


def with_units_below(session: Session, ids: Collection[int], on: date) -> set[int]:
    """Which of these units have others below them on a day. One statement, none for none."""
    if not ids:
        return set()
    return set(
        session.scalars(
            select(UnitAncestry.ancestor_id)
            .where(
                UnitAncestry.ancestor_id.in_(ids),
                UnitAncestry.depth == 1,
                valid_on(UnitAncestry, on),
            )
            .distinct()
        )
    )


def level_counts(session: Session, on: date) -> dict[str, int]:
    """How many units of each level there are on a day, the top level first."""
    return dict(load_tree(session, on).level_counts)


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

    An empty query finds all; `level` and `under` (a unit's id) narrow it.
    """
    tree = load_tree(session, on)
    needle = fold(query)
    found = tree.having(needle.split())
    if level:
        found = [node for node in found if node.level == level]
    if under is not None:
        reach = {node.id for node in tree.subtree(under)} if under in tree.by_id else set()
        found = [node for node in found if node.id in reach]
    if needle:
        # Stable: among equals the order of the tree stays.
        found.sort(key=lambda node: _nearness(node.folded, needle))
    shown = found[offset : offset + limit]
    path = {
        node.id: [Step(above.id, above.code, above.name) for above in tree.ancestry(node.id)[1:]]
        for node in shown
    }
    lines = [
        Line(node.id, node.code, node.level, node.kind, node.name, node.parent_id) for node in shown
    ]
    return Found(lines, len(found), path)


def _nearness(text: str, needle: str) -> int:
    """As `nearest_first`: what begins with the words, then what has a word begin so, then the rest."""
    if text.startswith(needle):
        return 0
    if f" {needle}" in text:
        return 1
    return 2 if needle in text else 3


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
    rows = session.execute(
        catalogue_rows(on)
        .where(or_(Unit.id.in_(above), Unit.id.in_(wanted)))
        .order_by(Unit.position, Unit.id)
    )
    return [UnitRow(line, *row) for line, (_id, *row) in enumerate(rows, start=2)]


def catalogue_rows(on: date) -> Select[*tuple[Any, ...]]:
    """The units of a day: the id, then the columns of a catalogue in the order of `UnitRow`."""
    parent = aliased(Unit)
    return (
        select(
            Unit.id,
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
        .where(valid_on(Unit, on))
    )
