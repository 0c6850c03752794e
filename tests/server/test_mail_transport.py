"""The sender against a real SMTP peer: everybody gets it once, whatever the peer does."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from icalendar import Calendar
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select, update

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.mail import claims
from meetings_server.mail.outbox import DeliveryState, OutboxDelivery
from meetings_server.mail.transport import Sender
from meetings_server.settings import Settings
from rooms.kernel import utcnow
from rooms.meetings import Meeting
from rooms.scheduling import cancel, change, request_of
from tests.conftest import StartServer
from tests.factories import ALL, City, make_city, make_hanoi, scheduled_meeting
from tests.mailbox import Received, SmtpPeer

VAN_MIEU = "vanthu.00181@hanoi.example"
CAT_LINH = "vanthu.00178@hanoi.example"


@pytest.fixture
def with_mail(settings: Settings, smtp_peer: SmtpPeer) -> Settings:
    return replace(settings, smtp_url=smtp_peer.url, public_url="https://hop.hanoi.example")


def sender_on(
    db: Database, settings: Settings, now: datetime | None = None, **facts: float
) -> Sender:
    clock: Callable[[], datetime] = (lambda: now) if now else utcnow
    return Sender(db, settings, clock=clock, **facts)  # type: ignore[arg-type]  # facts are fields by name


def send(sender: Sender) -> None:
    async def until_idle() -> None:
        while await sender.round():
            pass

    asyncio.run(until_idle())


def invite(db: Database) -> tuple[City, Meeting]:
    with db.transaction() as session:
        city = make_city(session, utcnow())
        return city, scheduled_meeting(session, city, utcnow())


def ledger(db: Database) -> dict[str, tuple[str, int, str]]:
    """State, attempts and last error by address, of the newest mail to each."""
    with db.reader() as session:
        return {
            row.address: (row.state, row.attempts, row.last_error)
            for row in session.scalars(select(OutboxDelivery).order_by(OutboxDelivery.id))
        }


def states(db: Database) -> list[str]:
    with db.reader() as session:
        return list(session.scalars(select(OutboxDelivery.state).order_by(OutboxDelivery.id)).all())


def event_in(mail: Received) -> tuple[str, Calendar, dict[str, object]]:
    part = mail.part("text/calendar")
    calendar = Calendar.from_ical(part.get_content())
    (event,) = calendar.events
    return str(part.get_param("method")), calendar, dict(event)


def test_every_invited_unit_gets_one_request(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    _, meeting = invite(db)
    send(sender_on(db, with_mail))
    # Nine units, the host among them: it does not write to itself.
    assert sorted(mail.recipients[0] for mail in smtp_peer.received) == sorted(ledger(db))
    assert len(smtp_peer.received) == 8
    assert set(states(db)) == {"sent"}
    (mail,) = smtp_peer.to(VAN_MIEU)
    method, calendar, event = event_in(mail)
    assert (method, calendar["method"]) == ("REQUEST", "REQUEST")
    assert (event["UID"], event["SEQUENCE"], event["STATUS"]) == (meeting.uid, 0, "CONFIRMED")
    assert mail.message["subject"] == "Giấy mời họp trực tuyến: Giao ban công tác tháng"
    text = mail.part("text/plain").get_content()
    for told in (
        "Kính gửi: Phường Văn Miếu",
        "Chủ trì: Đỗ Hoàng Long, Phó Chủ tịch",
        "08:00–10:00",
        "Điểm cầu chính: Phòng họp Thành phố Hà Nội",
        "Điểm cầu của đơn vị: Phòng họp Phường Văn Miếu",
        "2. Thảo luận (Các điểm cầu)",
        "Thử đường truyền trước 30 phút.",
        "https://hop.hanoi.example/phong/1000",
        "246810",
        "https://hop.hanoi.example/invitations/",
    ):
        assert told in text
    attached = mail.part("application/ics")
    assert attached.get_filename() == "giay-moi.ics"
    assert attached.get_content() == mail.part("text/calendar").get_content().encode()


def test_all_of_hanoi_is_invited_over_few_connections(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    with db.transaction() as session:
        city = make_hanoi(session, utcnow())
        scheduled_meeting(session, city, utcnow())
    send(sender_on(db, with_mail))
    assert len({mail.recipients[0] for mail in smtp_peer.received}) == 631
    assert len(smtp_peer.received) == 631


def test_one_refused_recipient_keeps_nobody_else_waiting(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    invite(db)
    smtp_peer.refuse("550 no such mailbox", only=VAN_MIEU)
    send(sender_on(db, with_mail))
    assert len(smtp_peer.received) == 7
    assert ledger(db)[VAN_MIEU] == ("failed", 1, "550 no such mailbox")
    assert smtp_peer.attempts.count(VAN_MIEU) == 1


def test_greylisting_is_asked_again_and_accepted(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    invite(db)
    now = utcnow()
    smtp_peer.refuse("451 try again later", only=VAN_MIEU)
    send(sender_on(db, with_mail, now))
    assert ledger(db)[VAN_MIEU] == ("queued", 1, "451 try again later")
    smtp_peer.accept()
    send(sender_on(db, with_mail, now + timedelta(seconds=59)))
    assert smtp_peer.to(VAN_MIEU) == []
    send(sender_on(db, with_mail, now + timedelta(seconds=73)))
    assert len(smtp_peer.to(VAN_MIEU)) == 1
    assert ledger(db)[VAN_MIEU] == ("sent", 2, "")


def test_a_server_that_is_down_for_a_day_ends_in_failure_and_not_before(
    db: Database, settings: Settings
) -> None:
    invite(db)
    unreachable = replace(settings, smtp_url="smtp://127.0.0.1:1")
    now = utcnow()
    for wait in (timedelta(0), *claims.RETRY_AFTER):
        assert set(states(db)) == {"queued"}
        now += wait * (1 + claims.JITTER)
        send(sender_on(db, unreachable, now))
    assert set(states(db)) == {"failed"}
    _, attempts, error = ledger(db)[VAN_MIEU]
    assert attempts == 8
    assert "SMTPConnectError" in error


def test_mail_waits_for_a_server_that_comes_back(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    invite(db)
    now = utcnow()
    send(sender_on(db, replace(with_mail, smtp_url="smtp://127.0.0.1:1"), now))
    assert set(states(db)) == {"queued"}
    send(sender_on(db, with_mail, now + timedelta(minutes=2)))
    assert len(smtp_peer.received) == 8


def test_a_peer_that_says_nothing_holds_up_one_message_at_a_time(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    invite(db)
    smtp_peer.hang()
    sender = sender_on(db, with_mail, utcnow(), answer_seconds=0.3, connections=2, batch=1)
    asyncio.run(sender.round())
    tried = [entry for entry in ledger(db).values() if entry[1]]
    assert [state for state, _, _ in tried] == ["queued", "queued"]
    assert all("Timeout" in error for _, _, error in tried)


def test_two_senders_send_nothing_twice(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    invite(db)

    async def race() -> None:
        senders = [sender_on(db, with_mail, batch=2) for _ in range(2)]
        for _ in range(4):
            await asyncio.gather(*(sender.round() for sender in senders))

    asyncio.run(race())
    to = [mail.recipients[0] for mail in smtp_peer.received]
    assert len(to) == len(set(to)) == 8


def test_what_a_crashed_sender_held_is_sent_when_its_claim_has_run_out(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    invite(db)
    now = utcnow()
    held = claims.claim(db, "crashed", now, 100)
    assert len(held) == 8
    send(sender_on(db, with_mail, now + timedelta(minutes=4)))
    assert smtp_peer.received == []
    send(sender_on(db, with_mail, now + claims.LEASE))
    assert len(smtp_peer.received) == 8
    # The old one wakes up: it may no longer say what became of them.
    claims.refused(db, "crashed", held[0], now, "too late", for_good=True)
    assert set(states(db)) == {"sent"}


def test_a_double_after_a_crash_is_recognised_by_its_message_id(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    invite(db)
    send(sender_on(db, with_mail))
    with db.transaction() as session:
        session.execute(update(OutboxDelivery).values(state=DeliveryState.QUEUED.value))
    send(sender_on(db, with_mail))
    first, second = smtp_peer.to(VAN_MIEU)
    assert first.message["message-id"] == second.message["message-id"]
    assert len({mail.message["message-id"] for mail in smtp_peer.received}) == 8


def test_rescheduling_raises_the_sequence_under_the_same_uid(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    city, meeting = invite(db)
    send(sender_on(db, with_mail))
    with db.transaction() as session:
        moved = session.get_one(Meeting, meeting.id)
        request = request_of(session, moved, list(ALL))
        later = timedelta(hours=3)
        request = replace(
            request, starts_at=request.starts_at + later, ends_at=request.ends_at + later
        )
        change(session, city.secretary, meeting.id, request, utcnow(), reason="Trùng lịch")
    send(sender_on(db, with_mail))
    before, after = (event_in(mail)[2] for mail in smtp_peer.to(VAN_MIEU))
    assert before["UID"] == after["UID"]
    assert (before["SEQUENCE"], after["SEQUENCE"]) == (0, 1)
    assert after["DTSTART"].dt - before["DTSTART"].dt == later  # type: ignore[attr-defined]  # vDDDTypes
    text = smtp_peer.to(VAN_MIEU)[1].part("text/plain").get_content()
    assert "Lý do: Trùng lịch" in text
    assert "Thời gian trước đây: " in text


def test_cancelling_takes_it_out_of_every_calendar(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    city, meeting = invite(db)
    send(sender_on(db, with_mail))
    with db.transaction() as session:
        cancel(session, city.secretary, meeting.id, "Bão số 9", utcnow())
    send(sender_on(db, with_mail))
    assert len(smtp_peer.received) == 16
    method, calendar, event = event_in(smtp_peer.to(CAT_LINH)[1])
    assert (method, calendar["method"], event["STATUS"]) == ("CANCEL", "CANCEL", "CANCELLED")
    assert (event["UID"], event["SEQUENCE"]) == (meeting.uid, 1)
    assert event["COMMENT"] == "Bão số 9"


def test_an_invitation_never_arrives_after_its_own_cancellation(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    city, meeting = invite(db)
    with db.transaction() as session:
        cancel(session, city.secretary, meeting.id, "Bão số 9", utcnow())
    send(sender_on(db, with_mail))
    assert [event_in(mail)[0] for mail in smtp_peer.received] == ["CANCEL"] * 8
    assert sorted(states(db)) == ["sent"] * 8 + ["superseded"] * 8


def test_what_is_over_is_not_sent_any_more(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    _, meeting = invite(db)
    send(sender_on(db, with_mail, meeting.ends_at))
    assert smtp_peer.received == []
    assert set(states(db)) == {"expired"}


def test_an_address_that_cannot_be_read_is_told_in_the_ledger(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    invite(db)
    with db.transaction() as session:
        session.execute(
            update(OutboxDelivery)
            .where(OutboxDelivery.address == VAN_MIEU)
            .values(address="văn thư\r\nBcc: x@y")
        )
    send(sender_on(db, with_mail))
    assert len(smtp_peer.received) == 7
    state, _, error = ledger(db)["văn thư\r\nBcc: x@y"]
    assert (state, "Bcc" in error) == ("failed", True)


def test_without_a_mail_server_mail_is_kept(db: Database, settings: Settings) -> None:
    invite(db)
    send(sender_on(db, settings))
    assert set(states(db)) == {"kept"}


def test_mail_leaves_right_after_the_commit(
    db: Database, with_mail: Settings, smtp_peer: SmtpPeer
) -> None:
    app: Litestar = create_app(with_mail, db)
    with TestClient(app):
        invite(db)
        assert len(smtp_peer.wait_for(8, seconds=15)) == 8
    assert set(states(db)) == {"sent"}


def test_the_program_stops_in_time_while_the_mail_server_hangs(
    database_url: str, db: Database, running_server: StartServer, smtp_peer: SmtpPeer
) -> None:
    smtp_peer.hang()
    invite(db)
    server = running_server(
        "serve", settings={"smtp_url": smtp_peer.url, "database_url": database_url}
    )
    while not smtp_peer.attempts:
        assert server.process.poll() is None
    server.stop()
    assert set(states(db)) <= {"queued", "sending"}
