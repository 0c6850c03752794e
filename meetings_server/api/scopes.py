"""Which scope of a token each call needs. The words themselves, and the tokens: `identity/tokens.py`.

A scope opens a call; what the call then shows or changes is decided by the roles of the person, as
everywhere. A call that stands nowhere here is opened by a token without bounds only.
"""

from collections.abc import Iterable
from typing import Any

from litestar.handlers import HTTPRouteHandler

from meetings_server.identity.tokens import EVERYTHING, SCOPES

Call = tuple[str, str]
"""Method and path, as the handler has it."""

PREFIX = "/api/v1"

READS: dict[str, tuple[str, ...]] = {
    "units:read": ("/units", "/units/{code:str}"),
    "bridge-points:read": (
        "/bridge-points",
        "/bridge-points/{point_id:int}",
        "/bridge-points/{point_id:int}/outages",
        "/faults",
        "/faults/{fault_id:int}",
    ),
    "people:read": ("/people",),
    "meetings:read": (
        "/meetings",
        "/meetings/{meeting_id:int}",
        "/meetings/{meeting_id:int}/participations",
    ),
    "attendance:read": (
        "/meetings/{meeting_id:int}/attendance",
        "/meetings/{meeting_id:int}/attendance/log",
        "/meetings/{meeting_id:int}/attendance/roster",
        "/meetings/{meeting_id:int}/help",
        "/meetings/{meeting_id:int}/messages",
        "/meetings/{meeting_id:int}/messages/{message_id:int}/receipts",
        "/meetings/{meeting_id:int}/line-tests",
        "/meetings/{meeting_id:int}/line-tests/{point_id:int}",
        "/meetings/{meeting_id:int}/readiness",
        "/meetings/{meeting_id:int}/decisions",
    ),
    "minutes:read": ("/meetings/{meeting_id:int}/minutes", "/minutes/{document:str}"),
    "tasks:read": ("/tasks",),
    "directives:read": (
        "/directives",
        "/directives/{directive_id:int}",
        "/directives/{directive_id:int}/circulation",
        "/directives/{directive_id:int}/files/{n:int}",
    ),
    "search:read": ("/search",),
    "reports:read": (
        "/meetings/{meeting_id:int}/attendance/report",
        "/reports/attendance",
        "/reports/coverage",
    ),
    "audit:read": ("/audit",),
}

WRITES: dict[str, tuple[Call, ...]] = {
    "bridge-points:write": (
        ("POST", "/bridge-points"),
        ("PATCH", "/bridge-points/{point_id:int}"),
        ("POST", "/bridge-points/{point_id:int}/outages"),
        ("PATCH", "/outages/{outage_id:int}"),
        ("POST", "/bridge-points/{point_id:int}/faults"),
        ("PATCH", "/faults/{fault_id:int}"),
    ),
    "meetings:write": (
        ("POST", "/meetings"),
        ("PATCH", "/meetings/{meeting_id:int}"),
        ("POST", "/meetings/{meeting_id:int}/schedule"),
        ("POST", "/meetings/{meeting_id:int}/cancel"),
        ("POST", "/meetings/{meeting_id:int}/postpone"),
        ("POST", "/meetings/{meeting_id:int}/start"),
        ("POST", "/meetings/{meeting_id:int}/end"),
        ("POST", "/meetings/{meeting_id:int}/messages"),
        ("POST", "/meetings/{meeting_id:int}/messages/{message_id:int}/correct"),
        ("POST", "/meetings/{meeting_id:int}/messages/{message_id:int}/withdraw"),
        ("POST", "/meetings/{meeting_id:int}/decisions"),
    ),
    "replies:write": (("POST", "/participations/{participation_id:int}/reply"),),
    "attendance:write": (
        ("POST", "/meetings/{meeting_id:int}/attendance/{point_id:int}"),
        ("POST", "/help/{call_id:int}/take"),
        ("POST", "/help/{call_id:int}/give-back"),
        ("POST", "/help/{call_id:int}/hand-over"),
        ("POST", "/help/{call_id:int}/solve"),
        ("POST", "/meetings/{meeting_id:int}/messages/{message_id:int}/receipts"),
        ("PUT", "/meetings/{meeting_id:int}/line-tests/{point_id:int}"),
    ),
    "minutes:write": (
        ("POST", "/meetings/{meeting_id:int}/minutes"),
        ("POST", "/minutes/{minutes_id:int}/submit"),
        ("POST", "/minutes/{minutes_id:int}/sign"),
        ("POST", "/minutes/{minutes_id:int}/issue"),
    ),
    "tasks:write": (("PATCH", "/tasks/{task_id:int}"),),
    "directives:write": (
        ("POST", "/directives"),
        ("PATCH", "/directives/{directive_id:int}"),
        ("POST", "/directives/{directive_id:int}/files"),
        ("POST", "/directives/{directive_id:int}/issue"),
        ("POST", "/directives/{directive_id:int}/circulate"),
        ("POST", "/directives/{directive_id:int}/recall"),
    ),
    "receipts:write": (("POST", "/directives/{directive_id:int}/receipts"),),
    # A POST because the question is long: nothing is changed.
    "meetings:read": (("POST", "/meetings/slots"),),
}

LIVE = "attendance:read"
"""What a program watches live (`live/`); a check-in over the line needs `attendance:write` too."""
LIVE_CHECK_IN = "attendance:write"

NEEDED: dict[Call, str] = {
    **{("GET", PREFIX + path): scope for scope, paths in READS.items() for path in paths},
    **{(method, PREFIX + path): scope for scope, calls in WRITES.items() for method, path in calls},
    ("GET", "/live/meetings/{meeting_id:int}/roster"): LIVE,
}


def scope_of(handler: HTTPRouteHandler, prefix: str = "") -> str:
    """The scope that a handler needs; all its methods and paths need the same one."""
    calls = [
        (str(method), prefix + path) for method in handler.http_methods for path in handler.paths
    ]
    (scope,) = {NEEDED.get(call, EVERYTHING) for call in calls}
    return scope


def ask_for_scopes(handlers: Iterable[Any], prefix: str = "") -> None:
    """Write the scope at each handler, for the guard and, below a prefix, for the OpenAPI document."""
    for handler in handlers:
        if not isinstance(handler, HTTPRouteHandler) or handler.opt.get("public"):
            continue
        scope = scope_of(handler, prefix)
        handler.opt["scope"] = scope
        if prefix:
            handler.security = [{"token": [scope]}]


def scopes_in_words() -> str:
    """For the description of the OpenAPI document."""
    return ", ".join(f"`{scope}`" for scope in SCOPES)
