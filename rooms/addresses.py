"""Mail addresses and telephone numbers as people type them: checked, never guessed."""

import re

from rooms.kernel import FieldInvalid, bounded_text

LONGEST_ADDRESS = 254
LONGEST_NUMBER = 40

# What mail servers of offices really use. Quoted local parts exist in RFC 5321 and nowhere else.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
# Digits with the signs between them, several numbers or an extension behind a word such as "máy lẻ".
_NUMBER = re.compile(r"[+(]?\d[\d\s().\-/+;,x#]*")
FEWEST_DIGITS = 3


def mail_address(field: str, value: str | None) -> str | None:
    """An optional mail address, at most 254 characters (RFC 5321, 4.5.3.1). Raises `FieldInvalid`."""
    text = bounded_text(field, value, LONGEST_ADDRESS)
    if not text:
        return None
    local, _, domain = text.rpartition("@")
    if not _ADDRESS.fullmatch(text) or ".." in text or local[:1] == "." or domain[:1] == "-":
        raise FieldInvalid(field, "not_an_address")
    return text


def telephone(field: str, value: str | None) -> str | None:
    """An optional telephone number, kept as it was written. Raises `FieldInvalid`."""
    text = bounded_text(field, value, LONGEST_NUMBER)
    if not text:
        return None
    if not _NUMBER.fullmatch(text) or sum(c.isdigit() for c in text) < FEWEST_DIGITS:
        raise FieldInvalid(field, "not_a_telephone")
    return text
