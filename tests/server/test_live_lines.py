"""The live line as its clients have it: frames, rights, check-ins, cuts, closing codes."""

import gc
import json
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import delete
from websockets.exceptions import ConnectionClosed

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.identity.sessions import close_session
from meetings_server.identity.tokens import ApiToken
from meetings_server.live.hub import Pace
from meetings_server.settings import Settings
from rooms.attendance import CheckIn, Source
from rooms.check_ins import record_check_in
from rooms.kernel import utcnow
from rooms.people import Person
from rooms.scheduling import cancel, start
from tests.factories import City, make_city, scheduled_meeting
from tests.live_lines import Served, closing_code, line, of_answer, serving

BEAT = 1.0


@pytest.fixture
def city_day(db: Database) -> tuple[City, int]:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=10))
    return city, meeting.id


@pytest.fixture
def served(settings: Settings, db: Database, city_day: tuple[City, int]) -> Iterator[Served]:
    app = create_app(settings, db)
    app.state.live_pace = Pace(heartbeat=BEAT, lag_check=0.1)
    with serving(settings, app) as url:
        yield Served(url, app, db, *city_day)


def test_a_board_sees_a_check_in(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("thuky")) as board:
        first = board.next_of("snapshot")
        assert first["columns"] == ["point", "state", "since", "headcount"]
        assert first["rollup_columns"] == [
            "unit",
            "invited",
            "present",
            "late",
            "lost",
            "needs_help",
        ]
        assert [row[1] for row in first["points"]] == ["invited"] * 9
        assert board.holding.rollup["01"] == [9, 0, 0, 0, 0]
        revision = served.check_in("00181", "present", headcount=12)
        seen = board.next_of("changes")
        assert seen["revision"] == revision == 1
        assert [(row[1], row[3]) for row in seen["points"]] == [("present", 12)]
        assert sorted(seen["rollup"]) == [["006", 4, 1, 0, 0, 0], ["01", 9, 1, 0, 0, 0]]
        assert seen["levels"] == [["ward", 4, 1, 0, 0, 0]]


def test_a_token_may_be_made_for_watching_alone(served: Served) -> None:
    watching = served.token("kythuat", "attendance:read")
    with line(served.live_url, served.meeting_id, token=watching) as board:
        board.next_of("snapshot")
        refused = board.ask(id=1, point=served.city.points["00181"], state="present")
        assert (refused["type"], refused["code"]) == ("error", "scope_missing")
        assert "attendance:write" in refused["detail"]


def test_what_a_client_holds_is_what_the_call_answers(served: Served) -> None:
    scopes = {"thuky": "", "thuky.dongda": "", "truc.vanmieu": "", "lanhdao": "?scope=006"}
    for username, query in scopes.items():
        with line(
            served.live_url, served.meeting_id, token=served.token(username), query=query
        ) as client:
            client.next_of("snapshot")
            for code in ("00181", "00178", "006", "01-SNV"):
                for state in ("ready", "present", "lost", "needs_help", "present"):
                    last = served.check_in(code, state, headcount=len(username))
            client.until(last)
            scope = {"scope": query.removeprefix("?scope=")} if query else {}
            assert client.holding.as_answer() == of_answer(served.attendance(username, **scope))


def test_an_operator_gets_the_own_point_and_the_counts_above(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        assert list(phone.holding.points) == [served.city.points["00181"]]
        assert list(phone.holding.rollup) == ["006", "00181"]
        last = served.check_in("00178", "present")
        phone.until(last)
        assert list(phone.holding.points) == [served.city.points["00181"]]
        assert phone.holding.rollup["006"] == [4, 1, 0, 0, 0]


def test_check_in_over_the_line(served: Served) -> None:
    point = served.city.points["00181"]
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        ack = phone.ask(id="a-1", point=point, state="present", headcount=7)
        assert ack == {"type": "ack", "id": "a-1", "revision": 1}
        # The same id gets the first answer, whatever else is in the message.
        assert phone.ask(id="a-1", point=point, state="lost") == ack
        assert phone.ask(id={"n": 2}, point=point, state="present")["revision"] == 1
        assert phone.ask(id=3, point=point, state="lost")["revision"] == 2
        assert phone.until(2).points[point][1] == "lost"


def test_another_wards_point_is_refused(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        sibling = phone.ask(id=1, point=served.city.points["00178"], state="present")
        assert (sibling["type"], sibling["id"], sibling["code"]) == ("error", 1, "denied")
        assert phone.ask(id=2, point=999_999, state="present")["code"] == "unknown_point"
    path = f"/api/v1/meetings/{served.meeting_id}/attendance/{served.city.points['00178']}"
    assert served.call("POST", path, "truc.vanmieu", json={"state": "lost"}).status_code == 403
    assert served.attendance("thuky")["revision"] == 0


def test_who_sees_what_over_http(served: Served) -> None:
    served.check_in("00181", "present")
    served.check_in("00178", "present")
    own = served.attendance("truc.vanmieu")
    assert [point["unit"] for point in own["points"]] == ["00181"]
    base = f"/api/v1/meetings/{served.meeting_id}/attendance"
    asked = served.call("GET", base, "truc.vanmieu", params={"scope": "00178"})
    assert asked.status_code == 403
    assert served.call("GET", base, "thuky", params={"scope": "xyz"}).status_code == 404
    assert served.call("GET", base, "thuky", params={"at": "yesterday"}).status_code == 422
    log = served.call("GET", f"{base}/log", "truc.vanmieu", params={"after": 0}).json()
    assert [row["point"] for row in log["items"]] == [served.city.points["00181"]]
    assert log["revision"] == 2
    early = served.attendance("thuky", at=(utcnow() - timedelta(hours=1)).isoformat())
    assert {point["state"] for point in early["points"]} <= {"invited"}


def test_the_roster_is_kept_until_it_changes(served: Served) -> None:
    headers = {"authorization": f"Bearer {served.token('thuky.dongda')}"}
    url = f"{served.url}/live/meetings/{served.meeting_id}/roster"
    first = httpx.get(url, headers=headers)
    roster = first.json()
    rows = [dict(zip(roster["point_columns"], row, strict=True)) for row in roster["points"]]
    assert [(row["unit"], row["parent"]) for row in rows] == [
        ("006", "01"),
        ("00178", "006"),
        ("00181", "006"),
        ("00226", "006"),
    ]
    assert rows[2]["technician_phone"] == "0912 345 678"
    assert [row[0] for row in roster["units"]] == ["006", "00178", "00181", "00226"]
    again = httpx.get(url, headers=headers | {"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_resume_after_a_cut_loses_nothing(served: Served) -> None:
    token = served.token("thuky")
    with line(served.live_url, served.meeting_id, token=token) as board:
        board.next_of("snapshot")
        board.until(served.check_in("00181", "present"))
    seen = board.holding
    served.check_in("00178", "present")
    last = served.check_in("00181", "lost")
    with line(
        served.live_url, served.meeting_id, token=token, query=f"?after={seen.revision}"
    ) as board:
        board.holding = seen
        assert board.receive()["type"] == "changes"
        board.until(last)
        assert board.holding.as_answer() == of_answer(served.attendance("thuky"))
    # A revision that never was: start anew.
    with line(served.live_url, served.meeting_id, token=token, query="?after=99999") as board:
        assert board.receive()["type"] == "snapshot"


def test_a_lost_hint_heals_with_the_heartbeat(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("thuky")) as board:
        board.next_of("snapshot")
        said = CheckIn(
            served.meeting_id,
            served.city.points["00181"],
            "present",
            served.city.secretary.person_id,
            Source.API,
        )
        with served.db.connection() as connection:
            record_check_in(connection, said, utcnow())
        board.until(1)
        assert board.holding.points[said.point_id][1] == "present"


def test_quiet_lines_hear_a_heartbeat(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("thuky")) as board:
        board.next_of("snapshot")
        assert board.receive() == {"type": "heartbeat", "revision": 0, "every": 1}


def test_a_change_of_the_meeting_is_told(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        served.check_in("00181", "present")
        with served.db.transaction() as session:
            start(session, served.city.secretary, served.meeting_id, utcnow())
        told = phone.next_of("meeting")
        assert (told["revision"], told["meeting"]["state"]) == (2, "in_progress")
        phone.next_of("snapshot")
        answer = of_answer(served.attendance("truc.vanmieu"))
        assert phone.holding.as_answer() == answer


def test_a_cancelled_meeting_says_so_and_takes_nothing_more(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        with served.db.transaction() as session:
            cancel(session, served.city.secretary, served.meeting_id, "Bão", utcnow())
        assert phone.next_of("meeting")["meeting"]["state"] == "cancelled"
        refused = phone.ask(id=1, point=served.city.points["00181"], state="present")
        assert refused["code"] == "meeting_closed"
        assert "hủy" in refused["detail"]


def test_a_line_that_ended_is_not_searched_for(served: Served) -> None:
    """Circles of references that tens of thousands leave who come back cost as much as letting them in."""
    token = served.token("truc.vanmieu")
    _come_and_go(served, token)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(3):
            _come_and_go(served, token)
        gc.collect()
        kinds = {type(found) for found in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    ours = ("meetings_server.", "uvicorn.", "litestar.connection", "websockets.server")
    assert not [kind for kind in kinds if kind.__module__.startswith(ours)]


def _come_and_go(served: Served, token: str) -> None:
    with line(served.live_url, served.meeting_id, token=token) as phone:
        phone.next_of("snapshot")
        while phone.granted is None:
            phone.receive()
    query = f"?pass={phone.granted}"
    with line(served.live_url, served.meeting_id, token=token, query=query) as phone:
        phone.next_of("snapshot")


GARBAGE: tuple[str | bytes, ...] = (
    "",
    "{",
    "[]",
    "null",
    '"hello"',
    '{"type":"shout"}',
    '{"type":"check_in"}',
    '{"type":"check_in","id":7,"point":"one","state":"present"}',
    '{"type":"check_in","id":7,"point":99999999999999999999,"state":"present"}',
    '{"type":"check_in","id":7,"point":1,"state":"present","observed_at":"noon"}',
    '{"type":"check_in","id":7,"point":1,"state":"present","observed_at":"2026-11-22T08:00:00"}',
    '{"type":"check_in","id":7,"point":1,"state":"present","surprise":1}',
    '{"type":"check_in","id":7,"point":1,"state":"\\u0000","head_of_delegation":"\\ud800"}',
    "x" * 9000,
    b"\x00\x01",
)


def test_garbage_is_answered_and_harms_nothing(served: Served) -> None:
    point = served.city.points["00181"]
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        for garbage in GARBAGE:
            phone.connection.send(garbage)
            answer = phone.next_of("error")
            assert answer["code"] in {"malformed", "field_invalid"}, garbage
            assert answer["detail"]
        assert phone.ask(id=1, point=point, state="ready")["revision"] == 1


def test_endless_garbage_ends_the_line(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 -- sending or reading ends it
            for _ in range(60):
                phone.connection.send("garbage")
            while True:
                phone.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


def test_a_frame_too_large_ends_the_line(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("truc.vanmieu")) as phone:
        phone.next_of("snapshot")
        phone.connection.send("x" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 -- heartbeats may come first
            while True:
                phone.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_closing_codes(served: Served) -> None:
    token = served.token("truc.vanmieu")
    assert closing_code(served) == 4401
    assert closing_code(served, token="mt_wrong") == 4401
    assert closing_code(served, token=served.token("thuky", "meetings:read")) == 4403
    assert closing_code(served, 999_999, token=token) == 4404
    assert closing_code(served, 2**40, token=token) == 4404
    assert closing_code(served, token=token, query="?scope=00178") == 4403
    assert closing_code(served, token=token, query="?scope=none") == 4403
    assert closing_code(served, token=token, query="?after=-1") == 1008


def test_a_page_from_elsewhere_is_turned_away(served: Served) -> None:
    cookie = served.cookie("thuky")
    assert closing_code(served, cookie=cookie, origin="https://evil.example") == 4403
    assert closing_code(served, cookie=cookie, origin="null") == 4403
    with line(served.live_url, served.meeting_id, cookie=cookie, origin=served.url) as board:
        assert board.receive()["type"] == "snapshot"


def test_frames_are_plain_json_text(served: Served) -> None:
    with line(served.live_url, served.meeting_id, token=served.token("thuky")) as board:
        text = board.connection.recv()
        assert isinstance(text, str)
        assert json.loads(text)["type"] == "snapshot"


@pytest.mark.parametrize("ended", ["logged_out", "revoked", "account_closed"])
def test_a_line_ends_with_its_login(
    settings: Settings, db: Database, city_day: tuple[City, int], ended: str
) -> None:
    app = create_app(settings, db)
    app.state.live_pace = Pace(logins=0.2)
    with serving(settings, app) as url:
        served = Served(url, app, db, *city_day)
        secret = served.token("truc.vanmieu") if ended == "revoked" else ""
        shown = {"token": secret} if secret else {"cookie": served.cookie("truc.vanmieu")}
        other = {"token": served.token("thuky")}
        with (
            line(served.live_url, served.meeting_id, **shown) as phone,
            line(served.live_url, served.meeting_id, **other) as board,
        ):
            phone.next_of("snapshot")
            board.next_of("snapshot")
            person_id = served.city.actors["truc.vanmieu"].person_id
            with db.transaction() as session:
                if ended == "logged_out":
                    close_session(session, shown["cookie"])
                elif ended == "revoked":
                    session.execute(delete(ApiToken).where(ApiToken.person_id == person_id))
                else:
                    session.get_one(Person, person_id).active = False
            with pytest.raises(ConnectionClosed) as closed:
                phone.until(1)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401
            # Whoever is still logged in goes on.
            last = served.check_in("00178", "present")
            board.until(last)
