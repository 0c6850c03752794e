"""Files by content hash: the bytes lie in a store, the database knows hash, size and type.

The same content is one file, however often it is uploaded. A store never overwrites good bytes and
never hands out bytes that no longer match their hash. What a file really is, is told from its
bytes (`minutes.file_kinds`), not from its name or from what the sender says.
"""

import hashlib
import os
import re
import secrets
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, ClassVar, Protocol

from sqlalchemy import BigInteger, String
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from minutes.file_kinds import ALLOWED, FileTypeRefused, clean_filename, recognise, require_claim
from rooms.kernel import Base, Conflict, Invalid, NotFound

MEGABYTE = 1 << 20
CHUNK = MEGABYTE
HASH = re.compile(r"[0-9a-f]{64}")


class StoredFile(Base):
    """Content that somebody uploaded; its name stands where it is attached.

    `size` in bytes. `media_type`: what the bytes are.
    """

    __tablename__ = "stored_file"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]


@dataclass
class FileTooLarge(Invalid):
    """`limit` in bytes."""

    code: ClassVar[str] = "file_too_large"
    limit: int

    def facts(self) -> dict[str, Any]:
        """With `megabytes`, as people read it, rounded down to a tenth."""
        return super().facts() | {"megabytes": f"{self.limit * 10 // MEGABYTE / 10:g}"}


@dataclass
class FileEmpty(Invalid):
    code: ClassVar[str] = "file_empty"


@dataclass
class UploadCutShort(Invalid):
    """The line broke: fewer bytes came than were announced."""

    code: ClassVar[str] = "upload_cut_short"
    expected: int
    received: int


@dataclass
class FileMissing(NotFound):
    code: ClassVar[str] = "file_missing"
    sha256: str


@dataclass
class FileDamaged(Conflict):
    """The stored bytes do not match their hash: a backup has to be restored."""

    code: ClassVar[str] = "file_damaged"
    sha256: str


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """What `put` learned. `filename` is clean and ends as the type asks."""

    sha256: str
    size: int
    media_type: str
    filename: str


class FileStore(Protocol):
    """Where bytes lie."""

    def put(
        self,
        stream: BinaryIO,
        media_type_hint: str,
        filename: str,
        limit: int,
        expected: int | None = None,
    ) -> ReceivedFile: ...

    def open(self, sha256: str) -> BinaryIO: ...


class FolderStore:
    """Files under `root/ab/cd/<hash>`. Uploads lie in `root/incoming` until they are complete.

    `allowed`: media types that are taken.
    """

    def __init__(self, root: Path, allowed: frozenset[str] = ALLOWED) -> None:
        self.root = root
        self.allowed = allowed

    def put(
        self,
        stream: BinaryIO,
        media_type_hint: str,
        filename: str,
        limit: int,
        expected: int | None = None,
    ) -> ReceivedFile:
        """Read the stream to its end and keep it.

        `limit`: most bytes taken. `expected`: bytes announced, None when nobody said. Raises
        `FileTooLarge`, `FileEmpty`, `UploadCutShort`, `FileTypeRefused`, `FileIncomplete`,
        `FileHasMacros`, `FileUnpacksTooLarge`, `FileNameMissing`; an `OSError` when the disk
        fails. Nothing is left behind by any of them.
        """
        clean_filename(filename)  # An unusable name is refused before the long part.
        incoming = self.root / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        part = incoming / f"{secrets.token_hex(16)}.part"
        try:
            with part.open("xb") as target:
                sha256, size = copy(stream, target, limit)
                target.flush()
                os.fsync(target.fileno())
            if expected is not None and size < expected:
                raise UploadCutShort(expected, size)
            if size == 0:
                raise FileEmpty
            media_type = recognise(part)
            if media_type not in self.allowed:
                raise FileTypeRefused(media_type_hint, media_type)
            require_claim(filename, media_type_hint, media_type)
            received = ReceivedFile(sha256, size, media_type, clean_filename(filename, media_type))
            self._settle(part, sha256)
        finally:
            part.unlink(missing_ok=True)
        return received

    def put_back(self, stream: IO[bytes], sha256: str) -> None:
        """Content out of a backup, to the place of its hash. Raises `FileDamaged` where it differs."""
        incoming = self.root / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        part = incoming / f"{secrets.token_hex(16)}.part"
        try:
            with part.open("xb") as target:
                found, _ = copy(stream, target, sys.maxsize)
                target.flush()
                os.fsync(target.fileno())
            if found != sha256:
                raise FileDamaged(sha256)
            self._settle(part, sha256)
        finally:
            part.unlink(missing_ok=True)

    def open(self, sha256: str) -> BinaryIO:
        """The bytes, checked before the first one leaves. Raises `FileMissing`, `FileDamaged`."""
        try:
            file = self._path(sha256).open("rb")
        except FileNotFoundError:
            raise FileMissing(sha256) from None
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            file.close()
            raise FileDamaged(sha256)
        file.seek(0)
        return file

    def _path(self, sha256: str) -> Path:
        if not HASH.fullmatch(sha256):
            raise FileMissing(sha256)
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def _settle(self, part: Path, sha256: str) -> None:
        """Move the complete file to its place, unless good bytes lie there already."""
        place = self._path(sha256)
        if is_intact(place, sha256):
            # It may be nobody's so far, and old: whoever tidies up has to see that it is wanted.
            os.utime(place)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        part.replace(place)
        sync_folder(place.parent)


def keep(session: Session, received: ReceivedFile, *, now: datetime) -> StoredFile:
    """The row of a received file; the first upload of the same content stays."""
    known = session.get(StoredFile, received.sha256)
    if known is not None:
        return known
    stored = StoredFile(
        sha256=received.sha256,
        size=received.size,
        media_type=received.media_type,
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(stored)
    except IntegrityError:
        # Somebody else uploaded the same content and committed first.
        return session.get_one(StoredFile, received.sha256)
    return stored


def copy(stream: IO[bytes], target: BinaryIO, limit: int) -> tuple[str, int]:
    """Hash and number of the bytes copied. Raises `FileTooLarge` as soon as `limit` is passed."""
    digest = hashlib.sha256()
    size = 0
    while chunk := stream.read(CHUNK):
        size += len(chunk)
        if size > limit:
            raise FileTooLarge(limit)
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest(), size


def is_intact(place: Path, sha256: str) -> bool:
    try:
        with place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows can't open a folder, and has no need to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
