"""The languages of the screen: catalogues, and dates as Vietnamese offices write them.

The text in the code is English and is the key of the catalogues; Vietnamese is the default on the
screen. The language of a request lives in a context variable that the middleware sets.
"""

from contextvars import ContextVar
from datetime import date, datetime, timedelta
from functools import cache
from gettext import NullTranslations
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from babel.messages.pofile import read_po

from rooms.kernel import CIVIL_ZONE

LANGUAGES = ("vi", "en")
DEFAULT_LANGUAGE = "vi"

current_language: ContextVar[str] = ContextVar("current_language", default=DEFAULT_LANGUAGE)


class Catalogue(NullTranslations):
    """The messages of one language, read from its `.po` files when the server starts."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.messages: dict[str, tuple[str, ...]] = {}
        folder = files("meetings_server").joinpath("translations", language)
        if not folder.is_dir():
            return
        for entry in sorted(folder.iterdir(), key=lambda found: found.name):
            if entry.name.endswith(".po"):
                with entry.open("rb") as source:
                    self._read(source, language)

    def _read(self, source: Any, language: str) -> None:
        for message in read_po(source, locale=language):
            if not message.id or not message.string or message.fuzzy:
                continue
            key = message.id if isinstance(message.id, str) else message.id[0]
            said = message.string
            self.messages[key] = (said,) if isinstance(said, str) else tuple(said)

    def gettext(self, message: str) -> str:
        return self.messages.get(message, (message,))[0]

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        said = self.messages.get(msgid1)
        if said:
            return said[0]  # Vietnamese has one form.
        return msgid1 if n == 1 else msgid2


@cache
def catalogue(language: str) -> Catalogue:
    return Catalogue(language)


def _(message: str) -> str:
    """The text in the language of the request."""
    return catalogue(current_language.get()).gettext(message)


def ngettext(singular: str, plural: str, number: int) -> str:
    """The text for a number in the language of the request; `%(num)s` is left to the caller."""
    return catalogue(current_language.get()).ngettext(singular, plural, number)


def mark(message: str) -> str:
    """Name a text for the catalogues where it is not yet to be translated."""
    return message


_WEEKDAYS_VI = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật")
_WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _local(instant: datetime, zone: str | None) -> datetime:
    return instant.astimezone(ZoneInfo(zone) if zone else CIVIL_ZONE)


def weekday(value: date) -> str:
    names = _WEEKDAYS_VI if current_language.get() == "vi" else _WEEKDAYS_EN
    return names[value.weekday()]


def day(value: date | datetime, zone: str | None = None) -> str:
    """`Thứ Hai, 23/11/2026`."""
    if isinstance(value, datetime):
        value = _local(value, zone).date()
    return f"{weekday(value)}, {value:%d/%m/%Y}"


def short_day(value: date | datetime, zone: str | None = None) -> str:
    """`23/11/2026`."""
    if isinstance(value, datetime):
        value = _local(value, zone).date()
    return f"{value:%d/%m/%Y}"


def last_day(end: date) -> str:
    """The last day before the end of a span of days, `30/11/2026`: what people write."""
    return short_day(end - timedelta(days=1))


def clock(value: datetime, zone: str | None = None) -> str:
    """`08:00`."""
    return f"{_local(value, zone):%H:%M}"


def clock_seconds(value: datetime, zone: str | None = None) -> str:
    """`08:00:31`."""
    return f"{_local(value, zone):%H:%M:%S}"


def daytime(value: datetime, zone: str | None = None) -> str:
    """`08:00, 23/11/2026`."""
    return f"{_local(value, zone):%H:%M, %d/%m/%Y}"


def interval(starts_at: datetime, ends_at: datetime, zone: str | None = None) -> str:
    """`Thứ Hai, 23/11/2026, 08:00–10:30`; the end names its day where that is another."""
    start, end = _local(starts_at, zone), _local(ends_at, zone)
    if start.date() == end.date():
        return f"{day(start.date())}, {start:%H:%M}–{end:%H:%M}"
    return f"{day(start.date())}, {start:%H:%M} – {day(end.date())}, {end:%H:%M}"


def grouped(number: int) -> str:
    """`31.097` in Vietnamese, `31,097` in English: as the scripts of the board write figures too."""
    return f"{number:,}".replace(",", "." if current_language.get() == "vi" else ",")


FILTERS: dict[str, Any] = {
    "clock": clock,
    "clock_seconds": clock_seconds,
    "day": day,
    "daytime": daytime,
    "grouped": grouped,
    "last_day": last_day,
    "short_day": short_day,
    "weekday": weekday,
}
