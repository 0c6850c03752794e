"""One directive: its paper, its data, the way it goes, and the one act that is mine."""

import logging
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.reading import read_number
from meetings_server.settings import Settings
from meetings_server.web.directive_typing import PLACES
from meetings_server.web.directive_words import kind_word
from meetings_server.web.downloads import file_answer, note_download
from meetings_server.web.meeting_words import LEVELS, word
from meetings_server.web.pages import (
    FormErrors,
    PageRequest,
    fragment,
    render,
    see_other,
    text_of,
)
from minutes.circulation import acknowledge, is_unread, open_directive, recall
from minutes.directives import Directive, DirectiveFile, DirectiveState
from minutes.file_kinds import PDF
from minutes.issuing import discard, issue, proposed_number
from minutes.kinds import DocumentKind
from minutes.progress import Progress, progress, sendings
from minutes.receipts import (
    file_to_read,
    receipts_at_desk,
    rights_on,
    visible_directive,
)
from minutes.storage import FileDamaged, FileMissing, FolderStore
from rooms.directory import with_units_below
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.policies import Actor

log = logging.getLogger(__name__)

POLL_SECONDS = 4
MOST_OPEN = 60
"""Branches of the way shown open at once."""


def _way(request: PageRequest, session: Session, directive_id: int) -> dict[str, Any]:
    """What `directives/way.html` needs; two statements."""
    found = progress(session, request.user.actor, directive_id, utcnow())
    opened = request.query_params.get("open", "")[:2000].split(",")[:MOST_OPEN]
    return {
        "way": found,
        "opened": {code for code in opened if code},
        "signature": signature(found),
        "level_word": lambda level: word(LEVELS, level),
        "directive_id": directive_id,
    }


def signature(found: Progress) -> str:
    """Changes whenever something is to be drawn anew: steps only ever go forward."""
    total = found.total
    return f"{total.sent}-{total.received}-{total.read}-{total.acknowledged}-{total.late}"


def _page(
    request: PageRequest,
    session: Session,
    directive_id: int,
    errors: dict[str, list[str]] | None = None,
    values: dict[str, str] | None = None,
    status: int = HTTP_200_OK,
) -> Response[str]:
    """Seven statements, whatever the number of recipients."""
    actor, on = request.user.actor, civil_day(utcnow())
    directive, rights = rights_on(session, actor, directive_id, on)
    files = session.scalars(
        select(DirectiveFile)
        .where(DirectiveFile.directive_id == directive.id)
        .order_by(DirectiveFile.n)
    ).all()
    is_draft = directive.state == DirectiveState.DRAFT.value
    readable = rights.reads_all or directive.state != DirectiveState.RECALLED.value
    mine = [] if is_draft else receipts_at_desk(session, actor, directive.id, on)
    return render(
        request,
        "directives/page.html",
        status=status,
        directive=directive,
        rights=rights,
        files=files if readable else [],
        previewed=readable and bool(files) and files[0].media_type == PDF,
        mine=mine,
        above_others=with_units_below(session, [receipt.unit_id for receipt in mine], on),
        sendings=sendings(session, directive.id) if rights.reads_all and not is_draft else [],
        proposed=_proposed(session, directive) if is_draft and rights.writes else None,
        kind_word=kind_word,
        errors=errors or {},
        values=values or {},
        poll_seconds=POLL_SECONDS,
        **_way(request, session, directive.id),
    )


def _proposed(session: Session, directive: Directive) -> int:
    kind = DocumentKind(directive.kind)
    return proposed_number(session, directive.issuing_unit_id, kind, directive.year)


@get("/directives/{directive_id:int}", include_in_schema=False, sync_to_thread=True)
def directive_page(request: PageRequest, db: Database, directive_id: int) -> Response[str]:
    """The first look of the recipient's clerk is noted; only that look writes."""
    actor, now = request.user.actor, utcnow()
    with db.reader() as session:
        visible_directive(session, actor, directive_id, civil_day(now))
        unread = is_unread(session, actor, directive_id, now)
    if unread:
        with db.transaction() as session:
            open_directive(session, actor, directive_id, now)
    with db.reader() as session:
        return _page(request, session, directive_id)


@get("/directives/{directive_id:int}/way", include_in_schema=False, sync_to_thread=True)
def way_part(request: PageRequest, db: Database, directive_id: int) -> Response[str]:
    """The way as it stands now; 204 where it is as the page has it (`seen`)."""
    with db.reader() as session:
        visible_directive(session, request.user.actor, directive_id, civil_day(utcnow()))
        context = _way(request, session, directive_id)
        if request.query_params.get("seen") == context["signature"]:
            return Response("", status_code=HTTP_204_NO_CONTENT)
        return fragment("directives/way.html", **context)


def _refused(
    request: PageRequest, db: Database, directive_id: int, refusal: DomainError, **values: str
) -> Response[str]:
    found = FormErrors.of(refusal, PLACES)
    with db.reader() as session:
        return _page(request, session, directive_id, dict(found.fields), values, found.status)


@post(
    "/directives/{directive_id:int}/issue",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def issue_draft(
    request: PageRequest, form: FormMultiDict, db: Database, directive_id: int
) -> Response[Any]:
    said = text_of(form, "number").strip()
    try:
        number = read_number(said)
        if said and number is None:
            raise FieldInvalid("number", "not_a_number")
        with db.transaction() as session:
            issue(session, request.user.actor, directive_id, utcnow(), number)
    except DomainError as refusal:
        return _refused(request, db, directive_id, refusal, number=said)
    return see_other(f"/directives/{directive_id}", "directive_issued")


@post(
    "/directives/{directive_id:int}/discard",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def discard_draft(request: PageRequest, db: Database, directive_id: int) -> Response[None]:
    with db.transaction() as session:
        discard(session, request.user.actor, directive_id, utcnow())
    return see_other("/directives?tab=drafts", "directive_discarded")


@post(
    "/directives/{directive_id:int}/recall",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def recall_directive(
    request: PageRequest, form: FormMultiDict, db: Database, directive_id: int
) -> Response[Any]:
    reason = text_of(form, "reason")
    try:
        with db.transaction() as session:
            recall(session, request.user.actor, directive_id, reason, utcnow())
    except DomainError as refusal:
        return _refused(request, db, directive_id, refusal, reason=reason)
    return see_other(f"/directives/{directive_id}", "directive_recalled")


@post(
    "/directives/{directive_id:int}/acknowledge",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def acknowledge_directive(
    request: PageRequest, form: FormMultiDict, db: Database, directive_id: int
) -> Response[Any]:
    unit, note = text_of(form, "unit"), text_of(form, "note")
    try:
        unit_id = read_number(unit)
        if unit_id is None:
            raise FieldInvalid("unit", "unknown", unit[:40])
        with db.transaction() as session:
            acknowledge(session, request.user.actor, directive_id, unit_id, utcnow(), note)
    except DomainError as refusal:
        return _refused(request, db, directive_id, refusal, note=note)
    return see_other(f"/directives/{directive_id}", "directive_acknowledged")


@get("/directives/{directive_id:int}/files/{n:int}", include_in_schema=False, sync_to_thread=True)
def read_file(
    request: PageRequest, db: Database, settings: Settings, directive_id: int, n: int
) -> Stream:
    save = "save" in request.query_params
    return send_file(db, settings, request.user.actor, directive_id, n, save=save)


def send_file(
    db: Database, settings: Settings, actor: Actor, directive_id: int, n: int, *, save: bool
) -> Stream:
    """The right is checked first, then the bytes against their hash, then they leave.

    Raises as `file_to_read`, and `FileDamaged` or `FileMissing`, which are logged.
    """
    with db.reader() as session:
        file = file_to_read(session, actor, directive_id, n, civil_day(utcnow()))
    try:
        bytes_of = FolderStore(settings.files).open(file.sha256)
    except (FileDamaged, FileMissing):
        log.exception("file %s of directive %s cannot be handed out", n, directive_id)
        raise
    about = ("directive", directive_id)
    note_download(
        db, "directive_file", f"{directive_id}/{n}", file.filename, record=about, file=bytes_of
    )
    return file_answer(bytes_of, file.filename, file.media_type, file.size, save=save)


HANDLERS = [
    acknowledge_directive,
    directive_page,
    discard_draft,
    issue_draft,
    read_file,
    recall_directive,
    way_part,
]
