"""Applying a reorganisation beside the pages: it takes seconds, and whoever started it may leave.

The whole plan is one transaction in a thread of this process. How far it has come cannot be written
by that transaction, so it is kept here in memory, and with PostgreSQL also in a row of its own, for
the pages of other processes. When the process dies, the transaction dies with it: nothing is changed.
"""

import logging
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock, Thread
from typing import ClassVar

from litestar import Litestar
from sqlalchemy import update
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.refusals import sentence
from minutes.inheritance import pass_on_receipts
from rooms.auditing import audited
from rooms.kernel import LARGEST_ID, Base, Conflict, DomainError, utcnow
from rooms.reorganisation import UnitsReorganised

log = logging.getLogger(__name__)

TELL_EVERY = timedelta(seconds=0.5)
"""How often the row of a run is written while it goes on."""
SILENT_AFTER = timedelta(seconds=60)
"""A run that has told nothing for so long has died with its process."""

Progress = Callable[[int, int, str], None]


class ReorganisationRun(Base):
    """The last time that somebody set out to apply a plan, and how far that has come."""

    __tablename__ = "reorganisation_run"

    reorganisation_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_at: Mapped[datetime]
    told_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    done: Mapped[int]
    total: Mapped[int]
    stage: Mapped[str]
    problem: Mapped[str]
    """Why nothing was changed, in the language of who started it; empty where it went well."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run has come: `done` of `total` in a `stage`. `problem`: why it failed."""

    started_at: datetime
    done: int = 0
    total: int = 0
    stage: str = ""
    running: bool = True
    problem: str = ""


@dataclass
class AlreadyRunning(Conflict):
    """The plan is being applied at this moment."""

    code: ClassVar[str] = "reorganisation_running"


@dataclass
class Reorganising:
    """The runs of this process."""

    db: Database
    runs: dict[int, Standing] = field(default_factory=dict)
    threads: dict[int, Thread] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _told: dict[int, datetime] = field(default_factory=dict)

    def start(self, reorganisation_id: int, work: Callable[[Session, Progress], object]) -> None:
        """Do the work in one transaction beside this request. Raises `AlreadyRunning`."""
        now = utcnow()
        with self._lock:
            with self.db.transaction() as session:
                row = session.get(ReorganisationRun, reorganisation_id, with_for_update=True)
                standing = self.runs.get(reorganisation_id) or _standing(row, now)
                if standing is not None and standing.running:
                    raise AlreadyRunning
                session.merge(
                    ReorganisationRun(
                        reorganisation_id=reorganisation_id,
                        started_at=now,
                        told_at=now,
                        ended_at=None,
                        done=0,
                        total=0,
                        stage="",
                        problem="",
                    )
                )
            self.runs[reorganisation_id] = Standing(now)
        # With the language and the name of who asked: the record of changes tells of them.
        context = copy_context()
        thread = Thread(
            target=lambda: context.run(self._run, reorganisation_id, work),
            name=f"reorganisation-{reorganisation_id}",
        )
        self.threads[reorganisation_id] = thread
        thread.start()

    def _run(self, reorganisation_id: int, work: Callable[[Session, Progress], object]) -> None:
        problem = ""
        try:
            with self.db.transaction() as session:
                work(session, lambda *told: self._tell(reorganisation_id, *told))
        except DomainError as refusal:
            problem = sentence(refusal)
        except Exception:
            log.exception("reorganisation %d failed; nothing is changed", reorganisation_id)
            problem = _("Something went wrong in the server; its log says what.")
        self.runs[reorganisation_id] = replace(
            self.runs[reorganisation_id], running=False, problem=problem
        )
        try:
            with self.db.transaction() as session:
                session.execute(
                    update(ReorganisationRun)
                    .where(ReorganisationRun.reorganisation_id == reorganisation_id)
                    .values(ended_at=utcnow(), problem=problem)
                )
        except Exception:
            log.exception("the end of reorganisation %d could not be noted", reorganisation_id)

    def _tell(self, reorganisation_id: int, done: int, total: int, stage: str) -> None:
        self.runs[reorganisation_id] = replace(
            self.runs[reorganisation_id], done=done, total=total, stage=stage
        )
        now = utcnow()
        # SQLite has one writer, which is the run itself; its readers are in this process anyway.
        if not self.db.is_postgresql or now - self._told.get(reorganisation_id, now) < TELL_EVERY:
            self._told.setdefault(reorganisation_id, now)
            return
        self._told[reorganisation_id] = now
        with self.db.connection() as connection:
            connection.execute(
                update(ReorganisationRun)
                .where(ReorganisationRun.reorganisation_id == reorganisation_id)
                .values(done=done, total=total, stage=stage, told_at=now)
            )

    def standing(self, session: Session, reorganisation_id: int) -> Standing | None:
        """How far the last run has come; None where there was none."""
        here = self.runs.get(reorganisation_id)
        if here is not None:
            return here
        if not 0 < reorganisation_id <= LARGEST_ID:
            return None
        return _standing(session.get(ReorganisationRun, reorganisation_id), utcnow())

    def forget(self, reorganisation_id: int) -> None:
        """Wait for a run to end; for tests and for the end of the program."""
        thread = self.threads.pop(reorganisation_id, None)
        if thread is not None:
            thread.join()


def _standing(row: ReorganisationRun | None, now: datetime) -> Standing | None:
    if row is None:
        return None
    if row.ended_at is None and now - row.told_at > SILENT_AFTER:
        return Standing(
            row.started_at,
            running=False,
            problem=_("The server was stopped meanwhile."),
        )
    return Standing(
        row.started_at, row.done, row.total, row.stage, row.ended_at is None, row.problem
    )


_making = Lock()


def reorganising(app: Litestar) -> Reorganising:
    """The one of this application and its database, made when it is first asked for."""
    with _making:
        found: Reorganising | None = app.state.get("reorganising")
        if found is None or found.db is not app.state.database:
            found = app.state.reorganising = Reorganising(app.state.database)
        return found


def _pass_papers_on(session: Session, fact: UnitsReorganised) -> None:
    passed = pass_on_receipts(session, fact.day)
    if passed.receipts:
        audited(
            session,
            "change",
            "receipt",
            after={"passed_on": passed.receipts, "collapsed": passed.collapsed, "day": fact.day},
        )


EFFECTS = [(UnitsReorganised, _pass_papers_on)]
"""What follows in the commit in which a plan comes into force."""
