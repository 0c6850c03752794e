"""Applying a plan: the tree, meetings to come and held, rights, people and rooms; and its way back."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.mail.outbox import OutboxDelivery, OutboxMessage
from rooms.audience import Rule, parse_rules, resolve
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import UnitAncestry, load_tree, subtree_of, valid_on
from rooms.kernel import civil_day, utcnow
from rooms.meetings import (
    Meeting,
    MeetingChange,
    MeetingState,
    Reply,
    visible,
)
from rooms.people import Person, Role, RoleGrant
from rooms.policies import Permission, holds
from rooms.reorganisation import (
    Fate,
    ReorganisationState,
    come_into_force,
    preview,
    take_back,
)
from rooms.replies import Answer, reply
from rooms.scheduling import book, change, request_of
from tests.factories import (
    City,
    at,
    booked_meeting,
    make_city,
    make_person,
    meeting_request,
    participation_of,
    scheduled_meeting,
    working_day,
)
from tests.reorganised import (
    AFTER,
    applied,
    city_plan,
    held_points,
    snapshot,
    standing,
)

AHEAD = 14
"""Days from now to the day of the plan."""


@pytest.fixture
def now() -> datetime:
    return utcnow()


@pytest.fixture
def day(now: datetime) -> date:
    return civil_day(now) + timedelta(days=AHEAD)


@dataclass
class Calendar:
    """A city with a meeting before the day, one after it, and a draft that leaves a neighbour out."""

    city: City
    before: int
    after: int
    draft: int
    answered: int
    """The invitation that the ward of the code 00181 has accepted."""


@pytest.fixture
def calendar(db: Database, now: datetime, day: date) -> Calendar:
    rules = [
        Rule(include=True, by="level", level="ward", under="006"),
        Rule(include=False, by="unit", unit="00178"),
        Rule(include=True, by="unit", unit="01-STC"),
    ]
    with db.transaction() as session:
        city = make_city(session, now)
        before = scheduled_meeting(session, city, now)
        after = scheduled_meeting(session, city, now, starts_at=at(day + timedelta(days=2), 8))
        draft = booked_meeting(
            session, city, now, starts_at=at(day + timedelta(days=3), 8), audience=rules
        )
        row = participation_of(session, after.id, city.units["00181"])
        reply(session, city.actors["vanthu.vanmieu"], row.id, Answer(Reply.ACCEPTED), now)
        return Calendar(city, before.id, after.id, draft.id, row.id)


def test_the_preview_tells_what_is_then_done(
    db: Database, calendar: Calendar, now: datetime, day: date
) -> None:
    administrator = calendar.city.actors["quantri"]
    with db.reader() as session:
        seen = preview(session, administrator, city_plan(), day, now)
    fates = {fate.before.name: fate.fate for fate in seen.units if fate.before}
    assert fates == {
        "Phường Cát Linh": Fate.MERGES,
        "Phường Phúc Xá": Fate.CONTINUES,
        "Phường Trung Tự": Fate.MOVES,
        "Phường Văn Miếu": Fate.SPLITS,
        "Quận Ba Đình": Fate.CONTINUES,
        "Quận Đống Đa": Fate.ENDS,
        "Sở Nội vụ": Fate.CONTINUES,
        "Sở Tài chính": Fate.RENAMED,
        "Thành phố Hà Nội": Fate.CONTINUES,
    }
    assert seen.counts["begins"] == 3
    shift = next(shift for shift in seen.meetings if shift.meeting_id == calendar.after)
    assert (shift.before, shift.after, shift.doubles) == (9, 8, 1)
    assert shift.removed == ("Quận Đống Đa",)
    assert shift.added == ("Phường Mới",)
    assert [unit.name for unit in seen.new_points] == ["Phường Mới"]
    moved = {person.name: person.home_after for person in seen.people}
    assert moved["Đặng Thùy Dương"] == "Phường Văn Miếu - Cát Linh"
    assert moved["Lê Ngọc Bích"] is None
    assert {warning.what for warning in seen.warnings} == {
        "no_successor",
        "people_without_home",
        "points_without_home",
        "renamed_by_code",
    }
    told: list[tuple[int, int, str]] = []
    with db.transaction() as session:
        done = applied(session, calendar.city, day, now, progress=lambda *step: told.append(step))
        assert done.state == ReorganisationState.APPLIED.value
        assert done.counts == seen.counts
    assert {stage for _, _, stage in told} == {"units", "meetings", "invitations", "people"}


def test_coming_meetings_are_aimed_at_the_successors(
    db: Database, calendar: Calendar, now: datetime, day: date
) -> None:
    with db.transaction() as session:
        was = standing(session, calendar.before)
        applied(session, calendar.city, day, now)
    with db.transaction() as session:
        assert standing(session, calendar.before) == was
        # The successor has the invitation, the room and the answer of one of its predecessors.
        assert standing(session, calendar.after) == {
            "Phường Mới": "Điểm cầu Phường Mới",
            "Phường Phúc Xá": "Phòng họp Phường Phúc Xá",
            "Phường Trung Tự": "Phòng họp Phường Trung Tự",
            "Phường Văn Miếu - Cát Linh": "Phòng họp Phường Văn Miếu",
            "Quận Ba Đình": "Phòng họp Quận Ba Đình",
            "Sở Nội vụ": "Phòng họp Sở Nội vụ",
            "Sở Tài chính và Kế hoạch": "Phòng họp Sở Tài chính",
            "Thành phố Hà Nội": "Phòng họp Thành phố Hà Nội",
        }
        heir = load_tree(session, day).by_code["00178"].id
        row = participation_of(session, calendar.after, heir)
        assert (row.id, row.reply) == (calendar.answered, Reply.ACCEPTED.value)
        # The excluded neighbour does not take the invitation from the other one.
        draft = session.get_one(Meeting, calendar.draft)
        assert draft.audience == [
            {"include": "unit", "unit": "00178"},
            {"include": "unit", "unit": "00226"},
            {"include": "unit", "unit": "01-STC"},
        ]
        assert set(standing(session, draft.id)) == {
            "Phường Trung Tự",
            "Phường Văn Miếu - Cát Linh",
            "Sở Tài chính và Kế hoạch",
            "Thành phố Hà Nội",
        }
        for meeting_id in (calendar.after, calendar.draft):
            rooms = set(standing(session, meeting_id).values())
            assert held_points(session, meeting_id) == rooms


def test_secretary_and_invitees_learn_of_it(
    db: Database, calendar: Calendar, now: datetime, day: date
) -> None:
    with db.transaction() as session:
        applied(session, calendar.city, day, now)
    with db.transaction() as session:
        line = session.scalars(
            select(MeetingChange).where(
                MeetingChange.meeting_id == calendar.after, MeetingChange.action == "reorganised"
            )
        ).one()
        assert (line.detail["points_before"], line.detail["points_after"]) == (9, 8)
        assert line.detail["units_removed"] == ["Quận Đống Đa"]
        # Everyone who stands is told, the district is told that it is not; the double is not.
        letters = session.execute(
            select(OutboxMessage.kind, func.count())
            .join(OutboxDelivery, OutboxDelivery.message_id == OutboxMessage.id)
            .where(OutboxMessage.key.endswith("reorganised"))
            .group_by(OutboxMessage.kind)
        ).all()
        assert dict(letters) == {"change": 7, "withdrawal": 1}
        meeting = session.get_one(Meeting, calendar.after)
        assert (meeting.sequence, meeting.version) == (1, 3)
        # Those whose invitation it was can answer until then; others cannot.
        heir = load_tree(session, day).by_code["00178"].id
        clerk, other = (calendar.city.actors[name] for name in ("vanthu.vanmieu", "thuky.snv"))
        assert holds(session, clerk, Permission.REPLY_WRITE, heir, civil_day(now))
        assert not holds(session, other, Permission.REPLY_WRITE, heir, civil_day(now))
        # The secretary can go on with it: nothing is invited otherwise.
        rules = parse_rules(meeting.audience)
        same = request_of(session, meeting, rules)
        assert change(session, calendar.city.secretary, meeting.id, same, now).meeting.version == 3


def test_the_tree_changes_on_the_day(
    db: Database, calendar: Calendar, now: datetime, day: date
) -> None:
    city = calendar.city
    with db.transaction() as session:
        applied(session, city, day, now)
    with db.transaction() as session:
        assert len(load_tree(session, day - timedelta(days=1)).by_id) == 9
        tree = load_tree(session, day)
        assert [node.code for node in tree.by_id.values()] == [row[0] for row in AFTER]
        assert tree.by_code["00226"].id == city.units["00226"]
        assert tree.by_code["00178"].id != city.units["00178"]
        # A meeting made now for later knows whose the rooms will be.
        start = at(day + timedelta(days=5), 8)
        wards = [Rule(include=True, by="level", level="ward")]
        found = resolve(session, tree, wards, start, start + timedelta(hours=2))
        assert {invitee.unit.name: invitee.point_name for invitee in found.joining} == {
            "Phường Mới": "Điểm cầu Phường Mới",
            "Phường Phúc Xá": "Phòng họp Phường Phúc Xá",
            "Phường Trung Tự": "Phòng họp Phường Trung Tự",
            "Phường Văn Miếu - Cát Linh": "Phòng họp Phường Cát Linh",
        }
        assert found.unable == []


def test_the_day_comes(db: Database, now: datetime, day: date) -> None:
    with db.transaction() as session:
        city = make_city(session, now)
        applied(session, city, day, now)
    late = now + timedelta(days=1)
    with db.transaction() as session:
        # Made by the clerk of the ward that will end, for after its end.
        heir = load_tree(session, day).by_code["00178"].id
        request = meeting_request(
            city,
            late,
            starts_at=at(day + timedelta(days=4), 8),
            host_unit_id=heir,
            main_point_id=city.points["00181"],
        )
        own = book(session, city.actors["vanthu.vanmieu"], request, late).meeting
        # Several alike: the record gathers what happens to their roles.
        for name in ("moi", "moi2", "moi3", "moi4", "moi5"):
            make_person(session, city, name, "Người Mới", "", "00181", Role.OPERATOR, late)
    evening = at(day, 0) - timedelta(minutes=5)
    morning = at(day, 0) + timedelta(minutes=5)
    with db.transaction() as session:
        assert come_into_force(session, civil_day(evening), evening) == 0
    with db.transaction() as session:
        assert come_into_force(session, civil_day(morning), morning) == 1
    with db.transaction() as session:
        assert come_into_force(session, civil_day(morning), morning) == 0
        tree = load_tree(session, day)
        homes = dict(session.execute(select(Person.username, Person.unit_id)).all())
        assert homes["vanthu.vanmieu"] == homes["truc.cattlinh"] == homes["moi"] == heir
        assert homes["thuky.dongda"] == city.units["006"]
        rooms = session.execute(
            select(BridgePoint.name)
            .where(BridgePoint.unit_id == heir)
            .order_by(BridgePoint.position, BridgePoint.id)
        ).scalars()
        assert list(rooms) == ["Phòng họp Phường Cát Linh", "Phòng họp Phường Văn Miếu"]
        assert session.get_one(Meeting, own.id).host_unit_id == heir
        clerk = city.actors["vanthu.vanmieu"]
        assert holds(session, clerk, Permission.MEETING_WRITE, heir, day)
        assert not holds(session, clerk, Permission.MEETING_WRITE, tree.by_code["00226"].id, day)
        grant = select(RoleGrant.valid_from, RoleGrant.valid_until, RoleGrant.unit_id).where(
            RoleGrant.person_id == homes_id(session, "moi")
        )
        assert sorted(row.unit_id for row in session.execute(grant)) == sorted(
            [city.units["00181"], heir]
        )


def homes_id(session: Session, username: str) -> int:
    return session.scalars(select(Person.id).where(Person.username == username)).one()


def test_past_meetings_stay_and_are_seen_by_the_heirs(db: Database, now: datetime) -> None:
    today = civil_day(now)
    with db.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now, starts_at=at(working_day(now, 5), 8))
        hosted = scheduled_meeting(
            session,
            city,
            now,
            actor=city.actors["vanthu.vanmieu"],
            starts_at=at(working_day(now, 6), 8),
            host_unit_id=city.units["00181"],
            main_point_id=city.points["00181"],
            audience=[Rule(include=True, by="unit", unit="01-SNV")],
        )
        past = at(today - timedelta(days=30), 8)
        for held in (meeting, hosted):
            held.state = MeetingState.ENDED.value
            held.starts_at, held.ends_at = past, past + timedelta(hours=2)
        was = standing(session, meeting.id)
    with db.transaction() as session:
        done = applied(session, city, today, now)
        assert done.state == ReorganisationState.IN_FORCE.value
    with db.transaction() as session:
        assert standing(session, meeting.id) == was
        assert session.get_one(Meeting, hosted.id).host_unit_id == city.units["00181"]
        # The clerk of a neighbour that went into the same unit sees the old ward's meeting; the
        # clerk of the ward beside it, and of a department that is not invited, do not.
        sibling = make_person(
            session, city, "trungtu", "Trung Tự", "", "00226", Role.SECRETARY, now
        )

        def sees(username: str) -> bool:
            actor = sibling if username == "trungtu" else city.actors[username]
            found = select(Meeting.id).where(Meeting.id == hosted.id, visible(actor, today))
            return session.scalar(found) is not None

        assert [sees(name) for name in ("thuky", "truc.cattlinh", "trungtu")] == [True, True, False]
        # What ended without a successor is kept by what its parent went to: here the city.
        above = select(UnitAncestry.ancestor_id).where(
            UnitAncestry.unit_id == city.units["006"],
            UnitAncestry.depth == 1,
            valid_on(UnitAncestry, today),
        )
        assert session.scalars(above).all() == [city.units["01"]]
        assert city.units["00181"] in session.scalars(subtree_of(city.units["01"], today)).all()


def test_a_second_reorganisation_follows_the_first(db: Database, now: datetime) -> None:
    today = civil_day(now)
    later = today + timedelta(days=30)
    with db.transaction() as session:
        city = make_city(session, now)
        applied(session, city, today, now)
    units = tuple(row for row in AFTER if row[0] != "00178")
    plan = city_plan(units, [("00178", "00226", "whole", True)])
    with db.transaction() as session:
        applied(session, city, later, now, plan=plan)
    with db.transaction() as session:
        tree = load_tree(session, later)
        assert len(tree.by_id) == 7
        # The ward that ended in the first one follows its heir's heir.
        chain = session.execute(
            select(UnitAncestry.ancestor_id)
            .where(
                UnitAncestry.unit_id == city.units["00181"],
                UnitAncestry.depth > 0,
                valid_on(UnitAncestry, later),
            )
            .order_by(UnitAncestry.depth)
        ).scalars()
        assert list(chain) == [city.units["00226"], city.units["01"]]
        clerk = city.actors["vanthu.vanmieu"]
        assert holds(session, clerk, Permission.REPLY_WRITE, city.units["00226"], later)


def test_taking_back_leaves_everything_as_before(db: Database, now: datetime, day: date) -> None:
    with db.transaction() as session:
        city = make_city(session, now)
        scheduled_meeting(session, city, now)
        after = scheduled_meeting(session, city, now, starts_at=at(day + timedelta(days=2), 8))
        row = participation_of(session, after.id, city.units["00178"])
        reply(session, city.actors["thuky"], row.id, Answer(Reply.DECLINED, "bận"), now)
        booked_meeting(session, city, now, starts_at=at(day + timedelta(days=3), 8))
        hosted = booked_meeting(
            session,
            city,
            now,
            actor=city.actors["thuky.dongda"],
            starts_at=at(day + timedelta(days=4), 8),
            host_unit_id=city.units["006"],
            main_point_id=city.points["006"],
            audience=[Rule(include=True, by="subtree", unit="006")],
        )
    with db.transaction() as session:
        was = snapshot(session)
    for attempt in (1, 2):
        with db.transaction() as session:
            done = applied(session, city, day, now + timedelta(minutes=attempt))
            meeting = session.get_one(Meeting, hosted.id)
            assert meeting.host_unit_id == city.units["01"]
            assert meeting.main_point_id == city.points["01"]
            assert snapshot(session) != was
        with db.transaction() as session:
            back = take_back(
                session,
                city.actors["quantri"],
                done.id,
                now + timedelta(minutes=attempt, seconds=9),
            )
            assert back.state == ReorganisationState.TAKEN_BACK.value
        with db.transaction() as session:
            assert snapshot(session) == was
    with db.transaction() as session:
        assert session.get_one(Meeting, after.id).sequence == 4
        assert len(load_tree(session, day).by_id) == 9
