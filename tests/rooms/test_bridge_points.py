"""Bridge points, their outages, and how a unit is reached."""

from datetime import timedelta

import pytest

from meetings_server.database import Database
from rooms.bridge_points import (
    PointFacts,
    add_point,
    change_point,
    points_of,
)
from rooms.contacts import change_contact
from rooms.endpoints import EndpointKind
from rooms.hierarchy import Unit
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.outages import (
    OutageOver,
    UnknownOutage,
    close_outage,
    outages_since,
    report_outage,
)
from rooms.policies import NotPermitted
from tests.factories import make_city

NOW = utcnow()
TODAY = civil_day(NOW)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("facts", "field", "problem"),
    [
        (PointFacts(" "), "name", "missing"),
        (PointFacts("x" * 121), "name", "too_long"),
        (PointFacts("x", capacity=0), "capacity", "out_of_range"),
        (PointFacts("x", capacity=100_001), "capacity", "out_of_range"),
        (PointFacts("x", endpoint_kind=EndpointKind.SIP), "endpoint_address", "missing"),
        (PointFacts("x", technician_name="a\x00b"), "technician_name", "control_characters"),
    ],
)
def test_a_point_that_cannot_be_is_refused(
    db: Database, facts: PointFacts, field: str, problem: str
) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        with pytest.raises(FieldInvalid) as refused:
            add_point(session, city.secretary, city.units["006"], facts, TODAY)
        assert (refused.value.field, refused.value.problem) == (field, problem)


def test_a_unit_may_have_several_points_the_first_stays_its_default(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        unit = city.units["006"]
        second = add_point(session, city.secretary, unit, PointFacts("Phòng họp tầng 2"), TODAY)
        assert [point.id for point in points_of(session, unit)] == [city.points["006"], second.id]


def test_points_of_another_unit_are_not_touched(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        clerk = city.actors["vanthu.vanmieu"]
        with pytest.raises(NotPermitted):
            change_point(session, clerk, city.points["00178"], PointFacts("x"), TODAY)
        with pytest.raises(NotPermitted):
            report_outage(session, clerk, city.points["00178"], NOW, None, "Mất điện", NOW)
        mine = report_outage(session, clerk, city.points["00181"], NOW, None, "Mất điện", NOW)
        with pytest.raises(NotPermitted):
            close_outage(session, city.actors["thuky.snv"], mine.id, NOW)


def test_an_outage_ends_now_and_its_past_stays(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        clerk, point = city.actors["vanthu.vanmieu"], city.points["00181"]
        outage = report_outage(session, clerk, point, NOW - HOUR, None, "Mất điện", NOW)
        assert [each.reason for each in outages_since(session, [point], NOW)] == ["Mất điện"]
        closed = close_outage(session, clerk, outage.id, NOW)
        assert closed is not None
        assert (closed.starts_at, closed.ends_at) == (NOW - HOUR, NOW)
        assert outages_since(session, [point], NOW) == []
        with pytest.raises(OutageOver):
            close_outage(session, clerk, outage.id, NOW + HOUR)


def test_an_outage_that_has_not_begun_is_taken_back_whole(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        clerk, point = city.actors["vanthu.vanmieu"], city.points["00181"]
        outage = report_outage(session, clerk, point, NOW + HOUR, NOW + 2 * HOUR, "Sửa", NOW)
        assert close_outage(session, clerk, outage.id, NOW) is None
        with pytest.raises(UnknownOutage):
            close_outage(session, clerk, outage.id, NOW)


def test_an_outage_ends_after_its_start(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        clerk, point = city.actors["vanthu.vanmieu"], city.points["00181"]
        with pytest.raises(FieldInvalid) as refused:
            report_outage(session, clerk, point, NOW, NOW, "Mất điện", NOW)
        assert refused.value.problem == "not_after_start"


def test_the_official_address_is_kept_by_administrators(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        ward = city.units["00181"]
        change_contact(session, city.actors["quantri"], ward, "vt@hanoi.gov.vn", "024 3851", TODAY)
        unit = session.get_one(Unit, ward)
        assert (unit.email, unit.phone) == ("vt@hanoi.gov.vn", "024 3851")
        change_contact(session, city.actors["quantri"], ward, "", " ", TODAY)
        assert (unit.email, unit.phone) == (None, None)
        with pytest.raises(NotPermitted):
            change_contact(session, city.actors["vanthu.vanmieu"], ward, "a@b.vn", "", TODAY)


@pytest.mark.parametrize(
    "address",
    ["x", "@", "a@", "@b", "a b@c.vn", "a@b@c", "a..b@c.vn", "a@c.vn\nBcc: d@e.vn", "é@c.vn"],
)
def test_what_is_no_address_is_refused(db: Database, address: str) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        with pytest.raises(FieldInvalid) as refused:
            change_contact(session, city.actors["quantri"], city.units["006"], address, "", TODAY)
        assert refused.value.field == "email"
