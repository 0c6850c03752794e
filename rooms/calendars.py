"""Meetings as iCalendar: invitations and cancellations for mail (iTIP), and feeds.

Pure: entries in, bytes out. What makes calendars stay right is here: the UID never changes, SEQUENCE
and LAST-MODIFIED come from the meeting, DTSTAMP from the mail, STATUS says what became of it, and the
times carry their zone with its VTIMEZONE. The words (summary, description, comment) are the caller's.

Source: RFC 5545 (iCalendar), RFC 5546 (iTIP), RFC 6047 (iMIP), RFC 7986 (names of feeds).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event, Timezone, vCalAddress, vText

PRODUCT = "-//meetings-server//meetings//VI"
REFRESH = timedelta(minutes=15)
"""How often a calendar program is asked to read a feed again."""
FIRST_DATE, LAST_DATE = date(2000, 1, 1), date(2038, 1, 1)
"""The span that time zone definitions cover."""


class Status(StrEnum):
    CONFIRMED = "CONFIRMED"
    TENTATIVE = "TENTATIVE"
    CANCELLED = "CANCELLED"


class PartStat(StrEnum):
    NEEDS_ACTION = "NEEDS-ACTION"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    DELEGATED = "DELEGATED"


@dataclass(frozen=True, slots=True)
class Organizer:
    """Who invites. `sent_by` is the mailbox that sends for them, where it is another."""

    name: str
    address: str
    sent_by: str = ""


@dataclass(frozen=True, slots=True)
class Attendee:
    """Who is invited, and what is known of the answer."""

    name: str
    address: str
    answer: PartStat = PartStat.NEEDS_ACTION
    is_chair: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One meeting in a calendar. `timezone` is an IANA name; instants are aware."""

    uid: str
    sequence: int
    modified: datetime
    starts_at: datetime
    ends_at: datetime
    timezone: str
    summary: str
    description: str
    location: str
    status: Status
    url: str = ""
    comment: str = ""
    """Why it was cancelled or postponed."""
    organizer: Organizer | None = None
    attendees: tuple[Attendee, ...] = ()


def invitation_ics(entry: Entry, stamp: datetime) -> bytes:
    """An iTIP REQUEST: a new meeting, or a changed one under the same UID. `stamp`: its DTSTAMP."""
    event = _event(entry, stamp)
    reminder = Alarm()
    reminder.add("action", "DISPLAY")
    reminder.add("description", entry.summary)
    reminder.add("trigger", timedelta(minutes=-30))
    event.add_component(reminder)
    return _encoded(_calendar("REQUEST", [event], {entry.timezone}))


def cancellation_ics(entry: Entry, stamp: datetime) -> bytes:
    """An iTIP CANCEL: takes the meeting out of calendars. Its SEQUENCE must have risen.

    A postponed meeting is cancelled too; its new date is a REQUEST under the same UID.
    """
    if entry.status is not Status.CANCELLED:
        raise ValueError(f"a cancellation says CANCELLED, not {entry.status}")
    return _encoded(_calendar("CANCEL", [_event(entry, stamp)], {entry.timezone}))


def feed_ics(name: str, entries: Iterable[Entry]) -> bytes:
    """A whole calendar to subscribe to, the same bytes for the same entries."""
    listed = list(entries)
    calendar = _calendar(
        None,
        # DTSTAMP of a published entry is when it was last revised (RFC 5545, 3.8.7.2).
        [_event(entry, entry.modified) for entry in listed],
        {entry.timezone for entry in listed},
    )
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", f"PT{int(REFRESH.total_seconds()) // 60}M")
    return _encoded(calendar)


def _encoded(calendar: Calendar) -> bytes:
    # Lines are folded after 75 octets, never inside a letter.
    encoded: bytes = calendar.to_ical()
    return encoded


def _calendar(method: str | None, events: list[Event], zones: set[str]) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    if method:
        calendar.add("method", method)
    for zone in sorted(zones):
        calendar.add_component(_timezone(zone))
    for event in events:
        calendar.add_component(event)
    return calendar


@lru_cache(maxsize=32)
def _timezone(name: str) -> Timezone:
    return Timezone.from_tzid(name, first_date=FIRST_DATE, last_date=LAST_DATE)


def _event(entry: Entry, stamp: datetime) -> Event:
    zone = ZoneInfo(entry.timezone)
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", stamp.astimezone(UTC))
    event.add("last-modified", entry.modified.astimezone(UTC))
    event.add("dtstart", entry.starts_at.astimezone(zone))
    event.add("dtend", entry.ends_at.astimezone(zone))
    event.add("summary", entry.summary)
    event.add("description", entry.description)
    event.add("location", entry.location)
    event.add("status", entry.status.value)
    event.add("transp", "TRANSPARENT" if entry.status is Status.CANCELLED else "OPAQUE")
    if entry.url:
        event.add("url", entry.url)
    if entry.comment:
        event.add("comment", entry.comment)
    if entry.organizer:
        event.add("organizer", _organizer(entry.organizer), encode=False)
    for attendee in entry.attendees:
        event.add("attendee", _attendee(attendee, entry.status), encode=False)
    return event


def _organizer(organizer: Organizer) -> vCalAddress:
    address = vCalAddress(f"mailto:{organizer.address}")
    address.params["CN"] = vText(_unquoted(organizer.name))
    if organizer.sent_by and organizer.sent_by != organizer.address:
        address.params["SENT-BY"] = vText(f"mailto:{organizer.sent_by}")
    return address


def _attendee(attendee: Attendee, status: Status) -> vCalAddress:
    address = vCalAddress(f"mailto:{attendee.address}")
    address.params["CN"] = vText(_unquoted(attendee.name))
    address.params["CUTYPE"] = vText("INDIVIDUAL" if attendee.is_chair else "GROUP")
    address.params["ROLE"] = vText("CHAIR" if attendee.is_chair else "REQ-PARTICIPANT")
    address.params["PARTSTAT"] = vText(attendee.answer.value)
    if status is not Status.CANCELLED and not attendee.is_chair:
        address.params["RSVP"] = vText("TRUE")
    return address


def _unquoted(name: str) -> str:
    # A parameter value may hold anything but the double quote and control characters (RFC 5545, 3.1).
    return " ".join(name.replace('"', "”").split())
