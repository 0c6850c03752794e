"""Whose bridge points are whose from the day on, and who gets one of their own."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from rooms.bridge_points import IN_ORDER, BridgePoint
from rooms.hierarchy import Tree, main_heirs
from rooms.outages import Outage
from rooms.reorganisation.comparing import Comparison


@dataclass
class Points:
    """The bridge points as a reorganisation finds and leaves them.

    Ids below 0 are points that are made for units which begin and inherit none.
    """

    names: dict[int, str]
    home: dict[int, int]
    """Of each point, as it is written now."""
    closed_on: dict[int, date]
    made: dict[int, int]
    """The units of the points to be made."""
    outages: dict[int, list[tuple[datetime, datetime | None]]]
    _heirs: Mapping[int, int]
    _ended: Mapping[int, object]

    def owners(self, session: Session, tree: Tree) -> dict[int, int]:
        """The unit of each point on the day of a tree, before the plan. Points of nobody are left out."""
        strangers = {unit_id for unit_id in self.home.values() if unit_id not in tree.by_id}
        heirs = main_heirs(session, strangers, tree.day)
        owners = {point: heirs.get(unit_id, unit_id) for point, unit_id in self.home.items()}
        return {point: unit_id for point, unit_id in owners.items() if unit_id in tree.by_id}

    def owners_after(self, owners: Mapping[int, int], after: Tree) -> dict[int, int]:
        """The same from the day on: points of units that end belong to their main successors."""
        passed = {
            point: self._heirs.get(unit_id, unit_id) if unit_id in self._ended else unit_id
            for point, unit_id in owners.items()
        }
        return {
            point: unit_id
            for point, unit_id in (passed | self.made).items()
            if unit_id in after.by_id
        }

    def is_usable(self, point_id: int, day: date, starts_at: datetime, ends_at: datetime) -> bool:
        """Whether a point exists on a day and is in service in `[starts_at, ends_at)`."""
        closed = self.closed_on.get(point_id)
        if closed is not None and closed <= day:
            return False
        return not any(
            begins < ends_at and (ends is None or ends > starts_at)
            for begins, ends in self.outages.get(point_id, ())
        )


def points_of_plan(session: Session, comparison: Comparison, since: datetime) -> Points:
    """All points, outages that last beyond `since`, and the points to be made. Two statements."""
    rows = session.execute(
        select(BridgePoint.id, BridgePoint.unit_id, BridgePoint.name, BridgePoint.closed_on)
        # Within a unit the default comes first; inherited ones come behind the heir's own.
        .order_by(*IN_ORDER)
    ).all()
    outages: dict[int, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for point_id, begins, ends in session.execute(
        select(Outage.point_id, Outage.starts_at, Outage.ends_at).where(
            or_(Outage.ends_at.is_(None), Outage.ends_at > since)
        )
    ):
        outages[point_id].append((begins, ends))
    points = Points(
        names={row.id: row.name for row in rows},
        home={row.id: row.unit_id for row in rows},
        closed_on={row.id: row.closed_on for row in rows if row.closed_on is not None},
        made={},
        outages=outages,
        _heirs=comparison.heirs,
        _ended=comparison.ended,
    )
    _find_bare(session, comparison, points)
    return points


def _find_bare(session: Session, comparison: Comparison, points: Points) -> None:
    """Who begins without a point, while units of its level have had theirs."""
    before = points.owners(session, comparison.before)
    equipped = {comparison.before.by_id[unit_id].level for unit_id in before.values()}
    open_after = {
        unit_id
        for point, unit_id in points.owners_after(before, comparison.after).items()
        if (closed := points.closed_on.get(point)) is None or closed > comparison.day
    }
    bare = [
        unit_id
        for unit_id, row in comparison.begun.items()
        if unit_id not in open_after and row.level in equipped
    ]
    for number, unit_id in enumerate(bare, start=1):
        points.made[-number] = unit_id
        points.names[-number] = comparison.begun[unit_id].name
