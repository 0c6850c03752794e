"""Substitutes and entrusted secretaries: who may name whom, what they then hold, and when it ends."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from minutes.drafting import open_draft, save, send_back, submit
from minutes.meeting_minutes import MinutesVersion
from minutes.signing import issue, sign
from minutes.storage import FolderStore
from rooms.accounts import deactivate, give_role, reactivate
from rooms.entrustment import (
    AlreadyEntrusted,
    Mandate,
    NotAnOfficial,
    NotASecretary,
    UnknownEntrustment,
    entrust,
    withdraw,
)
from rooms.feeds import subscriptions
from rooms.grounds import Kind, meeting_grounds
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.lending import Act, Substitution
from rooms.meetings import (
    MeetingChange,
    MeetingState,
    Participation,
    Reply,
    UnknownMeeting,
    visible_meeting,
)
from rooms.people import NewPerson, Role, add_person
from rooms.policies import (
    Actor,
    InPersonOnly,
    NotPermitted,
    Permission,
    granted_units,
    holds,
    permissions_at,
    roles_of,
)
from rooms.reasons import explain
from rooms.replies import Answer, reply
from rooms.substitutions import (
    EVERY_ROLE,
    Absence,
    NothingToSubstitute,
    SubstituteAway,
    SubstituteNamed,
    UnknownSubstitution,
    name_substitute,
    substitutions_of,
    take_back,
)
from tests.factories import City, make_city, scheduled_meeting

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
TODAY = date(2026, 11, 23)
FRIDAY = TODAY + timedelta(days=4)
READS = Permission.MEETING_READ


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, NOW)


def absence(city: City, absent: str, substitute: str, **more: object) -> Absence:
    ids = {name: actor.person_id for name, actor in city.actors.items()}
    made = Absence(ids[absent], ids[substitute], TODAY, FRIDAY)
    return replace(made, **more)  # type: ignore[arg-type]  # fields by name


def mandate(city: City, official: str, secretary: str, *acts: Act, **more: object) -> Mandate:
    ids = {name: actor.person_id for name, actor in city.actors.items()}
    made = Mandate(ids[official], ids[secretary], acts, TODAY, FRIDAY)
    return replace(made, **more)  # type: ignore[arg-type]  # fields by name


def acting(city: City, secretary: str, official: str) -> Actor:
    of = city.actors[official]
    return replace(city.actors[secretary], unit_id=of.unit_id, on_behalf_of=of.person_id)


def test_a_substitute_holds_the_roles_from_the_first_to_the_last_day(
    db: Database, city: City
) -> None:
    absent, other = city.actors["thuky.dongda"], city.actors["vanthu.vanmieu"]
    district, beside = city.units["006"], city.units["001"]

    def may(day: date, unit: int = district) -> bool:
        return holds(session, other, Permission.MEETING_WRITE, unit, day)

    with db.transaction() as session:
        assert not may(TODAY)
        made = name_substitute(
            session, absent, absence(city, "thuky.dongda", "vanthu.vanmieu"), NOW
        )
        days = [TODAY - timedelta(days=1), TODAY, FRIDAY, FRIDAY + timedelta(days=1)]
        assert [may(day) for day in days] == [False, True, True, False]
        assert not may(TODAY, beside)
        assert not may(TODAY, city.units["01"])
        # The desk of the absent is theirs, too, and the absent keeps everything.
        assert district in session.scalars(granted_units(other, READS, TODAY)).all()
        assert holds(session, absent, Permission.MEETING_WRITE, district, TODAY)
        (reason,) = explain(session, other, Permission.MEETING_WRITE, district, TODAY)
        assert reason.loan is not None
        assert (reason.loan.holder_name, reason.loan.on_behalf) == ("Lê Ngọc Bích", False)
        for person in (absent, other):
            assert [s.id for s in substitutions_of(session, [person.person_id], TODAY)] == [made.id]
        take_back(session, other, made.id, NOW)
        take_back(session, absent, made.id, NOW)
        assert made.ended_by == other.person_id
        assert not may(TODAY)


def test_what_is_lent_is_not_lent_on_and_no_more_than_is_held(db: Database, city: City) -> None:
    chief = city.actors["quantri"]
    with db.transaction() as session:
        for absent, substitute in (
            ("thuky.dongda", "truc.dongda"),
            ("truc.dongda", "truc.cattlinh"),
        ):
            # Named for the time after the other, then moved over it by hand: no verb allows a chain.
            first = TODAY if absent == "thuky.dongda" else FRIDAY + timedelta(days=1)
            made = name_substitute(
                session,
                chief,
                absence(city, absent, substitute, first=first, last=first + timedelta(days=4)),
                NOW,
            )
            made.valid_from = TODAY
        session.flush()
        last = city.actors["truc.cattlinh"]
        assert roles_of(session, last, TODAY) == {Role.OPERATOR}
        assert not holds(session, last, Permission.MEETING_WRITE, city.units["006"], TODAY)
        assert holds(session, last, Permission.ATTENDANCE_WRITE, city.units["006"], TODAY)
        # An account that is closed lends nothing.
        deactivate(session, chief, city.actors["truc.dongda"].person_id, TODAY)
        assert not holds(session, last, Permission.ATTENDANCE_WRITE, city.units["006"], TODAY)
        reactivate(session, chief, city.actors["truc.dongda"].person_id, TODAY)
        assert holds(session, last, Permission.ATTENDANCE_WRITE, city.units["006"], TODAY)


def test_some_roles_may_go_over_and_the_others_stay(db: Database, city: City) -> None:
    absent, other = city.actors["thuky.dongda"], city.actors["truc.cattlinh"]
    with db.transaction() as session:
        give_role(
            session,
            city.actors["quantri"],
            absent.person_id,
            Role.TECHNICIAN,
            city.units["006"],
            TODAY,
            valid_from=TODAY,
        )
        only = absence(city, "thuky.dongda", "truc.cattlinh", roles=[Role.TECHNICIAN])
        name_substitute(session, absent, only, NOW)
        rights = permissions_at(session, other, city.units["006"], TODAY)
        assert Permission.POINT_WRITE in rights
        assert Permission.MEETING_WRITE not in rights
        with pytest.raises(SubstituteNamed) as refused:
            name_substitute(session, absent, absence(city, "thuky.dongda", "truc.dongda"), NOW)
        assert (refused.value.substitute, refused.value.last) == ("Hoàng Đức Anh", FRIDAY)
        rest = absence(city, "thuky.dongda", "truc.dongda", roles=[Role.SECRETARY])
        name_substitute(session, absent, rest, NOW)
        both = absence(city, "thuky.dongda", "vanthu.vanmieu", shared=True)
        name_substitute(session, absent, both, NOW)
        with pytest.raises(SubstituteNamed):  # the same person twice is no sharing
            name_substitute(session, absent, both, NOW)


@pytest.mark.parametrize(
    ("who", "change", "refusal"),
    [
        ("thuky.dongda", {"substitute_id": "thuky.dongda"}, FieldInvalid("substitute", "oneself")),
        ("thuky.dongda", {"roles": ()}, FieldInvalid("roles", "missing")),
        (
            "thuky.dongda",
            {"first": TODAY - timedelta(1)},
            FieldInvalid("valid_from", "in_the_past"),
        ),
        (
            "thuky.dongda",
            {"last": TODAY - timedelta(1)},
            FieldInvalid("valid_until", "before_first_day"),
        ),
        (
            "thuky.dongda",
            {"last": date(2028, 1, 1)},
            FieldInvalid("valid_until", "span_too_long", 366),
        ),
        (
            "thuky.dongda",
            {"first": date.max, "last": date.max},
            FieldInvalid("valid_from", "too_far", 1830),
        ),
        ("thuky.dongda", {"note": "x" * 201}, FieldInvalid("note", "too_long", 200)),
        ("thuky.dongda", {"roles": (Role.OFFICIAL,)}, NothingToSubstitute("Lê Ngọc Bích")),
        ("vanthu.vanmieu", {}, NotPermitted("person:write", "Quận Đống Đa")),
    ],
)
def test_an_absence_that_cannot_be_is_refused(
    db: Database, city: City, who: str, change: dict[str, object], refusal: DomainError
) -> None:
    if "substitute_id" in change:
        change = {"substitute_id": city.actors["thuky.dongda"].person_id}
    said = absence(city, "thuky.dongda", "vanthu.vanmieu", **change)
    with pytest.raises(type(refusal)) as refused, db.transaction() as session:
        name_substitute(session, city.actors[who], said, NOW)
    assert refused.value == refusal
    with db.reader() as session:
        assert session.scalars(select(Substitution)).all() == []


def test_whom_an_administrator_may_name(db: Database, city: City) -> None:
    with db.transaction() as session:
        clerk = add_person(session, NewPerson("qt", "QT"), city.units["006"], TODAY)
        give_role(
            session,
            city.actors["quantri"],
            clerk.id,
            Role.ADMINISTRATOR,
            city.units["006"],
            TODAY,
            valid_from=TODAY,
        )
        district = Actor(clerk.id, clerk.name, clerk.unit_id)
        # Their own people for their own people only, and nobody whose account is closed.
        for absent, substitute, refusal in (
            ("thuky", "thuky.dongda", NotPermitted),
            ("thuky.dongda", "thuky", NotPermitted),
        ):
            with pytest.raises(refusal):
                name_substitute(session, district, absence(city, absent, substitute), NOW)
        deactivate(session, district, city.actors["truc.dongda"].person_id, TODAY)
        with pytest.raises(FieldInvalid) as closed:
            name_substitute(session, district, absence(city, "thuky.dongda", "truc.dongda"), NOW)
        assert closed.value.problem == "account_closed"
        made = name_substitute(
            session, district, absence(city, "thuky.dongda", "vanthu.vanmieu"), NOW
        )
        # Whoever is away cannot step in; whoever has nothing to do with it does not even see it.
        with pytest.raises(SubstituteAway):
            name_substitute(session, district, absence(city, "vanthu.vanmieu", "thuky.dongda"), NOW)
        for stranger in ("thuky.snv", "truc.vanmieu"):
            with pytest.raises(UnknownSubstitution):
                take_back(session, city.actors[stranger], made.id, NOW)
        with pytest.raises(UnknownSubstitution):
            take_back(session, district, 2**40, NOW)
        take_back(session, district, made.id, NOW)


def test_of_two_who_name_a_substitute_at_once_the_second_is_told(db: Database, city: City) -> None:
    together = Barrier(2)

    def name(who: str, substitute: str) -> str:
        together.wait()
        try:
            with db.transaction() as session:
                name_substitute(
                    session, city.actors[who], absence(city, "thuky.dongda", substitute), NOW
                )
        except SubstituteNamed as refusal:
            return refusal.code
        return "named"

    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(name, ("thuky.dongda", "quantri"), ("truc.dongda", "truc.cattlinh"))
        )
    assert sorted(answers) == ["named", "substitute_named"]


def test_a_secretary_acts_with_the_rights_of_the_official_as_far_as_entrusted(
    db: Database, city: City
) -> None:
    official, unit = city.actors["lanhdao.vanmieu"], city.units["00181"]
    clerk = acting(city, "thuky.snv", "lanhdao.vanmieu")
    with db.transaction() as session:
        assert permissions_at(session, clerk, unit, TODAY) == frozenset()
        made = entrust(
            session, official, mandate(city, "lanhdao.vanmieu", "thuky.snv", Act.REPLIES), NOW
        )
        assert permissions_at(session, clerk, unit, TODAY) == {
            Permission.MEETING_READ,
            Permission.ATTENDANCE_READ,
            Permission.PERSON_READ,
            Permission.DIRECTIVE_READ,
            Permission.REPLY_WRITE,
        }
        # In their own name nothing has changed, and on behalf they do not have what is their own.
        own = city.actors["thuky.snv"]
        assert permissions_at(session, own, unit, TODAY) == frozenset()
        assert permissions_at(session, clerk, city.units["01-SNV"], TODAY) == frozenset()
        (reason,) = explain(session, clerk, Permission.REPLY_WRITE, unit, TODAY)
        assert reason.loan is not None
        assert (reason.loan.on_behalf, reason.loan.valid_until) == (
            True,
            FRIDAY + timedelta(days=1),
        )
        # Calendars outlive the mandate: they are those of the secretary.
        named = {each.name for each in subscriptions(session, clerk, NOW)}
        assert "Sở Nội vụ" in named
        assert "Phường Văn Miếu" not in named
        after = FRIDAY + timedelta(days=1)
        assert permissions_at(session, clerk, unit, after) == frozenset()
        withdraw(session, own, made.id, NOW)
        assert permissions_at(session, clerk, unit, TODAY) == frozenset()


def test_records_name_the_secretary_and_the_official(
    db: Database, city: City, tmp_path: Path
) -> None:
    now = utcnow()
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now)
        meeting.state = MeetingState.ENDED.value
        secretary, chair = city.secretary, city.chair
        clerk = acting(city, "thuky.snv", "lanhdao")
        with pytest.raises(UnknownMeeting):
            visible_meeting(session, clerk, meeting.id, civil_day(now))
        first = civil_day(now)
        acts = (Act.MINUTES, Act.REPLIES)
        entrust(
            session,
            chair,
            mandate(
                city, "lanhdao", "thuky.snv", *acts, first=first, last=first + timedelta(days=9)
            ),
            now,
        )
        grounds = meeting_grounds(
            session, clerk, visible_meeting(session, clerk, meeting.id, first).id, first
        )
        assert Kind.CHAIR in {ground.kind for ground in grounds}
        minutes = open_draft(session, secretary, meeting.id, now)
        written = replace(minutes.written, conclusions="Hoàn thành trước ngày 30.")
        save(session, secretary, minutes.id, written, 1, now)
        submit(session, secretary, minutes.id, now)
        with pytest.raises(InPersonOnly):
            sign(session, clerk, minutes.id, now)
        with pytest.raises(InPersonOnly):
            issue(session, clerk, minutes.id, FolderStore(tmp_path), now)
        send_back(session, clerk, minutes.id, "Sửa mục 2.", now)
        (line,) = session.scalars(
            select(MeetingChange).where(MeetingChange.action == "minutes_sent_back")
        )
        assert (line.actor_id, line.on_behalf_of_id) == (clerk.person_id, chair.person_id)
        kept = session.scalars(select(MinutesVersion.on_behalf_of_id)).all()
        assert set(kept) == {None}
        meeting.state = MeetingState.SCHEDULED.value
        asked = session.scalars(
            select(Participation).where(
                Participation.meeting_id == meeting.id, Participation.unit_id == city.units["006"]
            )
        ).one()
        answered = reply(session, clerk, asked.id, Answer(Reply.ACCEPTED), now)
        assert (answered.replied_by, answered.replied_on_behalf_of_id) == (
            clerk.person_id,
            chair.person_id,
        )


@pytest.mark.parametrize(
    ("who", "official", "secretary", "change", "refusal"),
    [
        ("thuky", "thuky", "thuky.snv", {}, NotAnOfficial),
        ("lanhdao", "lanhdao", "kythuat", {}, NotASecretary),
        ("lanhdao", "lanhdao", "lanhdao", {}, FieldInvalid),
        ("lanhdao", "lanhdao", "thuky", {"acts": ()}, FieldInvalid),
        ("lanhdao", "lanhdao", "thuky", {"last": date(2035, 1, 1)}, FieldInvalid),
        ("thuky", "lanhdao", "thuky", {}, NotPermitted),
        ("lanhdao", "lanhdao", "thuky", {"secretary_id": 2**31}, DomainError),
    ],
)
def test_a_mandate_that_cannot_be_is_refused(
    db: Database,
    city: City,
    who: str,
    official: str,
    secretary: str,
    change: dict[str, object],
    refusal: type[DomainError],
) -> None:
    said = mandate(city, official, secretary, Act.REPLIES, **change)
    with pytest.raises(refusal), db.transaction() as session:
        entrust(session, city.actors[who], said, NOW)


def test_who_acts_on_behalf_lends_nothing_and_a_mandate_is_not_doubled(
    db: Database, city: City
) -> None:
    chief = city.actors["quantri"]
    with db.transaction() as session:
        made = entrust(session, chief, mandate(city, "lanhdao", "thuky", Act.REPLIES), NOW)
        with pytest.raises(AlreadyEntrusted):
            entrust(session, chief, mandate(city, "lanhdao", "thuky", Act.MINUTES), NOW)
        clerk = acting(city, "thuky", "lanhdao")
        acts: list[Callable[[Session], object]] = [
            lambda s: entrust(s, clerk, mandate(city, "lanhdao", "thuky.snv", Act.REPLIES), NOW),
            lambda s: withdraw(s, clerk, made.id, NOW),
            lambda s: name_substitute(s, clerk, absence(city, "lanhdao", "thuky.snv"), NOW),
            lambda s: take_back(s, clerk, 1, NOW),
        ]
        for act in acts:
            with pytest.raises(InPersonOnly):
                act(session)
        with pytest.raises(UnknownEntrustment):
            withdraw(session, city.actors["thuky.snv"], made.id, NOW)
        assert len(EVERY_ROLE) == len(Role)
