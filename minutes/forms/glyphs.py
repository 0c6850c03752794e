"""Which characters the fonts of this package can show, read from their `cmap` tables.

Source: the OpenType specification, table `cmap`, formats 4 and 12.
"""

import struct
import unicodedata
from functools import cache
from importlib.resources import files

# Shapers handle these without a shape of their own: joiners, variation selectors, soft hyphens.
INVISIBLE = {"Cf", "Mn", "Me", "Zl", "Zp"}


@cache
def shown() -> frozenset[int]:
    """Code points for which at least one font has a glyph."""
    found: set[int] = set()
    for font in files("minutes.forms").joinpath("fonts").iterdir():
        if font.name.endswith(".ttf"):
            found |= covered(font.read_bytes())
    return frozenset(found)


def legible(text: str) -> str:
    """The text with `[U+6F22]` for each character that would be an empty box on paper."""
    if text.isascii():
        return text
    known = shown()
    return "".join(
        character
        if character == "\n"
        or ord(character) in known
        or unicodedata.category(character) in INVISIBLE
        else f"[U+{ord(character):04X}]"
        for character in text
    )


def covered(font: bytes) -> set[int]:
    """Code points of a TrueType font."""
    [tables] = struct.unpack_from(">H", font, 4)
    for number in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sIII", font, 12 + 16 * number)
        if tag == b"cmap":
            return mapped(font, offset)
    raise ValueError("a font without a cmap table")


def mapped(font: bytes, cmap: int) -> set[int]:
    [count] = struct.unpack_from(">H", font, cmap + 2)
    points: set[int] = set()
    for number in range(count):
        _, _, offset = struct.unpack_from(">HHI", font, cmap + 4 + 8 * number)
        start = cmap + offset
        [form] = struct.unpack_from(">H", font, start)
        if form == 4:  # noqa: PLR2004  # format 4: segments of the basic plane
            points |= segments(font, start)
        elif form == 12:  # noqa: PLR2004  # format 12: groups of all planes
            [groups] = struct.unpack_from(">I", font, start + 12)
            for group in range(groups):
                first, last, _ = struct.unpack_from(">III", font, start + 16 + 12 * group)
                points.update(range(first, last + 1))
    return points


def segments(font: bytes, start: int) -> set[int]:
    """Code points of a format 4 subtable that lead to a glyph other than the empty box."""
    [double] = struct.unpack_from(">H", font, start + 6)
    shape = f">{double // 2}H"
    ends = struct.unpack_from(shape, font, start + 14)
    firsts = struct.unpack_from(shape, font, start + 16 + double)
    deltas = struct.unpack_from(shape, font, start + 16 + 2 * double)
    ranges_at = start + 16 + 3 * double
    ranges = struct.unpack_from(shape, font, ranges_at)
    points: set[int] = set()
    for place, (first, last, delta, jump) in enumerate(
        zip(firsts, ends, deltas, ranges, strict=True)
    ):
        for point in range(first, min(last, 0xFFFE) + 1):
            glyph = point + delta
            if jump:
                at = ranges_at + 2 * place + jump + 2 * (point - first)
                [raw] = struct.unpack_from(">H", font, at)
                glyph = raw + delta if raw else 0
            if glyph & 0xFFFF:
                points.add(point)
    return points
