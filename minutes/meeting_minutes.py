"""Minutes (biên bản) as they are kept: the tables, who may read them, and who may change them.

A document moves draft → submitted → signed → issued and never changes after that: triggers in the
database refuse it, whoever writes. A correction is a new document that names the old one. The verbs
stand in `drafting` and `signing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    and_,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, defer, joinedload, mapped_column, relationship

from minutes.content import Content, content_of
from rooms.kernel import Base, Conflict, Denied, NotFound, civil_day
from rooms.meetings import Meeting, chaired_by, visible
from rooms.people import Person
from rooms.policies import Actor, Permission, governed, require, require_in_person


class MinutesState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    SIGNED = "signed"
    ISSUED = "issued"


class Minutes(Base):
    """One document. A meeting has one, and one more for each correction."""

    __tablename__ = "minutes"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), index=True)
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("minutes.id"))
    correction_reason: Mapped[str] = mapped_column(default="")
    state: Mapped[str]
    version: Mapped[int]
    """Rises with every save; a save based on an older one is refused."""
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    """See `content.Content`."""
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The meeting as it was when the chair signed, see `meeting_facts`; None before that."""
    folded: Mapped[str]
    """Title and number, for the search."""
    number: Mapped[int | None]
    symbol: Mapped[str] = mapped_column(default="")
    """Number and symbol as they stand on paper: `12/BB-UBND`."""
    pdf_sha256: Mapped[str | None] = mapped_column(ForeignKey("stored_file.sha256"))
    created_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]
    saved_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    saved_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    sent_back_reason: Mapped[str] = mapped_column(default="")
    signed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    signed_at: Mapped[datetime | None]
    issued_at: Mapped[datetime | None] = mapped_column(index=True)

    meeting: Mapped[Meeting] = relationship(lazy="raise")
    saver: Mapped[Person] = relationship(lazy="raise", foreign_keys=[saved_by])
    signer: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[signed_by])
    corrects: Mapped["Minutes | None"] = relationship(lazy="raise", remote_side="Minutes.id")

    __table_args__ = (
        # A document is corrected once; who wants to correct again corrects the correction.
        UniqueConstraint("corrects_id"),
        Index(
            "uq_minutes_first_of_meeting",
            "meeting_id",
            unique=True,
            sqlite_where=text("corrects_id IS NULL"),
            postgresql_where=text("corrects_id IS NULL"),
        ),
    )

    @property
    def written(self) -> Content:
        return content_of(self.content)


class MinutesVersion(Base):
    """What one save held. Never changed."""

    __tablename__ = "minutes_version"

    minutes_id: Mapped[int] = mapped_column(ForeignKey("minutes.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    on_behalf_of_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """The official for whom the author wrote."""
    at: Mapped[datetime]

    author: Mapped[Person] = relationship(lazy="raise", foreign_keys=[author_id])
    on_behalf_of: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[on_behalf_of_id])


@dataclass
class UnknownMinutes(NotFound):
    code: ClassVar[str] = "unknown_minutes"
    minutes: int


@dataclass
class MinutesNotOpen(Conflict):
    """The minutes' state does not allow the act; issued ones allow none."""

    code: ClassVar[str] = "minutes_state"
    state: str
    action: str


@dataclass
class NotTheChair(Denied):
    """Only the meeting's chair signs, issues and sends back."""

    code: ClassVar[str] = "not_the_chair"
    chair: str


def written_by(actor: Actor, on: date) -> ColumnElement[bool]:
    """The minutes of units in which the actor writes minutes."""
    return Minutes.meeting_id.in_(
        select(Meeting.id).where(
            governed(actor, Permission.MINUTES_WRITE, Meeting.host_unit_id, on)
        )
    )


def chaired_minutes(actor: Actor, on: date) -> ColumnElement[bool]:
    """The minutes of meetings whose chair the actor is, or acts for."""
    return Minutes.meeting_id.in_(select(Meeting.id).where(chaired_by(actor, on)))


def published_to(actor: Actor, on: date) -> ColumnElement[bool]:
    """Issued minutes of meetings that the actor may see."""
    return and_(
        Minutes.state == MinutesState.ISSUED.value,
        Minutes.meeting_id.in_(select(Meeting.id).where(visible(actor, on))),
    )


def readable(actor: Actor, on: date) -> ColumnElement[bool]:
    """The minutes an actor may read.

    Issued ones: whoever may see the meeting. Before that: the host's secretaries and the chair.
    """
    return or_(published_to(actor, on), written_by(actor, on), chaired_minutes(actor, on))


def minutes_to_read(
    session: Session, actor: Actor, minutes_id: int, on: date, options: Sequence[Any] = ()
) -> Minutes:
    """Raises `UnknownMinutes`, also where the actor may not read them."""
    minutes = session.scalar(
        select(Minutes).where(Minutes.id == minutes_id, readable(actor, on)).options(*options)
    )
    if minutes is None:
        raise UnknownMinutes(minutes_id)
    return minutes


def minutes_of(
    session: Session, actor: Actor, meeting_id: int, on: date, options: Sequence[Any] = ()
) -> list[Minutes]:
    """The minutes of a meeting that the actor may read, the newest first."""
    return list(
        session.scalars(
            select(Minutes)
            .where(Minutes.meeting_id == meeting_id, readable(actor, on))
            .options(*options)
            .order_by(Minutes.id.desc())
        )
    )


def versions_of(session: Session, minutes_id: int, limit: int = 100) -> list[MinutesVersion]:
    """Who saved when, the newest first, without the texts."""
    return list(
        session.scalars(
            select(MinutesVersion)
            .where(MinutesVersion.minutes_id == minutes_id)
            .options(
                defer(MinutesVersion.content),
                joinedload(MinutesVersion.author),
                joinedload(MinutesVersion.on_behalf_of),
            )
            .order_by(MinutesVersion.version.desc())
            .limit(limit)
        )
    )


def locked(
    session: Session, actor: Actor, minutes_id: int, now: datetime
) -> tuple[Minutes, Meeting]:
    seen = minutes_to_read(session, actor, minutes_id, civil_day(now))
    # The meeting first, as everywhere: whoever locks both takes them in this order.
    meeting = session.scalars(
        select(Meeting)
        .where(Meeting.id == seen.meeting_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    minutes = session.scalars(
        select(Minutes)
        .where(Minutes.id == minutes_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    return minutes, meeting


def chaired(
    session: Session,
    actor: Actor,
    minutes_id: int,
    now: datetime,
    permission: Permission = Permission.MINUTES_ISSUE,
) -> tuple[Minutes, Meeting]:
    """Minutes and meeting, locked, for their chair, or to be reviewed by whom the chair entrusted.

    Raises `UnknownMinutes`, `NotTheChair`, `NotPermitted`, `InPersonOnly` where somebody else would
    sign or issue.
    """
    minutes, meeting = locked(session, actor, minutes_id, now)
    if permission is Permission.MINUTES_ISSUE:
        require_in_person(actor)
    if meeting.chair_id != actor.principal_id:
        raise NotTheChair(session.get_one(Person, meeting.chair_id).name)
    require(session, actor, permission, meeting.host_unit_id, civil_day(now))
    return minutes, meeting


def expect(minutes: Minutes, action: str, *states: MinutesState) -> None:
    if minutes.state not in {state.value for state in states}:
        raise MinutesNotOpen(minutes.state, action)
