"""The board with 31,097 points while changes stream in: right, searchable, and a whole day long."""

import json
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from meetings_server.database import Database
from meetings_server.identity.sessions import COOKIE, open_session
from meetings_server.identity.tokens import create_token
from meetings_server.migrations import migrate
from rooms.attendance import CheckIn, Source
from rooms.check_ins import record_check_ins
from rooms.kernel import utcnow
from rooms.meetings import Participation
from rooms.people import Person
from tests import programs
from tests.browsing import Visitor, assert_accessible
from tests.nation import POINTS, make_nation, national_meeting
from tests.programs import Program

EARLY, LATE = 400, 300
"""Points that came an hour and half an hour ago."""


@dataclass
class Nation:
    """A running server with the nation's meeting, and who watches it."""

    program: Program
    database: Database
    meeting_id: int
    points: list[int]
    codes: list[str]
    cookie: str
    token: str
    now: datetime

    def ask(self, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 -- http on 127.0.0.1
            f"{self.program.url}/api/v1/meetings/{self.meeting_id}{path}",
            json.dumps(body).encode() if body is not None else None,
            {"authorization": f"Bearer {self.token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            told: dict[str, Any] = json.load(answer)
            return told

    def open(self, visitor: Visitor, query: str = "", width: int = 1440) -> Page:
        page = visitor.open(base_url=self.program.url, width=width)
        page.context.add_cookies([{"name": COOKIE, "value": self.cookie, "url": self.program.url}])
        page.goto(f"/meetings/{self.meeting_id}/board{query}")
        expect(page.locator("#board")).to_have_attribute("data-ready", "drawn")
        expect(page.locator("#line-chip")).to_have_attribute("data-line", "live")
        return page


@pytest.fixture(scope="module")
def nation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nation]:
    folder = tmp_path_factory.mktemp("nation")
    url = f"sqlite:///{folder / 'meetings.db'}"
    migrate(url)
    database, now = Database(url), utcnow()
    with database.transaction() as session:
        made = make_nation(session, now)
        meeting = national_meeting(session, made, now)
        token = create_token(session, made.secretary.person_id, "test", now)
        secretary = session.get_one(Person, made.secretary.person_id)
        cookie = open_session(session, secretary, now, 12)
    points = list(made.points.values())
    with database.connection() as connection:
        connection.execute(update(Participation).values(invited_at=now - timedelta(days=1)))
        for several, minutes in ((points[:EARLY], 60), (points[EARLY : EARLY + LATE], 30)):
            said = [
                CheckIn(
                    meeting.id,
                    point_id,
                    "present",
                    made.secretary.person_id,
                    Source.PAGE,
                    headcount=4,
                    observed_at=now - timedelta(minutes=minutes),
                )
                for point_id in several
            ]
            record_check_ins(connection, said, now)
        connection.commit()
    program = programs.start(
        ["serve"], folder, {"database_url": url, "data": str(folder), "log_level": "warning"}
    )
    program.wait_until_ready(seconds=120)
    yield Nation(program, database, meeting.id, points, list(made.points), cookie, token, now)
    database.dispose()
    program.stop()


def shown(page: Page) -> dict[str, int]:
    """The figures of the page by state, `all` and `there` with them."""
    told = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("[data-total]")]
               .map((each) => [each.dataset.total, Number(each.textContent.replace(/\\D/g, ""))]))"""
    )
    assert isinstance(told, dict)
    return told


def assert_counts_are_the_apis(page: Page, nation: Nation, query: str = "") -> None:
    truth = nation.ask(f"/attendance{query}")
    states = [point["state"] for point in truth["points"]]
    figures = shown(page)
    assert figures["all"] == len(states) == POINTS
    for state in ("needs_help", "lost", "late", "present", "ready", "left", "invited"):
        assert figures[state] == states.count(state), state
    counted = {row["unit"]: row for row in truth["rollup"]}
    rows = page.evaluate(
        """() => [...document.querySelectorAll("#groups tbody tr")].map((row) => [row.dataset.group,
               ...["present", "invited"].map((name) => Number(
                 row.querySelector(`[data-n=${name}]`).textContent.replace(/\\D/g, "")))])"""
    )
    provinces = [row for row in rows if row[0] in counted]
    assert len(provinces) == 34
    assert [row[1:] for row in provinces] == [
        [counted[code]["present"], counted[code]["invited"]] for code, *_ in provinces
    ]


def stream(nation: Nation, changes: int) -> threading.Thread:
    """Check-ins one after the other, as they come from the provinces."""
    states = ("present", "ready", "lost", "left")

    def run() -> None:
        for number in range(changes):
            point = nation.points[EARLY + LATE + 31 * number]
            nation.ask(f"/attendance/{point}", {"state": states[number % 4], "headcount": 3})

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_nation_is_shown_while_it_moves(visitor: Visitor, nation: Nation) -> None:
    board = nation.open(visitor)
    assert shown(board)["there"] == EARLY + LATE
    moving = stream(nation, 120)
    # Searched without diacritics while the figures move; only the rows that are seen are nodes.
    board.locator("#filter-words").fill("hoa sua 7.")
    expect(board.locator("#list-rows tr").first).to_contain_text("Hoa Sữa 7")
    found = int(board.locator("[data-list-count]").inner_text())
    assert 5 < found < 500
    assert board.locator("#list-rows tr").count() < 60
    board.locator("#filter-words").fill("")
    board.locator("[data-list=all]").click()
    expect(board.locator("[data-list-count]")).to_have_text("31.097")
    assert board.locator("#list-rows tr").count() < 60
    board.locator("#list-scroll").evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
    expect(board.locator('#list-rows tr[aria-rowindex="31098"]')).to_be_visible()
    # From the nation to a ward and back; what is shown stands in the address.
    board.locator('[data-filter-group="02"]').click()
    board.locator('[data-filter-group="02-03"]').click()
    expect(board.locator("#map-crumbs")).to_have_text(
        re.compile("Tỉnh Phượng Vĩ.*Huyện Phượng Vĩ 3")
    )
    assert "area=02-03" in board.url
    board.locator("#map").focus()
    board.keyboard.press("Escape")
    expect(board.locator("#map-crumbs [aria-current]")).to_have_text("Tỉnh Phượng Vĩ")
    board.locator("#map-crumbs button").first.click()
    expect(board.locator("#groups tbody tr")).to_have_count(35)
    box = board.locator("#map").bounding_box()
    assert box
    board.mouse.dblclick(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.2)
    expect(board.locator("#map-crumbs [aria-current]")).to_contain_text("Tỉnh")
    board.locator("#map-crumbs button").first.click()
    moving.join()
    board.locator("[data-list-state=lost]").click()
    expect(board.locator("[data-list-count]")).to_have_text("30")
    assert_counts_are_the_apis(board, nation)
    # A reload shows the same; so does a colleague's screen with the address.
    colleague = nation.open(visitor, "?list=lost&q=phuong+vi", width=390)
    assert colleague.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(colleague.locator("[data-list-title]")).to_have_text("Mất kết nối")
    assert colleague.locator("#filter-words").input_value() == "phuong vi"


def test_the_day_is_shown_as_it_was(visitor: Visitor, nation: Nation) -> None:
    then = (nation.now - timedelta(minutes=45)).isoformat(timespec="seconds")
    query = urllib.parse.urlencode({"at": then})
    board = nation.open(visitor, f"?{query}")
    expect(board.locator("#past-bar")).to_be_visible()
    assert shown(board)["there"] == EARLY
    assert_counts_are_the_apis(board, nation, f"?{query}")
    slider = board.locator("#board-day input[type=range]")
    slider.evaluate(
        """(slider) => { slider.value = 0; slider.dispatchEvent(new Event("input", { bubbles: true })); }"""
    )
    expect(board.locator('[data-total="there"]')).to_have_text("0")
    board.locator("#past-now").click()
    expect(board.locator("#past-bar")).to_be_hidden()
    expect(board.locator("#day-clock")).to_have_text("Hiện tại")
    assert shown(board)["there"] >= EARLY + LATE
    assert board.locator("#board-day path.day-area").first.get_attribute("d")
    # All that the list shows are reminded after one question, and not again at once.
    board.locator("#filter-words").fill("hoa sua 7.")
    expect(board.locator("#list-rows tr").first).to_contain_text("Hoa Sữa 7.")
    board.locator("#remind-all").click()
    expect(board.locator("#question-dialog")).to_contain_text("đơn vị sẽ được nhắc")
    board.locator("#question-dialog [data-answer-yes]").click()
    expect(board.locator("#list-rows tr").first).to_contain_text("Nguyễn Thu Hà")
    expect(board.locator("#list-rows [data-remind]")).to_have_count(0)
    assert_accessible(board)
    # A hall sees figures only: 40 mm on a wall two metres wide are read from ten metres away.
    board.locator("#hall-button").click()
    expect(board.locator(".topbar")).to_be_hidden()
    expect(board.locator("#point-list")).to_be_hidden()
    expect(board.locator("html")).to_have_class(re.compile(r"\bstill\b"))
    there = board.locator('[data-total="there"]')
    assert there.evaluate("(figure) => figure.getBoundingClientRect().height") > 90
    assert board.evaluate("document.documentElement.scrollHeight <= innerHeight")


@pytest.mark.slow
@pytest.mark.usefixtures("chromium")
def test_the_load_program_of_the_board_runs_small() -> None:
    """It starts a browser of its own, so it runs as those who measure run it."""
    small = ["--points", "300", "--rate", "50", "--seconds", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.load.board", *small],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert len(re.findall(r" frames/s, ", done.stdout)) == 4, done.stdout
