"""Days in the cells of a list: as programs write them and as people do."""

import re
from datetime import date

DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}"

_WRITTEN = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", re.ASCII)
YEARS = range(1900, 2200)


def day_of(text: str) -> date | None:
    """`2026-11-23` or `23/11/2026`; None for what is no day."""
    written = _WRITTEN.fullmatch(text)
    try:
        if written:
            found = date(int(written[3]), int(written[2]), int(written[1]))
        else:
            found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in YEARS else None
