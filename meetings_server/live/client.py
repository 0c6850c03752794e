"""What a client says on its line: check-ins and receipts, each answered after its commit, within limits.

Messages are taken as they come, without waiting. Only where the database has to be asked, for the
rights once a minute and for the reason of a refusal, the line is held for that moment.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from meetings_server.api.scopes import LIVE_CHECK_IN
from meetings_server.errors import sentence
from meetings_server.faults import fault_of
from meetings_server.i18n import _, current_language
from meetings_server.identity.tokens import ScopeMissing
from meetings_server.live import frames
from meetings_server.live.admission import Admitted, writable
from meetings_server.live.group_commit import PASSING, Result, TooManyAtOnce
from meetings_server.live.hub import Subscriber
from meetings_server.live.lines import Line
from meetings_server.live.running import Live
from meetings_server.live.wire import FLOOD
from rooms.attendance import CheckIn, Source
from rooms.kernel import LARGEST_ID, DomainError
from rooms.message_receipts import Receipts

log = logging.getLogger(__name__)

LONGEST_MESSAGE = 8_192
MOST_IN_FLIGHT = 256
"""Messages of one line that wait for their commit; then it is not read until some are answered."""
REMEMBERED = 1_000
"""Answers that are kept for a message that comes again with the same id."""
RIGHTS_SECONDS = 60.0
"""How long what somebody may check in is taken to be the same."""
FEW = 2
"""Points whose rights are looked up one by one; who speaks for more gets all of them looked up."""

MOST_STRIKES = 1_000
"""A line that has earned so many is closed; each is forgotten after `FORGIVEN` seconds."""
FORGIVEN = 0.1
OF_A_MISTAKE, OF_A_REFUSAL, OF_A_FLOOD = 20, 5, 1
MOST_OF_A_POINT = 1_000
"""Messages about one point on one line within `WINDOW` seconds."""
WINDOW = 10.0
MOST_RECEIPTS = 100
"""Of one message."""

_Id = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
_Ids = Annotated[frozenset[_Id], msgspec.Meta(max_length=MOST_RECEIPTS)]


class CheckInMessage(msgspec.Struct, tag_field="type", tag="check_in", forbid_unknown_fields=True):
    """What a client sends. The same `id` on the same line again gets the first answer."""

    point: _Id
    state: str
    id: msgspec.Raw = msgspec.Raw(b"null")
    headcount: int | None = None
    head_of_delegation: str | None = None
    note: str | None = None
    observed_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    trouble: Annotated[str, msgspec.Meta(max_length=20)] = ""
    """What help is needed with."""


class ReceiptMessage(msgspec.Struct, tag_field="type", tag="receipt", forbid_unknown_fields=True):
    """That messages of the host were shown at a point, or acknowledged there."""

    point: _Id
    id: msgspec.Raw = msgspec.Raw(b"null")
    shown: _Ids = frozenset()
    acknowledged: _Ids = frozenset()


class OnlyId(msgspec.Struct):
    """As much of a wrong message as is needed to answer it."""

    id: msgspec.Raw = msgspec.Raw(b"null")


Message = CheckInMessage | ReceiptMessage

_decode: Callable[[str], Message] = msgspec.json.Decoder(Message).decode
_decode_id = msgspec.json.Decoder(OnlyId).decode


class Client:
    """The client of one line, from the moment it was let in."""

    __slots__ = (
        "_admitted",
        "_answers",
        "_counted",
        "_counted_until",
        "_flight",
        "_held",
        "_line",
        "_live",
        "_looked_up",
        "_mistakes",
        "_strikes",
        "_struck_at",
        "_subscriber",
        "_task",
        "_writable",
        "_writable_until",
    )

    def __init__(self, live: Live, admitted: Admitted, line: Line, subscriber: Subscriber) -> None:
        self._live = live
        self._admitted = admitted
        self._line = line
        self._subscriber = subscriber
        self._answers: OrderedDict[bytes, bytes | None] | None = None
        self._flight = 0
        self._held: deque[str] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable: frozenset[int] = frozenset()
        self._writable_until = 0.0
        self._looked_up = 0
        self._strikes = 0.0
        self._struck_at = 0.0
        self._mistakes = 0
        self._counted: dict[int, int] | None = None
        self._counted_until = 0.0
        live.logins.enter(admitted.login, line)

    # What the line tells.

    def slow(self) -> None:
        self._live.hub.lag(self._admitted.meeting_id, self._subscriber)

    def caught_up(self) -> None:
        self._live.hub.revive(self._admitted.meeting_id, self._subscriber)

    def gone(self) -> None:
        self._live.hub.leave(self._admitted.meeting_id, self._subscriber)
        self._live.logins.leave(self._admitted.login, self._line)
        if self._task is not None:
            self._task.cancel()
        if self._mistakes:
            # Once for each line, however much it sent.
            log.warning(
                "a line sent %s messages that were refused: %s", self._mistakes, self._admitted
            )

    def fault(self, code: int, reason: str) -> None:
        log.warning("a line broke the protocol (%s, %s): %s", code, reason, self._admitted)

    def take(self, text: str | None) -> None:
        if text is None or len(text) > LONGEST_MESSAGE:
            with self._own_language():
                detail = _("A message is a JSON text of at most 8 KB.")
            self._mistake(b"null", detail)
        elif self._task is not None:
            self._held.append(text)
        else:
            self._read(text)

    def _read(self, text: str) -> None:
        """Answer a message, or begin to."""
        try:
            message = _decode(text)
        except msgspec.DecodeError as wrong:
            self._mistake(_id_of(text), str(wrong))
            return
        key = bytes(message.id)
        if self._answers and key != b"null" and key in self._answers:
            answer = self._answers[key]
            # Without an answer yet its first one is still under way.
            if answer is not None:
                self._line.write(answer)
            return
        if self._is_flood(message.point):
            self._refuse(key, TooManyAtOnce(int(WINDOW)), OF_A_FLOOD)
            return
        self._remember(key, None)
        if not self._admitted.may_check_in:
            self._refuse(key, ScopeMissing(LIVE_CHECK_IN))
        elif message.point in self._writable and self._now() < self._writable_until:
            self._submit(key, message)
        else:
            self._line.hold()
            self._task = asyncio.create_task(self._ask(key, message))

    async def _ask(self, key: bytes, message: Message) -> None:
        """Submit a message, or refuse it, by what the database says of the rights."""
        try:
            if self._now() >= self._writable_until:
                self._writable, self._looked_up = frozenset(), 0
                self._writable_until = self._now() + RIGHTS_SECONDS
            if message.point not in self._writable and self._looked_up <= FEW:
                only = message.point if self._looked_up < FEW else None
                self._looked_up += 1
                self._writable |= await asyncio.to_thread(
                    writable, self._live.db, self._admitted, only
                )
            if message.point not in self._writable:
                await asyncio.to_thread(self._admitted.require, self._live.db, message.point)
            self._submit(key, message)
        except DomainError as refusal:
            self._refuse(key, refusal)
        except SQLAlchemyError as failure:
            log.warning("the rights to a message could not be looked up", exc_info=True)
            self._fail(key, failure)
        self._task = None
        while self._held and self._task is None:
            self._read(self._held.popleft())
        if self._task is None:
            self._line.go_on()

    def _submit(self, key: bytes, message: Message) -> None:
        try:
            if isinstance(message, CheckInMessage):
                done = partial(self._answer, key, frames.ack)
                self._live.writer.submit_on_loop(self._said(message), done)
            else:
                done = partial(self._answer, key, frames.receipted)
                self._live.receipts.submit_on_loop(self._given(message), done)
        except DomainError as refusal:
            self._refuse(key, refusal)
            return
        self._flight += 1
        if self._flight == MOST_IN_FLIGHT:
            self._line.hold()

    def _said(self, message: CheckInMessage) -> CheckIn:
        door = self._admitted.door
        return CheckIn(
            meeting_id=self._admitted.meeting_id,
            point_id=message.point,
            state=message.state,
            recorded_by=self._person,
            device_id=door.device_id if door else None,
            source=Source.KIOSK if door else Source.LIVE,
            headcount=message.headcount,
            head_of_delegation=message.head_of_delegation,
            note=message.note,
            observed_at=message.observed_at,
            trouble=message.trouble,
            # No request is under way that would say these.
            on_behalf_of_id=self._admitted.actor.on_behalf_of,
            address=self._admitted.address,
        )

    def _given(self, message: ReceiptMessage) -> Receipts:
        return Receipts(
            self._admitted.meeting_id,
            message.point,
            self._person,
            message.shown | message.acknowledged,
            message.acknowledged,
        )

    @property
    def _person(self) -> int | None:
        """Who says it; a tablet at the door is nobody's."""
        return None if self._admitted.door else self._admitted.actor.person_id

    def _answer(
        self, key: bytes, built: Callable[[bytes, Result], bytes], outcome: Result | Exception
    ) -> None:
        self._flight -= 1
        if self._flight == MOST_IN_FLIGHT // 2 and self._task is None and self._line.ready:
            self._line.go_on()
        if isinstance(outcome, DomainError):
            self._refuse(key, outcome)
        elif isinstance(outcome, Exception):
            self._fail(key, outcome)
        else:
            answer = built(key, outcome)
            self._remember(key, answer)
            self._line.write(answer)

    def _refuse(self, key: bytes, refusal: DomainError, weight: int = OF_A_REFUSAL) -> None:
        with self._own_language():
            detail = sentence(refusal)
        passing = isinstance(refusal, PASSING)
        answer = frames.error(key, refusal.code, detail, again=passing)
        if passing:
            self._forget(key)
        else:
            self._remember(key, answer)
        self._line.write(answer)
        self._strike(weight)

    def _fail(self, key: bytes, failure: Exception) -> None:
        """What failed may succeed when it is sent again, so it is not remembered."""
        self._forget(key)
        fault = fault_of(failure)
        with self._own_language():
            detail = _(fault.sentence if fault else "It could not be saved. Send it again.")
        code = fault.code if fault else "internal_error"
        self._line.write(frames.error(key, code, detail, again=True))

    # Limits.

    def _mistake(self, message_id: bytes, detail: str) -> None:
        self._line.write(frames.error(message_id, "malformed", detail))
        self._strike(OF_A_MISTAKE)

    def _strike(self, weight: int) -> None:
        now = self._now()
        self._strikes = max(0.0, self._strikes - (now - self._struck_at) / FORGIVEN) + weight
        self._struck_at = now
        self._mistakes += 1
        if self._strikes > MOST_STRIKES:
            self._line.close(FLOOD, "too many messages that were refused")

    def _is_flood(self, point_id: int) -> bool:
        now = self._now()
        if self._counted is None or now > self._counted_until:
            self._counted, self._counted_until = {}, now + WINDOW
        count = self._counted[point_id] = self._counted.get(point_id, 0) + 1
        if len(self._counted) > MOST_STRIKES * WINDOW:
            self._counted.clear()
        return count > MOST_OF_A_POINT

    def _remember(self, key: bytes, answer: bytes | None) -> None:
        if key == b"null":
            return
        if self._answers is None:
            self._answers = OrderedDict()
        self._answers[key] = answer
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

    def _forget(self, key: bytes) -> None:
        if self._answers:
            self._answers.pop(key, None)

    def _now(self) -> float:
        return self._live.clock()

    def _own_language(self) -> "_Language":
        return _Language(self._admitted.language)


class _Language:
    """Callbacks run in nobody's context, and answer in the language of their client."""

    def __init__(self, language: str) -> None:
        self._language = language

    def __enter__(self) -> None:
        self._token = current_language.set(self._language)

    def __exit__(self, *_raised: object) -> None:
        current_language.reset(self._token)


def _id_of(text: str) -> bytes:
    try:
        return bytes(_decode_id(text).id)
    except msgspec.DecodeError:
        return b"null"
