"""A whole meeting day on the demonstration, lived by its people in their own browsers.

The city's secretary books and invites, a ward's clerk answers, three operators check in while the
secretary watches the board, the secretary writes the minutes, the chair issues them, and an official
of a ward downloads the paper. Invitations arrive at a real mail server.
"""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from icalendar import Calendar
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from rooms.kernel import CIVIL_ZONE, utcnow
from tests.browsing import Visitor, assert_accessible, log_in
from tests.mailbox import SmtpPeer
from tests.programs import Program

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TITLE = "Giao ban trực tuyến với các phường Quận Đống Đa"
WARD, WARD_CODE = "Phường Văn Miếu", "00181"
MOBILE = 390


def type_time(page: Page, start: datetime, hours: float) -> None:
    local = start.astimezone(CIVIL_ZONE)
    page.locator("#field-date").fill(f"{local:%d/%m/%Y}")
    page.locator("#field-start").fill(f"{local:%H:%M}")
    page.locator("#field-end").fill(f"{local + timedelta(hours=hours):%H:%M}")


def choose(page: Page, field: str, typed: str, wanted: str) -> None:
    """Type into a box that proposes, and take what is wanted."""
    box = page.locator(f"#field-{field}")
    box.fill("")
    box.press_sequentially(typed)
    page.locator(f"#list-{field}").get_by_role("option", name=wanted).first.click()


def book(page: Page) -> None:
    """First into the running meeting of the day, which the form tells; then behind it."""
    page.goto("/meetings/new")
    page.locator("#field-title").fill(TITLE)
    choose(page, "chair", "do hoang", "Đỗ Hoàng Long")
    page.locator("#tree-search").fill("dong da")
    tree = page.locator("#audience-tree")
    tree.get_by_role("checkbox", name="Quận Đống Đa").check()
    tree.get_by_role("button", name="Mở Quận Đống Đa").click()
    tree.get_by_role("checkbox", name="Tất cả: Phường, xã, thị trấn").check()
    now = utcnow().replace(second=0, microsecond=0)
    type_time(page, now + timedelta(minutes=30), 0.5)
    expect(page.get_by_text("Hội nghị trực tuyến toàn Thành phố").first).to_be_visible()
    # Behind the day's meeting, and still so near that check-in is open.
    type_time(page, now + timedelta(minutes=130), 0.5)
    expect(page.get_by_text("Hội nghị trực tuyến toàn Thành phố")).to_have_count(0)
    page.locator("#field-late_reason").fill("Theo chỉ đạo của lãnh đạo Thành phố")
    page.locator("#field-join_url").fill("https://hop.hanoi.example/phong/2000")
    page.locator("#add-item").click()
    page.locator("#agenda-rows input").first.fill("Báo cáo của các phường")
    # 22 with the district, but for the ward whose room is out of service.
    send = page.get_by_role("button", name="Gửi giấy mời tới 21 đơn vị")
    expect(send).to_be_visible()
    send.click()
    page.wait_for_url(re.compile(r"/meetings/\d+$"))
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()


def answer(page: Page) -> None:
    page.goto("/invitations")
    page.get_by_role("link", name=TITLE).first.click()
    page.get_by_label("Có, đơn vị dự họp").check()
    page.locator("#field-delegate_name").fill("Bùi Thị Lan")
    page.locator("#field-delegate_title").fill("Chủ tịch UBND Phường")
    page.get_by_role("button", name="Gửi xác nhận").click()
    expect(page.locator("#flashes")).to_contain_text("Đã gửi trả lời")


def to_check_in(page: Page) -> Page:
    page.goto("/check-in")
    card = page.locator("section, li, article").filter(has_text=TITLE).last
    card.get_by_role("link", name="Điểm danh").first.click()
    page.wait_for_url(re.compile(r"/check-in/\d+/\d+"))
    return page


def test_a_meeting_day(
    running_server: Callable[..., Program], smtp_peer: SmtpPeer, visitor: Visitor, tmp_path: Path
) -> None:
    server = running_server("demo", settings={"smtp_url": smtp_peer.url})

    def person(username: str, width: int = 1440) -> Page:
        return log_in(visitor.open(width=width, base_url=server.url), username)

    # The secretary books, and every unit is invited by mail.
    secretary = person("thuky")
    book(secretary)
    meeting_url = secretary.url
    assert_accessible(secretary)
    mail = invitation_to(smtp_peer, f"vanthu.{WARD_CODE}@hanoi.example")
    entry = Calendar.from_ical(mail)
    event = entry.walk("VEVENT")[0]
    assert (entry["METHOD"], event["SUMMARY"], event["SEQUENCE"]) == ("REQUEST", TITLE, 0)
    assert entry.walk("VTIMEZONE")

    # A ward's clerk answers for the unit.
    answer(person("vanthu.vanmieu"))

    # Three operators on their phones, the secretary at the board, which moves by itself.
    board = visitor.open(base_url=server.url)
    log_in(board, "thuky")
    board.goto(f"{meeting_url}/board")
    expect(board.locator("#line-chip")).to_have_attribute("data-line", "live")
    there = board.locator("[data-total=there]")
    expect(there).to_have_text("0")
    ward = to_check_in(person("truc.vanmieu", MOBILE))
    ward.locator("#field-headcount").fill("7")
    ward.get_by_role("button", name="Có mặt").first.click()
    expect(there).to_have_text("1")
    district = to_check_in(person("truc.dongda", MOBILE))
    district.get_by_role("button", name="Có mặt").first.click()
    expect(there).to_have_text("2")
    neighbour = to_check_in(person("truc.cattlinh", MOBILE))
    neighbour.locator(".state-buttons button[value=needs_help]").click()
    expect(board.locator("#help-list")).to_contain_text("Phường Cát Linh")
    assert_accessible(ward)
    assert_accessible(board)

    # The day: opened, closed; the draft of the minutes has the roll of the meeting.
    for opening, doing, state in (
        ("Khai mạc", "#start-dialog", "Đang họp"),
        ("Kết thúc cuộc họp", "#end-dialog", "Đã kết thúc"),
    ):
        secretary.goto(meeting_url)
        secretary.get_by_role("button", name=opening).first.click()
        secretary.locator(doing).locator("button.btn-primary").click()
        expect(secretary.locator(".page-head")).to_contain_text(state)
    write_minutes(secretary, meeting_url)

    # The chair issues; the official of the ward reads them and takes the paper along.
    chair = person("lanhdao")
    chair.goto(f"{meeting_url}/minutes")
    chair.get_by_role("button", name="Ký và ban hành").click()
    chair.locator("#issue").locator("button.btn-primary").click()
    expect(chair.get_by_role("heading", name=re.compile(r"\d+.BB-UBND"))).to_be_visible()
    official = person("lanhdao.vanmieu")
    official.goto(f"{meeting_url}/minutes")
    with official.expect_download() as saved:
        official.get_by_role("link", name="PDF").click()
    paper = tmp_path / "minutes.pdf"
    saved.value.save_as(paper)
    text = " ".join(page.extract_text() for page in PdfReader(paper).pages)
    for words in ("BIÊN BẢN", WARD, "Bùi Thị Lan", "Các phường hoàn thành trước ngày 30"):
        assert words in re.sub(r"\s+", " ", text)


def invitation_to(peer: SmtpPeer, address: str, *, seconds: float = 60) -> bytes:
    """The calendar part of the mail about this meeting that reached an address.

    The demonstration sends the mails of its other meetings, too; this one may have to queue.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for received in peer.to(address):
            if TITLE in received.message["subject"]:
                part = received.part("text/calendar").get_payload(decode=True)
                assert isinstance(part, bytes)
                return part
        time.sleep(0.1)
    raise AssertionError(f"no invitation reached {address}")


def write_minutes(page: Page, meeting_url: str) -> None:
    page.goto(f"{meeting_url}/minutes")
    page.get_by_role("button", name="Lập dự thảo").click()
    expect(page.locator("[data-part=said]").first).to_be_visible()
    page.wait_for_load_state("load")
    expect(page.locator(".facts-column")).to_contain_text(WARD)
    page.locator("[data-part=said]").first.fill("Các phường báo cáo tiến độ; còn ba hồ sơ chậm.")
    page.locator("#field-conclusions").fill("Các phường hoàn thành trước ngày 30.")
    expect(page.locator("#save-state")).to_contain_text("Đã lưu")
    page.locator("#submit-button").click()
    expect(page.locator("main")).to_contain_text("Đã trình")
