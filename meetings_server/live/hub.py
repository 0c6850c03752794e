"""The hub: for each watched meeting it tails the log and writes frames to all who watch.

A frame is built once for each scope and tick, and the same bytes go to every line of the scope. The
first change goes out at once, further ones are gathered for a tick, so that the cost grows with
ticks and not with check-ins. A hint wakes the tail; without one the heartbeat does, so that a lost
hint heals. A client that does not read gets nothing more until it has, and then what it missed.

Everything here runs on the event loop; only the log is read in threads.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from time import thread_time
from typing import Any, TypeVar

from meetings_server.database import Database
from meetings_server.live import frames
from meetings_server.live.lines import Line
from meetings_server.live.picture import Feed, Picture, rows_after
from rooms.hierarchy import Tree
from rooms.notices import EVERYTHING, MeetingNotice
from rooms.rollup import Scope

log = logging.getLogger(__name__)

T = TypeVar("T")

READERS = 2
MANY_LINES = 500
"""Up to so many lines every tick may go to all of them."""
CHUNK = 500
"""Lines written to before others get a turn on the event loop."""
FETCHES_A_SECOND = 500
"""So many of those who got a notice may ask at once for what it is about."""
HEARTBEAT_LINES = 10_000
"""With more lines heartbeats are rarer: one to each costs a tenth of a second of CPU for so many."""
LONGEST_HEARTBEAT = 50.0
"""Proxies take a line for dead after a minute."""
SHARE = 4
"""What goes to very many takes one part in so many of the event loop at most."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds and sizes of the hub."""

    tick: float = 0.1
    longest_tick: float = 1.0
    heartbeat: float = 25.0
    retry: float = 1.0
    """After the log could not be read."""
    lag_check: float = 0.5
    lag_limit: float = 30.0
    """A client that has not read for so long is cut off."""
    most_lines: int = 60_000
    logins: float = 30.0
    """How often it is looked whether the logins of open lines still stand."""
    calm: float = 60.0
    """After so long it is looked up again what was let in by a pass."""


@dataclass(eq=False, slots=True)
class Subscriber:
    """A line that watches a scope."""

    line: Line
    scope: Scope
    lagging_since: float | None = None
    seen: int = 0
    """A revision that a lagging line has for certain."""
    missed_notices: bool = False


Work = tuple[list[Subscriber], bytes]
"""Lines and the frame they all get."""


@dataclass(eq=False)
class Room:
    """A watched meeting: its picture, its subscribers by scope, and the task that serves them."""

    picture: Picture
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the picture goes forward and frames go out: their revision must not run ahead."""
    subscribers: dict[str, set[Subscriber]] = field(default_factory=dict)
    laggards: set[Subscriber] = field(default_factory=set)
    task: asyncio.Task[None] | None = None
    empty_since: float | None = None
    siblings_due: float = 0.0
    """When counts from above may go out again to those who get them because of a neighbour."""
    flushed: int = 0
    """The revision that all lines have, but those that lag."""
    closed: bool = False

    def watching(self, feed: Feed) -> list[Subscriber]:
        return list(self.subscribers.get(feed.scope.code, ()))


class Hub:
    """All watched meetings of this process."""

    def __init__(self, db: Database, pace: Pace | None = None) -> None:
        self.pace = pace or Pace()
        self.lines = 0
        self._db = db
        self._rooms: dict[int, asyncio.Future[Room]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._readers = ThreadPoolExecutor(READERS, "live-reader")

    @property
    def is_full(self) -> bool:
        return self.lines >= self.pace.most_lines

    @property
    def heartbeat(self) -> float:
        """Seconds between heartbeats; longer where there are very many lines."""
        stretched = self.pace.heartbeat * max(1.0, self.lines / HEARTBEAT_LINES)
        return max(self.pace.heartbeat, min(LONGEST_HEARTBEAT, stretched))

    def tell(self, meeting_id: int | None) -> None:
        """A hint: this meeting's log, or that of any, may have grown. On the event loop."""
        if meeting_id is not None:
            found = self._rooms.get(meeting_id)
            if found is not None and _is_open(found):
                found.result().wake.set()
            return
        for each, found in self._rooms.items():
            if _is_open(found):
                found.result().wake.set()
                self.notify(MeetingNotice(each, EVERYTHING))

    def notify(self, notice: MeetingNotice) -> None:
        """Pass a notice on to the lines it is for. On the event loop."""
        found = self._rooms.get(notice.meeting_id)
        if found is None or not _is_open(found):
            return
        telling = asyncio.create_task(self._pass_on(found.result(), notice))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _pass_on(self, room: Room, notice: MeetingNotice) -> None:
        reached = _reached(room.picture.tree, notice.unit_ids)
        told = [
            list(watching)
            for watching in room.subscribers.values()
            if reached is None or _is_told(next(iter(watching)).scope, reached)
        ]
        lines = sum(map(len, told))
        frame = frames.notice(notice, lines / FETCHES_A_SECOND if lines > MANY_LINES else 0)
        for subscriber in room.laggards:
            subscriber.missed_notices = True
        await self._deliver([(watching, frame) for watching in told])

    async def join(
        self, meeting_id: int, scope: Scope, line: Line, after: int | None = None
    ) -> Subscriber:
        """Watch a scope from now on; the first frame is written before this returns.

        `after` is the last revision the client has seen. Raises `UnknownMeeting`.
        """
        while True:
            room = await self._room(meeting_id)
            if after is not None and after > room.picture.revision:
                # The client has been told by another process what this one has not read yet.
                async with room.turn:
                    await self._advance(room)
                room.wake.set()
            if not room.closed:
                break
        picture = room.picture
        feed = picture.feed(scope)
        if after is not None and picture.meeting_revision <= after <= picture.revision:
            line.write(frames.changes_after(picture, feed, after))
        else:
            line.write(frames.snapshot(picture, feed))
        subscriber = Subscriber(line, scope)
        room.subscribers.setdefault(scope.code, set()).add(subscriber)
        room.empty_since = None
        self.lines += 1
        return subscriber

    async def tree_of(self, meeting_id: int) -> Tree:
        """The tree of the meeting's day, read once for all who come. Raises `UnknownMeeting`."""
        return (await self._room(meeting_id)).picture.tree

    def leave(self, meeting_id: int, subscriber: Subscriber) -> None:
        self.lines -= 1
        found = self._rooms.get(meeting_id)
        if found is None or not _is_open(found):
            return
        room = found.result()
        room.laggards.discard(subscriber)
        watching = room.subscribers.get(subscriber.scope.code)
        if watching is None:
            return
        watching.discard(subscriber)
        if not watching:
            del room.subscribers[subscriber.scope.code]
            feed = room.picture.feeds.get(subscriber.scope.code)
            if feed is not None:
                room.picture.forget(feed)

    def lag(self, meeting_id: int, subscriber: Subscriber) -> None:
        """The client does not read: it gets nothing more until `revive`."""
        found = self._rooms.get(meeting_id)
        if found is None or not _is_open(found):
            return
        room = found.result()
        subscriber.lagging_since = asyncio.get_running_loop().time()
        subscriber.seen = room.flushed
        room.laggards.add(subscriber)
        room.wake.set()

    def revive(self, meeting_id: int, subscriber: Subscriber) -> None:
        """The client reads again: it gets what it missed, or all of it where that is less."""
        found = self._rooms.get(meeting_id)
        if found is None or not _is_open(found):
            return
        room = found.result()
        room.laggards.discard(subscriber)
        subscriber.lagging_since = None
        picture = room.picture
        feed = picture.feed(subscriber.scope)
        missed = sum(point.revision > subscriber.seen for point in feed.points.values())
        if subscriber.seen < picture.meeting_revision or 2 * missed > len(feed.points):
            subscriber.line.write(frames.snapshot(picture, feed))
        else:
            subscriber.line.write(frames.changes_after(picture, feed, subscriber.seen))
        if subscriber.missed_notices:
            subscriber.missed_notices = False
            subscriber.line.write(frames.notice(MeetingNotice(picture.meeting.id, EVERYTHING), 0))

    async def stop(self) -> None:
        """End all tasks; the server itself closes the sockets with 1012."""
        rooms = [found.result() for found in self._rooms.values() if _is_open(found)]
        self._rooms.clear()
        tasks = [*self._telling, *(room.task for room in rooms if room.task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._readers.shutdown()

    async def _room(self, meeting_id: int) -> Room:
        """The room of a meeting; read once, however many come at the same moment."""
        found = self._rooms.get(meeting_id)
        if found is not None and _is_open(found):
            # Without a pause: what a handshake writes then goes out in one piece.
            return found.result()
        if found is None or found.done():
            found = asyncio.ensure_future(self._open(meeting_id))
            self._rooms[meeting_id] = found
        # A client that leaves meanwhile must not take the others' reading with it.
        return await asyncio.shield(found)

    async def _open(self, meeting_id: int) -> Room:
        room = Room(await self._in_thread(self._read_picture, meeting_id))
        room.flushed = room.picture.revision
        # Whatever was committed while the picture was read had its hint before the room was there.
        room.wake.set()
        room.task = asyncio.create_task(self._serve(meeting_id, room))
        return room

    async def _serve(self, meeting_id: int, room: Room) -> None:
        clock = asyncio.get_running_loop().time
        beat = clock() + self.heartbeat
        while not room.closed:
            await _wait(room.wake, min(beat, self._next_look(room, clock())) - clock())
            room.wake.clear()
            pause = self.pace.tick
            try:
                async with room.turn:
                    await self._advance(room)
                    due = clock() >= beat
                    cost = await self._flush(room, everything=due)
                    pause = min(self.pace.longest_tick, max(pause, 2 * cost))
                    if due:
                        beat = clock() + self.heartbeat
                        await self._beat(room)
                self._cut_laggards(room, clock())
            except Exception:  # the database may be away for a while
                log.exception("the log of meeting %s could not be served", meeting_id)
                room.wake.set()
                pause = self.pace.retry
            self._close_if_deserted(meeting_id, room, clock())
            await asyncio.sleep(pause)

    def _next_look(self, room: Room, now: float) -> float:
        """When something is to be done without a hint."""
        soonest = now + self.heartbeat
        if room.laggards:
            soonest = now + self.pace.lag_check
        for feed in room.picture.dirty:
            due = feed.due if feed.changed_points else max(feed.due, room.siblings_due)
            soonest = min(soonest, due)
        return soonest

    def _close_if_deserted(self, meeting_id: int, room: Room, now: float) -> None:
        if room.subscribers:
            return
        if room.empty_since is None:
            room.empty_since = now
        elif now - room.empty_since > self.pace.heartbeat:
            room.closed = True
            del self._rooms[meeting_id]

    async def _advance(self, room: Room) -> None:
        """Bring the picture to the end of the log. Under `turn`."""
        picture = room.picture
        rows = await self._in_thread(self._read_rows, picture.meeting.id, picture.revision)
        if any(row[1] is None for row in rows):
            await self._renew(room)
        elif rows:
            picture.apply({row[1]: row[1:] for row in rows}.values())
            picture.revision = rows[-1][0]

    async def _renew(self, room: Room) -> None:
        """The meeting itself has changed: read all of it, tell, and show all of it anew."""
        room.picture = picture = await self._in_thread(self._read_picture, room.picture.meeting.id)
        told = frames.meeting(picture)
        for watching in list(room.subscribers.values()):
            for scope in [subscriber.scope for subscriber in watching][:1]:
                # One write for both.
                shown = told + frames.snapshot(picture, picture.feed(scope))
                await self._deliver([(list(watching), shown)])
        room.flushed = picture.revision

    async def _flush(self, room: Room, *, everything: bool) -> float:
        """Write what has changed; gives the seconds of CPU that it took but for very large scopes.

        A scope with so many lines that a tick costs more than it lasts gets its frames more rarely, and
        what goes to many because of a neighbour's check-in goes out once a second at most.
        """
        clock = asyncio.get_running_loop().time
        picture, now = room.picture, clock()
        siblings = everything or now >= room.siblings_due
        shared: dict[tuple[int, ...], bytes] = {}
        small: list[Work] = []
        neighbours: list[Work] = []
        large: list[tuple[Feed, Work]] = []
        for number, feed in enumerate(list(picture.dirty)):
            if number % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
            if now < feed.due and not everything:
                continue
            if feed.changed_points:
                frame = frames.changes(picture, feed)
                watching = room.watching(feed)
                if len(watching) > MANY_LINES:
                    large.append((feed, (watching, frame)))
                else:
                    small.append((watching, frame))
            elif siblings:
                # Only counts from above: the same bytes for all siblings.
                key = tuple(sorted(feed.changed_units))
                frame = shared.get(key) or frames.changes(picture, feed)
                shared[key] = frame
                neighbours.append((room.watching(feed), frame))
            else:
                continue
            feed.settle()
            feed.told = now
            picture.dirty.discard(feed)
        cost = await self._deliver(small)
        for feed, work in large:
            spent = await self._deliver([work])
            feed.due = clock() + min(self.pace.longest_tick, max(self.pace.tick, SHARE * spent / 2))
        if neighbours:
            spent = await self._deliver(neighbours)
            pause = self.pace.longest_tick if self.lines > MANY_LINES else 0.0
            room.siblings_due = clock() + max(pause, SHARE * spent if pause else 0.0)
        room.flushed = picture.revision
        return cost

    async def _beat(self, room: Room) -> None:
        """A sign of life for the scopes that have had none for long."""
        frame = frames.heartbeat(room.picture, self.heartbeat)
        quiet = asyncio.get_running_loop().time() - self.heartbeat / 2
        feeds = room.picture.feeds
        await self._deliver(
            [
                (list(watching), frame)
                for code, watching in room.subscribers.items()
                if code not in feeds or feeds[code].told < quiet
            ]
        )

    async def _deliver(self, work: Iterable[Work]) -> float:
        """Write frames to lines, with turns for others; gives the seconds of CPU it took.

        With uvloop bytes go out at the end of a turn, so that the turns count, too.
        """
        began = thread_time()
        left = CHUNK
        for watching, frame in work:
            for first in range(0, len(watching), CHUNK):
                part = watching[first : first + CHUNK]
                for subscriber in part:
                    line = subscriber.line
                    if line.ready:
                        line.push(frame)
                left -= len(part)
                if left <= 0:
                    left = CHUNK
                    await asyncio.sleep(0)
        return thread_time() - began

    def _cut_laggards(self, room: Room, now: float) -> None:
        for subscriber in list(room.laggards):
            if now - (subscriber.lagging_since or now) > self.pace.lag_limit:
                room.laggards.discard(subscriber)
                subscriber.line.abort()

    def _read_picture(self, meeting_id: int) -> Picture:
        with self._db.reader() as session:
            return Picture.read(session, meeting_id)

    def _read_rows(self, meeting_id: int, revision: int) -> list[Any]:
        with self._db.reader() as session:
            return rows_after(session, meeting_id, revision)

    async def _in_thread(self, read: Callable[..., T], *arguments: int) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, read, *arguments)


def _reached(tree: Tree, unit_ids: Collection[int] | None) -> AbstractSet[int] | None:
    """The units whose watchers a notice is for: those named and all above them; None is everybody."""
    if unit_ids is None:
        return None
    return {above.id for unit_id in unit_ids for above in tree.ancestry(unit_id)}


def _is_told(scope: Scope, reached: AbstractSet[int]) -> bool:
    return not scope.roots or any(root.id in reached for root in scope.roots)


def _is_open(found: asyncio.Future[Room]) -> bool:
    return found.done() and not found.cancelled() and found.exception() is None


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(wake.wait(), max(0.0, seconds))
