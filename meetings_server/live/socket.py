"""The live line of a meeting: `/live/meetings/{id}?scope=&after=`, a websocket.

A tablet at a door has `/kiosk/live/{id}?after=` instead, which shows it its own point and nothing else.

Frames are described in `frames`; the client may send check-ins, each answered after its commit.
Closing codes: 4401 not logged in, 4403 may not see this, 4404 no such meeting, 1008 what it sends
is no message of ours, 1012 the server restarts, 1013 too many at once.
"""

import asyncio
import logging
from collections import OrderedDict
from contextvars import Context, copy_context
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from sqlalchemy.exc import SQLAlchemyError

from meetings_server.api.scopes import LIVE, LIVE_CHECK_IN
from meetings_server.database import Database
from meetings_server.errors import sentence
from meetings_server.faults import fault_of
from meetings_server.i18n import _
from meetings_server.identity.doors import DeviceLogin
from meetings_server.identity.sessions import SignedIn
from meetings_server.identity.tokens import ScopeMissing, opens
from meetings_server.live import frames
from meetings_server.live.protocol import Line, line_to, text_frame
from meetings_server.live.running import Live
from meetings_server.live.writer import Outcome, ServerStopping, TooManyAtOnce
from meetings_server.reading import read_number
from meetings_server.settings import Settings
from rooms.attendance import CheckIn, Source, require_check_in, writable_points
from rooms.bridge_points import UnknownPoint
from rooms.devices import AtTheDoor, device_scope, is_invited
from rooms.hierarchy import Tree, UnknownUnit
from rooms.kernel import LARGEST_ID, Denied, DomainError, NotFound, civil_day, utcnow
from rooms.meetings import visible_meeting
from rooms.policies import Actor
from rooms.rollup import Scope, visible_scope

log = logging.getLogger(__name__)

NOT_LOGGED_IN, NOT_ALLOWED, NO_SUCH_MEETING = 4401, 4403, 4404
NO_MESSAGE, TOO_MANY = 1008, 1013
COME_BACK_SECONDS = 15

LONGEST_MESSAGE = 8_192
MOST_IN_FLIGHT = 256
"""Check-ins of one line that wait for their commit; then it is not read until some are answered."""
MOST_MISTAKES = 50
"""Unreadable messages in the life of a line."""
REMEMBERED = 1_000
"""Answers that are kept for a message that comes again with the same id."""
RIGHTS_SECONDS = 60.0
"""How long what an actor may see and check in is taken to be the same."""
MOST_ADMITTED = 50_000

PASSING = (ServerStopping, TooManyAtOnce)
"""Refusals that hold for the moment: the same message may be sent again."""

LiveSocket = WebSocket[SignedIn | DeviceLogin | None, str | None, Any]


class CheckInMessage(msgspec.Struct, tag_field="type", tag="check_in", forbid_unknown_fields=True):
    """What a client sends. The same `id` on the same line again gets the first answer."""

    point: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
    state: str
    id: msgspec.Raw = msgspec.Raw(b"null")
    headcount: int | None = None
    head_of_delegation: str | None = None
    note: str | None = None
    observed_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class OnlyId(msgspec.Struct):
    """As much of a wrong message as is needed to answer it."""

    id: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(CheckInMessage).decode
_decode_id = msgspec.json.Decoder(OnlyId).decode


@websocket(
    ["/live/meetings/{meeting_id:int}", "/kiosk/live/{meeting_id:int}"], opt={"public": True}
)
async def live_meeting(socket: LiveSocket, meeting_id: int) -> None:
    """One client's line, from its first frame to its end."""
    # A browser learns a closing code only on a line that was opened.
    await socket.accept()
    closing = _why_not(socket, meeting_id)
    if closing is not None:
        await socket.close(*closing)
        return
    user: SignedIn | DeviceLogin = socket.scope["user"]
    after = socket.query_params.get("after", "")
    live: Live = socket.app.state.live
    if live.hub.is_full:
        await socket.close(TOO_MANY, str(COME_BACK_SECONDS))
        return
    client = _Client(socket, live, user, meeting_id)
    client.may_check_in = opens(user.scopes, LIVE_CHECK_IN)
    try:
        scope = await client.admit(socket.query_params.get("scope") or None)
        subscriber = await live.hub.join(
            meeting_id, scope, client.line, int(after) if after else None
        )
    except (Denied, NotFound) as refusal:
        may_not = isinstance(refusal, Denied | UnknownUnit)
        await socket.close(NOT_ALLOWED if may_not else NO_SUCH_MEETING, refusal.code)
        return
    except SQLAlchemyError:
        log.warning("a line could not be let in, the database does not answer", exc_info=True)
        await socket.close(TOO_MANY, str(COME_BACK_SECONDS))
        return
    try:
        with live.logins.line(user.login, partial(socket.close, NOT_LOGGED_IN, "logged out")):
            await client.listen()
    except WebSocketDisconnect:
        pass
    finally:
        live.hub.leave(meeting_id, subscriber)


def _why_not(socket: LiveSocket, meeting_id: int) -> tuple[int, str] | None:
    """Closing code and reason where a line is refused before anything is looked up."""
    user: SignedIn | DeviceLogin | None = socket.scope.get("user")
    after = socket.query_params.get("after", "")
    if not is_own_origin(socket, socket.app.state.settings):
        return NOT_ALLOWED, "origin"
    if user is None or user.held_back:
        return NOT_LOGGED_IN, ""
    if not opens(user.scopes, LIVE):
        return NOT_ALLOWED, f"scope_missing {LIVE}"
    if not 1 <= meeting_id <= LARGEST_ID:
        return NO_SUCH_MEETING, ""
    if after and read_number(after) is None:
        return NO_MESSAGE, "after is no revision"
    return None


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


class _Client:
    """The check-ins of one line."""

    def __init__(
        self, socket: LiveSocket, live: Live, user: SignedIn | DeviceLogin, meeting_id: int
    ) -> None:
        self.socket = socket
        self.live = live
        self.actor: Actor = user.actor
        self.door: AtTheDoor | None = user.door if isinstance(user, DeviceLogin) else None
        self.meeting_id = meeting_id
        self.line: Line = line_to(socket)
        self.db: Database = socket.app.state.database
        # Answers are written from a callback, in the language of the request.
        self.context: Context = copy_context()
        self.failed = _("The check-in could not be saved. Send it again.")
        self.answers: OrderedDict[bytes, bytes | None] = OrderedDict()
        self.in_flight = 0
        self.room_again = asyncio.Event()
        self.mistakes = 0
        self.writable: frozenset[int] = frozenset()
        self.writable_until = 0.0
        self.may_check_in = True
        """Whether the login itself allows it; a token may be made for watching alone."""

    async def admit(self, code: str | None) -> Scope:
        """The scope to watch. Raises `UnknownMeeting`, `UnknownUnit`, `NotPermitted`.

        What was found holds for a minute: after a cut all come back at once.
        """
        now = asyncio.get_running_loop().time()
        key = (self.actor.person_id, self.meeting_id, code)
        found = self.live.admitted.get(key)
        if found is None or found[0] < now:
            tree = await self.live.hub.tree_of(self.meeting_id)
            found = now + RIGHTS_SECONDS, await asyncio.to_thread(self._find_scope, tree, code)
            if len(self.live.admitted) >= MOST_ADMITTED:
                self.live.admitted.clear()
            self.live.admitted[key] = found
        return found[1]

    def _find_scope(self, tree: Tree, code: str | None) -> Scope:
        today = civil_day(utcnow())
        with self.db.reader() as session:
            if self.door is not None:
                if code is not None:
                    raise ScopeMissing(code)
                return device_scope(session, self.door, self.meeting_id, tree)
            meeting = visible_meeting(session, self.actor, self.meeting_id, today)
            return visible_scope(session, self.actor, meeting, tree, today, code)

    async def listen(self) -> None:
        """Take messages until the line ends; raises `WebSocketDisconnect` where the client left."""
        while True:
            event: Any = await self.socket.receive()
            if event["type"] != "websocket.receive":
                return
            text = event.get("text")
            if text is None or len(text) > LONGEST_MESSAGE:
                self._mistake(b"null", _("A message is a JSON text of at most 8 KB."))
            else:
                await self._take(text)
            if self.mistakes > MOST_MISTAKES:
                await self.socket.close(NO_MESSAGE, "no messages of this protocol")
                return
            while self.in_flight >= MOST_IN_FLIGHT:
                self.room_again.clear()
                await self.room_again.wait()

    async def _take(self, text: str) -> None:
        try:
            message = _decode(text)
        except msgspec.DecodeError as wrong:
            self._mistake(_id_of(text), str(wrong))
            return
        key = bytes(message.id)
        if key != b"null" and key in self.answers:
            answer = self.answers[key]
            # Without an answer yet its first one is still under way.
            if answer is not None:
                self._write(answer)
            return
        self._remember(key, None)
        said = CheckIn(
            meeting_id=self.meeting_id,
            point_id=message.point,
            state=message.state,
            recorded_by=None if self.door else self.actor.person_id,
            device_id=self.door.device_id if self.door else None,
            source=Source.KIOSK if self.door else Source.LIVE,
            headcount=message.headcount,
            head_of_delegation=message.head_of_delegation,
            note=message.note,
            observed_at=message.observed_at,
        )
        try:
            await self._require(message.point)
            self.live.writer.submit_on_loop(said, partial(self._answer, key))
        except DomainError as refusal:
            self._refuse(key, refusal)
        except SQLAlchemyError as failure:
            log.warning("a check-in's rights could not be looked up", exc_info=True)
            self._fail(key, failure)
        else:
            self.in_flight += 1

    async def _require(self, point_id: int) -> None:
        if not self.may_check_in:
            raise ScopeMissing(LIVE_CHECK_IN)
        loop = asyncio.get_running_loop()
        if loop.time() > self.writable_until:
            self.writable = await asyncio.to_thread(self._read_rights)
            self.writable_until = loop.time() + RIGHTS_SECONDS
        if point_id not in self.writable:
            await asyncio.to_thread(self._refuse_point, point_id)

    def _read_rights(self) -> frozenset[int]:
        with self.db.reader() as session:
            if self.door is not None:
                invited = is_invited(session, self.door, self.meeting_id)
                return frozenset({self.door.point_id} if invited else ())
            return writable_points(session, self.actor, self.meeting_id, civil_day(utcnow()))

    def _refuse_point(self, point_id: int) -> None:
        if self.door is not None:
            raise UnknownPoint(point_id)
        with self.db.reader() as session:
            require_check_in(session, self.actor, self.meeting_id, point_id, civil_day(utcnow()))

    def _answer(self, key: bytes, outcome: Outcome) -> None:
        self.in_flight -= 1
        self.room_again.set()
        if isinstance(outcome, DomainError):
            self._refuse(key, outcome)
        elif isinstance(outcome, Exception):
            self._fail(key, outcome)
        else:
            answer = frames.ack(key, outcome)
            self._remember(key, answer)
            self._write(answer)

    def _refuse(self, key: bytes, refusal: DomainError) -> None:
        answer = frames.error(key, refusal.code, self.context.run(sentence, refusal))
        if isinstance(refusal, PASSING):
            self.answers.pop(key, None)
        else:
            self._remember(key, answer)
        self._write(answer)

    def _fail(self, key: bytes, failure: Exception) -> None:
        """What failed may succeed when it is sent again, so it is not remembered."""
        self.answers.pop(key, None)
        fault = fault_of(failure)
        if fault is None:
            self._write(frames.error(key, "internal_error", self.failed))
        else:
            self._write(frames.error(key, fault.code, self.context.run(_, fault.sentence)))

    def _mistake(self, message_id: bytes, detail: str) -> None:
        self.mistakes += 1
        self._write(frames.error(message_id, "malformed", detail))

    def _remember(self, key: bytes, answer: bytes | None) -> None:
        if key == b"null":
            return
        self.answers[key] = answer
        if len(self.answers) > REMEMBERED:
            self.answers.popitem(last=False)

    def _write(self, payload: bytes) -> None:
        self.line.write(payload, text_frame(payload))


def _id_of(text: str) -> bytes:
    try:
        return bytes(_decode_id(text).id)
    except msgspec.DecodeError:
        return b"null"


HANDLERS = [live_meeting]
