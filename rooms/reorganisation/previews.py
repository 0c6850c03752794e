"""What a plan would do, before it is done: the facts that the preview shows."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Fate(StrEnum):
    """What becomes of a unit on the day."""

    CONTINUES = "continues"
    MOVES = "moves"
    """The same unit under another parent."""
    RENAMED = "renamed"
    """Ends, and one new unit carries on what it was, alone."""
    MERGES = "merges"
    """Ends and goes whole into a unit that others go into as well."""
    SPLITS = "splits"
    """Ends and goes to several units."""
    ENDS = "ends"
    """Ends without a successor."""
    BEGINS = "begins"


@dataclass(frozen=True, slots=True)
class UnitLine:
    """A unit before or after the day. `id` is None for one that is not written yet."""

    id: int | None
    code: str
    name: str
    level: str
    kind: str
    parent_code: str | None = None
    parent_name: str = ""


@dataclass(frozen=True, slots=True)
class Heir:
    """A unit that takes over: `extent` is `whole` or `part`."""

    unit: UnitLine
    extent: str
    is_main: bool


@dataclass(frozen=True, slots=True)
class UnitFate:
    """A unit, what becomes of it and who takes over; `before` is None where the unit begins.

    `heirs`: the main one first. `keeper`: who looks after the records of one without a successor.
    `sources`: whom a unit that begins takes over from.
    """

    fate: Fate
    before: UnitLine | None
    after: UnitLine | None
    heirs: tuple[Heir, ...] = ()
    sources: tuple[Heir, ...] = ()
    keeper: UnitLine | None = None


@dataclass(frozen=True, slots=True)
class MeetingShift:
    """A coming meeting whose invitations change.

    Counts are of bridge points. `doubles` fell together with another invitation; `removed` have
    nobody to go to; `added` begin on the day. Names of units are in the order of the tree.
    """

    meeting_id: int
    title: str
    starts_at: datetime
    state: str
    before: int
    after: int
    doubles: int
    removed: tuple[str, ...]
    added: tuple[str, ...]
    host_before: str
    host_after: str
    rules_changed: bool
    booked_minutes_freed: int
    """Minutes of rooms given back by the doubles, all rooms together."""

    @property
    def host_changes(self) -> bool:
        return self.host_before != self.host_after


@dataclass(frozen=True, slots=True)
class GrantShift:
    """A role that ends at a unit on the day and goes on at another (None: nowhere)."""

    role: str
    unit_before: str
    unit_after: str | None


@dataclass(frozen=True, slots=True)
class PersonShift:
    """A person whose office or rights move. `home_after` is None where nobody inherits them."""

    person_id: int
    name: str
    title: str
    home_before: str
    home_after: str | None
    grants: tuple[GrantShift, ...]


@dataclass(frozen=True, slots=True)
class PointShift:
    """A bridge point that passes to another unit (None: to nobody)."""

    point_id: int
    name: str
    unit_before: str
    unit_after: str | None


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the administrator should know; nothing forbids going on.

    | what | names |
    | --- | --- |
    | `no_successor` | units that end with nobody to take over |
    | `people_without_home` | people whose unit has no successor |
    | `points_without_home` | bridge points whose unit has no successor |
    | `nobody_invited` | meetings that invite nobody any more |
    | `rooms_clash` | “point: meeting / meeting” where a room is wanted twice |
    | `renamed_by_code` | units taken as renamed because their code lives on |
    """

    what: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying a plan on a day would do; nothing is written."""

    day: date
    units: tuple[UnitFate, ...]
    meetings: tuple[MeetingShift, ...]
    people: tuple[PersonShift, ...]
    points: tuple[PointShift, ...]
    new_points: tuple[UnitLine, ...]
    """Units that inherit no bridge point and get one of their own."""
    warnings: tuple[Warned, ...]
    main_heirs: dict[int, str] = field(default_factory=dict)
    """Code of the main successor by the id of a unit that ends: for what else hangs on units."""

    def with_fate(self, *fates: Fate) -> list[UnitFate]:
        return [unit for unit in self.units if unit.fate in fates]

    @property
    def counts(self) -> dict[str, int]:
        """Numbers for a headline; kept with the reorganisation."""
        counts = {fate.value: len(self.with_fate(fate)) for fate in Fate}
        return counts | {
            "meetings": len(self.meetings),
            "doubles": sum(shift.doubles for shift in self.meetings),
            "people": len(self.people),
            "points": len(self.points),
            "new_points": len(self.new_points),
        }
