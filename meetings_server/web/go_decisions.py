"""Go or no-go on the page: deciding, and what holds now for pages that watch a meeting."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK

from meetings_server.database import Database
from meetings_server.reading import RowId, read_number
from meetings_server.web.pages import FormErrors, PageRequest, fragment, see_other, text_of
from meetings_server.web.readiness import readiness_view
from rooms.go_decisions import decide, standing_decision
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.meetings import visible_meeting


@get("/meetings/{meeting_id:int}/decision", include_in_schema=False, sync_to_thread=True)
def decision_part(request: PageRequest, db: Database, meeting_id: RowId) -> Response[str]:
    """What holds now, as a part of a page; empty where nobody has decided."""
    with db.reader() as session:
        meeting = visible_meeting(session, request.user.actor, meeting_id, civil_day(utcnow()))
        decision = standing_decision(session, meeting)
        return fragment("line_tests/decision.html", decision=decision)


@post(
    "/meetings/{meeting_id:int}/decision",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def decide_post(
    request: PageRequest, form: FormMultiDict, db: Database, meeting_id: RowId
) -> Response[Any]:
    now = utcnow()
    typed = {name: text_of(form, name) for name in ("verdict", "reason", "after")}
    try:
        _decide(request, db, meeting_id, typed, now)
    except DomainError as refusal:
        told = FormErrors.of(refusal)
        with db.reader() as session:
            fields = dict(told.fields)
            return readiness_view(request, session, meeting_id, now, fields, typed, told.status)
    return see_other(f"/meetings/{meeting_id}/readiness", "decided")


def _decide(
    request: PageRequest, db: Database, meeting_id: int, typed: dict[str, str], now: datetime
) -> None:
    after = read_number(typed["after"])
    if after is None:
        raise FieldInvalid("after", "missing")
    with db.transaction() as session:
        decide(
            session,
            request.user.actor,
            meeting_id,
            typed["verdict"],
            typed["reason"],
            now,
            after=after,
        )


HANDLERS = [decide_post, decision_part]
