"""The line test of one point, made for a thumb: five items, each answered with one press."""

from datetime import datetime

import msgspec
from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.reading import RowId
from meetings_server.web.line_test_words import (
    FAULT_TEXTS,
    ITEMS,
    LINE_TEST_WORDS,
    MEASURED_TROUBLE,
    QUESTIONS,
)
from meetings_server.web.meeting_words import word
from meetings_server.web.pages import FormErrors, PageRequest, render, text_of
from rooms.attendance import Source
from rooms.bridge_points import BridgePoint
from rooms.go_decisions import standing_decision
from rooms.hierarchy import Unit
from rooms.kernel import DomainError, FieldInvalid, utcnow
from rooms.line_test_faults import open_fault
from rooms.line_tests import (
    LineItem,
    LineTestClosed,
    LineTested,
    Outcome,
    Result,
    Said,
    history,
    open_for_test,
    read_test,
    report_line_test,
)
from rooms.meetings import Participation
from rooms.policies import Actor
from rooms.self_tests import Measured, attach, latest_of

Errors = dict[str, list[str]]


def _page(
    request: PageRequest,
    session: Session,
    meeting_id: int,
    point_id: int,
    now: datetime,
    errors: Errors | None = None,
    status: int = HTTP_200_OK,
) -> Response[str]:
    """Everything of the page. Raises as `require_check_in`."""
    meeting, standing = read_test(session, request.user.actor, meeting_id, point_id, now)
    point, unit = session.execute(
        select(BridgePoint, Unit)
        .join(Participation, Participation.point_id == BridgePoint.id)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(Participation.meeting_id == meeting.id, BridgePoint.id == point_id)
    ).one()
    try:
        open_for_test(session, meeting.id, now)
        closed = ""
    except LineTestClosed as refusal:
        closed = refusal.state
    return render(
        request,
        "line_tests/point.html",
        status=status,
        meeting=meeting,
        point=point,
        unit=unit,
        outcome=standing.outcome if standing else Outcome.UNTESTED.value,
        tested_at=standing.tested_at if standing else None,
        items=[
            {
                "key": item.value,
                "question": _(QUESTIONS[item]),
                "result": (standing.result_of(item) if standing else Result.UNTESTED).value,
                "note": standing.notes.get(item, "") if standing else "",
                "fault": standing.faults.get(item) if standing else None,
            }
            for item in LineItem
        ],
        lines=history(session, meeting, point_id),
        measured=latest_of(session, meeting.id, point_id),
        decision=standing_decision(session, meeting),
        closed=closed,
        errors=errors or {},
        labels={key: _(label) for key, label in ITEMS.items()},
        **LINE_TEST_WORDS,
    )


@get(
    "/check-in/{meeting_id:int}/{point_id:int}/line-test",
    include_in_schema=False,
    sync_to_thread=True,
)
def line_test_page(
    request: PageRequest, db: Database, meeting_id: RowId, point_id: RowId
) -> Response[str]:
    with db.reader() as session:
        return _page(request, session, meeting_id, point_id, utcnow())


@post(
    "/check-in/{meeting_id:int}/{point_id:int}/line-test",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def line_test_post(
    request: PageRequest, form: FormMultiDict, db: Database, meeting_id: RowId, point_id: RowId
) -> Response[str]:
    """One item, or a fault of the equipment for its problem; the answer is the page as it is then."""
    now = utcnow()
    actor = request.user.actor
    try:
        with db.transaction() as session:
            if text_of(form, "act") == "fault":
                _open_fault(session, actor, meeting_id, point_id, text_of(form, "item"), now)
            else:
                report_line_test(session, actor, _said(form, meeting_id, point_id), now)
    except DomainError as refusal:
        told = FormErrors.of(refusal)
        with db.reader() as session:
            fields = dict(told.fields)
            return _page(request, session, meeting_id, point_id, now, fields, told.status)
    with db.reader() as session:
        return _page(request, session, meeting_id, point_id, now)


def _said(form: FormMultiDict, meeting_id: int, point_id: int) -> LineTested:
    note = text_of(form, "note") if "note" in form else None
    said = {text_of(form, "item"): Said(text_of(form, "result"), note)}
    return LineTested(meeting_id, point_id, said, Source.PAGE)


def _open_fault(
    session: Session, actor: Actor, meeting_id: int, point_id: int, name: str, now: datetime
) -> None:
    try:
        item = LineItem(name)
    except ValueError:
        raise FieldInvalid("item", "unknown", name[:40]) from None
    text = word(FAULT_TEXTS, item)
    open_fault(session, actor, meeting_id, point_id, item, text, Source.PAGE, now)


class MeasuredIn(msgspec.Struct, forbid_unknown_fields=True):
    """What the test page of the browser sends."""

    verdicts: dict[str, str]
    figures: dict[str, float]
    browser: str = ""


@post(
    "/check-in/{meeting_id:int}/{point_id:int}/line-test/measured",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def attach_measurement(
    request: PageRequest,
    db: Database,
    meeting_id: RowId,
    point_id: RowId,
    data: JSONBody[MeasuredIn],
) -> dict[str, str]:
    """Keep what a browser has measured, and fill in what follows from it."""
    notes = {item: word(MEASURED_TROUBLE, item) for item in MEASURED_TROUBLE}
    measured = Measured(data.verdicts, data.figures, data.browser)
    with db.transaction() as session:
        _kept, standing = attach(
            session, request.user.actor, meeting_id, point_id, measured, notes, utcnow()
        )
        return {"outcome": standing.outcome}


HANDLERS = [attach_measurement, line_test_page, line_test_post]
