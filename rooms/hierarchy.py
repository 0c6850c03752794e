"""The tree of administrative units, which changes by law, on a day.

A `Unit` is what it was called and where it stood for one span of days. Its place is a row of
`UnitAncestry` for each ancestor, dated too, so that a parent may be replaced without touching the
children's rows, and so that "everything below" is one indexed look-up. A code is reused by
successors: it identifies a unit only together with a day.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    ForeignKey,
    Index,
    Select,
    and_,
    func,
    insert,
    or_,
    select,
    union,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from rooms.folding import fold
from rooms.kernel import Base, Conflict, Invalid
from rooms.tree_state import KEPT
from rooms.trees import Node, Tree, UnknownUnit

__all__ = [
    "Node",
    "Succession",
    "Tree",
    "Unit",
    "UnitAncestry",
    "UnitRow",
    "UnitsExist",
    "UnitsNotSound",
    "UnknownUnit",
    "ancestors_of",
    "check_units",
    "import_units",
    "load_tree",
    "main_heirs",
    "parents_first",
    "subtree_of",
    "unit_by_code",
    "unit_by_id",
    "valid_on",
]


class Unit(Base):
    """An administrative unit or agency in one span of its life, `[valid_from, valid_until)`."""

    __tablename__ = "unit"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    level: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    folded: Mapped[str]
    """Folded name and code, for the search."""
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    """Degrees, WGS 84."""
    email: Mapped[str | None]
    """The official address: invitations go there."""
    phone: Mapped[str | None]
    position: Mapped[int]
    """Order among siblings: as the source lists them."""
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    """The first day on which the unit no longer exists."""

    __table_args__ = (Index(None, "code", "valid_from", unique=True), Index(None, "level"))


class UnitAncestry(Base):
    """`ancestor_id` stands `depth` steps above `unit_id` in `[valid_from, valid_until)`.

    Depth 0 is the unit itself, depth 1 its parent.
    """

    __tablename__ = "unit_ancestry"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    ancestor_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_until: Mapped[date | None]
    depth: Mapped[int]

    __table_args__ = (Index(None, "ancestor_id", "unit_id"),)


class Succession(Base):
    """`successor_id` takes over `predecessor_id` on `day`, whole or in part.

    `is_main` marks the one that inherits by default.
    """

    __tablename__ = "succession"

    predecessor_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    successor_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    extent: Mapped[str]
    is_main: Mapped[bool]


@dataclass
class UnitsNotSound(Invalid):
    """The rows of an import do not form a tree. `problems` are (line, column, problem, value)."""

    code: ClassVar[str] = "units_not_sound"
    problems: list[tuple[int, str, str, str]]


@dataclass
class UnitsExist(Conflict):
    """Units with these codes are already valid on that day."""

    code: ClassVar[str] = "units_exist"
    units: list[str]
    on: date


Datable = type[Unit] | type[UnitAncestry]

UnitIds = Select[int] | CompoundSelect[int]
"""A statement that lists ids of units."""


def valid_on(table: Datable, day: date) -> ColumnElement[bool]:
    """The rows of a dated table that hold on a day."""
    return and_(table.valid_from <= day, or_(table.valid_until.is_(None), table.valid_until > day))


def unit_by_code(session: Session, code: str, on: date) -> Unit:
    """The unit that bears a code on a day. Raises `UnknownUnit`."""
    unit = session.scalar(select(Unit).where(Unit.code == code, valid_on(Unit, on)))
    if unit is None:
        raise UnknownUnit(code, on)
    return unit


def unit_by_id(session: Session, unit_id: int, on: date) -> Unit:
    """The unit with an id, whether or not it is still valid. Raises `UnknownUnit`."""
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise UnknownUnit(f"#{unit_id}", on)
    return unit


def subtree_of(unit_id: int | InstrumentedAttribute[int], on: date) -> Select[int]:
    """Ids of a unit and of everything below it on a day."""
    return select(UnitAncestry.unit_id).where(
        UnitAncestry.ancestor_id == unit_id, valid_on(UnitAncestry, on)
    )


def ancestors_of(session: Session, unit_id: int, on: date) -> list[Unit]:
    """The units above a unit on a day, the root first, the unit itself not among them."""
    return list(
        session.scalars(
            select(Unit)
            .join(UnitAncestry, UnitAncestry.ancestor_id == Unit.id)
            .where(
                UnitAncestry.unit_id == unit_id,
                UnitAncestry.depth > 0,
                valid_on(UnitAncestry, on),
            )
            .order_by(UnitAncestry.depth.desc())
        )
    )


def load_tree(session: Session, on: date) -> Tree:
    """The tree as of a day. One statement where it is known, three where it has to be read."""
    return KEPT.tree(session, on, lambda: _read_tree(session, on), lambda: _days_of_change(session))


def _read_tree(session: Session, on: date) -> Tree:
    parents = dict(
        session.execute(
            select(UnitAncestry.unit_id, UnitAncestry.ancestor_id).where(
                UnitAncestry.depth == 1, valid_on(UnitAncestry, on)
            )
        ).all()
    )
    rows = session.execute(
        select(
            Unit.id,
            Unit.code,
            Unit.level,
            Unit.kind,
            Unit.name,
            Unit.lat,
            Unit.lon,
            Unit.folded,
        )
        .where(valid_on(Unit, on))
        .order_by(Unit.position, Unit.id)
    )
    return Tree(
        on,
        {
            unit_id: Node(unit_id, code, level, kind, name, parents.get(unit_id), lat, lon, folded)
            for unit_id, code, level, kind, name, lat, lon, folded in rows
        },
    )


def _days_of_change(session: Session) -> list[date]:
    """The days on which a unit or a place in the tree begins or ends, in order."""
    days: CompoundSelect[date | None] = union(
        select(Unit.valid_from),
        select(Unit.valid_until),
        select(UnitAncestry.valid_from),
        select(UnitAncestry.valid_until),
    )
    return sorted(day for day in session.scalars(days) if day is not None)


def main_heirs(session: Session, unit_ids: Collection[int], on: date) -> dict[int, int]:
    """Who has taken over from units by a day: the last of a line of main successors.

    Units without a successor are left out. As many statements as the longest line has steps.
    """
    heirs: dict[int, int] = {}
    ends = {unit_id: unit_id for unit_id in unit_ids}
    while ends:
        step = dict(
            session.execute(
                select(Succession.predecessor_id, Succession.successor_id).where(
                    Succession.predecessor_id.in_(set(ends.values())),
                    Succession.is_main,
                    Succession.day <= on,
                )
            ).all()
        )
        ends = {unit_id: step[end] for unit_id, end in ends.items() if end in step}
        heirs |= ends
    return heirs


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One row of a list of units: a line of `catalogue/*.csv`."""

    line: int
    code: str
    parent_code: str | None
    level: str
    kind: str
    name: str
    lat: float | None = None
    lon: float | None = None
    email: str | None = None
    phone: str | None = None


def check_units(
    session: Session, rows: Iterable[UnitRow], valid_from: date
) -> tuple[list[UnitRow], Mapping[str, "list[_Span]"]]:
    """Whether `import_units` could take a list, without writing. Raises as that does.

    Returns the rows, parents first, and what stands above the parents that are not among them.
    """
    listed = list(rows)
    own = {row.code for row in listed}
    outside = {row.parent_code for row in listed if row.parent_code} - own
    above = _spans_above(session, outside, valid_from) if outside else {}
    order = parents_first(listed, above)
    # The new units have no end yet, so a code that is promised for a later day is taken too.
    taken = set(
        session.scalars(
            select(Unit.code).where(or_(Unit.valid_until.is_(None), Unit.valid_until > valid_from))
        )
    )
    doubled = [row.code for row in listed if row.code in taken]
    if doubled:
        raise UnitsExist(doubled, valid_from)
    return order, above


def import_units(session: Session, rows: Iterable[UnitRow], valid_from: date) -> int:
    """Bring in a list of units that are valid from a day on; all or nothing.

    A row's parent stands in the list or is a unit that exists on that day. Returns the number of units.
    Raises `UnitsNotSound` when the rows are no trees, `UnitsExist` when a code is borne by another
    unit on that day or will be later.
    """
    order, above = check_units(session, rows, valid_from)
    behind = session.scalar(select(func.max(Unit.position)))
    first = 0 if behind is None else behind + 1
    # What is returned lets many rows go in one statement: the triggers of the tree run once for each, and
    # PostgreSQL takes ever longer to change the same row again within a transaction.
    made = session.execute(
        insert(Unit).returning(Unit.code, Unit.id),
        [
            {
                "code": row.code,
                "level": row.level,
                "kind": row.kind,
                "name": row.name,
                "folded": fold(f"{row.name} {row.code}"),
                "lat": row.lat,
                "lon": row.lon,
                "email": row.email,
                "phone": row.phone,
                "position": position,
                "valid_from": valid_from,
                "valid_until": None,
            }
            for position, row in enumerate(order, start=first)
        ],
    )
    ids = dict(made.all())
    spans: dict[str, list[_Span]] = {}
    for row in order:
        spans[row.code] = [_Span(ids[row.code], valid_from, None, 0)]
        if row.parent_code:
            inherited = spans if row.parent_code in spans else above
            spans[row.code] += [
                span._replace(depth=span.depth + 1) for span in inherited[row.parent_code]
            ]
    session.execute(
        insert(UnitAncestry).returning(UnitAncestry.unit_id),
        [
            {"unit_id": ids[code], **span._asdict()}
            for code, chain in spans.items()
            for span in chain
        ],
    )
    return len(order)


class _Span(NamedTuple):
    """An ancestor in a span of days, as a row of `UnitAncestry` has it."""

    ancestor_id: int
    valid_from: date
    valid_until: date | None
    depth: int


def _spans_above(session: Session, codes: set[str], day: date) -> dict[str, list[_Span]]:
    """What stands above units that exist from a day on, moves that are planned for later included."""
    rows = session.execute(
        select(
            Unit.code,
            UnitAncestry.ancestor_id,
            UnitAncestry.valid_from,
            UnitAncestry.valid_until,
            UnitAncestry.depth,
        )
        .join(UnitAncestry, UnitAncestry.unit_id == Unit.id)
        .where(
            Unit.code.in_(codes),
            valid_on(Unit, day),
            # A unit that will end leaves no place to those below it.
            Unit.valid_until.is_(None),
            or_(UnitAncestry.valid_until.is_(None), UnitAncestry.valid_until > day),
        )
        .order_by(UnitAncestry.depth)
    )
    above: dict[str, list[_Span]] = defaultdict(list)
    for code, ancestor_id, valid_from, valid_until, depth in rows:
        above[code].append(_Span(ancestor_id, max(valid_from, day), valid_until, depth))
    return above


def parents_first(rows: list[UnitRow], outside: Collection[str] = ()) -> list[UnitRow]:
    """The rows level by level, so that each comes after its parent.

    `outside`: codes that a parent may have without being listed. Raises `UnitsNotSound`: a code
    twice, an orphan, a cycle.
    """
    problems: list[tuple[int, str, str, str]] = []
    by_code: dict[str, UnitRow] = {}
    for row in rows:
        if row.code in by_code:
            problems.append((row.line, "code", "doubled", row.code))
        by_code.setdefault(row.code, row)
    children: dict[str | None, list[UnitRow]] = defaultdict(list)
    for row in by_code.values():
        parent = row.parent_code or None
        if parent and parent not in by_code:
            if parent not in outside:
                problems.append((row.line, "parent_code", "unknown_parent", parent))
            parent = None
        children[parent].append(row)
    if problems:
        raise UnitsNotSound(problems)
    order = list(children[None])
    for row in order:
        order.extend(children.get(row.code, ()))
    if len(order) < len(by_code):
        reached = {row.code for row in order}
        lost = [row for row in by_code.values() if row.code not in reached]
        raise UnitsNotSound([(row.line, "parent_code", "cycle", row.code) for row in lost])
    return order
