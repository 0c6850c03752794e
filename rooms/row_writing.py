"""Many rows in few statements: the SQL is made once for each kind of database, the rows are tuples.

A statement of SQLAlchemy costs more than the rows of a check-in, and a driver that steps from row to
row hands the interpreter to the event loop at each of them and has to wait for it to come back.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, insert

from rooms.kernel import Base, UTCDateTime

SIZES = (256, 32, 4, 1)
"""Rows of a statement: few different ones, so that drivers find them prepared."""


class RowWriter:
    """INSERT of rows with these columns, in the order of the table.

    `replacing` names the key of rows that may be there already: they get what the new ones say.
    """

    def __init__(
        self, table: type[Base], columns: Sequence[str], replacing: Sequence[str] = ()
    ) -> None:
        self._table = table
        self._columns = tuple(columns)
        self._replacing = tuple(replacing)
        self._sql: dict[tuple[type[Dialect], int], str] = {}

    def write(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """In the order given. Instants must have come from `instants_for`."""
        place = 0
        for size in SIZES:
            while len(rows) - place >= size:
                together = rows[place : place + size]
                connection.exec_driver_sql(
                    self._statement(connection.dialect, size),
                    tuple(value for row in together for value in row),
                )
                place += size

    def _statement(self, dialect: Dialect, size: int) -> str:
        found = self._sql.get((type(dialect), size))
        if found is None:
            found = self._sql[type(dialect), size] = self._compile(dialect, size)
        return found

    def _compile(self, dialect: Dialect, size: int) -> str:
        values: dict[str, Any] = {name: bindparam(name) for name in self._columns}
        style = "qmark" if dialect.paramstyle == "qmark" else "format"
        # All dialects take this; that their base does not say so is an omission.
        kind: Any = type(dialect)
        compiled = insert(self._table).values(values).compile(dialect=kind(paramstyle=style))
        # The compiler puts columns into the order of the table.
        if tuple(compiled.positiontup or ()) != self._columns:
            raise AssertionError(f"columns in the order of {self._table.__tablename__}")
        head, values_word, row = str(compiled).partition(" VALUES ")
        return f"{head}{values_word}{', '.join([row] * size)}{self._on_conflict()}"

    def _on_conflict(self) -> str:
        if not self._replacing:
            return ""
        new = ", ".join(f"{n} = excluded.{n}" for n in self._columns if n not in self._replacing)
        return f" ON CONFLICT ({', '.join(self._replacing)}) DO UPDATE SET {new}"


Instants = Callable[[datetime | None], Any]


def instants_for(dialect: Dialect) -> Instants:
    """How this database's driver takes instants. Those of one batch are mostly the same few."""
    kind: Any = UTCDateTime().dialect_impl(dialect)
    bind = kind.bind_processor(dialect)
    seen: dict[datetime | None, Any] = {None: None}

    def instant(value: datetime | None) -> Any:
        if value not in seen:
            seen[value] = bind(value)
        return seen[value]

    return instant
