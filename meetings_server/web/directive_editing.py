"""Changing a draft: the form in which it was made, with the files it has."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.errors import sentence
from meetings_server.reading import read_number
from meetings_server.settings import Settings
from meetings_server.web.directive_form import Draft, form_page
from meetings_server.web.directive_typing import PLACES, TEXTS, Typed, read_form
from meetings_server.web.pages import FormErrors, PageRequest, see_other, text_of
from meetings_server.web.papers import receive_papers
from minutes.directives import (
    Directive,
    DirectiveFile,
    DirectiveState,
    StateSecretRefused,
    require_state,
)
from minutes.issuing import issue
from minutes.receipts import directive_to_change, visible_directive
from minutes.redrafting import change_draft
from rooms.kernel import CIVIL_ZONE, DomainError, civil_day, utcnow
from rooms.policies import Permission, require


def _draft(
    request: PageRequest,
    session: Session,
    directive_id: int,
    now: datetime,
    removed: frozenset[int] = frozenset(),
) -> Draft:
    """Raises `UnknownDirective`, `NotPermitted`, `DirectiveWrongState`."""
    today, actor = civil_day(now), request.user.actor
    directive = visible_directive(session, actor, directive_id, today)
    require(session, actor, Permission.DIRECTIVE_WRITE, directive.issuing_unit_id, today)
    require_state(directive, DirectiveState.DRAFT, "change")
    files = session.scalars(
        select(DirectiveFile)
        .where(DirectiveFile.directive_id == directive.id)
        .order_by(DirectiveFile.n)
    ).all()
    return Draft(directive, files, removed)


def _values_of(directive: Directive) -> dict[str, str]:
    deadline = directive.deadline.astimezone(CIVIL_ZONE) if directive.deadline else None
    return dict.fromkeys(TEXTS, "") | {
        "issuing_unit": str(directive.issuing_unit_id),
        "kind": directive.kind,
        "number": str(directive.wanted_number or ""),
        "symbol": directive.symbol,
        "document_date": directive.document_date.isoformat(),
        "title": directive.title,
        "signed_by_name": directive.signed_by_name,
        "signed_by_title": directive.signed_by_title,
        "urgency": directive.urgency,
        "secrecy": directive.secrecy,
        "deadline": deadline.date().isoformat() if deadline else "",
        "deadline_time": f"{deadline:%H:%M}" if deadline else "",
        "meeting_id": str(directive.meeting_id or ""),
        "version": str(directive.version),
    }


@get("/directives/{directive_id:int}/edit", include_in_schema=False, sync_to_thread=True)
def edit_page(
    request: PageRequest, db: Database, settings: Settings, directive_id: int
) -> Response[str]:
    with db.reader() as session:
        draft = _draft(request, session, directive_id, utcnow())
        typed = Typed(_values_of(draft.directive))
        return form_page(request, session, settings, typed, draft=draft)


@post(
    "/directives/{directive_id:int}/edit",
    include_in_schema=False,
    sync_to_thread=True,
    status_code=HTTP_200_OK,
)
def change(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings, directive_id: int
) -> Response[Any]:
    """The draft as the form has it now; issued at once where that was asked for."""
    now, actor = utcnow(), request.user.actor
    typed, status = read_form(form), 422
    ticked = [read_number(str(said)) for said in form.getall("remove", [])]
    removed = frozenset(number for number in ticked if number is not None)
    if typed.is_secret:
        typed.errors = {"secrecy": [sentence(StateSecretRefused(typed.values["secrecy"]))]}
    new = typed.draft()
    version = read_number(typed.values["version"])
    if version is None:
        typed.fail("version", "missing")
    elif new is not None:
        try:
            # Whoever may not change it shall not fill the disk.
            with db.transaction() as session:
                directive_to_change(session, actor, directive_id, civil_day(now))
            received = receive_papers(form, settings, "files")
            if received.problems:
                typed.errors["files"], status = received.problems, received.status
            elif not received.files and not _some_stay(request, db, directive_id, removed, now):
                typed.fail("files", "missing")
            else:
                with db.transaction() as session:
                    directive = change_draft(
                        session,
                        actor,
                        directive_id,
                        new,
                        now,
                        version=version,
                        added=received.files,
                        removed=removed,
                    )
                    if text_of(form, "then") == "issue":
                        issue(session, actor, directive.id, now)
                    notice = "directive_issued" if directive.number else "saved"
                return see_other(f"/directives/{directive_id}", notice)
        except DomainError as refusal:
            found = FormErrors.of(refusal, PLACES)
            typed.errors, status = dict(found.fields), found.status
    with db.reader() as session:
        draft = _draft(request, session, directive_id, now, removed)
        return form_page(request, session, settings, typed, status, draft)


def _some_stay(
    request: PageRequest, db: Database, directive_id: int, removed: frozenset[int], now: datetime
) -> bool:
    with db.reader() as session:
        files = _draft(request, session, directive_id, now).files
        return any(file.n not in removed for file in files)


HANDLERS = [change, edit_page]
