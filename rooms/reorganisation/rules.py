"""Audience rules said again for the tree after a reorganisation.

A rule that names a unit which goes on stays as it is. One for all below a unit which ends is said for
its main successor where that one carries it on alone, at the same level; otherwise unit by unit for the
main successors of those it had meant, so that a merger invites nobody who had nothing to do with it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from rooms.audience import Rule, RuleInvalid, units_of
from rooms.hierarchy import Node, Tree, UnknownUnit


@dataclass
class Rewriting:
    """Rules from one tree to the next. What a rule had meant is looked up once for all meetings."""

    before: Tree
    after: Tree
    heirs: Mapping[int, int]
    """The main successor of each unit that ends, where it has one."""
    ended: Collection[int]
    owner: Mapping[int, int]
    """The unit of each bridge point, from the day on."""
    _meant: dict[Rule, list[Node]] = field(default_factory=dict)
    _names: dict[Rule, list[Node]] = field(default_factory=dict)

    @cached_property
    def _predecessors(self) -> Mapping[int, list[int]]:
        """Whose main successor a unit is."""
        found: dict[int, list[int]] = defaultdict(list)
        for unit_id, heir in self.heirs.items():
            found[heir].append(unit_id)
        return found

    def heir(self, unit_id: int) -> int | None:
        """The unit itself where it goes on, else its main successor."""
        return self.heirs.get(unit_id) if unit_id in self.ended else unit_id

    def rewrite(
        self, rules: Iterable[Rule], invited: Collection[int], inherited: Collection[int]
    ) -> list[Rule]:
        """The rules for the tree after.

        `invited`: heirs of all who were invited; nobody loses an invitation because a neighbour in
        the same new unit had been excluded. `inherited`: those of them who take over from a unit
        that ends; they are named where the rules would not mean them.
        """
        said: list[Rule] = []
        for rule in rules:
            run = len(said)
            while run and said[run - 1].include == rule.include:
                run -= 1
            for again in self._again(rule, invited):
                if again not in said[run:]:
                    said.append(again)
        missing = set(inherited) - set(self.meant(said)[0])
        return said + [
            Rule(include=True, by="unit", unit=node.code)
            for node in self.after.by_id.values()
            if node.id in missing
        ]

    def meant(self, rules: Iterable[Rule]) -> tuple[dict[int, Node], list[int]]:
        """The units that rules name in the tree after, by id, and the points besides."""
        chosen: dict[int, Node] = {}
        points: dict[int, None] = {}
        for rule in rules:
            if rule.point is not None:
                if rule.include:
                    points[rule.point] = None
                else:
                    points.pop(rule.point, None)
                continue
            named = self._named(rule)
            if rule.include:
                chosen.update((node.id, node) for node in named)
            else:
                for node in named:
                    chosen.pop(node.id, None)
                gone = {node.id for node in named}
                points = {point: None for point in points if self.owner[point] not in gone}
        return chosen, list(points)

    def _named(self, rule: Rule) -> list[Node]:
        if rule not in self._names:
            self._names[rule] = units_of(self.after, 0, rule)
        return self._names[rule]

    def _again(self, rule: Rule, invited: Collection[int]) -> Iterable[Rule]:
        if rule.point is not None:
            return [rule] if rule.point in self.owner else []
        code = rule.under or rule.unit
        if code is not None:
            try:
                node = self.before.node(code)
            except UnknownUnit:
                # It was said for another tree; here nobody is meant by it.
                return []
            if node.id in self.ended:
                return self._for_heirs(rule, node, invited)
        if rule.by == "level" and rule.level not in self.after.levels:
            return self._one_by_one(rule, invited)
        return [rule]

    def _for_heirs(self, rule: Rule, node: Node, invited: Collection[int]) -> Iterable[Rule]:
        heir = self.heirs.get(node.id)
        if (
            heir is None
            or rule.by == "unit"
            or heir in self.before.by_id
            or len(self._predecessors[heir]) > 1
            or self.after.by_id[heir].level != node.level
            or (rule.by == "level" and rule.level not in self.after.levels)
        ):
            return self._one_by_one(rule, invited)
        code = self.after.by_id[heir].code
        return [replace(rule, under=code) if rule.by == "level" else replace(rule, unit=code)]

    def _one_by_one(self, rule: Rule, invited: Collection[int]) -> list[Rule]:
        if rule not in self._meant:
            try:
                self._meant[rule] = units_of(self.before, 0, rule)
            except RuleInvalid:
                self._meant[rule] = []
        heirs = dict.fromkeys(self.heir(node.id) for node in self._meant[rule])
        return [
            Rule(rule.include, "unit", unit=self.after.by_id[heir].code)
            for heir in heirs
            if heir is not None
            and heir in self.after.by_id
            and (rule.include or heir not in invited)
        ]
