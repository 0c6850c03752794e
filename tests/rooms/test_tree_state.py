"""The tree that is kept is the tree there is, whoever changes it and by whatever statement."""

from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.directory import find_units, level_counts, lines_below
from rooms.hierarchy import Unit, UnitAncestry, UnitRow, import_units, load_tree
from rooms.tree_state import TreeState
from tests.factories import VALID_FROM, unit_rows

TODAY = date(2026, 11, 23)
WARD = "00181"


@pytest.fixture
def tree(db: Database) -> None:
    with db.transaction() as session:
        import_units(session, unit_rows(), VALID_FROM)


def name_of(db: Database, code: str = WARD, on: date = TODAY) -> str | None:
    with db.reader() as session:
        node = load_tree(session, on).by_code.get(code)
        return node.name if node else None


@pytest.mark.usefixtures("tree")
def test_a_change_is_seen_however_it_is_made(db: Database) -> None:
    assert name_of(db) == "Phường Văn Miếu"
    with db.transaction() as session:
        session.scalars(select(Unit).where(Unit.code == WARD)).one().name = "Một"
    assert name_of(db) == "Một"
    with db.transaction() as session:
        session.execute(update(Unit).where(Unit.code == WARD).values(name="Hai"))
        assert load_tree(session, TODAY).by_code[WARD].name == "Hai"
    assert name_of(db) == "Hai"
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE unit SET name = 'Ba' WHERE code = '00181'"))
    assert name_of(db) == "Ba"
    with db.transaction() as session:
        import_units(session, [UnitRow(2, "00999", "006", "ward", "Phường", "Mới")], TODAY)
    assert name_of(db, "00999") == "Mới"
    with db.transaction() as session:
        ward = session.scalars(select(Unit.id).where(Unit.code == "00999")).one()
        session.execute(delete(UnitAncestry).where(UnitAncestry.unit_id == ward))
    with db.reader() as session:
        assert load_tree(session, TODAY).by_code["00999"].parent_id is None


@pytest.mark.usefixtures("tree")
def test_what_is_rolled_back_is_not_kept(db: Database) -> None:
    with Session(db.engine) as session, session.begin() as transaction:
        session.execute(update(Unit).where(Unit.code == WARD).values(name="Nháp"))
        assert load_tree(session, TODAY).by_code[WARD].name == "Nháp"
        transaction.rollback()
    assert name_of(db) == "Phường Văn Miếu"


@pytest.mark.usefixtures("tree")
def test_days_of_one_shape_share_a_reading_and_keep_their_day(db: Database) -> None:
    later = TODAY + timedelta(days=10)
    with db.reader() as session:
        first, second = load_tree(session, TODAY), load_tree(session, later)
        assert first.by_id is second.by_id
        assert (first.day, second.day) == (TODAY, later)
    with db.transaction() as session:
        session.execute(update(Unit).where(Unit.code == WARD).values(valid_until=later))
    assert name_of(db, on=later - timedelta(days=1)) == "Phường Văn Miếu"
    assert name_of(db, on=later) is None
    with db.reader() as session:
        assert level_counts(session, later)["ward"] == 3
        district = load_tree(session, later).node("006")
        (line,) = [
            line
            for lines in lines_below(session, [district.id], later).values()
            for line in lines
            if line.code == "00178"
        ]
        assert line.parent_id == district.id
        assert [found.code for found in find_units(session, "phuong mieu", TODAY).lines] == [WARD]
        assert find_units(session, "phuong mieu", later).lines == []


@pytest.mark.usefixtures("tree")
def test_without_a_state_nothing_is_kept(db: Database) -> None:
    with db.transaction() as session:
        session.execute(delete(TreeState))
    assert name_of(db) == "Phường Văn Miếu"
    with db.transaction() as session:
        session.execute(update(Unit).where(Unit.code == WARD).values(name="Hai"))
    assert name_of(db) == "Hai"
