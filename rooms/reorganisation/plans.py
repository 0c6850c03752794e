"""A plan: the list of all units from a day on, and which old unit goes to which new one."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, ClassVar

from rooms.hierarchy import UnitRow
from rooms.kernel import Conflict, Invalid

WHOLE, PART = "whole", "part"
EXTENTS = (WHOLE, PART)


@dataclass(frozen=True, slots=True)
class SuccessionRow:
    """One line of a plan: `old_code` goes to `new_code`, `whole` or in `part`.

    `main_successor` marks the one that inherits people, rooms, rights and invitations.
    """

    line: int
    old_code: str
    new_code: str
    extent: str
    main_successor: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The units from a day on, and the successions that lead to them.

    `units` describes everything below its roots, where the tree has these roots already, and the
    whole tree otherwise. A unit that is listed with its code, name, kind and level goes on; so does,
    under its new name, one whose code the list has at the same level and that `successions` do not
    name. All others end.
    """

    units: tuple[UnitRow, ...]
    successions: tuple[SuccessionRow, ...]

    def as_json(self) -> dict[str, list[list[Any]]]:
        """The rows as lists, to be kept with the act and shown later."""
        return {
            "units": [
                [
                    row.line,
                    row.code,
                    row.parent_code,
                    row.level,
                    row.kind,
                    row.name,
                    row.lat,
                    row.lon,
                    row.email,
                    row.phone,
                ]
                for row in self.units
            ],
            "successions": [
                [row.line, row.old_code, row.new_code, row.extent, row.main_successor]
                for row in self.successions
            ],
        }

    @property
    def digest(self) -> str:
        """The same for the same plan, however its files were written."""
        said = self.as_json()
        # The number of the line is no part of what is said.
        bare = {name: sorted(map(json.dumps, (row[1:] for row in said[name]))) for name in said}
        return sha256(json.dumps(bare).encode()).hexdigest()


def make_plan(units: Iterable[UnitRow], successions: Iterable[SuccessionRow]) -> Plan:
    return Plan(tuple(units), tuple(successions))


def plan_from_json(said: dict[str, list[list[Any]]]) -> Plan:
    """What `Plan.as_json` has written."""
    return Plan(
        tuple(UnitRow(*row) for row in said["units"]),
        tuple(SuccessionRow(*row) for row in said["successions"]),
    )


@dataclass
class PlanNotSound(Invalid):
    """Lines of the successions contradict the units or each other.

    `problems` are (line, column, problem, value); `problem` is one of `unknown_old_unit`,
    `unknown_new_unit`, `two_main_successors`, `no_main_successor`, `doubled`, and those of reading
    a file (`missing`, `too_long`, `not_an_extent`, `not_a_mark`, …).
    """

    code: ClassVar[str] = "plan_not_sound"
    problems: list[tuple[int, str, str, str]]


@dataclass
class NothingChanges(Invalid):
    """The plan leaves every unit as it is on that day."""

    code: ClassVar[str] = "plan_changes_nothing"
    day: date


@dataclass
class DayPassed(Conflict):
    """A plan takes effect today or later."""

    code: ClassVar[str] = "plan_day_passed"
    day: date
    today: date


@dataclass
class BackdatedTouches(Conflict):
    """A plan for a day that has passed would change what has been held or booked since."""

    code: ClassVar[str] = "plan_backdated"
    day: date
    meetings: list[str]


@dataclass
class PlansOverlap(Conflict):
    """Another plan that is applied already changes the same units."""

    code: ClassVar[str] = "plans_overlap"
    other: str
    day: date
    units: list[str]


@dataclass
class PlanApplied(Conflict):
    """The very same plan has been applied for this day."""

    code: ClassVar[str] = "plan_applied_already"
    name: str
    day: date


@dataclass
class UnitInMeeting(Conflict):
    """A unit would end while it is in a meeting that is under way."""

    code: ClassVar[str] = "unit_in_meeting"
    unit: str
    meeting: str


@dataclass
class NoAdministratorLeft(Conflict):
    """On the day nobody would be left who may give rights at `unit`."""

    code: ClassVar[str] = "no_administrator_left"
    unit: str
    persons: list[str]


@dataclass
class InUseSince(Conflict):
    """Things hang on the new units that were not there when the plan was applied.

    `things` are (kind, name) with kind `meeting`, `bridge_point`, `person`, `grant`.
    """

    code: ClassVar[str] = "reorganisation_in_use"
    things: list[tuple[str, str]]
