"""Coming meetings aimed anew: who stands for whom after a reorganisation.

A ward's invitation goes to its main successor, with the row, the room and the answer it has; where
several fall together, one is left. Nothing is written here.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, select, union
from sqlalchemy.orm import Session

from rooms.audience import Rule, parse_rules
from rooms.booking import Occupancy
from rooms.hierarchy import Tree, Unit, load_tree
from rooms.kernel import CIVIL_ZONE
from rooms.meetings import OPEN_FOR_CHANGE, Meeting, MeetingState, Participation, Reply
from rooms.reorganisation.comparing import Comparison
from rooms.reorganisation.ownership import Points
from rooms.reorganisation.records import Reorganisation, ReorganisationState
from rooms.reorganisation.rules import Rewriting

ANSWERS = {Reply.ACCEPTED.value: 0, Reply.DECLINED.value: 1}
"""Which answer is kept where invitations fall together; an open one comes last."""

Progress = Any
"""Called with (done, total, stage) while it works."""


class Row(NamedTuple):
    """A participation, as far as aiming needs it."""

    id: int
    meeting_id: int
    unit_id: int
    point_id: int
    is_main: bool
    reply: str
    stands: bool


@dataclass
class Aim:
    """A meeting that changes: who stands after, by bridge point."""

    meeting: Meeting
    rules: list[Rule]
    host: int
    main_point: int
    standing: dict[int, int]
    """The unit by its point, of all who are invited from now on."""
    added: list[int]
    """Points of `standing` that were not invited before."""
    before: int
    doubles: int
    removed: list[int]
    """Units whose invitation goes to nobody."""

    @property
    def holds_rooms(self) -> bool:
        return self.meeting.state != MeetingState.POSTPONED.value

    @property
    def freed_minutes(self) -> int:
        """Minutes of rooms that are given back, all together."""
        if not self.holds_rooms:
            return 0
        held = self.meeting.held_until - self.meeting.held_from
        return (self.doubles + len(self.removed)) * int(held / timedelta(minutes=1))


@dataclass
class Aiming:
    """Aims the meetings of one reorganisation, those of one shape of the tree with the same rules."""

    session: Session
    comparison: Comparison
    points: Points
    _shapes: dict[date, "Shape"] = field(default_factory=dict)

    @cached_property
    def _days(self) -> list[date]:
        """The day of the plan and those after it from which the tree looks otherwise again."""
        first = self.comparison.day
        days = union(
            select(Unit.valid_from).where(Unit.valid_from > first),
            select(Reorganisation.day).where(
                Reorganisation.day > first,
                Reorganisation.state == ReorganisationState.APPLIED.value,
            ),
        )
        return sorted({first, *self.session.scalars(days)})

    def shape(self, day: date) -> "Shape":
        """The tree of a day, before and after the plan; days between two changes share one."""
        key = max(known for known in self._days if known <= max(day, self.comparison.day))
        if key not in self._shapes:
            before = (
                self.comparison.before
                if key == self.comparison.day
                else load_tree(self.session, key)
            )
            self._shapes[key] = Shape(self, before)
        return self._shapes[key]

    def aims(self, meetings: Sequence[Meeting], progress: Progress = None) -> Iterator[Aim]:
        """The meetings that change, in the order of their ids."""
        rows = invitations(self.session, [meeting.id for meeting in meetings])
        for number, meeting in enumerate(meetings, start=1):
            aim = self.shape(meeting.day).aim(meeting, rows.pop(meeting.id, []))
            if aim is not None:
                yield aim
            if progress is not None:
                progress(number, len(meetings), "meetings")


@dataclass
class Shape:
    """The tree between two days of change, before and after the plan, and whose points are whose."""

    aiming: Aiming
    before: Tree
    after: Tree = field(init=False)
    owner: dict[int, int] = field(init=False)
    owned: dict[int, list[int]] = field(init=False)
    """The points of a unit from the day on, the default first."""
    rewriting: Rewriting = field(init=False)

    def __post_init__(self) -> None:
        comparison, points = self.aiming.comparison, self.aiming.points
        self.after = comparison.applied_to(self.before)
        owners = points.owners(self.aiming.session, self.before)
        self.owner = points.owners_after(owners, self.after)
        self.owned = defaultdict(list)
        for point, unit_id in sorted(
            self.owner.items(), key=lambda item: owners.get(item[0]) != item[1]
        ):
            self.owned[unit_id].append(point)
        self.rewriting = Rewriting(
            self.before, self.after, comparison.heirs, comparison.ended, self.owner
        )

    def aim(self, meeting: Meeting, rows: Sequence[Row]) -> Aim | None:
        """What becomes of one meeting; None where nothing does."""
        comparison = self.aiming.comparison
        standing = [row for row in rows if row.stands]
        said = parse_rules(meeting.audience)
        by_heir: dict[int, list[Row]] = defaultdict(list)
        for row in standing:
            heir = self.rewriting.heir(row.unit_id)
            if heir is not None and heir in self.after.by_id:
                by_heir[heir].append(row)
        rules = self._rules(said, by_heir)
        host = comparison.keeper(meeting.host_unit_id) or meeting.host_unit_id
        main = self._main_point(meeting)
        after = self._standing(meeting, rules, by_heir, main)
        were = {row.point_id for row in standing}
        added = [point for point in after if point not in were]
        gone = [row for row in standing if row.point_id not in after]
        invited = set(after.values())
        removed = [row.unit_id for row in gone if self.rewriting.heir(row.unit_id) not in invited]
        if (
            not added
            and not gone
            and host == meeting.host_unit_id
            and main == meeting.main_point_id
            and rules == said
            and all(after[row.point_id] == row.unit_id for row in standing)
        ):
            return None
        return Aim(
            meeting=meeting,
            rules=rules,
            host=host,
            main_point=main,
            standing=after,
            added=added,
            before=len(standing),
            doubles=len(gone) - len(removed),
            removed=removed,
        )

    def _rules(self, said: Sequence[Rule], by_heir: Mapping[int, list[Row]]) -> list[Rule]:
        named = {rule.point for rule in said if rule.include and rule.point is not None}
        ended = self.aiming.comparison.ended
        inherited = {
            heir
            for heir, rows in by_heir.items()
            if any(
                row.unit_id in ended and not row.is_main and row.point_id not in named
                for row in rows
            )
        }
        return self.rewriting.rewrite(said, by_heir.keys(), inherited)

    def _main_point(self, meeting: Meeting) -> int:
        main = meeting.main_point_id
        if main in self.owner:
            return main
        keeper = self.aiming.comparison.keeper(self.aiming.points.home.get(main))
        # Where the keeper has no room either, the meeting stays where it was called to.
        return next(iter(self.owned.get(keeper, ())), main) if keeper is not None else main

    def _standing(
        self,
        meeting: Meeting,
        rules: Sequence[Rule],
        by_heir: Mapping[int, list[Row]],
        main: int,
    ) -> dict[int, int]:
        """Who stands after: the unit by its point."""
        comparison = self.aiming.comparison
        units, extra = self.rewriting.meant(rules)
        home = self.owner.get(main)
        if home is None:
            home = comparison.keeper(self.aiming.points.home[main]) or meeting.host_unit_id
        standing = {main: home}
        seen = {home}
        for unit_id in units:
            if unit_id in seen:
                continue
            seen.add(unit_id)
            rows = by_heir.get(unit_id)
            if rows:
                standing[min(rows, key=lambda row: _preference(row, unit_id)).point_id] = unit_id
            elif unit_id in comparison.begun or unit_id in comparison.moved:
                point = self._first_usable(unit_id, meeting)
                if point is not None:
                    standing[point] = unit_id
        if extra:
            invited = {row.point_id for rows in by_heir.values() for row in rows}
            standing |= {point: self.owner[point] for point in extra if point in invited}
        # What nobody reorganises is left as it is, whatever the rules would come to by now.
        return standing | {
            row.point_id: unit_id
            for unit_id in by_heir.keys() - seen - comparison.moved.keys()
            for row in by_heir[unit_id]
            if row.unit_id == unit_id
        }

    def _first_usable(self, unit_id: int, meeting: Meeting) -> int | None:
        points = self.aiming.points
        return next(
            (
                point
                for point in self.owned.get(unit_id, ())
                if points.is_usable(point, meeting.day, meeting.starts_at, meeting.ends_at)
            ),
            None,
        )


def _preference(row: Row, unit_id: int) -> tuple[bool, bool, int, int]:
    """Which of several invitations is kept: the unit's own, then one that was answered."""
    return (
        not row.is_main,
        row.unit_id != unit_id,
        ANSWERS.get(row.reply, len(ANSWERS)),
        row.point_id,
    )


def coming_meetings(
    session: Session, day: date, *states: str, only: ColumnElement[bool] | None = None
) -> list[Meeting]:
    """The meetings on a day or later, by their own clock; those open for change without `states`."""
    begins = datetime(day.year, day.month, day.day, tzinfo=CIVIL_ZONE) - timedelta(days=1)
    wanted = states or tuple(state.value for state in OPEN_FOR_CHANGE)
    query = select(Meeting).where(Meeting.starts_at >= begins, Meeting.state.in_(wanted))
    if only is not None:
        query = query.where(only)
    meetings = session.scalars(query.order_by(Meeting.id).execution_options(populate_existing=True))
    return [meeting for meeting in meetings if meeting.day >= day]


def invitations(session: Session, meeting_ids: Sequence[int]) -> dict[int, list[Row]]:
    """All participations of meetings, the withdrawn ones, too. One statement for each 500 meetings."""
    found: dict[int, list[Row]] = {meeting_id: [] for meeting_id in meeting_ids}
    # Columns of the table, not of the class: there are hundreds of thousands of rows.
    table = Participation.__table__.c
    for start in range(0, len(meeting_ids), 500):
        rows = session.execute(
            select(
                table.id,
                table.meeting_id,
                table.unit_id,
                table.point_id,
                table.is_main,
                table.reply,
                table.withdrawn_at.is_(None),
            )
            .where(table.meeting_id.in_(meeting_ids[start : start + 500]))
            .order_by(table.meeting_id, table.point_id)
        ).all()
        for row in map(Row._make, rows):
            found[row.meeting_id].append(row)
    return found


def clashes(session: Session, aims: Sequence[Aim], points: Points) -> list[str]:
    """Where a room that is newly invited is wanted twice: “point: meeting / meeting”."""
    wanted = {point for aim in aims if aim.holds_rooms for point in aim.added}
    if not wanted:
        return []
    held: dict[int, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    for aim in aims:
        if aim.holds_rooms:
            for point in wanted & aim.standing.keys():
                meeting = aim.meeting
                held[point].append((meeting.held_from, meeting.held_until, meeting.title))
    known = [point for point in wanted if point > 0]
    if known:
        for point, begins, ends, title in session.execute(
            select(Occupancy.point_id, Occupancy.starts_at, Occupancy.ends_at, Meeting.title)
            .join(Meeting, Meeting.id == Occupancy.meeting_id)
            .where(
                and_(
                    Occupancy.point_id.in_(known),
                    Meeting.id.not_in([aim.meeting.id for aim in aims]),
                )
            )
        ):
            held[point].append((begins, ends, title))
    told = []
    for point, spans in held.items():
        spans.sort()
        told += [
            f"{points.names[point]}: {one[2]} / {two[2]}"
            for one, two in pairwise(spans)
            if two[0] < one[1]
        ]
    return told
