"""Web push against a real push service: what leaves can be read by one browser alone, once."""

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select

from meetings_server.database import Database
from meetings_server.mail.outbox import OutboxDelivery
from meetings_server.push.devices import PushDevice, Subscription, add_device, is_allowed
from meetings_server.push.notices import unread
from meetings_server.push.sending import PushSender
from meetings_server.push.telling import Telling, tell
from meetings_server.push.vapid import own_key
from meetings_server.settings import Settings
from rooms.kernel import FieldInvalid, utcnow
from tests.conftest import SignIn
from tests.factories import City, make_city
from tests.push_service import PushBrowser, PushService

HOUR = timedelta(hours=1)
TITLE, TEXT = (
    "Your bridge point has not checked in: {title}",
    "Begins at {starts_at}. Not checked in yet: {count}.",
)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PushService]:
    with PushService(tmp_path) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.certificate))
        yield running


@pytest.fixture
def pushing(settings: Settings, service: PushService) -> Settings:
    return replace(settings, push=True, push_hosts=service.host)


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def allow(db: Database, city: City, service: PushService, who: str = "truc.vanmieu") -> PushBrowser:
    browser = service.browser()
    with db.transaction() as session:
        person = city.actors[who].person_id
        told = Subscription(**browser.subscription)
        add_device(session, person, told, "Firefox/140 Windows", {service.host}, utcnow())
    return browser


def told(db: Database, city: City, key: str = "k", **changes: object) -> int:
    now = utcnow()
    telling = Telling(
        key=key,
        kind="silent_point",
        unit_id=city.units["01"],
        title=TITLE,
        text=TEXT,
        facts={"title": "Giao ban", "starts_at": "2026-11-23T01:00:00+00:00"},
        path="/check-in",
        at=now,
        person_ids=[city.actors["truc.vanmieu"].person_id],
        expires_at=now + HOUR,
        urgent=True,
    )
    with db.transaction() as session:
        return tell(session, replace(telling, **changes))  # type: ignore[arg-type]  # fields by name


def push(db: Database, settings: Settings, now: datetime | None = None) -> None:
    clock = (lambda: now) if now else utcnow
    sender = PushSender(db, settings, clock=clock, timeout=(1.0, 0.5))

    async def until_idle() -> None:
        while await sender.round():
            pass

    asyncio.run(until_idle())


def ledger(db: Database) -> list[tuple[str, int, str]]:
    with db.reader() as session:
        rows = select(OutboxDelivery).where(OutboxDelivery.channel == "push")
        return [
            (row.state, row.attempts, row.last_error)
            for row in session.scalars(rows.order_by(OutboxDelivery.id))
        ]


def devices(db: Database) -> int:
    with db.reader() as session:
        return session.scalar(select(func.count()).select_from(PushDevice)) or 0


def test_each_browser_of_a_person_reads_it_once_and_nobody_else_can(
    db: Database, pushing: Settings, service: PushService, city: City
) -> None:
    service.key = own_key(db, pushing, utcnow()).public
    first, second = allow(db, city, service), allow(db, city, service)
    allow(db, city, service, "kythuat")
    assert told(db, city) == 1
    assert told(db, city) == 0  # the same key again tells nobody anything
    push(db, pushing)
    push(db, pushing)
    assert service.complaints == []
    assert [one.browser for one in service.received] in ([first, second], [second, first])
    one = service.received[0]
    assert one.content["title"] == "Điểm cầu chưa điểm danh: Giao ban"
    assert one.content["text"].startswith("Bắt đầu lúc 08:00")
    assert (one.content["path"], one.content["language"]) == ("/check-in", "vi")
    assert one.headers["urgency"] == "high"
    assert 3500 < int(one.headers["ttl"]) <= 3600
    assert one.claims["sub"] == "mailto:hop-truc-tuyen@localhost"
    assert [state for state, *_ in ledger(db)] == ["sent", "sent"]
    # The ledger does not hold what one can push with.
    with db.reader() as session:
        assert session.scalars(select(OutboxDelivery.address)).all() == ["", ""]


def test_the_key_is_made_once_and_kept_sealed(db: Database, settings: Settings) -> None:
    made = own_key(db, settings, utcnow())
    again = own_key(db, settings, utcnow())
    assert made.public == again.public
    point = urlsafe_b64decode(made.public + "=")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    with db.reader() as session:
        (sealed,) = session.connection().exec_driver_sql("SELECT sealed FROM push_key").one()
    assert "PRIVATE" not in sealed
    other = own_key(db, replace(settings, secret_key="1" * 64), utcnow())
    assert other.public != made.public


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_forgotten(
    db: Database, pushing: Settings, service: PushService, city: City, status: int
) -> None:
    allow(db, city, service)
    told(db, city)
    service.answer(status)
    push(db, pushing)
    assert devices(db) == 0
    assert [state for state, *_ in ledger(db)] == ["failed"]
    assert told(db, city, "later") == 1  # in the page; there is nothing to push to
    assert len(ledger(db)) == 1


def test_trouble_is_tried_again_as_late_as_the_service_asks_and_until_the_occasion_is_over(
    db: Database, pushing: Settings, service: PushService, city: City
) -> None:
    now = utcnow()
    allow(db, city, service)
    told(db, city)
    service.answer(429, retry_after="240")
    push(db, pushing, now + timedelta(seconds=1))
    service.answer(503)
    push(db, pushing, now + timedelta(seconds=200))
    assert len(service.attempts) == 1
    push(db, pushing, now + timedelta(seconds=300))
    assert ledger(db) == [("queued", 2, "503 Service Unavailable")]
    service.answer(201)
    service.hang()
    push(db, pushing, now + 0.5 * HOUR)
    assert ledger(db) == [("queued", 3, "no answer in time")]
    push(db, pushing, now + 2 * HOUR)
    assert [state for state, *_ in ledger(db)] == ["expired"]
    assert devices(db) == 1
    assert service.received == []


def test_a_refusal_is_for_good_and_no_redirect_is_followed(
    db: Database, pushing: Settings, service: PushService, city: City
) -> None:
    browser = allow(db, city, service)
    told(db, city)
    service.answer(307, location=browser.endpoint.replace("/push/", "/elsewhere/"))
    push(db, pushing)
    assert ledger(db) == [("failed", 1, "307 Temporary Redirect")]
    assert service.attempts == ["/push/1"]
    # An address that was allowed once and is no longer is not called.
    told(db, city, "second")
    push(db, replace(pushing, push_hosts="fcm.googleapis.com"))
    assert ledger(db)[1] == ("failed", 1, "localhost is not among the push services")
    assert service.attempts == ["/push/1"]


def test_nothing_leaves_while_push_is_off(
    db: Database, pushing: Settings, service: PushService, city: City
) -> None:
    allow(db, city, service)
    told(db, city)
    push(db, replace(pushing, push=False))
    assert [state for state, *_ in ledger(db)] == ["kept"]
    assert service.attempts == []


HOSTS = Settings().push_services
FCM = "fcm.googleapis.com"


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        (f"https://{FCM}/fcm/send/abc", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", True),
        ("https://wns2-par02p.notify.windows.com/w/?token=x", True),
        ("https://web.push.apple.com/x", True),
        (f"http://{FCM}/x", False),
        (f"https://{FCM}:8443/x", False),
        (f"https://{FCM}@169.254.169.254/x", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("https://localhost/x", False),
        ("https://[::1]/x", False),
        (f"https://evil.example/?{FCM}", False),
        (f"https://{FCM}.evil.example/x", False),
        ("https://evilpush.apple.com.example/x", False),
        ("https://push.apple.com/x", False),
        (f"https://{FCM}\\@evil.example/x", False),
        (f"https://{FCM}%2eevil.example/x", False),
        (f"https://{FCM}:port/x", False),
        ("https:///x", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_the_server_calls_push_services_only(endpoint: str, allowed: bool) -> None:
    assert is_allowed(endpoint, HOSTS) is allowed


@pytest.mark.parametrize(
    ("field", "value"),
    [("p256dh", "AAAA"), ("p256dh", "B" + "A" * 86), ("auth", "AAAA"), ("auth", "ä")],
)
def test_keys_that_are_none_are_refused(
    db: Database, service: PushService, city: City, field: str, value: str
) -> None:
    wrong = service.browser().subscription | {field: value}
    with pytest.raises(FieldInvalid) as refused, db.transaction() as session:
        add_device(
            session, city.secretary.person_id, Subscription(**wrong), "", {service.host}, utcnow()
        )
    assert (refused.value.field, refused.value.problem) == (field, "malformed")


def test_a_person_allows_tries_and_removes_a_browser(
    client: TestClient[Litestar],
    sign_in: SignIn,
    db: Database,
    pushing: Settings,
    service: PushService,
    city: City,
) -> None:
    browser = service.browser()
    sign_in(city.secretary.person_id)
    client.headers["accept"] = "application/json"
    refused = client.post("/account/push", data=browser.subscription)
    assert (refused.status_code, refused.json()["code"]) == (409, "push_off")
    client.app.state.settings = pushing
    inside = browser.subscription | {"endpoint": "https://127.0.0.1/admin"}
    assert client.post("/account/push", data=inside).status_code == 422
    for _again in range(2):
        device = client.post("/account/push", data=browser.subscription).json()["device"]
    assert devices(db) == 1
    page = client.get("/account/push").text
    assert own_key(db, pushing, utcnow()).public in page
    assert page.count("chưa báo lần nào") == 1
    allow(db, city, service, "thuky")
    client.post(f"/account/push/{device}/test")
    with db.reader() as session:
        # To this browser alone, and not as a notice in the page.
        assert session.scalars(select(OutboxDelivery.recipient)).all() == [f"device:{device}"]
        assert unread(session, city.secretary.person_id) == 0
    sign_in(city.chair.person_id)
    assert client.post(f"/account/push/{device}/remove").status_code == 404
    # Whoever allows it in the same browser takes it over: it shows what they are told.
    assert client.post("/account/push", data=browser.subscription).json()["device"] == device
    client.post(f"/account/push/{device}/remove")
    assert devices(db) == 1
