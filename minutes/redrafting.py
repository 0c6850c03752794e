"""A draft written anew: its declarations and its files, until it is issued."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from minutes.directives import (
    Directive,
    DirectiveFile,
    DirectiveState,
    UnknownDirectiveFile,
    require_state,
)
from minutes.file_kinds import PDF, FileTypeRefused
from minutes.issuing import (
    MAIN_KINDS,
    MOST_FILES,
    NewDirective,
    declared_facts,
    folded_text,
    require_free_number,
    require_open,
)
from minutes.receipts import directive_to_change
from minutes.storage import ReceivedFile, keep
from rooms.kernel import FieldInvalid, civil_day
from rooms.meetings import StaleVersion
from rooms.policies import Actor, Permission, require


def change_draft(
    session: Session,
    actor: Actor,
    directive_id: int,
    new: NewDirective,
    now: datetime,
    *,
    version: int | None = None,
    added: Sequence[ReceivedFile] = (),
    removed: Collection[int] = (),
) -> Directive:
    """Write a draft anew; its files stay but for the numbers `removed`, then come those `added`.

    Where the document itself is removed, the first one added takes its place, else the next file.
    Content that is there already is not added twice. A state secret is refused unread. Raises as
    `draft_directive` does, `UnknownDirective`, `DirectiveWrongState`, `UnknownDirectiveFile`, and
    `StaleVersion` when `version` is given and is not the present one.
    """
    require_open(new.secrecy)
    today = civil_day(now)
    directive = directive_to_change(session, actor, directive_id, today)
    require_state(directive, DirectiveState.DRAFT, "change")
    if version is not None and version != directive.version:
        raise StaleVersion(directive.version, version)
    require(session, actor, Permission.DIRECTIVE_WRITE, new.issuing_unit_id, today)
    facts = declared_facts(session, actor, new, now, directive)
    for name, value in facts.items():
        setattr(directive, name, value)
    directive.folded = folded_text(directive)
    require_free_number(session, directive, new.number)
    if added or removed:
        _arrange_files(session, actor, directive, added, removed, now)
    directive.version += 1
    session.flush()
    return directive


def _arrange_files(
    session: Session,
    actor: Actor,
    directive: Directive,
    added: Sequence[ReceivedFile],
    removed: Collection[int],
    now: datetime,
) -> None:
    there = session.scalars(
        select(DirectiveFile)
        .where(DirectiveFile.directive_id == directive.id)
        .order_by(DirectiveFile.n)
    ).all()
    unknown = sorted(set(removed) - {file.n for file in there})
    if unknown:
        raise UnknownDirectiveFile(directive.id, unknown[0])
    kept = [_row(file) for file in there if file.n not in removed]
    known = {row["sha256"] for row in kept}
    new: list[dict[str, Any]] = []
    for received in added:
        if received.sha256 not in known:
            known.add(received.sha256)
            keep(session, received, now=now)
            new.append(_new_row(received, actor, now))
    # The document that replaces another stands where that one stood: before the annexes.
    ordered = [*new[:1], *kept, *new[1:]] if 1 in removed and new else [*kept, *new]
    if ordered and ordered[0]["media_type"] not in MAIN_KINDS:
        raise FileTypeRefused(PDF, ordered[0]["media_type"])
    if len(ordered) > MOST_FILES:
        raise FieldInvalid("files", "too_many", MOST_FILES)
    session.execute(delete(DirectiveFile).where(DirectiveFile.directive_id == directive.id))
    if ordered:
        session.execute(
            insert(DirectiveFile),
            [row | {"directive_id": directive.id, "n": n} for n, row in enumerate(ordered, 1)],
        )


def _row(file: DirectiveFile) -> dict[str, Any]:
    names = ("filename", "sha256", "size", "media_type", "added_at", "added_by")
    return {name: getattr(file, name) for name in names}


def _new_row(received: ReceivedFile, actor: Actor, now: datetime) -> dict[str, Any]:
    return {
        "filename": received.filename,
        "sha256": received.sha256,
        "size": received.size,
        "media_type": received.media_type,
        "added_at": now,
        "added_by": actor.person_id,
    }


def declared(directive: Directive) -> NewDirective:
    """What a draft declares now: the ground for a change of some fields."""
    return NewDirective(
        issuing_unit_id=directive.issuing_unit_id,
        kind=directive.kind,
        symbol=directive.symbol,
        title=directive.title,
        signed_by_name=directive.signed_by_name,
        signed_by_title=directive.signed_by_title,
        document_date=directive.document_date,
        secrecy=directive.secrecy,
        urgency=directive.urgency,
        number=directive.wanted_number,
        deadline=directive.deadline,
        meeting_id=directive.meeting_id,
    )
