"""Why may I see this? For everybody about themselves, for administrators about their people."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from litestar import Response, get
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import _, mark
from meetings_server.reading import RowId
from meetings_server.web.pages import PageRequest, render
from meetings_server.web.unit_words import PERMISSIONS
from meetings_server.web.units import WORDS, asked_text
from minutes.directives import Directive
from minutes.grounds import directive_grounds, minutes_grounds
from minutes.meeting_minutes import Minutes, minutes_to_read
from minutes.receipts import visible_directive
from rooms.accounts import governed_person, person_by_username
from rooms.finding import roles_held
from rooms.grounds import Ground, meeting_grounds, rights_at
from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import NotFound, civil_day, utcnow
from rooms.meetings import Meeting, visible_meeting
from rooms.people import Person
from rooms.policies import Actor, NotPermitted, Permission
from rooms.reasons import Heritage, Reason, heritage_of


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of thing that may be asked about: how to find it for somebody, and the grounds."""

    words: str
    path: str
    name: Callable[[Session, Actor, int, date], str]
    grounds: Callable[[Session, Actor, int, date], list[Ground]]


def _meeting(session: Session, actor: Actor, meeting_id: int, on: date) -> str:
    found: Meeting = visible_meeting(session, actor, meeting_id, on)
    return found.title


def _minutes(session: Session, actor: Actor, minutes_id: int, on: date) -> str:
    found: Minutes = minutes_to_read(session, actor, minutes_id, on)
    meeting = session.get_one(Meeting, found.meeting_id)
    return f"{found.symbol} – {meeting.title}" if found.symbol else meeting.title


def _directive(session: Session, actor: Actor, directive_id: int, on: date) -> str:
    found: Directive = visible_directive(session, actor, directive_id, on)
    return f"{found.number_symbol} – {found.title}"


SORTS: dict[str, Sort] = {
    "meeting": Sort(mark("Meeting"), "/meetings", _meeting, meeting_grounds),
    "minutes": Sort(mark("Minutes"), "/minutes", _minutes, minutes_grounds),
    "directive": Sort(mark("Document"), "/directives", _directive, directive_grounds),
}
ADDRESS = re.compile(
    r"(?:https?://[^/]+)?/(meetings|minutes|directives|units)/([0-9]{1,9})(?:[/?#].*)?"
)
BY_PATH = {"meetings": "meeting", "minutes": "minutes", "directives": "directive", "units": "unit"}


def page_asked_about(address: str) -> str | None:
    """`https://…/meetings/12?tab=papers` → `/why/meeting/12`; None for any other page."""
    found = ADDRESS.fullmatch(address.strip())
    return f"/why/{BY_PATH[found[1]]}/{int(found[2])}" if found else None


@dataclass(frozen=True, slots=True)
class Asked:
    """About whom it is asked: oneself, or somebody whom an administrator looks after."""

    person: Person | None
    actor: Actor
    error: str = ""


def _asked(request: PageRequest, session: Session, today: date) -> Asked:
    me = request.user.actor
    username = asked_text(request, "person")
    if not username:
        return Asked(None, me)
    if Permission.PERSON_WRITE not in request.user.rights:
        raise NotPermitted(Permission.PERSON_WRITE.value, request.user.unit_name)
    try:
        found = person_by_username(session, username)
        person = governed_person(session, me, found.id, today)
    except (NotFound, NotPermitted):
        # Whether somebody elsewhere bears this name is not told.
        return Asked(None, me, _("You look after no person of this user name."))
    return Asked(person, Actor(person.id, person.name, person.unit_id))


@get("/why/unit/{unit_id:int}", include_in_schema=False, sync_to_thread=True)
def why_unit(request: PageRequest, db: Database, unit_id: RowId) -> Response[str]:
    """What somebody may do at a unit, and by which grants; eight statements at most."""
    today = civil_day(utcnow())
    with db.reader() as session:
        unit: Unit = unit_by_id(session, unit_id, today)
        asked = _asked(request, session, today)
        # Rights that come by the same grants are told together.
        rights: dict[tuple[Reason, ...], list[Permission]] = {}
        if asked.person is None or asked.person.active:
            for right in rights_at(session, asked.actor, unit.id, today):
                rights.setdefault(right.reasons, []).append(right.permission)
        heritage: Heritage | None = heritage_of(session, [unit.id], today).get(unit.id)
        return render(
            request,
            "rights/why_unit.html",
            unit=unit,
            asked=asked,
            typed=asked_text(request, "person"),
            rights=rights,
            heritage=heritage,
            permission_words=PERMISSIONS,
            held=_held(session, asked, today),
            **WORDS,
        )


@get("/why/meeting/{meeting_id:int}", include_in_schema=False, sync_to_thread=True)
def why_meeting(request: PageRequest, db: Database, meeting_id: RowId) -> Response[str]:
    return _why(request, db, "meeting", meeting_id)


@get("/why/minutes/{minutes_id:int}", include_in_schema=False, sync_to_thread=True)
def why_minutes(request: PageRequest, db: Database, minutes_id: RowId) -> Response[str]:
    return _why(request, db, "minutes", minutes_id)


@get("/why/directive/{directive_id:int}", include_in_schema=False, sync_to_thread=True)
def why_directive(request: PageRequest, db: Database, directive_id: RowId) -> Response[str]:
    return _why(request, db, "directive", directive_id)


def _why(request: PageRequest, db: Database, sort: str, object_id: int) -> Response[str]:
    """Every ground on which somebody may see it; a dozen statements at most."""
    kind, today = SORTS[sort], civil_day(utcnow())
    with db.reader() as session:
        asked = _asked(request, session, today)
        grounds: list[Ground] = []
        if asked.person is None or asked.person.active:
            grounds = kind.grounds(session, asked.actor, object_id, today)
        name = ""
        if asked.person is None:
            # Refuses as the page itself does.
            name = kind.name(session, asked.actor, object_id, today)
        else:
            try:
                name = kind.name(session, request.user.actor, object_id, today)
            except NotFound:
                name = f"{_(kind.words)} #{object_id}"
        return render(
            request,
            "rights/why.html",
            sort=sort,
            sort_word=_(kind.words),
            path=f"{kind.path}/{object_id}",
            here=f"/why/{sort}/{object_id}",
            name=name,
            asked=asked,
            typed=asked_text(request, "person"),
            grounds=grounds,
            permission_words=PERMISSIONS,
            held=_held(session, asked, today),
            **WORDS,
        )


def _held(session: Session, asked: Asked, today: date) -> list[object]:
    person_id = asked.person.id if asked.person else asked.actor.principal_id
    return list(roles_held(session, [person_id], today)[person_id])


HANDLERS = [why_directive, why_meeting, why_minutes, why_unit]
