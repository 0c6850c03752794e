"""Making directives on the page: bad input, secrets, files, registers."""

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.settings import Settings
from minutes.directives import Directive, DirectiveFile
from minutes.paper_pointers import PaperPointer
from minutes.storage import StoredFile
from rooms.audience import Rule
from rooms.kernel import civil_day, utcnow
from tests.documents import PDF_BYTES, circulated, form, how_many, pdf
from tests.factories import City

Client = TestClient[Litestar]
SignIn = Callable[[int], None]
WARDS = [{"include": "level", "level": "ward"}]


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
    assert (how_many(db, Directive), how_many(db, DirectiveFile)) == (1, 1)


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
        assert how_many(db, table) == 0
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
    assert (how_many(db, PaperPointer), how_many(db, Directive)) == (1, 0)
    assert "Két sắt số 2" in client.get("/directives?tab=out").text


def test_a_draft_is_changed_in_the_form_in_which_it_was_made(
    client: Client, enter: Callable[[str], None], db: Database, city: City, now: datetime
) -> None:
    enter("thuky")
    made = client.post("/directives/new", data=form(city, now), files=pdf(), follow_redirects=False)
    path = made.headers["location"]
    assert f'href="{path}/edit"' in client.get(path).text
    page = client.get(f"{path}/edit").text
    assert "Kế hoạch phòng, chống úng ngập" in page
    assert 'name="remove" value="1"' in page
    said = form(city, now, title="Kế hoạch đã sửa", deadline="", version="1")
    refused = client.post(f"{path}/edit", data=said | {"remove": "1"})
    assert refused.status_code == 422
    assert 'value="1" checked' in refused.text
    secret = client.post(f"{path}/edit", data=said | {"secrecy": "secret"})
    assert secret.status_code == 422
    assert "Luật Bảo vệ bí mật nhà nước" in secret.text
    other = pdf("bản thay thế.pdf", PDF_BYTES + b"\n%%EOF\n")
    done = client.post(
        f"{path}/edit", data=said | {"remove": "1"}, files=other, follow_redirects=False
    )
    assert done.status_code == 303, done.text
    shown = client.get(path).text
    assert "Kế hoạch đã sửa" in shown
    assert "bản thay thế.pdf" in shown
    assert "kế hoạch.pdf" not in shown
    stale = client.post(f"{path}/edit", data=said)
    assert stale.status_code == 409
    last = form(city, now, title="Kế hoạch đã sửa", version="2", then="issue")
    assert client.post(f"{path}/edit", data=last, follow_redirects=False).is_redirect
    with db.reader() as session:
        assert session.scalars(select(Directive.number)).one() == 1
    assert client.get(f"{path}/edit").status_code == 409
    enter("thuky.dongda")
    assert client.get(f"{path}/edit").status_code == 404
    assert client.post(f"{path}/edit", data=said).status_code == 404


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
    assert how_many(db, Directive) == 0


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
    assert (how_many(db, Directive), how_many(db, DirectiveFile)) == (0, 0)


def test_a_form_without_a_file_or_with_200_mb_is_refused(
    client: Client, enter: Callable[[str], None], db: Database, city: City, now: datetime
) -> None:
    enter("thuky")
    assert client.post("/directives/new", data=form(city, now)).status_code == 422
    huge = client.post(
        "/directives/new", data=form(city, now), files=pdf(content=b"%PDF" + b"0" * (200 << 20))
    )
    assert huge.status_code == 413
    assert how_many(db, Directive) == 0


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


def test_a_page_that_is_no_number_is_refused(client: Client, enter: Callable[[str], None]) -> None:
    enter("thuky")
    for query in ("?page=0", "?page=x", "?page=99999999999999999999"):
        assert client.get(f"/directives{query}").status_code == 422


def test_registers_take_any_words(client: Client, enter: Callable[[str], None]) -> None:
    enter("thuky")
    for query in ("?q=%25_%5C&kind=song&state=x&sort=y&tab=z", "?q=" + "x" * 5000, "?q=%00"):
        assert client.get(f"/directives{query}").status_code == 200
