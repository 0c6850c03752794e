"""The rows of the tree that a reorganisation ends and begins, and their way back.

Besides the place of each unit from the day on there are two kinds of dated rows that keep rights
over records unbroken. A unit that has ended hangs below its keeper, so that whoever looks after the
keeper sees its meetings and papers. A unit that has not begun hangs below its predecessors until
the day, so that those whose invitation it has inherited already can answer it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Delete, Update, and_, delete, insert, select, update
from sqlalchemy.orm import Session

from rooms.folding import fold
from rooms.hierarchy import Succession, Unit, UnitAncestry, UnitRow, valid_on
from rooms.reorganisation.comparing import Comparison

AT_ONCE = 5_000
"""Ids in one condition: databases bound the number of parameters of a statement."""

Chain = list[tuple[int, int]]
"""What a unit stands below: (ancestor, steps)."""


def write_tree(
    session: Session, comparison: Comparison, today: date
) -> tuple[dict[int, int], list[int]]:
    """Write the units, their places and successions.

    Returns the ids of the units that begin, by their ids in the comparison, and the units of the
    present tree and before it that have got other places.
    """
    ids = _begin_units(session, comparison)
    for part in _parts(comparison.ended):
        _run(session, update(Unit).where(Unit.id.in_(part)).values(valid_until=comparison.day))
    placed = _write_places(session, comparison, ids, today)
    if comparison.successions:
        session.execute(
            insert(Succession),
            [
                {
                    "predecessor_id": passing.unit_id,
                    "successor_id": ids.get(passing.heir_id, passing.heir_id),
                    "day": comparison.day,
                    "extent": passing.extent,
                    "is_main": passing.is_main,
                }
                for passing in comparison.successions
            ],
        )
    _forget_units(session)
    return ids, placed


def _forget_units(session: Session) -> None:
    """Units that were read before are read again when they are asked for."""
    for known in list(session.identity_map.values()):
        if isinstance(known, Unit):
            session.expire(known)


def _begin_units(session: Session, comparison: Comparison) -> dict[int, int]:
    day = comparison.day
    places = _positions(session, comparison)
    contacts = _inherited_contacts(session, comparison)
    # A unit of a plan that was taken back has a span of no days; the same plan gives it days again.
    dormant = dict(
        session.execute(
            select(Unit.code, Unit.id).where(Unit.valid_from == day, Unit.valid_until == day)
        ).all()
    )
    fresh, woken = [], []
    for unit_id, row in comparison.begun.items():
        facts = _facts(row) | {"position": places[unit_id], "valid_from": day, "valid_until": None}
        facts |= {
            name: value for name, value in contacts.get(unit_id, {}).items() if not facts[name]
        }
        if row.code in dormant:
            woken.append({"id": dormant[row.code]} | facts)
        else:
            fresh.append(facts)
    if woken:
        session.execute(update(Unit), woken)
    if fresh:
        session.execute(insert(Unit), fresh)
    written = dict(
        session.execute(
            select(Unit.code, Unit.id).where(Unit.valid_from == day, Unit.valid_until.is_(None))
        ).all()
    )
    return {unit_id: written[row.code] for unit_id, row in comparison.begun.items()}


def _inherited_contacts(session: Session, comparison: Comparison) -> dict[int, dict[str, Any]]:
    """Mail address and telephone for units that begin, from a unit they take over from.

    A list by law names no mail addresses, and the invited must hear of what is changed: until the
    new unit has an address of its own, the office reads that of the predecessor whose code it bears,
    or else of the first that it is the main successor of.
    """
    known = {
        unit_id: (code, email, phone)
        for part in _parts(comparison.before.by_id)
        for unit_id, code, email, phone in session.execute(
            select(Unit.id, Unit.code, Unit.email, Unit.phone).where(
                Unit.id.in_(part), Unit.email.is_not(None)
            )
        )
    }
    order = {unit_id: place for place, unit_id in enumerate(comparison.before.by_id)}
    contacts: dict[int, dict[str, Any]] = {}
    chosen: dict[int, tuple[bool, bool, int]] = {}
    for passing in comparison.successions:
        if passing.heir_id not in comparison.begun or passing.unit_id not in known:
            continue
        code, email, phone = known[passing.unit_id]
        rank = (
            code != comparison.begun[passing.heir_id].code,
            not passing.is_main,
            order[passing.unit_id],
        )
        if passing.heir_id not in chosen or rank < chosen[passing.heir_id]:
            chosen[passing.heir_id] = rank
            contacts[passing.heir_id] = {"email": email, "phone": phone}
    return contacts


def _facts(row: UnitRow) -> dict[str, Any]:
    return {
        "code": row.code,
        "level": row.level,
        "kind": row.kind,
        "name": row.name,
        "folded": fold(f"{row.name} {row.code}"),
        "lat": row.lat,
        "lon": row.lon,
        "email": row.email,
        "phone": row.phone,
    }


def _positions(session: Session, comparison: Comparison) -> dict[int, int]:
    """Where units that begin stand: each behind the one that the plan lists before it.

    Units of all times keep their order among themselves; those that have to make room do.
    """
    present = dict(session.execute(select(Unit.id, Unit.position)).all())
    behind: dict[int | None, list[int]] = defaultdict(list)
    last: int | None = None
    for row in comparison.order:
        unit_id = comparison.ids[row.code]
        if unit_id < 0:
            behind[last].append(unit_id)
        else:
            last = unit_id
    order = list(behind[None])
    for unit_id in sorted(present, key=lambda known: (present[known], known)):
        order.append(unit_id)
        order.extend(behind.get(unit_id, ()))
    places = {unit_id: place for place, unit_id in enumerate(order)}
    moved = [
        {"id": unit_id, "position": place}
        for unit_id, place in places.items()
        if unit_id > 0 and present[unit_id] != place
    ]
    if moved:
        session.execute(update(Unit), moved)
    return places


def _write_places(
    session: Session, comparison: Comparison, ids: Mapping[int, int], today: date
) -> list[int]:
    day = comparison.day
    present = _present_chains(session, comparison)
    wanted: dict[int, list[int]] = {
        unit_id: comparison.chain(unit_id)[1:] for unit_id in comparison.parents
    }
    for unit_id in comparison.ended:
        wanted[unit_id] = _below_keeper(comparison, comparison.keeper(unit_id))
    for unit_id, chain in present.items():
        # Units that ended earlier follow the fate of whoever keeps their records.
        if unit_id not in wanted and unit_id not in comparison.before.by_id:
            keeper = next((ancestor for ancestor, depth in chain if depth == 1), None)
            wanted[unit_id] = _below_keeper(comparison, comparison.keeper(keeper))
    changed = [
        unit_id
        for unit_id, chain in wanted.items()
        if unit_id > 0 and present.get(unit_id, []) != list(_steps(chain))
    ]
    for part in _parts(changed):
        above = and_(UnitAncestry.unit_id.in_(part), UnitAncestry.depth > 0)
        _run(session, delete(UnitAncestry).where(above, UnitAncestry.valid_from == day))
        past = update(UnitAncestry).where(above, valid_on(UnitAncestry, day))
        _run(session, past.values(valid_until=day))
    # A unit that begins was given rows by a plan that has been taken back, or none at all.
    rows = [
        _row(ids, unit_id, ancestor, depth, day, None)
        for unit_id in (*changed, *comparison.begun)
        for ancestor, depth in _steps(wanted[unit_id])
    ]
    rows += [_row(ids, unit_id, unit_id, 0, day, None) for unit_id in comparison.begun]
    if today < day:
        rows += [
            _row(ids, unit_id, ancestor, depth, today, day)
            for unit_id in comparison.begun
            for ancestor, depth in _forerunners(comparison, unit_id).items()
        ]
    if rows:
        # Many rows in one statement, as in `hierarchy.import_units`.
        session.execute(insert(UnitAncestry).returning(UnitAncestry.unit_id), rows)
    return changed


def _row(
    ids: Mapping[int, int],
    unit_id: int,
    ancestor: int,
    depth: int,
    begins: date,
    ends: date | None,
) -> dict[str, Any]:
    return {
        "unit_id": ids.get(unit_id, unit_id),
        "ancestor_id": ids.get(ancestor, ancestor),
        "valid_from": begins,
        "valid_until": ends,
        "depth": depth,
    }


def _steps(chain: Iterable[int]) -> Iterable[tuple[int, int]]:
    return ((ancestor, depth) for depth, ancestor in enumerate(chain, start=1))


def _below_keeper(comparison: Comparison, keeper: int | None) -> list[int]:
    return comparison.chain(keeper) if keeper is not None else []


def _present_chains(session: Session, comparison: Comparison) -> dict[int, Chain]:
    """What the described units, and those that ended below them, stand below on the day."""
    chains: dict[int, Chain] = defaultdict(list)
    described = select(UnitAncestry.unit_id).where(
        UnitAncestry.ancestor_id.in_(comparison.roots), valid_on(UnitAncestry, comparison.day)
    )
    for unit_id, ancestor, depth in session.execute(
        select(UnitAncestry.unit_id, UnitAncestry.ancestor_id, UnitAncestry.depth)
        .join(Unit, Unit.id == UnitAncestry.unit_id)
        .where(
            valid_on(UnitAncestry, comparison.day),
            UnitAncestry.depth > 0,
            # Those that another plan begins later hang below their predecessors for the time being.
            Unit.valid_from <= comparison.day,
            UnitAncestry.unit_id.in_(described),
        )
        .order_by(UnitAncestry.unit_id, UnitAncestry.depth)
    ):
        chains[unit_id].append((ancestor, depth))
    return chains


def _forerunners(comparison: Comparison, unit_id: int) -> dict[int, int]:
    """Below whom a unit stands until it begins: its main predecessors, else whoever gives to it."""
    sources = comparison.sources.get(unit_id, [])
    chosen = [passing.unit_id for passing in sources if passing.is_main] or [
        passing.unit_id for passing in sources
    ]
    if not chosen:
        parent = comparison.parents[unit_id]
        return (
            _forerunners(comparison, parent)
            if parent is not None and parent < 0
            else (dict(_steps(comparison.chain(parent))) if parent is not None else {})
        )
    steps: dict[int, int] = {}
    for source in chosen:
        for depth, node in enumerate(comparison.before.ancestry(source), start=1):
            steps[node.id] = min(depth, steps.get(node.id, depth))
    return steps


def take_tree_back(
    session: Session,
    day: date,
    *,
    begun: Iterable[int],
    ended: Iterable[int],
    placed: Iterable[int],
    predecessors: Iterable[int],
) -> None:
    """Undo `write_tree` before its day: the units that were to begin keep a span of no days."""
    for part in _parts(begun):
        _run(session, update(Unit).where(Unit.id.in_(part)).values(valid_until=day))
        _run(session, delete(UnitAncestry).where(UnitAncestry.unit_id.in_(part)))
    for part in _parts(ended):
        _run(session, update(Unit).where(Unit.id.in_(part)).values(valid_until=None))
    for part in _parts(predecessors):
        passed = and_(Succession.predecessor_id.in_(part), Succession.day == day)
        _run(session, delete(Succession).where(passed))
    for part in _parts(placed):
        above = and_(UnitAncestry.unit_id.in_(part), UnitAncestry.depth > 0)
        _run(session, delete(UnitAncestry).where(above, UnitAncestry.valid_from == day))
        was = update(UnitAncestry).where(above, UnitAncestry.valid_until == day)
        _run(session, was.values(valid_until=None))
    _forget_units(session)


def _run(session: Session, statement: Update | Delete) -> None:
    session.execute(statement, execution_options={"synchronize_session": False})


def _parts(ids: Iterable[int]) -> Iterable[list[int]]:
    listed = list(ids)
    return (listed[start : start + AT_ONCE] for start in range(0, len(listed), AT_ONCE))
