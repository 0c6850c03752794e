"""Reads who a request stands for, and the language it is answered in.

Pages are opened by the session cookie, programs by a bearer token, and what lies below `/kiosk` by the
cookie of a tablet at a door. A route that anyone may see says so with the option `public=True`, one
for tablets alone with `device=True`.
"""

import logging
import secrets
from typing import Any
from urllib.parse import quote

from anyio import to_thread
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware.authentication import (
    AbstractAuthenticationMiddleware,
    AuthenticationResult,
)
from sqlalchemy.exc import OperationalError

from meetings_server.database import Database
from meetings_server.i18n import DEFAULT_LANGUAGE, LANGUAGES, current_language
from meetings_server.identity import doors
from meetings_server.identity.doors import DeviceLogin
from meetings_server.identity.lately import Lately
from meetings_server.identity.passwords import PasswordChangeDue
from meetings_server.identity.second_factor import SecondFactorDue
from meetings_server.identity.sessions import (
    COOKIE,
    LoginSession,
    SignedIn,
    by_cookie,
    by_token,
    digest,
    note_seen,
)
from meetings_server.identity.tokens import EVERYTHING, ApiToken, ScopeMissing, opens
from rooms.auditing import Doer, Login, doing
from rooms.devices import KioskDevice
from rooms.kernel import utcnow
from rooms.people import Role

log = logging.getLogger(__name__)

Connection = ASGIConnection[Any, Any, Any, Any]
LANGUAGE_COOKIE = "meetings_language"

Caller = SignedIn | DeviceLogin

KINDS: dict[str, type[LoginSession | ApiToken | KioskDevice]] = {
    "session": LoginSession,
    "token": ApiToken,
    "device": KioskDevice,
}
"""What a request can show, each found by the hash of a secret."""


class IdentityMiddleware(AbstractAuthenticationMiddleware):
    """Puts `SignedIn` (or None) into the connection and sets the language."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        user = await identify(connection)
        return AuthenticationResult(user=user, auth=_shown(connection)[0] if user else None)


async def identify(connection: Connection) -> Caller | None:
    """Look up whom a connection stands for, and set its language and whose doing follows."""
    kind, secret = _shown(connection)
    user: Caller | None = None
    if secret:
        lately: Lately | None = connection.app.state.lately if _is_frequent(connection) else None
        user = lately.find(digest(secret)) if lately else None
        if user is None:
            database: Database = connection.app.state.database
            demanding = connection.app.state.settings.demanding_roles
            user = await to_thread.run_sync(_look_up, database, kind, secret, demanding)
        if lately and kind == "token" and isinstance(user, SignedIn):
            lately.keep(digest(secret), user)
    current_language.set(language_of(connection, user))
    # For the record: what the handler changes, here or in its worker thread, was done by this one.
    doing.set(_doer(connection, kind, user))
    return user


def _is_frequent(connection: Connection) -> bool:
    handler: BaseRouteHandler | None = connection.scope.get("route_handler")
    return handler is not None and bool(handler.opt.get("lately"))


def login_shown(connection: Connection) -> str:
    """The hash of the secret that a connection shows, whether or not it opens anything."""
    return digest(_shown(connection)[1])


def _shown(connection: Connection) -> tuple[str, str]:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    path = connection.scope["path"]
    if doors.is_of_devices(path):
        return "device", connection.cookies.get(doors.COOKIE, "")
    if scheme.casefold() == "bearer" and token:
        return "token", token.strip()
    if path.startswith("/api/"):
        # Calls of programs carry no CSRF token, so a cookie must not open them.
        return "token", ""
    return "session", connection.cookies.get(COOKIE, "")


def _doer(connection: Connection, kind: str, user: Caller | None) -> Doer:
    address = connection.client.host if connection.client else ""
    request = secrets.token_hex(8)
    if user is None:
        return Doer(login=Login.NOBODY, address=address, request=request)
    if isinstance(user, DeviceLogin):
        return Doer(name=user.door.name, login=Login.DEVICE, address=address, request=request)
    return Doer(
        user.person_id,
        user.name,
        user.actor.on_behalf_of,
        login=Login(kind),
        address=address,
        request=request,
    )


def _look_up(
    database: Database, kind: str, secret: str, demanding: frozenset[Role]
) -> Caller | None:
    now = utcnow()
    user: Caller | None
    with database.reader() as session:
        if kind == "device":
            user = doors.by_device(session, secret, now)
        elif kind == "token":
            user = by_token(session, secret, now)
        else:
            user = by_cookie(session, secret, now, demanding)
    if user is not None and not user.seen_lately:
        try:
            with database.connection() as connection:
                note_seen(connection, KINDS[kind], secret, now)
        except OperationalError:
            # A database that is being restored or is full still answers those who read.
            log.warning("when a login was last seen could not be written", exc_info=True)
    return user


def language_of(connection: Connection, user: Caller | None) -> str:
    """The language chosen on this device, or the person's own."""
    asked = connection.cookies.get(LANGUAGE_COOKIE) or (user.locale if user else "")
    return asked if asked in LANGUAGES else DEFAULT_LANGUAGE


async def require_sign_in(connection: Connection, handler: BaseRouteHandler) -> None:
    """Guard of all routes but the public ones.

    API calls need a token, pages a session, and what a tablet at a door may do needs its cookie: a
    person's login does not open it, nor its cookie anything else.
    """
    # OPTIONS is answered by the framework itself, for whoever asks.
    if handler.opt.get("public") or connection.scope.get("method") == "OPTIONS":
        return
    if connection.user is None:
        raise NotAuthorizedException(extra={"next": quote(str(connection.url.path))})
    if bool(handler.opt.get("device")) != (connection.auth == "device"):
        raise NotAuthorizedException
    if connection.auth == "device":
        return
    if connection.auth == "token":
        needed = handler.opt.get("scope", EVERYTHING)
        if not opens(connection.user.scopes, needed):
            raise ScopeMissing(needed)
    if connection.user.must_change:
        if not handler.opt.get("before_change"):
            raise PasswordChangeDue
    elif connection.user.must_enrol and not handler.opt.get("before_enrolment"):
        raise SecondFactorDue
