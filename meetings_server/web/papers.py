"""The papers of a meeting: uploading, taking back, reading.

The list stands on the meeting's page, which includes `papers/list.html` with what
`papers_context()` gives. The booking page reads chosen files with `receive_papers()`.
"""

from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK, HTTP_422_UNPROCESSABLE_ENTITY
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.errors import sentence, status_of
from meetings_server.i18n import _
from meetings_server.settings import Settings
from meetings_server.web.downloads import file_answer, note_download
from meetings_server.web.pages import PageRequest, render, see_other, text_of
from minutes.papers import (
    CLOSED,
    MOST_PAPERS,
    attach_paper,
    paper_to_read,
    papers_due,
    papers_late,
    papers_of,
    withdraw_paper,
)
from minutes.storage import MEGABYTE, FolderStore, ReceivedFile
from rooms.kernel import DomainError, civil_day, utcnow
from rooms.meetings import Meeting, visible_meeting
from rooms.policies import Actor, Permission, holds, require


@dataclass
class ReceivedPapers:
    """The files of a form that were taken, and a sentence for each that was not."""

    files: list[ReceivedFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    status: int = HTTP_422_UNPROCESSABLE_ENTITY


def receive_papers(form: FormMultiDict, settings: Settings, name: str = "papers") -> ReceivedPapers:
    """Put the uploaded files of a form into the store. Call it before the transaction opens.

    A file that no meeting names in the end stays in the store and is nobody's.
    """
    store = FolderStore(settings.files)
    received = ReceivedPapers()
    uploads = [part for part in form.getall(name, []) if isinstance(part, UploadFile)]
    if len(uploads) > MOST_PAPERS:
        received.problems.append(_("Too many; at most {limit}.").format(limit=MOST_PAPERS))
        return received
    for upload in uploads:
        with upload.file as stream:
            try:
                received.files.append(
                    store.put(
                        cast("BinaryIO", stream),  # typeshed does not call it one
                        upload.content_type,
                        upload.filename,
                        settings.max_upload_mb * MEGABYTE,
                    )
                )
            except DomainError as refusal:
                received.status = status_of(refusal)
                received.problems.append(f"{upload.filename[:80]}: {sentence(refusal)}")
    return received


def papers_context(
    session: Session, meeting: Meeting, actor: Actor, settings: Settings
) -> dict[str, Any]:
    """What `papers/list.html` needs; two statements."""
    today = civil_day(utcnow())
    papers = papers_of(session, meeting.id)
    return {
        "meeting_id": meeting.id,
        "papers": papers,
        "papers_due": papers_due(meeting),
        "papers_late": papers_late(meeting, papers, today),
        "may_attach": meeting.state not in CLOSED
        and holds(session, actor, Permission.MEETING_WRITE, meeting.host_unit_id, today),
        "upload_limit_mb": settings.max_upload_mb,
        "paper_errors": {},
        "paper_title": "",
    }


@post(
    "/meetings/{meeting_id:int}/papers",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def add_papers(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings, meeting_id: int
) -> Response[Any]:
    """All chosen files or none."""
    now = utcnow()
    actor = request.user.actor
    title = text_of(form, "title")
    with db.reader() as session:
        # Whoever may not attach shall not fill the disk.
        meeting = visible_meeting(session, actor, meeting_id, civil_day(now))
        require(session, actor, Permission.MEETING_WRITE, meeting.host_unit_id, civil_day(now))
    received = receive_papers(form, settings)
    problems, status = received.problems, received.status
    if not problems and not received.files:
        problems = [_("Choose at least one file.")]
    if not problems:
        try:
            with db.transaction() as session:
                for file in received.files:
                    attach_paper(
                        session,
                        actor,
                        meeting_id,
                        file,
                        now,
                        title=title if len(received.files) == 1 else "",
                    )
            return see_other(f"/meetings/{meeting_id}?tab=papers", "papers_attached")
        except DomainError as refusal:
            problems, status = [sentence(refusal)], status_of(refusal)
    with db.reader() as session:
        meeting = visible_meeting(session, actor, meeting_id, civil_day(now))
        context = papers_context(session, meeting, actor, settings)
        context |= {"paper_errors": {"papers": problems}, "paper_title": title}
        return render(request, "papers/page.html", status=status, meeting=meeting, **context)


@post(
    "/meetings/{meeting_id:int}/papers/{n:int}/withdraw",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def take_back(request: PageRequest, db: Database, meeting_id: int, n: int) -> Response[None]:
    with db.transaction() as session:
        withdraw_paper(session, request.user.actor, meeting_id, n, utcnow())
    return see_other(f"/meetings/{meeting_id}?tab=papers", "paper_withdrawn")


@get("/meetings/{meeting_id:int}/papers/{n:int}", include_in_schema=False, sync_to_thread=True)
def read_paper(
    request: PageRequest, db: Database, settings: Settings, meeting_id: int, n: int
) -> Stream:
    """The right is checked first, then the bytes against their hash, then they leave."""
    with db.reader() as session:
        paper = paper_to_read(session, request.user.actor, meeting_id, n, civil_day(utcnow()))
    file = FolderStore(settings.files).open(paper.sha256)
    about = ("meeting", meeting_id)
    note_download(db, "meeting_paper", f"{meeting_id}/{n}", paper.filename, record=about, file=file)
    return file_answer(file, paper.filename, paper.media_type, paper.size)


HANDLERS = [add_papers, take_back, read_paper]
