"""The pages and calls of minutes and tasks."""

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from pypdf import PdfReader
from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from meetings_server.settings import Settings
from minutes.drafting import save
from minutes.meeting_minutes import Minutes
from minutes.signing import issue
from minutes.tasks import Task
from rooms.kernel import utcnow
from rooms.meetings import Meeting
from tests.conftest import SignIn
from tests.counting import counted
from tests.factories import make_hanoi
from tests.written_minutes import Held, drafted, held_meeting, hold, issued, submitted

Client = TestClient[Litestar]


@pytest.fixture
def held(db: Database, settings: Settings) -> Held:
    return held_meeting(db, settings.data)


def id_of(db: Database, held: Held, state: Any = None) -> int:
    """Minutes in the state that `state(session, held)` brings them to."""
    with db.transaction() as session:
        minutes: Minutes = state(session, held)
        return minutes.id


def shape(**changes: Any) -> dict[str, Any]:
    return {
        "place": "Phòng 302",
        "form": "Trực tuyến",
        "secretary_name": "Nguyễn Thu Hà",
        "secretary_title": "Thư ký",
        "items": [{"title": "Khai mạc", "presenter": "", "said": "Đã khai mạc."}],
        "conclusions": "Thống nhất.",
        "tasks": [],
        "recipients": [],
    } | changes


def test_the_secretary_starts_the_draft_in_the_page(
    client: Client, sign_in: SignIn, held: Held
) -> None:
    sign_in(held.city.secretary.person_id)
    address = f"/meetings/{held.meeting_id}/minutes"
    assert "Lập dự thảo" in client.get(address).text
    assert client.post(address, follow_redirects=False).status_code == 303
    page = client.get(address).text
    assert "Nội dung 1" in page
    assert "Khai mạc" in page
    assert "Quận Đống Đa" in page
    assert "Trùng lịch tiếp dân" in page
    # A second click goes on with the same draft.
    again = client.post(address, follow_redirects=False)
    assert again.headers["location"].startswith("/minutes/")


def test_who_is_invited_waits_until_it_is_issued(
    client: Client, sign_in: SignIn, db: Database, held: Held
) -> None:
    minutes = id_of(db, held, drafted)
    ward = held.city.actors["lanhdao.vanmieu"].person_id
    sign_in(ward)
    assert "chưa được ban hành" in client.get(f"/meetings/{held.meeting_id}/minutes").text
    for path in ("", "/preview", "/versions", "/paper.pdf", "/paper.docx"):
        assert client.get(f"/minutes/{minutes}{path}").status_code == 404, path
    assert client.post(f"/minutes/{minutes}/issue").status_code == 404
    assert client.post(f"/meetings/{held.meeting_id}/minutes").status_code == 403


def test_autosave_and_the_second_editor(
    client: Client, sign_in: SignIn, db: Database, held: Held
) -> None:
    minutes = id_of(db, held, drafted)
    sign_in(held.city.secretary.person_id)
    body = {"version": 2, "content": shape()}
    headers = {"accept": "application/json"}
    saved = client.post(f"/minutes/{minutes}/save", json=body, headers=headers)
    assert saved.status_code == 200
    assert saved.json()["version"] == 3
    assert saved.json()["saved"].count(":") == 2
    stale = client.post(
        f"/minutes/{minutes}/save",
        json={"version": 2, "content": shape(conclusions="Không thống nhất.")},
        headers=headers,
    )
    assert stale.status_code == 409
    assert 'data-current="3"' in stale.text
    assert "<ins>Không" in stale.text
    versions = client.get(f"/minutes/{minutes}/versions?from=2&to=3").text
    assert "với báo cáo" in versions
    assert client.get(f"/minutes/{minutes}/versions?from=99&to=77").status_code == 200
    assert client.get(f"/minutes/{minutes}/versions?from=x&to=%00").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"version": "x", "content": shape()}, 422),
        ({"version": 2, "content": shape(conclusions="x" * 40_001)}, 422),
        ({"version": 2, "content": shape(conclusions="a\x00b")}, 422),
        ({"version": 2, "content": shape(unknown=1)}, 422),
        ({"version": 2, "content": shape(tasks=[{"lead": "no-such"}])}, 404),
        ({"version": 2, "content": shape(tasks=[{"deadline": "31.12.26"}])}, 422),
        ({"version": 10**30, "content": shape()}, 422),
    ],
)
def test_what_a_save_refuses(
    client: Client, sign_in: SignIn, db: Database, held: Held, body: Any, status: int
) -> None:
    minutes = id_of(db, held, drafted)
    sign_in(held.city.secretary.person_id)
    answer = client.post(
        f"/minutes/{minutes}/save", json=body, headers={"accept": "application/json"}
    )
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_submitting_names_the_field_that_is_missing(
    client: Client, sign_in: SignIn, db: Database, held: Held
) -> None:
    with db.transaction() as session:
        minutes = drafted(session, held)
        content = minutes.written
        gap = replace(content, tasks=(content.tasks[0], replace(content.tasks[1], lead=None)))
        save(session, held.city.secretary, minutes.id, gap, 2, held.now)
    sign_in(held.city.secretary.person_id)
    refused = client.post(f"/minutes/{minutes.id}/submit")
    assert refused.status_code == 422
    assert '<a href="#field-task-2-lead">Nhiệm vụ 2, đơn vị chủ trì' in refused.text


def test_the_chair_issues_and_everyone_reads(
    client: Client, sign_in: SignIn, db: Database, held: Held
) -> None:
    minutes = id_of(db, held, submitted)
    sign_in(held.city.secretary.person_id)
    assert client.post(f"/minutes/{minutes}/issue").status_code == 403
    sign_in(held.city.chair.person_id)
    page = client.get(f"/minutes/{minutes}").text
    assert "Không thể sửa" in page
    refused = client.post(f"/minutes/{minutes}/send-back", data={"reason": " "})
    assert refused.status_code == 422
    assert client.post(f"/minutes/{minutes}/issue", follow_redirects=False).status_code == 303
    assert client.post(f"/minutes/{minutes}/issue").status_code == 409

    sign_in(held.city.actors["lanhdao.vanmieu"].person_id)
    assert "01/BB-UBND" in client.get(f"/meetings/{held.meeting_id}/minutes").text
    assert "01/BB-UBND" in client.get("/minutes?q=giao ban").text
    assert "01/BB-UBND" in client.get("/minutes?q=bb-ubnd").text
    assert "01/BB-UBND" not in client.get("/minutes?q=khong+co").text
    pdf = client.get(f"/minutes/{minutes}/paper.pdf")
    assert pdf.headers["content-disposition"].startswith('inline; filename="01-BB-UBND.pdf"')
    words = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    assert "01/BB-UBND" in words
    docx = client.get(f"/minutes/{minutes}/paper.docx")
    assert docx.content.startswith(b"PK")
    assert client.get(f"/minutes/{minutes}/versions").status_code == 404


def test_a_correction_from_the_page(
    client: Client, sign_in: SignIn, db: Database, held: Held
) -> None:
    first = id_of(db, held, issued)
    sign_in(held.city.secretary.person_id)
    assert client.post(f"/minutes/{first}/correct", data={"reason": ""}).status_code == 422
    begun = client.post(
        f"/minutes/{first}/correct", data={"reason": "Nhầm tên"}, follow_redirects=False
    )
    page = client.get(begun.headers["location"]).text
    assert "01/BB-UBND" in page
    assert "Nhầm tên" in page
    assert "đang được đính chính" in client.get(f"/minutes/{first}").text


def test_tasks_are_followed_up_by_the_lead_unit(
    client: Client, sign_in: SignIn, db: Database, held: Held
) -> None:
    id_of(db, held, issued)
    with db.transaction() as session:
        task = session.scalars(select(Task).where(Task.n == 1)).one().id
        # The meeting lies days ahead of the clock of this test; a task cannot be done before it.
        meeting = session.get_one(Meeting, held.meeting_id)
        meeting.starts_at -= timedelta(days=30)
        meeting.ends_at -= timedelta(days=30)
    sign_in(held.city.actors["thuky.snv"].person_id)
    assert "Rà soát trang thiết bị" in client.get("/tasks").text
    assert client.post(f"/tasks/{task}", data={"note": ""}).status_code == 422
    assert client.post(f"/tasks/{task}", data={"done": "true", "done_on": "x"}).status_code == 422
    late = {"done": "true", "done_on": "2999-01-01"}
    assert client.post(f"/tasks/{task}", data=late).status_code == 422
    today = f"{utcnow().date()}"
    done = {"note": "Đã xong", "done": "true", "done_on": today}
    answer = client.post(f"/tasks/{task}?state=open", data=done, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/tasks?state=open")
    assert "Rà soát trang thiết bị" not in client.get("/tasks?state=open").text
    page = client.get("/tasks?state=done&unit=01-SNV").text
    assert "Đã xong" in page
    assert "Rà soát trang thiết bị" in page
    assert "Rà soát trang thiết bị" not in client.get("/tasks?unit=no-such").text
    # Coordinating units see it, but do not follow it up; others only see what they were invited to.
    sign_in(held.city.actors["vanthu.vanmieu"].person_id)
    assert "Rà soát trang thiết bị" in client.get("/tasks").text
    assert client.post(f"/tasks/{task}", data={"note": "x"}).status_code == 403
    for query in ("after=x", "after=2026-01-01.5", "minutes=0", "minutes=x", "state=x"):
        assert client.get(f"/tasks?{query}").status_code == 200


def test_pages_stay_within_ten_statements(
    client: Client, sign_in: SignIn, db: Database, settings: Settings
) -> None:
    now = utcnow()
    with db.transaction() as session:
        city = make_hanoi(session, now)
    held = hold(db, city, settings.data, now)
    minutes = id_of(db, held, submitted)
    sign_in(held.city.chair.person_id)
    before = (f"/minutes/{minutes}", f"/meetings/{held.meeting_id}/minutes", "/tasks")
    after = (f"/minutes/{minutes}", "/minutes", "/tasks", f"/minutes/{minutes}/paper.pdf")
    with counted(db) as seen:
        for paths in (before, after):
            for path in paths:
                seen.clear()
                assert client.get(path).status_code == 200
                # The first two are the session and its roles.
                assert len(seen) - 2 <= 10, (path, len(seen), seen)
            if paths is before:
                with db.transaction() as session:
                    issue(session, held.city.chair, minutes, held.store, held.now)


def token(db: Database, held: Held, name: str) -> dict[str, str]:
    with db.transaction() as session:
        secret = create_token(session, held.city.actors[name].person_id, "thử", utcnow())
    return {"authorization": f"Bearer {secret}"}


def test_a_program_writes_signs_and_issues(client: Client, db: Database, held: Held) -> None:
    secretary, chair = token(db, held, "thuky"), token(db, held, "lanhdao")
    address = f"/api/v1/meetings/{held.meeting_id}/minutes"
    once = secretary | {"idempotency-key": "k1"}
    made = client.post(address, json={}, headers=once)
    assert made.status_code == 201, made.text
    assert client.post(address, json={}, headers=once).json() == made.json()
    assert client.post(address, json={}, headers=secretary).json()["code"] == "minutes_exist"
    minutes = made.json()["id"]
    tasks = [
        {
            "text": "Rà soát",
            "lead": "01-SNV",
            "coordinating": ["006"],
            "deadline": "2030-01-31",
        }
    ]
    kept = client.post(
        address, json={"content": shape(tasks=tasks), "version": 1}, headers=secretary
    )
    assert (kept.status_code, kept.json()["version"]) == (200, 2)
    assert kept.json()["content"]["tasks"][0]["coordinating"] == ["006"]
    stale = client.post(address, json={"content": shape(), "version": 1}, headers=secretary)
    assert (stale.status_code, stale.json()["code"]) == (409, "minutes_stale")
    calls = f"/api/v1/minutes/{minutes}"
    assert client.post(f"{calls}/submit", headers=secretary).json()["state"] == "submitted"
    refused = client.post(f"{calls}/sign", headers=secretary)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_the_chair")
    assert client.post(f"{calls}/sign", headers=chair).json()["state"] == "signed"
    done = client.post(f"{calls}/issue", headers=chair).json()
    assert (done["state"], done["number_symbol"]) == ("issued", "01/BB-UBND")
    ward = token(db, held, "lanhdao.vanmieu")
    assert client.get(f"{calls}.pdf", headers=ward).content.startswith(b"%PDF")
    assert client.get(f"{calls}.docx", headers=ward).content.startswith(b"PK")
    assert client.get(f"{calls}.txt", headers=ward).status_code in {404, 422}
    assert client.get("/api/v1/minutes/999999.pdf", headers=ward).status_code == 404
    assert client.get(address, headers=ward).json()["items"][0]["id"] == minutes


def test_a_program_lists_and_follows_up_tasks(client: Client, db: Database, held: Held) -> None:
    id_of(db, held, issued)
    secretary = token(db, held, "thuky")
    listed = client.get("/api/v1/tasks?unit=01-SNV&overdue=false", headers=secretary).json()
    assert [task["text"] for task in listed["items"]] == ["Rà soát trang thiết bị điểm cầu"]
    first = client.get("/api/v1/tasks?limit=1", headers=secretary).json()
    rest = client.get(
        f"/api/v1/tasks?limit=1&cursor={first['next_cursor']}", headers=secretary
    ).json()
    assert [task["n"] for task in first["items"] + rest["items"]] == [1, 2]
    assert rest["next_cursor"] is None
    assert client.get("/api/v1/tasks?overdue=true", headers=secretary).json()["items"] == []
    assert client.get("/api/v1/tasks?unit=none", headers=secretary).status_code == 404
    task = f"/api/v1/tasks/{first['items'][0]['id']}"
    noted = client.patch(task, json={"note": "Đang làm"}, headers=secretary)
    assert (noted.status_code, noted.json()["state"]) == (200, "open")
    for wrong in ({}, {"done_on": "2999-01-01"}, {"done_on": "x"}, {"note": 1}, {"x": 1}):
        assert client.patch(task, json=wrong, headers=secretary).status_code in {400, 422}, wrong
    other = token(db, held, "truc.cattlinh")
    assert client.patch(task, json={"note": "x"}, headers=other).status_code == 403
