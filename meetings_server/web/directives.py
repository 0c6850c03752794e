"""Documents: the registers of incoming and outgoing ones, and drafts."""

from urllib.parse import urlencode

from litestar import Response, get
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.reading import read_number
from meetings_server.web.directive_words import (
    INCOMING,
    OUTGOING,
    URGENCIES,
    kind_options,
    kind_word,
    options,
)
from meetings_server.web.pages import PageRequest, render
from minutes.circulation import has_new, receive
from minutes.desks import SORTS, Register, Search, incoming, outgoing
from minutes.kinds import DocumentKind
from minutes.paper_pointers import paper_pointers
from rooms.kernel import LARGEST_ID, FieldInvalid, civil_day, utcnow
from rooms.lineage import with_kept
from rooms.policies import Actor, Permission, granted_units

ROWS = 50
LONGEST_QUERY = 200
TABS = ("in", "out", "drafts")


def asked(request: PageRequest, tab: str) -> Search:
    """What the address asks of a register. Raises `FieldInvalid` for a page that is no number."""
    said = {name: value[:LONGEST_QUERY] for name, value in request.query_params.items()}
    page = read_number(said.get("page", "1"))
    if page is None or not 0 < page <= LARGEST_ID // ROWS:
        raise FieldInvalid("page", "not_a_number")
    states = {"in": INCOMING, "out": OUTGOING, "drafts": {}}[tab]
    return Search(
        text=said.get("q", ""),
        kind=said.get("kind", "") if said.get("kind") in set(DocumentKind) else "",
        urgency=said.get("urgency", "") if said.get("urgency") in URGENCIES else "",
        state=said.get("state", "") if said.get("state") in states else "",
        sort=said.get("sort", "date") if said.get("sort") in SORTS else "date",
        descending=said.get("dir", "desc") != "asc",
        page=page,
        rows=ROWS,
    )


def address(tab: str, search: Search, **changed: str | int) -> str:
    """The address that shows a register in this way."""
    told = {
        "tab": tab if tab != "in" else "",
        "q": search.text,
        "kind": search.kind,
        "urgency": search.urgency,
        "state": search.state,
        "sort": search.sort if search.sort != "date" else "",
        "dir": "" if search.descending else "asc",
        "page": search.page if search.page > 1 else "",
    } | changed
    query = urlencode({name: value for name, value in told.items() if value})
    return f"/directives?{query}" if query else "/directives"


def _register(session: Session, actor: Actor, tab: str, search: Search) -> Register:
    now = utcnow()
    today = civil_day(now)
    may = Permission.DIRECTIVE_WRITE if tab == "drafts" else Permission.DIRECTIVE_READ
    # What a unit left behind when it ended lies on the desk of who keeps its affairs.
    desk = with_kept(granted_units(actor, may, today), today)
    if tab == "in":
        return incoming(session, desk, search, now)
    return outgoing(session, desk, search, now, drafts=tab == "drafts")


@get("/directives", include_in_schema=False, sync_to_thread=True)
def registers_page(request: PageRequest, db: Database) -> Response[str]:
    actor, now = request.user.actor, utcnow()
    tab = request.query_params.get("tab", "in")
    tab = tab if tab in TABS else "in"
    search = asked(request, tab)
    with db.reader() as session:
        new = tab == "in" and has_new(session, actor, now)
    if new:
        with db.transaction() as session:
            receive(session, actor, now)
    with db.reader() as session:
        register = _register(session, actor, tab, search)
        unread = _register(session, actor, "in", Search(state="new", rows=1)).total
        last = max(1, -(-register.total // ROWS))
        return render(
            request,
            "directives/registers.html",
            tab=tab,
            search=search,
            register=register,
            unread=unread,
            pointers=session.scalars(paper_pointers(actor, civil_day(now)).limit(20)).all()
            if tab == "out"
            else [],
            address=lambda **changed: address(tab, search, **changed),
            tab_address=lambda other: address(other, Search(text=search.text)),
            sort_address=lambda sort: address(
                tab,
                search,
                sort=sort,
                dir="asc" if search.sort == sort and search.descending else "",
                page="",
            ),
            last_page=last,
            kinds=kind_options(),
            kind_word=kind_word,
            urgencies=options(URGENCIES),
            states=options({"in": INCOMING, "out": OUTGOING, "drafts": {}}[tab]),
        )


HANDLERS = [registers_page]
