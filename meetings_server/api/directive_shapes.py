"""The shapes of directives, their receipts and their way, as programs see them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from meetings_server.api.calls import Code
from meetings_server.api.meeting_shapes import Audience, Instant, WithInstants
from minutes.directives import Directive, DirectiveFile, Secrecy, Urgency
from minutes.issuing import HIGHEST_NUMBER, LONGEST_NAME, LONGEST_SYMBOL, LONGEST_TITLE
from minutes.kinds import DocumentKind
from minutes.progress import Counts, Progress, Stop
from minutes.receipts import Receipt
from rooms.kernel import LARGEST_ID

Unset = msgspec.UnsetType
FileNumber = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
Number = Annotated[int, msgspec.Meta(ge=1, le=HIGHEST_NUMBER)]


class DirectiveIn(WithInstants, forbid_unknown_fields=True):
    """What makes a draft. `secrecy` has to be declared; a state secret is refused unread."""

    issuing_unit: Code
    kind: DocumentKind
    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_SYMBOL)]
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TITLE)]
    signed_by_name: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
    document_date: date
    secrecy: Secrecy
    signed_by_title: Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)] = ""
    urgency: Urgency = Urgency.NORMAL
    number: Number | None = None
    deadline: Instant | None = None
    meeting: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)] | None = None


class DirectivePatch(WithInstants, forbid_unknown_fields=True):
    """The fields of a draft to change; what is left out stays."""

    issuing_unit: Code | Unset = msgspec.UNSET
    kind: DocumentKind | Unset = msgspec.UNSET
    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_SYMBOL)] | Unset = (
        msgspec.UNSET
    )
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TITLE)] | Unset = (
        msgspec.UNSET
    )
    signed_by_name: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)] | Unset = (
        msgspec.UNSET
    )
    signed_by_title: Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)] | Unset = msgspec.UNSET
    document_date: date | Unset = msgspec.UNSET
    secrecy: Secrecy | Unset = msgspec.UNSET
    urgency: Urgency | Unset = msgspec.UNSET
    number: Number | Unset | None = msgspec.UNSET
    deadline: Instant | Unset | None = msgspec.UNSET
    meeting: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)] | Unset | None = msgspec.UNSET
    remove_files: Annotated[list[FileNumber], msgspec.Meta(max_length=100)] = msgspec.field(
        default_factory=list
    )
    """Numbers `n`; the files that stay are numbered anew, in their order."""
    version: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)] | None = None
    """The version the change is based on; another one is refused with 409."""


class IssueIn(msgspec.Struct, forbid_unknown_fields=True):
    """Without a number that of the draft, or the register's next."""

    number: Number | None = None


class CirculateIn(WithInstants, forbid_unknown_fields=True):
    """`from_unit`: a recipient that passes the directive on to its own subtree."""

    audience: Audience
    deadline: Instant | None = None
    from_unit: Code | None = None


class RecallIn(msgspec.Struct, forbid_unknown_fields=True):
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class ReceiptIn(msgspec.Struct, forbid_unknown_fields=True):
    """How far the directive has come at a unit; what was noted first stays."""

    unit: Code
    step: Literal["received", "read", "acknowledged"]
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class FileOut(msgspec.Struct):
    """`n` counts from 1, the document itself; `size` in bytes."""

    n: int
    filename: str
    media_type: str
    size: int
    sha256: str


class DirectiveOut(msgspec.Struct):
    """A directive; `number` is null until it is issued. `version` rises with a draft's changes."""

    id: int
    version: int
    kind: str
    number: int | None
    symbol: str
    number_symbol: str
    title: str
    issuing_unit: str
    signed_by_name: str
    signed_by_title: str
    document_date: date
    urgency: str
    deadline: datetime | None
    meeting: int | None
    state: str
    issued_at: datetime | None
    recalled_at: datetime | None
    recall_reason: str
    files: list[FileOut]


class SentOut(msgspec.Struct):
    """Codes of the units that had not had it before, and how many had."""

    added: list[str]
    already: int


class ReceiptOut(msgspec.Struct):
    """One recipient unit. `late`: past its deadline without confirmation.

    `taken_over`: names of units that ended without having confirmed it.
    """

    unit: str
    name: str
    step: str
    sent_at: datetime
    received_at: datetime | None
    read_at: datetime | None
    acknowledged_at: datetime | None
    note: str
    deadline: datetime | None
    late: bool
    taken_over: list[str] = []


class CountsOut(msgspec.Struct):
    """Units; each step contains those beyond it."""

    sent: int
    received: int
    read: int
    acknowledged: int
    late: int


class BranchOut(msgspec.Struct):
    """The recipients below a unit, itself not among them; as it stood when they were sent it."""

    unit: str
    name: str
    counts: CountsOut


class CirculationOut(msgspec.Struct):
    """The way of a directive, as far as the caller may see it."""

    total: CountsOut
    by_level: dict[str, CountsOut]
    by_parent: list[BranchOut]
    receipts: list[ReceiptOut]


def shape_file(file: DirectiveFile) -> FileOut:
    return FileOut(file.n, file.filename, file.media_type, file.size, file.sha256)


def shape_directives(session: Session, directives: Sequence[Directive]) -> list[DirectiveOut]:
    """With units and files, which are read here; two statements for any number."""
    ids = [one.id for one in directives]
    units = dict[int, Any](
        (one.id, one.issuing_unit.code)
        for one in session.scalars(
            select(Directive)
            .where(Directive.id.in_(ids))
            .options(joinedload(Directive.issuing_unit))
            .execution_options(populate_existing=True)
        )
    )
    files: dict[int, list[FileOut]] = {}
    for file in session.scalars(
        select(DirectiveFile).where(DirectiveFile.directive_id.in_(ids)).order_by(DirectiveFile.n)
    ):
        files.setdefault(file.directive_id, []).append(shape_file(file))
    return [
        DirectiveOut(
            id=one.id,
            version=one.version,
            kind=one.kind,
            number=one.number,
            symbol=one.symbol,
            number_symbol=one.number_symbol,
            title=one.title,
            issuing_unit=units[one.id],
            signed_by_name=one.signed_by_name,
            signed_by_title=one.signed_by_title,
            document_date=one.document_date,
            urgency=one.urgency,
            deadline=one.deadline,
            meeting=one.meeting_id,
            state=one.state,
            issued_at=one.issued_at,
            recalled_at=one.recalled_at,
            recall_reason=one.recall_reason,
            files=files.get(one.id, []),
        )
        for one in directives
    ]


def shape_counts(counts: Counts) -> CountsOut:
    return CountsOut(counts.sent, counts.received, counts.read, counts.acknowledged, counts.late)


def shape_progress(found: Progress) -> CirculationOut:
    stops: list[Stop] = []
    for branch in found.branches:
        stops += ([branch.own] if branch.own else []) + branch.stops
    return CirculationOut(
        shape_counts(found.total),
        {level: shape_counts(counts) for level, counts in found.by_level.items()},
        [
            BranchOut(branch.code, branch.name, shape_counts(branch.counts))
            for branch in found.branches
            if branch.stops
        ],
        [
            ReceiptOut(
                stop.code,
                stop.name,
                stop.step.value,
                stop.sent_at,
                stop.received_at,
                stop.read_at,
                stop.acknowledged_at,
                stop.note,
                stop.deadline,
                stop.late,
                list(stop.taken_over),
            )
            for stop in stops
        ],
    )


def shape_receipt(session: Session, receipt: Receipt, now: datetime) -> ReceiptOut:
    row = session.scalars(
        select(Receipt)
        .where(Receipt.directive_id == receipt.directive_id, Receipt.unit_id == receipt.unit_id)
        .options(joinedload(Receipt.unit), joinedload(Receipt.circulation))
        .execution_options(populate_existing=True)
    ).one()
    deadline = row.circulation.deadline
    return ReceiptOut(
        row.unit.code,
        row.unit.name,
        row.step.value,
        row.sent_at,
        row.received_at,
        row.read_at,
        row.acknowledged_at,
        row.note,
        deadline,
        deadline is not None and row.acknowledged_at is None and deadline <= now,
    )
