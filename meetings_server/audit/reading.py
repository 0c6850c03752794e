"""Looking through the record, within one's rights: what was done at one's units and below."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from meetings_server.audit.capture import named_by
from meetings_server.audit.ledger import AuditEntry, Key, names_of
from meetings_server.audit.subjects import SUBJECTS
from rooms.folding import has_words
from rooms.hierarchy import UnitAncestry, subtree_of, valid_on
from rooms.kernel import CIVIL_ZONE, LARGEST_ID, NotFound
from rooms.policies import Actor, Permission, UnitColumn, governed, governed_units

MANY_UNITS = 100
"""Who looks after so many is likely to find what they look for among the newest entries."""
NO_UNIT = -1
"""No unit has this number."""


@dataclass
class UnknownEntry(NotFound):
    """There is none of this number, or it is about a unit that somebody else looks after."""

    code: ClassVar[str] = "unknown_audit_entry"
    entry: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What entries are looked for; None and empty texts filter nothing."""

    first: date | None = None
    last: date | None = None
    """Days of the office, both included."""
    person_id: int | None = None
    """Who did it, or for whom it was done."""
    act: str = ""
    subject: str = ""
    unit_id: int | None = None
    """About this unit or one below it."""
    query: str = ""
    """Words in the names of people and things."""
    record: tuple[str, str] | None = None
    """Table and key: everything that is filed under it, and it itself."""
    request: str = ""
    before: int | None = None
    """Only older entries."""
    after: int | None = None
    """Only newer ones, the oldest first."""


def readable(actor: Actor, on: date, *, walking: bool = False) -> ColumnElement[bool]:
    """The entries about units that the actor looks after.

    What is about no unit, such as a failed login under an unknown name, is read by those who look after
    a unit at the very top. `walking`: the entries are walked through one after another, the newest first,
    instead of being found by their units: the right way for whoever looks after most of them.
    """
    unit_id: UnitColumn = AuditEntry.unit_id
    of_record: UnitColumn = AuditEntry.record_unit_id
    of_no_unit = and_(unit_id.is_(None), of_record.is_(None))
    if walking:
        # An expression that no index knows.
        unit_id, of_record = func.coalesce(unit_id, NO_UNIT), func.coalesce(of_record, NO_UNIT)
    return or_(
        governed(actor, Permission.AUDIT_READ, unit_id, on),
        governed(actor, Permission.AUDIT_READ, of_record, on),
        and_(of_no_unit, _at_the_top(actor, on)),
    )


def _at_the_top(actor: Actor, on: date) -> ColumnElement[bool]:
    """Whether the actor may read the record at a unit that has none above it."""
    below_another = select(UnitAncestry.unit_id).where(
        UnitAncestry.depth > 0, valid_on(UnitAncestry, on)
    )
    return exists(
        select(UnitAncestry.unit_id).where(
            UnitAncestry.depth == 0,
            valid_on(UnitAncestry, on),
            UnitAncestry.unit_id.in_(governed_units(actor, Permission.AUDIT_READ, on)),
            UnitAncestry.unit_id.not_in(below_another),
        )
    )


def look_through(
    session: Session, actor: Actor, wanted: Wanted, on: date, limit: int
) -> list[AuditEntry]:
    """At most `limit` entries, the newest first (the oldest first past `after`). Two statements."""
    units = governed_units(actor, Permission.AUDIT_READ, on).limit(MANY_UNITS).subquery()
    walking = session.scalar(select(func.count()).select_from(units)) == MANY_UNITS
    allowed = readable(actor, on, walking=walking)
    query = select(AuditEntry).where(allowed, *_conditions(wanted, on)).limit(limit)
    order = AuditEntry.id if wanted.after is not None else AuditEntry.id.desc()
    return list(session.scalars(query.order_by(order)))


def entry_to_read(session: Session, actor: Actor, number: int, on: date) -> AuditEntry:
    """One entry. Raises `UnknownEntry`, also where the actor may not read it."""
    entry = session.scalar(select(AuditEntry).where(AuditEntry.id == number, readable(actor, on)))
    if entry is None:
        raise UnknownEntry(number)
    return entry


def _conditions(wanted: Wanted, on: date) -> list[ColumnElement[bool]]:
    table = AuditEntry
    found = has_words(table.folded.expression, wanted.query)
    exact = {table.act: wanted.act, table.subject: wanted.subject, table.request: wanted.request}
    found += [column == asked for column, asked in exact.items() if asked]
    found += _bounds(wanted)
    if wanted.person_id is not None:
        found.append(
            or_(table.person_id == wanted.person_id, table.on_behalf_of_id == wanted.person_id)
        )
    if wanted.unit_id is not None:
        below = subtree_of(wanted.unit_id, on)
        found.append(or_(table.unit_id.in_(below), table.record_unit_id.in_(below)))
    if wanted.record is not None:
        kind, key = wanted.record
        found.append(
            or_(
                and_(table.record == kind, table.record_id == key),
                and_(table.subject == kind, table.subject_id == key),
            )
        )
    return found


def _bounds(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    # Numbers rise with time, so days bound the numbers, which is the order of the list. The instants are
    # looked at as well, past their index: two machines need not agree to the second.
    at = func.coalesce(AuditEntry.at, AuditEntry.at)
    if wanted.first is not None:
        begin = _midnight(wanted.first)
        yield AuditEntry.id >= _number(func.min, _LATER.at >= begin, LARGEST_ID)
        yield at >= begin
    if wanted.last is not None:
        end = _midnight(wanted.last + timedelta(days=1))
        yield AuditEntry.id <= _number(func.max, _LATER.at < end, 0)
        yield at < end
    if wanted.before is not None:
        yield AuditEntry.id < wanted.before
    if wanted.after is not None:
        yield AuditEntry.id > wanted.after


_LATER = aliased(AuditEntry)


def _number(
    outermost: Callable[..., Any], when: ColumnElement[bool], otherwise: int
) -> ColumnElement[int]:
    found = select(outermost(_LATER.id)).where(when).scalar_subquery()
    return func.coalesce(found, otherwise)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), CIVIL_ZONE)


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an entry; None where the entry does not tell that side."""

    field: str
    before: Any
    after: Any


def changes_of(entry: AuditEntry) -> list[Change]:
    """The fields of an entry in the order of the alphabet, as they were written."""
    before, after = json.loads(entry.before), json.loads(entry.after)
    return [Change(name, before.get(name), after.get(name)) for name in sorted(before | after)]


def names_in(session: Session, entries: Iterable[AuditEntry]) -> Mapping[Key, str]:
    """What the ids in the entries' fields stand for: a statement for each table they point at."""
    asked: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        if entry.subject not in SUBJECTS:
            continue
        for change in changes_of(entry):
            table = named_by(entry.subject, change.field)
            if table:
                asked[table].update(
                    value for value in (change.before, change.after) if isinstance(value, int)
                )
    return names_of(session, asked)
