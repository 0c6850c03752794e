"""Check-in on a phone: one press, corrections, no network, somebody else's device."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from rooms.attendance import log_after
from tests.browser.test_board import Day, quiet
from tests.browsing import Visitor, assert_accessible, log_in

__all__ = ["quiet"]


def opened(visitor: Visitor, day: Day, user: str, code: str, scheme: str = "light") -> Page:
    page = visitor.open(
        width=390,
        height=844,
        scheme=scheme,  # type: ignore[arg-type]  # light or dark
        base_url=day.program.url,
    )
    log_in(page, user)
    page.goto(day.check_in(code))
    return page


def line(day: Day, code: str) -> list[tuple[str, int | None]]:
    """What the log holds of a unit's point."""
    with day.database.reader() as session:
        return [
            (row.state, row.headcount)
            for row in log_after(session, day.meeting_id, 0, 100_000)
            if row.point_id == day.points[code]
        ]


def test_one_press_then_a_correction(visitor: Visitor, quiet: Day) -> None:
    page = opened(visitor, quiet, "truc.dongda", "006")
    for _ in range(12):
        page.get_by_role("button", name="Thêm một người").click()
    page.get_by_label("Trưởng đoàn").fill("Lê Ngọc Bích")
    page.get_by_role("button", name="Có mặt", exact=True).click()
    expect(page.locator("#sending")).to_have_text(re.compile(r"Đã gửi \d\d:\d\d:\d\d"))
    page.get_by_role("button", name="Bớt một người").click()
    page.get_by_role("button", name="Gửi số liệu đã sửa").click()
    expect(page.locator("#time-line li")).to_have_count(2)
    assert line(quiet, "006") == [("present", 12), ("present", 11)]
    page.get_by_role("button", name="Có mặt", exact=True).click()
    page.wait_for_timeout(500)
    assert line(quiet, "006") == [("present", 12), ("present", 11)]


def test_without_a_network_it_is_kept_and_sent_later_in_order(visitor: Visitor, quiet: Day) -> None:
    page = opened(visitor, quiet, "truc.dongda", "00193")
    expect(page.locator("#check-in-form")).to_be_visible()
    page.context.set_offline(True)
    visitor.expect_complaint("ERR_INTERNET_DISCONNECTED")
    pressed = datetime.now(UTC)
    page.get_by_role("button", name="Sẵn sàng").click()
    page.get_by_label("Số người tại điểm cầu").fill("7")
    page.get_by_role("button", name="Có mặt", exact=True).click()
    expect(page.locator("#sending")).to_have_text("Chưa gửi, sẽ gửi khi có mạng")
    expect(page.locator("#waiting-list li")).to_have_count(2)
    assert line(quiet, "00193") == []
    page.wait_for_timeout(1500)
    back = datetime.now(UTC)
    page.context.set_offline(False)
    expect(page.locator("#sending")).to_have_text(re.compile("Đã gửi"))
    expect(page.locator("#waiting-list li")).to_have_count(0)
    assert line(quiet, "00193") == [("ready", None), ("present", 7)]
    with quiet.database.reader() as session:
        rows = [
            row
            for row in log_after(session, quiet.meeting_id, 0, 100_000)
            if row.point_id == quiet.points["00193"]
        ]
    assert all((row.recorded_at - row.observed_at).total_seconds() > 1 for row in rows)
    # The time of the press; the page learns the server's clock when it opens.
    assert pressed - timedelta(minutes=1) < rows[0].observed_at < back


def test_what_waits_survives_a_reload_of_the_page(visitor: Visitor, quiet: Day) -> None:
    page = opened(visitor, quiet, "truc.dongda", "00199")
    page.route(
        "**/check-in/*/*",
        lambda route: route.abort() if route.request.method == "POST" else route.continue_(),
    )
    page.context.set_offline(True)
    visitor.expect_complaint("ERR_INTERNET_DISCONNECTED|ERR_FAILED")
    page.get_by_role("button", name="Có mặt", exact=True).click()
    expect(page.locator("#sending")).to_have_text("Chưa gửi, sẽ gửi khi có mạng")
    page.unroute("**/check-in/*/*")
    page.context.set_offline(False)
    page.goto("/check-in")
    expect(page.locator("#unsent")).to_be_hidden()
    page.goto(quiet.check_in("00199"))
    expect(page.locator("#time-line li")).to_have_count(1)
    assert line(quiet, "00199") == [("present", None)]


def test_help_is_asked_for_with_a_word_and_a_colleague_sees_it(
    visitor: Visitor, quiet: Day
) -> None:
    page = opened(visitor, quiet, "truc.dongda", "00187")
    colleague = opened(visitor, quiet, "thuky.dongda", "00187")
    page.get_by_role("button", name="Cần hỗ trợ").click()
    page.get_by_label("Vướng mắc gì?").fill("Không có tiếng")
    page.locator("#send-note").click()
    expect(page.locator("#time-line")).to_contain_text("Không có tiếng")
    expect(colleague.locator("#standing .state")).to_have_class(re.compile("state-needs_help"))
    assert [state for state, _ in line(quiet, "00187")] == ["needs_help", "needs_help"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible(visitor: Visitor, quiet: Day, scheme: str) -> None:
    page = opened(visitor, quiet, "truc.vanmieu", "00181", scheme)
    expect(page.locator("#check-in-form")).to_be_visible()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto("/check-in")
    expect(page.locator(".duty").first).to_be_visible()
    assert_accessible(page)
