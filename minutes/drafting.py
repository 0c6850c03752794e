"""Writing minutes: open a draft, save it, submit it, send it back, correct what was issued.

Every save is kept as a version, so that no editor's text is ever lost. What the meeting itself says
(times, chair, who was present and absent) is not written here: `signing` takes it over.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from minutes.content import Content, Item, checked, require_complete
from minutes.forms.letterhead import ALL_WHO_WERE_ASKED, HELD_ONLINE
from minutes.meeting_minutes import (
    Minutes,
    MinutesState,
    MinutesVersion,
    chaired,
    expect,
    locked,
)
from rooms.folding import fold
from rooms.hierarchy import Unit, UnknownUnit
from rooms.kernel import Conflict, Event, Invalid, bounded_text, civil_day, record
from rooms.meetings import Meeting, MeetingState, WrongState, note_change, visible_meeting
from rooms.people import Person
from rooms.policies import Actor, Permission, require

LONGEST_REASON = 500


@dataclass
class MinutesExist(Conflict):
    """The meeting has minutes already: `minutes` is their id."""

    code: ClassVar[str] = "minutes_exist"
    minutes: int


@dataclass
class MinutesStale(Conflict):
    """Somebody else saved since this editor read version `given`; their text is version `current`."""

    code: ClassVar[str] = "minutes_stale"
    current: int
    given: int
    saved_by: str
    saved_at: datetime


@dataclass
class SendBackReasonMissing(Invalid):
    code: ClassVar[str] = "send_back_reason_missing"


@dataclass
class CorrectionReasonMissing(Invalid):
    code: ClassVar[str] = "correction_reason_missing"


@dataclass(frozen=True)
class MinutesSubmitted(Event):
    """The chair's turn."""

    minutes_id: int
    meeting_id: int


@dataclass(frozen=True)
class MinutesSentBack(Event):
    minutes_id: int
    meeting_id: int


def open_draft(session: Session, actor: Actor, meeting_id: int, now: datetime) -> Minutes:
    """The first draft of a meeting that has ended, with place, agenda and secretary filled in.

    Raises `UnknownMeeting`, `NotPermitted`, `WrongState`, `MinutesExist`.
    """
    today = civil_day(now)
    visible_meeting(session, actor, meeting_id, today)
    # The meeting's row is the lock: two clicks make one draft.
    meeting = session.scalars(
        select(Meeting)
        .where(Meeting.id == meeting_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    require(session, actor, Permission.MINUTES_WRITE, meeting.host_unit_id, today)
    if meeting.state not in {MeetingState.ENDED.value, MeetingState.CONCLUDED.value}:
        raise WrongState(meeting.state, "open_minutes")
    existing = session.scalar(
        select(Minutes.id).where(Minutes.meeting_id == meeting_id, Minutes.corrects_id.is_(None))
    )
    if existing is not None:
        raise MinutesExist(existing)
    session.refresh(meeting, ["agenda", "main_point"])
    author = session.get_one(Person, actor.person_id)
    content = Content(
        place=meeting.main_point.name,
        form=HELD_ONLINE,
        secretary_name=author.name,
        secretary_title=author.title,
        items=tuple(Item(item.title, item.presenter) for item in meeting.agenda),
        recipients=(ALL_WHO_WERE_ASKED,),
    )
    minutes = Minutes(meeting_id=meeting_id, created_by=actor.person_id, created_at=now)
    _begin(session, minutes, meeting, content, actor, now)
    note_change(session, meeting, actor, "minutes_opened", now, minutes=minutes.id)
    return minutes


def save(
    session: Session, actor: Actor, minutes_id: int, content: Content, version: int, now: datetime
) -> Minutes:
    """Keep what was written as the next version; saying nothing new makes none.

    Raises `UnknownMinutes`, `NotPermitted`, `MinutesNotOpen`, `FieldInvalid`, `UnknownUnit`, and
    `MinutesStale` where somebody else saved since `version`: their text stands, and the caller
    still has its own.
    """
    content = checked(content)
    minutes, meeting = locked(session, actor, minutes_id, now)
    require(session, actor, Permission.MINUTES_WRITE, meeting.host_unit_id, civil_day(now))
    expect(minutes, "save", MinutesState.DRAFT)
    if version != minutes.version:
        saver = session.get_one(Person, minutes.saved_by)
        raise MinutesStale(minutes.version, version, saver.name, minutes.saved_at)
    if content == minutes.written:
        return minutes
    _require_units(session, content, now)
    minutes.version += 1
    _keep(session, minutes, content, actor, now)
    return minutes


def submit(session: Session, actor: Actor, minutes_id: int, now: datetime) -> Minutes:
    """Hand a complete draft to the chair.

    Raises `UnknownMinutes`, `NotPermitted`, `MinutesNotOpen`, `FieldInvalid`, `NothingWritten`.
    """
    minutes, meeting = locked(session, actor, minutes_id, now)
    require(session, actor, Permission.MINUTES_WRITE, meeting.host_unit_id, civil_day(now))
    expect(minutes, "submit", MinutesState.DRAFT)
    require_complete(minutes.written)
    minutes.state = MinutesState.SUBMITTED.value
    minutes.submitted_at = now
    minutes.sent_back_reason = ""
    note_change(session, meeting, actor, "minutes_submitted", now, minutes=minutes.id)
    record(session, MinutesSubmitted(minutes.id, meeting.id))
    return minutes


def send_back(
    session: Session, actor: Actor, minutes_id: int, reason: str, now: datetime
) -> Minutes:
    """The chair wants changes: a draft again, with the reason.

    Raises `UnknownMinutes`, `NotTheChair`, `NotPermitted`, `MinutesNotOpen`,
    `SendBackReasonMissing`, `FieldInvalid`.
    """
    minutes, meeting = chaired(session, actor, minutes_id, now, Permission.MINUTES_REVIEW)
    expect(minutes, "send_back", MinutesState.SUBMITTED)
    said = bounded_text("reason", reason, LONGEST_REASON)
    if not said:
        raise SendBackReasonMissing
    minutes.state = MinutesState.DRAFT.value
    minutes.sent_back_reason = said
    note_change(session, meeting, actor, "minutes_sent_back", now, reason=said, minutes=minutes.id)
    record(session, MinutesSentBack(minutes.id, meeting.id))
    return minutes


def correct(session: Session, actor: Actor, minutes_id: int, reason: str, now: datetime) -> Minutes:
    """A new draft with the text of issued minutes, which it names and will correct.

    Raises `UnknownMinutes`, `NotPermitted`, `MinutesNotOpen`, `MinutesExist` where they are being
    corrected already, `CorrectionReasonMissing`, `FieldInvalid`.
    """
    old, meeting = locked(session, actor, minutes_id, now)
    require(session, actor, Permission.MINUTES_WRITE, meeting.host_unit_id, civil_day(now))
    expect(old, "correct", MinutesState.ISSUED)
    said = bounded_text("reason", reason, LONGEST_REASON)
    if not said:
        raise CorrectionReasonMissing
    existing = session.scalar(select(Minutes.id).where(Minutes.corrects_id == old.id))
    if existing is not None:
        raise MinutesExist(existing)
    minutes = Minutes(
        meeting_id=meeting.id,
        corrects_id=old.id,
        correction_reason=said,
        created_by=actor.person_id,
        created_at=now,
    )
    _begin(session, minutes, meeting, old.written, actor, now)
    note_change(session, meeting, actor, "minutes_corrected", now, reason=said, minutes=minutes.id)
    return minutes


def _begin(
    session: Session,
    minutes: Minutes,
    meeting: Meeting,
    content: Content,
    actor: Actor,
    now: datetime,
) -> None:
    minutes.state = MinutesState.DRAFT.value
    minutes.version = 1
    minutes.folded = fold(meeting.title)
    minutes.symbol = ""
    minutes.content = content.as_json()
    minutes.saved_by, minutes.saved_at = actor.person_id, now
    session.add(minutes)
    session.flush()
    _keep(session, minutes, content, actor, now)


def _keep(
    session: Session, minutes: Minutes, content: Content, actor: Actor, now: datetime
) -> None:
    minutes.content = content.as_json()
    minutes.saved_by, minutes.saved_at = actor.person_id, now
    session.add(
        MinutesVersion(
            minutes_id=minutes.id,
            version=minutes.version,
            content=minutes.content,
            author_id=actor.person_id,
            on_behalf_of_id=actor.on_behalf_of,
            at=now,
        )
    )
    session.flush()


def _require_units(session: Session, content: Content, now: datetime) -> None:
    asked = content.unit_ids()
    known = set(session.scalars(select(Unit.id).where(Unit.id.in_(asked)))) if asked else set()
    for unit in sorted(asked - known):
        raise UnknownUnit(f"#{unit}", civil_day(now))
