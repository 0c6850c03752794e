"""What a clerk has typed into the form of a directive, and the draft that it makes."""

from dataclasses import dataclass, field
from datetime import date, datetime

from litestar.datastructures import FormMultiDict

from meetings_server.errors import sentence
from meetings_server.reading import read_clock, read_day, read_number
from meetings_server.web.pages import text_of
from minutes.directives import Secrecy
from minutes.issuing import NewDirective, end_of
from minutes.paper_pointers import NewPointer
from rooms.kernel import CIVIL_ZONE, FieldInvalid

TEXTS = (
    "issuing_unit",
    "kind",
    "number",
    "symbol",
    "document_date",
    "title",
    "signed_by_name",
    "signed_by_title",
    "urgency",
    "secrecy",
    "deadline",
    "deadline_time",
    "meeting_id",
    "request_key",
    "version",
    "paper_number",
    "paper_date",
    "paper_place",
)

SECRET_TEXTS = (
    "issuing_unit",
    "secrecy",
    "request_key",
    "paper_number",
    "paper_date",
    "paper_place",
)
"""All that is read, and shown again, of a form that declares a state secret."""

PLACES: dict[str, str] = {
    "number_taken": "number",
    "state_secret_refused": "secrecy",
    "denied": "issuing_unit",
    "unknown_unit": "issuing_unit",
    "unknown_meeting": "meeting_id",
    "file_type_refused": "files",
}
"""At which field of the form a code of the domain stands."""


@dataclass
class Typed:
    """The texts of the form by name, what could be read from them, and what could not."""

    values: dict[str, str]
    errors: dict[str, list[str]] = field(default_factory=dict)
    issuing_unit_id: int | None = None
    number: int | None = None
    document_date: date | None = None
    deadline: datetime | None = None
    meeting_id: int | None = None
    paper_date: date | None = None

    def fail(self, name: str, problem: str, limit: str | int | None = None) -> None:
        self.errors.setdefault(name, []).append(sentence(FieldInvalid(name, problem, limit)))

    @property
    def is_secret(self) -> bool:
        return self.values["secrecy"] in set(Secrecy) - {Secrecy.OPEN.value}

    def draft(self) -> NewDirective | None:
        """The directive, or None where something is missing or cannot be read."""
        if self.errors or self.issuing_unit_id is None or self.document_date is None:
            return None
        return NewDirective(
            issuing_unit_id=self.issuing_unit_id,
            kind=self.values["kind"],
            symbol=self.values["symbol"],
            title=self.values["title"],
            signed_by_name=self.values["signed_by_name"],
            signed_by_title=self.values["signed_by_title"],
            document_date=self.document_date,
            secrecy=self.values["secrecy"],
            urgency=self.values["urgency"],
            number=self.number,
            deadline=self.deadline,
            meeting_id=self.meeting_id,
        )

    def pointer(self) -> NewPointer | None:
        """Where the paper of a secret lies, or None where that is not said."""
        if self.errors or self.issuing_unit_id is None or self.paper_date is None:
            return None
        return NewPointer(
            self.issuing_unit_id,
            self.values["paper_number"],
            self.paper_date,
            self.values["paper_place"],
        )


def read_form(form: FormMultiDict) -> Typed:
    """Read all fields; each problem stands at its field. Of a secret only the paper is read."""
    typed = Typed({name: text_of(form, name).strip() for name in TEXTS})
    if typed.is_secret:
        kept = {name: typed.values[name] for name in SECRET_TEXTS}
        typed.values = dict.fromkeys(TEXTS, "") | kept
        typed.issuing_unit_id = _whole(typed, "issuing_unit", required=True)
        if typed.values["paper_number"] or typed.values["paper_place"]:
            for name in ("paper_number", "paper_place"):
                if not typed.values[name]:
                    typed.fail(name, "missing")
            typed.paper_date = _day(typed, "paper_date", required=True)
        return typed
    typed.issuing_unit_id = _whole(typed, "issuing_unit", required=True)
    typed.number = _whole(typed, "number")
    typed.meeting_id = _whole(typed, "meeting_id")
    typed.document_date = _day(typed, "document_date", required=True)
    for name in ("secrecy", "kind", "symbol", "title", "signed_by_name", "urgency"):
        if not typed.values[name]:
            typed.fail(name, "missing")
    _read_deadline(typed)
    return typed


def read_deadline(form: FormMultiDict) -> Typed:
    """The deadline alone, for a round of circulation."""
    typed = Typed({name: text_of(form, name).strip() for name in TEXTS})
    _read_deadline(typed)
    return typed


def _read_deadline(typed: Typed) -> None:
    """A day alone means the end of that day."""
    clock_text = typed.values["deadline_time"]
    day = _day(typed, "deadline", required=bool(clock_text))
    clock = read_clock(clock_text) if clock_text else None
    if clock_text and clock is None:
        typed.fail("deadline_time", "not_a_time")
    elif day is not None:
        typed.deadline = datetime.combine(day, clock, CIVIL_ZONE) if clock else end_of(day)


def _whole(typed: Typed, name: str, *, required: bool = False) -> int | None:
    text = typed.values[name]
    if not text:
        if required:
            typed.fail(name, "missing")
        return None
    number = read_number(text)
    if number is None:
        typed.fail(name, "not_a_number")
    return number


def _day(typed: Typed, name: str, *, required: bool = False) -> date | None:
    text = typed.values[name]
    if not text:
        if required:
            typed.fail(name, "missing")
        return None
    day = read_day(text)
    if day is None:
        typed.fail(name, "not_a_date")
    return day
