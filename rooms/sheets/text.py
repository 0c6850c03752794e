"""CSV as offices have it: UTF-8 or UTF-16, separated by commas, semicolons, tabs or bars."""

import csv
import io
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Collection, Iterator

from rooms.sheets.raw import Fault, NotUtf8, Raw, RawRow, unguarded

SEPARATORS = (",", ";", "\t", "|")
LOOKED_AT = 20


def raw_text(content: bytes, known: Collection[str], name_of: Callable[[str], str]) -> Raw:
    """The rows of a CSV file. The separator is the one that shows the most known heads.

    Raises `NotUtf8`.
    """
    text = _decoded(content)
    lines_before = 0
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == len("sep=") + 1:
        # Excel's own word for the separator.
        separator, text, lines_before = first.strip()[-1], rest, 1
    else:
        separator = _separator(text, known, name_of)
    raw = Raw("", ())
    raw.rows = _rows(text, separator, lines_before, raw.faults)
    return raw


def _decoded(content: bytes) -> str:
    encoding = "utf-8"
    if content.startswith(BOM_UTF8):
        encoding = "utf-8-sig"
    elif content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as wrong:
        raise NotUtf8(content.count(b"\n", 0, wrong.start) + 1) from None
    if text[:200].count("\0") > len(text[:200]) // 4:
        # UTF-16 without its mark: every other byte of Latin letters is zero.
        raise NotUtf8(1)
    return text


def _separator(text: str, known: Collection[str], name_of: Callable[[str], str]) -> str:
    top = "\n".join(text.split("\n", LOOKED_AT)[:LOOKED_AT])

    def heads(separator: str) -> tuple[int, int]:
        try:
            rows = list(csv.reader(io.StringIO(top, newline=""), delimiter=separator))
        except csv.Error:
            rows = []
        most = max((sum(name_of(cell) in known for cell in row) for row in rows), default=0)
        return most, len(rows[0]) if rows else 0

    return max(SEPARATORS, key=heads)


def _rows(text: str, separator: str, before: int, faults: list[Fault]) -> Iterator[RawRow]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for cells in reader:
            yield RawRow(reader.line_num + before, [unguarded(cell.strip(" ")) for cell in cells])
    except csv.Error:
        # A quotation mark that never closes swallows the rest of the file into one cell.
        faults.append(Fault(reader.line_num + before, "", "not_readable", ""))
