"""Which points the participants of video rooms are, and what their coming and going says of these.

A participant is a point by the address of its equipment, or by its name where the connection allows that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.attendance import CheckIn, Presence, Source
from rooms.bridge_points import BridgePoint
from rooms.folding import fold
from rooms.hierarchy import Unit
from rooms.meetings import Participation, standing_invitation
from rooms.video_rooms import NOBODY, STILL_THERE, VideoSaid, core_of
from rooms.video_systems import VideoConnection, VideoEvent, VideoParticipant


@dataclass(slots=True)
class Heard:
    """An event with its outcome, or the check-in that is to give it one."""

    event: VideoEvent
    check_in: CheckIn | None = None


class Participants:
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
