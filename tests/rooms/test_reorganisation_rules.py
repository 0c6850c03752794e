"""Audience rules said again for another tree: no database, only two trees and who inherits."""

from datetime import date
from typing import Any

import pytest

from rooms.audience import Rule, parse_rules
from rooms.hierarchy import Node, Tree
from rooms.reorganisation.rules import Rewriting

DAY = date(2025, 7, 1)
CITY, SIX, SEVEN, A, B, C = range(1, 7)
NEW_SIX, NEW_A = 11, 12
"""Units that begin on the day."""


def tree(*rows: tuple[int, str, str, int | None]) -> Tree:
    return Tree(
        DAY,
        {
            unit_id: Node(unit_id, code, level, level, code, parent, None, None, code)
            for unit_id, code, level, parent in rows
        },
    )


BEFORE = tree(
    (CITY, "01", "city", None),
    (SIX, "006", "district", CITY),
    (SEVEN, "007", "district", CITY),
    (A, "a", "ward", SIX),
    (B, "b", "ward", SIX),
    (C, "c", "ward", SEVEN),
)
RENAMED = tree(
    (CITY, "01", "city", None),
    (NEW_SIX, "066", "district", CITY),
    (SEVEN, "007", "district", CITY),
    (A, "a", "ward", NEW_SIX),
    (B, "b", "ward", NEW_SIX),
    (C, "c", "ward", SEVEN),
)
MERGED = tree(
    (CITY, "01", "city", None),
    (SEVEN, "007", "district", CITY),
    (NEW_A, "x", "ward", SEVEN),
    (C, "c", "ward", SEVEN),
)
FLAT = tree((CITY, "01", "city", None), (NEW_A, "x", "ward", CITY), (C, "c", "ward", CITY))


def said(after: Tree, heirs: dict[int, int], rules: list[Any], invited: set[int]) -> list[Any]:
    ended = BEFORE.by_id.keys() - after.by_id.keys()
    rewriting = Rewriting(BEFORE, after, heirs, ended, {})
    heirs_of = {heir for unit_id in invited if (heir := rewriting.heir(unit_id)) is not None}
    inherited = {heirs[unit_id] for unit_id in invited & ended if unit_id in heirs}
    return [rule.as_json() for rule in rewriting.rewrite(parse_rules(rules), heirs_of, inherited)]


@pytest.mark.parametrize("by", ["subtree", "children"])
def test_a_renamed_district_is_meant_under_its_new_code(by: str) -> None:
    rules = [{"include": by, "unit": "006"}, {"include": "level", "level": "ward", "under": "006"}]
    assert said(RENAMED, {SIX: NEW_SIX}, rules, {A, B}) == [
        {"include": by, "unit": "066"},
        {"include": "level", "level": "ward", "under": "066"},
    ]


def test_a_merger_invites_nobody_who_had_nothing_to_do_with_it() -> None:
    rules = [{"include": "level", "level": "ward", "under": "006"}]
    heirs = {SIX: SEVEN, A: NEW_A, B: NEW_A}
    assert said(MERGED, heirs, rules, {A, B}) == [{"include": "unit", "unit": "x"}]


def test_a_level_that_is_gone_is_left_out_and_one_that_stays_is_kept() -> None:
    rules = [{"include": "level", "level": "district"}, {"include": "level", "level": "ward"}]
    assert said(FLAT, {A: NEW_A, B: NEW_A}, rules, {SIX, SEVEN, A, B, C}) == [
        {"include": "level", "level": "ward"}
    ]


def test_who_was_invited_stays_when_a_neighbour_was_left_out() -> None:
    heirs = {A: NEW_A, B: NEW_A}
    rules = [{"include": "level", "level": "ward"}, {"exclude": "unit", "unit": "a"}]
    assert said(FLAT, heirs, rules, {B, C}) == [{"include": "level", "level": "ward"}]
    both = [*rules, {"exclude": "unit", "unit": "b"}]
    assert said(FLAT, heirs, both, {C}) == [
        {"include": "level", "level": "ward"},
        {"exclude": "unit", "unit": "x"},
    ]


def test_an_heir_that_the_rules_would_not_mean_is_named() -> None:
    rules = [{"include": "subtree", "unit": "007"}]
    heirs = {C: NEW_A}
    after = tree(
        (CITY, "01", "city", None), (SEVEN, "007", "district", CITY), (NEW_A, "x", "ward", CITY)
    )
    assert said(after, heirs, rules, {SEVEN, C}) == [*rules, {"include": "unit", "unit": "x"}]


def test_a_rule_of_another_tree_means_nobody() -> None:
    assert said(FLAT, {}, [Rule(include=True, by="unit", unit="old").as_json()], {CITY}) == []
