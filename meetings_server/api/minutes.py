"""Minutes and tasks for programs."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

import msgspec
from litestar import Response, get, patch, post
from litestar.exceptions import NotFoundException
from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Schema,
)
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.response import Stream
from sqlalchemy.orm import Session

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.api.idempotency import IdempotencyKey, once
from meetings_server.api.minutes_shapes import ContentShape, shape_of, units_in, written
from meetings_server.api.paging import Cursor, Limit, Page, after, page_of
from meetings_server.database import Database
from meetings_server.reading import read_number
from meetings_server.settings import Settings
from meetings_server.web.minutes import minutes_docx, minutes_pdf
from minutes.drafting import open_draft, save, submit
from minutes.file_kinds import DOCX, PDF
from minutes.meeting_minutes import Minutes, minutes_of
from minutes.signing import issue, sign
from minutes.storage import FolderStore
from minutes.tasks import (
    FollowUp,
    ListedTask,
    TaskFilter,
    UnknownTask,
    follow_up,
    tasks_for,
)
from rooms.kernel import LARGEST_ID, FieldInvalid, civil_day, utcnow
from rooms.lineage import asked_unit
from rooms.meetings import visible_meeting


class MinutesShape(msgspec.Struct):
    """`number_symbol`: such as `12/BB-UBND`, "" until issued. `corrects`: id of the old document."""

    id: int
    meeting: int
    state: str
    version: int
    number_symbol: str
    corrects: int | None
    issued_at: datetime | None
    saved_at: datetime
    content: ContentShape


class WriteMinutes(msgspec.Struct, forbid_unknown_fields=True):
    """Without `content` the draft is made and filled in from the meeting.

    With `content` it is saved: `version` is the one this text is based on, 0 or none for the first.
    """

    content: ContentShape | None = None
    version: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ID)] = 0


class TaskOut(msgspec.Struct):
    """A task; `state`: `open`, `overdue`, `done` or `replaced`.

    `lead` and `coordinating` are as in the minutes; `lead_now` is who answers for an open task
    where that unit no longer exists.
    """

    id: int
    minutes: int
    n: int
    text: str
    lead: str
    coordinating: list[str]
    deadline: date
    done_on: date | None
    state: str
    lead_now: str


class ChangeTask(msgspec.Struct, forbid_unknown_fields=True):
    """What became of a task. `done_on` says when it was done, `reopen` that it was not after all."""

    note: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    done_on: date | None = None
    reopen: bool = False


def _shape(session: Session, documents: list[Minutes]) -> list[MinutesShape]:
    texts = [document.written for document in documents]
    units = units_in(session, *texts)
    return [
        MinutesShape(
            id=document.id,
            meeting=document.meeting_id,
            state=document.state,
            version=document.version,
            number_symbol=document.symbol,
            corrects=document.corrects_id,
            issued_at=document.issued_at,
            saved_at=document.saved_at,
            content=shape_of(text, units),
        )
        for document, text in zip(documents, texts, strict=True)
    ]


@get("/meetings/{meeting_id:int}/minutes", sync_to_thread=True, tags=["minutes"])
def read_minutes(request: ApiRequest, db: Database, meeting_id: Id) -> Page[MinutesShape]:
    """The minutes of a meeting that the caller may read, the newest first."""
    on = civil_day(utcnow())
    actor = request.user.actor
    with db.reader() as session:
        visible_meeting(session, actor, meeting_id, on)
        return Page(_shape(session, minutes_of(session, actor, meeting_id, on)))


@post("/meetings/{meeting_id:int}/minutes", sync_to_thread=True, tags=["minutes"])
def write_minutes(
    request: ApiRequest,
    db: Database,
    meeting_id: Id,
    data: JSONBody[WriteMinutes],
    idempotency_key: IdempotencyKey = None,
) -> Response[MinutesShape]:
    """Make the draft (201), or save the text of the one that is open (200)."""
    now = utcnow()
    actor = request.user.actor
    with db.transaction() as session:

        def work() -> tuple[int, MinutesShape]:
            status, minutes = 200, None
            if data.version:
                visible_meeting(session, actor, meeting_id, civil_day(now))
                found = minutes_of(session, actor, meeting_id, civil_day(now))
                minutes = found[0] if found else None
            if minutes is None:
                status, minutes = 201, open_draft(session, actor, meeting_id, now)
            if data.content is not None:
                content = written(session, data.content, civil_day(now), minutes.written)
                version = data.version or minutes.version
                minutes = save(session, actor, minutes.id, content, version, now)
            return status, _shape(session, [minutes])[0]

        return once(session, request, idempotency_key, data, now, work)


@post("/minutes/{minutes_id:int}/submit", sync_to_thread=True, status_code=200, tags=["minutes"])
def submit_minutes(request: ApiRequest, db: Database, minutes_id: Id) -> MinutesShape:
    """Hand a complete draft to the chair."""
    with db.transaction() as session:
        done = submit(session, request.user.actor, minutes_id, utcnow())
        return _shape(session, [done])[0]


@post("/minutes/{minutes_id:int}/sign", sync_to_thread=True, status_code=200, tags=["minutes"])
def sign_minutes(request: ApiRequest, db: Database, minutes_id: Id) -> MinutesShape:
    """The chair signs; the facts of the meeting are kept as they are now."""
    with db.transaction() as session:
        done = sign(session, request.user.actor, minutes_id, utcnow())
        return _shape(session, [done])[0]


@post("/minutes/{minutes_id:int}/issue", sync_to_thread=True, status_code=200, tags=["minutes"])
def issue_minutes(
    request: ApiRequest, db: Database, settings: Settings, minutes_id: Id
) -> MinutesShape:
    """The chair issues, and signs where that has not been done; nothing changes any more."""
    with db.transaction() as session:
        store = FolderStore(settings.files)
        done = issue(session, request.user.actor, minutes_id, store, utcnow())
        return _shape(session, [done])[0]


Document = Annotated[
    str,
    PathParameter(
        pattern=r"^[1-9][0-9]{0,8}\.(pdf|docx)$",
        description="The id of the minutes with `.pdf` or `.docx`, such as `12.pdf`",
    ),
]


@dataclass
class PaperOperation(Operation):
    """An answer that is one of two kinds of document."""

    def __post_init__(self) -> None:
        paper = OpenAPIMediaType(Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))
        done = (self.responses or {}).get("200")
        if isinstance(done, OpenAPIResponse):
            done.content = {PDF: paper, DOCX: paper}


@get(
    "/minutes/{document:str}",
    sync_to_thread=True,
    tags=["minutes"],
    operation_class=PaperOperation,
)
def minutes_paper(
    request: ApiRequest, db: Database, settings: Settings, document: Document
) -> Stream | Response[bytes]:
    """The minutes as PDF or DOCX after NĐ 30/2020/NĐ-CP; until issued each page says DỰ THẢO."""
    number, _, ending = document.partition(".")
    minutes_id = read_number(number)
    if minutes_id is None or ending not in {"pdf", "docx"}:
        raise NotFoundException
    actor = request.user.actor
    if ending == "pdf":
        return minutes_pdf(db, actor, settings, minutes_id, save=True)
    return minutes_docx(db, actor, minutes_id)


@get("/tasks", sync_to_thread=True, tags=["minutes"])
def list_tasks(
    request: ApiRequest,
    db: Database,
    unit: Annotated[
        str | None, QueryParameter(max_length=20, description="Led or coordinated there or below")
    ] = None,
    overdue: Annotated[
        bool | None, QueryParameter(description="Only these, or only others")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TaskOut]:
    """The tasks that the caller may see, in the order in which they were given."""
    today = civil_day(utcnow())
    with db.reader() as session:
        wanted = TaskFilter(
            within=asked_unit(session, unit, today)[1] if unit else None,
            overdue=overdue,
            past_id=after(cursor),
        )
        rows = tasks_for(session, request.user.actor, wanted, today, limit + 1)
        return page_of(rows, limit, lambda task: task.id, _task)


def _task(task: ListedTask) -> TaskOut:
    return TaskOut(
        task.id,
        task.minutes_id,
        task.n,
        task.text,
        task.lead_code,
        list(task.coordinating_codes),
        task.deadline,
        task.done_on,
        task.state.value,
        task.lead_now_code or task.lead_code,
    )


@patch("/tasks/{task_id:int}", sync_to_thread=True, tags=["minutes"])
def change_task(
    request: ApiRequest, db: Database, task_id: Id, data: JSONBody[ChangeTask]
) -> TaskOut:
    """Write a line of the follow-up, and say whether the task is done."""
    now = utcnow()
    actor = request.user.actor
    if data.reopen and data.done_on is not None:
        raise FieldInvalid("reopen", "contradiction")
    with db.transaction() as session:
        said = FollowUp(data.note, data.done_on, data.reopen)
        follow_up(session, actor, task_id, said, now)
        found = tasks_for(session, actor, TaskFilter(task_id=task_id), civil_day(now), 1)
        if not found:
            raise UnknownTask(task_id)
        return _task(found[0])


HANDLERS = [
    read_minutes,
    write_minutes,
    submit_minutes,
    sign_minutes,
    issue_minutes,
    minutes_paper,
    list_tasks,
    change_task,
]
