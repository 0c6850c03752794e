"""The mail ledger for those who look after it, and the mailbox of a unit as it would arrive there."""

from typing import Any
from urllib.parse import urlencode

from icalendar import Calendar
from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from sqlalchemy import ColumnElement

from meetings_server.database import Database
from meetings_server.i18n import _, daytime, interval, mark
from meetings_server.mail.composition import Mail, mail_of, message_id
from meetings_server.mail.ledger import (
    AGAIN,
    Asked,
    Opened,
    Shelf,
    boxes,
    look_through,
    open_mail,
    send_again,
    send_all_again,
    sent_by,
    sent_to,
)
from meetings_server.mail.outbox import Channel, DeliveryState
from meetings_server.reading import RowId, read_number
from meetings_server.settings import Settings
from meetings_server.web.pages import PageRequest, render, see_other, text_of
from rooms.kernel import civil_day, utcnow

LONGEST_QUERY = 100

STATES: dict[DeliveryState, tuple[str, str | None, str]] = {
    DeliveryState.QUEUED: (mark("waiting to be sent"), "blue", "clock"),
    DeliveryState.SENDING: (mark("on its way"), "blue", "send"),
    DeliveryState.SENT: (mark("delivered to the server"), "green", "check"),
    DeliveryState.FAILED: (mark("not delivered"), "red", "alert-triangle"),
    DeliveryState.KEPT: (mark("kept here"), None, "inbox"),
    DeliveryState.NO_ADDRESS: (mark("no address"), "amber", "mail"),
    DeliveryState.SUPERSEDED: (mark("replaced by newer mail"), None, "arrow-right"),
    DeliveryState.EXPIRED: (mark("over before it could be sent"), None, "hourglass"),
}
"""Word, colour and sign of each state."""


def _number(text: str) -> int | None:
    """A positive number of the address line; anything else filters nothing."""
    return read_number(text) or None


def _asked(fields: Any) -> Asked:
    state = fields.get("state", "")
    return Asked(
        state=DeliveryState(state) if state in set(DeliveryState) else None,
        recipient=fields.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY],
        meeting_id=_number(fields.get("meeting", "")),
        before=_number(fields.get("before", "")),
    )


def _address(path: str, asked: Asked, **changes: Any) -> str:
    facts = {"q": asked.recipient, "meeting": asked.meeting_id, "state": asked.state} | changes
    kept = {name: value for name, value in facts.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def _words() -> dict[str, tuple[str, str | None, str]]:
    return {state.value: (_(word), colour, sign) for state, (word, colour, sign) in STATES.items()}


def _shelf(request: PageRequest, path: str, shelf: Shelf, asked: Asked) -> Response[str]:
    total = sum(shelf.counts.values())
    states = [
        {
            "href": _address(path, asked, state=""),
            "label": _("All"),
            "count": total,
            "active": asked.state is None,
        }
    ]
    states += [
        {
            "href": _address(path, asked, state=state.value),
            "label": _(STATES[state][0]),
            "count": shelf.counts[state.value],
            "active": asked.state is state,
        }
        for state in DeliveryState
        if shelf.counts.get(state.value)
    ]
    following = _address(path, asked, before=shelf.deliveries[-1][0].id) if shelf.has_more else None
    return render(
        request,
        "mailbox_ledger.html",
        path_here=path,
        shelf=shelf,
        asked=asked,
        states=states,
        words=_words(),
        next_href=following,
        first_href=_address(path, asked) if asked.before else None,
        failed=shelf.counts.get(DeliveryState.FAILED.value, 0),
    )


@get("/admin/mail", include_in_schema=False, sync_to_thread=True)
def ledger_page(request: PageRequest, db: Database) -> Response[str]:
    """Every delivery of the units whose mail this person looks after."""
    asked = _asked(request.query_params)
    today = civil_day(utcnow())
    with db.reader() as session:
        shelf = look_through(session, sent_by(request.user.actor, today), asked)
        return _shelf(request, "/admin/mail", shelf, asked)


@get("/admin/mail/{delivery_id:int}", include_in_schema=False, sync_to_thread=True)
def ledger_mail_page(
    request: PageRequest, db: Database, settings: Settings, delivery_id: RowId
) -> Response[str]:
    allowed = sent_by(request.user.actor, civil_day(utcnow()))
    return _mail_page(request, db, settings, allowed, delivery_id, path_here="/admin/mail")


@post("/admin/mail/{delivery_id:int}/again", include_in_schema=False, sync_to_thread=True)
def send_mail_again(request: PageRequest, db: Database, delivery_id: RowId) -> Response[None]:
    with db.transaction() as session:
        send_again(session, request.user.actor, delivery_id, utcnow())
    return see_other(f"/admin/mail/{delivery_id}", "mail_queued")


@post("/admin/mail/again", include_in_schema=False, sync_to_thread=True)
def send_failed_again(request: PageRequest, db: Database, form: FormMultiDict) -> Response[None]:
    """Every failed mail of the filter, once more."""
    asked = _asked({name: text_of(form, name) for name in ("q", "meeting")})
    with db.transaction() as session:
        send_all_again(session, request.user.actor, asked, utcnow())
    return see_other(_address("/admin/mail", asked), "mail_queued")


@get("/mailbox", include_in_schema=False, sync_to_thread=True)
def boxes_page(request: PageRequest, db: Database) -> Response[str]:
    """The addresses of this person's units, or one address with its mail."""
    now = utcnow()
    asked = _asked(request.query_params)
    address = request.query_params.get("address", "").replace("\0", "")[:LONGEST_QUERY]
    with db.reader() as session:
        if not address:
            found = boxes(session, request.user.actor, asked.recipient, now)
            return render(request, "mailbox_boxes.html", boxes=found, asked=asked)
        allowed = sent_to(request.user.actor, civil_day(now))
        shelf = look_through(
            session, allowed, Asked(address=address, before=asked.before, state=asked.state)
        )
        path = f"/mailbox?{urlencode({'address': address})}"
        following = (
            f"{path}&{urlencode({'before': shelf.deliveries[-1][0].id})}"
            if shelf.has_more
            else None
        )
        return render(
            request,
            "mailbox_box.html",
            address=address,
            shelf=shelf,
            words=_words(),
            next_href=following,
            first_href=path if asked.before else None,
        )


@get("/mailbox/{delivery_id:int}", include_in_schema=False, sync_to_thread=True)
def box_mail_page(
    request: PageRequest, db: Database, settings: Settings, delivery_id: RowId
) -> Response[str]:
    allowed = sent_to(request.user.actor, civil_day(utcnow()))
    return _mail_page(request, db, settings, allowed, delivery_id, path_here="/mailbox")


def _mail_page(
    request: PageRequest,
    db: Database,
    settings: Settings,
    allowed: ColumnElement[bool],
    delivery_id: int,
    *,
    path_here: str,
) -> Response[str]:
    with db.reader() as session:
        opened = open_mail(session, allowed, delivery_id)
        public_url, sender = settings.effective_public_url, settings.mail_from
        mail = mail_of(opened.parcel, public_url, sender)
        return render(
            request,
            "mailbox_mail.html",
            path_here=path_here,
            opened=opened,
            mail=mail,
            headers=_headers(opened, mail, sender),
            calendar=_calendar_facts(mail.calendar) if mail.calendar else [],
            words=_words(),
            # Without a mail server it would only be kept once more.
            may_send_again=path_here == "/admin/mail"
            and bool(settings.smtp_url)
            and opened.delivery.channel == Channel.MAIL.value
            and opened.delivery.state in {state.value for state in AGAIN},
        )


def _headers(opened: Opened, mail: Mail, sender: str) -> list[tuple[str, str]]:
    facts = opened.parcel.facts
    return [
        (_("Sender’s address"), f"{facts['host']} <{sender}>"),
        (_("Recipient’s address"), f"{opened.delivery.name} <{_address_of(opened)}>"),
        (_("Answers go to"), facts.get("host_address") or sender),
        (_("Subject line"), mail.letter.subject),
        (_("Written at"), daytime(opened.message.created_at)),
        ("Message-ID", message_id(opened.parcel, sender)),
    ]


def _address_of(opened: Opened) -> str:
    if opened.delivery.channel == Channel.PUSH.value:
        return _("Device")
    return opened.delivery.address or "–"


def _calendar_facts(content: bytes) -> list[tuple[str, str]]:
    """What a calendar program reads in the calendar part."""
    calendar = Calendar.from_ical(content)
    event: Any = calendar.events[0]  # our own, of which every property is known to be there
    return [
        ("METHOD", str(calendar["method"])),
        ("STATUS", str(event["status"])),
        ("UID", str(event["uid"])),
        ("SEQUENCE", str(event["sequence"])),
        ("DTSTART – DTEND", interval(event["dtstart"].dt, event["dtend"].dt)),
        ("TZID", str(event["dtstart"].params["TZID"])),
        ("ORGANIZER", str(event["organizer"])),
        ("ATTENDEE", f"{event['attendee']} ({event['attendee'].params['PARTSTAT']})"),
    ]


HANDLERS = [
    ledger_page,
    ledger_mail_page,
    send_mail_again,
    send_failed_again,
    boxes_page,
    box_mail_page,
]
