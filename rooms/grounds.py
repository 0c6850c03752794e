"""Why somebody may see a meeting or act at a unit: every ground on which the check lets them.

Each ground is one of the expressions of which the check is made (`meetings.visible`), asked by itself,
and the grants behind it (`reasons`). Where there is none, the check refuses.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from rooms.hierarchy import Unit
from rooms.meetings import Meeting, Participation, chaired_by, hosted, invited_to
from rooms.people import Role
from rooms.policies import (
    ROLE_PERMISSIONS,
    Actor,
    Permission,
    governed,
    lent_permissions,
)
from rooms.reasons import Heritage, Reason, explain_at, heritage_of

MOST_UNITS = 3
"""Of hundreds of invited units that somebody governs, these say enough."""


class Kind(StrEnum):
    """Why the rules let somebody in."""

    HOST = "host"
    CHAIR = "chair"
    INVITED = "invited"
    MEETING_SEEN = "meeting_seen"
    """Issued minutes: whoever may see the meeting reads them."""
    WRITER = "writer"
    ISSUER = "issuer"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Ground:
    """One way in: by a permission at a unit, or by what somebody is to the thing itself."""

    kind: Kind
    permission: Permission | None = None
    unit_id: int | None = None
    unit_name: str = ""
    reasons: tuple[Reason, ...] = ()
    heritage: Heritage | None = None
    others: int = 0
    """Further units that give the same."""


def at_units(
    session: Session,
    actor: Actor,
    kind: Kind,
    permission: Permission,
    unit_ids: Collection[int],
    on: date,
    total: int | None = None,
) -> list[Ground]:
    """Grounds of one kind at these units, `total` of which there are; three statements."""
    reasons = explain_at(session, actor, permission, unit_ids, on)
    heritage = heritage_of(session, unit_ids, on)
    names = dict(session.execute(select(Unit.id, Unit.name).where(Unit.id.in_(unit_ids))).all())
    others = (total or len(unit_ids)) - len(unit_ids)
    return [
        Ground(
            kind,
            permission,
            unit_id,
            names[unit_id],
            tuple(reasons[unit_id]),
            heritage.get(unit_id),
            others,
        )
        for unit_id in unit_ids
    ]


def some_units(
    session: Session, unit: InstrumentedAttribute[int], *which: ColumnElement[bool]
) -> tuple[Sequence[int], int]:
    """A few of the units in a column, and how many there are."""
    total = session.scalar(select(func.count(unit.distinct())).where(*which)) or 0
    few = session.scalars(
        select(unit).where(*which).group_by(unit).order_by(unit).limit(MOST_UNITS)
    )
    return few.all(), total


def meeting_grounds(session: Session, actor: Actor, meeting_id: int, on: date) -> list[Ground]:
    """Why an actor may see a meeting; none where they may not, or where there is none."""
    row = session.execute(
        select(
            Meeting.host_unit_id, hosted(actor, on), chaired_by(actor, on), invited_to(actor, on)
        ).where(Meeting.id == meeting_id)
    ).one_or_none()
    if row is None:
        return []
    host_id, is_host, is_chair, is_invited = row
    found: list[Ground] = []
    if is_chair:
        found.append(Ground(Kind.CHAIR))
    if is_host:
        found += at_units(session, actor, Kind.HOST, Permission.MEETING_READ, [host_id], on)
    if is_invited:
        units, total = some_units(
            session,
            Participation.unit_id,
            Participation.meeting_id == meeting_id,
            Participation.invited_at.is_not(None),
            governed(actor, Permission.MEETING_READ, Participation.unit_id, on),
        )
        found += at_units(session, actor, Kind.INVITED, Permission.MEETING_READ, units, on, total)
    return found


@dataclass(frozen=True, slots=True)
class Right:
    """A permission at a unit, and the grants that give it, the nearest first."""

    permission: Permission
    reasons: tuple[Reason, ...]


def rights_at(session: Session, actor: Actor, unit_id: int, on: date) -> list[Right]:
    """Everything an actor may do at a unit, with its reasons: what `permissions_at` allows."""
    reasons = explain_at(session, actor, None, [unit_id], on)[unit_id]
    allowed = lent_permissions(session, actor, on)
    found = []
    for permission in Permission:
        giving = tuple(
            reason for reason in reasons if permission in ROLE_PERMISSIONS[Role(reason.role)]
        )
        if giving and permission in allowed:
            found.append(Right(permission, giving))
    return found
