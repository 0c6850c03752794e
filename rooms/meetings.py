"""Meetings and who takes part in them: the tables, their states, and who may see them.

A meeting moves draft → scheduled → in progress → ended → concluded, or is postponed or cancelled.
Its interval is half-open, `[starts_at, ends_at)`, kept in UTC with its time zone beside it. The
verbs that move it stand in `scheduling`, the answers of the invited in `replies`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    and_,
    exists,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit
from rooms.kernel import LARGEST_ID, Base, Conflict, Event, NotFound
from rooms.people import Person
from rooms.policies import Actor, Permission, governed, require, stands_for


class MeetingState(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    POSTPONED = "postponed"
    IN_PROGRESS = "in_progress"
    ENDED = "ended"
    CONCLUDED = "concluded"
    CANCELLED = "cancelled"


class MeetingKind(StrEnum):
    """What sort of meeting it is; the legal clocks of a periodic one differ."""

    PERIODIC = "periodic"
    THEMATIC = "thematic"
    CONFERENCE = "conference"
    URGENT = "urgent"
    TRAINING = "training"


class Reply(StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"


AWAITED = (MeetingState.SCHEDULED.value, MeetingState.IN_PROGRESS.value)
"""States in which the invited answer and check in: the meeting is to come or under way."""

PUBLISHED = tuple(state for state in MeetingState if state is not MeetingState.DRAFT)
"""States in which the invited see the meeting."""

OPEN_FOR_CHANGE = (MeetingState.DRAFT, MeetingState.SCHEDULED, MeetingState.POSTPONED)


class Meeting(Base):
    """One wide-area meeting."""

    __tablename__ = "meeting"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    """iCalendar UID: never changes."""
    request_key: Mapped[str | None] = mapped_column(unique=True)
    """Given by the form or program that made it: the same request again makes no second one."""
    sequence: Mapped[int] = mapped_column(default=0)
    """iCalendar SEQUENCE: rises with every change that invitees learn of."""
    version: Mapped[int] = mapped_column(default=1)
    """Rises with every edit; a form based on an older one is refused."""
    title: Mapped[str]
    folded: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    host_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    main_point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"))
    chair_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    starts_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime]
    timezone: Mapped[str]
    setup_minutes: Mapped[int]
    """Line-test time that the points are held before the start."""
    clearing_minutes: Mapped[int]
    """Time that the points are held after the end."""
    audience: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """The rules as they were said, see `audience`."""
    requirements: Mapped[str] = mapped_column(default="")
    """What the invited have to bring or prepare."""
    join_url: Mapped[str] = mapped_column(default="")
    join_address: Mapped[str] = mapped_column(default="")
    join_pin: Mapped[str] = mapped_column(default="")
    late_reason: Mapped[str] = mapped_column(default="")
    """Why the invitation goes out later than the notice period."""
    closing_reason: Mapped[str] = mapped_column(default="")
    """Why the meeting was postponed or cancelled."""
    created_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]
    scheduled_at: Mapped[datetime | None]
    """When the invitation first went out."""
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    host_unit: Mapped[Unit] = relationship(lazy="raise")
    main_point: Mapped[BridgePoint] = relationship(lazy="raise")
    chair: Mapped[Person] = relationship(lazy="raise", foreign_keys=[chair_id])
    creator: Mapped[Person] = relationship(lazy="raise", foreign_keys=[created_by])
    agenda: Mapped[list["AgendaItem"]] = relationship(
        lazy="raise", order_by="AgendaItem.position", cascade="all, delete-orphan"
    )

    @property
    def held_from(self) -> datetime:
        return self.starts_at - timedelta(minutes=self.setup_minutes)

    @property
    def held_until(self) -> datetime:
        return self.ends_at + timedelta(minutes=self.clearing_minutes)

    @property
    def day(self) -> date:
        """The day of the meeting where it takes place: the day of its tree."""
        return self.starts_at.astimezone(ZoneInfo(self.timezone)).date()


class AgendaItem(Base):
    """One item of the agenda, in order."""

    __tablename__ = "agenda_item"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    presenter: Mapped[str] = mapped_column(default="")


class Participation(Base):
    """A unit invited to a meeting with one of its bridge points, and what it answered."""

    __tablename__ = "participation"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), index=True)
    is_main: Mapped[bool] = mapped_column(default=False)
    invited_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    """When a change of the audience took the invitation back."""
    reply: Mapped[str] = mapped_column(default=Reply.PENDING.value)
    reply_reason: Mapped[str] = mapped_column(default="")
    replied_at: Mapped[datetime | None]
    replied_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    replied_on_behalf_of_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """The official for whom a secretary replied."""
    delegate_name: Mapped[str] = mapped_column(default="")
    delegate_title: Mapped[str] = mapped_column(default="")
    is_substitute: Mapped[bool] = mapped_column(default=False)
    """The delegate comes in another's place (đại biểu đi thay)."""

    meeting: Mapped[Meeting] = relationship(lazy="raise")
    unit: Mapped[Unit] = relationship(lazy="raise")
    point: Mapped[BridgePoint] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("meeting_id", "point_id"),
        Index(None, "unit_id", "meeting_id"),
    )


class MeetingChange(Base):
    """The history of a meeting: who did what, when, and why. Never changed."""

    __tablename__ = "meeting_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), index=True)
    at: Mapped[datetime]
    actor_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    on_behalf_of_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """The official for whom the actor did it."""
    action: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    actor: Mapped[Person] = relationship(lazy="raise", foreign_keys=[actor_id])
    on_behalf_of: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[on_behalf_of_id])


@dataclass
class UnknownMeeting(NotFound):
    code: ClassVar[str] = "unknown_meeting"
    meeting: int


@dataclass
class WrongState(Conflict):
    """The meeting's state does not allow the act."""

    code: ClassVar[str] = "meeting_state"
    state: str
    action: str


@dataclass
class StaleVersion(Conflict):
    """Somebody else changed it since the form was opened."""

    code: ClassVar[str] = "stale_version"
    current: int
    given: int


@dataclass(frozen=True)
class MeetingScheduled(Event):
    """The invitation goes out for the first time."""

    meeting_id: int


@dataclass(frozen=True)
class MeetingChanged(Event):
    """What invitees know has changed. `added` and `removed` are ids of participations."""

    meeting_id: int
    fields: tuple[str, ...]
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


@dataclass(frozen=True)
class MeetingCancelled(Event):
    meeting_id: int


@dataclass(frozen=True)
class MeetingPostponed(Event):
    meeting_id: int


@dataclass(frozen=True)
class MeetingStarted(Event):
    meeting_id: int


@dataclass(frozen=True)
class MeetingEnded(Event):
    meeting_id: int


def chaired_by(actor: Actor, on: date) -> ColumnElement[bool]:
    """The meetings whose chair the actor is, or acts for."""
    return stands_for(actor, Meeting.chair_id, on, Permission.MEETING_READ)


def hosted(actor: Actor, on: date) -> ColumnElement[bool]:
    """The meetings of units in which the actor sees meetings."""
    return governed(actor, Permission.MEETING_READ, Meeting.host_unit_id, on)


# Made once: an alias works out its columns anew each time, which costs more than the answer.
_INVITATION = aliased(Participation)


def invited_to(actor: Actor, on: date) -> ColumnElement[bool]:
    """The meetings to which such units are invited, once the invitation has gone out."""
    invitation = _INVITATION
    return and_(
        Meeting.state.in_([state.value for state in PUBLISHED]),
        # Correlated: it looks only at the invitations of the meetings that are asked about.
        exists()
        .where(
            invitation.meeting_id == Meeting.id,
            invitation.invited_at.is_not(None),
            governed(actor, Permission.MEETING_READ, invitation.unit_id, on),
        )
        .correlate(Meeting),
    )


def visible(actor: Actor, on: date) -> ColumnElement[bool]:
    """The meetings an actor may see: their unit hosts it, they chair it, or they are invited.

    Hosts see their drafts; the invited see a meeting once its invitation has gone out.
    """
    return or_(hosted(actor, on), chaired_by(actor, on), invited_to(actor, on))


def visible_meeting(
    session: Session, actor: Actor, meeting_id: int, on: date, options: Sequence[Any] = ()
) -> Meeting:
    """A meeting the actor may see; raises `UnknownMeeting`, also where they may not see it."""
    # A number that no column holds is an error to the database and an unknown meeting to people.
    meeting = None
    if 0 < meeting_id <= LARGEST_ID:
        meeting = session.scalar(
            select(Meeting).where(Meeting.id == meeting_id, visible(actor, on)).options(*options)
        )
    if meeting is None:
        raise UnknownMeeting(meeting_id)
    return meeting


def meeting_to_change(
    session: Session, actor: Actor, meeting_id: int, on: date, *, version: int | None = None
) -> Meeting:
    """A meeting the actor may manage, locked for this transaction.

    Raises `UnknownMeeting`, `NotPermitted`, and `StaleVersion` when `version` is given and is not
    the present one.
    """
    visible_meeting(session, actor, meeting_id, on)
    meeting = session.scalars(
        select(Meeting)
        .where(Meeting.id == meeting_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    require(session, actor, Permission.MEETING_WRITE, meeting.host_unit_id, on)
    if version is not None and version != meeting.version:
        raise StaleVersion(meeting.version, version)
    return meeting


def invited(meeting_id: int) -> ColumnElement[bool]:
    """The participations of a meeting that still stand."""
    return and_(Participation.meeting_id == meeting_id, Participation.withdrawn_at.is_(None))


def standing_invitation() -> ColumnElement[bool]:
    """The participations that have been told of and still stand."""
    return and_(Participation.invited_at.is_not(None), Participation.withdrawn_at.is_(None))


def note_change(
    session: Session,
    meeting: Meeting,
    actor: Actor,
    action: str,
    now: datetime,
    *,
    reason: str = "",
    **detail: Any,
) -> None:
    """Put a line into the meeting's history."""
    session.add(
        MeetingChange(
            meeting_id=meeting.id,
            at=now,
            actor_id=actor.person_id,
            on_behalf_of_id=actor.on_behalf_of,
            action=action,
            reason=reason,
            detail=detail,
        )
    )
