"""Is the record whole? Reads it from the first entry to the last and names the first broken one.

Who changes an entry breaks its hash; who hashes it anew breaks the link of the next one; who hashes
all that follow, or cuts off the end, changes the head. A head that was written down outside, as
`number:hash`, gives that away too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meetings_server.audit.ledger import HASHED, NO_HASH, AuditEntry, AuditHead, hash_of

BATCH = 5_000
"""Entries read by one statement."""

_ALL = (*HASHED, "previous_hash", "hash")
_PREVIOUS, _HASH = _ALL.index("previous_hash"), _ALL.index("hash")
_AT = _ALL.index("at")

Tell = Callable[[int, int], None]


class Fault(StrEnum):
    """What is wrong with an entry."""

    CHANGED = "changed"
    """Its words do not fit its hash."""
    MISSING = "missing"
    """There is none of this number, and there are later ones."""
    REPLACED = "replaced"
    """It is sound in itself, but another one stood here when the next was written."""
    UNLINKED = "unlinked"
    """It names another entry before it than the one that is there."""
    CUT_OFF = "cut_off"
    """The record once went on to here."""
    BEYOND_HEAD = "beyond_head"
    """It is not counted by the head: it was not written by the server."""
    HEAD = "head"
    """The head tells another hash of the last entry."""
    NOTED = "noted"
    """It has another hash than the one that was written down outside."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first broken entry; `at` where it is there to tell."""

    number: int
    at: datetime | None
    fault: Fault


@dataclass(frozen=True, slots=True)
class Verdict:
    """`count` entries were looked at; `head` is `number:hash` as the database tells it."""

    count: int
    head: str
    broken: Broken | None


@dataclass(frozen=True, slots=True)
class NotedHead:
    """A head that somebody has written down."""

    number: int
    hash: str


def read_head(text: str) -> NotedHead:
    """From `number:hash`, as the doctor prints it. Raises `ValueError`."""
    number, _, told = text.strip().partition(":")
    if not (number.isascii() and number.isdigit()) or len(told) != len(NO_HASH):
        raise ValueError("give number:hash, as the doctor has printed it")
    return NotedHead(int(number), told.casefold())


def verify(
    session: Session,
    *,
    newest: int | None = None,
    noted: NotedHead | None = None,
    tell: Tell = lambda _done, _total: None,
) -> Verdict:
    """Look at every entry, or at the `newest` so many; in batches, whatever their number.

    `tell` hears how many are done of how many.
    """
    count, last = session.execute(
        select(AuditHead.count, AuditHead.hash).where(AuditHead.id == 1)
    ).one()
    head = f"{count}:{last}"
    begin = max(0, count - newest) if newest is not None else 0
    previous = _hash_before(session, begin)
    number, broken = begin, None
    columns = [getattr(AuditEntry, name) for name in _ALL]
    while broken is None:
        rows = session.execute(
            select(*columns).where(AuditEntry.id > number).order_by(AuditEntry.id).limit(BATCH)
        ).all()
        for row in rows:
            broken = _fault(row, number + 1, previous, count, noted)
            if broken is not None:
                break
            number, previous = row[0], row[_HASH]
        tell(number, count)
        if len(rows) < BATCH:
            break
    if broken is None:
        broken = _fault_of_end(session, number, previous, count, last, noted)
    return Verdict(number - begin, head, broken)


def _hash_before(session: Session, number: int) -> str:
    """What the entry after this number has to name; an empty text where that is not known."""
    if number == 0:
        return NO_HASH
    return session.scalar(select(AuditEntry.hash).where(AuditEntry.id == number)) or ""


def _fault(
    row: Sequence[Any], expected: int, previous: str, count: int, noted: NotedHead | None
) -> Broken | None:
    at = row[_AT]
    if row[0] != expected:
        return Broken(expected, None, Fault.MISSING)
    fits_itself = row[_HASH] == hash_of(row[_PREVIOUS], row[: len(HASHED)])
    fault = None
    if row[_PREVIOUS] != previous:
        if fits_itself and expected > 1:
            return Broken(expected - 1, None, Fault.REPLACED)
        fault = Fault.UNLINKED
    elif not fits_itself:
        fault = Fault.CHANGED
    elif expected > count:
        fault = Fault.BEYOND_HEAD
    elif noted is not None and noted.number == expected and noted.hash != row[_HASH]:
        fault = Fault.NOTED
    return Broken(expected, at, fault) if fault else None


def _fault_of_end(
    session: Session, number: int, previous: str, count: int, last: str, noted: NotedHead | None
) -> Broken | None:
    if number < max(count, noted.number if noted else 0):
        return Broken(number + 1, None, Fault.CUT_OFF)
    if previous != last:
        at = session.scalar(select(func.max(AuditEntry.at)).where(AuditEntry.id == number))
        return Broken(number, at, Fault.HEAD)
    return None
