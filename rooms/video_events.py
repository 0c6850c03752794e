"""Events of video systems: whose participant joined or left, which point that is, what it means.

An event names a room of the video system and a participant. The room leads to a meeting (`video_rooms`), the
participant to a point by what the system tells of it (`video_people`) or by the hand of a technician. What
follows is a check-in of that point, which goes the way of all check-ins; how it is merged with what people
said, `merging` tells.

A batch takes a constant number of statements.
"""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from rooms.attendance import CheckIn
from rooms.bridge_points import BridgePoint, UnknownPoint
from rooms.hierarchy import Unit
from rooms.kernel import LARGEST_ID
from rooms.meetings import (
    Meeting,
    Participation,
    UnknownMeeting,
    standing_invitation,
    visible,
)
from rooms.policies import Actor, Permission, require
from rooms.video_people import Heard, Participants, said_of
from rooms.video_rooms import ALREADY, MeetingRooms, VideoSaid
from rooms.video_systems import VideoConnection, VideoEvent, VideoParticipant

JOINED, LEFT = "joined", "left"


def hear(
    session: Session,
    connection: VideoConnection,
    said: Sequence[VideoSaid],
    now: datetime,
    on: date,
) -> list[Heard]:
    """Keep a batch of events and say which check-ins follow; `settle` closes it after these.

    An event that came before and was not settled, because the server stopped in between, is heard again.
    """
    known = {
        event.event_id: event
        for event in session.scalars(
            select(VideoEvent).where(
                VideoEvent.connection_id == connection.id,
                VideoEvent.event_id.in_({one.event_id for one in said}),
            )
        )
    }
    rooms = MeetingRooms(session, connection, said, on)
    heard: list[Heard] = []
    open_events: list[tuple[VideoSaid, Heard]] = []
    for one in said:
        event = known.get(one.event_id)
        if event is not None and (event.outcome or any(h.event is event for h in heard)):
            heard.append(Heard(_copy(event, ALREADY)))
            continue
        meeting, problem = rooms.meeting_of(one)
        if event is None:
            event = _event(connection, one, now)
            session.add(event)
            known[one.event_id] = event
        event.meeting_id = meeting.id if meeting else None
        event.outcome = problem
        answer = Heard(event)
        heard.append(answer)
        if meeting is not None:
            open_events.append((one, answer))
    people = Participants(
        session, connection, [(h.event.meeting_id or 0, one) for one, h in open_events]
    )
    for one, answer in sorted(open_events, key=lambda pair: pair[0].observed_at):
        people.move(one, answer)
    connection.last_event_at = now
    session.flush()
    return heard


def settle(session: Session, outcomes: dict[int, str]) -> None:
    """Say of events, by id, what has become of them."""
    for event in session.scalars(select(VideoEvent).where(VideoEvent.id.in_(outcomes))):
        event.outcome = outcomes[event.id]


def _event(connection: VideoConnection, one: VideoSaid, now: datetime) -> VideoEvent:
    return VideoEvent(
        connection_id=connection.id,
        event_id=one.event_id,
        kind=JOINED if one.joined else LEFT,
        room=one.room,
        name=one.name,
        address=one.address,
        observed_at=one.observed_at,
        received_at=now,
        outcome="",
    )


def _copy(event: VideoEvent, outcome: str) -> VideoEvent:
    """What is answered for an event that came again; it is not kept."""
    return VideoEvent(event_id=event.event_id, meeting_id=event.meeting_id, outcome=outcome)


def participants(session: Session, meeting_id: int) -> list[tuple[VideoParticipant, str, str]]:
    """Who is or was in the video room: those without a point first, with point and unit."""
    rows = session.execute(
        select(VideoParticipant, BridgePoint.name, Unit.name)
        .outerjoin(BridgePoint, BridgePoint.id == VideoParticipant.point_id)
        .outerjoin(Unit, Unit.id == BridgePoint.unit_id)
        .where(VideoParticipant.meeting_id == meeting_id)
        .order_by(
            VideoParticipant.point_id.is_not(None),
            VideoParticipant.changed_at.desc(),
            VideoParticipant.id,
        )
        .limit(500)
    )
    return [(row[0], row[1] or "", row[2] or "") for row in rows]


def assign(
    session: Session,
    actor: Actor,
    participant_id: int,
    point_id: int | None,
    now: datetime,
    on: date,
) -> list[CheckIn]:
    """Say which point a participant is, or none; what that says of the points is to be checked in.

    Technicians and secretaries of the host may. Raises `UnknownMeeting`, `NotPermitted`, `UnknownPoint`.
    """
    person = (
        session.get(VideoParticipant, participant_id, with_for_update=True)
        if (0 < participant_id <= LARGEST_ID)
        else None
    )
    meeting = (
        session.scalar(select(Meeting).where(Meeting.id == person.meeting_id, visible(actor, on)))
        if person
        else None
    )
    if person is None or meeting is None:
        raise UnknownMeeting(0)
    require(session, actor, Permission.HELP_WRITE, meeting.host_unit_id, on)
    if point_id is not None and not session.scalar(
        select(Participation.point_id).where(
            Participation.meeting_id == meeting.id,
            Participation.point_id == point_id,
            standing_invitation(),
        )
    ):
        raise UnknownPoint(point_id)
    if point_id == person.point_id:
        return []
    said: list[CheckIn] = []
    if person.joined and person.point_id is not None and not _others_joined(session, person):
        said.append(said_of(person, False, now))
    person.point_id, person.assigned_by = point_id, actor.person_id
    person.matched = "hand" if point_id is not None else ""
    if point_id is not None:
        # Who is in the room joined at an instant; who has left was there until then, which nobody saw.
        said += [said_of(person, True, person.changed_at)] if person.joined else []
    session.flush()
    return said


def _others_joined(session: Session, person: VideoParticipant) -> bool:
    return bool(
        session.scalar(
            select(VideoParticipant.id)
            .where(
                and_(
                    VideoParticipant.meeting_id == person.meeting_id,
                    VideoParticipant.point_id == person.point_id,
                    VideoParticipant.id != person.id,
                    VideoParticipant.joined,
                )
            )
            .limit(1)
        )
    )
