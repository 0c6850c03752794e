"""The attendance report of one meeting: who was there, for how long, and when there was a quorum."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from rooms.hierarchy import Node, Tree
from rooms.meetings import Meeting
from rooms.punctuality import PointAttendance, Tally, Window, attendances, tally, window_of
from rooms.quorum import Quorum, QuorumRule, quorum_over
from rooms.rollup import Scope
from rooms.time_line import CountsAt, counts_over, day_of

CURVE_STEPS = 160
BEFORE_THE_FIRST = timedelta(minutes=10)
"""The curve begins so long before anybody was present: hours of nothing tell nothing."""


@dataclass(frozen=True, slots=True)
class MeetingReport:
    """A scope of a meeting. `quorum` is None where the scope is not the whole meeting.

    `parents`: the units above the invited ones on the meeting's day, in the order of the tree.
    """

    meeting: Meeting
    tree: Tree
    window: Window
    points: list[PointAttendance]
    total: Tally
    levels: dict[str, Tally]
    parents: list[tuple[Node, Tally]]
    quorum: Quorum | None
    curve: list[CountsAt] = field(default_factory=list)


def meeting_report(
    session: Session,
    meeting: Meeting,
    tree: Tree,
    scope: Scope,
    rule: QuorumRule,
    now: datetime,
    *,
    curve: bool = True,
) -> MeetingReport:
    """From the log; four statements, two without the curve. Raises `NotHeld`."""
    window = window_of(meeting, now)
    points = attendances(session, meeting, now, scope)
    levels: dict[str, Tally] = {}
    parents: dict[int, Tally] = {}
    for point in points:
        levels.setdefault(point.level, Tally()).add(point)
        node = tree.by_id.get(point.unit_id)
        if node is not None and node.parent_id is not None:
            parents.setdefault(node.parent_id, Tally()).add(point)
    since, until = day_of(meeting, now)
    begun = min([window.start, *(point.spans[0][0] for point in points if point.spans)])
    since = max(since, begun - BEFORE_THE_FIRST)
    rank = {level: number for number, level in enumerate(tree.levels)}
    return MeetingReport(
        meeting,
        tree,
        window,
        points,
        tally(points),
        dict(sorted(levels.items(), key=lambda each: rank.get(each[0], len(rank)))),
        [(node, parents[node.id]) for node in tree.by_id.values() if node.id in parents],
        None if scope.roots else quorum_over(points, rule, window),
        counts_over(
            session, meeting, scope, since=since, until=max(since, until), steps=CURVE_STEPS
        )
        if curve
        else [],
    )
