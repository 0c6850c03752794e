"""Applying a plan: everything or nothing, in the caller's transaction."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from rooms.auditing import audited
from rooms.hierarchy import Unit
from rooms.kernel import civil_day, require_text
from rooms.policies import Actor
from rooms.reorganisation.comparing import compare
from rooms.reorganisation.grants import Passing, pass_on
from rooms.reorganisation.invitations import make_points, write_aims
from rooms.reorganisation.plans import DayPassed, Plan
from rooms.reorganisation.previewing import Outlook, look_ahead, preview_of, require_right
from rooms.reorganisation.reaiming import Progress
from rooms.reorganisation.records import (
    Reorganisation,
    ReorganisationState,
    WrongReorganisationState,
    reorganisation_by_id,
)
from rooms.reorganisation.taking_effect import take_effect
from rooms.reorganisation.tree_rows import write_tree

LONGEST_NAME = 200


def keep_plan(
    session: Session, actor: Actor | None, name: str, plan: Plan, day: date, now: datetime
) -> Reorganisation:
    """Keep a sound plan, to be looked at and applied later; nothing changes by it.

    Raises `FieldInvalid`, `DayPassed`, `NotPermitted`, and as `compare` does.
    """
    if day < civil_day(now):
        raise DayPassed(day, civil_day(now))
    require_right(session, actor, compare(session, plan, day).roots, now)
    reorganisation = _new(actor, name, plan, day, now)
    session.add(reorganisation)
    session.flush()
    return reorganisation


def discard_plan(
    session: Session, actor: Actor | None, reorganisation_id: int, now: datetime
) -> None:
    """Forget a plan that was kept and not applied. Raises `WrongReorganisationState`."""
    reorganisation = reorganisation_by_id(session, reorganisation_id)
    if reorganisation.state != ReorganisationState.PLANNED.value:
        raise WrongReorganisationState(reorganisation.state, "discard")
    comparison = compare(session, reorganisation.read_plan(), reorganisation.day)
    require_right(session, actor, comparison.roots, now)
    session.delete(reorganisation)
    session.flush()


def apply(
    session: Session,
    actor: Actor | None,
    plan: Plan,
    day: date,
    now: datetime,
    *,
    name: str,
    point_name: str,
    kept_id: int | None = None,
    backdated: bool = False,
    progress: Progress = None,
) -> Reorganisation:
    """Make a plan law from a day on: tree, rights, coming meetings; raising leaves all as it was.

    `actor` None: by command. `point_name`: what a new unit's own bridge point is called, with
    `{unit}`. `kept_id`: the kept plan that this is. `backdated` lets the day have passed, as long as
    nothing that has been held since is touched: for setting up what has happened before. `progress`
    is called with (done, total, stage).

    People and rooms move when the day has come: now, or by `come_into_force`. Raises as `compare`
    does, `FieldInvalid`, `NotPermitted`, `DayPassed`, `BackdatedTouches`, `PlanApplied`,
    `PlansOverlap`, `UnitInMeeting`, `NoAdministratorLeft`, `WrongReorganisationState`.
    """
    today = civil_day(now)
    if day < today and not backdated:
        raise DayPassed(day, today)
    _lock_units(session, day)
    outlook = look_ahead(session, actor, plan, day, now, progress)
    reorganisation = _planned(session, actor, name, plan, day, now, kept_id)
    reorganisation.counts = preview_of(session, outlook).counts
    _tell(progress, "units", 0)
    ids, placed = write_tree(session, outlook.comparison, today)
    _tell(progress, "units", 1)
    _tell(progress, "invitations", 0)
    made = make_points(session, outlook.points, ids, point_name)
    write_aims(session, actor, reorganisation, outlook.aims, ids | made, outlook.names, now)
    _tell(progress, "invitations", 1)
    _tell(progress, "people", 0)
    grants = pass_on(
        session,
        [
            Passing(passing.grant, passing.heir_id and ids.get(passing.heir_id, passing.heir_id))
            for passing in outlook.passings
        ],
        day,
    )
    reorganisation.touched = _touched(outlook, ids, placed, made.values(), grants)
    reorganisation.state = ReorganisationState.APPLIED.value
    reorganisation.applied_at = now
    reorganisation.applied_by = actor.person_id if actor else None
    session.flush()
    audited(
        session,
        "apply",
        "reorganisation",
        reorganisation.id,
        after={"day": day, **reorganisation.counts},
        label=reorganisation.name,
    )
    if day <= today:
        take_effect(session, reorganisation, now)
    _tell(progress, "people", 1)
    return reorganisation


def _tell(progress: Progress, stage: str, done: int) -> None:
    if progress is not None:
        progress(done, 1, stage)


def _lock_units(session: Session, day: date) -> None:
    """Two administrators at once: the second waits, and then sees what the first has done."""
    session.execute(
        select(Unit.id)
        .where(or_(Unit.valid_until.is_(None), Unit.valid_until > day))
        .order_by(Unit.id)
        .with_for_update(key_share=True)
    ).all()


def _new(actor: Actor | None, name: str, plan: Plan, day: date, now: datetime) -> Reorganisation:
    return Reorganisation(
        name=require_text("name", name, LONGEST_NAME),
        day=day,
        state=ReorganisationState.PLANNED.value,
        digest=plan.digest,
        plan=plan.as_json(),
        counts={},
        touched={},
        created_at=now,
        created_by=actor.person_id if actor else None,
    )


def _planned(
    session: Session,
    actor: Actor | None,
    name: str,
    plan: Plan,
    day: date,
    now: datetime,
    kept_id: int | None,
) -> Reorganisation:
    if kept_id is None:
        reorganisation = _new(actor, name, plan, day, now)
        session.add(reorganisation)
        session.flush()
        return reorganisation
    kept = reorganisation_by_id(session, kept_id)
    if kept.state != ReorganisationState.PLANNED.value:
        raise WrongReorganisationState(kept.state, "apply")
    kept.name, kept.day = require_text("name", name, LONGEST_NAME), day
    kept.digest, kept.plan = plan.digest, plan.as_json()
    return kept


def _touched(
    outlook: Outlook,
    ids: dict[int, int],
    placed: Iterable[int],
    made: Iterable[int],
    grants: dict[str, Any],
) -> dict[str, Any]:
    comparison = outlook.comparison
    return {
        "roots": sorted(comparison.roots),
        "begun": sorted(ids.values()),
        "ended": sorted(comparison.ended),
        "placed": sorted(placed),
        "predecessors": sorted({passing.unit_id for passing in comparison.successions}),
        "touched": sorted(comparison.touched | set(ids.values())),
        "leaning": sorted(comparison.leaning),
        "points": sorted(made),
        "grants": grants,
    }
