"""A meeting day with corrections, rows that came out of order, and invitations that changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from rooms.attendance import AttendanceEntry, Source, entry_row
from rooms.meetings import Meeting
from tests.factories import City, make_city, participation_of, scheduled_meeting

NOW = datetime(2026, 11, 16, 2, tzinfo=UTC)


def say(
    city: City,
    meeting: Meeting,
    revision: int,
    code: str,
    state: str,
    minute: float,
    source: str = Source.PAGE.value,
) -> dict[str, Any]:
    """A row of the log; `minute` counts from the planned start."""
    observed = meeting.starts_at + timedelta(minutes=minute)
    return entry_row(
        meeting.id,
        revision,
        city.points[code],
        state,
        observed,
        observed,
        source=source,
    )


def make_day(session: Any) -> tuple[City, Meeting]:
    """A meeting opened seven minutes late, with corrections and rows that came out of order."""
    city = make_city(session, NOW)
    meeting = scheduled_meeting(session, city, NOW)
    meeting.started_at = meeting.starts_at + timedelta(minutes=7)
    meeting.ended_at = meeting.starts_at + timedelta(minutes=100)
    participation_of(session, meeting.id, city.units["00226"]).withdrawn_at = (
        meeting.starts_at + timedelta(minutes=30)
    )
    participation_of(session, meeting.id, city.units["00001"]).invited_at = (
        meeting.starts_at + timedelta(minutes=5)
    )
    said: list[Any] = [
        ("01", "present", -10),
        ("006", "ready", -9),
        ("006", "present", 2),
        ("00178", "present", 8),
        ("00226", "present", 9),
        ("00226", "lost", 20),
        ("00001", "present", 1),
        ("00178", "needs_help", 40),
        ("00181", "needs_help", 41),
        ("006", "lost", 50),
        ("00178", "present", 45),
        ("006", "present", 55),
        # Kept on a device without network, and sent an hour later.
        ("00181", "present", 3),
        ("01-SNV", "present", 3.5),
        ("01-SNV", "left", 60),
        ("01", "left", 99),
        # The video system against the operators, and in their place.
        ("01-SNV", "present", 61, "video"),
        ("00178", "lost", 43, "video"),
        ("006", "present", 52, "video"),
        ("01-STC", "lost", 12, "video"),
        ("001", "present", 6.5, "video"),
        ("001", "lost", 70, "video"),
    ]
    session.execute(
        insert(AttendanceEntry),
        [say(city, meeting, number, *row) for number, row in enumerate(said, start=1)],
    )
    return city, meeting
