"""Calls for help: opened and ended by what is said of a point, taken by one technician only."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from meetings_server.database import Database
from rooms.attendance import CheckIn, PointState, Source
from rooms.check_ins import record_check_in, record_check_ins
from rooms.help_calls import (
    HelpCall,
    HelpOver,
    HelpTaken,
    give_back,
    hand_over,
    reopen,
    solve,
    take,
)
from rooms.help_lists import acts_of, help_times, helpers, one_call, over, queue, state_before
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.people import Role
from rooms.policies import Actor, NotPermitted
from rooms.scheduling import start
from tests.factories import City, make_city, make_person, scheduled_meeting

NOW = utcnow().replace(microsecond=0)
TODAY = civil_day(NOW)
WARD = "00181"


def minutes(count: float) -> datetime:
    return NOW + timedelta(minutes=count)


@pytest.fixture
def held(db: Database) -> tuple[City, int]:
    """A meeting of the small city that is under way, and a second technician."""
    with db.transaction() as session:
        city = make_city(session, NOW - timedelta(days=10))
        meeting = scheduled_meeting(
            session, city, NOW - timedelta(days=9), starts_at=NOW - timedelta(minutes=5)
        )
        start(session, city.secretary, meeting.id, NOW)
        city.actors["kythuat2"] = make_person(
            session, city, "kythuat2", "Lý Thu An", "Kỹ thuật viên", "006", Role.TECHNICIAN, NOW
        )
        return city, meeting.id


def says(
    city: City,
    meeting_id: int,
    state: str,
    at: datetime,
    trouble: str = "",
    note: str | None = None,
) -> CheckIn:
    return CheckIn(
        meeting_id,
        city.points[WARD],
        state,
        city.actors["truc.vanmieu"].person_id,
        Source.LIVE,
        note=note,
        observed_at=at,
        trouble=trouble,
    )


def the_call(db: Database) -> HelpCall:
    with db.reader() as session:
        return session.scalars(select(HelpCall).order_by(HelpCall.id.desc())).first()  # type: ignore[return-value]  # there is one


def told(db: Database, call_id: int) -> list[tuple[str, str]]:
    with db.reader() as session:
        return [(act.act, act.by) for act in acts_of(session, [call_id])[call_id]]


def test_a_call_is_asked_taken_handed_over_solved_and_confirmed(  # noqa: PLR0915 -- the life of one call
    db: Database, held: tuple[City, int]
) -> None:
    city, meeting_id = held
    helper, other = city.actors["kythuat"], city.actors["kythuat2"]
    asker = city.actors["truc.vanmieu"]
    with db.connection() as connection:
        record_check_in(connection, says(city, meeting_id, "present", minutes(-4)), NOW)
        asked = says(city, meeting_id, "needs_help", minutes(-3), "no_sound", "Mất tiếng")
        record_check_in(connection, asked, NOW)
        # The same again, as after a cut line, is one call.
        record_check_in(connection, asked, NOW)
    call = the_call(db)
    assert (call.state, call.trouble, call.words, call.asked_at) == (
        "open",
        "no_sound",
        "Mất tiếng",
        minutes(-3),
    )
    with db.reader() as session:
        lines = queue(session, helper, meeting_id, TODAY)
        assert [(line.unit, line.phone, line.mine) for line in lines] == [
            ("Phường Văn Miếu", "0912 345 678", True)
        ]
        assert not queue(session, asker, meeting_id, TODAY)[0].mine
        assert queue(session, city.actors["truc.cattlinh"], meeting_id, TODAY) == []
        assert {name for _id, name, _office in helpers(session, lines[0], TODAY)} >= {
            "Ngô Gia Bảo",
            "Lý Thu An",
        }
        assert state_before(session, call, lines[0].meeting) == "present"
    with db.transaction() as session:
        take(session, helper, call.id, minutes(1), TODAY)
        # Twice changes nothing.
        take(session, helper, call.id, minutes(2), TODAY)
    with pytest.raises(HelpTaken) as taken, db.transaction() as session:
        take(session, other, call.id, minutes(3), TODAY)
    assert (taken.value.by, taken.value.since) == ("Ngô Gia Bảo", minutes(1))
    with pytest.raises(HelpTaken), db.transaction() as session:
        solve(session, other, call.id, "Đổi micro", minutes(3), TODAY)
    with pytest.raises(NotPermitted), db.transaction() as session:
        take(session, asker, call.id, minutes(3), TODAY)
    with pytest.raises(FieldInvalid), db.transaction() as session:
        hand_over(session, helper, call.id, asker.person_id, minutes(3), TODAY)
    with db.transaction() as session:
        hand_over(session, helper, call.id, other.person_id, minutes(3), TODAY)
    with db.connection() as connection:
        # The point describes it anew: the call stays with who has it.
        record_check_in(
            connection,
            says(city, meeting_id, "needs_help", minutes(0), "other", "Micro hỏng"),
            minutes(4),
        )
    with db.transaction() as session:
        solve(session, other, call.id, " Đổi micro ", minutes(5), TODAY)
    with db.transaction() as session:
        reopen(session, asker, call.id, minutes(6), TODAY)
    with db.transaction() as session:
        solve(session, other, call.id, "Đổi dây", minutes(8), TODAY)
    with pytest.raises(HelpOver), db.transaction() as session:
        give_back(session, other, call.id, minutes(9), TODAY)
    with db.reader() as session:
        assert queue(session, helper, meeting_id, TODAY)[0].waits_for_the_point
    with db.connection() as connection:
        record_check_in(connection, says(city, meeting_id, "present", minutes(9)), minutes(9))
    call = the_call(db)
    assert (call.state, call.remedy, call.solved_at, call.confirmed_at) == (
        "solved",
        "Đổi dây",
        minutes(8),
        minutes(9),
    )
    assert told(db, call.id) == [
        ("asked", "Phạm Văn Tùng"),
        ("taken", "Ngô Gia Bảo"),
        ("handed_over", "Ngô Gia Bảo"),
        ("said", "Phạm Văn Tùng"),
        ("solved", "Lý Thu An"),
        ("reopened", "Phạm Văn Tùng"),
        ("solved", "Lý Thu An"),
        ("confirmed", "Phạm Văn Tùng"),
    ]
    with pytest.raises(HelpOver), db.transaction() as session:
        reopen(session, asker, call.id, minutes(10), TODAY)
    with db.reader() as session:
        assert queue(session, helper, meeting_id, TODAY) == []
        assert [line.call.id for line in over(session, helper, meeting_id, TODAY, 9)] == [call.id]
        times = help_times(session, meeting_id)
        assert (times.asked, times.solved, times.by_trouble) == (1, 1, {"other": 1})
        assert times.median_to_take == timedelta(minutes=4)
        assert times.median_to_fix == timedelta(minutes=11)


def test_what_a_point_says_ends_its_call_whatever_comes_late_or_together(
    db: Database, held: tuple[City, int]
) -> None:
    city, meeting_id = held
    helper = city.actors["kythuat"]
    with db.connection() as connection:
        # Asked and helped before anybody knew: there is nothing to do any more.
        record_check_ins(
            connection,
            [
                says(city, meeting_id, "needs_help", minutes(-9)),
                says(city, meeting_id, "present", minutes(-8)),
            ],
            NOW,
        )
        # What came late lies before what is known: nobody needs help now.
        record_check_in(connection, says(city, meeting_id, "needs_help", minutes(-10)), NOW)
    assert the_call(db).state == "withdrawn"
    with db.connection() as connection:
        record_check_in(connection, says(city, meeting_id, "needs_help", minutes(-2)), NOW)
        # A line that is open or cut says nothing of what a person called for.
        video = CheckIn(meeting_id, city.points[WARD], "present", None, Source.VIDEO)
        record_check_in(connection, video, minutes(1))
    call = the_call(db)
    assert (call.state, call.trouble) == ("open", "other")
    with db.transaction() as session:
        take(session, helper, call.id, minutes(2), TODAY)
    with db.connection() as connection:
        record_check_in(connection, says(city, meeting_id, "left", minutes(3)), minutes(3))
    call = the_call(db)
    assert (call.state, call.solved_at, call.confirmed_at) == ("solved", minutes(3), minutes(3))
    for trouble, state in (("nonsense", "needs_help"), ("no_sound", "present")):
        wrong = says(city, meeting_id, state, minutes(4), trouble)
        with db.connection() as connection:
            assert isinstance(record_check_ins(connection, [wrong], minutes(5))[0], FieldInvalid)
    with db.reader() as session:
        needing = session.scalars(select(PointState).where(PointState.state == "needs_help")).all()
        assert needing == []
        assert one_call(session, helper, call.id, TODAY).helper == "Ngô Gia Bảo"


def test_of_technicians_who_take_a_call_at_once_one_wins(
    db: Database, held: tuple[City, int]
) -> None:
    city, meeting_id = held
    with db.connection() as connection:
        record_check_in(connection, says(city, meeting_id, "needs_help", minutes(-2)), NOW)
    call = the_call(db)
    together = Barrier(4)

    def try_to(actor: Actor) -> str:
        together.wait(30)
        try:
            with db.transaction() as session:
                take(session, actor, call.id, NOW, TODAY)
        except HelpTaken as taken:
            return taken.by
        return "won"

    names = ["kythuat", "kythuat2", "thuky", "thuky.dongda"]
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(try_to, [city.actors[name] for name in names]))
    assert results.count("won") == 1
    winner = city.actors[names[results.index("won")]]
    assert {result for result in results if result != "won"} == {winner.name}
    assert [act for act, _by in told(db, call.id)] == ["asked", "taken"]
