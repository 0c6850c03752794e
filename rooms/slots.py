"""Free time for many bridge points at once.

Time is cut into quarters of an hour. For each quarter one Python integer holds a bit per meeting that
holds any of the points; the OR over the quarters of a window tells which meetings it touches. A window
that none touches is free for all points, and usually that is all that is asked. For the others the
points of those meetings are read, an integer each with a byte per point: the OR over the meetings of a
window counts the points for which it is not free.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import reduce
from math import ceil
from operator import or_
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, String, cast, exists, func, select
from sqlalchemy.orm import Session

from rooms.booking import LONGEST_HOLD, Occupancy
from rooms.meetings import Meeting
from rooms.workdays import is_working_day

QUARTER = timedelta(minutes=15)
SEARCH_SPAN = timedelta(days=14)
"""How far ahead the next free start is looked for."""
OFFICE_HOURS = ((time(7, 30), time(11, 30)), (time(13, 0), time(17, 30)))


@dataclass(frozen=True, slots=True)
class Window:
    """A possible start and how many of the points are taken in it."""

    starts_at: datetime
    ends_at: datetime
    taken: int


@dataclass(frozen=True, slots=True)
class Margins:
    """How long the points are needed before and after a meeting."""

    setup: timedelta = timedelta()
    clearing: timedelta = timedelta()


def best_windows(
    session: Session,
    points: Sequence[int],
    duration: timedelta,
    earliest: datetime,
    latest: datetime,
    *,
    margins: Margins = Margins(),
    zone: ZoneInfo,
    most: int = 10,
) -> list[Window]:
    """Windows of a duration in office hours of `[earliest, latest]`, the least taken first.

    Windows equally free stand in order of time. One statement where enough are free, else two.
    """
    calendar = read_calendar(session, points, earliest - margins.setup, latest + margins.clearing)
    starts = office_starts(earliest, latest, duration, zone)
    return calendar.ranked(
        starts, duration, margins, most, lambda ids: points_held(session, ids, points)
    )


def next_free(
    session: Session,
    points: Select[int] | Sequence[int],
    duration: timedelta,
    earliest: datetime,
    *,
    margins: Margins,
    zone: ZoneInfo,
    ignore_meeting: int | None = None,
) -> datetime | None:
    """The next start in office hours from `earliest` on at which all points are free.

    None where there is none within `SEARCH_SPAN`. One statement.
    """
    latest = earliest + SEARCH_SPAN
    calendar = read_calendar(
        session, points, earliest - margins.setup, latest + margins.clearing, ignore_meeting
    )
    return next(
        (
            start
            for start in office_starts(earliest, latest, duration, zone)
            if not calendar.touched(start, duration, margins)
        ),
        None,
    )


def read_calendar(
    session: Session,
    points: Select[int] | Sequence[int],
    since: datetime,
    until: datetime,
    ignore_meeting: int | None = None,
) -> "Calendar":
    """The meetings that hold any of the points in a span of time."""
    holds_some = exists().where(Occupancy.meeting_id == Meeting.id, Occupancy.point_id.in_(points))
    # All points of a meeting are held for the same time, which begins and ends near its own.
    near = Meeting.starts_at.between(since - LONGEST_HOLD, until + LONGEST_HOLD)
    rows: Iterable[Any] = session.execute(
        select(
            Meeting.id,
            Meeting.starts_at,
            Meeting.ends_at,
            Meeting.setup_minutes,
            Meeting.clearing_minutes,
        ).where(near, Meeting.id != (ignore_meeting or 0), holds_some)
    )
    calendar = Calendar(since)
    for meeting_id, starts_at, ends_at, setup, clearing in rows:
        held_from = starts_at - timedelta(minutes=setup)
        held_until = ends_at + timedelta(minutes=clearing)
        if held_from < until and held_until > since:
            calendar.take(meeting_id, held_from, held_until)
    return calendar


def points_held(
    session: Session, meeting_ids: Sequence[int], points: Sequence[int]
) -> dict[int, int]:
    """Which of the points each meeting holds: an integer with a byte per point."""
    place = {point: number for number, point in enumerate(points)}
    rows = session.execute(
        select(
            Occupancy.meeting_id,
            func.aggregate_strings(cast(Occupancy.point_id, String), ","),
        )
        .where(Occupancy.meeting_id.in_(meeting_ids))
        .group_by(Occupancy.meeting_id)
    )
    found = {}
    for meeting_id, told in rows:
        held = bytearray(len(place))
        for point in map(int, told.split(",")):
            if point in place:
                held[place[point]] = 1
        found[meeting_id] = int.from_bytes(held, "little")
    return found


class Calendar:
    """What meetings hold in a span of time, by quarters of an hour."""

    def __init__(self, origin: datetime) -> None:
        self._origin = origin
        self.meetings: list[int] = []
        self._quarters: dict[int, int] = {}
        """A bit per meeting, by its place in `meetings`."""

    def _index(self, instant: datetime) -> float:
        return (instant - self._origin) / QUARTER

    def take(self, meeting_id: int, held_from: datetime, held_until: datetime) -> None:
        bit = 1 << len(self.meetings)
        self.meetings.append(meeting_id)
        for quarter in range(max(0, int(self._index(held_from))), ceil(self._index(held_until))):
            self._quarters[quarter] = self._quarters.get(quarter, 0) | bit

    def touched(self, start: datetime, duration: timedelta, margins: Margins) -> int:
        """The meetings that hold points in a window with its margins, a bit each."""
        first = int(self._index(start - margins.setup))
        last = ceil(self._index(start + duration + margins.clearing))
        return reduce(or_, (self._quarters.get(quarter, 0) for quarter in range(first, last)), 0)

    def ranked(
        self,
        starts: Sequence[datetime],
        duration: timedelta,
        margins: Margins,
        most: int,
        points_of: Callable[[Sequence[int]], Mapping[int, int]],
    ) -> list[Window]:
        """The best windows; `points_of` is asked for the points of meetings where it matters."""
        touching = [(start, self.touched(start, duration, margins)) for start in starts]
        free = [Window(start, start + duration, 0) for start, meetings in touching if not meetings]
        if len(free) >= most:
            return free[:most]
        held = points_of(self._named(reduce(or_, (meetings for _, meetings in touching), 0)))
        counts = {
            meetings: reduce(or_, map(held.__getitem__, self._named(meetings)), 0).bit_count()
            for meetings in {meetings for _, meetings in touching}
        }
        windows = [
            Window(start, start + duration, counts[meetings]) for start, meetings in touching
        ]
        windows.sort(key=lambda window: (window.taken, window.starts_at))
        return windows[:most]

    def _named(self, meetings: int) -> list[int]:
        """The ids of a set of bits."""
        return [
            meeting_id for number, meeting_id in enumerate(self.meetings) if meetings >> number & 1
        ]


def office_starts(
    earliest: datetime, latest: datetime, duration: timedelta, zone: ZoneInfo
) -> list[datetime]:
    """Starts on the half hour, in office hours of working days, that end by `latest`."""
    starts = []
    day = earliest.astimezone(zone).date()
    while datetime.combine(day, time(0), zone) <= latest:
        if is_working_day(day):
            for opening, closing in OFFICE_HOURS:
                start = datetime.combine(day, opening, zone)
                # A meeting longer than half a day may run over noon, but not into the evening.
                end = datetime.combine(day, closing, zone)
                if duration > end - start:
                    end = datetime.combine(day, OFFICE_HOURS[-1][1], zone)
                while start + duration <= end:
                    if start >= earliest and start + duration <= latest:
                        starts.append(start)
                    start += 2 * QUARTER
        day += timedelta(days=1)
    return starts
