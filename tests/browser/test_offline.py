"""Check-in on a bad line: the server really gone, the browser closed and opened again, two tabs at once."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, WebSocket, expect
from sqlalchemy import delete, select, update

from meetings_server.demo.people import PASSWORD
from meetings_server.identity.sessions import LoginSession
from rooms.attendance import AttendanceEntry
from rooms.kernel import civil_day, utcnow
from rooms.people import Person, RoleGrant
from tests import programs
from tests.browser.test_board import Day
from tests.browsing import Visitor, assert_accessible, log_in

SECOND = 1_000
AWAY = "ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED|WebSocket connection|ERR_FAILED"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("offline")
    day = Day(_start(folder))
    yield day
    day.database.dispose()
    day.program.stop()


def _start(folder: Path, port: int | None = None) -> programs.Program:
    arguments = ["demo", "--pace", "0", "--data", str(folder / "data")]
    program = programs.start(arguments, folder, {}, port=port)
    program.wait_until_ready(seconds=120)
    return program


def _back(day: Day) -> None:
    """Start the server again where it was."""
    port = int(day.program.url.rsplit(":", 1)[1])
    day.program = _start(day.program.data.parent, port)


def rows(day: Day, code: str) -> list[AttendanceEntry]:
    with day.database.reader() as session:
        return list(
            session.scalars(
                select(AttendanceEntry)
                .where(
                    AttendanceEntry.meeting_id == day.meeting_id,
                    AttendanceEntry.point_id == day.points[code],
                )
                .order_by(AttendanceEntry.revision)
            )
        )


def said(day: Day, code: str) -> list[tuple[str, int | None]]:
    return [(row.state, row.headcount) for row in rows(day, code)]


def kept(page: Page, path: str) -> None:
    """Wait until the browser has kept a page for the time without a network."""
    deadline = time.monotonic() + 60
    while not page.evaluate(_IS_KEPT, path):
        assert time.monotonic() < deadline, f"{path} is not kept"
        page.wait_for_timeout(100)


_IS_KEPT = """async (path) => {
  for (const name of await caches.keys())
    if (name.startsWith("pages-") && await (await caches.open(name)).match(path)) return true;
  return false;
}"""


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_the_server_is_gone_and_the_browser_was_closed(
    visitor: Visitor, day: Day, tmp_path: Path
) -> None:
    visitor.expect_complaint(f"{AWAY}|status of 401")
    where = day.check_in("00193")
    page = visitor.reopen(tmp_path / "browser", width=390, base_url=day.program.url)
    log_in(page, "truc.dongda")
    page.goto("/check-in")
    page.goto(where)
    kept(page, where)
    kept(page, "/check-in")
    day.program.stop()
    page.reload()
    expect(page.locator("#kept-bar")).to_contain_text("Không có mạng")
    pressed = datetime.now(UTC)
    press(page, "Sẵn sàng, đang chờ")
    page.locator("#field-headcount").fill("7")
    press(page, "Có mặt")
    expect(page.locator("#sending")).to_have_text("Chưa gửi, sẽ gửi khi có mạng")
    expect(page.locator("#waiting-list li")).to_have_count(2)
    assert_accessible(page)
    page.goto("/meetings")
    expect(page.locator("h1")).to_contain_text("Không có mạng")
    expect(page.locator("#kept-waiting")).to_contain_text("2")
    assert_accessible(page)
    page.locator(f'#kept-list a[href="{where}"]').click()
    expect(page.locator("#standing .state")).to_have_class(re.compile("state-present"))
    page.context.close()

    page = visitor.reopen(tmp_path / "browser", width=390, base_url=day.program.url)
    page.goto(where)
    expect(page.locator("#waiting-list li")).to_have_count(2)
    expect(page.locator("#field-headcount")).to_have_value("7")
    assert rows(day, "00193") == []
    back = datetime.now(UTC)
    _back(day)
    expect(page.locator("#sending")).to_have_text(
        re.compile(r"Đã gửi \d\d:\d\d:\d\d"), timeout=60 * SECOND
    )
    expect(page.locator("#waiting-list li")).to_have_count(0)
    assert said(day, "00193") == [("ready", None), ("present", 7)]
    first = rows(day, "00193")[0]
    assert pressed - timedelta(minutes=1) < first.observed_at < back < first.recorded_at
    page.goto("/account")
    page.locator("summary", has_text="Trình đơn cá nhân").click()
    page.get_by_role("button", name="Đăng xuất").click()
    page.wait_for_url("**/login**")
    assert page.evaluate(
        """async () => (await Promise.all((await caches.keys()).filter((name) => name.startsWith("pages-"))
             .map(async (name) => (await (await caches.open(name)).keys()).length))).every((n) => n === 0)"""
    )


def test_two_tabs_send_once(visitor: Visitor, day: Day) -> None:
    visitor.expect_complaint(AWAY)
    first = visitor.open(width=390, base_url=day.program.url)
    log_in(first, "truc.dongda")
    first.goto(day.check_in("00199"))
    second = first.context.new_page()
    second.goto(day.check_in("00199"))
    sent: list[str] = []
    for page in (first, second):
        page.on("request", lambda request: _note_post(request, sent))
        page.on("websocket", lambda socket: _note_frames(socket, sent))
    first.context.set_offline(True)
    first.locator("#field-headcount").fill("3")
    press(first, "Có mặt")
    expect(first.locator("#sending")).to_have_text("Chưa gửi, sẽ gửi khi có mạng")
    expect(second.locator("#waiting-list li")).to_have_count(1)
    first.context.set_offline(False)
    for page in (first, second):
        expect(page.locator("#sending")).to_have_text(re.compile("Đã gửi"), timeout=60 * SECOND)
    assert said(day, "00199") == [("present", 3)]
    assert len(sent) == 1, sent


def test_what_waits_is_sent_when_no_page_is_open(visitor: Visitor, day: Day) -> None:
    visitor.expect_complaint(AWAY)
    page = visitor.open(width=390, whole=True, base_url=day.program.url)
    line = page.context.new_cdp_session(page)
    workers: list[str] = []
    line.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda found: workers.extend(each["registrationId"] for each in found["registrations"]),
    )
    line.send("ServiceWorker.enable")
    log_in(page, "truc.dongda")
    where = day.check_in("00208")
    page.goto(where)
    kept(page, where)
    page.context.set_offline(True)
    page.locator("#field-headcount").fill("4")
    press(page, "Có mặt")
    expect(page.locator("#sending")).to_have_text("Chưa gửi, sẽ gửi khi có mạng")
    # The page has asked the browser to wake the worker once there is a network.
    page.wait_for_function(
        """async () => (await (await navigator.serviceWorker.ready).sync.getTags()).includes("check-ins")"""
    )
    page.goto("about:blank")
    page.context.set_offline(False)
    assert rows(day, "00208") == []
    for _ in range(2):  # twice sends nothing twice
        line.send(
            "ServiceWorker.dispatchSyncEvent",
            {
                "origin": day.program.url,
                "registrationId": workers[-1],
                "tag": "check-ins",
                "lastChance": False,
            },
        )
    deadline = time.monotonic() + 60
    while not rows(day, "00208"):
        assert time.monotonic() < deadline, "nothing was sent"
        page.wait_for_timeout(100)
    page.goto(where)
    expect(page.locator("#standing .state")).to_have_class(re.compile("state-present"))
    expect(page.locator("#waiting-list li")).to_have_count(0)
    assert said(day, "00208") == [("present", 4)]


def _note_post(request: Request, sent: list[str]) -> None:
    if request.method == "POST" and "/check-in/" in request.url:
        sent.append(request.post_data or "")


def _note_frames(socket: WebSocket, sent: list[str]) -> None:
    def note(frame: str | bytes) -> None:
        if "check_in" in str(frame):
            sent.append(str(frame))

    socket.on("framesent", note)


def test_a_login_that_ended_and_a_right_that_is_gone(visitor: Visitor, day: Day) -> None:
    visitor.expect_complaint(AWAY)
    visitor.expect_complaint("status of 40[134]")
    page = visitor.open(width=390, base_url=day.program.url)
    log_in(page, "truc.cattlinh")
    page.goto(day.check_in("00178"))
    expect(page.locator("#check-in-form")).to_be_visible()
    page.context.set_offline(True)
    press(page, "Có mặt")
    expect(page.locator("#waiting-list li")).to_have_count(1)
    with day.database.transaction() as session:
        person = session.scalars(select(Person.id).where(Person.username == "truc.cattlinh")).one()
        session.execute(delete(LoginSession).where(LoginSession.person_id == person))
    page.context.set_offline(False)
    dialog = page.locator("#login-dialog")
    expect(dialog).to_be_visible(timeout=60 * SECOND)
    dialog.locator("[name=password]").fill(PASSWORD)
    dialog.get_by_role("button", name="Đăng nhập").click()
    expect(page.locator("#sending")).to_have_text(re.compile("Đã gửi"), timeout=60 * SECOND)
    assert said(day, "00178") == [("present", None)]

    page.reload()
    expect(page.locator("#check-in-form")).to_be_visible()
    page.context.set_offline(True)
    press(page, "Đã rời họp")
    with day.database.transaction() as session:
        today = civil_day(utcnow())
        session.execute(
            update(RoleGrant).where(RoleGrant.person_id == person).values(valid_until=today)
        )
    page.context.set_offline(False)
    refused = page.locator("#waiting-list li .waiting-why")
    expect(refused).to_contain_text("Máy chủ từ chối", timeout=60 * SECOND)
    assert said(day, "00178") == [("present", None)]
    press(page, "Bỏ")
    expect(page.locator("#waiting-list li")).to_have_count(0)
