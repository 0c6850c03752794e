"""Search text: `họp giao ban` is found by `hop giao ban`, `Đống Đa` by `dong da`."""

import unicodedata

from sqlalchemy import ColumnElement

_STROKES = str.maketrans({"đ": "d", "Đ": "d"})


def fold(text: str) -> str:
    """Lower case without diacritics, white space collapsed. NFD input folds like NFC input."""
    decomposed = unicodedata.normalize("NFD", text.translate(_STROKES))
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(bare.translate(_STROKES).casefold().split())


def folded_pattern(text: str) -> str:
    r"""A LIKE pattern (escape `\`) that finds the folded text anywhere."""
    needle = fold(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{needle}%"


def folded_words(text: str) -> list[str]:
    r"""LIKE patterns (escape `\`), one a word: all of them have to be found, in any order."""
    return [folded_pattern(word) for word in fold(text).split()]


def has_words(column: ColumnElement[str], text: str) -> list[ColumnElement[bool]]:
    """Conditions on a column of folded text: it has every word of `text`, in any order."""
    return [column.like(pattern, escape="\\") for pattern in folded_words(text)]


def marked(text: str, query: str) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether it is what the query found.

    The pieces together are the text itself. The whole query is marked where it stands in one piece,
    else each of its words.
    """
    folded, places = _with_places(text)
    needle = fold(query)
    wanted = [needle] if needle and needle in folded else needle.split()
    hit = bytearray(len(text))
    for word in wanted:
        start = folded.find(word)
        while start >= 0:
            first, last = places[start], places[start + len(word) - 1]
            hit[first : last + 1] = b"\1" * (last + 1 - first)
            start = folded.find(word, start + len(word))
    return _runs(text, hit)


def _with_places(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters the index of the one it comes from."""
    folded: list[str] = []
    places: list[int] = []
    for index, char in enumerate(text):
        bare = " " if char.isspace() else fold(char)
        folded.append(bare)
        places.extend([index] * len(bare))
    return "".join(folded), places


def _runs(text: str, hit: bytearray) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = []
    start = 0
    for index in range(1, len(text) + 1):
        # A combining mark belongs to the letter before it, marked or not.
        if index < len(text) and (hit[index] == hit[start] or unicodedata.combining(text[index])):
            continue
        pieces.append((text[start:index], bool(hit[start])))
        start = index
    return pieces
