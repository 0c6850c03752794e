"""The letters: what each kind of mail says, in the recipient's language.

A letter is the same few parts whatever it is about (a greeting, what is to be said, facts in rows, a
list, one link), so that one template for text and one for HTML set them all.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from meetings_server.i18n import _, clock, current_language, interval, mark, short_day

SUBJECTS: dict[str, str] = {
    "invitation": mark("Invitation to a video meeting: {title}"),
    "change": mark("Changed video meeting: {title}"),
    "withdrawal": mark("No longer invited: {title}"),
    "cancellation": mark("Cancelled video meeting: {title}"),
    "postponement": mark("Postponed video meeting: {title}"),
    "reminder_day": mark("Reply still missing: {title}"),
    "reminder_hour": mark("Begins within the hour: {title}"),
    "silent_point": mark("Your bridge point has not checked in: {title}"),
    "silent_children": mark("Bridge points that have not checked in: {title}"),
    "missing": mark("Missing at the start: {title}"),
    "called_point": mark("You are awaited: {title}"),
    "line_test_due": mark("Line test still missing: {title}"),
    "line_tests_missing": mark("Line tests still missing: {title}"),
    "directive_sent": mark("New document: {title}"),
    "directive_recalled": mark("Document recalled: {title}"),
    "directive_due": mark("Acknowledgement is due: {title}"),
    "directive_overdue": mark("Acknowledgement is overdue: {title}"),
}

LEADS: dict[str, str] = {
    "invitation": mark("{host} invites {name} to take part in a video meeting."),
    "change": mark("{host} has changed the meeting below. This is how it stands now."),
    "withdrawal": mark("{name} is no longer invited to the meeting below."),
    "cancellation": mark("{host} has cancelled the meeting below."),
    "postponement": mark("{host} has postponed the meeting below. A new date will be sent."),
    "reminder_day": mark("The meeting below is near and {name} has not replied."),
    "reminder_hour": mark("The meeting below begins within the hour."),
    "silent_point": mark(
        "The meeting below begins soon and your bridge point has not checked in. "
        "Check in, or ask the host for help."
    ),
    "silent_children": mark(
        "The meeting below begins soon. These bridge points have not checked in:"
    ),
    "called_point": mark(
        "{host} awaits your bridge point at the meeting below. Check in, or ask the host for help."
    ),
    "missing": mark("The meeting below has reached its start. These bridge points are silent:"),
    "line_tests_missing": mark("The lines of these bridge points have not been tested:"),
    "line_test_due": mark(
        "The line of your bridge point has not been tested for the meeting below. "
        "Test picture, sound, camera and network."
    ),
    "directive_sent": mark("{host} has sent {name} this document. Open it and confirm it."),
    "directive_recalled": mark("{host} has recalled this document. Do not follow it any more."),
    "directive_due": mark("{host} asks {name} to acknowledge this document in time."),
    "directive_overdue": mark("{name} has not acknowledged this document in time."),
}

NOTICE = "notice"
"""The kind that says what a notice of the page says, whatever that is."""

METHODS: dict[str, str] = {
    "invitation": "REQUEST",
    "change": "REQUEST",
    "withdrawal": "CANCEL",
    "cancellation": "CANCEL",
    "postponement": "CANCEL",
}
"""The letters with a calendar part, and its iTIP method."""


PLACES: dict[str, tuple[str, str]] = {
    "silent_point": (mark("Check in now"), "/check-in"),
    "called_point": (mark("Check in now"), "/check-in"),
    "silent_children": (mark("Open the board"), "/meetings/{meeting_id}/board"),
    "missing": (mark("Open the list"), "/meetings/{meeting_id}/missing"),
    "line_test_due": (mark("Test the line"), "/check-in"),
    "line_tests_missing": (mark("Open the meeting"), "/meetings/{meeting_id}"),
}
"""What the link of a letter says and where it leads."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a letter knows of the one it goes to."""

    name: str
    language: str = "vi"
    participation_id: int | None = None
    point: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)
    points: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter ready to be set. `rows` are (label, lines)."""

    subject: str
    greeting: str
    lead: list[str]
    rows: list[tuple[str, list[str]]]
    link: tuple[str, str] | None
    closing: str
    items: list[str] = field(default_factory=list)

    def as_text(self) -> str:
        return _templates().get_template("letter.txt").render(letter=self)

    def as_html(self, language: str) -> str:
        return _templates().get_template("letter.html").render(letter=self, language=language)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """The language of the recipient, for as long as the letter is written."""
    before = current_language.set(language)
    try:
        yield
    finally:
        current_language.reset(before)


def subject_of(kind: str, facts: Mapping[str, Any], language: str = "vi") -> str:
    """The subject line: one line whatever the title holds."""
    with speaking(language):
        return " ".join(_(SUBJECTS[kind]).format(title=facts["title"]).split())


def write_letter(
    kind: str, facts: Mapping[str, Any], recipient: Recipient, public_url: str
) -> Letter:
    """The letter of a kind to a recipient."""
    if kind == NOTICE:
        return _notice(facts, recipient, public_url)
    with speaking(recipient.language):
        about_paper = kind.startswith("directive_")
        return Letter(
            subject=subject_of(kind, facts, recipient.language),
            greeting=_("To: {name}").format(name=recipient.name),
            lead=_lead(kind, facts, recipient),
            rows=_paper_rows(facts) if about_paper else _meeting_rows(kind, facts, recipient),
            items=[str(item) for item in recipient.own.get("items", ())],
            link=_link(kind, facts, recipient, public_url),
            closing=_closing(facts),
        )


def _notice(facts: Mapping[str, Any], recipient: Recipient, public_url: str) -> Letter:
    """What a notice of the page says, as a letter."""
    title, text, told = facts["told"]
    with speaking(recipient.language):
        return Letter(
            subject=wording(title, told, count=recipient.points),
            greeting=_("To: {name}").format(name=recipient.name),
            lead=[wording(text, told, count=recipient.points)],
            rows=[],
            items=[str(item) for item in recipient.own.get("items", ())],
            link=(_("Open it"), f"{public_url}{facts['path']}"),
            closing=_closing(facts),
        )


def wording(message: str, facts: Mapping[str, Any], **more: Any) -> str:
    """A text of the catalogues with its facts; names that end in `_at` are instants: `08:00`."""
    told = {
        name: clock(datetime.fromisoformat(value)) if name.endswith("_at") else value
        for name, value in (dict(facts) | more).items()
    }
    return " ".join(_(message).format(**told).split())


def _lead(kind: str, facts: Mapping[str, Any], recipient: Recipient) -> list[str]:
    told = [_(LEADS[kind]).format(host=facts["host"], name=recipient.name)]
    if kind == "change":
        told += _before(facts)
    if facts.get("reason") and (kind in METHODS or kind == "directive_recalled"):
        told.append(_("Reason: {reason}").format(reason=facts["reason"]))
    return told


def _before(facts: Mapping[str, Any]) -> list[str]:
    """What stood in the earlier letter, where the time or the name has changed."""
    before = facts.get("before", {})
    told = []
    if "starts_at" in before or "ends_at" in before:
        earlier = _when({**facts, **before})
        told.append(_("The former time was: {time}").format(time=earlier))
        told.append(_("Replies given for the former time no longer hold; please reply again."))
    if "title" in before:
        told.append(_("The former title was: {title}").format(title=before["title"]))
    return told


def _when(facts: Mapping[str, Any]) -> str:
    return interval(
        datetime.fromisoformat(facts["starts_at"]),
        datetime.fromisoformat(facts["ends_at"]),
        facts["timezone"],
    )


def _meeting_rows(
    kind: str, facts: Mapping[str, Any], recipient: Recipient
) -> list[tuple[str, list[str]]]:
    """Chair, content, time, place and requirements: what an invitation must name.

    Source: QĐ 45/2018/QĐ-TTg.
    """
    agenda = [
        f"{number}. {title}" + (f" ({presenter})" if presenter else "")
        for number, (title, presenter) in enumerate(facts["agenda"], start=1)
    ]
    chair = f"{facts['chair']}, {facts['chair_title']}" if facts["chair_title"] else facts["chair"]
    rows = [
        (_("Subject of the meeting"), [facts["title"]]),
        (_("Chaired by"), [chair]),
        (_("Date and time"), [_when(facts)]),
        (_("Main point of the meeting"), [f"{facts['main_point']} ({facts['main_unit']})"]),
        (_("Bridge point of your unit"), [recipient.point] if recipient.point else []),
    ]
    if METHODS.get(kind) != "CANCEL":
        rows += [
            (_("Items of the agenda"), agenda),
            (_("What to prepare"), facts["requirements"].splitlines()),
            (_("Join by link"), [facts["join_url"]] if facts["join_url"] else []),
            (_("Join by address"), [facts["join_address"]] if facts["join_address"] else []),
            (_("PIN to enter"), [facts["join_pin"]] if facts["join_pin"] else []),
        ]
    if kind in {"silent_children", "missing", "line_tests_missing"}:
        rows = rows[:4]
    return [(label, lines) for label, lines in rows if lines]


def _paper_rows(facts: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    rows = [
        (_("Title of the document"), [facts["title"]]),
        (_("Number of the document"), [facts["symbol"]] if facts.get("symbol") else []),
        (_("Sent by the unit"), [facts["host"]]),
        (
            _("To be acknowledged by"),
            [short_day(datetime.fromisoformat(facts["deadline"]))] if facts["deadline"] else [],
        ),
    ]
    return [(label, lines) for label, lines in rows if lines]


def _link(
    kind: str, facts: Mapping[str, Any], recipient: Recipient, public_url: str
) -> tuple[str, str] | None:
    if kind.startswith("directive_"):
        return _("Open the document"), f"{public_url}{facts['path']}"
    if kind in PLACES:
        words, path = PLACES[kind]
        return _(words), f"{public_url}{path.format(meeting_id=facts['meeting_id'])}"
    if METHODS.get(kind) == "CANCEL" or recipient.participation_id is None:
        return None
    return _("Reply here"), f"{public_url}/invitations/{recipient.participation_id}"


def _closing(facts: Mapping[str, Any]) -> str:
    if facts.get("host_phone"):
        return _("Questions: {host}, telephone {phone}.").format(
            host=facts["host"], phone=facts["host_phone"]
        )
    return _("Questions: {host}.").format(host=facts["host"])


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("meetings_server", "templates/mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
