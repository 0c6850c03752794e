"""Search over meetings, minutes and directives, and the directory of people."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import QueryParameter

from meetings_server.api.calls import ApiRequest
from meetings_server.database import Database
from minutes.search import find_directives, find_minutes
from rooms.finding import find_meetings, find_people
from rooms.hierarchy import unit_by_code
from rooms.kernel import civil_day, utcnow

Query = Annotated[
    str, QueryParameter(min_length=1, max_length=200, description="Ignores diacritics and case")
]
Few = Annotated[int, QueryParameter(ge=1, le=100)]


class MeetingHit(msgspec.Struct):
    id: int
    title: str
    state: str
    starts_at: datetime
    ends_at: datetime
    host: str


class MinutesHit(msgspec.Struct):
    id: int
    meeting: int
    title: str
    symbol: str
    state: str
    issued_at: datetime | None


class DirectiveHit(msgspec.Struct):
    id: int
    kind: str
    number: int | None
    symbol: str
    title: str
    issuer: str
    document_date: date
    state: str


class Hits(msgspec.Struct):
    """What was found, by kind; the coming meetings and the newest documents first."""

    meetings: list[MeetingHit]
    minutes: list[MinutesHit]
    directives: list[DirectiveHit]


class PersonOut(msgspec.Struct):
    """A person; telephone and mail only where the caller may know them."""

    id: int
    name: str
    title: str
    unit: str
    phone: str | None
    email: str | None


class People(msgspec.Struct):
    items: list[PersonOut]


@get("/search", sync_to_thread=True, summary="Meetings, minutes and directives")
def search(request: ApiRequest, db: Database, q: Query, limit: Few = 20) -> Hits:
    now = utcnow()
    today = civil_day(now)
    actor = request.user.actor
    with db.reader() as session:
        meetings = find_meetings(session, actor, q, now, today, limit=limit)
        return Hits(
            [
                MeetingHit(m.id, m.title, m.state, m.starts_at, m.ends_at, m.host_name)
                for m in meetings
            ],
            [
                MinutesHit(m.id, m.meeting_id, m.title, m.symbol, m.state, m.issued_at)
                for m in find_minutes(session, actor, q, today, limit=limit)
            ],
            [
                DirectiveHit(
                    d.id,
                    d.kind,
                    d.number,
                    d.symbol,
                    d.title,
                    d.issuer,
                    d.document_date,
                    d.state,
                )
                for d in find_directives(session, actor, q, today, limit=limit)
            ],
        )


@get("/people", sync_to_thread=True, summary="The directory of people, for chairs and signers")
def list_people(
    request: ApiRequest,
    db: Database,
    q: Annotated[str, QueryParameter(max_length=200)] = "",
    unit: Annotated[str | None, QueryParameter(max_length=20, description="Code")] = None,
    limit: Few = 20,
) -> People:
    today = civil_day(utcnow())
    with db.reader() as session:
        at = unit_by_code(session, unit, today).id if unit is not None else None
        found = find_people(session, request.user.actor, q, today, at_unit=at, limit=limit)
        return People(
            [PersonOut(p.id, p.name, p.title, p.unit_name, p.phone, p.email) for p in found]
        )


HANDLERS = [list_people, search]
