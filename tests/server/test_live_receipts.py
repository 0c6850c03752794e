"""Receipts of messages over the line: for the own point only, each once, and none lost in silence."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from websockets.sync.client import connect

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.identity.doors import COOKIE
from meetings_server.settings import Settings
from rooms.devices import add_device, pair
from rooms.host_messages import HostMessageReceipt, NewMessage, send
from rooms.kernel import civil_day, utcnow
from tests.factories import make_city, scheduled_meeting
from tests.live_lines import LiveLine, Served, line, serving

WARD, OTHER = "00181", "00178"


@pytest.fixture
def served(settings: Settings, db: Database) -> Iterator[Served]:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=10))
    app = create_app(settings, db)
    with serving(settings, app) as url:
        yield Served(url, app, db, city, meeting.id)


def sent(served: Served, text: str, aim: str = "all", **whom: str) -> int:
    now = utcnow()
    with served.db.transaction() as session:
        new = NewMessage(text, aim, whom.get("level", ""), whom.get("unit", ""))
        return send(session, served.city.secretary, served.meeting_id, new, now, civil_day(now)).id


def kept(served: Served) -> dict[int, tuple[int | None, datetime | None]]:
    """Who was shown each message, and when it was acknowledged, at the ward's point."""
    receipt = HostMessageReceipt
    with served.db.reader() as session:
        rows = session.execute(
            select(receipt.message_id, receipt.shown_to, receipt.acknowledged_at).where(
                receipt.point_id == served.city.points[WARD]
            )
        )
        return {message: (by, at) for message, by, at in rows}


def test_receipts_go_over_the_line(served: Served) -> None:
    to_all, to_wards = sent(served, "Tắt micrô"), sent(served, "Cấp xã", "level", level="ward")
    to_district = sent(served, "Quận", "level", level="district")
    elsewhere = sent(served, "Sở", "unit", unit="01-SNV")
    point, operator = served.city.points[WARD], served.city.actors["truc.vanmieu"].person_id
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        named = [to_all, to_wards, to_district, elsewhere, 999_999]
        answer = phone.ask(type="receipt", id="r-1", point=point, shown=named)
        assert (answer["type"], answer["id"]) == ("receipted", "r-1")
        assert answer["messages"] == [to_all, to_wards]
        assert datetime.fromisoformat(answer["at"]) <= utcnow()
        assert kept(served) == {to_all: (operator, None), to_wards: (operator, None)}
        again = phone.ask(type="receipt", id="r-2", point=point, acknowledged=[to_all])
        assert again["messages"] == [to_all]
        first = kept(served)[to_all][1]
        assert first is not None
        # Twice, and by others: what was first stays.
        phone.ask(type="receipt", id="r-3", point=point, acknowledged=[to_all], shown=[to_all])
        assert kept(served)[to_all] == (operator, first)
        nothing = phone.ask(type="receipt", id="r-4", point=point)
        assert nothing["messages"] == []


def test_receipts_of_another_point_and_wrong_ones_are_refused(served: Served) -> None:
    message = sent(served, "Tắt micrô")
    other = served.city.points[OTHER]
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        assert phone.ask(type="receipt", id=1, point=other, shown=[message])["code"] == "denied"
        for number, wrong in enumerate(([0], ["x"], list(range(1, 200)), "all")):
            refused = phone.ask(type="receipt", id=f"w-{number}", point=other, shown=wrong)
            assert refused["code"] == "malformed", wrong
            assert "again" not in refused
    watching = served.token("kythuat", "attendance:read")
    with line(served.live_url, served.meeting_id, token=watching) as board:
        board.next_of("snapshot")
        refused = board.ask(type="receipt", id=1, point=other, shown=[message])
        assert refused["code"] == "scope_missing"
    with served.db.reader() as session:
        assert not session.scalars(select(HostMessageReceipt)).all()


def test_a_tablet_at_the_door_says_what_it_has_shown(served: Served) -> None:
    message = sent(served, "Tắt micrô")
    point, now = served.city.points[WARD], utcnow()
    with served.db.transaction() as session:
        technician = served.city.actors["kythuat"]
        _, code = add_device(session, technician, point, "Cửa", 30, now, civil_day(now))
    with served.db.transaction() as session:
        secret = pair(session, code, "tablet", now)[1]
    with connect(
        f"{served.live_url}/kiosk/live/{served.meeting_id}",
        additional_headers={"cookie": f"{COOKIE}={secret}"},
        compression=None,
    ) as connection:
        tablet = LiveLine(connection)
        tablet.next_of("snapshot")
        other = served.city.points[OTHER]
        assert tablet.ask(type="receipt", id=1, point=other, shown=[message])["type"] == "error"
        answer = tablet.ask(type="receipt", id=2, point=point, shown=[message])
        assert answer["messages"] == [message]
    assert kept(served) == {message: (None, None)}


def test_what_could_not_be_kept_now_may_be_sent_again(served: Served) -> None:
    message = sent(served, "Tắt micrô")
    point = served.city.points[WARD]
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        running = served.app.state.live
        running.receipts.stop()
        running.writer.stop()
        for wanted in ({"type": "receipt", "shown": [message]}, {"state": "present"}):
            refused = phone.ask(id="same", point=point, **wanted)
            assert (refused["code"], refused["again"]) == ("server_stopping", True)
