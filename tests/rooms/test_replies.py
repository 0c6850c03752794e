"""What the invited answer, and who may answer for whom."""

import pytest

from meetings_server.database import Database
from rooms.kernel import DomainError, FieldInvalid, utcnow
from rooms.meetings import Meeting, Participation, Reply, WrongState
from rooms.policies import NotPermitted
from rooms.replies import (
    Answer,
    DeclineReasonMissing,
    Replied,
    UnknownParticipation,
    reply,
)
from rooms.scheduling import cancel, change, end, request_of, start
from tests.factories import (
    ALL,
    City,
    booked_meeting,
    make_city,
    participation_of,
    scheduled_meeting,
)

NOW = utcnow()
YES = Answer(Reply.ACCEPTED)


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, NOW)


@pytest.fixture
def invitation(db: Database, city: City) -> Participation:
    """That of Phường Văn Miếu."""
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
        return participation_of(session, meeting.id, city.units["00181"])


def test_a_unit_names_its_delegate(db: Database, city: City, invitation: Participation) -> None:
    facts: list[object] = []
    db.hints.append(facts.extend)
    clerk = city.actors["vanthu.vanmieu"]
    answer = Answer(Reply.ACCEPTED, "", " Bùi Thị Lan ", "Chủ tịch", is_substitute=True)
    with db.transaction() as session:
        reply(session, clerk, invitation.id, answer, NOW)
    with db.reader() as session:
        kept = session.get_one(Participation, invitation.id)
        assert (
            kept.reply,
            kept.delegate_name,
            kept.delegate_title,
            kept.is_substitute,
            kept.replied_by,
            kept.replied_at,
        ) == ("accepted", "Bùi Thị Lan", "Chủ tịch", True, clerk.person_id, NOW)
    assert facts == [Replied(invitation.meeting_id, invitation.id)]


def test_declining_needs_a_reason(db: Database, city: City, invitation: Participation) -> None:
    clerk = city.actors["vanthu.vanmieu"]
    with pytest.raises(DeclineReasonMissing), db.transaction() as session:
        reply(session, clerk, invitation.id, Answer(Reply.DECLINED, "  "), NOW)
    with db.transaction() as session:
        reply(session, clerk, invitation.id, Answer(Reply.DECLINED, "Trùng lịch"), NOW)
    with db.transaction() as session:
        # The last answer holds.
        assert reply(session, clerk, invitation.id, YES, NOW).reply_reason == ""


@pytest.mark.parametrize(
    ("username", "refusal"),
    [
        ("truc.vanmieu", NotPermitted),  # sees it, does not answer
        ("truc.cattlinh", UnknownParticipation),  # another ward
        ("thuky.snv", UnknownParticipation),
        ("kythuat", NotPermitted),
    ],
)
def test_others_do_not_answer(
    db: Database,
    city: City,
    invitation: Participation,
    username: str,
    refusal: type[DomainError],
) -> None:
    with pytest.raises(refusal), db.transaction() as session:
        reply(session, city.actors[username], invitation.id, YES, NOW)


def test_the_district_may_answer_for_its_ward(
    db: Database, city: City, invitation: Participation
) -> None:
    with db.transaction() as session:
        kept = reply(session, city.actors["thuky.dongda"], invitation.id, YES, NOW)
        assert kept.replied_by == city.actors["thuky.dongda"].person_id


def test_what_is_over_or_off_takes_no_answer(
    db: Database, city: City, invitation: Participation
) -> None:
    clerk = city.actors["vanthu.vanmieu"]
    with db.transaction() as session:
        cancel(session, city.secretary, invitation.meeting_id, "Bão", NOW)
    with pytest.raises(WrongState) as refused, db.transaction() as session:
        reply(session, clerk, invitation.id, YES, NOW)
    assert refused.value.state == "cancelled"
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
        own = participation_of(session, meeting.id, city.units["00181"])
        start(session, city.secretary, meeting.id, meeting.starts_at)
        end(session, city.secretary, meeting.id, meeting.ends_at)
    with pytest.raises(WrongState), db.transaction() as session:
        reply(session, clerk, own.id, YES, NOW)


def test_there_is_no_invitation_before_it_went_out_or_after_it_was_taken_back(
    db: Database, city: City
) -> None:
    clerk = city.actors["vanthu.vanmieu"]
    with db.transaction() as session:
        draft = booked_meeting(session, city, NOW)
        unsent = participation_of(session, draft.id, city.units["00181"])
    with pytest.raises(UnknownParticipation), db.transaction() as session:
        reply(session, clerk, unsent.id, YES, NOW)
    with db.transaction() as session:
        cancel(session, city.secretary, draft.id, "x", NOW)
        meeting = scheduled_meeting(session, city, NOW)
        own = participation_of(session, meeting.id, city.units["00181"])
    with db.transaction() as session:
        meeting = session.get_one(Meeting, meeting.id)
        change(
            session, city.secretary, meeting.id, request_of(session, meeting, list(ALL[:2])), NOW
        )
    with pytest.raises(UnknownParticipation), db.transaction() as session:
        reply(session, clerk, own.id, YES, NOW)


def test_answers_are_bounded(db: Database, city: City, invitation: Participation) -> None:
    clerk = city.actors["vanthu.vanmieu"]
    for answer, name in (
        (Answer(Reply.DECLINED, "x" * 501), "reason"),
        (Answer(Reply.ACCEPTED, "", "x" * 121), "delegate_name"),
        (Answer(Reply.ACCEPTED, "", "x", "y" * 121), "delegate_title"),
    ):
        with pytest.raises(FieldInvalid) as refused, db.transaction() as session:
            reply(session, clerk, invitation.id, answer, NOW)
        assert (refused.value.field, refused.value.problem) == (name, "too_long")
