"""Reports as workbooks: several sheets, numbers as numbers, shares as percentages.

They are read by people and programs of theirs; nothing here comes in again.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from rooms.kernel import CIVIL_ZONE

Value = str | int | float | datetime | timedelta | None
MINUTES = "[h]:mm:ss"
SHARE = "0.0%"
INSTANT = "dd/mm/yyyy hh:mm:ss"


@dataclass(frozen=True, slots=True)
class TableSheet:
    """A sheet: its name, the widths of its columns in characters, a head and rows.

    A float is a share; instants are shown in civil time, lengths of time in hours.
    """

    title: str
    widths: Sequence[int]
    head: Sequence[str]
    rows: Iterable[Sequence[Value]]


def write_tables(sheets: Sequence[TableSheet]) -> bytes:
    """An XLSX file."""
    book = Workbook(write_only=True)
    bold = Font(bold=True)
    for told in sheets:
        sheet = book.create_sheet(told.title[:31])
        sheet.freeze_panes = "A2"
        for place, width in enumerate(told.widths, start=1):
            sheet.column_dimensions[get_column_letter(place)].width = width

        def cell(value: Value, sheet: object = sheet) -> object:
            # Plain numbers need no cell of their own, which is what takes the time.
            if value is None or isinstance(value, int):
                return value
            if isinstance(value, str):
                if not value or value[0] not in "=+-@":
                    return value
                # Text is text, whatever a program would make of its first sign.
                made = WriteOnlyCell(sheet, value)
                made.data_type = "s"
                return made
            if isinstance(value, datetime):
                made = WriteOnlyCell(sheet, value.astimezone(CIVIL_ZONE).replace(tzinfo=None))
                made.number_format = INSTANT
            else:
                made = WriteOnlyCell(sheet, value)
                made.number_format = MINUTES if isinstance(value, timedelta) else SHARE
            return made

        head = [WriteOnlyCell(sheet, name) for name in told.head]
        for made in head:
            made.font = bold
        sheet.append(head)
        for row in told.rows:
            sheet.append([cell(value) for value in row])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()
