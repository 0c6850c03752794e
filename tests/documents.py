"""Directives for tests: received files, drafts, issued and circulated documents."""

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from minutes.circulation import circulate
from minutes.directives import Directive
from minutes.issuing import NewDirective, draft_directive, issue
from minutes.storage import FolderStore, ReceivedFile
from rooms.audience import Rule
from rooms.kernel import civil_day
from rooms.policies import Actor
from tests.factories import City

PDF_BYTES = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
ALL_WARDS = Rule(include=True, by="level", level="ward")
EVERYONE = (
    Rule(include=True, by="level", level="department"),
    Rule(include=True, by="level", level="district"),
    ALL_WARDS,
)


def received_pdf(
    folder: Path, content: bytes = PDF_BYTES, name: str = "chỉ thị.pdf"
) -> ReceivedFile:
    """A PDF in the store of a folder."""
    return FolderStore(folder).put(io.BytesIO(content), "application/pdf", name, 1 << 20)


def new_directive(city: City, now: datetime, **changes: Any) -> NewDirective:
    """A plan of the city, due in three days; `changes` by field name."""
    new = NewDirective(
        issuing_unit_id=city.units["01"],
        kind="plan",
        symbol="KH-UBND",
        title="Kế hoạch phòng, chống úng ngập mùa mưa",
        signed_by_name="Đỗ Hoàng Long",
        signed_by_title="Phó Chủ tịch",
        document_date=civil_day(now),
        secrecy="open",
        urgency="urgent",
        deadline=now + timedelta(days=3),
    )
    return replace(new, **changes)


def drafted(
    session: Session,
    city: City,
    folder: Path,
    now: datetime,
    actor: Actor | None = None,
    **changes: Any,
) -> Directive:
    """A draft with its document."""
    new = new_directive(city, now, **changes)
    return draft_directive(session, actor or city.secretary, new, now, [received_pdf(folder)])


def issued(
    session: Session,
    city: City,
    folder: Path,
    now: datetime,
    actor: Actor | None = None,
    **changes: Any,
) -> Directive:
    directive = drafted(session, city, folder, now, actor, **changes)
    return issue(session, actor or city.secretary, directive.id, now)


def circulated(
    session: Session,
    city: City,
    folder: Path,
    now: datetime,
    rules: Sequence[Rule] = EVERYONE,
    **changes: Any,
) -> Directive:
    """Issued by the city and sent, to everyone unless `rules` say else."""
    directive = issued(session, city, folder, now, **changes)
    circulate(session, city.secretary, directive.id, rules, None, now)
    return directive


def form(city: City, now: datetime, **changes: str) -> dict[str, str]:
    return {
        "issuing_unit": str(city.units["01"]),
        "kind": "plan",
        "symbol": "KH-UBND",
        "title": "Kế hoạch phòng, chống úng ngập",
        "signed_by_name": "Đỗ Hoàng Long",
        "document_date": civil_day(now).isoformat(),
        "secrecy": "open",
        "urgency": "urgent",
        "request_key": "one-form",
    } | changes


def pdf(name: str = "kế hoạch.pdf", content: bytes = PDF_BYTES) -> dict[str, Any]:
    return {"files": (name, io.BytesIO(content), "application/pdf")}


def how_many(db: Database, table: type) -> int:
    with db.reader() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0
