"""What follows from the log: the state of each point at any instant, counted by level and parent.

Everything is asked for a scope: a unit of the meeting day's tree and what lies below it, or the
whole meeting. A scope that is a single unit without children (a ward) also gets its parent's counts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Session

from rooms.attendance import (
    AttendanceEntry,
    PointState,
    Presence,
    revision_of,
    start_of,
    state_of_invitation,
)
from rooms.hierarchy import Node, Tree, Unit, UnitAncestry, load_tree, valid_on
from rooms.meetings import Meeting, Participation, UnknownMeeting, standing_invitation
from rooms.policies import Actor, NotPermitted, Permission, governed_units, holds
from rooms.standings import Standing, as_row, fold


@dataclass(frozen=True, slots=True)
class Scope:
    """Units with everything below them; none of them means the whole meeting."""

    roots: tuple[Node, ...] = ()
    point_id: int | None = None
    """This point of the one root alone, without any counts: what a tablet at a door watches."""

    @property
    def code(self) -> str:
        """A name for it: the unit's code, several with commas, or nothing for the whole meeting."""
        codes = ",".join(node.code for node in self.roots)
        return codes if self.point_id is None else f"{codes}#{self.point_id}"


@dataclass(frozen=True, slots=True)
class PointNow:
    """An invited point at an instant. Before it has said anything `since` is None."""

    participation_id: int
    point_id: int
    unit_id: int
    level: str
    is_main: bool
    state: str
    """A `Presence` as it is shown: `late` for those present who came after the start."""
    since: datetime | None
    headcount: int | None
    head_of_delegation: str
    note: str
    first_present_at: datetime | None
    revision: int
    source: str = ""
    """A `Source`: the way the state came."""


@dataclass(slots=True)
class Counts:
    """Points by state. `present` counts all who are present, `late` those of them who came late."""

    invited: int = 0
    present: int = 0
    late: int = 0
    lost: int = 0
    needs_help: int = 0

    def count(self, state: str, by: int = 1) -> None:
        """Count a point in (or out, with -1) by its shown state; `invited` is not touched."""
        if state == Presence.PRESENT:
            self.present += by
        elif state == Presence.LATE:
            self.present += by
            self.late += by
        elif state == Presence.LOST:
            self.lost += by
        elif state == Presence.NEEDS_HELP:
            self.needs_help += by

    def row(self) -> list[int]:
        """In the order of the live frames."""
        return [self.invited, self.present, self.late, self.lost, self.needs_help]


@dataclass(frozen=True, slots=True)
class Rollup:
    """Counts by unit id (each with everything below it) and by level."""

    units: dict[int, Counts] = field(default_factory=lambda: defaultdict(Counts))
    levels: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))


@dataclass(frozen=True, slots=True)
class Attendance:
    """A scope of a meeting's attendance: exactly what a live subscriber of the scope holds."""

    meeting: Meeting
    tree: Tree
    revision: int
    points: list[PointNow]
    rollup: Rollup


def visible_scope(
    session: Session, actor: Actor, meeting: Meeting, tree: Tree, on: date, code: str | None = None
) -> Scope:
    """The scope with a unit's code, or without one the widest that the actor may see.

    Who governs the host unit, or chairs, sees all; others only units they govern today, predecessors
    of these among them: the tree is that of the meeting's day. That they may see the meeting at all
    is the caller's to check. Raises `UnknownUnit`, `NotPermitted`.
    """
    wanted = tree.node(code) if code else None
    if meeting.chair_id == actor.principal_id or holds(
        session, actor, Permission.ATTENDANCE_READ, meeting.host_unit_id, on
    ):
        return Scope((wanted,) if wanted else ())
    held = set(session.scalars(governed_units(actor, Permission.ATTENDANCE_READ, on)))
    roots = whole_branches(tree, held)
    if wanted:
        if not {node.id for node in roots} & {node.id for node in tree.ancestry(wanted.id)}:
            raise NotPermitted(Permission.ATTENDANCE_READ.value, wanted.name)
        return Scope((wanted,))
    if not roots:
        raise NotPermitted(Permission.ATTENDANCE_READ.value, "")
    return Scope(tuple(roots))


def attendance(
    session: Session,
    meeting: Meeting,
    scope: Scope,
    *,
    at: datetime | None = None,
    tree: Tree | None = None,
) -> Attendance:
    """Points and counts of a scope, now or at an instant; 3 statements, one more for the tree."""
    tree = tree or load_tree(session, meeting.day)
    revision = revision_of(session, meeting.id)
    wider = Scope(tuple(parent for root in scope.roots for parent in counted_above(tree, root)))
    everything = state_at(session, meeting.id, at, Scope(scope.roots + wider.roots))
    inside = {node.id for root in scope.roots for node in tree.subtree(root.id)}
    points = [point for point in everything if not scope.roots or point.unit_id in inside]
    counted = rollup(everything, tree)
    shown = {
        unit_id: counts
        for unit_id, counts in counted.units.items()
        if is_counted(tree, scope, unit_id, inside)
    }
    ordered = {unit_id: shown[unit_id] for unit_id in tree.by_id if unit_id in shown}
    return Attendance(meeting, tree, revision, points, Rollup(ordered, rollup(points, tree).levels))


def whole_branches(tree: Tree, held: Collection[int]) -> list[Node]:
    """The highest units of a tree of which every unit below is held, too, in the order of the tree.

    Rights are those of today, the tree may be that of an earlier day: a ward that has taken over an
    abolished district does not thereby see the other wards that once stood below it.
    """
    known = set(held) & tree.by_id.keys()
    # At the cost of what is held: thousands of operators come to one ward each.
    whole = {
        unit_id for unit_id in known if all(node.id in known for node in tree.subtree(unit_id))
    }
    highest = [unit_id for unit_id in whole if tree.by_id[unit_id].parent_id not in whole]
    return [tree.by_id[unit_id] for unit_id in sorted(highest, key=tree.order.__getitem__)]


def counted_above(tree: Tree, root: Node) -> list[Node]:
    """Units above a scope whose counts belong to it: the parent of a unit that has no children."""
    if tree.children.get(root.id) or root.parent_id is None:
        return []
    return [tree.by_id[root.parent_id]]


def is_counted(tree: Tree, scope: Scope, unit_id: int, inside: set[int]) -> bool:
    """Whether a unit's counts belong to a scope: units with children in it, its roots, and above."""
    if not scope.roots:
        return bool(tree.children.get(unit_id)) or tree.by_id[unit_id].parent_id is None
    if unit_id in inside:
        return bool(tree.children.get(unit_id)) or any(root.id == unit_id for root in scope.roots)
    return any(above.id == unit_id for root in scope.roots for above in counted_above(tree, root))


def rollup(points: Iterable[PointNow], tree: Tree) -> Rollup:
    """Count points by level, and for every unit with an invited point at or below it."""
    counted = Rollup()
    chains: dict[int, list[Counts]] = {}
    for point in points:
        chain = chains.get(point.unit_id)
        if chain is None:
            chain = [counted.units[node.id] for node in tree.ancestry(point.unit_id)]
            chains[point.unit_id] = chain
        for counts in (*chain, counted.levels[point.level]):
            counts.invited += 1
            counts.count(point.state)
    return counted


def state_at(
    session: Session, meeting_id: int, at: datetime | None = None, scope: Scope | None = None
) -> list[PointNow]:
    """Every invited point of a scope, now or at an instant, in the order of invitation.

    At an instant counts what had been observed until then, whenever it was reported, of the points
    that were invited then. Raises `UnknownMeeting`.
    """
    meeting = session.get(Meeting, meeting_id)
    if meeting is None:
        raise UnknownMeeting(meeting_id)
    within = lies_within(scope, meeting.day)
    if at is None:
        return _present_states(session, meeting, within)
    standings = _standings_at(session, meeting, at, within)
    started = meeting.started_at if meeting.started_at and meeting.started_at <= at else None
    start = start_of(meeting.starts_at, started)
    rows = session.execute(
        _INVITED_COLUMNS.where(
            Participation.meeting_id == meeting.id,
            Participation.invited_at <= at,
            or_(Participation.withdrawn_at.is_(None), Participation.withdrawn_at > at),
            within,
        )
    )
    return [_point(row, standings.get(row[1]), start) for row in rows]


def _present_states(
    session: Session, meeting: Meeting, within: ColumnElement[bool]
) -> list[PointNow]:
    start = start_of(meeting.starts_at, meeting.started_at)
    rows = session.execute(
        _INVITED_COLUMNS.add_columns(
            PointState.state,
            PointState.since,
            PointState.headcount,
            PointState.head_of_delegation,
            PointState.note,
            PointState.observed_at,
            PointState.first_present_at,
            PointState.revision,
            PointState.source,
        )
        .outerjoin(PointState, state_of_invitation())
        .where(
            Participation.meeting_id == meeting.id,
            standing_invitation(),
            within,
        )
    )
    return [_point(row, None if row[5] is None else Standing(*row[5:]), start) for row in rows]


_INVITED_COLUMNS: Any = (
    select(
        Participation.id,
        Participation.point_id,
        Participation.unit_id,
        Unit.level,
        Participation.is_main,
    )
    .join(Unit, Unit.id == Participation.unit_id)
    .order_by(Participation.id)
)


def _standings_at(
    session: Session, meeting: Meeting, at: datetime, within: ColumnElement[bool]
) -> dict[int, Standing]:
    entry = AttendanceEntry
    rows = session.execute(
        select(
            entry.point_id,
            entry.state,
            entry.headcount,
            entry.head_of_delegation,
            entry.note,
            entry.observed_at,
            entry.revision,
            entry.source,
        )
        .join(
            Participation,
            and_(
                Participation.meeting_id == entry.meeting_id,
                Participation.point_id == entry.point_id,
            ),
        )
        .where(entry.meeting_id == meeting.id, entry.observed_at <= at, within)
        .order_by(entry.point_id, entry.observed_at, entry.revision)
    ).all()
    folded = {
        point_id: fold(as_row(*row[1:]) for row in line)
        for point_id, line in groupby(rows, key=lambda row: row[0])
    }
    return {point_id: standing for point_id, standing in folded.items() if point_id and standing}


def lies_within(scope: Scope | None, day: date) -> ColumnElement[bool]:
    """The participations of a scope."""
    if scope is None or not scope.roots:
        return true()
    return Participation.unit_id.in_(
        select(UnitAncestry.unit_id).where(
            UnitAncestry.ancestor_id.in_([root.id for root in scope.roots]),
            valid_on(UnitAncestry, day),
        )
    )


def shown_state(state: str, first_present_at: datetime | None, start: datetime) -> str:
    """The state as frames and answers have it: who is present and came after the start is late."""
    if state == Presence.PRESENT and first_present_at is not None and first_present_at > start:
        return Presence.LATE.value
    return state


def _point(invited: Any, standing: Standing | None, start: datetime) -> PointNow:
    participation_id, point_id, unit_id, level, is_main = invited[:5]
    return PointNow(
        participation_id=participation_id,
        point_id=point_id,
        unit_id=unit_id,
        level=level,
        is_main=is_main,
        state=shown_state(standing.state, standing.first_present_at, start)
        if standing
        else Presence.INVITED.value,
        since=standing.since if standing else None,
        headcount=standing.headcount if standing else None,
        head_of_delegation=standing.head_of_delegation if standing else "",
        note=standing.note if standing else "",
        first_present_at=standing.first_present_at if standing else None,
        revision=standing.revision if standing else 0,
        source=standing.source if standing else "",
    )
