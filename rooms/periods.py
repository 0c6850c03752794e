"""Spans of days that reports are made for: a week, a month, a quarter, a year, or from one day to another."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from rooms.kernel import CIVIL_ZONE, FieldInvalid

LONGEST = timedelta(days=5 * 366)
MONTHS_OF_A_YEAR = 12
MONTHS_OF_A_QUARTER = 3


class Span(StrEnum):
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    DAYS = "days"
    """From one day to another, both included."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days `[first, after)`."""

    span: Span
    first: date
    after: date

    @property
    def last(self) -> date:
        return self.after - timedelta(days=1)

    @property
    def starts_at(self) -> datetime:
        """The first instant of the period where its meetings take place."""
        return datetime.combine(self.first, time(0), CIVIL_ZONE)

    @property
    def ends_at(self) -> datetime:
        return datetime.combine(self.after, time(0), CIVIL_ZONE)

    @property
    def whole_months(self) -> "tuple[date, date]":
        """The months that lie in it altogether, `[first, after)` by their first days; may be empty."""
        first = self.first if self.first.day == 1 else month_after(self.first)
        after = self.after.replace(day=1)
        return first, max(first, after)

    def beside(self, steps: int) -> "Period | None":
        """The period of the same kind so many steps later; None for days of one's own choice."""
        match self.span:
            case Span.DAYS:
                return None
            case Span.WEEK:
                return period_of(Span.WEEK, self.first + timedelta(weeks=steps))
            case Span.MONTH:
                months = steps
            case Span.QUARTER:
                months = steps * MONTHS_OF_A_QUARTER
            case Span.YEAR:
                months = steps * MONTHS_OF_A_YEAR
        return period_of(self.span, months_later(self.first, months))


def months_later(day: date, months: int) -> date:
    """The first day of the month so many months after that of a day."""
    number = day.year * MONTHS_OF_A_YEAR + day.month - 1 + months
    return date(number // MONTHS_OF_A_YEAR, number % MONTHS_OF_A_YEAR + 1, 1)


def month_after(day: date) -> date:
    """The first day of the next month."""
    return months_later(day, 1)


def months_before(after: date, count: int) -> Iterator[date]:
    """The first days of the last months that begin before a day, in order."""
    last = (after - timedelta(days=1)).replace(day=1)
    yield from (months_later(last, step) for step in range(1 - count, 1))


def period_of(span: Span, on: date) -> Period:
    """The week (from Monday), month, quarter or year that holds a day."""
    match span:
        case Span.WEEK:
            first = on - timedelta(days=on.weekday())
            return Period(span, first, first + timedelta(weeks=1))
        case Span.MONTH:
            first = on.replace(day=1)
            return Period(span, first, months_later(first, 1))
        case Span.QUARTER:
            into = (on.month - 1) % MONTHS_OF_A_QUARTER
            first = months_later(on, -into)
            return Period(span, first, months_later(first, MONTHS_OF_A_QUARTER))
        case Span.YEAR:
            return Period(span, date(on.year, 1, 1), date(on.year + 1, 1, 1))
        case Span.DAYS:
            return Period(span, on, on + timedelta(days=1))


def asked_period(span: str, on: str, first: str, last: str, today: date) -> Period:
    """A period as addresses have it; the year of today where nothing is said.

    `first` and `last` name days of one's own choice and win over `span` and `on`. Raises
    `FieldInvalid`: `span`, `on`, `from`, `to`.
    """
    if first or last:
        begin = _day("from", first) if first else today.replace(month=1, day=1)
        end = _day("to", last) if last else max(begin, today)
        if end < begin:
            raise FieldInvalid("to", "before_first_day")
        if end - begin > LONGEST:
            raise FieldInvalid("to", "span_too_long", LONGEST.days)
        return Period(Span.DAYS, begin, end + timedelta(days=1))
    try:
        kind = Span(span or Span.YEAR)
    except ValueError:
        raise FieldInvalid("span", "unknown", span[:40]) from None
    return period_of(kind, _day("on", on) if on else today)


def _day(field: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise FieldInvalid(field, "not_a_date") from None
    # Months before and after have to be days, too.
    if not date(1900, 1, 1) <= day <= date(2999, 12, 31):
        raise FieldInvalid(field, "not_a_date")
    return day
