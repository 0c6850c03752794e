"""Lists of units as CSV: what is shipped, and what a file may get wrong."""

from collections import Counter

import pytest

from rooms.catalogue import UnknownCatalogue, parse_units, read_shipped, shipped, write_units
from rooms.hierarchy import UnitsNotSound
from rooms.sheets import ColumnsMissing, NotUtf8

HEAD = "code,parent_code,level,kind,name,lat,lon,email,phone\n"


def faults(text: str | bytes) -> list[tuple[int, str, str, str]]:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(UnitsNotSound) as refused:
        parse_units(content)
    return refused.value.problems


def test_ha_noi_of_2021_is_shipped_whole() -> None:
    assert Counter(row.level for row in read_shipped("hanoi-2021")) == {
        "city": 1,
        "department": 22,
        "district": 30,
        "ward": 579,
    }


def test_an_unknown_catalogue_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownCatalogue) as refused:
        read_shipped("../hanoi-2021")
    assert refused.value.known == shipped()


def test_what_is_written_is_read_again() -> None:
    rows = read_shipped("hanoi-2021")
    assert write_units(rows).startswith(b"\xef\xbb\xbfcode,parent_code,")
    assert parse_units(write_units(rows)) == rows


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("sign", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_office_programs_write_it_their_way(bom: bytes, sign: str, end: str) -> None:
    text = end.join(
        [
            sign.join(["code", "parent_code", "level", "kind", "name"]),
            sign.join(["01", "", "city", "Thành phố", "Hà Nội"]),
        ]
    )
    (row,) = parse_units(bom + text.encode())
    assert (row.line, row.code, row.parent_code, row.name) == (2, "01", None, "Hà Nội")


def test_another_encoding_is_refused_with_its_line() -> None:
    with pytest.raises(NotUtf8) as refused:
        parse_units(HEAD.encode() + b"01,,city,x,Tinh\n02,,city,x,H\xe0 N\xf4i\n")
    assert refused.value.line == 3


def test_utf16_is_read_where_it_says_so() -> None:
    text = HEAD + "01,,city,Thành phố,Hà Nội,,,,\n"
    (row,) = parse_units(text.encode("utf-16"))
    assert row.name == "Hà Nội"
    with pytest.raises(NotUtf8):
        parse_units(text.encode("utf-16-le"))


def test_columns_that_miss_are_named() -> None:
    with pytest.raises(ColumnsMissing) as refused:
        parse_units(b"code;name\n01;x\n")
    assert refused.value.missing == ["parent_code", "level", "kind"]
    assert refused.value.found == ["code", "name"]


def test_an_empty_file_has_no_columns() -> None:
    with pytest.raises(ColumnsMissing) as refused:
        parse_units(b"")
    assert refused.value.found == []


def test_a_head_alone_is_no_list() -> None:
    assert faults(HEAD) == [(1, "code", "empty", "")]


def test_each_faulty_cell_is_told() -> None:
    assert faults(
        HEAD
        + ",,city,x,A,,,,\n"
        + "02,,city,x,B,north,200,,\n"
        + "03,,city,x,C,nan,,nobody,call me\n"
        + f"04,,city,x,{'D' * 201},,,,\n"
        + "05,,city,x,E,,,,,surplus\n"
        + '06,,city,x,"F\x00",,,,\n'
    ) == [
        (2, "code", "missing", ""),
        (3, "lat", "not_a_number", "north"),
        (3, "lon", "out_of_range", "200"),
        (4, "email", "not_an_address", "nobody"),
        (4, "phone", "not_a_telephone", "call me"),
        (4, "lat", "out_of_range", "nan"),
        (5, "name", "too_long", "D" * 40),
        (6, "", "too_many_cells", ""),
        (7, "name", "control_characters", ""),
    ]


def test_a_quotation_mark_that_never_closes_is_told() -> None:
    text = HEAD + '01,,city,x,"A,,,,\n' + "02,,city,x,B,,,,\n" * 10_000
    problems = faults(text)
    assert problems[-1][2] in {"not_readable", "too_long"}
