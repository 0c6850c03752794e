"""What reports have in common: figures in words, the unit and the period that an address names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from meetings_server import i18n
from meetings_server.i18n import _, mark, ngettext
from meetings_server.web.meeting_words import LEVELS, word
from rooms.hierarchy import Unit, UnitIds, subtree_of
from rooms.kernel import FieldInvalid, civil_day
from rooms.lineage import AS_OF, asked_unit
from rooms.periods import Period, Span, asked_period
from rooms.policies import Actor, NotPermitted, Permission, governed_units, top_units

OUTCOMES: dict[str, str] = {
    "present": mark("On time"),
    "late": mark("Late"),
    "absent": mark("Absent without word"),
    "declined": mark("Absent, with a reason"),
}
FILTER_WORDS: dict[str, str] = {
    "present": mark("Present"),
    "late": mark("Late"),
    "absent": mark("Absent"),
    "unexcused": mark("Absent without word"),
    "declined": mark("Absent, with a reason"),
    "substitute": mark("Substitute came"),
    "missed": mark("With lost time"),
    "interrupted": mark("Interrupted"),
}
SPANS: dict[str, str] = {
    "week": mark("Week"),
    "month": mark("Month"),
    "quarter": mark("Quarter"),
    "year": mark("Year"),
}
LONGEST_TEXT = 100


def percent(share: float | None) -> str:
    """`87,5 %` as the language writes it; a dash where there is nothing to divide by."""
    if share is None:
        return "–"
    # A share that is not whole must not be rounded to it.
    shown = min(share, 0.999) if share < 1 else share
    text = f"{100 * shown:.1f}".removesuffix(".0")
    return f"{text.replace('.', ',') if i18n.current_language.get() == 'vi' else text} %"


def length(span: timedelta) -> str:
    """`95 min`, from ten hours on `12 h 5 min`; less than half a minute is none."""
    minutes = round(span.total_seconds() / 60)
    if minutes < 600:  # noqa: PLR2004 -- ten hours
        return _("{minutes} min").format(minutes=minutes)
    return _("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)


def number(value: int) -> str:
    """`31.097` as the language writes it."""
    text = f"{value:,}"
    return text.replace(",", ".") if i18n.current_language.get() == "vi" else text


def month(day: date) -> str:
    """`11/2026`."""
    return f"{day:%m/%Y}"


def period_words(period: Period) -> str:
    match period.span:
        case Span.YEAR:
            return _("Year {year}").format(year=period.first.year)
        case Span.QUARTER:
            quarter = (period.first.month + 2) // 3
            return _("Quarter {quarter}, {year}").format(quarter=quarter, year=period.first.year)
        case Span.MONTH:
            return _("Month {month}").format(month=month(period.first))
        case _other:
            return f"{i18n.short_day(period.first)} – {i18n.short_day(period.last)}"


REPORT_WORDS: dict[str, Any] = {
    "percent": percent,
    "length": length,
    "figure_of": number,
    "month": month,
    "period_words": period_words,
    "level_word": lambda level: word(LEVELS, level),
    "outcome_word": lambda outcome: word(OUTCOMES, outcome),
    "filter_word": lambda name: word(FILTER_WORDS, name),
}
"""What the templates of this place call."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for: a unit with all below it, a period, a level; all may be left out."""

    actor: Actor
    unit: Unit | None
    """None where the person may read of nothing."""
    units: UnitIds
    """The unit and what lies below it, as far as the person may read of it."""
    period: Period
    level: str
    typed: Mapping[str, str]
    """What the address said, as far as it was understood."""
    choices: list[Unit]
    """The units at which the person's rights stand."""
    errors: dict[str, FieldInvalid]

    def query(self, **changed: Any) -> str:
        """The query of an address with the same filters and some changed; "" takes one out."""
        told = {name: value for name, value in (dict(self.typed) | changed).items() if value != ""}
        return f"?{urlencode(told)}" if told else ""


def asked_for(
    session: Session, actor: Actor, query: Mapping[str, str], now: datetime, *names: str
) -> Asked:
    """Read unit, period and level of an address; `names`: further ones that links keep.

    What cannot be read stands in `errors`, and counts as not said. Raises `UnknownUnit` and, where
    nothing below the unit may be read of, `NotPermitted`.
    """
    today = civil_day(now)
    known = ("unit", "span", "on", "from", "to", "level", *names)
    typed = {name: query.get(name, "").strip()[:LONGEST_TEXT] for name in known}
    errors: dict[str, FieldInvalid] = {}
    try:
        period = asked_period(typed["span"], typed["on"], typed["from"], typed["to"], today)
    except FieldInvalid as refusal:
        errors[refusal.field] = refusal
        period = asked_period("", "", "", "", today)
    choices = top_units(session, actor, Permission.ATTENDANCE_READ, today)
    own = governed_units(actor, Permission.ATTENDANCE_READ, today)
    unit: Unit | None = choices[0] if choices else None
    wanted = subtree_of(unit.id, today) if unit else own
    if typed["unit"]:
        unit, wanted = asked_unit(session, typed["unit"], today)
    below: Select[int] = select(Unit.id).where(Unit.id.in_(wanted), Unit.id.in_(own))
    if unit is not None and session.scalar(below.limit(1)) is None:
        raise NotPermitted(Permission.ATTENDANCE_READ.value, unit.name)
    return Asked(actor, unit, below, period, typed["level"], typed, choices, errors)


def unit_key(unit: Unit, today: date) -> str:
    """How an address names a unit, also one that no longer exists."""
    if unit.valid_until is not None and unit.valid_until <= today:
        return f"{unit.code}{AS_OF}{unit.valid_until - timedelta(days=1)}"
    return unit.code


def meetings_counted_words(count: int) -> str:
    return ngettext("%(num)s meeting", "%(num)s meetings", count) % {"num": number(count)}
