"""The line test on a phone, the board that moves with it, and the test of the device.

The browser has a camera and a microphone of its own making: a moving picture and a beep each second.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.sessions import COOKIE, open_session
from rooms.kernel import utcnow
from rooms.line_tests import history
from rooms.meetings import Meeting
from rooms.people import Person
from rooms.self_tests import latest_of
from tests.browsing import FLAGS, Visitor, assert_accessible, installed_chromium
from tests.conftest import StartServer
from tests.factories import City, make_city, scheduled_meeting
from tests.programs import Program

pytestmark = pytest.mark.browser

WARD = "00181"
FAKES = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module")
def equipped(chromium: Browser) -> Iterator[Browser]:
    """A browser with a camera and a microphone, which asks nobody."""
    browser = chromium.browser_type.launch(
        executable_path=installed_chromium(), args=[*FLAGS, *FAKES]
    )
    yield browser
    browser.close()


@dataclass
class Place:
    """A running server with a small city and a meeting that begins within the hour."""

    program: Program
    database: Database
    city: City
    meeting_id: int

    def enter(self, visitor: Visitor, user: str, path: str, width: int = 1440) -> Page:
        page = visitor.open(width=width, height=844, base_url=self.program.url)
        with self.database.transaction() as session:
            person = session.get_one(Person, self.city.actors[user].person_id)
            secret = open_session(session, person, utcnow(), hours=1)
        page.context.add_cookies([{"name": COOKIE, "value": secret, "url": self.program.url}])
        page.goto(path)
        return page

    @property
    def line_test(self) -> str:
        return f"/check-in/{self.meeting_id}/{self.city.points[WARD]}/line-test"

    def told(self) -> list[tuple[str, str, str, bool]]:
        """What was said of the ward's point, in order."""
        with self.database.reader() as session:
            meeting = session.get_one(Meeting, self.meeting_id)
            lines = history(session, meeting, self.city.points[WARD])
            return [(x.item, x.result, x.note, x.measured) for x in reversed(lines)]


@pytest.fixture
def place(running_server: StartServer) -> Iterator[Place]:
    program = running_server()
    database = Database(f"sqlite:///{program.data / 'meetings.db'}", [apply_effects])
    now = utcnow()
    with database.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(minutes=50))
        place = Place(program, database, city, meeting.id)
    yield place
    database.dispose()


def test_a_thumb_fills_in_the_list_and_all_boards_see_it(
    visitor: Visitor, equipped: Browser, place: Place
) -> None:
    visitor.browser = equipped
    board = place.enter(visitor, "kythuat", f"/meetings/{place.meeting_id}/readiness")
    expect(board.locator("#line-chip")).to_have_attribute("data-line", "live")
    expect(board.locator("[data-figure-of=untested]")).to_have_text("9")
    phone = place.enter(visitor, "truc.vanmieu", place.line_test, width=390)
    buttons = phone.locator("#line-test .choice")
    assert min(box["height"] for x in buttons.all() if (box := x.bounding_box())) >= 44
    phone.locator("#picture-ok").tap()
    expect(phone.locator("#picture-ok")).to_have_attribute("aria-pressed", "true")
    expect(phone.locator("#saved-at")).to_have_text(re.compile(r"Đã lưu lúc \d\d:\d\d:\d\d"))
    phone.locator("#sound-problem").tap()
    expect(phone.locator("#field-note-sound")).to_be_focused()
    phone.locator("#field-note-sound").fill("Tiếng rè")
    phone.locator("#field-note-sound").press("Enter")
    expect(phone.locator(".time-line li")).to_have_count(3)
    phone.locator("#open-fault-sound").tap()
    expect(phone.get_by_text(re.compile("Đã báo sự cố số"))).to_be_visible()
    assert_accessible(phone)
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")

    # The board has followed by itself; there the technician decides, and the phone learns of it.
    row = board.locator(f'[data-point="{place.city.points[WARD]}"]')
    expect(row).to_have_attribute("data-outcome", "problem")
    expect(row).to_contain_text("Tiếng rè")
    expect(board.locator("[data-figure-of=problem]")).to_have_text("1")
    board.locator("#field-reason").fill("Điểm cầu Văn Miếu mất tiếng")
    board.get_by_role("button", name="Chưa đủ điều kiện họp").click()
    board.locator("dialog[open] .btn-danger, dialog[open] .btn-primary").click()
    expect(board.locator(".go-line[data-verdict=no_go]")).to_contain_text("Văn Miếu mất tiếng")
    expect(board.get_by_text("có thể hoãn cuộc họp")).to_be_visible()
    expect(phone.locator(".go-line[data-verdict=no_go]")).to_contain_text("0/9 điểm cầu")
    assert_accessible(board)
    assert place.told() == [
        ("picture", "ok", "", False),
        ("sound", "problem", "", False),
        ("sound", "problem", "Tiếng rè", False),
        ("sound", "problem", "Tiếng rè", False),
    ]


def test_the_device_is_tested_and_the_result_attached(
    visitor: Visitor, equipped: Browser, chromium: Browser, place: Place
) -> None:
    visitor.browser = equipped
    point = place.city.points[WARD]
    page = place.enter(
        visitor,
        "truc.vanmieu",
        f"/self-test?meeting={place.meeting_id}&point={point}",
        width=390,
    )
    page.locator("#start").tap()
    part = page.locator
    expect(part("[data-part=camera]")).to_have_attribute("data-verdict", "good")
    expect(part("[data-part=microphone]")).to_have_attribute("data-verdict", "good")
    expect(part("[data-part=network]")).to_have_attribute(
        "data-verdict", re.compile("good|weak|bad")
    )
    expect(part("[data-figure=live_line_ms]")).to_have_text(re.compile(r"\d+ ms"))
    page.locator("#tone").tap()
    page.get_by_role("button", name="Nghe rõ cả hai bên").tap()
    expect(part("[data-part=speakers]")).to_have_attribute("data-verdict", "good")
    assert_accessible(page)
    page.locator("#attach").tap()
    page.wait_for_url(lambda url: url.endswith("/line-test"))
    expect(page.get_by_role("heading", name="Kết quả đo bằng trình duyệt")).to_be_visible()
    told = place.told()
    assert [row[:2] for row in told][:2] == [("camera", "ok"), ("sound", "ok")]
    assert all(measured for *_rest, measured in told)
    with place.database.reader() as session:
        kept = latest_of(session, place.meeting_id, point)
        assert kept is not None
        assert {"download_mbits", "upload_mbits", "round_trip_ms", "jitter_ms"} <= set(kept.figures)

    # Without a camera, or where nobody allows it, everything else is still tested.
    visitor.browser = chromium
    bare = place.enter(visitor, "truc.vanmieu", "/self-test")
    bare.locator("#start").click()
    for device in ("camera", "microphone"):
        expect(bare.locator(f"[data-part={device}]")).to_have_attribute("data-verdict", "skipped")
        expect(bare.locator(f"[data-part={device}] [data-says]")).to_have_text(
            re.compile("chưa được phép|không có")
        )
    expect(bare.locator("[data-part=network]")).to_have_attribute(
        "data-verdict", re.compile("good|weak|bad")
    )
    expect(bare.locator("#attach")).to_have_count(0)
