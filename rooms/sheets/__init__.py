"""Tables that people send in and take out: CSV and XLSX, the way office programs write them.

`read_sheet` turns bytes into rows with their line numbers; `writing` turns rows into bytes that it
reads again. What the columns mean is the business of each list: units, bridge points, people.
"""

from rooms.sheets.raw import ColumnsMissing, Fault, NotUtf8, SheetNotReadable, SheetUnclear
from rooms.sheets.reading import Row, Sheet, read_sheet, unfolded
from rooms.sheets.writing import write_csv, write_xlsx

__all__ = [
    "ColumnsMissing",
    "Fault",
    "NotUtf8",
    "Row",
    "Sheet",
    "SheetNotReadable",
    "SheetUnclear",
    "read_sheet",
    "unfolded",
    "write_csv",
    "write_xlsx",
]
