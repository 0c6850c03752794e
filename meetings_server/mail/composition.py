"""A delivery as a MIME message: text, HTML, and the calendar part as iMIP wants it.

multipart/mixed
  multipart/alternative: text/plain, text/html, text/calendar; method=REQUEST|CANCEL
  application/ics, the same calendar as a file, for programs that only know attachments

Source: RFC 6047 (iMIP), 2.4.
"""

from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

from meetings_server.i18n import _
from meetings_server.mail.claims import Parcel
from meetings_server.mail.letters import METHODS, Letter, speaking, write_letter
from rooms.calendars import (
    Attendee,
    Entry,
    Organizer,
    PartStat,
    Status,
    cancellation_ics,
    invitation_ics,
)
from rooms.meetings import Reply

_ANSWERS = {
    Reply.PENDING: PartStat.NEEDS_ACTION,
    Reply.ACCEPTED: PartStat.ACCEPTED,
    Reply.DECLINED: PartStat.DECLINED,
}


class AddressUnreadable(ValueError):
    """An address that no mail can carry; sending it again would change nothing."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A delivery as it arrives. `calendar` is empty where the letter has none."""

    letter: Letter
    method: str
    calendar: bytes


def mail_of(parcel: Parcel, public_url: str, mail_from: str) -> Mail:
    """What a delivery says, as its recipient reads it."""
    letter = write_letter(parcel.kind, parcel.facts, parcel.recipient, public_url)
    method = METHODS.get(parcel.kind, "")
    return Mail(letter, method, _calendar(parcel, letter, public_url, mail_from) if method else b"")


def compose(parcel: Parcel, public_url: str, mail_from: str) -> EmailMessage:
    """The message. Raises `AddressUnreadable`."""
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = Address(parcel.facts["host"], addr_spec=mail_from)
        message["To"] = Address(parcel.recipient.name, addr_spec=parcel.address)
    except (HeaderParseError, ValueError, IndexError) as wrong:
        raise AddressUnreadable(f"{parcel.address}: {wrong}") from None
    mail = mail_of(parcel, public_url, mail_from)
    if parcel.facts.get("host_address"):
        message["Reply-To"] = parcel.facts["host_address"]
    message["Subject"] = mail.letter.subject
    message["Date"] = format_datetime(parcel.written_at)
    message["Message-ID"] = message_id(parcel, mail_from)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: holiday answers are not wanted.
    message["Content-Language"] = parcel.recipient.language
    message.set_content(mail.letter.as_text())
    message.add_alternative(mail.letter.as_html(parcel.recipient.language), subtype="html")
    if mail.calendar:
        message.add_alternative(
            mail.calendar.decode(), subtype="calendar", params={"method": mail.method}
        )
        message.add_attachment(
            mail.calendar, maintype="application", subtype="ics", filename="giay-moi.ics"
        )
    return message


def message_id(parcel: Parcel, mail_from: str) -> str:
    """The same for every attempt, so that a mail sent twice is recognised as one."""
    occasion = sha256(f"{parcel.key}:{parcel.id}".encode()).hexdigest()[:24]
    return f"<{occasion}.{parcel.id}@{mail_from.rpartition('@')[2]}>"


def _calendar(parcel: Parcel, letter: Letter, public_url: str, mail_from: str) -> bytes:
    facts, recipient = parcel.facts, parcel.recipient
    is_cancelled = METHODS[parcel.kind] == "CANCEL"
    with speaking(recipient.language):
        place = [recipient.point] if recipient.point else []
        place.append(_("Main bridge point: {point}").format(point=facts["main_point"]))
    entry = Entry(
        uid=facts["uid"],
        sequence=facts["sequence"],
        modified=parcel.written_at,
        starts_at=datetime.fromisoformat(facts["starts_at"]),
        ends_at=datetime.fromisoformat(facts["ends_at"]),
        timezone=facts["timezone"],
        summary=facts["title"],
        description=letter.as_text(),
        location="; ".join(place),
        status=Status.CANCELLED if is_cancelled else Status.CONFIRMED,
        url=letter.link[1] if letter.link else f"{public_url}/meetings/{facts['meeting_id']}",
        comment=facts["reason"] if is_cancelled else "",
        organizer=Organizer(facts["host"], facts["host_address"] or mail_from, mail_from),
        attendees=(Attendee(recipient.name, parcel.address, _ANSWERS[parcel.answer]),),
    )
    return (cancellation_ics if is_cancelled else invitation_ics)(entry, parcel.written_at)
