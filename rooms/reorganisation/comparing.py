"""What a plan makes of the tree: which units go on, move, end or begin, and who takes over.

Nothing is written here. Units that begin have no id yet and bear a negative one, so that the tree of
the day can be asked before it exists; whoever writes them replaces these ids.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.folding import fold
from rooms.hierarchy import Node, Tree, Unit, UnitRow, load_tree, parents_first
from rooms.reorganisation.plans import (
    WHOLE,
    NothingChanges,
    Plan,
    PlanNotSound,
    PlansOverlap,
    SuccessionRow,
)
from rooms.reorganisation.records import Reorganisation, ReorganisationState


@dataclass(frozen=True, slots=True)
class Inherits:
    """`heir_id` takes over from `unit_id`, `whole` or in `part`."""

    unit_id: int
    heir_id: int
    extent: str
    is_main: bool


@dataclass
class Comparison:
    """The tree on the eve beside the plan's list. Ids below 0 are units that begin."""

    day: date
    before: Tree
    order: list[UnitRow]
    """The plan's units, parents first."""
    roots: list[int]
    """Units of the present tree that the plan describes, with everything below them."""
    above: int | None
    """What the plan's roots stand below, where they are not the top of the tree."""
    ids: dict[str, int]
    """By code, of all units in the plan."""
    ended: dict[int, Node]
    begun: dict[int, UnitRow]
    successions: list[Inherits]
    renamed_by_code: list[Node]
    """Units taken as renamed: no line names them, but the list has their code at their level."""
    heirs: dict[int, int] = field(init=False)
    """The main successor of each unit that ends, where it has one."""

    def __post_init__(self) -> None:
        self.heirs = {
            passing.unit_id: passing.heir_id
            for passing in self.successions
            if passing.is_main and passing.unit_id in self.ended
        }

    @cached_property
    def sources(self) -> dict[int, list[Inherits]]:
        """From whom a unit takes over."""
        found: dict[int, list[Inherits]] = defaultdict(list)
        for passing in self.successions:
            found[passing.heir_id].append(passing)
        return found

    @cached_property
    def parents(self) -> dict[int, int | None]:
        """Of each unit in the plan, from the day on."""
        return {
            self.ids[row.code]: self.ids[row.parent_code] if row.parent_code else self.above
            for row in self.order
        }

    @cached_property
    def moved(self) -> dict[int, tuple[int | None, int | None]]:
        """The parents before and after of units that go on under another one."""
        return {
            unit_id: (self.before.by_id[unit_id].parent_id, parent)
            for unit_id, parent in self.parents.items()
            if unit_id not in self.begun and self.before.by_id[unit_id].parent_id != parent
        }

    def keeper(self, unit_id: int | None) -> int | None:
        """Who looks after the records of a unit from the day on; None where nobody does.

        The main successor; failing that, the keeper of the former parent. A unit that goes on keeps
        its own.
        """
        while unit_id is not None and unit_id in self.ended:
            heir = self.heirs.get(unit_id)
            if heir is not None:
                return heir
            unit_id = self.ended[unit_id].parent_id
        return unit_id

    def chain(self, unit_id: int) -> list[int]:
        """From a unit up to the root, from the day on."""
        chain = [unit_id]
        while (parent := self._parent(chain[-1])) is not None:
            chain.append(parent)
        return chain

    def _parent(self, unit_id: int) -> int | None:
        if unit_id in self.parents:
            return self.parents[unit_id]
        node = self.before.by_id.get(unit_id)
        return node.parent_id if node else None

    def applied_to(self, tree: Tree) -> Tree:
        """A tree of the day or a later one, as it will be."""
        nodes: dict[int, Node] = {}
        for row in self.order:
            unit_id = self.ids[row.code]
            nodes[unit_id] = _node(row, unit_id, self.parents[unit_id])
        outside = {
            unit_id: node
            for unit_id, node in tree.by_id.items()
            if unit_id not in nodes and unit_id not in self.ended
        }
        return Tree(tree.day, outside | nodes)

    @cached_property
    def after(self) -> Tree:
        return self.applied_to(self.before)

    @cached_property
    def touched(self) -> set[int]:
        """Units of the present tree whose life or place changes."""
        below = {node.id for unit_id in self.moved for node in self.before.subtree(unit_id)}
        return set(self.ended) | below

    @cached_property
    def leaning(self) -> set[int]:
        """What the changed units stand below, before and after."""
        found = {node.id for unit_id in self.touched for node in self.before.ancestry(unit_id)} | {
            ancestor
            for unit_id in (*self.begun, *self.touched)
            if unit_id not in self.ended
            for ancestor in self.chain(unit_id)
        }
        return {unit_id for unit_id in found if unit_id > 0} - self.touched


def compare(session: Session, plan: Plan, day: date) -> Comparison:
    """Lay a plan beside the tree of its day, which does not know it yet.

    Raises `UnitsNotSound` (cycle, orphan, a code twice), `PlanNotSound`, `NothingChanges`, and
    `PlansOverlap` where a code is promised to another unit for a later day.
    """
    comparison = _compare(plan, load_tree(session, day), day, {})
    if not (comparison.ended or comparison.begun or comparison.moved):
        raise NothingChanges(day)
    _codes_are_free(session, comparison)
    return comparison


def compare_written(session: Session, plan: Plan, day: date) -> Comparison:
    """Lay a plan that has been written beside the tree of the day before; no id is below 0."""
    written = load_tree(session, day)
    return _compare(plan, load_tree(session, day - timedelta(days=1)), day, written.by_code)


def _compare(plan: Plan, before: Tree, day: date, written: Mapping[str, Node]) -> Comparison:
    order = parents_first(list(plan.units))
    roots, above = _described(before, order)
    present = {node.code: node for root in roots for node in before.subtree(root)}
    listed = {row.code: row for row in order}
    named = _check(plan.successions, present, listed)
    continuing = {
        code
        for code, row in listed.items()
        if code in present and _same(present[code], row) and named.get(code, code) == code
    }
    problems = [
        (row.line, "main_successor", "no_main_successor", row.old_code)
        for row in plan.successions
        if row.old_code not in named and row.old_code not in continuing
    ]
    if problems:
        raise PlanNotSound(problems)
    spoken_for = {row.old_code for row in plan.successions}
    renamed = [
        node
        for code, node in present.items()
        if code in listed
        and code not in continuing
        and code not in spoken_for
        and listed[code].level == node.level
    ]
    begun = [row for row in order if row.code not in continuing]
    ids = {code: present[code].id for code in continuing} | {
        row.code: written[row.code].id if row.code in written else -number
        for number, row in enumerate(begun, start=1)
    }
    return Comparison(
        day=day,
        before=before,
        order=order,
        roots=roots,
        above=above,
        ids=ids,
        ended={node.id: node for code, node in present.items() if code not in continuing},
        begun={ids[row.code]: row for row in begun},
        successions=[
            Inherits(present[row.old_code].id, ids[row.new_code], row.extent, row.main_successor)
            for row in plan.successions
            if not (row.old_code == row.new_code and row.old_code in continuing)
        ]
        + [Inherits(node.id, ids[node.code], WHOLE, is_main=True) for node in renamed],
        renamed_by_code=renamed,
    )


def _described(before: Tree, order: Sequence[UnitRow]) -> tuple[list[int], int | None]:
    """What of the present tree a list describes: the roots, and what they stand below."""
    tops = [row.code for row in order if not row.parent_code]
    known = [before.by_code[code] for code in tops if code in before.by_code]
    if len(known) < len(tops) or not known:
        return [node.id for node in before.roots], None
    parents = {node.parent_id for node in known}
    if len(parents) == 1:
        return [node.id for node in known], parents.pop()
    return [node.id for node in before.roots], None


def _same(node: Node, row: UnitRow) -> bool:
    return (node.name, node.kind, node.level) == (row.name, row.kind, row.level)


def _node(row: UnitRow, unit_id: int, parent_id: int | None) -> Node:
    return Node(
        unit_id,
        row.code,
        row.level,
        row.kind,
        row.name,
        parent_id,
        row.lat,
        row.lon,
        fold(f"{row.name} {row.code}"),
    )


def _check(
    rows: Iterable[SuccessionRow], present: Mapping[str, Node], listed: Mapping[str, UnitRow]
) -> dict[str, str]:
    """The main successor by the old unit's code. Raises `PlanNotSound`."""
    problems: list[tuple[int, str, str, str]] = []
    main: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if row.old_code not in present:
            problem = "lost_zeros" if _has_lost_zeros(row.old_code, present) else "unknown_old_unit"
            problems.append((row.line, "old_code", problem, row.old_code))
        if row.new_code not in listed:
            problem = "lost_zeros" if _has_lost_zeros(row.new_code, listed) else "unknown_new_unit"
            problems.append((row.line, "new_code", problem, row.new_code))
        if (row.old_code, row.new_code) in seen:
            problems.append((row.line, "new_code", "doubled", row.new_code))
        seen.add((row.old_code, row.new_code))
        if not row.main_successor:
            continue
        if row.old_code in main:
            problems.append((row.line, "main_successor", "two_main_successors", row.old_code))
        main.setdefault(row.old_code, row.new_code)
    if problems:
        raise PlanNotSound(problems)
    return main


def _has_lost_zeros(code: str, known: Iterable[str]) -> bool:
    """Whether a spreadsheet has made a number of a code: `4` of `00004`."""
    return code.isdecimal() and any(
        other != code and other.isdecimal() and int(other) == int(code) for other in known
    )


def _codes_are_free(session: Session, comparison: Comparison) -> None:
    """A unit that begins has no end yet, so nobody may bear its code on a later day."""
    later: dict[date, list[str]] = defaultdict(list)
    codes = {row.code for row in comparison.begun.values()}
    for unit_id, code, name, begins in session.execute(
        select(Unit.id, Unit.code, Unit.name, Unit.valid_from).where(
            Unit.valid_from >= comparison.day,
            (Unit.valid_until.is_(None)) | (Unit.valid_until > Unit.valid_from),
        )
    ):
        if code in codes or unit_id in comparison.ended:
            later[begins].append(name)
    for begins, names in sorted(later.items()):
        other = session.scalar(
            select(Reorganisation.name).where(
                Reorganisation.day == begins,
                Reorganisation.state != ReorganisationState.TAKEN_BACK.value,
            )
        )
        raise PlansOverlap(other or "", begins, names[:20])
