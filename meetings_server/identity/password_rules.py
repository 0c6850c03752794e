"""What a password must be: long, and not what is guessed first. Nothing else.

After NIST SP 800-63B-4 (2025), 3.1.1.2: at least 15 characters where the password is all there is, 8
where a second factor is asked for as well; at least 64 are taken (here 256), any Unicode characters
and blanks, normalised before they count; no rules of composition, no change after a time; what is
chosen is compared with a list of common passwords and with words of the context: the person's own
names, their unit, this service.

Words of the context are compared as an attacker would derive them: letters only, without
diacritics and capitals, digits and signs left out.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from rooms.folding import fold
from rooms.kernel import FieldInvalid

SHORTEST_ALONE = 15
SHORTEST_WITH_SECOND_FACTOR = 8
LONGEST = 256

SHORTEST_WORD = 4
"""Shorter words of the context, such as `an`, are part of too many good passwords."""
ENOUGH_OF_ONES_OWN = 4
"""Letters that have to be left when the words of the context are taken out."""
LONGEST_REPEATED = 4
"""`abcabcabcabcabc` is a word of three letters, not of fifteen."""

SERVICE_WORDS = ("meetings", "meeting", "server", "password", "matkhau", "hoptructuyen", "giaoban")

ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
)
"""What fingers and children recite."""


def normalised(password: str) -> str:
    """The same characters however a keyboard composes them (NFKC): `ế` is one or three."""
    return unicodedata.normalize("NFKC", password)


def require_sound(password: str, words: Iterable[str], shortest: int) -> None:
    """Raises `FieldInvalid` at `password`. `words`: names of the person, of their unit."""
    chosen = normalised(password)
    if len(chosen) < shortest:
        raise FieldInvalid("password", "too_short", shortest)
    if len(chosen) > LONGEST:
        raise FieldInvalid("password", "too_long", LONGEST)
    if "\0" in chosen:
        raise FieldInvalid("password", "control_characters")
    bare = _bare(chosen)
    if _is_recited(bare or chosen):
        raise FieldInvalid("password", "too_simple")
    if _is_common(chosen, bare):
        raise FieldInvalid("password", "too_common")
    if _is_of_context(bare, words):
        raise FieldInvalid("password", "about_you")


def _bare(text: str) -> str:
    """Letters and digits alone, without diacritics and capitals."""
    return re.sub(r"[\W_]", "", fold(text))


def _is_recited(text: str) -> bool:
    """One short piece again and again, or a row of the keyboard, the alphabet or the digits."""
    for length in range(1, LONGEST_REPEATED + 1):
        if text == (text[:length] * len(text))[: len(text)]:
            return True
    return any(text in row * 3 or text in row[::-1] * 3 for row in ROWS)


@cache
def _common() -> frozenset[str]:
    folder = files("meetings_server.identity") / "common_passwords"
    lines = [
        line
        for name in ("django-5.2.txt", "vietnamese.txt")
        for line in (folder / name).read_text(encoding="utf-8").splitlines()
    ]
    return frozenset(lines) | {_bare(line) for line in lines} - {""}


def _is_common(chosen: str, bare: str) -> bool:
    """On the list, also with digits before or behind, or twice."""
    listed = _common()
    if chosen.casefold() in listed:
        return True
    stem = bare.strip("0123456789")
    half = bare[: len(bare) // 2]
    return (
        bare in listed or (bool(stem) and stem in listed) or (half * 2 == bare and half in listed)
    )


def _is_of_context(bare: str, words: Iterable[str]) -> bool:
    letters = re.sub(r"\d", "", bare)
    if not letters:
        # A password of digits alone is judged by its length and by the list.
        return False
    known = {re.sub(r"[\W_\d]", "", fold(word)) for word in words} | set(SERVICE_WORDS)
    left = letters
    # The longest first: `nguyenthuha` before `thuha`.
    for word in sorted(known, key=len, reverse=True):
        if len(word) >= SHORTEST_WORD:
            left = left.replace(word, "")
    return left != letters and len(left) < ENOUGH_OF_ONES_OWN
