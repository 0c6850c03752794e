"""The one writer of check-ins: takes whatever waits and commits it together (group commit)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from meetings_server.database import Database
from meetings_server.live.group_commit import GroupCommit
from meetings_server.live.steady import SteadyClock
from rooms.attendance import CheckIn
from rooms.check_ins import record_check_ins
from rooms.known_states import Memory


class CheckInWriter(GroupCommit[CheckIn, int]):
    """Gives the revision of each. `committed` gets the new revision of each meeting."""

    most: ClassVar[int] = 1000
    name: ClassVar[str] = "check-in"

    def __init__(
        self,
        db: Database,
        loop: asyncio.AbstractEventLoop,
        committed: Callable[[dict[int, int]], None],
    ) -> None:
        super().__init__(loop)
        self._db = db
        self._committed = committed
        self._memory = Memory()
        self._clock = SteadyClock()

    def _commit(self, items: Sequence[CheckIn]) -> Sequence[int | Exception]:
        with self._db.connection() as connection:
            return record_check_ins(connection, items, self._clock.now(), self._memory)

    def _written(self, items: Sequence[CheckIn], outcomes: Sequence[int | Exception]) -> None:
        if self._memory.latest is not None:
            self._clock.not_before(self._memory.latest)
        revisions: dict[int, int] = {}
        for check_in, outcome in zip(items, outcomes, strict=True):
            if not isinstance(outcome, Exception):
                revisions[check_in.meeting_id] = max(outcome, revisions.get(check_in.meeting_id, 0))
        if revisions:
            self._committed(revisions)

    def _undone(self) -> None:
        self._memory.forget()
