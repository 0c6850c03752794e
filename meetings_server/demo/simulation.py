"""The meeting of the demonstration that runs by itself.

Simulated operators check the points in through the real API, each with a token of their own:
some early and ready, most around the start, a few late, one line lost and found again, one in need
of help. The points of the demo accounts are left to visitors. Nothing here is reached by `serve`.
"""

import heapq
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import Any

from litestar import Litestar
from sqlalchemy import delete, select

from meetings_server.database import Database
from meetings_server.demo.answers import person_name
from meetings_server.demo.people import ACCOUNTS
from meetings_server.demo.stand_ins import tokens_for
from meetings_server.identity.tokens import ApiToken, create_token
from meetings_server.settings import Settings
from rooms.attendance import PointState, Presence
from rooms.help_calls import HelpCall
from rooms.hierarchy import load_tree
from rooms.kernel import utcnow
from rooms.meetings import Meeting, MeetingState, Participation, Reply, standing_invitation
from rooms.people import Person

log = logging.getLogger(__name__)

TOKEN_NAME = "demonstration"  # noqa: S105 -- the name of a token, not the token
PATIENCE = 5.0
"""Seconds for an answer, and between attempts while the server does not answer."""

LENGTH = timedelta(minutes=25)
"""From the start of the meeting to its end."""

EARLY, ON_TIME, LATE = 0.22, 0.88, 0.96
"""Upper bounds of the shares of points that are ready early, come on time, come late, in that order."""

FIRST_MOVES = 5


@dataclass(frozen=True, slots=True)
class Said:
    """What an operator reports of a point."""

    state: str
    headcount: int | None = None
    head_of_delegation: str | None = None
    note: str | None = None
    trouble: str | None = None

    def body(self) -> dict[str, Any]:
        fields = ("state", "headcount", "head_of_delegation", "note", "trouble")
        return {name: getattr(self, name) for name in fields if getattr(self, name) is not None}


TROUBLES = (
    Said("needs_help", note="Không nghe được tiếng điểm cầu chính", trouble="no_sound"),
    Said("needs_help", note="Hình bị đứng, đã khởi động lại thiết bị", trouble="no_picture"),
    Said("needs_help", note="Chưa vào được phòng họp, mã PIN báo sai", trouble="cannot_join"),
)


@dataclass(order=True, frozen=True, slots=True)
class Step:
    """Something that happens at an instant: a report of a point, or an act on the meeting itself."""

    at: datetime
    number: int
    point_id: int | None = field(compare=False)
    said: Said | None = field(compare=False, default=None)
    act: str = field(compare=False, default="")


def plan(points: list[int], start: datetime, now: datetime, chance: random.Random) -> list[Step]:
    """The whole course of a meeting for these points, in order of time; nothing lies before `now`."""
    steps: list[Step] = []

    def put(at: datetime, point_id: int | None, said: Said | None = None, act: str = "") -> None:
        heapq.heappush(steps, Step(max(at, now), len(steps), point_id, said, act))

    def minutes(low: float, high: float, peak: float | None = None) -> datetime:
        return start + timedelta(minutes=chance.triangular(low, high, peak))

    shuffled = chance.sample(points, len(points))
    before = max(0.5, (start - now).total_seconds() / 60)
    for number, point_id in enumerate(shuffled):
        there = Said("present", chance.randint(4, 26), person_name(chance))
        lot = number / max(1, len(shuffled))
        if lot < EARLY:
            # The first within seconds: whoever opens the board at once sees it move.
            ready = minutes(-before, -before / 3, -before)
            if number < FIRST_MOVES:
                ready = now + timedelta(seconds=1 + 3 * number)
            put(ready, point_id, Said("ready"))
            put(max(ready, minutes(-3, 0.5, -1)), point_id, there)
        elif lot < ON_TIME:
            put(minutes(-3.5, 1, -0.7), point_id, there)
        elif lot < LATE:
            put(minutes(1, 9, 2), point_id, there)
        # The others never come.
    _misfortunes(put, shuffled, start, now, before)
    put(start, None, act="start")
    put(start + LENGTH, None, act="end")
    return [heapq.heappop(steps) for _ in range(len(steps))]


def _misfortunes(
    put: Any, shuffled: list[int], start: datetime, now: datetime, before: float
) -> None:
    """One asks for help at once and is helped, two lose the line and come back, one asks late."""

    def after(minutes: float) -> datetime:
        return start + timedelta(minutes=minutes)

    if len(shuffled) < len(TROUBLES) + 2:
        return
    first, second, third, *_ = reversed(shuffled)
    put(now + timedelta(minutes=before / 12), first, TROUBLES[0])
    put(after(-before / 3), first, Said("ready", note=""))
    put(after(-0.2), first, Said("present", 9, "Nguyễn Thị Hồng"))
    put(after(-0.5), second, TROUBLES[2])
    put(after(2.5), second, Said("present", 14, "Trần Quang Minh"))
    put(after(4), third, TROUBLES[1])
    for number, point_id in enumerate(shuffled[len(shuffled) // 2 :][:2]):
        put(after(2 + number), point_id, Said("lost", note="Mất mạng"))
        put(after(4 + 2 * number), point_id, Said("present", note=""))
    # Some send the right number later: a correction, the first entry is kept.
    for number, point_id in enumerate(shuffled[len(shuffled) // 3 :][:8]):
        put(after(1.5 + number / 2), point_id, Said("present", 10 + number))


class Simulation(Thread):
    """Plays the plan of one meeting against the running server until it ends or is told to stop."""

    def __init__(
        self, database: Database, settings: Settings, meeting_id: int, pace: float
    ) -> None:
        super().__init__(name="demonstration", daemon=True)
        self.database = database
        self.settings = settings
        self.meeting_id = meeting_id
        self.pace = pace
        self.stopping = Event()
        self.secretary = ""
        self.connection: HTTPConnection | None = None

    def run(self) -> None:
        try:
            self._play()
        except Exception:  # the demonstration must not take the server with it
            log.exception("the demonstration has stopped moving")
        finally:
            self._hang_up()

    def stop(self) -> None:
        """End promptly. Blocks for one answer at most."""
        self.stopping.set()
        self.join(PATIENCE)

    def _play(self) -> None:
        now = utcnow()
        steps, tokens = self._prepare(now)
        log.info("the demonstration moves: %s steps", len(steps))
        for step in steps:
            due = now + (step.at - now) / self.pace
            if self.stopping.wait(max(0.0, (due - utcnow()).total_seconds())):
                return
            if not self._do(step, tokens):
                return

    def _prepare(self, now: datetime) -> tuple[list[Step], dict[int, str]]:
        """The steps that are still to come, and the token with which each point is reported."""
        with self.database.transaction() as session:
            meeting = session.get_one(Meeting, self.meeting_id)
            tree = load_tree(session, meeting.day)
            left_alone = {
                tree.by_code[account.unit].id
                for account in ACCOUNTS
                if account.unit in tree.by_code
            }
            # Whoever was present before a restart is not asked again.
            reported = select(PointState.point_id).where(
                PointState.meeting_id == meeting.id, PointState.state == Presence.PRESENT.value
            )
            calling = select(HelpCall.point_id).where(HelpCall.meeting_id == meeting.id)
            invited = session.execute(
                select(Participation.point_id, Participation.unit_id).where(
                    Participation.meeting_id == meeting.id,
                    standing_invitation(),
                    Participation.point_id.not_in(reported),
                    # What was made beside the play stays as it is.
                    Participation.point_id.not_in(calling),
                    Participation.reply != Reply.DECLINED.value,
                    Participation.unit_id.not_in(left_alone),
                )
            )
            silent = dict(invited.all())
            session.execute(delete(ApiToken).where(ApiToken.name == TOKEN_NAME))
            tokens = tokens_for(session, silent, tree.roots[0].id, TOKEN_NAME, now)
            secretary = session.scalars(select(Person.id).where(Person.username == "thuky")).one()
            self.secretary = create_token(session, secretary, TOKEN_NAME, now, 2)
            chance = random.Random(meeting.id)  # noqa: S311 -- a play, not a secret
            steps = plan(sorted(silent), meeting.starts_at, now, chance)
            started = meeting.state == MeetingState.IN_PROGRESS.value
        return [step for step in steps if not (started and step.act == "start")], tokens

    def _do(self, step: Step, tokens: dict[int, str]) -> bool:
        """False once the play is over: told to stop, or the meeting was ended by somebody else."""
        if step.said is not None and step.point_id is not None:
            path = f"/api/v1/meetings/{self.meeting_id}/attendance/{step.point_id}"
            status = self._post(path, tokens[step.point_id], step.said.body())
        else:
            status = self._post(
                f"/api/v1/meetings/{self.meeting_id}/{step.act}", self.secretary, {}
            )
        if status is None:
            return False
        if status >= HTTPStatus.BAD_REQUEST:
            log.info("the demonstration: %s was refused with %s", step, status)
        return not (status == HTTPStatus.CONFLICT and step.said is not None)

    def _post(self, path: str, token: str, body: dict[str, Any]) -> int | None:
        """The status, or None when told to stop before the server answered."""
        while not self.stopping.is_set():
            try:
                return self._ask(path, token, json.dumps(body))
            except (OSError, HTTPException):
                self._hang_up()
                self.stopping.wait(0.2)
        return None

    def _ask(self, path: str, token: str, body: str) -> int:
        if self.connection is None:
            host = self.settings.host
            here = "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 -- asked, not bound
            self.connection = HTTPConnection(here, self.settings.port, timeout=PATIENCE)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self.connection.request("POST", path, body, headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def _hang_up(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()


@asynccontextmanager
async def simulating(app: Litestar) -> AsyncIterator[None]:
    """A part of the running demonstration: the meeting in the state as `demo_meeting` moves."""
    import asyncio

    state = app.state
    play = Simulation(state.database, state.settings, state.demo_meeting, state.demo_pace)
    play.start()
    try:
        yield
    finally:
        await asyncio.to_thread(play.stop)
