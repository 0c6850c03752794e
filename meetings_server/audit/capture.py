"""Takes down what a session changes: before and after of every recorded row, at each flush.

Nothing is asked of the database but a value that was never loaded and is now replaced. What a
savepoint takes back is forgotten with it. `merged()` turns what was taken down into what was done:
several flushes of one row are one change, a row that came and went was never there.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any

from sqlalchemy import event, inspect, select
from sqlalchemy.orm import (
    InstanceState,
    LoaderCallableStatus,
    Mapper,
    Session,
    SessionTransaction,
    UOWTransaction,
)

from meetings_server.audit.subjects import OMITTED, SUBJECTS, Subject
from rooms.auditing import Note, notes_of
from rooms.kernel import Base

HIDDEN = "•••"
"""Stands for a value that is never shown."""

ALIKE_FROM = 4
"""So many rows of a gathered table, changed alike under one record, are one entry."""
GATHERED_FROM = 21
"""And so many, changed in whatever way."""
LONGEST_LABEL = 200
MOST_NAMED = 50
"""Rows of such an entry that are named; the count is of all."""

_FETCHED = "audit_fetched"
_MARKS = "audit_marks"

Fetched = dict[tuple[Any, str], Any]
Facts = dict[str, Any]

EMPTY: tuple[Any, ...] = (None, "", [], {})
"""Values of a new row that say nothing."""


class WritingSession(Session):
    """A session whose changes are taken down."""


def plain(value: Any) -> Any:
    """A value as JSON has it: instants in UTC with an offset, days as `YYYY-MM-DD`."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value if isinstance(value, bool | int | float | None) else str(value)


@cache
def named_by(table: str, column: str) -> str:
    """The table whose rows a column names by their id: `host_unit_id` of a meeting → `unit`."""
    found = Base.metadata.tables[table].c.get(column)
    for key in () if found is None else found.foreign_keys:
        target = key.column.table.name
        if target in SUBJECTS and key.column.key == "id":
            return str(target)
    return ""


def canonical(value: Any) -> str:
    """JSON with one spelling: keys in order, no spaces, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def told(subject: Subject, name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in subject.secret:
        return HIDDEN
    if name in subject.digested:
        return f"sha256:{sha256(canonical(plain(value)).encode()).hexdigest()[:32]}"
    return plain(value)


def _columns(mapper: Mapper[Any], subject: Subject) -> Iterable[str]:
    left_out = OMITTED | subject.omitted
    return (attr.key for attr in mapper.column_attrs if attr.key not in left_out)


@event.listens_for(WritingSession, "before_flush")
def _fetch_unloaded(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    """A column that was set without having been loaded: only now can it still be asked for."""
    fetched: Fetched = session.info.setdefault(_FETCHED, {})
    for row in session.dirty:
        state = inspect(row)
        subject = SUBJECTS.get(_table(state))
        if subject is None or state.key is None:
            continue
        unknown = [
            name
            for name in _columns(state.mapper, subject)
            if state.committed_state.get(name) is LoaderCallableStatus.NO_VALUE
        ]
        if not unknown:
            continue
        columns = [state.mapper.columns[name] for name in unknown]
        keys = zip(state.mapper.primary_key, state.key[1], strict=True)
        with session.no_autoflush:
            found = session.execute(
                select(*columns).where(*(column == key for column, key in keys))
            ).first()
        if found is not None:
            for name, value in zip(unknown, found, strict=True):
                fetched[state.key, name] = value


@event.listens_for(WritingSession, "after_flush")
def _take_down(session: Session, context: UOWTransaction) -> None:
    fetched: Fetched = session.info.pop(_FETCHED, {})
    notes = notes_of(session)
    states = [
        (state, gone, subject)
        for state, (gone, list_only) in context.states.items()
        if (gone or not list_only) and (subject := SUBJECTS.get(_table(state))) is not None
    ]
    # A new row may take the key of one that goes: that one is told first. Then what others stand under.
    states.sort(key=lambda s: (not s[1], s[2].of is not None, s[0].insert_order or 0))
    for state, gone, subject in states:
        row, table = state.obj(), _table(state)
        if row is None:
            continue
        before: Facts = {}
        after: Facts = {}
        if gone:
            act, before = "delete", _whole(state, subject, as_read=True)
        elif state.key is None:
            act, after = "create", _whole(state, subject, as_read=False)
        else:
            act = "change"
            before, after = _changed(state, subject, fetched)
            if not after:
                continue
        key = "/".join(str(plain(part)) for part in state.mapper.primary_key_from_instance(row))
        note = Note(act, table, key, before, after, captured=True)
        file_under(note, subject, state.dict)
        notes.append(note)


def _table(state: InstanceState[Any]) -> str:
    return str(state.mapper.local_table.name)  # type: ignore[attr-defined]  # every mapped class has one


def _whole(state: InstanceState[Any], subject: Subject, *, as_read: bool) -> Facts:
    """What a row says; `as_read`: as it was read, whatever was set since."""
    held = dict(state.dict)
    if as_read:
        unread = LoaderCallableStatus.NO_VALUE
        held |= {name: old for name, old in state.committed_state.items() if old is not unread}
    values = {name: told(subject, name, held.get(name)) for name in _columns(state.mapper, subject)}
    return {name: value for name, value in values.items() if value not in EMPTY}


def _changed(state: InstanceState[Any], subject: Subject, fetched: Fetched) -> tuple[Facts, Facts]:
    before: Facts = {}
    after: Facts = {}
    for name in _columns(state.mapper, subject):
        if name not in state.committed_state:
            continue
        old, new = state.committed_state[name], state.dict.get(name)
        if old is LoaderCallableStatus.NO_VALUE:
            old = fetched.get((state.key, name))
        if old != new:
            before[name], after[name] = told(subject, name, old), told(subject, name, new)
    return before, after


def file_under(note: Note, subject: Subject, held: Mapping[str, Any]) -> None:
    """Under which record, by which name, and at whose unit, as far as the row itself tells."""
    called = held.get(subject.label) if subject.label else None
    table = named_by(note.subject, subject.label)
    if table and called is not None:
        # The name of the unit, the person or the point is looked up for all at once.
        note.named = (table, called)
    elif called is not None:
        note.part = str(called)[:LONGEST_LABEL]
    if subject.unit:
        note.unit_id = held.get(subject.unit)
    if subject.done_by:
        note.person_id = held.get(subject.done_by)
    if subject.of is None:
        note.record, note.record_id = note.subject, note.subject_id
        note.label, note.part = note.part, ""
    else:
        note.record, of_id = subject.of[0], held.get(subject.of[1])
        note.record_id = "" if of_id is None else str(of_id)


@event.listens_for(WritingSession, "after_transaction_create")
def _mark(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.info.setdefault(_MARKS, {})[transaction] = len(notes_of(session))


@event.listens_for(WritingSession, "after_soft_rollback")
def _forget(session: Session, taken_back: SessionTransaction) -> None:
    """What a savepoint took back was not done; after the whole transaction, nothing was."""
    begun = session.info.get(_MARKS, {}).get(taken_back, 0) if taken_back.nested else 0
    del notes_of(session)[begun:]


@event.listens_for(WritingSession, "after_transaction_end")
def _forget_mark(session: Session, transaction: SessionTransaction) -> None:
    session.info.get(_MARKS, {}).pop(transaction, None)


def merged(notes: Iterable[Note]) -> list[Note]:
    """What was done in the whole transaction, in the order in which each thing was first touched."""
    done: list[Note | None] = []
    places: dict[tuple[str, str], int] = {}
    for note in notes:
        key = (note.subject, note.subject_id)
        place = places.get(key) if note.captured else None
        before_it = done[place] if place is not None else None
        if place is None or before_it is None:
            if note.captured:
                places[key] = len(done)
            done.append(note)
        else:
            done[place] = _joined(before_it, note)
    told_once = [_in_their_words(note) for note in done if note is not None]
    told_once = _gathered(told_once, ALIKE_FROM, alike=True)
    return _gathered(told_once, GATHERED_FROM, alike=False)


def _joined(first: Note, second: Note) -> Note | None:
    if (first.act, second.act) == ("create", "delete"):
        return None
    before = second.before | first.before
    if second.act == "delete":
        return replace(second, before=before)
    after = first.after | second.after
    if first.act == "create":
        return replace(second, act="create", before={}, after=after)
    if first.act == "delete":
        # A row went and another one came in its place: what differs has changed.
        names = [name for name in before | after if before.get(name) != after.get(name)]
    else:
        names = [name for name in after if before.get(name) != after[name] or after[name] == HIDDEN]
    if not names:
        return None
    return replace(
        second,
        act="change",
        before={name: before.get(name) for name in names},
        after={name: after.get(name) for name in names},
    )


def _in_their_words(note: Note) -> Note:
    """The act as the subject calls it."""
    acts = SUBJECTS[note.subject].acts if note.captured else {}
    return replace(note, act=acts.get(note.act, note.act))


def _gathered(notes: list[Note], least: int, *, alike: bool) -> list[Note]:
    """Many rows of one kind, changed in one way under one record, as one entry with their number.

    `alike`: only those with the same values before and after.
    """

    def way(note: Note) -> tuple[str, ...]:
        values = canonical([note.before, note.after]) if alike else ""
        return note.subject, note.act, note.record, note.record_id, values

    groups: dict[tuple[str, ...], list[Note]] = defaultdict(list)
    for note in notes:
        if note.captured and SUBJECTS[note.subject].gathered:
            groups[way(note)].append(note)
    many = {key: group for key, group in groups.items() if len(group) >= least}
    if not many:
        return notes
    kept = []
    for note in notes:
        # Values of an act that tells of itself are put plainly later.
        key = way(note) if note.captured else ()
        if key not in many:
            kept.append(note)
        elif group := many[key]:
            kept.append(_as_one(group))
            many[key] = []
    return kept


def _as_one(group: list[Note]) -> Note:
    def common(side: str) -> Facts:
        first: Facts = getattr(group[0], side)
        return {
            name: value
            for name, value in first.items()
            if all(getattr(note, side).get(name) == value for note in group)
        }

    keys = [note.subject_id for note in group[:MOST_NAMED]]
    return replace(
        group[0],
        subject_id="",
        part="",
        named=None,
        unit_id=None,
        before=common("before"),
        after={"count": len(group), **common("after"), "keys": keys},
        captured=False,
    )
