"""Working days of Viet Nam: weekends and public holidays are none."""

from datetime import date, timedelta
from functools import lru_cache

INVITATION_NOTICE = 3
"""Working days between the invitation and the meeting. Source: QĐ 45/2018/QĐ-TTg."""

_SATURDAY = 5


@lru_cache(maxsize=64)
def _public_holidays(year: int) -> frozenset[date]:
    # Calendars of the whole world come along: not for commands that ask for no working day.
    import holidays

    return frozenset(holidays.country_holidays("VN", years=year))


def is_working_day(day: date) -> bool:
    return day.weekday() < _SATURDAY and day not in _public_holidays(day.year)


def add_working_days(day: date, count: int) -> date:
    """The day `count` working days after (or, negative, before) a day."""
    step = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    while left:
        day += step
        left -= is_working_day(day)
    return day


def latest_invitation_day(meeting_day: date) -> date:
    """The last day on which an invitation still keeps the notice period."""
    return add_working_days(meeting_day, -INVITATION_NOTICE)
