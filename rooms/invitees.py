"""The snapshot of who is invited: a meeting's rules, resolved and kept as participations."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from rooms.audience import Resolution, Rule, resolve
from rooms.hierarchy import load_tree
from rooms.kernel import Invalid
from rooms.meetings import Meeting, MeetingState, Participation


@dataclass
class NobodyInvited(Invalid):
    """The rules come to no bridge point besides the main one."""

    code: ClassVar[str] = "nobody_invited"


def invite(session: Session, meeting: Meeting, rules: list[Rule]) -> Resolution:
    """Write the first snapshot: two statements to resolve, one to write, any size.

    Raises `NobodyInvited`, `RuleInvalid`.
    """
    resolution = _resolve(session, meeting, rules)
    session.execute(insert(Participation), _rows(meeting, resolution))
    return resolution


def reinvite(
    session: Session, meeting: Meeting, rules: list[Rule], now: datetime
) -> tuple[list[int], list[int], Resolution]:
    """Bring the snapshot to what the rules say now.

    Returns the ids of participations added and removed, and the resolution. What a published
    meeting no longer invites is marked as withdrawn and kept; a draft simply forgets it.
    """
    standing = {
        row.point_id: row
        for row in session.scalars(
            select(Participation).where(Participation.meeting_id == meeting.id)
        )
    }
    # A unit with several points goes on with the one it is invited with.
    invited_with = {point for point, row in standing.items() if row.withdrawn_at is None}
    resolution = _resolve(session, meeting, rules, invited_with)
    is_draft = meeting.state == MeetingState.DRAFT.value
    wanted = {row["point_id"]: row for row in _rows(meeting, resolution)}
    removed, added = [], []
    for point_id, row in standing.items():
        row.is_main = point_id == meeting.main_point_id
        if point_id in wanted:
            if row.withdrawn_at is not None:
                row.withdrawn_at, row.invited_at = None, now
                added.append(row.id)
        elif row.withdrawn_at is None:
            removed.append(row.id)
            if is_draft:
                session.delete(row)
            else:
                row.withdrawn_at = now
    session.flush()
    new = [point_id for point_id in wanted if point_id not in standing]
    if new:
        invited_at = None if is_draft else now
        added += session.scalars(
            insert(Participation).returning(Participation.id),
            [wanted[point_id] | {"invited_at": invited_at} for point_id in new],
        )
    return added, removed, resolution


def _resolve(
    session: Session, meeting: Meeting, rules: list[Rule], standing: Collection[int] = ()
) -> Resolution:
    resolution = resolve(
        session,
        load_tree(session, meeting.day),
        rules,
        meeting.starts_at,
        meeting.ends_at,
        meeting.main_point_id,
        standing,
    )
    if not any(invitee.point_id != meeting.main_point_id for invitee in resolution.joining):
        raise NobodyInvited
    return resolution


def _rows(meeting: Meeting, resolution: Resolution) -> list[dict[str, Any]]:
    return [
        {
            "meeting_id": meeting.id,
            "unit_id": invitee.unit.id,
            "point_id": invitee.point_id,
            "is_main": invitee.point_id == meeting.main_point_id,
            "invited_at": None,
        }
        for invitee in resolution.joining
    ]
