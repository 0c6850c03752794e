"""Rights on loan: who stands in for whom, who acts on whose behalf, and choosing to do so.

Everybody has a page of their own for it; administrators see the same page of the people they look
after.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import mark
from meetings_server.identity.acting import act_for, act_for_oneself
from meetings_server.reading import RowId, read_day, read_number
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.people_admin import form_status
from meetings_server.web.unit_words import ROLES
from meetings_server.web.units import WORDS
from rooms.accounts import governed_person
from rooms.entrustment import Mandate, entrust, entrustments_of, past_entrustments, withdraw
from rooms.finding import roles_held
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.lending import Act
from rooms.people import Person, Role
from rooms.policies import Actor, InPersonOnly
from rooms.substitutions import (
    EVERY_ROLE,
    Absence,
    name_substitute,
    past_substitutions,
    substitutions_of,
    take_back,
)

ACTS: dict[str, str] = {
    Act.REPLIES: mark("Answer invitations"),
    Act.MINUTES: mark("Write and review minutes"),
    Act.DIRECTIVES: mark("Directive documents"),
    Act.MEETINGS: mark("Prepare meetings"),
}
PLACES = {
    "unknown_person": "",
    "denied": "substitute",
    "nothing_to_substitute": "roles",
    "substitute_named": "",
    "substitute_away": "substitute",
    "not_an_official": "",
    "not_a_secretary": "secretary",
    "already_entrusted": "",
}
"""At which field of the form a refusal stands."""

Page = Response[str] | Response[None]
MOST_PAST = 20


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into one of the two forms, and what is wrong with it."""

    form: str = ""
    values: dict[str, object] = field(default_factory=dict)
    errors: FormErrors = field(default_factory=lambda: FormErrors({}, HTTP_200_OK))
    named: bool = False
    """Somebody stands in already: the form offers to say that two share the role."""


NOTHING = Typed()


def _whose(session: Session, actor: Actor, person_id: int, today: date) -> Person:
    """Oneself, or somebody one looks after. Raises `UnknownPerson`, `NotPermitted`."""
    if person_id == actor.person_id:
        return session.get_one(Person, person_id)
    return governed_person(session, actor, person_id, today)


def _page(
    request: PageRequest, session: Session, person: Person, today: date, typed: Typed = NOTHING
) -> Response[str]:
    own = person.id == request.user.person_id
    held = [
        grant
        for grant in roles_held(session, [person.id])[person.id]
        if grant.valid_until is None or grant.valid_until > today
    ]
    roles = list(dict.fromkeys(grant.role for grant in held))
    blank: dict[str, object] = {"valid_from": str(today)}
    forms = ("substitute", "mandate")
    values = dict.fromkeys(forms, blank) | {typed.form: typed.values}
    unfaulted: Mapping[str, list[str]] = {}
    errors = dict.fromkeys(forms, unfaulted) | {typed.form: typed.errors.fields}
    return render(
        request,
        "rights/away.html",
        status=typed.errors.status,
        person=person,
        own=own,
        today=today,
        roles=[(role, word) for role, word in words(ROLES) if role in roles],
        is_official=Role.OFFICIAL in roles,
        substitutions=substitutions_of(session, [person.id], today),
        mandates=entrustments_of(session, person.id, today),
        past=past_substitutions(session, person.id, today, MOST_PAST),
        past_mandates=past_entrustments(session, person.id, today, MOST_PAST),
        act_options=words(ACTS),
        values=values,
        errors=errors,
        named=typed.named,
        every_role=len(EVERY_ROLE),
        **WORDS,
    )


@get("/account/away", include_in_schema=False, sync_to_thread=True)
def my_loans(request: PageRequest, db: Database) -> Response[str]:
    """Who stands in for me and for whom I do; at most eight statements."""
    with db.reader() as session:
        person = session.get_one(Person, request.user.person_id)
        return _page(request, session, person, civil_day(utcnow()))


@get("/admin/people/{person_id:int}/away", include_in_schema=False, sync_to_thread=True)
def loans_of_person(request: PageRequest, db: Database, person_id: RowId) -> Response[str]:
    today = civil_day(utcnow())
    with db.reader() as session:
        person = governed_person(session, request.user.actor, person_id, today)
        return _page(request, session, person, today)


def _place_of(request: PageRequest, person_id: int) -> str:
    own = person_id == request.user.person_id
    return "/account/away" if own else f"/admin/people/{person_id}/away"


def _day(form: FormMultiDict, name: str) -> date:
    typed = text_of(form, name).strip()
    if not typed:
        raise FieldInvalid(name, "missing")
    day = read_day(typed)
    if day is None:
        raise FieldInvalid(name, "not_a_date")
    return day


def _chosen(form: FormMultiDict, name: str) -> int:
    number = read_number(text_of(form, name))
    if number is None:
        raise FieldInvalid(name, "missing" if not text_of(form, f"{name}_name") else "not_chosen")
    return number


def _ticked(form: FormMultiDict, name: str, known: type[Role] | type[Act]) -> list[str]:
    ticked = [value for value in form.getall(name, []) if isinstance(value, str)]
    for value in ticked:
        if value not in set(known):
            raise FieldInvalid(name, "unknown", value[:40])
    return ticked


def _values(form: FormMultiDict) -> dict[str, object]:
    texts = ("substitute", "secretary", "valid_from", "valid_until", "note", "shared")
    typed: dict[str, object] = {name: text_of(form, name).strip() for name in texts}
    typed |= {f"{name}_name": text_of(form, f"{name}_name") for name in ("substitute", "secretary")}
    return typed | {name: set(form.getall(name, [])) for name in ("roles", "acts")}


def _refused(
    request: PageRequest,
    db: Database,
    person_id: int,
    form: FormMultiDict,
    kind: str,
    why: DomainError,
) -> Response[str]:
    if isinstance(why, InPersonOnly):
        # Whoever acts for somebody has no form here.
        raise why
    today = civil_day(utcnow())
    told = FormErrors.of(
        why, PLACES | {"denied": "substitute" if kind == "substitute" else "secretary"}
    )
    with db.reader() as session:
        # Raises again where the person is none of theirs.
        person = _whose(session, request.user.actor, person_id, today)
        shown = FormErrors(told.fields, form_status(told.status))
        typed = Typed(kind, _values(form), shown, named=why.code == "substitute_named")
        return _page(request, session, person, today, typed)


@post("/people/{person_id:int}/substitutes", include_in_schema=False, sync_to_thread=True)
def new_substitute(
    request: PageRequest, form: FormMultiDict, db: Database, person_id: RowId
) -> Page:
    try:
        ticked = _ticked(form, "roles", Role)
        # Whoever hands over everything they hold hands over what they are given meanwhile as well.
        roles = EVERY_ROLE if text_of(form, "every_role") else [Role(role) for role in ticked]
        absence = Absence(
            person_id,
            _chosen(form, "substitute"),
            _day(form, "valid_from"),
            _day(form, "valid_until"),
            roles,
            text_of(form, "note"),
            shared=bool(text_of(form, "shared")),
        )
        with db.transaction() as session:
            name_substitute(session, request.user.actor, absence, utcnow())
    except DomainError as refusal:
        return _refused(request, db, person_id, form, "substitute", refusal)
    return see_other(_place_of(request, person_id), "substitute_named")


@post("/people/{person_id:int}/mandates", include_in_schema=False, sync_to_thread=True)
def new_mandate(request: PageRequest, form: FormMultiDict, db: Database, person_id: RowId) -> Page:
    try:
        mandate = Mandate(
            person_id,
            _chosen(form, "secretary"),
            [Act(act) for act in _ticked(form, "acts", Act)],
            _day(form, "valid_from"),
            _day(form, "valid_until"),
            text_of(form, "note"),
        )
        with db.transaction() as session:
            entrust(session, request.user.actor, mandate, utcnow())
    except DomainError as refusal:
        return _refused(request, db, person_id, form, "mandate", refusal)
    return see_other(_place_of(request, person_id), "mandate_given")


@post("/substitutions/{substitution_id:int}/end", include_in_schema=False, sync_to_thread=True)
def end_substitution(request: PageRequest, db: Database, substitution_id: RowId) -> Response[None]:
    with db.transaction() as session:
        ended = take_back(session, request.user.actor, substitution_id, utcnow())
    mine = request.user.person_id in {ended.absent_id, ended.substitute_id}
    shown = request.user.person_id if mine else ended.absent_id
    return see_other(_place_of(request, shown), "substitution_ended")


@post("/mandates/{entrustment_id:int}/end", include_in_schema=False, sync_to_thread=True)
def end_mandate(request: PageRequest, db: Database, entrustment_id: RowId) -> Response[None]:
    with db.transaction() as session:
        ended = withdraw(session, request.user.actor, entrustment_id, utcnow())
    mine = request.user.person_id in {ended.official_id, ended.secretary_id}
    shown = request.user.person_id if mine else ended.official_id
    return see_other(_place_of(request, shown), "mandate_ended")


@post("/acting", include_in_schema=False, sync_to_thread=True)
def begin_acting(request: PageRequest, form: FormMultiDict, db: Database) -> Response[None]:
    """Choose in the top bar for whom one acts in this login."""
    with db.transaction() as session:
        act_for(session, request.user, read_number(text_of(form, "official")) or 0, utcnow())
    # Where one was, the official may have no business.
    return see_other("/")


@post("/acting/end", include_in_schema=False, sync_to_thread=True)
def end_acting(request: PageRequest, db: Database) -> Response[None]:
    with db.transaction() as session:
        act_for_oneself(session, request.user)
    return see_other("/", "acting_ended")


HANDLERS = [
    begin_acting,
    end_acting,
    end_mandate,
    end_substitution,
    loans_of_person,
    my_loans,
    new_mandate,
    new_substitute,
]
