"""XLSX workbooks, read without trusting them: what unpacks to too much is not unpacked.

A formula is not evaluated and its last result is not taken: nobody could see in the preview where it
came from. Dates become `2026-11-23`, whole numbers lose their `.0`.
"""

import io
import warnings
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from rooms.sheets.raw import (
    MOST_COLUMNS,
    MOST_ROWS,
    Fault,
    OldWorkbook,
    Raw,
    RawRow,
    SheetNotReadable,
    TooManyColumns,
    TooManyRows,
    WorkbookDamaged,
    WorkbookUnpacksTooLarge,
    unguarded,
)

MOST_UNPACKED = 100 * 1024**2
"""Bytes; the nation's 11,372 units are 6 MB."""
MOST_PARTS = 1_000
MOST_SHEETS = 20
EXACT = 10**15
"""Excel keeps fifteen digits of a number."""

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"

# Extensions that the library leaves out, such as pictures and conditional colours, hold no cells.
warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\b")


def is_workbook(content: bytes) -> bool:
    return content.startswith((_ZIP, _OLE))


def raw_sheets(content: bytes, wanted: str = "") -> Iterator[Raw]:
    """The visible sheets, or the one named `wanted`. Raises `SheetNotReadable`."""
    if content.startswith(_OLE):
        # The format before 2007, and the shell around a workbook with a password.
        raise OldWorkbook
    _require_modest(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        for sheet in book.worksheets[:MOST_SHEETS]:
            if sheet.title == wanted if wanted else sheet.sheet_state == "visible":
                raw = Raw(sheet.title, ())
                # Rows are read at once: whatever is wrong with the archive shows here.
                raw.rows = list(_rows(sheet, raw.cell_faults))
                yield raw
    except SheetNotReadable:
        raise
    except (InvalidFileException, BadZipFile, KeyError, ValueError, TypeError, OSError) as wrong:
        raise WorkbookDamaged from wrong
    except (SyntaxError, AttributeError, IndexError, EOFError) as wrong:
        # Broken XML is a SyntaxError; a part that names a missing one ends in the library.
        raise WorkbookDamaged from wrong


def _require_modest(content: bytes) -> None:
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        raise WorkbookDamaged from None
    if "xl/workbook.xml" not in {part.filename for part in parts}:
        raise WorkbookDamaged
    # An archive that lies about these sizes is cut off at them when it is read.
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise WorkbookUnpacksTooLarge(MOST_UNPACKED // 1024**2)


def _rows(sheet: Any, faults: list[Fault]) -> Iterator[RawRow]:
    # The size that a sheet claims may be the whole of Excel's million rows.
    sheet.reset_dimensions()
    for line, cells in enumerate(sheet.iter_rows(), start=1):
        if line > 2 * MOST_ROWS:
            raise TooManyRows(MOST_ROWS)
        if len(cells) > MOST_COLUMNS and any(cell.value for cell in cells[MOST_COLUMNS:]):
            raise TooManyColumns(MOST_COLUMNS)
        texts = []
        for index, cell in enumerate(cells[:MOST_COLUMNS]):
            value = cell.value
            if value is None:
                texts.append("")
                continue
            kind = cell.data_type
            if kind in {"f", "e"}:
                problem = "formula" if kind == "f" else "cell_error"
                faults.append(Fault(line, str(index), problem, str(value)[:40]))
                texts.append("")
            else:
                texts.append(_text(value))
        if any(texts):
            yield RawRow(line, texts)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return unguarded(str(value).strip(" "))
