"""Circulation (luân chuyển): who has to know a directive, who has it, read it, confirmed it.

A round sends a directive by rules over the tree, as an audience is named; each unit that is reached
has one receipt, however many rounds name it. A recipient unit passes it on to its own subtree. The
sender sees every step of everyone; a recipient sees its own and those below it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import (
    ColumnElement,
    Integer,
    and_,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from minutes.directives import Directive, DirectiveState, require_state
from minutes.issuing import require_deadline
from minutes.receipts import (
    Circulation,
    Receipt,
    Step,
    directive_to_change,
    directive_to_take,
    own_receipt,
)
from rooms.audience import Rule, RuleInvalid, units_of
from rooms.hierarchy import Node, Tree, Unit, load_tree, valid_on
from rooms.kernel import Event, Invalid, UTCDateTime, bounded_text, civil_day, record, require_text
from rooms.policies import Actor, Permission, granted_units

LONGEST_NOTE = 500
LONGEST_REASON = 500


@dataclass
class NobodyAddressed(Invalid):
    """The rules come to no unit besides the sender."""

    code: ClassVar[str] = "nobody_addressed"


@dataclass
class OutsideOwnSubtree(Invalid):
    """A recipient passes a directive on to its own subtree only; these units lie elsewhere."""

    code: ClassVar[str] = "outside_own_subtree"
    units: list[str]


@dataclass(frozen=True)
class DirectiveCirculated(Event):
    """A round went out; its receipts carry `circulation_id`."""

    directive_id: int
    circulation_id: int


@dataclass(frozen=True)
class DirectiveRecalled(Event):
    directive_id: int


@dataclass(frozen=True)
class Acknowledged(Event):
    directive_id: int
    unit_id: int


def addressed(tree: Tree, rules: Iterable[Rule], sender_id: int) -> list[Node]:
    """The units that rules come to, without the sender. Raises `RuleInvalid`."""
    chosen: dict[int, Node] = {}
    for index, rule in enumerate(rules):
        if rule.by == "point":
            raise RuleInvalid(index, "unit_expected", "point")
        nodes = units_of(tree, index, rule)
        if rule.include:
            chosen.update((node.id, node) for node in nodes)
        else:
            for node in nodes:
                chosen.pop(node.id, None)
    chosen.pop(sender_id, None)
    return list(chosen.values())


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sending came to. `added`: units that had not had it; none where all had."""

    circulation_id: int | None
    added: list[Node]
    already: int


def circulate(
    session: Session,
    actor: Actor,
    directive_id: int,
    rules: Sequence[Rule],
    deadline: datetime | None,
    now: datetime,
) -> Sent:
    """Send an issued directive to the units of the rules; who has it already is left alone.

    Without a deadline that of the directive holds. The same number of statements for one unit and
    for all. Raises `UnknownDirective`, `NotPermitted`, `DirectiveWrongState`, `NobodyAddressed`,
    `RuleInvalid`, `FieldInvalid`.
    """
    on = civil_day(now)
    directive = directive_to_change(session, actor, directive_id, on)
    require_state(directive, DirectiveState.ISSUED, "circulate")
    require_deadline(deadline, now)
    nodes = addressed(load_tree(session, on), rules, directive.issuing_unit_id)
    return _send(session, actor, directive, directive.issuing_unit_id, rules, nodes, deadline, now)


def forward(
    session: Session,
    actor: Actor,
    directive_id: int,
    from_unit_id: int,
    rules: Sequence[Rule],
    deadline: datetime | None,
    now: datetime,
) -> Sent:
    """A recipient unit passes a directive on to units below it.

    Raises as `circulate`, and `UnknownReceipt` where `from_unit_id` has not been sent it,
    `OutsideOwnSubtree`.
    """
    on = civil_day(now)
    directive = directive_to_take(session, actor, directive_id, on, sharing=False)
    receipt = own_receipt(session, actor, directive, from_unit_id, on)
    require_state(directive, DirectiveState.ISSUED, "forward")
    require_deadline(deadline, now)
    tree = load_tree(session, on)
    nodes = addressed(tree, rules, receipt.unit_id)
    below = {node.id for node in tree.subtree(receipt.unit_id)}
    outside = [node.name for node in nodes if node.id not in below]
    if outside:
        raise OutsideOwnSubtree(outside)
    return _send(session, actor, directive, receipt.unit_id, rules, nodes, deadline, now)


def _send(
    session: Session,
    actor: Actor,
    directive: Directive,
    from_unit_id: int,
    rules: Sequence[Rule],
    nodes: Sequence[Node],
    deadline: datetime | None,
    now: datetime,
) -> Sent:
    if not nodes:
        raise NobodyAddressed
    # The directive's row is locked: nobody else adds receipts between this look and the insert.
    had = set(session.scalars(select(Receipt.unit_id).where(Receipt.directive_id == directive.id)))
    added = [node for node in nodes if node.id not in had]
    if not added:
        return Sent(None, [], len(nodes))
    round_ = Circulation(
        directive_id=directive.id,
        from_unit_id=from_unit_id,
        rules=[rule.as_json() for rule in rules],
        sent_at=now,
        sent_by=actor.person_id,
        on_behalf_of_id=actor.on_behalf_of,
        deadline=deadline or directive.deadline,
    )
    session.add(round_)
    session.flush()
    came_from = None if from_unit_id == directive.issuing_unit_id else from_unit_id
    session.execute(
        insert(Receipt),
        [
            {
                "directive_id": directive.id,
                "unit_id": node.id,
                "circulation_id": round_.id,
                "forwarded_from_id": came_from,
                "sent_at": now,
                "note": "",
            }
            for node in added
        ],
    )
    record(session, DirectiveCirculated(directive.id, round_.id))
    return Sent(round_.id, added, len(nodes) - len(added))


def _desk(actor: Actor, now: datetime) -> ColumnElement[bool]:
    """The receipts of issued directives at the actor's own desks.

    A desk is a unit at which the actor's own grant stands, not one below it: the city's clerk does
    not receive for the wards.
    """
    return and_(
        Receipt.unit_id.in_(granted_units(actor, Permission.RECEIPT_WRITE, civil_day(now))),
        Receipt.directive_id.in_(
            select(Directive.id).where(Directive.state == DirectiveState.ISSUED.value)
        ),
    )


def has_new(session: Session, actor: Actor, now: datetime) -> bool:
    """Whether `receive` has something to do: most looks at a register change nothing."""
    found = select(Receipt.unit_id).where(_desk(actor, now), Receipt.received_at.is_(None))
    return session.scalar(found.limit(1)) is not None


def receive(session: Session, actor: Actor, now: datetime) -> int:
    """The clerk looks at the incoming register: what is new at their own desk has arrived.

    Returns how many.
    """
    arrived = session.execute(
        update(Receipt)
        .where(_desk(actor, now), Receipt.received_at.is_(None))
        .values(received_at=now)
        .execution_options(synchronize_session=False)
    )
    return int(arrived.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def is_unread(session: Session, actor: Actor, directive_id: int, now: datetime) -> bool:
    """Whether `open_directive` has something to do."""
    found = select(Receipt.unit_id).where(
        Receipt.directive_id == directive_id, _desk(actor, now), Receipt.read_at.is_(None)
    )
    return session.scalar(found.limit(1)) is not None


def open_directive(session: Session, actor: Actor, directive_id: int, now: datetime) -> bool:
    """The clerk opens a directive: at their own desk it is received and read, once.

    Returns whether that changed anything. Looking at a recalled one changes nothing.
    """
    changed = session.execute(
        update(Receipt)
        .where(Receipt.directive_id == directive_id, _desk(actor, now), Receipt.read_at.is_(None))
        .values(
            received_at=func.coalesce(Receipt.received_at, literal(now, UTCDateTime())),
            read_at=now,
            read_by=actor.person_id,
        )
        .execution_options(synchronize_session=False)
    )
    return bool(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def mark(
    session: Session, actor: Actor, directive_id: int, unit_id: int, step: Step, now: datetime
) -> Receipt:
    """Note that a unit has received or read a directive; what was noted first stays.

    Raises `UnknownDirective`, `UnknownReceipt`, `NotPermitted`, `DirectiveWrongState`.
    """
    directive = directive_to_take(session, actor, directive_id, civil_day(now), sharing=True)
    receipt = own_receipt(session, actor, directive, unit_id, civil_day(now))
    require_state(directive, DirectiveState.ISSUED, step.value)
    receipt.received_at = receipt.received_at or now
    if step is not Step.RECEIVED and receipt.read_at is None:
        receipt.read_at, receipt.read_by = now, actor.person_id
    session.flush()
    return receipt


def acknowledge(
    session: Session,
    actor: Actor,
    directive_id: int,
    unit_id: int,
    now: datetime,
    note: str = "",
) -> Receipt:
    """A unit confirms that it has taken note; a second time changes nothing.

    Raises `UnknownDirective`, `UnknownReceipt`, `NotPermitted`, `DirectiveWrongState` once it is
    recalled, `FieldInvalid`.
    """
    told = bounded_text("note", note, LONGEST_NOTE)
    receipt = mark(session, actor, directive_id, unit_id, Step.READ, now)
    if receipt.acknowledged_at is None:
        receipt.acknowledged_at = now
        receipt.acknowledged_by = actor.person_id
        receipt.acknowledged_on_behalf_of_id = actor.on_behalf_of
        receipt.note = told
        session.flush()
        record(session, Acknowledged(directive_id, unit_id))
    return receipt


def recall(
    session: Session, actor: Actor, directive_id: int, reason: str, now: datetime
) -> Directive:
    """Take an issued directive back: recipients see that and why, and no longer get its files.

    Raises `UnknownDirective`, `NotPermitted`, `DirectiveWrongState` (also the second time),
    `FieldInvalid` without a reason.
    """
    directive = directive_to_change(session, actor, directive_id, civil_day(now))
    require_state(directive, DirectiveState.ISSUED, "recall")
    directive.recall_reason = require_text("reason", reason, LONGEST_REASON)
    directive.state = DirectiveState.RECALLED.value
    directive.recalled_at = now
    directive.recalled_by = actor.person_id
    session.flush()
    record(session, DirectiveRecalled(directive.id))
    return directive


REMIND_BEFORE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class LateReceipt:
    """A unit that has not confirmed. `overdue`: the deadline has passed, else it is near."""

    directive_id: int
    unit_id: int
    unit_name: str
    unit_email: str | None
    title: str
    number: int
    symbol: str
    deadline: datetime
    overdue: bool


def late_receipts(
    session: Session, now: datetime, ahead: timedelta = REMIND_BEFORE
) -> list[LateReceipt]:
    """Receipts without confirmation whose deadline has passed or lies within `ahead`; one statement.

    The soonest deadline first. Nobody reads the mail of a unit that no longer exists. The caller remembers whom it has reminded, and of which of the two.
    """
    rows = session.execute(
        select(
            Receipt.directive_id,
            Receipt.unit_id,
            Unit.name,
            Unit.email,
            Directive.title,
            # Neither is empty here: what is issued has a number, and NULL is never `<=`.
            type_coerce(Directive.number, Integer()),
            Directive.symbol,
            type_coerce(Circulation.deadline, UTCDateTime()),
        )
        .join(Circulation, Circulation.id == Receipt.circulation_id)
        .join(Directive, Directive.id == Receipt.directive_id)
        .join(Unit, Unit.id == Receipt.unit_id)
        .where(
            Directive.state == DirectiveState.ISSUED.value,
            Receipt.acknowledged_at.is_(None),
            Circulation.deadline <= now + ahead,
            valid_on(Unit, civil_day(now)),
        )
        .order_by(Circulation.deadline, Receipt.directive_id, Receipt.unit_id)
    )
    return [LateReceipt(*row, row[-1] <= now) for row in rows]


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a round reaches: what a notice by mail needs."""

    unit_id: int
    unit_name: str
    unit_email: str | None


def addressees(session: Session, circulation_id: int) -> list[Addressee]:
    """The units of one round, in the order of the tree; one statement."""
    rows = session.execute(
        select(Unit.id, Unit.name, Unit.email)
        .join(Receipt, Receipt.unit_id == Unit.id)
        .where(Receipt.circulation_id == circulation_id)
        .order_by(Unit.position, Unit.id)
    )
    return [Addressee(*row) for row in rows]


def recipients(session: Session, directive_id: int) -> list[Addressee]:
    """Everybody who was sent a directive: whom a recall has to reach; one statement."""
    rows = session.execute(
        select(Unit.id, Unit.name, Unit.email)
        .join(Receipt, Receipt.unit_id == Unit.id)
        .where(Receipt.directive_id == directive_id)
        .order_by(Unit.position, Unit.id)
    )
    return [Addressee(*row) for row in rows]
