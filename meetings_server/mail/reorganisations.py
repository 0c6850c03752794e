"""What the invited are told when a reorganisation has aimed their meetings anew, by sets.

| who | letter |
| --- | --- |
| all who stand invited, the successors in the place of their predecessors | change (REQUEST with the risen SEQUENCE) |
| units that end without a successor; new units when a plan is taken back | withdrawal (CANCEL) |

A unit whose invitation went to its successor gets no mail of its own: the successor's tells of it. The
number of statements is the same for one meeting and for five hundred.
"""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, joinedload, selectinload

from meetings_server.mail.invitations import facts_of
from meetings_server.mail.letters import subject_of
from meetings_server.mail.outbox import (
    DeliveryState,
    MailQueued,
    OutboxDelivery,
    OutboxMessage,
    invited_lines,
    write_lines,
)
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit
from rooms.kernel import Event, record
from rooms.meetings import Meeting, MeetingState, Participation
from rooms.reorganisation import MeetingsReaimed, Reorganisation

AT_ONCE = 500
"""Meetings in one round: their facts are held in memory."""


def on_reaimed(session: Session, fact: MeetingsReaimed) -> None:
    name = session.get_one(Reorganisation, fact.reorganisation_id).name
    for start in range(0, len(fact.meeting_ids), AT_ONCE):
        meetings = _load(session, fact.meeting_ids[start : start + AT_ONCE])
        _supersede(session, fact, [meeting.id for meeting in meetings])
        _tell(session, fact, meetings, "change", name)
        if fact.taken_back or fact.without_heir:
            _tell(session, fact, meetings, "withdrawal", name)


EFFECTS: list[tuple[type[Event], Callable[[Session, Any], None]]] = [(MeetingsReaimed, on_reaimed)]


def _load(session: Session, ids: Iterable[int]) -> list[Meeting]:
    """Scheduled ones only: a postponed meeting has called its invitations back already."""
    return list(
        session.scalars(
            select(Meeting)
            .where(Meeting.id.in_(list(ids)), Meeting.state == MeetingState.SCHEDULED.value)
            .options(
                joinedload(Meeting.host_unit),
                joinedload(Meeting.chair),
                joinedload(Meeting.main_point).joinedload(BridgePoint.unit),
                selectinload(Meeting.agenda),
            )
            .order_by(Meeting.id)
            .execution_options(populate_existing=True)
        )
    )


def _tell(
    session: Session, fact: MeetingsReaimed, meetings: list[Meeting], kind: str, reason: str
) -> None:
    if not meetings:
        return
    rows = []
    for meeting in meetings:
        facts = facts_of(meeting) | {"reason": reason, "fields": ["audience"], "before": {}}
        rows.append(
            {
                "key": f"meeting:{meeting.id}:{meeting.sequence}:{kind}:reorganised",
                "kind": kind,
                "unit_id": meeting.host_unit_id,
                "meeting_id": meeting.id,
                "subject": subject_of(kind, facts),
                "facts": facts,
                "created_at": fact.at,
                "expires_at": meeting.ends_at,
            }
        )
    ids = list(
        session.scalars(
            insert(OutboxMessage).returning(OutboxMessage.id, sort_by_parameter_order=True), rows
        )
    )
    _deliver(session, fact, ids, kind)
    record(session, MailQueued(ids[0]))


def _concerned(fact: MeetingsReaimed, kind: str) -> ColumnElement[bool]:
    if kind == "change":
        return and_(
            Participation.withdrawn_at.is_(None),
            # The host does not write to itself about its own main point.
            ~and_(Participation.is_main, Participation.unit_id == OutboxMessage.unit_id),
        )
    gone = Participation.withdrawn_at == fact.at
    return gone if fact.taken_back else and_(gone, Participation.unit_id.in_(fact.without_heir))


def _deliver(session: Session, fact: MeetingsReaimed, ids: list[int], kind: str) -> None:
    write_lines(
        session,
        invited_lines(OutboxMessage.id.expression, fact.at)
        .select_from(OutboxMessage)
        .join(Participation, Participation.meeting_id == OutboxMessage.meeting_id)
        .join(Unit, Unit.id == Participation.unit_id)
        .where(OutboxMessage.id.in_(ids), _concerned(fact, kind))
        .order_by(OutboxMessage.id, Participation.id),
    )


def _supersede(session: Session, fact: MeetingsReaimed, meeting_ids: list[int]) -> None:
    """What waits about these meetings is told anew, or concerns a place that a successor has taken.

    Who was taken off before is not told again, so what waits for them still goes out.
    """
    concerned = select(Participation.id).where(
        Participation.meeting_id.in_(meeting_ids),
        or_(Participation.withdrawn_at.is_(None), Participation.withdrawn_at == fact.at),
    )
    session.execute(
        update(OutboxDelivery)
        .where(
            OutboxDelivery.state == DeliveryState.QUEUED.value,
            OutboxDelivery.message_id.in_(
                select(OutboxMessage.id).where(OutboxMessage.meeting_id.in_(meeting_ids))
            ),
            OutboxDelivery.participation_id.in_(concerned),
        )
        .values(state=DeliveryState.SUPERSEDED.value)
        .execution_options(synchronize_session=False)
    )
