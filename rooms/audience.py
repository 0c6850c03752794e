"""Who is invited: rules over the tree, resolved to bridge points.

Rules are kept with the meeting as they were said ("all wards of Đống Đa, minus Phường X") and are
applied in order: an `include` adds units or points, an `exclude` takes them away. A rule is the JSON
object of the API, for example `{"include": "level", "level": "ward", "under": "006"}`.

| by | means | fields |
| --- | --- | --- |
| `level` | all units of a level, all over the tree or below a unit | `level`, `under` (optional) |
| `children` | the units directly below a unit | `unit` |
| `subtree` | a unit and everything below it | `unit` |
| `unit` | one unit | `unit` |
| `point` | one bridge point, for a unit that has several | `point` |
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, not_, or_, select
from sqlalchemy.orm import Session

from rooms.bridge_points import IN_ORDER, BridgePoint
from rooms.hierarchy import Node, Tree, Unit, UnknownUnit, main_heirs, valid_on
from rooms.kernel import Invalid
from rooms.outages import Outage, out_between

MOST_RULES = 1_000
FEW = 400
"""Units and points that are named one by one in a statement."""

_FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "level": ({"level"}, {"under"}),
    "children": ({"unit"}, set()),
    "subtree": ({"unit"}, set()),
    "unit": ({"unit"}, set()),
    "point": ({"point"}, set()),
}


@dataclass
class RuleInvalid(Invalid):
    """Rule number `index` (from 0) cannot be read. `problem` is a code."""

    code: ClassVar[str] = "audience_rule_invalid"
    index: int
    problem: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; which fields are set follows from `by`."""

    include: bool
    by: str
    level: str | None = None
    under: str | None = None
    unit: str | None = None
    point: int | None = None

    def as_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {"include" if self.include else "exclude": self.by}
        for name in ("level", "under", "unit", "point"):
            value = getattr(self, name)
            if value is not None:
                said[name] = value
        return said


@dataclass(frozen=True, slots=True)
class Invitee:
    """A unit of the audience and the bridge point it joins with, or why it can't."""

    unit: Node
    point_id: int | None
    point_name: str = ""
    obstacle: str | None = None
    """`no_point`; `out_of_service` with its `reason`; `closed` with the day."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What rules come to on a day: who joins, and who cannot."""

    joining: list[Invitee]
    unable: list[Invitee]

    @property
    def by_level(self) -> dict[str, int]:
        """Joining points counted by level, top level first."""
        counts: dict[str, int] = {}
        for invitee in self.joining:
            counts[invitee.unit.level] = counts.get(invitee.unit.level, 0) + 1
        return counts


def parse_rules(said: Sequence[Any]) -> list[Rule]:
    """Rules from their JSON form. Raises `RuleInvalid`."""
    if len(said) > MOST_RULES:
        raise RuleInvalid(MOST_RULES, "too_many", str(MOST_RULES))
    return [_parse_rule(index, rule) for index, rule in enumerate(said)]


def _parse_rule(index: int, said: Any) -> Rule:
    if not isinstance(said, dict):
        raise RuleInvalid(index, "not_an_object")
    verbs = [verb for verb in ("include", "exclude") if verb in said]
    if len(verbs) != 1:
        raise RuleInvalid(index, "include_or_exclude")
    by = said[verbs[0]]
    if not isinstance(by, str) or by not in _FIELDS:
        raise RuleInvalid(index, "unknown_kind", str(by)[:40])
    needed, optional = _FIELDS[by]
    given = {name: value for name, value in said.items() if name != verbs[0] and value is not None}
    for name in sorted(needed - given.keys()):
        raise RuleInvalid(index, "missing", name)
    for name in sorted(given.keys() - needed - optional):
        raise RuleInvalid(index, "unknown_field", str(name)[:40])
    for name, value in given.items():
        kind = int if name == "point" else str
        if not isinstance(value, kind) or isinstance(value, bool):
            raise RuleInvalid(index, "wrong_type", name)
    return Rule(verbs[0] == "include", by, **given)


def resolve(
    session: Session,
    tree: Tree,
    rules: Iterable[Rule],
    starts_at: datetime,
    ends_at: datetime,
    main_point_id: int | None = None,
    standing: Collection[int] = (),
) -> Resolution:
    """Who the rules invite to a meeting in `[starts_at, ends_at)`: two statements, any size.

    A unit joins with its first point that is in service at that time, one of `standing` before others;
    `main_point_id` joins in any case and stands first. Raises `UnknownUnit` for a code that nobody bears on that day and
    `RuleInvalid` for a point that does not exist.
    """
    rules = list(rules)
    points, closed = _points(session, tree, _asked_points(tree, rules, main_point_id))
    out = {
        outage.point_id: outage.reason
        for outage in session.scalars(select(Outage).where(out_between(starts_at, ends_at)))
    }
    owner = {point_id: unit_id for unit_id, owned in points.items() for point_id, _ in owned}
    names = {point_id: name for owned in points.values() for point_id, name in owned}
    units, extra = _apply(tree, rules, owner)
    joining: dict[int, Invitee] = {}
    unable: list[Invitee] = []
    if main_point_id is not None and main_point_id in owner:
        home = tree.by_id[owner[main_point_id]]
        joining[main_point_id] = Invitee(home, main_point_id, names[main_point_id])
    for node in units:
        owned = [point for point in points.get(node.id, []) if point[0] not in closed]
        if any(point_id in joining for point_id, _ in owned):
            continue
        usable = [point for point in owned if point[0] not in out]
        free = min(usable, key=lambda point: point[0] not in standing, default=None)
        if free:
            joining[free[0]] = Invitee(node, *free)
        elif owned:
            unable.append(Invitee(node, None, "", "out_of_service", out[owned[0][0]]))
        else:
            unable.append(Invitee(node, None, "", "no_point"))
    for point_id in extra:
        node = tree.by_id[owner[point_id]]
        if point_id in closed:
            unable.append(Invitee(node, None, names[point_id], "closed", closed[point_id]))
        elif point_id in out:
            unable.append(Invitee(node, None, names[point_id], "out_of_service", out[point_id]))
        else:
            joining.setdefault(point_id, Invitee(node, point_id, names[point_id]))
    return Resolution(list(joining.values()), unable)


def _asked_points(
    tree: Tree, rules: Iterable[Rule], main_point_id: int | None
) -> ColumnElement[bool] | None:
    """Whose points the rules may come to, where these are few; None where they are not.

    A meeting of one district does not read the rooms of a nation.
    """
    units: set[int] = set()
    points = set() if main_point_id is None else {main_point_id}
    for index, rule in enumerate(rules):
        if rule.point is not None:
            points.add(rule.point)
        elif rule.include:
            units.update(node.id for node in units_of(tree, index, rule))
    if len(units) + len(points) > FEW:
        return None
    # Units that will have ended pass their points on: who to is not known before these are read.
    return or_(
        BridgePoint.unit_id.in_(units), BridgePoint.id.in_(points), not_(valid_on(Unit, tree.day))
    )


def _points(
    session: Session, tree: Tree, asked: ColumnElement[bool] | None
) -> tuple[dict[int, list[tuple[int, str]]], dict[int, str]]:
    """The points of each unit, the default first, and when those were closed that are.

    Before the day of a reorganisation the points of units that end still bear their home: on a later
    day they are their main successors', behind the successors' own.
    """
    points: dict[int, list[tuple[int, str]]] = {}
    closed: dict[int, str] = {}
    passing: list[tuple[int, int, str]] = []
    query = select(BridgePoint.unit_id, BridgePoint.id, BridgePoint.name, BridgePoint.closed_on)
    if asked is not None:
        query = query.join(Unit, Unit.id == BridgePoint.unit_id).where(asked)
    for unit_id, point_id, name, closed_on in session.execute(query.order_by(*IN_ORDER)):
        if closed_on is not None and closed_on <= tree.day:
            closed[point_id] = f"{closed_on:%d/%m/%Y}"
        if unit_id in tree.by_id:
            points.setdefault(unit_id, []).append((point_id, name))
        else:
            passing.append((unit_id, point_id, name))
    if passing:
        heirs = main_heirs(session, {unit_id for unit_id, _, _ in passing}, tree.day)
        for unit_id, point_id, name in passing:
            heir = heirs.get(unit_id)
            if heir in tree.by_id and heir is not None:
                points.setdefault(heir, []).append((point_id, name))
    return points, closed


def _apply(
    tree: Tree, rules: Iterable[Rule], owner: dict[int, int]
) -> tuple[list[Node], list[int]]:
    chosen: dict[int, Node] = {}
    extra: dict[int, None] = {}
    for index, rule in enumerate(rules):
        if rule.point is not None:
            if rule.point not in owner:
                raise RuleInvalid(index, "unknown_point", str(rule.point))
            if rule.include:
                extra[rule.point] = None
            else:
                extra.pop(rule.point, None)
            continue
        nodes = units_of(tree, index, rule)
        if rule.include:
            chosen.update((node.id, node) for node in nodes)
        else:
            gone = {node.id for node in nodes}
            chosen = {key: node for key, node in chosen.items() if key not in gone}
            extra = {point: None for point in extra if owner[point] not in gone}
    return list(chosen.values()), list(extra)


def units_of(tree: Tree, index: int, rule: Rule) -> list[Node]:
    """The units one rule names. Raises `RuleInvalid` with the rule's index."""
    try:
        if rule.by == "level":
            reach = (
                tree.subtree(tree.node(rule.under).id) if rule.under else list(tree.by_id.values())
            )
            found = [node for node in reach if node.level == rule.level]
            if rule.level not in tree.levels:
                raise RuleInvalid(index, "unknown_level", str(rule.level)[:40])
            return found
        node = tree.node(rule.unit or "")
    except UnknownUnit as unknown:
        raise RuleInvalid(index, "unknown_unit", unknown.unit[:40]) from None
    if rule.by == "children":
        return list(tree.children.get(node.id, ()))
    if rule.by == "subtree":
        return tree.subtree(node.id)
    return [node]
