"""Pages and calls of directives: what is shown to whom, bad input, files, a second click."""

import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import event, func, select

from meetings_server.database import Database
from meetings_server.identity.sessions import create_token
from meetings_server.settings import Settings
from minutes.circulation import acknowledge, recall
from minutes.directives import Directive, DirectiveFile
from minutes.paper_pointers import PaperPointer
from minutes.receipts import Circulation, Receipt
from minutes.storage import StoredFile
from rooms.audience import Rule
from rooms.kernel import civil_day, utcnow
from tests.documents import PDF_BYTES, circulated, drafted, issued
from tests.factories import City, make_city, make_hanoi

Client = TestClient[Litestar]
SignIn = Callable[[int], None]
WARDS = [{"include": "level", "level": "ward"}]


@pytest.fixture
def now() -> datetime:
    return utcnow()


@pytest.fixture
def city(db: Database, now: datetime) -> City:
    with db.transaction() as session:
        return make_city(session, now)


@pytest.fixture
def enter(city: City, sign_in: SignIn) -> Callable[[str], None]:
    return lambda username: sign_in(city.actors[username].person_id)


def form(city: City, now: datetime, **changes: str) -> dict[str, str]:
    return {
        "issuing_unit": str(city.units["01"]),
        "kind": "plan",
        "symbol": "KH-UBND",
        "title": "Kế hoạch phòng, chống úng ngập",
        "signed_by_name": "Đỗ Hoàng Long",
        "document_date": civil_day(now).isoformat(),
        "secrecy": "open",
        "urgency": "urgent",
        "request_key": "one-form",
    } | changes


def pdf(name: str = "kế hoạch.pdf", content: bytes = PDF_BYTES) -> dict[str, Any]:
    return {"files": (name, io.BytesIO(content), "application/pdf")}


def count(db: Database, table: type) -> int:
    with db.reader() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """The statements that the server runs meanwhile."""
    statements: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE")):
            statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield statements
    event.remove(db.engine, "before_cursor_execute", note)


def test_a_clerk_makes_issues_and_sends_and_a_ward_confirms(
    client: Client, enter: Callable[[str], None], db: Database, city: City, now: datetime
) -> None:
    enter("thuky")
    made = client.post(
        "/directives/new",
        data=form(city, now, then="issue"),
        files=pdf(),
        follow_redirects=False,
    )
    assert made.status_code == 303, made.text
    page = made.headers["location"]
    assert "01/KH-UBND" in client.get(page).text
    preview = client.post(f"{page}/recipients", data={"rules": json.dumps(WARDS)})
    assert 'data-new="4"' in preview.text
    sent = client.post(
        f"{page}/circulate", data={"rules": json.dumps(WARDS)}, follow_redirects=False
    )
    assert sent.status_code == 303, sent.text
    enter("vanthu.vanmieu")
    listed = client.get("/directives").text
    assert "úng ngập" in listed
    assert 'class="unread"' in listed
    assert client.get(page).status_code == 200
    assert 'class="unread"' not in client.get("/directives").text
    unit = str(city.units["00181"])
    done = client.post(
        f"{page}/acknowledge", data={"unit": unit, "note": "Đã rõ"}, follow_redirects=False
    )
    assert done.status_code == 303
    enter("thuky")
    way = client.get(f"{page}/way?open=level-district,006").text
    assert "Đã rõ" in way
    with db.reader() as session:
        receipt = session.get_one(Receipt, (int(page.rsplit("/", 1)[1]), city.units["00181"]))
        assert receipt.read_at is not None
        assert receipt.acknowledged_by == city.actors["vanthu.vanmieu"].person_id


def test_the_way_answers_nothing_where_nothing_changed(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        directive = circulated(session, city, settings.files, utcnow())
    enter("thuky")
    seen = "8-0-0-0-0"
    assert f'data-signature="{seen}"' in client.get(f"/directives/{directive.id}/way").text
    assert client.get(f"/directives/{directive.id}/way?seen={seen}").status_code == 204


def test_the_same_form_twice_is_one_directive(
    client: Client, enter: Callable[[str], None], db: Database, city: City, now: datetime
) -> None:
    enter("thuky")
    places = {
        client.post(
            "/directives/new",
            data=form(city, now, then="issue"),
            files=pdf(),
            follow_redirects=False,
        ).headers["location"]
        for _ in range(2)
    }
    assert len(places) == 1
    assert (count(db, Directive), count(db, DirectiveFile)) == (1, 1)


def test_sending_twice_is_one_round(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        directive = issued(session, city, settings.files, utcnow())
    enter("thuky")
    for _ in range(2):
        answer = client.post(
            f"/directives/{directive.id}/circulate",
            data={"rules": json.dumps(WARDS)},
            follow_redirects=False,
        )
        assert answer.status_code == 303
    assert (count(db, Circulation), count(db, Receipt)) == (1, 4)


def test_a_state_secret_is_refused_and_nothing_of_it_stays(
    client: Client,
    enter: Callable[[str], None],
    db: Database,
    city: City,
    settings: Settings,
    now: datetime,
) -> None:
    enter("thuky")
    words = "Phương án tuyệt đối kín"
    for secrecy in ("confidential", "secret", "top_secret"):
        answer = client.post(
            "/directives/new", data=form(city, now, secrecy=secrecy, title=words), files=pdf()
        )
        assert answer.status_code == 422
        assert "Luật Bảo vệ bí mật nhà nước" in answer.text
        assert words not in answer.text
    for table in (Directive, DirectiveFile, StoredFile, PaperPointer):
        assert count(db, table) == 0
    assert [path for path in settings.data.rglob("*") if path.is_file()] == []


def test_of_a_secret_the_place_of_the_paper_may_be_kept(
    client: Client, enter: Callable[[str], None], db: Database, city: City, now: datetime
) -> None:
    enter("thuky")
    paper = {
        "paper_number": "12-KH/TU",
        "paper_date": civil_day(now).isoformat(),
        "paper_place": "Két sắt số 2",
    }
    half = client.post(
        "/directives/new", data=form(city, now, secrecy="secret", paper_number="12-KH/TU")
    )
    assert half.status_code == 422
    kept = client.post(
        "/directives/new",
        data=form(city, now, secrecy="secret", **paper),
        follow_redirects=False,
    )
    assert kept.status_code == 303, kept.text
    assert (count(db, PaperPointer), count(db, Directive)) == (1, 0)
    assert "Két sắt số 2" in client.get("/directives?tab=out").text


WRONG_FIELDS: list[tuple[dict[str, str], str]] = [
    ({"title": ""}, "title"),
    ({"title": "x" * 501}, "title"),
    ({"kind": "song"}, "kind"),
    ({"symbol": "a b"}, "symbol"),
    ({"signed_by_name": ""}, "signed_by_name"),
    ({"document_date": "hôm qua"}, "document_date"),
    ({"document_date": "2999-01-01"}, "document_date"),
    ({"number": "57a"}, "number"),
    ({"number": "9" * 30}, "number"),
    ({"urgency": ""}, "urgency"),
    ({"secrecy": ""}, "secrecy"),
    ({"deadline": "2020-01-01"}, "deadline"),
    ({"deadline_time": "08:00"}, "deadline"),
    ({"deadline": "2030-01-01", "deadline_time": "25:99"}, "deadline_time"),
    ({"issuing_unit": "x"}, "issuing_unit"),
    ({"issuing_unit": "99999"}, "issuing_unit"),
]


def test_a_wrong_field_is_told_at_the_field_and_what_was_typed_stays(
    client: Client, enter: Callable[[str], None], db: Database, city: City, now: datetime
) -> None:
    enter("thuky")
    for changes, field in WRONG_FIELDS:
        typed = form(city, now, signed_by_title="Chức vụ đã gõ", **changes)
        answer = client.post("/directives/new", data=typed, files=pdf())
        assert answer.status_code in {403, 422}, changes
        assert f'id="error-{field}"' in answer.text, changes
        assert "Chức vụ đã gõ" in answer.text, changes
    assert count(db, Directive) == 0


NO_DOCUMENTS = {
    "trống.pdf": b"",
    "ảnh.pdf": b"\x89PNG\r\n\x1a\n" + b"\x00" * 64,
    "ghi chú.txt": "chữ thường".encode(),
    "trang.html": b"<html><script>alert(1)</script></html>",
    "dở.pdf": b"%PDF-1.7\n1 0 obj",
}


def test_files_that_are_no_document_are_refused(
    client: Client, enter: Callable[[str], None], db: Database, city: City, now: datetime
) -> None:
    enter("thuky")
    for name, content in NO_DOCUMENTS.items():
        answer = client.post("/directives/new", data=form(city, now), files=pdf(name, content))
        assert answer.status_code == 422, name
        assert 'id="error-files"' in answer.text, name
    assert (count(db, Directive), count(db, DirectiveFile)) == (0, 0)


def test_a_form_without_a_file_or_with_200_mb_is_refused(
    client: Client, enter: Callable[[str], None], db: Database, city: City, now: datetime
) -> None:
    enter("thuky")
    assert client.post("/directives/new", data=form(city, now)).status_code == 422
    huge = client.post(
        "/directives/new", data=form(city, now), files=pdf(content=b"%PDF" + b"0" * (200 << 20))
    )
    assert huge.status_code == 413
    assert count(db, Directive) == 0


def test_a_name_with_a_path_becomes_a_name(
    client: Client,
    enter: Callable[[str], None],
    city: City,
    settings: Settings,
    now: datetime,
) -> None:
    enter("thuky")
    made = client.post(
        "/directives/new",
        data=form(city, now),
        files=pdf("../../etc/kế hoạch.pdf"),
        follow_redirects=False,
    )
    answer = client.get(f"{made.headers['location']}/files/1?save")
    assert answer.content == PDF_BYTES
    assert (
        "filename*=UTF-8''k%E1%BA%BF%20ho%E1%BA%A1ch.pdf" in answer.headers["content-disposition"]
    )
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"
    stored = {path.name for path in settings.files.rglob("*") if path.is_file()}
    assert stored == {hashlib.sha256(PDF_BYTES).hexdigest()}


def test_files_leave_only_for_those_who_may_and_only_whole(
    client: Client,
    enter: Callable[[str], None],
    db: Database,
    city: City,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    only = [Rule(include=True, by="unit", unit="00178")]
    with db.transaction() as session:
        directive = circulated(session, city, settings.files, utcnow(), only)
    file = f"/directives/{directive.id}/files/1"
    enter("vanthu.vanmieu")
    assert client.get(file).status_code == 404
    assert client.get(f"/directives/{directive.id}").status_code == 404
    enter("thuky.dongda")
    assert client.get(file).content == PDF_BYTES
    assert client.get(f"/directives/{directive.id}/files/2").status_code == 404
    stored = next(path for path in settings.files.rglob("*") if path.is_file())
    stored.write_bytes(b"%PDF damaged")
    with caplog.at_level(logging.ERROR, "meetings_server.web.directive_page"):
        damaged = client.get(file)
    assert damaged.status_code == 409
    assert "hỏng" in damaged.text
    assert "cannot be handed out" in caplog.text


def test_after_a_recall_recipients_see_why_and_get_no_file(
    client: Client,
    enter: Callable[[str], None],
    db: Database,
    city: City,
    settings: Settings,
    now: datetime,
) -> None:
    with db.transaction() as session:
        directive = circulated(session, city, settings.files, now)
    page = f"/directives/{directive.id}"
    enter("thuky")
    assert client.post(f"{page}/recall", data={"reason": " "}).status_code == 422
    first = client.post(f"{page}/recall", data={"reason": "Sai phụ lục"}, follow_redirects=False)
    assert first.status_code == 303
    assert client.post(f"{page}/recall", data={"reason": "lần nữa"}).status_code == 409
    assert client.get(f"{page}/files/1").status_code == 200
    enter("vanthu.vanmieu")
    assert "Sai phụ lục" in client.get(page).text
    assert client.get(f"{page}/files/1").status_code == 409
    unit = str(city.units["00181"])
    assert client.post(f"{page}/acknowledge", data={"unit": unit}).status_code == 409


NO_RULES = (
    "",
    "[]",
    "{",
    '{"a": 1}',
    '[{"include": "unit", "unit": "nowhere"}]',
    '[{"include": "galaxy"}]',
    "[" * 50_000,
)


def test_recipients_that_cannot_be_read_are_told(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        directive = issued(session, city, settings.files, utcnow())
    enter("thuky")
    page = f"/directives/{directive.id}"
    for rules in NO_RULES:
        answer = client.post(f"{page}/circulate", data={"rules": rules})
        assert answer.status_code == 422, rules[:40]
        assert "data-error-summary" in answer.text, rules[:40]
        assert client.post(f"{page}/recipients", data={"rules": rules}).status_code == 200
    assert count(db, Receipt) == 0


def test_nobody_acts_for_somebody_else(
    client: Client,
    enter: Callable[[str], None],
    db: Database,
    city: City,
    settings: Settings,
    now: datetime,
) -> None:
    with db.transaction() as session:
        directive = circulated(session, city, settings.files, now)
        draft = drafted(session, city, settings.files, now)
    page = f"/directives/{directive.id}"
    enter("vanthu.vanmieu")
    other = {"unit": str(city.units["00178"])}
    assert client.post(f"{page}/acknowledge", data=other).status_code == 403
    assert client.post(f"{page}/recall", data={"reason": "x"}).status_code == 403
    assert client.get(f"{page}/circulate").status_code == 403
    assert client.get(f"{page}/circulate?from={city.units['006']}").status_code == 403
    assert client.post(f"/directives/{draft.id}/issue").status_code == 404
    made = client.post("/directives/new", data=form(city, now), files=pdf())
    assert made.status_code == 403
    enter("truc.vanmieu")
    assert client.get(page).status_code == 404
    assert client.get("/directives/new").status_code == 200
    assert count(db, Receipt) == 8


def test_a_district_passes_on_to_its_wards(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        rule = [Rule(include=True, by="level", level="district")]
        directive = circulated(session, city, settings.files, utcnow(), rule)
    enter("thuky.dongda")
    page = f"/directives/{directive.id}"
    source = str(city.units["006"])
    shown = client.get(f"{page}/circulate?from={source}").text
    assert "Phường Văn Miếu" in shown
    assert "Phường Phúc Xá" not in shown
    refused = client.post(f"{page}/circulate", data={"from": source, "rules": json.dumps(WARDS)})
    assert refused.status_code == 422
    assert "Phường Phúc Xá" in refused.text
    below = json.dumps([{"include": "children", "unit": "006"}])
    sent = client.post(
        f"{page}/circulate", data={"from": source, "rules": below}, follow_redirects=False
    )
    assert sent.status_code == 303
    assert count(db, Receipt) == 5


def test_the_pages_ask_the_same_of_the_database_for_all_of_hanoi(
    client: Client, sign_in: SignIn, db: Database, settings: Settings, now: datetime
) -> None:
    with db.transaction() as session:
        city = make_hanoi(session, now)
        directive = circulated(session, city, settings.files, now)
        for number in range(3):
            circulated(session, city, settings.files, now, title=f"Văn bản {number}")
        acknowledge(session, city.secretary, directive.id, city.units["00178"], now)
    page = f"/directives/{directive.id}"
    for username in ("thuky", "vanthu.vanmieu"):
        sign_in(city.actors[username].person_id)
        for path in (
            page,
            f"{page}/way?open=level-district,006",
            "/directives",
            "/directives?tab=out",
        ):
            with counted(db) as statements:
                assert client.get(path).status_code == 200
            assert len(statements) <= 10, (path, statements)
    sign_in(city.secretary.person_id)
    with counted(db) as statements:
        assert "579" in client.get(f"{page}/circulate").text
    assert len(statements) <= 10


def test_a_page_that_is_no_number_is_refused(client: Client, enter: Callable[[str], None]) -> None:
    enter("thuky")
    for query in ("?page=0", "?page=x", "?page=99999999999999999999"):
        assert client.get(f"/directives{query}").status_code == 422


def test_registers_take_any_words(client: Client, enter: Callable[[str], None]) -> None:
    enter("thuky")
    for query in ("?q=%25_%5C&kind=song&state=x&sort=y&tab=z", "?q=" + "x" * 5000, "?q=%00"):
        assert client.get(f"/directives{query}").status_code == 200


def bearer(db: Database, city: City, username: str) -> dict[str, str]:
    with db.transaction() as session:
        token = create_token(session, city.actors[username].person_id, "test", utcnow())
    return {"authorization": f"Bearer {token}"}


def test_programs_make_send_confirm_and_recall(
    client: Client, db: Database, city: City, now: datetime
) -> None:
    clerk, ward = bearer(db, city, "thuky"), bearer(db, city, "vanthu.vanmieu")
    said = {
        "issuing_unit": "01",
        "kind": "plan",
        "symbol": "KH-UBND",
        "title": "Kế hoạch",
        "signed_by_name": "Đỗ Hoàng Long",
        "document_date": civil_day(now).isoformat(),
        "secrecy": "open",
        "deadline": (now + timedelta(days=2)).isoformat(),
    }
    key = clerk | {"idempotency-key": "k-1"}
    made = client.post("/api/v1/directives", json=said, headers=key)
    assert made.status_code == 201, made.text
    assert client.post("/api/v1/directives", json=said, headers=key).json() == made.json()
    path = f"/api/v1/directives/{made.json()['id']}"
    assert client.post(f"{path}/issue", json={}, headers=clerk).json()["code"] == (
        "main_file_missing"
    )
    file = client.post(
        f"{path}/files",
        files={"data": ("kh.pdf", io.BytesIO(PDF_BYTES), "application/pdf")},
        headers=clerk,
    )
    assert file.status_code == 201, file.text
    assert client.post(f"{path}/issue", json={}, headers=clerk).json()["number_symbol"] == (
        "01/KH-UBND"
    )
    assert client.get(path, headers=ward).status_code == 404
    sent = client.post(f"{path}/circulate", json={"audience": WARDS}, headers=clerk).json()
    assert sorted(sent["added"]) == ["00001", "00178", "00181", "00226"]
    receipt = client.post(
        f"{path}/receipts", json={"unit": "00181", "step": "acknowledged"}, headers=ward
    )
    assert receipt.json()["step"] == "acknowledged"
    other = client.post(f"{path}/receipts", json={"unit": "00178", "step": "read"}, headers=ward)
    assert other.status_code == 403
    way = client.get(f"{path}/circulation", headers=clerk).json()
    assert way["total"] == {"sent": 4, "received": 1, "read": 1, "acknowledged": 1, "late": 0}
    assert {branch["unit"]: branch["counts"]["sent"] for branch in way["by_parent"]} == {
        "001": 1,
        "006": 3,
    }
    assert len(client.get(f"{path}/circulation", headers=ward).json()["receipts"]) == 1
    assert client.get(f"{path}/files/1", headers=ward).content == PDF_BYTES
    assert [one["id"] for one in client.get("/api/v1/directives", headers=ward).json()["items"]]
    gone = client.post(f"{path}/recall", json={"reason": "Sai số liệu"}, headers=clerk).json()
    assert gone["state"] == "recalled"
    assert client.get(f"{path}/files/1", headers=ward).status_code == 409


def test_programs_are_refused_a_state_secret(
    client: Client, db: Database, city: City, now: datetime
) -> None:
    said = {
        "issuing_unit": "01",
        "kind": "plan",
        "symbol": "KH-UBND",
        "title": "Kín",
        "signed_by_name": "X",
        "document_date": civil_day(now).isoformat(),
    }
    clerk = bearer(db, city, "thuky")
    assert client.post("/api/v1/directives", json=said, headers=clerk).status_code in {400, 422}
    refused = client.post("/api/v1/directives", json=said | {"secrecy": "secret"}, headers=clerk)
    assert (refused.status_code, refused.json()["code"]) == (422, "state_secret_refused")
    assert count(db, Directive) == 0


def test_a_recall_is_seen_in_the_register(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        directive = circulated(session, city, settings.files, utcnow())
        recall(session, city.secretary, directive.id, "Sai", utcnow())
    enter("vanthu.vanmieu")
    text = client.get("/directives").text
    assert "Đã thu hồi" in text
    assert 'class="unread"' not in text
