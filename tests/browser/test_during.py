"""Two people in their own browsers during a meeting: one asks for help and reads, the other helps and writes."""

import re

import pytest
from playwright.sync_api import APIResponse, Route, expect

from tests.browsing import Visitor, log_in
from tests.programs import Program

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_help_is_asked_for_and_given_and_a_message_is_read(
    demo_server: Program, visitor: Visitor
) -> None:
    url = demo_server.url
    operator = log_in(visitor.open(width=390, height=844, base_url=url), "truc.cattlinh")
    technician = log_in(visitor.open(base_url=url), "kythuat")
    operator.goto("/check-in")
    # The meeting of the day stands first.
    operator.locator("main a[href^='/check-in/']").first.click()
    operator.wait_for_url(re.compile(r"/check-in/\d+/\d+"))
    found = re.search(r"/check-in/(\d+)/", operator.url)
    assert found is not None
    meeting = f"/meetings/{found[1]}"
    technician.goto(f"{meeting}/help")
    expect(technician.locator("#waiting-title")).to_be_visible()

    operator.get_by_role("button", name="Mất tiếng").click()
    asked = technician.locator(".help-item", has_text="Phường Cát Linh")
    expect(asked).to_contain_text("Mất tiếng")
    expect(operator.locator(".point-call")).to_contain_text("Chưa có người nhận")
    asked.get_by_role("button", name="Nhận xử lý").click()
    expect(operator.locator(".point-call")).to_contain_text(
        re.compile(r"Ngô Gia Bảo đã nhận lúc \d\d:\d\d")
    )
    technician.get_by_label("Việc đã làm").fill("Chọn lại loa")
    technician.get_by_label("Để điểm cầu tự xác nhận").check()
    technician.locator("#solve-form button.btn-primary").click()
    expect(operator.locator(".point-call")).to_contain_text("Chọn lại loa")
    expect(asked).to_contain_text("chờ điểm cầu xác nhận")
    operator.get_by_role("button", name="Có mặt").first.click()
    expect(asked).to_have_count(0)
    expect(operator.locator(".point-call")).to_have_count(0)

    technician.goto(f"{meeting}/messages")
    words = "Đề nghị Phường Cát Linh chuẩn bị phát biểu."
    technician.get_by_label("Nội dung tin").fill(words)
    technician.locator("#message-form button.btn-primary").click()
    message = operator.locator(".host-message", has_text=words)
    expect(message).to_be_visible()
    sent = technician.locator(".sent-message", has_text=words)
    expect(sent.locator("[data-shown]")).not_to_contain_text("hiển thị tại 0/")
    # What was pressed while the line was cut arrives when it is back.
    operator.context.set_offline(True)
    message.get_by_role("button", name="Chúng tôi đã đọc").click()
    operator.context.set_offline(False)
    expect(message).to_contain_text("đã xác nhận lúc")
    expect(sent.locator("[data-confirmed]")).to_contain_text("1 điểm cầu xác nhận")


def test_a_confirmation_outlasts_an_answer_that_was_asked_for_before_it(
    demo_server: Program, visitor: Visitor
) -> None:
    operator = log_in(visitor.open(width=390, height=844, base_url=demo_server.url), "truc.vanmieu")
    operator.goto("/check-in")
    operator.locator("main a[href^='/check-in/']").first.click()
    operator.wait_for_url(re.compile(r"/check-in/\d+/\d+"))
    found = re.search(r"/check-in/(\d+)/", operator.url)
    assert found is not None
    technician = log_in(visitor.open(base_url=demo_server.url), "kythuat")
    technician.goto(f"/meetings/{found[1]}/messages")
    words = "Đề nghị các điểm cầu tắt micrô."
    technician.get_by_label("Nội dung tin").fill(words)
    technician.locator("#message-form button.btn-primary").click()
    message = operator.locator(".host-message", has_text=words)
    expect(message).to_be_visible()

    held: list[tuple[Route, APIResponse]] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    operator.route("**/notices", hold_the_first)
    operator.evaluate("document.dispatchEvent(new Event('live:again'))")
    while not held:
        operator.wait_for_timeout(20)
    message.get_by_role("button", name="Chúng tôi đã đọc").click()
    expect(message).to_contain_text("đã xác nhận lúc")
    [(route, answer)] = held
    with operator.expect_response(
        lambda again: again.url.endswith("/notices") and again.request != route.request
    ):
        route.fulfill(response=answer)
    expect(message).to_contain_text("đã xác nhận lúc")
    expect(message.get_by_role("button")).to_have_count(0)


def test_a_press_before_the_scripts_are_there_is_done_once_they_are(
    demo_server: Program, visitor: Visitor
) -> None:
    technician = log_in(visitor.open(base_url=demo_server.url), "kythuat")
    technician.goto("/meetings")
    link = technician.locator("main a[href^='/meetings/']").first.get_attribute("href")
    assert link is not None
    meeting = re.search(r"/meetings/\d+", technician.url + link)
    assert meeting is not None
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    technician.route("**/js/app.js", hold)
    technician.goto(f"{meeting[0]}/messages", wait_until="commit")
    words = "Các điểm cầu kiểm tra đường truyền dự phòng."
    technician.get_by_label("Nội dung tin").fill(words)
    technician.locator("#message-form button.btn-primary").click(no_wait_after=True)
    assert technician.url.endswith("/messages")
    assert held
    held[0].continue_()
    expect(technician.locator(".sent-message", has_text=words)).to_be_visible()
