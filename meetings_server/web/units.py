"""Units: the tree as of a day, search in it, a unit's own page, its official address."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_303_SEE_OTHER
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import _, short_day
from meetings_server.reading import RowId, read_day, read_number
from meetings_server.web.meeting_words import LEVELS, word
from meetings_server.web.pages import FormErrors, PageRequest, fragment, render, see_other, text_of
from meetings_server.web.unit_words import ENDPOINTS, EXTENTS, ROLES, below_text, counted
from rooms.catalogue import write_units
from rooms.contacts import change_contact
from rooms.directory import (
    Line,
    find_units,
    level_counts,
    lines_below,
    listed_rows,
    paths,
    root_lines,
)
from rooms.finding import coming_meetings, find_people, roles_held
from rooms.folding import fold, marked
from rooms.hierarchy import unit_by_code, unit_by_id
from rooms.kernel import LARGEST_ID, FieldInvalid, civil_day, utcnow
from rooms.lineage import (
    AS_OF,
    counterparts,
    days_of_change,
    former_units,
    keepers,
    lineage,
    shown_day,
)
from rooms.outages import equipment_of
from rooms.policies import Permission, permissions_at, require

PAGE = 100
MOST_OPEN = 300
MOST_PEOPLE = 200
MOST_FORMER = 20
"""Units of the past below those that were found."""
LONGEST_QUERY = 100


def asked_day(request: PageRequest, today: date) -> date:
    """The day `?on=` names, today without one. Raises `FieldInvalid`."""
    text = request.query_params.get("on", "").strip()
    if not text:
        return today
    day = read_day(text)
    if day is None:
        raise FieldInvalid("on", "not_a_date")
    return day


def asked_page(request: PageRequest) -> int:
    """`?page=`, counted from 1. Raises `FieldInvalid`."""
    page = read_number(request.query_params.get("page", "").strip() or "1")
    if page is None or not 0 < page <= LARGEST_ID // PAGE:
        raise FieldInvalid("page", "not_a_number")
    return page


def asked_text(request: PageRequest, name: str = "q") -> str:
    """A text to search for. Raises `FieldInvalid` where it is too long to be one."""
    text = request.query_params.get(name, "").strip()
    if len(text) > LONGEST_QUERY:
        raise FieldInvalid(name, "too_long", LONGEST_QUERY)
    return text


def by_level(lines: Iterable[Line]) -> list[tuple[str, list[Line]]]:
    """Children in runs of one level, as they follow each other."""
    return [(level, list(run)) for level, run in groupby(lines, lambda line: line.level)]


WORDS: dict[str, Any] = {
    "below_text": below_text,
    "counted": counted,
    "by_level": by_level,
    "level_word": lambda level: word(LEVELS, level),
    "role_word": lambda role: word(ROLES, role),
    "endpoint_word": lambda kind: word(ENDPOINTS, kind),
    "extent_word": lambda extent: word(EXTENTS, extent),
    "marked": marked,
}
"""What the templates of this place call."""


@dataclass(frozen=True, slots=True)
class View:
    """What the address of the tree asks for."""

    on: date
    today: date
    query: str
    level: str
    opened: frozenset[int] | None
    """Ids of the units shown open; None: as at first, the roots."""
    page: int

    @property
    def flat(self) -> bool:
        """A list of what was found instead of the tree."""
        return bool(fold(self.query) or self.level)

    def address(self, path: str = "/units", **changed: str) -> str:
        """An address with the same day, words and level."""
        asked = {
            "q": self.query,
            "level": self.level,
            "on": self.on.isoformat() if self.on != self.today else "",
        } | changed
        told = urlencode({name: value for name, value in asked.items() if value})
        return f"{path}?{told}" if told else path

    @property
    def day_part(self) -> str:
        """What links to units carry so that one stays on the day."""
        return f"?on={self.on}" if self.on != self.today else ""


def _view(request: PageRequest) -> View:
    today = civil_day(utcnow())
    told = request.query_params.get("open")
    opened = None
    if told is not None:
        ids = [read_number(part) for part in told.split(",")]
        opened = frozenset([unit_id for unit_id in ids if unit_id is not None][:MOST_OPEN])
    return View(
        asked_day(request, today),
        today,
        asked_text(request),
        asked_text(request, "level"),
        opened,
        asked_page(request),
    )


@dataclass(frozen=True, slots=True)
class Span:
    """Days on which the tree had one shape: `[first, until)`. `day`: the one to show of them."""

    first: date
    until: date | None
    day: date

    @property
    def words(self) -> str:
        if self.until is None and self.day == self.first:
            return _("from {day} on").format(day=short_day(self.first))
        if self.until is None:
            return _("since {day}").format(day=short_day(self.first))
        last = self.until - timedelta(days=1)
        return f"{short_day(self.first)} – {short_day(last)}"


def spans_of(days: list[date], today: date) -> list[Span]:
    """The shapes that the tree has had or will have; of the present one today is shown."""
    return [
        Span(
            first,
            until,
            today if first <= today and (until is None or today < until) else first,
        )
        for first, until in zip(days, [*days[1:], None], strict=True)
    ]


@get("/units", include_in_schema=False, sync_to_thread=True)
def units_page(request: PageRequest, db: Database) -> Response[str]:
    """The tree, or the list of what was searched for; at most seven statements."""
    view = _view(request)
    with db.reader() as session:
        levels = level_counts(session, view.on)
        spans = spans_of(days_of_change(session), view.today)
        shown = _found(session, view) if view.flat else _tree(session, view)
        return render(
            request,
            "units/tree.html",
            view=view,
            levels=levels,
            spans=spans,
            span=max((n for n, span in enumerate(spans) if span.first <= view.on), default=0),
            level_options=[(level, word(LEVELS, level)) for level in levels],
            **WORDS,
            **shown,
        )


def _tree(session: Session, view: View) -> dict[str, Any]:
    roots = root_lines(session, view.on)
    opened = {line.id for line in roots} if view.opened is None else view.opened
    return {"roots": roots, "opened": opened, "children": lines_below(session, opened, view.on)}


def _found(session: Session, view: View) -> dict[str, Any]:
    found = find_units(
        session,
        view.query,
        view.on,
        level=view.level,
        limit=PAGE,
        offset=PAGE * (view.page - 1),
    )
    last = PAGE * (view.page - 1) + len(found.lines)
    ended = [] if view.level else former_units(session, view.query, view.on, MOST_FORMER)
    return {
        "found": found,
        "former": ended if view.page == 1 else [],
        "first": PAGE * (view.page - 1) + 1,
        "last": last,
        "next_href": view.address(page=str(view.page + 1)) if last < found.total else None,
        "previous_href": view.address(page=str(view.page - 1)) if view.page > 1 else None,
    }


@get("/units/{unit_id:int}/children", include_in_schema=False, sync_to_thread=True)
def children_part(request: PageRequest, db: Database, unit_id: RowId) -> Response[str]:
    """What opens below a unit of the tree."""
    view = _view(request)
    with db.reader() as session:
        unit_by_id(session, unit_id, view.on)
        children = lines_below(session, [unit_id], view.on)
        return fragment(
            "units/children.html",
            view=view,
            lines=children.get(unit_id, []),
            children={},
            opened=frozenset(),
            **WORDS,
        )


@get("/units.csv", include_in_schema=False, sync_to_thread=True)
def units_csv(request: PageRequest, db: Database) -> Response[bytes]:
    """What the page shows as a catalogue; the units above come along, so it can be imported."""
    view = _view(request)
    with db.reader() as session:
        content = write_units(listed_rows(session, view.on, view.query, view.level))
    return Response(
        content,
        media_type="text/csv",
        headers={
            "content-disposition": f'attachment; filename="units-{view.on}.csv"',
            "cache-control": "no-store",
        },
    )


@get("/units/by-code/{code:str}", include_in_schema=False, sync_to_thread=True)
def unit_by_its_code(request: PageRequest, db: Database, code: str) -> Response[None]:
    """Go to the unit that bears a code on a day."""
    today = civil_day(utcnow())
    on = asked_day(request, today)
    with db.reader() as session:
        unit = unit_by_code(session, code[:200].replace("\x00", ""), on)
    told = f"?on={on}" if on != today else ""
    return Response(
        None, status_code=HTTP_303_SEE_OTHER, headers={"location": f"/units/{unit.id}{told}"}
    )


@get("/units/{unit_id:int}", include_in_schema=False, sync_to_thread=True)
def unit_page(request: PageRequest, db: Database, unit_id: RowId) -> Response[str]:
    """A unit with its points, people and coming meetings, and who came before and after it.

    Without a day: today, or the last or first day of a unit that does not exist today.
    """
    now = utcnow()
    today = civil_day(now)
    actor = request.user.actor
    with db.reader() as session:
        unit = unit_by_id(session, unit_id, today)
        given = bool(request.query_params.get("on"))
        on = asked_day(request, today) if given else shown_day(unit, today)
        has_ended = unit.valid_until is not None and unit.valid_until <= today
        people = find_people(session, actor, "", today, at_unit=unit.id, limit=MOST_PEOPLE)
        rights = permissions_at(session, actor, unit.id, today)
        told = [person.id for person in people] if Permission.PERSON_READ in rights else []
        return render(
            request,
            "units/unit.html",
            unit=unit,
            on=on,
            today=today,
            day_part=f"?on={on}" if on != today else "",
            above=paths(session, [unit.id], on).get(unit.id, []),
            children=lines_below(session, [unit.id], on).get(unit.id, []),
            points=equipment_of(session, unit.id, now),
            people=people,
            roles=roles_held(session, told, today),
            rights=rights,
            meetings=coming_meetings(session, actor, unit.id, now, today),
            line=lineage(session, unit),
            counterparts=counterparts(session, unit, on),
            keeper=keepers(session, [unit.id], today).get(unit.id) if has_ended else None,
            has_ended=has_ended,
            key=f"{unit.code}{AS_OF}{shown_day(unit, today)}" if has_ended else unit.code,
            exists=unit.valid_from <= on and (unit.valid_until is None or on < unit.valid_until),
            one_day=timedelta(days=1),
            short_day=short_day,
            **WORDS,
        )


@get("/units/{unit_id:int}/contact", include_in_schema=False, sync_to_thread=True)
def contact_form(request: PageRequest, db: Database, unit_id: RowId) -> Response[str]:
    today = civil_day(utcnow())
    with db.reader() as session:
        unit = unit_by_id(session, unit_id, today)
        require(session, request.user.actor, Permission.UNIT_WRITE, unit.id, today)
        values = {"email": unit.email or "", "phone": unit.phone or ""}
        return render(request, "units/contact.html", unit=unit, values=values, errors={})


@post("/units/{unit_id:int}/contact", include_in_schema=False, sync_to_thread=True)
def save_contact(
    request: PageRequest, form: FormMultiDict, db: Database, unit_id: RowId
) -> Response[str] | Response[None]:
    today = civil_day(utcnow())
    email, phone = text_of(form, "email"), text_of(form, "phone")
    try:
        with db.transaction() as session:
            change_contact(session, request.user.actor, unit_id, email, phone, today)
    except FieldInvalid as wrong:
        with db.reader() as session:
            return render(
                request,
                "units/contact.html",
                status=FormErrors.of(wrong).status,
                unit=unit_by_id(session, unit_id, today),
                values={"email": email, "phone": phone},
                errors=FormErrors.of(wrong).fields,
            )
    return see_other(f"/units/{unit_id}", "saved")


HANDLERS = [
    children_part,
    contact_form,
    save_contact,
    unit_by_its_code,
    unit_page,
    units_csv,
    units_page,
]
