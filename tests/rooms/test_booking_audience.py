"""The audience: rules in their order, points in service, and what cannot be read."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetings_server.database import Database
from rooms.audience import Rule, RuleInvalid, _apply, parse_rules, resolve, units_of
from rooms.hierarchy import Node, Tree, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.outages import report_outage
from tests.factories import ALL, SMALL_CITY, City, add_points, at, make_city, working_day

CODES = [row[0] for row in SMALL_CITY]
PARENTS = {row[0]: row[1] for row in SMALL_CITY}
LEVELS = ["city", "department", "district", "ward"]
IDS = {code: number for number, code in enumerate(CODES, start=1)}
TREE = Tree(
    civil_day(utcnow()),
    {
        IDS[code]: Node(
            IDS[code], code, level, kind, name, IDS.get(parent or ""), None, None, name.lower()
        )
        for code, parent, level, kind, name in SMALL_CITY
    },
)

rules = st.one_of(
    st.builds(
        Rule,
        include=st.booleans(),
        by=st.just("level"),
        level=st.sampled_from(LEVELS),
        under=st.none() | st.sampled_from(CODES),
    ),
    st.builds(
        Rule,
        include=st.booleans(),
        by=st.sampled_from(["children", "subtree", "unit"]),
        unit=st.sampled_from(CODES),
    ),
)


def is_below(code: str | None, top: str) -> bool:
    while code is not None:
        if code == top:
            return True
        code = PARENTS[code]
    return False


def names(rule: Rule, code: str) -> bool:
    """Whether a rule is about a unit, said without the tree's own verbs."""
    level = next(row[2] for row in SMALL_CITY if row[0] == code)
    if rule.by == "level":
        return level == rule.level and (rule.under is None or is_below(code, rule.under))
    if rule.by == "children":
        return PARENTS[code] == rule.unit
    if rule.by == "subtree":
        return is_below(code, rule.unit or "")
    return code == rule.unit


@given(st.lists(rules, max_size=8))
def test_the_last_rule_that_names_a_unit_decides(said: list[Rule]) -> None:
    chosen, _extra = _apply(TREE, said, {})
    expected = {
        code
        for code in CODES
        if (last := next((r for r in reversed(said) if names(r, code)), None)) and last.include
    }
    assert {node.code for node in chosen} == expected


@given(st.lists(rules, max_size=8))
def test_rules_survive_their_json(said: list[Rule]) -> None:
    assert parse_rules([rule.as_json() for rule in said]) == said


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("x", "not_an_object"),
        ({}, "include_or_exclude"),
        ({"include": "unit", "exclude": "unit", "unit": "01"}, "include_or_exclude"),
        ({"include": "planet"}, "unknown_kind"),
        ({"include": "unit"}, "missing"),
        ({"include": "unit", "unit": 1}, "wrong_type"),
        ({"include": "unit", "unit": "01", "colour": "red"}, "unknown_field"),
        ({"include": "point", "point": True}, "wrong_type"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named(said: object, problem: str) -> None:
    with pytest.raises(RuleInvalid) as refused:
        parse_rules([{"include": "unit", "unit": "01"}, said])
    assert (refused.value.index, refused.value.problem) == (1, problem)


def test_unknown_units_and_levels_are_named() -> None:
    for rule, problem in (
        (Rule(include=True, by="unit", unit="nowhere"), "unknown_unit"),
        (Rule(include=True, by="level", level="county"), "unknown_level"),
    ):
        with pytest.raises(RuleInvalid) as refused:
            units_of(TREE, 0, rule)
        assert refused.value.problem == problem


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def test_units_join_with_a_point_in_service_or_are_named(db: Database, city: City) -> None:
    now = utcnow()
    start = at(working_day(now, 5), 8)
    end = start + timedelta(hours=2)
    with db.transaction() as session:
        (spare,) = add_points(session, city, "00181", 1)
        for code in ("00181", "00178"):
            report_outage(
                session,
                city.actors["kythuat"],
                city.points[code],
                start,
                end,
                "Mất điện",
                now,
            )
        tree = load_tree(session, civil_day(start))
        found = resolve(session, tree, ALL, start, end, city.points["01"])
        later = resolve(session, tree, ALL, end, end + timedelta(hours=1), city.points["01"])
    joining = {invitee.unit.code: invitee.point_id for invitee in found.joining}
    assert joining["00181"] == spare
    assert found.joining[0].point_id == city.points["01"]
    assert [(one.unit.code, one.obstacle, one.reason) for one in found.unable] == [
        ("00178", "out_of_service", "Mất điện")
    ]
    # An outage is half-open too: at its end the point is back.
    assert {i.point_id for i in later.joining} == set(city.points.values())
