"""The record itself: entries that are only ever appended, each bound by hash to the one before.

An entry's number is its place in the chain, without gaps. `hash` is the SHA-256 of the JSON array of
`previous_hash` and all other columns in the order of `HASHED`, so that no word of an entry can change
without breaking the chain there. `audit_head` holds how many there are and the last hash: who cuts off
the end has to forge it as well, and whoever has written a head down outside can tell. Triggers refuse
every change and deletion.

Entries name people and units by their number without a foreign key, and keep the names as they were:
an entry stands by itself. It also keeps PostgreSQL from locking those rows after the head, which is
the last lock of a transaction, so that two transactions can never wait for each other.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, insert, literal, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.audit.capture import LONGEST_LABEL, canonical, merged, plain
from meetings_server.audit.subjects import SUBJECTS
from rooms.auditing import Doer, Note, notes_of
from rooms.folding import fold
from rooms.kernel import Base

NO_HASH = "0" * 64
"""Stands before the first entry."""

MOST_AT_ONCE = 5_000
"""Keys in one condition: databases bound the number of parameters of a statement."""


class AuditEntry(Base):
    """One thing that was done. Never changed, never deleted."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Place in the chain, from 1."""
    at: Mapped[datetime]
    """When it was committed."""
    person_id: Mapped[int | None]
    who: Mapped[str]
    """The person as they were called; else the command or the sweep."""
    on_behalf_of_id: Mapped[int | None]
    on_behalf_of: Mapped[str]
    login: Mapped[str]
    """See `rooms.auditing.Login`."""
    address: Mapped[str]
    request: Mapped[str]
    act: Mapped[str]
    subject: Mapped[str]
    """Table of what was changed or given out."""
    subject_id: Mapped[str]
    """Its key; parts of a key are joined by `/`. Empty where the entry is about many."""
    record: Mapped[str]
    """What it is filed under: a reply under its meeting; the subject itself where it stands alone."""
    record_id: Mapped[str]
    label: Mapped[str]
    """The record as it was called."""
    part: Mapped[str]
    """The subject as it was called, where it is not the record itself."""
    unit_id: Mapped[int | None]
    """Unit of the subject. Whoever looks after it may read the entry."""
    record_unit_id: Mapped[int | None]
    """Unit of the record. Whoever looks after it may read the entry, too."""
    before: Mapped[str] = mapped_column(Text)
    """The changed fields as JSON, verbatim as it was hashed; what stood there before."""
    after: Mapped[str] = mapped_column(Text)
    folded: Mapped[str]
    """Names, for the search."""
    previous_hash: Mapped[str]
    hash: Mapped[str]

    __table_args__ = (
        Index(None, "record", "record_id"),
        Index(None, "subject", "subject_id"),
        Index(None, "at"),
        Index(None, "person_id"),
        Index(None, "unit_id"),
        Index(None, "record_unit_id"),
    )


class AuditHead(Base):
    """How many entries there are and the hash of the last one. A single row: writers lock it."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]
    hash: Mapped[str]

    __table_args__ = (CheckConstraint("id = 1", name="single"),)


HASHED = (
    "id",
    "at",
    "person_id",
    "who",
    "on_behalf_of_id",
    "on_behalf_of",
    "login",
    "address",
    "request",
    "act",
    "subject",
    "subject_id",
    "record",
    "record_id",
    "label",
    "part",
    "unit_id",
    "record_unit_id",
    "before",
    "after",
    "folded",
)
"""The columns that are hashed, in this order, after the previous hash. Never reordered."""

_AT = HASHED.index("at")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def hash_of(previous_hash: str, values: Sequence[Any]) -> str:
    """SHA-256 of an entry; `values` in the order of `HASHED`, `at` aware."""
    told = [previous_hash, *values]
    told[_AT + 1] = values[_AT].astimezone(UTC).isoformat(timespec="microseconds")
    return sha256(_encode(told).encode()).hexdigest()


def append(session: Session, doer: Doer, at: datetime) -> int:
    """Write what was put down in this transaction. The last act before the commit.

    Returns the number of entries. A constant number of statements: one that locks the head, two that
    write, and one for each kind of thing whose name the notes do not know.
    """
    notes = merged(notes_of(session))
    notes_of(session).clear()
    if not notes:
        return 0
    rows = _told(session, notes, doer, at)
    count, last = session.execute(
        select(AuditHead.count, AuditHead.hash).where(AuditHead.id == 1).with_for_update()
    ).one()
    for number, row in enumerate(rows, start=count + 1):
        row["id"], row["previous_hash"] = number, last
        row["hash"] = last = hash_of(last, [row[name] for name in HASHED])
    session.execute(insert(AuditEntry), rows)
    session.execute(
        update(AuditHead)
        .where(AuditHead.id == 1)
        .values(count=count + len(rows), hash=last)
        .execution_options(synchronize_session=False)
    )
    return len(rows)


def _told(
    session: Session, notes: Sequence[Note], doer: Doer, at: datetime
) -> list[dict[str, Any]]:
    """The rows of the entries, without number and hashes."""
    records = _records(session, notes)
    names = _names(session, notes, doer)
    behalf = names.get(("person", doer.on_behalf_of), "") if doer.on_behalf_of else ""
    rows = []
    for note in notes:
        label, unit_id = records.get((note.record, note.record_id), ("", None))
        person_id = doer.person_id if doer.person_id is not None else note.person_id
        who = doer.name
        if doer.person_id is None and note.person_id is not None:
            who = names.get(("person", note.person_id), "")
        part = names.get(note.named, "") if note.named else note.part
        label = (note.label or label)[:LONGEST_LABEL]
        rows.append(
            {
                "at": at,
                "person_id": person_id,
                "who": who,
                "on_behalf_of_id": doer.on_behalf_of,
                "on_behalf_of": behalf,
                "login": doer.login.value,
                "address": doer.address,
                "request": doer.request,
                "act": note.act,
                "subject": note.subject,
                "subject_id": note.subject_id,
                "record": note.record,
                "record_id": note.record_id,
                "label": label,
                "part": part,
                "unit_id": note.unit_id if note.unit_id is not None else unit_id,
                "record_unit_id": unit_id,
                "before": canonical(plain(note.before)),
                "after": canonical(plain(note.after)),
                "folded": fold(" ".join(filter(None, (label, part, who, behalf)))),
            }
        )
    return rows


Key = tuple[str, int]


def _records(
    session: Session, notes: Iterable[Note]
) -> Mapping[tuple[str, str], tuple[str, int | None]]:
    """What each record is called and the unit it belongs to, by table and key."""
    known: dict[tuple[str, str], tuple[str, int | None]] = {}
    asked: dict[str, set[int]] = defaultdict(set)
    for note in notes:
        if note.record == note.subject and note.record_id == note.subject_id and note.label:
            known[note.record, note.record_id] = (note.label, note.unit_id)
    for note in notes:
        if (note.record, note.record_id) not in known and note.record_id.isdigit():
            asked[note.record].add(int(note.record_id))
    for table, numbers in asked.items():
        known |= {
            (table, str(number)): (str(label or ""), unit_id)
            for number, label, unit_id in _rows_of(session, table, numbers)
        }
    return known


def _names(session: Session, notes: Iterable[Note], doer: Doer) -> Mapping[Key, str]:
    asked: dict[str, set[int]] = defaultdict(set)
    if doer.on_behalf_of is not None:
        asked["person"].add(doer.on_behalf_of)
    for note in notes:
        if doer.person_id is None and note.person_id is not None:
            asked["person"].add(note.person_id)
        if note.named is not None:
            asked[note.named[0]].add(note.named[1])
    return names_of(session, asked)


def names_of(session: Session, asked: Mapping[str, Iterable[int]]) -> dict[Key, str]:
    """What rows of recorded tables are called now: one statement for each table."""
    return {
        (table, number): str(label or "")
        for table, numbers in asked.items()
        for number, label, _unit in _rows_of(session, table, numbers)
    }


def _rows_of(
    session: Session, table: str, numbers: Iterable[int]
) -> Iterable[tuple[int, str | None, int | None]]:
    """Id, label and unit of rows of a recorded table."""
    subject = SUBJECTS.get(table)
    if subject is None:
        return
    columns = Base.metadata.tables[table].c
    if "id" not in columns:
        return
    # What is called by somebody else's name has none of its own to be filed under.
    has_name = bool(subject.label) and not subject.label.endswith("_id")
    label = columns[subject.label] if has_name else literal("")
    unit = columns[subject.unit] if subject.unit else None
    wanted = sorted(numbers)
    for first in range(0, len(wanted), MOST_AT_ONCE):
        query = select(columns["id"], label, *([] if unit is None else [unit.label("unit")])).where(
            columns["id"].in_(wanted[first : first + MOST_AT_ONCE])
        )
        for row in session.execute(query):
            yield row[0], row[1], row[2] if unit is not None else None
