"""The tree of units on a day, in memory: rules over it are set arithmetic instead of queries."""

import copy
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import accumulate
from typing import Any, ClassVar, TypeVar

from rooms.kernel import NotFound

T = TypeVar("T")


@dataclass
class UnknownUnit(NotFound):
    code: ClassVar[str] = "unknown_unit"
    unit: str
    on: date


@dataclass(frozen=True, slots=True)
class Node:
    """A unit in a `Tree`: the columns that the tree page, the audience and the board need."""

    id: int
    code: str
    level: str
    kind: str
    name: str
    parent_id: int | None
    lat: float | None
    lon: float | None
    folded: str


@dataclass
class Tree:
    """All units of a day in one piece, parents before children, siblings in their order.

    Days on which the tree is the same share one reading (`as_of`), so nobody changes a tree.
    """

    day: date
    by_id: Mapping[int, Node]
    children: Mapping[int | None, list[Node]] = field(init=False)

    def __post_init__(self) -> None:
        children: dict[int | None, list[Node]] = defaultdict(list)
        for node in self.by_id.values():
            children[node.parent_id].append(node)
        self.children = children
        self._made: dict[Hashable, Any] = {}

    def as_of(self, day: date) -> "Tree":
        """The same tree on another day."""
        other = copy.copy(self)
        other.day = day
        return other

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes of this tree, made once and kept as long as the tree is."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    @cached_property
    def by_code(self) -> Mapping[str, Node]:
        return self.once("by_code", lambda: {node.code: node for node in self.by_id.values()})

    @cached_property
    def order(self) -> Mapping[int, int]:
        """The place of each unit in the order of the tree."""
        return self.once("order", lambda: {u: n for n, u in enumerate(self.by_id)})

    @property
    def roots(self) -> list[Node]:
        return self.children.get(None, [])

    @cached_property
    def levels(self) -> list[str]:
        """Level names from the top down, as the data has them."""
        return list(dict.fromkeys(node.level for node in self.by_id.values()))

    @property
    def level_counts(self) -> Mapping[str, int]:
        """How many units of each level there are, in the order of `levels`."""
        return self.once("level_counts", self._level_counts)

    def _level_counts(self) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for node in self.by_id.values():
            counts[node.level] = counts.get(node.level, 0) + 1
        return counts

    @property
    def below(self) -> Mapping[int, Mapping[str, int]]:
        """What lies below each unit, counted by level, the nearest level first."""
        return self.once("below", self._below)

    def _below(self) -> Mapping[int, Mapping[str, int]]:
        downwards = list(self.roots)
        for node in downwards:
            downwards.extend(self.children.get(node.id, ()))
        counts: dict[int, dict[str, int]] = {node.id: {} for node in downwards}
        for node in reversed(downwards):
            if node.parent_id is None:
                continue
            above = counts[node.parent_id]
            above[node.level] = above.get(node.level, 0) + 1
            for level, number in counts[node.id].items():
                above[level] = above.get(level, 0) + number
        rank = {level: index for index, level in enumerate(self.levels)}
        return {
            unit_id: dict(sorted(found.items(), key=lambda each: rank[each[0]]))
            for unit_id, found in counts.items()
        }

    def having(self, words: Sequence[str]) -> list[Node]:
        """The units whose folded name or code has each of these folded words, in their order.

        All texts stand in one string, where the longest word is looked for: a search through a
        nation is then one of the string and not of each unit.
        """
        if not words:
            return list(self.by_id.values())
        text, starts, nodes = self.once("texts", self._texts)
        longest, *others = sorted(words, key=len, reverse=True)
        found = []
        place = text.find(longest)
        while place >= 0:
            index = bisect_right(starts, place) - 1
            node = nodes[index]
            if all(word in node.folded for word in others):
                found.append(node)
            place = text.find(longest, starts[index] + len(node.folded))
        return found

    def _texts(self) -> tuple[str, list[int], list[Node]]:
        nodes = list(self.by_id.values())
        starts = list(accumulate((len(node.folded) + 1 for node in nodes), initial=0))
        # A line feed is in no folded text, so nothing is found across two units.
        return "\n".join(node.folded for node in nodes), starts[:-1], nodes

    def node(self, code: str) -> Node:
        """Raises `UnknownUnit`."""
        try:
            return self.by_code[code]
        except KeyError:
            raise UnknownUnit(code, self.day) from None

    def subtree(self, unit_id: int) -> list[Node]:
        """The unit and everything below it, parents first."""
        found = [self.by_id[unit_id]]
        for node in found:
            found.extend(self.children.get(node.id, ()))
        return found

    def ancestry(self, unit_id: int) -> list[Node]:
        """From the unit itself up to the root."""
        chain = []
        node: Node | None = self.by_id.get(unit_id)
        while node is not None:
            chain.append(node)
            node = self.by_id.get(node.parent_id) if node.parent_id is not None else None
        return chain
