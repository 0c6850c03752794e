"""The board in a browser while a nation checks in: frames a second, time to load, memory.

    python -m tests.load.board --points 31097 --rate 500 --seconds 10

Starts the program on SQLite in a temporary folder, makes a nation with so many bridge points, opens the
board of their meeting in the installed Chromium (without a graphics card, as a screen on a wall may be),
and lets points check in over one socket while the page counts its own frames: at rest, while somebody
zooms with the wheel, inside a province, and with the whole list searched. Server, browser and this
program share the machine's cores.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from websockets.asyncio.client import connect

from meetings_server.database import Database
from meetings_server.identity.sessions import COOKIE, open_session
from meetings_server.identity.tokens import create_token
from meetings_server.migrations import migrate
from rooms.kernel import utcnow
from rooms.people import Person
from tests import programs
from tests.browsing import FLAGS, installed_chromium
from tests.nation import POINTS, make_nation, national_meeting

STATES = ("present", "present", "present", "ready", "lost", "present", "left")
TICK = 0.02
TICKS = os.sysconf("SC_CLK_TCK")
COUNT_FRAMES = """() => {
  window.counting = { gaps: [], long: 0 };
  new PerformanceObserver((list) => { window.counting.long += list.getEntries().length; })
    .observe({ entryTypes: ["longtask"] });
  let before = performance.now();
  requestAnimationFrame(function frame(now) {
    window.counting.gaps.push(now - before);
    before = now;
    requestAnimationFrame(frame);
  });
}"""


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` in check-ins a second; each of the four scenes takes `seconds`."""

    points: int = POINTS
    rate: int = 500
    seconds: float = 10.0


@dataclass
class Scene:
    """Frames of a scene. Gaps in ms; `changes`: check-ins committed meanwhile."""

    name: str
    frames_per_second: float
    gap_p95_ms: float
    worst_gap_ms: float
    long_tasks: int
    cpu_per_frame_ms: float
    """Of all processes of the browser, painting included: what tells on a busy machine."""
    changes: int


@dataclass
class Figures:
    """What was measured. Times in seconds, memory in MiB, sizes in KiB as they went over the line."""

    first_paint_s: float = 0.0
    drawn_s: float = 0.0
    again_drawn_s: float = 0.0
    heap_mib: float = 0.0
    roster_kib: float = 0.0
    right: bool = False
    """Whether the board says at the end what `GET …/attendance` answers."""
    scenes: list[Scene] = field(default_factory=list)


@dataclass
class Seeded:
    """A nation in a database file, with a meeting and who may watch and check in."""

    url: str
    meeting_id: int
    points: list[int]
    cookie: str
    token: str


def seed(folder: Path, points: int) -> Seeded:
    """About half a minute of a core for 31,097 points at most."""
    url = f"sqlite:///{folder / 'meetings.db'}"
    migrate(url)
    database = Database(url)
    now = utcnow()
    with database.transaction() as session:
        nation = make_nation(session, now, points)
        meeting = national_meeting(session, nation, now)
        token = create_token(session, nation.actors["kythuat"].person_id, "board", now)
        secretary = session.get_one(Person, nation.secretary.person_id)
        cookie = open_session(session, secretary, now, 12)
    database.dispose()
    return Seeded(url, meeting.id, list(nation.points.values()), cookie, token)


class CheckIns(threading.Thread):
    """Checks points in at a rate over one socket, until told to stop."""

    def __init__(self, live_url: str, seeded: Seeded, rate: int) -> None:
        super().__init__()
        self.live_url, self.seeded, self.rate = live_url, seeded, rate
        self.acked, self.sent = 0, -1
        self.ending = threading.Event()

    def run(self) -> None:
        asyncio.run(self._check_in())

    async def _check_in(self) -> None:
        self.all_answered = asyncio.Event()
        chance = random.Random(7)  # noqa: S311 -- which points move does not matter
        async with connect(
            f"{self.live_url}/live/meetings/{self.seeded.meeting_id}",
            additional_headers={"Authorization": f"Bearer {self.seeded.token}"},
            compression=None,
            max_size=None,
            max_queue=None,
        ) as socket:
            reading = asyncio.create_task(self._read(socket))
            began, sent = time.perf_counter(), 0
            while not self.ending.is_set():
                await asyncio.sleep(TICK)
                while sent < (time.perf_counter() - began) * self.rate:
                    sent += 1
                    said = {
                        "type": "check_in",
                        "id": str(sent),
                        "point": chance.choice(self.seeded.points),
                        "state": chance.choice(STATES),
                        "headcount": chance.randint(1, 30),
                    }
                    await socket.send(json.dumps(said))
            self.sent = sent
            if self.acked == sent:
                self.all_answered.set()
            await self.all_answered.wait()
            reading.cancel()

    async def _read(self, socket: object) -> None:
        async for text in socket:  # type: ignore[attr-defined]  # websockets' own connection
            if text.startswith(('{"type":"ack"', '{"type":"error"')):
                self.acked += 1
                if self.acked == self.sent:
                    self.all_answered.set()

    def stop(self) -> None:
        self.ending.set()
        self.join()


@contextmanager
def board(program: programs.Program, seeded: Seeded) -> Iterator[Page]:
    """A page at 1440 × 900, logged in as the nation's secretary."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=installed_chromium(), args=[*FLAGS, "--enable-precise-memory-info"]
        )
        context = chromium.new_context(
            base_url=program.url, viewport={"width": 1440, "height": 900}, locale="vi-VN"
        )
        context.add_cookies([{"name": COOKIE, "value": seeded.cookie, "url": program.url}])
        yield context.new_page()
        chromium.close()


def open_board(page: Page, seeded: Seeded) -> tuple[float, float]:
    """Seconds to the first paint, and until all is drawn and live."""
    began = time.perf_counter()
    page.goto(f"/meetings/{seeded.meeting_id}/board", wait_until="commit")
    page.wait_for_selector("#board[data-ready=drawn]", timeout=120_000)
    page.wait_for_selector("#line-chip[data-line=live]", timeout=120_000)
    drawn = time.perf_counter() - began
    painted = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    )
    return painted / 1000, drawn


def browser_cpu() -> float:
    """Seconds of CPU of everything that this process has started, but for the server's own Python."""
    own, found = os.getpid(), 0.0
    spent: dict[int, tuple[int, float, str]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            name, _, rest = (folder / "stat").read_text().rpartition(")")
        except OSError:
            continue  # it has ended meanwhile
        columns = rest.split()
        spent[int(folder.name)] = (
            int(columns[1]),
            (int(columns[11]) + int(columns[12])) / TICKS,
            name.partition("(")[2],
        )
    for pid, (_, seconds, name) in spent.items():
        above = pid
        while above in spent and above != own:
            above = spent[above][0]
        if above == own and name.startswith("chrom"):
            found += seconds
    return found


def watch(page: Page, name: str, plan: Plan, moving: CheckIns) -> Scene:
    """Count frames while check-ins arrive; in the scene `zoom` the wheel turns meanwhile."""
    before, cpu = moving.acked, browser_cpu()
    page.evaluate("window.counting.gaps = []; window.counting.long = 0")
    until = time.monotonic() + plan.seconds
    turn = 0
    while time.monotonic() < until:
        if name == "zoom":
            page.mouse.wheel(0, -120 if turn % 40 < 20 else 120)
            turn += 1
            page.wait_for_timeout(40)
        else:
            page.wait_for_timeout(min(500, plan.seconds * 100))
    counted = page.evaluate("window.counting")
    gaps = sorted(counted["gaps"])
    return Scene(
        name,
        1000 * len(gaps) / sum(gaps),
        gaps[int(len(gaps) * 0.95)],
        gaps[-1],
        counted["long"],
        1000 * (browser_cpu() - cpu) / len(gaps),
        moving.acked - before,
    )


def play(page: Page, plan: Plan, moving: CheckIns) -> list[Scene]:
    """The whole nation, the wheel, a province, a search."""
    page.evaluate(COUNT_FRAMES)
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    assert box
    scenes = [watch(page, "nation", plan, moving)]
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.3)
    scenes.append(watch(page, "zoom", plan, moving))
    page.locator("#groups [data-filter-group]:not([data-filter-group^=level])").first.click()
    scenes.append(watch(page, "province", plan, moving))
    page.locator("#map-crumbs button").first.click()
    page.fill("#filter-words", "hoa sua 3")
    scenes.append(watch(page, "search", plan, moving))
    page.fill("#filter-words", "")
    return scenes


def says_the_truth(page: Page, seeded: Seeded) -> bool:
    """Whether each count of the page is what the server counts."""
    return bool(
        page.evaluate(
            """async (meeting) => {
              const truth = await (await fetch(`/meetings/${meeting}/board/instant?at=${
                encodeURIComponent(new Date().toISOString())}`)).json();
              const counts = {};
              for (const [, state] of truth.points) counts[state] = (counts[state] ?? 0) + 1;
              const shown = (name) => Number(document.querySelector(
                `#legend [data-total="${name}"]`).textContent.replace(/\\D/g, ""));
              return ["present", "late", "lost", "ready", "left", "invited"]
                .every((state) => shown(state) === (counts[state] ?? 0));
            }""",
            seeded.meeting_id,
        )
    )


def measure(plan: Plan, folder: Path) -> Figures:
    """Seed, serve, open, watch. Needs a Chromium."""
    seeded = seed(folder, plan.points)
    program = programs.start(
        ["serve"], folder, {"database_url": seeded.url, "data": str(folder), "log_level": "warning"}
    )
    figures = Figures()
    try:
        program.wait_until_ready()
        with board(program, seeded) as page:
            sizes: list[int] = []
            page.on(
                "requestfinished",
                lambda request: (
                    sizes.append(request.sizes()["responseBodySize"])
                    if request.url.endswith("/roster")
                    else None
                ),
            )
            figures.first_paint_s, figures.drawn_s = open_board(page, seeded)
            moving = CheckIns(program.live_url, seeded, plan.rate)
            moving.start()
            try:
                figures.scenes = play(page, plan, moving)
            finally:
                moving.stop()
            page.wait_for_timeout(1500)
            figures.right = says_the_truth(page, seeded)
            figures.heap_mib = page.evaluate("performance.memory.usedJSHeapSize") / 2**20
            figures.roster_kib = sizes[0] / 1024 if sizes else 0.0
            _, figures.again_drawn_s = open_board(page, seeded)
    finally:
        program.stop()
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=POINTS, help="bridge points, one a unit")
    parser.add_argument("--rate", type=int, default=500, help="check-ins a second")
    parser.add_argument("--seconds", type=float, default=10, help="of each of the four scenes")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="board-") as folder:
        figures = measure(Plan(told.points, told.rate, told.seconds), Path(folder))
    print(f"first paint                  {figures.first_paint_s:,.2f} s")
    print(
        f"drawn and live               {figures.drawn_s:,.2f} s, again {figures.again_drawn_s:,.2f} s"
    )
    print(f"names, units, coordinates    {figures.roster_kib:,.0f} KiB")
    print(f"heap of the page             {figures.heap_mib:,.0f} MiB")
    for scene in figures.scenes:
        print(
            f"{scene.name:<12} {scene.frames_per_second:5.1f} frames/s, gap p95 "
            f"{scene.gap_p95_ms:4.0f} ms, worst {scene.worst_gap_ms:5.0f} ms, "
            f"CPU {scene.cpu_per_frame_ms:4.1f} ms a frame, {scene.long_tasks} long tasks, "
            f"{scene.changes:,} changes"
        )
    print(f"says what the server counts  {'yes' if figures.right else 'NO'}")
    return 0 if figures.right else 1


if __name__ == "__main__":
    sys.exit(main())
