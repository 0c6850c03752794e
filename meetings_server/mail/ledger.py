"""The ledger as people look at it: who was told what, when it left, what went wrong, and once more.

Whoever may read the mail of a unit (`mail:read`) or manages the meetings of it (`meeting:write`) sees
what that unit has sent. What was sent to a unit is that unit's to read, as its meetings are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from meetings_server.mail.claims import Parcel, as_parcel, parcels
from meetings_server.mail.outbox import DeliveryState, MailQueued, OutboxDelivery, OutboxMessage
from rooms.folding import fold
from rooms.hierarchy import Unit
from rooms.kernel import Conflict, NotFound, civil_day, record
from rooms.policies import Actor, Permission, governed

PAGE = 50
AGAIN = (DeliveryState.FAILED, DeliveryState.KEPT, DeliveryState.NO_ADDRESS)
"""States from which a mail may be sent again."""


@dataclass
class UnknownDelivery(NotFound):
    code: ClassVar[str] = "unknown_delivery"
    delivery: int


@dataclass
class NotToRetry(Conflict):
    """It is waiting, under way, sent, or no longer worth sending; or there is no address still."""

    code: ClassVar[str] = "not_to_retry"
    state: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the ledger is filtered by; empty is everything."""

    state: DeliveryState | None = None
    recipient: str = ""
    """Part of an address or of a unit's name."""
    address: str = ""
    """Exactly this address."""
    meeting_id: int | None = None
    before: int | None = None
    """Only deliveries with a smaller id: the next page."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A page of the ledger, newest first, and how many there are in each state."""

    deliveries: Sequence[tuple[OutboxDelivery, OutboxMessage]]
    counts: dict[str, int]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Box:
    """What has been sent to one address."""

    address: str
    name: str
    count: int
    last_id: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """One mail with its line of the ledger."""

    delivery: OutboxDelivery
    message: OutboxMessage
    parcel: Parcel


def sent_by(actor: Actor, on: date) -> ColumnElement[bool]:
    """The mail an actor may look after: that of units whose mail or meetings they look after."""
    return or_(
        governed(actor, Permission.MAIL_READ, OutboxMessage.unit_id, on),
        governed(actor, Permission.MEETING_WRITE, OutboxMessage.unit_id, on),
    )


def sent_to(actor: Actor, on: date) -> ColumnElement[bool]:
    """The mail an actor may read because it went to a unit of theirs."""
    unit: InstrumentedAttribute[int | None] = OutboxDelivery.unit_id
    return governed(actor, Permission.MEETING_READ, unit, on)


def look_through(session: Session, allowed: ColumnElement[bool], asked: Asked) -> Shelf:
    """A page of what is allowed and asked for: two statements."""
    narrowed = [allowed, *_conditions(asked)]
    counts = session.execute(
        _joined(OutboxDelivery.state, func.count()).where(*narrowed).group_by(OutboxDelivery.state)
    )
    page = list(narrowed)
    if asked.state is not None:
        page.append(OutboxDelivery.state == asked.state.value)
    if asked.before is not None:
        page.append(OutboxDelivery.id < asked.before)
    rows = session.execute(
        _joined(OutboxDelivery, OutboxMessage)
        .where(*page)
        .order_by(OutboxDelivery.id.desc())
        .limit(PAGE + 1)
    ).all()
    return Shelf(
        [(row[0], row[1]) for row in rows[:PAGE]],
        {row[0]: row[1] for row in counts},
        len(rows) > PAGE,
    )


def _joined(*columns: Any) -> Select[Any]:
    return select(*columns).join_from(
        OutboxDelivery, OutboxMessage, OutboxMessage.id == OutboxDelivery.message_id
    )


def _conditions(asked: Asked) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if asked.recipient:
        found.append(
            or_(
                OutboxDelivery.address.icontains(asked.recipient, autoescape=True),
                OutboxDelivery.unit_id.in_(
                    select(Unit.id).where(
                        Unit.folded.contains(fold(asked.recipient), autoescape=True)
                    )
                ),
            )
        )
    if asked.address:
        found.append(OutboxDelivery.address == asked.address)
    if asked.meeting_id is not None:
        found.append(OutboxMessage.meeting_id == asked.meeting_id)
    return found


def boxes(session: Session, actor: Actor, asked: str, now: datetime) -> list[Box]:
    """The addresses of an actor's units, the one with the newest mail first: one statement."""
    # Grouped from the index alone; the mails themselves are read of those that are shown.
    newest = (
        select(
            OutboxDelivery.address,
            func.count().label("count"),
            func.max(OutboxDelivery.id).label("last_id"),
        )
        .where(
            sent_to(actor, civil_day(now)),
            OutboxDelivery.address != "",
            *_conditions(Asked(recipient=asked)),
        )
        .group_by(OutboxDelivery.address)
        .order_by(func.max(OutboxDelivery.id).desc())
        .limit(PAGE)
        .subquery()
    )
    rows = session.execute(
        _joined(
            newest.c.address,
            OutboxDelivery.name,
            newest.c.count,
            newest.c.last_id,
            OutboxMessage.created_at,
        )
        .join(newest, newest.c.last_id == OutboxDelivery.id)
        .order_by(newest.c.last_id.desc())
    )
    return [Box(*row) for row in rows]


def open_mail(session: Session, allowed: ColumnElement[bool], delivery_id: int) -> Opened:
    """One mail. Raises `UnknownDelivery`, also where the actor may not see it."""
    row = session.execute(parcels(OutboxDelivery.id == delivery_id, allowed)).first()
    if row is None:
        raise UnknownDelivery(delivery_id)
    return Opened(row[0], row[1], as_parcel(row))


def send_again(session: Session, actor: Actor, delivery_id: int, now: datetime) -> None:
    """Queue a mail that failed or was kept, to the unit's present address.

    Raises `UnknownDelivery`, `NotToRetry`.
    """
    allowed = sent_by(actor, civil_day(now))
    opened = open_mail(session, allowed, delivery_id)
    if not _queue(session, now, OutboxDelivery.id == delivery_id):
        raise NotToRetry(opened.delivery.state)
    record(session, MailQueued(opened.message.id))


def send_all_again(session: Session, actor: Actor, asked: Asked, now: datetime) -> int:
    """Queue every failed mail that is asked for, once more: one statement. Returns how many."""
    wanted = (
        _joined(OutboxDelivery.id)
        .where(sent_by(actor, civil_day(now)), *_conditions(asked))
        .where(OutboxDelivery.state == DeliveryState.FAILED.value)
    )
    count = _queue(session, now, OutboxDelivery.id.in_(wanted))
    if count:
        record(session, MailQueued(0))
    return count


def _queue(session: Session, now: datetime, wanted: ColumnElement[bool]) -> int:
    # The address may have been the mistake, and corrected since.
    present = (
        select(func.coalesce(func.nullif(Unit.email, ""), OutboxDelivery.address))
        .where(Unit.id == OutboxDelivery.unit_id)
        .scalar_subquery()
    )
    address = func.coalesce(present, OutboxDelivery.address)
    changed: int = session.execute(
        update(OutboxDelivery)
        .where(wanted, OutboxDelivery.state.in_([state.value for state in AGAIN]), address != "")
        .values(
            state=DeliveryState.QUEUED.value, address=address, attempts=0, due_at=now, last_error=""
        )
        .execution_options(synchronize_session=False)
    ).rowcount  # type: ignore[attr-defined]  # an UPDATE has a row count
    return changed
