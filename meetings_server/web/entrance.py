"""The entrance: log in, log out, choose the language."""

from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get, post
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
from meetings_server.identity.sessions import COOKIE, Origin, close_session, open_session
from meetings_server.identity.throttle import begin_attempt, forget_failures
from meetings_server.settings import Settings
from meetings_server.web.pages import csrf_token, render, see_other, text_of
from rooms.kernel import utcnow

AnyRequest = Request[Any, Any, Any]


def local_path(target: str) -> str:
    """A path on this server to go on to; anything else (another host, a scheme) becomes `/`.

    What comes back can stand in a header: letters outside ASCII are percent-encoded.
    """
    # Browsers leave tabs and line ends out and take a backslash for a slash: `/\t/host` is a host.
    if not target.startswith("/") or target.startswith("//") or "\\" in target:
        return "/"
    if not target.isprintable():
        return "/"
    return quote(target, safe="/?#[]@!$&'()*+,;=:%~")


def _login_form(request: AnyRequest, target: str, **context: Any) -> Response[str]:
    return render(
        request,
        "login.html",
        next=target,
        accounts=request.app.state.get("demo_accounts", []),
        **context,
    )


def origin_of(request: AnyRequest) -> Origin:
    """Address and browser of a request; the address is that which the server in front tells."""
    return Origin(
        request.client.host if request.client else "", request.headers.get("user-agent", "")
    )


@get("/login", opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def login_page(request: AnyRequest) -> Response[str]:
    target = local_path(request.query_params.get("next", "/"))
    return _login_form(request, target, values={}, errors={})


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
    """Log in; programs of the page ask for JSON and get the next CSRF token.

    The login that the browser had before ends, so that no cookie outlives a change of persons. Who
    failed too often gets 429 with the time to wait.
    """
    username = text_of(form, "username")
    target = local_path(text_of(form, "next") or "/")
    origin, now = origin_of(request), utcnow()
    with db.transaction() as session:
        begin_attempt(session, username, origin.address, now)
    try:
        person = check_password(db, username, text_of(form, "password"))
    except LoginRefused as refusal:
        if wants_problem(request):
            return problem(request, HTTP_401_UNAUTHORIZED, refusal.code, sentence(refusal))
        return _login_form(
            request,
            target,
            status=HTTP_422_UNPROCESSABLE_ENTITY,
            values={"username": username},
            errors={"": [sentence(refusal)]},
        )
    with db.transaction() as session:
        forget_failures(session, username, origin.address)
        close_session(session, request.cookies.get(COOKIE, ""))
        secret = open_session(session, person, now, settings.session_hours, origin)
    answer: Response[Any]
    if wants_problem(request):
        answer = Response({"csrf_token": csrf_token(request), "next": target})
    else:
        answer = see_other(target)
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=settings.session_hours * 3600,
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )
    return answer


@post("/logout", include_in_schema=False, sync_to_thread=True, opt={"public": True})
def log_out(request: AnyRequest, db: Database) -> Response[None]:
    with db.transaction() as session:
        close_session(session, request.cookies.get(COOKIE, ""))
    answer = see_other("/login", "logged_out")
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
