"""The live path as a part of the running server, and the way in for pages and calls.

A page or a call that takes a check-in asks `check_in(request.app, actor, CheckIn(...))` in its
worker thread; it must not hold a transaction of its own meanwhile. The call that programs make
thousands of times asks `check_in_soon` on the event loop instead.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from litestar import Litestar

from meetings_server.database import Database
from meetings_server.identity.lately import Lately
from meetings_server.live.admission import Admission
from meetings_server.live.group_commit import GroupCommit, Item, Result
from meetings_server.live.hints import Hints
from meetings_server.live.hub import Hub, Pace
from meetings_server.live.logins import OpenLogins
from meetings_server.live.passes import Passes
from meetings_server.live.receipts import ReceiptWriter
from meetings_server.live.rights import KnownRights
from meetings_server.live.writer import CheckInWriter
from rooms.attendance import CheckIn, require_check_in
from rooms.kernel import civil_day, utcnow
from rooms.message_receipts import Receipts
from rooms.policies import Actor

COMMIT_SECONDS = 30
"""How long a handler waits for its commit: past it the database is not answering."""


@dataclass(frozen=True, slots=True)
class Live:
    """What runs for the live path; in the application's state as `live`."""

    db: Database
    clock: Callable[[], float]
    """The time of the event loop."""
    hub: Hub
    writer: CheckInWriter
    receipts: ReceiptWriter
    logins: OpenLogins
    admission: Admission
    rights: KnownRights


@asynccontextmanager
async def live(app: Litestar) -> AsyncIterator[None]:
    """Start hub, writer and hints; at the end commit what was accepted.

    A `Pace` in the state as `live_pace` sets another one.
    """
    db: Database = app.state.database
    loop = asyncio.get_running_loop()
    pace = app.state.get("live_pace") or Pace()
    hub = Hub(db, pace)
    hints = Hints(db, loop, hub.tell, hub.notify)
    writer = CheckInWriter(db, loop, hints.publish)
    receipts = ReceiptWriter(db, loop)
    hints.start()
    writer.start()
    receipts.start()
    passes = Passes(app.state.settings.effective_secret())
    logins = OpenLogins(db, passes, pace.logins)
    admission = Admission(db, hub, passes, pace.calm)
    watching = [asyncio.create_task(part.watch()) for part in (logins, admission)]
    app.state.lately = Lately()
    app.state.live = Live(db, loop.time, hub, writer, receipts, logins, admission, KnownRights(db))
    try:
        yield
    finally:
        for task in watching:
            task.cancel()
        await asyncio.to_thread(writer.stop)
        await asyncio.to_thread(receipts.stop)
        await asyncio.to_thread(hints.stop)
        await hub.stop()
        admission.close()


def check_in(app: Litestar, actor: Actor, said: CheckIn) -> int:
    """Check a point in for an actor who may; returns the revision after the commit. Blocks.

    Raises `UnknownMeeting`, `UnknownPoint`, `NotPermitted`, `CheckInNotOpen`, `MeetingClosed`,
    `FieldInvalid`, `TooManyAtOnce`, `ServerStopping`.
    """
    db: Database = app.state.database
    with db.reader() as session:
        require_check_in(session, actor, said.meeting_id, said.point_id, civil_day(utcnow()))
    running: Live = app.state.live
    return running.writer.submit(said).result(COMMIT_SECONDS)


async def check_in_soon(app: Litestar, actor: Actor, said: CheckIn) -> int:
    """The same without a thread of its own: what the actor may is known from a moment ago, or asked."""
    running: Live = app.state.live
    await _may(running, actor, said.meeting_id, said.point_id)
    return await _written(running.writer, said)


async def receipt_soon(app: Litestar, actor: Actor, given: Receipts) -> list[int]:
    """Receipt messages for a point that the actor may check in; which of them are for it.

    Raises `UnknownMeeting`, `UnknownPoint`, `NotPermitted`, `TooManyAtOnce`, `ServerStopping`.
    """
    running: Live = app.state.live
    await _may(running, actor, given.meeting_id, given.point_id)
    return await _written(running.receipts, given) if given.shown else []


async def _may(running: Live, actor: Actor, meeting_id: int, point_id: int) -> None:
    if not running.rights.knows(actor, meeting_id, point_id):
        await asyncio.to_thread(running.rights.ask, actor, meeting_id, point_id)


async def _written(writer: GroupCommit[Item, Result], item: Item) -> Result:
    """What the writer answers after its commit; raises its refusal."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Result] = loop.create_future()
    writer.submit_on_loop(item, partial(_answered, answer))
    patience = loop.call_later(COMMIT_SECONDS, _answered, answer, TimeoutError())
    try:
        return await answer
    finally:
        patience.cancel()


def _answered(answer: "asyncio.Future[Result]", outcome: Result | Exception) -> None:
    if answer.done():
        # The caller has gone; what was said is committed all the same.
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
