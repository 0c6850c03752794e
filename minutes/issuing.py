"""How a directive comes to be: a clerk's draft with its files, then issued with a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from minutes.directives import (
    Directive,
    DirectiveFile,
    DirectiveIssued,
    DirectiveState,
    MainFileMissing,
    Secrecy,
    StateSecretRefused,
    Urgency,
    require_state,
)
from minutes.file_kinds import DOCX, PDF, FileTypeRefused
from minutes.kinds import DocumentKind, Kind, kind_of
from minutes.receipts import directive_to_change
from minutes.registers import (
    NumberTaken,
    RegisterCounter,
    RegisterEntry,
    claim_number,
    next_number,
)
from minutes.storage import ReceivedFile, keep
from rooms.folding import fold
from rooms.kernel import CIVIL_ZONE, FieldInvalid, bounded_text, civil_day, record, require_text
from rooms.lineage import require_existing
from rooms.meetings import visible_meeting
from rooms.policies import Actor, Permission, require, require_in_person

LONGEST_TITLE = 500
LONGEST_NAME = 120
LONGEST_SYMBOL = 40
HIGHEST_NUMBER = 999_999
MOST_FILES = 20
MAIN_KINDS = (PDF, DOCX)
DOCUMENT_YEARS_BACK = 5
DEADLINE_DAYS_AHEAD = 1_830


@dataclass(frozen=True, slots=True)
class NewDirective:
    """What a clerk declares. `secrecy` has no default: silence is no declaration.

    `number`: None lets the register give one when the directive is issued.
    """

    issuing_unit_id: int
    kind: str
    symbol: str
    title: str
    signed_by_name: str
    signed_by_title: str
    document_date: date
    secrecy: str
    urgency: str = Urgency.NORMAL.value
    number: int | None = None
    deadline: datetime | None = None
    meeting_id: int | None = None


def draft_directive(
    session: Session,
    actor: Actor,
    new: NewDirective,
    now: datetime,
    files: Sequence[ReceivedFile] = (),
    request_key: str | None = None,
) -> Directive:
    """Put a directive down as a draft, the first file as the document itself.

    The same `request_key` of the same person again gives the directive of the first time. Raises
    `StateSecretRefused` before anything else is looked at, `FieldInvalid`, `NotPermitted`,
    `UnitEnded`, `NumberTaken`, `FileTypeRefused` where the document is neither PDF nor DOCX.
    """
    require_open(new.secrecy)
    require(session, actor, Permission.DIRECTIVE_WRITE, new.issuing_unit_id, civil_day(now))
    require_existing(session, new.issuing_unit_id, civil_day(now))
    known = _of_request(session, actor, request_key)
    if known is not None:
        return known
    directive = Directive(
        **declared_facts(session, actor, new, now),
        number=None,
        version=1,
        state=DirectiveState.DRAFT.value,
        created_by=actor.person_id,
        created_at=now,
    )
    directive.folded = folded_text(directive)
    require_free_number(session, directive, new.number)
    directive.request_key = request_key
    try:
        with session.begin_nested():
            session.add(directive)
            session.flush()
    except IntegrityError:
        known = _of_request(session, actor, request_key)
        if known is None:
            raise
        return known
    for number, received in enumerate(files, start=1):
        _attach(session, actor, directive, number, received, now)
    return directive


def require_open(secrecy: str) -> None:
    """Raises `FieldInvalid` where nothing was declared, `StateSecretRefused` for a secret."""
    if not secrecy:
        raise FieldInvalid("secrecy", "missing")
    if secrecy not in set(Secrecy):
        raise FieldInvalid("secrecy", "unknown", secrecy[:40])
    if secrecy != Secrecy.OPEN.value:
        raise StateSecretRefused(secrecy)


def _of_request(session: Session, actor: Actor, request_key: str | None) -> Directive | None:
    if request_key is None:
        return None
    return session.scalar(
        select(Directive).where(
            Directive.created_by == actor.person_id, Directive.request_key == request_key
        )
    )


def declared_facts(
    session: Session,
    actor: Actor,
    new: NewDirective,
    now: datetime,
    before: Directive | None = None,
) -> dict[str, Any]:
    """The columns that a clerk declares, checked. `before`: the draft as it stood.

    Raises `FieldInvalid`, `UnknownMeeting`.
    """
    kind = kind_of(new.kind)
    title = require_text("title", new.title, LONGEST_TITLE)
    symbol = require_symbol(new.symbol, kind)
    signer = require_text("signed_by_name", new.signed_by_name, LONGEST_NAME)
    today = civil_day(now)
    if new.document_date > today:
        raise FieldInvalid("document_date", "in_the_future")
    if new.document_date.year < today.year - DOCUMENT_YEARS_BACK:
        raise FieldInvalid("document_date", "too_old", DOCUMENT_YEARS_BACK)
    if new.urgency not in set(Urgency):
        raise FieldInvalid("urgency", "unknown", new.urgency[:40])
    require_deadline(new.deadline, now)
    if new.meeting_id is not None and (before is None or new.meeting_id != before.meeting_id):
        visible_meeting(session, actor, new.meeting_id, today)
    return {
        "kind": kind.code,
        "wanted_number": new.number,
        "symbol": symbol,
        "year": new.document_date.year,
        "title": title,
        "issuing_unit_id": new.issuing_unit_id,
        "signed_by_name": signer,
        "signed_by_title": bounded_text("signed_by_title", new.signed_by_title, LONGEST_NAME),
        "document_date": new.document_date,
        "urgency": new.urgency,
        "secrecy": new.secrecy,
        "deadline": new.deadline,
        "meeting_id": new.meeting_id,
    }


def require_symbol(said: str, kind: Kind) -> str:
    """A symbol such as `KH-UBND`: no blank, no number in front. Raises `FieldInvalid`."""
    symbol = require_text("symbol", said, LONGEST_SYMBOL)
    if any(c.isspace() for c in symbol):
        raise FieldInvalid("symbol", "has_spaces")
    if symbol[0].isdigit() or symbol.startswith("/"):
        raise FieldInvalid("symbol", "number_in_symbol")
    # An official letter (công văn) bears only its issuer; every other kind begins with its own.
    if kind.abbreviation and symbol.split("-")[0].upper() != kind.abbreviation.upper():
        raise FieldInvalid("symbol", "not_of_kind", kind.abbreviation)
    return symbol


def require_free_number(session: Session, directive: Directive, number: int | None) -> None:
    """Tell early what `issue` would refuse. Raises `FieldInvalid`, `NumberTaken`."""
    if number is None:
        return
    if not 1 <= number <= HIGHEST_NUMBER:
        raise FieldInvalid("number", "out_of_range", f"1–{HIGHEST_NUMBER}")
    key = (directive.issuing_unit_id, directive.kind, directive.year, number)
    if session.get(RegisterEntry, key) is not None:
        raise NumberTaken(number, directive.year)


def proposed_number(session: Session, unit_id: int, kind: DocumentKind, year: int) -> int:
    """What the register would give next; nothing is given by asking."""
    counter = session.get(RegisterCounter, (unit_id, kind.value, year), populate_existing=True)
    return counter.last_number + 1 if counter else 1


def require_deadline(deadline: datetime | None, now: datetime, field: str = "deadline") -> None:
    """Raises `FieldInvalid` for a deadline that has passed or lies years ahead."""
    if deadline is None:
        return
    if deadline <= now:
        raise FieldInvalid(field, "in_the_past")
    if (deadline - now).days > DEADLINE_DAYS_AHEAD:
        raise FieldInvalid(field, "too_far", DEADLINE_DAYS_AHEAD)


def end_of(day: date) -> datetime:
    """The deadline that a day alone means: its last minute, in civil time."""
    return datetime.combine(day, time(23, 59), CIVIL_ZONE)


def folded_text(directive: Directive) -> str:
    return fold(f"{directive.title} {directive.number_symbol} {directive.signed_by_name}")


def add_file(
    session: Session, actor: Actor, directive_id: int, received: ReceivedFile, now: datetime
) -> DirectiveFile:
    """Add a file to a draft: the document itself first, then annexes.

    Content that is there already is not added twice. Raises `UnknownDirective`, `NotPermitted`,
    `DirectiveWrongState`, `FileTypeRefused`, `FieldInvalid`.
    """
    directive = directive_to_change(session, actor, directive_id, civil_day(now))
    require_state(directive, DirectiveState.DRAFT, "add_file")
    same = session.scalar(
        select(DirectiveFile).where(
            DirectiveFile.directive_id == directive.id, DirectiveFile.sha256 == received.sha256
        )
    )
    if same is not None:
        return same
    last = session.scalar(
        select(func.max(DirectiveFile.n)).where(DirectiveFile.directive_id == directive.id)
    )
    return _attach(session, actor, directive, (last or 0) + 1, received, now)


def _attach(
    session: Session,
    actor: Actor,
    directive: Directive,
    number: int,
    received: ReceivedFile,
    now: datetime,
) -> DirectiveFile:
    if number == 1 and received.media_type not in MAIN_KINDS:
        raise FileTypeRefused(PDF, received.media_type)
    if number > MOST_FILES:
        raise FieldInvalid("files", "too_many", MOST_FILES)
    keep(session, received, now=now)
    file = DirectiveFile(
        directive_id=directive.id,
        n=number,
        filename=received.filename,
        sha256=received.sha256,
        size=received.size,
        media_type=received.media_type,
        added_at=now,
        added_by=actor.person_id,
    )
    session.add(file)
    session.flush()
    return file


def issue(
    session: Session,
    actor: Actor,
    directive_id: int,
    now: datetime,
    number: int | None = None,
) -> Directive:
    """Issue a draft under `number`, under the number of the draft, or under the register's next.

    Raises `UnknownDirective`, `NotPermitted`, `DirectiveWrongState` (also the second time),
    `UnitEnded`, `MainFileMissing`, `NumberTaken`, `FieldInvalid`, `InPersonOnly`.
    """
    directive = directive_to_change(session, actor, directive_id, civil_day(now))
    require_in_person(actor)
    require_state(directive, DirectiveState.DRAFT, "issue")
    require_existing(session, directive.issuing_unit_id, civil_day(now))
    if session.get(DirectiveFile, (directive.id, 1)) is None:
        raise MainFileMissing
    register = (directive.issuing_unit_id, DocumentKind(directive.kind), directive.year)
    given = number or directive.wanted_number
    if given is None:
        given = next_number(session, *register)
    else:
        claim_number(session, *register, given)
    directive.number = given
    directive.folded = folded_text(directive)
    directive.state = DirectiveState.ISSUED.value
    directive.issued_at = now
    directive.issued_by = actor.person_id
    session.flush()
    record(session, DirectiveIssued(directive.id))
    return directive


def discard(session: Session, actor: Actor, directive_id: int, now: datetime) -> None:
    """Throw a draft away; the stored bytes stay until nothing names them.

    Raises `UnknownDirective`, `NotPermitted`, `DirectiveWrongState`.
    """
    directive = directive_to_change(session, actor, directive_id, civil_day(now))
    require_state(directive, DirectiveState.DRAFT, "discard")
    session.execute(delete(DirectiveFile).where(DirectiveFile.directive_id == directive.id))
    session.delete(directive)
    session.flush()
