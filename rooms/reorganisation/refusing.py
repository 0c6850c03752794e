"""What forbids a plan, besides what is wrong with it: another plan, a meeting, the last administrator."""

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.meetings import MeetingState, Participation
from rooms.reorganisation.comparing import Comparison
from rooms.reorganisation.grants import require_administrators
from rooms.reorganisation.plans import (
    BackdatedTouches,
    Plan,
    PlanApplied,
    PlansOverlap,
    UnitInMeeting,
)
from rooms.reorganisation.reaiming import coming_meetings
from rooms.reorganisation.records import Reorganisation, ReorganisationState

LIVE = (ReorganisationState.APPLIED.value, ReorganisationState.IN_FORCE.value)
HELD = (MeetingState.IN_PROGRESS.value, MeetingState.ENDED.value, MeetingState.CONCLUDED.value)


def refuse_twice(session: Session, plan: Plan, day: date) -> None:
    """Raises `PlanApplied`."""
    name = session.scalar(
        select(Reorganisation.name).where(
            Reorganisation.digest == plan.digest,
            Reorganisation.day == day,
            Reorganisation.state.in_(LIVE),
        )
    )
    if name is not None:
        raise PlanApplied(name, day)


def refuse_forbidden(session: Session, comparison: Comparison, today: date) -> None:
    """Raises `PlansOverlap`, `UnitInMeeting`, `BackdatedTouches`, `NoAdministratorLeft`."""
    _refuse_overlap(session, comparison)
    _refuse_running(session, comparison, today)
    require_administrators(session, comparison)


def _refuse_overlap(session: Session, comparison: Comparison) -> None:
    names = {node.id: node.name for node in comparison.before.by_id.values()}
    for other in session.scalars(
        select(Reorganisation).where(Reorganisation.state == ReorganisationState.APPLIED.value)
    ):
        theirs = set(other.touched["touched"])
        common = (
            (comparison.touched & theirs)
            | (comparison.touched & set(other.touched["leaning"]))
            | (theirs & comparison.leaning)
        )
        if common:
            told = [names.get(unit_id, "") for unit_id in sorted(common)[:20]]
            raise PlansOverlap(other.name, other.day, [name for name in told if name])


def _refuse_running(session: Session, comparison: Comparison, today: date) -> None:
    """What is under way, or was held on the day or later, keeps its units."""
    if comparison.day > today:
        return
    ending = set(comparison.ended)
    touched: list[str] = []
    for meeting in coming_meetings(session, comparison.day, *HELD):
        units = {meeting.host_unit_id} | set(
            session.scalars(
                select(Participation.unit_id).where(
                    Participation.meeting_id == meeting.id, Participation.withdrawn_at.is_(None)
                )
            )
        )
        hit = units & ending
        if hit and meeting.state == MeetingState.IN_PROGRESS.value:
            raise UnitInMeeting(comparison.ended[min(hit)].name, meeting.title)
        if hit:
            touched.append(meeting.title)
    if touched and comparison.day < today:
        raise BackdatedTouches(comparison.day, touched[:20])
