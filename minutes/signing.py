"""Signing and issuing: from then on the minutes are what they are.

Signing keeps the facts of the meeting with the document; issuing gives it its number, makes the PDF
and freezes it, all in one transaction, so that no number is spent on minutes that were not issued.
"""

import io
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from minutes import tasks
from minutes.content import require_complete
from minutes.file_kinds import PDF
from minutes.forms import MinutesDocument, render_minutes_docx, render_minutes_pdf
from minutes.kinds import DocumentKind, number_and_symbol
from minutes.meeting_facts import Facts, facts_of, gather_facts
from minutes.meeting_minutes import Minutes, MinutesState, chaired, expect
from minutes.printing import minutes_document
from minutes.registers import next_number
from minutes.storage import MEGABYTE, FileStore, keep
from rooms.folding import fold
from rooms.kernel import Event, civil_day, record
from rooms.meetings import Meeting, MeetingState, note_change
from rooms.policies import Actor

LARGEST_PDF = 50 * MEGABYTE


@dataclass(frozen=True)
class MinutesSigned(Event):
    minutes_id: int
    meeting_id: int


@dataclass(frozen=True)
class MinutesIssued(Event):
    """Everyone who may see the meeting can read them from now on."""

    minutes_id: int
    meeting_id: int


def sign(session: Session, actor: Actor, minutes_id: int, now: datetime) -> Minutes:
    """The chair signs what was submitted; the facts of the meeting are kept as they are now.

    Raises `UnknownMinutes`, `NotTheChair`, `NotPermitted`, `MinutesNotOpen`, and what
    `require_complete` raises.
    """
    minutes, meeting = chaired(session, actor, minutes_id, now)
    expect(minutes, "sign", MinutesState.SUBMITTED)
    _sign(session, actor, minutes, meeting, now)
    note_change(session, meeting, actor, "minutes_signed", now, minutes=minutes.id)
    record(session, MinutesSigned(minutes.id, meeting.id))
    return minutes


def issue(
    session: Session, actor: Actor, minutes_id: int, store: FileStore, now: datetime
) -> Minutes:
    """The chair issues in one step: signs what is not signed yet, numbers, prints, freezes.

    The meeting is concluded. Raises as `sign` does.
    """
    minutes, meeting = chaired(session, actor, minutes_id, now)
    expect(minutes, "issue", MinutesState.SUBMITTED, MinutesState.SIGNED)
    if minutes.state == MinutesState.SUBMITTED.value:
        _sign(session, actor, minutes, meeting, now)
    session.refresh(minutes, ["corrects"])
    content, facts = minutes.written, facts_of(minutes.facts or {})
    minutes.number = next_number(
        session, meeting.host_unit_id, DocumentKind.MINUTES, civil_day(now).year
    )
    minutes.symbol = number_and_symbol(minutes.number, facts.symbol)
    minutes.folded = fold(f"{meeting.title} {minutes.symbol}")
    minutes.issued_at = now
    tasks.assign(session, minutes, content, now)
    pdf = render_minutes_pdf(minutes_document(minutes, content, facts, issued=True))
    received = store.put(io.BytesIO(pdf), PDF, filename(minutes, "pdf"), LARGEST_PDF)
    keep(session, received, now=now)
    minutes.pdf_sha256 = received.sha256
    # The state comes last: from then on the database refuses every change of the row.
    minutes.state = MinutesState.ISSUED.value
    if meeting.state == MeetingState.ENDED.value:
        meeting.state = MeetingState.CONCLUDED.value
        meeting.version += 1
    note_change(
        session, meeting, actor, "minutes_issued", now, minutes=minutes.id, symbol=minutes.symbol
    )
    session.flush()
    record(session, MinutesIssued(minutes.id, meeting.id))
    return minutes


def facts_to_show(session: Session, minutes: Minutes, meeting: Meeting) -> Facts:
    """The kept facts once it is signed, before that those of the moment."""
    if minutes.facts is not None:
        return facts_of(minutes.facts)
    return gather_facts(session, meeting, minutes.written)


def draw_pdf(minutes: Minutes, facts: Facts) -> bytes:
    """The paper as it is now, with DỰ THẢO on it until issued. `corrects` must be loaded."""
    return render_minutes_pdf(_document(minutes, facts))


def draw_docx(minutes: Minutes, facts: Facts) -> bytes:
    """The same as a text document."""
    return render_minutes_docx(_document(minutes, facts))


def _document(minutes: Minutes, facts: Facts) -> MinutesDocument:
    issued = minutes.state == MinutesState.ISSUED.value
    return minutes_document(minutes, minutes.written, facts, issued=issued)


def filename(minutes: Minutes, ending: str) -> str:
    """`12-BB-UBND.pdf`, or that of a draft."""
    name = minutes.symbol.replace("/", "-") or f"Du-thao-bien-ban-{minutes.id}"
    return f"{name}.{ending}"


def _sign(
    session: Session, actor: Actor, minutes: Minutes, meeting: Meeting, now: datetime
) -> None:
    content = minutes.written
    require_complete(content)
    minutes.facts = gather_facts(session, meeting, content).as_json()
    minutes.signed_by, minutes.signed_at = actor.person_id, now
    minutes.state = MinutesState.SIGNED.value
