"""The ledger and the mailboxes: who sees what, and sending again."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import event, select, update

from meetings_server.database import Database
from meetings_server.mail.ledger import (
    Asked,
    boxes,
    look_through,
    open_mail,
    send_again,
    sent_by,
    sent_to,
)
from meetings_server.mail.outbox import DeliveryState, OutboxDelivery, OutboxMessage
from meetings_server.mail.transport import Sender
from meetings_server.settings import Settings
from rooms.audience import Rule
from rooms.hierarchy import Unit
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, MeetingChange
from rooms.scheduling import change, postpone, request_of
from tests.factories import ALL, City, make_city, make_hanoi, scheduled_meeting
from tests.mailbox import SmtpPeer

Client = TestClient[Litestar]
SignIn = Callable[[int], None]
VAN_MIEU = "vanthu.00181@hanoi.example"


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        scheduled_meeting(session, city, utcnow())
        return city


def delivery_to(db: Database, address: str) -> OutboxDelivery:
    with db.reader() as session:
        return session.scalars(
            select(OutboxDelivery)
            .where(OutboxDelivery.address == address)
            .order_by(OutboxDelivery.id.desc())
        ).first() or pytest.fail(f"nothing to {address}")


def mark_as(
    db: Database, state: DeliveryState, error: str = "", address: str | None = None
) -> None:
    with db.transaction() as session:
        wanted = update(OutboxDelivery).values(state=state.value, last_error=error, attempts=1)
        session.execute(wanted.where(OutboxDelivery.address == address) if address else wanted)


@pytest.mark.parametrize(
    ("who", "seen"),
    [("quantri", True), ("thuky", True), ("thuky.dongda", False), ("truc.vanmieu", False)],
)
def test_the_ledger_is_for_those_who_look_after_the_hosts_mail(
    db: Database, client: Client, sign_in: SignIn, city: City, who: str, seen: bool
) -> None:
    delivery = delivery_to(db, VAN_MIEU)
    sign_in(city.actors[who].person_id)
    assert (VAN_MIEU in client.get("/admin/mail").text) is seen
    assert client.get(f"/admin/mail/{delivery.id}").status_code == (200 if seen else 404)
    mark_as(db, DeliveryState.FAILED, "550 no")
    again = client.post(f"/admin/mail/{delivery.id}/again", follow_redirects=False)
    assert again.status_code == (303 if seen else 404)


@pytest.mark.parametrize(
    ("who", "seen"),
    [("vanthu.vanmieu", True), ("thuky.dongda", True), ("thuky", True), ("truc.cattlinh", False)],
)
def test_a_mailbox_is_read_by_its_unit_and_those_above(
    db: Database, client: Client, sign_in: SignIn, city: City, who: str, seen: bool
) -> None:
    sign_in(city.actors[who].person_id)
    assert (VAN_MIEU in client.get("/mailbox").text) is seen
    box = client.get("/mailbox", params={"address": VAN_MIEU}).text
    assert ("Giấy mời họp trực tuyến: Giao ban công tác tháng" in box) is seen
    mail = client.get(f"/mailbox/{delivery_to(db, VAN_MIEU).id}")
    assert mail.status_code == (200 if seen else 404)
    assert ("246810" in mail.text) is seen


def test_one_mail_is_shown_as_it_arrives(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.actors["quantri"].person_id)
    page = client.get(f"/admin/mail/{delivery_to(db, VAN_MIEU).id}").text
    for told in ("Kính gửi: Phường Văn Miếu", "REQUEST", "SEQUENCE", "BEGIN:VCALENDAR", VAN_MIEU):
        assert told in page


def test_the_ledger_is_filtered(db: Database, client: Client, sign_in: SignIn, city: City) -> None:
    mark_as(db, DeliveryState.SENT)
    mark_as(db, DeliveryState.FAILED, "550 no such mailbox", VAN_MIEU)
    sign_in(city.actors["quantri"].person_id)
    failed = client.get("/admin/mail", params={"state": "failed"}).text
    assert "550 no such mailbox" in failed
    assert "vanthu.00178@hanoi.example" not in failed
    # Without diacritics, as people type.
    found = client.get("/admin/mail", params={"q": "cat linh"}).text
    assert "vanthu.00178@hanoi.example" in found
    assert VAN_MIEU not in found
    assert VAN_MIEU not in client.get("/admin/mail", params={"meeting": "99"}).text


@pytest.mark.parametrize(
    "query",
    [
        "state=nonsense",
        "q=%00",
        "q=%25",
        "meeting=abc",
        "meeting=-1",
        "before=1e9",
        "q=" + "x" * 9_000,
    ],
)
def test_a_filter_that_cannot_be_read_filters_nothing_or_finds_nothing(
    client: Client, sign_in: SignIn, city: City, query: str
) -> None:
    sign_in(city.actors["quantri"].person_id)
    assert client.get(f"/admin/mail?{query}").status_code == 200
    assert client.get(f"/mailbox?{query}").status_code == 200


def test_a_failed_mail_is_sent_again_to_the_corrected_address(
    db: Database, settings: Settings, smtp_peer: SmtpPeer, city: City
) -> None:
    now = utcnow()
    settings = replace(settings, smtp_url=smtp_peer.url)
    mark_as(db, DeliveryState.SENT)
    mark_as(db, DeliveryState.FAILED, "550 no such mailbox", VAN_MIEU)
    delivery = delivery_to(db, VAN_MIEU)
    with db.transaction() as session:
        session.get_one(Unit, city.units["00181"]).email = "moi@hanoi.example"
    with db.transaction() as session:
        send_again(session, city.secretary, delivery.id, now)
    asyncio.run(Sender(db, settings).round())
    assert [mail.recipients for mail in smtp_peer.received] == [("moi@hanoi.example",)]


def test_all_failed_mails_are_sent_again_with_one_button(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    mark_as(db, DeliveryState.FAILED, "550 no")
    sign_in(city.actors["thuky"].person_id)
    answer = client.post("/admin/mail/again", data={"q": "cat linh"}, follow_redirects=False)
    assert answer.status_code == 303
    with db.reader() as session:
        failed = session.scalars(
            select(OutboxDelivery.address).where(OutboxDelivery.state == "failed")
        ).all()
    assert len(failed) == 7
    assert "vanthu.00178@hanoi.example" not in failed


@pytest.mark.parametrize("state", ["sent", "sending", "superseded", "expired"])
def test_what_has_arrived_or_is_over_is_not_sent_again(
    db: Database, client: Client, sign_in: SignIn, city: City, state: str
) -> None:
    mark_as(db, DeliveryState(state))
    delivery = delivery_to(db, VAN_MIEU)
    sign_in(city.actors["thuky"].person_id)
    answer = client.post(f"/admin/mail/{delivery.id}/again", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_to_retry")


def test_the_pages_take_no_more_statements_for_more_mail(db: Database) -> None:
    with db.transaction() as session:
        city = make_hanoi(session, utcnow())
        scheduled_meeting(session, city, utcnow())
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    today = civil_day(utcnow())
    with db.reader() as session:
        shelf = look_through(session, sent_by(city.secretary, today), Asked())
        assert (len(shelf.deliveries), shelf.has_more) == (50, True)
        assert sum(shelf.counts.values()) == 631
        assert len(boxes(session, city.secretary, "", utcnow())) == 50
        open_mail(session, sent_to(city.secretary, today), shelf.deliveries[0][0].id)
    event.remove(db.engine, "before_cursor_execute", note)
    assert len([one for one in seen if not one.startswith("BEGIN")]) == 4


def kinds(db: Database) -> list[tuple[str, int]]:
    """Each message with the number of its recipients."""
    with db.reader() as session:
        found: dict[int, list[int]] = {}
        for message_id in session.scalars(select(OutboxDelivery.message_id)):
            found.setdefault(message_id, []).append(1)
        return [
            (message.kind, len(found.get(message.id, [])))
            for message in session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))
        ]


def test_a_changed_audience_writes_only_to_those_concerned(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting = session.scalars(select(Meeting)).one()
        rules = [*ALL, Rule(include=False, by="unit", unit="00181")]
        change(session, city.secretary, meeting.id, request_of(session, meeting, rules), utcnow())
    assert kinds(db)[1:] == [("withdrawal", 1)]
    with db.transaction() as session:
        meeting = session.scalars(select(Meeting)).one()
        change(
            session, city.secretary, meeting.id, request_of(session, meeting, list(ALL)), utcnow()
        )
    assert kinds(db)[2:] == [("invitation", 1)]
    with db.transaction() as session:
        meeting = session.scalars(select(Meeting)).one()
        request = replace(request_of(session, meeting, list(ALL)[:2]), title="Giao ban quý")
        change(session, city.secretary, meeting.id, request, utcnow())
    assert kinds(db)[3:] == [("withdrawal", 4), ("change", 4)]


def test_a_postponed_meeting_is_taken_back_and_invited_to_again(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting = session.scalars(select(Meeting)).one()
        postpone(session, city.secretary, meeting.id, "Chờ số liệu", utcnow())
    with db.transaction() as session:
        meeting = session.scalars(select(Meeting)).one()
        request = request_of(session, meeting, list(ALL))
        length = request.ends_at - request.starts_at
        later = replace(
            request, starts_at=request.starts_at + length, ends_at=request.ends_at + length
        )
        change(session, city.secretary, meeting.id, later, utcnow(), reason="Dời")
    assert kinds(db) == [("invitation", 8), ("postponement", 8), ("change", 8)]
    with db.reader() as session:
        sequences = [
            message.facts["sequence"] for message in session.scalars(select(OutboxMessage))
        ]
        assert sequences == [0, 1, 2]
        assert session.scalars(select(MeetingChange.action)).all()[-1] == "rescheduled"


def test_a_unit_without_an_address_stands_in_the_ledger(
    db: Database, client: Client, sign_in: SignIn
) -> None:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        session.get_one(Unit, city.units["00181"]).email = None
        session.flush()
        scheduled_meeting(session, city, utcnow())
    sign_in(city.actors["thuky"].person_id)
    page = client.get("/admin/mail", params={"state": "no_address"}).text
    assert "Phường Văn Miếu" in page
    assert "chưa có địa chỉ thư" in page


def test_booking_hanoi_with_its_outbox_takes_few_statements(db: Database) -> None:
    with db.transaction() as session:
        city = make_hanoi(session, utcnow())
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    with db.transaction() as session:
        scheduled_meeting(session, city, utcnow())
    event.remove(db.engine, "before_cursor_execute", note)
    about_mail = [one for one in seen if "outbox" in one]
    assert len(about_mail) == 3
    assert len(seen) < 60


def test_calendars_page_gives_addresses_and_renews_them(
    client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.actors["vanthu.vanmieu"].person_id)
    page = client.get("/calendars").text
    assert page.count("/api/v1/calendars/") == 3
    assert client.get("/calendars").text.count("/api/v1/calendars/") == 3
    first = page.split("/api/v1/calendars/")[1].split('"')[0]
    assert client.get(f"/api/v1/calendars/{first}").status_code == 200
    renewed = client.post(
        "/calendars/renew",
        data={"kind": "person", "of": str(city.actors["vanthu.vanmieu"].person_id)},
        follow_redirects=False,
    )
    assert renewed.status_code == 303
    assert client.get(f"/api/v1/calendars/{first}").status_code == 404
    other = client.post("/calendars/renew", data={"kind": "unit", "of": str(city.units["00178"])})
    assert other.status_code == 403
    for kind, of_id in (("nonsense", "1"), ("unit", "x"), ("unit", "9" * 30), ("unit", "²")):
        assert client.post("/calendars/renew", data={"kind": kind, "of": of_id}).status_code == 404
