"""What is asked of the log of a nation's meeting: who is there, who was there then, the rows.

    python -m tests.load.log_questions --points 31097 --rounds 3

Each point says something in each round, some of it out of order; then the questions are timed in the
functions, and every state, now and at instants in between, is compared with a plain fold of the log.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.attendance import AttendanceEntry, CheckIn, Source, log_after
from rooms.check_ins import record_check_ins
from rooms.hierarchy import load_tree
from rooms.kernel import utcnow
from rooms.known_states import Memory
from rooms.meetings import Meeting
from rooms.presence import time_lines
from rooms.rollup import Scope, attendance, state_at
from rooms.time_line import counts_over
from tests.load.days import seed

T = TypeVar("T")
STATES = ("ready", "present", "lost", "present", "needs_help", "left")
BATCH = 700


def speak(database: Database, meeting_id: int, points: list[int], rounds: int) -> datetime:
    """Let every point say something in every round, a minute apart; gives when it began."""
    chance = random.Random(7)  # noqa: S311 -- the same day every time
    memory = Memory()
    began = utcnow()
    for number in range(rounds):
        now = began + timedelta(minutes=number + 1)
        for first in range(0, len(points), BATCH):
            batch = [
                CheckIn(
                    meeting_id,
                    point,
                    STATES[number % len(STATES)],
                    None,
                    Source.LIVE,
                    chance.randint(1, 40),
                    observed_at=now - timedelta(seconds=chance.randint(0, 100)),
                )
                for point in points[first : first + BATCH]
            ]
            with database.connection() as connection:
                outcomes = record_check_ins(connection, batch, now, memory)
            refused = [outcome for outcome in outcomes if not isinstance(outcome, int)]
            assert not refused, refused[0]
    return began


def compare(session: Session, meeting_id: int, at: datetime | None) -> int:
    """States as the function tells them and as the rows come to; gives how many points there are."""
    lines: dict[int, list[AttendanceEntry]] = defaultdict(list)
    for row in log_after(session, meeting_id, 0, 10_000_000):
        if row.point_id is not None and (at is None or row.observed_at <= at):
            lines[row.point_id].append(row)
    told = state_at(session, meeting_id, at)
    for point in told:
        line = sorted(lines.get(point.point_id, []), key=lambda r: (r.observed_at, r.revision))
        expected = (line[-1].state, line[-1].headcount) if line else ("invited", None)
        assert (point.state, point.headcount) == expected, (point, expected)
    return len(told)


def timed(what: str, ask: Callable[[], T]) -> T:
    began, cpu = time.perf_counter(), time.process_time()
    answer = ask()
    spent = time.perf_counter() - began
    print(f"{what:<34} {spent * 1000:10,.0f} ms {(time.process_time() - cpu) * 1000:10,.0f} ms CPU")
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=31_097)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="log-questions-") as folder:
        url = f"sqlite:///{Path(folder) / 'log.db'}"
        meeting_id, points, _ = seed(url, told.points)
        database = Database(url)
        began = timed("writing", lambda: speak(database, meeting_id, points, told.rounds))
        middle = began + timedelta(minutes=told.rounds / 2)
        with database.reader() as session:
            meeting = session.get_one(Meeting, meeting_id)
            tree = timed("the tree", lambda: load_tree(session, meeting.day))
            for what, at in (("now", None), ("then", middle)):
                found = timed(
                    f"attendance with roll-up, {what}",
                    lambda at=at: attendance(session, meeting, Scope(), at=at, tree=tree),  # type: ignore[misc]  # bound now
                )
                print(f"{'':<4}{len(found.points):,} points, {len(found.rollup.units):,} units")
            timed("1,000 rows of the log", lambda: log_after(session, meeting_id, 40_000, 1000))
            timed("every point's time line", lambda: time_lines(session, meeting_id))
            timed(
                "counts at 241 instants",
                lambda: counts_over(
                    session, meeting, since=began, until=began + timedelta(minutes=told.rounds)
                ),
            )
            for at in (None, middle, began + timedelta(seconds=30)):
                count = compare(session, meeting_id, at)
            print(f"every state is what the rows come to, {count:,} points, three instants")
        database.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
