"""Reads what people type into fields and what addresses carry: numbers, days, clocks, instants.

A function gives None for what cannot be read; the caller says at which field, and in which words.
"""

import re
from datetime import date, datetime, time
from typing import Annotated

from litestar.params import Parameter

from rooms.kernel import CIVIL_ZONE, LARGEST_ID

YEARS = range(1900, 2200)
"""A day outside is a slip of the hand."""

RowId = Annotated[int, Parameter(ge=1, le=LARGEST_ID)]
"""The id in the address of a page."""

# int() and date() would take "1_0", "+1" and digits of any script, and numbers of any length.
_NUMBER = re.compile(r"0*([0-9]{1,10})")
_WRITTEN_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::00)?")


def read_number(text: str) -> int | None:
    """A whole number from 0 to the largest that a column holds."""
    found = _NUMBER.fullmatch(text)
    number = int(found[1]) if found else None
    return number if number is not None and number <= LARGEST_ID else None


def read_page(text: str, last: int) -> int:
    """A page of a list, counted from 1; what is no page is the first, what lies behind the last."""
    return min(max(read_number(text) or 1, 1), last)


def read_day(text: str) -> date | None:
    """A day as a date field sends it (`2026-11-23`) or as people write it (`23/11/2026`)."""
    written = _WRITTEN_DAY.fullmatch(text)
    try:
        if written:
            found = date(int(written[3]), int(written[2]), int(written[1]))
        else:
            found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in YEARS else None


def read_clock(text: str) -> time | None:
    """`08:00` or `8:00`; seconds are not for meetings."""
    found = _CLOCK.fullmatch(text)
    try:
        return time(int(found[1]), int(found[2])) if found else None
    except ValueError:
        return None


def read_instant(text: str) -> datetime | None:
    """ISO 8601 with an offset, such as `2026-11-23T08:00:00+07:00`, in civil time."""
    try:
        instant = datetime.fromisoformat(text)
        # The ends of the calendar's own years cannot be turned into another zone.
        return instant.astimezone(CIVIL_ZONE) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None
