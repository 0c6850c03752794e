"""Whatever happens in whatever order, each client holds what `GET …/attendance` answers.

A machine that makes up its own days: check-ins and corrections over the socket and over HTTP, from
devices whose clocks are behind or ahead, repetitions of what was said before on another way, lines that
are cut and resume, the server stopped and started on the same database. `MODEL_EXAMPLES=500` looks for
longer and at random; without it the same few days are lived through every time.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings, strategies
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from litestar import Litestar

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.tokens import create_token
from meetings_server.settings import Settings
from rooms.kernel import utcnow
from tests.factories import City, make_city, scheduled_meeting
from tests.live_lines import Holding, LiveLine, line, of_answer, serving

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
LENGTH = 20
"""Steps of a day."""
SCOPES = (None, "006", "00181")
"""The whole meeting, a district, a single ward."""
WARDS = ("00178", "00181", "00226", "00001")
STATES = ("ready", "present", "lost", "needs_help", "left")
WAYS = ("socket", "HTTP")


class Screen:
    """A client: what it holds stays when its line is cut."""

    def __init__(self, scope: str | None) -> None:
        self.scope = scope
        self.holding = Holding()
        self.open: ExitStack | None = None
        self.line: LiveLine | None = None

    def connect(self, live_url: str, meeting_id: int, token: str) -> None:
        asked = {"scope": self.scope, "after": self.holding.revision}
        query = "&".join(f"{k}={v}" for k, v in asked.items() if v not in {None, -1})
        self.open = ExitStack()
        self.line = self.open.enter_context(
            line(live_url, meeting_id, token=token, query=f"?{query}")
        )
        self.line.holding = self.holding

    def cut(self) -> None:
        if self.open is not None:
            self.open.close()
        self.open = self.line = None


class Day(RuleBasedStateMachine):
    """The rules by which days are made up."""

    app: ClassVar[Litestar]
    template: ClassVar[Path]
    folder: ClassVar[Path]
    city: ClassVar[City]
    meeting_id: ClassVar[int]
    token: ClassVar[str]
    number: ClassVar[int] = 0

    screens = Bundle("screens")
    said = Bundle("said")

    def __init__(self) -> None:
        super().__init__()
        Day.number += 1
        path = self.folder / f"day-{Day.number}.db"
        shutil.copyfile(self.template, path)
        self.settings = Settings(
            data=self.folder / "files",
            database_url=f"sqlite:///{path}",
            secret_key="0123456789abcdef" * 4,
        )
        self.began = utcnow()
        self.all: list[Screen] = []
        self.stack = ExitStack()
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[str]:
        database = Database(self.settings.effective_database_url, [apply_effects])
        self.app.state.database, self.app.state.settings = database, self.settings
        with serving(self.settings, self.app) as url:
            yield url
        database.dispose()

    @initialize(target=screens)
    def begin(self) -> Any:
        self.url = self.stack.enter_context(self.running())
        return multiple(*(self.connect(scope) for scope in SCOPES))

    @rule(target=screens, scope=strategies.sampled_from(SCOPES))
    def connect(self, scope: str | None) -> Screen:
        screen = Screen(scope)
        self.all.append(screen)
        self.resume(screen)
        return screen

    @rule(screen=screens)
    def cut(self, screen: Screen) -> None:
        screen.cut()

    @rule(screen=screens)
    def resume(self, screen: Screen) -> None:
        if screen.line is None:
            live_url = self.url.replace("http://", "ws://")
            screen.connect(live_url, self.meeting_id, self.token)

    @rule()
    def restart(self) -> None:
        for screen in self.all:
            screen.cut()
        self.stack.close()
        self.url = self.stack.enter_context(self.running())

    @rule(
        target=said,
        ward=strategies.sampled_from(WARDS),
        state=strategies.sampled_from(STATES),
        headcount=strategies.sampled_from((None, None, 5, 21)),
        ago=strategies.sampled_from((None, None, 0, -60, 30, 30, 600)),
        way=strategies.sampled_from(WAYS),
    )
    def check_in(
        self, ward: str, state: str, headcount: int | None, ago: int | None, way: str
    ) -> tuple[dict[str, Any], int]:
        message: dict[str, Any] = {"point": self.city.points[ward], "state": state}
        if headcount is not None:
            message["headcount"] = headcount
        if ago is not None:
            observed = (utcnow() if ago <= 0 else self.began) - timedelta(seconds=ago)
            message["observed_at"] = observed.isoformat()
        return message, self.send(message, way)

    @rule(told=said, way=strategies.sampled_from(WAYS))
    def repeat(self, told: tuple[dict[str, Any], int], way: str) -> None:
        """What bears its time is known again; nothing is written twice."""
        message, revision = told
        if "observed_at" in message:
            assert self.send(message, way) == revision

    def send(self, message: dict[str, Any], way: str) -> int:
        screen = next((s for s in self.all if s.line is not None), None)
        if way == "socket" and screen is not None and screen.line is not None:
            answer = screen.line.ask(id=len(screen.line.answers), **message)
            assert answer["type"] == "ack", answer
            return int(answer["revision"])
        body = {key: value for key, value in message.items() if key != "point"}
        answered = self.call("POST", f"/{message['point']}", json=body)
        return int(answered["revision"])

    def call(self, method: str, path: str = "", **options: Any) -> dict[str, Any]:
        answer = httpx.request(
            method,
            f"{self.url}/api/v1/meetings/{self.meeting_id}/attendance{path}",
            headers={"authorization": f"Bearer {self.token}"},
            timeout=60,
            **options,
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @rule()
    def agree(self) -> None:
        """Every open line comes to hold what the call answers, which is what the log comes to."""
        answers = {
            scope: self.call("GET", params={"scope": scope} if scope else {}) for scope in SCOPES
        }
        revision = answers[None]["revision"]
        for screen in self.all:
            if screen.line is not None:
                screen.line.until(revision)
                assert screen.holding.as_answer() == of_answer(answers[screen.scope])
        self.compare_with_log(answers[None])

    def compare_with_log(self, answer: dict[str, Any]) -> None:
        rows = self.call("GET", "/log")["items"]
        assert [row["revision"] for row in rows] == list(range(1, len(rows) + 1))
        assert len({(r["point"], r["observed_at"], r["state"], r["headcount"]) for r in rows}) == (
            len(rows)
        )
        start = datetime.fromisoformat(answer["meeting"]["starts_at"])
        for point in answer["points"]:
            mine = [row for row in rows if row["point"] == point["point"]]
            mine.sort(key=lambda row: (row["observed_at"], row["revision"]))
            assert (point["state"], point["since"], point["headcount"]) == _naive(mine, start)

    @invariant()
    def nothing_goes_back(self) -> None:
        for screen in self.all:
            assert screen.holding.revision >= -1

    def teardown(self) -> None:
        try:
            if self.url:
                for screen in self.all:
                    self.resume(screen)
                self.agree()
        finally:
            for screen in self.all:
                screen.cut()
            self.stack.close()


def _naive(line: list[dict[str, Any]], start: datetime) -> tuple[str, str | None, int | None]:
    """State, since and headcount of a time line, by reading it again from its beginning."""
    if not line:
        return "invited", None, None
    run = len(line) - 1
    while run and line[run - 1]["state"] == line[-1]["state"]:
        run -= 1
    state = line[-1]["state"]
    first = next((row["observed_at"] for row in line if row["state"] == "present"), None)
    if state == "present" and first and datetime.fromisoformat(first) > start:
        state = "late"
    return state, line[run]["observed_at"], line[-1]["headcount"]


@pytest.mark.slow
def test_any_day_leaves_each_client_with_what_the_call_answers(
    migrated_sqlite: Path, tmp_path: Path, application: Litestar
) -> None:
    template = tmp_path / "template.db"
    shutil.copyfile(migrated_sqlite, template)
    database = Database(f"sqlite:///{template}", [apply_effects])
    now = utcnow()
    with database.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(
            session, city, now - timedelta(hours=1), starts_at=now - timedelta(minutes=5)
        )
        Day.meeting_id = meeting.id
        Day.token = create_token(session, city.actors["kythuat"].person_id, "model", now)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    Day.city, Day.template, Day.folder, Day.app = city, template, tmp_path, application
    run_state_machine_as_test(
        Day,
        settings=settings(
            max_examples=EXAMPLES or 4,
            stateful_step_count=LENGTH,
            derandomize=not EXAMPLES,
            deadline=None,
            database=None,
            # A day takes a second: making a failing one shorter is for those who look for longer.
            phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
