"""The words of line tests, of what browsers measure, and of go or no-go."""

from typing import Any

from meetings_server.i18n import current_language, mark
from meetings_server.web.meeting_words import word
from rooms.go_decisions import Go
from rooms.line_tests import LineItem, Outcome, Result
from rooms.self_tests import Device

ITEMS: dict[str, str] = {
    LineItem.PICTURE: mark("Picture"),
    LineItem.SOUND: mark("Sound"),
    LineItem.CAMERA: mark("Camera"),
    LineItem.NETWORK: mark("Network"),
    LineItem.BACKUP_LINE: mark("Backup line"),
}

QUESTIONS: dict[str, str] = {
    LineItem.PICTURE: mark("Do you see the main bridge point, and do they see you?"),
    LineItem.SOUND: mark("Do you hear each other without echo or crackling?"),
    LineItem.CAMERA: mark("Does the camera show the whole table, sharp and bright enough?"),
    LineItem.NETWORK: mark("Does the line hold without breaks?"),
    LineItem.BACKUP_LINE: mark("Have you switched over to it and back?"),
}

ICONS: dict[str, str] = {
    LineItem.PICTURE: "device-tv",
    LineItem.SOUND: "microphone",
    LineItem.CAMERA: "video",
    LineItem.NETWORK: "wifi",
    LineItem.BACKUP_LINE: "plug-connected",
}

RESULTS: dict[str, str] = {
    Result.OK: mark("Works well"),
    Result.PROBLEM: mark("Problem"),
    Result.UNTESTED: mark("Not tested yet"),
    Result.NONE: mark("There is none"),
}

OUTCOMES: dict[str, str] = {
    Outcome.PROBLEM: mark("With problems"),
    Outcome.UNTESTED: mark("Not tested"),
    Outcome.PARTIAL: mark("Being tested"),
    Outcome.READY: mark("Ready"),
}

LOOKS: dict[str, tuple[str | None, str]] = {
    Outcome.PROBLEM: ("red", "alert-triangle"),
    Outcome.UNTESTED: (None, "clock"),
    Outcome.PARTIAL: ("amber", "hourglass"),
    Outcome.READY: ("green", "circle-check"),
}
"""Colour and sign of an outcome."""

WHOLE_FROM = 100

GO: dict[str, str] = {
    Go.GO: mark("Go: held as planned"),
    Go.NO_GO: mark("No-go: not ready to be held"),
}

DEVICES: dict[str, str] = {
    Device.CAMERA: mark("Camera"),
    Device.MICROPHONE: mark("Microphone"),
    Device.SPEAKERS: mark("Loudspeakers"),
    Device.NETWORK: mark("Line to this server"),
}

FAULT_TEXTS: dict[str, str] = {
    LineItem.PICTURE: mark("Line test: trouble with the picture"),
    LineItem.SOUND: mark("Line test: trouble with the sound"),
    LineItem.CAMERA: mark("Line test: trouble with the camera"),
    LineItem.NETWORK: mark("Line test: trouble with the network"),
    LineItem.BACKUP_LINE: mark("Line test: trouble with the backup line"),
}

MEASURED_TROUBLE: dict[str, str] = {
    LineItem.CAMERA: mark("The browser test saw no picture of the camera"),
    LineItem.SOUND: mark("The browser test heard nothing, or nobody heard its tone"),
    LineItem.NETWORK: mark("The browser test measured a line that is too slow"),
}
"""The note of a problem that a measurement has found."""


def item_word(key: str) -> str:
    return word(ITEMS, key)


def result_word(key: str) -> str:
    return word(RESULTS, key)


def outcome_word(key: str) -> str:
    return word(OUTCOMES, key)


def go_word(key: str) -> str:
    return word(GO, key)


def device_word(key: str) -> str:
    return word(DEVICES, key)


def measured_figure(value: float | None) -> str:
    """A figure of a measurement as people read it: `92,7`, from a hundred on `618`."""
    if value is None:
        return "–"
    text = f"{value:.1f}" if value < WHOLE_FROM else f"{value:.0f}"
    return text.replace(".", ",") if current_language.get() == "vi" else text


LINE_TEST_WORDS: dict[str, Any] = {
    "measured_figure": measured_figure,
    "item_word": item_word,
    "result_word": result_word,
    "outcome_word": outcome_word,
    "outcome_looks": LOOKS,
    "go_word": go_word,
    "device_word": device_word,
    "item_icons": ICONS,
}
"""For templates."""
