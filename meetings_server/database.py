"""The database: one transaction per request, effects in the commit, hints after it.

What differs between SQLite and PostgreSQL stands here (and in the search), nowhere else.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Integer, Table, create_engine, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from meetings_server.audit import bulk  # noqa: F401 -- lays its watch over WritingSession
from meetings_server.audit.capture import WritingSession
from meetings_server.audit.ledger import append
from rooms.auditing import doing
from rooms.kernel import Event, drain, utcnow

Effect = Callable[[Session, Event], None]
Hint = Callable[[Sequence[Event]], None]

BUSY_SECONDS = 15
"""How long a SQLite writer waits for the one before it."""

# A reader sees one instant of the database in all its statements, as it does on SQLite.
POSTGRESQL_READER = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}


class Database:
    """Sessions on one database. Leaving `transaction()` commits, raising rolls back.

    `effects` run for each recorded event inside the commit (they write outbox rows); `hints` run
    with all events of the transaction once it is committed (they wake whoever watches).
    """

    def __init__(self, url: str, effects: Sequence[Effect] = ()) -> None:
        self.url = url
        self.engine = _make_engine(url)
        self._reading = self.engine.execution_options(
            reading=True, **(POSTGRESQL_READER if self.is_postgresql else {})
        )
        self.effects: list[Effect] = list(effects)
        self.hints: list[Hint] = []

    @property
    def is_postgresql(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits on leaving. The caller's answer goes out after the commit."""
        happened: list[Event] = []
        with WritingSession(self.engine, expire_on_commit=False) as session, session.begin():
            yield session
            session.flush()
            for fact in drain(session):
                happened.append(fact)
                for effect in self.effects:
                    effect(session, fact)
            session.flush()
            # The very last: on PostgreSQL others who write wait for the head of the record from here.
            append(session, doing.get(), utcnow())
        if happened:
            for hint in self.hints:
                hint(happened)

    @contextmanager
    def reader(self) -> Iterator[Session]:
        """A session that only reads; it never waits for a writer."""
        with Session(self._reading, autoflush=False) as session:
            yield session

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A Core transaction for the writers of the live path; commits on leaving."""
        with self.engine.begin() as connection:
            yield connection

    def try_exclusive(self, number: int) -> "Exclusive | None":
        """Be the only process with a lock of this number; None where another one holds it.

        A SQLite file is one process's own, which needs no lock.
        """
        if not self.is_postgresql:
            return Exclusive(None)
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            taken = connection.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": number})
        except SQLAlchemyError:
            connection.invalidate()
            raise
        if not taken:
            connection.close()
            return None
        return Exclusive(connection)

    def is_reachable(self) -> bool:
        """Ask the database for a sign of life; raises what the driver raises when there is none."""
        with self._reading.connect() as connection:
            return bool(connection.scalar(text("SELECT 1")))

    def dispose(self) -> None:
        self.engine.dispose()


class Exclusive:
    """A lock that lasts as long as its connection does: whoever crashes gives it back."""

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection

    def is_held(self) -> bool:
        """Whether the connection still lives, and the lock with it."""
        if self._connection is None:
            return True
        try:
            self._connection.scalar(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True

    def release(self) -> None:
        if self._connection is not None:
            # Not back into the pool: the lock would stay with the connection.
            self._connection.invalidate()
            self._connection.close()


def go_on_counting(connection: Connection, table: Table) -> None:
    """Let the next row of a table, whose rows brought their numbers along, get the number after them.

    SQLite does so by itself.
    """
    key = list(table.primary_key.columns)
    counts = len(key) == 1 and isinstance(key[0].type, Integer) and not key[0].foreign_keys
    if counts and connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(f'"{table.name}"', key[0].name)
        newest = select(func.max(key[0])).scalar_subquery()
        connection.execute(select(func.setval(sequence, newest)))


def _make_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url, pool_size=20, max_overflow=20, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, pool_size=20, max_overflow=20, connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: it would begin them as readers, and a reader
    # that turns writer fails at once when another writer came first.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-32768")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
