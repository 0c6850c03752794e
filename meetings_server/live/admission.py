"""Who is let in to a line, to watch what: by a pass, or by the database.

Who comes with a pass is let in at once. What it grants is looked up again when it is calm, one after
the other, so that a right that was taken away does not live on in passes.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import monotonic, time

from sqlalchemy.exc import SQLAlchemyError

from meetings_server.api.scopes import LIVE, LIVE_CHECK_IN
from meetings_server.database import Database
from meetings_server.identity.doors import DeviceLogin
from meetings_server.identity.middleware import Caller
from meetings_server.identity.tokens import ScopeMissing, opens
from meetings_server.live import frames
from meetings_server.live.hub import Hub
from meetings_server.live.lines import RESTARTING, Line
from meetings_server.live.passes import LASTS, Pass, Passes
from rooms.attendance import require_check_in, writable_points
from rooms.bridge_points import UnknownPoint
from rooms.devices import AtTheDoor, device_scope, is_invited
from rooms.hierarchy import Tree
from rooms.kernel import Denied, NotFound, civil_day, utcnow
from rooms.meetings import visible_meeting
from rooms.policies import Actor
from rooms.rollup import Scope, visible_scope

log = logging.getLogger(__name__)

NOT_ALLOWED = 4403

RIGHTS_SECONDS = 60.0
"""How long what an actor may see is taken to be the same: after a cut all come back at once."""
MOST_ASKED = 50_000
PART = 5
"""Looking up again takes one part in so many of the time at most."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who may watch a scope of a meeting, and what a line needs of them."""

    meeting_id: int
    login: str
    """The hash of the secret that was shown."""
    actor: Actor
    scope: Scope
    asked: str | None
    language: str
    address: str
    may_check_in: bool
    """Whether the login itself allows it; a token may be made for watching alone."""
    door: AtTheDoor | None = None

    def __str__(self) -> str:
        return f"meeting {self.meeting_id}, person {self.actor.person_id} ({self.actor.name})"

    def require(self, db: Database, point_id: int) -> None:
        """Raises the reason why this point may not be checked in; blocks."""
        if self.door is not None:
            raise UnknownPoint(point_id)
        with db.reader() as session:
            require_check_in(session, self.actor, self.meeting_id, point_id, civil_day(utcnow()))

    def as_pass(self) -> Pass | None:
        """None for a tablet at a door, whose right is looked up in one statement."""
        if self.door is not None:
            return None
        return Pass(
            login=self.login,
            meeting_id=self.meeting_id,
            asked=self.asked,
            roots=[root.id for root in self.scope.roots],
            until=int(time()) + LASTS,
            may_check_in=self.may_check_in,
            language=self.language,
            person_id=self.actor.person_id,
            name=self.actor.name,
            unit_id=self.actor.unit_id,
            on_behalf_of=self.actor.on_behalf_of,
            no_substitution_on=self.actor.no_substitution_on,
        )


class Admission:
    """Lets clients in to the lines of this process."""

    def __init__(self, db: Database, hub: Hub, passes: Passes, calm: float) -> None:
        self.passes = passes
        self._db = db
        self._hub = hub
        self._calm = calm
        self._asked: dict[tuple[int, int, str | None], tuple[float, Scope]] = {}
        """Until when an actor may watch what of a meeting, by the scope asked for."""
        self._by_pass: deque[tuple[float, Admitted, Line]] = deque()
        """Lines whose rights are to be looked up, and from when on."""
        # Thirty threads that put statements together at once take the interpreter from each other, and
        # twice the time.
        self._one_by_one = ThreadPoolExecutor(1, "live-rights")

    async def by_pass(
        self, shown: str, login: str, meeting_id: int, asked: str | None, address: str
    ) -> Admitted | None:
        """What a pass grants; None where it grants nothing. Raises `UnknownMeeting`."""
        granted = self.passes.read(shown, login, meeting_id, asked, time())
        if granted is None:
            return None
        scope = granted.scope(await self._hub.tree_of(meeting_id))
        if scope is None:
            return None
        return Admitted(
            meeting_id,
            login,
            granted.actor,
            scope,
            asked,
            granted.language,
            address,
            granted.may_check_in,
        )

    async def by_database(
        self, user: Caller, meeting_id: int, asked: str | None, language: str, address: str
    ) -> Admitted:
        """Raises `UnknownMeeting`, `UnknownUnit`, `NotPermitted`, `ScopeMissing`."""
        if not opens(user.scopes, LIVE):
            raise ScopeMissing(LIVE)
        door = user.door if isinstance(user, DeviceLogin) else None
        now = monotonic()
        key = (user.actor.person_id, meeting_id, asked)
        found = self._asked.get(key)
        if found is None or found[0] < now:
            tree = await self._hub.tree_of(meeting_id)
            scope = await self._in_turn(
                partial(_find_scope, self._db, user.actor, door, meeting_id, tree, asked)
            )
            if len(self._asked) >= MOST_ASKED:
                self._asked.clear()
            found = self._asked[key] = now + RIGHTS_SECONDS, scope
        return Admitted(
            meeting_id,
            user.login,
            user.actor,
            found[1],
            asked,
            language,
            address,
            opens(user.scopes, LIVE_CHECK_IN),
            door,
        )

    async def _in_turn(self, look: Callable[[], Scope]) -> Scope:
        return await asyncio.get_running_loop().run_in_executor(self._one_by_one, look)

    def sign(self, admitted: Admitted) -> str | None:
        """The pass with which a client may come back."""
        granted = admitted.as_pass()
        return self.passes.sign(granted) if granted else None

    def recheck_later(self, admitted: Admitted, line: Line) -> None:
        """This line was let in by a pass."""
        self._by_pass.append((monotonic() + self._calm, admitted, line))

    async def watch(self) -> None:
        """Look up again what was let in by passes, until cancelled."""
        while True:
            while self._by_pass and self._by_pass[0][0] <= monotonic():
                began = monotonic()
                _, admitted, line = self._by_pass.popleft()
                try:
                    await self._recheck(admitted, line)
                except SQLAlchemyError:
                    log.warning("a right to watch could not be looked up again", exc_info=True)
                    self.recheck_later(admitted, line)
                await asyncio.sleep((PART - 1) * (monotonic() - began))
            await asyncio.sleep(min(1.0, self._calm))

    def close(self) -> None:
        self._one_by_one.shutdown()

    async def _recheck(self, admitted: Admitted, line: Line) -> None:
        tree = await self._hub.tree_of(admitted.meeting_id)
        code, reason = RESTARTING, "your rights have changed"
        try:
            scope = await self._in_turn(
                partial(
                    _find_scope,
                    self._db,
                    admitted.actor,
                    None,
                    admitted.meeting_id,
                    tree,
                    admitted.asked,
                )
            )
        except (Denied, NotFound) as refusal:
            code, reason = NOT_ALLOWED, refusal.code
        else:
            if scope.code == admitted.scope.code:
                line.write(frames.passing(self.sign(admitted), self._hub.heartbeat))
                return
        self._asked.pop((admitted.actor.person_id, admitted.meeting_id, admitted.asked), None)
        self.passes.withdraw(admitted.login, admitted.meeting_id)
        line.write(frames.passing(None, self._hub.heartbeat))
        line.close(code, reason)


def _find_scope(
    db: Database,
    actor: Actor,
    door: AtTheDoor | None,
    meeting_id: int,
    tree: Tree,
    asked: str | None,
) -> Scope:
    """What somebody may watch, by today's rights; blocks."""
    today = civil_day(utcnow())
    with db.reader() as session:
        if door is not None:
            if asked is not None:
                raise ScopeMissing(asked)
            return device_scope(session, door, meeting_id, tree)
        meeting = visible_meeting(session, actor, meeting_id, today)
        return visible_scope(session, actor, meeting, tree, today, asked)


def writable(db: Database, admitted: Admitted, only: int | None) -> frozenset[int]:
    """The points somebody may check in, or of one point whether they may; blocks."""
    with db.reader() as session:
        if admitted.door is not None:
            invited = is_invited(session, admitted.door, admitted.meeting_id)
            return frozenset({admitted.door.point_id} if invited else ())
        today = civil_day(utcnow())
        return writable_points(session, admitted.actor, admitted.meeting_id, today, only=only)
