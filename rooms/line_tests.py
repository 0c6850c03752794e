"""The line test before a meeting: what works at each bridge point, and what does not.

The operator of a point, or a technician for it, goes through a list: picture, sound, camera, network,
backup line. Each statement about one of them is a row of a log that is never changed; `LineTest` holds
what follows from it for a point. A test counts for the time for which it was made: a meeting that gets
another one is tested again, and the log keeps what was said before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    Integer,
    and_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.attendance import Source, require_check_in
from rooms.auditing import doing
from rooms.kernel import Base, Conflict, FieldInvalid, bounded_text, civil_day, record
from rooms.meetings import AWAITED, Meeting, Participation, visible_meeting
from rooms.notices import MeetingNotice
from rooms.people import Person
from rooms.policies import Actor

EARLY = timedelta(minutes=60)
"""Operators are asked for the line test from so long before the start, or from when points are held."""
LONGEST_NOTE = 500
LONGEST_HISTORY = 100
NOTICE = "line_test"
"""The kind of the notice that follows a change."""


class LineItem(StrEnum):
    """What is looked at, in the order of the list."""

    PICTURE = "picture"
    SOUND = "sound"
    CAMERA = "camera"
    NETWORK = "network"
    BACKUP_LINE = "backup_line"


class Result(StrEnum):
    """How it stands with one of them."""

    OK = "ok"
    PROBLEM = "problem"
    UNTESTED = "untested"
    NONE = "none"
    """The point has none: said of the backup line only."""


class Outcome(StrEnum):
    """What follows for the point, in the order in which technicians care."""

    PROBLEM = "problem"
    UNTESTED = "untested"
    PARTIAL = "partial"
    """Something has been tested, nothing is wrong, and something is still to be tested."""
    READY = "ready"


class LineTest(Base):
    """Where a point stands in the line test of a meeting."""

    __tablename__ = "line_test"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), primary_key=True)
    tested_for: Mapped[datetime]
    """The start of the meeting as it was then: another one asks for another test."""
    picture: Mapped[str]
    sound: Mapped[str]
    camera: Mapped[str]
    network: Mapped[str]
    backup_line: Mapped[str]
    notes: Mapped[dict[str, str]] = mapped_column(JSON)
    """What is wrong, by item."""
    faults: Mapped[dict[str, int]] = mapped_column(JSON)
    """The fault of the room's equipment that was opened from it, by item."""
    outcome: Mapped[str]
    number: Mapped[int]
    """The last row of the point's log."""
    tested_at: Mapped[datetime]
    tested_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))

    def result_of(self, item: LineItem) -> Result:
        return Result(getattr(self, item.value))


class LineTestEntry(Base):
    """One statement about one item of a point. Never changed, never deleted."""

    __tablename__ = "line_test_entry"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """1, 2, 3 … for each point of a meeting."""
    item: Mapped[str]
    result: Mapped[str]
    note: Mapped[str]
    fault_id: Mapped[int | None] = mapped_column(ForeignKey("fault.id"))
    self_test_id: Mapped[int | None] = mapped_column(ForeignKey("self_test.id"))
    """The measurement of the browser from which it was said."""
    tested_for: Mapped[datetime]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    on_behalf_of_id: Mapped[int | None] = mapped_column(Integer)
    address: Mapped[str]
    """Of the network: from where it was said."""
    source: Mapped[str]


@dataclass
class LineTestClosed(Conflict):
    """The meeting is over, or was called off or put off."""

    code: ClassVar[str] = "line_test_closed"
    state: str


@dataclass(frozen=True, slots=True)
class Said:
    """One statement. `note` None: what was said of the same result before still holds."""

    result: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class LineTested:
    """What is said of a point; items that are not named stay as they are."""

    meeting_id: int
    point_id: int
    said: Mapping[str, Said]
    source: Source
    self_test_id: int | None = None
    address: str = field(default_factory=lambda: doing.get().address)


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A statement as people read it."""

    number: int
    item: str
    result: str
    note: str
    fault_id: int | None
    measured: bool
    at: datetime
    by: str
    source: str
    counts: bool
    """It was said for the time at which the meeting now begins."""


def report_line_test(session: Session, actor: Actor, tested: LineTested, now: datetime) -> LineTest:
    """Put down what was found; whoever may check the point in may say it, before check-in opens too.

    What says nothing new writes nothing. Raises `UnknownMeeting`, `UnknownPoint`, `NotPermitted`,
    `LineTestClosed`, `FieldInvalid` (the item's name is the field).
    """
    require_check_in(session, actor, tested.meeting_id, tested.point_id, civil_day(now))
    said = _checked(tested.said)
    meeting = open_for_test(session, tested.meeting_id, now)
    standing = locked_test(session, meeting, tested.point_id)
    changed = False
    for item, (result, note) in said.items():
        if result is standing.result_of(item) and (
            note is None or note == standing.notes.get(item, "")
        ):
            continue
        _put_down(session, actor, standing, item, result, note or "", tested, now)
        changed = True
    if changed:
        tell(session, standing)
    session.flush()
    return standing


def open_for_test(session: Session, meeting_id: int, now: datetime) -> Meeting:
    """A meeting that is awaited or under way. Raises `LineTestClosed`."""
    meeting = session.get_one(Meeting, meeting_id)
    if meeting.state not in AWAITED:
        raise LineTestClosed(meeting.state)
    if now >= meeting.held_until and meeting.started_at is None:
        raise LineTestClosed("over")
    return meeting


def is_asked_for(meeting: Meeting, now: datetime) -> bool:
    """Whether it is time for the line test: the meeting begins soon, or has begun."""
    asked_from = min(meeting.starts_at - EARLY, meeting.held_from)
    return meeting.state in AWAITED and asked_from <= now < meeting.ends_at


def standing_test(session: Session, meeting: Meeting, point_id: int) -> LineTest | None:
    """Where a point stands for the time at which the meeting begins now; None: nothing was tested."""
    return session.scalar(
        select(LineTest).where(LineTest.point_id == point_id, counts_for(meeting))
    )


def read_test(
    session: Session, actor: Actor, meeting_id: int, point_id: int, now: datetime
) -> tuple[Meeting, LineTest | None]:
    """For whoever may say something of it. Raises as `require_check_in`."""
    today = civil_day(now)
    require_check_in(session, actor, meeting_id, point_id, today)
    meeting = visible_meeting(session, actor, meeting_id, today)
    return meeting, standing_test(session, meeting, point_id)


def counts_for(meeting: Meeting) -> ColumnElement[bool]:
    """The tests that were made for the time at which a meeting begins now."""
    return and_(LineTest.meeting_id == meeting.id, LineTest.tested_for == meeting.starts_at)


def history(session: Session, meeting: Meeting, point_id: int) -> list[HistoryLine]:
    """Everything that was said of a point, the newest first, at most `LONGEST_HISTORY` lines."""
    entry = LineTestEntry
    rows = session.execute(
        select(entry, Person.name)
        .join(Person, Person.id == entry.recorded_by)
        .where(entry.meeting_id == meeting.id, entry.point_id == point_id)
        .order_by(entry.number.desc())
        .limit(LONGEST_HISTORY)
    )
    return [
        HistoryLine(
            row.number,
            row.item,
            row.result,
            row.note,
            row.fault_id,
            row.self_test_id is not None,
            row.recorded_at,
            name,
            row.source,
            row.tested_for == meeting.starts_at,
        )
        for row, name in rows
    ]


def locked_test(session: Session, meeting: Meeting, point_id: int) -> LineTest:
    """The row of a point, locked for this transaction; one for another time begins anew."""
    # Two first statements at once must not refuse one another.
    session.connection().execute(_MAKE_ROW, {"meeting": meeting.id, "point": point_id})
    standing = session.scalars(
        select(LineTest)
        .where(LineTest.meeting_id == meeting.id, LineTest.point_id == point_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if standing.tested_for != meeting.starts_at:
        for item in LineItem:
            setattr(standing, item.value, Result.UNTESTED.value)
        standing.notes, standing.faults = {}, {}
        standing.outcome = Outcome.UNTESTED.value
        standing.tested_for = meeting.starts_at
    return standing


def note_fault(
    session: Session,
    actor: Actor,
    standing: LineTest,
    item: LineItem,
    fault_id: int,
    source: Source,
    now: datetime,
) -> None:
    """A fault of the equipment was opened for a problem: a row of the log names it."""
    tested = LineTested(standing.meeting_id, standing.point_id, {}, source)
    note = standing.notes.get(item, "")
    _put_down(session, actor, standing, item, Result.PROBLEM, note, tested, now, fault_id)
    tell(session, standing)
    session.flush()


def tell(session: Session, standing: LineTest) -> None:
    """Those who watch the point's unit should look again."""
    unit_id = session.scalar(
        select(Participation.unit_id).where(
            Participation.meeting_id == standing.meeting_id,
            Participation.point_id == standing.point_id,
        )
    )
    facts: dict[str, str | int] = {"point": standing.point_id, "outcome": standing.outcome}
    units = None if unit_id is None else [unit_id]
    record(session, MeetingNotice(standing.meeting_id, NOTICE, units, facts))


def outcome_of(results: Iterable[str]) -> Outcome:
    """What follows for a point from its five results."""
    found = set(results)
    if Result.PROBLEM in found:
        return Outcome.PROBLEM
    if Result.UNTESTED not in found:
        return Outcome.READY
    # That there is no backup line tells nothing of the line.
    return Outcome.PARTIAL if Result.OK in found else Outcome.UNTESTED


def _put_down(
    session: Session,
    actor: Actor,
    standing: LineTest,
    item: LineItem,
    result: Result,
    note: str,
    tested: LineTested,
    now: datetime,
    fault_id: int | None = None,
) -> None:
    standing.number += 1
    session.add(
        LineTestEntry(
            meeting_id=standing.meeting_id,
            point_id=standing.point_id,
            number=standing.number,
            item=item.value,
            result=result.value,
            note=note,
            fault_id=fault_id,
            self_test_id=tested.self_test_id,
            tested_for=standing.tested_for,
            recorded_at=now,
            recorded_by=actor.person_id,
            on_behalf_of_id=actor.on_behalf_of,
            address=tested.address,
            source=tested.source.value,
        )
    )
    setattr(standing, item.value, result.value)
    standing.notes = _with(standing.notes, item, note)
    # What was opened for a problem belongs to it; another result leaves it to the list of faults.
    kept = standing.faults.get(item) if result is Result.PROBLEM else None
    standing.faults = _with(standing.faults, item, fault_id or kept)
    standing.outcome = outcome_of(getattr(standing, each.value) for each in LineItem).value
    standing.tested_at = now
    standing.tested_by = actor.person_id


def _with(told: Mapping[str, Any], item: LineItem, value: Any) -> dict[str, Any]:
    others = {name: before for name, before in told.items() if name != item.value}
    return others | {item.value: value} if value else others


def _checked(said: Mapping[str, Said]) -> dict[LineItem, tuple[Result, str | None]]:
    checked = {}
    for name, each in said.items():
        try:
            item = LineItem(name)
        except ValueError:
            raise FieldInvalid("item", "unknown", name[:40]) from None
        try:
            result = Result(each.result)
        except ValueError:
            problem = "unknown" if each.result else "missing"
            raise FieldInvalid(item.value, problem, each.result[:40]) from None
        if result is Result.NONE and item is not LineItem.BACKUP_LINE:
            raise FieldInvalid(item.value, "unknown", result.value)
        note = None if each.note is None else bounded_text(item.value, each.note, LONGEST_NOTE)
        checked[item] = (result, note)
    if not checked:
        raise FieldInvalid("item", "missing")
    return checked


# Both databases take these words.
_MAKE_ROW = text(
    "INSERT INTO line_test (meeting_id, point_id, tested_for, picture, sound, camera, network,"
    " backup_line, notes, faults, outcome, number, tested_at)"
    " SELECT id, :point, starts_at, 'untested', 'untested', 'untested', 'untested', 'untested',"
    " '{}', '{}', 'untested', 0, starts_at FROM meeting WHERE id = :meeting ON CONFLICT DO NOTHING"
)
