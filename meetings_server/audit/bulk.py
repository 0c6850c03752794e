"""Takes down what statements change that go past the session's objects: `update(…)`, `delete(…)`, `insert(…)`.

Up to a number of rows they are read before and after, and told row by row as a flush would be. Beyond
that the act is one entry with the number of rows and the values that were set: 632 invitations that go
out together are one thing that was done.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Delete,
    Insert,
    Result,
    Table,
    Update,
    and_,
    event,
    false,
    or_,
    select,
)
from sqlalchemy.orm import ORMExecuteState

from meetings_server.audit.capture import (
    EMPTY,
    GATHERED_FROM,
    Facts,
    WritingSession,
    file_under,
    plain,
    told,
)
from meetings_server.audit.subjects import OMITTED, SUBJECTS, Subject
from rooms.auditing import Note, notes_of
from rooms.kernel import utcnow

MOST_ROWS = 200
"""Rows that are told one by one, where the table is not gathered before."""

Values = Mapping[str, Any]


@event.listens_for(WritingSession, "do_orm_execute")
def _take_down(state: ORMExecuteState) -> Result[Any] | None:
    statement = state.statement
    if not isinstance(statement, Insert | Update | Delete):
        return None
    table = cast("Table", statement.table)
    subject = SUBJECTS.get(getattr(table, "name", ""))
    if subject is None:
        return None
    if isinstance(statement, Insert):
        return _insert(state, statement, table, subject)
    if isinstance(state.parameters, list):
        return _many(state, statement, table, subject, state.parameters)
    return _where(state, statement, table, subject, statement.whereclause)


def _insert(
    state: ORMExecuteState, statement: Insert, table: Table, subject: Subject
) -> Result[Any]:
    result = state.invoke_statement()
    rows = _inserted(state, statement)
    groups: dict[Any, list[Values]] = defaultdict(list)
    for row in rows:
        groups[row.get(subject.of[1]) if subject.of else None].append(row)
    if not rows or len(groups) > MOST_ROWS:
        # Made from a query, or under very many records: how many there are is what can be said.
        count = len(rows) or getattr(result, "rowcount", -1)
        if count:
            _put(state, "create", table, subject, {}, {"count": count} if count > 0 else {}, {})
        return result
    for group in groups.values():
        same = _common(table, subject, group)
        after = same if len(group) == 1 else {"count": len(group)} | same
        row = group[0] if len(group) == 1 else _shared(group)
        _put(state, "create", table, subject, {}, after, row)
    return result


def _inserted(state: ORMExecuteState, statement: Insert) -> Sequence[Values]:
    if statement.select is not None:
        return ()
    set_by_statement = _literals(statement)
    given = state.parameters
    rows = given if isinstance(given, list) else [given or {}]
    return [set_by_statement | dict(cast("Values", row)) for row in rows]


def _many(
    state: ORMExecuteState,
    statement: Update | Delete,
    table: Table,
    subject: Subject,
    rows: Sequence[Values],
) -> Result[Any]:
    """One statement for a list of rows, each named by its key: their number, and what all share."""
    keys = {column.key for column in table.primary_key}
    most = GATHERED_FROM - 1 if subject.gathered else MOST_ROWS
    if (
        statement.whereclause is None
        and len(rows) <= most
        and all(keys <= row.keys() for row in rows)
    ):
        return _where(state, statement, table, subject, _these(table, rows))
    result = state.invoke_statement()
    if rows:
        same = _common(table, subject, [_literals(statement) | dict(row) for row in rows])
        after = {"count": len(rows)} | {k: v for k, v in same.items() if k not in keys}
        _put(state, _act(statement), table, subject, {}, after, _shared(rows))
    return result


def _where(
    state: ORMExecuteState,
    statement: Update | Delete,
    table: Table,
    subject: Subject,
    which: ColumnElement[bool] | None,
) -> Result[Any]:
    session = state.session
    most = GATHERED_FROM - 1 if subject.gathered else MOST_ROWS
    query = select(*table.columns).limit(most + 1)
    if which is not None:
        query = query.where(which)
    given = state.parameters if isinstance(state.parameters, Mapping) else {}
    with session.no_autoflush:
        before = [dict(row) for row in session.execute(query, given).mappings()]
    result = state.invoke_statement()
    if len(before) > most:
        count = getattr(result, "rowcount", -1)
        after = _told(subject, table, _literals(statement))
        if isinstance(statement, Delete):
            after = {}
        _put(state, _act(statement), table, subject, {}, {"count": count} | after, _shared(before))
        return result
    if isinstance(statement, Delete):
        for row in before:
            if not _had_ended(subject, row):
                _put(state, "delete", table, subject, _told(subject, table, row), {}, row)
        return result
    after_by_key = _read_again(state, table, before)
    for row in before:
        now = after_by_key.get(_key(table, row))
        if now is None:
            continue
        names = [name for name in _names(table, subject) if row[name] != now[name]]
        if names:
            _put(
                state,
                "change",
                table,
                subject,
                {name: told(subject, name, row[name]) for name in names},
                {name: told(subject, name, now[name]) for name in names},
                now,
            )
    return result


def _read_again(state: ORMExecuteState, table: Table, rows: Sequence[Values]) -> dict[Any, Values]:
    if not rows:
        return {}
    with state.session.no_autoflush:
        found = state.session.execute(select(*table.columns).where(_these(table, rows))).mappings()
        return {_key(table, row): row for row in (dict(row) for row in found)}


def _these(table: Table, rows: Sequence[Values]) -> ColumnElement[bool]:
    keys = list(table.primary_key)
    if len(keys) == 1:
        return keys[0].in_([row[keys[0].key] for row in rows])
    return or_(false(), *(and_(*(key == row[key.key] for key in keys)) for row in rows))


def _had_ended(subject: Subject, row: Values) -> bool:
    return bool(subject.until) and row[subject.until] <= utcnow()


def _act(statement: Update | Delete) -> str:
    return "delete" if isinstance(statement, Delete) else "change"


def _key(table: Table, row: Values) -> tuple[Any, ...]:
    return tuple(row.get(column.key) for column in table.primary_key)


def _names(table: Table, subject: Subject) -> list[str]:
    left_out = OMITTED | subject.omitted
    return [column.key for column in table.columns if column.key not in left_out]


def _told(subject: Subject, table: Table, row: Values) -> Facts:
    values = {
        name: told(subject, name, row[name]) for name in _names(table, subject) if name in row
    }
    return {name: value for name, value in values.items() if value not in EMPTY}


def _literals(statement: Insert | Update | Delete) -> dict[str, Any]:
    """What a statement sets to values that it names itself; what the database computes is left out."""
    values: Mapping[Any, Any] = {}
    if not isinstance(statement, Delete):
        values = statement._values or {}  # noqa: SLF001 -- there is no public way to ask
    return {
        getattr(column, "key", str(column)): value.effective_value
        for column, value in values.items()
        if isinstance(value, BindParameter) and not value.required
    }


def _shared(rows: Sequence[Values]) -> dict[str, Any]:
    """The values that all rows have in common."""
    first = rows[0]
    return {
        name: value for name, value in first.items() if all(row.get(name) == value for row in rows)
    }


def _common(table: Table, subject: Subject, rows: Sequence[Values]) -> Facts:
    return _told(subject, table, _shared(rows))


def _put(
    state: ORMExecuteState,
    act: str,
    table: Table,
    subject: Subject,
    before: Facts,
    after: Facts,
    row: Values,
) -> None:
    """A note about a row, or about many of which `row` holds what they share."""
    key = _key(table, row)
    known = None not in key
    note = Note(
        act if known else subject.acts.get(act, act),
        table.name,
        "/".join(str(plain(part)) for part in key) if known else "",
        before,
        after,
        captured=known,
    )
    file_under(note, subject, row)
    notes_of(state.session).append(note)
