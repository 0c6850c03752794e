"""Search text: `họp giao ban` is found by `hop giao ban`, `Đống Đa` by `dong da`."""

import unicodedata

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
