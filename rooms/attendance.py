"""The attendance of a meeting day: an append-only log, and the present state that follows from it.

Every check-in is one row of the log with the meeting's next `revision`; a change of the meeting
itself takes a revision too, so that the log of a meeting is 1, 2, 3 … without a gap and "rows past
N" is all that anybody missed. A correction is a new row. Rows may arrive out of order (an operator
without network): the time line of a point is its rows ordered by `observed_at`, then `revision`.

`PointState` holds, for each point that has said something, what the fold over its time line gives
(`standings`). What is counted from it stands in `rollup`, what the minutes need in `roll_call`.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Select,
    and_,
    bindparam,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.auditing import doing
from rooms.bridge_points import UnknownPoint
from rooms.kernel import Base, Conflict
from rooms.meetings import Meeting, Participation, standing_invitation, visible_meeting
from rooms.policies import Actor, Permission, governed, require
from rooms.prepared import of_one_point

OPENS_BEFORE = timedelta(hours=2)
"""Check-in opens this long before the points are held for the meeting."""
CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far a device's clock may run ahead; what it observed then counts as observed now."""
LARGEST_HEADCOUNT = 100_000
MEETING_ROW = "meeting"
"""`state` of the rows without a point: the meeting itself has changed."""


def check_in_opens_at(starts_at: datetime, setup_minutes: int) -> datetime:
    """When the points of a meeting may begin to check in."""
    return starts_at - timedelta(minutes=setup_minutes) - OPENS_BEFORE


class Presence(StrEnum):
    """The state of a point. Operators report all but the first and the last.

    `INVITED` is a point that has not said anything; `LATE` is shown instead of `PRESENT` where the
    point's first presence came after the start.
    """

    INVITED = "invited"
    READY = "ready"
    PRESENT = "present"
    LOST = "lost"
    NEEDS_HELP = "needs_help"
    LEFT = "left"
    LATE = "late"


REPORTABLE = (
    Presence.READY,
    Presence.PRESENT,
    Presence.LOST,
    Presence.NEEDS_HELP,
    Presence.LEFT,
)


class Source(StrEnum):
    """The way a check-in came."""

    PAGE = "page"
    API = "api"
    LIVE = "live"
    KIOSK = "kiosk"
    """A tablet at the door, with a login of its own for its point."""
    VIDEO = "video"
    """The video system: nobody said so, a line was opened or cut."""


class AttendanceHead(Base):
    """The last revision of a meeting's log. A small row of its own: it is what writers lock."""

    __tablename__ = "attendance_head"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    revision: Mapped[int]


class AttendanceEntry(Base):
    """One row of the log. Never changed, never deleted."""

    __tablename__ = "attendance_entry"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[int | None] = mapped_column(ForeignKey("bridge_point.id"))
    """None where the meeting itself changed (`state` is then `meeting`)."""
    state: Mapped[str]
    headcount: Mapped[int | None]
    """People in the room, the operator included."""
    head_of_delegation: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    observed_at: Mapped[datetime]
    """When it was so, as the operator's device says; never later than `recorded_at`."""
    device_at: Mapped[datetime | None]
    """What the device said, where its clock ran ahead: by this a repetition is known."""
    recorded_at: Mapped[datetime]
    """When the server learned of it."""
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    on_behalf_of_id: Mapped[int | None]
    """The official for whom it was said: a person's id."""
    device_id: Mapped[int | None]
    """The tablet at the door on which it was said, by nobody who is known (`rooms.devices`)."""
    address: Mapped[str] = mapped_column(default="", server_default=text("''"))
    """Of the network: from where it was said."""
    source: Mapped[str]

    __table_args__ = (Index(None, "meeting_id", "point_id", "observed_at"),)


class PointState(Base):
    """The present state of a point that has said something."""

    __tablename__ = "point_state"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), primary_key=True)
    state: Mapped[str]
    since: Mapped[datetime]
    """The first observation of the present run of this state; corrections do not move it."""
    headcount: Mapped[int | None]
    head_of_delegation: Mapped[str]
    note: Mapped[str]
    observed_at: Mapped[datetime]
    """The newest observation; an older one that comes later does not change the state."""
    first_present_at: Mapped[datetime | None]
    revision: Mapped[int]
    """The last row of the log that is about this point."""
    source: Mapped[str] = mapped_column(server_default=text("''"))
    """The way in which the present state came."""
    device_at: Mapped[datetime | None]
    """The newest instant that a device whose clock ran ahead has claimed for something."""


def state_of_invitation() -> ColumnElement[bool]:
    """Joins what a point has said to its participation."""
    return and_(
        PointState.meeting_id == Participation.meeting_id,
        PointState.point_id == Participation.point_id,
    )


@dataclass
class CheckInNotOpen(Conflict):
    """Check-in opens two hours before the points are held."""

    code: ClassVar[str] = "check_in_not_open"
    opens_at: datetime


@dataclass
class MeetingClosed(Conflict):
    """The meeting has ended, or was called off or put off."""

    code: ClassVar[str] = "meeting_closed"
    state: str


@dataclass(frozen=True, slots=True)
class CheckIn:
    """What an operator declares.

    None in `headcount` or `head_of_delegation` means "not said": what was said before still holds;
    an empty head clears it. A `note` belongs to its state and goes with it. `observed_at` None is
    the instant at which the server learns of it. For whom and from where it is said follows from the
    request in which it is made.
    """

    meeting_id: int
    point_id: int
    state: str
    recorded_by: int | None
    source: Source
    headcount: int | None = None
    head_of_delegation: str | None = None
    note: str | None = None
    observed_at: datetime | None = None
    trouble: str = ""
    """What help is needed with, see `help_calls`; only with `needs_help`."""
    on_behalf_of_id: int | None = field(default_factory=lambda: doing.get().on_behalf_of)
    address: str = field(default_factory=lambda: doing.get().address)
    device_id: int | None = None


def start_of(starts_at: datetime, started_at: datetime | None) -> datetime:
    """Who comes after this is late: the planned start, or the opening where that was later."""
    return max(starts_at, started_at) if started_at else starts_at


def may_check_in(session: Session, actor: Actor, meeting_id: int, point_id: int, on: date) -> bool:
    """Whether `require_check_in` would pass for an invited point."""
    return bool(writable_points(session, actor, meeting_id, on, only=point_id))


def writable_points(
    session: Session, actor: Actor, meeting_id: int, on: date, *, only: int | None = None
) -> frozenset[int]:
    """Ids of the invited points of units that the actor governs; all, where they govern the host."""
    if only is not None and actor.on_behalf_of is None:
        asked = {"actor": actor.person_id, "on": on, "meeting": meeting_id, "point": only}
        return frozenset(session.scalars(_ONE_POINT[actor.no_substitution_on == on], asked))
    query = _writable(actor, on).where(Participation.meeting_id == meeting_id)
    if only is not None:
        query = query.where(Participation.point_id == only)
    return frozenset(session.scalars(query))


def _writable(actor: Actor, on: date) -> Select[int]:
    return (
        select(Participation.point_id)
        .join(Meeting, Meeting.id == Participation.meeting_id)
        .where(
            standing_invitation(),
            or_(
                governed(actor, Permission.ATTENDANCE_WRITE, Participation.unit_id, on),
                governed(actor, Permission.ATTENDANCE_WRITE, Meeting.host_unit_id, on),
            ),
        )
    )


def require_check_in(
    session: Session, actor: Actor, meeting_id: int, point_id: int, on: date
) -> None:
    """Raises `UnknownMeeting`, `UnknownPoint` (also where withdrawn), `NotPermitted`."""
    if may_check_in(session, actor, meeting_id, point_id, on):
        return
    visible_meeting(session, actor, meeting_id, on)
    unit_id = session.scalar(
        select(Participation.unit_id).where(
            Participation.meeting_id == meeting_id,
            Participation.point_id == point_id,
            standing_invitation(),
        )
    )
    if unit_id is None:
        raise UnknownPoint(point_id)
    require(session, actor, Permission.ATTENDANCE_WRITE, unit_id, on)


_ONE_POINT = of_one_point(_writable)


def note_meeting_change(session: Session, meeting_id: int, now: datetime) -> int:
    """Give a change of the meeting itself the next revision, so that whoever watches learns of it."""
    connection = session.connection()
    head = locked_heads(connection, {meeting_id})[meeting_id]
    last = connection.scalar(
        select(AttendanceEntry.recorded_at).where(
            AttendanceEntry.meeting_id == meeting_id, AttendanceEntry.revision == head
        )
    )
    # The log's own time does not go back where the clock does.
    at = max(now, last or now)
    revision = head + 1
    row = entry_row(meeting_id, revision, None, MEETING_ROW, at, at)
    connection.execute(insert(AttendanceEntry), [row])
    connection.execute(RAISE_HEAD, [{"of_meeting": meeting_id, "to": revision}])
    return revision


def revision_of(session: Session, meeting_id: int) -> int:
    """The last revision of a meeting's log; 0 before the first row."""
    found = session.scalar(
        select(AttendanceHead.revision).where(AttendanceHead.meeting_id == meeting_id)
    )
    return found or 0


def log_after(
    session: Session, meeting_id: int, revision: int, limit: int = 1000
) -> list[AttendanceEntry]:
    """The rows past a revision, in order, at most `limit`; meeting rows have `point_id` None."""
    return list(
        session.scalars(
            select(AttendanceEntry)
            .where(AttendanceEntry.meeting_id == meeting_id, AttendanceEntry.revision > revision)
            .order_by(AttendanceEntry.revision)
            .limit(limit)
        )
    )


def entry_row(
    meeting_id: int,
    revision: int,
    point_id: int | None,
    state: str,
    observed_at: datetime,
    recorded_at: datetime,
    **said: Any,
) -> dict[str, Any]:
    silent = {
        "headcount": None,
        "head_of_delegation": "",
        "note": "",
        "recorded_by": None,
        "on_behalf_of_id": None,
        "device_id": None,
        "address": "",
        "device_at": None,
    }
    return {
        "meeting_id": meeting_id,
        "revision": revision,
        "point_id": point_id,
        "state": state,
        "observed_at": observed_at,
        "recorded_at": recorded_at,
        "source": "meeting",
        **silent,
        **said,
    }


def locked_heads(connection: Connection, meetings: set[int]) -> dict[int, int]:
    """The counters of these meetings, locked in ascending id so that batches cannot deadlock."""
    asked = {"meetings": sorted(meetings)}
    heads = dict(connection.execute(_LOCK_HEADS, asked).all())
    if len(heads) < len(meetings):
        connection.execute(_MAKE_HEADS, asked)
        heads = dict(connection.execute(_LOCK_HEADS, asked).all())
    return heads


_LOCK_HEADS = (
    select(AttendanceHead.meeting_id, AttendanceHead.revision)
    .where(AttendanceHead.meeting_id.in_(bindparam("meetings", expanding=True)))
    .order_by(AttendanceHead.meeting_id)
    .with_for_update()
)

# Both databases take these words; two first check-ins at once must not refuse one another.
_MAKE_HEADS = text(
    "INSERT INTO attendance_head (meeting_id, revision) "
    "SELECT id, 0 FROM meeting WHERE id IN :meetings ORDER BY id ON CONFLICT DO NOTHING"
).bindparams(bindparam("meetings", expanding=True))


RAISE_HEAD = (
    update(AttendanceHead)
    .where(AttendanceHead.meeting_id == bindparam("of_meeting"))
    .values(revision=bindparam("to"))
)
