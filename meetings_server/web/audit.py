"""The record of what was done: looking through it, one entry, and a file of what was found.

Every filter stands in the address, so that a link tells what was looked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from sqlalchemy.orm import Session

from meetings_server.audit.ledger import AuditEntry
from meetings_server.audit.reading import Wanted, entry_to_read, look_through, names_in
from meetings_server.database import Database
from meetings_server.i18n import _, daytime, mark
from meetings_server.reading import RowId, read_day, read_number
from meetings_server.web.audit_places import page_of
from meetings_server.web.audit_telling import (
    COLOURS,
    SIGNS,
    TELLING,
    act_word,
    login_word,
    subject_word,
    told_changes,
)
from meetings_server.web.audit_words import ACTS, SUBJECTS
from meetings_server.web.downloads import disposition, note_download
from meetings_server.web.meeting_words import words
from meetings_server.web.pages import PageRequest, render
from meetings_server.web.units import asked_text
from rooms.accounts import person_by_username
from rooms.hierarchy import unit_by_code
from rooms.kernel import FieldInvalid, NotFound, civil_day, utcnow
from rooms.policies import NotPermitted, Permission
from rooms.sheets import write_csv

PAGE = 50
MOST_EXPORTED = 20_000
"""Entries in one file; a longer stretch is taken out by days."""

_HEAD = (
    mark("Entry"),
    mark("When"),
    mark("Who"),
    mark("On behalf of"),
    mark("By what way"),
    mark("From where"),
    mark("What was done"),
    mark("To what"),
    mark("Belongs to"),
    mark("Which part"),
    mark("Before"),
    mark("After"),
    mark("Hash"),
)

FILTERS = ("from", "to", "person", "act", "subject", "unit", "q", "record", "request")


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters as they were typed, what they come to, and what is wrong with them."""

    typed: dict[str, str]
    wanted: Wanted
    errors: dict[str, list[str]]

    def address(self, path: str, **changes: Any) -> str:
        told = {name: value for name, value in (self.typed | changes).items() if value}
        return f"{path}?{urlencode(told)}" if told else path


def _require_somewhere(request: PageRequest) -> None:
    if Permission.AUDIT_READ not in request.user.rights:
        raise NotPermitted(Permission.AUDIT_READ.value, request.user.unit_name)


def _asked(request: PageRequest, session: Session) -> Asked:
    typed = {name: asked_text(request, name) for name in FILTERS}
    errors: dict[str, list[str]] = {}
    today = civil_day(utcnow())
    days = {}
    for name in ("from", "to"):
        days[name] = read_day(typed[name]) if typed[name] else None
        if typed[name] and days[name] is None:
            errors[name] = [_("This is no date.")]
    person_id = unit_id = None
    if typed["person"]:
        try:
            person_id = person_by_username(session, typed["person"]).id
        except NotFound:
            errors["person"] = [_("Nobody has this user name.")]
    if typed["unit"]:
        try:
            unit_id = unit_by_code(session, typed["unit"], today).id
        except NotFound:
            errors["unit"] = [_("No unit has this code today.")]
    for name, known in (("act", ACTS), ("subject", SUBJECTS)):
        if typed[name] and typed[name] not in known:
            raise FieldInvalid(name, "unknown", typed[name])
    kind, _colon, key = typed["record"].partition(":")
    wanted = Wanted(
        first=days["from"],
        last=days["to"],
        person_id=person_id,
        act=typed["act"],
        subject=typed["subject"],
        unit_id=unit_id,
        query=typed["q"],
        record=(kind, key) if kind and key else None,
        request=typed["request"],
    )
    return Asked(typed, wanted, errors)


@get("/admin/audit", include_in_schema=False, sync_to_thread=True)
def audit_page(request: PageRequest, db: Database) -> Response[str]:
    """The newest entries first; a constant number of statements whatever is shown."""
    _require_somewhere(request)
    before = read_number(request.query_params.get("before", "")) or None
    today = civil_day(utcnow())
    with db.reader() as session:
        asked = _asked(request, session)
        found: list[AuditEntry] = []
        if not asked.errors:
            wanted = replace(asked.wanted, before=before)
            found = look_through(session, request.user.actor, wanted, today, PAGE + 1)
        shown = found[:PAGE]
        names = names_in(session, shown)
        older = asked.address("/admin/audit", before=shown[-1].id) if len(found) > PAGE else None
        return render(
            request,
            "admin/audit.html",
            asked=asked,
            entries=[(entry, told_changes(entry, names)) for entry in shown],
            about=shown[0].label if shown and asked.wanted.record else "",
            older_href=older,
            newest_href=asked.address("/admin/audit") if before else None,
            file_href=asked.address("/admin/audit.csv") if shown else None,
            act_options=words(ACTS),
            subject_options=sorted(words(SUBJECTS), key=lambda option: option[1]),
            colours=COLOURS,
            signs=SIGNS,
            **TELLING,
        )


@get("/admin/audit/{number:int}", include_in_schema=False, sync_to_thread=True)
def audit_entry_page(request: PageRequest, db: Database, number: RowId) -> Response[str]:
    """One entry with everything that it tells, and what binds it to the one before."""
    _require_somewhere(request)
    with db.reader() as session:
        entry = entry_to_read(session, request.user.actor, number, civil_day(utcnow()))
        return render(
            request,
            "admin/audit_entry.html",
            entry=entry,
            changes=told_changes(entry, names_in(session, [entry]), longest=None),
            page=page_of(entry.record, entry.record_id),
            colours=COLOURS,
            signs=SIGNS,
            **TELLING,
        )


@get("/admin/audit.csv", include_in_schema=False, sync_to_thread=True)
def audit_file(request: PageRequest, db: Database) -> Response[bytes]:
    """What the page finds, as a file; that it was taken out is an entry itself."""
    _require_somewhere(request)
    now = utcnow()
    with db.reader() as session:
        asked = _asked(request, session)
        for name, (said, *_others) in asked.errors.items():
            raise FieldInvalid(name, "unknown", said)
        actor = request.user.actor
        found = look_through(session, actor, asked.wanted, civil_day(now), MOST_EXPORTED)
        content = write_csv([_(title) for title in _HEAD], _lines(session, found))
    name = f"audit-{civil_day(now)}.csv"
    told = {key: value for key, value in asked.typed.items() if value}
    note_download(
        db,
        "audit_entry",
        "",
        name,
        unit_id=request.user.unit_id,
        facts={"count": len(found)} | ({"filter": told} if told else {}),
    )
    return Response(
        content,
        media_type="text/csv",
        headers={
            "content-disposition": disposition(name, inline=False),
            "cache-control": "private, no-store",
        },
    )


def _lines(session: Session, found: Sequence[AuditEntry]) -> Iterator[list[str | int | None]]:
    names = names_in(session, found)
    for entry in found:
        changes = told_changes(entry, names, longest=None)
        yield [
            entry.id,
            daytime(entry.at),
            entry.who,
            entry.on_behalf_of,
            login_word(entry.login),
            entry.address,
            act_word(entry.act),
            subject_word(entry.subject),
            entry.label,
            entry.part,
            "\n".join(f"{change.field}: {change.before}" for change in changes if change.before),
            "\n".join(f"{change.field}: {change.after}" for change in changes if change.after),
            entry.hash,
        ]


HANDLERS = [audit_entry_page, audit_file, audit_page]
