"""What is printed: sheets for doors, lists and reports stand on paper whole, and without what is for the screen."""

import io
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.browsing import Visitor, log_in
from tests.programs import Program

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHEET = 718
"""Pixels of CSS between the margins of A4."""

# Boxes that keep some of their content out of sight, and what only a hand on the screen can use.
CUT = """() => [...document.querySelectorAll("main *")].filter((each) =>
  each.checkVisibility() && each.clientHeight > 0 && getComputedStyle(each).overflowY !== "visible"
  && each.scrollHeight > each.clientHeight + 2).map((each) => each.className || each.tagName)"""
HANDLES = """() => [...document.querySelectorAll("main :is(input, select, textarea, button)")]
  .filter((each) => each.checkVisibility()).map((each) => each.outerHTML.slice(0, 120))"""


@pytest.fixture
def secretary(demo_server: Program, visitor: Visitor) -> Page:
    page = visitor.open(width=SHEET, base_url=demo_server.url)
    log_in(page, "thuky")
    page.emulate_media(media="print")
    return page


def printed(page: Page) -> list[str]:
    """The words of each sheet, without the spaces, which a PDF does not keep reliably."""
    sheets = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages
    return [without_spaces(sheet.extract_text()) for sheet in sheets]


def without_spaces(text: str) -> str:
    return "".join(text.split())


def meeting_of(program: Program, state: str) -> int:
    file = f"file:{program.data / 'meetings.db'}?mode=ro"
    with closing(sqlite3.connect(file, uri=True)) as database:
        row = database.execute(
            "SELECT id FROM meeting WHERE state = ? ORDER BY starts_at LIMIT 1", [state]
        ).fetchone()
    number: int = row[0]
    return number


def test_each_door_has_a_sheet_of_its_own(secretary: Page) -> None:
    secretary.goto("/units/1/doors")
    doors = secretary.locator(".door")
    expect(doors).to_have_count(2)
    sheets = printed(secretary)
    assert len(sheets) == doors.count()
    for sheet, address in zip(sheets, secretary.locator(".door-link").all(), strict=True):
        assert sheet.endswith(without_spaces(address.inner_text()))


@pytest.mark.parametrize(
    "path",
    [
        "/meetings/{coming}",
        "/meetings/{coming}/missing",
        "/meetings/{coming}/readiness",
        "/reports",
        "/reports/attendance",
        "/reports/coverage",
        "/reports/meetings/{held}",
        "/units/1",
    ],
)
def test_a_page_stands_on_paper_whole(demo_server: Program, secretary: Page, path: str) -> None:
    held, coming = meeting_of(demo_server, "concluded"), meeting_of(demo_server, "scheduled")
    secretary.goto(path.format(held=held, coming=coming))
    heading = secretary.get_by_role("heading", level=1).inner_text()
    assert secretary.evaluate(CUT) == []
    assert secretary.evaluate(HANDLES) == []
    first = printed(secretary)[0]
    # The heading does not stand alone, and nothing stands before it.
    assert first.startswith(without_spaces(heading)[:30])
    assert len(first) > 250
