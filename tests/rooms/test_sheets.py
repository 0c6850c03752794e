"""Tables from office programs: what is forgiven, what is told, and that what is written is read again."""

import io
import zipfile
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from rooms.sheets import (
    ColumnsMissing,
    Fault,
    NotUtf8,
    SheetNotReadable,
    SheetUnclear,
    read_sheet,
    unfolded,
    write_csv,
    write_xlsx,
)
from rooms.sheets import workbook as workbook_module

COLUMNS = ("code", "name", "since")
CHECKED = {"Mã đơn vị": "code", "Tên": "name", "Từ ngày": "since"}
ALIASES = {unfolded(head): column for head, column in CHECKED.items()}

texts = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x1EF9, exclude_categories=("Cs", "Cc")),
    max_size=12,
).map(lambda text: text.strip(" "))
dangerous = st.builds(lambda sign, rest: sign + rest, st.sampled_from("='+-@"), texts)


def book(*sheets: tuple[str, list[list[object]]]) -> bytes:
    made = Workbook()
    made.remove(made.active)
    for title, rows in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    packed = io.BytesIO()
    made.save(packed)
    return packed.getvalue()


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(texts | dangerous, texts | dangerous, texts), max_size=5))
def test_what_is_written_is_read_again(rows: list[tuple[str, str, str]]) -> None:
    rows = [(code, name, since or "x") for code, name, since in rows]
    for content in (write_csv(COLUMNS, rows), write_xlsx(COLUMNS, rows, "list")):
        read = read_sheet(content, COLUMNS)
        assert [tuple(row.cells.values()) for row in read.rows] == rows
        assert [row.line for row in read.rows] == list(range(2, len(rows) + 2))
        assert read.faults == []


@pytest.mark.parametrize("text", ["=1+1", "+84 24 3825", "-1", "@SUM(A1)", "'=1"])
def test_no_cell_is_written_as_a_formula(text: str) -> None:
    assert f"'{text}" in write_csv(COLUMNS, [[text, "x", ""]]).decode()
    with zipfile.ZipFile(io.BytesIO(write_xlsx(COLUMNS, [[text, "x", ""]], "list"))) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


def test_a_title_and_other_heads_are_forgiven() -> None:
    text = "DANH SÁCH ĐƠN VỊ;;\r\n;;\r\nMÃ ĐƠN VỊ*;tên;Ghi chú\r\n00004;Ba Đình;x\r\n;;\r\n00007;B;\r\n"
    read = read_sheet(text.encode("utf-8-sig"), COLUMNS, ALIASES)
    assert (read.columns, read.ignored) == (["code", "name"], ["Ghi chú"])
    assert [(row.line, row.cells["code"]) for row in read.rows] == [(4, "00004"), (6, "00007")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_and_marks_are_told_from_the_content(separator: str, encoding: str) -> None:
    head, row = separator.join(("code", "name")), separator.join(("01", '"Hà Nội, Việt Nam; 1"'))
    for start in ("", f"sep={separator}\n"):
        read = read_sheet(f"{start}{head}\n{row}\n".encode(encoding), COLUMNS)
        assert [row.cells for row in read.rows] == [{"code": "01", "name": "Hà Nội, Việt Nam; 1"}]


@pytest.mark.parametrize("encoding", ["cp1258", "cp1252", "utf-16-le"])
def test_an_encoding_that_cannot_be_known_is_refused(encoding: str) -> None:
    with pytest.raises(NotUtf8):
        read_sheet("code,name\n01,Tà Và Ô\n".encode(encoding), COLUMNS)


def test_a_workbook_is_read_as_it_is_shown() -> None:
    content = book(
        (
            "Đơn vị",
            [
                ["DANH SÁCH"],
                ["code", "name", "since"],
                [4.0, "A", datetime(2026, 1, 2)],  # noqa: DTZ001 -- Excel knows no zones
                ["00005", 1.5, date(2026, 1, 3)],
                [None, None, None],
                ["x", "=A1&A2", "2026-01-04", "surplus"],
                ["#REF!", "b", ""],
            ],
        )
    )
    read = read_sheet(content, COLUMNS)
    assert read.name == "Đơn vị"
    assert [tuple(row.cells.values()) for row in read.rows[:2]] == [
        ("4", "A", "2026-01-02"),
        ("00005", "1.5", "2026-01-03"),
    ]
    assert sorted(read.faults) == [
        Fault(6, "", "too_many_cells", ""),
        Fault(6, "name", "formula", "=A1&A2"),
        Fault(7, "code", "cell_error", "#REF!"),
    ]


def test_of_several_sheets_the_one_with_the_head_is_read() -> None:
    notes: list[list[object]] = [["Ghi chú"], ["không có gì"]]
    listed: list[list[object]] = [["code", "name"], ["01", "A"]]
    assert read_sheet(book(("Notes", notes), ("List", listed)), COLUMNS).name == "List"
    two = book(("A", listed), ("B", listed))
    with pytest.raises(SheetUnclear) as refused:
        read_sheet(two, COLUMNS)
    assert refused.value.sheets == ["A", "B"]
    assert read_sheet(two, COLUMNS, sheet="B").name == "B"


def test_heads_that_miss_or_stand_twice_are_told() -> None:
    read = read_sheet("code,Mã đơn vị,x\n1,2,3\n".encode(), COLUMNS, ALIASES)
    assert Fault(1, "code", "column_doubled", "Mã đơn vị") in read.faults
    with pytest.raises(ColumnsMissing) as refused:
        read.require(COLUMNS)
    assert refused.value.missing == ["name", "since"]
    assert read_sheet(b"", COLUMNS).rows == []


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (workbook_module.MOST_UNPACKED + 1))
    return packed.getvalue()


def entities() -> bytes:
    """A workbook whose sheet swells by entities."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book(("A", [["code", "name"]])))) as sound,
        zipfile.ZipFile(packed, "w") as archive,
    ):
        for part in sound.infolist():
            content = sound.read(part)
            if part.filename.endswith("sheet1.xml"):
                content = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]>' + content
            archive.writestr(part.filename, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old_workbook"),
        (b"PK\x03\x04 cut", "workbook_damaged"),
        (book(("A", [["code", "name"]]))[:-300], "workbook_damaged"),
        (entities(), "workbook_damaged"),
        (bomb(), "workbook_unpacks_too_large"),
        (book(("A", [["code", "name"], ["x"] * 101])), "too_many_columns"),
        (b"code,name\n" + b"1,2\n" * 32_001, "too_many_rows"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(content: bytes, code: str) -> None:
    with pytest.raises(SheetNotReadable) as refused:
        read_sheet(content, COLUMNS)
    assert refused.value.code == code
