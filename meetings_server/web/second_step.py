"""After the password: the code of the authenticator, or a recovery code."""

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
from meetings_server.identity import pending
from meetings_server.identity.pending import NoPendingLogin, end_pending, find_pending
from meetings_server.identity.recovery import use_code
from meetings_server.identity.sealing import Seal
from meetings_server.identity.second_factor import code_fits
from meetings_server.identity.sessions import Proof, open_session
from meetings_server.identity.throttle import CODE, begin_attempt, forget_failures
from meetings_server.settings import Settings
from meetings_server.web.entering import (
    AnyRequest,
    Entry,
    answer_entry,
    note_failed_login,
    origin_of,
)
from meetings_server.web.pages import FormErrors, render, see_other, text_of
from rooms.kernel import FieldInvalid, utcnow


def seal_of(settings: Settings) -> Seal:
    """Of the secrets of authenticators."""
    return Seal(settings.effective_secret(), "second factor")


@get("/login/code", opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def code_page(request: AnyRequest, db: Database) -> Response[Any]:
    """Ask for the code; whoever has not shown a password a moment ago begins there."""
    try:
        with db.reader() as session:
            _, person = find_pending(session, _shown(request), utcnow())
            return render(request, "login_code.html", name=person.name, errors={})
    except NoPendingLogin:
        return see_other("/login", "login_over")


@post(
    "/login/code",
    opt={"public": True},
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def enter_code(
    request: AnyRequest, form: FormMultiDict, db: Database, settings: Settings
) -> Response[Any]:
    """Finish a login. A recovery code is used up by it."""
    origin, now = origin_of(request), utcnow()
    recovery = text_of(form, "recovery").strip()
    try:
        with db.transaction() as session:
            waiting, person = find_pending(session, _shown(request), now)
            begin_attempt(session, str(person.id), origin.address, now, CODE)
    except NoPendingLogin as over:
        if wants_problem(request):
            return problem(request, HTTP_401_UNAUTHORIZED, over.code, sentence(over))
        return see_other("/login", "login_over")
    with db.transaction() as session:
        if recovery:
            fits = use_code(session, person.id, recovery, now)
        else:
            fits = code_fits(session, seal_of(settings), person.id, text_of(form, "code"), now)
        if fits:
            forget_failures(session, str(person.id), origin.address, CODE)
            end_pending(session, person.id)
            proof = Proof(waiting.method, second_factor=True, id_token=waiting.id_token)
            secret = open_session(session, person, now, settings.session_hours, origin, proof)
            entry = Entry(secret, waiting.target, wants_code=False)
        else:
            note_failed_login(session, person.username)
    if fits:
        return answer_entry(request, settings, entry, "recovery_code_used" if recovery else None)
    wrong = FieldInvalid(
        *(("recovery", "wrong_recovery_code") if recovery else ("code", "wrong_code"))
    )
    if wants_problem(request):
        return problem(request, HTTP_401_UNAUTHORIZED, wrong.code, sentence(wrong))
    return render(
        request,
        "login_code.html",
        status=HTTP_422_UNPROCESSABLE_ENTITY,
        name=person.name,
        errors=FormErrors.of(wrong).fields,
    )


def _shown(request: AnyRequest) -> str:
    return request.cookies.get(pending.COOKIE, "")


HANDLERS = [code_page, enter_code]
