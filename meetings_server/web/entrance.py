"""The entrance: log in, log out, choose the language."""

from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import (
    HTTP_200_OK,
    HTTP_401_UNAUTHORIZED,
    HTTP_422_UNPROCESSABLE_ENTITY,
)

from meetings_server.database import Database
from meetings_server.errors import problem, sentence, wants_problem
from meetings_server.i18n import LANGUAGES, current_language
from meetings_server.identity.middleware import LANGUAGE_COOKIE
from meetings_server.identity.passwords import LoginRefused, check_password
from meetings_server.identity.sessions import BY_PASSWORD, COOKIE, close_session, login_of
from meetings_server.identity.throttle import begin_attempt, forget_failures
from meetings_server.settings import Settings
from meetings_server.web.entering import (
    AnyRequest,
    answer_entry,
    enter,
    local_path,
    note_failed_login,
    origin_of,
)
from meetings_server.web.pages import render, see_other, text_of
from meetings_server.web.single_sign_on import logout_address
from rooms.kernel import utcnow


def _login_form(
    request: AnyRequest, settings: Settings, target: str, **context: Any
) -> Response[str]:
    return render(
        request,
        "login.html",
        next=target,
        accounts=request.app.state.get("demo_accounts", []),
        provider=settings.oidc_label if settings.oidc_issuer else None,
        **context,
    )


@get("/login", opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def login_page(request: AnyRequest, settings: Settings) -> Response[str]:
    target = local_path(request.query_params.get("next", "/"))
    return _login_form(request, settings, target, values={}, errors={})


@post(
    "/login",
    opt={"public": True},
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def log_in(
    request: AnyRequest, form: FormMultiDict, db: Database, settings: Settings
) -> Response[Any]:
    """Log in; scripts of the page ask for JSON and get the next CSRF token.

    Who has a second factor is asked for its code next. Who failed too often gets 429 with the time to
    wait.
    """
    username = text_of(form, "username")
    target = local_path(text_of(form, "next") or "/")
    origin, now = origin_of(request), utcnow()
    with db.transaction() as session:
        begin_attempt(session, username, origin.address, now)
    try:
        person = check_password(db, username, text_of(form, "password"))
    except LoginRefused as refusal:
        with db.transaction() as session:
            note_failed_login(session, username)
        if wants_problem(request):
            return problem(request, HTTP_401_UNAUTHORIZED, refusal.code, sentence(refusal))
        return _login_form(
            request,
            settings,
            target,
            status=HTTP_422_UNPROCESSABLE_ENTITY,
            values={"username": username},
            errors={"": [sentence(refusal)]},
        )
    with db.transaction() as session:
        forget_failures(session, username, origin.address)
        entry = enter(session, request, settings, person, now, proof=BY_PASSWORD, target=target)
    return answer_entry(request, settings, entry)


@post("/logout", include_in_schema=False, sync_to_thread=True, opt={"public": True})
def log_out(request: AnyRequest, db: Database, settings: Settings) -> Response[None]:
    """Log out here, and at the provider where the login came from it and that is offered."""
    secret = request.cookies.get(COOKIE, "")
    with db.transaction() as session:
        login = login_of(session, secret)
        sealed = login.id_token if login else None
        close_session(session, secret)
    elsewhere = logout_address(settings, sealed) if sealed else None
    answer = see_other(elsewhere or "/login", "logged_out")
    answer.delete_cookie(COOKIE)
    return answer


@post("/language", include_in_schema=False, sync_to_thread=True, opt={"public": True})
def choose_language(form: FormMultiDict) -> Response[None]:
    """Keep the language in a cookie for a year; an unknown one changes nothing."""
    answer = see_other(local_path(text_of(form, "next") or "/"))
    language = text_of(form, "lang")
    if language in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=365 * 24 * 3600, samesite="lax")
        current_language.set(language)
    return answer


HANDLERS = [login_page, log_in, log_out, choose_language]
