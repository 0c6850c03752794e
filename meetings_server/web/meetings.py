"""The calendar: month, week, day and a table, filtered by unit, kind and state.

All filters stand in the address, so that what one sees can be sent to a colleague.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.reading import read_day, read_page
from meetings_server.web.meeting_words import KINDS, STATES, words
from meetings_server.web.pages import PageRequest, render
from rooms.folding import has_words
from rooms.hierarchy import Unit
from rooms.kernel import CIVIL_ZONE, FieldInvalid, civil_day, utcnow
from rooms.lineage import found_unit, in_lifetime
from rooms.meetings import OPEN_FOR_CHANGE, Meeting, Participation, visible
from rooms.people import Person
from rooms.policies import Actor, Permission, governed

VIEWS = ("month", "week", "day", "list")
PAGE_ROWS = 50
LAST_PAGE = 10_000
LONGEST_SPAN = timedelta(days=400)
MOST_EVENTS = 5_000
LONGEST_TEXT = 100

SORTS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "time": (Meeting.starts_at.asc(), Meeting.id.asc()),
    "-time": (Meeting.starts_at.desc(), Meeting.id.desc()),
    "title": (Meeting.folded.asc(), Meeting.id.asc()),
    "-title": (Meeting.folded.desc(), Meeting.id.desc()),
    "host": (Unit.position.asc(), Meeting.starts_at.asc(), Meeting.id.asc()),
    "-host": (Unit.position.desc(), Meeting.starts_at.asc(), Meeting.id.asc()),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for. Unknown words in a link that somebody shortened are left out."""

    view: str
    day: date
    unit: str
    kind: str
    state: str
    query: str
    sort: str
    page: int

    @classmethod
    def of(cls, request: PageRequest, today: date) -> "Filters":
        asked = {key: value[:LONGEST_TEXT] for key, value in request.query_params.items()}
        return cls(
            view=asked["view"] if asked.get("view") in VIEWS else "",
            day=read_day(asked.get("date", "")) or today,
            unit=asked.get("unit", "").strip(),
            kind=asked["kind"] if asked.get("kind") in KINDS else "",
            state=asked["state"] if asked.get("state") in STATES else "",
            query=asked.get("q", "").strip(),
            sort=asked["sort"] if asked.get("sort") in SORTS else "time",
            page=read_page(asked.get("page", ""), LAST_PAGE),
        )

    def address(self, **changes: Any) -> str:
        """The link to the same page with other filters; what is usual is left out."""
        values: dict[str, Any] = {
            "view": self.view,
            "date": self.day.isoformat(),
            "unit": self.unit,
            "kind": self.kind,
            "state": self.state,
            "q": self.query,
            "sort": "" if self.sort == "time" else self.sort,
            "page": "",
        } | changes
        return "/meetings?" + urlencode({name: value for name, value in values.items() if value})

    def conditions(
        self, unit: Unit | None, below: Select[int], today: date
    ) -> list[ColumnElement[bool]]:
        """`unit` was asked for; `below`: its id and those of the units below it."""
        found = has_words(Meeting.folded.expression, self.query)
        if self.kind:
            found.append(Meeting.kind == self.kind)
        if self.state:
            found.append(Meeting.state == self.state)
        if self.unit:
            # A unit that nobody knows has no meetings; all meetings would be a wrong answer.
            found.append(concerning(below))
            if unit is not None:
                found.append(in_lifetime(Meeting.starts_at, unit, today))
        return found


def concerning(units: Select[int]) -> ColumnElement[bool]:
    """The meetings that one of these units hosts or is invited to."""
    return or_(
        Meeting.host_unit_id.in_(units),
        select(Participation.id)
        .where(
            Participation.meeting_id == Meeting.id,
            Participation.unit_id.in_(units),
            Participation.invited_at.is_not(None),
            Participation.withdrawn_at.is_(None),
        )
        .exists(),
    )


@get("/meetings", include_in_schema=False, sync_to_thread=True)
def meetings_page(request: PageRequest, db: Database) -> Response[str]:
    now = utcnow()
    today = civil_day(now)
    actor = request.user.actor
    filters = Filters.of(request, today)
    with db.reader() as session:
        unit, below = found_unit(session, filters.unit, today)
        listed = None
        if filters.view == "list":
            listed = _table(session, actor, filters, filters.conditions(unit, below, today), today)
        return render(
            request,
            "meetings/index.html",
            filters=filters,
            unit_name=unit.name if unit else filters.unit,
            kinds=words(KINDS),
            states=words(STATES),
            listed=listed,
            today=today,
        )


@dataclass(frozen=True, slots=True)
class Listed:
    rows: list[Any]
    total: int
    first: int
    has_more: bool


def _table(
    session: Session,
    actor: Actor,
    filters: Filters,
    conditions: list[ColumnElement[bool]],
    on: date,
) -> Listed:
    midnight = datetime.combine(filters.day, time(0), CIVIL_ZONE)
    wanted = and_(
        visible(actor, on),
        *conditions,
        # Newest first shows what has been, every other order what is to come.
        Meeting.starts_at < midnight + timedelta(days=1)
        if filters.sort == "-time"
        else Meeting.ends_at >= midnight,
    )
    first = (filters.page - 1) * PAGE_ROWS
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.title,
            Meeting.kind,
            Meeting.state,
            Meeting.starts_at,
            Meeting.ends_at,
            Unit.name.label("host"),
            Person.name.label("chair"),
        )
        .join(Unit, Unit.id == Meeting.host_unit_id)
        .join(Person, Person.id == Meeting.chair_id)
        .where(wanted)
        .order_by(*SORTS[filters.sort])
        .offset(first)
        .limit(PAGE_ROWS)
    ).all()
    total = session.scalar(select(func.count()).select_from(Meeting).where(wanted)) or 0
    return Listed(list(rows), total, first, first + len(rows) < total)


@get("/meetings/events", include_in_schema=False, sync_to_thread=True)
def events(request: PageRequest, db: Database) -> Response[list[dict[str, Any]]]:
    """The visible meetings that touch `[start, end)`, for the calendar: two statements, any size.

    `start` and `end` are ISO 8601 with an offset. Raises `FieldInvalid`.
    """
    today = civil_day(utcnow())
    actor = request.user.actor
    start, end = _instant(request, "start"), _instant(request, "end")
    if not start < end <= start + LONGEST_SPAN:
        raise FieldInvalid("end", "out_of_range", f"1–{LONGEST_SPAN.days}")
    filters = Filters.of(request, today)
    with db.reader() as session:
        unit, below = found_unit(session, filters.unit, today)
        rows = session.execute(
            select(
                Meeting.id,
                Meeting.title,
                Meeting.state,
                Meeting.starts_at,
                Meeting.ends_at,
                Unit.name,
                governed(actor, Permission.MEETING_WRITE, Meeting.host_unit_id, today),
            )
            .join(Unit, Unit.id == Meeting.host_unit_id)
            .where(
                Meeting.starts_at < end,
                Meeting.ends_at > start,
                visible(actor, today),
                *filters.conditions(unit, below, today),
            )
            .order_by(Meeting.starts_at, Meeting.id)
            .limit(MOST_EVENTS)
        ).all()
    movable = {state.value for state in OPEN_FOR_CHANGE}
    found = [
        {
            "id": str(meeting_id),
            "title": title,
            "start": starts_at.astimezone(CIVIL_ZONE).isoformat(),
            "end": ends_at.astimezone(CIVIL_ZONE).isoformat(),
            "url": f"/meetings/{meeting_id}",
            "editable": bool(may_change) and state in movable,
            "extendedProps": {"state": state, "host": host},
        }
        for meeting_id, title, state, starts_at, ends_at, host, may_change in rows
    ]
    return Response(found, headers={"cache-control": "no-store"})


def _instant(request: PageRequest, name: str) -> datetime:
    text = request.query_params.get(name, "")
    if not text:
        raise FieldInvalid(name, "missing")
    try:
        instant = datetime.fromisoformat(text)
        # The ends of the calendar's own years cannot be turned into another zone.
        return (instant if instant.tzinfo else instant.replace(tzinfo=CIVIL_ZONE)).astimezone(
            CIVIL_ZONE
        )
    except (ValueError, OverflowError):
        raise FieldInvalid(name, "not_a_date") from None


HANDLERS = [meetings_page, events]
