"""Every place and every call of the server: the modules that list their `HANDLERS`."""

from importlib.metadata import version
from typing import Protocol

from litestar import Router
from litestar.openapi.config import OpenAPIConfig
from litestar.types import ControllerRouterHandler

from meetings_server.api import attendance as api_attendance
from meetings_server.api import audit as api_audit
from meetings_server.api import calendars as api_calendars
from meetings_server.api import directives as api_directives
from meetings_server.api import help_calls as api_help_calls
from meetings_server.api import host_messages as api_host_messages
from meetings_server.api import line_tests as api_line_tests
from meetings_server.api import meetings as api_meetings
from meetings_server.api import minutes as api_minutes
from meetings_server.api import point_records as api_point_records
from meetings_server.api import points as api_points
from meetings_server.api import reference
from meetings_server.api import reports as api_reports
from meetings_server.api import search as api_search
from meetings_server.api import units as api_units
from meetings_server.api import video as api_video
from meetings_server.api.calls import PROBLEMS
from meetings_server.api.scopes import PREFIX, ask_for_scopes
from meetings_server.live import roster, socket
from meetings_server.web import (
    account,
    admin,
    audit,
    board,
    checkin,
    circulation,
    devices,
    directive_editing,
    directive_form,
    directive_page,
    directives,
    doors,
    entrance,
    escalation,
    faults,
    feeds,
    go_decisions,
    health,
    help_desk,
    host_messages,
    invitations,
    kiosk,
    line_test,
    list_files,
    list_import,
    loans,
    mailbox,
    meeting_acts,
    meeting_choices,
    meeting_form,
    meeting_page,
    meetings,
    minutes,
    minutes_editing,
    missing,
    notices,
    offline,
    papers,
    people_admin,
    people_logins,
    person_page,
    point_equipment,
    point_outages,
    points,
    readiness,
    reorganisation,
    report_coverage,
    report_files,
    report_meeting,
    reports,
    search,
    second_factor,
    second_step,
    self_test,
    single_sign_on,
    tasks,
    today,
    tokens,
    units,
    video,
    why,
)


class Place(Protocol):
    """A module with handlers."""

    HANDLERS: list[ControllerRouterHandler]


# Pages for people.
PLACES = [
    health,
    entrance,
    second_step,
    single_sign_on,
    today,
    meetings,
    meeting_choices,
    meeting_form,
    meeting_page,
    meeting_acts,
    invitations,
    list_files,
    list_import,
    circulation,
    directive_editing,
    directive_form,
    directive_page,
    directives,
    units,
    reorganisation,
    report_coverage,
    report_files,
    report_meeting,
    reports,
    points,
    point_equipment,
    point_outages,
    faults,
    doors,
    devices,
    board,
    checkin,
    line_test,
    readiness,
    go_decisions,
    self_test,
    offline,
    kiosk,
    search,
    admin,
    audit,
    people_admin,
    person_page,
    loans,
    why,
    account,
    second_factor,
    tokens,
    people_logins,
    feeds,
    notices,
    escalation,
    missing,
    mailbox,
    papers,
    reference,
    roster,
    socket,
    minutes,
    minutes_editing,
    tasks,
    help_desk,
    host_messages,
    video,
]

# Calls for programs, below /api/v1.
CALLS = [
    api_attendance,
    api_audit,
    api_calendars,
    api_directives,
    api_line_tests,
    api_meetings,
    api_point_records,
    api_points,
    api_search,
    api_units,
    api_minutes,
    api_reports,
    api_help_calls,
    api_host_messages,
    api_video,
]


def root_router() -> Router:
    """All routes in one router.

    Litestar 2.25 wraps a threaded handler twice, and answers 500, where two handlers of one path (a
    page and its form) are registered with the application itself.
    """
    called = [handler for place in CALLS for handler in place.HANDLERS]
    for handler in called:
        # A router has no place for answers that all its calls share.
        handler.responses = PROBLEMS | dict(handler.responses or {})
    ask_for_scopes(called, PREFIX)
    calls = Router(PREFIX, route_handlers=called)
    pages = [handler for place in PLACES for handler in place.HANDLERS]
    ask_for_scopes(pages)
    return Router("/", route_handlers=[*pages, calls])


def document() -> OpenAPIConfig:
    """What the OpenAPI document says of itself."""
    return reference.openapi_config(version("meetings-server"))
