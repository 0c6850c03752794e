"""Events of video systems: whose participant joined or left, which point that is, what it means.

An event names a room of the video system and a participant. The room leads to a meeting by its join link or
address, the participant to a point by the address of its equipment, by its name where the connection allows
that, or by the hand of a technician. What follows is a check-in of that point, which goes the way of all
check-ins; how it is merged with what people said, `merging` tells.

A batch takes a constant number of statements.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from rooms.attendance import CheckIn, Presence, Source, check_in_opens_at, standing_invitation
from rooms.bridge_points import BridgePoint, UnknownPoint
from rooms.folding import fold
from rooms.hierarchy import Unit, UnitAncestry, valid_on
from rooms.kernel import LARGEST_ID
from rooms.meetings import AWAITED, Meeting, MeetingState, Participation, UnknownMeeting, visible
from rooms.policies import Actor, Permission, require
from rooms.video_systems import VideoConnection, VideoEvent, VideoParticipant

NEAR = timedelta(hours=24)
"""How far from its meeting an event may be observed."""
JOINED, LEFT = "joined", "left"

ASSIGNED, ALREADY, NO_MEETING, NOBODY, AMBIGUOUS, STILL_THERE = (
    "taken",
    "duplicate",
    "unknown_room",
    "unknown_participant",
    "ambiguous_room",
    "others_still_there",
)
"""Outcomes; besides these the code of the refusal of a check-in."""


@dataclass(frozen=True, slots=True)
class VideoSaid:
    """An event as the server understands it. `joined` or left; `participant` is the system's id."""

    event_id: str
    joined: bool
    room: str
    participant: str
    name: str
    address: str
    observed_at: datetime
    meeting_id: int | None = None

    @property
    def key(self) -> str:
        """What tells participants of a room apart."""
        return self.participant or core_of(self.address) or self.name


@dataclass(slots=True)
class Heard:
    """An event with its outcome, or the check-in that is to give it one."""

    event: VideoEvent
    check_in: CheckIn | None = None


def core_of(address: str) -> str:
    """An address without scheme, parameters and capitals: `00181@hop.gov.vn`."""
    bare = re.split(r"[;?]", address.strip().casefold(), maxsplit=1)[0]
    return re.sub(r"^(?:sips?|h323|tel):", "", bare).strip("<>")


def room_names(meeting: Meeting) -> set[str]:
    """Under which names a video system may know the room of a meeting: its link and its address.

    Of a link also its last part and the values of its query; of an address also the part before the host.
    """
    names: set[str] = set()
    if meeting.join_url:
        link = urlsplit(meeting.join_url.strip())
        names |= {
            meeting.join_url.strip().casefold(),
            link.path.rstrip("/").rpartition("/")[2].casefold(),
        }
        names |= {value.casefold() for _, value in parse_qsl(link.query)}
    if meeting.join_address:
        core = core_of(meeting.join_address)
        names |= {core, core.partition("@")[0]}
    return names - {""}


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
    rooms = _Rooms(session, connection, said, on)
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
    people = _People(
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


class _Rooms:
    """The meetings of a connection near these events, by the names of their rooms."""

    def __init__(
        self, session: Session, connection: VideoConnection, said: Sequence[VideoSaid], on: date
    ) -> None:
        times = [one.observed_at for one in said]
        below = select(UnitAncestry.unit_id).where(
            UnitAncestry.ancestor_id == connection.unit_id, valid_on(UnitAncestry, on)
        )
        self._meetings = session.scalars(
            select(Meeting).where(
                Meeting.host_unit_id.in_(below),
                Meeting.state.in_(
                    [*AWAITED, MeetingState.ENDED.value, MeetingState.CONCLUDED.value]
                ),
                Meeting.starts_at.between(min(times) - NEAR, max(times) + NEAR),
            )
        ).all()
        self._names = {meeting.id: room_names(meeting) for meeting in self._meetings}

    def meeting_of(self, one: VideoSaid) -> tuple[Meeting | None, str]:
        """The meeting of an event, or why there is none.

        Of several in the same room the one under way, else the nearest whose check-in is open.
        """
        wanted = {one.room.strip().casefold(), core_of(one.room)}
        found = [
            meeting
            for meeting in self._meetings
            if (
                meeting.id == one.meeting_id if one.meeting_id else self._names[meeting.id] & wanted
            )
        ]
        if not found:
            return None, NO_MEETING
        running = [m for m in found if m.state == MeetingState.IN_PROGRESS.value]
        if len(running) > 1:
            return None, AMBIGUOUS
        if running:
            return running[0], ""
        return min(found, key=lambda m: (not _is_open(m, one.observed_at), _far(m, one))), ""


def _is_open(meeting: Meeting, at: datetime) -> bool:
    opens_at = check_in_opens_at(meeting.starts_at, meeting.setup_minutes)
    return meeting.state in AWAITED and opens_at <= at < meeting.ends_at


def _far(meeting: Meeting, one: VideoSaid) -> timedelta:
    return abs(meeting.starts_at - one.observed_at)


class _People:
    """The participants of a batch, and the points that they are."""

    def __init__(
        self,
        session: Session,
        connection: VideoConnection,
        said: Sequence[tuple[int, VideoSaid]],
    ) -> None:
        self._session = session
        self._connection = connection
        meetings = {meeting_id for meeting_id, _ in said}
        keys = {one.key for _, one in said}
        known = session.scalars(
            select(VideoParticipant).where(
                VideoParticipant.connection_id == connection.id,
                VideoParticipant.meeting_id.in_(meetings),
                VideoParticipant.key.in_(keys),
            )
        )
        self._known = {(person.meeting_id, person.key): person for person in known}
        for meeting_id, one in said:
            if (meeting_id, one.key) not in self._known:
                self._known[meeting_id, one.key] = self._new(meeting_id, one)
        self._find_points(meetings)
        points = {person.point_id for person in self._known.values() if person.point_id}
        self._others = session.scalars(
            select(VideoParticipant).where(
                VideoParticipant.meeting_id.in_(meetings),
                VideoParticipant.point_id.in_(points),
                VideoParticipant.joined,
            )
        ).all()

    def _new(self, meeting_id: int, one: VideoSaid) -> VideoParticipant:
        made = VideoParticipant(
            connection_id=self._connection.id,
            meeting_id=meeting_id,
            key=one.key,
            name=one.name,
            address=one.address,
            matched="",
            joined=False,
            changed_at=one.observed_at,
        )
        self._session.add(made)
        return made

    def _find_points(self, meetings: Iterable[int]) -> None:
        """Two statements, whatever the number of those who have no point yet."""
        unknown = [person for person in self._known.values() if person.point_id is None]
        if not unknown:
            return
        by_address = self._addresses(meetings, [p for p in unknown if p.address])
        names = [
            p for p in unknown if p.name and not by_address.get((p.meeting_id, core_of(p.address)))
        ]
        by_name = self._names(meetings, names) if self._connection.by_name else {}
        for person in unknown:
            for word, found in (
                ("address", by_address.get((person.meeting_id, core_of(person.address)))),
                ("name", by_name.get((person.meeting_id, fold(person.name)))),
            ):
                # Of two points with the same address nobody can say which one it is.
                if found is not None and len(found) == 1:
                    person.point_id, person.matched = next(iter(found)), word
                    break

    def _addresses(
        self, meetings: Iterable[int], people: Sequence[VideoParticipant]
    ) -> dict[tuple[int, str], set[int]]:
        found: dict[tuple[int, str], set[int]] = {}
        cores = {core_of(person.address) for person in people} - {""}
        if not cores:
            return found
        # As rooms have them: with their scheme or without, and as the system says it.
        spelled = {f"{scheme}{core}" for core in cores for scheme in ("", "sip:", "sips:", "h323:")}
        spelled |= {person.address.strip() for person in people}
        for meeting_id, point_id, address in self._session.execute(
            select(Participation.meeting_id, BridgePoint.id, BridgePoint.endpoint_address)
            .join(BridgePoint, BridgePoint.id == Participation.point_id)
            .where(
                BridgePoint.endpoint_address.in_(spelled),
                Participation.meeting_id.in_(meetings),
                standing_invitation(),
            )
        ):
            found.setdefault((meeting_id, core_of(address)), set()).add(point_id)
        return found

    def _names(
        self, meetings: Iterable[int], people: Sequence[VideoParticipant]
    ) -> dict[tuple[int, str], set[int]]:
        """By the name of the unit or of the point; accents and capitals are nothing."""
        found: dict[tuple[int, str], set[int]] = {}
        if not people:
            return found
        wanted = {fold(person.name) for person in people}
        for meeting_id, point_id, point, unit in self._session.execute(
            select(Participation.meeting_id, BridgePoint.id, BridgePoint.name, Unit.name)
            .join(BridgePoint, BridgePoint.id == Participation.point_id)
            .join(Unit, Unit.id == Participation.unit_id)
            .where(Participation.meeting_id.in_(meetings), standing_invitation())
        ):
            for name in {fold(point), fold(unit)} & wanted:
                found.setdefault((meeting_id, name), set()).add(point_id)
        return found

    def move(self, one: VideoSaid, answer: Heard) -> None:
        """One event: where the participant is now, and what that says of its point."""
        event = answer.event
        meeting_id = event.meeting_id or 0
        person = self._known[meeting_id, one.key]
        if one.observed_at >= person.changed_at:
            person.joined, person.changed_at = one.joined, one.observed_at
        event.point_id = person.point_id
        if person.point_id is None:
            event.outcome = NOBODY
        elif not one.joined and self._somebody_else(person):
            event.outcome = STILL_THERE
        else:
            answer.check_in = said_of(person, one.joined, one.observed_at)

    def _somebody_else(self, person: VideoParticipant) -> bool:
        """Whether the point has another line that is open."""
        return any(
            other is not person and other.joined and other.point_id == person.point_id
            for other in (*self._others, *self._known.values())
            if other.meeting_id == person.meeting_id
        )


def said_of(person: VideoParticipant, joined: bool, at: datetime) -> CheckIn:
    """What a participant that joined or left says of its point."""
    return CheckIn(
        meeting_id=person.meeting_id,
        point_id=person.point_id or 0,
        state=(Presence.PRESENT if joined else Presence.LOST).value,
        recorded_by=None,
        source=Source.VIDEO,
        observed_at=at,
    )


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
