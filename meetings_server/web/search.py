"""The search of the top bar and its page: units, meetings, documents, people.

Every list is filtered in its own SQL by what the searcher may see. Names and offices of people are
found by everyone who is logged in; telephone and mail address show only where one's roles reach.
"""

from typing import Any

from litestar import Response, get
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.web.pages import PageRequest, fragment, render
from meetings_server.web.units import WORDS, asked_text
from minutes.search import find_directives, find_minutes
from rooms.directory import find_units
from rooms.finding import find_meetings, find_people
from rooms.folding import fold
from rooms.kernel import civil_day, utcnow
from rooms.lineage import former_units
from rooms.policies import Actor

FEW = 6
"""Of each group while one types."""
MANY = 50
"""Of each group on the page."""


def _groups(session: Session, actor: Actor, query: str, limit: int) -> dict[str, Any]:
    """What is found, group by group; nothing for an empty query."""
    if not fold(query):
        none = ("former", "meetings", "people", "directives", "minutes")
        return {"units": None} | {group: [] for group in none}
    now = utcnow()
    today = civil_day(now)
    return {
        "units": find_units(session, query, today, limit=limit),
        "former": former_units(session, query, today, limit=limit),
        "meetings": find_meetings(session, actor, query, now, today, limit=limit),
        "people": find_people(session, actor, query, today, limit=limit),
        "directives": find_directives(session, actor, query, today, limit=limit),
        "minutes": find_minutes(session, actor, query, today, limit=limit),
    }


@get("/search/suggest", include_in_schema=False, sync_to_thread=True)
def suggestions(request: PageRequest, db: Database) -> Response[str]:
    """The first of each group, as options of the search box."""
    query = asked_text(request)
    with db.reader() as session:
        found = _groups(session, request.user.actor, query, FEW)
        return fragment("search/suggest.html", query=query, **found, **WORDS)


@get("/search", include_in_schema=False, sync_to_thread=True)
def search_page(request: PageRequest, db: Database) -> Response[str]:
    query = asked_text(request)
    with db.reader() as session:
        found = _groups(session, request.user.actor, query, MANY)
        return render(
            request, "search/results.html", query=query, asked=bool(fold(query)), **found, **WORDS
        )


HANDLERS = [search_page, suggestions]
