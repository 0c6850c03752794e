"""An entry of the record in words: who did what to what, and each field before and after."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from meetings_server.audit.capture import HIDDEN, named_by
from meetings_server.audit.ledger import AuditEntry, Key
from meetings_server.audit.reading import changes_of
from meetings_server.audit.subjects import SUBJECTS as RECORDED
from meetings_server.i18n import _, daytime, short_day
from meetings_server.web import directive_words, point_words
from meetings_server.web.audit_words import ACTS, FIELDS, LOGINS, SUBJECTS, VALUES
from meetings_server.web.meeting_words import KINDS, LEVELS, STATES, rule_text, word
from meetings_server.web.unit_words import ENDPOINTS, ROLES
from rooms.audience import parse_rules
from rooms.hierarchy import Tree
from rooms.kernel import DomainError

LONGEST = 300
"""Letters of a value in a list; the entry's own page shows all."""

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+\+[0-9:]+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

# Words of values by column, or by table and column where the same word means another thing.
WORDS: dict[str, Mapping[str, str]] = {
    "state": STATES | VALUES,
    "reply": VALUES,
    "method": VALUES,
    "extent": VALUES,
    "role": ROLES,
    "level": LEVELS,
    "endpoint_kind": ENDPOINTS,
    "urgency": directive_words.URGENCIES,
    "secrecy": directive_words.SECRECIES,
    "condition": point_words.CONDITIONS,
    "meeting.kind": KINDS,
    "equipment.kind": point_words.EQUIPMENT,
    "fault.kind": point_words.FAULTS,
}

COLOURS = {"delete": "red", "login_failed": "red", "create": "green", "download": "blue"}
SIGNS = {
    "create": "plus",
    "change": "pencil",
    "delete": "trash",
    "download": "download",
    "login": "login",
    "logout": "logout",
    "login_failed": "alert-triangle",
}


@dataclass(frozen=True, slots=True)
class ToldChange:
    """A field in words; a side that the entry does not tell is empty."""

    field: str
    before: str
    after: str


def act_word(act: str) -> str:
    return word(ACTS, act)


def subject_word(subject: str) -> str:
    return word(SUBJECTS, subject)


def login_word(login: str) -> str:
    return word(LOGINS, login)


def field_word(subject: str, field: str) -> str:
    if f"{subject}.{field}" in FIELDS:
        return word(FIELDS, f"{subject}.{field}")
    return word(FIELDS if field in FIELDS else LEVELS, field)


def told_changes(
    entry: AuditEntry, names: Mapping[Key, str], longest: int | None = LONGEST
) -> list[ToldChange]:
    """The fields of an entry in words; `names` as `reading.names_in` gives them."""

    def told(field: str, value: Any) -> str:
        text = value_text(entry.subject, field, value, names)
        return text if longest is None or len(text) <= longest else f"{text[:longest]}…"

    return [
        ToldChange(
            field_word(entry.subject, change.field),
            told(change.field, change.before),
            told(change.field, change.after),
        )
        for change in changes_of(entry)
    ]


def value_text(subject: str, field: str, value: Any, names: Mapping[Key, str]) -> str:
    """A value as people read it: names for ids, words for states, days as they are written here."""
    if isinstance(value, list):
        return "; ".join(_part(subject, field, part, names) for part in value)
    if isinstance(value, dict):
        return "; ".join(
            f"{field_word(subject, key)}: {value_text(subject, key, inner, names)}"
            for key, inner in value.items()
        )
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, int):
        return _name(subject, field, value, names)
    return _text(subject, field, "" if value is None else str(value))


def _name(subject: str, field: str, value: int, names: Mapping[Key, str]) -> str:
    table = named_by(subject, field) if subject in RECORDED else ""
    return names.get((table, value)) or str(value)


def _text(subject: str, field: str, value: str) -> str:
    if value == HIDDEN:
        return _("not shown")
    words = WORDS.get(f"{subject}.{field}") or WORDS.get(field)
    if words is not None:
        return word(words, value)
    if _INSTANT.fullmatch(value):
        return daytime(datetime.fromisoformat(value))
    if _DAY.fullmatch(value):
        return short_day(date.fromisoformat(value))
    return value


_NO_TREE = Tree(date.min, {})


def _part(subject: str, field: str, part: Any, names: Mapping[Key, str]) -> str:
    if isinstance(part, dict) and ("include" in part or "exclude" in part):
        try:
            (rule,) = parse_rules([part])
        except DomainError:
            return str(part)
        # With the codes as they were said: what they named on that day is not looked up.
        text = rule_text(_NO_TREE, rule)
        return text if rule.include else _("except {units}").format(units=text)
    return value_text(subject, field, part, names)


TELLING: dict[str, Any] = {
    "act_word": act_word,
    "subject_word": subject_word,
    "login_word": login_word,
    "field_word": field_word,
}
"""What the templates call."""
