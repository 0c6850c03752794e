"""The readiness board of 31,097 points beside that of 632: its page, its filters, its files.

    python -m tests.load.readiness [--points 31097] [--small 632, 0 for none] [--runs 5]

Lets seven of ten points of a made-up nation have tested, then asks as a technician of the host for the
board, its last page, a narrowed list, a province, and the files. Prints the median of the computing in
each whole request, and the number of SQL statements, which must be the same for both.
"""

import argparse
import logging
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.demo.line_tests import seed_line_tests
from meetings_server.effects import apply_effects
from meetings_server.identity.sessions import COOKIE, open_session
from meetings_server.migrations import migrate
from meetings_server.settings import Settings
from rooms.kernel import utcnow
from rooms.people import Person
from tests.counting import counted
from tests.nation import make_nation, national_meeting

TESTED = 0.7
QUESTIONS = {
    "board": "",
    "last page": "?page={last}",
    "problems of sound": "?item=sound",
    "by a name": "?q=xa+1",
    "CSV": "/points.csv",
    "XLSX": "/points.xlsx",
}


def ask(points: int, runs: int) -> dict[str, tuple[float, int]]:
    """What is asked → median of the computing in ms, statements."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/meetings.db"
        migrate(url)
        database = Database(url, [apply_effects])
        now = utcnow()
        with database.transaction() as session:
            nation = make_nation(session, now - timedelta(days=30), points)
            meeting = national_meeting(session, nation, now)
            seed_line_tests(session, meeting.id, meeting.created_by, now, TESTED)
            person = session.get_one(Person, nation.actors["kythuat"].person_id)
            secret = open_session(session, person, now, 12)
        settings = Settings(data=Path(folder), database_url=url, secret_key="0" * 64)
        with TestClient(create_app(settings, database)) as client:
            client.cookies.set(COOKIE, secret)
            board = f"/meetings/{meeting.id}/readiness"
            return {
                name: _measured(client, database, board + more.format(last=points // 100), runs)
                for name, more in QUESTIONS.items()
            }


def _measured(
    client: TestClient[Litestar], database: Database, path: str, runs: int
) -> tuple[float, int]:
    client.get(path).raise_for_status()
    took, statements = [], 0
    for _ in range(runs):
        begun = time.process_time()
        with counted(database) as seen:
            client.get(path).raise_for_status()
        took.append((time.process_time() - begun) * 1000)
        statements = len(seen)
    return statistics.median(took), statements


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--points", type=int, default=31_097)
    arguments.add_argument("--small", type=int, default=632)
    arguments.add_argument("--runs", type=int, default=5)
    asked = arguments.parse_args()
    logging.disable(logging.INFO)
    for points in filter(None, (asked.small, asked.points)):
        print(f"{points:,} points")
        for name, (took, statements) in ask(points, asked.runs).items():
            print(f"  {name:20} {took:9.0f} ms {statements:6} statements")


if __name__ == "__main__":
    main()
