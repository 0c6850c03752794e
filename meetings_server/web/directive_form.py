"""Making a directive: the form, what it proposes, and what becomes of it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.errors import sentence
from meetings_server.reading import read_day
from meetings_server.settings import Settings
from meetings_server.web.directive_typing import PLACES, Typed, read_form
from meetings_server.web.directive_words import SECRECIES, URGENCIES, kind_options, options
from meetings_server.web.pages import FormErrors, PageRequest, render, see_other, text_of
from meetings_server.web.papers import receive_papers
from minutes.directives import Directive, DirectiveFile, StateSecretRefused
from minutes.issuing import MOST_FILES, draft_directive, issue, proposed_number
from minutes.kinds import DocumentKind, symbol_of
from minutes.paper_pointers import point_to_paper
from rooms.kernel import DomainError, civil_day, utcnow
from rooms.policies import Permission, require, top_units


@dataclass(frozen=True, slots=True)
class Draft:
    """The draft that the form changes, with its files; `removed`: those ticked to be removed."""

    directive: Directive
    files: Sequence[DirectiveFile]
    removed: frozenset[int] = frozenset()


def form_page(
    request: PageRequest,
    session: Session,
    settings: Settings,
    typed: Typed,
    status: int = HTTP_200_OK,
    draft: Draft | None = None,
) -> Response[str]:
    """The form of a new document, or of a draft that is changed."""
    now = utcnow()
    units = top_units(session, request.user.actor, Permission.DIRECTIVE_WRITE, civil_day(now))
    return render(
        request,
        "directives/new.html",
        status=status,
        values=typed.values,
        errors=typed.errors,
        is_secret=typed.is_secret,
        units=[(unit.id, unit.name) for unit in units],
        kinds=kind_options(),
        urgencies=options(URGENCIES),
        secrecies=options(SECRECIES),
        upload_limit_mb=settings.max_upload_mb,
        most_files=MOST_FILES,
        today=civil_day(now),
        draft=draft,
    )


@get("/directives/new", include_in_schema=False, sync_to_thread=True)
def new_page(request: PageRequest, db: Database, settings: Settings) -> Response[str]:
    """The form, with what can be known beforehand filled in; the secrecy is never one of these."""
    now = utcnow()
    with db.reader() as session:
        units = top_units(session, request.user.actor, Permission.DIRECTIVE_WRITE, civil_day(now))
        typed = read_form(FormMultiDict())
        typed.errors = {}
        typed.values |= {
            "request_key": secrets.token_urlsafe(16),
            "urgency": "normal",
            "kind": DocumentKind.OFFICIAL_LETTER.value,
            "document_date": civil_day(now).isoformat(),
            "meeting_id": request.query_params.get("meeting", "")[:10],
        }
        if units:
            typed.values["issuing_unit"] = str(units[0].id)
            typed.values["symbol"] = symbol_of(DocumentKind.OFFICIAL_LETTER, units[0])
        return form_page(request, session, settings, typed)


@get("/directives/proposal", include_in_schema=False, sync_to_thread=True)
def proposal(request: PageRequest, db: Database) -> dict[str, Any]:
    """The symbol of a kind and unit, and the number that the register would give next."""
    said, now = request.query_params, utcnow()
    typed = read_form(FormMultiDict({"issuing_unit": said.get("unit", "")}))
    day = read_day(said.get("date", "")) or civil_day(now)
    with db.reader() as session:
        units = top_units(session, request.user.actor, Permission.DIRECTIVE_WRITE, civil_day(now))
        unit = next((unit for unit in units if unit.id == typed.issuing_unit_id), None)
        if unit is None or said.get("kind", "") not in set(DocumentKind):
            return {"symbol": "", "number": None}
        kind = DocumentKind(said["kind"])
        return {
            "symbol": symbol_of(kind, unit),
            "number": proposed_number(session, unit.id, kind, day.year),
        }


@post("/directives/new", include_in_schema=False, sync_to_thread=True, status_code=HTTP_200_OK)
def make(
    request: PageRequest, form: FormMultiDict, db: Database, settings: Settings
) -> Response[Any]:
    """A draft, or issued at once. Of a secret nothing but the place of the paper is read."""
    now, actor = utcnow(), request.user.actor
    typed = read_form(form)
    status = 422
    if typed.is_secret:
        return _refuse_secret(request, db, settings, typed)
    new = typed.draft()
    if new is not None:
        try:
            # Whoever may not issue shall not fill the disk.
            with db.reader() as session:
                require(
                    session,
                    actor,
                    Permission.DIRECTIVE_WRITE,
                    new.issuing_unit_id,
                    civil_day(now),
                )
            received = receive_papers(form, settings, "files")
            if received.problems:
                typed.errors["files"], status = received.problems, received.status
            elif not received.files:
                typed.fail("files", "missing")
            else:
                with db.transaction() as session:
                    key = typed.values["request_key"][:100] or None
                    directive = draft_directive(session, actor, new, now, received.files, key)
                    if text_of(form, "then") == "issue" and directive.state == "draft":
                        issue(session, actor, directive.id, now)
                    notice = "directive_issued" if directive.number else "directive_drafted"
                return see_other(f"/directives/{directive.id}", notice)
        except DomainError as refusal:
            found = FormErrors.of(refusal, PLACES)
            typed.errors, status = dict(found.fields), found.status
    with db.reader() as session:
        return form_page(request, session, settings, typed, status)


def _refuse_secret(
    request: PageRequest, db: Database, settings: Settings, typed: Typed
) -> Response[Any]:
    refusal = StateSecretRefused(typed.values["secrecy"])
    pointer = typed.pointer()
    if pointer is not None:
        try:
            with db.transaction() as session:
                point_to_paper(session, request.user.actor, pointer, utcnow())
            return see_other("/directives?tab=out#paper", "paper_pointer_kept")
        except DomainError as wrong:
            typed.errors |= FormErrors.of(wrong, PLACES).fields
    else:
        typed.errors = {"secrecy": [sentence(refusal)]} | typed.errors
    with db.reader() as session:
        return form_page(request, session, settings, typed, 422)


HANDLERS = [make, new_page, proposal]
