"""Line tests, readiness, go or no-go and the test of the device: pages and calls without a browser."""

import io
import re
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from openpyxl import load_workbook

from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from meetings_server.measuring import MEBIBYTE, PERSON_BYTES, Allowance
from rooms.attendance import Source
from rooms.kernel import utcnow
from rooms.line_tests import LineTested, Said, report_line_test
from rooms.scheduling import end, start
from tests.conftest import SignIn
from tests.counting import counted
from tests.factories import City, make_city, scheduled_meeting

WARD = "00181"
ITEMS = ("picture", "sound", "camera", "network", "backup_line")
JSON = {"accept": "application/json"}

# What differs between the databases is asked of the domain; a page is slower than what it asks.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


@pytest.fixture
def meeting_id(db: Database, city: City) -> int:
    now = utcnow()
    with db.transaction() as session:
        return scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=50)).id


def _say(db: Database, city: City, meeting_id: int, code: str, **said: str) -> None:
    with db.transaction() as session:
        told = {item: Said(*each.split(":", 1)) for item, each in said.items()}
        tested = LineTested(meeting_id, city.points[code], told, Source.API)
        report_line_test(session, city.actors["kythuat"], tested, utcnow())


@on_sqlite
def test_an_operator_fills_in_the_list(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    sign_in(city.actors["truc.vanmieu"].person_id)
    where = f"/check-in/{meeting_id}/{city.points[WARD]}/line-test"
    assert where in client.get("/").text, "the card of today shows the way from an hour before"
    assert where in client.get("/check-in").text
    assert where in client.get(where.removesuffix("/line-test")).text
    first = client.get(where).text
    assert "Chưa có gì" in first
    assert first.count('aria-pressed="true"') == 5

    done = client.post(where, data={"item": "picture", "result": "ok"}).text
    assert re.search(r'id="picture-ok" aria-pressed="true"', done)
    client.post(where, data={"item": "sound", "result": "problem"})
    page = client.post(where, data={"item": "sound", "result": "problem", "note": "Rè <b>"}).text
    assert "Rè &lt;b&gt;" in page
    assert page.count("Âm thanh: Trục trặc") == 2, "every statement is told"
    opened = client.post(where, data={"item": "sound", "act": "fault"}).text
    assert re.search(r'href="/faults/\d+">Đã báo sự cố số', opened)
    assert client.post(where, data={"item": "sound", "act": "fault"}).text.count("sự cố số 1") >= 1

    refused = client.post(where, data={"item": "camera", "result": "problem", "note": "x" * 501})
    assert refused.status_code == 422
    assert "500" in refused.text
    assert client.post(where, data={"item": "camera", "result": "none"}).status_code == 422
    assert client.post(where, data={"item": "smell", "result": "ok"}).status_code == 422
    elsewhere = f"/check-in/{meeting_id}/{city.points['00178']}/line-test"
    assert client.get(elsewhere).status_code == 403
    assert client.post(elsewhere, data={"item": "camera", "result": "ok"}).status_code == 403
    assert client.get(f"/check-in/{2**31}/1/line-test").status_code in {404, 422}

    with db.transaction() as session:
        start(session, city.secretary, meeting_id, utcnow())
        end(session, city.secretary, meeting_id, utcnow())
    late = client.post(where, data={"item": "camera", "result": "ok"})
    assert late.status_code == 409
    assert "Đã hết thử đường truyền" in late.text
    assert "Đã hết thử đường truyền" in client.get(where).text


def test_the_readiness_board_and_its_files(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    _say(db, city, meeting_id, WARD, sound="problem:Mất tiếng")
    _say(db, city, meeting_id, "00178", **dict.fromkeys(ITEMS, "ok"))
    board = f"/meetings/{meeting_id}/readiness"
    sign_in(city.actors["kythuat"].person_id)
    assert board in client.get("/").text, "the technician's first page"
    assert board in client.get(f"/meetings/{meeting_id}").text
    with counted(db) as statements:
        page = client.get(board).text
    assert len(statements) <= 16
    for outcome, number in {"ready": 1, "problem": 1, "partial": 0, "untested": 7}.items():
        assert re.search(rf'data-figure-of="{outcome}">{number}<', page)
    assert "Mất tiếng" in page
    assert "tel:0912345678" in page
    narrowed = client.get(f"{board}?outcome=ready&scope=006&q=cat+linh").text
    assert re.findall(r'data-outcome="(\w+)"', narrowed) == ["ready"]
    assert f"{board}/points.xlsx?scope=006&amp;outcome=ready&amp;q=cat+linh" in narrowed
    assert 'data-outcome="' not in client.get(f"{board}?item=camera").text

    sheet = client.get(f"{board}/points.xlsx?outcome=problem")
    rows = list(load_workbook(io.BytesIO(sheet.content)).active.values)
    assert len(rows) == 2
    assert rows[1][:5] == (WARD, "Phường Văn Miếu", "Phường, xã, thị trấn", *rows[1][3:5])
    assert "Âm thanh: Mất tiếng" in rows[1]
    csv = client.get(f"{board}/points.csv").content.decode("utf-8-sig").splitlines()
    assert len(csv) == 10
    assert client.get(f"{board}/points.pdf").status_code == 404

    # A district sees its own wards, a ward no other.
    sign_in(city.actors["thuky.dongda"].person_id)
    assert len(re.findall(r'data-outcome="', client.get(board).text)) == 4
    sign_in(city.actors["truc.vanmieu"].person_id)
    assert len(re.findall(r'data-outcome="', client.get(board).text)) == 1
    assert client.get(f"{board}?scope=006").status_code == 403


@on_sqlite
def test_go_and_no_go_are_seen_by_all(
    client: TestClient[Litestar], sign_in: SignIn, city: City, meeting_id: int
) -> None:
    board = f"/meetings/{meeting_id}/readiness"
    where = f"/meetings/{meeting_id}/decision"
    sign_in(city.actors["thuky.dongda"].person_id)
    assert 'id="decision-form"' not in client.get(board).text
    denied = client.post(where, data={"verdict": "go", "reason": "", "after": "0"})
    assert denied.status_code == 403

    sign_in(city.chair.person_id)
    assert 'id="decision-form"' in client.get(board).text
    reasonless = client.post(where, data={"verdict": "no_go", "reason": "", "after": "0"})
    assert reasonless.status_code == 422
    said = {"verdict": "no_go", "reason": "Nhiều điểm cầu mất tiếng", "after": "0"}
    done = client.post(where, data=said, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, board)
    assert "có thể hoãn cuộc họp" in client.get(board).text, "the chair asks a secretary"

    sign_in(city.actors["kythuat"].person_id)
    stale = client.post(where, data={"verdict": "go", "reason": "Đã xong", "after": "0"})
    assert stale.status_code == 409
    assert city.chair.name in stale.text
    assert 'name="after" value="1"' in stale.text
    assert "Đã xong" in stale.text, "what was typed stays"

    sign_in(city.secretary.person_id)
    assert 'id="postpone-dialog"' in client.get(board).text
    sign_in(city.actors["truc.vanmieu"].person_id)
    point = f"/check-in/{meeting_id}/{city.points[WARD]}"
    for page in (where, point, f"{point}/line-test", f"/meetings/{meeting_id}"):
        seen = client.get(page).text
        assert "Nhiều điểm cầu mất tiếng" in seen, page
        assert "0/9 điểm cầu" in seen, page
    assert "Chưa đủ điều kiện họp" in client.get("/notices").text


@on_postgresql
def test_programs_fill_in_and_decide(
    client: TestClient[Litestar], db: Database, city: City, meeting_id: int
) -> None:
    with db.transaction() as session:
        tokens = {
            name: create_token(session, city.actors[name].person_id, "thử", utcnow(), days=1)
            for name in ("truc.vanmieu", "kythuat")
        }

    def call(who: str, method: str, path: str, body: Any = None) -> Any:
        return client.request(
            method,
            f"/api/v1/meetings/{meeting_id}{path}",
            json=body,
            headers={"authorization": f"Bearer {tokens[who]}"},
        )

    point = city.points[WARD]
    own = f"/line-tests/{point}"
    said = {"sound": {"result": "problem", "note": "Rè"}, "picture": {"result": "ok"}}
    first = call("truc.vanmieu", "PUT", own, said)
    assert (first.status_code, first.json()["outcome"]) == (200, "problem")
    again = call("truc.vanmieu", "PUT", own, said).json()
    assert again == first.json(), "the same again writes nothing"
    assert [(row["item"], row["result"], row["source"]) for row in again["history"]] == [
        ("sound", "problem", "api"),
        ("picture", "ok", "api"),
    ]
    assert call("truc.vanmieu", "GET", own).json() == again
    other = call("truc.vanmieu", "PUT", f"/line-tests/{city.points['00178']}", said)
    assert (other.status_code, other.json()["code"]) == (403, "denied")
    for wrong in ({}, {"smell": {"result": "ok"}}, {"sound": {"result": "loud"}}):
        assert call("truc.vanmieu", "PUT", own, wrong).status_code in {400, 422}
    long = call("truc.vanmieu", "PUT", own, {"sound": {"result": "problem", "note": "x" * 501}})
    assert long.status_code in {400, 422}

    listed = call("kythuat", "GET", "/line-tests?limit=5").json()
    assert len(listed["items"]) == 5
    assert listed["items"][0]["items"]["sound"] == {
        "result": "problem",
        "note": "Rè",
        "fault": None,
    }
    rest = call("kythuat", "GET", f"/line-tests?limit=5&cursor={listed['next_cursor']}").json()
    assert len(rest["items"]) == 4
    assert rest["next_cursor"] is None
    assert len(call("kythuat", "GET", "/line-tests?outcome=problem").json()["items"]) == 1
    assert call("truc.vanmieu", "POST", "/decisions", {"verdict": "go"}).status_code == 403
    made = call("kythuat", "POST", "/decisions", {"verdict": "no_go", "reason": "Mất tiếng"})
    assert (made.status_code, made.json()["figures"]["problem"]) == (201, 1)
    late = call("kythuat", "POST", "/decisions", {"verdict": "go", "reason": "Xong", "after": 0})
    assert (late.status_code, late.json()["code"]) == (409, "decided_meanwhile")
    ready = call("kythuat", "GET", "/readiness").json()
    assert ready["total"] == {"points": 9, "ready": 0, "problem": 1, "partial": 0, "untested": 8}
    assert ready["decision"]["number"] == 1
    assert [row["points"] for row in ready["units"] if row["unit"] == "006"] == [4]
    assert [row["stands"] for row in call("kythuat", "GET", "/decisions").json()] == [True]


@on_sqlite
def test_the_test_of_the_device_transfers_no_more_than_its_share(
    client: TestClient[Litestar], sign_in: SignIn, city: City, meeting_id: int
) -> None:
    client.app.state.measuring = Allowance(200, monotonic)
    assert client.get("/self-test/ping", follow_redirects=False).status_code in {303, 401}
    sign_in(city.actors["truc.vanmieu"].person_id)
    point = city.points[WARD]
    page = client.get(f"/self-test?meeting={meeting_id}&point={point}")
    assert page.headers["permissions-policy"].startswith("camera=(self), microphone=(self)")
    assert "Đưa kết quả vào phiếu thử của Phường Văn Miếu" in page.text
    assert client.get("/").headers["permissions-policy"].startswith("camera=(), microphone=()")
    foreign = client.get(f"/self-test?meeting={meeting_id}&point={city.points['00178']}").text
    assert "Đưa kết quả" not in foreign

    down = client.get("/self-test/download?size=200000")
    assert len(down.content) == 200_000
    assert client.get(f"/self-test/download?size={4 * MEBIBYTE + 1}").status_code in {400, 422}
    body = b"x" * 300_000
    assert client.post("/self-test/upload", content=body).json() == {"received": 300_000}
    assert client.post("/self-test/upload", content=b"x" * (2 * MEBIBYTE + 1)).status_code == 413
    for _ in range(PERSON_BYTES // (4 * MEBIBYTE) + 1):
        last = client.get(f"/self-test/download?size={4 * MEBIBYTE}")
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) >= 1

    where = f"/check-in/{meeting_id}/{point}/line-test"
    verdicts = {"camera": "good", "microphone": "good", "speakers": "skipped", "network": "bad"}
    told = {"verdicts": verdicts, "figures": {"upload_mbits": 0.2, "round_trip_ms": 40}}
    kept = client.post(f"{where}/measured", json=told, headers=JSON)
    assert (kept.status_code, kept.json()) == (200, {"outcome": "problem"})
    assert "đường truyền quá chậm" in client.get(where).text
    told["figures"] = {"upload_mbits": -1}
    assert client.post(f"{where}/measured", json=told, headers=JSON).status_code == 422


def test_an_allowance_fills_again() -> None:
    now = 0.0
    allowance = Allowance(8, lambda: now)  # one million bytes a second
    assert allowance.take(1, 4_000_000) == 0
    assert allowance.take(2, 1_000_000) == 0
    wait = allowance.take(3, 4_000_000)
    assert 3 < wait < 4, "for all together"
    now += wait
    assert allowance.take(3, 4_000_000) == 0
    quick = Allowance(100_000, lambda: now)
    assert quick.take(1, PERSON_BYTES) == 0
    assert quick.take(1, MEBIBYTE) > 0, "for one alone"
    assert quick.take(2, MEBIBYTE) == 0
