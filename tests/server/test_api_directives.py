"""Directives by program: from the draft to the recall, and who is refused what."""

import io
from collections.abc import Callable
from datetime import datetime, timedelta

from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from minutes.directives import Directive
from rooms.kernel import civil_day, utcnow
from tests.documents import PDF_BYTES, how_many
from tests.factories import City

Client = TestClient[Litestar]
SignIn = Callable[[int], None]
WARDS = [{"include": "level", "level": "ward"}]


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


def test_programs_change_a_draft_and_nothing_that_is_issued(
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
    made = client.post("/api/v1/directives", json=said, headers=clerk).json()
    path = f"/api/v1/directives/{made['id']}"
    for name in ("kh.pdf", "phu-luc.pdf"):
        content = io.BytesIO(PDF_BYTES + name.encode())
        sent = {"data": (name, content, "application/pdf")}
        assert client.post(f"{path}/files", files=sent, headers=clerk).status_code == 201
    boundary = {"content-type": "multipart/form-data; boundary=x"}
    for part in (
        b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\nwords\r\n--x--\r\n',
        b"",
    ):
        text = client.post(f"{path}/files", content=part, headers=clerk | boundary)
        assert text.status_code == 422, text.text
    change = {"title": "Kế hoạch mới", "deadline": None, "number": 7, "remove_files": [1]}
    changed = client.patch(path, json=change | {"version": made["version"]}, headers=clerk)
    assert changed.status_code == 200, changed.text
    shown = changed.json()
    assert (shown["title"], shown["deadline"], shown["number_symbol"], shown["version"]) == (
        "Kế hoạch mới",
        None,
        "07/KH-UBND",
        2,
    )
    assert [(file["n"], file["filename"]) for file in shown["files"]] == [(1, "phu-luc.pdf")]
    stale = client.patch(path, json={"title": "Khác", "version": 1}, headers=clerk)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_version")
    secret = client.patch(path, json={"secrecy": "secret"}, headers=clerk)
    assert (secret.status_code, secret.json()["code"]) == (422, "state_secret_refused")
    assert client.patch(path, json={"title": "Khác"}, headers=ward).status_code == 404
    assert client.post(f"{path}/issue", json={}, headers=clerk).json()["number"] == 7
    late = client.patch(path, json={"title": "Khác"}, headers=clerk)
    assert (late.status_code, late.json()["code"]) == (409, "directive_state")


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
    assert how_many(db, Directive) == 0
