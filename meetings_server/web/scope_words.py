"""What the scopes of API tokens are called on the screen."""

from meetings_server.i18n import _, mark
from meetings_server.identity.tokens import EVERYTHING

# Area → its scopes, as the form groups them.
AREAS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (mark("Units and people"), ("units:read", "people:read")),
    (mark("Bridge points"), ("bridge-points:read", "bridge-points:write")),
    (mark("Meetings"), ("meetings:read", "meetings:write", "replies:write")),
    (mark("Attendance"), ("attendance:read", "attendance:write")),
    (mark("Minutes and tasks"), ("minutes:read", "minutes:write", "tasks:read", "tasks:write")),
    (mark("Documents"), ("directives:read", "directives:write", "receipts:write")),
    (mark("Search"), ("search:read",)),
    (mark("Reports"), ("reports:read",)),
    (mark("Record of changes"), ("audit:read",)),
)

WORDS: dict[str, str] = {
    EVERYTHING: mark("Everything that I may do"),
    "units:read": mark("See units"),
    "people:read": mark("See the directory of people"),
    "bridge-points:read": mark("See bridge points"),
    "bridge-points:write": mark("Change bridge points"),
    "meetings:read": mark("See meetings and free times"),
    "meetings:write": mark("Book, change and run meetings"),
    "replies:write": mark("Answer invitations"),
    "attendance:read": mark("See attendance, also live"),
    "attendance:write": mark("Check rooms in"),
    "minutes:read": mark("Read minutes"),
    "minutes:write": mark("Write and issue minutes"),
    "tasks:read": mark("See tasks"),
    "tasks:write": mark("Follow up tasks"),
    "directives:read": mark("Read documents"),
    "directives:write": mark("Draft, issue and send documents"),
    "receipts:write": mark("Confirm documents"),
    "search:read": mark("Search"),
    "reports:read": mark("Read reports"),
    "audit:read": mark("Read the record of changes"),
}


def scope_word(scope: str) -> str:
    """A scope in the language of the request."""
    return _(WORDS[scope])
