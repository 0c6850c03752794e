"""One meeting's attendance in memory: read once, then brought up to date from the log's new rows.

Nothing is decided here: states and counts come from `rooms`. A picture knows which scopes are
watched (`Feed`) and collects for each what has changed since its last frame.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from rooms.attendance import AttendanceEntry, PointState, revision_of, start_of
from rooms.hierarchy import Node, Tree, load_tree
from rooms.meetings import Meeting, UnknownMeeting
from rooms.rollup import Counts, PointNow, Scope, counted_above, is_counted, shown_state, state_at

COLUMNS = ["point", "state", "since", "headcount"]
ROLLUP_COLUMNS = ["unit", "invited", "present", "late", "lost", "needs_help"]
LEVEL_COLUMNS = ["level", *ROLLUP_COLUMNS[1:]]


class MeetingFacts(msgspec.Struct, frozen=True):
    """The meeting itself, as frames have it."""

    id: int
    title: str
    state: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, meeting: Meeting) -> "MeetingFacts":
        return cls(
            meeting.id,
            meeting.title,
            meeting.state,
            meeting.starts_at,
            meeting.ends_at,
            meeting.timezone,
            meeting.started_at,
            meeting.ended_at,
        )


class Point(msgspec.Struct):
    """An invited point: its row in the frames, and where it counts."""

    row: list[Any]
    """In the order of `COLUMNS`."""
    chain: tuple[int, ...]
    """Ids of its unit and of the units above."""
    level: str
    revision: int


@dataclass(eq=False, slots=True)
class Feed:
    """One scope that somebody watches, and what changed in it since its last frame."""

    scope: Scope
    points: dict[int, Point]
    units: dict[int, Counts]
    """The counts that belong to the scope, in the order of the tree."""
    levels: dict[str, Counts]
    changed_points: dict[int, Point] = field(default_factory=dict)
    changed_units: set[int] = field(default_factory=set)
    changed_levels: set[str] = field(default_factory=set)
    snapshot: tuple[int, bytes] | None = None
    """The revision and the bytes of the last snapshot built."""
    resumed: tuple[int, dict[int, bytes]] = field(default_factory=lambda: (0, {}))
    """A revision, and by the last revision that clients had seen what brings them up to it."""
    due: float = 0.0
    """Not before this instant of the loop is the next frame to go out."""
    told: float = 0.0
    """When the last one did."""

    def settle(self) -> None:
        self.changed_points, self.changed_units, self.changed_levels = {}, set(), set()


@dataclass
class Picture:
    """A meeting at a revision. `read()` makes one; `apply()` brings it forward."""

    meeting: MeetingFacts
    tree: Tree
    revision: int
    meeting_revision: int
    """The last revision that changed the meeting itself."""
    points: dict[int, Point]
    units: dict[int, Counts]
    by_unit: dict[int, list[int]]
    """Points by the unit they stand for."""
    feeds: dict[str, Feed] = field(default_factory=dict)
    by_root: dict[int | None, list[Feed]] = field(default_factory=dict)
    """Feeds by the units of their scopes; None has those of the whole meeting."""
    by_parent: dict[int, list[Feed]] = field(default_factory=dict)
    """Feeds by a unit above them whose counts they get."""
    dirty: set[Feed] = field(default_factory=set)
    """Feeds with something to tell."""

    @classmethod
    def read(cls, session: Session, meeting_id: int) -> "Picture":
        """Five statements. Raises `UnknownMeeting`."""
        meeting = session.get(Meeting, meeting_id)
        if meeting is None:
            raise UnknownMeeting(meeting_id)
        tree = load_tree(session, meeting.day)
        changed = session.scalar(
            select(func.max(AttendanceEntry.revision)).where(
                AttendanceEntry.meeting_id == meeting_id, AttendanceEntry.point_id.is_(None)
            )
        )
        chains: dict[int, tuple[int, ...]] = {}
        points: dict[int, Point] = {}
        for now in state_at(session, meeting_id):
            chain = chains.get(now.unit_id)
            if chain is None:
                chain = tuple(node.id for node in tree.ancestry(now.unit_id))
                chains[now.unit_id] = chain
            points[now.point_id] = Point(row_of(now), chain, now.level, now.revision)
        units: dict[int, Counts] = {}
        by_unit: dict[int, list[int]] = {}
        for point_id, point in points.items():
            by_unit.setdefault(point.chain[0] if point.chain else 0, []).append(point_id)
            for unit_id in point.chain:
                counts = units.setdefault(unit_id, Counts())
                counts.invited += 1
                counts.count(point.row[1])
        return cls(
            meeting=MeetingFacts.of(meeting),
            tree=tree,
            revision=revision_of(session, meeting_id),
            meeting_revision=changed or 0,
            points=points,
            units=units,
            by_unit=by_unit,
        )

    @property
    def start(self) -> datetime:
        return start_of(self.meeting.starts_at, self.meeting.started_at)

    def feed(self, scope: Scope) -> Feed:
        """The feed of a scope, made when it is first asked for."""
        found = self.feeds.get(scope.code)
        if found is not None:
            return found
        points, units = self._inside(scope) if scope.roots else (self.points, self._counted(scope))
        levels: dict[str, Counts] = {}
        for point in points.values():
            counts = levels.setdefault(point.level, Counts())
            counts.invited += 1
            counts.count(point.row[1])
        feed = Feed(scope, points, units, levels)
        self.feeds[scope.code] = feed
        for root in scope.roots:
            self.by_root.setdefault(root.id, []).append(feed)
            for above in _above(self.tree, scope, root):
                self.by_parent.setdefault(above.id, []).append(feed)
        if not scope.roots:
            self.by_root.setdefault(None, []).append(feed)
        return feed

    def _inside(self, scope: Scope) -> tuple[dict[int, Point], dict[int, Counts]]:
        """Points and counts of a scope, in the order of the tree.

        At the cost of the scope: after a cut there may be one for every point.
        """
        nodes = [node for root in scope.roots for node in self.tree.subtree(root.id)]
        ids = [point_id for node in nodes for point_id in self.by_unit.get(node.id, ())]
        if scope.point_id is not None:
            return {i: self.points[i] for i in ids if i == scope.point_id}, {}
        inside = {node.id for node in nodes}
        near = inside.union(a.id for root in scope.roots for a in counted_above(self.tree, root))
        counted = [u for u in near if u in self.units and is_counted(self.tree, scope, u, inside)]
        points = {point_id: self.points[point_id] for point_id in ids}
        return points, {u: self.units[u] for u in sorted(counted, key=self.tree.order.__getitem__)}

    def _counted(self, scope: Scope) -> dict[int, Counts]:
        return {
            unit_id: self.units[unit_id]
            for unit_id in self.tree.by_id
            if unit_id in self.units and is_counted(self.tree, scope, unit_id, set())
        }

    def forget(self, feed: Feed) -> None:
        """Nobody watches this scope any more."""
        del self.feeds[feed.scope.code]
        self.dirty.discard(feed)
        if not feed.scope.roots:
            _take_out(self.by_root, None, feed)
        for root in feed.scope.roots:
            _take_out(self.by_root, root.id, feed)
            for above in _above(self.tree, feed.scope, root):
                _take_out(self.by_parent, above.id, feed)

    def apply(self, rows: Iterable[tuple[int, int, str, datetime, int | None, Any, int]]) -> None:
        """Bring points up to date; each row as `rows_after` has them past the first column."""
        for point_id, _, state, since, headcount, first_present_at, revision in rows:
            point = self.points.get(point_id)
            if point is None:
                # Withdrawn between its check-in and now: the meeting's own row follows.
                continue
            shown = shown_state(state, first_present_at, self.start)
            before = point.row[1]
            point.row = [point_id, shown, since, headcount]
            point.revision = revision
            self._mark(point_id, point, before, shown)

    def _mark(self, point_id: int, point: Point, before: str, shown: str) -> None:
        moved = before != shown
        for place in (None, *point.chain):
            for feed in self.by_root.get(place, ()):
                if point_id not in feed.points:
                    continue
                feed.changed_points[point_id] = point
                self.dirty.add(feed)
                if moved:
                    counts = feed.levels[point.level]
                    counts.count(before, -1)
                    counts.count(shown)
                    feed.changed_levels.add(point.level)
        if not moved:
            return
        for unit_id in point.chain:
            counts = self.units[unit_id]
            counts.count(before, -1)
            counts.count(shown)
            for feed in self.by_parent.get(unit_id, ()):
                feed.changed_units.add(unit_id)
                self.dirty.add(feed)
        for place in (None, *point.chain):
            for feed in self.by_root.get(place, ()):
                feed.changed_units.update(unit for unit in point.chain if unit in feed.units)


def _above(tree: Tree, scope: Scope, root: Node) -> list[Node]:
    """Units above a root whose counts the scope gets; a single point gets none."""
    return counted_above(tree, root) if scope.point_id is None else []


def _take_out(table: dict[Any, list[Feed]], key: int | None, feed: Feed) -> None:
    table[key].remove(feed)
    if not table[key]:
        del table[key]


def row_of(now: PointNow) -> list[Any]:
    """A point in the order of `COLUMNS`."""
    return [now.point_id, now.state, now.since, now.headcount]


def rows_after(session: Session, meeting_id: int, revision: int) -> list[Any]:
    """What the log has past a revision, each row with the present state of its point.

    One statement, so that states and revisions belong to one instant on both databases. Columns:
    the row's revision, point (None where the meeting changed), and of the point: its meeting,
    state, since, headcount, first presence, last revision.
    """
    entry, now = AttendanceEntry, PointState
    return list(
        session.execute(
            select(
                entry.revision,
                entry.point_id,
                now.meeting_id,
                now.state,
                now.since,
                now.headcount,
                now.first_present_at,
                now.revision,
            )
            .outerjoin(
                now, and_(now.meeting_id == entry.meeting_id, now.point_id == entry.point_id)
            )
            .where(entry.meeting_id == meeting_id, entry.revision > revision)
            .order_by(entry.revision)
        )
    )
