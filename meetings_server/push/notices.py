"""What people are told in the page: a notice for each occasion, a row for each person who is told.

The row of a person is also the mark that they have been told: a notice has one key, a person stands
under it once, whatever roles they hold and however often a sweep runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.mail.letters import wording
from rooms.kernel import Base

PAGE = 50


class Notice(Base):
    """What one occasion has to say, to however many people."""

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    """Names the occasion: the same one is told once."""
    kind: Mapped[str]
    moment: Mapped[str] = mapped_column(default="", index=True)
    """Occasions of the same moment: who was told of one is not told of another. Empty: of none."""
    meeting_id: Mapped[int | None] = mapped_column(ForeignKey("meeting.id"), index=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    """The unit that speaks."""
    title: Mapped[str]
    """Texts are kept as they stand in the catalogues, and are read in each person's language."""
    text: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What stands in the texts' braces; names that end in `_at` are instants."""
    path: Mapped[str]
    """Where a click leads, on this server."""
    in_page: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class NoticeReader(Base):
    """A person who is told."""

    __tablename__ = "notice_reader"

    notice_id: Mapped[int] = mapped_column(ForeignKey("notice.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    count: Mapped[int]
    """How many points it is about for this person; 0 where it is not about points."""
    read_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    """When what it asks for had been done."""

    __table_args__ = (Index(None, "person_id", "read_at"),)


@dataclass(frozen=True, slots=True)
class Told:
    """A notice as one person reads it."""

    id: int
    title: str
    text: str
    path: str
    at: datetime
    read_at: datetime | None
    settled_at: datetime | None


def unread(session: Session, person_id: int) -> int:
    """How many notices a person has not read; one statement."""
    return (
        session.scalar(
            select(func.count())
            .select_from(NoticeReader)
            .join(Notice, Notice.id == NoticeReader.notice_id)
            .where(
                NoticeReader.person_id == person_id,
                NoticeReader.read_at.is_(None),
                Notice.in_page,
            )
        )
        or 0
    )


def notices_of(session: Session, person_id: int, before: int | None = None) -> Sequence[Told]:
    """A page of what a person was told, the newest first, and one more where there is more."""
    wanted = [NoticeReader.person_id == person_id, Notice.in_page]
    if before is not None:
        wanted.append(Notice.id < before)
    rows = session.execute(
        select(Notice, NoticeReader)
        .join(NoticeReader, NoticeReader.notice_id == Notice.id)
        .where(*wanted)
        .order_by(Notice.id.desc())
        .limit(PAGE + 1)
    )
    return [
        Told(
            notice.id,
            wording(notice.title, notice.facts, count=reader.count),
            wording(notice.text, notice.facts, count=reader.count),
            notice.path,
            notice.created_at,
            reader.read_at,
            reader.settled_at,
        )
        for notice, reader in rows
    ]


def path_of(session: Session, person_id: int, notice_id: int) -> str | None:
    """Where a notice leads; None where this person was not told."""
    return session.scalar(
        select(Notice.path)
        .join(NoticeReader, NoticeReader.notice_id == Notice.id)
        .where(Notice.id == notice_id, NoticeReader.person_id == person_id)
    )


def mark_read(session: Session, person_id: int, now: datetime, notice_id: int | None = None) -> int:
    """A person has read one notice, or all. Returns how many were unread."""
    wanted = [NoticeReader.person_id == person_id, NoticeReader.read_at.is_(None)]
    if notice_id is not None:
        wanted.append(NoticeReader.notice_id == notice_id)
    read: int = session.execute(
        update(NoticeReader)
        .where(*wanted)
        .values(read_at=now)
        .execution_options(synchronize_session=False)
    ).rowcount  # type: ignore[attr-defined]  # an UPDATE has a row count
    return read
