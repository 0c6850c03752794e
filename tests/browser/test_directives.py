"""A document on its way: sent by rules, read and confirmed, seen by the sender without a reload."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browsing import Visitor, assert_accessible, log_in
from tests.documents import PDF_BYTES
from tests.programs import Program


@pytest.mark.slow
def test_a_document_goes_out_and_its_way_is_seen(
    running_server: Callable[..., Program], visitor: Visitor, tmp_path: Path
) -> None:
    server = running_server("demo")
    clerk = log_in(visitor.open(base_url=server.url), "thuky")
    paper = tmp_path / "kế hoạch.pdf"
    paper.write_bytes(PDF_BYTES)

    clerk.goto("/directives/new")
    clerk.fill("[name=title]", "Không được giữ lại")
    clerk.check("[name=secrecy][value=secret]")
    expect(clerk.locator("[name=paper_place]")).to_be_visible()
    expect(clerk.locator("[name=files]")).to_be_hidden()
    clerk.check("[name=secrecy][value=open]")
    expect(clerk.locator("[name=title]")).to_have_value("")
    assert_accessible(clerk)

    clerk.select_option("[name=kind]", "plan")
    expect(clerk.locator("[name=symbol]")).to_have_value("KH-UBND")
    expect(clerk.locator("#hint-number")).to_contain_text("01/KH-UBND")
    clerk.fill("[name=title]", "Diễn tập phòng cháy, chữa cháy")
    clerk.fill("[name=signed_by_name]", "Đỗ Hoàng Long")
    clerk.set_input_files("[name=files]", paper)
    clerk.click("button[value=issue]")
    clerk.wait_for_url(re.compile(r"/directives/\d+$"))
    address = clerk.url.removeprefix(server.url)
    expect(clerk.locator("h1")).to_have_text("01/KH-UBND")

    clerk.goto(f"{address}/circulate")
    clerk.select_option("[name=head]", "006")
    clerk.click("[data-add-below]")
    send = clerk.locator("[data-send]")
    expect(send).to_have_text("Gửi tới 21 đơn vị")
    clerk.fill("[name=unit]", "Phường Cát Linh (00178)")
    clerk.click("[data-add-unit=exclude]")
    expect(send).to_have_text("Gửi tới 20 đơn vị")
    assert_accessible(clerk)
    send.click()
    expect(clerk.locator("#question-dialog-text")).to_contain_text("20 đơn vị sẽ nhận")
    clerk.click("[data-answer-yes]")
    clerk.wait_for_url(f"{server.url}{address}")
    way = clerk.locator("#way-tree")
    expect(way.locator(".figure-value").first).to_have_text("20")

    ward = log_in(visitor.open(width=390, base_url=server.url), "vanthu.vanmieu")
    ward.goto("/directives")
    expect(ward.locator("tr.unread", has_text="Diễn tập phòng cháy")).to_be_visible()
    ward.click("text=Diễn tập phòng cháy")
    ward.fill("[name=note]", "Đã phân công")
    assert_accessible(ward)
    ward.click("text=Xác nhận Phường Văn Miếu đã tiếp nhận")
    expect(ward.locator("#flashes")).to_contain_text("Đã xác nhận")

    # The sender's page draws it by itself; a branch that was opened stays open.
    expect(way.locator(".figure-value").nth(3)).to_have_text("1")
    clerk.click("details[data-key='006'] > summary")
    expect(way.locator(".stop", has_text="Phường Văn Miếu")).to_contain_text("Đã phân công")
    assert_accessible(clerk)
