"""Search over minutes and directives by their folded text; nothing the searcher may not see."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from minutes.directives import Directive
from minutes.meeting_minutes import Minutes, readable
from minutes.receipts import visible_directives
from rooms.folding import has_words
from rooms.hierarchy import Unit
from rooms.meetings import Meeting
from rooms.policies import Actor


@dataclass(frozen=True, slots=True)
class FoundMinutes:
    id: int
    meeting_id: int
    title: str
    symbol: str
    state: str
    issued_at: datetime | None


@dataclass(frozen=True, slots=True)
class FoundDirective:
    id: int
    kind: str
    number: int | None
    symbol: str
    title: str
    issuer: str
    document_date: date
    state: str


def find_minutes(
    session: Session, actor: Actor, query: str, on: date, *, limit: int = 20
) -> list[FoundMinutes]:
    """Minutes the actor may read whose title or number has every word, the newest first."""
    rows = session.execute(
        select(
            Minutes.id,
            Minutes.meeting_id,
            Meeting.title,
            Minutes.symbol,
            Minutes.state,
            Minutes.issued_at,
        )
        .join(Meeting, Meeting.id == Minutes.meeting_id)
        .where(*has_words(Minutes.folded.expression, query), readable(actor, on))
        .order_by(Minutes.id.desc())
        .limit(limit)
    )
    return [FoundMinutes(*row) for row in rows]


def find_directives(
    session: Session, actor: Actor, query: str, on: date, *, limit: int = 20
) -> list[FoundDirective]:
    """Directives the actor may see whose title, number or signer has every word, the newest first."""
    rows = session.execute(
        select(
            Directive.id,
            Directive.kind,
            Directive.number,
            Directive.symbol,
            Directive.title,
            Unit.name,
            Directive.document_date,
            Directive.state,
        )
        .join(Unit, Unit.id == Directive.issuing_unit_id)
        .where(*has_words(Directive.folded.expression, query), visible_directives(actor, on))
        .order_by(Directive.document_date.desc(), Directive.id.desc())
        .limit(limit)
    )
    return [FoundDirective(*row) for row in rows]
