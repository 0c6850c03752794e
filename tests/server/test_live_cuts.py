"""What becomes of lines when clients lag, servers stop, and there are too many of either."""

import os
import socket
from contextlib import ExitStack
from datetime import timedelta
from itertools import cycle, islice
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import delete
from websockets.exceptions import ConnectionClosed

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.live.gate import Gate
from meetings_server.live.hub import Pace
from meetings_server.live.writer import CheckInWriter
from meetings_server.settings import Settings
from rooms.attendance import CheckIn, Source
from rooms.kernel import record, utcnow
from rooms.notices import EVERYTHING, MeetingNotice
from rooms.people import RoleGrant
from tests.factories import City, make_city, scheduled_meeting
from tests.live_lines import PATIENCE, LiveLine, Served, closing_code, line, of_answer, serving


@pytest.fixture
def city_day(db: Database) -> tuple[City, int]:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=10))
    return city, meeting.id


def test_too_many_lines_are_told_to_come_back(
    settings: Settings, db: Database, city_day: tuple[City, int]
) -> None:
    app = create_app(settings, db)
    app.state.live_pace = Pace(most_lines=1)
    with serving(settings, app) as url:
        served = Served(url, app, db, *city_day)
        token = served.token("thuky")
        with line(served.live_url, served.meeting_id, token=token) as board:
            board.next_of("snapshot")
            assert closing_code(served, token=token) == 1013
    # The place is free again once the first has left: see `Hub.lines`.


def narrow(url: str) -> socket.socket:
    """A connection whose client end takes little before it is read."""
    parts = urlsplit(url)
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    end.connect((parts.hostname, parts.port))
    return end


def shrink(line: Any) -> None:
    """Give a line the smallest buffers, so that little fills them."""
    line._transport.set_write_buffer_limits(high=2_000, low=0)
    server_end = line._transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(server_end.fileno())) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)


def test_a_client_that_does_not_read_gets_a_fresh_snapshot(
    settings: Settings, db: Database, city_day: tuple[City, int]
) -> None:
    app = create_app(settings, db)
    app.state.live_pace = Pace(tick=0.01, lag_check=0.1)
    with serving(settings, app) as url:
        city, meeting_id = city_day
        served = Served(url, app, db, city, meeting_id)
        secretary = served.token("thuky")
        with (
            line(served.live_url, served.meeting_id, token=served.token("kythuat")) as busy,
            line(
                served.live_url, served.meeting_id, token=secretary, max_queue=1, sock=narrow(url)
            ) as asleep,
        ):
            person = served.city.secretary.person_id
            asleep.next_of("snapshot")
            busy.next_of("snapshot")
            hub = app.state.live.hub
            (found,) = hub._rooms.values()
            room = found.result()
            for subscriber in room.subscribers[""]:
                shrink(subscriber.line)
            points = list(served.city.points.values())
            states = cycle(("ready", "present", "lost", "needs_help"))
            last = 0

            def report() -> int:
                said = [
                    CheckIn(meeting_id, point, state, person, Source.API)
                    for state in islice(states, 4)
                    for point in points
                ]
                writer: CheckInWriter = app.state.live.writer
                return max(f.result(PATIENCE) for f in [writer.submit(one) for one in said])

            # Frames pile up in the sockets first, then in the server.
            while not room.laggards and last < 60_000:
                last = report()
            assert room.laggards, f"{last} check-ins did not fill the line"
            (laggard,) = room.laggards
            waiting = laggard.line._transport.get_write_buffer_size()
            busy.until(report())
            last = report()
            busy.until(last)
            assert laggard.line._transport.get_write_buffer_size() <= waiting
            asleep.until(last)
            kinds = [frame["type"] for frame in asleep.frames]
            assert kinds.count("snapshot") >= 2
            assert asleep.holding.as_answer() == of_answer(served.attendance("thuky"))


def test_a_restart_closes_with_1012_and_keeps_what_was_accepted(
    settings: Settings, db: Database, city_day: tuple[City, int]
) -> None:
    point = city_day[0].points["00181"]
    with serving(settings, app := create_app(settings, db)) as url:
        served = Served(url, app, db, *city_day)
        token = served.token("truc.vanmieu")
        opened = line(served.live_url, served.meeting_id, token=token)
        phone = opened.__enter__()
        phone.next_of("snapshot")
        assert phone.ask(id=1, point=point, state="present")["revision"] == 1
    with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 -- frames may come first
        while True:
            phone.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    with serving(settings, app := create_app(settings, db)) as url:
        served = Served(url, app, db, *city_day)
        with line(served.live_url, served.meeting_id, token=token, query="?after=0") as phone:
            frame = phone.receive()
            assert (frame["type"], frame["revision"]) == ("changes", 1)
            # What was not acknowledged is sent again, and counts once.
            again = phone.ask(id=1, point=point, state="present")
            assert again["revision"] == 1


def test_two_servers_on_one_postgresql_see_each_other(
    settings: Settings, db: Database, city_day: tuple[City, int]
) -> None:
    if not db.is_postgresql:
        pytest.skip("several processes need PostgreSQL")
    other = Database(db.url, db.effects)
    here, beside = create_app(settings, db), create_app(settings, other)
    # No heartbeat heals a lost hint.
    here.state.live_pace = beside.state.live_pace = Pace(heartbeat=3600)
    with serving(settings, here) as url, serving(settings, beside) as other_url:
        served = Served(url, here, db, *city_day)
        there = Served(other_url, here, other, *city_day)
        with line(there.live_url, served.meeting_id, token=served.token("thuky")) as board:
            board.next_of("snapshot")
            board.until(served.check_in("00181", "present"))
    other.dispose()


def test_a_notice_reaches_those_who_watch_its_units(
    settings: Settings, db: Database, city_day: tuple[City, int]
) -> None:
    city, meeting_id = city_day
    # On PostgreSQL half of the watchers are at another server.
    other = Database(db.url, db.effects) if db.is_postgresql else db
    with ExitStack() as stack:
        app = create_app(settings, db)
        url = stack.enter_context(serving(settings, app))
        other_url = url
        if other is not db:
            stack.callback(other.dispose)
            other_url = stack.enter_context(serving(settings, create_app(settings, other)))
        served = Served(url, app, db, city, meeting_id)
        there = Served(other_url, app, other, city, meeting_id)
        lines = {
            name: stack.enter_context(line(server.live_url, meeting_id, token=served.token(name)))
            for name, server in [
                ("thuky", there),
                ("thuky.dongda", served),
                ("truc.vanmieu", there),
            ]
        }
        for each in lines.values():
            each.next_of("snapshot")
        ward, district = city.units["00181"], city.units["006"]
        sent = [
            MeetingNotice(meeting_id, "help", [ward], {"id": 7, "wish": "mất tiếng"}),
            MeetingNotice(meeting_id, "solved", [district]),
            MeetingNotice(meeting_id, "decision"),
            # More units than a hint between servers can name: then it goes to all, without facts.
            MeetingNotice(
                meeting_id, "message", [district, *range(10**6, 10**6 + 2_000)], {"id": 1}
            ),
        ]
        for notice in sent:
            with db.transaction() as session:
                record(session, notice)
        with pytest.raises(ZeroDivisionError), db.transaction() as session:  # noqa: PT012 -- what is recorded before is lost
            record(session, MeetingNotice(meeting_id, "never"))
            raise ZeroDivisionError
        last = served.check_in("00178", "present")
        all_kinds = ["help", "solved", "decision", "message"]
        ward_kinds = ["help", "decision"] if other is db else ["help", "decision", "message"]
        told: dict[str, list[dict[str, Any]]] = {}
        for name, each in lines.items():
            each.until(last)
            expected = ward_kinds if name == "truc.vanmieu" else all_kinds
            told[name] = told_by(each)
            while len(told[name]) < len(expected):
                each.receive()
                told[name] = told_by(each)
            assert [notice["kind"] for notice in told[name]] == expected
    first = {"type": "notice", "kind": "help", "id": 7, "wish": "mất tiếng", "wait": 0}
    assert told["thuky"][0] == told["truc.vanmieu"][0] == first
    assert ("id" in told["thuky"][3]) == (other is db)


def told_by(line: LiveLine) -> list[dict[str, Any]]:
    """The notices but those that stand for any that were missed, as a listener starts."""
    return [notice for notice in line.notices if notice["kind"] != EVERYTHING]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_pass_is_worth_its_login_and_its_right(
    settings: Settings, db: Database, city_day: tuple[City, int]
) -> None:
    app = create_app(settings, db)
    app.state.live_pace = Pace(calm=0.2)
    with serving(settings, app) as url:
        served = Served(url, app, db, *city_day)
        token = served.token("thuky.dongda")
        with line(served.live_url, served.meeting_id, token=token) as board:
            board.next_of("snapshot")
            last = board.until(served.check_in("00181", "present")).revision
            district = set(board.holding.points)
            granted = board.granted
        assert granted is not None
        back = f"?after={last}&pass={granted}"
        # Somebody else's pass opens nothing: the login that is shown says who comes.
        other = served.token("truc.vanmieu")
        with line(
            served.live_url, served.meeting_id, token=other, query=f"?pass={granted}"
        ) as phone:
            phone.next_of("snapshot")
            assert set(phone.holding.points) < district
        for forged in (granted[:-4] + "AAAA", "x" * 3_000, "%00"):
            query = f"?pass={forged}"
            with line(served.live_url, served.meeting_id, token=token, query=query) as board:
                assert board.receive()["type"] == "snapshot"
        assert closing_code(served, token="mt_none", query=f"?pass={granted}") == 4401
        # What it grants is looked up again when it is calm, and then it is renewed.
        with line(served.live_url, served.meeting_id, token=token, query=back) as board:
            assert board.receive()["type"] == "changes"
            with db.transaction() as session:
                person_id = served.city.actors["thuky.dongda"].person_id
                session.execute(delete(RoleGrant).where(RoleGrant.person_id == person_id))
            with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 -- frames may come first
                while True:
                    board.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403
            assert board.granted is None
        # Without any right there the meeting is not even known.
        assert closing_code(served, token=token, query=back) == 4404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_herd_is_told_when_to_come_back(
    settings: Settings, db: Database, city_day: tuple[City, int]
) -> None:
    app = create_app(settings, db)
    app.state.live_gate = Gate(most=0, pace=2.0)
    with serving(settings, app) as url:
        served = Served(url, app, db, *city_day)
        waits = []
        for _ in range(3):
            with (
                line(served.live_url, served.meeting_id, token="mt_any") as client,
                pytest.raises(ConnectionClosed) as closed,
            ):
                client.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
            waits.append(float(closed.value.rcvd.reason))
        # Each later than the one before, however soon they asked.
        assert min(waits) >= 1
        app.state.live_gate.most = 1
        with line(served.live_url, served.meeting_id, token=served.token("thuky")) as board:
            board.next_of("snapshot")


def test_those_sent_away_come_back_one_after_the_other() -> None:
    gate = Gate(most=1, pace=10.0)
    assert gate.enter(100.0) is None
    waits = [gate.enter(100.0) for _ in range(20)]
    assert waits == pytest.approx([1 + n / 10 for n in range(1, 21)])
    gate.leave()
    assert gate.enter(101.0) is None
