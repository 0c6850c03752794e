"""Charts as plain SVG: shapes are computed here, drawn by `reports/charts.html`.

They must read in black and white: lines differ by their dashes, columns carry their figures, and what
misses a target is hatched. Coordinates are those of the view box.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from meetings_server.i18n import clock
from rooms.time_line import CountsAt

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 36, 8, 18, 26
"""Room for the figures around the plot."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a chart; `height` 0 and an empty `figure` where there is nothing to show."""

    x: float
    y: float
    width: float
    height: float
    label: str
    figure: str
    misses: bool


@dataclass(frozen=True, slots=True)
class Columns:
    columns: list[Column]
    base: float
    target: float | None
    """Height at which the target stands."""
    target_figure: str = ""
    width: int = WIDTH
    height: int = HEIGHT


def columns(
    values: Sequence[tuple[str, float | None]],
    figure: Callable[[float], str],
    *,
    most: float | None = None,
    target: float | None = None,
) -> Columns:
    """A chart of values with their labels; None is a gap. `most`: the value at the top."""
    known = [value for _, value in values if value is not None]
    top = most or max([*known, target or 0.0]) or 1.0
    plot = HEIGHT - TOP - BOTTOM
    step = (WIDTH - RIGHT) / max(len(values), 1)
    base = HEIGHT - BOTTOM
    drawn = []
    for place, (label, value) in enumerate(values):
        tall = plot * (value or 0.0) / top
        drawn.append(
            Column(
                round(step * place + step * 0.15, 1),
                round(base - tall, 1),
                round(step * 0.7, 1),
                round(tall, 1),
                label,
                "" if value is None else figure(value),
                value is not None and target is not None and value < target,
            )
        )
    return Columns(
        drawn,
        base,
        None if target is None else round(base - plot * target / top, 1),
        "" if target is None else figure(target),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One of the lines; `name` is that of the state, and of its dashes."""

    name: str
    points: str


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Lines:
    lines: list[Line]
    across: list[Tick]
    up: list[Tick]
    start: float | None
    """Where the meeting began and ended."""
    end: float | None
    level: float | None
    """Height of what a quorum needs."""
    plot_left: int = LEFT
    plot_right: int = WIDTH - RIGHT
    plot_top: int = TOP
    base: int = HEIGHT - BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn across the curve."""

    start: datetime
    end: datetime
    level: int | None = None


LINES = ("present", "late", "lost", "needs_help", "left")
_QUARTERS = 4
_HOURS = (5, 10, 15, 30, 60, 120, 180, 360)
_MOST_TICKS = 8


def curve(counts: Sequence[CountsAt], marks: Marks, zone: str) -> Lines | None:
    """The counts of a day as lines; None where the day has no length."""
    if len(counts) < 2:  # noqa: PLR2004 -- a line has two ends
        return None
    first, last = counts[0].at, counts[-1].at
    length = (last - first).total_seconds()
    most = max(*(count.invited for count in counts), marks.level or 0, 1)

    def across(instant: datetime) -> float:
        share = (instant - first).total_seconds() / length
        return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)

    def up(value: int) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most, 1)

    lines = []
    for name in LINES:
        values = [(across(count.at), up(getattr(count, name))) for count in counts]
        if not any(getattr(count, name) for count in counts):
            continue
        # Counts stand until they change: steps, and no point where nothing does.
        path = [values[0]]
        for (_, before), (x, y) in pairwise(values):
            if y != before:
                path += [(x, before), (x, y)]
        path.append((values[-1][0], values[-1][1]))
        lines.append(Line(name, " ".join(f"{x},{y}" for x, y in path)))
    return Lines(
        lines,
        [Tick(across(instant), clock(instant, zone)) for instant in _round_times(first, last)],
        [
            Tick(up(value), str(value))
            for value in sorted({round(most * n / _QUARTERS) for n in range(_QUARTERS + 1)})
        ],
        across(marks.start) if first <= marks.start <= last else None,
        across(marks.end) if first <= marks.end <= last else None,
        None if marks.level is None else up(marks.level),
    )


def _round_times(first: datetime, last: datetime) -> list[datetime]:
    """Instants at whole steps of the clock, a handful of them."""
    length = (last - first).total_seconds() / 60
    step = next((minutes for minutes in _HOURS if length / minutes <= _MOST_TICKS), _HOURS[-1])
    seconds = step * 60
    begin = -(-int(first.timestamp()) // seconds) * seconds
    return [
        datetime.fromtimestamp(stamp, first.tzinfo)
        for stamp in range(begin, int(last.timestamp()) + 1, seconds)
    ]
