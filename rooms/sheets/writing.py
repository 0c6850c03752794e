"""Rows → bytes that office programs open well and `read_sheet` reads back unchanged.

Every cell is text. In CSV an apostrophe stands before what a program would run as a formula; in XLSX
the cell's own type says that it is text, which also keeps the leading zeros of codes.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from rooms.sheets.raw import guarded

Cells = Sequence[str | int | float | None]
WIDEST = 60


def write_csv(head: Sequence[str], rows: Iterable[Cells]) -> bytes:
    """UTF-8 with a byte order mark, so that office programs see that it is UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([_shown(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _shown(cell: str | float | None) -> str:
    # A number is no formula, whatever its sign.
    return guarded(cell) if isinstance(cell, str) else "" if cell is None else str(cell)


def write_xlsx(head: Sequence[str], rows: Iterable[Cells], title: str) -> bytes:
    """One sheet named `title` with a head that stays in sight."""
    listed = [[_plain(cell) for cell in row] for row in rows]
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    sheet.freeze_panes = "A2"
    for index, name in enumerate(head):
        longest = max([len(name), *(len(row[index]) for row in listed)])
        sheet.column_dimensions[get_column_letter(index + 1)].width = min(longest + 3, WIDEST)

    # One cell is told each text in turn: making one takes as long as writing it.
    head_cell, body_cell = WriteOnlyCell(sheet), WriteOnlyCell(sheet)
    for made in (head_cell, body_cell):
        made.number_format = "@"
    head_cell.font = Font(bold=True)

    def cells(made: Cell, texts: Iterable[str]) -> Iterator[Cell | None]:
        for text in texts:
            if text:
                made.value = text
                # Text is text, whatever a program would make of its first sign.
                made.data_type = "s"
            yield made if text else None

    sheet.append(cells(head_cell, head))
    for row in listed:
        sheet.append(cells(body_cell, row))
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def _plain(cell: str | float | None) -> str:
    if isinstance(cell, str):
        # Only what would look guarded to the reader is guarded once more.
        return guarded(cell) if cell[:1] == "'" else cell
    return "" if cell is None else str(cell)
