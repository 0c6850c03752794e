"""What video systems send, read into events: the format described here, and that of Zoom's webhooks."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, ClassVar

import msgspec

from rooms.kernel import Invalid
from rooms.video_rooms import VideoSaid
from rooms.video_systems import VideoFormat

MOST_EVENTS = 1_000
"""Of one request."""
LARGEST_BODY = 512 * 1024
"""Bytes."""

_Text = Annotated[str, msgspec.Meta(max_length=200)]
_Named = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass
class EventsUnreadable(Invalid):
    """The body is not what the format says. `problem` tells where, in English, for who programs it."""

    code: ClassVar[str] = "events_unreadable"
    problem: str


class ParticipantIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who joined or left. At least one of the three; the address finds the bridge point."""

    id: _Text = ""
    """The system's own name for this participant in this room."""
    address: _Text = ""
    """Where its equipment is called, as the bridge point has it: `sip:00181@hop.hanoi.gov.vn`."""
    name: _Text = ""
    """As it is shown to the others."""


class EventIn(msgspec.Struct, forbid_unknown_fields=True):
    """Something that happened in a video room."""

    id: _Named
    """Unique within the connection; the same one again is dropped."""
    type: Annotated[str, msgspec.Meta(pattern="^(joined|left)$")]
    room: _Text
    """The room as the meeting has it: its join link, the last part of it, or its join address."""
    participant: ParticipantIn
    observed_at: _Instant
    meeting: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None
    """The meeting's id here, where the system knows it; then `room` is not looked at."""


class EventsIn(msgspec.Struct, forbid_unknown_fields=True):
    """A batch, in any order."""

    events: Annotated[list[EventIn], msgspec.Meta(min_length=1, max_length=MOST_EVENTS)]


class _ZoomParticipant(msgspec.Struct):
    user_name: str = ""
    user_id: str | int = ""
    participant_uuid: str = ""
    join_time: str = ""
    leave_time: str = ""


class _ZoomMeeting(msgspec.Struct):
    id: str | int = ""
    participant: _ZoomParticipant = msgspec.field(default_factory=_ZoomParticipant)


class _ZoomPayload(msgspec.Struct):
    object: _ZoomMeeting = msgspec.field(default_factory=_ZoomMeeting)
    plain_token: str = msgspec.field(default="", name="plainToken")


class _ZoomEvent(msgspec.Struct):
    event: str
    event_ts: int = 0
    payload: _ZoomPayload = msgspec.field(default_factory=_ZoomPayload)


def read_events(way: str, body: bytes) -> list[VideoSaid]:
    """The events of a body. Raises `EventsUnreadable`."""
    try:
        return _read_zoom(body) if way == VideoFormat.ZOOM else _read_neutral(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise EventsUnreadable(str(wrong)[:300]) from None


def _read_neutral(body: bytes) -> list[VideoSaid]:
    said = []
    for number, event in enumerate(msgspec.json.decode(body, type=EventsIn).events):
        who = event.participant
        if not (who.id or who.address or who.name):
            raise EventsUnreadable(
                f"events[{number}].participant needs an id, an address or a name"
            )
        texts = (event.id, event.room, who.id, who.address, who.name)
        if any(c < " " for text in texts for c in text):
            raise EventsUnreadable(f"events[{number}] holds control characters")
        said.append(
            VideoSaid(
                event.id,
                event.type == "joined",
                event.room,
                who.id,
                who.name,
                who.address,
                event.observed_at,
                event.meeting,
            )
        )
    return said


_ZOOM_EVENTS = {
    f"{kind}.participant_{act}": act == "joined"
    for kind in ("meeting", "webinar")
    for act in ("joined", "left")
}


def _read_zoom(body: bytes) -> list[VideoSaid]:
    """One event of Zoom; those that are about no participant say nothing here.

    Zoom names no event, so what makes it one does: participant, kind and time. It tells no address of
    the equipment, so points are found by the shown name or by hand. Source: Zoom, "Meetings webhooks –
    meeting.participant_joined, meeting.participant_left" (developers.zoom.us/docs/api/meetings/events).
    """
    event = msgspec.json.decode(body, type=_ZoomEvent)
    joined = _ZOOM_EVENTS.get(event.event)
    if joined is None:
        return []
    meeting, who = event.payload.object, event.payload.object.participant
    key = who.participant_uuid or str(who.user_id)
    at = _zoom_instant(who.join_time if joined else who.leave_time, event.event_ts)
    if not key or at is None:
        raise EventsUnreadable("payload.object.participant needs user_id and its time")
    name = "".join(c for c in who.user_name if c >= " ")[:200]
    told = f"{event.event} {meeting.id} {key} {at.isoformat()}"
    return [VideoSaid(told[:200], joined, str(meeting.id)[:200], key[:200], name, "", at)]


def _zoom_instant(text: str, milliseconds: int) -> datetime | None:
    try:
        if text:
            found = datetime.fromisoformat(text)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
    except (ValueError, OverflowError, OSError):
        return None


def zoom_challenge(body: bytes, secret: str) -> dict[str, str] | None:
    """The answer by which Zoom knows the address as ours (`endpoint.url_validation`), if it asks for it.

    The request has been found to be signed. What looks like the text of a signature is not answered: the
    answer would sign it.
    """
    try:
        event = msgspec.json.decode(body, type=_ZoomEvent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    token = event.payload.plain_token
    if event.event != "endpoint.url_validation" or not token or ":" in token:
        return None
    answer = hmac.new(secret.encode(), token.encode(), sha256).hexdigest()
    return {"plainToken": token, "encryptedToken": answer}
