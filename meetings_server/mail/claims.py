"""Who may send what now: deliveries are claimed, and what became of them is written down.

Each function is one short transaction; nothing here talks to a mail server. A claim ends by itself
after `LEASE`, so that what a crashed process held is sent by another. Two processes never hold the
same delivery: PostgreSQL skips rows that another one is locking, SQLite lets one writer in at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, update
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.mail.letters import Recipient
from meetings_server.mail.outbox import Channel, DeliveryState, OutboxDelivery, OutboxMessage
from rooms.bridge_points import BridgePoint
from rooms.meetings import Participation, Reply

LEASE = timedelta(minutes=5)
RETRY_AFTER = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 180, 360, 720))
"""Waits between attempts: about a day together, then the delivery has failed."""
JITTER = 0.2
"""Share of a wait that is added at random, lest hundreds of retries come at once."""
LONGEST_ERROR = 500

_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery with all that is needed to write it."""

    id: int
    key: str
    kind: str
    subject: str
    facts: Mapping[str, Any]
    written_at: datetime
    address: str
    line: str
    """Who it is within the message: `unit:7`, `person:3`, `device:5`."""
    expires_at: datetime | None
    recipient: Recipient
    answer: Reply
    attempts: int = 0
    claimed_until: datetime | None = None
    parcel_of: int = field(default=0)
    """Id of the message."""


def parcels(
    *wanted: ColumnElement[bool],
) -> Select[OutboxDelivery, OutboxMessage, str, str]:
    """The columns of parcels; read them with `as_parcel`."""
    return (
        select(OutboxDelivery, OutboxMessage, Participation.reply, BridgePoint.name)
        .join(OutboxMessage, OutboxMessage.id == OutboxDelivery.message_id)
        .outerjoin(Participation, Participation.id == OutboxDelivery.participation_id)
        .outerjoin(BridgePoint, BridgePoint.id == Participation.point_id)
        .where(*wanted)
    )


def as_parcel(row: Sequence[Any]) -> Parcel:
    delivery: OutboxDelivery = row[0]
    message: OutboxMessage = row[1]
    return Parcel(
        id=delivery.id,
        key=message.key,
        kind=message.kind,
        subject=message.subject,
        facts=message.facts,
        written_at=message.created_at,
        address=delivery.address,
        line=delivery.recipient,
        expires_at=message.expires_at,
        recipient=Recipient(
            name=delivery.name,
            language=delivery.language,
            participation_id=delivery.participation_id,
            point=row[3] or "",
            own=delivery.own,
            points=delivery.points,
        ),
        answer=Reply(row[2] or Reply.PENDING.value),
        attempts=delivery.attempts,
        claimed_until=delivery.claimed_until,
        parcel_of=message.id,
    )


def _ready(now: datetime, channel: Channel) -> ColumnElement[bool]:
    return and_(
        OutboxDelivery.channel == channel.value,
        or_(
            and_(OutboxDelivery.state == DeliveryState.QUEUED.value, OutboxDelivery.due_at <= now),
            and_(
                OutboxDelivery.state == DeliveryState.SENDING.value,
                OutboxDelivery.claimed_until <= now,
            ),
        ),
    )


def anything_ready(db: Database, now: datetime, channel: Channel = Channel.MAIL) -> bool:
    """Whether a claim would find something; reads only, so that idling never waits for a writer."""
    ready = select(OutboxDelivery.id).where(_ready(now, channel)).limit(1)
    with db.reader() as session:
        return session.scalar(ready) is not None


def claim(
    db: Database, sender: str, now: datetime, most: int, channel: Channel = Channel.MAIL
) -> list[Parcel]:
    """Take up to `most` deliveries of a channel that are due, the longest due first.

    What has expired meanwhile is marked so and not taken.
    """
    with db.transaction() as session:
        ids = session.scalars(
            select(OutboxDelivery.id)
            .where(_ready(now, channel))
            .order_by(OutboxDelivery.due_at, OutboxDelivery.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        ).all()
        over = set(
            session.scalars(
                select(OutboxDelivery.id)
                .join(OutboxMessage, OutboxMessage.id == OutboxDelivery.message_id)
                .where(OutboxDelivery.id.in_(ids), OutboxMessage.expires_at <= now)
            )
        )
        _set(session, list(over), state=DeliveryState.EXPIRED.value)
        mine = [delivery_id for delivery_id in ids if delivery_id not in over]
        _set(
            session,
            mine,
            state=DeliveryState.SENDING.value,
            claimed_by=sender,
            claimed_until=now + LEASE,
        )
        rows = session.execute(
            parcels(OutboxDelivery.id.in_(mine)).order_by(OutboxDelivery.due_at, OutboxDelivery.id)
        ).all()
        return [as_parcel(row) for row in rows]


def _set(session: Session, ids: list[int], **values: Any) -> None:
    if ids:
        session.execute(
            update(OutboxDelivery)
            .where(OutboxDelivery.id.in_(ids))
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def accepted(db: Database, sender: str, parcel: Parcel, now: datetime) -> None:
    """The mail server has taken it."""
    _settle(
        db,
        sender,
        parcel,
        state=DeliveryState.SENT.value,
        attempts=parcel.attempts + 1,
        sent_at=now,
        last_error="",
    )


def refused(
    db: Database,
    sender: str,
    parcel: Parcel,
    now: datetime,
    error: str,
    *,
    for_good: bool,
    at_least: timedelta = timedelta(0),
) -> None:
    """It was not taken: try again later, or never where it was `for_good` or a day has passed.

    `at_least`: how long the other side wants to be left alone.
    """
    attempts = parcel.attempts + 1
    if for_good or attempts > len(RETRY_AFTER):
        state, due_at = DeliveryState.FAILED, now
    else:
        wait = max(RETRY_AFTER[parcel.attempts], at_least)
        state, due_at = DeliveryState.QUEUED, now + wait * (1 + JITTER * _random.random())
    _settle(
        db,
        sender,
        parcel,
        state=state.value,
        due_at=due_at,
        attempts=attempts,
        last_error=error[:LONGEST_ERROR],
    )


def _settle(db: Database, sender: str, parcel: Parcel, **values: Any) -> None:
    with db.connection() as connection:
        connection.execute(
            update(OutboxDelivery)
            # A claim that has run out may be another sender's by now.
            .where(OutboxDelivery.id == parcel.id, OutboxDelivery.claimed_by == sender)
            .values(claimed_by="", claimed_until=None, **values)
        )


def give_back(db: Database, sender: str, untouched: Sequence[Parcel]) -> None:
    """Claimed and not tried: due as before."""
    if not untouched:
        return
    with db.connection() as connection:
        connection.execute(
            update(OutboxDelivery)
            .where(
                OutboxDelivery.id.in_([parcel.id for parcel in untouched]),
                OutboxDelivery.claimed_by == sender,
                OutboxDelivery.state == DeliveryState.SENDING.value,
            )
            .values(claimed_by="", claimed_until=None, state=DeliveryState.QUEUED.value)
        )


def keep_all(db: Database, channel: Channel = Channel.MAIL) -> int:
    """There is no mail server, or push is off: what waits is kept and shown. Returns how many."""
    with db.connection() as connection:
        return connection.execute(
            update(OutboxDelivery)
            .where(
                OutboxDelivery.state == DeliveryState.QUEUED.value,
                OutboxDelivery.channel == channel.value,
            )
            .values(state=DeliveryState.KEPT.value)
        ).rowcount
