"""What a secretary has typed into a meeting's form, and the request that it makes.

The form may be half filled: the preview reads what is there, booking needs all of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Literal

from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_422_UNPROCESSABLE_ENTITY

from meetings_server.errors import sentence, status_of
from meetings_server.i18n import _
from meetings_server.reading import read_clock, read_day, read_number
from meetings_server.web.pages import text_of
from rooms.audience import Rule, parse_rules
from rooms.kernel import CIVIL_ZONE, DomainError, FieldInvalid, Invalid
from rooms.meetings import MeetingKind
from rooms.scheduling import AgendaEntry, MeetingRequest

LONGEST_LIST = 200_000
"""Characters of the audience or the agenda as the page's scripts write them."""

TEXTS = (
    "title",
    "kind",
    "host_unit",
    "main_point",
    "chair",
    "date",
    "start",
    "end_date",
    "end",
    "setup_minutes",
    "clearing_minutes",
    "requirements",
    "join_url",
    "join_address",
    "join_pin",
    "agenda",
    "audience",
    "late_reason",
    "reason",
    "version",
    "request_key",
    "host_unit_name",
    "main_point_name",
    "chair_name",
)

PLACES: dict[str, str] = {
    "starts_at": "start",
    "ends_at": "end",
    "unknown_person": "chair",
    "unknown_point": "main_point",
    "main_point_out_of_service": "main_point",
    "point_closed": "main_point",
    "unknown_unit": "host_unit",
    "denied": "host_unit",
    "late_reason_missing": "late_reason",
    "nobody_invited": "audience",
    "audience_rule_invalid": "audience",
    "reason_missing": "reason",
}
"""At which field of the form a field or a code of the domain stands."""

Errors = dict[str, list[str]]


@dataclass
class Typed:
    """The texts of the form by name, what could be read from them, and what could not."""

    values: dict[str, str]
    errors: Errors = field(default_factory=dict)
    kind: MeetingKind | None = None
    host_unit: int | None = None
    main_point: int | None = None
    chair: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    setup_minutes: int = 30
    clearing_minutes: int = 15
    rules: list[Rule] = field(default_factory=list)
    agenda: list[AgendaEntry] = field(default_factory=list)

    def fail(self, name: str, problem: str, limit: str | int | None = None) -> None:
        self.errors.setdefault(name, []).append(sentence(FieldInvalid(name, problem, limit)))

    def request(self) -> MeetingRequest | None:
        """The request, or None where something is missing or cannot be read."""
        if (
            self.errors
            or self.kind is None
            or self.host_unit is None
            or self.main_point is None
            or self.chair is None
            or self.starts_at is None
            or self.ends_at is None
        ):
            return None
        return MeetingRequest(
            title=self.values["title"],
            kind=self.kind,
            host_unit_id=self.host_unit,
            main_point_id=self.main_point,
            chair_id=self.chair,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            audience=self.rules,
            agenda=self.agenda,
            requirements=self.values["requirements"],
            join_url=self.values["join_url"],
            join_address=self.values["join_address"],
            join_pin=self.values["join_pin"],
            setup_minutes=self.setup_minutes,
            clearing_minutes=self.clearing_minutes,
        )


def read_form(form: FormMultiDict) -> Typed:
    """Read all fields; each problem stands at its field, and none stops the reading of another."""
    typed = Typed({name: text_of(form, name).strip() for name in TEXTS})
    if not typed.values["title"]:
        typed.fail("title", "missing")
    try:
        typed.kind = MeetingKind(typed.values["kind"])
    except ValueError:
        typed.fail("kind", "missing" if not typed.values["kind"] else "unknown", "")
    for name in ("host_unit", "main_point", "chair"):
        setattr(typed, name, _id(typed, name))
    _read_times(typed)
    typed.setup_minutes = _minutes(typed, "setup_minutes", typed.setup_minutes)
    typed.clearing_minutes = _minutes(typed, "clearing_minutes", typed.clearing_minutes)
    _read_audience(typed)
    _read_agenda(typed)
    return typed


def _id(typed: Typed, name: str) -> int | None:
    text = typed.values[name]
    if not text:
        typed.fail(name, "missing")
        return None
    number = read_number(text)
    if number is None:
        typed.fail(name, "unknown", text[:40])
    return number


def _read_times(typed: Typed) -> None:
    day = read_day(typed.values["date"])
    if day is None:
        typed.fail("date", "not_a_date" if typed.values["date"] else "missing")
    clocks: dict[str, time | None] = {}
    for name in ("start", "end"):
        clocks[name] = read_clock(typed.values[name])
        if clocks[name] is None:
            typed.fail(name, "not_a_time" if typed.values[name] else "missing")
    if day is not None and clocks["start"] is not None:
        typed.starts_at = datetime.combine(day, clocks["start"], CIVIL_ZONE)
    last = read_last_day(typed.values)
    if last is None:
        typed.fail("end_date", "not_a_date")
    elif clocks["end"] is not None and last:
        typed.ends_at = datetime.combine(last, clocks["end"], CIVIL_ZONE)
    if typed.starts_at and typed.ends_at and typed.ends_at <= typed.starts_at:
        apart = day is not None and isinstance(last, date) and last < day
        typed.fail("end_date" if apart else "end", "not_after_start")


def read_last_day(values: Mapping[str, str]) -> date | Literal[False] | None:
    """The day on which it ends: the first one unless `end_date` names another.

    False where neither is known, None where what is written cannot be read.
    """
    if values.get("end_date"):
        return read_day(values["end_date"])
    return read_day(values["date"]) or False


def _minutes(typed: Typed, name: str, usual: int) -> int:
    text = typed.values[name]
    if not text:
        return usual
    number = read_number(text)
    if number is None:
        typed.fail(name, "not_a_number")
        return usual
    return number


def _read_audience(typed: Typed) -> None:
    said = _json_list(typed, "audience")
    if said is None:
        return
    if not said:
        typed.errors["audience"] = [_("Choose the units to be invited.")]
        return
    try:
        typed.rules = parse_rules(said)
    except Invalid as invalid:
        typed.errors["audience"] = [sentence(invalid)]


def _read_agenda(typed: Typed) -> None:
    said = _json_list(typed, "agenda") or []
    for item in said:
        if not isinstance(item, dict):
            typed.fail("agenda", "unknown", "")
            return
        title, presenter = item.get("title", ""), item.get("presenter", "")
        if not isinstance(title, str) or not isinstance(presenter, str):
            typed.fail("agenda", "unknown", "")
            return
        # A line left empty is no item; one with a speaker but no title is a mistake.
        if title.strip() or presenter.strip():
            typed.agenda.append(AgendaEntry(title, presenter))


def _json_list(typed: Typed, name: str) -> list[Any] | None:
    text = typed.values[name]
    if len(text) > LONGEST_LIST:
        typed.fail(name, "too_long", LONGEST_LIST)
        return None
    try:
        said = json.loads(text or "[]")
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, list):
        typed.fail(name, "unknown", "")
        return None
    return said


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a form was not accepted, as the page shows it."""

    errors: Mapping[str, list[str]]
    status: int = HTTP_422_UNPROCESSABLE_ENTITY
    cause: DomainError | None = None


def refusal_of(error: DomainError) -> Refusal:
    """A refusal of the domain at the form's own fields."""
    name = error.field if isinstance(error, FieldInvalid) else error.code
    known = name in TEXTS or isinstance(error, FieldInvalid)
    place = PLACES.get(name, name if known else "")
    return Refusal({place: [sentence(error)]}, status_of(error), error)


def typed_start(starts_at: datetime, ends_at: datetime) -> dict[str, str]:
    """The fields that say when; the day of the end only where it is another."""
    start, end = starts_at.astimezone(CIVIL_ZONE), ends_at.astimezone(CIVIL_ZONE)
    return {
        "date": start.date().isoformat(),
        "start": f"{start:%H:%M}",
        "end_date": end.date().isoformat() if end.date() != start.date() else "",
        "end": f"{end:%H:%M}",
    }
