r"""The equipment of a point in one cell: `camera|Logitech Rally|SN 12|2024-05-01|works|note; codec|…`.

A piece is a kind and what is known of it, in this order; what is not known may be left out at the
end. A backslash stands before `;`, `|` and `\` that belong to the text.
"""

import re
from datetime import date

from rooms.equipment import Condition, EquipmentFacts
from rooms.lists.days import day_of

_PIECES = re.compile(r"((?:[^;\\]|\\.)*)(?:;|$)", re.DOTALL)
_PARTS = re.compile(r"((?:[^|\\]|\\.)*)(?:\||$)", re.DOTALL)
_MOST_PARTS = 6


class EquipmentUnreadable(ValueError):
    """`problem` is `equipment_unreadable`, `unknown_condition` or `not_a_date`."""

    def __init__(self, problem: str, part: str) -> None:
        super().__init__(problem, part)
        self.problem = problem
        self.part = part


def read_equipment(cell: str) -> list[EquipmentFacts]:
    """Raises `EquipmentUnreadable`."""
    return [_piece(part.strip()) for part in _split(_PIECES, cell) if part.strip()]


def _split(pattern: re.Pattern[str], text: str) -> list[str]:
    found = [match[1] for match in pattern.finditer(text)]
    # The last match is the empty one at the end, unless the text ends with its sign.
    return found[:-1] if len(found) > 1 and not found[-1] else found


def _piece(text: str) -> EquipmentFacts:
    parts = [re.sub(r"\\(.)", r"\1", part).strip() for part in _split(_PARTS, text)]
    if len(parts) > _MOST_PARTS or not parts[0]:
        raise EquipmentUnreadable("equipment_unreadable", text)
    kind, model, serial, since, condition, note = parts + [""] * (_MOST_PARTS - len(parts))
    day: date | None = day_of(since) if since else None
    if since and day is None:
        raise EquipmentUnreadable("not_a_date", since)
    if condition and condition not in set(Condition):
        raise EquipmentUnreadable("unknown_condition", condition)
    return EquipmentFacts(kind, model, serial, day, note, condition or Condition.WORKS.value)


def write_equipment(pieces: list[EquipmentFacts]) -> str:
    """The pieces as `read_equipment` reads them, in an order of their own."""
    return "; ".join(sorted(_written(piece) for piece in pieces))


def _written(piece: EquipmentFacts) -> str:
    parts = [
        piece.kind,
        piece.model,
        piece.serial,
        piece.since.isoformat() if piece.since else "",
        piece.condition,
        piece.note,
    ]
    if parts[-1] == "" and parts[-2] == Condition.WORKS.value:
        parts = parts[:-2]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return "|".join(re.sub(r"([\\;|])", r"\\\1", " ".join(part.split())) for part in parts)
