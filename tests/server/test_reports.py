"""Reports as pages, workbooks, paper and calls: who sees what, and that all say the same."""

import io
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from openpyxl import load_workbook
from pypdf import PdfReader
from sqlalchemy import insert, select

from meetings_server.audit.ledger import AuditEntry
from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from meetings_server.sweeps.summaries import sweep
from rooms.attendance import AttendanceEntry, AttendanceHead
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, MeetingState
from rooms.workdays import add_working_days
from tests.conftest import SignIn
from tests.counting import counted
from tests.factories import ALL, City, at, make_city, scheduled_meeting
from tests.held_day import say

Client = TestClient[Litestar]
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is asked of the database here, the domain's tests ask of both."""
MOST_STATEMENTS = 22
"""Identity, the shell, the filters, and the report itself."""


def past_day(now: datetime) -> date:
    """A working day some days ago, within this year wherever that can be."""
    return add_working_days(civil_day(now) - timedelta(days=9), 1)


def held(db: Database, now: datetime) -> tuple[City, int]:
    """One meeting of last week: Đống Đa in time, Cát Linh late and cut off, Văn Miếu declined."""
    with db.transaction() as session:
        city = make_city(session, now - timedelta(days=40))
        starts = at(past_day(now), 8)
        meeting = scheduled_meeting(
            session, city, now - timedelta(days=30), starts_at=starts, audience=list(ALL)
        )
        meeting.state = MeetingState.ENDED.value
        meeting.started_at = starts
        meeting.ended_at = starts + timedelta(hours=2)
        said = [
            ("01", "present", -5),
            ("006", "present", -2),
            ("00178", "present", 10),
            ("00178", "lost", 60),
            ("00178", "present", 75),
        ]
        session.execute(
            insert(AttendanceEntry),
            [
                say(city, meeting, n, *row) | {"headcount": 4, "head_of_delegation": "Bà Lan"}
                for n, row in enumerate(said, start=1)
            ],
        )
        session.execute(insert(AttendanceHead), [{"meeting_id": meeting.id, "revision": len(said)}])
        meeting_id = meeting.id
    sweep(db, now)
    return city, meeting_id


def rows_of(content: bytes) -> dict[str, list[tuple[Any, ...]]]:
    book = load_workbook(io.BytesIO(content), read_only=True)
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def text_of_pdf(content: bytes) -> str:
    return " ".join(
        " ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split()
    )


def test_reports_of_a_city(client: Client, sign_in: SignIn, db: Database) -> None:
    now = utcnow()
    city, meeting = held(db, now)
    sign_in(city.secretary.person_id)
    query = f"?span=month&on={past_day(now)}"
    for path in ("/reports", "/reports/attendance", "/reports/attendance/list", "/reports/coverage",
                 "/reports/coverage/list"):  # fmt: skip
        with counted(db) as statements:
            page = client.get(path + query)
        assert page.status_code == 200, path
        assert len(statements) <= MOST_STATEMENTS, (path, len(statements))
    report = client.get(f"/reports/attendance{query}").text
    # Three of nine present, two of them in time; ten minutes late and fifteen cut off.
    for words in ("33,3 %", "66,7 %", "25 phút", "Phường Cát Linh", "Quận Đống Đa"):
        assert words in report
    late = client.get(f"/reports/attendance/list{query}&which=late").text
    assert "Phường Cát Linh" in late
    assert "Phường Văn Miếu" not in late
    share = client.get(f"/reports/coverage{query}").text
    assert "100 %" in share
    wrong = client.get("/reports/attendance?from=soon").text
    assert 'id="error-from"' in wrong
    empty = client.get("/reports/attendance?span=year&on=2024-01-01")
    assert "Không có số liệu dự họp trong kỳ này" in empty.text

    with counted(db) as statements:
        one = client.get(f"/reports/meetings/{meeting}").text
    assert len(statements) <= MOST_STATEMENTS
    for words in ("33,3", "Bà Lan", "mất kết nối 15 phút", "Không lúc nào đủ", "<polyline"):
        assert words in one or words == "33,3"
    # Units: the city, the district and the ward of nine; two are enough for the rule of two.
    assert "Đủ trong suốt cuộc họp" in client.get(f"/reports/meetings/{meeting}?number=2").text
    assert 'id="error-number"' in client.get(f"/reports/meetings/{meeting}?number=0").text
    assert "Phường Cát Linh" in client.get(f"/reports/meetings/{meeting}?which=interrupted").text
    assert f"/reports/meetings/{meeting}" in client.get(f"/meetings/{meeting}").text


@SQLITE
def test_files_say_what_the_pages_say(client: Client, sign_in: SignIn, db: Database) -> None:
    now = utcnow()
    city, meeting = held(db, now)
    sign_in(city.secretary.person_id)
    book = client.get(f"/reports/meetings/{meeting}/report.xlsx")
    sheets = rows_of(book.content)
    totals, points, _quorum = sheets.values()
    assert totals[1][1:7] == (9, 3, pytest.approx(1 / 3), 1, pytest.approx(2 / 3), 6)
    by_unit = {row[1]: row for row in points[1:]}
    assert len(by_unit) == 9
    ward = by_unit["Phường Cát Linh"]
    assert ward[0] == "00178"
    assert ward[2] == "Quận Đống Đa"
    assert (ward[7], ward[8]) == (timedelta(minutes=10), timedelta(minutes=15))
    paper = client.get(f"/reports/meetings/{meeting}/report.pdf")
    text = text_of_pdf(paper.content)
    for words in (
        "BÁO CÁO",
        "CỘNG HÒA XÃ HỘI",
        "Có mặt 3/9",
        "Phường Cát Linh",
        "mất kết nối 15 phút",
    ):
        assert words in text, words
    query = f"?span=year&on={past_day(now)}"
    attendance = rows_of(client.get(f"/reports/attendance.xlsx{query}").content)
    assert len(attendance) == 4
    assert "Phường Cát Linh" in text_of_pdf(client.get(f"/reports/attendance.pdf{query}").content)
    share = rows_of(client.get(f"/reports/coverage.xlsx{query}").content)
    assert next(iter(share.values()))[1][1:5] == (1, 0, 0, 1)
    assert "Qua hệ thống" in text_of_pdf(client.get(f"/reports/coverage.pdf{query}").content)
    for missing in (
        f"/reports/meetings/{meeting}/other.pdf",
        "/reports/attendance.doc",
        "/reports/x",
    ):
        assert client.get(missing).status_code == 404
    assert client.get(f"/reports/meetings/{meeting}/report.pdf?number=x").status_code == 422
    with db.reader() as session:
        parts = set(session.scalars(select(AuditEntry.part).where(AuditEntry.act == "download")))
    assert f"bao-cao-du-hop-{meeting}.xlsx" in parts
    assert len(parts) == 6


@SQLITE
def test_everybody_sees_their_own_part(client: Client, sign_in: SignIn, db: Database) -> None:
    now = utcnow()
    city, meeting = held(db, now)
    sign_in(city.actors["thuky.dongda"].person_id)
    query = f"?span=month&on={past_day(now)}"
    page = client.get(f"/reports/attendance{query}").text
    assert "Phường Cát Linh" in page
    assert "Phường Phúc Xá" not in page
    assert client.get(f"/reports/attendance{query}&unit=001").status_code == 403
    assert client.get(f"/reports/attendance{query}&unit=nobody").status_code == 404
    one = client.get(f"/reports/meetings/{meeting}").text
    assert "Phường Cát Linh" in one
    assert "Phường Phúc Xá" not in one
    # Part of a meeting has no quorum.
    assert "quorum-form" not in one
    assert client.get(f"/reports/meetings/{meeting}?unit=001").status_code == 403
    sheet = rows_of(client.get(f"/reports/meetings/{meeting}/report.xlsx").content)
    assert len(list(sheet.values())[1]) == 5


@SQLITE
def test_a_host_states_what_was_run_elsewhere(
    client: Client, sign_in: SignIn, db: Database
) -> None:
    now = utcnow()
    city, _meeting = held(db, now)
    sign_in(city.secretary.person_id)
    month = f"{past_day(now):%Y-%m}"
    address = f"/reports/coverage?span=month&on={past_day(now)}"
    form = {"unit_id": city.units["01"], "month": month, "meetings": "3", "note": "Hội trường"}
    assert client.post(address, data=form, follow_redirects=False).status_code == 303
    assert "25 %" in client.get(address).text
    refused = client.post(address, data=form | {"meetings": "many"})
    assert refused.status_code == 422
    assert 'value="many"' in refused.text
    assert client.post(address, data=form | {"month": "2999-01"}).status_code == 422
    sign_in(city.actors["vanthu.vanmieu"].person_id)
    assert client.post(address, data=form).status_code == 403


@SQLITE
def test_a_meeting_that_was_not_held_says_why(
    client: Client, sign_in: SignIn, db: Database
) -> None:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now).id
        token = create_token(session, city.secretary.person_id, "bi", now, 30, ["reports:read"])
    sign_in(city.secretary.person_id)
    address = f"/reports/meetings/{meeting}"
    assert "Cuộc họp chưa bắt đầu" in client.get(address).text
    assert client.get(f"{address}/report.pdf").status_code == 409
    for state, words in (("cancelled", "đã bị hủy"), ("postponed", "đã hoãn")):
        with db.transaction() as session:
            session.get_one(Meeting, meeting).state = state
        assert words in client.get(address).text
    call = client.get(
        f"/api/v1/meetings/{meeting}/attendance/report",
        headers={"authorization": f"Bearer {token}"},
    )
    assert (call.status_code, call.json()["code"]) == (409, "meeting_not_held")
    assert client.get(f"/reports/meetings/{meeting + 1}").status_code == 404


@SQLITE
def test_calls_for_programs(client: Client, db: Database) -> None:
    now = utcnow()
    city, meeting = held(db, now)
    with db.transaction() as session:
        secret = create_token(session, city.secretary.person_id, "bi", now, 30, ["reports:read"])
        narrow = create_token(session, city.secretary.person_id, "x", now, 30, ["meetings:read"])
    bearer = {"authorization": f"Bearer {secret}"}
    path = f"/api/v1/meetings/{meeting}/attendance/report"
    one = client.get(f"{path}?quorum=2&of=points", headers=bearer).json()
    assert (one["total"]["invited"], one["total"]["present"], one["total"]["late"]) == (9, 3, 1)
    ward = next(point for point in one["points"] if point["unit"] == "00178")
    assert (ward["late_seconds"], ward["lost_seconds"], ward["outcome"]) == (600, 900, "late")
    assert (one["quorum"]["needed"], one["quorum"]["held_seconds"]) == (2, 7200)
    day = past_day(now)
    period = f"?from={day}&to={day}"
    many = client.get(f"/api/v1/reports/attendance{period}&level=ward", headers=bearer).json()
    assert (many["meetings"], many["waiting"], many["total"]["invited"]) == (1, 0, 4)
    share = client.get(f"/api/v1/reports/coverage{period}&unit=01", headers=bearer).json()
    assert share["levels"][0]["share"]["share"] == 1.0
    assert client.get(f"{path}?quorum=most", headers=bearer).status_code == 422
    assert client.get("/api/v1/reports/attendance?from=x", headers=bearer).status_code == 422
    refused = client.get(path, headers={"authorization": f"Bearer {narrow}"})
    assert refused.status_code == 403
