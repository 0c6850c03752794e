"""The preview: what a plan would do to units, meetings, people and rooms. It only reads."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from sqlalchemy.orm import Session

from rooms.hierarchy import Node
from rooms.kernel import CIVIL_ZONE, civil_day
from rooms.policies import Actor, Permission, require
from rooms.reorganisation.comparing import Comparison, compare
from rooms.reorganisation.grants import Passing, passing_grants, people_of
from rooms.reorganisation.ownership import Points, points_of_plan
from rooms.reorganisation.plans import WHOLE, Plan
from rooms.reorganisation.previews import (
    Fate,
    GrantShift,
    Heir,
    MeetingShift,
    PersonShift,
    PointShift,
    Preview,
    UnitFate,
    UnitLine,
    Warned,
)
from rooms.reorganisation.reaiming import Aim, Aiming, Progress, clashes, coming_meetings
from rooms.reorganisation.refusing import refuse_forbidden, refuse_twice


@dataclass
class Outlook:
    """Everything that applying a plan would do, worked out before anything is written."""

    comparison: Comparison
    points: Points
    aims: list[Aim]
    passings: list[Passing]

    @cached_property
    def names(self) -> dict[int, str]:
        """Of all units, before and after."""
        comparison = self.comparison
        return {node.id: node.name for node in comparison.before.by_id.values()} | {
            unit_id: row.name for unit_id, row in comparison.begun.items()
        }


def look_ahead(
    session: Session,
    actor: Actor | None,
    plan: Plan,
    day: date,
    now: datetime,
    progress: Progress = None,
) -> Outlook:
    """Lay a plan beside the tree and the meetings; what would forbid applying it forbids this, too.

    Raises as `compare` and `refuse_forbidden` do, `PlanApplied`, `NotPermitted`.
    """
    refuse_twice(session, plan, day)
    comparison = compare(session, plan, day)
    require_right(session, actor, comparison.roots, now)
    refuse_forbidden(session, comparison, civil_day(now))
    since = datetime(day.year, day.month, day.day, tzinfo=CIVIL_ZONE)
    points = points_of_plan(session, comparison, since)
    meetings = coming_meetings(session, day)
    aims = list(Aiming(session, comparison, points).aims(meetings, progress))
    return Outlook(comparison, points, aims, passing_grants(session, comparison))


def require_right(
    session: Session, actor: Actor | None, roots: Iterable[int], now: datetime
) -> None:
    """Whoever reorganises governs the whole of it; a command needs no person. Raises `NotPermitted`."""
    if actor is not None:
        for root in roots:
            require(session, actor, Permission.UNIT_WRITE, root, civil_day(now))


def preview(session: Session, actor: Actor | None, plan: Plan, day: date, now: datetime) -> Preview:
    """What applying a plan on a day would do; nothing is written. Raises as `look_ahead` does."""
    return preview_of(session, look_ahead(session, actor, plan, day, now))


def preview_of(session: Session, outlook: Outlook) -> Preview:
    """The same from what has been worked out already."""
    comparison = outlook.comparison
    people = _people(session, outlook)
    points = _points(outlook)
    made = tuple(_after(comparison, unit_id) for unit_id in outlook.points.made.values())
    fates = _fates(comparison)
    warnings = {
        "no_successor": [
            fate.before.name for fate in fates if fate.fate is Fate.ENDS and fate.before
        ],
        "people_without_home": [
            shift.name
            for shift in people
            if shift.home_after is None or any(grant.unit_after is None for grant in shift.grants)
        ],
        "points_without_home": [shift.name for shift in points if shift.unit_after is None],
        "nobody_invited": [aim.meeting.title for aim in outlook.aims if len(aim.standing) == 1],
        "rooms_clash": clashes(session, outlook.aims, outlook.points),
        "renamed_by_code": [node.name for node in comparison.renamed_by_code],
    }
    return Preview(
        day=comparison.day,
        units=tuple(fates),
        meetings=tuple(_shift(outlook, aim) for aim in outlook.aims),
        people=tuple(people),
        points=tuple(points),
        new_points=made,
        warnings=tuple(Warned(what, tuple(names)) for what, names in warnings.items() if names),
        main_heirs={
            unit_id: _after(comparison, heir).code for unit_id, heir in comparison.heirs.items()
        },
    )


def _fates(comparison: Comparison) -> list[UnitFate]:
    givers: dict[int, list[tuple[int, str, bool]]] = defaultdict(list)
    takers: dict[int, list[tuple[int, str, bool]]] = defaultdict(list)
    for passing in comparison.successions:
        takers[passing.unit_id].append((passing.heir_id, passing.extent, passing.is_main))
        givers[passing.heir_id].append((passing.unit_id, passing.extent, passing.is_main))

    def heirs_of(unit_id: int) -> tuple[Heir, ...]:
        found = sorted(takers.get(unit_id, ()), key=lambda taker: not taker[2])
        return tuple(
            Heir(_after(comparison, heir), extent, is_main) for heir, extent, is_main in found
        )

    def sources_of(unit_id: int) -> tuple[Heir, ...]:
        found = sorted(givers.get(unit_id, ()), key=lambda giver: not giver[2])
        return tuple(
            Heir(_before(comparison, giver), extent, is_main) for giver, extent, is_main in found
        )

    fates = []
    for root in comparison.roots:
        for node in comparison.before.subtree(root):
            if node.id not in comparison.ended:
                fate = Fate.MOVES if node.id in comparison.moved else Fate.CONTINUES
                after, keeper = _after(comparison, node.id), None
            else:
                fate = _end_of(takers.get(node.id, ()), givers, comparison)
                after = None
                kept = comparison.keeper(node.id) if fate is Fate.ENDS else None
                keeper = _after(comparison, kept) if kept is not None else None
            fates.append(
                UnitFate(
                    fate,
                    _before(comparison, node.id),
                    after,
                    heirs_of(node.id),
                    sources_of(node.id),
                    keeper,
                )
            )
    fates += [
        UnitFate(Fate.BEGINS, None, _after(comparison, unit_id), (), sources_of(unit_id))
        for unit_id in comparison.begun
    ]
    return fates


def _end_of(
    takers: Sequence[tuple[int, str, bool]],
    givers: Mapping[int, Sequence[tuple[int, str, bool]]],
    comparison: Comparison,
) -> Fate:
    if not takers:
        return Fate.ENDS
    if len(takers) > 1 or takers[0][1] != WHOLE:
        return Fate.SPLITS
    heir = takers[0][0]
    alone = len(givers[heir]) == 1 and heir in comparison.begun
    return Fate.RENAMED if alone else Fate.MERGES


def _before(comparison: Comparison, unit_id: int) -> UnitLine:
    return _line(comparison.before.by_id, unit_id, unit_id)


def _after(comparison: Comparison, unit_id: int) -> UnitLine:
    return _line(comparison.after.by_id, unit_id, unit_id if unit_id > 0 else None)


def _line(nodes: Mapping[int, Node], unit_id: int, shown_id: int | None) -> UnitLine:
    node = nodes[unit_id]
    parent = nodes.get(node.parent_id) if node.parent_id is not None else None
    return UnitLine(
        shown_id,
        node.code,
        node.name,
        node.level,
        node.kind,
        parent.code if parent else None,
        parent.name if parent else "",
    )


def _shift(outlook: Outlook, aim: Aim) -> MeetingShift:
    names = outlook.names
    return MeetingShift(
        meeting_id=aim.meeting.id,
        title=aim.meeting.title,
        starts_at=aim.meeting.starts_at,
        state=aim.meeting.state,
        before=aim.before,
        after=len(aim.standing),
        doubles=aim.doubles,
        removed=tuple(names.get(unit_id, "") for unit_id in aim.removed),
        added=tuple(names.get(aim.standing[point], "") for point in aim.added),
        host_before=names.get(aim.meeting.host_unit_id, ""),
        host_after=names.get(aim.host, ""),
        rules_changed=[rule.as_json() for rule in aim.rules] != aim.meeting.audience,
        booked_minutes_freed=aim.freed_minutes,
    )


def _people(session: Session, outlook: Outlook) -> list[PersonShift]:
    comparison, names = outlook.comparison, outlook.names
    grants: dict[int, list[GrantShift]] = defaultdict(list)
    for passing in outlook.passings:
        heir = passing.heir_id
        grants[passing.grant.person_id].append(
            GrantShift(
                passing.grant.role,
                names[passing.grant.unit_id],
                names[heir] if heir is not None else None,
            )
        )
    shifts = []
    for person in people_of(session, comparison.ended, grants):
        home = person.unit_id
        heir = comparison.heirs.get(home) if home in comparison.ended else home
        shifts.append(
            PersonShift(
                person.id,
                person.name,
                person.title,
                names.get(home, ""),
                names.get(heir, "") if heir is not None else None,
                tuple(grants.get(person.id, ())),
            )
        )
    return shifts


def _points(outlook: Outlook) -> list[PointShift]:
    comparison, names = outlook.comparison, outlook.names
    shifts = []
    for point, unit_id in outlook.points.home.items():
        closed = outlook.points.closed_on.get(point)
        if unit_id in comparison.ended and (closed is None or closed > comparison.day):
            heir = comparison.heirs.get(unit_id)
            shifts.append(
                PointShift(
                    point,
                    outlook.points.names[point],
                    names[unit_id],
                    names[heir] if heir is not None else None,
                )
            )
    return shifts
