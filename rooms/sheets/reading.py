"""Bytes of a table → rows by column name, with the line each came from and every unreadable cell.

Forgiven: a byte order mark, commas, semicolons, tabs or bars between the cells, the `sep=;` line, a
title above the head, empty rows, heads in other words (`aliases`) and other case or diacritics.
Told, never repaired: another encoding, a formula, an error value, surplus cells, control characters.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rooms.folding import fold
from rooms.sheets.raw import (
    MOST_COLUMNS,
    MOST_ROWS,
    ColumnsMissing,
    Fault,
    Raw,
    RawRow,
    SheetUnclear,
    TooManyColumns,
    TooManyRows,
    WorkbookDamaged,
)
from rooms.sheets.text import raw_text
from rooms.sheets.workbook import is_workbook, raw_sheets

HEAD_WITHIN = 20
"""The head is looked for in so many rows: offices like to put a title above it."""


class Row(NamedTuple):
    """A row by column name; a cell that is empty or not there is an empty text."""

    line: int
    """As the program shows it that made the file; the head has one, too."""
    cells: dict[str, str]


@dataclass
class Sheet:
    """What was read. `faults` are the cells that could not be."""

    name: str = ""
    """Of the sheet of a workbook; a CSV file has none."""
    columns: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """Heads that mean nothing here, as they stand in the file."""
    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def require(self, columns: Collection[str]) -> None:
        """Raises `ColumnsMissing`."""
        missing = [column for column in columns if column not in self.columns]
        if missing:
            raise ColumnsMissing(missing, self.columns + self.ignored)


def read_sheet(
    content: bytes,
    columns: Collection[str],
    aliases: Mapping[str, str] | None = None,
    sheet: str = "",
) -> Sheet:
    """The rows of a CSV file or of one sheet of an XLSX workbook.

    `columns` are the names that count, `aliases` other heads for them (see `unfolded`). Of a workbook
    the sheet named `sheet` is read, without a name the one that has such a head.

    Raises `NotUtf8`, `SheetNotReadable` in one of its kinds, `SheetUnclear`.
    """
    known = {unfolded(column): column for column in columns} | dict(aliases or {})
    if not is_workbook(content):
        return _read(raw_text(content, known.keys(), unfolded), known)
    found = [_read(raw, known) for raw in raw_sheets(content, sheet)]
    if not found:
        raise WorkbookDamaged
    fitting = [each for each in found if each.columns] or found[:1]
    if len(fitting) > 1:
        raise SheetUnclear([each.name for each in fitting])
    return fitting[0]


def unfolded(head: str) -> str:
    """A head without what does not matter: case, diacritics, underscores, a star for "required"."""
    return fold(head.replace("_", " ").strip("* :\ufeff"))


def _read(raw: Raw, known: Mapping[str, str]) -> Sheet:
    read = Sheet(raw.name)
    rows = iter(raw.rows)
    first = _up_to_head(rows, known)
    if first is None:
        return read
    head, behind = first
    named: list[str | None] = []
    for text in head.cells:
        column = known.get(unfolded(text)) if text else None
        if column in named and column is not None:
            read.faults.append(Fault(head.line, column, "column_doubled", text))
        if column is None and text:
            read.ignored.append(text[:40])
        named.append(column)
    read.columns = [column for column in named if column is not None]
    if len(named) > MOST_COLUMNS:
        raise TooManyColumns(MOST_COLUMNS)
    for row in (*behind, *rows):
        if len(read.rows) == MOST_ROWS:
            raise TooManyRows(MOST_ROWS)
        _take(row, named, read)
    # What stands in a row that is not there, such as a formula in the title, is nobody's business.
    taken = {row.line for row in read.rows} | {head.line}
    read.faults += raw.faults
    read.faults += [
        fault._replace(column=_name_of(fault.column, named))
        for fault in raw.cell_faults
        if fault.line in taken
    ]
    return read


def _up_to_head(
    rows: Iterator[RawRow], known: Mapping[str, str]
) -> tuple[RawRow, Sequence[RawRow]] | None:
    """The head, and the rows read behind it. Without any known head the first row counts as one."""
    seen: list[RawRow] = []
    for row in rows:
        if any(row.cells):
            seen.append(row)
        if sum(unfolded(text) in known for text in row.cells if text) > 1:
            return row, ()
        if len(seen) == HEAD_WITHIN:
            break
    # A list of one column has one head.
    for index, row in enumerate(seen):
        if any(unfolded(text) in known for text in row.cells if text):
            return row, seen[index + 1 :]
    return (seen[0], seen[1:]) if seen else None


def _take(row: RawRow, named: Sequence[str | None], read: Sheet) -> None:
    if not any(row.cells):
        return
    cells = dict.fromkeys(read.columns, "")
    for text, column in zip(row.cells, named, strict=False):
        if column is not None and text:
            cells[column] = text
    read.rows.append(Row(row.line, cells))
    if any(row.cells[len(named) :]):
        read.faults.append(Fault(row.line, "", "too_many_cells", ""))
    read.faults.extend(
        Fault(row.line, column, "control_characters", "")
        for column, text in cells.items()
        if not text.isprintable() and any(c < " " for c in text)
    )


def _name_of(place: str, named: Sequence[str | None]) -> str:
    """A cell fault of a workbook tells its column by index until the head is known."""
    index = int(place)
    return (named[index] if index < len(named) else None) or ""
