"""Calls for help that nobody has taken are told to those who may take them.

The queue shows a call at once; whoever looks elsewhere learns of it after `PATIENCE`. Each call is told
once, those of a meeting that wait together in one notice. That a call was told is an act of its log.
"""

from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from meetings_server.i18n import mark
from meetings_server.push.addressed import of_helpers
from meetings_server.push.telling import Telling, tell_people
from rooms.help_calls import Act, HelpAct, HelpCall, HelpState
from rooms.kernel import civil_day
from rooms.meetings import AWAITED, Meeting, Participation

PATIENCE = timedelta(minutes=1)


def sweep(session: Session, now: datetime) -> int:
    """Tell of every call that has waited for `PATIENCE`. Returns how many."""
    told = select(HelpAct.call_id).where(
        HelpAct.call_id == HelpCall.id, HelpAct.act == Act.TOLD.value
    )
    rows = session.execute(
        select(Meeting, HelpCall)
        .join(HelpCall, HelpCall.meeting_id == Meeting.id)
        .where(
            Meeting.state.in_(AWAITED),
            HelpCall.state == HelpState.OPEN.value,
            HelpCall.asked_at <= now - PATIENCE,
            ~told.exists(),
        )
        .order_by(HelpCall.asked_at, HelpCall.id)
        .with_for_update(of=HelpCall)
    )
    waiting: dict[Meeting, list[HelpCall]] = {}
    for meeting, call in rows:
        waiting.setdefault(meeting, []).append(call)
    for meeting, calls in waiting.items():
        _tell(session, meeting, calls, now)
    done = [call.id for calls in waiting.values() for call in calls]
    if done:
        session.execute(
            insert(HelpAct),
            [{"call_id": call_id, "at": now, "act": Act.TOLD.value} for call_id in done],
        )
    return len(done)


def _tell(session: Session, meeting: Meeting, calls: list[HelpCall], now: datetime) -> None:
    telling = Telling(
        key=f"help-wanted:{meeting.id}:{max(call.id for call in calls)}",
        kind="help",
        unit_id=meeting.host_unit_id,
        title=mark("A bridge point waits for help: {title}"),
        text=mark("Calls that nobody has taken: {count}, the first since {asked_at}."),
        facts={"title": meeting.title, "asked_at": calls[0].asked_at.isoformat()},
        path=f"/meetings/{meeting.id}/help",
        at=now,
        meeting_id=meeting.id,
        expires_at=meeting.ends_at,
        urgent=True,
    )
    waiting = Participation.point_id.in_([call.point_id for call in calls])
    tell_people(session, telling, of_helpers(waiting, meeting, civil_day(now)))
