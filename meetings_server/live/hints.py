"""Hints: after a commit, whoever watches a meeting is told that its log has grown.

A hint carries no facts, only a meeting and perhaps a revision: the hub reads the log itself, so a
hint may come twice or not at all. Within one process it is a call on the event loop; on PostgreSQL
it also goes out as NOTIFY, for the other processes.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event as Flag
from threading import Thread
from typing import Any

import psycopg
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.attendance import note_meeting_change
from rooms.kernel import Event, utcnow
from rooms.meetings import (
    Meeting,
    MeetingCancelled,
    MeetingChanged,
    MeetingEnded,
    MeetingPostponed,
    MeetingStarted,
)
from rooms.reorganisation import MeetingsReaimed

log = logging.getLogger(__name__)

CHANNEL = "attendance"
LISTEN_SECONDS = 0.5
"""How long the listener waits before it looks whether it shall end."""
RECONNECT_SECONDS = 1.0

CHANGES = (MeetingStarted, MeetingEnded, MeetingChanged, MeetingCancelled, MeetingPostponed)

WATCHED_AHEAD = timedelta(days=1)
"""How long before a meeting somebody may be looking at its board."""

Tell = Callable[[int | None], None]
"""Called on the event loop with a meeting's id, or with None where anything may have changed."""


def take_revision(session: Session, fact: Any) -> None:
    """Within the commit of a change of the meeting: its row in the log."""
    note_meeting_change(session, fact.meeting_id, utcnow())


def take_revisions(session: Session, fact: MeetingsReaimed) -> None:
    """A reorganisation aims hundreds of meetings anew; boards are open for those that are near."""
    near = session.scalars(
        select(Meeting.id).where(
            Meeting.id.in_(fact.meeting_ids), Meeting.starts_at < fact.at + WATCHED_AHEAD
        )
    )
    for meeting_id in near.all():
        note_meeting_change(session, meeting_id, fact.at)


EFFECTS: list[tuple[type[Event], Callable[[Session, Any], None]]] = [
    *((kind, take_revision) for kind in CHANGES),
    (MeetingsReaimed, take_revisions),
]


class Hints:
    """Tells the hub of this process, and those of others."""

    def __init__(self, db: Database, loop: asyncio.AbstractEventLoop, tell: Tell) -> None:
        self._db = db
        self._loop = loop
        self._tell = tell
        self._stopping = Flag()
        self._listener = Thread(target=self._listen, name="live-listener", daemon=True)

    def start(self) -> None:
        self._db.hints.append(self.after_commit)
        if self._db.is_postgresql:
            self._listener.start()

    def stop(self) -> None:
        """No more hints are given. Blocks until the listener has ended."""
        self._db.hints.remove(self.after_commit)
        self._stopping.set()
        if self._listener.is_alive():
            self._listener.join()

    def after_commit(self, events: Sequence[Event]) -> None:
        """The hint of the database for changes of meetings."""
        meetings = {event.meeting_id: 0 for event in events if isinstance(event, CHANGES)}
        if meetings:
            self.publish(meetings)

    def publish(self, revisions: dict[int, int]) -> None:
        """Tell of meetings whose log has grown. From any thread; never raises."""
        for meeting_id in revisions:
            self._call(meeting_id)
        if not self._db.is_postgresql:
            return
        try:
            with self._db.connection() as connection:
                for meeting_id, revision in revisions.items():
                    connection.execute(select(func.pg_notify(CHANNEL, f"{meeting_id}:{revision}")))
        except SQLAlchemyError:
            # The other processes will see it with their next heartbeat.
            log.warning("a hint could not be sent", exc_info=True)

    def _call(self, meeting_id: int | None) -> None:
        if not self._stopping.is_set():
            self._loop.call_soon_threadsafe(self._tell, meeting_id)

    def _listen(self) -> None:
        address = make_url(self._db.url).set(drivername="postgresql")
        while not self._stopping.is_set():
            try:
                with psycopg.connect(
                    address.render_as_string(hide_password=False), autocommit=True
                ) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    # Whatever was said while nobody listened is looked up.
                    self._call(None)
                    while not self._stopping.is_set():
                        for note in connection.notifies(timeout=LISTEN_SECONDS):
                            self._call(int(note.payload.partition(":")[0]))
            except psycopg.Error:
                log.warning("the listener lost the database, trying again", exc_info=True)
                self._stopping.wait(RECONNECT_SECONDS)
