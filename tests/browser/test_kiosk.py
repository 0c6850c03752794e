"""A tablet at the door: made, paired, checked in on, cut off from the network, revoked."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from rooms.attendance import Source
from tests.browser.test_board import Day
from tests.browser.test_offline import AWAY, _back, _start, kept, press, rows
from tests.browsing import Visitor, assert_accessible, log_in

WARD = "00181"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    day = Day(_start(tmp_path_factory.mktemp("kiosk")))
    yield day
    day.database.dispose()
    day.program.stop()


def test_a_tablet_from_its_code_to_its_end(visitor: Visitor, day: Day) -> None:
    visitor.expect_complaint(f"{AWAY}|status of 401|status of 409")
    office = visitor.open(base_url=day.program.url)
    log_in(office, "kythuat")
    office.goto(f"/points/{day.points[WARD]}/devices")
    office.get_by_label("Tên gọi").fill("Cửa chính")
    office.locator("#device-form .btn-primary").click()
    code = office.locator(".pairing-code").inner_text()
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}", code)
    assert_accessible(office)

    tablet = visitor.open(width=1180, height=820, base_url=day.program.url)
    tablet.goto("/kiosk")
    _pair(tablet, "AAAAA-AAAAA")
    expect(tablet.locator("#error-code")).to_contain_text("Mã không hợp lệ")
    _pair(tablet, code.lower().replace("-", " "))
    expect(tablet.locator("h1")).to_have_text("Phường Văn Miếu")
    expect(tablet.locator("#line-chip")).to_have_attribute("data-line", "live")
    expect(tablet.locator("#meeting-title")).to_contain_text("chuyển đổi số")
    assert tablet.evaluate("document.documentElement.scrollHeight <= innerHeight")
    readable = [each["name"] for each in tablet.context.cookies() if not each["httpOnly"]]
    assert readable == ["meetings_csrf"]
    assert_accessible(tablet)

    for _ in range(3):
        tablet.get_by_role("button", name="Thêm một người").click()
    tablet.get_by_label("Trưởng đoàn").fill("Bùi Thị Lan")
    press(tablet, "Có mặt")
    expect(tablet.locator("#sending")).to_have_text(re.compile(r"Đã gửi \d\d:\d\d:\d\d"))
    expect(tablet.get_by_label("Trưởng đoàn")).to_have_value("")
    (row,) = rows(day, WARD)
    assert (row.state, row.headcount, row.head_of_delegation) == ("present", 3, "Bùi Thị Lan")
    assert (row.source, row.recorded_by) == (Source.KIOSK, None)
    assert row.device_id is not None

    # Nothing else of the server opens on it.
    tablet.goto(day.check_in(WARD))
    expect(tablet.locator("#login-form")).to_be_visible()
    tablet.goto("/kiosk")
    expect(tablet.locator("#standing .state")).to_have_class(re.compile("state-present"))

    kept(tablet, "/kiosk")
    day.program.stop()
    tablet.reload()
    expect(tablet.locator("#meeting-title")).to_contain_text("chuyển đổi số")
    expect(tablet.locator("#line-chip")).to_have_attribute("data-line", "stale")
    press(tablet, "Cần hỗ trợ")
    expect(tablet.locator("#sending")).to_have_text("Chưa gửi, sẽ gửi khi có mạng")
    _back(day)
    expect(tablet.locator("#sending")).to_have_text(re.compile("Đã gửi"))
    assert [one.state for one in rows(day, WARD)] == ["present", "needs_help"]

    _revoke(office, tablet, day)


def _revoke(office: Page, tablet: Page, day: Day) -> None:
    log_in(office, "kythuat")
    office.goto(day.check_in(WARD))
    expect(office.locator("#time-line")).to_contain_text("trên thiết bị tại cửa “Cửa chính”")
    office.goto(f"/points/{day.points[WARD]}/devices")
    own = office.locator("#devices li", has_text="Cửa chính")
    own.get_by_role("button", name="Thu hồi").click()
    office.locator("#question-dialog [data-answer-yes]").click()
    expect(own).to_contain_text("Đã thu hồi")
    tablet.evaluate("dispatchEvent(new Event('online'))")
    expect(tablet.locator("#revoked")).to_contain_text("không còn được kết nối")
    expect(tablet.locator("#work")).to_be_hidden()


def _pair(tablet: Page, code: str) -> None:
    tablet.get_by_label("Mã").fill(code)
    tablet.get_by_role("button", name="Kết nối").click()
