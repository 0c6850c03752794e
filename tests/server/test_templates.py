"""What every template of a page keeps to: a strict content policy, and icons that exist."""

import re
from pathlib import Path

import pytest

from meetings_server.web.static_files import static_folder

TEMPLATES = Path(__file__).parents[2] / "meetings_server" / "templates"
# Letters are no pages: mail programs know inline styles only.
PAGES = sorted(page for page in TEMPLATES.rglob("*.html") if page.parent.name != "mail")

FORBIDDEN = {
    "inline style": re.compile(r"<[^>]*\sstyle\s*=", re.IGNORECASE),
    "style element": re.compile(r"<style\b", re.IGNORECASE),
    "inline handler": re.compile(r"<[^>]*\son[a-z]+\s*=\s*[\"']", re.IGNORECASE),
    "inline script": re.compile(r"<script(?![^>]*\b(src=|application/json))", re.IGNORECASE),
    "evaluated htmx": re.compile(r"hx-on|hx-vals=[\"']js:", re.IGNORECASE),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TEMPLATES)))
def test_nothing_inline(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [name for name, pattern in FORBIDDEN.items() if pattern.search(text)] == []


def test_every_icon_is_in_the_sprite() -> None:
    sprite = (static_folder() / "icons.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    used = {
        name
        for page in PAGES
        for name in re.findall(r"\bicon\(\"([a-z0-9-]+)\"", page.read_text(encoding="utf-8"))
    }
    assert used - drawn == set()
