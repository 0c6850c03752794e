"""The successions of a reorganisation as a list: reading one, and those we ship."""

from importlib.resources import files

from rooms.catalogue import LONGEST, UnknownCatalogue
from rooms.reorganisation.plans import EXTENTS, WHOLE, PlanNotSound, SuccessionRow
from rooms.sheets import Fault, Row, read_sheet

COLUMNS = ("old_code", "new_code", "extent", "main_successor")
REQUIRED_COLUMNS = ("old_code", "new_code", "main_successor")
PREFIX = "reorganisation-"
"""How the names of shipped plans begin."""

MARKS = {
    "1": True,
    "x": True,
    "true": True,
    "yes": True,
} | dict.fromkeys(("", "0", "false", "no"), False)


def shipped_plans() -> list[str]:
    """Names of the successions that come with the program, `reorganisation-hanoi-2025-07-01` for one."""
    return sorted(
        entry.name.removesuffix(".csv")
        for entry in files("rooms.catalogue").iterdir()
        if entry.name.startswith(PREFIX) and entry.name.endswith(".csv")
    )


def read_shipped_plan(name: str) -> list[SuccessionRow]:
    """Rows of shipped successions. Raises `UnknownCatalogue`."""
    if name not in shipped_plans():
        raise UnknownCatalogue(name, shipped_plans())
    return parse_successions(files("rooms.catalogue").joinpath(f"{name}.csv").read_bytes())


def parse_successions(content: bytes) -> list[SuccessionRow]:
    """Rows of a list of successions, CSV or XLSX.

    `extent` is `whole` where it is empty; `main_successor` is 1 or 0. Raises what `read_sheet`
    raises, `ColumnsMissing`, or `PlanNotSound` with every faulty cell.
    """
    sheet = read_sheet(content, COLUMNS)
    sheet.require(REQUIRED_COLUMNS)
    problems = list(sheet.faults)
    rows = [_row_of(row, problems) for row in sheet.rows]
    if not rows and not problems:
        problems.append(Fault(1, "old_code", "empty", ""))
    if problems:
        problems.sort(key=lambda fault: fault.line)
        raise PlanNotSound([*problems])
    return rows


def _row_of(row: Row, problems: list[Fault]) -> SuccessionRow:
    line, text = row
    problems.extend(
        Fault(line, column, "missing", "")
        for column in ("old_code", "new_code")
        if not text[column]
    )
    problems.extend(
        Fault(line, column, "too_long", value[:40])
        for column, value in text.items()
        if len(value) > LONGEST
    )
    extent = text.get("extent", "").casefold() or WHOLE
    if extent not in EXTENTS:
        problems.append(Fault(line, "extent", "not_an_extent", extent[:40]))
    mark = text.get("main_successor", "").casefold()
    if mark not in MARKS:
        problems.append(Fault(line, "main_successor", "not_a_mark", mark[:40]))
    return SuccessionRow(line, text["old_code"], text["new_code"], extent, MARKS.get(mark, False))
