"""The list of bridge points: new rooms of units, and what changes in those there are.

A row with a `point_id` is that point; without one it is the open point of the unit that bears the
name, or a new one. A column that the table lacks stays as it is, an empty cell empties.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.addresses import telephone
from rooms.bridge_points import (
    IN_ORDER,
    LARGEST_ROOM,
    BridgePoint,
    PointFacts,
    describe,
    facts_of_point,
    open_on,
)
from rooms.endpoints import EndpointKind, read_endpoint
from rooms.equipment import MOST_PIECES, Equipment, EquipmentFacts, describe_piece
from rooms.folding import fold
from rooms.hierarchy import Unit, valid_on
from rooms.kernel import FieldInvalid, bounded_text, require_text
from rooms.lists.equipment_cells import EquipmentUnreadable, read_equipment, write_equipment
from rooms.lists.lost_zeros import digits_of, lost_in_references, lost_in_telephones
from rooms.lists.plan import Cells, Entry, Plan, differences
from rooms.policies import Actor, Permission, governed_units
from rooms.sheets import Fault, Sheet

COLUMNS = (
    "point_id",
    "unit_code",
    "unit_name",
    "name",
    "address",
    "capacity",
    "endpoint_kind",
    "endpoint_address",
    "technician_name",
    "technician_phone",
    "equipment",
)
REQUIRED_COLUMNS = ("unit_code", "name")
SAID = COLUMNS[3:]
"""What a row says of a point; the columns before it say which one."""

PointCells = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Wanted:
    point_id: int | None
    unit_id: int
    facts: PointFacts
    pieces: list[EquipmentFacts] | None


@dataclass
class PointPlan(Plan):
    on: date = date.min
    wanted: list[_Wanted] = field(default_factory=list)


@dataclass
class _Present:
    """The units of a day and their open points."""

    units: dict[str, tuple[int, str]]
    points: dict[int, tuple[int, PointFacts]] = field(default_factory=dict)
    named: dict[tuple[int, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    pieces: dict[int, list[EquipmentFacts]] = field(default_factory=lambda: defaultdict(list))


def plan_points(
    session: Session,
    actor: Actor,
    sheet: Sheet,
    on: date,
    *,
    zeros: bool = True,
    words: Mapping[str, str] | None = None,
) -> PointPlan:
    """What a table of bridge points would do today. Raises `ColumnsMissing`.

    `zeros`: name codes and telephone numbers that have probably lost their zeros. `words`: other names
    of the kinds of equipment, folded.
    """
    sheet.require(REQUIRED_COLUMNS)
    plan = PointPlan(faults=list(sheet.faults), on=on)
    present = _present(session, on)
    if zeros:
        names = {code: name for code, (_id, name) in present.units.items()}
        plan.lost = lost_in_references(
            sheet.rows, "unit_code", names, names=names, name_column="unit_name"
        ) + lost_in_telephones(sheet.rows, ["technician_phone"])
        plan.lost.sort(key=lambda each: each.line)
    mine = set(session.scalars(governed_units(actor, Permission.POINT_WRITE, on)))
    unclear = {(each.line, each.column) for each in plan.lost}
    taken: set[int | tuple[int, str]] = set()
    said = [column for column in SAID if column in sheet.columns]
    for row in sheet.rows:
        cells = Cells(row, plan.faults)
        place = _place(cells, present, mine, told=(row.line, "unit_code") in unclear)
        if place is None:
            continue
        unit_id, point_id = place
        key = point_id or (unit_id, cells.text("name").casefold())
        if key in taken:
            cells.fault("name", "doubled")
        taken.add(key)
        before = present.points[point_id][1] if point_id else PointFacts("")
        wanted = _Wanted(point_id, unit_id, _facts(cells, before, words or {}), _pieces(cells, on))
        if cells.sound:
            _compare(plan, row.line, cells, wanted, present, said)
    if not sheet.rows and not plan.faults:
        plan.faults.append(Fault(1, "name", "empty", ""))
    plan.faults.sort()
    return plan


def carry_out_points(session: Session, plan: PointPlan, looked_at: str | None = None) -> None:
    """Write what was planned in this transaction. Raises as `Plan.require_sound`."""
    plan.require_sound(looked_at)
    unit_ids = {wanted.unit_id for wanted in plan.wanted if wanted.point_id is None}
    behind: dict[int, int] = defaultdict(int)
    for unit_id, position in session.execute(
        select(BridgePoint.unit_id, BridgePoint.position).where(BridgePoint.unit_id.in_(unit_ids))
    ):
        behind[unit_id] = max(behind[unit_id], position + 1)
    known = [wanted.point_id for wanted in plan.wanted if wanted.point_id is not None]
    points = {
        point.id: point
        for point in session.scalars(select(BridgePoint).where(BridgePoint.id.in_(known)))
    }
    made = []
    for wanted in plan.wanted:
        if wanted.point_id is None:
            point = BridgePoint(unit_id=wanted.unit_id, position=behind[wanted.unit_id])
            behind[wanted.unit_id] += 1
            session.add(point)
        else:
            point = points[wanted.point_id]
        describe(point, wanted.facts)
        made.append(point)
    session.flush()
    _equip(session, plan, made)


def _equip(session: Session, plan: PointPlan, points: list[BridgePoint]) -> None:
    """The pieces of a point become those of its cell; what is the same stays the same piece."""
    told = {
        point.id: list(wanted.pieces)
        for point, wanted in zip(points, plan.wanted, strict=True)
        if wanted.pieces is not None
    }
    for piece in session.scalars(
        select(Equipment).where(Equipment.point_id.in_(told)).order_by(Equipment.id)
    ):
        facts = _known(_facts_of_piece(piece))
        if facts in told[piece.point_id]:
            told[piece.point_id].remove(facts)
        else:
            session.delete(piece)
    for point_id, pieces in told.items():
        for facts in pieces:
            piece = Equipment(point_id=point_id)
            describe_piece(piece, facts, plan.on)
            session.add(piece)
    session.flush()


def point_rows(session: Session, actor: Actor, on: date) -> list[list[str]]:
    """The open points that the actor looks after as rows of `COLUMNS`. Two statements."""
    mine = governed_units(actor, Permission.POINT_WRITE, on)
    found = session.execute(
        select(BridgePoint, Unit.code, Unit.name)
        .join(Unit, Unit.id == BridgePoint.unit_id)
        .where(valid_on(Unit, on), open_on(on), Unit.id.in_(mine))
        .order_by(Unit.position, *IN_ORDER)
    ).all()
    pieces: dict[int, list[EquipmentFacts]] = defaultdict(list)
    for piece in session.scalars(
        select(Equipment)
        .join(BridgePoint, BridgePoint.id == Equipment.point_id)
        .where(BridgePoint.unit_id.in_(mine))
    ):
        pieces[piece.point_id].append(_facts_of_piece(piece))
    return [
        [
            str(point.id),
            code,
            name,
            *_cells_of(facts_of_point(point), pieces[point.id]).values(),
        ]
        for point, code, name in found
    ]


def _present(session: Session, on: date) -> _Present:
    units = session.execute(select(Unit.code, Unit.id, Unit.name).where(valid_on(Unit, on)))
    present = _Present({code: (unit_id, name) for code, unit_id, name in units})
    for point in session.scalars(select(BridgePoint).where(open_on(on)).order_by(*IN_ORDER)):
        present.points[point.id] = (point.unit_id, facts_of_point(point))
        present.named[point.unit_id, point.name.casefold()].append(point.id)
    for piece in session.scalars(select(Equipment).order_by(Equipment.id)):
        present.pieces[piece.point_id].append(_known(_facts_of_piece(piece)))
    return present


def _place(
    cells: Cells, present: _Present, mine: set[int], *, told: bool
) -> tuple[int, int | None] | None:
    """The unit and the point that a row is about; None where that is not sound."""
    code = cells.text("unit_code")
    if code not in present.units:
        if not told:
            cells.fault("unit_code", "unknown_unit" if code else "missing")
        return None
    unit_id = present.units[code][0]
    if unit_id not in mine:
        cells.fault("unit_code", "not_yours")
        return None
    if cells.text("point_id"):
        return _named_point(cells, present, unit_id)
    fitting = present.named.get((unit_id, cells.text("name").casefold()), [])
    if len(fitting) > 1:
        cells.fault("name", "several_fit")
        return None
    return unit_id, fitting[0] if fitting else None


def _named_point(cells: Cells, present: _Present, unit_id: int) -> tuple[int, int] | None:
    digits = digits_of(cells.text("point_id"))
    point_id = int(digits) if digits is not None else 0
    if point_id not in present.points:
        cells.fault("point_id", "unknown_point")
        return None
    if present.points[point_id][0] != unit_id:
        cells.fault("unit_code", "another_unit")
        return None
    return unit_id, point_id


def _facts(cells: Cells, before: PointFacts, words: Mapping[str, str]) -> PointFacts:
    told = before
    if cells.has("name"):
        told = replace(told, name=cells.take("name", _text_up_to(120, needed=True), ""))
    if cells.has("address"):
        told = replace(told, address=cells.take("address", _text_up_to(200), ""))
    if cells.has("technician_name"):
        name = cells.take("technician_name", _text_up_to(120), "")
        told = replace(told, technician_name=name)
    if cells.has("capacity"):
        told = replace(told, capacity=cells.take("capacity", _seats, None))
    # What stands there already is not checked anew: rules may have become stricter since.
    if cells.has("technician_phone") and cells.text("technician_phone") != before.technician_phone:
        phone = cells.take("technician_phone", telephone, None)
        told = replace(told, technician_phone=phone or "")
    return _endpoint(cells, told, words)


def _text_up_to(limit: int, *, needed: bool = False) -> Callable[[str, str], str]:
    return lambda column, text: (require_text if needed else bounded_text)(column, text, limit)


def _endpoint(cells: Cells, facts: PointFacts, words: Mapping[str, str]) -> PointFacts:
    kind, address = facts.endpoint_kind, facts.endpoint_address
    if cells.has("endpoint_kind"):
        said = cells.text("endpoint_kind")
        try:
            kind = EndpointKind(words.get(fold(said), said) or EndpointKind.NONE)
        except ValueError:
            cells.fault("endpoint_kind", "unknown")
            return facts
    if cells.has("endpoint_address"):
        address = cells.text("endpoint_address")
    if (kind, address) == (facts.endpoint_kind, facts.endpoint_address):
        return facts
    address = cells.take("endpoint_address", lambda _c, _t: read_endpoint(kind, address), "")
    return replace(facts, endpoint_kind=kind, endpoint_address=address)


def _seats(column: str, text: str) -> int | None:
    if not text:
        return None
    digits = digits_of(text)
    if digits is None:
        raise FieldInvalid(column, "not_a_number")
    if not 1 <= int(digits) <= LARGEST_ROOM:
        raise FieldInvalid(column, "out_of_range", f"1–{LARGEST_ROOM}")
    return int(digits)


def _pieces(cells: Cells, on: date) -> list[EquipmentFacts] | None:
    """The pieces that a cell names, each checked as if it were entered by hand."""
    if not cells.has("equipment"):
        return None
    try:
        pieces = read_equipment(cells.text("equipment"))
        for piece in pieces:
            describe_piece(Equipment(), piece, on)
    except EquipmentUnreadable as wrong:
        cells.fault("equipment", wrong.problem, wrong.part)
        return None
    except FieldInvalid as wrong:
        cells.fault("equipment", wrong.problem)
        return None
    if len(pieces) > MOST_PIECES:
        cells.fault("equipment", "too_many")
    return [_known(piece) for piece in pieces]


def _compare(
    plan: PointPlan,
    line: int,
    cells: Cells,
    wanted: _Wanted,
    present: _Present,
    said: list[str],
) -> None:
    code = cells.text("unit_code")
    key, unit_name = f"{code} · {wanted.facts.name}", present.units[code][1]
    if wanted.point_id is None:
        plan.new.append(Entry(line, code, wanted.facts.name, unit_name))
        plan.wanted.append(wanted)
        return
    before = present.points[wanted.point_id][1]
    held = present.pieces[wanted.point_id]
    told = differences(
        said,
        _cells_of(before, held),
        _cells_of(wanted.facts, held if wanted.pieces is None else wanted.pieces),
    )
    if told:
        plan.changed.append(Entry(line, key, before.name, unit_name, told))
        plan.wanted.append(wanted)
    else:
        plan.unchanged += 1


def _cells_of(facts: PointFacts, pieces: list[EquipmentFacts]) -> PointCells:
    return {
        "name": facts.name,
        "address": facts.address,
        "capacity": "" if facts.capacity is None else str(facts.capacity),
        "endpoint_kind": facts.endpoint_kind.value,
        "endpoint_address": facts.endpoint_address,
        "technician_name": facts.technician_name,
        "technician_phone": facts.technician_phone,
        "equipment": write_equipment(pieces),
    }


def _facts_of_piece(piece: Equipment) -> EquipmentFacts:
    return EquipmentFacts(
        piece.kind, piece.model, piece.serial, piece.since, piece.note, piece.condition
    )


def _known(facts: EquipmentFacts) -> EquipmentFacts:
    """A piece as a cell can say it: on one line."""
    return replace(
        facts,
        kind=" ".join(facts.kind.split()),
        model=" ".join(facts.model.split()),
        serial=" ".join(facts.serial.split()),
        note=" ".join(facts.note.split()),
    )
