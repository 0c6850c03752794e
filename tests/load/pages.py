"""Server time and statements of the pages that show many units, with 2,000 meetings in the calendar.

    python -m tests.load.pages [--meetings 2000] [--runs 9] [--url sqlite:///…]

Asks the application in this process for the tree, the calendar with a month of events, and the first
frame of a board of 632 points (page and roster), as the city's secretary. Prints milliseconds for the
whole request, the largest number of SQL statements, and the size of the answer.
"""

import argparse
import logging
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from litestar.testing import TestClient
from sqlalchemy import func, select

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.demo.seed import seed
from meetings_server.effects import apply_effects
from meetings_server.identity.sessions import COOKIE, open_session
from meetings_server.migrations import migrate
from meetings_server.settings import Settings
from rooms.catalogue import read_shipped
from rooms.kernel import utcnow
from rooms.meetings import Participation
from rooms.people import Person
from tests.counting import counted
from tests.load.booking import fill


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--meetings", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--url", help="an empty database; a SQLite file otherwise")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'load.db'}"
        migrate(url)
        database = Database(url, [apply_effects])
        now = utcnow()
        seed(database, read_shipped("hanoi-2021"), now)
        fill(database, arguments.meetings, now)
        measure(database, Settings(data=Path(folder)), arguments.runs)
        database.dispose()


def measure(database: Database, settings: Settings, runs: int) -> None:
    now = utcnow()
    with database.transaction() as session:
        secretary = session.scalars(select(Person).where(Person.username == "thuky")).one()
        secret = open_session(session, secretary, now, 1)
        largest = session.scalars(
            select(Participation.meeting_id)
            .group_by(Participation.meeting_id)
            .order_by(func.count().desc())
            .limit(1)
        ).one()
    start, end = (now - timedelta(days=15)), (now + timedelta(days=27))
    month = f"start={start:%Y-%m-%dT%H:%M:%SZ}&end={end:%Y-%m-%dT%H:%M:%SZ}"
    paths = [
        "/units",
        "/units?q=dong+da",
        "/meetings",
        f"/meetings/events?{month}",
        "/meetings/new",
        f"/meetings/{largest}",
        f"/meetings/{largest}/board",
        f"/live/meetings/{largest}/roster",
        "/",
    ]
    print(f"{'page':<34} {'median':>9} {'max':>9} {'statements':>11} {'KiB':>7}")
    with TestClient(create_app(settings, database)) as client:
        logging.getLogger("httpx").setLevel(logging.WARNING)
        client.cookies.set(COOKIE, secret)
        for path in paths:
            client.get(path).raise_for_status()  # the first request reads the template
            times, counts, size = [], [], 0
            for _ in range(runs):
                with counted(database) as statements:
                    began = time.perf_counter()
                    answer = client.get(path)
                    times.append(1000 * (time.perf_counter() - began))
                answer.raise_for_status()
                counts.append(len(statements))
                size = len(answer.content)
            shown = path.partition("?")[0] if "start=" in path else path
            print(
                f"{shown:<34} {statistics.median(times):6.1f} ms {max(times):6.1f} ms"
                f" {max(counts):>11} {size / 1024:>7.1f}"
            )


if __name__ == "__main__":
    main()
