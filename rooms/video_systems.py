"""Video systems that report who has joined and left: their connections, and what came over them.

A connection belongs to a unit and covers the meetings that this unit and those below it host. Its secret is
kept sealed by the server; while it is being replaced the former one holds for a while, too.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.hierarchy import Unit
from rooms.kernel import Base, FieldInvalid, NotFound, require_text
from rooms.policies import Actor, Permission, governed, require

LONGEST_OVERLAP = timedelta(days=7)
ERROR_EVERY = timedelta(seconds=10)
"""Faults of requests that nobody has signed are written down at most this often."""


class VideoFormat(StrEnum):
    """How a system words its events."""

    NEUTRAL = "neutral"
    """The one that this server describes."""
    ZOOM = "zoom"


class VideoConnection(Base):
    """A video system that may report."""

    __tablename__ = "video_connection"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    """Names it in its address; no secret."""
    name: Mapped[str]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    format: Mapped[str]
    by_name: Mapped[bool]
    """Whether a participant's name may say which point it is, where no address does."""
    active: Mapped[bool]
    secret: Mapped[str]
    """Sealed."""
    secret_since: Mapped[datetime]
    former_secret: Mapped[str] = mapped_column(default="")
    """Sealed; holds until `former_until`."""
    former_until: Mapped[datetime | None]
    created_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]
    last_event_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(default="")
    """A code."""
    last_error_at: Mapped[datetime | None]


class VideoRequest(Base):
    """A signed request that has come, so that nobody sends it a second time."""

    __tablename__ = "video_request"

    connection_id: Mapped[int] = mapped_column(ForeignKey("video_connection.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    """Of its signature."""
    received_at: Mapped[datetime] = mapped_column(index=True)
    settled: Mapped[bool]
    """Everything in it has been dealt with; before that it may come again."""


class VideoParticipant(Base):
    """Somebody or something in the video room of a meeting, and the point that it is."""

    __tablename__ = "video_participant"

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("video_connection.id"))
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"))
    key: Mapped[str]
    """What the system calls it: its id, else its address, else its name."""
    name: Mapped[str]
    address: Mapped[str]
    point_id: Mapped[int | None] = mapped_column(ForeignKey("bridge_point.id"))
    matched: Mapped[str] = mapped_column(default="")
    """By what the point was found: `address`, `name` or `hand`."""
    assigned_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    joined: Mapped[bool]
    changed_at: Mapped[datetime]
    """The newest observation."""

    __table_args__ = (
        UniqueConstraint("meeting_id", "connection_id", "key"),
        Index(None, "meeting_id", "point_id"),
    )


class VideoEvent(Base):
    """One event that a system reported. Never changed once its outcome is known."""

    __tablename__ = "video_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("video_connection.id"))
    event_id: Mapped[str]
    """As the system calls it; the same one again is dropped."""
    kind: Mapped[str]
    meeting_id: Mapped[int | None] = mapped_column(ForeignKey("meeting.id"), index=True)
    point_id: Mapped[int | None] = mapped_column(ForeignKey("bridge_point.id"))
    room: Mapped[str]
    name: Mapped[str]
    address: Mapped[str]
    observed_at: Mapped[datetime]
    received_at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(default="")
    """Empty while it is under way."""

    __table_args__ = (
        UniqueConstraint("connection_id", "event_id"),
        Index(None, "connection_id", "received_at"),
    )


@dataclass
class UnknownVideoConnection(NotFound):
    code: ClassVar[str] = "unknown_video_connection"


def new_secret() -> str:
    """256 random bits, shown once."""
    return secrets.token_urlsafe(32)


def connection_by_key(session: Session, key: str, *, locked: bool = False) -> VideoConnection:
    """The active connection of an address. Raises `UnknownVideoConnection`."""
    query = select(VideoConnection).where(VideoConnection.key == key, VideoConnection.active)
    found = session.scalars(query.with_for_update() if locked else query).first()
    if found is None:
        raise UnknownVideoConnection
    return found


def connections(session: Session, actor: Actor, on: date) -> Sequence[tuple[VideoConnection, str]]:
    """Those that the actor administers, with the names of their units; one statement."""
    rows = session.execute(
        select(VideoConnection, Unit.name)
        .join(Unit, Unit.id == VideoConnection.unit_id)
        .where(governed(actor, Permission.UNIT_WRITE, VideoConnection.unit_id, on))
        .order_by(VideoConnection.active.desc(), VideoConnection.name, VideoConnection.id)
    )
    return [(row[0], row[1]) for row in rows]


def connection_to_change(
    session: Session, actor: Actor, connection_id: int, on: date
) -> VideoConnection:
    """Raises `UnknownVideoConnection`, also where the actor does not administer its unit."""
    found = session.scalars(
        select(VideoConnection).where(
            VideoConnection.id == connection_id,
            governed(actor, Permission.UNIT_WRITE, VideoConnection.unit_id, on),
        )
    ).first()
    if found is None:
        raise UnknownVideoConnection
    return found


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What an administrator says of a connection. `secret` is sealed already."""

    name: str
    unit_id: int
    format: str
    by_name: bool
    secret: str


def connect(
    session: Session, actor: Actor, new: NewConnection, now: datetime, on: date
) -> VideoConnection:
    """Let a video system report. Raises `NotPermitted`, `FieldInvalid`."""
    require(session, actor, Permission.UNIT_WRITE, new.unit_id, on)
    if new.format not in set(VideoFormat):
        raise FieldInvalid("format", "unknown", new.format[:40])
    made = VideoConnection(
        key=secrets.token_hex(8),
        name=require_text("name", new.name, 120),
        unit_id=new.unit_id,
        format=new.format,
        by_name=new.by_name,
        active=True,
        secret=new.secret,
        secret_since=now,
        created_by=actor.person_id,
        created_at=now,
    )
    session.add(made)
    session.flush()
    return made


def rotate(connection: VideoConnection, sealed: str, overlap: timedelta, now: datetime) -> None:
    """Give it another secret; the former one holds for `overlap` (0 to 7 days) longer."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise FieldInvalid("overlap", "out_of_range", f"0–{LONGEST_OVERLAP.days}")
    connection.former_secret = connection.secret if overlap else ""
    connection.former_until = now + overlap if overlap else None
    connection.secret, connection.secret_since = sealed, now


def secrets_of(connection: VideoConnection, now: datetime) -> list[str]:
    """The sealed secrets that hold, the present one first."""
    held = [connection.secret]
    if connection.former_until is not None and connection.former_until > now:
        held.append(connection.former_secret)
    return held


def note_error(connection: VideoConnection, code: str, now: datetime) -> None:
    """Remember what was wrong with a request, for whoever looks after the connection."""
    connection.last_error, connection.last_error_at = code, now


def trial_of(connection: VideoConnection, now: datetime) -> dict[str, object]:
    """A body in our own words that says nothing of any meeting: it tells whether the way is open."""
    return {
        "events": [
            {
                "id": f"test-{secrets.token_hex(8)}",
                "type": "joined",
                "room": f"test-{connection.key}",
                "participant": {"id": "test", "name": "Test"},
                "observed_at": now.isoformat(),
            }
        ]
    }


def last_events(session: Session, connection_id: int, most: int) -> Sequence[VideoEvent]:
    """What came over a connection, the newest first."""
    return session.scalars(
        select(VideoEvent)
        .where(VideoEvent.connection_id == connection_id)
        .order_by(VideoEvent.received_at.desc(), VideoEvent.id.desc())
        .limit(most)
    ).all()
