"""What lies on a desk: the registers of incoming and outgoing documents, drafts, and what waits.

A desk is a unit at which a person's own grant stands. The city's clerk governs every ward, but the
documents of the wards lie on the wards' desks.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session, aliased

from minutes.directives import Directive, DirectiveState, Urgency
from minutes.receipts import Circulation, Receipt, Step
from rooms.folding import folded_pattern
from rooms.hierarchy import Unit, UnitIds
from rooms.kernel import civil_day
from rooms.policies import Actor, Permission, granted_units

MOST_ROWS = 200

Rows = TypeVar("Rows", bound=Select[*tuple[Any, ...]])

URGENCY_ORDER = case(
    {urgency.value: place for place, urgency in enumerate(Urgency)}, value=Directive.urgency
)
SORTS: dict[str, tuple[ColumnElement[Any] | Any, ...]] = {
    "date": (Directive.document_date, Directive.id),
    "number": (Directive.number, Directive.id),
    "title": (Directive.folded, Directive.id),
    "urgency": (URGENCY_ORDER, Directive.document_date, Directive.id),
}


@dataclass(frozen=True, slots=True)
class Search:
    """What to show of a register. Empty fields leave nothing out; `page` counts from 1.

    `state`: incoming `new`, `open`, `acknowledged`, `late`, `recalled`; outgoing `issued`,
    `recalled`, `late`.
    """

    text: str = ""
    kind: str = ""
    urgency: str = ""
    state: str = ""
    sort: str = "date"
    descending: bool = True
    page: int = 1
    rows: int = 50


@dataclass(frozen=True, slots=True)
class Filed:
    """A line of a register. `step`, `unit` and `late` are those of the recipient, where it is one."""

    id: int
    kind: str
    number_symbol: str
    title: str
    issuer: str
    document_date: date
    urgency: str
    state: str
    deadline: datetime | None
    unit: str = ""
    unit_id: int | None = None
    step: Step | None = None
    late: bool = False
    sent: int = 0
    acknowledged: int = 0

    @property
    def is_new(self) -> bool:
        return self.step in {Step.SENT, Step.RECEIVED} and self.state != "recalled"


@dataclass(frozen=True, slots=True)
class Register:
    """One page of a register and how many lines it has in all."""

    lines: list[Filed]
    total: int


def incoming(session: Session, desk: UnitIds, search: Search, now: datetime) -> Register:
    """Documents sent to these units, recalled ones among them; two statements."""
    issuer = aliased(Unit)
    query = (
        select(
            Directive,
            issuer.name,
            Unit.name,
            Receipt.unit_id,
            Receipt.received_at,
            Receipt.read_at,
            Receipt.acknowledged_at,
            Circulation.deadline,
        )
        .join(Receipt, Receipt.directive_id == Directive.id)
        .join(Circulation, Circulation.id == Receipt.circulation_id)
        .join(Unit, Unit.id == Receipt.unit_id)
        .join(issuer, issuer.id == Directive.issuing_unit_id)
        .where(Receipt.unit_id.in_(desk))
    )
    recalled = Directive.state == DirectiveState.RECALLED.value
    states: dict[str, ColumnElement[bool]] = {
        "new": and_(~recalled, Receipt.read_at.is_(None)),
        "open": and_(~recalled, Receipt.acknowledged_at.is_(None)),
        "acknowledged": Receipt.acknowledged_at.is_not(None),
        "late": and_(~recalled, _late(now)),
        "recalled": recalled,
    }
    query = _narrowed(query, search, states)
    total = _count(session, query)
    lines = []
    for row in session.execute(_paged(query, search)):
        directive, issued_by, unit, unit_id, received_at, read_at, acknowledged_at, deadline = row
        lines.append(
            Filed(
                **_facts(directive, issued_by),
                deadline=deadline,
                unit=unit,
                unit_id=unit_id,
                step=_step(received_at, read_at, acknowledged_at),
                late=directive.state == DirectiveState.ISSUED.value
                and acknowledged_at is None
                and deadline is not None
                and deadline <= now,
            )
        )
    return Register(lines, total)


def outgoing(
    session: Session, desk: UnitIds, search: Search, now: datetime, *, drafts: bool = False
) -> Register:
    """Documents that these units issued, or their drafts; two statements."""
    receipts = (
        select(
            func.count().label("sent"),
            func.count(Receipt.acknowledged_at).label("acknowledged"),
        )
        .where(Receipt.directive_id == Directive.id)
        .correlate(Directive)
    )
    sent = receipts.with_only_columns(func.count()).scalar_subquery()
    acknowledged = receipts.with_only_columns(func.count(Receipt.acknowledged_at)).scalar_subquery()
    query = (
        select(Directive, Unit.name, sent, acknowledged)
        .join(Unit, Unit.id == Directive.issuing_unit_id)
        .where(
            Directive.issuing_unit_id.in_(desk),
            (Directive.state == DirectiveState.DRAFT.value) == drafts,
        )
    )
    states: dict[str, ColumnElement[bool]] = {
        "issued": Directive.state == DirectiveState.ISSUED.value,
        "recalled": Directive.state == DirectiveState.RECALLED.value,
        "late": and_(
            Directive.state == DirectiveState.ISSUED.value,
            Directive.id.in_(
                select(Receipt.directive_id)
                .join(Circulation, Circulation.id == Receipt.circulation_id)
                .where(_late(now))
            ),
        ),
    }
    query = _narrowed(query, search, states)
    total = _count(session, query)
    lines = [
        Filed(
            **_facts(directive, issued_by),
            deadline=directive.deadline,
            sent=sent_to,
            acknowledged=confirmed,
        )
        for directive, issued_by, sent_to, confirmed in session.execute(_paged(query, search))
    ]
    return Register(lines, total)


def _late(now: datetime) -> ColumnElement[bool]:
    return and_(Receipt.acknowledged_at.is_(None), Circulation.deadline <= now)


def _narrowed(query: Rows, search: Search, states: dict[str, ColumnElement[bool]]) -> Rows:
    if search.text.strip():
        query = query.where(Directive.folded.like(folded_pattern(search.text), escape="\\"))
    if search.kind:
        query = query.where(Directive.kind == search.kind)
    if search.urgency:
        query = query.where(Directive.urgency == search.urgency)
    if search.state in states:
        query = query.where(states[search.state])
    return query


def _paged(query: Rows, search: Search) -> Rows:
    columns = SORTS.get(search.sort, SORTS["date"])
    ordered = [column.desc() if search.descending else column.asc() for column in columns]
    rows = min(search.rows, MOST_ROWS)
    return query.order_by(*ordered).limit(rows).offset((search.page - 1) * rows)


def _count(session: Session, query: Select[*tuple[Any, ...]]) -> int:
    return session.scalar(query.with_only_columns(func.count())) or 0


def _facts(directive: Directive, issuer: str) -> dict[str, Any]:
    return {
        "id": directive.id,
        "kind": directive.kind,
        "number_symbol": directive.number_symbol,
        "title": directive.title,
        "issuer": issuer,
        "document_date": directive.document_date,
        "urgency": directive.urgency,
        "state": directive.state,
    }


def _step(
    received_at: datetime | None, read_at: datetime | None, acknowledged_at: datetime | None
) -> Step:
    if acknowledged_at:
        return Step.ACKNOWLEDGED
    if read_at:
        return Step.READ
    return Step.RECEIVED if received_at else Step.SENT


@dataclass(frozen=True, slots=True)
class Waiting:
    """Documents that a desk has not confirmed: how many, how many of them late, the first few."""

    count: int
    late: int
    lines: list[Filed]


def waiting_for(session: Session, actor: Actor, now: datetime, rows: int = 5) -> Waiting:
    """What waits for the actor's confirmation at their own desk, the most urgent first.

    Three statements.
    """
    desk = granted_units(actor, Permission.RECEIPT_WRITE, civil_day(now))
    late = session.scalar(
        select(func.count())
        .select_from(Receipt)
        .join(Directive, Directive.id == Receipt.directive_id)
        .join(Circulation, Circulation.id == Receipt.circulation_id)
        .where(
            Receipt.unit_id.in_(desk), Directive.state == DirectiveState.ISSUED.value, _late(now)
        )
    )
    found = incoming(session, desk, Search(state="open", sort="urgency", rows=rows), now)
    return Waiting(found.total, late or 0, found.lines)
