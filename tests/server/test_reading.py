"""What is read from fields and addresses, and what is not taken for a number or a day."""

from datetime import date, datetime, time, timedelta, timezone

import pytest

from meetings_server.reading import read_clock, read_day, read_instant, read_number, read_page


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("00042", 42),
        ("2147483647", 2147483647),
        ("2147483648", None),
        ("0" * 40 + "7", 7),
        ("9" * 5000, None),
        ("", None),
        ("+1", None),
        ("-1", None),
        ("1_0", None),
        (" 1", None),
        ("١٢", None),
    ],
)
def test_a_number_is_digits_that_fit_into_a_column(text: str, number: int | None) -> None:
    assert read_number(text) == number


def test_a_page_lies_within_the_list() -> None:
    assert [read_page(text, 9) for text in ("", "0", "3", "12", "x")] == [1, 1, 3, 9, 1]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-23", date(2026, 11, 23)),
        ("23/11/2026", date(2026, 11, 23)),
        ("1/2/2026", date(2026, 2, 1)),
        ("31/02/2026", None),
        ("+1/2/2026", None),
        ("1/2/26", None),
        ("0026-11-23", None),
        ("", None),
    ],
)
def test_a_day_is_read_in_both_ways_of_writing(text: str, day: date | None) -> None:
    assert read_day(text) == day


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("8:00", time(8)),
        ("08:30", time(8, 30)),
        ("08:30:00", time(8, 30)),
        ("08:30:15", None),
        ("24:00", None),
        ("8:5", None),
        ("+8:00", None),
        ("8", None),
    ],
)
def test_a_clock_has_hours_and_minutes(text: str, clock: time | None) -> None:
    assert read_clock(text) == clock


def test_an_instant_needs_its_offset() -> None:
    civil = timezone(timedelta(hours=7))
    assert read_instant("2026-11-23T01:00:00Z") == datetime(2026, 11, 23, 8, tzinfo=civil)
    assert read_instant("2026-11-23T08:00:00") is None
    assert read_instant("0001-01-01T00:00:00+14:00") is None
    assert read_instant("tomorrow") is None
