"""Units of a plan whose day has not come: where they are written to, and who may host when."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select

from meetings_server.database import Database
from rooms.audience import Rule
from rooms.hierarchy import Unit, load_tree
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.reorganisation import SuccessionRow, make_plan
from rooms.scheduling import book
from tests.factories import at, make_city, meeting_request, unit_rows
from tests.reorganised import AFTER, applied, succession_rows


@pytest.fixture
def now() -> datetime:
    return utcnow()


@pytest.fixture
def day(now: datetime) -> date:
    """The day of the plan."""
    return civil_day(now) + timedelta(days=14)


def test_new_units_are_written_to_where_their_predecessors_were(
    db: Database, now: datetime, day: date
) -> None:
    """Lists by law name no mail addresses."""
    units = [replace(row, email=None, phone=None) for row in unit_rows(AFTER)]
    units[3] = replace(units[3], name="Quận Ba Đình Mới", email="moi@hanoi.example")
    renamed = [*succession_rows(), SuccessionRow(9, "001", "001", "whole", True)]
    with db.transaction() as session:
        city = make_city(session, now)
        applied(session, city, day, now, plan=make_plan(units, renamed))
    with db.reader() as session:
        written_to = dict(
            session.execute(select(Unit.code, Unit.email).where(Unit.valid_from == day)).all()
        )
    assert written_to == {
        "01-STC": "vanthu.01-stc@hanoi.example",
        "001": "moi@hanoi.example",
        "00178": "vanthu.00178@hanoi.example",
        "00999": "vanthu.00181@hanoi.example",
    }


def test_whoever_exists_on_the_day_hosts(db: Database, now: datetime, day: date) -> None:
    with db.transaction() as session:
        city = make_city(session, now)
        applied(session, city, day, now)
        heir = load_tree(session, day).by_code["00178"].id
    everybody = [Rule(include=True, by="level", level="department")]
    asked = meeting_request(city, now, audience=everybody, starts_at=at(day + timedelta(days=9), 8))
    clerk = city.actors["vanthu.vanmieu"]
    with db.transaction() as session:
        gone = replace(asked, host_unit_id=city.units["006"])
        with pytest.raises(FieldInvalid, match="unit_ended"):
            book(session, city.actors["thuky.dongda"], gone, now)
    with db.transaction() as session:
        early = replace(asked, host_unit_id=heir, starts_at=at(day - timedelta(days=2), 8))
        early = replace(early, ends_at=early.starts_at + timedelta(hours=2))
        with pytest.raises(FieldInvalid, match="unit_not_begun"):
            book(session, clerk, early, now)
    with db.transaction() as session:
        # Before the day those whose place it takes prepare what it will host.
        made = book(session, clerk, replace(asked, host_unit_id=heir), now)
        assert made.meeting.host_unit_id == heir
