"""Reports: one meeting of 31,097 points with 100,000 rows of log, and a year of 900 meetings.

    python -m tests.load.reports [--points 31097] [--rows 100000] [--meetings 900] [--url sqlite:///…]

Prints seconds of computing for the counts over the day, the report of the meeting, its workbook and
its paper, the summing up, and the pages of a year of Hà Nội (579 wards in each meeting) with the number
of statements of each. `--url` is an empty database for the year.
"""

import argparse
import logging
import random
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from litestar.testing import TestClient
from sqlalchemy import func, insert, select, update

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.demo.past import PastMeeting, write_history
from meetings_server.effects import apply_effects
from meetings_server.identity.sessions import COOKIE, open_session
from meetings_server.migrations import migrate
from meetings_server.settings import Settings
from meetings_server.sweeps.summaries import sweep
from meetings_server.web.report_files import attendance_workbook, meeting_workbook
from meetings_server.web.report_meeting import read_report
from minutes.reporting import meeting_report_pdf
from rooms.attendance import AttendanceEntry, AttendanceHead, Source, entry_row
from rooms.attendance_reports import attendance_report
from rooms.hierarchy import load_tree, subtree_of
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, MeetingKind
from rooms.people import Person
from rooms.periods import Span, period_of
from rooms.quorum import QuorumRule
from rooms.summaries import PointSummary, sum_up, write_summary
from rooms.time_line import counts_over, day_of
from tests.counting import counted
from tests.factories import City, make_hanoi
from tests.nation import make_nation

YEAR_OF_WARDS = 579


def told(what: str, work: Callable[[], object], note: str = "") -> object:
    """Do it, and print how long it computed and took."""
    clock, computing = time.perf_counter(), time.process_time()
    done = work()
    print(
        f"{what:<34} computing {time.process_time() - computing:7.2f} s"
        f"   clock {time.perf_counter() - clock:7.2f} s   {note}"
    )
    return done


def past_meeting(city: City, starts_at: object, level_points: list[tuple[int, int]]) -> PastMeeting:
    """A meeting of the whole with everybody's usual habits."""
    return PastMeeting(
        "Hội nghị trực tuyến",
        MeetingKind.CONFERENCE,
        level_points[0][0],
        city.chair.person_id,
        city.secretary.person_id,
        starts_at,  # type: ignore[arg-type]  # a datetime
        timedelta(hours=2),
        level_points,
        0.08,
        0.15,
        0.2,
    )


def nation(database: Database, points: int, rows: int) -> tuple[City, int]:
    """One meeting of yesterday with so many rows of log."""
    now = utcnow()
    with database.transaction() as session:
        city = make_nation(session, now, points)
        pairs = [(city.units[code], point) for code, point in city.points.items()]
        starts = (now - timedelta(days=1)).replace(hour=2, minute=0, second=0, microsecond=0)
        [meeting_id] = write_history(session, [past_meeting(city, starts, pairs)])
        # Lines that come and go until the log is as long as asked for.
        chance = random.Random(3)  # noqa: S311 -- a made-up day
        entry = AttendanceEntry
        there = list(
            session.scalars(select(entry.point_id).where(entry.meeting_id == meeting_id).distinct())
        )
        revision = (
            session.scalar(select(func.max(entry.revision)).where(entry.meeting_id == meeting_id))
            or 0
        )
        more: list[dict[str, Any]] = []
        while revision + len(more) < rows:
            point_id, minute = chance.choice(there), chance.uniform(25, 100)
            for state, at in (("lost", minute), ("present", minute + chance.uniform(1, 9))):
                moment = starts + timedelta(minutes=at)
                more.append(
                    entry_row(
                        meeting_id,
                        revision + len(more) + 1,
                        point_id,
                        state,
                        moment,
                        moment,
                        headcount=5,
                        source=Source.API.value,
                    )
                )
        if more:
            connection = session.connection()
            connection.execute(insert(AttendanceEntry), more)
            connection.execute(
                update(AttendanceHead)
                .where(AttendanceHead.meeting_id == meeting_id)
                .values(revision=revision + len(more))
            )
    print(f"nation: {len(pairs)} points, {revision + len(more)} rows of log")
    return city, meeting_id


def measure_nation(database: Database, city: City, meeting_id: int) -> None:
    now = utcnow()
    with database.reader() as session:
        meeting = session.get_one(Meeting, meeting_id)
        load_tree(session, meeting.day)
        since, until = day_of(meeting, now)
        told(
            "counts over the day, 240 steps",
            lambda: counts_over(session, meeting, since=since, until=until, steps=240),
        )
        report = told(
            "report of the meeting",
            lambda: read_report(session, city.secretary, meeting_id, QuorumRule(), now),
        )
    told("its workbook", lambda: meeting_workbook(report))  # type: ignore[arg-type]  # what was read
    paper = told("its paper", lambda: meeting_report_pdf(report))  # type: ignore[arg-type]
    print(f"{'':<34} {len(paper) // 1024} KiB of PDF")  # type: ignore[arg-type]
    with database.reader() as session:
        summary = told("summing it up (reading)", lambda: sum_up(session, meeting_id, now))
    with database.transaction() as session:
        told("summing it up (writing)", lambda: write_summary(session, summary, now))  # type: ignore[arg-type]


def year(database: Database, meetings: int) -> City:
    """A year of meetings with all wards."""
    now = utcnow()
    first = period_of(Span.YEAR, civil_day(now)).starts_at
    last = now - timedelta(days=1)
    with database.transaction() as session:
        city = make_hanoi(session, now)
        tree = load_tree(session, civil_day(now))
        wards = [node for node in tree.by_id.values() if node.level == "ward"][:YEAR_OF_WARDS]
        pairs = [(city.units["01"], city.points["01"])]
        pairs += [(node.id, city.points[node.code]) for node in wards]
        for number in range(meetings):
            starts = first + (last - first) * number / meetings
            write_history(session, [past_meeting(city, starts, pairs)], number)
    return city


def measure_year(database: Database, city: City, folder: Path) -> None:
    now = utcnow()

    def sum_all() -> None:
        while sweep(database, now):
            pass

    told("summing up the year", sum_all)
    with database.reader() as session:
        rows = session.scalar(select(func.count()).select_from(PointSummary))
        units = subtree_of(city.units["01"], civil_day(now))
        print(f"year: {rows} invitations")
        whole = period_of(Span.YEAR, civil_day(now))
        report = told("year in the function", lambda: attendance_report(session, units, whole))
    told("its workbook", lambda: attendance_workbook(report))  # type: ignore[arg-type]
    with database.transaction() as session:
        person = session.get_one(Person, city.secretary.person_id)
        secret = open_session(session, person, now, 1)
    first = whole.first + timedelta(days=10)
    with TestClient(create_app(Settings(data=folder), database)) as client:
        client.cookies.set(COOKIE, secret)
        for path in (
            "/reports",
            "/reports/attendance",
            "/reports/attendance?unit=006",
            f"/reports/attendance?from={first}&to={civil_day(now)}",
            "/reports/attendance?span=week",
            "/reports/attendance/list?which=late",
            "/reports/coverage",
            "/reports/coverage/list",
        ):
            client.get(path).raise_for_status()
            with counted(database) as statements:
                told(path, lambda path=path: client.get(path).raise_for_status())  # type: ignore[misc]
            print(f"{'':<34} statements {len(statements)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=31_097)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--meetings", type=int, default=900)
    parser.add_argument("--url", help="an empty database for the year; a SQLite file otherwise")
    arguments = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stem in ("nation", "year"):
            url = f"sqlite:///{folder / stem}.db"
            if stem == "year" and arguments.url:
                url = arguments.url
            migrate(url)
            database = Database(url, [apply_effects])
            if stem == "nation":
                city, meeting_id = nation(database, arguments.points, arguments.rows)
                measure_nation(database, city, meeting_id)
            else:
                measure_year(database, year(database, arguments.meetings), folder)
            database.dispose()


if __name__ == "__main__":
    main()
