"""The JSON of meetings and participations, in and out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from meetings_server.api.calls import Code
from meetings_server.reading import YEARS
from rooms.audience import Resolution
from rooms.kernel import LARGEST_ID
from rooms.meetings import Meeting, MeetingKind, Participation, Reply

ShortText = Annotated[str, msgspec.Meta(max_length=500)]
LongText = Annotated[str, msgspec.Meta(max_length=4000)]
Reference = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
Instant = Annotated[datetime, msgspec.Meta(tz=True, description="ISO 8601 with an offset")]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=1440)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
ZoneName = Annotated[str, msgspec.Meta(max_length=60)]
Audience = Annotated[
    list[dict[str, str | int]],
    msgspec.Meta(
        max_length=1000,
        description=(
            "Rules in order, each an `include` or an `exclude` of a `level` (optionally `under` a "
            "unit), `children`, `subtree`, `unit` or `point`"
        ),
        examples=[[{"include": "level", "level": "ward", "under": "006"}]],
    ),
]
Unset = msgspec.UnsetType


class WithInstants(msgspec.Struct):
    """A body with instants: those that are a slip of the hand are refused, like a wrong type."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, datetime) and value.year not in YEARS:
                raise ValueError(f"{name}: the year must lie within {YEARS[0]}–{YEARS[-1]}")


class AgendaIn(msgspec.Struct, forbid_unknown_fields=True):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    presenter: Annotated[str, msgspec.Meta(max_length=200)] = ""


class MeetingIn(WithInstants, forbid_unknown_fields=True):
    """What makes a meeting. It is a draft that holds its points until it is scheduled."""

    title: Title
    kind: MeetingKind
    host_unit: Code
    main_point: Reference
    chair: Annotated[Reference, msgspec.Meta(description="Id of a person")]
    starts_at: Instant
    ends_at: Instant
    audience: Audience
    timezone: ZoneName = "Asia/Ho_Chi_Minh"
    agenda: Annotated[list[AgendaIn], msgspec.Meta(max_length=100)] = []
    requirements: LongText = ""
    join_url: ShortText = ""
    join_address: ShortText = ""
    join_pin: ShortText = ""
    setup_minutes: Minutes = 30
    clearing_minutes: Minutes = 15


class MeetingPatch(WithInstants, forbid_unknown_fields=True):
    """The fields to change; what is left out stays. Invitees are told, SEQUENCE rises."""

    title: Title | Unset = msgspec.UNSET
    kind: MeetingKind | Unset = msgspec.UNSET
    main_point: Reference | Unset = msgspec.UNSET
    chair: Reference | Unset = msgspec.UNSET
    starts_at: Instant | Unset = msgspec.UNSET
    ends_at: Instant | Unset = msgspec.UNSET
    audience: Audience | Unset = msgspec.UNSET
    timezone: ZoneName | Unset = msgspec.UNSET
    agenda: Annotated[list[AgendaIn], msgspec.Meta(max_length=100)] | Unset = msgspec.UNSET
    requirements: LongText | Unset = msgspec.UNSET
    join_url: ShortText | Unset = msgspec.UNSET
    join_address: ShortText | Unset = msgspec.UNSET
    join_pin: ShortText | Unset = msgspec.UNSET
    setup_minutes: Minutes | Unset = msgspec.UNSET
    clearing_minutes: Minutes | Unset = msgspec.UNSET
    reason: ShortText = ""
    late_reason: ShortText = ""
    version: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)] | None = None
    """The version the change is based on; another one is refused with 409."""


class ReasonIn(msgspec.Struct, forbid_unknown_fields=True):
    """A reason that everyone invited will read."""

    reason: ShortText


class ScheduleIn(msgspec.Struct, forbid_unknown_fields=True):
    """Later than 3 working days before the meeting a reason is needed."""

    reason: ShortText = ""


class ReplyIn(msgspec.Struct, forbid_unknown_fields=True):
    """A unit's answer; a refusal needs a reason."""

    reply: Reply
    reason: ShortText = ""
    delegate_name: Annotated[str, msgspec.Meta(max_length=120)] = ""
    delegate_title: Annotated[str, msgspec.Meta(max_length=120)] = ""
    is_substitute: bool = False


class SlotsIn(WithInstants, forbid_unknown_fields=True):
    """For whom, how long, and where to look; at most 92 days."""

    audience: Audience
    duration_minutes: Annotated[int, msgspec.Meta(ge=5, le=7 * 24 * 60)]
    earliest: Instant
    latest: Instant
    main_point: Reference | None = None
    timezone: ZoneName = "Asia/Ho_Chi_Minh"
    setup_minutes: Minutes = 30
    clearing_minutes: Minutes = 15


class SlotOut(msgspec.Struct):
    """A possible time and how many of the points are taken in it."""

    starts_at: datetime
    ends_at: datetime
    taken: int


class ChairOut(msgspec.Struct):
    id: int
    name: str
    title: str


class AgendaOut(msgspec.Struct):
    title: str
    presenter: str


class UnableOut(msgspec.Struct):
    """A unit of the audience that cannot join.

    `no_point`, `out_of_service` with the reason, or `closed` with the day.
    """

    unit: str
    obstacle: str
    reason: str


class RepliesOut(msgspec.Struct):
    """Invitations that stand, by what was answered."""

    invited: int
    pending: int
    accepted: int
    declined: int


class MeetingOut(msgspec.Struct):
    """A meeting as those see it who are invited or host it."""

    id: int
    uid: str
    sequence: int
    version: int
    title: str
    kind: str
    state: str
    host_unit: str
    main_point: int
    chair: ChairOut
    starts_at: datetime
    ends_at: datetime
    timezone: str
    agenda: list[AgendaOut]
    audience: list[dict[str, Any]]
    requirements: str
    join_url: str
    join_address: str
    join_pin: str
    late_reason: str
    closing_reason: str
    replies: RepliesOut
    unable: list[UnableOut] = []
    """Only in the answer to making or changing it."""


class ParticipationOut(msgspec.Struct):
    """An invited bridge point and what its unit answered."""

    id: int
    unit: str
    unit_name: str
    level: str
    point: int
    point_name: str
    is_main: bool
    invited_at: datetime | None
    withdrawn_at: datetime | None
    reply: str
    reply_reason: str
    replied_at: datetime | None
    delegate_name: str
    delegate_title: str
    is_substitute: bool


WITH_FACTS = (
    joinedload(Meeting.host_unit),
    joinedload(Meeting.chair),
    selectinload(Meeting.agenda),
)


def replies_of(session: Session, chosen: ColumnElement[bool]) -> dict[int, RepliesOut]:
    """Counts of replies by meeting for the participations chosen; one statement."""
    counts: dict[int, dict[str, int]] = {}
    for meeting_id, reply, number in session.execute(
        select(Participation.meeting_id, Participation.reply, func.count())
        .where(chosen, Participation.withdrawn_at.is_(None))
        .group_by(Participation.meeting_id, Participation.reply)
    ):
        counts.setdefault(meeting_id, {})[reply] = number
    return {
        meeting_id: RepliesOut(
            sum(by_reply.values()),
            by_reply.get(Reply.PENDING.value, 0),
            by_reply.get(Reply.ACCEPTED.value, 0),
            by_reply.get(Reply.DECLINED.value, 0),
        )
        for meeting_id, by_reply in counts.items()
    }


def shape_meetings(
    session: Session, meetings: Sequence[Meeting], resolution: Resolution | None = None
) -> list[MeetingOut]:
    """Meetings loaded `WITH_FACTS`, with the counts of their replies; one more statement."""
    replies = replies_of(session, Participation.meeting_id.in_([m.id for m in meetings]))
    unable = [
        UnableOut(invitee.unit.code, invitee.obstacle or "", invitee.reason)
        for invitee in (resolution.unable if resolution else ())
    ]
    return [
        MeetingOut(
            id=meeting.id,
            uid=meeting.uid,
            sequence=meeting.sequence,
            version=meeting.version,
            title=meeting.title,
            kind=meeting.kind,
            state=meeting.state,
            host_unit=meeting.host_unit.code,
            main_point=meeting.main_point_id,
            chair=ChairOut(meeting.chair.id, meeting.chair.name, meeting.chair.title),
            starts_at=meeting.starts_at,
            ends_at=meeting.ends_at,
            timezone=meeting.timezone,
            agenda=[AgendaOut(item.title, item.presenter) for item in meeting.agenda],
            audience=meeting.audience,
            requirements=meeting.requirements,
            join_url=meeting.join_url,
            join_address=meeting.join_address,
            join_pin=meeting.join_pin,
            late_reason=meeting.late_reason,
            closing_reason=meeting.closing_reason,
            replies=replies.get(meeting.id, RepliesOut(0, 0, 0, 0)),
            unable=unable,
        )
        for meeting in meetings
    ]


def shape_participation(row: Participation) -> ParticipationOut:
    """A participation loaded with its unit and point."""
    return ParticipationOut(
        row.id,
        row.unit.code,
        row.unit.name,
        row.unit.level,
        row.point_id,
        row.point.name,
        row.is_main,
        row.invited_at,
        row.withdrawn_at,
        row.reply,
        row.reply_reason,
        row.replied_at,
        row.delegate_name,
        row.delegate_title,
        row.is_substitute,
    )
