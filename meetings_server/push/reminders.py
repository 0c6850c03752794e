"""A reminder pressed on the board: a letter to the units, a notice to the people at the points."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from meetings_server.i18n import mark
from meetings_server.mail.invitations import facts_of, loaded_meeting
from meetings_server.mail.letters import subject_of
from meetings_server.mail.outbox import Post, post_to_invited
from meetings_server.push.addressed import of_points
from meetings_server.push.telling import Telling, tell_people
from rooms.kernel import Event, civil_day, record
from rooms.meetings import Participation, invited
from rooms.notices import MeetingNotice
from rooms.reminders import PointsReminded, RemindedPoint, Reminder

KIND = "called_point"


def _tell(session: Session, fact: PointsReminded) -> None:
    """A handful of statements, however many are reminded."""
    reminder = session.get_one(Reminder, fact.reminder_id)
    meeting = loaded_meeting(session, fact.meeting_id)
    facts = facts_of(meeting)
    key = f"{KIND}:{reminder.id}"
    meant = (
        invited(meeting.id),
        Participation.point_id.in_(
            select(RemindedPoint.point_id).where(RemindedPoint.reminder_id == reminder.id)
        ),
    )
    post_to_invited(
        session,
        Post(
            key=key,
            kind=KIND,
            unit_id=meeting.host_unit_id,
            subject=subject_of(KIND, facts),
            facts=facts,
            at=reminder.at,
            meeting_id=meeting.id,
            expires_at=meeting.ends_at,
        ),
        *meant,
    )
    told = Telling(
        key=key,
        kind=KIND,
        unit_id=meeting.host_unit_id,
        title=mark("You are awaited: {title}"),
        text=mark("{host} asks your bridge point to check in."),
        facts={"title": meeting.title, "host": meeting.host_unit.name},
        path="/check-in",
        at=reminder.at,
        meeting_id=meeting.id,
        expires_at=meeting.ends_at,
    )
    tell_people(session, told, of_points(and_(*meant), civil_day(reminder.at)))
    record(session, MeetingNotice(meeting.id, "reminder"))


EFFECTS: list[tuple[type[Event], Callable[[Session, Any], None]]] = [(PointsReminded, _tell)]
