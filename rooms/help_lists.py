"""The queue of calls for help, what happened to one, and how long points waited."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session, aliased

from rooms.attendance import AttendanceEntry, Presence
from rooms.bridge_points import BridgePoint
from rooms.help_calls import (
    RUNNING,
    WAITING,
    HelpAct,
    HelpCall,
    HelpState,
    UnknownHelpCall,
    may_help,
    may_see_help,
    with_whereabouts,
)
from rooms.hierarchy import Unit, UnitAncestry, valid_on
from rooms.meetings import Meeting, MeetingState, Participation
from rooms.people import Person, RoleGrant
from rooms.policies import Actor, Permission, holding, roles_with
from rooms.technicians import NAME_TO_CALL, PHONE_TO_CALL

MOST_LISTED = 300


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call as the queue shows it."""

    call: HelpCall
    meeting: Meeting
    unit: str
    unit_id: int
    point: str
    contact: str
    """Whom to ring about the point."""
    phone: str
    asker: str
    asker_phone: str
    helper: str
    """Who looks after it, or did."""
    helper_phone: str
    mine: bool
    """Whether the reader may take it."""

    @property
    def waits_for_the_point(self) -> bool:
        """Solved, and the point has not said yet that it works."""
        return self.call.state == HelpState.SOLVED.value and self.call.confirmed_at is None


def calls(
    session: Session,
    actor: Actor,
    on: date,
    *conditions: ColumnElement[bool],
    most: int = MOST_LISTED,
    newest_first: bool = False,
) -> list[CallLine]:
    """The calls one may see that meet the conditions, the oldest first; one statement."""
    asker, helper = aliased(Person), aliased(Person)
    order = (HelpCall.asked_at, HelpCall.id)
    rows = session.execute(
        with_whereabouts(
            HelpCall,
            Meeting,
            Unit.name,
            Unit.id,
            BridgePoint.name,
            NAME_TO_CALL,
            PHONE_TO_CALL,
            asker.name,
            asker.phone,
            helper.name,
            helper.phone,
            may_help(actor, on),
        )
        .join(Unit, Unit.id == Participation.unit_id)
        .outerjoin(asker, asker.id == HelpCall.asked_by)
        .outerjoin(helper, helper.id == HelpCall.taken_by)
        .where(may_see_help(actor, on), *conditions)
        .order_by(*(column.desc() for column in order) if newest_first else order)
        .limit(most)
    )
    return [_line(row) for row in rows]


def _line(row: Any) -> CallLine:
    call, meeting, unit, unit_id, point, *told, mine = row
    contact, phone, asker, asker_phone, helper, helper_phone = (text or "" for text in told)
    return CallLine(
        call,
        meeting,
        unit,
        unit_id,
        point,
        contact,
        phone,
        asker,
        asker_phone,
        helper,
        helper_phone,
        bool(mine),
    )


def queue(session: Session, actor: Actor, meeting_id: int, on: date) -> list[CallLine]:
    """What waits in a meeting, the oldest first; also what is solved and waits for the point."""
    waiting = and_(HelpCall.state == HelpState.SOLVED.value, HelpCall.confirmed_at.is_(None))
    return calls(
        session,
        actor,
        on,
        HelpCall.meeting_id == meeting_id,
        HelpCall.state.in_(RUNNING) | waiting,
    )


def waiting_everywhere(session: Session, actor: Actor, on: date, most: int) -> list[CallLine]:
    """What waits in all meetings that run or are to come, as far as the actor may help."""
    return calls(session, actor, on, WAITING, may_help(actor, on), most=most)


def over(session: Session, actor: Actor, meeting_id: int, on: date, most: int) -> list[CallLine]:
    """What is over in a meeting, the newest first."""
    return calls(
        session,
        actor,
        on,
        HelpCall.meeting_id == meeting_id,
        HelpCall.state.not_in(RUNNING),
        most=most,
        newest_first=True,
    )


def one_call(session: Session, actor: Actor, call_id: int, on: date) -> CallLine:
    """Raises `UnknownHelpCall`, also where the actor may not see it."""
    found = calls(session, actor, on, HelpCall.id == call_id)
    if not found:
        raise UnknownHelpCall(call_id)
    return found[0]


def call_of_point(session: Session, meeting_id: int, point_id: int) -> tuple[HelpCall, str] | None:
    """The newest call of a point and the name of who looks after it; that it may be seen is checked."""
    row = session.execute(
        select(HelpCall, Person.name)
        .outerjoin(Person, Person.id == HelpCall.taken_by)
        .where(HelpCall.meeting_id == meeting_id, HelpCall.point_id == point_id)
        .order_by(HelpCall.id.desc())
        .limit(1)
    ).first()
    return (row[0], row[1] or "") if row else None


@dataclass(frozen=True, slots=True)
class ActLine:
    """An act on a call: who, when, to whom."""

    act: str
    at: datetime
    by: str
    on_behalf_of: str
    to: str
    words: str


def acts_of(session: Session, call_ids: Sequence[int]) -> dict[int, list[ActLine]]:
    """What happened to calls, in order; one statement."""
    by, official, heir = aliased(Person), aliased(Person), aliased(Person)
    told: dict[int, list[ActLine]] = {call_id: [] for call_id in call_ids}
    for row in session.execute(
        select(
            HelpAct.call_id,
            HelpAct.act,
            HelpAct.at,
            by.name,
            official.name,
            heir.name,
            HelpAct.words,
        )
        .outerjoin(by, by.id == HelpAct.person_id)
        .outerjoin(official, official.id == HelpAct.on_behalf_of_id)
        .outerjoin(heir, heir.id == HelpAct.to_id)
        .where(HelpAct.call_id.in_(call_ids))
        .order_by(HelpAct.id)
    ):
        told[row[0]].append(ActLine(row[1], row[2], *(text or "" for text in row[3:])))
    return told


def helpers(session: Session, line: CallLine, on: date) -> list[tuple[int, str, str]]:
    """Whom a call may be handed to: id, name, office; technicians of the point's or the host's tree."""
    rows = session.execute(
        select(Person.id, Person.name, Person.title)
        .where(
            Person.active,
            Person.id.in_(
                select(RoleGrant.person_id)
                .join(UnitAncestry, UnitAncestry.ancestor_id == RoleGrant.unit_id)
                .where(
                    UnitAncestry.unit_id.in_([line.unit_id, line.meeting.host_unit_id]),
                    valid_on(UnitAncestry, on),
                    holding(on),
                    RoleGrant.role.in_(roles_with(Permission.HELP_WRITE)),
                )
            ),
        )
        .order_by(Person.name, Person.id)
        .limit(200)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def state_before(session: Session, call: HelpCall, meeting: Meeting) -> str:
    """What the point said last before it needed help; that is what it may say again."""
    said = session.scalar(
        select(AttendanceEntry.state)
        .where(
            AttendanceEntry.meeting_id == call.meeting_id,
            AttendanceEntry.point_id == call.point_id,
            AttendanceEntry.state.in_([Presence.READY.value, Presence.PRESENT.value]),
            AttendanceEntry.observed_at <= call.asked_at,
        )
        .order_by(AttendanceEntry.observed_at.desc(), AttendanceEntry.revision.desc())
        .limit(1)
    )
    if said is not None:
        return said
    running = meeting.state == MeetingState.IN_PROGRESS.value
    return Presence.PRESENT.value if running else Presence.READY.value


@dataclass(frozen=True, slots=True)
class HelpTimes:
    """How calls of a meeting fared. To take: from asking to the first who took it; to fix: to solved."""

    asked: int = 0
    taken: int = 0
    solved: int = 0
    withdrawn: int = 0
    open: int = 0
    """Neither solved nor withdrawn."""
    median_to_take: timedelta | None = None
    longest_to_take: timedelta | None = None
    median_to_fix: timedelta | None = None
    longest_to_fix: timedelta | None = None
    by_trouble: dict[str, int] = field(default_factory=dict)


def help_times(session: Session, meeting_id: int) -> HelpTimes:
    """The figures of one meeting; one statement. Who may see the meeting is the caller's to check."""
    rows: Sequence[Any] = session.execute(
        select(
            HelpCall.state,
            HelpCall.trouble,
            HelpCall.asked_at,
            HelpCall.taken_at,
            HelpCall.solved_at,
        ).where(HelpCall.meeting_id == meeting_id)
    ).all()
    to_take = [row.taken_at - row.asked_at for row in rows if row.taken_at]
    to_fix = [row.solved_at - row.asked_at for row in rows if row.solved_at]
    states = Counter(row.state for row in rows)
    return HelpTimes(
        asked=len(rows),
        taken=len(to_take),
        solved=states[HelpState.SOLVED.value],
        withdrawn=states[HelpState.WITHDRAWN.value],
        open=sum(states[state] for state in RUNNING),
        median_to_take=_median(to_take),
        longest_to_take=max(to_take, default=None),
        median_to_fix=_median(to_fix),
        longest_to_fix=max(to_fix, default=None),
        by_trouble=dict(Counter(row.trouble for row in rows)),
    )


def _median(spans: list[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(span.total_seconds() for span in spans)) if spans else None
