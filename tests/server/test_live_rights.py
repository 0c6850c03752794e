"""What callers may check in is looked up once for all their points, and forgotten again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from meetings_server.database import Database
from meetings_server.live.rights import LASTS, OFTEN, PART, KnownRights
from rooms.bridge_points import UnknownPoint
from rooms.kernel import civil_day, utcnow
from rooms.meetings import UnknownMeeting
from rooms.people import RoleGrant
from rooms.policies import NotPermitted
from tests.factories import City, make_city, scheduled_meeting

WARD, OTHER = "00181", "00178"


class Clock:
    """Stands still until it is moved, but for what each look at it takes."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 100.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def day(db: Database) -> tuple[City, int]:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=10))
    return city, meeting.id


def test_whoever_asks_for_many_gets_all_looked_up_once(db: Database, day: tuple[City, int]) -> None:
    city, meeting_id = day
    rights, actor = KnownRights(db, Clock()), city.actors["kythuat"]
    for code in list(city.points)[: OFTEN + 1]:
        rights.ask(actor, meeting_id, city.points[code])
    assert all(rights.knows(actor, meeting_id, point) for point in city.points.values())
    seen: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *told: seen.append(told[2]))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda p: rights.ask(actor, meeting_id, p), city.points.values()))
    assert not [one for one in seen if one.startswith("SELECT")]


def test_many_threads_look_once(db: Database, day: tuple[City, int]) -> None:
    city, meeting_id = day
    rights, actor = KnownRights(db, Clock()), city.actors["kythuat"]
    of_all: list[str] = []

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        about_points = statement.startswith("SELECT participation.point_id")
        if about_points and "participation.point_id =" not in statement:
            of_all.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    points = list(city.points.values()) * 4
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda p: rights.ask(actor, meeting_id, p), points))
    assert len(of_all) == 1
    assert rights.knows(actor, meeting_id, points[0])


def test_a_right_that_was_taken_away_is_gone_in_time(db: Database, day: tuple[City, int]) -> None:
    city, meeting_id = day
    clock = Clock()
    rights, actor = KnownRights(db, clock), city.actors["truc.vanmieu"]
    own, other = city.points[WARD], city.points[OTHER]
    for _ in range(OFTEN + 2):
        rights.ask(actor, meeting_id, own)
    assert rights.knows(actor, meeting_id, own)
    assert not rights.knows(actor, meeting_id, other)
    with pytest.raises(NotPermitted):
        rights.ask(actor, meeting_id, other)
    with pytest.raises(UnknownPoint):
        rights.ask(actor, meeting_id, 999_999)
    with db.transaction() as session:
        ended = civil_day(utcnow()) - timedelta(days=1)
        session.execute(
            update(RoleGrant)
            .where(RoleGrant.person_id == actor.person_id)
            .values(valid_from=ended - timedelta(days=9), valid_until=ended)
        )
    clock.now += LASTS
    assert not rights.knows(actor, meeting_id, own)
    with pytest.raises(UnknownMeeting):
        rights.ask(actor, meeting_id, own)


def test_what_takes_long_is_known_for_longer(db: Database, day: tuple[City, int]) -> None:
    city, meeting_id = day
    clock = Clock(step=1.0)
    rights, actor = KnownRights(db, clock), city.actors["kythuat"]
    clock.step = 0.0
    for _ in range(OFTEN):
        rights.ask(actor, meeting_id, city.points[WARD])
    clock.step = 1.0
    rights.ask(actor, meeting_id, city.points[WARD])
    clock.step = 0.0
    clock.now += PART / 2
    assert rights.knows(actor, meeting_id, city.points[OTHER])
    clock.now += PART
    assert not rights.knows(actor, meeting_id, city.points[OTHER])
