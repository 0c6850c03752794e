"""Help that is taken or given, and words of the host, reach the people of the points on their devices too."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from meetings_server.i18n import mark
from meetings_server.push.addressed import of_points
from meetings_server.push.telling import Telling, tell_people
from rooms.help_calls import HelpCall, HelpState
from rooms.hierarchy import Unit
from rooms.host_messages import HostMessage, addressed
from rooms.kernel import Event, civil_day, utcnow
from rooms.meetings import Meeting, Participation, invited, standing_invitation
from rooms.notices import MeetingNotice
from rooms.people import Person

HELP, MESSAGE = "help", "message"
"""Kinds of notices of a meeting."""

TITLES = {
    HelpState.TAKEN: mark("Help is coming: {title}"),
    HelpState.SOLVED: mark("Your call for help is answered: {title}"),
}
TEXTS = {
    HelpState.TAKEN: mark("{name} looks after your bridge point."),
    HelpState.SOLVED: mark("{name}: {remedy}"),
}


def on_notice(session: Session, fact: MeetingNotice) -> None:
    """What a notice of the meeting is about, as a notice to people."""
    if fact.kind == HELP and "call" in fact.facts:
        meeting = session.get_one(Meeting, fact.meeting_id)
        _tell_of_help(session, meeting, session.get_one(HelpCall, fact.facts["call"]))
    elif fact.kind == MESSAGE and "message" in fact.facts and not fact.facts.get("withdrawn"):
        meeting = session.get_one(Meeting, fact.meeting_id)
        _tell_of_message(session, meeting, session.get_one(HostMessage, fact.facts["message"]))


def _tell_of_help(session: Session, meeting: Meeting, call: HelpCall) -> None:
    """Each of whoever takes it, and each time it is solved, once."""
    state = HelpState(call.state)
    by = call.solved_by if state is HelpState.SOLVED else call.taken_by
    if state not in TITLES or by is None:
        return
    since = call.solved_at if state is HelpState.SOLVED else call.taken_at
    when = since.isoformat() if since else ""
    _tell(
        session,
        meeting,
        Participation.point_id == call.point_id,
        key=f"help:{call.id}:{state.value}:{by}:{when}",
        kind=HELP,
        title=TITLES[state],
        text=TEXTS[state],
        facts={"name": session.get_one(Person, by).name, "remedy": call.remedy},
        path=f"/check-in/{meeting.id}/{call.point_id}",
    )


def _tell_of_message(session: Session, meeting: Meeting, message: HostMessage) -> None:
    meant = (
        select(Participation.id.label("id"))
        .join(Unit, Unit.id == Participation.unit_id)
        .where(
            Participation.meeting_id == meeting.id,
            standing_invitation(),
            addressed(message, meeting.day),
        )
        .subquery("meant")
    )
    _tell(
        session,
        meeting,
        Participation.id.in_(select(meant.c.id)),
        key=f"message:{message.id}",
        kind=MESSAGE,
        title=mark("The host to the bridge points: {title}"),
        text=mark("“{words}”"),
        facts={"words": message.text},
        path="/check-in",
    )


def _tell(
    session: Session,
    meeting: Meeting,
    points: ColumnElement[bool],
    *,
    key: str,
    kind: str,
    title: str,
    text: str,
    facts: dict[str, str],
    path: str,
) -> None:
    now = utcnow()
    telling = Telling(
        key=key,
        kind=kind,
        unit_id=meeting.host_unit_id,
        title=title,
        text=text,
        facts={"title": meeting.title} | facts,
        path=path,
        at=now,
        meeting_id=meeting.id,
        expires_at=meeting.ends_at,
        urgent=True,
    )
    tell_people(session, telling, of_points(and_(invited(meeting.id), points), civil_day(now)))


EFFECTS: list[tuple[type[Event], Callable[[Session, Any], None]]] = [(MeetingNotice, on_notice)]
