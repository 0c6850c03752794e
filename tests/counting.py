"""Counting SQL statements: those of a test or program and of the requests it sends, no others.

The sweeps, the sender of mail and whatever else the server does by itself come when they come; a
count with them in it would differ from run to run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from sqlalchemy import event

from meetings_server.database import Database
from rooms.auditing import Login, doing

OF_REQUESTS = frozenset({Login.SESSION, Login.TOKEN, Login.NOBODY})
TRANSACTION_WORDS = ("BEGIN", "SAVEPOINT", "RELEASE", "PRAGMA")


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """The statements run meanwhile by this thread and for requests; grows while the block lasts."""
    statements: list[str] = []
    mine = get_ident()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if get_ident() != mine and doing.get().login not in OF_REQUESTS:
            return
        if not statement.startswith(TRANSACTION_WORDS):
            statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
