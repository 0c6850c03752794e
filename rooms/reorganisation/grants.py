"""Roles and homes that pass from units which end to their main successors."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, and_, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from rooms.hierarchy import Unit
from rooms.people import Person, Role, RoleGrant
from rooms.policies import holding
from rooms.reorganisation.comparing import Comparison
from rooms.reorganisation.plans import NoAdministratorLeft

_COLUMNS = [column.name for column in RoleGrant.__table__.columns if column.name != "id"]


@dataclass(frozen=True, slots=True)
class Passing:
    """A grant that ends at a unit on the day; `heir_id` is where it goes on, None for nowhere."""

    grant: Any
    heir_id: int | None


def passing_grants(session: Session, comparison: Comparison) -> list[Passing]:
    """The grants that hold on the day or later at units that end. One statement."""
    rows = session.execute(
        select(RoleGrant.__table__)
        .where(
            RoleGrant.unit_id.in_(comparison.ended),
            or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > comparison.day),
        )
        .order_by(RoleGrant.id)
    )
    return [Passing(row, comparison.heirs.get(row.unit_id)) for row in rows]


def pass_on(
    session: Session, passings: Sequence[Passing], day: date
) -> dict[str, list[list[int | str | None]]]:
    """End grants on the day and open them anew at the successors.

    A role that a person holds there already, or gets there twice, is held once. Returns what
    `take_grants_back` needs. `heir_id` must be ids that are written.
    """
    opened: dict[tuple[int, int, str, date], dict[str, Any]] = {}
    held = _held(session, {passing.heir_id for passing in passings if passing.heir_id}, day)
    for passing in passings:
        grant = passing.grant
        if passing.heir_id is None:
            continue
        begins = max(grant.valid_from, day)
        key = (grant.person_id, passing.heir_id, grant.role)
        if not _covered(held[key], begins, grant.valid_until):
            held[key].append((begins, grant.valid_until))
            opened[(*key, begins)] = {name: getattr(grant, name) for name in _COLUMNS} | {
                "unit_id": passing.heir_id,
                "valid_from": begins,
            }
    if passings:
        session.execute(
            update(RoleGrant),
            [
                # One that was to begin later never does.
                {"id": passing.grant.id, "valid_until": max(passing.grant.valid_from, day)}
                for passing in passings
            ],
        )
    ids: list[int] = []
    if opened:
        ids += session.scalars(
            insert(RoleGrant).returning(RoleGrant.id, sort_by_parameter_order=True),
            list(opened.values()),
        )
    return {
        "ended": [
            [passing.grant.id, until.isoformat() if until else None]
            for passing in passings
            for until in (passing.grant.valid_until,)
        ],
        "opened": [[grant_id] for grant_id in ids],
    }


Span = tuple[date, date | None]


def _held(
    session: Session, unit_ids: Collection[int], day: date
) -> dict[tuple[int, int, str], list[Span]]:
    held: dict[tuple[int, int, str], list[Span]] = defaultdict(list)
    for grant in session.execute(
        select(RoleGrant.__table__).where(
            RoleGrant.unit_id.in_(unit_ids),
            or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > day),
        )
    ):
        held[grant.person_id, grant.unit_id, grant.role].append(
            (grant.valid_from, grant.valid_until)
        )
    return held


def _covered(spans: Iterable[Span], begins: date, ends: date | None) -> bool:
    return any(
        first <= begins and (last is None or (ends is not None and ends <= last))
        for first, last in spans
    )


def take_grants_back(session: Session, kept: Mapping[str, list[list[Any]]]) -> None:
    """Undo what `pass_on` did: what was opened for a day that never came has never been held."""
    if kept["ended"]:
        session.execute(
            update(RoleGrant),
            [
                {"id": grant_id, "valid_until": date.fromisoformat(until) if until else None}
                for grant_id, until in kept["ended"]
            ],
        )
    session.execute(delete(RoleGrant).where(RoleGrant.id.in_([row[0] for row in kept["opened"]])))


def require_administrators(session: Session, comparison: Comparison) -> None:
    """Where administrators lose their right without a successor, somebody above must hold it.

    Raises `NoAdministratorLeft`.
    """
    lost = list(
        session.execute(
            select(RoleGrant.unit_id, Person.name, Unit.name.label("unit"))
            .join(Person, and_(Person.id == RoleGrant.person_id, Person.active))
            .join(Unit, Unit.id == RoleGrant.unit_id)
            .where(
                RoleGrant.unit_id.in_(comparison.ended.keys() - comparison.heirs.keys()),
                RoleGrant.role == Role.ADMINISTRATOR.value,
                holding(comparison.day),
            )
            .order_by(Person.name)
        )
    )
    if not lost:
        return
    holders = _administered(session, comparison)
    for row in lost:
        keeper = comparison.keeper(row.unit_id)
        above = set(comparison.chain(keeper)) if keeper is not None else set()
        if not above & holders:
            names = [other.name for other in lost if other.unit_id == row.unit_id]
            raise NoAdministratorLeft(row.unit, names)


def _administered(session: Session, comparison: Comparison) -> set[int]:
    """Where somebody is administrator from the day on."""
    rows = session.scalars(
        select(RoleGrant.unit_id)
        .join(Person, and_(Person.id == RoleGrant.person_id, Person.active))
        .where(RoleGrant.role == Role.ADMINISTRATOR.value, holding(comparison.day))
        .distinct()
    )
    passed = (comparison.heirs.get(u) if u in comparison.ended else u for u in rows)
    return {unit_id for unit_id in passed if unit_id is not None}


def people_of(
    session: Session, unit_ids: Iterable[int], person_ids: Iterable[int]
) -> list[Row[Any]]:
    """Active people at home in one of the units, or named: id, name, office, home."""
    return list(
        session.execute(
            select(Person.id, Person.name, Person.title, Person.unit_id)
            .where(
                or_(Person.unit_id.in_(list(unit_ids)), Person.id.in_(list(person_ids))),
                Person.active,
            )
            .order_by(Person.unit_id, Person.name, Person.id)
        )
    )
