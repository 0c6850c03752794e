"""The load and fault programs of the live lines, small: nothing is lost, nobody is sent away for ever."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.settings import Settings
from meetings_server.slow_requests import TimedHttp
from tests.debian import required
from tests.faults import hostile_sockets
from tests.live_lines import Served, line, of_answer, serving
from tests.load import herd, push

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.slow
def test_fan_out_beside_nchan_and_broadcast(tmp_path: Path) -> None:
    required("nginx", "nginx-core libnginx-mod-nchan")
    plan = push.Plan(sockets=30, points=30, slow=1, quick=10, burst=10)
    found = {figures.name: figures for figures in push.compare(plan, tmp_path)}
    nchan, ours, library = found.values()
    for other in (nchan, library):
        assert (other.slow.frames, other.quick.frames, other.burst.frames) == (30, 300, 300)
    # Changes are gathered; that all of them arrived is what the program waits for.
    assert ours.slow.frames == 30
    assert 30 <= ours.burst.frames <= 300
    assert ours.again_cpu is not None


@pytest.mark.slow
def test_all_come_back_after_a_restart(tmp_path: Path) -> None:
    found = herd.measure(herd.Plan(sockets=40, check_ins=10), tmp_path)
    assert (found.sockets, found.right, found.errors) == (40, 40, 0)


@pytest.mark.slow
@SQLITE
def test_others_notice_nothing_of_hostile_sockets(
    settings: Settings,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(TimedHttp, "head_seconds", 1.0)
    app = create_app(settings, db)
    told = logging.getLogger("meetings_server.live.client")
    with serving(settings, app) as url:
        # The server's log has handlers of its own and goes no further.
        told.addHandler(caplog.handler)
        port = urlsplit(url).port
        assert port is not None
        place, city = hostile_sockets.prepare(db, "127.0.0.1", port)
        outcome = hostile_sockets.assault(place, each=1)
        assert outcome.faults() == []
        assert outcome.last > 0
        served = Served(url, app, db, city, place.meeting_id)
        with line(served.live_url, place.meeting_id, token=place.operator) as board:
            board.next_of("snapshot")
            assert board.holding.as_answer() == of_answer(served.attendance("kythuat"))
    told.removeHandler(caplog.handler)
    named = [
        record
        for record in caplog.records
        if record.message.startswith((hostile_sockets.REFUSED, hostile_sockets.BROKEN))
    ]
    # Once for each line, however much it sent.
    assert len(named) == len(hostile_sockets.ASSAULTS)
