"""One person in the hands of an administrator: roles, particulars, account and password."""

from dataclasses import dataclass, field
from datetime import date

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.identity.passwords import invent_password, set_password
from meetings_server.identity.sessions import end_all_sessions
from meetings_server.reading import RowId
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.people_admin import (
    PLACES,
    TEXTS,
    Page,
    Values,
    form_status,
    read_day_of,
    read_end,
    read_role,
)
from meetings_server.web.unit_words import ROLES
from meetings_server.web.units import WORDS
from rooms.accounts import (
    Particulars,
    deactivate,
    describe,
    end_role,
    give_role,
    governed_person,
    grant_to_change,
    person_under,
    reactivate,
)
from rooms.entrustment import entrustments_of
from rooms.finding import roles_held
from rooms.hierarchy import unit_by_code, unit_by_id
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.people import Person
from rooms.reasons import origins_of
from rooms.substitutions import substitutions_of


@dataclass(frozen=True, slots=True)
class Refused:
    """What was typed into one of the page's forms, and what is wrong with it."""

    form: str = ""
    values: Values = field(default_factory=dict)
    errors: FormErrors = field(default_factory=lambda: FormErrors({}, HTTP_200_OK))
    gap: bool = False
    """The refusal may be overruled: from a later day on nobody would administer a unit."""


NOTHING = Refused()


def _page(
    request: PageRequest,
    session: Session,
    person: Person,
    today: date,
    refused: Refused = NOTHING,
    password: str | None = None,
) -> Response[str]:
    """The page; at most nine statements."""
    unit = unit_by_id(session, person.unit_id, today)
    held = roles_held(session, [person.id])[person.id]
    over = [grant for grant in held if grant.valid_until and grant.valid_until <= today]
    return render(
        request,
        "admin/person.html",
        status=refused.errors.status,
        person=person,
        unit=unit,
        held=[grant for grant in reversed(held) if grant not in over],
        over=over,
        origins=origins_of(session, [grant.id for grant in held]),
        substitutions=substitutions_of(session, [person.id], today),
        mandates=entrustments_of(session, person.id, today),
        today=today,
        role_options=words(ROLES),
        refused=refused,
        role_values=refused.values
        if refused.form == "role"
        else {"unit": unit.code, "unit_name": unit.name, "valid_from": str(today)},
        detail_values=refused.values
        if refused.form == "details"
        else {
            "name": person.name,
            "title": person.title,
            "email": person.email or "",
            "phone": person.phone or "",
            "unit": unit.code,
            "unit_name": unit.name,
        },
        password=password,
        **WORDS,
    )


@get("/admin/people/{person_id:int}", include_in_schema=False, sync_to_thread=True)
def person_page(request: PageRequest, db: Database, person_id: RowId) -> Response[str]:
    today = civil_day(utcnow())
    with db.reader() as session:
        person = governed_person(session, request.user.actor, person_id, today)
        return _page(request, session, person, today)


def _refuse(
    request: PageRequest, db: Database, person_id: int, form: str, values: Values, why: DomainError
) -> Response[str]:
    today = civil_day(utcnow())
    told = FormErrors.of(why, PLACES)
    with db.reader() as session:
        # Raises again where the person is none of theirs.
        person = governed_person(session, request.user.actor, person_id, today)
        shown = FormErrors(told.fields, form_status(told.status))
        refused = Refused(form, values, shown, gap=why.code == "administrator_gap")
        return _page(request, session, person, today, refused)


@post("/admin/people/{person_id:int}/roles", include_in_schema=False, sync_to_thread=True)
def new_role(request: PageRequest, form: FormMultiDict, db: Database, person_id: RowId) -> Page:
    today = civil_day(utcnow())
    actor = request.user.actor
    values = {name: text_of(form, name).strip() for name in (*TEXTS, "unit_name")}
    try:
        with db.transaction() as session:
            governed_person(session, actor, person_id, today)
            if not values["unit"]:
                raise FieldInvalid("unit", "missing")
            give_role(
                session,
                actor,
                person_id,
                read_role(values),
                unit_by_code(session, values["unit"], today).id,
                today,
                valid_from=read_day_of(values, "valid_from") or today,
                valid_until=read_end(values, "valid_until"),
            )
    except DomainError as refusal:
        return _refuse(request, db, person_id, "role", values, refusal)
    return see_other(f"/admin/people/{person_id}", "role_given")


@post("/admin/people/{person_id:int}/details", include_in_schema=False, sync_to_thread=True)
def new_details(request: PageRequest, form: FormMultiDict, db: Database, person_id: RowId) -> Page:
    today = civil_day(utcnow())
    values = {name: text_of(form, name).strip() for name in (*TEXTS, "unit_name")}
    try:
        with db.transaction() as session:
            if not values["unit"]:
                raise FieldInvalid("unit", "missing")
            said = Particulars(
                values["name"],
                values["title"],
                values["email"],
                values["phone"],
                unit_by_code(session, values["unit"], today).id,
            )
            describe(session, request.user.actor, person_id, said, today)
    except DomainError as refusal:
        return _refuse(request, db, person_id, "details", values, refusal)
    return see_other(f"/admin/people/{person_id}", "saved")


@post("/admin/roles/{grant_id:int}/end", include_in_schema=False, sync_to_thread=True)
def stop_role(request: PageRequest, form: FormMultiDict, db: Database, grant_id: RowId) -> Page:
    """End a role today, or after the last day that was typed; a later one lengthens it."""
    today = civil_day(utcnow())
    actor = request.user.actor
    values = {name: text_of(form, name).strip() for name in ("valid_until", "gap_accepted")}
    with db.reader() as session:
        person_id = grant_to_change(session, actor, grant_id, today).person_id
    try:
        end = read_end(values, "valid_until")
        with db.transaction() as session:
            end_role(
                session,
                actor,
                grant_id,
                today,
                until=end,
                gap_accepted=bool(values["gap_accepted"]),
            )
    except DomainError as refusal:
        which = "now" if text_of(form, "now") else "end"
        return _refuse(request, db, person_id, f"{which}-{grant_id}", values, refusal)
    changed = end is not None and end > today
    return see_other(f"/admin/people/{person_id}", "role_changed" if changed else "role_ended")


@post("/admin/people/{person_id:int}/deactivate", include_in_schema=False, sync_to_thread=True)
def shut_out(request: PageRequest, form: FormMultiDict, db: Database, person_id: RowId) -> Page:
    """Close an account; whoever is logged in with it is out at once."""
    accepted = bool(text_of(form, "gap_accepted"))
    today = civil_day(utcnow())
    try:
        with db.transaction() as session:
            deactivate(session, request.user.actor, person_id, today, gap_accepted=accepted)
            end_all_sessions(session, person_id)
    except DomainError as refusal:
        return _refuse(request, db, person_id, "deactivate", {}, refusal)
    return see_other(f"/admin/people/{person_id}", "person_left")


@post("/admin/people/{person_id:int}/reactivate", include_in_schema=False, sync_to_thread=True)
def let_in(request: PageRequest, db: Database, person_id: RowId) -> Response[None]:
    with db.transaction() as session:
        reactivate(session, request.user.actor, person_id, civil_day(utcnow()))
    return see_other(f"/admin/people/{person_id}", "person_back")


@post(
    "/admin/people/{person_id:int}/password",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def new_password(request: PageRequest, db: Database, person_id: RowId) -> Response[str]:
    """Replace a forgotten password; the answer shows the new one, and all logins end."""
    now = utcnow()
    today = civil_day(now)
    password = invent_password()
    with db.transaction() as session:
        person = person_under(session, request.user.actor, person_id, today)
        set_password(session, person.id, password, now, must_change=True)
        end_all_sessions(session, person.id)
        return _page(request, session, person, today, password=password)


HANDLERS = [
    let_in,
    new_details,
    new_password,
    new_role,
    person_page,
    shut_out,
    stop_role,
]
