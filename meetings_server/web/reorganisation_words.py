"""What a plan comes to, in words and in tables by new unit, for its preview."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.i18n import _, mark, ngettext, short_day
from meetings_server.web.list_words import PROBLEMS as LIST_PROBLEMS
from minutes.inheritance import Touched, TouchedTask, touched_papers
from rooms.catalogue import LONGEST
from rooms.hierarchy import Unit
from rooms.reorganisation import Fate, Heir, Preview, ReorganisationState, UnitFate, UnitLine

ENDING = (Fate.RENAMED, Fate.MERGES, Fate.SPLITS, Fate.ENDS)

STATES: dict[str, str] = {
    ReorganisationState.PLANNED: mark("Planned"),
    ReorganisationState.APPLIED: mark("Applied, day to come"),
    ReorganisationState.IN_FORCE: mark("In force"),
    ReorganisationState.TAKEN_BACK: mark("Plan taken back"),
}
STAGES: dict[str, str] = {
    "units": mark("Units and their places"),
    "meetings": mark("Coming meetings"),
    "invitations": mark("Invitations and notices"),
    "people": mark("People, roles and bridge points"),
}
WARNINGS: dict[str, str] = {
    "no_successor": mark("End with nobody to take over"),
    "people_without_home": mark("People who lose their office or a role, as nobody inherits it"),
    "points_without_home": mark("Bridge points that nobody inherits"),
    "nobody_invited": mark("Meetings that invite nobody any more"),
    "rooms_clash": mark("Rooms that two meetings want at the same time"),
    "renamed_by_code": mark("Taken as renamed, because the code lives on"),
}
PROBLEMS: dict[str, str] = {
    "doubled": mark("This line stands in the file twice."),
    "no_main_successor": mark("None of its lines names a main successor."),
    "not_a_mark": mark("Write 1 for the main successor, else 0."),
    "not_an_extent": mark("Write “whole” or “part”."),
    "two_main_successors": mark("Two lines name a main successor; only one may."),
    "unknown_new_unit": mark("The list of units has no unit with this code."),
    "unknown_old_unit": mark("No unit has this code on the day before."),
}


def fault_text(problem: str) -> str:
    """What is wrong with a cell of one of the two files."""
    if problem in PROBLEMS:
        return _(PROBLEMS[problem])
    return _(LIST_PROBLEMS.get(problem, problem)).format(longest=LONGEST)


@dataclass(frozen=True, slots=True)
class Group:
    """A unit from the day on, and the old ones that go into it, the main ones first."""

    after: UnitLine
    begins: bool
    sources: tuple[Heir, ...]


@dataclass
class Report:
    """The preview in the order in which the page shows it."""

    preview: Preview
    groups: list[Group] = field(default_factory=list)
    """Merged, and made of parts."""
    renamed: list[tuple[UnitLine, UnitLine]] = field(default_factory=list)
    moved: list[tuple[UnitLine, UnitLine]] = field(default_factory=list)
    divided: list[UnitFate] = field(default_factory=list)
    """Go to several units."""
    ended: list[UnitFate] = field(default_factory=list)
    """End with nobody to take over."""
    new: list[UnitLine] = field(default_factory=list)
    """Begin without having taken over from anybody."""
    papers: Touched = field(default_factory=lambda: Touched([], [], []))
    names: dict[int, str] = field(default_factory=dict)
    """Of the units that the papers name, by id."""
    heirs: dict[str, str] = field(default_factory=dict)
    """Of the units from the day on, by code."""

    @property
    def ending(self) -> int:
        """How many units end."""
        return len(self.preview.with_fate(*ENDING))

    @property
    def begin(self) -> int:
        return len(self.preview.with_fate(Fate.BEGINS))

    def led_by(self, task: TouchedTask) -> str:
        """Who leads a task from the day on."""
        if task.lead_heir is None:
            return "" if task.left else self.names.get(task.lead, "")
        return self.heirs.get(task.lead_heir, task.lead_heir)


def report_of(session: Session, found: Preview) -> Report:
    """Sort what a preview says by what one asks of it; seven statements for each 500 units."""
    report = Report(found)
    heirs: dict[int, str | None] = {}
    for fate in found.units:
        if fate.after is not None:
            report.heirs[fate.after.code] = fate.after.name
        before = fate.before
        if fate.fate in ENDING and before is not None and before.id is not None:
            heirs[before.id] = found.main_heirs.get(before.id)
    renamed = {
        fate.heirs[0].unit.code: fate.before
        for fate in found.with_fate(Fate.RENAMED)
        if fate.before is not None and fate.heirs
    }
    for fate in found.units:
        _sort(report, fate, renamed)
    report.papers = touched_papers(session, heirs)
    named = {task.lead for task in report.papers.tasks}
    named |= {unit for _id, _title, unit in report.papers.drafts}
    if named:
        rows = session.execute(select(Unit.id, Unit.name).where(Unit.id.in_(named)))
        report.names = {row[0]: row[1] for row in rows}
    return report


def _sort(report: Report, fate: UnitFate, renamed: Mapping[str, UnitLine]) -> None:
    if fate.fate is Fate.MOVES and fate.before and fate.after:
        report.moved.append((fate.before, fate.after))
    if fate.fate is Fate.SPLITS:
        report.divided.append(fate)
    if fate.fate is Fate.ENDS:
        report.ended.append(fate)
    if fate.after is None:
        return
    if fate.fate is Fate.BEGINS and not fate.sources:
        report.new.append(fate.after)
    elif fate.fate is Fate.BEGINS and fate.after.code in renamed:
        report.renamed.append((renamed[fate.after.code], fate.after))
    elif fate.sources:
        report.groups.append(Group(fate.after, fate.fate is Fate.BEGINS, fate.sources))


def apply_text(report: Report, day: date) -> str:
    """What the button will do."""
    ending = ngettext("end %(num)s unit", "end %(num)s units", report.ending) % {
        "num": report.ending
    }
    begin = ngettext("begin %(num)s", "begin %(num)s", report.begin) % {"num": report.begin}
    return _("Apply from {day}: {ending}, {begin}").format(
        day=short_day(day), ending=ending, begin=begin
    )


def confirm_text(report: Report, day: date, today: date) -> str:
    """What is asked once before it is done."""
    found = report.preview
    text = _(
        "{ending} units end and {begin} begin on {day}; {meetings} coming meetings, {people} people "
        "and {points} bridge points go to the successors. Everyone invited to these meetings will be "
        "told. Apply it?"
    ).format(
        ending=report.ending,
        begin=report.begin,
        day=short_day(day),
        meetings=len(found.meetings),
        people=len(found.people),
        points=len(found.points),
    )
    if day <= today:
        text += " " + _("The day has come, so this cannot be taken back.")
    return text
