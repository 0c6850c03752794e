"""What becomes of open papers when units end: receipts and tasks pass to the main successor.

A receipt that nobody has confirmed is the business of an office, so it moves to the desk of the
successor; what had become of it before is kept beside it. The words of a task are those of issued
minutes and never change: who answers for it now follows from the tree and is written nowhere.
Numbers are given by unit and a unit is one span of life, so a new unit begins its own registers.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, and_, delete, insert, or_, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from minutes.directives import Directive, DirectiveState
from minutes.receipts import Circulation, Receipt
from minutes.tasks import Task, TaskCoordination
from rooms.hierarchy import Succession, Unit
from rooms.kernel import Base

AT_ONCE = 500
"""Rows named in one statement: far below what either database takes."""


class ReceiptInheritance(Base):
    """`heir_id` took over the receipt that `unit_id` had not confirmed when it ended, on `day`.

    The other columns are the old receipt as it then was. Never changed.
    """

    __tablename__ = "receipt_inheritance"

    directive_id: Mapped[int] = mapped_column(ForeignKey("directive.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    heir_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    day: Mapped[date]
    circulation_id: Mapped[int] = mapped_column(ForeignKey("circulation.id"))
    sent_at: Mapped[datetime]
    received_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    read_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


@dataclass(frozen=True, slots=True)
class PassedOn:
    """`receipts`: how many passed on; `collapsed`: those of them whose heir had the document already."""

    receipts: int
    collapsed: int


def pass_on_receipts(session: Session, day: date) -> PassedOn:
    """Move the unconfirmed receipts of units that ended on a day to their main successors.

    A fixed number of statements for each 500 receipts. Where several predecessors had the same
    document, one receipt is left, under the nearest deadline; what the heir had itself stays as it
    is. Recalled documents and units without a successor are left alone. Doing it twice changes
    nothing.
    """
    rows = session.execute(
        select(
            Receipt.directive_id,
            Receipt.unit_id,
            Succession.successor_id.label("heir_id"),
            Receipt.circulation_id,
            Receipt.forwarded_from_id,
            Receipt.sent_at,
            Receipt.received_at,
            Receipt.read_at,
            Receipt.read_by,
            Circulation.deadline,
        )
        .join(
            Succession,
            and_(
                Succession.predecessor_id == Receipt.unit_id,
                Succession.day == day,
                Succession.is_main,
            ),
        )
        # A unit that goes on and gives a part away keeps its papers.
        .join(Unit, and_(Unit.id == Receipt.unit_id, Unit.valid_until == day))
        .join(Circulation, Circulation.id == Receipt.circulation_id)
        .join(Directive, Directive.id == Receipt.directive_id)
        .where(
            Receipt.acknowledged_at.is_(None),
            Directive.state == DirectiveState.ISSUED.value,
        )
        .order_by(Receipt.directive_id, Receipt.unit_id)
    ).all()
    if not rows:
        return PassedOn(0, 0)
    inherited: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for row in rows:
        inherited[row.directive_id, row.heir_id].append(row)
    had = _held(session, {row.directive_id for row in rows}, {row.heir_id for row in rows})
    session.execute(
        insert(ReceiptInheritance),
        [
            {
                "directive_id": row.directive_id,
                "unit_id": row.unit_id,
                "heir_id": row.heir_id,
                "day": day,
                "circulation_id": row.circulation_id,
                "sent_at": row.sent_at,
                "received_at": row.received_at,
                "read_at": row.read_at,
                "read_by": row.read_by,
            }
            for row in rows
        ],
    )
    for start in range(0, len(rows), AT_ONCE):
        gone = [(row.directive_id, row.unit_id) for row in rows[start : start + AT_ONCE]]
        session.execute(
            delete(Receipt)
            .where(tuple_(Receipt.directive_id, Receipt.unit_id).in_(gone))
            .execution_options(synchronize_session="fetch")
        )
    new = [_receipt(key, old) for key, old in inherited.items() if key not in had]
    if new:
        session.execute(insert(Receipt), new)
    return PassedOn(len(rows), len(rows) - len(new))


def _held(
    session: Session, directives: Collection[int], heirs: Collection[int]
) -> set[tuple[int, int]]:
    """The receipts that heirs of these documents have already; they may be bodies of long standing."""
    held: set[tuple[int, int]] = set()
    wanted = sorted(directives)
    for start in range(0, len(wanted), AT_ONCE):
        rows = session.execute(
            select(Receipt.directive_id, Receipt.unit_id).where(
                Receipt.directive_id.in_(wanted[start : start + AT_ONCE])
            )
        )
        held |= {(row[0], row[1]) for row in rows if row[1] in heirs}
    return held


def _receipt(key: tuple[int, int], old: Sequence[Any]) -> dict[str, Any]:
    """A new receipt for the heir, whose clerk has seen nothing of it yet."""
    # The nearest deadline binds; without any, the round that came first.
    first = min(
        old, key=lambda row: (row.deadline is None, row.deadline or row.sent_at, row.sent_at)
    )
    return {
        "directive_id": key[0],
        "unit_id": key[1],
        "circulation_id": first.circulation_id,
        "forwarded_from_id": first.forwarded_from_id,
        "sent_at": first.sent_at,
        "note": "",
    }


@dataclass(frozen=True, slots=True)
class TouchedDirective:
    """A document that ending units have not confirmed. `heirs`: how many units it goes to.

    `left`: ending units without a successor, whose receipts nobody takes over.
    """

    id: int
    number_symbol: str
    title: str
    deadline: datetime | None
    units: int
    heirs: int
    left: int


@dataclass(frozen=True, slots=True)
class TouchedTask:
    """An open task that ending units lead or coordinate.

    `lead_heir`: the code of the unit that leads from then on; None where the lead unit stays, or
    where it has no successor (`left`).
    """

    id: int
    text: str
    deadline: date
    lead: int
    lead_heir: str | None
    coordinating: int
    left: bool


@dataclass(frozen=True, slots=True)
class Touched:
    """The papers that a reorganisation touches; documents by deadline, tasks by deadline."""

    directives: list[TouchedDirective]
    tasks: list[TouchedTask]
    drafts: list[tuple[int, str, int]]
    """Drafts of ending units, which can no longer be issued: id, title, unit."""

    @property
    def receipts(self) -> int:
        return sum(directive.units for directive in self.directives)


def touched_papers(session: Session, heirs: Mapping[int, str | None]) -> Touched:
    """What becomes of open papers when units end. `heirs`: code of each ending unit's main successor.

    None stands for a unit that has no successor. Nothing is changed; five statements for each 500
    units.
    """
    ending = sorted(heirs)
    receipts: dict[int, list[int]] = defaultdict(list)
    tasks: dict[int, Task] = {}
    coordinating: dict[int, int] = defaultdict(int)
    drafts: list[tuple[int, str, int]] = []
    for start in range(0, len(ending), AT_ONCE):
        units = ending[start : start + AT_ONCE]
        for directive_id, unit_id in session.execute(_unconfirmed(units)):
            receipts[directive_id].append(unit_id)
        for task in session.scalars(_open_tasks(units)):
            tasks[task.id] = task
        for task_id, unit_id in session.execute(
            select(TaskCoordination.task_id, TaskCoordination.unit_id)
            .join(Task, Task.id == TaskCoordination.task_id)
            .where(TaskCoordination.unit_id.in_(units), *_OPEN)
        ):
            del unit_id
            coordinating[task_id] += 1
        drafts += [
            (row[0], row[1], row[2])
            for row in session.execute(
                select(Directive.id, Directive.title, Directive.issuing_unit_id)
                .where(
                    Directive.state == DirectiveState.DRAFT.value,
                    Directive.issuing_unit_id.in_(units),
                )
                .order_by(Directive.id)
            )
        ]
    return Touched(
        _directives(session, receipts, heirs),
        [
            TouchedTask(
                task.id,
                task.text,
                task.deadline,
                task.lead_unit_id,
                heirs.get(task.lead_unit_id),
                coordinating[task.id],
                task.lead_unit_id in heirs and heirs[task.lead_unit_id] is None,
            )
            for task in sorted(tasks.values(), key=lambda task: (task.deadline, task.id))
        ],
        drafts,
    )


_OPEN = (Task.done_on.is_(None), Task.replaced_at.is_(None))


def _unconfirmed(units: Collection[int]) -> Any:
    return (
        select(Receipt.directive_id, Receipt.unit_id)
        .join(Directive, Directive.id == Receipt.directive_id)
        .where(
            Receipt.unit_id.in_(units),
            Receipt.acknowledged_at.is_(None),
            Directive.state == DirectiveState.ISSUED.value,
        )
    )


def _open_tasks(units: Collection[int]) -> Any:
    return select(Task).where(
        or_(
            Task.lead_unit_id.in_(units),
            Task.id.in_(
                select(TaskCoordination.task_id).where(TaskCoordination.unit_id.in_(units))
            ),
        ),
        *_OPEN,
    )


def _directives(
    session: Session, receipts: Mapping[int, list[int]], heirs: Mapping[int, str | None]
) -> list[TouchedDirective]:
    found: list[TouchedDirective] = []
    wanted = sorted(receipts)
    for start in range(0, len(wanted), AT_ONCE):
        for directive in session.scalars(
            select(Directive).where(Directive.id.in_(wanted[start : start + AT_ONCE]))
        ):
            units = receipts[directive.id]
            goes_to = {heirs[unit_id] for unit_id in units}
            found.append(
                TouchedDirective(
                    directive.id,
                    directive.number_symbol,
                    directive.title,
                    directive.deadline,
                    len(units),
                    len(goes_to - {None}),
                    sum(heirs[unit_id] is None for unit_id in units),
                )
            )
    found.sort(key=lambda one: (one.deadline is None, one.deadline, one.id))
    return found
