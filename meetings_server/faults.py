"""Faults of the machine that pass: a full disk, a database that is busy, read-only or away.

They are no mistake of whoever asks and none of the program: the answer says what is the matter and
that nothing was changed, so that trying again later is safe.
"""

import errno
from dataclasses import dataclass

from litestar.status_codes import HTTP_503_SERVICE_UNAVAILABLE, HTTP_507_INSUFFICIENT_STORAGE
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from meetings_server.i18n import mark

RETRY_SECONDS = 30
"""When a program may try again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is the matter, as an answer."""

    status: int
    code: str
    sentence: str


STORAGE_FULL = Fault(
    HTTP_507_INSUFFICIENT_STORAGE,
    "storage_full",
    mark("The server has no room left on its disk. Nothing was saved; tell the administrator."),
)
STORAGE_REFUSED = Fault(
    HTTP_503_SERVICE_UNAVAILABLE,
    "storage_refused",
    mark("The server cannot write to its disk. Nothing was saved; tell the administrator."),
)
DATABASE_AWAY = Fault(
    HTTP_503_SERVICE_UNAVAILABLE,
    "database_unavailable",
    mark("The database does not answer at the moment. Nothing was changed; try again in a moment."),
)

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}

# SQLite tells these by their words alone.
_FULL_WORDS = ("disk is full",)
_WRONG_WORDS = ("no such table", "no such column", "no such function", "syntax error")
_REFUSED_WORDS = ("readonly database", "unable to open database", "disk i/o error")


def fault_of(error: BaseException) -> Fault | None:
    """The fault behind an error; None where it is a mistake of the program."""
    if isinstance(error, PoolTimeout):
        return DATABASE_AWAY
    if isinstance(error, DBAPIError):
        return _of_database(error)
    if isinstance(error, OSError):
        if error.errno in _FULL:
            return STORAGE_FULL
        return STORAGE_REFUSED if error.errno in _REFUSED else None
    return None


def _of_database(error: DBAPIError) -> Fault | None:
    said = str(error.orig).casefold()
    if any(words in said for words in _FULL_WORDS):
        return STORAGE_FULL
    if any(words in said for words in _REFUSED_WORDS):
        return STORAGE_REFUSED
    away = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    # An OperationalError of SQLite is also a statement that is wrong: a mistake of ours.
    if any(words in said for words in _WRONG_WORDS):
        return None
    return DATABASE_AWAY if away else None
