"""One's second factor: set up, replaced, taken away; recovery codes.

To set up the first one, the login must be young: a browser that somebody left open must not become
the way in of a stranger. Whatever changes a factor that is there asks for its code.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.identity.locking_out import remove_second_factor
from meetings_server.identity.recovery import codes_left, make_codes, use_code
from meetings_server.identity.second_factor import (
    begin_enrolment,
    code_fits,
    confirm_enrolment,
    enrolment_under_way,
    has_second_factor,
)
from meetings_server.identity.sessions import (
    COOKIE,
    OIDC,
    end_all_sessions,
    login_of,
    note_second_factor,
)
from meetings_server.identity.throttle import CODE, begin_attempt, forget_failures
from meetings_server.settings import Settings
from meetings_server.web.account import session_only
from meetings_server.web.entering import origin_of
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.second_step import seal_of
from rooms.kernel import DomainError, FieldInvalid, utcnow
from rooms.policies import NotPermitted

PAGE = "/account/second-factor"
YOUNG = timedelta(minutes=15)

Page = Response[str] | Response[None]


def _page(
    request: PageRequest,
    session: Session,
    settings: Settings,
    now: datetime,
    *,
    status: int = HTTP_200_OK,
    errors: Mapping[str, list[str]] | None = None,
    codes: list[str] | None = None,
) -> Response[str]:
    user = request.user
    login = login_of(session, request.cookies.get(COOKIE, ""))
    came_by_provider = login is not None and login.method == OIDC
    return render(
        request,
        "second_factor.html",
        status=status,
        enforced=user.must_enrol,
        demanded=bool(user.roles & settings.demanding_roles),
        on=has_second_factor(session, user.person_id),
        young=login is not None and now - login.created_at < YOUNG,
        again=f"/login/oidc?again=1&next={PAGE}" if came_by_provider else f"/login?next={PAGE}",
        left=codes_left(session, user.person_id),
        enrolment=enrolment_under_way(
            session,
            seal_of(settings),
            user.person_id,
            user.username,
            _("Wide-area meetings"),
            now,
        ),
        errors=errors or {},
        codes=codes,
    )


@get(
    PAGE,
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
    opt={"before_enrolment": True},
)
def second_factor_page(request: PageRequest, db: Database, settings: Settings) -> Response[str]:
    with db.reader() as session:
        return _page(request, session, settings, utcnow())


@post(
    f"{PAGE}/begin",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
    opt={"before_enrolment": True},
)
def begin(request: PageRequest, form: FormMultiDict, db: Database, settings: Settings) -> Page:
    """Show a new secret. One that is there already goes on until the new one is confirmed."""
    now = utcnow()
    me = request.user.person_id
    with db.reader() as session:
        there = has_second_factor(session, me)
        login = login_of(session, request.cookies.get(COOKIE, ""))
        if not there and (login is None or now - login.created_at >= YOUNG):
            return see_other(PAGE)
    try:
        if there:
            _require_code(request, db, settings, form, now)
        with db.transaction() as session:
            begin_enrolment(session, seal_of(settings), me, now)
    except DomainError as refusal:
        return _refused(request, db, settings, refusal, now)
    return see_other(PAGE)


@post(
    f"{PAGE}/confirm",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    opt={"before_enrolment": True},
)
def confirm(request: PageRequest, form: FormMultiDict, db: Database, settings: Settings) -> Page:
    """The first code: from here on it is asked for. Other logins end; the recovery codes are shown."""
    now = utcnow()
    me = request.user.person_id
    secret = request.cookies.get(COOKIE, "")
    address = origin_of(request).address
    try:
        with db.transaction() as session:
            begin_attempt(session, str(me), address, now, CODE)
        with db.transaction() as session:
            confirm_enrolment(session, seal_of(settings), me, text_of(form, "first"), now)
            forget_failures(session, str(me), address, CODE)
            codes = make_codes(session, me, now)
            note_second_factor(session, secret)
            end_all_sessions(session, me, keep=secret)
            return _page(request, session, settings, now, codes=codes)
    except DomainError as refusal:
        return _refused(request, db, settings, refusal, now)


@post(
    f"{PAGE}/codes",
    guards=[session_only],
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def renew_codes(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings
) -> Page:
    """New recovery codes; the earlier ones open nothing any more."""
    now = utcnow()
    try:
        _require_code(request, db, settings, form, now)
        with db.transaction() as session:
            codes = make_codes(session, request.user.person_id, now)
            return _page(request, session, settings, now, codes=codes)
    except DomainError as refusal:
        return _refused(request, db, settings, refusal, now)


@post(f"{PAGE}/remove", guards=[session_only], include_in_schema=False, sync_to_thread=True)
def remove(request: PageRequest, form: FormMultiDict, db: Database, settings: Settings) -> Page:
    """Go back to the password alone, where no role asks for more."""
    now = utcnow()
    if request.user.roles & settings.demanding_roles:
        raise NotPermitted("second_factor:remove", request.user.unit_name)
    try:
        _require_code(request, db, settings, form, now)
        with db.transaction() as session:
            remove_second_factor(session, request.user.person_id)
    except DomainError as refusal:
        return _refused(request, db, settings, refusal, now)
    return see_other("/account", "second_factor_removed")


def _require_code(
    request: PageRequest, db: Database, settings: Settings, form: FormMultiDict, now: datetime
) -> None:
    """The code of now, or a recovery code. Raises `FieldInvalid`, `TooManyAttempts`."""
    me, address = request.user.person_id, origin_of(request).address
    typed = text_of(form, "code").strip()
    with db.transaction() as session:
        begin_attempt(session, str(me), address, now, CODE)
    with db.transaction() as session:
        fits = code_fits(session, seal_of(settings), me, typed, now)
        if not fits and not use_code(session, me, typed, now):
            raise FieldInvalid("code", "wrong_code")
        forget_failures(session, str(me), address, CODE)


def _refused(
    request: PageRequest, db: Database, settings: Settings, refusal: DomainError, now: datetime
) -> Response[str]:
    told = FormErrors.of(refusal)
    with db.reader() as session:
        return _page(request, session, settings, now, status=told.status, errors=told.fields)


HANDLERS: list[Any] = [second_factor_page, begin, confirm, renew_codes, remove]
