"""The way of a directive: who has it, who read it, who confirmed, who is late; by level and parent."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from minutes.inheritance import ReceiptInheritance
from minutes.receipts import Circulation, Receipt, Step, visible_receipts
from rooms.hierarchy import Tree, Unit, load_tree
from rooms.kernel import civil_day
from rooms.lineage import days_of_change, shape_on
from rooms.people import Person
from rooms.policies import Actor


@dataclass(slots=True)
class Counts:
    """Units: each step contains those beyond it. `late`: past the deadline without confirmation."""

    sent: int = 0
    received: int = 0
    read: int = 0
    acknowledged: int = 0
    late: int = 0

    def add(self, stop: "Stop") -> None:
        self.sent += 1
        self.received += stop.received_at is not None
        self.read += stop.read_at is not None
        self.acknowledged += stop.acknowledged_at is not None
        self.late += stop.late


@dataclass(frozen=True, slots=True)
class Stop:
    """One recipient unit. `forwarded_from`: the unit that passed it on, "" for the issuer itself.

    `taken_over`: units that had not confirmed it when they ended; `taken_over_on`: the last such day.
    """

    unit_id: int
    code: str
    name: str
    level: str
    phone: str | None
    forwarded_from: str
    sent_at: datetime
    received_at: datetime | None
    read_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str
    deadline: datetime | None
    late: bool
    taken_over: tuple[str, ...] = ()
    taken_over_on: date | None = None

    @property
    def step(self) -> Step:
        if self.acknowledged_at:
            return Step.ACKNOWLEDGED
        if self.read_at:
            return Step.READ
        return Step.RECEIVED if self.received_at else Step.SENT


@dataclass(slots=True)
class Branch:
    """A unit right below the root of the tree, and the recipients of its subtree without itself."""

    code: str
    name: str
    level: str
    own: Stop | None = None
    counts: Counts = field(default_factory=Counts)
    stops: list[Stop] = field(default_factory=list)


@dataclass(slots=True)
class Progress:
    """`branches` in the order of the tree; `late`: the soonest deadline first."""

    total: Counts
    by_level: dict[str, Counts]
    branches: list[Branch]
    late: list[Stop]

    def branches_of(self, level: str) -> list[Branch]:
        return [branch for branch in self.branches if branch.level == level]

    @property
    def branch_levels(self) -> list[str]:
        return list(dict.fromkeys(branch.level for branch in self.branches))


def progress(session: Session, actor: Actor, directive_id: int, now: datetime) -> Progress:
    """What the actor may see of a directive's way: all for its issuer, else their own subtree.

    Each unit stands where it stood on the day on which the document came to it. Two statements,
    whatever the number of units; a few more where the tree has changed since. Of a directive that
    they may not see at all the way is empty.
    """
    on = civil_day(now)
    forwarder, confirmer = aliased(Unit), aliased(Person)
    rows = session.execute(
        select(
            Receipt.unit_id,
            Unit.code,
            Unit.name,
            Unit.level,
            Unit.phone,
            forwarder.name,
            Receipt.sent_at,
            Receipt.received_at,
            Receipt.read_at,
            Receipt.acknowledged_at,
            confirmer.name,
            Receipt.note,
            Circulation.deadline,
            select(ReceiptInheritance.unit_id)
            .where(
                ReceiptInheritance.directive_id == Receipt.directive_id,
                ReceiptInheritance.heir_id == Receipt.unit_id,
            )
            .exists(),
            Unit.valid_from,
        )
        .join(Unit, Unit.id == Receipt.unit_id)
        .join(Circulation, Circulation.id == Receipt.circulation_id)
        .outerjoin(forwarder, forwarder.id == Receipt.forwarded_from_id)
        .outerjoin(confirmer, confirmer.id == Receipt.acknowledged_by)
        .where(Receipt.directive_id == directive_id, visible_receipts(actor, on))
        .order_by(Unit.position, Unit.id)
    ).all()
    inherited = _inherited(session, directive_id) if any(row[13] for row in rows) else {}
    # A unit that began after the sending took the document over on its first day.
    came = [max(civil_day(row[6]), row[14]) for row in rows]
    trees = _Trees(session, days_of_change(session) if len(set(came)) > 1 else [])
    found = Progress(Counts(), {}, [], [])
    branches: dict[int, Branch] = {}
    for row, day in zip(rows, came, strict=True):
        deadline = row[12]
        late = deadline is not None and row[9] is None and deadline <= now
        names, taken_over_on = inherited.get(row[0], ((), None))
        stop = Stop(
            *row[:5],
            row[5] or "",
            *row[6:10],
            row[10] or "",
            row[11],
            deadline,
            late,
            names,
            taken_over_on,
        )
        found.total.add(stop)
        found.by_level.setdefault(stop.level, Counts()).add(stop)
        if late:
            found.late.append(stop)
        _place(trees.on(day), branches, stop)
    found.branches = list(branches.values())
    found.late.sort(key=lambda stop: stop.deadline or now)
    return found


@dataclass
class _Trees:
    """The trees that are needed, each read once: days between two changes share one."""

    session: Session
    days: list[date]
    read: dict[date, Tree] = field(default_factory=dict)

    def on(self, day: date) -> Tree:
        shape = shape_on(self.days, day)
        if shape not in self.read:
            self.read[shape] = load_tree(self.session, shape)
        return self.read[shape]


def _inherited(session: Session, directive_id: int) -> dict[int, tuple[tuple[str, ...], date]]:
    """By heir: the units whose receipt it took over, in the order of the tree, and the last day."""
    found: dict[int, tuple[tuple[str, ...], date]] = {}
    rows = session.execute(
        select(ReceiptInheritance.heir_id, Unit.name, ReceiptInheritance.day)
        .join(Unit, Unit.id == ReceiptInheritance.unit_id)
        .where(ReceiptInheritance.directive_id == directive_id)
        .order_by(ReceiptInheritance.day, Unit.position, Unit.id)
    )
    for heir_id, name, day in rows:
        names, _earlier = found.get(heir_id, ((), day))
        found[heir_id] = ((*names, name), day)
    return found


def _place(tree: Tree, branches: dict[int, Branch], stop: Stop) -> None:
    chain = tree.ancestry(stop.unit_id)
    # The root itself may be a recipient.
    head = chain[-2] if len(chain) > 1 else (chain[0] if chain else None)
    if head is None:
        # Sent on its last day, or taken in with a list that begins later: it stands alone.
        branches[stop.unit_id] = Branch(stop.code, stop.name, stop.level, own=stop)
        return
    branch = branches.setdefault(head.id, Branch(head.code, head.name, head.level))
    if head.id == stop.unit_id:
        branch.own = stop
    else:
        branch.counts.add(stop)
        branch.stops.append(stop)


@dataclass(frozen=True, slots=True)
class Sending:
    """One round: who sent it when, from which unit, by which rules, to how many."""

    sent_at: datetime
    sent_by: str
    on_behalf_of: str | None
    """The official for whom it was sent."""
    from_unit: str
    rules: list[dict[str, Any]]
    deadline: datetime | None
    units: int


def sendings(session: Session, directive_id: int) -> list[Sending]:
    """The rounds of a directive in their order; one statement.

    The caller has seen to it that the actor may see the whole way.
    """
    reached = (
        select(func.count())
        .where(Receipt.circulation_id == Circulation.id)
        .correlate(Circulation)
        .scalar_subquery()
    )
    official = aliased(Person)
    rows = session.execute(
        select(
            Circulation.sent_at,
            Person.name,
            official.name,
            Unit.name,
            Circulation.rules,
            Circulation.deadline,
            reached,
        )
        .join(Person, Person.id == Circulation.sent_by)
        .outerjoin(official, official.id == Circulation.on_behalf_of_id)
        .join(Unit, Unit.id == Circulation.from_unit_id)
        .where(Circulation.directive_id == directive_id)
        .order_by(Circulation.id)
    )
    return [Sending(*row) for row in rows]
