"""Tasks (nhiệm vụ) that a meeting gave: who leads, who coordinates, by when, and what became of it.

A task begins with the issue of its minutes and keeps their words; only its follow-up moves. Whether
it is open, done or overdue follows from its days and is written nowhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Select,
    UniqueConstraint,
    and_,
    insert,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from minutes.content import Content, day_of
from minutes.meeting_minutes import Minutes
from rooms.directory import Step
from rooms.hierarchy import Unit
from rooms.kernel import (
    Base,
    Conflict,
    Event,
    FieldInvalid,
    NotFound,
    civil_day,
    record,
    require_text,
)
from rooms.lineage import keepers
from rooms.meetings import Meeting, visible
from rooms.people import Person
from rooms.policies import Actor, NotPermitted, Permission, governed, stands_for

LONGEST_NOTE = 2_000


class TaskState(StrEnum):
    """`REPLACED`: a correction of the minutes words it anew."""

    OPEN = "open"
    OVERDUE = "overdue"
    DONE = "done"
    REPLACED = "replaced"


class Task(Base):
    """One task. Its words are those of the issued minutes and never change."""

    __tablename__ = "task"

    id: Mapped[int] = mapped_column(primary_key=True)
    minutes_id: Mapped[int] = mapped_column(ForeignKey("minutes.id"))
    n: Mapped[int]
    """Place in the minutes, from 1."""
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), index=True)
    text: Mapped[str]
    lead_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    deadline: Mapped[date] = mapped_column(index=True)
    """The last day on which it is in time."""
    done_on: Mapped[date | None]
    done_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    replaced_at: Mapped[datetime | None]

    lead: Mapped[Unit] = relationship(lazy="raise")
    meeting: Mapped[Meeting] = relationship(lazy="raise")
    minutes: Mapped[Minutes] = relationship(lazy="raise")

    __table_args__ = (UniqueConstraint("minutes_id", "n"),)

    def state(self, today: date) -> TaskState:
        if self.replaced_at is not None:
            return TaskState.REPLACED
        if self.done_on is not None:
            return TaskState.DONE
        return TaskState.OVERDUE if self.deadline < today else TaskState.OPEN


class TaskCoordination(Base):
    """A unit that coordinates with the lead unit."""

    __tablename__ = "task_coordination"

    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True, index=True)


class TaskNote(Base):
    """A line of the follow-up. Never changed."""

    __tablename__ = "task_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    at: Mapped[datetime]
    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    on_behalf_of_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """The official for whom the author wrote."""
    text: Mapped[str]


@dataclass
class UnknownTask(NotFound):
    code: ClassVar[str] = "unknown_task"
    task: int


@dataclass
class TaskReplaced(Conflict):
    """A correction of the minutes replaced the task: the new one is to be followed up."""

    code: ClassVar[str] = "task_replaced"


@dataclass(frozen=True)
class TaskFollowedUp(Event):
    task_id: int


def concerned(actor: Actor, on: date) -> ColumnElement[bool]:
    """The tasks an actor may see: their units lead or coordinate, or they may see the meeting."""
    return or_(
        governed(actor, Permission.MEETING_READ, Task.lead_unit_id, on),
        Task.id.in_(
            select(TaskCoordination.task_id).where(
                governed(actor, Permission.MEETING_READ, TaskCoordination.unit_id, on)
            )
        ),
        Task.meeting_id.in_(select(Meeting.id).where(visible(actor, on))),
    )


def answerable(actor: Actor, on: date) -> ColumnElement[bool]:
    """The tasks whose follow-up an actor may write: secretaries of the lead unit and of the host."""
    return or_(
        governed(actor, Permission.MINUTES_WRITE, Task.lead_unit_id, on),
        Task.meeting_id.in_(
            select(Meeting.id).where(
                or_(
                    governed(actor, Permission.MINUTES_WRITE, Meeting.host_unit_id, on),
                    stands_for(actor, Meeting.chair_id, on, Permission.MINUTES_WRITE),
                )
            )
        ),
    )


def assign(session: Session, minutes: Minutes, content: Content, now: datetime) -> None:
    """Make the tasks of minutes that are being issued, in two statements.

    Where these correct others, the others' tasks are replaced; one that reads the same stays done.
    """
    done: dict[tuple[Any, ...], Task] = {}
    if minutes.corrects_id is not None:
        for old in session.scalars(select(Task).where(Task.minutes_id == minutes.corrects_id)):
            old.replaced_at = now
            if old.done_on is not None:
                done[old.text, old.lead_unit_id, old.deadline] = old
    rows = []
    for n, row in enumerate(content.tasks, start=1):
        deadline = day_of(row.deadline)
        same = done.get((row.text, row.lead, deadline))
        rows.append(
            {
                "minutes_id": minutes.id,
                "n": n,
                "meeting_id": minutes.meeting_id,
                "text": row.text,
                "lead_unit_id": row.lead,
                "deadline": deadline,
                "done_on": same.done_on if same else None,
                "done_by": same.done_by if same else None,
                "replaced_at": None,
            }
        )
    if not rows:
        return
    ids = session.scalars(insert(Task).returning(Task.id, sort_by_parameter_order=True), rows).all()
    coordinating = [
        {"task_id": task_id, "unit_id": unit_id}
        for task_id, row in zip(ids, content.tasks, strict=True)
        for unit_id in row.coordinating
    ]
    if coordinating:
        session.execute(insert(TaskCoordination), coordinating)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What is said of a task. `done_on`: when it was done; None leaves it as it is.

    `reopen`: it was not done after all.
    """

    note: str = ""
    done_on: date | None = None
    reopen: bool = False


def follow_up(session: Session, actor: Actor, task_id: int, said: FollowUp, now: datetime) -> Task:
    """Write a line of the follow-up and say whether the task is done.

    Raises `UnknownTask`, `NotPermitted`, `TaskReplaced`, `FieldInvalid` where nothing is said.
    """
    today = civil_day(now)
    task = session.scalar(
        select(Task).where(Task.id == task_id, concerned(actor, today)).with_for_update()
    )
    if task is None:
        raise UnknownTask(task_id)
    if session.scalar(select(Task.id).where(Task.id == task_id, answerable(actor, today))) is None:
        raise NotPermitted(
            Permission.MINUTES_WRITE.value, session.get_one(Unit, task.lead_unit_id).name
        )
    if task.replaced_at is not None:
        raise TaskReplaced
    if said.done_on is not None:
        require_done_day(session, task, said.done_on, today)
        task.done_on, task.done_by = said.done_on, actor.person_id
    elif said.reopen:
        task.done_on, task.done_by = None, None
    if said.note.strip() or (said.done_on is None and not said.reopen):
        session.add(
            TaskNote(
                task_id=task.id,
                at=now,
                author_id=actor.person_id,
                on_behalf_of_id=actor.on_behalf_of,
                text=require_text("note", said.note, LONGEST_NOTE),
            )
        )
    session.flush()
    record(session, TaskFollowedUp(task.id))
    return task


def require_done_day(session: Session, task: Task, day: date, today: date) -> None:
    """Not before the meeting, not after today. Raises `FieldInvalid`."""
    meeting = session.get_one(Meeting, task.meeting_id)
    if not meeting.day <= day <= today:
        raise FieldInvalid("done_on", "out_of_range", f"{meeting.day:%d/%m/%Y}–{today:%d/%m/%Y}")


@dataclass(frozen=True, slots=True)
class ListedTask:
    """A task as lists show it. `coordinating`: names of units; `notes`: the newest first.

    Units are named as in the minutes. Where units of an open task have ended since, `lead_now` and
    `coordinating_now` name who answers for it instead; both are empty where nothing has changed.
    """

    id: int
    n: int
    text: str
    lead: str
    lead_code: str
    coordinating: tuple[str, ...]
    coordinating_codes: tuple[str, ...]
    deadline: date
    done_on: date | None
    state: TaskState
    meeting_id: int
    meeting_title: str
    minutes_id: int
    minutes_symbol: str
    notes: tuple[tuple[datetime, str, str, str | None], ...]
    """When, who, what, and on whose behalf."""
    may_follow_up: bool
    lead_now: str = ""
    lead_now_code: str = ""
    coordinating_now: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """`state`: one of `TaskState`. `within`: led or coordinated by one of these units, by id."""

    state: TaskState | None = None
    minutes_id: int | None = None
    task_id: int | None = None
    overdue: bool | None = None
    """Only overdue ones, or only others."""
    after: tuple[date, int] | None = None
    """Past this task of the order (deadline, id)."""
    within: Select[int] | None = None
    past_id: int | None = None
    """Past this task in the order of ids, which then is the order of the list."""


def tasks_for(
    session: Session, actor: Actor, wanted: TaskFilter, today: date, limit: int
) -> list[ListedTask]:
    """Tasks the actor may see, the nearest deadline first; five statements, whatever their number."""
    found = session.execute(_listed(actor, wanted, today).limit(limit)).all()
    ids = [row[0].id for row in found]
    coordinating = _grouped(
        session,
        select(TaskCoordination.task_id, Unit.name, Unit.code, Unit.id, Unit.valid_until)
        .join(Unit, Unit.id == TaskCoordination.unit_id)
        .where(TaskCoordination.task_id.in_(ids))
        .order_by(Unit.position),
    )
    official = aliased(Person)
    notes = _grouped(
        session,
        select(TaskNote.task_id, TaskNote.at, Person.name, TaskNote.text, official.name)
        .join(Person, Person.id == TaskNote.author_id)
        .outerjoin(official, official.id == TaskNote.on_behalf_of_id)
        .where(TaskNote.task_id.in_(ids))
        .order_by(TaskNote.id.desc()),
    )
    mine = set(session.scalars(select(Task.id).where(Task.id.in_(ids), answerable(actor, today))))
    heirs = _heirs(session, [(row[0], row[5]) for row in found], coordinating, today)
    return [
        ListedTask(
            id=task.id,
            n=task.n,
            text=task.text,
            lead=lead,
            lead_code=code,
            coordinating=tuple(name for name, *_rest in coordinating.get(task.id, ())),
            coordinating_codes=tuple(code for _name, code, *_rest in coordinating.get(task.id, ())),
            deadline=task.deadline,
            done_on=task.done_on,
            state=task.state(today),
            meeting_id=task.meeting_id,
            meeting_title=title,
            minutes_id=task.minutes_id,
            minutes_symbol=symbol,
            notes=tuple(notes.get(task.id, ())),  # type: ignore[arg-type]  # four columns were asked for
            may_follow_up=task.id in mine and task.replaced_at is None,
            **_answers_now(task, coordinating.get(task.id, ()), heirs),
        )
        for task, lead, code, title, symbol, _lead_until in found
    ]


def _heirs(
    session: Session,
    tasks: Sequence[tuple[Task, date | None]],
    coordinating: dict[int, list[Sequence[Any]]],
    today: date,
) -> dict[int, Step]:
    """Who keeps the affairs of units of open tasks that have ended; the others have no follow-up.

    `tasks` with the end of their lead unit. Nothing is asked where no unit has ended.
    """
    ended: set[int] = set()
    for task, lead_until in tasks:
        if task.done_on is not None or task.replaced_at is not None:
            continue
        if lead_until is not None and lead_until <= today:
            ended.add(task.lead_unit_id)
        for _name, _code, unit_id, until in coordinating.get(task.id, ()):
            if until is not None and until <= today:
                ended.add(unit_id)
    return keepers(session, ended, today)


def _answers_now(
    task: Task, coordinating: Sequence[Sequence[Any]], heirs: dict[int, Step]
) -> dict[str, Any]:
    if task.done_on is not None or task.replaced_at is not None:
        return {}
    lead = heirs.get(task.lead_unit_id)
    lead_id = lead.id if lead else task.lead_unit_id
    now: dict[int, str] = {}
    for name, _code, unit_id, _until in coordinating:
        heir = heirs.get(unit_id)
        now[heir.id if heir else unit_id] = heir.name if heir else name
    # Who leads has nobody to coordinate with in its own house.
    now.pop(lead_id, None)
    changed = any(row[2] in heirs for row in coordinating)
    return {
        "lead_now": lead.name if lead else "",
        "lead_now_code": lead.code if lead else "",
        "coordinating_now": tuple(now.values()) if changed else (),
    }


def _listed(
    actor: Actor, wanted: TaskFilter, today: date
) -> Select[Task, str, str, str, str, date | None]:
    query = (
        select(Task, Unit.name, Unit.code, Meeting.title, Minutes.symbol, Unit.valid_until)
        .join(Unit, Unit.id == Task.lead_unit_id)
        .join(Meeting, Meeting.id == Task.meeting_id)
        .join(Minutes, Minutes.id == Task.minutes_id)
        .where(concerned(actor, today))
    )
    if wanted.past_id is not None:
        query = query.where(Task.id > wanted.past_id).order_by(Task.id)
    else:
        query = query.order_by(Task.deadline, Task.id)
    if wanted.task_id is not None:
        query = query.where(Task.id == wanted.task_id)
    elif wanted.minutes_id is not None:
        query = query.where(Task.minutes_id == wanted.minutes_id)
    else:
        query = query.where(Task.replaced_at.is_(None))
    if wanted.overdue is not None:
        late = in_state(TaskState.OVERDUE, today)
        query = query.where(late if wanted.overdue else ~late)
    below = wanted.within
    if below is not None:
        query = query.where(
            or_(
                Task.lead_unit_id.in_(below),
                Task.id.in_(
                    select(TaskCoordination.task_id).where(TaskCoordination.unit_id.in_(below))
                ),
            )
        )
    if wanted.state is not None:
        query = query.where(in_state(wanted.state, today))
    if wanted.after is not None:
        day, task_id = wanted.after
        query = query.where(or_(Task.deadline > day, and_(Task.deadline == day, Task.id > task_id)))
    return query


def in_state(state: TaskState, today: date) -> ColumnElement[bool]:
    """The same rule as `Task.state`, for queries."""
    if state is TaskState.REPLACED:
        return Task.replaced_at.is_not(None)
    if state is TaskState.DONE:
        return and_(Task.replaced_at.is_(None), Task.done_on.is_not(None))
    late = Task.deadline < today
    return and_(
        Task.replaced_at.is_(None),
        Task.done_on.is_(None),
        late if state is TaskState.OVERDUE else ~late,
    )


def _grouped(session: Session, query: Select[*tuple[Any, ...]]) -> dict[int, list[Sequence[Any]]]:
    groups: dict[int, list[Sequence[Any]]] = {}
    for key, *rest in session.execute(query):
        groups.setdefault(key, []).append(tuple(rest))
    return groups
