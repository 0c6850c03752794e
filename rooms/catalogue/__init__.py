"""Lists of units as CSV: reading a file with errors by line and column, and the lists we ship."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar

from rooms.addresses import mail_address, telephone
from rooms.hierarchy import UnitRow, UnitsNotSound
from rooms.kernel import FieldInvalid, Invalid, NotFound

REQUIRED_COLUMNS = ("code", "parent_code", "level", "kind", "name")
LONGEST = 200


@dataclass
class UnknownCatalogue(NotFound):
    code: ClassVar[str] = "unknown_catalogue"
    name: str
    known: list[str]


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


def shipped() -> list[str]:
    """Names of the lists that come with the program."""
    return sorted(
        entry.name.removesuffix(".csv")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".csv")
    )


def read_shipped(name: str) -> list[UnitRow]:
    """Rows of a shipped list, `hanoi-2021` for one. Raises `UnknownCatalogue`."""
    if name not in shipped():
        raise UnknownCatalogue(name, shipped())
    return parse_units(files(__name__).joinpath(f"{name}.csv").read_bytes())


def parse_units(content: bytes) -> list[UnitRow]:
    """Rows of a CSV file of units, comma or semicolon separated, UTF-8 with or without BOM.

    Raises `NotUtf8`, `ColumnsMissing`, or `UnitsNotSound` with every faulty cell.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise NotUtf8(content.count(b"\n", 0, wrong.start) + 1) from None
    header = text.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = list(reader.fieldnames or ())
    except csv.Error:
        raise UnitsNotSound([(1, "", "not_readable", "")]) from None
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    if missing:
        raise ColumnsMissing(missing, columns)
    rows: list[UnitRow] = []
    problems: list[tuple[int, str, str, str]] = []
    try:
        for cells in reader:
            row = _parse_row(reader.line_num, cells, problems)
            if row is not None:
                rows.append(row)
    except csv.Error:
        # A quotation mark that never closes swallows the rest of the file into one cell.
        problems.append((reader.line_num, "", "not_readable", ""))
    if not rows and not problems:
        problems.append((1, "code", "empty", ""))
    if problems:
        raise UnitsNotSound(problems)
    return rows


def _parse_row(
    line: int, cells: dict[str, str | None], problems: list[tuple[int, str, str, str]]
) -> UnitRow | None:
    before = len(problems)
    # The csv module keeps surplus cells under the key None.
    surplus = cells.pop(None, None)  # type: ignore[call-overload]  # the stubs know no None key
    text = {name: (value or "").strip() for name, value in cells.items()}
    if surplus:
        problems.append((line, "", "too_many_cells", ""))
    problems.extend(
        (line, column, "missing", "")
        for column in ("code", "level", "kind", "name")
        if not text[column]
    )
    problems.extend(
        (line, column, "too_long", value[:40])
        for column, value in text.items()
        if len(value) > LONGEST
    )
    problems.extend(
        (line, column, "control_characters", "")
        for column, value in text.items()
        if any(c < " " for c in value)
    )
    for column, check in (("email", mail_address), ("phone", telephone)):
        try:
            check(column, text.get(column))
        except FieldInvalid as wrong:
            problems.append((line, column, wrong.problem, text[column][:40]))
    lat = _degrees(line, "lat", text.get("lat", ""), 90, problems)
    lon = _degrees(line, "lon", text.get("lon", ""), 180, problems)
    if len(problems) > before:
        return None
    return UnitRow(
        line,
        text["code"],
        text["parent_code"] or None,
        text["level"],
        text["kind"],
        text["name"],
        lat,
        lon,
        text.get("email") or None,
        text.get("phone") or None,
    )


def _degrees(
    line: int, column: str, value: str, bound: int, problems: list[tuple[int, str, str, str]]
) -> float | None:
    if not value:
        return None
    try:
        degrees = float(value)
    except ValueError:
        problems.append((line, column, "not_a_number", value[:40]))
        return None
    if not -bound <= degrees <= bound:
        problems.append((line, column, "out_of_range", value[:40]))
        return None
    return degrees


COLUMNS = ("code", "parent_code", "level", "kind", "name", "lat", "lon", "email", "phone")


def write_units(rows: Iterable[UnitRow]) -> bytes:
    """A list of units as CSV, UTF-8 with a BOM so that office programs see it; `parse_units` reads it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([getattr(row, column) for column in COLUMNS] for row in rows)
    return text.getvalue().encode("utf-8-sig")
