"""The live board of a meeting: its first frame with the page, everything after it over the socket.

The page brings totals, levels and groups as they stand, so that something is there before a script
runs. What never changes during a meeting (names, telephones, coordinates) the script fetches once
from the live part, and the states come over the websocket.
"""

from dataclasses import dataclass, field
from typing import Any

from litestar import Response, get
from sqlalchemy.orm import joinedload

from meetings_server.database import Database
from meetings_server.i18n import _, mark
from meetings_server.live.roster import Scoped
from meetings_server.web.meeting_words import LEVELS
from meetings_server.web.pages import PageRequest, render
from rooms.attendance import Presence
from rooms.hierarchy import Node, Tree, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, visible_meeting
from rooms.rollup import Attendance, Counts, PointNow, Scope, attendance, visible_scope

TELLING = frozenset({Presence.LOST, Presence.NEEDS_HELP, Presence.LEFT})
"""States whose note the board shows."""

SHOWN_STATES: dict[str, str] = {
    "needs_help": mark("Needs help"),
    "lost": mark("Connection lost"),
    "late": mark("Late"),
    "present": mark("Present"),
    "ready": mark("Ready"),
    "left": mark("Left"),
    "invited": mark("Not checked in yet"),
}
"""In the order in which they ask for attention."""


@dataclass(slots=True)
class Group:
    """A line of the roll-up: a unit with everything below it, or the units of a level without one."""

    key: str
    name: str
    counts: Counts = field(default_factory=Counts)


def groups_of(found: Attendance, scope: Scope) -> list[Group]:
    """The points of a scope by the units right below its top; single units together by level.

    The script groups by the same rule, see `groupOf` in `board-model.js`.
    """
    tops = _tops(found.tree, scope)
    groups: dict[str, Group] = {}
    for point in found.points:
        unit = found.tree.by_id[point.unit_id]
        key = _group_key(found, tops, unit)
        if key not in groups:
            name = _(LEVELS.get(unit.level, unit.level)) if key.startswith("level:") else ""
            groups[key] = Group(key, name or found.tree.by_code[key].name)
        groups[key].counts.invited += 1
        groups[key].counts.count(point.state)
    order = {node.code: number for number, node in enumerate(found.tree.by_id.values())}
    return sorted(groups.values(), key=lambda group: order.get(group.key, -1))


def _tops(tree: Tree, scope: Scope) -> set[int]:
    return {node.id for node in (scope.roots or tree.roots)}


def _group_key(found: Attendance, tops: set[int], unit: Node) -> str:
    counted = found.rollup.units
    if unit.id not in tops:
        if unit.id in counted:
            return unit.code
        if unit.parent_id in counted and unit.parent_id not in tops:
            return found.tree.by_id[unit.parent_id].code
    return f"level:{unit.level}"


def _totals(points: list[PointNow]) -> dict[str, int]:
    """Points by shown state, and the headcount of those who are there."""
    totals = dict.fromkeys(SHOWN_STATES, 0)
    for point in points:
        totals[point.state] += 1
    there = {Presence.PRESENT.value, Presence.LATE.value}
    people = sum(point.headcount or 0 for point in points if point.state in there)
    return totals | {"people": people, "all": len(points)}


def _levels(found: Attendance) -> list[dict[str, Any]]:
    ordered = [level for level in found.tree.levels if level in found.rollup.levels]
    return [
        {"key": level, "name": _(LEVELS.get(level, level)), "counts": found.rollup.levels[level]}
        for level in ordered
    ]


def _notes(points: list[PointNow]) -> dict[str, list[str]]:
    """What points said with a state that calls for attention: id → [note, head of delegation]."""
    return {
        str(point.point_id): [point.note, point.head_of_delegation]
        for point in points
        if point.state in TELLING and (point.note or point.head_of_delegation)
    }


@get("/meetings/{meeting_id:int}/board", include_in_schema=False, sync_to_thread=True)
def board_page(
    request: PageRequest, db: Database, meeting_id: int, unit: Scoped = None
) -> Response[str]:
    """The board of the widest scope that the person may see, or of the unit that `?scope=` names."""
    today = civil_day(utcnow())
    with db.reader() as session:
        actor = request.user.actor
        meeting = visible_meeting(
            session, actor, meeting_id, today, [joinedload(Meeting.host_unit)]
        )
        tree = load_tree(session, meeting.day)
        shown = visible_scope(session, actor, meeting, tree, today, unit or None)
        found = attendance(session, meeting, shown, tree=tree)
        return render(
            request,
            "board.html",
            meeting=meeting,
            scope=shown,
            totals=_totals(found.points),
            levels=_levels(found),
            groups=groups_of(found, shown),
            states=[(state, _(word)) for state, word in SHOWN_STATES.items()],
            island=_island(found, shown, unit or ""),
        )


def _island(found: Attendance, scope: Scope, asked: str) -> dict[str, Any]:
    """What the script needs at once and the page does not show as text.

    `asked` is the scope of the address: without one the live part finds the widest by the same rule.
    """
    units = {found.tree.by_id[unit_id].code: unit_id for unit_id in found.rollup.units}
    return {
        "meeting": found.meeting.id,
        "state": found.meeting.state,
        "scope": asked,
        "revision": found.revision,
        "tops": [found.tree.by_id[unit_id].code for unit_id in _tops(found.tree, scope)],
        "units": {code: found.tree.by_id[unit_id].name for code, unit_id in units.items()},
        "labels": {
            code: _without_kind(found.tree.by_id[unit_id]) for code, unit_id in units.items()
        },
        "levels": {level: _(LEVELS.get(level, level)) for level in found.rollup.levels},
        "notes": _notes(found.points),
    }


def _without_kind(unit: Node) -> str:
    """`Đống Đa` of `Quận Đống Đa`: there is little room on a map."""
    if unit.name.casefold().startswith(f"{unit.kind.casefold()} "):
        return unit.name[len(unit.kind) + 1 :]
    return unit.name


@get("/meetings/{meeting_id:int}/board/notes", include_in_schema=False, sync_to_thread=True)
def board_notes(
    request: PageRequest, db: Database, meeting_id: int, unit: Scoped = None
) -> dict[str, list[str]]:
    """The notes that go with lost lines and requests for help, by id of the point."""
    today = civil_day(utcnow())
    with db.reader() as session:
        actor = request.user.actor
        meeting = visible_meeting(session, actor, meeting_id, today)
        tree = load_tree(session, meeting.day)
        shown = visible_scope(session, actor, meeting, tree, today, unit or None)
        return _notes(attendance(session, meeting, shown, tree=tree).points)


HANDLERS = [board_page, board_notes]
