"""Roles over time, and the last administrator: today, on later days, and for two at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.accounts import (
    Particulars,
    RoleHeld,
    UnknownGrant,
    deactivate,
    describe,
    end_role,
    give_role,
    open_account,
)
from rooms.administrators import AdministratorGap, LastAdministrator
from rooms.hierarchy import Succession, Unit
from rooms.kernel import DomainError, FieldInvalid
from rooms.people import NewPerson, Person, Role, RoleGrant
from rooms.policies import Actor, NotPermitted, Permission, holds
from rooms.reasons import explain
from tests.factories import City, make_city

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
TODAY = date(2026, 11, 23)
NEXT_YEAR = date(2027, 1, 1)


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, NOW)


def grant_of(session: Session, actor: Actor) -> RoleGrant:
    return session.scalars(select(RoleGrant).where(RoleGrant.person_id == actor.person_id)).one()


def second_administrator(
    session: Session, city: City, until: date | None = None, unit: str = "01"
) -> Actor:
    person = open_account(
        session,
        city.actors["quantri"],
        NewPerson(f"qt.{unit}", "Quản trị Hai"),
        city.units[unit],
        Role.ADMINISTRATOR,
        TODAY,
        valid_until=until,
    )
    return Actor(person.id, person.name, person.unit_id)


def test_no_day_to_come_is_left_without_an_administrator_unless_said_so(
    db: Database, city: City
) -> None:
    chief = city.actors["quantri"]
    with db.transaction() as session:
        mine = grant_of(session, chief)
        with pytest.raises(AdministratorGap) as refused:
            end_role(session, chief, mine.id, TODAY, until=NEXT_YEAR)
        assert (refused.value.unit, refused.value.day) == ("Thành phố Hà Nội", NEXT_YEAR)
        # Refused, it has changed nothing.
        session.refresh(mine)
        assert mine.valid_until is None
        # One for a time covers that time only; the district's covers nothing of the city.
        second_administrator(session, city, until=NEXT_YEAR)
        second_administrator(session, city, unit="006")
        with pytest.raises(AdministratorGap):
            deactivate(session, chief, chief.person_id, TODAY)
        end_role(session, chief, mine.id, TODAY, until=NEXT_YEAR, gap_accepted=True)
        assert mine.valid_until == NEXT_YEAR
        # Today's gap is never accepted: nobody could give rights any more.
        other = session.scalars(select(Person).where(Person.username == "qt.01")).one()
        deactivate(session, chief, other.id, TODAY)
        with pytest.raises(LastAdministrator):
            deactivate(session, chief, chief.person_id, TODAY, gap_accepted=True)
        with pytest.raises(LastAdministrator):
            end_role(session, chief, mine.id, TODAY, gap_accepted=True)


def test_a_role_ends_on_a_day_is_lengthened_and_taken_back(db: Database, city: City) -> None:
    chief, clerk = city.actors["quantri"], city.actors["thuky.dongda"]
    unit = city.units["006"]

    def may(session: Session, day: date) -> bool:
        return holds(session, clerk, Permission.MEETING_WRITE, unit, day)

    with db.transaction() as session:
        grant = grant_of(session, clerk)
        end_role(session, chief, grant.id, TODAY, until=NEXT_YEAR)
        assert [may(session, NEXT_YEAR - timedelta(days=1)), may(session, NEXT_YEAR)] == [
            True,
            False,
        ]
        coming = give_role(
            session, chief, clerk.person_id, Role.SECRETARY, unit, TODAY, valid_from=NEXT_YEAR
        )
        assert may(session, NEXT_YEAR)
        with pytest.raises(RoleHeld):
            end_role(session, chief, grant.id, TODAY, until=NEXT_YEAR + timedelta(days=1))
        with pytest.raises(FieldInvalid) as past:
            end_role(session, chief, grant.id, TODAY, until=TODAY - timedelta(days=1))
        assert past.value.problem == "in_the_past"
        end_role(session, chief, coming.id, TODAY)
        assert session.get(RoleGrant, coming.id) is None
        with pytest.raises(UnknownGrant):
            end_role(session, chief, coming.id, TODAY)
        end_role(session, chief, grant.id, TODAY, until=NEXT_YEAR + timedelta(days=1))
        assert may(session, NEXT_YEAR)
        with pytest.raises(NotPermitted):
            end_role(session, clerk, grant.id, TODAY)


def at_once(*acts: object) -> list[str]:
    together = Barrier(len(acts))

    def run(act: object) -> str:
        together.wait()
        try:
            act()  # type: ignore[operator]  # each is called without arguments
        except DomainError as refusal:
            return refusal.code
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(pool.map(run, acts))


def test_two_administrators_do_not_dismiss_each_other(db: Database, city: City) -> None:
    """By a closed account and an ended role: they touch different rows and still see each other."""
    with db.transaction() as session:
        chief, other = city.actors["quantri"], second_administrator(session, city)
        others = grant_of(session, other).id

    def close() -> None:
        with db.transaction() as session:
            deactivate(session, other, chief.person_id, TODAY)

    def end() -> None:
        with db.transaction() as session:
            end_role(session, chief, others, TODAY)

    # Whoever comes second has lost the right by then, or would be the last.
    refused, done = sorted(at_once(close, end), key="done".__eq__)
    assert done == "done"
    assert refused in {"denied", "last_administrator"}


def test_a_role_is_not_given_twice_at_once(db: Database, city: City) -> None:
    def give() -> None:
        with db.transaction() as session:
            give_role(
                session,
                city.actors["quantri"],
                city.actors["kythuat"].person_id,
                Role.OPERATOR,
                city.units["006"],
                TODAY,
                valid_from=TODAY,
            )

    assert at_once(give, give) == ["done", "role_held"]


def test_a_person_is_described_anew_where_one_governs(db: Database, city: City) -> None:
    chief, clerk = city.actors["quantri"], city.actors["thuky.dongda"]
    said = Particulars(
        "Lê Thị Bích", "Chánh Văn phòng", "bich@hanoi.example", "", city.units["001"]
    )
    with db.transaction() as session:
        changed = describe(session, chief, clerk.person_id, said, TODAY)
        assert (changed.name, changed.folded, changed.unit_id) == (
            "Lê Thị Bích",
            "le thi bich thuky.dongda",
            city.units["001"],
        )
        # The role stayed at the old unit.
        assert holds(session, clerk, Permission.MEETING_WRITE, city.units["006"], TODAY)
        district = second_administrator(session, city, unit="006")
        with pytest.raises(NotPermitted):
            describe(session, district, clerk.person_id, said, TODAY)
        with pytest.raises(FieldInvalid):
            describe(session, chief, clerk.person_id, Particulars("", "", "", "", 1), TODAY)


def test_a_role_is_not_given_at_a_unit_that_has_ended(db: Database, city: City) -> None:
    with db.transaction() as session:
        session.get_one(Unit, city.units["00178"]).valid_until = TODAY
        for valid_from in (TODAY, NEXT_YEAR):
            with pytest.raises(FieldInvalid) as refused:
                give_role(
                    session,
                    city.actors["quantri"],
                    city.actors["kythuat"].person_id,
                    Role.OPERATOR,
                    city.units["00178"],
                    TODAY,
                    valid_from=valid_from,
                )
            assert refused.value.problem == "unit_ended"


def test_a_grant_that_a_reorganisation_moved_says_where_it_stood(db: Database, city: City) -> None:
    clerk = city.actors["vanthu.vanmieu"]
    old, heir = city.units["00181"], city.units["00178"]
    with db.transaction() as session:
        grant_of(session, clerk).valid_until = TODAY
        session.add(
            Succession(
                predecessor_id=old, successor_id=heir, day=TODAY, extent="whole", is_main=True
            )
        )
        session.add(
            RoleGrant(
                person_id=clerk.person_id,
                unit_id=heir,
                role=Role.SECRETARY.value,
                valid_from=TODAY,
            )
        )
        session.flush()
        (reason,) = explain(session, clerk, Permission.MEETING_WRITE, heir, TODAY)
        assert reason.moved_from == ("Phường Văn Miếu",)
