"""A sweep that writes much lets others write in between."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from meetings_server.database import Database

LONGEST_PAUSE = 0.5
"""Seconds. On SQLite whoever waits looks every tenth of a second whether it is their turn."""


@contextmanager
def giving_way(db: Database) -> Iterator[Session]:
    """A transaction, and after it a pause as long as it took: check-ins have waited for its end."""
    began = time.monotonic()
    with db.transaction() as session:
        yield session
    time.sleep(min(LONGEST_PAUSE, time.monotonic() - began))
