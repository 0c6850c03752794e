"""One's own account: who one is here, the language, the password, where one is logged in."""

from collections.abc import Mapping
from datetime import datetime

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.exceptions import PermissionDeniedException
from litestar.handlers.base import BaseRouteHandler
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.identity.external import identities_of
from meetings_server.identity.middleware import Connection
from meetings_server.identity.password_rules import SHORTEST_ALONE
from meetings_server.identity.passwords import Credential, change_password, shortest_for
from meetings_server.identity.pending import end_pending
from meetings_server.identity.recovery import codes_left
from meetings_server.identity.second_factor import confirmed_at
from meetings_server.identity.sessions import (
    COOKIE,
    OIDC,
    end_all_sessions,
    end_session,
    is_of_secret,
    sessions_of,
)
from meetings_server.identity.tokens import tokens_of
from meetings_server.reading import RowId
from meetings_server.settings import Settings
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.units import WORDS
from rooms.finding import roles_held
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.people import Person

Page = Response[str] | Response[None]

# The order matters: Edge and Opera call themselves Chrome too, and Chrome calls itself Safari.
BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def browser_text(user_agent: str) -> str:
    """What a person would call their browser: `Firefox, Windows`; the unknown as it names itself."""
    named = [
        next((name for sign, name in table if sign in user_agent), "")
        for table in (BROWSERS, SYSTEMS)
    ]
    return ", ".join(name for name in named if name) or user_agent[:40] or _("unknown program")


def _require_same(fresh: str, repeated: str) -> None:
    if fresh != repeated:
        raise FieldInvalid("repeated", "not_the_same")


def _page(
    request: PageRequest,
    session: Session,
    settings: Settings,
    now: datetime,
    *,
    status: int = HTTP_200_OK,
    password_errors: object = None,
) -> Response[str]:
    person = session.get_one(Person, request.user.person_id)
    secret = request.cookies.get(COOKIE, "")
    logins = [
        (login, is_of_secret(login, secret)) for login in sessions_of(session, person.id, now)
    ]
    return render(
        request,
        "account.html",
        status=status,
        person=person,
        held=roles_held(session, [person.id], civil_day(now))[person.id],
        logins=logins,
        tokens=len(tokens_of(session, person.id)),
        identities=identities_of(session, person.id),
        since=confirmed_at(session, person.id),
        left=codes_left(session, person.id),
        demanded=bool(request.user.roles & settings.demanding_roles),
        provider=settings.oidc_label,
        by_provider=OIDC,
        browser_text=browser_text,
        shortest=shortest_for(session, person.id),
        password_errors=password_errors or {},
        **WORDS,
    )


def session_only(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A token is for programs: one that leaked must not make others or change the password."""
    if connection.auth != "session":
        raise PermissionDeniedException


@get("/account", guards=[session_only], include_in_schema=False, sync_to_thread=True)
def account_page(request: PageRequest, db: Database, settings: Settings) -> Response[str]:
    with db.reader() as session:
        return _page(request, session, settings, utcnow())


@get(
    "/account/password",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
    opt={"before_change": True},
)
def first_password_page(request: PageRequest, db: Database) -> Page:
    """The only page that opens while somebody else knows the password."""
    return _first_password(request, db, {}) if request.user.must_change else see_other("/account")


def _first_password(
    request: PageRequest, db: Database, errors: Mapping[str, list[str]], status: int = HTTP_200_OK
) -> Response[str]:
    with db.reader() as session:
        credential = session.get(Credential, request.user.person_id)
    return render(
        request,
        "first_password.html",
        status=status,
        username=request.user.username,
        too_short=credential is not None and credential.short,
        shortest=SHORTEST_ALONE,
        errors=errors,
    )


@post(
    "/account/password",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
    opt={"before_change": True},
)
def replace_password(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings
) -> Page:
    """Change one's password; the other logins end, this one stays."""
    now = utcnow()
    me = request.user.person_id
    fresh = text_of(form, "password")
    try:
        with db.transaction() as session:
            change_password(session, me, text_of(form, "present"), fresh, now)
            _require_same(fresh, text_of(form, "repeated"))
            end_all_sessions(session, me, keep=request.cookies.get(COOKIE, ""))
            end_pending(session, me)
    except FieldInvalid as wrong:
        told = FormErrors.of(wrong)
        if request.user.must_change:
            return _first_password(request, db, told.fields, told.status)
        with db.reader() as session:
            return _page(
                request, session, settings, now, status=told.status, password_errors=told.fields
            )
    return see_other("/" if request.user.must_change else "/account", "password_changed")


@post(
    "/account/sessions/{session_id:int}/end",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
)
def end_login(request: PageRequest, db: Database, session_id: RowId) -> Response[None]:
    with db.transaction() as session:
        end_session(session, request.user.person_id, session_id)
    return see_other("/account", "session_ended")


@post(
    "/account/sessions/end-others",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
)
def end_other_logins(request: PageRequest, db: Database) -> Response[None]:
    """Log out everywhere but here."""
    with db.transaction() as session:
        end_all_sessions(session, request.user.person_id, keep=request.cookies.get(COOKIE, ""))
    return see_other("/account", "session_ended")


HANDLERS = [
    account_page,
    end_login,
    end_other_logins,
    first_password_page,
    replace_password,
]
