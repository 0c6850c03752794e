"""Receipts: which unit has been sent a directive and how far it has come there; who may see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, ColumnElement, ForeignKey, Index, and_, or_, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from minutes.directives import (
    Directive,
    DirectiveFile,
    DirectiveState,
    DirectiveWrongState,
    UnknownDirective,
    UnknownDirectiveFile,
)
from rooms.hierarchy import Unit
from rooms.kernel import Base, NotFound
from rooms.policies import Actor, Permission, governed, granted_units, holds, require


class Step(StrEnum):
    """How far a directive has come at a unit; each step contains those before it."""

    SENT = "sent"
    RECEIVED = "received"
    READ = "read"
    ACKNOWLEDGED = "acknowledged"


class Circulation(Base):
    """One sending: by the issuing unit, or by a recipient that passes it on."""

    __tablename__ = "circulation"

    id: Mapped[int] = mapped_column(primary_key=True)
    directive_id: Mapped[int] = mapped_column(ForeignKey("directive.id"), index=True)
    from_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    rules: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """As they were said, see `rooms.audience`."""
    sent_at: Mapped[datetime]
    sent_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    on_behalf_of_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """The official for whom it was sent."""
    deadline: Mapped[datetime | None]
    """By when these recipients have to confirm."""


class Receipt(Base):
    """What became of a directive at one recipient unit. Instants are set once and stay."""

    __tablename__ = "receipt"

    directive_id: Mapped[int] = mapped_column(ForeignKey("directive.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    circulation_id: Mapped[int] = mapped_column(ForeignKey("circulation.id"), index=True)
    forwarded_from_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    """The recipient that passed it on; None where it came from the issuing unit."""
    sent_at: Mapped[datetime]
    received_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    read_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    acknowledged_on_behalf_of_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """The official for whom a secretary confirmed."""
    note: Mapped[str] = mapped_column(default="")

    circulation: Mapped[Circulation] = relationship(lazy="raise")
    unit: Mapped[Unit] = relationship(lazy="raise", foreign_keys=[unit_id])

    __table_args__ = (Index(None, "unit_id", "acknowledged_at"),)

    @property
    def step(self) -> Step:
        if self.acknowledged_at:
            return Step.ACKNOWLEDGED
        if self.read_at:
            return Step.READ
        return Step.RECEIVED if self.received_at else Step.SENT


@dataclass
class UnknownReceipt(NotFound):
    """The directive was not sent to this unit."""

    code: ClassVar[str] = "unknown_receipt"
    directive: int
    unit: str


def visible_directives(actor: Actor, on: date) -> ColumnElement[bool]:
    """The directives an actor may see: their unit issues it, or it was sent to their unit.

    Drafts are seen by those who write them, nobody else.
    """
    return or_(
        governed(actor, Permission.DIRECTIVE_WRITE, Directive.issuing_unit_id, on),
        and_(
            Directive.state != DirectiveState.DRAFT.value,
            or_(
                governed(actor, Permission.DIRECTIVE_READ, Directive.issuing_unit_id, on),
                Directive.id.in_(
                    select(Receipt.directive_id).where(
                        governed(actor, Permission.DIRECTIVE_READ, Receipt.unit_id, on)
                    )
                ),
            ),
        ),
    )


def visible_directive(
    session: Session, actor: Actor, directive_id: int, on: date, options: Sequence[Any] = ()
) -> Directive:
    """Raises `UnknownDirective`, also where the actor may not see it."""
    directive = session.scalar(
        select(Directive)
        .where(Directive.id == directive_id, visible_directives(actor, on))
        .options(*options)
    )
    if directive is None:
        raise UnknownDirective(directive_id)
    return directive


def directive_to_take(
    session: Session, actor: Actor, directive_id: int, on: date, *, sharing: bool
) -> Directive:
    """A directive the actor may see, kept from being recalled until this transaction ends.

    `sharing`: others may take it at the same time (confirmations); without it nobody else adds
    receipts meanwhile. Raises `UnknownDirective`.
    """
    visible_directive(session, actor, directive_id, on)
    return session.scalars(
        select(Directive)
        .where(Directive.id == directive_id)
        .with_for_update(read=sharing, key_share=not sharing)
        .execution_options(populate_existing=True)
    ).one()


def directive_to_change(session: Session, actor: Actor, directive_id: int, on: date) -> Directive:
    """A directive of a unit that the actor writes for, locked for this transaction.

    Raises `UnknownDirective`, also where the actor may not see it, and `NotPermitted`.
    """
    directive = directive_to_take(session, actor, directive_id, on, sharing=False)
    require(session, actor, Permission.DIRECTIVE_WRITE, directive.issuing_unit_id, on)
    return directive


def own_receipt(
    session: Session, actor: Actor, directive: Directive, unit_id: int, on: date
) -> Receipt:
    """The receipt of a unit the actor takes documents for. Raises `NotPermitted`, `UnknownReceipt`."""
    require(session, actor, Permission.RECEIPT_WRITE, unit_id, on)
    receipt = session.get(Receipt, (directive.id, unit_id), populate_existing=True)
    if receipt is None:
        raise UnknownReceipt(directive.id, f"#{unit_id}")
    return receipt


def visible_receipts(actor: Actor, on: date) -> ColumnElement[bool]:
    """The receipts an actor may see: all of what their unit issued, else their own and below."""
    return or_(
        governed(actor, Permission.DIRECTIVE_READ, Receipt.unit_id, on),
        Receipt.directive_id.in_(
            select(Directive.id).where(
                governed(actor, Permission.DIRECTIVE_READ, Directive.issuing_unit_id, on)
            )
        ),
    )


@dataclass(frozen=True, slots=True)
class ReadableFile:
    """What a download needs once the right has been checked. `size` in bytes."""

    sha256: str
    filename: str
    media_type: str
    size: int


def file_to_read(
    session: Session, actor: Actor, directive_id: int, n: int, on: date
) -> ReadableFile:
    """A file for whoever may see the directive; of a recalled one only for its issuer.

    Raises `UnknownDirective`, `UnknownDirectiveFile`, `DirectiveWrongState` where it is recalled.
    """
    directive = visible_directive(session, actor, directive_id, on)
    if directive.state == DirectiveState.RECALLED.value and not holds(
        session, actor, Permission.DIRECTIVE_READ, directive.issuing_unit_id, on
    ):
        raise DirectiveWrongState(directive.state, "download")
    file = session.get(DirectiveFile, (directive_id, n))
    if file is None:
        raise UnknownDirectiveFile(directive_id, n)
    return ReadableFile(file.sha256, file.filename, file.media_type, file.size)


@dataclass(frozen=True, slots=True)
class Rights:
    """What an actor may do with a directive that they see, beside what a recipient may."""

    writes: bool
    """Issues, circulates and recalls it."""
    reads_all: bool
    """Sees the whole way, and the files even after a recall."""


def rights_on(
    session: Session, actor: Actor, directive_id: int, on: date
) -> tuple[Directive, Rights]:
    """A directive the actor may see with its issuer and clerk, and their rights; one statement.

    Raises `UnknownDirective`.
    """
    row = session.execute(
        select(
            Directive,
            governed(actor, Permission.DIRECTIVE_WRITE, Directive.issuing_unit_id, on),
            governed(actor, Permission.DIRECTIVE_READ, Directive.issuing_unit_id, on),
        )
        .where(Directive.id == directive_id, visible_directives(actor, on))
        .options(joinedload(Directive.issuing_unit), joinedload(Directive.creator))
    ).one_or_none()
    if row is None:
        raise UnknownDirective(directive_id)
    return row[0], Rights(row[1], row[2])


def receipts_at_desk(
    session: Session, actor: Actor, directive_id: int, on: date
) -> Sequence[Receipt]:
    """The receipts at the actor's own desks, with unit and round; one statement."""
    return session.scalars(
        select(Receipt)
        .where(
            Receipt.directive_id == directive_id,
            Receipt.unit_id.in_(granted_units(actor, Permission.DIRECTIVE_READ, on)),
        )
        .options(joinedload(Receipt.unit), joinedload(Receipt.circulation))
        .order_by(Receipt.unit_id)
    ).all()
