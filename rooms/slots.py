"""The next free time for many bridge points at once.

Time is cut into quarters of an hour. For each quarter one Python integer holds a bit per point that
is taken; a window is free for all points when the OR over its quarters is zero, and the number of
bits set says for how many it is not.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from rooms.booking import Occupancy, held_between
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


def best_windows(
    session: Session,
    points: Select[int] | Sequence[int],
    duration: timedelta,
    earliest: datetime,
    latest: datetime,
    *,
    setup: timedelta = timedelta(),
    clearing: timedelta = timedelta(),
    zone: ZoneInfo,
    ignore_meeting: int | None = None,
    most: int = 10,
) -> list[Window]:
    """Windows of a duration in office hours of `[earliest, latest]`, the least taken first.

    Windows equally free stand in order of time. Two statements; the rest is integer arithmetic.
    """
    wanted = (
        Occupancy.point_id.in_(points),
        held_between(earliest - setup, latest + clearing),
        Occupancy.meeting_id != (ignore_meeting or 0),
    )
    # A meeting holds all its points for the same time: its interval is read once, its points are
    # read as bare numbers.
    held = session.execute(
        select(Occupancy.meeting_id, func.min(Occupancy.starts_at), func.max(Occupancy.ends_at))
        .where(*wanted)
        .group_by(Occupancy.meeting_id)
    ).all()
    taken: dict[int, int] = defaultdict(int)
    bits: dict[int, int] = {}
    for meeting_id, point_id in session.execute(
        select(Occupancy.meeting_id, Occupancy.point_id).where(*wanted)
    ):
        taken[meeting_id] |= bits.setdefault(point_id, 1 << len(bits))
    grid = _Grid(earliest - setup)
    for meeting_id, starts_at, ends_at in held:
        grid.take(taken[meeting_id], starts_at, ends_at)
    windows = [
        Window(start, start + duration, grid.taken(start - setup, start + duration + clearing))
        for start in _starts(earliest, latest, duration, zone)
    ]
    windows.sort(key=lambda window: (window.taken, window.starts_at))
    return windows[:most]


def next_free(
    session: Session,
    points: Select[int] | Sequence[int],
    duration: timedelta,
    earliest: datetime,
    *,
    setup: timedelta,
    clearing: timedelta,
    zone: ZoneInfo,
    ignore_meeting: int | None = None,
) -> datetime | None:
    """The next start in office hours from `earliest` on at which all points are free.

    None where there is none within `SEARCH_SPAN`.
    """
    windows = best_windows(
        session,
        points,
        duration,
        earliest,
        earliest + SEARCH_SPAN,
        setup=setup,
        clearing=clearing,
        zone=zone,
        ignore_meeting=ignore_meeting,
        most=1,
    )
    return windows[0].starts_at if windows and windows[0].taken == 0 else None


class _Grid:
    def __init__(self, origin: datetime) -> None:
        self.origin = origin
        self.quarters: dict[int, int] = {}

    def _index(self, instant: datetime) -> float:
        return (instant - self.origin) / QUARTER

    def take(self, points: int, starts_at: datetime, ends_at: datetime) -> None:
        for quarter in range(max(0, int(self._index(starts_at))), ceil(self._index(ends_at))):
            self.quarters[quarter] = self.quarters.get(quarter, 0) | points

    def taken(self, starts_at: datetime, ends_at: datetime) -> int:
        union = 0
        for quarter in range(int(self._index(starts_at)), ceil(self._index(ends_at))):
            union |= self.quarters.get(quarter, 0)
        return union.bit_count()


def _starts(
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
