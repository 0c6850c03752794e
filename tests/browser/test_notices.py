"""The bell, the rules of reminders, and what the browser shows when the server pushes."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browsing import Visitor, assert_accessible, log_in
from tests.programs import Program

pytestmark = pytest.mark.browser


def test_the_bell_rings_until_everything_is_read(demo_server: Program, visitor: Visitor) -> None:
    page = visitor.open(width=390, base_url=demo_server.url)
    log_in(page, "truc.vanmieu")
    count = page.locator("[data-bell-count]")
    expect(count).to_have_text(re.compile(r"[1-9]"))
    page.get_by_role("link", name=re.compile("Thông báo, chưa đọc")).click()
    expect(page.get_by_role("heading", name="Thông báo", level=1)).to_be_visible()
    expect(page.locator(".notice-list li.is-unread", has_text="điểm cầu").first).to_be_visible()
    assert_accessible(page)
    with page.expect_response("**/notices/count"):
        page.locator(".notice-list li.is-unread a").first.click()
    page.goto("/notices")
    page.get_by_role("button", name="Đánh dấu đã đọc tất cả").click()
    expect(page.locator(".is-unread")).to_have_count(0)
    # The page says it itself: no other notice of this demonstration's day comes in between.
    expect(page.locator("[data-bell-count]")).to_be_hidden()


def test_an_administrator_changes_the_steps_of_a_kind(
    demo_server: Program, visitor: Visitor
) -> None:
    page = visitor.open(base_url=demo_server.url)
    log_in(page, "quantri")
    page.goto("/admin/escalation")
    page.get_by_role("link", name=re.compile("Sửa và xem trước.*Tập huấn")).click()
    preview = page.locator("section", has_text="Cuộc họp tới sẽ diễn ra thế nào")
    expect(preview.locator("tbody tr")).to_have_count(6)
    assert_accessible(page)
    page.locator("#field-minutes_1").fill("2000")
    visitor.expect_complaint("status of 422")
    page.get_by_role("button", name="Lưu các bước").click()
    expect(page.locator("#error-minutes_1")).to_be_visible()
    page.locator("#field-minutes_1").fill("45")
    page.get_by_role("button", name="Lưu các bước").click()
    expect(page.get_by_text("Đã lưu.")).to_be_visible()
    expect(page.locator("#field-minutes_1")).to_have_value("45")
    page.get_by_role("button", name="Trở về mặc định").click()
    page.get_by_role("button", name="Bỏ thay đổi").click()
    expect(page.locator("#field-minutes_1")).to_have_value("30")


def test_what_is_pushed_is_shown_and_a_click_opens_its_page(
    demo_server: Program, visitor: Visitor
) -> None:
    page = visitor.open(whole=True, base_url=demo_server.url)
    page.context.grant_permissions(["notifications"])
    page.goto("/login")
    line = page.context.new_cdp_session(page)
    numbers: list[str] = []

    def note(found: dict[str, Any]) -> None:
        numbers.extend(each["registrationId"] for each in found["registrations"])

    line.on("ServiceWorker.workerRegistrationUpdated", note)
    line.send("ServiceWorker.enable")
    # The script alone is a worker, too; where it belongs, the service worker of the site reads it in.
    page.evaluate(
        """async () => {
          const worker = await navigator.serviceWorker.register("/static/js/worker-push.js");
          while (!worker.active) await new Promise((go) => setTimeout(go, 50));
        }"""
    )
    page.wait_for_function("() => true")
    pushed = {"title": "Điểm cầu chưa điểm danh", "text": "Bắt đầu lúc 08:00", "path": "/check-in"}
    for content in (pushed | {"tag": "a"}, pushed | {"tag": "a"}, {"no": "title"}):
        line.send(
            "ServiceWorker.deliverPushMessage",
            {
                "origin": demo_server.url,
                "registrationId": numbers[-1],
                "data": json.dumps(content),
            },
        )
    shown = page.evaluate(
        """async () => {
          const worker = await navigator.serviceWorker.getRegistration("/static/js/");
          for (;;) {
            const found = await worker.getNotifications();
            if (found.length) return found.map((each) => [each.title, each.body, each.data.path, each.tag]);
            await new Promise((go) => setTimeout(go, 50));
          }
        }"""
    )
    # The same message once more takes the place of the first.
    assert shown == [["Điểm cầu chưa điểm danh", "Bắt đầu lúc 08:00", "/check-in", "a"]]
