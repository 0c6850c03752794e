"""How many are there, counted without looking at each point: for a page that is to be there at once.

A nation's points are read as a few columns each, without the objects that `rollup.state_at` makes of
them; what is counted is the same.
"""

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from rooms.attendance import PointState, Presence, start_of, state_of_invitation
from rooms.hierarchy import Tree
from rooms.meetings import Meeting, Participation, standing_invitation
from rooms.rollup import Counts, Scope, lies_within


@dataclass
class Tally:
    """The points of a scope by shown state, by level, and by the group that each unit was put in."""

    states: dict[str, int] = field(default_factory=lambda: {state.value: 0 for state in Presence})
    levels: dict[str, Counts] = field(default_factory=dict)
    groups: dict[Hashable, Counts] = field(default_factory=dict)
    people: int = 0
    """In the rooms of those who are present."""

    @property
    def invited(self) -> int:
        return sum(self.states.values())


def tally(
    session: Session,
    meeting: Meeting,
    tree: Tree,
    scope: Scope,
    groups: Mapping[int, Hashable],
) -> Tally:
    """Count the invited points of a scope as they stand now; two statements.

    `groups`: the group of each unit by its id.
    """
    start = start_of(meeting.starts_at, meeting.started_at)
    rows = session.execute(
        _of_points(
            select(
                Participation.unit_id,
                PointState.state,
                and_(
                    PointState.state == Presence.PRESENT.value, PointState.first_present_at > start
                ),
            ),
            meeting,
            scope,
        )
    )
    # As few steps for each point as there can be; the piles are few.
    piles = Counter(
        (
            groups.get(unit_id),
            tree.by_id[unit_id].level if unit_id in tree.by_id else "",
            state,
            late,
        )
        for unit_id, state, late in rows
    )
    found = Tally()
    for (group, level, state, late), points in piles.items():
        shown = Presence.LATE.value if late else (state or Presence.INVITED.value)
        found.states[shown] += points
        for counts in (
            found.groups.setdefault(group, Counts()),
            found.levels.setdefault(level, Counts()),
        ):
            counts.invited += points
            counts.count(shown, points)
    found.people = (
        session.scalar(
            _of_points(select(func.sum(PointState.headcount)), meeting, scope).where(
                PointState.state == Presence.PRESENT.value
            )
        )
        or 0
    )
    return found


def _of_points(query: Any, meeting: Meeting, scope: Scope) -> Any:
    return (
        query.select_from(Participation)
        .outerjoin(PointState, state_of_invitation())
        .where(
            Participation.meeting_id == meeting.id,
            standing_invitation(),
            lies_within(scope, meeting.day),
        )
    )
