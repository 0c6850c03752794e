"""From a first factor to a login: what the password page and the provider's answer have in common."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.status_codes import HTTP_401_UNAUTHORIZED
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.errors import problem, sentence, wants_problem
from meetings_server.identity import pending
from meetings_server.identity.pending import SecondFactorRequired, begin_pending
from meetings_server.identity.second_factor import has_second_factor
from meetings_server.identity.sessions import COOKIE, Origin, Proof, close_session, open_session
from meetings_server.settings import Settings
from meetings_server.web.pages import csrf_token, see_other
from rooms.auditing import audited
from rooms.people import Person

AnyRequest = Request[Any, Any, Any]

CODE_PAGE = "/login/code"


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


def origin_of(request: AnyRequest) -> Origin:
    """Address and browser of a request; the address is that which the server in front tells."""
    return Origin(
        request.client.host if request.client else "", request.headers.get("user-agent", "")
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """What a first factor has opened: a login, or the page that asks for the second one."""

    secret: str
    target: str
    wants_code: bool


def enter(
    session: Session,
    request: AnyRequest,
    settings: Settings,
    person: Person,
    now: datetime,
    *,
    proof: Proof,
    target: str,
) -> Entry:
    """Let a person in who has shown a first factor, or both.

    The login that the browser had before ends, so that no cookie outlives a change of persons.
    """
    close_session(session, request.cookies.get(COOKIE, ""))
    if not proof.second_factor and has_second_factor(session, person.id):
        secret = begin_pending(
            session,
            person.id,
            now,
            method=proof.method,
            target=target,
            id_token=proof.id_token,
        )
        return Entry(secret, target, wants_code=True)
    secret = open_session(session, person, now, settings.session_hours, origin_of(request), proof)
    return Entry(secret, target, wants_code=False)


def note_failed_login(session: Session, username: str) -> None:
    """For the record: somebody tried to be this person. Names of nobody are not kept."""
    person_id = session.scalar(
        select(Person.id).where(Person.username == username.strip().casefold())
    )
    if person_id is not None:
        audited(session, "login_failed", "login_session", record=("person", person_id))


def answer_entry(
    request: AnyRequest, settings: Settings, entry: Entry, notice: str | None = None
) -> Response[Any]:
    """Go on to the target, or to the code; scripts of the page are told in JSON."""
    answer: Response[Any]
    if entry.wants_code:
        if wants_problem(request):
            due = SecondFactorRequired()
            answer = problem(request, HTTP_401_UNAUTHORIZED, due.code, sentence(due))
        else:
            answer = see_other(CODE_PAGE)
        answer.delete_cookie(COOKIE)
        set_cookie(answer, settings, pending.COOKIE, entry.secret, pending.LASTS.seconds)
        return answer
    if wants_problem(request):
        answer = Response({"csrf_token": csrf_token(request), "next": entry.target})
    else:
        answer = see_other(entry.target, notice)
    set_cookie(answer, settings, COOKIE, entry.secret, settings.session_hours * 3600)
    answer.delete_cookie(pending.COOKIE)
    return answer


def set_cookie(
    answer: Response[Any], settings: Settings, name: str, secret: str, seconds: int
) -> None:
    answer.set_cookie(
        name,
        secret,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )
