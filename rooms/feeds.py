"""Calendar feeds: an address with a secret in it, for a unit, a bridge point or a person.

Whoever has the address reads the calendar without logging in, so it tells when, what and where, and
never how to join: that stands behind the login.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    and_,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    type_coerce,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column

from rooms.bridge_points import IN_ORDER, BridgePoint, open_on, point_by_id
from rooms.hierarchy import Unit, unit_by_id
from rooms.kernel import Base, Denied, NotFound, UTCDateTime, civil_day
from rooms.lineage import own_units
from rooms.meetings import (
    PUBLISHED,
    Meeting,
    MeetingChange,
    MeetingState,
    Participation,
)
from rooms.people import Person, person_by_id
from rooms.policies import Actor, Permission, require, top_units

PAST = timedelta(days=60)
"""How long a meeting that is over, or was called off, stays in a feed."""
MOST_MEETINGS = 1_000
MOST_POINTS = 50


class FeedKind(StrEnum):
    UNIT = "unit"
    POINT = "point"
    PERSON = "person"


class CalendarFeed(Base):
    """One address of one calendar; renewing it ends the old one.

    The token is kept as it is, not as a hash: the page shows the address again to whoever may have
    it, and it opens nothing but the times and places of meetings.
    """

    __tablename__ = "calendar_feed"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    of_id: Mapped[int]
    """Id of the unit, the point or the person."""
    created_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        # One address at a time, whoever asks first at the same moment.
        Index(
            "uq_calendar_feed_standing",
            "kind",
            "of_id",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )


@dataclass
class UnknownFeed(NotFound):
    """No calendar has this address, or it has been renewed."""

    code: ClassVar[str] = "unknown_feed"


@dataclass
class NotYourCalendar(Denied):
    """A person's calendar is that person's alone."""

    code: ClassVar[str] = "not_your_calendar"


@dataclass(frozen=True, slots=True)
class FeedMeeting:
    """A meeting in a feed, and when it was last changed."""

    meeting: Meeting
    modified: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """What a feed holds. `changed_at` also rises when a meeting leaves it."""

    kind: FeedKind
    name: str
    """Of the unit, the point or the person."""
    changed_at: datetime
    meetings: Sequence[FeedMeeting]


def feed_of(
    session: Session, actor: Actor, kind: FeedKind, of_id: int, now: datetime
) -> CalendarFeed:
    """The address of a calendar, made when it is first asked for.

    Raises `UnknownUnit`, `UnknownPoint`, `UnknownPerson`, `NotPermitted`, `NotYourCalendar`.
    """
    _require(session, actor, kind, of_id, now)
    feed = session.scalar(select(CalendarFeed).where(_standing(kind, of_id)))
    return feed or _make(session, actor, kind, of_id, now)


def renew(
    session: Session, actor: Actor, kind: FeedKind, of_id: int, now: datetime
) -> CalendarFeed:
    """A new address; the old one ends at once, in every calendar that reads it. Raises as `feed_of`."""
    _require(session, actor, kind, of_id, now)
    old = session.scalar(select(CalendarFeed).where(_standing(kind, of_id)).with_for_update())
    if old is not None:
        old.revoked_at = now
        session.flush()
    return _make(session, actor, kind, of_id, now)


def _make(
    session: Session, actor: Actor, kind: FeedKind, of_id: int, now: datetime
) -> CalendarFeed:
    feed = CalendarFeed(**_row(actor, kind.value, of_id, now))
    session.add(feed)
    session.flush()
    return feed


def _row(actor: Actor, kind: str, of_id: int, now: datetime) -> dict[str, Any]:
    return {
        "token": secrets.token_urlsafe(24),
        "kind": kind,
        "of_id": of_id,
        "created_by": actor.person_id,
        "created_at": now,
        "revoked_at": None,
    }


def _standing(kind: FeedKind, of_id: int) -> ColumnElement[bool]:
    return and_(
        CalendarFeed.kind == kind.value,
        CalendarFeed.of_id == of_id,
        CalendarFeed.revoked_at.is_(None),
    )


def _require(session: Session, actor: Actor, kind: FeedKind, of_id: int, now: datetime) -> None:
    today = civil_day(now)
    actor = actor.in_own_name
    if kind is FeedKind.PERSON:
        if of_id != actor.person_id:
            raise NotYourCalendar
        person_by_id(session, of_id)
        return
    unit_id = (
        unit_by_id(session, of_id, today).id
        if kind is FeedKind.UNIT
        else point_by_id(session, of_id).unit_id
    )
    require(session, actor, Permission.MEETING_READ, unit_id, today)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A calendar that a person may subscribe to."""

    kind: FeedKind
    of_id: int
    name: str
    unit_name: str
    token: str


def subscriptions(session: Session, actor: Actor, now: datetime) -> list[Subscription]:
    """The calendars of an actor, their units and the points of these, with their tokens.

    Tokens are made where there were none: six statements at most, whatever the number.
    """
    # An address outlives the day on which somebody acts on behalf of another.
    actor = actor.in_own_name
    units = top_units(session, actor, Permission.MEETING_READ, civil_day(now))
    points = session.execute(
        select(BridgePoint.id, BridgePoint.name, Unit.name)
        .join(Unit, Unit.id == BridgePoint.unit_id)
        .where(BridgePoint.unit_id.in_([unit.id for unit in units]), open_on(civil_day(now)))
        .order_by(BridgePoint.unit_id, *IN_ORDER)
        .limit(MOST_POINTS)
    )
    wanted = [(FeedKind.PERSON, actor.person_id, actor.name, "")]
    wanted += [(FeedKind.UNIT, unit.id, unit.name, unit.name) for unit in units]
    wanted += [(FeedKind.POINT, point_id, name, unit) for point_id, name, unit in points]
    keys = [(kind.value, of_id) for kind, of_id, _, _ in wanted]
    tokens = _tokens(session, keys)
    missing = [key for key in keys if key not in tokens]
    if missing:
        try:
            with session.begin_nested():
                session.execute(insert(CalendarFeed), [_row(actor, *key, now) for key in missing])
        except IntegrityError:
            pass  # Somebody else has asked for one of them at this moment; what they made is read.
        tokens = _tokens(session, keys)
    return [
        Subscription(kind, of_id, name, unit, tokens[kind.value, of_id])
        for kind, of_id, name, unit in wanted
        if (kind.value, of_id) in tokens
    ]


def _tokens(session: Session, keys: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
    rows = session.execute(
        select(CalendarFeed.kind, CalendarFeed.of_id, CalendarFeed.token).where(
            tuple_(CalendarFeed.kind, CalendarFeed.of_id).in_(keys),
            CalendarFeed.revoked_at.is_(None),
        )
    )
    return {(kind, of_id): token for kind, of_id, token in rows}


def read_feed(session: Session, token: str, now: datetime) -> Feed:
    """What the address of a calendar shows now: four statements. Raises `UnknownFeed`."""
    feed = session.scalar(
        select(CalendarFeed).where(CalendarFeed.token == token, CalendarFeed.revoked_at.is_(None))
    )
    if feed is None:
        raise UnknownFeed
    kind = FeedKind(feed.kind)
    name, shown, ever = _contents(session, kind, feed.of_id, civil_day(now))
    modified = (
        select(MeetingChange.meeting_id, func.max(MeetingChange.at).label("at"))
        .group_by(MeetingChange.meeting_id)
        .subquery()
    )
    rows = session.execute(
        select(Meeting, type_coerce(modified.c.at, UTCDateTime()))
        .join(modified, modified.c.meeting_id == Meeting.id)
        .where(shown, Meeting.ends_at > now - PAST)
        .options(
            joinedload(Meeting.host_unit), joinedload(Meeting.chair), joinedload(Meeting.main_point)
        )
        .order_by(Meeting.starts_at, Meeting.id)
        .limit(MOST_MEETINGS)
    )
    last = session.scalar(
        select(func.max(MeetingChange.at))
        .join(Meeting, Meeting.id == MeetingChange.meeting_id)
        .where(ever)
    )
    return Feed(
        kind,
        name,
        max(feed.created_at, last) if last else feed.created_at,
        [FeedMeeting(meeting, at) for meeting, at in rows],
    )


def _contents(
    session: Session, kind: FeedKind, of_id: int, on: date
) -> tuple[str, ColumnElement[bool], ColumnElement[bool]]:
    """The calendar's name, the meetings it shows, and all that it may ever have shown."""
    if kind is FeedKind.POINT:
        name = session.scalar(select(BridgePoint.name).where(BridgePoint.id == of_id))
        mine: ColumnElement[bool] = Participation.point_id == of_id
        own: list[ColumnElement[bool]] = []
    elif kind is FeedKind.UNIT:
        name = session.scalar(select(Unit.name).where(Unit.id == of_id))
        units = own_units(of_id, on)
        mine = Participation.unit_id.in_(units)
        own = [Meeting.host_unit_id.in_(units)]
    else:
        # Whoever has left reads nothing any more.
        person = session.scalar(select(Person).where(Person.id == of_id, Person.active))
        name = person.name if person else None
        mine = Participation.unit_id.in_(own_units(person.unit_id if person else 0, on))
        own = [Meeting.chair_id == of_id, Meeting.created_by == of_id]
    if name is None:
        raise UnknownFeed
    told = and_(mine, Participation.invited_at.is_not(None))
    invited_to = Meeting.id.in_(
        select(Participation.meeting_id).where(told, Participation.withdrawn_at.is_(None))
    )
    published = Meeting.state.in_([state.value for state in PUBLISHED])
    live = or_(*own, and_(published, invited_to))
    ever = or_(*own, Meeting.id.in_(select(Participation.meeting_id).where(mine)))
    # What was called off before anybody was told of it is nobody's news.
    told_of = or_(Meeting.scheduled_at.is_not(None), Meeting.state == MeetingState.DRAFT.value)
    return name, and_(live, told_of), ever
