"""A restart with everybody connected: all come back with their rights and resume where they were.

    python -m tests.load.herd --sockets 19500
    python -m tests.load.herd --sockets 15000 --check-ins 0    # the price of coming back alone

A nation with a ward's point, an operator and a login for each socket. All watch their own point, check-ins come
in, the server is told to stop and started again, further check-ins come in while the operators return
as browsers do: spread over ten seconds after a line was closed, and after the seconds that a busy server
names. At the end each of them must hold what the database has for their point. Printed are how long it
took until all were back, the CPU of a handshake with rights and resume, how many were sent away with a
time to come back, how many answers a person would have seen as an error (none), and the memory of a
connection.
"""

import argparse
import json
import resource
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, select
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.tokens import EVERYTHING, ApiToken, create_token
from meetings_server.live.lines import TOO_MANY
from meetings_server.migrations import migrate
from rooms.attendance import PointState
from rooms.hierarchy import Unit
from rooms.kernel import civil_day, utcnow
from rooms.people import Person, Role, RoleGrant
from tests import programs
from tests.load.known_visitors import digest, known_visitor, settings_of
from tests.load.lines import Lines, Opened, Visitor
from tests.load.processes import cpu_seconds, resident
from tests.nation import make_nation, national_meeting

SPREAD = 10.0
"""Clients come back over so many seconds."""
PATIENCE = 240.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many come back; check-ins before the restart and while they return."""

    sockets: int = 2000
    check_ins: int = 500


@dataclass
class Figures:
    """CPU in microseconds."""

    sockets: int
    back_seconds: float
    """From the moment at which the server answers again until the last is back."""
    handshake_cpu: float
    first_handshake_cpu: float
    """When all came for the first time, each with a pass, to a snapshot."""
    memory_kib: float
    sent_away: int
    refused: int
    """Attempts before the server was up again."""
    errors: int
    right: int
    """Lines that hold what the database has for their point."""


@dataclass(frozen=True, slots=True)
class Day:
    """What was prepared."""

    url: str
    meeting_id: int
    points: list[int]
    """In the order of the visitors."""
    visitors: list[Visitor]
    operator: str
    """The token of somebody who may check in every point."""


def prepare(url: str, sockets: int) -> Day:
    """A nation, a meeting of all, an operator with a token and a pass for each point."""
    migrate(url)
    database = Database(url, [apply_effects])
    now = utcnow()
    with database.transaction() as session:
        # Every ward has an operator who watches; those above them are a twentieth.
        nation = make_nation(session, now, sockets + sockets // 10 + 800)
        meeting = national_meeting(session, nation, now)
        operator = create_token(session, nation.actors["kythuat"].person_id, "herd", now)
        wards = select(Unit.code, Unit.id).where(Unit.level == "ward").order_by(Unit.position)
        units = session.execute(wards.limit(sockets)).all()
    today = civil_day(now)
    shown = {code: f"mt_{secrets.token_urlsafe(32)}" for code, _ in units}
    with database.connection() as connection:
        connection.execute(
            insert(Person),
            [
                {
                    "username": f"truc.{code.lower()}",
                    "name": f"Trực {code}",
                    "folded": f"truc {code.lower()}",
                    "title": "",
                    "unit_id": unit_id,
                }
                for code, unit_id in units
            ],
        )
        people = connection.execute(
            select(Unit.code, Unit.id, Person.id, Person.name)
            .join(Person, Person.unit_id == Unit.id)
            .where(Person.username.like("truc.%"))
            .order_by(Unit.position)
        ).all()
        connection.execute(
            insert(RoleGrant),
            [
                {
                    "person_id": person_id,
                    "unit_id": unit_id,
                    "role": Role.TECHNICIAN.value,
                    "valid_from": today - timedelta(days=1),
                }
                for _, unit_id, person_id, _ in people
            ],
        )
        connection.execute(
            insert(ApiToken),
            [
                {
                    "secret_hash": digest(shown[code]),
                    "person_id": person_id,
                    "name": "herd",
                    "created_at": now,
                    "expires_at": now + timedelta(days=1),
                    "last_seen_at": now,
                    "scopes": EVERYTHING,
                }
                for code, _, person_id, _ in people
            ],
        )
    database.dispose()
    visitors = [
        known_visitor(meeting.id, shown[code], person_id, (unit_id, code), today)
        for code, unit_id, person_id, _ in people
    ]
    points = [nation.points[code] for code, *_ in people]
    return Day(url, meeting.id, points, visitors, operator)


def check_in(server: programs.Program, day: Day, state: str, count: int) -> int:
    """Let so many points say something over one socket, which comes back when sent away."""
    while True:
        try:
            return _check_in(server, day, state, count)
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code != TOO_MANY:
                raise
            time.sleep(float(closed.rcvd.reason))


def _check_in(server: programs.Program, day: Day, state: str, count: int) -> int:
    if not count:
        return 0
    step = max(1, len(day.points) // count)
    last = 0
    with connect(
        f"{server.live_url}/live/meetings/{day.meeting_id}",
        additional_headers={"Authorization": f"Bearer {day.operator}"},
        compression=None,
        max_size=None,
        max_queue=None,
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
    ) as operator:
        asked = day.points[::step]
        for number, point in enumerate(asked):
            said = {"type": "check_in", "id": number, "point": point, "state": state}
            operator.send(json.dumps(said))
        answered = 0
        while answered < len(asked):
            answer = json.loads(operator.recv(timeout=PATIENCE))
            if answer["type"] == "ack":
                answered += 1
                last = max(last, answer["revision"])
            assert answer["type"] != "error", answer
    return last


def right_lines(day: Day, lines: Lines) -> int:
    """How many lines hold what the database has for their point."""
    database = Database(day.url)
    with database.reader() as session:
        states = dict(
            session.execute(
                select(PointState.point_id, PointState.state).where(
                    PointState.meeting_id == day.meeting_id
                )
            ).all()
        )
    database.dispose()
    held: list[bytes] = lines.ask("held")
    right = 0
    for point, row in zip(day.points, held, strict=True):
        told = json.loads(b"[" + row + b"]") if row else [point, "invited"]
        right += told[:2] == [point, states.get(point, "invited")]
    return right


def measure(plan: Plan, folder: Path) -> Figures:
    """Everybody in, a restart, everybody back."""
    day = prepare(f"sqlite:///{folder / 'herd.db'}", plan.sockets)
    settings = settings_of(day.url, folder)
    server = programs.start(["serve"], folder, settings)
    with Lines() as lines:
        try:
            server.wait_until_ready()
            port = int(server.url.rpartition(":")[2])
            address = ("127.0.0.1", port)
            lines.open(address, day.visitors[:1], returning=True)
            pid = server.process.pid
            cpu, memory = cpu_seconds(pid), resident(pid)
            others = day.visitors[1:]
            lines.open(address, others, returning=True, at_once=400, patience=PATIENCE)
            first_cpu = (cpu_seconds(pid) - cpu) / len(others)
            per_connection = (resident(pid) - memory) / len(others)
            check_in(server, day, "present", plan.check_ins)
            _until_all_right(day, lines)
            lines.ask("recount")
            server.stop()
            server = programs.start(["serve"], folder, settings, port=port)
            server.wait_until_ready()
            began = time.monotonic()
            cpu = cpu_seconds(server.process.pid)
            check_in(server, day, "lost", plan.check_ins)
            opened: Opened = lines.wait_for(len(day.visitors), PATIENCE)
            back = time.monotonic() - began
            spent = (cpu_seconds(server.process.pid) - cpu) / len(day.visitors)
            right = _until_all_right(day, lines)
        finally:
            server.stop()
    return Figures(
        sockets=opened.lines,
        back_seconds=back,
        handshake_cpu=spent * 1e6,
        first_handshake_cpu=first_cpu * 1e6,
        memory_kib=per_connection / 1024,
        sent_away=opened.sent_away,
        refused=opened.refused,
        errors=len(opened.errors),
        right=right,
    )


def _until_all_right(day: Day, lines: Lines) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        right = right_lines(day, lines)
        if right == len(day.visitors) or time.monotonic() > deadline:
            return right
        time.sleep(1)


def main() -> int:
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sockets", type=int, default=usual.sockets)
    parser.add_argument("--check-ins", type=int, default=usual.check_ins, help="each time")
    told = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="herd-") as folder:
        found = measure(Plan(told.sockets, told.check_ins), Path(folder))
    print(f"sockets                                {found.sockets:>10,}")
    print(f"all back after, s                      {found.back_seconds:>10.1f}")
    print(f"CPU of coming back, µs                 {found.handshake_cpu:>10.0f}")
    print(f"CPU of the first handshake, µs         {found.first_handshake_cpu:>10.0f}")
    print(f"memory of a connection, KiB            {found.memory_kib:>10.1f}")
    print(f"sent away with a time to come back     {found.sent_away:>10,}")
    print(f"refused while nobody listened          {found.refused:>10,}")
    print(f"answers that look like an error        {found.errors:>10,}")
    print(f"lines with the right state of a point  {found.right:>10,}")
    return 0 if found.right == found.sockets and not found.errors else 1


if __name__ == "__main__":
    sys.exit(main())
