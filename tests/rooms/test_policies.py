"""Rights: what a list shows is what a single check allows, and both can be explained."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.accounts import (
    RoleHeld,
    deactivate,
    end_role,
    give_role,
    open_account,
    person_under,
    reactivate,
)
from rooms.administrators import LastAdministrator
from rooms.directory import root_lines
from rooms.finding import PeopleWanted, find_people, people_looked_after, roles_held
from rooms.hierarchy import Unit, UnitRow, import_units, load_tree
from rooms.kernel import FieldInvalid, utcnow
from rooms.people import NewPerson, Person, Role, RoleGrant, add_person, grant_role
from rooms.policies import (
    ROLE_PERMISSIONS,
    Actor,
    NotPermitted,
    Permission,
    governed,
    holds,
    permissions_at,
    require,
    top_units,
)
from rooms.reasons import explain
from tests.factories import VALID_FROM, City, make_city

TODAY = date(2026, 11, 23)
DAYS = st.integers(-3, 3).map(lambda days: TODAY + timedelta(days=days))


@contextmanager
def undone(db: Database) -> Iterator[Session]:
    """A session whose work is rolled back, so that the next example begins with nothing."""
    with Session(db.engine) as session, session.begin() as transaction:
        yield session
        transaction.rollback()


@st.composite
def trees(draw: st.DrawFn) -> list[UnitRow]:
    count = draw(st.integers(2, 9))
    return [
        UnitRow(
            number + 2,
            f"c{number}",
            f"c{draw(st.integers(0, number - 1))}" if number else None,
            "unit",
            "Đơn vị",
            f"Đơn vị {number}",
        )
        for number in range(count)
    ]


grants = st.lists(
    st.tuples(st.sampled_from(list(Role)), st.integers(0, 8), DAYS, st.none() | DAYS), max_size=4
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=trees(), given_roles=grants, permission=st.sampled_from(list(Permission)))
def test_lists_single_checks_and_reasons_agree(
    db: Database,
    rows: list[UnitRow],
    given_roles: list[tuple[Role, int, date, date | None]],
    permission: Permission,
) -> None:
    with undone(db) as session:
        import_units(session, rows, VALID_FROM)
        tree = load_tree(session, TODAY)
        person = add_person(session, NewPerson("a", "A"), tree.roots[0].id, TODAY)
        actor = Actor(person.id, person.name, person.unit_id)
        expected: set[int] = set()
        for role, place, first, last in given_roles:
            unit = tree.node(f"c{place % len(rows)}")
            if last is not None and last <= first:
                with pytest.raises(FieldInvalid):
                    grant_role(session, person.id, role, unit.id, first, last)
                continue
            grant_role(session, person.id, role, unit.id, first, last)
            in_time = first <= TODAY and (last is None or last > TODAY)
            if in_time and permission in ROLE_PERMISSIONS[role]:
                expected |= {node.id for node in tree.subtree(unit.id)}
        listed = set(
            session.scalars(select(Unit.id).where(governed(actor, permission, Unit.id, TODAY)))
        )
        assert listed == expected
        for unit_id in tree.by_id:
            allowed = holds(session, actor, permission, unit_id, TODAY)
            assert allowed == (unit_id in expected)
            assert bool(explain(session, actor, permission, unit_id, TODAY)) == allowed
            assert (permission in permissions_at(session, actor, unit_id, TODAY)) == allowed


def test_a_right_reaches_down_and_not_aside(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        secretary = city.actors["thuky.dongda"]

        def may(code: str) -> bool:
            return holds(session, secretary, Permission.MEETING_WRITE, city.units[code], TODAY)

        assert [code for code in city.units if may(code)] == ["006", "00178", "00181", "00226"]
        (reason,) = explain(
            session, secretary, Permission.MEETING_WRITE, city.units["00181"], TODAY
        )
        assert (reason.role, reason.unit_name, reason.depth) == ("secretary", "Quận Đống Đa", 1)
        with pytest.raises(NotPermitted) as refused:
            require(session, secretary, Permission.MEETING_WRITE, city.units["001"], TODAY)
        assert refused.value.unit == "Quận Ba Đình"
        (top,) = top_units(session, secretary, Permission.MEETING_WRITE, TODAY)
        assert top.code == "006"


def test_the_operator_of_a_ward_holds_nothing_in_the_ward_beside(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        operator = city.actors["truc.vanmieu"]
        beside = permissions_at(session, operator, city.units["00178"], TODAY)
        assert beside == frozenset()
        assert Permission.ATTENDANCE_WRITE in permissions_at(
            session, operator, city.units["00181"], TODAY
        )


def _administrator(session: Session, city: City, name: str, unit: str) -> Actor:
    person = open_account(
        session,
        city.actors["quantri"],
        NewPerson(name, name),
        city.units[unit],
        Role.ADMINISTRATOR,
        TODAY,
    )
    return Actor(person.id, person.name, person.unit_id)


def _grant(session: Session, person_id: int) -> int:
    return session.scalars(select(RoleGrant.id).where(RoleGrant.person_id == person_id)).one()


def test_an_administrator_looks_after_their_own_subtree(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        district = _administrator(session, city, "qt.dongda", "006")
        people, total = people_looked_after(session, district, PeopleWanted(), TODAY, limit=50)
        assert {person.username for person, _unit in people} == {
            "thuky.dongda",
            "truc.dongda",
            "qt.dongda",
            "vanthu.vanmieu",
            "truc.vanmieu",
            "truc.cattlinh",
            "lanhdao.vanmieu",
        }
        assert total == 7
        operators = PeopleWanted(under=city.units["00181"], role=Role.OPERATOR)
        ((person, unit),) = people_looked_after(session, district, operators, TODAY, limit=9)[0]
        assert (person.username, unit) == ("truc.vanmieu", "Phường Văn Miếu")
        with pytest.raises(NotPermitted):
            open_account(
                session, district, NewPerson("x", "X"), city.units["001"], Role.OPERATOR, TODAY
            )
        with pytest.raises(NotPermitted):
            give_role(
                session,
                district,
                city.actors["truc.dongda"].person_id,
                Role.ADMINISTRATOR,
                city.units["01"],
                TODAY,
                valid_from=TODAY,
            )


def test_nobody_takes_over_an_account_that_reaches_further(db: Database) -> None:
    """A new password for a person of one's unit with rights elsewhere would lend those rights."""
    with db.transaction() as session:
        city = make_city(session, utcnow())
        district = _administrator(session, city, "qt.dongda", "006")
        clerk = city.actors["thuky.dongda"].person_id
        assert person_under(session, district, clerk, TODAY).id == clerk
        give_role(
            session,
            city.actors["quantri"],
            clerk,
            Role.SECRETARY,
            city.units["01"],
            TODAY,
            valid_from=TODAY + timedelta(days=1),
        )
        for act in (person_under, deactivate, reactivate):
            with pytest.raises(NotPermitted) as refused:
                act(session, district, clerk, TODAY)
            assert refused.value.unit == "Thành phố Hà Nội"


def test_the_last_administrator_stays(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        only = city.actors["quantri"]
        with pytest.raises(LastAdministrator) as refused:
            end_role(session, only, _grant(session, only.person_id), TODAY)
        assert refused.value.unit == "Thành phố Hà Nội"
        with pytest.raises(LastAdministrator):
            deactivate(session, only, only.person_id, TODAY)
        # One of a district does not stand for the city; the city's one stands for the district.
        district = _administrator(session, city, "qt.dongda", "006")
        with pytest.raises(LastAdministrator):
            deactivate(session, only, only.person_id, TODAY)
        end_role(session, only, _grant(session, district.person_id), TODAY)
        second = _administrator(session, city, "qt2", "01")
        deactivate(session, second, only.person_id, TODAY)
        with pytest.raises(LastAdministrator):
            deactivate(session, second, second.person_id, TODAY)


def test_an_administrator_for_a_time_does_not_stand_for_one_without_end(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        only = city.actors["quantri"]
        open_account(
            session,
            only,
            NewPerson("thay", "Thay"),
            city.units["01"],
            Role.ADMINISTRATOR,
            TODAY,
            valid_until=TODAY + timedelta(days=30),
        )
        with pytest.raises(LastAdministrator):
            deactivate(session, only, only.person_id, TODAY)


def test_a_role_ends_on_the_day_and_keeps_its_past(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        clerk = city.actors["thuky.dongda"]
        end_role(session, city.actors["quantri"], _grant(session, clerk.person_id), TODAY)
        yesterday = TODAY - timedelta(days=1)
        unit = city.units["006"]
        assert holds(session, clerk, Permission.MEETING_WRITE, unit, yesterday)
        assert not holds(session, clerk, Permission.MEETING_WRITE, unit, TODAY)
        assert roles_held(session, [clerk.person_id], TODAY) == {clerk.person_id: []}


def test_a_role_is_not_given_twice_for_one_time(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        clerk = city.actors["thuky.dongda"].person_id
        with pytest.raises(RoleHeld):
            give_role(
                session,
                city.actors["quantri"],
                clerk,
                Role.SECRETARY,
                city.units["006"],
                TODAY,
                valid_from=TODAY,
            )


def test_contact_details_show_where_one_governs(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        for person in session.scalars(select(Person)):
            person.phone = "0912 345 678"
        session.flush()
        (found,) = find_people(session, city.actors["truc.vanmieu"], "hoang duc anh", TODAY)
        assert (found.name, found.phone, found.email, found.username) == (
            "Hoàng Đức Anh",
            None,
            None,
            None,
        )
        (found,) = find_people(session, city.actors["thuky.dongda"], "hoang duc anh", TODAY)
        assert found.phone == "0912 345 678"
        assert root_lines(session, TODAY)[0].code == "01"
