"""Everything in one file, and back: all tables and all stored documents, of either database.

A backup is a ZIP: `manifest.json`, one `tables/NAME.jsonl` per table (first the column names, then a
JSON array per row) and the documents under `files/HASH`. The rows are read in one reading
transaction, so they fit together while the server goes on working; documents are never changed, and
one that came later is not in it. The form knows no dialect: what was written on SQLite can be
restored on PostgreSQL, which is also the way from one to the other.

It holds password hashes and personal data: the file is readable by its owner only.
"""

import os
import zipfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, ClassVar

import msgspec
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    and_,
    func,
    insert,
    select,
    update,
)

from meetings_server import migrations
from meetings_server.database import Database, go_on_counting
from meetings_server.tables import metadata
from minutes.storage import HASH, FileDamaged, FileMissing, FolderStore, StoredFile
from rooms.kernel import Conflict, Invalid, UTCDateTime

FORMAT = 1
BATCH = 1_000
CHUNK = 1024 * 1024

Progress = Callable[[str, int, int], None]
"""Called with what is worked on, how much of it is done, and how much there is."""


class Manifest(msgspec.Struct):
    """What a backup says of itself. `tables`: rows of each; `lost`: documents that weren't whole."""

    format: int
    revision: str
    made_at: datetime
    tables: dict[str, int]
    files: list[str]
    lost: list[str]


@dataclass
class BackupUnreadable(Invalid):
    """The file is no backup, or not whole. `problem` names the part."""

    code: ClassVar[str] = "backup_unreadable"
    problem: str


@dataclass
class BackupNewer(Invalid):
    """The backup was made by a newer program, whose tables this one does not know."""

    code: ClassVar[str] = "backup_newer"
    revision: str


@dataclass
class DatabaseNotEmpty(Conflict):
    """A backup is restored into an empty database only; this one has `rows` rows of `table`."""

    code: ClassVar[str] = "database_not_empty"
    table: str
    rows: int


def write_backup(
    database: Database, files: Path, target: Path, now: datetime, progress: Progress
) -> Manifest:
    """Write all there is to `target`, which appears only once it is complete.

    Raises `FileExistsError` where the target exists. Documents that are missing or damaged are named
    in the manifest; everything else is saved.
    """
    part = target.with_name(f"{target.name}.part")
    descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with (
            os.fdopen(descriptor, "wb") as raw,
            zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            counts, hashes = _write_tables(database, archive, progress)
            lost = _write_files(FolderStore(files), hashes, archive, progress)
            manifest = Manifest(
                FORMAT,
                migrations.newest() or "",
                now,
                counts,
                [name for name in hashes if name not in lost],
                lost,
            )
            archive.writestr("manifest.json", msgspec.json.encode(manifest))
        with part.open("rb") as written:
            os.fsync(written.fileno())
        # A link, unlike a rename, never replaces a file that is already there.
        target.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _write_tables(
    database: Database, archive: zipfile.ZipFile, progress: Progress
) -> tuple[dict[str, int], list[str]]:
    counts: dict[str, int] = {}
    with database.reader() as session:
        for number, table in enumerate(metadata.sorted_tables):
            progress(table.name, number, len(metadata.sorted_tables))
            counts[table.name] = 0
            rows = session.execute(
                select(table).order_by(*table.primary_key.columns),
                execution_options={"yield_per": BATCH},
            )
            with archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as lines:
                lines.write(msgspec.json.encode([column.name for column in table.columns]) + b"\n")
                for batch in rows.partitions():
                    counts[table.name] += len(batch)
                    lines.write(b"".join(msgspec.json.encode(tuple(r)) + b"\n" for r in batch))
        return counts, list(session.scalars(select(StoredFile.sha256).order_by(StoredFile.sha256)))


def _write_files(
    store: FolderStore, hashes: list[str], archive: zipfile.ZipFile, progress: Progress
) -> list[str]:
    lost = []
    for number, name in enumerate(hashes):
        progress("files", number, len(hashes))
        try:
            with (
                store.open(name) as document,
                archive.open(f"files/{name}", "w", force_zip64=True) as kept,
            ):
                while chunk := document.read(CHUNK):
                    kept.write(chunk)
        except (FileMissing, FileDamaged):
            lost.append(name)
    return lost


def restore_backup(
    url: str, files: Path, source: Path, progress: Progress, *, dry_run: bool = False
) -> Manifest:
    """Bring an empty database to what the backup holds; all or nothing.

    An older backup is loaded into the tables of its own revision and migrated afterwards. `dry_run`
    reads and checks everything and writes nothing. Raises `BackupUnreadable`, `BackupNewer`,
    `DatabaseNotEmpty`.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = _read_manifest(archive)
            _require_whole(archive, manifest, progress)
            if not dry_run:
                _load(url, archive, manifest, progress)
                _read_files(FolderStore(files), archive, manifest, progress)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, KeyError) as wrong:
        raise BackupUnreadable(str(wrong)) from None
    return manifest


def _read_manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        manifest = msgspec.json.decode(archive.read("manifest.json"), type=Manifest)
    except (KeyError, msgspec.MsgspecError):
        raise BackupUnreadable("manifest.json") from None
    if manifest.format != FORMAT or manifest.revision not in migrations.known():
        raise BackupNewer(manifest.revision)
    return manifest


def _require_whole(archive: zipfile.ZipFile, manifest: Manifest, progress: Progress) -> None:
    """Every part is there and readable to its end, before anything is written."""
    for number, name in enumerate(manifest.files):
        progress("check", number, len(manifest.files) + len(manifest.tables))
        with archive.open(f"files/{name}") as document:
            if not HASH.fullmatch(name) or _digest(document) != name:
                raise BackupUnreadable(f"files/{name}")
    for table, rows in manifest.tables.items():
        progress("check", len(manifest.files), len(manifest.files) + len(manifest.tables))
        with archive.open(f"tables/{table}.jsonl") as lines:
            if sum(1 for _ in lines) != rows + 1:
                raise BackupUnreadable(f"tables/{table}.jsonl")


def _digest(document: IO[bytes]) -> str:
    digest = sha256()
    while chunk := document.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _load(url: str, archive: zipfile.ZipFile, manifest: Manifest, progress: Progress) -> None:
    database = Database(url)
    try:
        _require_empty(database)
        if migrations.current(database) not in {None, manifest.revision}:
            # Empty but for its tables, which are those of another revision.
            migrations.downgrade(url, "base")
        migrations.migrate(url, manifest.revision)
        # The tables as they are at the backup's revision, which need not be those of this program.
        standing = MetaData()
        standing.reflect(database.engine)
        with database.connection() as connection:
            for number, table in enumerate(standing.sorted_tables):
                if table.name in manifest.tables:
                    progress(table.name, number, len(standing.sorted_tables))
                    with archive.open(f"tables/{table.name}.jsonl") as lines:
                        _load_table(connection, table, lines)
        migrations.migrate(url)
    finally:
        database.dispose()


def _require_empty(database: Database) -> None:
    if migrations.current(database) is None:
        return
    with database.reader() as session:
        for name in ("unit", "person"):
            rows = session.scalar(select(func.count()).select_from(metadata.tables[name])) or 0
            if rows:
                raise DatabaseNotEmpty(name, rows)


def _load_table(connection: Connection, table: Table, lines: IO[bytes]) -> None:
    columns = [
        table.columns[name] for name in msgspec.json.decode(lines.readline(), type=list[str])
    ]
    for column in columns:
        if isinstance(column.type, JSON):
            # Reflected, it would write the word null where the row has none.
            column.type.none_as_null = True
        elif isinstance(column.type, DateTime):
            column.type = UTCDateTime()
    readers = [_reader(column) for column in columns]
    key = list(table.primary_key.columns)
    # What the migrations put there on the way, such as the head of a chain: it is brought forward.
    there = {tuple(row) for row in connection.execute(select(*key))}
    for batch in _batches(lines):
        rows = [
            {
                column.name: None if value is None else read(value)
                for column, read, value in zip(columns, readers, row, strict=True)
            }
            for row in batch
        ]
        for row in rows:
            if tuple(row[part.name] for part in key) in there:
                same = and_(*(part == row[part.name] for part in key))
                if connection.execute(select(table).where(same)).mappings().one() != row:
                    connection.execute(update(table).where(same).values(row))
        fresh = [row for row in rows if tuple(row[part.name] for part in key) not in there]
        if fresh:
            connection.execute(insert(table), fresh)
    go_on_counting(connection, table)


def _batches(lines: IO[bytes]) -> Iterator[list[list[Any]]]:
    batch: list[list[Any]] = []
    for line in lines:
        batch.append(msgspec.json.decode(line, type=list[Any]))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _reader(column: Column[Any]) -> Callable[[Any], Any]:
    """How a value of JSON becomes what the column takes."""
    if isinstance(column.type, UTCDateTime):
        return datetime.fromisoformat
    if isinstance(column.type, Date):
        return date.fromisoformat
    if isinstance(column.type, LargeBinary):
        return b64decode
    return lambda value: value


def _read_files(
    store: FolderStore, archive: zipfile.ZipFile, manifest: Manifest, progress: Progress
) -> None:
    for number, name in enumerate(manifest.files):
        progress("files", number, len(manifest.files))
        with archive.open(f"files/{name}") as document:
            store.put_back(document, name)
