"""What forbids a plan: each a clear refusal, and nothing has changed after it."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.catalogue.successions import parse_successions
from rooms.hierarchy import UnitsNotSound, unit_by_code
from rooms.kernel import DomainError, civil_day, utcnow
from rooms.meetings import MeetingState
from rooms.people import Person, Role, RoleGrant
from rooms.policies import NotPermitted
from rooms.reorganisation import (
    BackdatedTouches,
    DayPassed,
    InUseSince,
    NoAdministratorLeft,
    NothingChanges,
    PlanApplied,
    PlanNotSound,
    PlansOverlap,
    ReorganisationState,
    UnitInMeeting,
    WrongReorganisationState,
    discard_plan,
    keep_plan,
    reorganisations,
    take_back,
)
from rooms.scheduling import book
from tests.factories import (
    SMALL_CITY,
    City,
    add_points,
    at,
    make_city,
    make_person,
    meeting_request,
    scheduled_meeting,
)
from tests.reorganised import AFTER, SUCCESSIONS, applied, city_plan, snapshot

Units = Iterable[tuple[str, str | None, str, str, str]]


@pytest.fixture
def now() -> datetime:
    return utcnow()


@pytest.fixture
def day(now: datetime) -> date:
    return civil_day(now) + timedelta(days=14)


@pytest.fixture
def city(db: Database, now: datetime) -> City:
    with db.transaction() as session:
        return make_city(session, now)


def refused(
    db: Database, city: City, day: date, now: datetime, kind: type[DomainError], **more: Any
) -> Any:
    """The refusal of a plan; what stood before stands after."""
    with db.reader() as session:
        was = snapshot(session)
    with pytest.raises(kind) as told, db.transaction() as session:
        applied(session, city, day, now, **more)
    with db.reader() as session:
        assert snapshot(session) == was
    return told.value


@pytest.mark.parametrize(
    ("units", "fault"),
    [
        (
            [
                *AFTER,
                ("007", "00777", "district", "Quận", "A"),
                ("00777", "007", "ward", "Phường", "B"),
            ],
            ("parent_code", "cycle", "007"),
        ),
        (
            [*AFTER, ("00777", "077", "ward", "Phường", "B")],
            ("parent_code", "unknown_parent", "077"),
        ),
        ([*AFTER, ("00226", "001", "ward", "Phường", "B")], ("code", "doubled", "00226")),
    ],
    ids=["cycle", "orphan", "two parents"],
)
def test_a_list_that_is_no_tree(
    db: Database, city: City, now: datetime, day: date, units: Units, fault: tuple[str, str, str]
) -> None:
    told = refused(db, city, day, now, UnitsNotSound, plan=city_plan(units))
    assert told.problems[0][1:] == fault


@pytest.mark.parametrize(
    ("successions", "fault"),
    [
        ([*SUCCESSIONS, ("00226", "00555", "part", False)], (5, "new_code", "unknown_new_unit")),
        ([*SUCCESSIONS, ("00555", "00178", "part", True)], (5, "old_code", "unknown_old_unit")),
        ([*SUCCESSIONS, ("181", "00226", "part", False)], (5, "old_code", "lost_zeros")),
        (
            [*SUCCESSIONS, ("00181", "00226", "part", True)],
            (5, "main_successor", "two_main_successors"),
        ),
        (
            [*SUCCESSIONS[:1], ("00181", "00178", "part", False)],
            (3, "main_successor", "no_main_successor"),
        ),
        ([*SUCCESSIONS, SUCCESSIONS[2]], (5, "new_code", "doubled")),
    ],
)
def test_successions_that_are_not_sound(
    db: Database,
    city: City,
    now: datetime,
    day: date,
    successions: list[tuple[str, str, str, bool]],
    fault: tuple[int, str, str],
) -> None:
    told = refused(db, city, day, now, PlanNotSound, plan=city_plan(successions=successions))
    assert told.problems[0][:3] == fault


def test_a_day_that_has_passed(db: Database, city: City, now: datetime) -> None:
    yesterday = civil_day(now) - timedelta(days=1)
    assert refused(db, city, yesterday, now, DayPassed).day == yesterday
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now)
        meeting.state = MeetingState.ENDED.value
        meeting.starts_at = at(yesterday, 8)
        meeting.ends_at = at(yesterday, 10)
    told = refused(db, city, yesterday, now, BackdatedTouches, backdated=True)
    assert told.meetings == ["Giao ban công tác tháng"]
    with db.transaction() as session:
        early = yesterday - timedelta(days=100)
        meeting.starts_at, meeting.ends_at = at(early, 8), at(early, 10)
        session.merge(meeting)
    with db.transaction() as session:
        done = applied(session, city, yesterday, now, backdated=True)
        assert done.state == ReorganisationState.IN_FORCE.value


def test_nothing_to_change_and_no_right(db: Database, city: City, now: datetime, day: date) -> None:
    refused(db, city, day, now, NothingChanges, plan=city_plan(SMALL_CITY, ()))
    refused(db, city, day, now, NotPermitted, actor=city.secretary)


def test_a_unit_in_a_running_meeting(db: Database, city: City, now: datetime, day: date) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now)
        meeting.state = MeetingState.IN_PROGRESS.value
        meeting.starts_at, meeting.ends_at = now, now + timedelta(hours=2)
    told = refused(db, city, civil_day(now), now, UnitInMeeting)
    assert told.meeting == meeting.title
    with db.transaction() as session:
        applied(session, city, day, now)


def test_the_last_administrator(db: Database, city: City, now: datetime, day: date) -> None:
    administrator = city.actors["quantri"]
    with db.transaction() as session:
        session.execute(delete(RoleGrant).where(RoleGrant.person_id == administrator.person_id))
        make_person(
            session, city, "quantri.dongda", "Quản trị Đống Đa", "", "006", Role.ADMINISTRATOR, now
        )
    told = refused(db, city, day, now, NoAdministratorLeft, actor=None)
    assert (told.unit, told.persons) == ("Quận Đống Đa", ["Quản trị Đống Đa"])


def test_the_same_plan_twice_and_plans_that_overlap(
    db: Database, city: City, now: datetime, day: date
) -> None:
    with db.transaction() as session:
        first = applied(session, city, day, now).id
    assert refused(db, city, day, now, PlanApplied).name == "Sắp xếp"
    week = timedelta(days=7)
    for other in (day - week, day, day + week):
        rows = AFTER if other >= day else SMALL_CITY
        units = [
            (code, parent, level, kind, "Phường Trung Tự Mới" if code == "00226" else name)
            for code, parent, level, kind, name in rows
        ]
        told = refused(db, city, other, now, PlansOverlap, plan=city_plan(units, ()))
        assert (told.other, told.day) == ("Sắp xếp", day)
    # What has nothing to do with it may change as well.
    units = [
        (code, parent, level, kind, "Sở Nội vụ và Lao động" if code == "01-SNV" else name)
        for code, parent, level, kind, name in AFTER
    ]
    with db.transaction() as session:
        applied(session, city, day + week, now, plan=city_plan(units, ()))
    with db.transaction() as session:
        take_back(session, city.actors["quantri"], first, now)
        assert [found.state for found in reorganisations(session)] == ["applied", "taken_back"]


def test_two_administrators_at_once(db: Database, city: City, now: datetime, day: date) -> None:
    told: list[str] = []

    def act() -> None:
        try:
            with db.transaction() as session:
                applied(session, city, day, now)
            told.append("done")
        except DomainError as refusal:
            told.append(refusal.code)

    both = [Thread(target=act) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(told) == ["done", "plan_applied_already"]


def test_taking_back_what_is_in_use_or_in_force(
    db: Database, city: City, now: datetime, day: date
) -> None:
    administrator = city.actors["quantri"]
    with db.transaction() as session:
        done = applied(session, city, day, now).id
    with db.transaction() as session:
        city.units["new"] = applied_unit(session, day)
        start = at(day + timedelta(days=1), 8)
        request = meeting_request(city, now, starts_at=start, title="Họp của phường mới")
        book(session, city.secretary, request, now)
        add_points(session, city, "new", 1)
        make_person(session, city, "moi", "Người Mới", "", "new", Role.OPERATOR, now)
        session.flush()
    with pytest.raises(InUseSince) as told, db.transaction() as session:
        take_back(session, administrator, done, now)
    assert told.value.things == [
        ("meeting", "Họp của phường mới"),
        ("bridge_point", "Phòng số 2"),
        ("person", "Người Mới"),
        ("grant", "Người Mới, Phường Mới"),
    ]
    with pytest.raises(WrongReorganisationState), db.transaction() as session:
        take_back(session, administrator, done, at(day, 1))
    with pytest.raises(NotPermitted), db.transaction() as session:
        take_back(session, city.secretary, done, now)


def applied_unit(session: Session, day: date) -> int:
    return unit_by_code(session, "00999", day).id


def test_a_plan_is_kept_and_discarded(db: Database, city: City, now: datetime, day: date) -> None:
    administrator = city.actors["quantri"]
    with db.transaction() as session:
        kept = keep_plan(session, administrator, "Dự kiến", city_plan(), day, now)
        assert kept.read_plan() == city_plan()
        other = keep_plan(session, administrator, "Dự kiến khác", city_plan(), day, now).id
    with db.transaction() as session:
        discard_plan(session, administrator, other, now)
        done = applied(session, city, day, now, plan=kept.read_plan(), kept_id=kept.id)
        assert (done.id, done.state) == (kept.id, ReorganisationState.APPLIED.value)
    with db.transaction() as session:
        assert [found.id for found in reorganisations(session)] == [kept.id]
        with pytest.raises(WrongReorganisationState):
            discard_plan(session, administrator, kept.id, now)
        assert session.get_one(Person, administrator.person_id).name == "Đinh Khánh Vân"


def test_a_file_of_successions_is_read_or_told_cell_by_cell() -> None:
    text = (
        "\ufeffold_code;new_code;extent;main_successor\r\n00178;00178;whole;1\r\n00181;00178;;x\r\n"
    )
    rows = parse_successions(text.encode())
    assert [(row.line, row.old_code, row.extent, row.main_successor) for row in rows] == [
        (2, "00178", "whole", True),
        (3, "00181", "whole", True),
    ]
    with pytest.raises(PlanNotSound) as told:
        parse_successions(b"old_code,new_code,extent,main_successor\n,1,half,maybe\n")
    assert [problem[1:3] for problem in told.value.problems] == [
        ("old_code", "missing"),
        ("extent", "not_an_extent"),
        ("main_successor", "not_a_mark"),
    ]
