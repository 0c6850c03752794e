"""A video system reports over the real application: signed, merged, and nothing twice."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.settings import Settings
from meetings_server.video.receiving import seal_of
from meetings_server.video.signing import sign, sign_as_zoom
from rooms.attendance import AttendanceEntry, CheckIn, Source
from rooms.check_ins import record_check_in
from rooms.kernel import civil_day, utcnow
from rooms.rollup import state_at
from rooms.scheduling import end, start
from rooms.video_systems import NewConnection, VideoConnection, connect, rotate
from tests.conftest import SignIn
from tests.factories import City, make_city, scheduled_meeting

SECRET = "a secret of thirty-two characters"
FORMER = "the secret that was before this one"
NOW = utcnow().replace(microsecond=0)
WARD, OTHER = "00181", "00178"

Send = Callable[..., Any]


@pytest.fixture
def place(db: Database, settings: Settings) -> tuple[City, int, str]:
    """A meeting under way, and the address of a connection that covers it."""
    seal = seal_of(settings)
    with db.transaction() as session:
        city = make_city(session, NOW - timedelta(days=10))
        meeting = scheduled_meeting(
            session, city, NOW - timedelta(days=9), starts_at=NOW - timedelta(minutes=10)
        )
        start(session, city.secretary, meeting.id, NOW - timedelta(minutes=10))
        new = NewConnection(
            "Hệ thống họp", city.units["01"], "neutral", by_name=True, secret=seal.close(FORMER)
        )
        made = connect(session, city.actors["quantri"], new, NOW, civil_day(NOW))
        rotate(made, seal.close(SECRET), timedelta(hours=1), NOW)
        return city, meeting.id, f"/api/v1/video/{made.key}/events"


@pytest.fixture
def send(client: TestClient[Litestar], place: tuple[City, int, str]) -> Send:
    def post(
        events: Any, secret: str = SECRET, time: datetime | None = None, **headers: str
    ) -> Any:
        body = events if isinstance(events, bytes) else json.dumps({"events": events}).encode()
        stamp = str(int((time or utcnow()).timestamp()))
        signed = {
            "x-meetings-timestamp": stamp,
            "x-meetings-signature": sign(secret, stamp, body),
            "content-type": "application/json",
        }
        return client.post(place[2], content=body, headers=signed | headers)

    return post


def event(number: int, kind: str, minutes: float, **more: Any) -> dict[str, Any]:
    return {
        "id": f"event-{number}",
        "type": kind,
        "room": "https://hop.hanoi.example/phong/1000",
        "participant": {"address": f"SIP:{WARD}@HOP.hanoi.example;transport=tls"},
        "observed_at": (NOW + timedelta(minutes=minutes)).isoformat(),
    } | more


def outcomes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["outcome"] for one in answer.json()["events"]]


def states(db: Database, place: tuple[City, int, str]) -> dict[str, tuple[str, str]]:
    city, meeting_id, _path = place
    codes = {point: code for code, point in city.points.items()}
    with db.reader() as session:
        return {codes[p.point_id]: (p.state, p.source) for p in state_at(session, meeting_id)}


def said(db: Database, place: tuple[City, int, str], state: str, minutes: float) -> None:
    city, meeting_id, _path = place
    with db.connection() as connection:
        person = city.actors["truc.vanmieu"].person_id
        at = NOW + timedelta(minutes=minutes)
        check_in = CheckIn(
            meeting_id, city.points[WARD], state, person, Source.PAGE, observed_at=at
        )
        record_check_in(connection, check_in, NOW)


def test_joined_and_left_are_merged_with_what_people_said(
    db: Database,
    place: tuple[City, int, str],
    send: Send,
    client: TestClient[Litestar],
    sign_in: SignIn,
) -> None:
    city, meeting_id, _path = place
    # Left before it was ever there: nothing follows, but it is in the log.
    assert outcomes(send([event(1, "left", -9)])) == ["taken"]
    assert states(db, place)[WARD] == ("invited", "")
    # Out of order and in one batch; who joined before the meeting's start counts from then.
    batch = [event(3, "left", -7), event(2, "joined", -8), event(3, "left", -7)]
    assert outcomes(send(batch)) == ["taken", "taken", "duplicate"]
    assert states(db, place)[WARD] == ("lost", "video")
    assert outcomes(send([event(4, "joined", -6)], FORMER)) == ["taken"]
    assert states(db, place)[WARD][0] in {"present", "late"}
    said(db, place, "needs_help", -5)
    assert outcomes(send([event(5, "joined", -4), event(6, "left", -3)])) == ["taken", "taken"]
    assert states(db, place)[WARD] == ("needs_help", "page")
    said(db, place, "left", -2)
    assert outcomes(send([event(7, "joined", -1)])) == ["taken"]
    assert states(db, place)[WARD] == ("left", "page")
    with db.reader() as session:
        log = session.execute(
            select(AttendanceEntry.state, AttendanceEntry.source, AttendanceEntry.recorded_by)
            .where(AttendanceEntry.point_id == city.points[WARD])
            .order_by(AttendanceEntry.observed_at, AttendanceEntry.revision)
        ).all()
        assert [tuple(row)[:2] for row in log] == [
            ("lost", "video"),
            ("present", "video"),
            ("lost", "video"),
            ("present", "video"),
            ("needs_help", "page"),
            ("present", "video"),
            ("lost", "video"),
            ("left", "page"),
            ("present", "video"),
        ]
        assert {row.recorded_by for row in log if row.source == "video"} == {None}
    sign_in(city.actors["truc.vanmieu"].person_id)
    line = client.get(f"/check-in/{meeting_id}/{city.points[WARD]}/line").text
    assert line.count("do hệ thống họp báo") == 7
    # Lost before anybody was there; twice against the need for help; joined after they had left.
    assert line.count("không đổi trạng thái") == 4
    # Somebody whom no address tells is found by the name; a stranger waits for a technician.
    named = event(8, "joined", 0, participant={"id": "p1", "name": "phuong cat linh"})
    stranger = event(9, "joined", 0, participant={"id": "p2", "name": "Máy lạ"})
    nowhere = event(10, "joined", 0, room="another")
    told = outcomes(send([named, stranger, nowhere]))
    assert told == ["taken", "unknown_participant", "unknown_room"]
    assert states(db, place)[OTHER][1] == "video"
    sign_in(city.actors["kythuat"].person_id)
    page = client.get(f"/meetings/{meeting_id}/video").text
    assert "Máy lạ" in page
    found = [
        part.split('"')[0] for part in page.split(f'action="/meetings/{meeting_id}/video/')[1:]
    ]
    assert len(found) == 3
    unit = city.points["00226"]
    assigned = client.post(
        f"/meetings/{meeting_id}/video/{found[0]}",
        data={"point": str(unit)},
        follow_redirects=False,
    )
    assert assigned.status_code == 303
    assert states(db, place)["00226"][1] == "video"
    # A second machine of the point keeps it there when the first one leaves.
    second = event(11, "joined", 0, participant={"id": "p3", "name": "Phường Cát Linh"})
    first_leaves = event(12, "left", 0, participant={"id": "p1"})
    assert outcomes(send([second, first_leaves])) == ["taken", "others_still_there"]
    with db.transaction() as session:
        end(session, city.secretary, meeting_id, utcnow())
    assert outcomes(send([event(13, "left", 0)])) == ["meeting_closed"]


def test_what_is_not_signed_now_and_once_is_refused(
    db: Database, place: tuple[City, int, str], send: Send, client: TestClient[Litestar]
) -> None:
    _city, _meeting_id, path = place
    good = [event(1, "joined", -1)]
    now = utcnow()

    def refused(answer: Any) -> tuple[int, str]:
        return answer.status_code, answer.json()["code"]

    assert outcomes(send(good, time=now)) == ["taken"]
    assert refused(send(good, time=now)) == (409, "request_replayed")
    # Whoever heard a request cannot dress it up as another one.
    assert refused(send(good, time=now, **{"x-another-signature": "1"})) == (
        409,
        "request_replayed",
    )
    assert outcomes(send(good, time=now + timedelta(seconds=1))) == ["duplicate"]
    assert refused(send(good, "another secret")) == (401, "signature_wrong")
    for minutes in (-6, 6):
        late = now + timedelta(minutes=minutes)
        assert refused(send(good, time=late)) == (401, "signature_old")
    assert refused(client.post(path, content=b"{}")) == (401, "signature_missing")
    odd = {"x-meetings-timestamp": "१२३", "x-meetings-signature": "v1=ü"}
    raw = [(name.encode(), value.encode()) for name, value in odd.items()]
    assert refused(client.post(path, content=b"{}", headers=raw)) == (401, "signature_missing")
    assert refused(client.post("/api/v1/video/none/events", content=b"{}"))[0] == 404
    for body in (
        b"",
        b"[" * 5_000,
        b'{"events": [{"id": "\xff"}]}',
        json.dumps({"events": [event(2, "came", 0)]}).encode(),
        json.dumps({"events": [event(2, "joined", 0, observed_at="2026-01-01T00:00:00")]}).encode(),
        json.dumps({"events": [event(2, "joined", 0, participant={})]}).encode(),
        json.dumps({"events": [event(n, "joined", 0) for n in range(1_001)]}).encode(),
    ):
        assert refused(send(body)) == (422, "events_unreadable"), body[:40]
    assert send(b" " * (512 * 1024 + 1)).status_code == 413
    encoded = send(good, **{"content-encoding": "gzip"})
    assert refused(encoded) == (400, "body_encoding")
    with db.transaction() as session:
        connection = session.scalars(select(VideoConnection)).one()
        assert connection.last_error in {"request_replayed", "events_unreadable", "signature_wrong"}
        # The former secret holds no longer than it was told to.
        connection.former_until = now
    assert refused(send(good, FORMER)) == (401, "signature_wrong")
    with db.transaction() as session:
        session.scalars(select(VideoConnection)).one().active = False
    assert send(good).status_code == 404


def test_zoom_is_understood(
    db: Database, place: tuple[City, int, str], client: TestClient[Litestar]
) -> None:
    _city, meeting_id, path = place
    with db.transaction() as session:
        session.scalars(select(VideoConnection)).one().format = "zoom"

    def zoom(content: dict[str, Any]) -> Any:
        body, stamp = json.dumps(content).encode(), str(int(utcnow().timestamp()))
        signed = {
            "x-zm-request-timestamp": stamp,
            "x-zm-signature": sign_as_zoom(SECRET, stamp, body),
        }
        return client.post(path, content=body, headers=signed)

    challenge = zoom({"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}})
    assert challenge.json()["plainToken"] == "abc"
    assert len(challenge.json()["encryptedToken"]) == 64
    # What would be a signature is not made for anybody.
    oracle = zoom({"event": "endpoint.url_validation", "payload": {"plainToken": "v0:1:{}"}})
    assert oracle.json() == {"events": []}
    joined = {
        "event": "meeting.participant_joined",
        "event_ts": int(NOW.timestamp() * 1000),
        "payload": {
            "account_id": "a",
            "object": {
                "id": "1000",
                "participant": {
                    "user_id": "16778240",
                    "user_name": "Phường Văn Miếu",
                    "join_time": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
                },
            },
        },
    }
    assert [one["outcome"] for one in zoom(joined).json()["events"]] == ["taken"]
    assert states(db, place)[WARD][1] == "video"
    with db.reader() as session:
        assert (
            len(
                session.scalars(
                    select(AttendanceEntry.revision).where(
                        AttendanceEntry.source == "video", AttendanceEntry.meeting_id == meeting_id
                    )
                ).all()
            )
            == 1
        )
