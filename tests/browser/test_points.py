"""A bridge point in the browser: its equipment, an outage seen before it is saved, a fault from a phone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browsing import Visitor, assert_accessible, log_in
from tests.programs import Program


@pytest.mark.slow
def test_a_room_is_looked_after(demo_server: Program, visitor: Visitor) -> None:
    operator = log_in(
        visitor.open(width=390, height=844, base_url=demo_server.url), "truc.cattlinh"
    )
    operator.goto("/check-in")
    operator.locator("a[href^='/check-in/']").first.click()
    operator.get_by_role("link", name="Báo sự cố thiết bị").click()
    operator.get_by_label("Hình ảnh").check()
    operator.get_by_label("Mô tả hiện tượng").fill("Màn hình nhấp nháy")
    point = re.search(r"/points/(\d+)/", operator.url)
    assert point is not None
    operator.get_by_role("button", name="Gửi báo cáo sự cố").click()
    operator.wait_for_url(re.compile(r"/check-in/\d+/\d+$"))
    expect(operator.locator("body")).to_contain_text("Đã ghi nhận sự cố")

    page = log_in(visitor.open(base_url=demo_server.url), "kythuat")
    page.get_by_role("region", name="Sự cố chưa khắc phục").get_by_role(
        "link", name="Tất cả"
    ).click()
    page.get_by_role("row", name="Phường Cát Linh").get_by_role("link", name="Hình ảnh").click()
    page.get_by_label("Việc đã làm").fill("Thay cáp HDMI")
    page.get_by_role("button", name="Xác nhận đã khắc phục").click()
    expect(page.locator("main")).to_contain_text("Thay cáp HDMI")

    page.goto(f"/points/{point[1]}")
    expect(page.locator(".history")).to_contain_text("Màn hình nhấp nháy")
    visitor.expect_complaint("status of 422")
    page.get_by_text("Thêm thiết bị").first.click()
    form = page.locator("#equipment-form")
    form.get_by_label("Kiểu máy").fill("Barco ClickShare")
    form.get_by_role("button", name="Thêm thiết bị").click()
    expect(page.locator("#equipment-form .error-summary")).to_be_focused()
    form.get_by_label("Loại").select_option("other")
    form.get_by_role("button", name="Thêm thiết bị").click()
    piece = page.locator(".line-list > li", has_text="Barco ClickShare")
    expect(piece.locator(".strong").first).to_have_text("Thiết bị khác")
    piece.locator("summary").click()
    piece.get_by_label("Tình trạng").select_option("missing")
    piece.get_by_role("button", name="Lưu").click()
    expect(piece.locator(".tag")).to_have_text("Thiếu")

    # What an outage touches is told while its days are typed, and once more by the server.
    outage = page.locator("#outage-form")
    outage.get_by_label("Lý do").fill("Sửa điện")
    expect(outage.locator("[data-reach-part]")).to_contain_text("cuộc họp sắp tới mời điểm cầu này")
    outage.get_by_label("Từ ngày").fill("01/03/2020")
    outage.get_by_label("Đến ngày").fill("02/03/2020")
    outage.get_by_label("Đến ngày").press("Tab")
    expect(outage.locator("[data-reach-part]")).to_contain_text("Không có cuộc họp sắp tới nào")
    outage.get_by_role("button", name="Báo gián đoạn").click()
    expect(page.locator(".history")).to_contain_text("Ngừng hoạt động: Sửa điện")
    assert_accessible(page)

    page.get_by_role("link", name="Mã dán cửa phòng").click()
    expect(page.locator(".door svg")).to_be_visible()
    expect(page.locator(".door-link")).to_have_text(re.compile(rf"/points/{point[1]}/checkin$"))
