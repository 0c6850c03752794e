"""`meetings-server reorganise`: a plan from files or from the catalogue, previewed or applied."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar

from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import DEFAULT_LANGUAGE, _, current_language
from rooms.catalogue import parse_units, read_shipped, shipped
from rooms.catalogue.successions import parse_successions, read_shipped_plan, shipped_plans
from rooms.hierarchy import UnitRow, UnitsNotSound
from rooms.kernel import NotFound, utcnow
from rooms.reorganisation import (
    Fate,
    Plan,
    PlanNotSound,
    Preview,
    SuccessionRow,
    apply,
    make_plan,
    preview,
)

SHOWN = 20
"""Names in one line of the preview."""


@dataclass
class NoSuchPlan(NotFound):
    """Neither a file nor the name of something in the catalogue."""

    code: ClassVar[str] = "unknown_catalogue"
    name: str
    known: list[str]


def read_plan(plan: str, units: str) -> Plan:
    """A plan from two files or names of the catalogue.

    Raises `NoSuchPlan`, and what the readers of the files raise.
    """
    successions: list[SuccessionRow] = (
        parse_successions(Path(plan).read_bytes())
        if Path(plan).is_file()
        else read_shipped_plan(_known(plan, shipped_plans()))
    )
    rows: list[UnitRow] = (
        parse_units(Path(units).read_bytes())
        if Path(units).is_file()
        else read_shipped(_known(units, shipped()))
    )
    return make_plan(rows, successions)


def _known(name: str, names: list[str]) -> str:
    if name not in names:
        raise NoSuchPlan(name, names)
    return name


def faults_of(refused: UnitsNotSound | PlanNotSound, plan: str, units: str) -> list[str]:
    """Each fault as `file:line: column: what value`."""
    file = units if isinstance(refused, UnitsNotSound) else plan
    return [
        f"{file}:{line}: {column}: {problem} {value!r}"
        for line, column, problem, value in refused.problems[:100]
    ]


def show(session: Session, plan: Plan, day: date) -> Iterator[str]:
    """The preview in lines."""
    seen = preview(session, None, plan, day, utcnow())
    yield f"on {day}: " + ", ".join(
        f"{count} {what.replace('_', ' ')}" for what, count in seen.counts.items() if count
    )
    yield from _units(seen)
    for meeting in seen.meetings:
        yield (
            f"meeting {meeting.meeting_id} {meeting.title!r}: {meeting.before} -> {meeting.after} "
            f"points, {meeting.doubles} doubles, {len(meeting.removed)} to nobody"
            + (f", host {meeting.host_after}" if meeting.host_changes else "")
        )
    for person in seen.people:
        yield f"person {person.name}: {person.home_before} -> {person.home_after or 'nobody'}"
    for warning in seen.warnings:
        rest = len(warning.names) - SHOWN
        yield (
            f"warning {warning.what}: {'; '.join(warning.names[:SHOWN])}"
            + (f"; and {rest} more" if rest > 0 else "")
        )


def _units(seen: Preview) -> Iterator[str]:
    for fate in seen.units:
        if fate.before is None or fate.fate is Fate.CONTINUES:
            continue
        line = f"{fate.fate.value} {fate.before.code} {fate.before.name}"
        if fate.heirs:
            line += " -> " + ", ".join(
                f"{heir.unit.name}{'' if heir.extent == 'whole' else ' (part)'}"
                f"{'*' if heir.is_main else ''}"
                for heir in fate.heirs
            )
        yield line


def apply_plan(
    database: Database,
    plan: Plan,
    day: date,
    name: str,
    tell: Callable[[str, int, int], None],
    *,
    backdated: bool,
) -> dict[str, int]:
    """Apply a plan as by command; returns its counts. `tell` is called with what, done and total."""
    language = current_language.set(DEFAULT_LANGUAGE)
    point_name = _("Bridge point {unit}")
    current_language.reset(language)
    with database.transaction() as session:
        applied = apply(
            session,
            None,
            plan,
            day,
            utcnow(),
            name=name,
            point_name=point_name,
            backdated=backdated,
            progress=lambda done, total, stage: tell(stage, done, total),
        )
        tell("mail", 0, 1)
        return dict(applied.counts)
