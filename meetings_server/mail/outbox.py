"""The outbox: mail is written in the commit of the change it tells of, and is the delivery ledger.

A message is stored once with what all its recipients read (`OutboxMessage.facts`); each recipient
is one row of `OutboxDelivery`, written by one INSERT … SELECT whatever their number. The text and
the calendar part are made when a delivery is sent or looked at.

A delivery moves queued → sending → sent; or back to queued with a later `due_at`; or to failed. Where
no mail server is set it is kept; a unit without an address is there as `no_address`, so that it can
be seen and told by telephone. Pushes to browsers are lines of the same ledger.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    SQLColumnExpression,
    String,
    UniqueConstraint,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from rooms.hierarchy import Unit
from rooms.kernel import Base, Event, record
from rooms.meetings import Participation


class DeliveryState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    """A sender has taken it; after `claimed_until` another may."""
    SENT = "sent"
    """The mail server has accepted it."""
    FAILED = "failed"
    """Refused for good, or not accepted within a day."""
    KEPT = "kept"
    """There was no mail server to give it to."""
    NO_ADDRESS = "no_address"
    SUPERSEDED = "superseded"
    """Not sent: newer mail about the same invitation came first."""
    EXPIRED = "expired"
    """Not sent: what it tells of was over."""


class Channel(StrEnum):
    """By which way a delivery goes."""

    MAIL = "mail"
    PUSH = "push"
    """To a browser, see `push`; its recipient is `device:5`, and its address is not told here."""


class OutboxMessage(Base):
    """What one event has to say, to however many recipients."""

    __tablename__ = "outbox_message"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    """Names the occasion: the same one is never written twice."""
    kind: Mapped[str]
    """Which letter it is, see `letters`."""
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    """The unit that speaks: the host of the meeting, the sender of the document."""
    meeting_id: Mapped[int | None] = mapped_column(ForeignKey("meeting.id"), index=True)
    subject: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """As they were in this commit; what changes later is later mail."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    """From then on it is no longer worth sending."""


class OutboxDelivery(Base):
    """A message to one recipient: a line of the ledger."""

    __tablename__ = "outbox_delivery"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("outbox_message.id"))
    recipient: Mapped[str]
    """Who it is within the message: `invitation:12`, `unit:7`, `person:3`."""
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    participation_id: Mapped[int | None] = mapped_column(ForeignKey("participation.id"), index=True)
    name: Mapped[str]
    address: Mapped[str]
    language: Mapped[str]
    own: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Facts that only this recipient reads."""
    state: Mapped[str]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str] = mapped_column(default="")
    claimed_until: Mapped[datetime | None]
    claimed_by: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[datetime | None]
    channel: Mapped[str] = mapped_column(server_default=Channel.MAIL.value)
    points: Mapped[int] = mapped_column(server_default="0")
    """How many bridge points a notice is about for this recipient."""

    message: Mapped[OutboxMessage] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("message_id", "recipient"),
        Index(None, "channel", "state", "due_at"),
        Index(None, "address"),
        # The mailboxes of a unit are counted from the index alone.
        Index(None, "unit_id", "address"),
    )


@dataclass(frozen=True)
class MailQueued(Event):
    """There is mail to send: wakes the sender once it is committed."""

    message_id: int


@dataclass(frozen=True, slots=True)
class Post:
    """A message about to be written."""

    key: str
    kind: str
    unit_id: int
    subject: str
    facts: Mapping[str, Any]
    at: datetime
    meeting_id: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Addressee:
    """A recipient who is named one by one; without an address the ledger says so."""

    recipient: str
    name: str
    address: str | None
    unit_id: int | None = None
    participation_id: int | None = None
    language: str = "vi"
    own: Mapping[str, Any] = field(default_factory=dict)


def post(session: Session, message: Post, to: Iterable[Addressee]) -> int:
    """Write a message to recipients named one by one: two statements. Returns the message's id."""
    message_id = write_message(session, message)
    rows = [
        {
            "message_id": message_id,
            "recipient": addressee.recipient,
            "unit_id": addressee.unit_id,
            "participation_id": addressee.participation_id,
            "name": addressee.name,
            "address": addressee.address or "",
            "language": addressee.language,
            "own": dict(addressee.own),
            "state": (
                DeliveryState.QUEUED if addressee.address else DeliveryState.NO_ADDRESS
            ).value,
            "due_at": message.at,
            "attempts": 0,
            "last_error": "",
            "claimed_by": "",
        }
        for addressee in to
    ]
    if rows:
        session.execute(insert(OutboxDelivery), rows)
    return message_id


def post_to_invited(session: Session, message: Post, *wanted: ColumnElement[bool]) -> int:
    """Write a message to the official addresses of invited units: two statements, any number.

    `wanted` are conditions on `Participation` and `Unit`. Returns the message's id.
    """
    message_id = write_message(session, message)
    write_lines(
        session,
        invited_lines(literal(message_id), message.at)
        .join_from(Participation, Unit, Unit.id == Participation.unit_id)
        .where(*wanted)
        .order_by(Participation.id),
    )
    return message_id


def invited_lines(message_id: ColumnElement[int], at: datetime) -> Select[Any]:
    """Lines of a message from `at` on, one for each `Participation`, to its `Unit`; yet to be joined."""
    return ledger_lines(
        at,
        message_id=message_id,
        recipient=literal("invitation:").concat(cast(Participation.id, String)),
        unit_id=Participation.unit_id,
        participation_id=Participation.id,
        name=Unit.name,
        address=func.coalesce(Unit.email, ""),
        language=literal("vi"),
    )


def ledger_lines(
    at: datetime,
    *,
    address: ColumnElement[str],
    own: Mapping[str, Any] | None = None,
    by_mail: bool = True,
    **columns: SQLColumnExpression[Any],
) -> Select[Any]:
    """Lines of the ledger that are due at `at`, one for each row that the caller joins to it.

    Only what goes by mail needs an address.
    """
    queued = literal(DeliveryState.QUEUED.value)
    without = (address == "", DeliveryState.NO_ADDRESS.value)
    values: dict[str, SQLColumnExpression[Any]] = {
        **columns,
        "address": address,
        "own": literal(dict(own or {}), JSON),
        "state": case(without, else_=queued) if by_mail else queued,
        "due_at": literal(at, OutboxDelivery.due_at.type),
        "attempts": literal(0),
        "last_error": literal(""),
        "claimed_by": literal(""),
    }
    labelled: list[Any] = [value.label(name) for name, value in values.items()]
    return select(*labelled)


def write_lines(session: Session, rows: Select[Any]) -> None:
    """Write what a SELECT of `ledger_lines` finds: one statement, any number."""
    names = list(rows.selected_columns.keys())
    session.execute(insert(OutboxDelivery).from_select(names, rows, include_defaults=False))


def supersede(session: Session, meeting_id: int, before: int) -> None:
    """What waits about a meeting and is older than a message goes to nobody the message goes to.

    An invitation that is sent late must not arrive after its own cancellation.
    """
    newer = select(OutboxDelivery.recipient).where(OutboxDelivery.message_id == before)
    older = select(OutboxMessage.id).where(
        OutboxMessage.meeting_id == meeting_id, OutboxMessage.id < before
    )
    session.execute(
        update(OutboxDelivery)
        .where(
            OutboxDelivery.state == DeliveryState.QUEUED.value,
            OutboxDelivery.message_id.in_(older),
            OutboxDelivery.recipient.in_(newer),
        )
        .values(state=DeliveryState.SUPERSEDED.value)
        .execution_options(synchronize_session=False)
    )


def write_message(session: Session, message: Post) -> int:
    """The message alone, its recipients follow. Returns its id."""
    row = OutboxMessage(
        key=message.key,
        kind=message.kind,
        unit_id=message.unit_id,
        meeting_id=message.meeting_id,
        subject=message.subject,
        facts=dict(message.facts),
        created_at=message.at,
        expires_at=message.expires_at,
    )
    session.add(row)
    session.flush()
    record(session, MailQueued(row.id))
    return row.id
