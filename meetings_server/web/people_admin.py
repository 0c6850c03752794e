"""People in the hands of administrators: the list, and a new account."""

from datetime import date, timedelta
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK, HTTP_409_CONFLICT, HTTP_422_UNPROCESSABLE_ENTITY
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.identity.passwords import invent_password, set_password
from meetings_server.reading import read_day
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import FormErrors, PageRequest, render, text_of
from meetings_server.web.unit_words import ROLES
from meetings_server.web.units import WORDS, asked_page, asked_text
from rooms.accounts import open_account
from rooms.finding import PeopleWanted, people_looked_after, roles_held
from rooms.hierarchy import unit_by_code
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.lending import Substitution
from rooms.people import NewPerson, Role
from rooms.policies import NotPermitted, Permission, top_units
from rooms.substitutions import substitutions_of

PAGE = 50
FAR_DAY = date(2199, 12, 31)
ACTIVITY = {"": True, "left": False, "all": None, "away": True}
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
    "administrator_gap": "",
}
"""At which field of the form a refusal stands."""

Values = dict[str, str]
Page = Response[str] | Response[None]


def _require_somewhere(request: PageRequest) -> None:
    if Permission.PERSON_WRITE not in request.user.rights:
        raise NotPermitted(Permission.PERSON_WRITE.value, request.user.unit_name)


def form_status(status: int) -> int:
    """A refusal shown in the form itself: the form's scripts put 409 and 422 back into the page."""
    return status if status == HTTP_409_CONFLICT else HTTP_422_UNPROCESSABLE_ENTITY


def read_role(values: Values) -> Role:
    """Raises `FieldInvalid`."""
    try:
        return Role(values["role"])
    except ValueError:
        raise FieldInvalid("role", "unknown" if values["role"] else "missing", "") from None


def read_end(values: Values, name: str) -> date | None:
    """The day after the last day that was typed. Raises `FieldInvalid`."""
    last = read_day_of(values, name)
    if last is not None and last > FAR_DAY:
        raise FieldInvalid(name, "not_a_date")
    return last + timedelta(days=1) if last else None


def read_day_of(values: Values, name: str) -> date | None:
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
            away=asked["state"] == "away",
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
            substitutes=_substitutes(session, [person.id for person, _unit in people], today),
            asked=asked,
            role_options=words(ROLES),
            next_href=address(page + 1) if last < total else None,
            previous_href=address(page - 1) if page > 1 else None,
            **WORDS,
        )


def _substitutes(session: Session, person_ids: list[int], today: date) -> dict[int, Substitution]:
    """Who stands in today, by the absent person."""
    if not person_ids:
        return {}
    return {
        loan.absent_id: loan
        for loan in substitutions_of(session, person_ids, today)
        if loan.valid_from <= today
    }


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
                valid_from=read_day_of(values, "valid_from"),
                valid_until=read_end(values, "valid_until"),
            )
            set_password(session, person.id, password, now, must_change=True)
    except DomainError as refusal:
        told = FormErrors.of(refusal, PLACES)
        return _new_form(request, values, told.fields, form_status(told.status))
    return render(
        request,
        "admin/person_new.html",
        values=values,
        errors={},
        role_options=words(ROLES),
        password=password,
        person=person,
    )


HANDLERS = [create_person, new_person, people_page]
