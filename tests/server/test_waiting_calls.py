"""Technicians are told of a call that nobody takes, once, and not of one that somebody has."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.jobs import run_sweep
from meetings_server.push.notices import Notice, NoticeReader
from meetings_server.sweeps.waiting_calls import PATIENCE, sweep
from rooms.attendance import CheckIn, Source
from rooms.check_ins import record_check_in
from rooms.help_calls import HelpCall, take
from rooms.help_lists import acts_of
from rooms.kernel import civil_day, utcnow
from rooms.people import Role
from rooms.scheduling import end, start
from tests.factories import City, make_city, make_person, scheduled_meeting

NOW = utcnow().replace(microsecond=0)


@pytest.fixture
def held(db: Database) -> tuple[City, int]:
    with db.transaction() as session:
        city = make_city(session, NOW - timedelta(days=10))
        for username, unit, role in (
            ("kt.dongda", "006", Role.TECHNICIAN),
            ("kt.vanmieu", "00181", Role.TECHNICIAN),
            ("kt.cattlinh", "00178", Role.TECHNICIAN),
        ):
            city.actors[username] = make_person(
                session, city, username, username, "", unit, role, NOW
            )
        meeting = scheduled_meeting(
            session, city, NOW - timedelta(days=9), starts_at=NOW - timedelta(minutes=5)
        )
        start(session, city.secretary, meeting.id, NOW)
        return city, meeting.id


def ask(db: Database, held: tuple[City, int], code: str, at: datetime) -> None:
    city, meeting_id = held
    said = CheckIn(
        meeting_id,
        city.points[code],
        "needs_help",
        city.actors["truc.vanmieu"].person_id,
        Source.LIVE,
        observed_at=at,
    )
    with db.connection() as connection:
        record_check_in(connection, said, NOW)


def told(db: Database, city: City) -> list[dict[str, int]]:
    """Of each notice who was told, and of how many points."""
    names = {actor.person_id: username for username, actor in city.actors.items()}
    found: dict[int, dict[str, int]] = {}
    with db.reader() as session:
        rows = session.execute(
            select(Notice.id, NoticeReader.person_id, NoticeReader.count)
            .join(NoticeReader, NoticeReader.notice_id == Notice.id)
            .where(Notice.key.startswith("help-wanted:"))
            .order_by(Notice.id)
        )
        for notice, person, count in rows:
            found.setdefault(notice, {})[names[person]] = count
    return list(found.values())


def look(db: Database, now: datetime) -> int:
    return run_sweep(db, "waiting calls for help", sweep, now)


def test_technicians_are_told_once_of_calls_that_nobody_takes(
    db: Database, held: tuple[City, int]
) -> None:
    city, _ = held
    ask(db, held, "00181", NOW - timedelta(seconds=30))
    assert look(db, NOW) == 0
    ask(db, held, "00178", NOW - timedelta(seconds=20))
    later = NOW + PATIENCE
    assert look(db, later) == 2
    first = {"kythuat": 2, "kt.dongda": 2, "kt.vanmieu": 1, "kt.cattlinh": 1}
    assert told(db, city) == [first]
    assert look(db, later) == 0
    ask(db, held, "00001", NOW)
    assert look(db, later) == 1
    assert told(db, city) == [first, {"kythuat": 1}]
    with db.reader() as session:
        call = session.scalars(select(HelpCall.id).order_by(HelpCall.id)).first()
        assert call is not None
        assert [act.act for act in acts_of(session, [call])[call]] == ["asked", "told"]


def test_a_call_that_is_taken_or_of_a_meeting_that_is_over_is_not_told(
    db: Database, held: tuple[City, int]
) -> None:
    city, meeting_id = held
    ask(db, held, "00181", NOW)
    ask(db, held, "00178", NOW)
    with db.transaction() as session:
        call = session.scalars(
            select(HelpCall.id).where(HelpCall.point_id == city.points["00181"])
        ).one()
        take(session, city.actors["kythuat"], call, NOW, civil_day(NOW))
    with db.transaction() as session:
        end(session, city.secretary, meeting_id, NOW)
    assert look(db, NOW + timedelta(minutes=2)) == 0
    assert told(db, city) == []
