"""The steps for each kind of meeting: minutes before the start, whom, by which channels, on or off.

A kind that nobody has changed follows `DEFAULTS`; the first change writes down all its steps. A step
keeps its number whatever else is changed about it, so that a meeting which has had it does not have it
again at another minute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.push.telling import By
from rooms.hierarchy import Unit, UnitAncestry, valid_on
from rooms.kernel import Base, Conflict, FieldInvalid
from rooms.meetings import MeetingKind
from rooms.people import Role
from rooms.policies import Actor, NotPermitted, Permission, grants_in_effect

EARLIEST, LATEST = 1440, -120
"""Minutes before the start; below 0 they are after it."""
MOST_STEPS = 12


class About(StrEnum):
    """What has not been done."""

    SILENT = "silent"
    """The point has not said anything."""
    LINE_TEST = "line_test"
    """The point's line has not been tested."""


class Whom(StrEnum):
    POINT = "point"
    """The unit of the point, its operators, and who looks after the point."""
    PARENT = "parent"
    """The unit above."""
    CHAIR = "chair"
    SECRETARY = "secretary"
    TECHNICIANS = "technicians"
    """Those of the host."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `minutes` before the start; 0 is the start, -15 a quarter of an hour after it."""

    number: int
    minutes: int
    whom: Whom
    about: About
    channels: frozenset[By]
    active: bool = True


_ALL = frozenset(By)
_QUIET = frozenset({By.PAGE, By.PUSH})

DEFAULTS: tuple[Step, ...] = (
    Step(1, 30, Whom.POINT, About.SILENT, _ALL),
    Step(2, 10, Whom.PARENT, About.SILENT, _ALL),
    Step(3, 0, Whom.CHAIR, About.SILENT, _QUIET),
    Step(4, 0, Whom.SECRETARY, About.SILENT, _ALL),
    Step(5, 0, Whom.TECHNICIANS, About.SILENT, _QUIET),
    Step(6, 60, Whom.POINT, About.LINE_TEST, _QUIET),
)


class EscalationStep(Base):
    """A step that an administrator has set for a kind of meeting."""

    __tablename__ = "escalation_step"

    meeting_kind: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    minutes: Mapped[int]
    whom: Mapped[str]
    about: Mapped[str]
    by_page: Mapped[bool]
    by_push: Mapped[bool]
    by_mail: Mapped[bool]
    active: Mapped[bool]


@dataclass
class TooManySteps(Conflict):
    code: ClassVar[str] = "too_many_steps"
    most: int


@dataclass
class RulesChanged(Conflict):
    """Somebody else has changed the steps since the page was opened."""

    code: ClassVar[str] = "rules_changed"


def rules(session: Session) -> dict[MeetingKind, list[Step]]:
    """The steps of every kind, the earliest first; one statement."""
    found: dict[MeetingKind, list[Step]] = {}
    for row in session.scalars(select(EscalationStep)):
        found.setdefault(MeetingKind(row.meeting_kind), []).append(_step(row))
    return {kind: in_order(found.get(kind, DEFAULTS)) for kind in MeetingKind}


def changed_kinds(session: Session) -> set[MeetingKind]:
    """The kinds that no longer follow the defaults."""
    return {
        MeetingKind(kind)
        for kind in session.scalars(select(EscalationStep.meeting_kind).distinct())
    }


def in_order(steps: Sequence[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: (-step.minutes, step.number))


def _step(row: EscalationStep) -> Step:
    by = {By.PAGE: row.by_page, By.PUSH: row.by_push, By.MAIL: row.by_mail}
    return Step(
        row.number,
        row.minutes,
        Whom(row.whom),
        About(row.about),
        frozenset(channel for channel, used in by.items() if used),
        row.active,
    )


def set_steps(
    session: Session,
    actor: Actor,
    kind: MeetingKind,
    steps: Sequence[Step],
    known: Sequence[Step],
    on: date,
) -> None:
    """Put other steps in place of a kind's. New ones come with the number 0 and get the next.

    `known`: the steps from which the change was made. Raises `NotPermitted`, `FieldInvalid`,
    `TooManySteps`, `RulesChanged`.
    """
    require_rules(session, actor, on)
    if in_order(known) != rules(session)[kind]:
        raise RulesChanged
    if len(steps) > MOST_STEPS:
        raise TooManySteps(MOST_STEPS)
    if not steps:
        raise FieldInvalid("steps", "missing")
    for place, step in enumerate(steps):
        require_sound(step, place)
    given = [step.number for step in steps if step.number]
    if len(given) > len(set(given)) or not set(given) <= {step.number for step in known}:
        raise RulesChanged
    last = max(step.number for step in known)
    numbered = []
    for step in steps:
        last += not step.number
        numbered.append(step if step.number else replace(step, number=last))
    _write(session, kind, {step.number: step for step in numbered})


def _write(session: Session, kind: MeetingKind, steps: Mapping[int, Step]) -> None:
    """Row by row, so that the record of changes tells what has changed."""
    rows = {
        row.number: row
        for row in session.scalars(
            select(EscalationStep).where(EscalationStep.meeting_kind == kind.value)
        )
    }
    for number, row in rows.items():
        if number not in steps:
            session.delete(row)
    for number, step in steps.items():
        row = rows.get(number) or EscalationStep(meeting_kind=kind.value, number=number)
        row.minutes = step.minutes
        row.whom, row.about = step.whom.value, step.about.value
        row.by_page, row.by_push, row.by_mail = (
            by in step.channels for by in (By.PAGE, By.PUSH, By.MAIL)
        )
        row.active = step.active
        session.add(row)
    session.flush()


def back_to_defaults(session: Session, actor: Actor, kind: MeetingKind, on: date) -> None:
    """The kind follows `DEFAULTS` again. Raises `NotPermitted`."""
    require_rules(session, actor, on)
    session.execute(delete(EscalationStep).where(EscalationStep.meeting_kind == kind.value))


def require_sound(step: Step, place: int) -> None:
    """Whether a step can be carried out. `place`: of its fields, `minutes_3`. Raises `FieldInvalid`."""
    if not LATEST <= step.minutes <= EARLIEST:
        raise FieldInvalid(f"minutes_{place}", "out_of_range", f"{LATEST}…{EARLIEST}")
    if step.active and not step.channels:
        raise FieldInvalid(f"channels_{place}", "missing")


def may_set_rules(session: Session, actor: Actor, on: date) -> bool:
    """Whether the actor is an administrator of a unit with none above it; one statement."""
    held = grants_in_effect(actor, on)
    above = select(UnitAncestry.unit_id).where(UnitAncestry.depth == 1, valid_on(UnitAncestry, on))
    found = session.scalar(
        select(held.c.unit_id)
        .where(held.c.role == Role.ADMINISTRATOR.value, held.c.unit_id.not_in(above))
        .limit(1)
    )
    return found is not None


def require_rules(session: Session, actor: Actor, on: date) -> None:
    """The rules are the whole server's: they are for administrators of a unit with none above it.

    Raises `NotPermitted`.
    """
    if not may_set_rules(session, actor, on):
        unit = session.get(Unit, actor.unit_id)
        raise NotPermitted(Permission.UNIT_WRITE.value, unit.name if unit else "")
