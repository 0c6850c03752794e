"""Minutes to read: on the meeting's page, as printed, version by version, and the list of all.

Writing them stands in `minutes_editing`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Response, get
from litestar.response import Stream
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from meetings_server.api.minutes_shapes import units_in
from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.reading import read_number
from meetings_server.settings import Settings
from meetings_server.web.downloads import disposition, file_answer, note_download
from meetings_server.web.pages import PageRequest, render
from minutes.content import Content, content_of, differences
from minutes.file_kinds import DOCX, PDF
from minutes.meeting_minutes import (
    Minutes,
    MinutesState,
    MinutesVersion,
    UnknownMinutes,
    minutes_of,
    minutes_to_read,
    readable,
    versions_of,
)
from minutes.signing import draw_docx, draw_pdf, facts_to_show, filename
from minutes.storage import FolderStore
from minutes.tasks import TaskFilter, tasks_for
from rooms.folding import has_words
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, MeetingState, visible_meeting
from rooms.policies import Actor, Permission, holds

PAGE_ROWS = 50
LONGEST_QUERY = 100
WRITABLE = frozenset({MeetingState.ENDED.value, MeetingState.CONCLUDED.value})


@dataclass(frozen=True, slots=True)
class Rights:
    """What the actor may do with the minutes of a meeting."""

    write: bool
    chair: bool


def rights_of(session: Session, actor: Actor, meeting: Meeting, now: datetime) -> Rights:
    today = civil_day(now)
    host = meeting.host_unit_id
    return Rights(
        holds(session, actor, Permission.MINUTES_WRITE, host, today),
        meeting.chair_id == actor.principal_id
        and holds(session, actor, Permission.MINUTES_REVIEW, host, today),
    )


def minutes_view(
    request: PageRequest,
    session: Session,
    meeting: Meeting,
    documents: list[Minutes],
    minutes: Minutes | None,
    now: datetime,
    *,
    status: int = 200,
    act: str = "",
    errors: dict[str, list[str]] | None = None,
    reason: str = "",
) -> Response[str]:
    """The page of one document: the editor while it is a draft of mine, else for reading.

    After a refused act with what was wrong in its form.
    """
    rights = rights_of(session, request.user.actor, meeting, now)
    shared: dict[str, Any] = {
        "meeting": meeting,
        "documents": documents,
        "minutes": minutes,
        "rights": rights,
        "act": act,
        "act_errors": errors or {},
        "reason": reason,
        "status": status,
    }
    if minutes is None:
        return render(
            request,
            "minutes/none.html",
            has_ended=meeting.state in WRITABLE,
            **shared,
        )
    content = minutes.written
    facts = facts_to_show(session, minutes, meeting)
    units = units_in(session, content)
    edits = minutes.state == MinutesState.DRAFT.value and rights.write
    if edits:
        return render(
            request,
            "minutes/editor.html",
            content=content,
            facts=facts,
            units=units,
            labels=_labels(content),
            **shared,
        )
    tasks = []
    if minutes.state == MinutesState.ISSUED.value:
        wanted = TaskFilter(minutes_id=minutes.id)
        tasks = tasks_for(session, request.user.actor, wanted, civil_day(now), 200)
    return render(request, "minutes/read.html", content=content, facts=facts, tasks=tasks, **shared)


def _labels(content: Content) -> dict[str, str]:
    """What the fields of a draft are called where an error names them."""
    words = {
        "text": _("Task {n}, what is to be done"),
        "lead": _("Task {n}, lead unit"),
        "coordinating": _("Task {n}, coordinating units"),
        "deadline": _("Task {n}, deadline"),
    }
    labels = {"place": _("Place"), "secretary_name": _("Secretary of the meeting")}
    for n in range(1, len(content.tasks) + 1):
        labels |= {f"task-{n}-{part}": word.format(n=n) for part, word in words.items()}
    return labels


@get("/meetings/{meeting_id:int}/minutes", include_in_schema=False, sync_to_thread=True)
def of_meeting(request: PageRequest, db: Database, meeting_id: int) -> Response[str]:
    """The newest document that the actor may read."""
    now = utcnow()
    with db.reader() as session:
        meeting = visible_meeting(session, request.user.actor, meeting_id, civil_day(now))
        documents = _documents(session, request.user.actor, meeting_id, now)
        newest = documents[0] if documents else None
        return minutes_view(request, session, meeting, documents, newest, now)


@get("/minutes/{minutes_id:int}", include_in_schema=False, sync_to_thread=True)
def one(request: PageRequest, db: Database, minutes_id: int) -> Response[str]:
    with db.reader() as session:
        return minutes_page(request, session, minutes_id, utcnow())


def minutes_page(
    request: PageRequest, session: Session, minutes_id: int, now: datetime, **refused: Any
) -> Response[str]:
    """The page of one document. Raises `UnknownMinutes`."""
    actor = request.user.actor
    found = minutes_to_read(session, actor, minutes_id, civil_day(now))
    meeting = session.get_one(Meeting, found.meeting_id)
    documents = _documents(session, actor, meeting.id, now)
    minutes = next(document for document in documents if document.id == minutes_id)
    return minutes_view(request, session, meeting, documents, minutes, now, **refused)


def _documents(session: Session, actor: Actor, meeting_id: int, now: datetime) -> list[Minutes]:
    return minutes_of(
        session,
        actor,
        meeting_id,
        civil_day(now),
        [joinedload(Minutes.saver), joinedload(Minutes.signer), joinedload(Minutes.corrects)],
    )


@get("/minutes/{minutes_id:int}/preview", include_in_schema=False, sync_to_thread=True)
def preview(request: PageRequest, db: Database, minutes_id: int) -> Response[str]:
    """The page as it will be printed."""
    now = utcnow()
    with db.reader() as session:
        minutes = minutes_to_read(session, request.user.actor, minutes_id, civil_day(now))
        meeting = session.get_one(Meeting, minutes.meeting_id)
        rights = rights_of(session, request.user.actor, meeting, now)
        return render(
            request, "minutes/preview.html", minutes=minutes, meeting=meeting, rights=rights
        )


@get("/minutes/{minutes_id:int}/versions", include_in_schema=False, sync_to_thread=True)
def versions(request: PageRequest, db: Database, minutes_id: int) -> Response[str]:
    """Who saved what when; two of them side by side, the last change unless others are asked for.

    Only for those who write and sign: a version that was never issued is nobody else's.
    """
    now = utcnow()
    with db.reader() as session:
        minutes = minutes_to_read(session, request.user.actor, minutes_id, civil_day(now))
        meeting = session.get_one(Meeting, minutes.meeting_id)
        rights = rights_of(session, request.user.actor, meeting, now)
        if not (rights.write or rights.chair):
            raise UnknownMinutes(minutes_id)
        kept = versions_of(session, minutes_id)
        newer = _asked(request, "to", kept[0].version)
        older = _asked(request, "from", max(newer - 1, 1))
        texts = {
            row.version: content_of(row.content)
            for row in session.scalars(
                select(MinutesVersion).where(
                    MinutesVersion.minutes_id == minutes_id,
                    MinutesVersion.version.in_({older, newer}),
                )
            )
        }
        found = None
        if older in texts and newer in texts:
            units = units_in(session, *texts.values())
            names = {unit_id: name for unit_id, (_code, name) in units.items()}
            found = differences(texts[older], texts[newer], names)
        return render(
            request,
            "minutes/versions.html",
            minutes=minutes,
            meeting=meeting,
            rights=rights,
            kept=kept,
            older=older,
            newer=newer,
            differences=found,
        )


def _asked(request: PageRequest, name: str, otherwise: int) -> int:
    number = read_number(request.query_params.get(name, ""))
    return otherwise if number is None else number


@get("/minutes/{minutes_id:int}/paper.pdf", include_in_schema=False, sync_to_thread=True)
def pdf(
    request: PageRequest, db: Database, settings: Settings, minutes_id: int
) -> Stream | Response[bytes]:
    save = "save" in request.query_params
    return minutes_pdf(db, request.user.actor, settings, minutes_id, save=save)


@get("/minutes/{minutes_id:int}/paper.docx", include_in_schema=False, sync_to_thread=True)
def docx(request: PageRequest, db: Database, minutes_id: int) -> Response[bytes]:
    return minutes_docx(db, request.user.actor, minutes_id)


def minutes_pdf(
    db: Database, actor: Actor, settings: Settings, minutes_id: int, *, save: bool
) -> Stream | Response[bytes]:
    """Issued: the stored file, checked against its hash. Before that: drawn as it is now."""
    drawn, file = b"", None
    with db.reader() as session:
        minutes, meeting = _paper(session, actor, minutes_id)
        name = filename(minutes, "pdf")
        if minutes.pdf_sha256 is not None:
            file = FolderStore(settings.files).open(minutes.pdf_sha256)
        else:
            drawn = draw_pdf(minutes, facts_to_show(session, minutes, meeting))
    note_download(db, "minutes", minutes_id, name, record=("meeting", meeting.id), file=file)
    if file is None:
        return _drawn(drawn, name, PDF, inline=not save)
    size = file.seek(0, 2)
    file.seek(0)
    return file_answer(file, name, PDF, size, save=save, ours=True)


def minutes_docx(db: Database, actor: Actor, minutes_id: int) -> Response[bytes]:
    with db.reader() as session:
        minutes, meeting = _paper(session, actor, minutes_id)
        name = filename(minutes, "docx")
        drawn = draw_docx(minutes, facts_to_show(session, minutes, meeting))
    note_download(db, "minutes", minutes_id, name, record=("meeting", meeting.id))
    return _drawn(drawn, name, DOCX, inline=False)


def _paper(session: Session, actor: Actor, minutes_id: int) -> tuple[Minutes, Meeting]:
    minutes = minutes_to_read(
        session, actor, minutes_id, civil_day(utcnow()), [joinedload(Minutes.corrects)]
    )
    return minutes, session.get_one(Meeting, minutes.meeting_id)


def _drawn(content: bytes, name: str, media_type: str, *, inline: bool) -> Response[bytes]:
    return Response(
        content,
        media_type=media_type,
        headers={
            "content-disposition": disposition(name, inline=inline),
            "cache-control": "private, no-store",
        },
    )


@get("/minutes", include_in_schema=False, sync_to_thread=True)
def issued_minutes(request: PageRequest, db: Database) -> Response[str]:
    """All issued minutes that the actor may read, the newest first."""
    today = civil_day(utcnow())
    query = request.query_params.get("q", "")[:LONGEST_QUERY].strip()
    before = _asked(request, "before", 0)
    with db.reader() as session:
        wanted = (
            select(Minutes)
            .where(
                Minutes.state == MinutesState.ISSUED.value,
                readable(request.user.actor, today),
                *has_words(Minutes.folded.expression, query),
            )
            .options(
                joinedload(Minutes.meeting).joinedload(Meeting.host_unit),
                joinedload(Minutes.corrects),
            )
            .order_by(Minutes.issued_at.desc(), Minutes.id.desc())
            .offset(before)
            .limit(PAGE_ROWS + 1)
        )
        rows = list(session.scalars(wanted))
        return render(
            request,
            "minutes/index.html",
            query=query,
            rows=rows[:PAGE_ROWS],
            next_before=before + PAGE_ROWS if len(rows) > PAGE_ROWS else None,
            before=before,
            title=_("Issued minutes"),
        )


HANDLERS = [of_meeting, one, preview, versions, pdf, docx, issued_minutes]
