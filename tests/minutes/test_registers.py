"""Numbers without gaps and without doubles, also when two issue at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from meetings_server.database import Database
from minutes.kinds import KINDS, DocumentKind, kind_of, number_and_symbol, symbol_of
from minutes.registers import NumberTaken, RegisterEntry, claim_number, gaps, next_number
from rooms.hierarchy import Unit
from rooms.kernel import FieldInvalid, utcnow
from tests.factories import City, make_city

MINUTES = DocumentKind.MINUTES


def city_of(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def test_each_register_counts_for_itself(db: Database) -> None:
    city = city_of(db)
    with db.transaction() as session:
        mine = city.units["01"]
        assert [next_number(session, mine, MINUTES, 2026) for _ in range(3)] == [1, 2, 3]
        assert next_number(session, mine, DocumentKind.PLAN, 2026) == 1
        assert next_number(session, mine, MINUTES, 2027) == 1
        assert next_number(session, city.units["006"], MINUTES, 2026) == 1
        assert next_number(session, mine, MINUTES, 2026) == 4


def test_a_failure_gives_no_number_away(db: Database) -> None:
    city = city_of(db)
    with db.transaction() as session:
        assert next_number(session, city.units["01"], MINUTES, 2026) == 1
        session.rollback()
    with db.transaction() as session:
        assert next_number(session, city.units["01"], MINUTES, 2026) == 1


def test_racing_writers_get_every_number_once(db: Database) -> None:
    city = city_of(db)
    racers, rounds = 8, 5
    start = Barrier(racers)

    def take(_racer: int) -> list[int]:
        start.wait()
        taken = []
        for _ in range(rounds):
            with db.transaction() as session:
                taken.append(next_number(session, city.units["01"], MINUTES, 2026))
        return taken

    with ThreadPoolExecutor(racers) as pool:
        taken = [number for numbers in pool.map(take, range(racers)) for number in numbers]
    assert sorted(taken) == list(range(1, racers * rounds + 1))


def test_the_database_itself_refuses_a_double(db: Database) -> None:
    city = city_of(db)
    row = {"unit_id": city.units["01"], "kind": "minutes", "year": 2026, "number": 1}
    with db.transaction() as session:
        next_number(session, city.units["01"], MINUTES, 2026)
    with pytest.raises(IntegrityError), db.transaction() as session:
        session.execute(insert(RegisterEntry).values(**row))


def test_a_number_from_paper_is_kept_free(db: Database) -> None:
    city = city_of(db)
    unit = city.units["01"]
    with db.transaction() as session:
        claim_number(session, unit, MINUTES, 2026, 3)
        assert next_number(session, unit, MINUTES, 2026) == 4
        assert gaps(session, unit, MINUTES, 2026) == [1, 2]
        claim_number(session, unit, MINUTES, 2026, 1)
        assert next_number(session, unit, MINUTES, 2026) == 5
        with pytest.raises(NumberTaken) as refusal:
            claim_number(session, unit, MINUTES, 2026, 4)
        assert refusal.value.number == 4
        assert next_number(session, unit, MINUTES, 2026) == 6
    with db.transaction() as session:
        for number in (0, -1, 1_000_000):
            with pytest.raises(FieldInvalid):
                claim_number(session, unit, MINUTES, 2026, number)


def test_the_29_kinds_of_the_decree() -> None:
    assert len(KINDS) == 29
    short = [kind.abbreviation for kind in KINDS.values() if kind.abbreviation]
    assert len(short) == len(set(short)) == 27
    assert kind_of("plan").name == "Kế hoạch"
    with pytest.raises(FieldInvalid):
        kind_of("KH")


def test_the_symbol_names_kind_and_issuer(db: Database) -> None:
    city_of(db)
    with db.reader() as session:
        units = {unit.code: unit for unit in session.scalars(select(Unit))}
    assert symbol_of(DocumentKind.PLAN, units["01"]) == "KH-UBND"
    assert symbol_of(MINUTES, units["01-SNV"]) == "BB-SNV"
    assert symbol_of(MINUTES, units["00181"]) == "BB-UBND"
    assert symbol_of(DocumentKind.OFFICIAL_LETTER, units["006"]) == "UBND"
    assert number_and_symbol(7, "BB-UBND") == "07/BB-UBND"
    assert number_and_symbol(112, "KH-SNV") == "112/KH-SNV"
