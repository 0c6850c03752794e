"""A list from a spreadsheet that took the zeros: put right in one click, the file stays chosen."""

import pytest
from playwright.sync_api import expect

from tests.browsing import Visitor, assert_accessible, log_in
from tests.programs import Program

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LIST = (
    "code;parent_code;level;kind;name;phone\n"
    "9998;6;ward;Phường;Phường Thử;912345678\n"
    "00181;006;ward;phường;Phường Văn Miếu;024 3733 0000\n"
)


@pytest.mark.parametrize("width", [1440, 390])
def test_lost_zeros_are_restored_without_choosing_the_file_again(
    demo_server: Program, visitor: Visitor, width: int
) -> None:
    page = visitor.open(width=width, base_url=demo_server.url)
    log_in(page, "quantri")
    page.goto("/admin/import/units")
    page.locator("input[type=file]").set_input_files(
        {"name": "danh-sach.csv", "mimeType": "text/csv", "buffer": LIST.encode("utf-8-sig")}
    )
    visitor.expect_complaint("status of 422")
    page.get_by_role("button", name="Kiểm tra tệp").click()
    expect(page.locator("#zeros-head")).to_contain_text("3 ô")
    expect(page.get_by_text("Có lẽ là 09998")).to_be_visible()
    page.get_by_role("button", name="Khôi phục số 0").click()
    expect(page.locator("#look-head")).to_be_focused()
    expect(page.get_by_role("button", name="Nhập 2 dòng")).to_be_visible()
    expect(page.locator("del")).to_have_count(1)
    expect(page.locator("#import-form")).to_contain_text("Quận Đống Đa")
    assert page.evaluate("document.querySelector('input[type=file]').files.length") == 1
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert_accessible(page)
