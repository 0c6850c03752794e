"""Meeting papers (tài liệu họp): files that everyone who may see a meeting can read beforehand.

A paper keeps its number within the meeting for good; one taken back is no longer shown, and its
number is not used again. The bytes lie in the file store, see `storage`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from minutes.storage import ReceivedFile, StoredFile, keep
from rooms.kernel import (
    Base,
    Conflict,
    Event,
    FieldInvalid,
    NotFound,
    civil_day,
    record,
    require_text,
)
from rooms.meetings import (
    Meeting,
    MeetingKind,
    MeetingState,
    WrongState,
    meeting_to_change,
    note_change,
    visible_meeting,
)
from rooms.people import Person
from rooms.policies import Actor
from rooms.workdays import add_working_days

NOTICE = 3
"""Working days between the papers and a periodic meeting. Source: QĐ 45/2018/QĐ-TTg."""

MOST_PAPERS = 100
LONGEST_TITLE = 300
CLOSED = frozenset({MeetingState.CONCLUDED.value, MeetingState.CANCELLED.value})


class MeetingPaper(Base):
    """One paper of a meeting. `n` counts from 1 within the meeting."""

    __tablename__ = "meeting_paper"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str]
    filename: Mapped[str]
    """Clean, and ending as the content asks."""
    sha256: Mapped[str] = mapped_column(ForeignKey("stored_file.sha256"), index=True)
    uploaded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    uploaded_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]

    file: Mapped[StoredFile] = relationship(lazy="raise")
    uploader: Mapped[Person] = relationship(lazy="raise")


@dataclass
class UnknownPaper(NotFound):
    code: ClassVar[str] = "unknown_paper"
    n: int


@dataclass
class PaperDoubled(Conflict):
    """The same content is among the papers already, under `title`."""

    code: ClassVar[str] = "paper_doubled"
    title: str
    n: int


@dataclass(frozen=True)
class PaperAttached(Event):
    meeting_id: int
    n: int


@dataclass(frozen=True)
class PaperWithdrawn(Event):
    meeting_id: int
    n: int


def attach_paper(
    session: Session,
    actor: Actor,
    meeting_id: int,
    received: ReceivedFile,
    now: datetime,
    *,
    title: str = "",
) -> MeetingPaper:
    """Add a received file to a meeting's papers; without a title it is called as the file is.

    Raises `UnknownMeeting`, `NotPermitted`, `WrongState` once the meeting is concluded or called
    off, `PaperDoubled`, `FieldInvalid`.
    """
    meeting = meeting_to_change(session, actor, meeting_id, civil_day(now))
    _require_open(meeting, "attach_paper")
    title = require_text("title", title or received.filename.rpartition(".")[0], LONGEST_TITLE)
    known = session.scalars(
        select(MeetingPaper).where(
            MeetingPaper.meeting_id == meeting_id,
            MeetingPaper.sha256 == received.sha256,
            MeetingPaper.withdrawn_at.is_(None),
        )
    ).first()
    if known is not None:
        raise PaperDoubled(known.title, known.n)
    # The meeting's row is locked, so that two uploads cannot take the same number.
    last = session.scalar(
        select(func.coalesce(func.max(MeetingPaper.n), 0)).where(
            MeetingPaper.meeting_id == meeting_id
        )
    )
    if (last or 0) >= MOST_PAPERS:
        raise FieldInvalid("papers", "too_many", MOST_PAPERS)
    keep(session, received, now=now)
    paper = MeetingPaper(
        meeting_id=meeting_id,
        n=(last or 0) + 1,
        title=title,
        filename=received.filename,
        sha256=received.sha256,
        uploaded_by=actor.person_id,
        uploaded_at=now,
        withdrawn_at=None,
    )
    session.add(paper)
    session.flush()
    note_change(session, meeting, actor, "paper_attached", now, paper=paper.n, title=title)
    record(session, PaperAttached(meeting_id, paper.n))
    return paper


def withdraw_paper(
    session: Session, actor: Actor, meeting_id: int, n: int, now: datetime
) -> MeetingPaper:
    """Take a paper back: it is no longer shown, the history keeps that it was there.

    Raises `UnknownMeeting`, `NotPermitted`, `WrongState`, `UnknownPaper`.
    """
    meeting = meeting_to_change(session, actor, meeting_id, civil_day(now))
    _require_open(meeting, "withdraw_paper")
    paper = session.get(MeetingPaper, (meeting_id, n), populate_existing=True)
    if paper is None or paper.withdrawn_at is not None:
        raise UnknownPaper(n)
    paper.withdrawn_at = now
    note_change(session, meeting, actor, "paper_withdrawn", now, paper=n, title=paper.title)
    record(session, PaperWithdrawn(meeting_id, n))
    return paper


@dataclass(frozen=True, slots=True)
class ListedPaper:
    """A paper as lists show it. `size` in bytes; `media_type`: what the bytes are."""

    n: int
    title: str
    filename: str
    size: int
    media_type: str
    uploaded_at: datetime
    uploaded_by: str


def papers_of(session: Session, meeting_id: int) -> list[ListedPaper]:
    """The papers of a meeting in the order in which they came; one statement.

    The caller has seen to it that the actor may see the meeting.
    """
    rows = session.execute(
        select(
            MeetingPaper.n,
            MeetingPaper.title,
            MeetingPaper.filename,
            StoredFile.size,
            StoredFile.media_type,
            MeetingPaper.uploaded_at,
            Person.name,
        )
        .join(StoredFile, StoredFile.sha256 == MeetingPaper.sha256)
        .join(Person, Person.id == MeetingPaper.uploaded_by)
        .where(MeetingPaper.meeting_id == meeting_id, MeetingPaper.withdrawn_at.is_(None))
        .order_by(MeetingPaper.n)
    )
    return [ListedPaper(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class ReadablePaper:
    """What a download needs once the right has been checked."""

    sha256: str
    filename: str
    media_type: str
    size: int


def paper_to_read(
    session: Session, actor: Actor, meeting_id: int, n: int, on: date
) -> ReadablePaper:
    """A paper for whoever may see the meeting. Raises `UnknownMeeting`, `UnknownPaper`."""
    visible_meeting(session, actor, meeting_id, on)
    row = session.execute(
        select(StoredFile.sha256, MeetingPaper.filename, StoredFile.media_type, StoredFile.size)
        .join(StoredFile, StoredFile.sha256 == MeetingPaper.sha256)
        .where(
            MeetingPaper.meeting_id == meeting_id,
            MeetingPaper.n == n,
            MeetingPaper.withdrawn_at.is_(None),
        )
    ).first()
    if row is None:
        raise UnknownPaper(n)
    return ReadablePaper(*row)


def papers_due(meeting: Meeting) -> date | None:
    """The last day on which papers of a periodic meeting are in time; None for other kinds."""
    if meeting.kind != MeetingKind.PERIODIC.value:
        return None
    return add_working_days(meeting.day, -NOTICE)


def papers_late(meeting: Meeting, papers: Sequence[ListedPaper], on: date) -> bool:
    """Whether the clock for papers has run out with none there."""
    due = papers_due(meeting)
    return due is not None and not papers and on > due


def _require_open(meeting: Meeting, action: str) -> None:
    if meeting.state in CLOSED:
        raise WrongState(meeting.state, action)
