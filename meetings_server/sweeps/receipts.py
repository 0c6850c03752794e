"""Reminders of directives that a unit has not acknowledged: once when near, once when overdue."""

from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.mail.letters import subject_of
from meetings_server.mail.outbox import Addressee, Post, post
from meetings_server.sweeps.marks import mark_all, marked
from minutes.circulation import LateReceipt, late_receipts
from minutes.directives import Directive
from minutes.kinds import number_and_symbol
from rooms.hierarchy import Unit

TOO_LATE = timedelta(days=3)
"""A server that was off for longer does not begin with a heap of old reminders."""


def sweep(session: Session, now: datetime) -> int:
    """Remind whoever is due. Returns how many units were."""
    late = [found for found in late_receipts(session, now) if found.deadline > now - TOO_LATE]
    done = marked(session, [_occasion(found) for found in late])
    due = [found for found in late if _occasion(found) not in done]
    if not mark_all(session, [_occasion(found) for found in due], now):
        return 0
    senders = _senders(session, {found.directive_id for found in due})
    for (directive_id, _, overdue), group in groupby(sorted(due, key=_round), key=_round):
        found = list(group)
        kind = "directive_overdue" if overdue else "directive_due"
        facts = _facts(found[0], senders[directive_id])
        post(
            session,
            Post(
                key=f"{kind}:{directive_id}:{facts['deadline']}:{now.isoformat()}",
                kind=kind,
                unit_id=senders[directive_id].id,
                subject=subject_of(kind, facts),
                facts=facts,
                at=now,
                # What is near becomes overdue: then other words are due.
                expires_at=None if overdue else found[0].deadline,
            ),
            [
                Addressee(
                    recipient=f"unit:{receipt.unit_id}",
                    name=receipt.unit_name,
                    address=receipt.unit_email,
                    unit_id=receipt.unit_id,
                )
                for receipt in found
            ],
        )
    return len(due)


def _round(found: LateReceipt) -> tuple[int, datetime, bool]:
    return found.directive_id, found.deadline, found.overdue


def _occasion(found: LateReceipt) -> str:
    when = "overdue" if found.overdue else "due"
    return f"receipt:{when}:{found.directive_id}:{found.unit_id}:{found.deadline.isoformat()}"


def _senders(session: Session, directives: set[int]) -> dict[int, Unit]:
    if not directives:
        return {}
    rows = session.execute(
        select(Directive.id, Unit)
        .join(Unit, Unit.id == Directive.issuing_unit_id)
        .where(Directive.id.in_(directives))
    )
    return {row.id: row.Unit for row in rows}


def _facts(found: LateReceipt, sender: Unit) -> dict[str, Any]:
    return {
        "title": found.title,
        "symbol": number_and_symbol(found.number, found.symbol),
        "deadline": found.deadline.isoformat(),
        "path": f"/directives/{found.directive_id}",
        "host": sender.name,
        "host_address": sender.email or "",
        "host_phone": sender.phone or "",
        "reason": "",
    }
