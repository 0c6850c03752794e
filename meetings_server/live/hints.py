"""Hints: after a commit, whoever watches a meeting is told that its log has grown.

A hint carries no facts, only a meeting and perhaps a revision: the hub reads the log itself, so a
hint may come twice or not at all. Within one process it is a call on the event loop; on PostgreSQL
it also goes out as NOTIFY, for the other processes. Notices of a meeting take the same way.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event as Flag
from threading import Thread
from typing import Any, TypeVar

import msgspec
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
from rooms.notices import MeetingNotice
from rooms.reorganisation import MeetingsReaimed

log = logging.getLogger(__name__)

T = TypeVar("T")

CHANNEL = "attendance"
NOTICES = "meeting_notice"
LONGEST_PAYLOAD = 7_900
"""Bytes that NOTIFY takes; beyond, a notice goes without its facts to all who watch the meeting."""
LISTEN_SECONDS = 0.5
"""How long the listener waits before it looks whether it shall end."""
RECONNECT_SECONDS = 1.0

CHANGES = (MeetingStarted, MeetingEnded, MeetingChanged, MeetingCancelled, MeetingPostponed)

WATCHED_AHEAD = timedelta(days=1)
"""How long before a meeting somebody may be looking at its board."""

Tell = Callable[[int | None], None]
"""Called on the event loop with a meeting's id, or with None where anything may have changed."""
Pass = Callable[[MeetingNotice], None]
"""Called on the event loop with a notice for the lines of its meeting."""


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


class Told(msgspec.Struct, frozen=True, array_like=True):
    """A notice on its way to another process. `origin` is the process that has told its own lines."""

    origin: str
    meeting_id: int
    kind: str
    unit_ids: list[int] | None
    facts: dict[str, str | int | float | bool | None]


class Hints:
    """Tells the hub of this process, and those of others."""

    def __init__(
        self, db: Database, loop: asyncio.AbstractEventLoop, tell: Tell, pass_on: Pass
    ) -> None:
        self._db = db
        self._loop = loop
        self._tell = tell
        self._pass_on = pass_on
        self._origin = secrets.token_hex(8)
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
        """The hint of the database for changes of meetings, and notices to who watches them."""
        meetings = {event.meeting_id: 0 for event in events if isinstance(event, CHANGES)}
        if meetings:
            self.publish(meetings)
        notices = [event for event in events if isinstance(event, MeetingNotice)]
        for notice in notices:
            self._call(self._pass_on, notice)
        self._notify(NOTICES, [_payload(self._origin, notice) for notice in notices])

    def publish(self, revisions: dict[int, int]) -> None:
        """Tell of meetings whose log has grown. From any thread; never raises."""
        for meeting_id in revisions:
            self._call(self._tell, meeting_id)
        self._notify(CHANNEL, [f"{meeting_id}:{at}" for meeting_id, at in revisions.items()])

    def _notify(self, channel: str, payloads: list[str]) -> None:
        if not payloads or not self._db.is_postgresql:
            return
        try:
            with self._db.connection() as connection:
                for payload in payloads:
                    connection.execute(select(func.pg_notify(channel, payload)))
        except SQLAlchemyError:
            # The other processes will see a change of the log with their next heartbeat, and what a
            # notice is about when their clients ask again.
            log.warning("a hint could not be sent", exc_info=True)

    def _call(self, whom: Callable[[T], None], what: T) -> None:
        if not self._stopping.is_set():
            self._loop.call_soon_threadsafe(whom, what)

    def _listen(self) -> None:
        address = make_url(self._db.url).set(drivername="postgresql")
        while not self._stopping.is_set():
            try:
                with psycopg.connect(
                    address.render_as_string(hide_password=False), autocommit=True
                ) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    connection.execute(f"LISTEN {NOTICES}")
                    # Whatever was said while nobody listened is looked up.
                    self._call(self._tell, None)
                    while not self._stopping.is_set():
                        for note in connection.notifies(timeout=LISTEN_SECONDS):
                            self._hear(note.channel, note.payload)
            except psycopg.Error:
                log.warning("the listener lost the database, trying again", exc_info=True)
                self._stopping.wait(RECONNECT_SECONDS)

    def _hear(self, channel: str, payload: str) -> None:
        if channel == CHANNEL:
            self._call(self._tell, int(payload.partition(":")[0]))
            return
        told = _decode(payload)
        if told.origin != self._origin:
            notice = MeetingNotice(told.meeting_id, told.kind, told.unit_ids, told.facts)
            self._call(self._pass_on, notice)


_decode = msgspec.json.Decoder(Told).decode


def _payload(origin: str, notice: MeetingNotice) -> str:
    units = None if notice.unit_ids is None else list(notice.unit_ids)
    told = Told(origin, notice.meeting_id, notice.kind, units, dict(notice.facts))
    payload = msgspec.json.encode(told)
    if len(payload) > LONGEST_PAYLOAD:
        payload = msgspec.json.encode(msgspec.structs.replace(told, unit_ids=None, facts={}))
    return payload.decode()
