"""The words of directives: kinds, urgency, secrecy, what a list may be narrowed to."""

from meetings_server.i18n import _, current_language, mark
from minutes.directives import Secrecy, Urgency
from minutes.kinds import KINDS, DocumentKind, Kind

URGENCIES: dict[str, str] = {
    Urgency.NORMAL: mark("Normal urgency"),
    Urgency.URGENT: mark("Urgent"),
    Urgency.VERY_URGENT: mark("Very urgent"),
    Urgency.EXPRESS: mark("Express"),
}

SECRECIES: dict[str, str] = {
    Secrecy.OPEN: mark("Not secret – may be kept on this system"),
    Secrecy.CONFIDENTIAL: mark("Confidential"),
    Secrecy.SECRET: mark("Secret"),
    Secrecy.TOP_SECRET: mark("Top secret"),
}

INCOMING: dict[str, str] = {
    "new": mark("New, not read"),
    "open": mark("Not yet confirmed"),
    "late": mark("Past the deadline"),
    "acknowledged": mark("Confirmed"),
    "recalled": mark("Recalled"),
}

OUTGOING: dict[str, str] = {
    "issued": mark("In force"),
    "late": mark("Units are late"),
    "recalled": mark("Recalled"),
}


def kind_name(kind: Kind) -> str:
    """As it stands on paper; in English for readers of English."""
    return kind.name if current_language.get() == "vi" else kind.english


def kind_word(code: str) -> str:
    return kind_name(KINDS[DocumentKind(code)])


def kind_options() -> list[tuple[str, str]]:
    """All kinds with their abbreviation, in the order of the decree."""
    return [
        (
            kind.code,
            f"{kind_name(kind)} ({kind.abbreviation})" if kind.abbreviation else kind_name(kind),
        )
        for kind in KINDS.values()
    ]


def options(words: dict[str, str]) -> list[tuple[str, str]]:
    return [(str(key), _(text)) for key, text in words.items()]
