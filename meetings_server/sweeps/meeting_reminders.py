"""Reminders before a meeting: to who has not replied, to all invited, and the steps about silence.

| when | whom | until |
| --- | --- | --- |
| 1 day before | units that have not replied | 2 hours before |
| 1 hour before | all invited that have not declined | the start |

What happens to points that say nothing, administrators decide for each kind of meeting: see
`escalation.steps`, which runs here as well.

Each occasion carries the start of the meeting and how often it has moved: rescheduling makes a new
one, so its reminders come again, also where the meeting goes back to a time it had before. A sweep that
runs after `until` sends nothing: the reminder would make no sense any more.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.escalation import steps
from meetings_server.escalation.settling import settle
from meetings_server.mail.invitations import facts_of, loaded_meeting, standing
from meetings_server.mail.letters import subject_of
from meetings_server.mail.outbox import Post, post_to_invited
from meetings_server.sweeps.giving_way import giving_way
from meetings_server.sweeps.marks import mark_all, marked
from rooms.earlier_replies import EarlierReply
from rooms.meetings import Meeting, MeetingState, Participation, Reply

FRESH = timedelta(hours=6)
"""Who was invited, or asked again, so short a time ago is not reminded to reply."""
JUST_INVITED = timedelta(minutes=30)
"""Who was invited so short a time ago needs no word that it begins soon."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Sent from `opens` before the start on, until `closes` before it."""

    kind: str
    opens: timedelta
    closes: timedelta
    send: Callable[[Session, Meeting, "Occasion", datetime], None]
    due: str = ""
    """The key of the very occasion that is seen to now."""

    def key(self, meeting_id: int, starts_at: datetime, moves: int) -> str:
        times = f":{moves}" if moves else ""
        return f"{self.kind}:{meeting_id}:{starts_at.isoformat()}{times}"


def sweep(db: Database, now: datetime) -> int:
    """See to every occasion that is due, each in a transaction of its own. Returns how many there were.

    A nation is told by tens of thousands of rows, and check-ins wait for whoever writes.
    """
    reminded = sum(_sweep(db, occasion, now) for occasion in OCCASIONS)
    carried_out = steps.sweep(db, now)
    settle(db, now)
    return reminded + carried_out


def _sweep(db: Database, occasion: Occasion, now: datetime) -> int:
    with db.reader() as session:
        keys = {
            occasion.key(meeting, start, moves): meeting
            for meeting, start, moves in session.execute(_due(occasion, now).order_by(Meeting.id))
        }
        done = marked(session, list(keys))
    seen_to = 0
    for key, meeting_id in keys.items():
        if key in done:
            continue
        with giving_way(db) as session:
            # It may have been cancelled or moved meanwhile.
            still = session.execute(_due(occasion, now).where(Meeting.id == meeting_id)).first()
            if still is None or occasion.key(*still) != key or not mark_all(session, [key], now):
                continue
            occasion.send(
                session, loaded_meeting(session, meeting_id), replace(occasion, due=key), now
            )
            seen_to += 1
    return seen_to


def _due(occasion: Occasion, now: datetime) -> Select[int, datetime, int]:
    return select(Meeting.id, Meeting.starts_at, steps.moves_of()).where(
        Meeting.state == MeetingState.SCHEDULED.value,
        Meeting.starts_at <= now + occasion.opens,
        Meeting.starts_at > now + occasion.closes,
    )


def _remind_of_reply(session: Session, meeting: Meeting, occasion: Occasion, now: datetime) -> None:
    _to_invited(
        session,
        meeting,
        occasion,
        now,
        Participation.reply == Reply.PENDING.value,
        Participation.invited_at <= now - FRESH,
        Participation.id.not_in(
            select(EarlierReply.participation_id).where(
                EarlierReply.meeting_id == meeting.id, EarlierReply.asked_again_at > now - FRESH
            )
        ),
    )


def _remind_of_start(session: Session, meeting: Meeting, occasion: Occasion, now: datetime) -> None:
    _to_invited(
        session,
        meeting,
        occasion,
        now,
        Participation.reply != Reply.DECLINED.value,
        Participation.invited_at <= now - JUST_INVITED,
    )


def _to_invited(
    session: Session,
    meeting: Meeting,
    occasion: Occasion,
    now: datetime,
    *wanted: ColumnElement[bool],
) -> None:
    post_to_invited(session, _message(meeting, occasion, now), standing(meeting), *wanted)


def _message(meeting: Meeting, occasion: Occasion, now: datetime) -> Post:
    facts = facts_of(meeting)
    return Post(
        key=occasion.due,
        kind=occasion.kind,
        unit_id=meeting.host_unit_id,
        subject=subject_of(occasion.kind, facts),
        facts=facts,
        at=now,
        meeting_id=meeting.id,
        expires_at=meeting.starts_at - occasion.closes,
    )


NOTHING = timedelta(0)
OCCASIONS = (
    Occasion("reminder_day", timedelta(days=1), timedelta(hours=2), _remind_of_reply),
    Occasion("reminder_hour", timedelta(hours=1), NOTHING, _remind_of_start),
)
