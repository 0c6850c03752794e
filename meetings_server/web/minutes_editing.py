"""Writing minutes: the first draft, autosave, submit, send back, sign and issue, correct."""

from collections.abc import Callable
from typing import Any

from litestar import Response, post
from litestar.datastructures import FormMultiDict
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_409_CONFLICT
from sqlalchemy.orm import Session

from meetings_server.api.minutes_shapes import SaveShape, units_in, written
from meetings_server.database import Database
from meetings_server.errors import sentence
from meetings_server.i18n import clock_seconds
from meetings_server.settings import Settings
from meetings_server.web.minutes import minutes_page
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from minutes.content import Content, checked, differences
from minutes.drafting import (
    MinutesExist,
    MinutesStale,
    correct,
    open_draft,
    save,
    send_back,
    submit,
)
from minutes.meeting_minutes import Minutes, minutes_to_read
from minutes.signing import issue
from minutes.storage import FolderStore
from rooms.kernel import DomainError, civil_day, utcnow

ACT: dict[str, Any] = {
    "include_in_schema": False,
    "sync_to_thread": True,
    "status_code": HTTP_200_OK,
}


@post("/meetings/{meeting_id:int}/minutes", **ACT)
def begin(request: PageRequest, db: Database, meeting_id: int) -> Response[None]:
    """Make the first draft; where somebody has made it meanwhile, go on with theirs."""
    try:
        with db.transaction() as session:
            open_draft(session, request.user.actor, meeting_id, utcnow())
    except MinutesExist as there:
        return see_other(f"/minutes/{there.minutes}")
    return see_other(f"/meetings/{meeting_id}/minutes", "minutes_opened")


@post("/minutes/{minutes_id:int}/save", **ACT)
def autosave(
    request: PageRequest, db: Database, minutes_id: int, data: JSONBody[SaveShape]
) -> Response[Any]:
    """Keep the text; where somebody else saved meanwhile, what differs from theirs."""
    now = utcnow()
    actor = request.user.actor
    mine = Content()
    try:
        with db.transaction() as session:
            before = minutes_to_read(session, actor, minutes_id, civil_day(now)).written
            mine = checked(written(session, data.content, civil_day(now), before))
            minutes = save(session, actor, minutes_id, mine, data.version, now)
            return Response({"version": minutes.version, "saved": clock_seconds(minutes.saved_at)})
    except MinutesStale as stale:
        with db.reader() as session:
            minutes = minutes_to_read(session, actor, minutes_id, civil_day(now))
            theirs = minutes.written
            names = {unit: name for unit, (_c, name) in units_in(session, theirs, mine).items()}
            return render(
                request,
                "minutes/conflict.html",
                status=HTTP_409_CONFLICT,
                detail=sentence(stale),
                current=minutes.version,
                saved_by=stale.saved_by,
                differences=differences(theirs, mine, names),
            )


@post("/minutes/{minutes_id:int}/submit", **ACT)
def hand_in(request: PageRequest, db: Database, minutes_id: int) -> Response[Any]:
    return _act(
        request,
        db,
        minutes_id,
        "submit",
        "minutes_submitted",
        lambda session, now: submit(session, request.user.actor, minutes_id, now),
    )


@post("/minutes/{minutes_id:int}/send-back", **ACT)
def return_it(
    request: PageRequest, db: Database, form: FormMultiDict, minutes_id: int
) -> Response[Any]:
    reason = text_of(form, "reason")
    return _act(
        request,
        db,
        minutes_id,
        "send-back",
        "minutes_sent_back",
        lambda session, now: send_back(session, request.user.actor, minutes_id, reason, now),
        reason,
    )


@post("/minutes/{minutes_id:int}/issue", **ACT)
def sign_and_issue(
    request: PageRequest, db: Database, settings: Settings, minutes_id: int
) -> Response[Any]:
    store = FolderStore(settings.files)
    return _act(
        request,
        db,
        minutes_id,
        "issue",
        "minutes_issued",
        lambda session, now: issue(session, request.user.actor, minutes_id, store, now),
    )


@post("/minutes/{minutes_id:int}/correct", **ACT)
def begin_correction(
    request: PageRequest, db: Database, form: FormMultiDict, minutes_id: int
) -> Response[Any]:
    reason = text_of(form, "reason")
    return _act(
        request,
        db,
        minutes_id,
        "correct",
        "minutes_opened",
        lambda session, now: correct(session, request.user.actor, minutes_id, reason, now),
        reason,
    )


def _act(
    request: PageRequest,
    db: Database,
    minutes_id: int,
    act: str,
    notice: str,
    do: Callable[[Session, Any], Minutes],
    reason: str = "",
) -> Response[Any]:
    """Do it and look at the result; refused, the same page with what is wrong in the act's form."""
    now = utcnow()
    try:
        with db.transaction() as session:
            done = do(session, now)
        return see_other(f"/minutes/{done.id}", notice)
    except DomainError as refusal:
        wrong = FormErrors.of(
            refusal, {"send_back_reason_missing": "reason", "correction_reason_missing": "reason"}
        )
        with db.reader() as session:
            # Raises where the actor may not even read them.
            return minutes_page(
                request,
                session,
                minutes_id,
                now,
                status=wrong.status,
                act=act,
                errors={name: list(said) for name, said in wrong.fields.items()},
                reason=reason,
            )


HANDLERS = [begin, autosave, hand_in, return_it, sign_and_issue, begin_correction]
