"""What a meeting's form comes to while it is typed: who is invited, what clashes, what the law asks.

Nothing is written. The same parts stand in the form when it is opened or refused.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from meetings_server.errors import sentence
from meetings_server.i18n import _, ngettext
from meetings_server.web.meeting_typing import Refusal, Typed, typed_start
from meetings_server.web.meeting_words import LEVELS, OBSTACLES, chips, word
from rooms.audience import Resolution, resolve
from rooms.booking import BookingConflict, Clash, clashes_at
from rooms.bridge_points import BridgePoint
from rooms.earlier_replies import answered_by_units
from rooms.hierarchy import load_tree
from rooms.kernel import CIVIL_ZONE, DomainError, civil_day
from rooms.meetings import Meeting, MeetingState, Participation, invited
from rooms.outages import Outage, out_between
from rooms.policies import Actor
from rooms.slots import Margins, next_free
from rooms.workdays import INVITATION_NOTICE, latest_invitation_day

MOST_NAMED = 30
"""Units named in a list before the rest is only counted."""


@dataclass
class Preview:
    """The right half of the form: everything is ready to be shown."""

    chips: list[dict[str, Any]] = field(default_factory=list)
    quick: list[tuple[str, str]] = field(default_factory=list)
    """Levels below the top one: a button each invites all units of it."""
    levels: list[tuple[str, int]] = field(default_factory=list)
    invited: int = 0
    """Units besides the one that hosts the main point."""
    unable: list[tuple[str, str]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problem: str = ""
    """Why the audience cannot be counted."""
    clashes: list[Clash] = field(default_factory=list)
    next_free: datetime | None = None
    main_point_out: str = ""
    has_time: bool = False
    latest_day: date | None = None
    is_late: bool = False
    is_past: bool = False
    asked_again: int = 0
    """Units whose reply no longer holds once the meeting moves."""

    @property
    def clashing_points(self) -> int:
        return sum(clash.points for clash in self.clashes)

    @property
    def next_start(self) -> dict[str, str] | None:
        """The fields of the form that take the next free start."""
        return typed_start(self.next_free, self.next_free) if self.next_free else None

    @property
    def more_unable(self) -> int:
        return max(0, len(self.unable) - MOST_NAMED)


def preview(
    session: Session,
    actor: Actor,
    typed: Typed,
    now: datetime,
    meeting: Meeting | None = None,
    *,
    is_changed: bool = True,
) -> Preview:
    """What has been typed so far, worked out; at most eight statements.

    `is_changed`: the form may differ from the meeting, so that the two are compared.
    """
    seen = Preview()
    starts_at = typed.starts_at or now
    ends_at = typed.ends_at if typed.ends_at and typed.ends_at > starts_at else None
    tree = load_tree(session, civil_day(starts_at))
    seen.chips = chips(tree, typed.rules)
    seen.quick = [(level, word(LEVELS, level)) for level in tree.levels[1:]]
    try:
        resolution = resolve(
            session,
            tree,
            typed.rules,
            starts_at,
            ends_at or starts_at + timedelta(hours=1),
            typed.main_point,
        )
    except DomainError as refusal:
        seen.problem = sentence(refusal)
        return seen
    _count(seen, resolution, typed.main_point)
    if typed.starts_at is not None:
        _look_at_the_law(seen, typed.starts_at, now, meeting)
    if typed.starts_at is not None and ends_at is not None:
        seen.has_time = True
        _look_for_clashes(session, seen, actor, typed, resolution, now, meeting)
    if is_changed and meeting is not None and meeting.state != MeetingState.DRAFT.value:
        _compare(session, seen, resolution, meeting, tree.by_id)
        seen.asked_again = _asked_again(session, meeting, starts_at, ends_at)
    return seen


def _asked_again(
    session: Session, meeting: Meeting, starts_at: datetime, ends_at: datetime | None
) -> int:
    if ends_at is None or (starts_at, ends_at) == (meeting.starts_at, meeting.ends_at):
        return 0
    answered = select(func.count()).select_from(Participation).where(answered_by_units(meeting.id))
    return session.scalar(answered) or 0


def _count(seen: Preview, resolution: Resolution, main_point: int | None) -> None:
    others = [invitee for invitee in resolution.joining if invitee.point_id != main_point]
    counts: dict[str, int] = {}
    for invitee in others:
        counts[invitee.unit.level] = counts.get(invitee.unit.level, 0) + 1
    seen.levels = [(word(LEVELS, level), count) for level, count in counts.items()]
    seen.invited = len(others)
    seen.unable = [
        (
            invitee.unit.name,
            word(OBSTACLES, invitee.obstacle or "")
            + (f": {invitee.reason}" if invitee.reason else ""),
        )
        for invitee in resolution.unable
    ]


def _look_at_the_law(
    seen: Preview, starts_at: datetime, now: datetime, meeting: Meeting | None
) -> None:
    seen.latest_day = latest_invitation_day(starts_at.astimezone(CIVIL_ZONE).date())
    moves = meeting is None or starts_at != meeting.starts_at
    seen.is_late = civil_day(now) > seen.latest_day and (
        moves or meeting is None or meeting.state == MeetingState.DRAFT.value
    )
    seen.is_past = moves and starts_at <= now


def _look_for_clashes(
    session: Session,
    seen: Preview,
    actor: Actor,
    typed: Typed,
    resolution: Resolution,
    now: datetime,
    meeting: Meeting | None,
) -> None:
    if typed.starts_at is None or typed.ends_at is None:
        return
    points = [invitee.point_id for invitee in resolution.joining if invitee.point_id is not None]
    setup = timedelta(minutes=min(typed.setup_minutes, 24 * 60))
    clearing = timedelta(minutes=min(typed.clearing_minutes, 24 * 60))
    own = meeting.id if meeting else None
    if points:
        seen.clashes = clashes_at(
            session,
            actor,
            points,
            typed.starts_at - setup,
            typed.ends_at + clearing,
            civil_day(now),
            ignore_meeting=own,
        )
    if seen.clashes:
        seen.next_free = next_free(
            session,
            points,
            typed.ends_at - typed.starts_at,
            max(typed.starts_at, now),
            margins=Margins(setup, clearing),
            zone=ZoneInfo("Asia/Ho_Chi_Minh"),
            ignore_meeting=own,
        )
    if typed.main_point is not None:
        seen.main_point_out = _out_of_use(session, typed.main_point, typed.starts_at, typed.ends_at)


def _out_of_use(session: Session, point_id: int, starts_at: datetime, ends_at: datetime) -> str:
    """Why a point cannot be used then; empty where it can."""
    row = session.execute(
        select(BridgePoint.closed_on, Outage.reason)
        .outerjoin(Outage, and_(Outage.point_id == BridgePoint.id, out_between(starts_at, ends_at)))
        .where(BridgePoint.id == point_id)
        .limit(1)
    ).first()
    if row is None:
        return ""
    closed_on, reason = row
    if closed_on is not None and closed_on <= civil_day(starts_at):
        return word(OBSTACLES, "closed")
    return reason or ""


def _compare(
    session: Session,
    seen: Preview,
    resolution: Resolution,
    meeting: Meeting,
    nodes: Any,
) -> None:
    standing = dict(
        session.execute(
            select(Participation.point_id, Participation.unit_id).where(invited(meeting.id))
        ).all()
    )
    wanted = {invitee.point_id: invitee.unit.name for invitee in resolution.joining}
    seen.added = [name for point, name in wanted.items() if point not in standing]
    seen.removed = [
        nodes[unit].name if unit in nodes else f"#{unit}"
        for point, unit in standing.items()
        if point not in wanted
    ]


def with_conflict(seen: Preview, refusal: Refusal | None) -> Preview:
    """The clashes that refused a booking, which the preview may not have known a moment before."""
    if refusal is not None and isinstance(refusal.cause, BookingConflict):
        seen.clashes = refusal.cause.clashes
        seen.next_free = refusal.cause.next_free
    return seen


def button_words(seen: Preview, meeting: Meeting | None) -> str:
    """What the main button will do."""
    if not seen.invited:
        return _("Send the invitation")
    units = ngettext("%(num)s unit", "%(num)s units", seen.invited) % {"num": seen.invited}
    if meeting is None or meeting.state == MeetingState.DRAFT.value:
        return _("Send the invitation to {units}").format(units=units)
    return _("Save and tell {units}").format(units=units)


def notice_words(seen: Preview) -> str:
    """The legal clock in one sentence."""
    if seen.latest_day is None:
        return ""
    days = {"days": INVITATION_NOTICE}
    if seen.is_late:
        return _("Later than {days} working days before the meeting; a reason is needed.").format(
            **days
        )
    return _("The invitation is in time: at least {days} working days before.").format(**days)
