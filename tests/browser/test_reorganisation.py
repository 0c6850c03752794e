"""A reorganisation in the browser: mistakes, preview, applying with its progress, taking back."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rooms.catalogue import read_shipped, write_units
from rooms.kernel import civil_day, utcnow
from tests.browsing import Visitor, assert_accessible, log_in
from tests.conftest import StartServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAN = "reorganisation-hanoi-2025-07-01"


def check(page: Page) -> None:
    page.get_by_role("button", name="Kiểm tra và xem trước").click()


def type_day(page: Page, day: date) -> None:
    page.locator("#field-day").fill(f"{day:%d/%m/%Y}")


def wrong_files(page: Page, folder: Path) -> None:
    """A successor that does not exist, and a line without a main one; what was typed is kept."""
    units = folder / "don-vi.csv"
    units.write_bytes(write_units(read_shipped("hanoi-2025-07")))
    successions = folder / "ke-thua.csv"
    successions.write_text(
        "old_code,new_code,extent,main_successor\n00001,99999,whole,1\n00004,00004,nửa,0\n",
        encoding="utf-8",
    )
    page.locator("#field-units").set_input_files(units)
    page.locator("#field-successions").set_input_files(successions)
    page.locator("#field-name").fill("Nghị quyết 1656")
    check(page)
    faults = page.locator("#faults-head")
    expect(faults).to_be_visible()
    expect(page.get_by_role("cell", name="nửa")).to_be_visible()
    expect(page.locator("#field-name")).to_have_value("Nghị quyết 1656")
    successions.write_text(
        "old_code,new_code,extent,main_successor\n00001,99999,whole,1\n", encoding="utf-8"
    )
    page.locator("#field-units").set_input_files(units)
    page.locator("#field-successions").set_input_files(successions)
    check(page)
    expect(page.get_by_role("cell", name="99999")).to_be_visible()


def test_a_plan_is_previewed_applied_and_taken_back(
    visitor: Visitor, running_server: StartServer, tmp_path: Path
) -> None:
    server = running_server("demo", "--catalogue", "hanoi-2025-01", seconds=120)
    day = civil_day(utcnow()) + timedelta(days=40)
    page = visitor.open(base_url=server.url)
    log_in(page, "quantri")
    page.goto("/admin/reorganisation")
    page.get_by_role("link", name="Phương án mới").first.click()
    assert_accessible(page)

    # Mistakes: no day and no files, a day that has passed, files that contradict each other.
    visitor.expect_complaint("status of 422")
    visitor.expect_complaint("status of 409")
    check(page)
    expect(page.get_by_role("link", name="Ngày hiệu lực: Chưa nhập.")).to_be_visible()
    type_day(page, day)
    wrong_files(page, tmp_path)
    page.locator("#field-source").select_option(PLAN)
    expect(page.locator("#plan-files")).to_be_hidden()
    type_day(page, civil_day(utcnow()) - timedelta(days=1))
    check(page)
    expect(page.locator("#error-day")).to_contain_text("đã qua")
    expect(page.locator("#field-source")).to_have_value(PLAN)

    # The preview: figures on top, the tables below, one button that says what it does.
    type_day(page, day)
    check(page)
    page.wait_for_url(lambda url: url.rsplit("/", 1)[-1].isdigit())
    expect(page.get_by_text("Chưa có gì thay đổi: dự kiến từ")).to_be_visible()
    figures = page.locator(".plan-figures").inner_text()
    assert figures.split()[0] == "541"
    assert "106" in figures
    page.locator("#merged > summary").click()
    row = page.locator("#merged tr", has=page.get_by_text("Phường Ba Đình", exact=False)).first
    expect(row).to_contain_text("Phường Trúc Bạch")
    expect(page.locator("#ended")).to_contain_text("Quận Đống Đa")
    assert_accessible(page)
    phone = visitor.open(width=390, base_url=server.url)
    log_in(phone, "quantri")
    phone.goto(page.url)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390

    # Nothing has changed until it is applied; then it is shown as it comes, also after a reload.
    page.get_by_role("button", name=f"Áp dụng từ {day:%d/%m/%Y}").click()
    page.get_by_role("dialog").get_by_role("button", name="Áp dụng").click()
    expect(page.locator("#done-head, [data-run]").first).to_be_visible()
    page.reload()
    expect(page.locator("#done-head")).to_contain_text("có hiệu lực từ", timeout=30_000)
    look_through_the_years(page, day)

    take_back(page, day)


def take_back(page: Page, day: date) -> None:
    """As long as the day has not come, all of it can be taken back."""
    page.goto("/admin/reorganisation")
    expect(page.get_by_text("Đã duyệt, chờ đến ngày")).to_be_visible()
    page.get_by_role("link", name="Nghị quyết 1656").click()
    page.get_by_role("button", name="Thu hồi").click()
    page.get_by_role("dialog").get_by_role("button", name="Thu hồi").click()
    expect(page.locator("#done-head")).to_contain_text("Đã thu hồi")
    page.goto(f"/units?on={day}")
    expect(page.locator("#unit-list")).to_contain_text("526 phường")
    expect(page.locator("#tree-slider")).to_have_count(0)


def look_through_the_years(page: Page, day: date) -> None:
    """The slider moves the tree by keyboard, and what one sees is a link."""
    page.goto("/units")
    slider = page.get_by_role("slider")
    expect(page.locator("#unit-list")).to_contain_text("526 phường")
    slider.focus()
    slider.press("End")
    expect(page.locator("#unit-list")).to_contain_text("126 phường")
    page.wait_for_url(lambda url: f"on={day}" in url)
    page.reload()
    expect(page.locator("#unit-list")).to_contain_text("126 phường")
    expect(slider).to_have_value("1")
    page.goto(f"/units/by-code/00004?on={day}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Phường Ba Đình")
    expect(page.get_by_text("Bắt đầu hoạt động từ ngày")).to_be_visible()
    page.locator("#history-head").scroll_into_view_if_needed()
    page.get_by_role("link", name="Phường Trúc Bạch").click()
    expect(page.get_by_text("Kết thúc hoạt động từ ngày")).to_be_visible()
    assert_accessible(page)
