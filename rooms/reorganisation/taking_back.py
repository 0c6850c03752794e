"""Taking a reorganisation back while its day has not come: everything is as it was before."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from rooms.audience import parse_rules
from rooms.auditing import audited
from rooms.booking import Occupancy
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Unit
from rooms.invitees import reinvite
from rooms.kernel import civil_day, record
from rooms.meetings import (
    OPEN_FOR_CHANGE,
    Meeting,
    MeetingChange,
    MeetingState,
    Participation,
)
from rooms.people import Person, RoleGrant
from rooms.policies import Actor
from rooms.reorganisation.grants import take_grants_back
from rooms.reorganisation.invitations import MeetingsReaimed
from rooms.reorganisation.plans import InUseSince
from rooms.reorganisation.previewing import require_right
from rooms.reorganisation.reaiming import coming_meetings
from rooms.reorganisation.records import (
    ReaimedMeeting,
    Reorganisation,
    ReorganisationState,
    UnknownReorganisation,
    WrongReorganisationState,
)
from rooms.reorganisation.tree_rows import take_tree_back

Kept = tuple[ReaimedMeeting, Meeting]


def take_back(
    session: Session, actor: Actor | None, reorganisation_id: int, now: datetime
) -> Reorganisation:
    """Undo an applied plan before its day: units, rights, invitations and rooms are as before.

    Raises `UnknownReorganisation`, `WrongReorganisationState` when the day has come, `NotPermitted`,
    and `InUseSince` when something hangs on the new units that was not there.
    """
    reorganisation = session.scalars(
        select(Reorganisation).where(Reorganisation.id == reorganisation_id).with_for_update()
    ).one_or_none()
    if reorganisation is None:
        raise UnknownReorganisation(reorganisation_id)
    if reorganisation.state != ReorganisationState.APPLIED.value or (
        reorganisation.day <= civil_day(now)
    ):
        raise WrongReorganisationState(reorganisation.state, "take_back")
    touched = reorganisation.touched
    require_right(session, actor, touched["roots"], now)
    kept = [
        (row.ReaimedMeeting, row.Meeting)
        for row in session.execute(
            select(ReaimedMeeting, Meeting)
            .join(Meeting, Meeting.id == ReaimedMeeting.meeting_id)
            .where(ReaimedMeeting.reorganisation_id == reorganisation.id)
            .order_by(Meeting.id)
            .with_for_update(of=Meeting, key_share=True)
            .execution_options(populate_existing=True)
        )
    ]
    _refuse_in_use(session, reorganisation, kept)
    take_tree_back(
        session,
        reorganisation.day,
        begun=touched["begun"],
        ended=touched["ended"],
        placed=touched["placed"],
        predecessors=touched["predecessors"],
    )
    take_grants_back(session, touched["grants"])
    _restore(session, actor, reorganisation, kept, now)
    reorganisation.state = ReorganisationState.TAKEN_BACK.value
    reorganisation.taken_back_at = now
    reorganisation.taken_back_by = actor.person_id if actor else None
    session.flush()
    audited(
        session,
        "take_back",
        "reorganisation",
        reorganisation.id,
        after={"day": reorganisation.day, "meetings": len(kept)},
        label=reorganisation.name,
    )
    return reorganisation


def _refuse_in_use(session: Session, reorganisation: Reorganisation, kept: Sequence[Kept]) -> None:
    touched = reorganisation.touched
    begun = touched["begun"]
    things = [
        ("meeting", meeting.title)
        for was, meeting in kept
        if (meeting.audience, meeting.host_unit_id, meeting.main_point_id)
        != (was.audience_after, was.host_after, was.main_point_after)
    ]
    things += [("meeting", title) for title in _new_meetings(session, reorganisation, kept)]
    things += [
        ("bridge_point", name)
        for name in session.scalars(
            select(BridgePoint.name).where(
                BridgePoint.unit_id.in_(begun), BridgePoint.id.not_in(touched["points"])
            )
        )
    ]
    things += [
        ("person", name)
        for name in session.scalars(select(Person.name).where(Person.unit_id.in_(begun)))
    ]
    opened = [row[0] for row in touched["grants"]["opened"]]
    things += [
        ("grant", f"{name}, {unit}")
        for name, unit in session.execute(
            select(Person.name, Unit.name)
            .join(RoleGrant, RoleGrant.person_id == Person.id)
            .join(Unit, Unit.id == RoleGrant.unit_id)
            .where(RoleGrant.unit_id.in_(begun), RoleGrant.id.not_in(opened))
        )
    ]
    if things:
        raise InUseSince(things)


def _new_meetings(
    session: Session, reorganisation: Reorganisation, kept: Sequence[Kept]
) -> list[str]:
    """Meetings made since for the day or later, that the new units host or are invited to."""
    begun = reorganisation.touched["begun"]
    known = {meeting.id for _was, meeting in kept}
    hanging = or_(
        Meeting.host_unit_id.in_(begun),
        # Correlated: it looks only at the invitations of the meetings that are to come.
        exists()
        .where(
            Participation.meeting_id == Meeting.id,
            Participation.unit_id.in_(begun),
            Participation.withdrawn_at.is_(None),
        )
        .correlate(Meeting),
    )
    states = [state.value for state in MeetingState if state is not MeetingState.CANCELLED]
    coming = coming_meetings(session, reorganisation.day, *states, only=hanging)
    return [meeting.title for meeting in coming if meeting.id not in known]


def _restore(
    session: Session,
    actor: Actor | None,
    reorganisation: Reorganisation,
    kept: Sequence[Kept],
    now: datetime,
) -> None:
    """Rules, hosts and invitations as they were; drafts, which had forgotten, resolve their rules."""
    if not kept:
        return
    then = reorganisation.applied_at
    published = [meeting.id for _was, meeting in kept if _was_published(meeting, then)]
    options = {"synchronize_session": False}
    for points, meetings in _added(kept).items():
        added = and_(Participation.meeting_id.in_(meetings), Participation.point_id.in_(points))
        session.execute(
            update(Participation)
            .where(added, Participation.withdrawn_at.is_(None))
            .values(withdrawn_at=now),
            execution_options=options,
        )
    session.execute(
        update(Participation)
        .where(Participation.meeting_id.in_(published), Participation.withdrawn_at == then)
        .values(withdrawn_at=None),
        execution_options=options,
    )
    # Rooms have not moved yet: whose they are says whose invitation it was.
    home = (
        select(BridgePoint.unit_id)
        .where(BridgePoint.id == Participation.point_id)
        .scalar_subquery()
    )
    session.execute(
        update(Participation)
        .where(
            Participation.meeting_id.in_([meeting.id for _was, meeting in kept]),
            Participation.withdrawn_at.is_(None),
            Participation.unit_id != home,
        )
        .values(unit_id=home),
        execution_options=options,
    )
    for known in list(session.identity_map.values()):
        if isinstance(known, Participation):
            session.expire(known)
    for was, meeting in kept:
        _restore_meeting(session, actor, reorganisation, was, meeting, now)
    session.flush()
    _restore_holds(session, [meeting.id for _was, meeting in kept])
    told = tuple(
        meeting.id
        for _was, meeting in kept
        if meeting.state in {MeetingState.SCHEDULED.value, MeetingState.POSTPONED.value}
    )
    record(session, MeetingsReaimed(reorganisation.id, told, (), now, taken_back=True))


def _restore_holds(session: Session, meeting_ids: Sequence[int]) -> None:
    """Hold the rooms of all who stand again, at the time at which their meeting holds its others."""
    standing = and_(Participation.meeting_id.in_(meeting_ids), Participation.withdrawn_at.is_(None))
    # Ascending id, as whoever books does.
    session.execute(
        select(BridgePoint.id)
        .where(BridgePoint.id.in_(select(Participation.point_id).where(standing)))
        .order_by(BridgePoint.id)
        .with_for_update(key_share=True)
    ).all()
    same = and_(
        Occupancy.meeting_id == Participation.meeting_id,
        Occupancy.point_id == Participation.point_id,
    )
    session.execute(
        delete(Occupancy)
        .where(
            Occupancy.meeting_id.in_(meeting_ids),
            ~exists().where(same, Participation.withdrawn_at.is_(None)),
        )
        .execution_options(synchronize_session=False)
    )
    held = (
        select(
            Occupancy.meeting_id,
            func.min(Occupancy.starts_at).label("starts_at"),
            func.max(Occupancy.ends_at).label("ends_at"),
        )
        .where(Occupancy.meeting_id.in_(meeting_ids))
        .group_by(Occupancy.meeting_id)
        .subquery()
    )
    session.execute(
        insert(Occupancy).from_select(
            ["meeting_id", "point_id", "starts_at", "ends_at"],
            select(
                Participation.meeting_id,
                Participation.point_id,
                held.c.starts_at,
                held.c.ends_at,
            )
            .join(held, held.c.meeting_id == Participation.meeting_id)
            .where(standing, ~exists().where(same)),
        )
    )


def _added(kept: Sequence[Kept]) -> dict[tuple[int, ...], list[int]]:
    """The meetings by the points that the plan added to them: mostly the same few everywhere."""
    found: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for was, meeting in kept:
        if was.added:
            found[tuple(was.added)].append(meeting.id)
    return found


def _restore_meeting(
    session: Session,
    actor: Actor | None,
    reorganisation: Reorganisation,
    was: ReaimedMeeting,
    meeting: Meeting,
    now: datetime,
) -> None:
    if meeting.main_point_id != was.main_point_before:
        main = case((Participation.point_id == was.main_point_before, True), else_=False)
        session.execute(
            update(Participation)
            .where(Participation.meeting_id == meeting.id)
            .values(is_main=main)
            .execution_options(synchronize_session=False)
        )
    meeting.audience = was.audience_before
    meeting.host_unit_id = was.host_before
    meeting.main_point_id = was.main_point_before
    meeting.version += 1
    is_open = meeting.state in {state.value for state in OPEN_FOR_CHANGE}
    if is_open and meeting.state != MeetingState.DRAFT.value:
        meeting.sequence += 1
    if is_open and not _was_published(meeting, reorganisation.applied_at):
        session.flush()
        reinvite(session, meeting, parse_rules(was.audience_before), now)
    session.add(
        MeetingChange(
            meeting_id=meeting.id,
            at=now,
            actor_id=actor.person_id if actor else meeting.created_by,
            action="reorganisation_taken_back",
            reason=reorganisation.name,
            detail={
                "reorganisation": reorganisation.id,
                "day": reorganisation.day.isoformat(),
                "points_before": was.points_after,
                "points_after": was.points_before,
                "added": max(was.points_before - was.points_after, 0),
            },
        )
    )


def _was_published(meeting: Meeting, then: datetime | None) -> bool:
    """Whether the invitation had gone out when the plan was applied."""
    return meeting.scheduled_at is not None and then is not None and meeting.scheduled_at <= then
