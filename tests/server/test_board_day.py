"""What the board asks while it is open: an instant, the day, reminders, and how many statements."""

from datetime import datetime, timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select

from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from meetings_server.mail.outbox import OutboxDelivery, OutboxMessage
from rooms.attendance import CheckIn, Source
from rooms.check_ins import record_check_ins
from rooms.kernel import utcnow
from rooms.meetings import Meeting, Participation
from rooms.reminders import Reminder, last_reminders, remind
from tests.conftest import SignIn
from tests.factories import City, make_city, scheduled_meeting

JSON = {"accept": "application/json"}
LATER = timedelta(minutes=10)


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


@pytest.fixture
def meeting_id(db: Database, city: City) -> int:
    """A meeting in half an hour to which all were invited yesterday."""
    now = utcnow()
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=30))
        for invitation in session.scalars(select(Participation)):
            invitation.invited_at = now - timedelta(days=1)
        return meeting.id


def say(db: Database, city: City, meeting_id: int, code: str, state: str, at: datetime) -> None:
    said = CheckIn(
        meeting_id,
        city.points[code],
        state,
        city.secretary.person_id,
        Source.PAGE,
        headcount=5,
        note="Mất tiếng",
        observed_at=at,
    )
    with db.connection() as connection:
        (outcome,) = record_check_ins(connection, [said], utcnow())
        connection.commit()
    assert isinstance(outcome, int)


def test_an_instant_and_the_day_agree_with_the_api(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    now = utcnow()
    say(db, city, meeting_id, "00181", "present", now - timedelta(minutes=20))
    say(db, city, meeting_id, "00178", "present", now - timedelta(minutes=10))
    say(db, city, meeting_id, "00181", "lost", now - timedelta(minutes=5))
    sign_in(city.secretary.person_id)
    at = (now - timedelta(minutes=15)).isoformat()
    then = client.get(f"/meetings/{meeting_id}/board/instant", params={"at": at}).json()
    with db.transaction() as session:
        token = create_token(session, city.secretary.person_id, "test", utcnow())
    truth = client.get(
        f"/api/v1/meetings/{meeting_id}/attendance",
        params={"at": at},
        headers={"authorization": f"Bearer {token}"},
    ).json()
    assert {row[0]: row[1:] for row in then["points"]} == {
        point["point"]: [point["state"], point["since"], point["headcount"]]
        for point in truth["points"]
    }
    assert then["notes"] == {}
    day = client.get(f"/meetings/{meeting_id}/board/day").json()
    rows = [dict(zip(day["columns"], row, strict=True)) for row in day["rows"]]
    assert [rows[0]["present"], max(row["present"] for row in rows)] == [0, 2]
    assert {name: rows[-1][name] for name in ("invited", "present", "lost")} == {
        "invited": 9,
        "present": 1,
        "lost": 1,
    }
    sign_in(city.actors["truc.vanmieu"].person_id)
    own = client.get(f"/meetings/{meeting_id}/board/instant", params={"at": at}).json()
    assert [row[0] for row in own["points"]] == [city.points["00181"]]
    wrong = client.get(
        f"/meetings/{meeting_id}/board/instant", params={"at": "yesterday"}, headers=JSON
    )
    assert wrong.status_code == 422


def test_absent_points_are_reminded_once_within_minutes(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    say(db, city, meeting_id, "00181", "present", utcnow())
    points = [city.points[code] for code in ("00181", "00178", "00226")]
    where = f"/meetings/{meeting_id}/board/remind"
    sign_in(city.actors["thuky.dongda"].person_id)
    done = client.post(where, json={"points": points}).json()
    assert (done["told"], done["lately"], done["there"]) == (2, 0, 1)
    assert {key: row[1:] for key, row in done["reminders"].items()} == {
        str(point): ["Lê Ngọc Bích", 1] for point in points[1:]
    }
    again = client.post(where, json={"points": points}).json()
    assert (again["told"], again["lately"], again["there"]) == (0, 2, 1)
    with db.reader() as session:
        told = session.scalars(
            select(OutboxDelivery.address)
            .join(OutboxMessage, OutboxMessage.id == OutboxDelivery.message_id)
            .where(OutboxMessage.kind == "called_point", OutboxDelivery.unit_id.is_not(None))
            .order_by(OutboxDelivery.id)
        ).all()
        assert told == ["vanthu.00178@hanoi.example", "vanthu.00226@hanoi.example"]
    # Ten minutes later one may again; the board tells who did, and how often.
    with db.transaction() as session:
        chair = city.chair
        assert remind(session, chair, meeting_id, points, utcnow() + LATER).told == set(points[1:])
    with db.reader() as session:
        last = last_reminders(session, meeting_id)[points[1]]
        assert (last.by, last.times) == ("Đỗ Hoàng Long", 2)
    notes = client.get(f"/meetings/{meeting_id}/board/notes").json()
    assert set(notes["reminders"]) == {str(point) for point in points[1:]}


def test_who_may_not_check_a_point_in_may_not_remind_it(
    client: TestClient[Litestar], sign_in: SignIn, db: Database, city: City, meeting_id: int
) -> None:
    where = f"/meetings/{meeting_id}/board/remind"
    sign_in(city.actors["truc.vanmieu"].person_id)
    strange = client.post(where, json={"points": [city.points["00178"]]}, headers=JSON)
    assert (strange.status_code, strange.json()["code"]) == (403, "denied")
    assert client.post(where, json={"points": [999_999]}, headers=JSON).status_code == 404
    with db.transaction() as session:
        session.get_one(Meeting, meeting_id).state = "ended"
    sign_in(city.secretary.person_id)
    over = client.post(where, json={"points": [city.points["00178"]]}, headers=JSON)
    assert (over.status_code, over.json()["code"]) == (409, "meeting_closed")
    with db.reader() as session:
        assert session.scalar(select(func.count()).select_from(Reminder)) == 0
