"""Letters of circulation: a new document to those a round reaches, a recall to all who had it."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from meetings_server.mail.letters import subject_of
from meetings_server.mail.outbox import Addressee, Post, post
from minutes import circulation
from minutes.circulation import DirectiveCirculated, DirectiveRecalled
from minutes.directives import Directive
from minutes.receipts import Circulation
from rooms.kernel import Event


def on_circulated(session: Session, fact: DirectiveCirculated) -> None:
    """Four statements, whatever the number of units."""
    sending = session.get_one(Circulation, fact.circulation_id)
    directive = _loaded(session, fact.directive_id)
    _tell(
        session,
        "directive_sent",
        f"directive_sent:{sending.id}",
        _facts(directive, sending.deadline),
        directive,
        sending.sent_at,
        circulation.addressees(session, sending.id),
    )


def on_recalled(session: Session, fact: DirectiveRecalled) -> None:
    directive = _loaded(session, fact.directive_id)
    recalled_at = directive.recalled_at
    if recalled_at is None:
        raise ValueError(f"directive {directive.id} is not recalled")
    _tell(
        session,
        "directive_recalled",
        f"directive_recalled:{directive.id}",
        _facts(directive, None) | {"reason": directive.recall_reason},
        directive,
        recalled_at,
        circulation.recipients(session, directive.id),
    )


EFFECTS: list[tuple[type[Event], Callable[[Session, Any], None]]] = [
    (DirectiveCirculated, on_circulated),
    (DirectiveRecalled, on_recalled),
]


def _loaded(session: Session, directive_id: int) -> Directive:
    return session.scalars(
        select(Directive)
        .where(Directive.id == directive_id)
        .options(joinedload(Directive.issuing_unit))
        .execution_options(populate_existing=True)
    ).one()


def _facts(directive: Directive, deadline: datetime | None) -> dict[str, Any]:
    issuer = directive.issuing_unit
    return {
        "title": directive.title,
        "symbol": directive.number_symbol,
        "deadline": deadline.isoformat() if deadline else "",
        "path": f"/directives/{directive.id}",
        "host": issuer.name,
        "host_address": issuer.email or "",
        "host_phone": issuer.phone or "",
        "reason": "",
    }


def _tell(
    session: Session,
    kind: str,
    key: str,
    facts: dict[str, Any],
    directive: Directive,
    at: datetime,
    to: Iterable[circulation.Addressee],
) -> None:
    message = Post(
        key=key,
        kind=kind,
        unit_id=directive.issuing_unit_id,
        subject=subject_of(kind, facts),
        facts=facts,
        at=at,
    )
    post(
        session,
        message,
        [
            Addressee(
                recipient=f"unit:{unit.unit_id}",
                name=unit.unit_name,
                address=unit.unit_email,
                unit_id=unit.unit_id,
            )
            for unit in to
        ],
    )
