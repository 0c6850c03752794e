"""Which page shows which record: the way from an entry to what it is about, and back."""

import re

PAGES: dict[str, str] = {
    "meeting": "/meetings/{}",
    "person": "/admin/people/{}",
    "unit": "/units/{}",
    "bridge_point": "/points/{}",
    "directive": "/directives/{}",
    "minutes": "/minutes/{}",
    "reorganisation": "/admin/reorganisation/{}",
    "fault": "/faults/{}",
}
"""By table, with the place of the key."""

_PATHS = [
    (table, re.compile(re.escape(page).replace(r"\{\}", "([0-9]+)")))
    for table, page in PAGES.items()
]


def page_of(record: str, record_id: str) -> str | None:
    """Where a record can be looked at."""
    return PAGES[record].format(record_id) if record in PAGES and record_id.isdigit() else None


def record_of(path: str) -> str:
    """The record that a page shows, as the filter of the audit page names it: `meeting:12`."""
    for table, page in _PATHS:
        if found := page.fullmatch(path):
            return f"{table}:{found[1]}"
    return ""
