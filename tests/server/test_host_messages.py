"""Messages of the host and the help desk over the pages and the API: who may, once, with receipts."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from rooms.attendance import CheckIn, Source
from rooms.check_ins import record_check_in
from rooms.host_messages import HostMessage, HostMessageReceipt
from rooms.kernel import utcnow
from rooms.meetings import Meeting
from rooms.message_receipts import one_sent, receipts_of
from rooms.notices import MeetingNotice
from rooms.scheduling import end, start
from tests.conftest import SignIn
from tests.counting import counted
from tests.factories import City, make_city, scheduled_meeting

NOW = utcnow().replace(microsecond=0)
WARD, OTHER = "00181", "00178"
PART = {"x-enhanced": "part"}


@pytest.fixture
def held(db: Database) -> tuple[City, int]:
    """A meeting under way."""
    with db.transaction() as session:
        city = make_city(session, NOW - timedelta(days=10))
        meeting = scheduled_meeting(
            session, city, NOW - timedelta(days=9), starts_at=NOW - timedelta(minutes=5)
        )
        start(session, city.secretary, meeting.id, NOW)
        return city, meeting.id


@pytest.fixture
def notices(db: Database) -> Iterator[list[MeetingNotice]]:
    """What those who watch were told."""
    told: list[MeetingNotice] = []

    def note(events: Any) -> None:
        told.extend(
            event
            for event in events
            # That there is something to read under the bell is told apart.
            if isinstance(event, MeetingNotice) and event.kind != "telling"
        )

    db.hints.append(note)
    yield told
    db.hints.remove(note)


def messages(db: Database) -> list[HostMessage]:
    with db.reader() as session:
        return list(session.scalars(select(HostMessage).order_by(HostMessage.id)))


def test_a_message_is_sent_once_shown_confirmed_corrected_and_withdrawn(  # noqa: PLR0915 -- the life of one message
    client: TestClient[Litestar],
    sign_in: SignIn,
    db: Database,
    held: tuple[City, int],
    notices: list[MeetingNotice],
) -> None:
    city, meeting_id = held
    where = f"/meetings/{meeting_id}/messages"
    point = city.points[WARD]
    at_the_point = f"/check-in/{meeting_id}/{point}/notices"
    sign_in(city.secretary.person_id)
    key = re.search(r'name="request_key" value="(\w+)"', client.get(where).text)
    assert key is not None
    form = {"text": "Tắt <micro>", "aim": "all", "to_confirm": "true", "request_key": key[1]}
    for _click in range(2):
        answer = client.post(where, data=form, follow_redirects=False)
        assert answer.status_code == 303, answer.text
    (first,) = messages(db)
    assert (first.points, first.sent_by) == (9, city.secretary.person_id)
    assert [(n.kind, n.unit_ids, n.facts["text"]) for n in notices] == [
        ("message", None, "Tắt <micro>")
    ]
    for wrong, field in (
        ({"text": " "}, "text"),
        ({"text": "x" * 501}, "text"),
        ({"text": "x", "aim": "level", "level": "nowhere"}, "level"),
        ({"text": "x", "aim": "unit", "unit": "99999"}, "unit"),
        ({"text": "x", "aim": "point", "point": "999999"}, "aim"),
    ):
        refused = client.post(where, data={"aim": "all"} | wrong)
        assert refused.status_code in {404, 422}, wrong
        assert f'id="error-{field}"' in refused.text, wrong
    # To a level, and to one unit with what is below: without the text in what goes to everybody.
    for aim in ({"aim": "level", "level": "ward"}, {"aim": "unit", "unit": "006"}):
        client.post(where, data={"text": "Cấp dưới"} | aim, follow_redirects=False)
    assert [(len(n.unit_ids or ()), "text" in n.facts) for n in notices[1:]] == [
        (4, False),
        (4, False),
    ]

    sign_in(city.actors["truc.vanmieu"].person_id)
    assert client.get(where).status_code == 403
    assert client.post(where, data=form).status_code == 403
    page = client.get(f"/check-in/{meeting_id}/{point}").text
    assert "Tắt &lt;micro&gt;" in page
    assert page.count('data-shown="false"') == 3
    receipts = f"/check-in/{meeting_id}/{point}/receipts"
    ids = [one.id for one in messages(db)]
    shown = {"shown": [*map(str, ids), "999999"]}
    assert client.post(receipts, data=shown, headers=PART).json()["messages"] == ids
    assert client.get(at_the_point).text.count('data-shown="true"') == 3
    answer = client.post(receipts, data={"acknowledged": str(first.id)}, follow_redirects=False)
    assert answer.status_code == 303
    assert 'data-new="false"' in client.get(at_the_point).text
    # Receipts of a room that is not one's own.
    other = f"/check-in/{meeting_id}/{city.points[OTHER]}"
    assert client.post(f"{other}/receipts", data=shown, headers=PART).status_code == 403
    assert client.get(f"{other}/notices").status_code == 403
    with db.reader() as session:
        receipt = session.get_one(HostMessageReceipt, (first.id, point))
        assert receipt.acknowledged_by == city.actors["truc.vanmieu"].person_id
        assert receipt.acknowledged_at is not None
        line = one_sent(session, meeting_id, first.id)
        assert (line.shown, line.acknowledged) == (1, 1)
        meeting = session.get_one(Meeting, meeting_id)
        missing = receipts_of(session, meeting, line.message, missing=True)
        assert len(missing) == 8
        assert point not in {row.point_id for row in missing}
    sign_in(city.actors["truc.dongda"].person_id)
    district = client.get(f"/check-in/{meeting_id}/{city.points['006']}/notices").text
    assert district.count("data-message") == 2

    sign_in(city.chair.person_id)
    corrected = f"{where}/{first.id}/correct"
    assert (
        client.post(corrected, data={"text": "Bật micro"}, follow_redirects=False).status_code
        == 303
    )
    again = client.post(corrected, data={"text": "Lần nữa"}, follow_redirects=False)
    assert again.status_code == 409
    newest = messages(db)[-1]
    assert (newest.corrects_id, newest.aim, newest.points) == (first.id, "all", 9)
    assert "Bật micro" in client.get(where).text
    gone = client.post(
        f"{where}/{newest.id}/withdraw", data={"reason": "Nhầm"}, follow_redirects=False
    )
    assert gone.status_code == 303
    assert "Nhầm" in client.get(f"{where}/{newest.id}").text
    sign_in(city.actors["truc.vanmieu"].person_id)
    part = client.get(at_the_point).text
    assert "micro" not in part
    assert part.count("data-message") == 2
    with db.transaction() as session:
        end(session, city.secretary, meeting_id, utcnow())
    sign_in(city.secretary.person_id)
    assert client.post(where, data=form | {"request_key": "other"}).status_code == 409


def test_sending_and_following_cost_the_same_however_many_there_are(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, held: tuple[City, int]
) -> None:
    city, meeting_id = held
    where = f"/meetings/{meeting_id}/messages"
    sign_in(city.secretary.person_id)
    numbers = []
    for _round in range(2):
        with counted(db) as statements:
            client.post(where, data={"text": "Một", "aim": "all"}, follow_redirects=False)
        with counted(db) as pages:
            for path in (where, f"{where}/sent", f"/meetings/{meeting_id}/help"):
                client.get(path).raise_for_status()
        numbers.append((len(statements), len(pages)))
    assert numbers[0] == numbers[1]


def test_programs_send_receipt_and_help(
    client: TestClient[Litestar], db: Database, held: tuple[City, int]
) -> None:
    city, meeting_id = held
    point = city.points[WARD]
    people = ("thuky", "kythuat", "truc.vanmieu", "thuky.dongda")
    with db.transaction() as session:
        tokens = {
            name: {
                "authorization": f"Bearer {create_token(session, city.actors[name].person_id, 'x', NOW, 2)}"
            }
            for name in people
        }
    where = f"/api/v1/meetings/{meeting_id}"
    body = {"text": "Chuẩn bị phát biểu", "aim": "point", "point": point}
    key = {"idempotency-key": "k-1"}
    sent = [
        client.post(f"{where}/messages", json=body, headers=tokens["thuky"] | key) for _ in range(2)
    ]
    assert [one.status_code for one in sent] == [201, 201]
    message = sent[0].json()
    assert sent[1].json() == message
    assert (message["points"], message["shown"]) == (1, 0)
    receipts = f"{where}/messages/{message['id']}/receipts"
    mine = {"point": point, "acknowledged": True}
    kept = client.post(receipts, json=mine, headers=tokens["truc.vanmieu"])
    assert kept.json() == {"kept": True}
    found = client.get(receipts, headers=tokens["thuky"]).json()["items"]
    assert [(one["unit"], bool(one["acknowledged_at"])) for one in found] == [(WARD, True)]
    assert client.get(f"{where}/messages", headers=tokens["truc.vanmieu"]).status_code == 403
    assert client.post(receipts, json=mine, headers=tokens["thuky.dongda"]).status_code == 200

    asked = client.post(
        f"{where}/attendance/{point}",
        json={"state": "needs_help", "trouble": "no_picture", "note": "Màn hình đen"},
        headers=tokens["truc.vanmieu"],
    )
    assert asked.status_code == 200
    (call,) = client.get(f"{where}/help?state=open", headers=tokens["kythuat"]).json()["items"]
    assert (call["trouble"], call["words"], call["unit"]) == (
        "no_picture",
        "Màn hình đen",
        "Phường Văn Miếu",
    )
    act = f"/api/v1/help/{call['id']}"
    assert client.post(f"{act}/take", headers=tokens["truc.vanmieu"]).status_code == 403
    assert client.post(f"{act}/take", headers=tokens["kythuat"]).json()["state"] == "taken"
    late = client.post(f"{act}/take", headers=tokens["thuky.dongda"])
    assert (late.status_code, late.json()["code"], late.json()["by"]) == (
        409,
        "help_taken",
        "Ngô Gia Bảo",
    )
    solved = client.post(
        f"{act}/solve", json={"remedy": "Đổi cáp", "state": "present"}, headers=tokens["kythuat"]
    ).json()
    assert (solved["state"], bool(solved["confirmed_at"])) == ("solved", True)
    now = client.get(f"{where}/attendance?scope={WARD}", headers=tokens["kythuat"]).json()
    assert now["points"][0]["state"] in {"present", "late"}


def test_the_help_desk_takes_solves_and_tells_the_point(
    client: TestClient[Litestar],
    sign_in: SignIn,
    db: Database,
    held: tuple[City, int],
    notices: list[MeetingNotice],
) -> None:
    city, meeting_id = held
    point = city.points[WARD]
    with db.connection() as connection:
        person = city.actors["truc.vanmieu"].person_id
        said = CheckIn(meeting_id, point, "needs_help", person, Source.PAGE, trouble="cannot_join")
        record_check_in(connection, said, utcnow())
    sign_in(city.actors["kythuat"].person_id)
    assert "Không vào được phòng" in client.get("/").text
    queue = client.get(f"/meetings/{meeting_id}/help").text
    found = re.search(r'action="/help/(\d+)/take"', queue)
    assert found is not None
    call = f"/help/{found[1]}"
    assert client.post(f"{call}/take", follow_redirects=False).status_code == 303
    assert [(n.kind, list(n.unit_ids or ())) for n in notices] == [("help", [city.units[WARD]])]
    assert client.post(f"{call}/solve", data={"remedy": ""}).status_code == 422
    sign_in(city.actors["thuky.dongda"].person_id)
    taken = client.post(f"{call}/take")
    assert taken.status_code == 409
    assert "Ngô Gia Bảo" in taken.text
    sign_in(city.actors["truc.vanmieu"].person_id)
    assert "Ngô Gia Bảo đã nhận lúc" in client.get(f"/check-in/{meeting_id}/{point}/notices").text
    sign_in(city.actors["kythuat"].person_id)
    done = {"remedy": "Cấp lại mã PIN", "state": ""}
    assert client.post(f"{call}/solve", data=done, follow_redirects=False).status_code == 303
    sign_in(city.actors["truc.vanmieu"].person_id)
    page = client.get(f"/check-in/{meeting_id}/{point}").text
    assert "Cấp lại mã PIN" in page
    again = client.post(f"/check-in/{meeting_id}/{point}/help-again", follow_redirects=False)
    assert again.status_code == 303
    assert 'data-call-state="taken"' in client.get(f"/check-in/{meeting_id}/{point}/notices").text
    client.post(f"/check-in/{meeting_id}/{point}", data={"state": "ready"}).raise_for_status()
    assert "point-call" not in client.get(f"/check-in/{meeting_id}/{point}/notices").text
    sign_in(city.actors["truc.cattlinh"].person_id)
    assert client.get(call).status_code == 404
