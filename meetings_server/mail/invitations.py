"""What the invited are told of a meeting, written in the commit in which it happens.

| event | who | letter |
| --- | --- | --- |
| `MeetingScheduled` | all invited | invitation (REQUEST) |
| `MeetingChanged` | all who stay invited | change (REQUEST with the risen SEQUENCE) |
| | who was added | invitation |
| | who was taken off | withdrawal (CANCEL) |
| `MeetingPostponed` | all invited | postponement (CANCEL); the new date is a REQUEST on the same UID |
| `MeetingCancelled` | all invited | cancellation (CANCEL) |

The host does not write to itself about its own main point.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from meetings_server.mail.letters import subject_of
from meetings_server.mail.outbox import OutboxDelivery, Post, post_to_invited, supersede
from rooms.bridge_points import BridgePoint
from rooms.kernel import Event
from rooms.meetings import (
    Meeting,
    MeetingCancelled,
    MeetingChange,
    MeetingChanged,
    MeetingPostponed,
    MeetingScheduled,
    MeetingState,
    Participation,
    invited,
)

MOST_IDS = 5_000
"""Ids in one condition: databases bound the number of parameters of a statement."""


def on_scheduled(session: Session, fact: MeetingScheduled) -> None:
    _tell(session, fact.meeting_id, "invitation", standing)


def on_changed(session: Session, fact: MeetingChanged) -> None:
    meeting, last = _load(session, fact.meeting_id)
    if meeting.state == MeetingState.POSTPONED.value:
        return  # Its invitation was taken back; the new date goes to all who are invited then.
    for part, ids in enumerate(_parts(fact.removed)):
        _write(session, meeting, last, "withdrawal", Participation.id.in_(ids), part=part)
    fresh: list[int] = [
        _write(session, meeting, last, "invitation", Participation.id.in_(ids), part=part)
        for part, ids in enumerate(_parts(fact.added))
    ]
    already = select(OutboxDelivery.participation_id).where(OutboxDelivery.message_id.in_(fresh))
    # One unit more or less concerns nobody else.
    if set(fact.fields) - {"audience"}:
        _write(
            session,
            meeting,
            last,
            "change",
            and_(standing(meeting), not_(Participation.id.in_(already))),
            fields=fact.fields,
        )


def on_postponed(session: Session, fact: MeetingPostponed) -> None:
    _tell(session, fact.meeting_id, "postponement", standing)


def on_cancelled(session: Session, fact: MeetingCancelled) -> None:
    _tell(session, fact.meeting_id, "cancellation", standing)


EFFECTS: list[tuple[type[Event], Callable[[Session, Any], None]]] = [
    (MeetingScheduled, on_scheduled),
    (MeetingChanged, on_changed),
    (MeetingPostponed, on_postponed),
    (MeetingCancelled, on_cancelled),
]


def facts_of(meeting: Meeting) -> dict[str, Any]:
    """What letters say of a meeting; its relations must be loaded (`loaded_meeting`)."""
    return {
        "meeting_id": meeting.id,
        "uid": meeting.uid,
        "sequence": meeting.sequence,
        "title": meeting.title,
        "starts_at": meeting.starts_at.isoformat(),
        "ends_at": meeting.ends_at.isoformat(),
        "timezone": meeting.timezone,
        "host": meeting.host_unit.name,
        "host_address": meeting.host_unit.email or "",
        "host_phone": meeting.host_unit.phone or "",
        "chair": meeting.chair.name,
        "chair_title": meeting.chair.title,
        "main_point": meeting.main_point.name,
        "main_unit": meeting.main_point.unit.name,
        "agenda": [[item.title, item.presenter] for item in meeting.agenda],
        "requirements": meeting.requirements,
        "join_url": meeting.join_url,
        "join_address": meeting.join_address,
        "join_pin": meeting.join_pin,
        "late_reason": meeting.late_reason,
        "closing_reason": meeting.closing_reason,
        "setup_minutes": meeting.setup_minutes,
    }


def loaded_meeting(session: Session, meeting_id: int) -> Meeting:
    """A meeting with all that letters say of it: two statements."""
    return session.scalars(
        select(Meeting)
        .where(Meeting.id == meeting_id)
        .options(
            joinedload(Meeting.host_unit),
            joinedload(Meeting.chair),
            joinedload(Meeting.main_point).joinedload(BridgePoint.unit),
            selectinload(Meeting.agenda),
        )
        # What this transaction has changed may have replaced the chair or the point.
        .execution_options(populate_existing=True)
    ).one()


def _load(session: Session, meeting_id: int) -> tuple[Meeting, MeetingChange]:
    """The meeting, and the line of its history that this commit has written."""
    last = session.scalars(
        select(MeetingChange)
        .where(MeetingChange.meeting_id == meeting_id)
        .order_by(MeetingChange.id.desc())
        .limit(1)
    ).one()
    return loaded_meeting(session, meeting_id), last


def _parts(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + MOST_IDS] for start in range(0, len(ids), MOST_IDS)]


def standing(meeting: Meeting) -> ColumnElement[bool]:
    """Who is told about a meeting: all whose invitation stands, but not the host at its own point."""
    return and_(
        invited(meeting.id),
        or_(not_(Participation.is_main), Participation.unit_id != meeting.host_unit_id),
    )


def _tell(
    session: Session, meeting_id: int, kind: str, wanted: Callable[[Meeting], ColumnElement[bool]]
) -> None:
    meeting, last = _load(session, meeting_id)
    _write(session, meeting, last, kind, wanted(meeting))


def _write(
    session: Session,
    meeting: Meeting,
    last: MeetingChange,
    kind: str,
    wanted: ColumnElement[bool],
    *,
    part: int = 0,
    fields: Sequence[str] = (),
) -> int:
    facts = facts_of(meeting) | {
        "reason": last.reason,
        "fields": list(fields),
        "before": dict(last.detail.get("before", {})),
    }
    message_id = post_to_invited(
        session,
        Post(
            key=f"meeting:{meeting.id}:{meeting.sequence}:{kind}:{part}",
            kind=kind,
            unit_id=meeting.host_unit_id,
            subject=subject_of(kind, facts),
            facts=facts,
            at=last.at,
            meeting_id=meeting.id,
            expires_at=meeting.ends_at,
        ),
        wanted,
    )
    supersede(session, meeting.id, message_id)
    return message_id
