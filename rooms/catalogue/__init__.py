"""Lists of units: reading one with errors by line and column, and the lists we ship."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar

from rooms.addresses import mail_address, telephone
from rooms.hierarchy import UnitRow, UnitsNotSound
from rooms.kernel import FieldInvalid, NotFound
from rooms.sheets import Fault, Row, Sheet, read_sheet, write_csv

COLUMNS = ("code", "parent_code", "level", "kind", "name", "lat", "lon", "email", "phone")
REQUIRED_COLUMNS = COLUMNS[:5]
LONGEST = 200


@dataclass
class UnknownCatalogue(NotFound):
    code: ClassVar[str] = "unknown_catalogue"
    name: str
    known: list[str]


def shipped() -> list[str]:
    """Names of the lists of units that come with the program; the plans are in `successions`."""
    return sorted(
        entry.name.removesuffix(".csv")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".csv") and not entry.name.startswith("reorganisation-")
    )


def read_shipped(name: str) -> list[UnitRow]:
    """Rows of a shipped list, `hanoi-2021` for one. Raises `UnknownCatalogue`."""
    if name not in shipped():
        raise UnknownCatalogue(name, shipped())
    return parse_units(files(__name__).joinpath(f"{name}.csv").read_bytes())


def parse_units(content: bytes) -> list[UnitRow]:
    """Rows of a list of units, CSV or XLSX.

    Raises what `read_sheet` raises, `ColumnsMissing`, or `UnitsNotSound` with every faulty cell.
    """
    return units_of(read_sheet(content, COLUMNS))


def units_of(sheet: Sheet) -> list[UnitRow]:
    """The units of a table. Raises `ColumnsMissing`, `UnitsNotSound`."""
    sheet.require(REQUIRED_COLUMNS)
    problems = list(sheet.faults)
    faulty = {(fault.line, fault.column) for fault in problems}
    rows = [_unit_of(row, faulty, problems) for row in sheet.rows]
    if not rows and not problems:
        problems.append(Fault(1, "code", "empty", ""))
    if problems:
        problems.sort(key=lambda fault: fault.line)
        raise UnitsNotSound([*problems])
    return rows


def _unit_of(row: Row, faulty: set[tuple[int, str]], problems: list[Fault]) -> UnitRow:
    line, text = row

    def fault(column: str, problem: str, value: str = "") -> None:
        # A cell that could not be read is told once.
        if (line, column) not in faulty:
            problems.append(Fault(line, column, problem, value[:40]))

    for column in ("code", "level", "kind", "name"):
        if not text[column]:
            fault(column, "missing")
    for column, value in text.items():
        if len(value) > LONGEST:
            fault(column, "too_long", value)
    for column, check in (("email", mail_address), ("phone", telephone)):
        try:
            check(column, text.get(column))
        except FieldInvalid as wrong:
            fault(column, wrong.problem, text[column])
    return UnitRow(
        line,
        text["code"],
        text["parent_code"] or None,
        text["level"],
        text["kind"],
        text["name"],
        _degrees("lat", text.get("lat", ""), 90, fault),
        _degrees("lon", text.get("lon", ""), 180, fault),
        text.get("email") or None,
        text.get("phone") or None,
    )


def _degrees(
    column: str, text: str, bound: int, fault: Callable[[str, str, str], None]
) -> float | None:
    if not text:
        return None
    try:
        degrees = float(text)
    except ValueError:
        fault(column, "not_a_number", text)
        return None
    if not -bound <= degrees <= bound:
        fault(column, "out_of_range", text)
    return degrees


def write_units(rows: Iterable[UnitRow]) -> bytes:
    """A list of units as CSV; `parse_units` reads it."""
    return write_csv(COLUMNS, [[getattr(row, column) for column in COLUMNS] for row in rows])
