"""A table before anybody knows what its columns mean: lines of texts, and what cannot be read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from rooms.kernel import Invalid

MOST_ROWS = 32_000
"""More than the 31,097 sites of the largest conference, and fewer than SQLite takes in one statement."""
MOST_COLUMNS = 100


class Fault(NamedTuple):
    """A cell that cannot be taken. `problem` is a code; line 1 is the first of the file."""

    line: int
    column: str
    problem: str
    value: str


@dataclass
class NotUtf8(Invalid):
    """The bytes are not UTF-8. `line` is the first line that is not, counted from 1."""

    code: ClassVar[str] = "not_utf8"
    line: int


@dataclass
class ColumnsMissing(Invalid):
    code: ClassVar[str] = "columns_missing"
    missing: list[str]
    found: list[str]


@dataclass
class SheetNotReadable(Invalid):
    """The file is no table that can be taken."""


@dataclass
class OldWorkbook(SheetNotReadable):
    """The format of before 2007, or the shell around a workbook with a password."""

    code: ClassVar[str] = "old_workbook"


@dataclass
class WorkbookDamaged(SheetNotReadable):
    """An archive, but no workbook, or one that cannot be read to its end."""

    code: ClassVar[str] = "workbook_damaged"


@dataclass
class WorkbookUnpacksTooLarge(SheetNotReadable):
    code: ClassVar[str] = "workbook_unpacks_too_large"
    megabytes: int


@dataclass
class TooManyRows(SheetNotReadable):
    code: ClassVar[str] = "too_many_rows"
    most: int


@dataclass
class TooManyColumns(SheetNotReadable):
    code: ClassVar[str] = "too_many_columns"
    most: int


@dataclass
class SheetUnclear(Invalid):
    """Several sheets of a workbook hold such a list; which one is meant has to be said."""

    code: ClassVar[str] = "sheet_unclear"
    sheets: list[str]


class RawRow(NamedTuple):
    line: int
    cells: list[str]


@dataclass
class Raw:
    """Rows are read while they are asked for; the faults are complete when the rows are through."""

    name: str
    rows: Iterable[RawRow]
    faults: list[Fault] = field(default_factory=list)
    cell_faults: list[Fault] = field(default_factory=list)
    """Faults whose column is still an index, from 0."""


DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What office programs take for the beginning of a formula."""


def guarded(text: str) -> str:
    """A text that no office program runs as a formula: an apostrophe before what looks like one."""
    return f"'{text}" if text.lstrip("'").startswith(DANGEROUS) else text


def unguarded(text: str) -> str:
    """The text behind the apostrophe that `guarded` has set; any other apostrophe stays."""
    return text[1:] if text[:1] == "'" and text.lstrip("'").startswith(DANGEROUS) else text
