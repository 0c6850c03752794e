"""What an uploaded file really is, and a name for it that is safe everywhere."""

import codecs
import mimetypes
import re
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import filetype

from rooms.kernel import Invalid

OFFICE = "application/vnd.openxmlformats-officedocument."
PDF = "application/pdf"
DOCX = f"{OFFICE}wordprocessingml.document"
XLSX = f"{OFFICE}spreadsheetml.sheet"
PPTX = f"{OFFICE}presentationml.presentation"
ODT = "application/vnd.oasis.opendocument.text"
PNG = "image/png"
JPEG = "image/jpeg"
TEXT = "text/plain"
ZIP = "application/zip"
UNKNOWN = "application/octet-stream"

ENDINGS: dict[str, tuple[str, ...]] = {
    PDF: (".pdf",),
    DOCX: (".docx",),
    XLSX: (".xlsx",),
    PPTX: (".pptx",),
    ODT: (".odt",),
    PNG: (".png",),
    JPEG: (".jpg", ".jpeg"),
    TEXT: (".txt",),
}
ALLOWED = frozenset(ENDINGS)
MAIN_PARTS = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX, "ppt/presentation.xml": PPTX}

# An office document of hundreds of pages with pictures stays far below each of these.
MOST_ENTRIES = 10_000
MOST_UNPACKED = 1 << 30
MOST_RATIO = 200
RATIO_COUNTS_FROM = 64 << 20

# How a complete file of a kind ends, and how many bytes from the end that may stand.
TRAILERS = {PDF: (b"%%EOF", 4096), PNG: (b"IEND", 4096), JPEG: (b"\xff\xd9", 65536)}

LONGEST_NAME = 150
LONGEST_NAME_BYTES = 240  # file systems take 255; room for a number that a browser appends
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
FORBIDDEN = re.compile(r'[<>:"|?*]')
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
# Only the table that comes with Python: the same answer on every machine.
BY_NAME = mimetypes.MimeTypes(filenames=())


@dataclass
class FileTypeRefused(Invalid):
    """`claimed`: the media type that name or sender give; `found`: what the bytes are."""

    code: ClassVar[str] = "file_type_refused"
    claimed: str
    found: str

    def facts(self) -> dict[str, Any]:
        """With `found_name`, as people call the kind, such as `PDF`."""
        return super().facts() | {"found_name": short_name(self.found)}


@dataclass
class FileIncomplete(Invalid):
    """The end of the file is missing or unreadable. `found`: what its beginning is."""

    code: ClassVar[str] = "file_incomplete"
    found: str


@dataclass
class FileHasMacros(Invalid):
    """An office document that brings programs along."""

    code: ClassVar[str] = "file_has_macros"


@dataclass
class FileUnpacksTooLarge(Invalid):
    """A small package that would fill the memory of whoever opens it."""

    code: ClassVar[str] = "file_unpacks_too_large"


@dataclass
class FileNameMissing(Invalid):
    code: ClassVar[str] = "file_name_missing"


def short_name(media_type: str) -> str:
    """`PDF` for `application/pdf`; a kind that is never taken keeps its media type."""
    return ENDINGS[media_type][0][1:].upper() if media_type in ENDINGS else media_type


def recognise(path: Path) -> str:
    """The media type of a file's bytes.

    Raises `FileIncomplete`, `FileHasMacros`, `FileUnpacksTooLarge`.
    """
    with path.open("rb") as file:
        start = file.read(8192)
    if start.startswith(b"PK"):
        return package_kind(path)
    guess = filetype.guess(start)
    if guess is not None:
        found = str(guess.mime)
        require_trailer(path, found)
        return found
    return TEXT if is_text(path) else UNKNOWN


def package_kind(path: Path) -> str:
    """Which office document a ZIP file is; `application/zip` when it is none."""
    try:
        with zipfile.ZipFile(path) as package:
            entries = package.infolist()
            require_modest(entries)
            names = {entry.filename for entry in entries}
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise FileHasMacros
            if "mimetype" in names and package.getinfo("mimetype").file_size == len(ODT):
                return ODT if package.read("mimetype") == ODT.encode() else ZIP
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise FileIncomplete(ZIP) from error
    if "[Content_Types].xml" in names:
        for part, kind in MAIN_PARTS.items():
            if part in names:
                return kind
    return ZIP


def require_modest(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse by the directory alone what would fill the memory of whoever unpacks it."""
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(1, sum(entry.compress_size for entry in entries))
    if (
        len(entries) > MOST_ENTRIES
        or unpacked > MOST_UNPACKED
        or (unpacked > RATIO_COUNTS_FROM and unpacked / packed > MOST_RATIO)
    ):
        raise FileUnpacksTooLarge


def require_trailer(path: Path, found: str) -> None:
    if found not in TRAILERS:
        return
    trailer, within = TRAILERS[found]
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - within))
        if trailer not in file.read():
            raise FileIncomplete(found)


def is_text(path: Path) -> bool:
    """UTF-8 without control characters other than tab, line feed, carriage return, form feed."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(1 << 16):
                if CONTROL.search(decoder.decode(chunk)):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def require_claim(filename: str, hint: str, found: str) -> None:
    """Refuse a file whose name or announced type is that of another kind.

    A type that says nothing (`application/octet-stream`, a private name for ZIP) claims nothing.
    """
    by_name = BY_NAME.guess_type(f"x{Path(filename.strip()).suffix.lower()}")[0]
    for kind, endings in ENDINGS.items():
        if filename.strip().lower().endswith(endings):
            by_name = kind
    if by_name is not None and by_name != found:
        raise FileTypeRefused(by_name, found)
    announced = hint.partition(";")[0].strip().lower()
    if announced in ENDINGS and announced != found:
        raise FileTypeRefused(announced, found)


def clean_filename(name: str, media_type: str | None = None) -> str:
    """The name alone, without path, control and bidirectional characters, in NFC.

    At most 150 characters and 240 bytes; ends as `media_type` asks. Raises `FileNameMissing`.
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(c for c in last if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    clean = FORBIDDEN.sub("_", " ".join(unicodedata.normalize("NFC", kept).split())).rstrip(" .")
    stem, ending = clean, ""
    for known in ENDINGS.get(media_type, ()) if media_type else all_endings():
        if clean.lower().endswith(known):
            stem, ending = clean[: -len(known)], clean[-len(known) :]
    if media_type in ENDINGS and not ending:
        ending = ENDINGS[media_type][0]
    stem = shortened(
        stem.strip(" ."), LONGEST_NAME - len(ending), LONGEST_NAME_BYTES - len(ending)
    ).rstrip(" .")
    if not stem:
        raise FileNameMissing
    return f"_{stem}{ending}" if RESERVED.fullmatch(stem) else f"{stem}{ending}"


def all_endings() -> tuple[str, ...]:
    return tuple(ending for endings in ENDINGS.values() for ending in endings)


def shortened(text: str, characters: int, size: int) -> str:
    """At most so many characters and so many bytes of UTF-8, no character cut in two."""
    return text[:characters].encode()[:size].decode(errors="ignore")
