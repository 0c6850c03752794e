"""What points do with the messages of the host: which ones they get, receipts, and who has not yet.

Receipts of thirty thousand pages come within seconds: they are written in batches (`record_receipts`), and
what was first stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit, UnitAncestry, valid_on
from rooms.host_messages import (
    MOST_MESSAGES,
    Aim,
    HostMessage,
    HostMessageReceipt,
    UnknownMessage,
    addressed,
)
from rooms.kernel import UTCDateTime
from rooms.meetings import Meeting, Participation, standing_invitation
from rooms.people import Person
from rooms.technicians import NAME_TO_CALL, PHONE_TO_CALL


def _reaches(unit: Unit, point_id: int, day: date) -> ColumnElement[bool]:
    """The same rule the other way round: the messages that are for one point."""
    above = select(UnitAncestry.ancestor_id).where(
        UnitAncestry.unit_id == unit.id, valid_on(UnitAncestry, day)
    )
    return or_(
        HostMessage.aim == Aim.ALL.value,
        and_(HostMessage.aim == Aim.LEVEL.value, HostMessage.level == unit.level),
        and_(HostMessage.aim == Aim.UNIT.value, HostMessage.unit_id.in_(above)),
        and_(HostMessage.aim == Aim.POINT.value, HostMessage.point_id == point_id),
    )


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a point has it."""

    message: HostMessage
    shown_at: datetime | None
    acknowledged_at: datetime | None
    corrected: bool
    """Whether it took the place of another one."""


def messages_of_point(session: Session, meeting_id: int, point_id: int) -> list[Received]:
    """What the host has told a point and what still holds, the newest first; three statements.

    That the point may be seen is the caller's to check.
    """
    row = session.execute(
        select(Meeting, Unit)
        .join(Participation, Participation.meeting_id == Meeting.id)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(Meeting.id == meeting_id, Participation.point_id == point_id)
    ).first()
    if row is None:
        return []
    later = select(HostMessage.corrects_id).where(
        HostMessage.meeting_id == meeting_id, HostMessage.corrects_id.is_not(None)
    )
    receipt = HostMessageReceipt
    found = session.execute(
        select(HostMessage, receipt.shown_at, receipt.acknowledged_at)
        .outerjoin(
            receipt, and_(receipt.message_id == HostMessage.id, receipt.point_id == point_id)
        )
        .where(
            HostMessage.meeting_id == meeting_id,
            HostMessage.withdrawn_at.is_(None),
            HostMessage.id.not_in(later),
            _reaches(row[1], point_id, row[0].day),
        )
        .order_by(HostMessage.id.desc())
        .limit(MOST_MESSAGES)
    )
    return [Received(m, shown, ack, m.corrects_id is not None) for m, shown, ack in found]


@dataclass(frozen=True, slots=True)
class Receipts:
    """That messages were shown at a point; some of them were acknowledged there, too."""

    meeting_id: int
    point_id: int
    by: int | None
    """The person; None for a tablet at the door, which is nobody's."""
    shown: frozenset[int]
    """Ids of messages, also of those that were acknowledged."""
    acknowledged: frozenset[int] = frozenset()


# Both databases take these words; what was first stays, and a receipt that comes twice changes nothing.
_SHOWN = text(
    "INSERT INTO host_message_receipt (message_id, point_id, shown_at, shown_to)"
    " VALUES (:message, :point, :at, :by) ON CONFLICT DO NOTHING"
).bindparams(bindparam("at", type_=UTCDateTime()))
_ACKNOWLEDGED = text(
    "UPDATE host_message_receipt SET acknowledged_at = :at, acknowledged_by = :by"
    " WHERE message_id = :message AND point_id = :point AND acknowledged_at IS NULL"
).bindparams(bindparam("at", type_=UTCDateTime()))


def record_receipts(session: Session, given: Sequence[Receipts], now: datetime) -> list[list[int]]:
    """Write a batch in the caller's transaction; gives for each the messages that are for its point.

    Two statements to write, one for the messages, and one more for each message that is not for all.
    That the points are invited, and who may speak for them, is the caller's to check.
    """
    reached = _reached(session, given)
    kept = [[m for m in sorted(one.shown) if _is_for(one, reached.get(m))] for one in given]
    # Ascending keys: two processes that write the same rows must not wait for each other in a ring.
    rows = sorted(
        (
            (message, one.point_id, message in one.acknowledged, one.by)
            for one, messages in zip(given, kept, strict=True)
            for message in messages
        ),
        key=lambda row: row[:3],
    )
    if rows:
        connection = session.connection()
        written = [{"message": m, "point": p, "at": now, "by": by} for m, p, _, by in rows]
        connection.execute(_SHOWN, written)
        confirmed = [one for one, row in zip(written, rows, strict=True) if row[2]]
        if confirmed:
            connection.execute(_ACKNOWLEDGED, confirmed)
    return kept


_Reached = tuple[int, frozenset[int] | None]
"""The meeting of a message, and the points it is for; None for all."""


def _reached(session: Session, given: Sequence[Receipts]) -> dict[int, _Reached]:
    """Of each message that is named; unknown ones are missing."""
    named = {message for one in given for message in one.shown}
    points = {one.point_id for one in given}
    reached: dict[int, _Reached] = {}
    for message, meeting in session.execute(
        select(HostMessage, Meeting)
        .join(Meeting, Meeting.id == HostMessage.meeting_id)
        .where(HostMessage.id.in_(named))
    ):
        theirs = None
        if message.aim != Aim.ALL.value:
            theirs = frozenset(
                session.scalars(
                    select(Participation.point_id)
                    .join(Unit, Unit.id == Participation.unit_id)
                    .where(
                        Participation.meeting_id == message.meeting_id,
                        Participation.point_id.in_(points),
                        addressed(message, meeting.day),
                    )
                )
            )
        reached[message.id] = (message.meeting_id, theirs)
    return reached


def _is_for(one: Receipts, reached: _Reached | None) -> bool:
    if reached is None or reached[0] != one.meeting_id:
        return False
    return reached[1] is None or one.point_id in reached[1]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as those who send see it."""

    message: HostMessage
    by: str
    on_behalf_of: str
    unit: str
    """The unit it is for, where it is for one."""
    point: str
    shown: int
    acknowledged: int
    replaced_by: int | None

    @property
    def stands(self) -> bool:
        """Whether it still holds."""
        return self.message.withdrawn_at is None and self.replaced_by is None

    @property
    def answered(self) -> int:
        """Points of which no more is expected."""
        return self.acknowledged if self.message.to_confirm else self.shown


def sent(session: Session, meeting_id: int, message_id: int | None = None) -> list[Sent]:
    """The messages of a meeting with the counts of their receipts, the newest first; one statement."""
    official, later, point_unit = aliased(Person), aliased(HostMessage), aliased(Unit)
    counts = (
        select(
            HostMessageReceipt.message_id,
            func.count().label("shown"),
            func.count(HostMessageReceipt.acknowledged_at).label("acknowledged"),
        )
        .join(HostMessage, HostMessage.id == HostMessageReceipt.message_id)
        .where(HostMessage.meeting_id == meeting_id)
        .group_by(HostMessageReceipt.message_id)
        .subquery()
    )
    query = (
        select(
            HostMessage,
            Person.name,
            func.coalesce(official.name, ""),
            func.coalesce(Unit.name, point_unit.name, ""),
            func.coalesce(BridgePoint.name, ""),
            func.coalesce(counts.c.shown, 0),
            func.coalesce(counts.c.acknowledged, 0),
            later.id,
        )
        .join(Person, Person.id == HostMessage.sent_by)
        .outerjoin(official, official.id == HostMessage.on_behalf_of_id)
        .outerjoin(Unit, Unit.id == HostMessage.unit_id)
        .outerjoin(BridgePoint, BridgePoint.id == HostMessage.point_id)
        .outerjoin(point_unit, point_unit.id == BridgePoint.unit_id)
        .outerjoin(counts, counts.c.message_id == HostMessage.id)
        .outerjoin(later, later.corrects_id == HostMessage.id)
        .where(HostMessage.meeting_id == meeting_id)
        .order_by(HostMessage.id.desc())
    )
    if message_id is not None:
        query = query.where(HostMessage.id == message_id)
    return [Sent(*row) for row in session.execute(query)]


def one_sent(session: Session, meeting_id: int, message_id: int) -> Sent:
    """Raises `UnknownMessage`."""
    found = sent(session, meeting_id, message_id)
    if not found:
        raise UnknownMessage(message_id)
    return found[0]


@dataclass(frozen=True, slots=True)
class PointReceipt:
    """A point that a message is for, and what it did with it."""

    point_id: int
    point: str
    unit: str
    unit_code: str
    contact: str
    phone: str
    shown_at: datetime | None
    acknowledged_at: datetime | None
    by: str
    """Who acknowledged it, or else who was shown it."""


def receipts_of(
    session: Session,
    meeting: Meeting,
    message: HostMessage,
    *,
    missing: bool,
    after: int = 0,
    most: int = 200,
) -> list[PointReceipt]:
    """The points of a message in the order of their ids past `after`; one statement.

    `missing`: only those of which something is still expected.
    """
    receipt, person = HostMessageReceipt, aliased(Person)
    query = (
        select(
            BridgePoint.id,
            BridgePoint.name,
            Unit.name,
            Unit.code,
            NAME_TO_CALL,
            PHONE_TO_CALL,
            receipt.shown_at,
            receipt.acknowledged_at,
            func.coalesce(person.name, ""),
        )
        .select_from(Participation)
        .join(Unit, Unit.id == Participation.unit_id)
        .join(BridgePoint, BridgePoint.id == Participation.point_id)
        .outerjoin(
            receipt,
            and_(receipt.message_id == message.id, receipt.point_id == Participation.point_id),
        )
        .outerjoin(person, person.id == func.coalesce(receipt.acknowledged_by, receipt.shown_to))
        .where(
            Participation.meeting_id == meeting.id,
            standing_invitation(),
            addressed(message, meeting.day),
            BridgePoint.id > after,
        )
        .order_by(BridgePoint.id)
        .limit(most)
    )
    if missing:
        awaited = receipt.acknowledged_at if message.to_confirm else receipt.shown_at
        query = query.where(awaited.is_(None))
    return [PointReceipt(*row) for row in session.execute(query)]
