"""The list of units: what it would add to the tree of a day, and which addresses it changes.

A row whose code is borne on the day is that unit: its address, telephone and position may change here.
Its name, its kind and its place change by law, through a reorganisation, and are refused. All other
rows are new units; their parents stand in the list or in the tree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.auditing import audited
from rooms.catalogue import COLUMNS, REQUIRED_COLUMNS, units_of
from rooms.directory import catalogue_rows
from rooms.hierarchy import (
    Unit,
    UnitRow,
    UnitsExist,
    UnitsNotSound,
    check_units,
    import_units,
)
from rooms.lists.lost_zeros import KnownCode, lost_in_telephones, lost_in_units
from rooms.lists.plan import Entry, Plan, differences
from rooms.policies import Actor, Permission, governed_units
from rooms.sheets import Fault, Sheet

REACHED_BY = ("lat", "lon", "email", "phone")
"""What a list may change of a unit that exists."""
BY_LAW = ("parent_code", "level", "kind", "name")
"""What only a reorganisation changes."""

__all__ = ["COLUMNS", "REQUIRED_COLUMNS", "UnitPlan", "carry_out_units", "plan_units"]


@dataclass
class UnitPlan(Plan):
    day: date = date.min
    rows: list[UnitRow] = field(default_factory=list)
    """The new units."""
    contacts: list[tuple[int, UnitRow]] = field(default_factory=list)
    """Ids of units and the rows that change how they are reached."""
    columns: Sequence[str] = ()

    @property
    def levels(self) -> dict[str, int]:
        """New units by level, as the list has them."""
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row.level] = counts.get(row.level, 0) + 1
        return counts


@dataclass(frozen=True, slots=True)
class _Present:
    id: int
    cells: dict[str, str]


def plan_units(
    session: Session, actor: Actor | None, sheet: Sheet, day: date, on: date, *, zeros: bool = True
) -> UnitPlan:
    """What a table of units would do to the tree of a day.

    `actor`: whose rights of today (`on`) bound it; None stands for the command line. `zeros`: name
    codes and telephone numbers that have probably lost their zeros. Raises `ColumnsMissing`.
    """
    columns = [column for column in REACHED_BY if column in sheet.columns]
    plan = UnitPlan(scope=str(day), day=day, columns=columns)
    present = _present(session, day)
    if zeros:
        known = [KnownCode(code, each.cells["level"]) for code, each in present.items()]
        plan.lost = lost_in_units(sheet.rows, known) + lost_in_telephones(sheet.rows, ["phone"])
        plan.lost.sort(key=lambda each: each.line)
    try:
        rows = units_of(sheet)
    except UnitsNotSound as unsound:
        plan.faults = [Fault(*problem) for problem in unsound.problems]
        return plan
    mine = (
        None
        if actor is None
        else set(session.scalars(governed_units(actor, Permission.UNIT_WRITE, on)))
    )
    seen: set[str] = set()
    for row in rows:
        if row.code not in present:
            plan.rows.append(row)
        elif row.code in seen:
            plan.faults.append(Fault(row.line, "code", "doubled", row.code))
        else:
            _compare(plan, row, present[row.code], mine)
        seen.add(row.code)
    if plan.lost:
        # Codes without their zeros would only be told a second time, as units that nobody knows.
        return plan
    try:
        check_units(session, plan.rows, day)
    except UnitsNotSound as unsound:
        plan.faults += [Fault(*problem) for problem in unsound.problems]
    except UnitsExist as promised:
        plan.faults += [
            Fault(row.line, "code", "promised", row.code)
            for row in plan.rows
            if row.code in promised.units
        ]
    _require_places(plan, present, mine)
    names = {row.code: row.name for row in plan.rows}
    plan.new = [
        Entry(
            row.line,
            row.code,
            row.name,
            names.get(row.parent_code or "", _name(present, row.parent_code)),
        )
        for row in plan.rows
    ]
    plan.faults.sort()
    return plan


def _name(present: dict[str, _Present], code: str | None) -> str:
    return present[code].cells["name"] if code in present else ""


def carry_out_units(session: Session, plan: UnitPlan, looked_at: str | None = None) -> None:
    """Write what was planned in this transaction. Raises as `Plan.require_sound`."""
    plan.require_sound(looked_at)
    if plan.rows:
        import_units(session, plan.rows, plan.day)
        # So many rows are written past the session, which would have put them down by itself.
        told = {"units": len(plan.rows), "valid_from": plan.day, "levels": plan.levels}
        audited(session, "create", Unit.__tablename__, after=told)
    changed = dict(plan.contacts)
    for unit in session.scalars(select(Unit).where(Unit.id.in_(changed))):
        for column in plan.columns:
            setattr(unit, column, getattr(changed[unit.id], column))
    session.flush()


def _present(session: Session, day: date) -> dict[str, _Present]:
    """The units of a day by code, as a table would have them. One statement."""
    rows = session.execute(catalogue_rows(day))
    return {
        row[1]: _Present(
            row[0], {name: _shown(cell) for name, cell in zip(COLUMNS, row[1:], strict=True)}
        )
        for row in rows
    }


def _shown(cell: str | float | None) -> str:
    return "" if cell is None else str(cell)


def _compare(plan: UnitPlan, row: UnitRow, present: _Present, mine: set[int] | None) -> None:
    after = {column: _shown(getattr(row, column)) for column in COLUMNS}
    moved = [column for column in BY_LAW if after[column] != present.cells[column]]
    plan.faults.extend(
        Fault(row.line, column, "needs_reorganisation", present.cells[column]) for column in moved
    )
    told = differences(plan.columns, present.cells, after)
    if moved:
        return
    if not told:
        plan.unchanged += 1
        return
    if mine is not None and present.id not in mine:
        plan.faults.append(Fault(row.line, "code", "not_yours", row.code))
    plan.changed.append(Entry(row.line, row.code, row.name, differences=told))
    plan.contacts.append((present.id, row))


def _require_places(plan: UnitPlan, present: dict[str, _Present], mine: set[int] | None) -> None:
    """New units stand below units of the actor; a new root only beside roots that are all theirs."""
    if mine is None:
        return
    roots = [each.id for each in present.values() if not each.cells["parent_code"]]
    everywhere = all(root in mine for root in roots)
    for row in plan.rows:
        if row.parent_code is None:
            allowed = everywhere
        else:
            above = present.get(row.parent_code)
            allowed = above is None or everywhere or above.id in mine
        if not allowed:
            plan.faults.append(Fault(row.line, "parent_code", "not_yours", row.parent_code or ""))
