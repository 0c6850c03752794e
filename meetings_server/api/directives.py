"""Directives: drafts and their files, issuing, sending, receipts, recall."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, BinaryIO, cast

import msgspec
from litestar import Response, get, patch, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, JSONBody, PathParameter, QueryParameter
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.api.directive_shapes import (
    CirculateIn,
    CirculationOut,
    DirectiveIn,
    DirectiveOut,
    DirectivePatch,
    FileOut,
    IssueIn,
    RecallIn,
    ReceiptIn,
    ReceiptOut,
    SentOut,
    shape_directives,
    shape_file,
    shape_progress,
    shape_receipt,
)
from meetings_server.api.idempotency import IdempotencyKey, once
from meetings_server.api.paging import Cursor, Limit, Page, after, page_of
from meetings_server.database import Database
from meetings_server.settings import Settings
from meetings_server.web.directive_page import send_file
from minutes.circulation import acknowledge, circulate, forward, mark, recall
from minutes.directives import Directive, DirectiveState
from minutes.issuing import NewDirective, add_file, draft_directive, issue, require_open
from minutes.progress import progress
from minutes.receipts import Step, directive_to_change, visible_directive, visible_directives
from minutes.redrafting import change_draft, declared
from minutes.storage import MEGABYTE, FolderStore
from rooms.audience import parse_rules
from rooms.folding import folded_pattern
from rooms.hierarchy import unit_by_code
from rooms.kernel import LARGEST_ID, civil_day, utcnow
from rooms.policies import Actor

FileNumber = Annotated[int, PathParameter(ge=1, le=LARGEST_ID)]


@dataclass(frozen=True, slots=True)
class FileIn:
    """The file stands in the part called `data`; a part without a file name is text, and refused."""

    data: UploadFile


def _shown(session: Session, actor: Actor, directive_id: int, on: date) -> DirectiveOut:
    directive = visible_directive(session, actor, directive_id, on)
    return shape_directives(session, [directive])[0]


@get("/directives", sync_to_thread=True, summary="Directives the caller may see")
def list_directives(
    request: ApiRequest,
    db: Database,
    unit: Annotated[
        str | None, QueryParameter(max_length=20, description="Issued by this unit")
    ] = None,
    directive_state: Annotated[DirectiveState | None, QueryParameter(name="state")] = None,
    q: Annotated[
        str | None, QueryParameter(max_length=200, description="Ignores diacritics and case")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DirectiveOut]:
    today = civil_day(utcnow())
    with db.reader() as session:
        query = (
            select(Directive)
            .where(visible_directives(request.user.actor, today), Directive.id > after(cursor))
            .order_by(Directive.id)
            .limit(limit + 1)
        )
        if unit is not None:
            query = query.where(Directive.issuing_unit_id == unit_by_code(session, unit, today).id)
        if directive_state is not None:
            query = query.where(Directive.state == directive_state.value)
        if q:
            query = query.where(Directive.folded.like(folded_pattern(q), escape="\\"))
        shown = shape_directives(session, session.scalars(query).all())
        return page_of(shown, limit, lambda one: one.id, lambda one: one)


@post("/directives", sync_to_thread=True, summary="Make a draft")
def create_directive(
    request: ApiRequest,
    db: Database,
    data: JSONBody[DirectiveIn],
    idempotency_key: IdempotencyKey = None,
) -> Response[DirectiveOut]:
    """Its files follow with `POST /directives/{id}/files`.

    A state secret is refused with 422 `state_secret_refused`, and nothing of it is kept.
    """
    now = utcnow()
    actor, today = request.user.actor, civil_day(now)
    # Before anything is written down, also the answer that a key remembers.
    require_open(data.secrecy.value)
    with db.transaction() as session:

        def work() -> tuple[int, DirectiveOut]:
            new = NewDirective(
                issuing_unit_id=unit_by_code(session, data.issuing_unit, today).id,
                kind=data.kind.value,
                symbol=data.symbol,
                title=data.title,
                signed_by_name=data.signed_by_name,
                signed_by_title=data.signed_by_title,
                document_date=data.document_date,
                secrecy=data.secrecy.value,
                urgency=data.urgency.value,
                number=data.number,
                deadline=data.deadline,
                meeting_id=data.meeting,
            )
            directive = draft_directive(session, actor, new, now)
            return HTTP_201_CREATED, _shown(session, actor, directive.id, today)

        return once(session, request, idempotency_key, data, now, work)


@get("/directives/{directive_id:int}", sync_to_thread=True, summary="One directive")
def get_directive(request: ApiRequest, db: Database, directive_id: Id) -> DirectiveOut:
    with db.reader() as session:
        return _shown(session, request.user.actor, directive_id, civil_day(utcnow()))


@patch("/directives/{directive_id:int}", sync_to_thread=True, summary="Change a draft")
def patch_directive(
    request: ApiRequest, db: Database, directive_id: Id, data: JSONBody[DirectivePatch]
) -> DirectiveOut:
    """What has been issued no longer changes: 409. Files are added with `POST …/files`."""
    now, actor = utcnow(), request.user.actor
    today = civil_day(now)
    if data.secrecy is not msgspec.UNSET:
        require_open(data.secrecy.value)
    with db.transaction() as session:
        directive = visible_directive(session, actor, directive_id, today)
        said: dict[str, Any] = {
            _FIELDS.get(name, name): value
            for name, value in msgspec.structs.asdict(data).items()
            if value is not msgspec.UNSET and name not in {"remove_files", "version"}
        }
        if "issuing_unit_id" in said:
            said["issuing_unit_id"] = unit_by_code(session, said["issuing_unit_id"], today).id
        for name in {"kind", "secrecy", "urgency"} & said.keys():
            said[name] = said[name].value
        change_draft(
            session,
            actor,
            directive_id,
            replace(declared(directive), **said),
            now,
            version=data.version,
            removed=data.remove_files,
        )
        return _shown(session, actor, directive_id, today)


_FIELDS = {"issuing_unit": "issuing_unit_id", "meeting": "meeting_id"}


@post("/directives/{directive_id:int}/files", sync_to_thread=True, summary="Add a file to a draft")
def upload_file(
    request: ApiRequest,
    db: Database,
    settings: Settings,
    directive_id: Id,
    data: Annotated[FileIn, Body(media_type=RequestEncodingType.MULTI_PART)],
) -> FileOut:
    """The first is the document itself, PDF or DOCX; the same content is not added twice."""
    now = utcnow()
    with db.transaction() as session:
        # Whoever may not add shall not fill the disk.
        directive_to_change(session, request.user.actor, directive_id, civil_day(now))
    with data.data.file as stream:
        received = FolderStore(settings.files).put(
            cast("BinaryIO", stream),  # a spooled file reads like one
            data.data.content_type,
            data.data.filename,
            settings.max_upload_mb * MEGABYTE,
        )
    with db.transaction() as session:
        return shape_file(add_file(session, request.user.actor, directive_id, received, now))


@post(
    "/directives/{directive_id:int}/issue",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Issue a draft with a number",
)
def issue_directive(
    request: ApiRequest, db: Database, directive_id: Id, data: JSONBody[IssueIn]
) -> DirectiveOut:
    now = utcnow()
    with db.transaction() as session:
        issue(session, request.user.actor, directive_id, now, data.number)
        return _shown(session, request.user.actor, directive_id, civil_day(now))


@post(
    "/directives/{directive_id:int}/circulate",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Send it to units, or pass it on",
)
def circulate_directive(
    request: ApiRequest, db: Database, directive_id: Id, data: JSONBody[CirculateIn]
) -> SentOut:
    """Who has it already is left alone, so that the same call again sends nothing twice."""
    now, actor = utcnow(), request.user.actor
    rules = parse_rules(data.audience)
    with db.transaction() as session:
        if data.from_unit is None:
            sent = circulate(session, actor, directive_id, rules, data.deadline, now)
        else:
            sender = unit_by_code(session, data.from_unit, civil_day(now))
            sent = forward(session, actor, directive_id, sender.id, rules, data.deadline, now)
        return SentOut([node.code for node in sent.added], sent.already)


@post(
    "/directives/{directive_id:int}/recall",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Take it back, with the reason",
)
def recall_directive(
    request: ApiRequest, db: Database, directive_id: Id, data: JSONBody[RecallIn]
) -> DirectiveOut:
    now = utcnow()
    with db.transaction() as session:
        recall(session, request.user.actor, directive_id, data.reason, now)
        return _shown(session, request.user.actor, directive_id, civil_day(now))


@post(
    "/directives/{directive_id:int}/receipts",
    sync_to_thread=True,
    status_code=HTTP_200_OK,
    summary="Note that a unit received, read or confirmed it",
)
def post_receipt(
    request: ApiRequest, db: Database, directive_id: Id, data: JSONBody[ReceiptIn]
) -> ReceiptOut:
    now, actor = utcnow(), request.user.actor
    with db.transaction() as session:
        visible_directive(session, actor, directive_id, civil_day(now))
        unit = unit_by_code(session, data.unit, civil_day(now))
        if data.step == Step.ACKNOWLEDGED.value:
            receipt = acknowledge(session, actor, directive_id, unit.id, now, data.note)
        else:
            receipt = mark(session, actor, directive_id, unit.id, Step(data.step), now)
        return shape_receipt(session, receipt, now)


@get(
    "/directives/{directive_id:int}/circulation",
    sync_to_thread=True,
    summary="Who has it, who read it, who confirmed, who is late",
)
def get_circulation(request: ApiRequest, db: Database, directive_id: Id) -> CirculationOut:
    """All of it for the issuing unit; a recipient sees its own receipt and those below it."""
    now, actor = utcnow(), request.user.actor
    with db.reader() as session:
        visible_directive(session, actor, directive_id, civil_day(now))
        return shape_progress(progress(session, actor, directive_id, now))


@get(
    "/directives/{directive_id:int}/files/{n:int}",
    sync_to_thread=True,
    summary="A file, checked against its hash",
    media_type="application/octet-stream",
)
def get_file(
    request: ApiRequest, db: Database, settings: Settings, directive_id: Id, n: FileNumber
) -> Stream:
    return send_file(db, settings, request.user.actor, directive_id, n, save=True)


HANDLERS = [
    circulate_directive,
    create_directive,
    get_circulation,
    get_directive,
    get_file,
    issue_directive,
    list_directives,
    patch_directive,
    post_receipt,
    recall_directive,
    upload_file,
]
