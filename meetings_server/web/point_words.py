"""The words of bridge points: equipment, its condition, faults, how long something took."""

from datetime import timedelta
from typing import Any

from meetings_server.i18n import _, mark, ngettext
from meetings_server.web.meeting_words import word, words
from rooms.equipment import Condition, EquipmentKind
from rooms.faults import FaultKind

EQUIPMENT: dict[str, str] = {
    EquipmentKind.CAMERA: mark("Camera"),
    EquipmentKind.MICROPHONE: mark("Microphone"),
    EquipmentKind.SPEAKER: mark("Loudspeaker"),
    EquipmentKind.CODEC: mark("Terminal (codec)"),
    EquipmentKind.DISPLAY: mark("Display"),
    EquipmentKind.COMPUTER: mark("Computer"),
    EquipmentKind.LINE: mark("Network line"),
    EquipmentKind.BACKUP_LINE: mark("Backup line"),
    EquipmentKind.POWER: mark("Power supply"),
    EquipmentKind.OTHER: mark("Other equipment"),
}

CONDITIONS: dict[str, str] = {
    Condition.WORKS: mark("Works"),
    Condition.FAULTY: mark("Faulty"),
    Condition.MISSING: mark("Missing"),
}

FAULTS: dict[str, str] = {
    FaultKind.PICTURE: mark("Picture"),
    FaultKind.SOUND: mark("Sound"),
    FaultKind.NETWORK: mark("Network"),
    FaultKind.POWER: mark("Power"),
    FaultKind.OTHER: mark("Something else"),
}

HOURS = 48
"""From here on a duration is told in days."""
FEW_HOURS = 10
"""From here on minutes do not matter."""


def duration(span: timedelta) -> str:
    """How long something took, in the two largest parts that matter: `3 h 20 min`, `4 days`."""
    minutes = max(int(span.total_seconds() // 60), 0)
    hours, rest = divmod(minutes, 60)
    if hours >= HOURS:
        return ngettext("%(num)s day", "%(num)s days", hours // 24) % {"num": hours // 24}
    if hours and (not rest or hours >= FEW_HOURS):
        return _("{hours} h").format(hours=hours)
    if hours:
        return _("{hours} h {minutes} min").format(hours=hours, minutes=rest)
    return _("{minutes} min").format(minutes=minutes)


POINT_WORDS: dict[str, Any] = {
    "equipment_word": lambda kind: word(EQUIPMENT, kind),
    "condition_word": lambda condition: word(CONDITIONS, condition),
    "fault_word": lambda kind: word(FAULTS, kind),
    "duration": duration,
}
"""What the templates of this place call."""


def equipment_options(present: str = "") -> list[tuple[str, str]]:
    """The kinds to choose from; a word that a list brought along stays choosable."""
    known = words(EQUIPMENT)
    return known if not present or present in EQUIPMENT else [*known, (present, present)]
