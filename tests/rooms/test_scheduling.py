"""How a meeting moves: its states, its legal clock, who is told of what."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.audience import Rule
from rooms.booking import Occupancy
from rooms.kernel import Event, FieldInvalid, utcnow
from rooms.meetings import (
    Meeting,
    MeetingCancelled,
    MeetingChange,
    MeetingChanged,
    MeetingPostponed,
    MeetingScheduled,
    MeetingState,
    Participation,
    StaleVersion,
    WrongState,
    invited,
)
from rooms.policies import Actor, NotPermitted
from rooms.scheduling import (
    LateReasonMissing,
    MeetingRequest,
    ReasonMissing,
    cancel,
    change,
    end,
    postpone,
    request_of,
    schedule,
    start,
)
from rooms.workdays import add_working_days, is_working_day, latest_invitation_day
from tests.factories import (
    ALL,
    City,
    at,
    booked_meeting,
    make_city,
    meeting_request,
    scheduled_meeting,
    working_day,
)

NOW = utcnow()
HOUR = timedelta(hours=1)
Act = Callable[[Session, City, Meeting], object]


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, NOW)


@pytest.fixture
def happened(db: Database) -> list[Event]:
    """The events of committed transactions, in order."""
    events: list[Event] = []
    db.hints.append(events.extend)
    return events


def moved(session: Session, meeting: Meeting, by: timedelta) -> MeetingRequest:
    request = request_of(session, meeting, list(ALL))
    return replace(request, starts_at=request.starts_at + by, ends_at=request.ends_at + by)


def move(
    db: Database, actor: Actor, meeting_id: int, by: timedelta, version: int | None = None
) -> None:
    """Move a meeting in a transaction of its own, without a reason."""
    with db.transaction() as session:
        request = moved(session, session.get_one(Meeting, meeting_id), by)
        change(session, actor, meeting_id, request, NOW, version=version)


ACTS: dict[str, Act] = {
    "schedule": lambda s, c, m: schedule(s, c.secretary, m.id, NOW),
    "change": lambda s, c, m: change(
        s, c.secretary, m.id, moved(s, m, timedelta(days=1)), NOW, reason="Trùng lịch"
    ),
    "postpone": lambda s, c, m: postpone(s, c.secretary, m.id, "Bão", NOW),
    "cancel": lambda s, c, m: cancel(s, c.secretary, m.id, "Bão", NOW),
    "start": lambda s, c, m: start(s, c.secretary, m.id, m.starts_at),
    "end": lambda s, c, m: end(s, c.secretary, m.id, m.ends_at),
}
BECOMES = {
    ("draft", "schedule"): "scheduled",
    ("draft", "change"): "draft",
    ("draft", "cancel"): "cancelled",
    ("scheduled", "change"): "scheduled",
    ("scheduled", "postpone"): "postponed",
    ("scheduled", "cancel"): "cancelled",
    ("scheduled", "start"): "in_progress",
    ("postponed", "change"): "scheduled",
    ("postponed", "cancel"): "cancelled",
    ("in_progress", "end"): "ended",
}


@pytest.mark.parametrize("act", ACTS)
def test_a_meeting_moves_only_where_its_state_allows(db: Database, city: City, act: str) -> None:
    """The whole table of states and acts; what is not in it is refused and changes nothing."""
    for state in MeetingState:
        expected = BECOMES.get((state.value, act))
        with db.transaction() as session:
            meeting = booked_meeting(session, city, NOW)
            meeting.state = state.value
            meeting_id = meeting.id
        try:
            with db.transaction() as session:
                ACTS[act](session, city, session.get_one(Meeting, meeting_id))
        except WrongState:
            assert expected is None, state
        with db.transaction() as session:
            meeting = session.get_one(Meeting, meeting_id)
            assert meeting.state == (expected or state.value)
            meeting.state = MeetingState.DRAFT.value
            session.flush()
            cancel(session, city.secretary, meeting_id, "Xong", NOW)


def test_sequence_rises_with_what_invitees_learn_and_the_uid_stays(
    db: Database, city: City, happened: list[Event]
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
        uid = meeting.uid
        assert meeting.sequence == 0
    with db.transaction() as session:
        meeting = session.get_one(Meeting, meeting.id)
        change(session, city.secretary, meeting.id, moved(session, meeting, HOUR), NOW, reason="x")
        assert meeting.sequence == 1
    with db.transaction() as session:
        # The same again tells nobody anything.
        meeting = session.get_one(Meeting, meeting.id)
        same = request_of(session, meeting, list(ALL))
        change(session, city.secretary, meeting.id, same, NOW)
        assert meeting.sequence == 1
    with db.transaction() as session:
        postpone(session, city.secretary, meeting.id, "Bão", NOW)
    with db.transaction() as session:
        meeting = session.get_one(Meeting, meeting.id)
        later = moved(session, meeting, timedelta(days=7))
        change(session, city.secretary, meeting.id, later, NOW, reason="Hết bão")
    with db.transaction() as session:
        meeting = cancel(session, city.secretary, meeting.id, "Không họp nữa", NOW)
        assert (meeting.uid, meeting.sequence) == (uid, 4)
    kinds = [
        type(fact)
        for fact in happened
        if isinstance(fact, MeetingScheduled | MeetingChanged | MeetingPostponed | MeetingCancelled)
    ]
    assert kinds == [
        MeetingScheduled,
        MeetingChanged,
        MeetingPostponed,
        MeetingChanged,
        MeetingCancelled,
    ]


def test_drafts_tell_nobody(db: Database, city: City, happened: list[Event]) -> None:
    with db.transaction() as session:
        meeting = booked_meeting(session, city, NOW)
    with db.transaction() as session:
        meeting = session.get_one(Meeting, meeting.id)
        change(session, city.secretary, meeting.id, moved(session, meeting, HOUR), NOW)
        assert meeting.sequence == 0
    with db.transaction() as session:
        cancel(session, city.secretary, meeting.id, "Không họp nữa", NOW)
    assert happened == []


def test_a_changed_audience_invites_and_takes_back(
    db: Database, city: City, happened: list[Event]
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
    without = Rule(include=False, by="unit", unit="00181")
    with db.transaction() as session:
        meeting = session.get_one(Meeting, meeting.id)
        request = request_of(session, meeting, [*ALL, without])
        change(session, city.secretary, meeting.id, request, NOW)
    (told,) = [fact for fact in happened if isinstance(fact, MeetingChanged)]
    with db.reader() as session:
        gone = session.scalars(
            select(Participation).where(Participation.unit_id == city.units["00181"])
        ).one()
        assert (told.added, told.removed) == ((), (gone.id,))
        assert gone.withdrawn_at == NOW
        assert session.scalar(select(func.count()).where(invited(meeting.id))) == 8
        held = session.scalars(select(Occupancy.point_id)).all()
        assert city.points["00181"] not in held
    with db.transaction() as session:
        # Invited again, it is the same participation: its calendar entry comes back.
        meeting = session.get_one(Meeting, meeting.id)
        change(
            session, city.secretary, meeting.id, request_of(session, meeting, list(ALL)), NOW + HOUR
        )
    again = [fact for fact in happened if isinstance(fact, MeetingChanged)][-1]
    assert (again.added, again.removed) == ((gone.id,), ())
    with db.reader() as session:
        back = session.get_one(Participation, gone.id)
        assert (back.withdrawn_at, back.invited_at) == (None, NOW + HOUR)


def test_a_draft_forgets_whom_it_never_told(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting = booked_meeting(session, city, NOW)
        request = request_of(session, meeting, [Rule(include=True, by="unit", unit="00178")])
        change(session, city.secretary, meeting.id, request, NOW)
    with db.reader() as session:
        units = set(session.scalars(select(Participation.unit_id)))
        assert units == {city.units["01"], city.units["00178"]}


def test_moving_what_is_out_needs_a_reason(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
        meeting_id = meeting.id
    with pytest.raises(ReasonMissing):
        move(db, city.secretary, meeting_id, HOUR)
    for act in (postpone, cancel):
        with pytest.raises(ReasonMissing), db.transaction() as session:
            act(session, city.secretary, meeting_id, "  ", NOW)
    with db.reader() as session:
        assert session.get_one(Meeting, meeting_id).state == MeetingState.SCHEDULED.value


def test_an_invitation_inside_three_working_days_needs_a_reason(db: Database, city: City) -> None:
    on_time, late = working_day(NOW, 4), working_day(NOW, 2)
    with db.transaction() as session:
        meeting = booked_meeting(session, city, NOW, starts_at=at(on_time, 8))
        assert schedule(session, city.secretary, meeting.id, NOW).late_reason == ""
    with db.transaction() as session:
        meeting = booked_meeting(session, city, NOW, starts_at=at(late, 8))
    with pytest.raises(LateReasonMissing) as refused, db.transaction() as session:
        schedule(session, city.secretary, meeting.id, NOW)
    assert refused.value.latest_day == latest_invitation_day(late)
    with db.transaction() as session:
        meeting = schedule(session, city.secretary, meeting.id, NOW, late_reason="Họp khẩn")
        assert meeting.late_reason == "Họp khẩn"
        last = session.scalars(select(MeetingChange).order_by(MeetingChange.id.desc())).first()
        assert last is not None
        assert (last.action, last.reason) == ("scheduled", "Họp khẩn")


def test_the_second_editor_is_told(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting = booked_meeting(session, city, NOW)
        opened = meeting.version
    move(db, city.secretary, meeting.id, HOUR, version=opened)
    with pytest.raises(StaleVersion) as refused:
        move(db, city.secretary, meeting.id, HOUR, version=opened)
    assert (refused.value.current, refused.value.given) == (opened + 1, opened)


def test_others_change_nothing(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
    with pytest.raises(NotPermitted), db.transaction() as session:
        cancel(session, city.actors["thuky.dongda"], meeting.id, "Không thích", NOW)


def test_the_host_can_only_be_a_unit_of_ones_own(db: Database, city: City) -> None:
    dong_da = city.actors["thuky.dongda"]
    with db.transaction() as session:
        meeting = booked_meeting(
            session,
            city,
            NOW,
            dong_da,
            host_unit_id=city.units["006"],
            main_point_id=city.points["006"],
        )
        request = request_of(session, meeting, list(ALL))
    higher = replace(request, host_unit_id=city.units["01"])
    with pytest.raises(NotPermitted), db.transaction() as session:
        change(session, dong_da, meeting.id, higher, NOW)


def test_a_draft_whose_start_has_passed_is_not_sent(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting = booked_meeting(session, city, NOW)
    with pytest.raises(FieldInvalid) as refused, db.transaction() as session:
        schedule(session, city.secretary, meeting.id, meeting.starts_at, late_reason="Khẩn")
    assert (refused.value.field, refused.value.problem) == ("starts_at", "in_the_past")


def test_ending_gives_the_rooms_back(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
        start(session, city.secretary, meeting.id, meeting.starts_at)
        end(session, city.secretary, meeting.id, meeting.starts_at + HOUR)
        assert session.scalar(select(func.count()).select_from(Occupancy)) == 0
        assert meeting.ended_at == meeting.starts_at + HOUR


def test_a_request_of_a_meeting_leaves_it_as_it_is(db: Database, city: City) -> None:
    request = meeting_request(city, NOW)
    with db.transaction() as session:
        meeting = booked_meeting(session, city, NOW)
        assert request_of(session, meeting, request.audience) == request


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 11, 20), 1, date(2026, 11, 23)),  # over a weekend
        (date(2026, 11, 23), -3, date(2026, 11, 18)),
        (date(2026, 2, 13), 1, date(2026, 2, 23)),  # Tết 2026: 16 to 20 February
        (date(2026, 2, 23), -1, date(2026, 2, 13)),
        (date(2026, 4, 29), 1, date(2026, 5, 4)),  # 30 April and 1 May
        (date(2026, 9, 1), 0, date(2026, 9, 1)),
    ],
)
def test_working_days_step_over_weekends_and_holidays(
    day: date, count: int, expected: date
) -> None:
    assert add_working_days(day, count) == expected


def test_new_year_is_no_working_day() -> None:
    assert not is_working_day(date(2027, 1, 1))
    assert is_working_day(date(2027, 1, 4))
