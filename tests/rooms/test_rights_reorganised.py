"""Rights follow a reorganisation, loans among them, and say where they come from."""

from datetime import timedelta

from sqlalchemy import select

from meetings_server.database import Database
from rooms.finding import roles_held
from rooms.grounds import Kind, meeting_grounds
from rooms.hierarchy import Unit, unit_by_code
from rooms.kernel import civil_day, utcnow
from rooms.people import Role
from rooms.policies import Permission, governed, holds
from rooms.reasons import explain, heritage_of, origins_of
from rooms.substitutions import Absence, name_substitute
from tests.factories import make_city, scheduled_meeting
from tests.reorganised import applied

WRITE = Permission.MEETING_WRITE


def test_who_takes_over_sees_what_was_and_learns_why(db: Database) -> None:
    now = utcnow()
    today = civil_day(now)
    day = today + timedelta(days=14)
    with db.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now)
        clerk, other = city.actors["vanthu.vanmieu"], city.actors["kythuat"]
        old = city.units["00181"]
        absence = Absence(
            clerk.person_id, other.person_id, today, day + timedelta(days=7), [Role.SECRETARY]
        )
        name_substitute(session, clerk, absence, now)
        applied(session, city, day, now)
        heir = unit_by_code(session, "00178", day)

        # Until the day everything stands where it stood.
        (before,) = explain(session, clerk, WRITE, old, today)
        assert (before.unit_id, before.depth, before.moved_from) == (old, 0, ())
        assert heritage_of(session, [old], today) == {}

        # From the day on: at the successor, which keeps the records of the unit that ended.
        for person, lender in ((clerk, None), (other, "Đặng Thùy Dương")):
            (after,) = explain(session, person, WRITE, old, day)
            assert after.unit_name == "Phường Văn Miếu - Cát Linh"
            assert after.moved_from == ("Phường Văn Miếu",)
            assert (after.loan.holder_name if after.loan else None) == lender
            listed = session.scalars(
                select(Unit.id).where(governed(person, WRITE, Unit.id, day))
            ).all()
            assert {old, heir.id} <= set(listed)
            assert not holds(session, person, WRITE, unit_by_code(session, "00226", day).id, day)
        assert not holds(session, other, WRITE, heir.id, day + timedelta(days=8))
        kept = heritage_of(session, [old], day)[old]
        assert (kept.unit_name, kept.keeper_name, kept.ended_on) == (
            "Phường Văn Miếu",
            "Phường Văn Miếu - Cát Linh",
            day,
        )
        held = roles_held(session, [clerk.person_id])[clerk.person_id]
        moved = origins_of(session, [grant.id for grant in held])
        assert [moved.get(grant.id, ()) for grant in held] == [("Phường Văn Miếu",), ()]
        invited = [
            ground
            for ground in meeting_grounds(session, clerk, meeting.id, day)
            if ground.kind is Kind.INVITED
        ]
        assert invited
        assert all(ground.reasons for ground in invited)
