"""Why somebody has a right: the grant, the unit where it stands, and the loan or heritage it came by.

The rows come out of `policies.grants_in_effect()`, the expression that the checks themselves use: what
is not named here gives nothing, and what is named does.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from rooms.hierarchy import Succession, Unit, UnitAncestry, valid_on
from rooms.lending import Entrustment, Substitution
from rooms.lineage import keepers
from rooms.people import Person, RoleGrant
from rooms.policies import Actor, Permission, grants_in_effect


@dataclass(frozen=True, slots=True)
class Loan:
    """How a grant of somebody else comes to the actor, in `[valid_from, valid_until)`."""

    on_behalf: bool
    """The actor acts on behalf of the holder; otherwise they are the substitute."""
    holder_id: int
    holder_name: str
    valid_from: date
    valid_until: date


@dataclass(frozen=True, slots=True)
class Reason:
    """A right explained: the grant, and the unit where it was given."""

    grant_id: int
    role: str
    unit_id: int
    unit_name: str
    depth: int
    """Steps from the unit asked about up to the unit of the grant."""
    valid_from: date
    valid_until: date | None
    loan: Loan | None
    moved_from: tuple[str, ...]
    """Names of the abolished units from which a reorganisation brought the grant here."""


@dataclass(frozen=True, slots=True)
class Heritage:
    """A unit that no longer exists, and the one that keeps its records since a day."""

    unit_name: str
    ended_on: date
    keeper_id: int
    keeper_name: str


def explain(
    session: Session, actor: Actor, permission: Permission, unit_id: int, on: date
) -> list[Reason]:
    """Which grants on which units give a right at a unit, the nearest first."""
    return explain_at(session, actor, permission, [unit_id], on)[unit_id]


def explain_at(
    session: Session,
    actor: Actor,
    permission: Permission | None,
    unit_ids: Collection[int],
    on: date,
) -> dict[int, list[Reason]]:
    """The same for many units, in two statements; without a permission every grant that reaches."""
    in_effect = grants_in_effect(actor, on, permission)
    rows = session.execute(
        select(
            UnitAncestry.unit_id,
            UnitAncestry.depth,
            RoleGrant,
            Unit.name,
            Person.name,
            Substitution,
            Entrustment,
        )
        .join(in_effect, in_effect.c.unit_id == UnitAncestry.ancestor_id)
        .join(RoleGrant, RoleGrant.id == in_effect.c.grant_id)
        .join(Unit, Unit.id == RoleGrant.unit_id)
        .join(Person, Person.id == RoleGrant.person_id)
        .outerjoin(Substitution, Substitution.id == in_effect.c.substitution_id)
        .outerjoin(Entrustment, Entrustment.id == in_effect.c.entrustment_id)
        .where(UnitAncestry.unit_id.in_(unit_ids), valid_on(UnitAncestry, on))
        .order_by(UnitAncestry.depth, RoleGrant.id)
    ).all()
    moved = origins_of(session, {row[2].id for row in rows})
    found: dict[int, list[Reason]] = {unit_id: [] for unit_id in unit_ids}
    for unit_id, depth, grant, unit_name, holder, substitution, entrustment in rows:
        loan = None
        for lent, on_behalf in ((substitution, False), (entrustment, True)):
            if lent is not None:
                loan = Loan(on_behalf, grant.person_id, holder, lent.valid_from, lent.valid_until)
        found[unit_id].append(
            Reason(
                grant.id,
                grant.role,
                grant.unit_id,
                unit_name,
                depth,
                grant.valid_from,
                grant.valid_until,
                loan,
                moved.get(grant.id, ()),
            )
        )
    return found


def origins_of(session: Session, grant_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """For grants that a reorganisation brought to a successor: names of the units they stood at.

    Such a grant begins on the day of the succession, and the same person's same role ended on it at
    the predecessor.
    """
    if not grant_ids:
        return {}
    earlier = aliased(RoleGrant)
    rows = session.execute(
        select(RoleGrant.id, Unit.name)
        .join(
            Succession,
            and_(
                Succession.successor_id == RoleGrant.unit_id,
                Succession.day == RoleGrant.valid_from,
            ),
        )
        .join(
            earlier,
            and_(
                earlier.person_id == RoleGrant.person_id,
                earlier.role == RoleGrant.role,
                earlier.unit_id == Succession.predecessor_id,
                earlier.valid_until == Succession.day,
            ),
        )
        .join(Unit, Unit.id == Succession.predecessor_id)
        .where(RoleGrant.id.in_(grant_ids))
        .order_by(Unit.position, Unit.id)
    )
    found: dict[int, tuple[str, ...]] = {}
    for grant_id, name in rows:
        found[grant_id] = (*found.get(grant_id, ()), name)
    return found


def heritage_of(session: Session, unit_ids: Collection[int], on: date) -> dict[int, Heritage]:
    """Those of these units that no longer exist on a day, with who keeps their records."""
    if not unit_ids:
        return {}
    ended = session.execute(
        select(Unit.id, Unit.name, Unit.valid_until).where(
            Unit.id.in_(unit_ids), Unit.valid_until <= on
        )
    ).all()
    keeping = keepers(session, [row[0] for row in ended], on)
    return {
        unit_id: Heritage(name, day, keeping[unit_id].id, keeping[unit_id].name)
        for unit_id, name, day in ended
        if unit_id in keeping and day is not None
    }
