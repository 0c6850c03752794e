"""Directive documents (văn bản chỉ đạo): what they are, their files, and how they get a number.

A directive is a draft of the unit that issues it, is issued with a number of that unit's register,
and may be recalled with a reason. Whom it goes to stands in `circulation`. A state secret is never
taken in: not its text, not its title, not its file; `paper_pointers` keeps where the paper lies.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from minutes.kinds import number_and_symbol
from rooms.hierarchy import Unit
from rooms.kernel import Base, Conflict, Event, Invalid, NotFound
from rooms.people import Person


class Urgency(StrEnum):
    """Độ khẩn: thường, khẩn, thượng khẩn, hỏa tốc. Source: NĐ 30/2020/NĐ-CP."""

    NORMAL = "normal"
    URGENT = "urgent"
    VERY_URGENT = "very_urgent"
    EXPRESS = "express"


class Secrecy(StrEnum):
    """Độ mật as the clerk declares it: none, mật, tối mật, tuyệt mật."""

    OPEN = "open"
    CONFIDENTIAL = "confidential"
    SECRET = "secret"  # noqa: S105 -- a degree of secrecy, no password
    TOP_SECRET = "top_secret"  # noqa: S105 -- as above


class DirectiveState(StrEnum):
    DRAFT = "draft"
    ISSUED = "issued"
    RECALLED = "recalled"


class Directive(Base):
    """One document. `year` is the register's: that of the document's date."""

    __tablename__ = "directive"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """Code of one of the 29 kinds, see `kinds`."""
    number: Mapped[int | None]
    """Given when it is issued."""
    wanted_number: Mapped[int | None]
    """What a draft asks for: the number that stands on the paper; None for the register's next."""
    symbol: Mapped[str]
    """Kind and issuer, such as `KH-UBND`."""
    year: Mapped[int]
    title: Mapped[str]
    """Trích yếu: what it is about, in one sentence."""
    folded: Mapped[str]
    """Folded title, number and symbol, signer: for the search."""
    issuing_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    signed_by_name: Mapped[str]
    signed_by_title: Mapped[str]
    document_date: Mapped[date]
    urgency: Mapped[str]
    secrecy: Mapped[str]
    """What the clerk declared; the table takes nothing but `open`."""
    deadline: Mapped[datetime | None]
    """By when recipients have to confirm, unless a round of circulation says otherwise."""
    meeting_id: Mapped[int | None] = mapped_column(ForeignKey("meeting.id"), index=True)
    state: Mapped[str] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(default=1)
    """Rises with every change of the draft; a form based on an older one is refused."""
    created_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]
    request_key: Mapped[str | None] = mapped_column(String(100))
    """Names the sending of the form: sent twice, it is still one directive."""
    issued_at: Mapped[datetime | None]
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    recalled_at: Mapped[datetime | None]
    recalled_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    recall_reason: Mapped[str] = mapped_column(default="")

    issuing_unit: Mapped[Unit] = relationship(lazy="raise")
    creator: Mapped[Person] = relationship(lazy="raise", foreign_keys=[created_by])
    files: Mapped[list["DirectiveFile"]] = relationship(
        lazy="raise", order_by="DirectiveFile.n", viewonly=True
    )

    __table_args__ = (
        UniqueConstraint("issuing_unit_id", "kind", "year", "number"),
        UniqueConstraint("created_by", "request_key"),
        CheckConstraint("secrecy = 'open'", name="no_state_secret"),
        Index(None, "document_date", "id"),
    )

    @property
    def number_symbol(self) -> str:
        """Số, ký hiệu: `57/KH-UBND`; as long as there is no number `…/KH-UBND`."""
        number = self.number if self.number is not None else self.wanted_number
        return f"…/{self.symbol}" if number is None else number_and_symbol(number, self.symbol)


class DirectiveFile(Base):
    """File number `n` of a directive, counted from 1: the document itself is 1, annexes follow.

    `size` in bytes.
    """

    __tablename__ = "directive_file"

    directive_id: Mapped[int] = mapped_column(ForeignKey("directive.id"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    filename: Mapped[str]
    sha256: Mapped[str] = mapped_column(ForeignKey("stored_file.sha256"), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str]
    added_at: Mapped[datetime]
    added_by: Mapped[int] = mapped_column(ForeignKey("person.id"))


@dataclass
class UnknownDirective(NotFound):
    """There is none, or it was not sent to a unit of the actor."""

    code: ClassVar[str] = "unknown_directive"
    directive: int


@dataclass
class UnknownDirectiveFile(NotFound):
    code: ClassVar[str] = "unknown_directive_file"
    directive: int
    n: int


@dataclass
class StateSecretRefused(Invalid):
    """The document is declared a state secret; nothing of it was kept."""

    code: ClassVar[str] = "state_secret_refused"
    secrecy: str


@dataclass
class DirectiveWrongState(Conflict):
    """The directive's state does not allow the act."""

    code: ClassVar[str] = "directive_state"
    state: str
    action: str


@dataclass
class MainFileMissing(Conflict):
    """A directive is issued with its document, not without."""

    code: ClassVar[str] = "main_file_missing"


@dataclass(frozen=True)
class DirectiveIssued(Event):
    directive_id: int


def require_state(directive: Directive, state: DirectiveState, action: str) -> None:
    if directive.state != state.value:
        raise DirectiveWrongState(directive.state, action)
