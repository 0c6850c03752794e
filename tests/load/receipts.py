"""Receipts of one message over HTTP, as the pages of a nation send them within seconds.

    python tests/load/receipts.py [--points 1000] [--clients 24]

Sends a message to all points of a city, then one receipt for each over kept connections with the cookie of
a technician who may check all of them in. Prints receipts per
second, the server's CPU for each, how long an answer took, and how long the same take in the domain alone.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.sessions import COOKIE, open_session
from meetings_server.migrations import migrate
from rooms.host_messages import NewMessage, send
from rooms.kernel import civil_day, utcnow
from rooms.message_receipts import Receipt, one_sent, record_receipts
from rooms.people import Person
from rooms.policies import Actor
from tests import programs
from tests.factories import ALL, make_hanoi, scheduled_meeting

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=24)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'load.db'}"
        migrate(url)
        database = Database(url, [apply_effects])
        meeting_id, points, secret = prepare(database)
        points = (points * (arguments.points // len(points) + 1))[: arguments.points]
        messages = write(database, meeting_id, 1 + len(points) // 600)
        program = programs.start(["serve"], folder, {"database_url": url})
        try:
            program.wait_until_ready()
            measure(program, meeting_id, points, messages, secret, arguments.clients)
        finally:
            program.stop()
        domain(database, messages[-1], points)
        with database.reader() as session:
            shown = sum(one_sent(session, meeting_id, each).shown for each in messages)
        print(f"kept {shown} receipts of {len(messages)} messages")
        database.dispose()


def prepare(database: Database) -> tuple[int, list[int], str]:
    now = utcnow()
    with database.transaction() as session:
        city = make_hanoi(session, now - timedelta(days=10))
        meeting = scheduled_meeting(
            session,
            city,
            now - timedelta(days=9),
            starts_at=now + timedelta(minutes=20),
            audience=list(ALL),
        )
        person = session.get_one(Person, city.actors["kythuat"].person_id)
        secret = open_session(session, person, now, 1)
        own = [point for code, point in city.points.items() if code != "01"]
        return meeting.id, own, secret


def write(database: Database, meeting_id: int, count: int) -> list[int]:
    now = utcnow()
    with database.transaction() as session:
        person = session.scalars(select(Person).where(Person.username == "thuky")).one()
        actor = Actor(person.id, person.name, person.unit_id)
        return [
            send(session, actor, meeting_id, NewMessage(f"Tin {n}"), now, civil_day(now)).id
            for n in range(count)
        ]


def measure(
    program: programs.Program,
    meeting_id: int,
    points: list[int],
    messages: list[int],
    secret: str,
    clients: int,
) -> None:
    place = urlsplit(program.url)

    def one_client(mine: list[tuple[int, int]]) -> list[float]:
        line = HTTPConnection(place.hostname or "", place.port, timeout=60)
        line.request("GET", "/login", headers={"cookie": f"{COOKIE}={secret}"})
        answer = line.getresponse()
        answer.read()
        token = (
            (answer.getheader("set-cookie") or "").partition("meetings_csrf=")[2].partition(";")[0]
        )
        headers = {
            "cookie": f"{COOKIE}={secret}; meetings_csrf={token}",
            "x-csrftoken": token,
            "x-enhanced": "part",
            "content-type": "application/x-www-form-urlencoded",
        }
        times = []
        for point, message in mine:
            began = time.perf_counter()
            body = urlencode({"shown": message})
            line.request("POST", f"/check-in/{meeting_id}/{point}/receipts", body, headers)
            answer = line.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"answered {answer.status}")
            times.append(time.perf_counter() - began)
        line.close()
        return times

    work = [(point, messages[number // 631]) for number, point in enumerate(points)]
    parts = [work[n::clients] for n in range(clients)]
    before, began = cpu_seconds(program.process.pid), time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        times = sorted(spent for part in threads.map(one_client, parts) for spent in part)
    took = time.perf_counter() - began
    spent = cpu_seconds(program.process.pid) - before
    print(
        f"HTTP     {len(times):>6} receipts {len(times) / took:8.0f}/s"
        f" {1e6 * spent / len(times):8.0f} µs CPU each, answered in"
        f" {1000 * times[len(times) // 2]:.0f} ms (p99 {1000 * times[int(0.99 * len(times))]:.0f} ms)"
    )


def domain(database: Database, message_id: int, points: list[int]) -> None:
    """A batch of the writer, as it commits what has gathered."""
    receipts = [
        Receipt(message_id, point, None, acknowledged=True) for point in dict.fromkeys(points)
    ]
    began = time.process_time()
    with database.connection() as connection:
        record_receipts(connection, receipts, utcnow())
    spent = time.process_time() - began
    print(
        f"batch    {len(receipts):>6} receipts {len(receipts) / spent:8.0f}/s"
        f" {1e6 * spent / len(receipts):8.0f} µs CPU each"
    )


if __name__ == "__main__":
    main()
