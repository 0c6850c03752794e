"""The tree of units: what is read from it agrees with the closure table, whatever its shape."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.catalogue import read_shipped
from rooms.directory import find_units, level_counts, lines_below, listed_rows, paths, root_lines
from rooms.hierarchy import (
    Unit,
    UnitAncestry,
    UnitRow,
    UnitsExist,
    UnitsNotSound,
    UnknownUnit,
    ancestors_of,
    import_units,
    load_tree,
    subtree_of,
    unit_by_code,
)
from rooms.kernel import utcnow
from tests.factories import VALID_FROM, make_city, unit_rows

LEVELS = ("city", "district", "ward", "quarter")
TODAY = date(2026, 11, 23)


@st.composite
def forests(draw: st.DrawFn) -> list[UnitRow]:
    """Rows of one or more trees, in any order: row n hangs below an earlier one or below none."""
    count = draw(st.integers(1, 14))
    parents: list[int | None] = [
        draw(st.none() | st.integers(0, number - 1)) if number else None for number in range(count)
    ]
    rows = []
    for number, parent in enumerate(parents):
        depth, above = 0, parent
        while above is not None:
            depth, above = depth + 1, parents[above]
        rows.append(
            UnitRow(
                number + 2,
                f"c{number}",
                f"c{parent}" if parent is not None else None,
                LEVELS[min(depth, 3)],
                "Đơn vị",
                f"Đơn vị {number}",
            )
        )
    return draw(st.permutations(rows))


def chain(rows: list[UnitRow], code: str) -> list[str]:
    """Codes from a unit up to its root, as the rows say."""
    above = {row.code: row.parent_code for row in rows}
    found = [code]
    while (parent := above[found[-1]]) is not None:
        found.append(parent)
    return found


@contextmanager
def undone(db: Database) -> Iterator[Session]:
    """A session whose work is rolled back, so that the next example begins with no units."""
    with Session(db.engine) as session, session.begin() as transaction:
        yield session
        transaction.rollback()


# The database of a test serves all its examples; each is rolled back.
examples = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@examples
@given(rows=forests())
def test_what_is_read_agrees_with_the_rows(db: Database, rows: list[UnitRow]) -> None:
    with undone(db) as session:
        assert import_units(session, rows, VALID_FROM) == len(rows)
        tree = load_tree(session, TODAY)
        assert set(tree.by_code) == {row.code for row in rows}
        parents = paths(session, list(tree.by_id), TODAY)
        below = lines_below(session, list(tree.by_id), TODAY)
        for row in rows:
            node = tree.node(row.code)
            up = chain(rows, row.code)
            assert [each.code for each in tree.ancestry(node.id)] == up
            above = [unit.code for unit in ancestors_of(session, node.id, TODAY)]
            assert above == up[:0:-1]
            assert [step.code for step in parents.get(node.id, [])] == up[1:]
            under = {each.code for each in rows if row.code in chain(rows, each.code)}
            assert {each.code for each in tree.subtree(node.id)} == under
            ids = set(session.scalars(subtree_of(node.id, TODAY)))
            assert {tree.by_id[unit_id].code for unit_id in ids} == under
            children = [line.code for line in below.get(node.id, [])]
            assert children == [each.code for each in tree.children.get(node.id, [])]
        for line in root_lines(session, TODAY):
            assert sum(line.below.values()) == len(tree.subtree(line.id)) - 1
        closure = session.scalar(select(func.count()).select_from(UnitAncestry))
        assert closure == sum(len(chain(rows, row.code)) for row in rows)


@examples
@given(rows=forests(), data=st.data())
def test_a_list_may_hang_below_units_that_exist(
    db: Database, rows: list[UnitRow], data: st.DataObject
) -> None:
    """A forest in two lists, the lower one later, is the forest."""
    lower = data.draw(st.sampled_from(rows)).code
    later = [row for row in rows if lower in chain(rows, row.code)]
    first = [row for row in rows if row not in later]
    with undone(db) as session:
        if first:
            import_units(session, first, VALID_FROM)
        assert import_units(session, later, TODAY) == len(later)
        tree = load_tree(session, TODAY)
        for row in rows:
            up = chain(rows, row.code)
            assert [each.code for each in tree.ancestry(tree.node(row.code).id)] == up
            above = ancestors_of(session, tree.node(row.code).id, TODAY)
            assert [unit.code for unit in above] == up[:0:-1]
        before = load_tree(session, TODAY - timedelta(days=1))
        assert set(before.by_code) == {row.code for row in first}


def test_what_hangs_below_a_unit_moves_with_it_later(db: Database) -> None:
    """A move that is planned already holds for units that come below in the meantime."""
    day = TODAY + timedelta(days=30)
    with db.transaction() as session:
        import_units(session, unit_rows(), VALID_FROM)
        import_units(session, [UnitRow(2, "79", None, "city", "TP", "TP HCM")], VALID_FROM)
        district, old, new = (unit_by_code(session, c, TODAY).id for c in ("006", "01", "79"))
        place = session.get(UnitAncestry, (district, old, VALID_FROM))
        assert place is not None
        place.valid_until = day
        session.add(UnitAncestry(unit_id=district, ancestor_id=new, valid_from=day, depth=1))
        session.flush()
        import_units(session, [UnitRow(2, "00999", "006", "ward", "Phường", "Phường Mới")], TODAY)
        ward = unit_by_code(session, "00999", TODAY).id
        assert [unit.code for unit in ancestors_of(session, ward, TODAY)] == ["01", "006"]
        assert [unit.code for unit in ancestors_of(session, ward, day)] == ["79", "006"]


def test_nothing_hangs_below_a_unit_that_will_end(db: Database) -> None:
    with db.transaction() as session:
        import_units(session, unit_rows(), VALID_FROM)
        unit_by_code(session, "006", TODAY).valid_until = TODAY + timedelta(days=30)
        session.flush()
        row = UnitRow(2, "00999", "006", "ward", "Phường", "Phường Mới")
        with pytest.raises(UnitsNotSound) as refused:
            import_units(session, [row], TODAY)
        assert refused.value.problems == [(2, "parent_code", "unknown_parent", "006")]


@examples
@given(rows=forests())
def test_what_is_listed_can_be_imported_again(db: Database, rows: list[UnitRow]) -> None:
    with undone(db) as session:
        import_units(session, rows, VALID_FROM)
        for query, level in (("", ""), ("don vi 1", ""), ("", "ward")):
            listed = list(listed_rows(session, TODAY, query, level))
            codes = {row.code for row in listed}
            assert all(row.parent_code is None or row.parent_code in codes for row in listed)
            if not query and not level:
                assert codes == {row.code for row in rows}


@examples
@given(rows=forests(), data=st.data())
def test_a_cycle_is_refused_with_its_lines(
    db: Database, rows: list[UnitRow], data: st.DataObject
) -> None:
    start = data.draw(st.sampled_from(rows))
    down = [row for row in rows if start.code in chain(rows, row.code)]
    end = data.draw(st.sampled_from(down))
    bent = [
        UnitRow(row.line, row.code, end.code, row.level, row.kind, row.name)
        if row is start
        else row
        for row in rows
    ]
    with undone(db) as session:
        with pytest.raises(UnitsNotSound) as refused:
            import_units(session, bent, VALID_FROM)
        assert {(line, problem) for line, _c, problem, _v in refused.value.problems} == {
            (row.line, "cycle") for row in down
        }
        assert session.scalar(select(func.count()).select_from(Unit)) == 0


@examples
@given(rows=forests(), data=st.data())
def test_an_orphan_and_a_double_are_refused_with_their_lines(
    db: Database, rows: list[UnitRow], data: st.DataObject
) -> None:
    double = data.draw(st.sampled_from(rows))
    wrong = [
        *rows,
        UnitRow(100, "new", "nowhere", "ward", "Phường", "Mồ côi"),
        UnitRow(101, double.code, None, "ward", "Phường", "Trùng"),
    ]
    with undone(db) as session:
        with pytest.raises(UnitsNotSound) as refused:
            import_units(session, wrong, VALID_FROM)
        assert set(refused.value.problems) == {
            (100, "parent_code", "unknown_parent", "nowhere"),
            (101, "code", "doubled", double.code),
        }


def test_a_code_that_is_borne_is_refused_whole(db: Database) -> None:
    with db.transaction() as session:
        import_units(session, unit_rows(), VALID_FROM)
    again = [UnitRow(2, "09", None, "city", "Thành phố", "Mới"), *unit_rows()[:1]]
    with pytest.raises(UnitsExist) as refused, db.transaction() as session:
        import_units(session, again, TODAY)
    assert refused.value.units == ["01"]
    with db.reader() as session, pytest.raises(UnknownUnit):
        unit_by_code(session, "09", TODAY)


def test_a_code_that_is_promised_for_later_is_taken(db: Database) -> None:
    """The new unit would have no end and bear the code beside the other from that day on."""
    row = UnitRow(2, "01", None, "city", "Thành phố", "Hà Nội")
    with db.transaction() as session:
        import_units(session, [row], TODAY + timedelta(days=30))
    with pytest.raises(UnitsExist), db.transaction() as session:
        import_units(session, [row], TODAY)


def test_units_exist_in_their_days_only(db: Database) -> None:
    with db.transaction() as session:
        import_units(session, unit_rows(), VALID_FROM)
        ward = unit_by_code(session, "00181", TODAY)
        ward.valid_until = TODAY
    with db.reader() as session:
        assert unit_by_code(session, "00181", TODAY - timedelta(days=1)).name == "Phường Văn Miếu"
        with pytest.raises(UnknownUnit):
            unit_by_code(session, "00181", TODAY)
        assert level_counts(session, TODAY)["ward"] == 3
        assert level_counts(session, TODAY - timedelta(days=1))["ward"] == 4
        assert level_counts(session, VALID_FROM - timedelta(days=1)) == {}


def test_a_second_list_stands_behind_the_first(db: Database) -> None:
    with db.transaction() as session:
        import_units(session, unit_rows(), VALID_FROM)
        import_units(session, [UnitRow(2, "79", None, "city", "Thành phố", "TP HCM")], VALID_FROM)
        assert [line.code for line in root_lines(session, TODAY)] == ["01", "79"]


def test_dong_da_is_found_with_its_path(db: Database) -> None:
    with db.transaction() as session:
        import_units(session, read_shipped("hanoi-2021"), VALID_FROM)
    with db.reader() as session:
        found = find_units(session, "dong da", TODAY)
        assert found.lines[0].name == "Quận Đống Đa"
        assert [step.name for step in found.path[found.lines[0].id]] == ["Thành phố Hà Nội"]
        (ward,) = find_units(session, "00181", TODAY).lines
        assert [step.name for step in find_units(session, "00181", TODAY).path[ward.id]] == [
            "Quận Đống Đa",
            "Thành phố Hà Nội",
        ]
        assert find_units(session, "", TODAY, level="ward", limit=10).total == 579
        assert find_units(session, "%", TODAY).total == 0


def test_the_tree_takes_as_many_statements_for_nine_units_as_for_632(db: Database) -> None:
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))

    def statements() -> int:
        asked.clear()
        with db.reader() as session:
            roots = root_lines(session, TODAY)
            lines_below(session, [line.id for line in roots], TODAY)
            level_counts(session, TODAY)
            find_units(session, "phuong", TODAY)
        return len(asked)

    with db.transaction() as session:
        make_city(session, utcnow())
    few = statements()
    with db.transaction() as session:
        import_units(
            session,
            [
                UnitRow(
                    row.line,
                    f"9{row.code}",
                    f"9{row.parent_code}" if row.parent_code else None,
                    row.level,
                    row.kind,
                    row.name,
                )
                for row in read_shipped("hanoi-2021")
            ],
            VALID_FROM,
        )
    assert statements() == few
    assert few <= 10
