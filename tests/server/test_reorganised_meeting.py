"""A meeting that a reorganisation has aimed anew: what its secretary reads, and the sweep of the day."""

from datetime import timedelta

from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.database import Database
from meetings_server.jobs import SWEEPS, run_sweep
from rooms.hierarchy import load_tree
from rooms.kernel import civil_day, utcnow
from rooms.people import Person
from tests.conftest import SignIn
from tests.factories import at, make_city, scheduled_meeting
from tests.reorganised import applied


def test_the_secretary_reads_the_difference_and_the_day_comes(
    client: TestClient[Litestar], sign_in: SignIn, db: Database
) -> None:
    now = utcnow()
    day = civil_day(now) + timedelta(days=14)
    with db.transaction() as session:
        city = make_city(session, now)
        start = at(day + timedelta(days=2), 8)
        meeting = scheduled_meeting(session, city, now, starts_at=start).id
        applied(session, city, day, now)
    sign_in(city.secretary.person_id)
    page = client.get(f"/meetings/{meeting}?tab=history")
    assert page.status_code == 200
    assert "điểm cầu: 9 → 8; 1 giấy mời được gộp vào giấy mời khác" in page.text
    assert "Quận Đống Đa" in page.text
    assert "Sắp xếp lại đơn vị" in page.text
    sweep = next(sweep for name, sweep, _seconds in SWEEPS if name == "reorganisations")
    assert run_sweep(db, "reorganisations", sweep, at(day, 0) - timedelta(seconds=1)) == 0
    assert run_sweep(db, "reorganisations", sweep, at(day, 0)) == 1
    assert run_sweep(db, "reorganisations", sweep, at(day, 0)) == 0
    with db.reader() as session:
        heir = load_tree(session, day).by_code["00178"].id
        clerk = session.get_one(Person, city.actors["vanthu.vanmieu"].person_id)
        assert clerk.unit_id == heir
