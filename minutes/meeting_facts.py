"""What the meeting itself says for its minutes: letterhead, times, chair, who was there and who not.

While a draft is being written the facts are read from the meeting whenever they are shown; when the
chair signs, they are kept with the minutes as they then are, so that paper printed years later is
the same although units were renamed or merged since.
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from minutes.content import Content
from minutes.forms.letterhead import CITY, LEVEL_HEADINGS, committee, place_name
from minutes.kinds import DocumentKind, is_territory, symbol_of
from rooms.hierarchy import Node, Tree, Unit, load_tree
from rooms.meetings import Meeting
from rooms.people import Person
from rooms.roll_call import AbsentUnit, PresentUnit, present_and_absent


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody named on paper, with the office held."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Present:
    """`headcount`: None where nobody said how many. `since`: when it was first present."""

    unit: str
    group: str
    delegate: str
    headcount: int | None
    since: datetime
    late: bool
    substitute: bool


@dataclass(frozen=True, slots=True)
class Absent:
    """`excused`: it declined before the meeting. `reason`: its words."""

    unit: str
    group: str
    excused: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """A task with its units by name."""

    text: str
    lead: str
    coordinating: tuple[str, ...]
    deadline: str

    @property
    def day(self) -> date | None:
        return date.fromisoformat(self.deadline) if self.deadline else None


@dataclass(frozen=True, slots=True)
class Facts:
    """`issuer` and `seat` make the letterhead; `symbol` such as `BB-UBND`.

    Times are aware; `timezone` is that of the meeting.
    """

    title: str
    superior: str
    issuer: str
    seat: str
    symbol: str
    timezone: str
    starts_at: datetime
    ends_at: datetime
    chair: Named
    present: tuple[Present, ...]
    absent: tuple[Absent, ...]
    tasks: tuple[Assigned, ...]

    @property
    def people(self) -> int:
        """Of the units that said how many they are; 0 where none did."""
        return sum(unit.headcount or 0 for unit in self.present)

    def as_json(self) -> dict[str, Any]:
        stored = asdict(self)
        for name in ("starts_at", "ends_at"):
            stored[name] = stored[name].isoformat()
        for unit in stored["present"]:
            unit["since"] = unit["since"].isoformat()
        return stored


def facts_of(stored: dict[str, Any]) -> Facts:
    """The facts that `as_json` was made of."""
    return Facts(
        **stored
        | {
            "starts_at": datetime.fromisoformat(stored["starts_at"]),
            "ends_at": datetime.fromisoformat(stored["ends_at"]),
            "chair": Named(**stored["chair"]),
            "present": tuple(
                Present(**unit | {"since": datetime.fromisoformat(unit["since"])})
                for unit in stored["present"]
            ),
            "absent": tuple(Absent(**unit) for unit in stored["absent"]),
            "tasks": tuple(
                Assigned(**task | {"coordinating": tuple(task["coordinating"])})
                for task in stored["tasks"]
            ),
        }
    )


def gather_facts(session: Session, meeting: Meeting, content: Content) -> Facts:
    """The facts as they are now; at most six statements, whatever the number of units.

    Two more where one of them did not exist on the day of the meeting. Names and places are those of the day of the meeting; a task may also be given to a unit that
    began later. Where the meeting was never opened or closed by a click, its planned times stand.
    """
    tree = load_tree(session, meeting.day)
    chair = session.get_one(Person, meeting.chair_id)
    roll = present_and_absent(session, meeting.id)
    host = tree.by_id.get(meeting.host_unit_id) or session.get_one(Unit, meeting.host_unit_id)
    ancestry = tree.ancestry(host.id)
    names = _names(session, tree, content.unit_ids())
    territory: Unit | Node = next((node for node in ancestry if is_territory(node)), host)
    return Facts(
        title=meeting.title,
        superior="" if host.id == territory.id else committee(territory.name),
        issuer=committee(host.name) if host.id == territory.id else host.name,
        seat=place_name(territory.name),
        symbol=symbol_of(DocumentKind.MINUTES, host),
        timezone=meeting.timezone,
        starts_at=meeting.started_at or meeting.starts_at,
        ends_at=meeting.ended_at or meeting.ends_at,
        chair=Named(chair.name, chair.title),
        present=tuple(_present(tree, unit) for unit in roll.present),
        absent=tuple(_absent(tree, unit) for unit in roll.absent),
        tasks=tuple(
            Assigned(
                task.text,
                names.get(task.lead or 0, ""),
                tuple(names[unit] for unit in task.coordinating if unit in names),
                task.deadline,
            )
            for task in content.tasks
        ),
    )


def _names(session: Session, tree: Tree, unit_ids: set[int]) -> dict[int, str]:
    names = {unit_id: tree.by_id[unit_id].name for unit_id in unit_ids & tree.by_id.keys()}
    others = unit_ids - names.keys()
    if others:
        names.update(
            (row[0], row[1])
            for row in session.execute(select(Unit.id, Unit.name).where(Unit.id.in_(others)))
        )
    return names


def _group(tree: Tree, unit_id: int, level: str) -> str:
    ancestry = tree.ancestry(unit_id)
    if level in LEVEL_HEADINGS and ancestry and ancestry[-1].level == CITY:
        return LEVEL_HEADINGS[level]
    return ancestry[1].name if len(ancestry) > 1 else ""


def _present(tree: Tree, unit: PresentUnit) -> Present:
    return Present(
        unit.unit_name,
        _group(tree, unit.unit_id, unit.level),
        unit.head_of_delegation,
        unit.headcount,
        unit.present_from,
        unit.late,
        unit.is_substitute,
    )


def _absent(tree: Tree, unit: AbsentUnit) -> Absent:
    return Absent(
        unit.unit_name,
        _group(tree, unit.unit_id, unit.level),
        unit.reply == "declined",
        unit.reason,
    )
