"""Calendars to subscribe to: no login, the address is the secret."""

import re
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.mail.letters import speaking
from meetings_server.settings import Settings
from rooms.calendars import Entry, Organizer, Status, feed_ics
from rooms.feeds import Feed, FeedKind, FeedMeeting, UnknownFeed, read_feed
from rooms.kernel import utcnow
from rooms.meetings import MeetingState

CALENDAR = "text/calendar"
ADDRESS = re.compile(r"([A-Za-z0-9_-]{1,64})\.ics")

_STATUS = {
    MeetingState.DRAFT.value: Status.TENTATIVE,
    MeetingState.POSTPONED.value: Status.CANCELLED,
    MeetingState.CANCELLED.value: Status.CANCELLED,
}

File = Annotated[
    str,
    PathParameter(
        description="The token of the calendar with `.ics` behind it, as the page of calendars shows it",
        max_length=100,
    ),
]


@get(
    "/calendars/{file:str}",
    summary="A calendar to subscribe to",
    description=(
        "The meetings of a unit, a bridge point or a person as iCalendar, cancelled ones with "
        "STATUS:CANCELLED for 60 days. The token is the secret; no login."
    ),
    opt={"public": True},
    security=[{}],
    sync_to_thread=True,
    media_type="text/calendar",
    response_headers=[
        ResponseHeader(name="etag", description="Of the content", documentation_only=True),
        ResponseHeader(
            name="last-modified", description="The last change", documentation_only=True
        ),
    ],
    responses={304: ResponseSpec(None, description="Nothing has changed", generate_examples=False)},
)
def calendar(
    request: Request[Any, Any, Any], file: File, db: Database, settings: Settings
) -> Response[bytes]:
    """Answers 304 where `If-None-Match` or `If-Modified-Since` says that the reader has it already."""
    token = ADDRESS.fullmatch(file)
    if token is None:
        raise UnknownFeed
    with db.reader() as session:
        feed = read_feed(session, token[1], utcnow())
        etag = _etag(feed, settings.effective_public_url)
        headers = {
            "etag": etag,
            "last-modified": format_datetime(feed.changed_at, usegmt=True),
            "cache-control": "private, max-age=0, must-revalidate",
        }
        if _has_it(request, etag, feed.changed_at):
            return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
        content = calendar_of(feed, settings.effective_public_url)
    headers["content-disposition"] = 'inline; filename="lich-hop.ics"'
    return Response(content, status_code=HTTP_200_OK, media_type=CALENDAR, headers=headers)


def calendar_of(feed: Feed, public_url: str) -> bytes:
    """A feed as iCalendar, in Vietnamese: who subscribes has no language of their own here."""
    with speaking("vi"):
        names = {
            FeedKind.UNIT: _("Meetings of {name}"),
            FeedKind.POINT: _("Meetings in {name}"),
            FeedKind.PERSON: _("Meetings of {name}"),
        }
        entries = [_entry(found, public_url) for found in feed.meetings]
        return feed_ics(names[feed.kind].format(name=feed.name), entries)


def _entry(found: FeedMeeting, public_url: str) -> Entry:
    meeting = found.meeting
    status = _STATUS.get(meeting.state, Status.CONFIRMED)
    summary = meeting.title
    if meeting.state == MeetingState.POSTPONED.value:
        summary = _("Postponed: {title}").format(title=meeting.title)
    elif meeting.state == MeetingState.CANCELLED.value:
        summary = _("Cancelled: {title}").format(title=meeting.title)
    told = [
        _("Chair: {name}").format(name=f"{meeting.chair.name}, {meeting.chair.title}".rstrip(", ")),
        _("Host: {name}").format(name=meeting.host_unit.name),
    ]
    if meeting.closing_reason:
        told.append(_("Reason: {reason}").format(reason=meeting.closing_reason))
    return Entry(
        uid=meeting.uid,
        sequence=meeting.sequence,
        modified=found.modified,
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        timezone=meeting.timezone,
        summary=summary,
        description="\n".join(told),
        location=meeting.main_point.name,
        status=status,
        url=f"{public_url}/meetings/{meeting.id}",
        comment=meeting.closing_reason,
        organizer=(
            Organizer(meeting.host_unit.name, meeting.host_unit.email)
            if meeting.host_unit.email
            else None
        ),
    )


def _etag(feed: Feed, public_url: str) -> str:
    """Of what the calendar is made from, so that an unchanged one need not be made."""
    parts = [public_url, feed.name]
    for found in feed.meetings:
        meeting = found.meeting
        parts.append(f"{meeting.id} {meeting.version} {meeting.state} {found.modified.isoformat()}")
        parts.append(
            f"{meeting.host_unit.name} {meeting.host_unit.email} {meeting.main_point.name}"
        )
        parts.append(f"{meeting.chair.name} {meeting.chair.title}")
    return f'"{sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"'


def _has_it(request: Request[Any, Any, Any], etag: str, changed_at: datetime) -> bool:
    known = request.headers.get("if-none-match")
    if known is not None:  # It decides alone (RFC 9110, 13.1.3).
        tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
        return etag in tags or "*" in tags
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    # The header counts whole seconds, and without a zone it means nothing.
    return since.tzinfo is not None and changed_at.replace(microsecond=0) <= since


HANDLERS = [calendar]
