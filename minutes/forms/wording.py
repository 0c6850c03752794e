"""How a form writes text, numbers, days and its fixed parts, as NĐ 30/2020/NĐ-CP, appendices I and III, has them."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from minutes.forms.documents import Letterhead, Official
from minutes.forms.sheet import Head, Paragraph

DRAFT = "DỰ THẢO"
COMMITTEE = re.compile(r"^(?:ỦY BAN|UỶ BAN|HỘI ĐỒNG) NHÂN DÂN\b(?=\s+\S)")
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
# They reverse the order in which text is read: a document must show what it holds.
BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def printable(text: str) -> str:
    """Text as a form can show it, in NFC.

    Control characters, bidirectional overrides and lone surrogates have no shape on paper and no
    place in XML: each becomes a visible U+FFFD instead of vanishing.
    """
    kept = (
        UNPRINTABLE
        if character in BIDI_CONTROLS or unicodedata.category(character) in {"Cc", "Cs"}
        else character
        for character in text.replace("\t", " ")
    )
    # A noncharacter is not allowed in XML either.
    return unicodedata.normalize("NFC", "".join(kept)).translate(
        {0xFFFE: UNPRINTABLE, 0xFFFF: UNPRINTABLE}
    )


def line(text: str) -> str:
    """One line: breaks become blanks."""
    return printable(" ".join(text.splitlines()).strip())


def paragraphs(text: str, *, before: str = "") -> tuple[Paragraph, ...]:
    """One paragraph for each line that is not blank; `before` opens the first."""
    lines = [printable(part.strip()) for part in text.splitlines() if part.strip()]
    return tuple(
        Paragraph(f"{before}{part}" if place == 0 else part) for place, part in enumerate(lines)
    )


def count(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def two_digits(number: int) -> str:
    """Numbers under 10 carry a zero before them, so that none can be put there later."""
    return f"{number:02d}"


def long_day(day: date) -> str:
    """Months 1 and 2 carry a zero, the others below 10 none (appendix I, II.4)."""
    month = two_digits(day.month) if day.month <= 2 else str(day.month)  # noqa: PLR2004  # the decree names months 1 and 2
    return f"ngày {two_digits(day.day)} tháng {month} năm {day.year}"


def short_day(day: date) -> str:
    return f"{day.day:02d}/{day.month:02d}/{day.year}"


def moment(instant: datetime, timezone: ZoneInfo) -> str:
    local = instant.astimezone(timezone)
    return f"{local.hour:02d} giờ {local.minute:02d} phút, {long_day(local.date())}"


def sentence(text: str) -> str:
    """A full stop, unless the text brings its own end."""
    return text if text.endswith((".", "!", "?", "…", ":", ";")) else f"{text}."


def named(official: Official) -> str:
    return ", ".join(part for part in (line(official.name), line(official.title)) if part)


def number_and_symbol(letterhead: Letterhead) -> str:
    number = "      " if letterhead.number is None else two_digits(letterhead.number)
    return f"{number}/{line(letterhead.symbol)}"


def head(letterhead: Letterhead) -> Head:
    day = (
        "ngày ..... tháng ..... năm ......." if letterhead.day is None else long_day(letterhead.day)
    )
    return Head(
        superior=agency(letterhead.superior),
        issuer=agency(letterhead.issuer),
        number=f"Số: {number_and_symbol(letterhead)}",
        place_and_day=f"{line(letterhead.place)}, {day}",
    )


def agency(name: str) -> str:
    """In capitals; a people's committee has the place it governs on a line of its own."""
    return COMMITTEE.sub(r"\g<0>\n", line(name).upper())


def recipient_lines(recipients: Sequence[str], archive: str) -> tuple[str, ...]:
    return (*(f"- {line(name).rstrip(';.')};" for name in recipients), f"- Lưu: {line(archive)}.")
