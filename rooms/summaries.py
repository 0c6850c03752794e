"""What a meeting's attendance came to, written down once it has ended: for reports over many meetings.

Reports of a year would have to fold two million rows of the log. So each closed meeting leaves one row
for every invitation (`point_summary`), and each unit one for every month (`unit_month`). Both follow
from the log, `edition` says by which rules; they can be made again at any time, and `unsound` compares
them with the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, and_, delete, func, insert, literal, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.attendance import AttendanceHead
from rooms.hierarchy import load_tree
from rooms.kernel import Base
from rooms.meetings import Meeting
from rooms.periods import month_after
from rooms.punctuality import CLOSED, Outcome, PointAttendance, attendances

EDITION = 1
"""Rises when what `punctuality` computes changes: everything is then summed up anew."""


class MeetingSummary(Base):
    """Up to which row of its log a closed meeting is summed up."""

    __tablename__ = "meeting_summary"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    day: Mapped[date]
    """The day of the meeting when it was summed up."""
    revision: Mapped[int]
    edition: Mapped[int]
    made_at: Mapped[datetime]


class PointSummary(Base):
    """One invitation to a closed meeting. Times in whole seconds, 0 where nobody came."""

    __tablename__ = "point_summary"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), primary_key=True)
    day: Mapped[date]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    parent_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    """The unit above on the meeting's day; the unit itself where there was none."""
    level: Mapped[str]
    outcome: Mapped[str]
    is_substitute: Mapped[bool]
    expected: Mapped[int]
    late: Mapped[int]
    lost: Mapped[int]
    left_early: Mapped[int]
    interruptions: Mapped[int]
    headcount: Mapped[int]
    """0 where nobody said a number."""

    __table_args__ = (Index(None, "day", "unit_id"), Index(None, "unit_id", "day"))


class UnitMonth(Base):
    """The invitations of a unit in a month, below one unit: sums over `PointSummary`."""

    __tablename__ = "unit_month"

    month: Mapped[date] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    level: Mapped[str] = mapped_column(primary_key=True)
    invited: Mapped[int]
    present: Mapped[int]
    late: Mapped[int]
    absent: Mapped[int]
    declined: Mapped[int]
    substitutes: Mapped[int]
    people: Mapped[int]
    interruptions: Mapped[int]
    expected: Mapped[int]
    missed: Mapped[int]
    """Both in seconds, of the invitations whose point came."""

    __table_args__ = (Index(None, "unit_id", "month"),)


SUMS = (
    "invited",
    "present",
    "late",
    "absent",
    "declined",
    "substitutes",
    "people",
    "interruptions",
    "expected",
    "missed",
)
"""The columns of `UnitMonth` that are sums."""


def sums_of_points() -> list[Any]:
    """The same sums over rows of `PointSummary`, in that order."""
    point = PointSummary
    came = point.outcome.in_([Outcome.PRESENT.value, Outcome.LATE.value])
    return [
        func.count(),
        func.count().filter(came),
        func.count().filter(point.outcome == Outcome.LATE.value),
        func.count().filter(~came),
        func.count().filter(point.outcome == Outcome.DECLINED.value),
        func.count().filter(and_(came, point.is_substitute)),
        func.sum(point.headcount),
        func.sum(point.interruptions),
        func.sum(point.expected),
        func.sum(point.late + point.lost + point.left_early),
    ]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is to be written for a meeting."""

    meeting_id: int
    day: date
    revision: int
    points: list[dict[str, Any]]


def unsummed(session: Session, limit: int = 100) -> list[int]:
    """Closed meetings without a summary, or whose log has grown since; the oldest first."""
    head = AttendanceHead
    return list(
        session.scalars(
            select(Meeting.id)
            .outerjoin(head, head.meeting_id == Meeting.id)
            .outerjoin(MeetingSummary, MeetingSummary.meeting_id == Meeting.id)
            .where(
                Meeting.state.in_(CLOSED),
                or_(
                    MeetingSummary.meeting_id.is_(None),
                    MeetingSummary.edition != EDITION,
                    MeetingSummary.revision != func.coalesce(head.revision, 0),
                ),
            )
            .order_by(Meeting.starts_at, Meeting.id)
            .limit(limit)
        )
    )


def sum_up(session: Session, meeting_id: int, now: datetime) -> Summary:
    """What a closed meeting comes to; reads only, so that nobody waits while a nation is folded."""
    meeting = session.get_one(Meeting, meeting_id)
    revision = (
        session.scalar(
            select(AttendanceHead.revision).where(AttendanceHead.meeting_id == meeting_id)
        )
        or 0
    )
    tree = load_tree(session, meeting.day)
    day = meeting.day
    points = []
    for point in attendances(session, meeting, now):
        node = tree.by_id.get(point.unit_id)
        parent = node.parent_id if node else None
        points.append(_row(meeting_id, day, point, parent or point.unit_id))
    return Summary(meeting_id, day, revision, points)


def _row(meeting_id: int, day: date, point: PointAttendance, parent_id: int) -> dict[str, Any]:
    held = point.held
    return {
        "meeting_id": meeting_id,
        "point_id": point.point_id,
        "day": day,
        "unit_id": point.unit_id,
        "parent_id": parent_id,
        "level": point.level,
        "outcome": point.outcome.value,
        "is_substitute": point.is_substitute,
        "expected": _seconds(held.expected) if held else 0,
        "late": _seconds(held.late) if held else 0,
        "lost": _seconds(held.lost) if held else 0,
        "left_early": _seconds(held.left_early) if held else 0,
        "interruptions": held.interruptions if held else 0,
        "headcount": point.headcount or 0,
    }


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())


def write_summary(session: Session, summary: Summary, now: datetime) -> bool:
    """Put a summary in the place of the one before; False where the log has grown meanwhile."""
    head = session.scalar(
        select(AttendanceHead.revision).where(AttendanceHead.meeting_id == summary.meeting_id)
    )
    if (head or 0) != summary.revision:
        return False
    meeting_id = summary.meeting_id
    before = session.get(MeetingSummary, meeting_id)
    months = {summary.day.replace(day=1)} | ({before.day.replace(day=1)} if before else set())
    # Derived rows, and many: past the record of changes, which has the meeting itself.
    connection = session.connection()
    connection.execute(delete(PointSummary).where(PointSummary.meeting_id == meeting_id))
    connection.execute(delete(MeetingSummary).where(MeetingSummary.meeting_id == meeting_id))
    if summary.points:
        connection.execute(insert(PointSummary), summary.points)
    connection.execute(
        insert(MeetingSummary),
        [
            {
                "meeting_id": meeting_id,
                "day": summary.day,
                "revision": summary.revision,
                "edition": EDITION,
                "made_at": now,
            }
        ],
    )
    for month in sorted(months):
        sum_month(session, month)
    return True


def sum_month(session: Session, month: date) -> None:
    """Make the rows of a month anew from those of its meetings; two statements."""
    connection = session.connection()
    connection.execute(delete(UnitMonth).where(UnitMonth.month == month))
    connection.execute(
        insert(UnitMonth).from_select(
            ["unit_id", "parent_id", "level", "month", *SUMS], month_select(month)
        )
    )


def month_select(month: date) -> Any:
    """What the rows of a month have to be: unit, parent, level, month, sums."""
    point = PointSummary
    keys = (point.unit_id, point.parent_id, point.level)
    return (
        select(*keys, literal(month, Date), *sums_of_points())
        .where(point.day >= month, point.day < month_after(month))
        .group_by(*keys)
    )


def unsound(session: Session, meetings: Sequence[int], now: datetime) -> list[int]:
    """Of these summed-up meetings, the ones whose rows are not what the log gives now."""
    wrong = []
    for meeting_id in meetings:
        expected = sorted(sum_up(session, meeting_id, now).points, key=lambda row: row["point_id"])
        names = list(expected[0]) if expected else ["point_id"]
        kept = session.execute(
            select(*(getattr(PointSummary, name) for name in names))
            .where(PointSummary.meeting_id == meeting_id)
            .order_by(PointSummary.point_id)
        )
        if [tuple(row) for row in kept] != [tuple(row.values()) for row in expected]:
            wrong.append(meeting_id)
    return wrong
