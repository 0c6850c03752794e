"""Files by content hash: what is taken, what is refused, and that nothing half-done stays."""

import hashlib
import io
import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import docx
import pytest
from sqlalchemy import select

from meetings_server.database import Database
from minutes.file_kinds import (
    DOCX,
    JPEG,
    ODT,
    PDF,
    PNG,
    TEXT,
    XLSX,
    FileHasMacros,
    FileIncomplete,
    FileNameMissing,
    FileTypeRefused,
    FileUnpacksTooLarge,
    clean_filename,
)
from minutes.storage import (
    FileDamaged,
    FileEmpty,
    FileMissing,
    FileTooLarge,
    FolderStore,
    ReceivedFile,
    StoredFile,
    UploadCutShort,
    keep,
)

MEGABYTE = 1 << 20
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PDF_BYTES = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
JPEG_BYTES = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01" + b"\x00" * 64 + b"\xff\xd9"


def png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x00")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def package(**parts: bytes) -> bytes:
    """A ZIP file; `__` in a name stands for a slash, `_DOT_` for a dot."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return stream.getvalue()


def office(main_part: str, **more: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(main_part, "<x/>")
        for name, content in more.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return stream.getvalue()


def real_docx() -> bytes:
    stream = io.BytesIO()
    document = docx.Document()
    document.add_paragraph("Kế hoạch phòng, chống lụt bão")
    document.save(stream)
    return stream.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "files")


def put(store: FolderStore, content: bytes, name: str = "a.pdf", hint: str = "") -> ReceivedFile:
    return store.put(io.BytesIO(content), hint, name, 10 * MEGABYTE)


def files_below(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_bytes_come_back_from_the_place_their_hash_names(store: FolderStore) -> None:
    received = put(store, PDF_BYTES, "Kế hoạch 57.pdf", PDF)
    sha256 = hashlib.sha256(PDF_BYTES).hexdigest()
    assert received == ReceivedFile(sha256, len(PDF_BYTES), PDF, "Kế hoạch 57.pdf")
    assert files_below(store.root) == [store.root / sha256[:2] / sha256[2:4] / sha256]
    with store.open(sha256) as file:
        assert file.read() == PDF_BYTES


def test_same_content_under_two_names_is_one_file(store: FolderStore) -> None:
    first = put(store, PDF_BYTES, "a.pdf")
    second = put(store, PDF_BYTES, "b.pdf")
    assert first.sha256 == second.sha256
    assert (first.filename, second.filename) == ("a.pdf", "b.pdf")
    assert len(files_below(store.root)) == 1


def test_two_threads_put_the_same_content(store: FolderStore) -> None:
    content = PDF_BYTES[:-6] + os.urandom(3 * MEGABYTE) + b"\n%%EOF\n"
    together = threading.Barrier(4)
    received: list[ReceivedFile] = []

    def upload() -> None:
        together.wait()
        received.append(put(store, content))

    threads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.size for one in received] == [len(content)] * 4
    assert len(files_below(store.root)) == 1
    with store.open(received[0].sha256) as file:
        assert file.read() == content


class Endless(io.RawIOBase):
    """A stream that never ends and counts what was taken of it."""

    taken = 0

    def read(self, size: int = -1, /) -> bytes:
        self.taken += size
        return b"x" * size


def test_limit_is_enforced_while_the_bytes_come(store: FolderStore) -> None:
    stream = Endless()
    with pytest.raises(FileTooLarge) as refused:
        store.put(stream, TEXT, "a.txt", 3 * MEGABYTE)  # type: ignore[arg-type]  # raw streams read alike
    assert refused.value.facts() == {"limit": 3 * MEGABYTE, "megabytes": "3"}
    assert stream.taken <= 4 * MEGABYTE
    assert files_below(store.root) == []


def test_exactly_the_limit_is_taken(store: FolderStore) -> None:
    assert store.put(io.BytesIO(b"abc"), TEXT, "a.txt", 3).size == 3


class Broken(io.BytesIO):
    """A line that breaks after the first chunk."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise ConnectionResetError
        return super().read(min(size or 4, 4))


def test_broken_line_leaves_nothing(store: FolderStore) -> None:
    with pytest.raises(ConnectionResetError):
        store.put(Broken(PDF_BYTES), PDF, "a.pdf", MEGABYTE)
    assert files_below(store.root) == []


def test_fewer_bytes_than_announced(store: FolderStore) -> None:
    with pytest.raises(UploadCutShort) as refused:
        store.put(io.BytesIO(PDF_BYTES), PDF, "a.pdf", MEGABYTE, len(PDF_BYTES) + 1)
    assert refused.value.facts() == {"expected": len(PDF_BYTES) + 1, "received": len(PDF_BYTES)}
    assert files_below(store.root) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_leaves_nothing(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115  # put closes it
    monkeypatch.setattr(Path, "open", lambda *_: full)
    with pytest.raises(OSError, match="No space left"):
        put(store, PDF_BYTES)
    monkeypatch.undo()
    assert files_below(store.root) == []


def test_empty_file(store: FolderStore) -> None:
    with pytest.raises(FileEmpty):
        put(store, b"", "a.txt")
    assert files_below(store.root) == []


def test_damaged_file_is_not_handed_out_and_heals_by_a_new_upload(store: FolderStore) -> None:
    sha256 = put(store, PDF_BYTES).sha256
    [place] = files_below(store.root)
    place.write_bytes(PDF_BYTES.replace(b"1.7", b"1.4"))
    with pytest.raises(FileDamaged) as refused:
        store.open(sha256)
    assert refused.value.sha256 == sha256
    put(store, PDF_BYTES)
    with store.open(sha256) as file:
        assert file.read() == PDF_BYTES


@pytest.mark.parametrize("name", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_unknown_hash(store: FolderStore, name: str) -> None:
    with pytest.raises(FileMissing):
        store.open(name)


@pytest.mark.parametrize(
    ("make", "name", "media_type"),
    [
        (lambda: PDF_BYTES, "a.pdf", PDF),
        (real_docx, "a.docx", DOCX),
        (lambda: office("xl/workbook.xml"), "a.xlsx", XLSX),
        (lambda: package(mimetype=ODT.encode()), "a.odt", ODT),
        (png, "a.PNG", PNG),
        (lambda: JPEG_BYTES, "a.jpeg", JPEG),
        ("Họp giao ban\n".encode, "a.txt", TEXT),
    ],
)
def test_kinds_that_are_taken(
    store: FolderStore, make: Callable[[], bytes], name: str, media_type: str
) -> None:
    received = put(store, make(), name, "application/octet-stream")
    assert (received.media_type, received.filename) == (media_type, name)


@pytest.mark.parametrize(
    ("content", "name", "hint", "claimed", "found"),
    [
        (png(), "a.pdf", PDF, PDF, PNG),
        (PDF_BYTES, "a.docx", "", DOCX, PDF),
        (PDF_BYTES, "a", PNG, PNG, PDF),
        (b"<script>alert(1)</script>", "a.html", "text/html", "text/html", TEXT),
        (b"MZ\x90\x00" + b"\x00" * 300, "a.pdf", PDF, PDF, "application/x-msdownload"),
        (package(a_DOT_exe=b"MZ"), "a.docx", DOCX, DOCX, "application/zip"),
        ("Họp".encode("utf-16"), "a.txt", TEXT, TEXT, "application/octet-stream"),
        (
            "Đống Đa".encode("cp1258", "replace") + b"\xff",
            "a.txt",
            TEXT,
            TEXT,
            "application/octet-stream",
        ),
        (b"GIF89a" + b"\x00" * 20, "a.gif", "image/gif", "image/gif", "image/gif"),
    ],
)
def test_lies_and_strangers_are_refused(
    store: FolderStore, content: bytes, name: str, hint: str, claimed: str, found: str
) -> None:
    with pytest.raises(FileTypeRefused) as refused:
        put(store, content, name, hint)
    assert (refused.value.claimed, refused.value.found) == (claimed, found)
    assert files_below(store.root) == []


def test_only_the_kinds_of_the_setting_are_taken(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, frozenset({PDF}))
    with pytest.raises(FileTypeRefused):
        put(store, png(), "a.png")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PDF_BYTES[:-8], "a.pdf"),
        (png()[:-12], "a.png"),
        (JPEG_BYTES[:-2], "a.jpg"),
        (real_docx()[:-100], "a.docx"),
    ],
)
def test_truncated_files_are_told_from_wrong_ones(
    store: FolderStore, content: bytes, name: str
) -> None:
    with pytest.raises(FileIncomplete):
        put(store, content, name)


def test_macros_are_refused(store: FolderStore) -> None:
    with pytest.raises(FileHasMacros):
        put(store, office("word/document.xml", word__vbaProject_DOT_bin=b"x"), "a.docx")


def test_zip_bomb_is_refused_without_unpacking(store: FolderStore) -> None:
    bomb = office("word/document.xml", word__media__a_DOT_png=bytes(100 * MEGABYTE))
    assert len(bomb) < MEGABYTE
    with pytest.raises(FileUnpacksTooLarge):
        put(store, bomb, "a.docx")


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Kế hoạch phòng, chống dịch.pdf", "Kế hoạch phòng, chống dịch.pdf"),
        ("Ke\u0302\u0301 hoa\u0323ch.pdf", "Kế hoạch.pdf"),
        ("../../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\VP\\Giấy mời.pdf", "Giấy mời.pdf"),
        ("a\x00b\r\nc\u202egpj.pdf", "abcgpj.pdf"),
        ("  a   b .pdf", "a b.pdf"),
        ("57.KH-UBND", "57.KH-UBND.pdf"),
        ('a<b>:"|?*.PDF', "a_b______.PDF"),
        ("con.pdf", "_con.pdf"),
        (".pdf.pdf", "pdf.pdf"),
    ],
)
def test_clean_names(name: str, clean: str) -> None:
    assert clean_filename(name, PDF) == clean


@pytest.mark.parametrize("name", ["", "..", "/", "a/", "\u202e", " . ", ".pdf"])
def test_names_of_which_nothing_is_left(name: str) -> None:
    with pytest.raises(FileNameMissing):
        clean_filename(name, PDF)


def test_long_names_keep_their_ending_and_whole_letters() -> None:
    clean = clean_filename("ệ" * 500 + ".jpeg", JPEG)
    assert clean.endswith("ệ.jpeg")
    assert len(clean.encode()) <= 240
    assert len(clean_filename("a" * 500 + ".pdf", PDF)) == 150


def test_row_of_a_file_is_written_once(db: Database, store: FolderStore) -> None:
    received = put(store, PDF_BYTES)
    with db.transaction() as session:
        keep(session, received, now=NOW)
    with db.transaction() as session:
        keep(session, received, now=NOW.replace(hour=2))
    with db.reader() as session:
        [stored] = session.scalars(select(StoredFile)).all()
        assert (stored.sha256, stored.size, stored.media_type, stored.created_at) == (
            received.sha256,
            len(PDF_BYTES),
            PDF,
            NOW,
        )
