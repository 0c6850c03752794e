"""Nobody locks the last administrator out: today never, on a later day only where it was said so.

Only an administrator's own grants count. Whoever stands in for one gives back what they hold on the
last day, and an account that is closed administers nothing.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from rooms.hierarchy import UnitAncestry, unit_by_id
from rooms.kernel import Conflict
from rooms.people import Person, Role, RoleGrant


@dataclass
class LastAdministrator(Conflict):
    """Without this administrator nobody could give rights at `unit` any more."""

    code: ClassVar[str] = "last_administrator"
    person: str
    unit: str


@dataclass
class AdministratorGap(LastAdministrator):
    """The same from a later `day` on: it is done where the gap is accepted."""

    code: ClassVar[str] = "administrator_gap"
    day: date


@dataclass(frozen=True, slots=True)
class _Term:
    """A grant of an administrator whose account is open, `[first, end)`."""

    unit_id: int
    first: date
    end: date
    person: str


@contextmanager
def administrators_kept(
    session: Session, on: date, *, gap_accepted: bool = False
) -> Iterator[None]:
    """What is done inside leaves each unit an administrator on every day on which it had one.

    Another one counts who stands at the unit or above it on that day. Raises `LastAdministrator`
    where there would be none today, `AdministratorGap` where there would be none later, unless
    `gap_accepted`.
    """
    not_over = or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > on)
    # In ascending id: two administrators who dismiss each other must wait, not deadlock. What the
    # one who waited sees is read afterwards, by a statement of its own.
    session.execute(
        select(RoleGrant.id)
        .where(RoleGrant.role == Role.ADMINISTRATOR.value, not_over)
        .order_by(RoleGrant.id)
        .with_for_update()
    )
    before = _terms(session, on)
    # Refused, it leaves nothing changed, whatever the caller does next.
    with session.begin_nested():
        yield
        session.flush()
        _require_kept(session, before, on, gap_accepted=gap_accepted)


def _require_kept(session: Session, before: list[_Term], on: date, *, gap_accepted: bool) -> None:
    after = set(_terms(session, on))
    ended = [term for term in before if term not in after]
    if not ended:
        return
    above = _places(session, {term.unit_id for term in ended}, on)
    changes = sorted(
        {day for term in (*before, *after) for day in (term.first, term.end)}
        | {day for places in above.values() for _id, first, end in places for day in (first, end)}
    )
    for term in ended:
        for day in (term.first, *changes):
            if term.first <= day < term.end and not _administered(after, above, term.unit_id, day):
                unit = unit_by_id(session, term.unit_id, on)
                if day <= on:
                    raise LastAdministrator(term.person, unit.name)
                if not gap_accepted:
                    raise AdministratorGap(term.person, unit.name, day)


_Place = tuple[int, date, date]
"""An ancestor of a unit, from a day until a day."""


def _terms(session: Session, on: date) -> list[_Term]:
    rows = session.execute(
        select(RoleGrant.unit_id, RoleGrant.valid_from, RoleGrant.valid_until, Person.name)
        .join(Person, Person.id == RoleGrant.person_id)
        .where(
            RoleGrant.role == Role.ADMINISTRATOR.value,
            or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > on),
            Person.active,
        )
        .order_by(RoleGrant.id)
    )
    return [
        _Term(unit_id, max(first, on), end or date.max, name) for unit_id, first, end, name in rows
    ]


def _places(session: Session, unit_ids: set[int], on: date) -> dict[int, list[_Place]]:
    rows = session.execute(
        select(
            UnitAncestry.unit_id,
            UnitAncestry.ancestor_id,
            UnitAncestry.valid_from,
            UnitAncestry.valid_until,
        ).where(
            UnitAncestry.unit_id.in_(unit_ids),
            or_(UnitAncestry.valid_until.is_(None), UnitAncestry.valid_until > on),
        )
    )
    found: dict[int, list[_Place]] = defaultdict(list)
    for unit_id, ancestor_id, first, end in rows:
        found[unit_id].append((ancestor_id, first, end or date.max))
    return found


def _administered(
    terms: set[_Term], above: dict[int, list[_Place]], unit_id: int, day: date
) -> bool:
    held = {term.unit_id for term in terms if term.first <= day < term.end}
    return any(
        first <= day < end and ancestor in held for ancestor, first, end in above.get(unit_id, ())
    )
