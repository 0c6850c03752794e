"""The one writer: everybody is answered, what was accepted is committed, one bad row stays alone."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import event, func, select, text

from meetings_server.database import Database
from meetings_server.live.group_commit import ServerStopping, TooManyAtOnce
from meetings_server.live.hints import CHANNEL
from meetings_server.live.writer import CheckInWriter
from rooms.attendance import AttendanceEntry, CheckIn, Source
from rooms.bridge_points import UnknownPoint
from rooms.check_ins import record_check_in
from rooms.kernel import utcnow
from tests.conftest import SignIn
from tests.factories import City, make_city, make_hanoi, scheduled_meeting


@pytest.fixture
def city_day(db: Database) -> tuple[City, int]:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=10))
    return city, meeting.id


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def said(city: City, meeting_id: int, code: str, state: str = "present", **facts: Any) -> CheckIn:
    by = facts.pop("recorded_by", city.secretary.person_id)
    point = facts.pop("point_id", city.points[code])
    return CheckIn(meeting_id, point, state, by, Source.API, **facts)


def test_what_waits_is_committed_together_and_told_once(
    db: Database, city_day: tuple[City, int], loop: asyncio.AbstractEventLoop
) -> None:
    city, meeting_id = city_day
    told: list[dict[int, int]] = []
    commits: list[object] = []

    def count(connection: object) -> None:
        commits.append(connection)

    event.listen(db.engine, "commit", count)
    writer = CheckInWriter(db, loop, told.append)
    # Accepted before it starts: all of it waits.
    futures = [writer.submit(said(city, meeting_id, code)) for code in city.points]
    on_loop: list[Any] = []
    writer.submit_on_loop(said(city, meeting_id, "00181", "lost"), on_loop.append)
    writer.start()
    revisions = [future.result(10) for future in futures]
    writer.stop()
    event.remove(db.engine, "commit", count)
    assert revisions == list(range(1, 10))
    assert told == [{meeting_id: 10}]
    assert len(commits) == 1
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
    assert on_loop == [10]


def test_refusals_and_broken_rows_stay_alone(
    db: Database, city_day: tuple[City, int], loop: asyncio.AbstractEventLoop
) -> None:
    city, meeting_id = city_day
    writer = CheckInWriter(db, loop, lambda _: None)
    good = writer.submit(said(city, meeting_id, "00181"))
    unknown = writer.submit(said(city, meeting_id, "00181", point_id=999_999))
    # A person that the database does not know breaks the whole statement.
    broken = writer.submit(said(city, meeting_id, "00178", recorded_by=999_999))
    after = writer.submit(said(city, meeting_id, "00226"))
    writer.start()
    assert good.result(10) == 1
    assert after.result(10) == 2
    assert isinstance(unknown.exception(10), UnknownPoint)
    assert "FOREIGN KEY" in str(broken.exception(10)).upper()
    writer.stop()
    with db.reader() as session:
        assert len(session.scalars(select(AttendanceEntry)).all()) == 2


def test_stopping_commits_what_was_accepted_and_takes_no_more(
    db: Database, city_day: tuple[City, int], loop: asyncio.AbstractEventLoop
) -> None:
    city, meeting_id = city_day
    writer = CheckInWriter(db, loop, lambda _: None)
    futures = [
        writer.submit(said(city, meeting_id, code, state))
        for state in ("ready", "present", "lost") * 50
        for code in city.points
    ]
    writer.start()
    writer.stop()
    assert max(future.result(0) for future in futures) == len(futures)
    with pytest.raises(ServerStopping):
        writer.submit(said(city, meeting_id, "00181"))


def test_a_full_queue_refuses_instead_of_growing(
    db: Database,
    city_day: tuple[City, int],
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("meetings_server.live.group_commit.MOST_WAITING", 2)
    city, meeting_id = city_day
    writer = CheckInWriter(db, loop, lambda _: None)
    kept = [writer.submit(said(city, meeting_id, code)) for code in ("00181", "00178")]
    with pytest.raises(TooManyAtOnce):
        writer.submit(said(city, meeting_id, "00226"))
    writer.start()
    assert [future.result(10) for future in kept] == [1, 2]
    writer.stop()


def test_the_line_works_behind_any_server(
    client: TestClient[Litestar], city_day: tuple[City, int], sign_in: SignIn
) -> None:
    """Without our protocol in the scope the frames go through ASGI's own `send`."""
    city, meeting_id = city_day
    sign_in(city.actors["truc.vanmieu"].person_id)
    with client.websocket_connect(f"/live/meetings/{meeting_id}") as phone:
        assert [phone.receive_json()["type"] for _ in range(2)] == ["snapshot", "pass"]
        point = city.points["00181"]
        phone.send_text(
            json.dumps({"type": "check_in", "id": 1, "point": point, "state": "present"})
        )
        kinds = {frame["type"]: frame for frame in (phone.receive_json(), phone.receive_json())}
        assert kinds["ack"] == {"type": "ack", "id": 1, "revision": 1}
        assert kinds["changes"]["points"][0][:2] == [point, "present"]


def test_the_roster_of_the_whole_city_takes_few_statements(
    client: TestClient[Litestar], db: Database, sign_in: SignIn
) -> None:
    now = utcnow()
    with db.transaction() as session:
        city = make_hanoi(session, now)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=10))
    sign_in(city.secretary.person_id)
    url = f"/live/meetings/{meeting.id}/roster"
    client.get(url)
    told: list[str] = []

    def count(*arguments: object) -> None:
        told.append(str(arguments[2]))

    event.listen(db.engine, "before_cursor_execute", count)
    answer = client.get(url)
    event.remove(db.engine, "before_cursor_execute", count)
    statements = [statement for statement in told if not statement.startswith("BEGIN")]
    assert len(answer.json()["points"]) == 632
    assert len(statements) <= 10


def test_the_listener_comes_back_after_a_cut(
    client: TestClient[Litestar], db: Database, city_day: tuple[City, int], sign_in: SignIn
) -> None:
    if not db.is_postgresql:
        pytest.skip("only PostgreSQL notifies")
    city, meeting_id = city_day
    sign_in(city.secretary.person_id)
    other = Database(db.url)
    listeners = text(
        "SELECT count(*), count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    deadline = time.monotonic() + 10
    cut = 0
    while not cut and time.monotonic() < deadline:
        with other.connection() as connection:
            cut = connection.execute(listeners).one()[0]
    assert cut == 1
    with client.websocket_connect(f"/live/meetings/{meeting_id}") as board:
        assert board.receive_json()["type"] == "snapshot"
        # What another process writes and announces is seen again once the listener is back.
        with other.connection() as connection:
            record_check_in(connection, said(city, meeting_id, "00181"), utcnow())
            connection.execute(select(func.pg_notify(CHANNEL, f"{meeting_id}:1")))
        seen = board.receive_json(timeout=10)
        while seen["type"] in ("pass", "heartbeat", "notice"):
            seen = board.receive_json(timeout=10)
        assert (seen["type"], seen["revision"]) == ("changes", 1)
    other.dispose()
