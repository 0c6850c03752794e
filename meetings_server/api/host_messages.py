"""Messages of the host to the points of a meeting, and their receipts, for programs."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.api.idempotency import IdempotencyKey, once
from meetings_server.database import Database
from meetings_server.live.running import receipt_soon
from rooms.host_messages import (
    LONGEST_MESSAGE,
    LONGEST_REASON,
    Aim,
    NewMessage,
    correct,
    meeting_to_address,
    send,
    withdraw,
)
from rooms.kernel import LARGEST_ID, civil_day, utcnow
from rooms.message_receipts import (
    PointReceipt,
    Receipts,
    Sent,
    one_sent,
    receipts_of,
    sent,
)

MOST = 1_000

_Words = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_MESSAGE)]


class MessageIn(msgspec.Struct, forbid_unknown_fields=True):
    """A message; `level`, `unit` (a code, with all below it) or `point` (an id) as the aim asks for."""

    text: _Words
    aim: Aim = Aim.ALL
    level: Annotated[str, msgspec.Meta(max_length=20)] = ""
    unit: Annotated[str, msgspec.Meta(max_length=20)] = ""
    point: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)] | None = None
    to_confirm: bool = True


class CorrectionIn(msgspec.Struct, forbid_unknown_fields=True):
    """What takes the place of the text."""

    text: _Words


class WithdrawalIn(msgspec.Struct, forbid_unknown_fields=True):
    """Why it does not hold any more."""

    reason: Annotated[str, msgspec.Meta(max_length=LONGEST_REASON)] = ""


class ReceiptIn(msgspec.Struct, forbid_unknown_fields=True):
    """That a message was shown at a point, or acknowledged there."""

    point: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
    acknowledged: bool = False


class MessageOut(msgspec.Struct):
    """A message with the counts of its receipts."""

    id: int
    text: str
    aim: Aim
    level: str
    unit_name: str
    point: int | None
    to_confirm: bool
    points: int
    shown: int
    acknowledged: int
    sent_at: datetime
    sent_by: int
    withdrawn_at: datetime | None
    corrects: int | None
    replaced_by: int | None


class MessagesOut(msgspec.Struct):
    """The newest first."""

    items: list[MessageOut]


class PointReceiptOut(msgspec.Struct):
    """What a point did with a message; both times missing: it has not seen it."""

    point: int
    unit: str
    shown_at: datetime | None
    acknowledged_at: datetime | None


class ReceiptsOut(msgspec.Struct):
    """In the order of the points' ids. `next_after` is there when more follow."""

    items: list[PointReceiptOut]
    next_after: int | None = None


class Receipted(msgspec.Struct):
    """Whether the message is for the point, so that the receipt was kept."""

    kept: bool


def _out(line: Sent) -> MessageOut:
    message = line.message
    return MessageOut(
        id=message.id,
        text=message.text,
        aim=Aim(message.aim),
        level=message.level,
        unit_name=line.unit,
        point=message.point_id,
        to_confirm=message.to_confirm,
        points=message.points,
        shown=line.shown,
        acknowledged=line.acknowledged,
        sent_at=message.sent_at,
        sent_by=message.sent_by,
        withdrawn_at=message.withdrawn_at,
        corrects=message.corrects_id,
        replaced_by=line.replaced_by,
    )


def _point_out(row: PointReceipt) -> PointReceiptOut:
    return PointReceiptOut(row.point_id, row.unit_code, row.shown_at, row.acknowledged_at)


@get("/meetings/{meeting_id:int}/messages", sync_to_thread=True, summary="Messages of the host")
def read_messages(request: ApiRequest, db: Database, meeting_id: Id) -> MessagesOut:
    """For those who may send them."""
    with db.reader() as session:
        meeting = meeting_to_address(session, request.user.actor, meeting_id, civil_day(utcnow()))
        return MessagesOut([_out(line) for line in sent(session, meeting.id)])


@post(
    "/meetings/{meeting_id:int}/messages",
    sync_to_thread=True,
    status_code=HTTP_201_CREATED,
    summary="Send a message to the points",
)
def send_message(
    request: ApiRequest,
    db: Database,
    meeting_id: Id,
    data: JSONBody[MessageIn],
    idempotency_key: IdempotencyKey = None,
) -> Response[MessageOut]:
    """To all points, a level, a unit with all below it, or one point; they see it at once."""
    now = utcnow()
    new = NewMessage(
        data.text, data.aim.value, data.level, data.unit, data.point, to_confirm=data.to_confirm
    )
    with db.transaction() as session:

        def work() -> tuple[int, MessageOut]:
            made = send(session, request.user.actor, meeting_id, new, now, civil_day(now))
            return HTTP_201_CREATED, _out(one_sent(session, meeting_id, made.id))

        return once(session, request, idempotency_key, data, now, work)


@post(
    "/meetings/{meeting_id:int}/messages/{message_id:int}/correct",
    sync_to_thread=True,
    status_code=HTTP_201_CREATED,
    summary="Send another text in a message's place",
)
def correct_message(
    request: ApiRequest, db: Database, meeting_id: Id, message_id: Id, data: JSONBody[CorrectionIn]
) -> MessageOut:
    now = utcnow()
    with db.transaction() as session:
        one_sent(session, meeting_id, message_id)
        made = correct(session, request.user.actor, message_id, data.text, now, civil_day(now))
        return _out(one_sent(session, meeting_id, made.id))


@post(
    "/meetings/{meeting_id:int}/messages/{message_id:int}/withdraw",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Take a message back",
)
def withdraw_message(
    request: ApiRequest, db: Database, meeting_id: Id, message_id: Id, data: JSONBody[WithdrawalIn]
) -> MessageOut:
    now = utcnow()
    with db.transaction() as session:
        one_sent(session, meeting_id, message_id)
        withdraw(session, request.user.actor, message_id, data.reason, now, civil_day(now))
        return _out(one_sent(session, meeting_id, message_id))


@get(
    "/meetings/{meeting_id:int}/messages/{message_id:int}/receipts",
    sync_to_thread=True,
    summary="What each point did with a message",
)
def read_receipts(
    request: ApiRequest,
    db: Database,
    meeting_id: Id,
    message_id: Id,
    missing: Annotated[
        bool, QueryParameter(description="Only points of which more is expected")
    ] = False,
    after: Annotated[int, QueryParameter(ge=0, le=LARGEST_ID)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST)] = MOST,
) -> ReceiptsOut:
    """Pages of at most 1,000 points."""
    with db.reader() as session:
        meeting = meeting_to_address(session, request.user.actor, meeting_id, civil_day(utcnow()))
        line = one_sent(session, meeting.id, message_id)
        rows = receipts_of(
            session, meeting, line.message, missing=missing, after=after, most=limit + 1
        )
        more = len(rows) > limit
        return ReceiptsOut(
            [_point_out(row) for row in rows[:limit]], rows[limit - 1].point_id if more else None
        )


@post(
    "/meetings/{meeting_id:int}/messages/{message_id:int}/receipts",
    status_code=HTTP_200_OK,
    summary="Receipt a message for a point",
)
async def give_receipt(
    request: ApiRequest, meeting_id: Id, message_id: Id, data: JSONBody[ReceiptIn]
) -> Receipted:
    """For programs that stand in for a check-in page. What was first stays."""
    this = frozenset({message_id})
    given = Receipts(
        meeting_id,
        data.point,
        request.user.actor.person_id,
        shown=this,
        acknowledged=this if data.acknowledged else frozenset(),
    )
    return Receipted(bool(await receipt_soon(request.app, request.user.actor, given)))


HANDLERS = [
    correct_message,
    give_receipt,
    read_messages,
    read_receipts,
    send_message,
    withdraw_message,
]
