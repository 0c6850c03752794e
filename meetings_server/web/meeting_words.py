"""The words of meetings: kinds, states, levels of units, rules of an audience, lines of a history."""

from collections.abc import Iterable, Mapping
from typing import Any

from meetings_server.i18n import _, mark
from rooms.audience import Rule
from rooms.hierarchy import Tree

KINDS: dict[str, str] = {
    "periodic": mark("Periodic meeting"),
    "thematic": mark("Thematic meeting"),
    "conference": mark("Conference"),
    "urgent": mark("Urgent meeting"),
    "training": mark("Training"),
}

STATES: dict[str, str] = {
    "draft": mark("Draft"),
    "scheduled": mark("Scheduled"),
    "in_progress": mark("In progress"),
    "postponed": mark("Postponed"),
    "ended": mark("Ended"),
    "concluded": mark("Concluded"),
    "cancelled": mark("Cancelled"),
}

LEVELS: dict[str, str] = {
    "nation": mark("Central level"),
    "province": mark("Provinces and cities"),
    "city": mark("Provinces and cities"),
    "department": mark("Departments"),
    "district": mark("Districts"),
    "ward": mark("Wards and communes"),
}

IN_A_SENTENCE: dict[str, str] = {
    "nation": mark("central units"),
    "province": mark("provinces and cities"),
    "city": mark("provinces and cities"),
    "department": mark("departments"),
    "district": mark("districts"),
    "ward": mark("wards and communes"),
}

ACTIONS: dict[str, str] = {
    "booked": mark("Draft made"),
    "scheduled": mark("Invitation sent"),
    "changed": mark("Changed"),
    "rescheduled": mark("Rescheduled"),
    "cancelled": mark("Cancelled"),
    "postponed": mark("Postponed"),
    "started": mark("Opened"),
    "ended": mark("Meeting closed"),
    "concluded": mark("Concluded"),
    "replied": mark("Replied"),
    "minutes_opened": mark("Draft minutes made"),
    "minutes_submitted": mark("Minutes submitted to the chair"),
    "minutes_sent_back": mark("Minutes sent back"),
    "minutes_signed": mark("Minutes signed"),
    "minutes_issued": mark("Minutes issued"),
    "minutes_corrected": mark("Correction of the minutes begun"),
    "paper_attached": mark("Paper added"),
    "paper_withdrawn": mark("Paper taken back"),
    "reorganised": mark("Units reorganised"),
    "reorganisation_taken_back": mark("Reorganisation taken back"),
}

FIELDS: dict[str, str] = {
    "title": mark("Title"),
    "kind": mark("Kind"),
    "host_unit_id": mark("Host unit"),
    "main_point_id": mark("Main bridge point"),
    "chair_id": mark("Chair"),
    "audience": mark("Audience"),
    "requirements": mark("Requirements"),
    "join_url": mark("Link to join"),
    "join_address": mark("SIP or H.323 address"),
    "join_pin": mark("PIN"),
    "starts_at": mark("Start"),
    "ends_at": mark("End"),
    "agenda": mark("Agenda"),
}

OBSTACLES: dict[str, str] = {
    "no_point": mark("has no bridge point"),
    "out_of_service": mark("bridge point out of service"),
    "closed": mark("bridge point closed for good"),
}


def word(words: Mapping[str, str], key: str) -> str:
    """The word of a key in the language of the request; a key from newer data stands as it is."""
    return _(words[key]) if key in words else key


def words(table: Mapping[str, str]) -> list[tuple[str, str]]:
    """A table of words as the options of a choice."""
    return [(key, _(text)) for key, text in table.items()]


def rule_text(tree: Tree, rule: Rule) -> str:
    """A rule as it stands on its chip, without include or exclude."""
    named = tree.by_code.get(rule.under or rule.unit or "")
    name = named.name if named else (rule.under or rule.unit or "")
    if rule.by == "level":
        level = word(IN_A_SENTENCE, rule.level or "")
        if rule.under:
            return _("All {level} of {unit}").format(level=level, unit=name)
        return _("All {level}").format(level=level)
    if rule.by == "children":
        return _("All units directly below {unit}").format(unit=name)
    if rule.by == "subtree":
        return _("{unit} and all units below").format(unit=name)
    if rule.by == "point":
        return _("Bridge point {number}").format(number=rule.point)
    return name


def chips(tree: Tree, rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """The rules as chips, in their order."""
    return [
        {
            "include": rule.include,
            "text": rule_text(tree, rule)
            if rule.include
            else _("except {units}").format(units=rule_text(tree, rule)),
        }
        for rule in rules
    ]
