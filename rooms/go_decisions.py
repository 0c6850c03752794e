"""Go or no-go: whether a meeting is held as planned, decided in sight of the line tests.

The chair decides, or a secretary or technician of the host unit. Each decision is a row with its reason
and the figures of that instant, and stays; the last one holds, as long as the meeting keeps the time for
which it was taken.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    UniqueConstraint,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from rooms.hierarchy import load_tree
from rooms.kernel import Base, Conflict, Event, FieldInvalid, bounded_text, civil_day, record
from rooms.meetings import Meeting, MeetingState, WrongState, visible_meeting
from rooms.notices import MeetingNotice
from rooms.people import Person
from rooms.policies import Actor, Permission, governed, require, stands_for
from rooms.readiness import readiness
from rooms.rollup import Scope

LONGEST_REASON = 500
NOTICE = "decision"


class Go(StrEnum):
    GO = "go"
    NO_GO = "no_go"


class GoDecision(Base):
    """One decision. Never changed."""

    __tablename__ = "go_decision"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"))
    number: Mapped[int]
    """1, 2, 3 … for each meeting."""
    verdict: Mapped[str]
    reason: Mapped[str]
    decided_at: Mapped[datetime]
    decided_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    on_behalf_of_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_for: Mapped[datetime]
    """The start of the meeting as it was then."""
    points: Mapped[int]
    ready: Mapped[int]
    problem: Mapped[int]
    partial: Mapped[int]
    untested: Mapped[int]
    """Points invited, and as their line tests stood at that instant."""
    levels: Mapped[dict[str, dict[str, int]]] = mapped_column(JSON)
    """The same by level."""

    decider: Mapped[Person] = relationship(lazy="raise", foreign_keys=[decided_by])
    on_behalf_of: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[on_behalf_of_id])

    __table_args__ = (UniqueConstraint("meeting_id", "number"),)


@dataclass
class DecidedMeanwhile(Conflict):
    """Somebody else has decided since the page was opened; `number` is what holds now."""

    code: ClassVar[str] = "decided_meanwhile"
    by: str
    number: int


@dataclass(frozen=True)
class GoDecided(Event):
    """`turns`: it takes back what held until now."""

    decision_id: int
    turns: bool


def decide(
    session: Session,
    actor: Actor,
    meeting_id: int,
    verdict: str,
    reason: str,
    now: datetime,
    *,
    after: int,
) -> GoDecision:
    """Decide, in the knowledge of decision number `after` (0: there was none).

    A no-go needs a reason, and so does a go that takes a no-go back. The same again by the same person
    gives the first. Raises `UnknownMeeting`, `NotPermitted`, `WrongState`, `FieldInvalid`,
    `DecidedMeanwhile`.
    """
    today = civil_day(now)
    require_decider(session, actor, meeting_id, today)
    # Decisions of one meeting follow one another, and do not race its start.
    meeting = session.scalars(
        select(Meeting)
        .where(Meeting.id == meeting_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    if meeting.state != MeetingState.SCHEDULED.value:
        raise WrongState(meeting.state, "decide")
    try:
        wanted = Go(verdict)
    except ValueError:
        raise FieldInvalid("verdict", "unknown" if verdict else "missing", verdict[:40]) from None
    said = bounded_text("reason", reason, LONGEST_REASON)
    last = _last(session, meeting_id)
    if last is not None and last.number != after:
        if _same(last, actor, wanted, said, meeting):
            return last
        raise DecidedMeanwhile(last.decider.name, last.number)
    standing = last if last is not None and last.decided_for == meeting.starts_at else None
    if not said and (wanted is Go.NO_GO or (standing and standing.verdict == Go.NO_GO)):
        raise FieldInvalid("reason", "missing")
    counted = readiness(session, meeting, Scope(), load_tree(session, meeting.day))
    decision = GoDecision(
        meeting_id=meeting_id,
        number=last.number + 1 if last else 1,
        verdict=wanted.value,
        reason=said,
        decided_at=now,
        decided_by=actor.person_id,
        on_behalf_of_id=actor.on_behalf_of,
        decided_for=meeting.starts_at,
        levels={level: asdict(counts) for level, counts in counted.levels.items()},
        **asdict(counted.total),
    )
    session.add(decision)
    session.flush()
    facts = {"verdict": wanted.value, "number": decision.number, "at": now.isoformat()}
    record(session, MeetingNotice(meeting_id, NOTICE, None, facts))
    record(session, GoDecided(decision.id, standing is not None and standing.verdict != wanted))
    return decision


def standing_decision(session: Session, meeting: Meeting) -> GoDecision | None:
    """The decision that holds: the last one, if the meeting has kept its time since."""
    last = _last(session, meeting.id)
    return last if last is not None and last.decided_for == meeting.starts_at else None


def decisions(session: Session, meeting_id: int) -> Sequence[GoDecision]:
    """Every decision, the newest first, with who decided."""
    return session.scalars(_listed(meeting_id)).all()


def may_decide(session: Session, actor: Actor, meeting_id: int, on: date) -> bool:
    """Whether the actor chairs the meeting or looks after meetings of its host."""
    found = session.scalar(select(Meeting.id).where(Meeting.id == meeting_id, deciding(actor, on)))
    return found is not None


def deciding(actor: Actor, on: date) -> ColumnElement[bool]:
    """The meetings for which the actor may decide."""
    return or_(
        stands_for(actor, Meeting.chair_id, on, Permission.MEETING_GO),
        governed(actor, Permission.MEETING_GO, Meeting.host_unit_id, on),
    )


def require_decider(session: Session, actor: Actor, meeting_id: int, on: date) -> None:
    """Raises `UnknownMeeting` where the actor may not see it, else `NotPermitted`."""
    meeting = visible_meeting(session, actor, meeting_id, on)
    if not may_decide(session, actor, meeting_id, on):
        require(session, actor, Permission.MEETING_GO, meeting.host_unit_id, on)


def _listed(meeting_id: int) -> Any:
    return (
        select(GoDecision)
        .where(GoDecision.meeting_id == meeting_id)
        .order_by(GoDecision.number.desc())
        .options(joinedload(GoDecision.decider), joinedload(GoDecision.on_behalf_of))
    )


def _last(session: Session, meeting_id: int) -> GoDecision | None:
    found: GoDecision | None = session.scalars(_listed(meeting_id).limit(1)).first()
    return found


def _same(last: GoDecision, actor: Actor, verdict: Go, reason: str, meeting: Meeting) -> bool:
    return (last.decided_by, last.verdict, last.reason, last.decided_for) == (
        actor.person_id,
        verdict.value,
        reason,
        meeting.starts_at,
    )
