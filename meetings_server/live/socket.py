"""The live line of a meeting: `/live/meetings/{id}?scope=&after=&pass=`, a websocket.

A tablet at a door has `/kiosk/live/{id}?after=` instead, which shows it its own point and nothing else.

Frames are described in `frames`; the client may send check-ins and receipts (`client`), each answered after its
commit.
Closing codes: 4401 not logged in, 4403 may not see this, 4404 no such meeting, 1002, 1007, 1008 and
1009 what it sends is no message of ours, 1012 the server restarts, 1013 too many at once.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

from litestar import WebSocket
from litestar.connection import ASGIConnection
from litestar.handlers import WebsocketRouteHandler
from sqlalchemy.exc import SQLAlchemyError

from meetings_server.i18n import current_language
from meetings_server.identity.middleware import Caller, identify, login_shown
from meetings_server.live import frames
from meetings_server.live.admission import NOT_ALLOWED, Admitted
from meetings_server.live.client import Client
from meetings_server.live.lines import TOO_MANY, SentLine
from meetings_server.live.logins import NOT_LOGGED_IN
from meetings_server.live.protocol import line_to
from meetings_server.live.running import Live
from meetings_server.live.wire import FLOOD
from meetings_server.reading import read_number
from meetings_server.settings import Settings
from rooms.hierarchy import UnknownUnit
from rooms.kernel import LARGEST_ID, Denied, NotFound

log = logging.getLogger(__name__)

NO_SUCH_MEETING = 4404
NO_MESSAGE = FLOOD
COME_BACK_SECONDS = 15

LiveSocket = WebSocket[Any, Any, Any]


class LineHandler(WebsocketRouteHandler):
    """Public: who may come in is looked up on the line, which alone can tell a browser why not.

    Asking a guard copies the handler, which is a twentieth of what it costs to let a client in.
    """

    async def authorize_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """No guard is asked."""


@LineHandler(
    ["/live/meetings/{meeting_id:int}", "/kiosk/live/{meeting_id:int}"],
    opt={"public": True, "exclude_from_auth": True},
)
async def live_meeting(socket: LiveSocket, meeting_id: int) -> None:
    """Lets a client in; from its first frame on the line lives without this handler."""
    # A browser learns a closing code only on a line that was opened.
    await socket.accept()
    live: Live = socket.app.state.live
    after = socket.query_params.get("after", "")
    try:
        admitted, by_pass = await _admit(socket, live, meeting_id, after)
    except _CLOSING as reason:
        await socket.close(*_closing(reason))
        return
    line = line_to(socket)
    try:
        subscriber = await live.hub.join(
            meeting_id, admitted.scope, line, int(after) if after else None
        )
    except _CLOSING as reason:
        line.close(*_closing(reason))
        return
    line.write(frames.passing(live.admission.sign(admitted), live.hub.heartbeat))
    line.attach(Client(live, admitted, line, subscriber))
    if by_pass:
        live.admission.recheck_later(admitted, line)
    if isinstance(line, SentLine):
        await line.listen()


class _Refused(Exception):
    """A line that is refused before anything is looked up: closing code and reason."""


_CLOSING = (_Refused, Denied, NotFound, SQLAlchemyError)


def _closing(why: Exception) -> tuple[int, str]:
    if isinstance(why, _Refused):
        code, reason = why.args
        return code, reason
    if isinstance(why, Denied | UnknownUnit):
        return NOT_ALLOWED, why.code
    if isinstance(why, NotFound):
        return NO_SUCH_MEETING, why.code
    log.warning("a line could not be let in, the database does not answer", exc_info=why)
    return TOO_MANY, str(COME_BACK_SECONDS)


async def _admit(
    socket: LiveSocket, live: Live, meeting_id: int, after: str
) -> tuple[Admitted, bool]:
    """Who is let in, and whether by a pass."""
    if not is_own_origin(socket, socket.app.state.settings):
        raise _Refused(NOT_ALLOWED, "origin")
    if not 1 <= meeting_id <= LARGEST_ID:
        raise _Refused(NO_SUCH_MEETING, "")
    if after and read_number(after) is None:
        raise _Refused(NO_MESSAGE, "after is no revision")
    if live.hub.is_full:
        raise _Refused(TOO_MANY, str(COME_BACK_SECONDS))
    asked = socket.query_params.get("scope") or None
    shown = socket.query_params.get("pass")
    address = socket.client.host if socket.client else ""
    if shown:
        login = login_shown(socket)
        admitted = await live.admission.by_pass(shown, login, meeting_id, asked, address)
        if admitted is not None:
            return admitted, True
    user: Caller | None = await identify(socket)
    if user is None or user.held_back:
        raise _Refused(NOT_LOGGED_IN, "")
    language = current_language.get()
    return await live.admission.by_database(user, meeting_id, asked, language, address), False


def is_own_origin(socket: LiveSocket, settings: Settings) -> bool:
    """Whether a page of this server opened the line; programs that are no browser send no origin.

    No CSRF token guards a websocket, and a browser sends the cookie along from any page.
    """
    origin = socket.headers.get("origin")
    if origin is None:
        return True
    if origin.rstrip("/") == settings.effective_public_url:
        return True
    return urlsplit(origin).netloc == socket.headers.get("host", "")


HANDLERS = [live_meeting]
