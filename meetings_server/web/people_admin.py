"""People in the hands of administrators: the list, a new account, a person's roles and password."""

from datetime import date
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK, HTTP_409_CONFLICT, HTTP_422_UNPROCESSABLE_ENTITY
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.identity.passwords import invent_password, set_password
from meetings_server.identity.sessions import end_all_sessions
from meetings_server.reading import RowId, read_day
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.unit_words import ROLES
from meetings_server.web.units import WORDS, asked_page, asked_text
from rooms.accounts import (
    deactivate,
    end_role,
    give_role,
    governed_person,
    open_account,
    person_under,
    reactivate,
)
from rooms.finding import PeopleWanted, people_looked_after, roles_held
from rooms.hierarchy import unit_by_code, unit_by_id
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.people import NewPerson, Person, Role, RoleGrant
from rooms.policies import NotPermitted, Permission, top_units

PAGE = 50
ACTIVITY = {"": True, "left": False, "all": None}
TEXTS = (
    "username",
    "name",
    "title",
    "email",
    "phone",
    "unit",
    "role",
    "valid_from",
    "valid_until",
)
PLACES = {
    "username_taken": "username",
    "unknown_unit": "unit",
    "denied": "unit",
    "role_held": "role",
    "last_administrator": "",
}
"""At which field of the form a refusal stands."""

Values = dict[str, str]
Page = Response[str] | Response[None]


def _require_somewhere(request: PageRequest) -> None:
    if Permission.PERSON_WRITE not in request.user.rights:
        raise NotPermitted(Permission.PERSON_WRITE.value, request.user.unit_name)


def _form_status(status: int) -> int:
    """A refusal shown in the form itself: the form's scripts put 409 and 422 back into the page."""
    return status if status == HTTP_409_CONFLICT else HTTP_422_UNPROCESSABLE_ENTITY


def read_role(values: Values) -> Role:
    """Raises `FieldInvalid`."""
    try:
        return Role(values["role"])
    except ValueError:
        raise FieldInvalid("role", "unknown" if values["role"] else "missing", "") from None


def _read_day(values: Values, name: str) -> date | None:
    if not values[name]:
        return None
    day = read_day(values[name])
    if day is None:
        raise FieldInvalid(name, "not_a_date")
    return day


@get("/admin/people", include_in_schema=False, sync_to_thread=True)
def people_page(request: PageRequest, db: Database) -> Response[str]:
    """The people one looks after; six statements whatever their number."""
    _require_somewhere(request)
    today = civil_day(utcnow())
    asked = {name: asked_text(request, name) for name in ("q", "unit", "role", "state")}
    if asked["role"] and asked["role"] not in ROLES:
        raise FieldInvalid("role", "unknown", asked["role"])
    page = asked_page(request)
    with db.reader() as session:
        under = unit_by_code(session, asked["unit"], today) if asked["unit"] else None
        wanted = PeopleWanted(
            asked["q"],
            under.id if under else None,
            Role(asked["role"]) if asked["role"] else None,
            ACTIVITY.get(asked["state"], True),
        )
        people, total = people_looked_after(
            session, request.user.actor, wanted, today, limit=PAGE, offset=PAGE * (page - 1)
        )
        last = PAGE * (page - 1) + len(people)

        def address(number: int) -> str:
            told = {name: value for name, value in asked.items() if value} | {"page": str(number)}
            return f"/admin/people?{urlencode(told)}"

        return render(
            request,
            "admin/people.html",
            people=people,
            total=total,
            first=PAGE * (page - 1) + 1,
            last=last,
            roles=roles_held(session, [person.id for person, _unit in people], today),
            under=under,
            asked=asked,
            role_options=words(ROLES),
            next_href=address(page + 1) if last < total else None,
            previous_href=address(page - 1) if page > 1 else None,
            **WORDS,
        )


def _new_form(
    request: PageRequest, values: Values, errors: object, status: int = HTTP_200_OK
) -> Response[str]:
    return render(
        request,
        "admin/person_new.html",
        status=status,
        values=values,
        errors=errors,
        role_options=words(ROLES),
        password=None,
        person=None,
    )


@get("/admin/people/new", include_in_schema=False, sync_to_thread=True)
def new_person(request: PageRequest, db: Database) -> Response[str]:
    _require_somewhere(request)
    today = civil_day(utcnow())
    code = asked_text(request, "unit")
    if not code:
        with db.reader() as session:
            tops = top_units(session, request.user.actor, Permission.PERSON_WRITE, today)
            code = tops[0].code if tops else ""
    return _new_form(
        request, {"unit": code, "role": Role.OPERATOR.value, "valid_from": str(today)}, {}
    )


@post("/admin/people/new", include_in_schema=False, sync_to_thread=True, status_code=HTTP_200_OK)
def create_person(request: PageRequest, form: FormMultiDict, db: Database) -> Response[str]:
    """Open an account; the answer shows the first password, and nothing shows it again."""
    _require_somewhere(request)
    now = utcnow()
    today = civil_day(now)
    values = {name: text_of(form, name).strip() for name in TEXTS}
    password = invent_password()
    try:
        with db.transaction() as session:
            if not values["unit"]:
                raise FieldInvalid("unit", "missing")
            person = open_account(
                session,
                request.user.actor,
                NewPerson(
                    values["username"],
                    values["name"],
                    values["title"],
                    values["email"],
                    values["phone"],
                ),
                unit_by_code(session, values["unit"], today).id,
                read_role(values),
                today,
                valid_from=_read_day(values, "valid_from"),
                valid_until=_read_day(values, "valid_until"),
            )
            set_password(session, person.id, password, now, must_change=True)
    except DomainError as refusal:
        told = FormErrors.of(refusal, PLACES)
        return _new_form(request, values, told.fields, _form_status(told.status))
    return render(
        request,
        "admin/person_new.html",
        values=values,
        errors={},
        role_options=words(ROLES),
        password=password,
        person=person,
    )


def _person_page(
    request: PageRequest,
    session: Session,
    person: Person,
    today: date,
    *,
    status: int = HTTP_200_OK,
    values: Values | None = None,
    errors: object = None,
    password: str | None = None,
) -> Response[str]:
    unit = unit_by_id(session, person.unit_id, today)
    return render(
        request,
        "admin/person.html",
        status=status,
        person=person,
        unit=unit,
        held=roles_held(session, [person.id])[person.id],
        today=today,
        role_options=words(ROLES),
        values=values or {"unit": unit.code, "valid_from": str(today)},
        errors=errors or {},
        password=password,
        **WORDS,
    )


@get("/admin/people/{person_id:int}", include_in_schema=False, sync_to_thread=True)
def person_page(request: PageRequest, db: Database, person_id: RowId) -> Response[str]:
    today = civil_day(utcnow())
    with db.reader() as session:
        person = governed_person(session, request.user.actor, person_id, today)
        return _person_page(request, session, person, today)


@post("/admin/people/{person_id:int}/roles", include_in_schema=False, sync_to_thread=True)
def new_role(request: PageRequest, form: FormMultiDict, db: Database, person_id: RowId) -> Page:
    today = civil_day(utcnow())
    actor = request.user.actor
    values = {name: text_of(form, name).strip() for name in TEXTS}
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
                valid_from=_read_day(values, "valid_from") or today,
                valid_until=_read_day(values, "valid_until"),
            )
    except DomainError as refusal:
        told = FormErrors.of(refusal, PLACES)
        with db.reader() as session:
            # Raises again where the person is none of theirs.
            person = governed_person(session, actor, person_id, today)
            return _person_page(
                request,
                session,
                person,
                today,
                status=_form_status(told.status),
                values=values,
                errors=told.fields,
            )
    return see_other(f"/admin/people/{person_id}", "role_given")


@post("/admin/roles/{grant_id:int}/end", include_in_schema=False, sync_to_thread=True)
def stop_role(request: PageRequest, db: Database, grant_id: RowId) -> Response[None]:
    today = civil_day(utcnow())
    with db.transaction() as session:
        grant = session.get(RoleGrant, grant_id)
        person_id = grant.person_id if grant else 0
        end_role(session, request.user.actor, grant_id, today)
    return see_other(f"/admin/people/{person_id}", "role_ended")


@post("/admin/people/{person_id:int}/deactivate", include_in_schema=False, sync_to_thread=True)
def shut_out(request: PageRequest, db: Database, person_id: RowId) -> Response[None]:
    """Close an account; whoever is logged in with it is out at once."""
    with db.transaction() as session:
        deactivate(session, request.user.actor, person_id, civil_day(utcnow()))
        end_all_sessions(session, person_id)
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
        return _person_page(request, session, person, today, password=password)


HANDLERS = [
    create_person,
    let_in,
    new_password,
    new_person,
    new_role,
    people_page,
    person_page,
    shut_out,
    stop_role,
]
