"""A real browser that lets no error pass: script errors, refused content, requests to elsewhere."""

import os
import re
import shutil
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from meetings_server.demo.people import PASSWORD

# The first is Chromium without a window and takes half of the computing.
NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
FLAGS = [
    "--no-sandbox",  # a container has none to offer, and only our own pages are opened
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
GRAVE = ("serious", "critical")
PATIENCE = 60_000
"""Milliseconds to wait for something to appear: a slow machine is no failure."""

expect.set_options(timeout=PATIENCE)


def installed_chromium(*, whole: bool = False) -> str | None:
    """Path of the browser: `CHROMIUM`, or the first that is installed; `whole` for one that can notify."""
    named = os.environ.get("CHROMIUM")
    if named is not None:
        if shutil.which(named) is None:
            raise FileNotFoundError(f"CHROMIUM={named} is no program")
        return named
    return next((path for name in NAMES[whole:] if (path := shutil.which(name))), None)


@dataclass
class Visitor:
    """Opens pages, each for a person of its own (own cookies), and remembers what went wrong."""

    browser: Browser
    pages: list[Page] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    browsers: list[Browser] = field(default_factory=list)
    _expected: list[re.Pattern[str]] = field(default_factory=list)

    def open(
        self,
        *,
        width: int = 1440,
        height: int = 900,
        language: str = "vi-VN",
        scheme: Literal["light", "dark"] = "light",
        whole: bool = False,
        **options: Any,
    ) -> Page:
        """An empty page; below 600 pixels it is a phone with a touch screen.

        `whole` is a browser of its own that can show notices and wake its workers; `options` go to Playwright's `new_context`, such as `base_url` or `storage_state`.
        """
        phone = width < 600
        context = (self._whole() if whole else self.browser).new_context(
            viewport={"width": width, "height": height},
            locale=language,
            timezone_id="Asia/Ho_Chi_Minh",
            color_scheme=scheme,
            has_touch=phone,
            is_mobile=phone,
            **options,
        )
        return self._watched(context.new_page())

    def _whole(self) -> Browser:
        browser = self.browser.browser_type.launch(
            executable_path=installed_chromium(whole=True), args=FLAGS
        )
        self.browsers.append(browser)
        return browser

    def reopen(self, folder: Path, *, width: int = 1440, height: int = 900, **options: Any) -> Page:
        """A page of a browser of its own that keeps all it has in a folder, for when it is closed."""
        context = self.browser.browser_type.launch_persistent_context(
            folder,
            executable_path=installed_chromium(),
            args=FLAGS,
            viewport={"width": width, "height": height},
            locale="vi-VN",
            timezone_id="Asia/Ho_Chi_Minh",
            **options,
        )
        return self._watched(context.pages[0])

    def _watched(self, page: Page) -> Page:
        page.context.set_default_timeout(PATIENCE)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._requested)
        self.pages.append(page)
        return page

    def expect_complaint(self, pattern: str) -> None:
        """Let complaints that match this pattern pass, such as `"status of 409"`."""
        self._expected.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        return [c for c in self.complaints if not any(p.search(c) for p in self._expected)]

    def _heard(self, message: ConsoleMessage) -> None:
        # Chromium reports what the Content-Security-Policy refused as an error here too.
        if message.type == "error":
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _requested(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and address.hostname != "127.0.0.1":
            self.complaints.append(f"request to elsewhere: {request.url}")


def log_in(page: Page, username: str) -> Page:
    """As one of the people of the demonstration, in whichever language the page is."""
    page.goto("/login")
    page.locator("#field-username").first.fill(username)
    page.locator("#field-password").first.fill(PASSWORD)
    page.locator("#login-form .btn-primary").click()
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def assert_accessible(page: Page) -> None:
    """Raises `AssertionError` naming each serious or critical finding of axe-core with its place."""
    # Colours on their way to others are no colours to read.
    page.evaluate(
        """() => Promise.allSettled(document.getAnimations()
             .filter((one) => one instanceof CSSTransition).map((one) => one.finished))"""
    )
    # What passes is not told: on a long page that alone takes seconds.
    findings = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    grave = [
        f"{finding['id']} ({finding['impact']}): {finding['help']}\n"
        + "\n".join(f"    {node['html'][:200]}" for node in finding["nodes"][:5])
        for finding in findings
        if finding["impact"] in GRAVE
    ]
    assert not grave, f"{page.url}\n" + "\n".join(grave)


class _Playwright:
    """The one browser of this process. Open, it keeps an event loop running in this thread."""

    def __init__(self) -> None:
        self._opened = ExitStack()
        self.browser: Browser | None = None

    def open(self, path: str) -> Browser:
        if self.browser is None:
            playwright = self._opened.enter_context(sync_playwright())
            self.browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            self._opened.callback(self.browser.close)
        return self.browser

    def close(self) -> None:
        self.browser = None
        self._opened.close()


_playwright = _Playwright()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The installed browser. Without one the test is skipped, or fails where REQUIRE_BROWSER=1."""
    path = installed_chromium()
    if path is None:
        missing = "no Chromium is installed (apt install chromium, or set CHROMIUM to its path)"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"REQUIRE_BROWSER=1 but {missing}")
        pytest.skip(missing)
    yield _playwright.open(path)
    _playwright.close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Close the browser before the first test without one, which may want an event loop itself."""
    if item.get_closest_marker("browser") is None:
        _playwright.close()


@pytest.fixture
def visitor(
    chromium: Browser, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Visitor]:
    """Opens pages for several people; at the end no page may have complained.

    A failed test leaves a picture of each open page and says where.
    """
    visitor = Visitor(chromium)
    yield visitor
    report = request.node.stash.get(CALL_REPORT, None)
    failed = report is not None and report.failed
    complaints = visitor.unexpected()
    if failed or complaints:
        _photograph(visitor.pages, tmp_path_factory.mktemp("screenshots"), request.node)
    for page in visitor.pages:
        page.context.close()
    for browser in visitor.browsers:
        browser.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """One empty page of 1440 × 900 pixels."""
    return visitor.open()


CALL_REPORT = pytest.StashKey[pytest.TestReport]()


def _photograph(pages: list[Page], folder: Path, item: pytest.Item) -> None:
    taken = []
    for number, page in enumerate(pages, start=1):
        if not page.is_closed():
            path = folder / f"{number}.png"
            page.screenshot(path=path, full_page=True)
            taken.append(f"{path}  {page.url}")
    item.add_report_section("teardown", "screenshots", "\n".join(taken))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the report of the test itself for the fixtures that end after it."""
    report: pytest.TestReport = yield
    if call.when == "call":
        item.stash[CALL_REPORT] = report
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that open a browser. They run first, and what takes long before the rest.

    While the browser is open no other test could use `asyncio.run`; and where tests run side by side,
    a long one that begins last would keep one core waiting.
    """
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
    items.sort(
        key=lambda item: (
            item.get_closest_marker("browser") is None,
            item.get_closest_marker("slow") is None,
        )
    )
