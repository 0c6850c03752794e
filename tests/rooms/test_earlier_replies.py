"""A meeting that moves asks again: nobody has promised to come at the new time."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.earlier_replies import EarlierReply, former_reply, latest_of
from rooms.kernel import utcnow
from rooms.meetings import Meeting, MeetingChange, Participation, Reply
from rooms.replies import Answer, reply
from rooms.scheduling import change, postpone, request_of
from tests.factories import (
    ALL,
    City,
    make_city,
    participation_of,
    scheduled_meeting,
)

NOW = utcnow()
DAY = timedelta(days=1)
COMES = Answer(Reply.ACCEPTED, "", "Nguyễn Thị Hoa", "Phó Chủ tịch", is_substitute=True)


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, NOW)


def answered(session: Session, city: City) -> tuple[Meeting, Participation, Participation]:
    """A meeting for which one ward comes and a district does not."""
    meeting = scheduled_meeting(session, city, NOW, audience=list(ALL))
    ward = participation_of(session, meeting.id, city.units["00181"])
    district = participation_of(session, meeting.id, city.units["006"])
    reply(session, city.secretary, ward.id, COMES, NOW)
    reply(session, city.secretary, district.id, Answer(Reply.DECLINED, "Trùng lịch"), NOW)
    return meeting, ward, district


def move(session: Session, city: City, meeting: Meeting, by: timedelta, hours: int = 0) -> None:
    request = request_of(session, meeting, list(ALL))
    request = replace(
        request,
        starts_at=request.starts_at + by,
        ends_at=request.ends_at + by + timedelta(hours=hours),
    )
    change(session, city.secretary, meeting.id, request, NOW, reason="Chủ trì bận")


@pytest.mark.parametrize(("by", "hours"), [(DAY, 0), (timedelta(), 1)])
def test_a_new_time_asks_again_and_keeps_what_was_said(
    db: Database, city: City, by: timedelta, hours: int
) -> None:
    with db.transaction() as session:
        meeting, ward, district = answered(session, city)
        was = meeting.starts_at, meeting.ends_at
        move(session, city, meeting, by, hours)
        meeting_id, ward_id, district_id = meeting.id, ward.id, district.id
    with db.reader() as session:
        for one in (ward_id, district_id):
            now_said = session.get_one(Participation, one)
            assert now_said.reply == Reply.PENDING.value
            assert (now_said.reply_reason, now_said.delegate_name) == ("", "")
            assert now_said.replied_at is None
            assert not now_said.is_substitute
        kept = former_reply(session, ward_id)
        assert kept is not None
        assert (kept.reply, kept.delegate_name, kept.is_substitute, kept.replied_at) == (
            "accepted",
            "Nguyễn Thị Hoa",
            True,
            NOW,
        )
        assert (kept.starts_at, kept.ends_at) == was
        declined = former_reply(session, district_id)
        assert declined is not None
        assert declined.reply_reason == "Trùng lịch"
        line = session.scalars(
            select(MeetingChange).where(
                MeetingChange.meeting_id == meeting_id, MeetingChange.action == "rescheduled"
            )
        ).one()
        assert line.detail["asked_again"] == 2


def test_a_change_of_other_facts_leaves_the_answers(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting, ward, _district = answered(session, city)
        request = replace(request_of(session, meeting, list(ALL)), title="Tên khác")
        change(session, city.secretary, meeting.id, request, NOW)
        session.refresh(ward)
        assert ward.reply == Reply.ACCEPTED.value
        assert session.scalar(select(func.count()).select_from(EarlierReply)) == 0


def test_a_new_date_after_a_postponement_asks_again(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting, ward, _district = answered(session, city)
        postpone(session, city.secretary, meeting.id, "Bão", NOW)
        session.refresh(ward)
        assert ward.reply == Reply.ACCEPTED.value
        move(session, city, meeting, 7 * DAY)
        session.refresh(ward)
        assert (meeting.state, ward.reply) == ("scheduled", Reply.PENDING.value)


def test_moving_twice_keeps_every_answer_and_shows_the_last(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting, ward, _district = answered(session, city)
        move(session, city, meeting, DAY)
        reply(session, city.secretary, ward.id, replace(COMES, delegate_name="Trần An"), NOW)
        meeting_id, ward_id = meeting.id, ward.id
    with db.transaction() as session:
        move(session, city, session.get_one(Meeting, meeting_id), DAY)
    with db.reader() as session:
        rows = session.scalars(
            select(EarlierReply.delegate_name)
            .where(EarlierReply.participation_id == ward_id)
            .order_by(EarlierReply.id)
        ).all()
        assert rows == ["Nguyễn Thị Hoa", "Trần An"]
        last = session.scalars(select(EarlierReply).where(latest_of(meeting_id))).all()
        assert {row.participation_id: row.delegate_name for row in last}[ward_id] == "Trần An"
