"""Whether enough were there, at any instant of a meeting.

The rule is a share or a number, of points or of units. Without another one it is two thirds of the
invited units, as the law asks of People's Councils and of meetings of People's Committees (Luật Tổ
chức chính quyền địa phương, 77/2015/QH13, Art. 78 and 113). Points are there by the rule of
`presence`, so one that asks for help still counts; invited are all whose invitation stands.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from rooms.kernel import FieldInvalid
from rooms.punctuality import PointAttendance, Window

LARGEST_NUMBER = 100_000


class Of(StrEnum):
    """What is counted: a unit is there while at least one of its points is."""

    UNITS = "units"
    POINTS = "points"


class Share(StrEnum):
    MORE_THAN_HALF = "more_than_half"
    TWO_THIRDS = "two_thirds"
    THREE_QUARTERS = "three_quarters"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class QuorumRule:
    """At least `asked` of what is counted: a share of the invited, or a number."""

    asked: Share | int = Share.TWO_THIRDS
    of: Of = Of.UNITS

    def needed(self, invited: int) -> int:
        """How many must be there."""
        match self.asked:
            case Share.MORE_THAN_HALF:
                return invited // 2 + 1
            case Share.TWO_THIRDS:
                return -(-2 * invited // 3)
            case Share.THREE_QUARTERS:
                return -(-3 * invited // 4)
            case Share.ALL:
                return invited
            case number:
                return int(number)


def parse_rule(asked: str, of: str) -> QuorumRule:
    """A rule as addresses have it: `two_thirds` or `120`, and `units` or `points`; "" is the usual.

    Raises `FieldInvalid`.
    """
    try:
        counted = Of(of or Of.UNITS)
    except ValueError:
        raise FieldInvalid("of", "unknown", of[:40]) from None
    if not asked:
        return QuorumRule(of=counted)
    if asked in set(Share):
        return QuorumRule(Share(asked), counted)
    if asked.isascii() and asked.isdecimal() and 1 <= int(asked[:9]) <= LARGEST_NUMBER:
        return QuorumRule(int(asked[:9]), counted)
    raise FieldInvalid("quorum", "unknown", asked[:40])


@dataclass(frozen=True, slots=True)
class Quorum:
    """When a rule was kept. `spans` are `[from, until)`, also before the start of the meeting."""

    rule: QuorumRule
    invited: int
    needed: int
    reached_at: datetime | None
    """When enough were there for the first time, possibly before the start."""
    spans: tuple[tuple[datetime, datetime], ...] = ()
    held: timedelta = field(default=timedelta(0))
    """How much of the meeting's time it was kept."""
    most: int = 0
    """The largest number that was there during the meeting."""
    at_start: bool = False


def quorum_over(points: Iterable[PointAttendance], rule: QuorumRule, window: Window) -> Quorum:
    """Follow who was there from the first presence to the end of the window."""
    edges: list[tuple[datetime, int, int]] = []
    invited: set[int] = set()
    for point in points:
        key = point.unit_id if rule.of is Of.UNITS else point.point_id
        invited.add(key)
        for came, went in point.spans:
            stop = min(went or window.end, window.end)
            if came < stop:
                edges.append((came, 1, key))
                edges.append((stop, -1, key))
    edges.sort()
    needed = rule.needed(len(invited))
    there: dict[int, int] = {}
    count = most = 0
    since: datetime | None = None
    spans: list[tuple[datetime, datetime]] = []
    place = 0
    while place < len(edges):
        instant = edges[place][0]
        while place < len(edges) and edges[place][0] == instant:
            _, by, key = edges[place]
            before = there.get(key, 0)
            there[key] = before + by
            count += bool(there[key]) - bool(before)
            place += 1
        following = edges[place][0] if place < len(edges) else window.end
        if following > window.start and instant < window.end:
            most = max(most, count)
        if count >= needed and since is None:
            since = instant
        elif count < needed and since is not None:
            spans.append((since, instant))
            since = None
    if since is not None and since < window.end:
        spans.append((since, window.end))
    held = sum(
        (max(until, window.start) - max(begun, window.start) for begun, until in spans),
        timedelta(0),
    )
    at_start = any(begun <= window.start < until for begun, until in spans)
    return Quorum(
        rule,
        len(invited),
        needed,
        spans[0][0] if spans else None,
        tuple(spans),
        held,
        most,
        at_start,
    )
