"""Dates and times as offices here write them, in a browser that speaks English."""

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import Visitor, assert_accessible, log_in
from tests.programs import Program

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SENT = """() => Object.fromEntries(["date", "start"].map(
  (name) => [name, new FormData(document.getElementById("meeting-form")).getAll(name)]))"""


@pytest.fixture
def form(demo_server: Program, visitor: Visitor) -> Page:
    page = visitor.open(language="en-US", base_url=demo_server.url)
    log_in(page, "thuky")
    page.goto("/meetings/new?date=2027-01-29&start=14:30&end=16:00")
    return page


def test_a_day_is_typed_day_first_and_sent_as_iso(form: Page) -> None:
    day, start = form.get_by_label("Ngày", exact=False).first, form.locator("#field-start")
    expect(day).to_have_value("29/01/2027")
    expect(start).to_have_value("14:30")
    day.fill("")
    day.press_sequentially("03022027")
    expect(day).to_have_value("03/02/2027")
    start.fill("8h45")
    start.press("Tab")
    expect(start).to_have_value("08:45")
    assert form.evaluate(SENT) == {"date": ["2027-02-03"], "start": ["08:45"]}
    start.press("ArrowUp")
    expect(start).to_have_value("08:50")


def test_no_such_day_is_said_and_sent_as_typed(form: Page) -> None:
    form.locator("#field-date").fill("31/02/2027")
    assert form.evaluate(SENT)["date"] == ["31/02/2027"]
    said = form.locator("#field-date").evaluate("field => field.validationMessage")
    assert said == "Ngày không đúng. Nhập ngày/tháng/năm, ví dụ 23/11/2026."


def test_a_day_is_chosen_with_the_keyboard(form: Page) -> None:
    day = form.locator("#field-date")
    day.press("Alt+ArrowDown")
    chosen = form.get_by_role("button", name="Thứ Sáu, 29 tháng 1, 2027")
    expect(chosen).to_be_focused()
    expect(form.get_by_role("dialog").locator("thead")).to_have_text("T2T3T4T5T6T7CN")
    assert_accessible(form)
    form.keyboard.press("PageDown")
    expect(form.get_by_role("button", name="Chủ Nhật, 28 tháng 2, 2027")).to_be_focused()
    form.keyboard.press("Home")
    form.keyboard.press("Enter")
    expect(day).to_have_value("22/02/2027")
    expect(day).to_be_focused()
    assert form.evaluate(SENT)["date"] == ["2027-02-22"]
