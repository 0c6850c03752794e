"""One place turns a refusal into a page, or into problem details (RFC 9457).

The domain raises errors with a code and typed fields; `sentences` has the text for each code, with
the fields as placeholders. Programs get `application/problem+json` with the stable code and the
fields beside the sentence; people get a page that says what is wrong and what to do.
"""

import logging
from dataclasses import asdict, is_dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.status_codes import (
    HTTP_303_SEE_OTHER,
    HTTP_401_UNAUTHORIZED,
    HTTP_403_FORBIDDEN,
    HTTP_404_NOT_FOUND,
    HTTP_409_CONFLICT,
    HTTP_422_UNPROCESSABLE_ENTITY,
    HTTP_429_TOO_MANY_REQUESTS,
    HTTP_500_INTERNAL_SERVER_ERROR,
    HTTP_503_SERVICE_UNAVAILABLE,
)

from meetings_server.faults import RETRY_SECONDS, fault_of
from meetings_server.headers import HEADERS
from meetings_server.i18n import _, current_language
from meetings_server.identity.middleware import language_of
from meetings_server.identity.oidc import ProviderAway
from meetings_server.identity.passwords import PasswordChangeDue
from meetings_server.identity.second_factor import SecondFactorDue
from meetings_server.identity.throttle import TooManyAttempts
from meetings_server.refusals import sentence as sentence  # noqa: PLC0414 -- pages take it from here
from meetings_server.sentences import HTTP_SENTENCES
from meetings_server.video.signing import Unsigned
from rooms.kernel import Conflict, Denied, DomainError, Invalid, NotFound

log = logging.getLogger(__name__)

# What has to be done about a login before anything else, and where.
DUE: dict[type[DomainError], str] = {
    PasswordChangeDue: "/account/password",
    SecondFactorDue: "/account/second-factor",
}
PROBLEM_JSON = "application/problem+json"

STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (TooManyAttempts, HTTP_429_TOO_MANY_REQUESTS),
    (ProviderAway, HTTP_503_SERVICE_UNAVAILABLE),
    (Unsigned, HTTP_401_UNAUTHORIZED),
    (Invalid, HTTP_422_UNPROCESSABLE_ENTITY),
    (NotFound, HTTP_404_NOT_FOUND),
    (Denied, HTTP_403_FORBIDDEN),
    (Conflict, HTTP_409_CONFLICT),
)


def status_of(error: DomainError) -> int:
    return next((status for kind, status in STATUS if isinstance(error, kind)), 400)


def problem(
    request: Request[Any, Any, Any],
    status: int,
    code: str,
    detail: str,
    facts: dict[str, Any] | None = None,
) -> Response[bytes]:
    """Problem details. The facts stand beside the members of RFC 9457, never over them.

    Without a type of its own the title is the phrase of the status (RFC 9457, 4.2.1); programs go by
    `code`, people read `detail`.
    """
    body = {key: _plain(value) for key, value in (facts or {}).items()}
    body |= {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": request.url.path,
    }
    return Response(msgspec.json.encode(body), status_code=status, media_type=PROBLEM_JSON)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(part) for key, part in asdict(value).items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def wants_problem(request: Request[Any, Any, Any]) -> bool:
    """Programs get problem details: everything under /api, and whoever asks for JSON."""
    accept = request.headers.get("accept", "")
    return request.url.path.startswith("/api/") or ("json" in accept and "text/html" not in accept)


def asks_for_a_page(request: Request[Any, Any, Any]) -> bool:
    """Whether a person opens an address in a browser, rather than a script asking for a part of one."""
    headers = request.headers
    return (
        request.method in {"GET", "HEAD"}
        and not wants_problem(request)
        and "text/html" in headers.get("accept", "")
        and "x-enhanced" not in headers
        and "hx-request" not in headers
        # Browsers tell this where the connection is secure; scripts say cors or same-origin.
        and headers.get("sec-fetch-mode", "navigate") == "navigate"
    )


def _to_the_login(request: Request[Any, Any, Any]) -> Response[Any]:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    where = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='/')}"
    return Response(
        None,
        status_code=HTTP_303_SEE_OTHER,
        headers={"location": where, "cache-control": "no-store"},
    )


def refuse(request: Request[Any, Any, Any], error: DomainError) -> Response[Any]:
    """A domain error as an answer."""
    if type(error) in DUE and asks_for_a_page(request):
        return Response(
            None,
            status_code=HTTP_303_SEE_OTHER,
            headers={"location": DUE[type(error)], "cache-control": "no-store"},
        )
    answer = _answer(request, status_of(error), error.code, sentence(error), error.facts())
    if isinstance(error, TooManyAttempts):
        answer.headers["retry-after"] = str(error.minutes * 60)
    return answer


def refuse_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What the framework itself refuses: unknown paths, unreadable bodies, missing rights."""
    # Where no route matches, no middleware has run.
    current_language.set(language_of(request, request.scope.get("user")))
    status = error.status_code
    if status >= HTTP_500_INTERNAL_SERVER_ERROR:
        return fail(request, error)
    if status == HTTP_401_UNAUTHORIZED and asks_for_a_page(request):
        return _to_the_login(request)
    facts: dict[str, Any] = {}
    if isinstance(error, ValidationException):
        status = HTTP_422_UNPROCESSABLE_ENTITY
        facts = {"errors": error.extra}
    detail = _(HTTP_SENTENCES[status]) if status in HTTP_SENTENCES else error.detail
    answer = _answer(request, status, f"http_{status}", detail, facts)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


def fail(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A mistake of ours, or a fault of the machine: logged with a number that the user can tell."""
    number = uuid4().hex[:8]
    fault = fault_of(error)
    if fault is not None:
        where = request.url.path
        log.error("%s %s met a fault, number %s: %s", request.method, where, number, error)
        answer = _answer(request, fault.status, fault.code, _(fault.sentence), {"number": number})
        answer.headers["retry-after"] = str(RETRY_SECONDS)
        return answer
    log.error("%s %s failed, number %s", request.method, request.url.path, number, exc_info=error)
    status = HTTP_500_INTERNAL_SERVER_ERROR
    return _answer(request, status, "internal_error", _(HTTP_SENTENCES[status]), {"number": number})


def _answer(
    request: Request[Any, Any, Any], status: int, code: str, detail: str, facts: dict[str, Any]
) -> Response[Any]:
    # Where no route matches, no middleware adds them; and what was refused today may be had tomorrow.
    headers = HEADERS | {"cache-control": "no-store"}
    if wants_problem(request):
        refused = problem(request, status, code, detail, facts)
        refused.headers.update(headers)
        return refused
    from meetings_server.web.pages import error_page  # the page needs this module's sentences

    html = error_page(request, status, code, detail, facts)
    return Response(html, status_code=status, media_type=MediaType.HTML, headers=headers)
