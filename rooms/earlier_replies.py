"""What units answered for a time that is no longer that of the meeting.

When a meeting moves, nobody has promised to come at the new time: every answer is asked again, and
what was said before is kept here for whoever wants to know who had confirmed.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, Index, and_, func, insert, literal, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base
from rooms.meetings import Participation, Reply, invited


class EarlierReply(Base):
    """An answer to an invitation for the interval `[starts_at, ends_at)`. Never changed."""

    __tablename__ = "earlier_reply"

    id: Mapped[int] = mapped_column(primary_key=True)
    participation_id: Mapped[int] = mapped_column(
        ForeignKey("participation.id", ondelete="CASCADE")
    )
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    asked_again_at: Mapped[datetime]
    reply: Mapped[str]
    reply_reason: Mapped[str]
    replied_at: Mapped[datetime | None]
    replied_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    replied_on_behalf_of_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    delegate_name: Mapped[str]
    delegate_title: Mapped[str]
    is_substitute: Mapped[bool]

    __table_args__ = (Index(None, "participation_id", "id"),)


ANSWER = (
    "reply",
    "reply_reason",
    "replied_at",
    "replied_by",
    "replied_on_behalf_of_id",
    "delegate_name",
    "delegate_title",
)
"""The columns of an answer that both tables have under the same name, besides `is_substitute`."""


def ask_again(
    session: Session, meeting_id: int, starts_at: datetime, ends_at: datetime, now: datetime
) -> int:
    """Keep the answers for `[starts_at, ends_at)`, the old time, and make them all pending.

    Returns how many units had answered. Two statements, whatever the number of units.
    """
    answered = answered_by_units(meeting_id)
    copied = [getattr(Participation, name) for name in ANSWER]
    session.execute(
        insert(EarlierReply).from_select(
            [
                "participation_id",
                "meeting_id",
                "starts_at",
                "ends_at",
                "asked_again_at",
                *ANSWER,
                "is_substitute",
            ],
            select(
                Participation.id,
                Participation.meeting_id,
                literal(starts_at, EarlierReply.starts_at.type),
                literal(ends_at, EarlierReply.ends_at.type),
                literal(now, EarlierReply.asked_again_at.type),
                *copied,
                Participation.is_substitute,
            ).where(answered),
        )
    )
    asked = session.scalars(
        update(Participation)
        .where(answered)
        .values(
            reply=Reply.PENDING.value,
            reply_reason="",
            replied_at=None,
            replied_by=None,
            replied_on_behalf_of_id=None,
            delegate_name="",
            delegate_title="",
            is_substitute=False,
        )
        .returning(Participation.id)
        .execution_options(synchronize_session="fetch")
    )
    return len(asked.all())


def answered_by_units(meeting_id: int) -> ColumnElement[bool]:
    """The standing participations of a meeting that have been answered."""
    return and_(invited(meeting_id), Participation.reply != Reply.PENDING.value)


def latest_of(meeting_id: int) -> ColumnElement[bool]:
    """The last earlier answer of each unit of a meeting: what it had said for the time before."""
    return EarlierReply.id.in_(
        select(func.max(EarlierReply.id))
        .where(EarlierReply.meeting_id == meeting_id)
        .group_by(EarlierReply.participation_id)
    )


def former_reply(session: Session, participation_id: int) -> EarlierReply | None:
    """What the unit had said last for a time that no longer is the meeting's."""
    return session.scalar(
        select(EarlierReply)
        .where(EarlierReply.participation_id == participation_id)
        .order_by(EarlierReply.id.desc())
        .limit(1)
    )
