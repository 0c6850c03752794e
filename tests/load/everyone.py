"""Finding time for every point of a city and of a nation, and booking them all, as programs do over HTTP.

    python -m tests.load.everyone [--points 632 11372] [--bookings 200] [--runs 7] [--url sqlite:///…]

Each point is held `--bookings` times in four weeks, by one of two meetings that share all points between
them, drawn anew each time. Printed are milliseconds, the median of the runs: the best two-hour windows in
the function (`rooms.slots`) in those weeks, what of that is arithmetic, and with the empty week after them;
the first over HTTP; booking all points behind the filled weeks, sending the invitation, and being refused
with the next free start.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.tokens import create_token
from meetings_server.migrations import migrate
from rooms.booking import Occupancy
from rooms.kernel import CIVIL_ZONE, utcnow
from rooms.meetings import Meeting, MeetingKind, MeetingState
from rooms.slots import (
    Margins,
    Window,
    best_windows,
    office_starts,
    points_held,
    read_calendar,
)
from tests import programs
from tests.factories import City
from tests.nation import make_nation

WEEKS = timedelta(weeks=4)
LENGTH = timedelta(hours=2)
MOST = 10
FIRST_ID = 1_000_000
"""Far from the ids that the database gives to what is booked."""
SEED = 7


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with a full calendar."""

    url: str
    nation: City
    token: str
    first_day: datetime


def fill(url: str, points: int, bookings: int) -> Filled:
    """The nation and its calendar, from tomorrow on."""
    migrate(url)
    database = Database(url, [apply_effects])
    now = utcnow()
    midnight = now.astimezone(CIVIL_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    first_day = midnight + timedelta(days=1)
    with database.transaction() as session:
        nation = make_nation(session, now, points)
        secretary = nation.actors["thuky"].person_id
        token = create_token(session, secretary, "load", now)
    chance = random.Random(SEED)  # noqa: S311 -- a made-up calendar
    step = WEEKS / bookings
    with database.connection() as connection:
        for number in range(bookings):
            starts_at = first_day + number * step
            ids = (FIRST_ID + 2 * number, FIRST_ID + 2 * number + 1)
            connection.execute(
                insert(Meeting), [_meeting(nation, meeting, starts_at, now) for meeting in ids]
            )
            connection.execute(
                insert(Occupancy),
                [
                    {
                        "meeting_id": chance.choice(ids),
                        "point_id": point,
                        "starts_at": starts_at,
                        "ends_at": starts_at + LENGTH,
                    }
                    for point in nation.points.values()
                ],
            )
    database.dispose()
    return Filled(url, nation, token, first_day)


def _meeting(nation: City, meeting_id: int, starts_at: datetime, now: datetime) -> dict[str, Any]:
    return {
        "id": meeting_id,
        "uid": f"load-{meeting_id}",
        "title": f"Họp số {meeting_id}",
        "folded": f"hop so {meeting_id}",
        "kind": MeetingKind.THEMATIC.value,
        "state": MeetingState.SCHEDULED.value,
        "host_unit_id": nation.units["VN"],
        "main_point_id": nation.points["VN"],
        "chair_id": nation.actors["lanhdao"].person_id,
        "starts_at": starts_at,
        "ends_at": starts_at + LENGTH,
        "timezone": "Asia/Ho_Chi_Minh",
        "setup_minutes": 0,
        "clearing_minutes": 0,
        "audience": [],
        "created_by": nation.actors["thuky"].person_id,
        "created_at": now,
    }


@contextmanager
def serving(filled: Filled, folder: Path) -> Iterator[httpx.Client]:
    """The server, and its secretary's program."""
    settings = {"database_url": filled.url, "data": str(folder), "log_level": "warning"}
    server = programs.start(["serve"], folder, settings)
    try:
        server.wait_until_ready()
        with httpx.Client(
            base_url=f"{server.url}/api/v1",
            headers={"authorization": f"Bearer {filled.token}"},
            timeout=120,
        ) as client:
            yield client
    finally:
        server.stop()


def in_the_function(filled: Filled, runs: int) -> dict[str, float]:
    """Milliseconds, by what was asked."""
    database = Database(filled.url)
    points = list(filled.nation.points.values())
    since, until = filled.first_day, filled.first_day + WEEKS
    with database.reader() as session:
        calendar = read_calendar(session, points, since, until)
        held = points_held(session, calendar.meetings, points)

        def find(latest: datetime) -> list[Window]:
            return best_windows(session, points, LENGTH, since, latest, zone=CIVIL_ZONE, most=MOST)

        def choose() -> list[Window]:
            starts = office_starts(since, until, LENGTH, CIVIL_ZONE)
            return calendar.ranked(starts, LENGTH, Margins(), MOST, lambda _: held)

        assert choose() == find(until)
        found = {
            "best windows of full weeks": measure(lambda: find(until), runs),
            "what of it is arithmetic": measure(choose, runs),
            "best windows, the week after too": measure(
                lambda: find(until + timedelta(days=7)), runs
            ),
        }
    database.dispose()
    return found


def over_http(filled: Filled, client: httpx.Client, runs: int) -> dict[str, float]:
    everybody = [{"include": "subtree", "unit": "VN"}]
    behind = filled.first_day + WEEKS + timedelta(days=7, hours=9)
    days = iter(range(1_000))

    def find() -> None:
        asked = {
            "audience": everybody,
            "duration_minutes": LENGTH // timedelta(minutes=1),
            "earliest": filled.first_day.isoformat(),
            "latest": (filled.first_day + WEEKS).isoformat(),
            "main_point": filled.nation.points["VN"],
        }
        _answer(client.post("/meetings/slots", json=asked), 200)

    def book(starts_at: datetime) -> httpx.Response:
        said = {
            "title": "Hội nghị toàn quốc",
            "kind": MeetingKind.CONFERENCE.value,
            "host_unit": "VN",
            "main_point": filled.nation.points["VN"],
            "chair": filled.nation.actors["lanhdao"].person_id,
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + LENGTH).isoformat(),
            "audience": everybody,
        }
        return client.post("/meetings", json=said)

    booked: list[int] = []

    def book_all() -> None:
        made = _answer(book(behind + timedelta(days=next(days))), 201)
        booked.append(made["id"])

    def invite() -> None:
        _answer(client.post(f"/meetings/{booked.pop(0)}/schedule", json={}), 200)

    def refused() -> None:
        told = _answer(book(behind), 409)
        assert told["code"] == "booking_conflict", told

    return {
        "best windows over HTTP, full weeks": measure(find, runs),
        "book all points": measure(book_all, runs + 1),
        "send the invitation": measure(invite, runs),
        "a clash, with the next start": measure(refused, runs),
    }


def _answer(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def measure(work: Callable[[], object], runs: int) -> float:
    """Milliseconds, the median; the first run is not counted."""
    figures = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        figures.append(1000 * (time.perf_counter() - began))
    return statistics.median(figures[1:] or figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, nargs="+", default=[632, 11_372])
    parser.add_argument("--bookings", type=int, default=200, help="of each point in four weeks")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--url", help="an empty database, for one number of points")
    told = parser.parse_args()
    for points in told.points:
        with tempfile.TemporaryDirectory(prefix="everyone-") as name:
            folder = Path(name)
            filled = fill(told.url or f"sqlite:///{folder / 'load.db'}", points, told.bookings)
            found = in_the_function(filled, told.runs)
            with serving(filled, folder) as client:
                found |= over_http(filled, client, told.runs)
        for what, milliseconds in found.items():
            print(f"{points:>6,} points  {what:<34} {milliseconds:9.1f} ms", flush=True)


if __name__ == "__main__":
    main()
