"""Zeros that a spreadsheet has taken away: `4` for `00004`, `912345678` for `0912345678`.

Office programs read codes and telephone numbers as numbers unless they are told not to. What was lost
is found by comparing with codes that are known, and by the length of the other codes of a level. It is
named and may be restored where only one code fits; nothing is put right without a word.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from rooms.sheets import Row, Sheet

PUBLISHED_LENGTHS = {"city": 2, "province": 2, "district": 3, "ward": 5}
"""Digits of the codes that the General Statistics Office gives to its levels."""

LONGEST = 20
"""Digits of a code; what is longer is no code."""

# `4`, and what office programs make of it: `4.0` and `4,0`.
_WHOLE = re.compile(r"([0-9]{1,20})(?:[.,]0{1,9})?", re.ASCII)
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]+", re.ASCII)
# Without its zero: a mobile number has nine digits, a telephone of an area such as 24 has ten.
_TELEPHONE = re.compile(r"[35789][0-9]{8}|2[0-9]{9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LostZeros:
    """A cell that has probably lost its zeros; `restored` is None where several codes fit."""

    line: int
    column: str
    value: str
    restored: str | None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownCode:
    """A code that somebody bears on the day of the list."""

    code: str
    level: str


def digits_of(text: str) -> str | None:
    """The digits of a whole number, whatever a spreadsheet has made of it."""
    found = _WHOLE.fullmatch(text)
    return found[1] if found else None


def restored_sheet(sheet: Sheet, lost: Iterable[LostZeros]) -> Sheet:
    """The table with the zeros where there is no doubt about them."""
    put_back: dict[int, dict[str, str]] = defaultdict(dict)
    for each in lost:
        if each.restored is not None:
            put_back[each.line][each.column] = each.restored
    rows = [Row(row.line, row.cells | put_back.get(row.line, {})) for row in sheet.rows]
    return Sheet(sheet.name, sheet.columns, sheet.ignored, rows, sheet.faults)


def lost_in_telephones(rows: Iterable[Row], columns: Collection[str]) -> list[LostZeros]:
    """Telephone numbers of nine or ten digits that begin without the zero of the country."""
    lost = []
    for line, cells in rows:
        for column in columns:
            text = cells.get(column, "")
            digits = digits_of(text)
            if digits is not None and _TELEPHONE.fullmatch(digits):
                lost.append(LostZeros(line, column, text, f"0{digits}", (f"0{digits}",)))
            elif _SCIENTIFIC.fullmatch(text):
                lost.append(LostZeros(line, column, text, None))
    return lost


def lost_in_references(
    rows: Iterable[Row],
    column: str,
    codes: Collection[str],
    *,
    names: Mapping[str, str] | None = None,
    name_column: str = "",
) -> list[LostZeros]:
    """Codes of units in a column that nobody bears, where one with zeros in front is borne.

    Of several that fit, the one whose name (`names`, by code) stands in `name_column` is meant.
    """
    by_number = _by_number(codes)
    lost = []
    for line, cells in rows:
        text = cells.get(column, "")
        if not text or text in codes:
            continue
        if _SCIENTIFIC.fullmatch(text):
            lost.append(LostZeros(line, column, text, None))
            continue
        digits = digits_of(text)
        fitting = by_number.get(int(digits), ()) if digits is not None else ()
        if not fitting:
            continue
        named = [code for code in fitting if (names or {}).get(code) == cells.get(name_column, "-")]
        chosen = named if len(named) == 1 else fitting
        lost.append(
            LostZeros(line, column, text, chosen[0] if len(chosen) == 1 else None, tuple(fitting))
        )
    return lost


def lost_in_units(rows: list[Row], known: Collection[KnownCode]) -> list[LostZeros]:
    """Codes and codes of parents in a list of units that have lost zeros.

    A code is suspected where it is shorter than the codes of its level. The parent's code is what
    stands a level above among the codes that the list and the present units have.
    """
    borne = {each.code: each.level for each in known}
    lengths = _lengths(rows, known)
    lost = []
    codes = dict(borne)
    for line, cells in rows:
        text, level = cells.get("code", ""), cells.get("level", "")
        digits = digits_of(text)
        if _SCIENTIFIC.fullmatch(text):
            lost.append(LostZeros(line, "code", text, None))
        elif text not in borne and digits is not None:
            whole = digits.zfill(lengths.get(level, 0))
            if whole != text:
                lost.append(LostZeros(line, "code", text, whole, (whole,)))
                text = whole
        codes.setdefault(text, level)
    return lost + _lost_parents(rows, codes, zeros_are_missing=bool(lost))


def _lengths(rows: Iterable[Row], known: Iterable[KnownCode]) -> dict[str, int]:
    lengths: dict[str, int] = defaultdict(int, PUBLISHED_LENGTHS)
    found = [(each.code, each.level) for each in known]
    found += [(cells.get("code", ""), cells.get("level", "")) for _line, cells in rows]
    for code, level in found:
        if code.isascii() and code.isdigit():
            lengths[level] = max(lengths[level], len(code))
    return lengths


def _lost_parents(
    rows: list[Row], codes: Mapping[str, str], *, zeros_are_missing: bool
) -> list[LostZeros]:
    by_number = _by_number(codes)
    ranks: dict[str, int] = {}
    for _line, cells in rows:
        ranks.setdefault(cells.get("level", ""), len(ranks))
    fitting: dict[int, list[str]] = {}
    votes: dict[str, set[str]] = defaultdict(set)
    for line, cells in rows:
        text, level = cells.get("parent_code", ""), cells.get("level", "")
        digits = digits_of(text)
        if digits is None or (text in codes and not zeros_are_missing):
            continue
        # A unit stands below another level; which of them, the rows without doubt tell.
        fitting[line] = [
            code
            for code in by_number.get(int(digits), ())
            if ranks.get(codes[code], -1) < ranks[level]
        ]
        if len(fitting[line]) == 1:
            votes[level].add(codes[fitting[line][0]])
    lost = []
    for line, cells in rows:
        text, level = cells.get("parent_code", ""), cells.get("level", "")
        if line in fitting:
            usual = [code for code in fitting[line] if codes[code] in votes[level]]
            chosen = usual if len(usual) == 1 else fitting[line]
            restored = chosen[0] if len(chosen) == 1 else None
            if chosen and restored != text and not (restored is None and text in codes):
                lost.append(LostZeros(line, "parent_code", text, restored, tuple(chosen)))
        elif _SCIENTIFIC.fullmatch(text):
            lost.append(LostZeros(line, "parent_code", text, None))
    return lost


def _by_number(codes: Iterable[str]) -> dict[int, list[str]]:
    by_number: dict[int, list[str]] = defaultdict(list)
    for code in codes:
        if code.isascii() and code.isdigit() and len(code) <= LONGEST:
            by_number[int(code)].append(code)
    return by_number
