"""Events of video systems as the server understands them, and the meetings whose rooms they name.

The room leads to a meeting by its join link or address.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.attendance import check_in_opens_at
from rooms.hierarchy import UnitAncestry, valid_on
from rooms.meetings import AWAITED, Meeting, MeetingState
from rooms.video_systems import VideoConnection

NEAR = timedelta(hours=24)
"""How far from its meeting an event may be observed."""

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


class MeetingRooms:
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
