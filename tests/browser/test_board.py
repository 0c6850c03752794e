"""The live board in a browser: moves with the check-ins, goes stale at once, heals without a loss."""

import json
import re
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from rooms.hierarchy import Unit
from rooms.kernel import utcnow
from rooms.meetings import Meeting, Participation
from rooms.people import Person
from tests import programs
from tests.browsing import Visitor, assert_accessible, log_in
from tests.programs import Program


class Day:
    """A demonstration in which nothing moves by itself, and its meeting."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.database = Database(f"sqlite:///{program.data / 'meetings.db'}")
        with self.database.reader() as session:
            meeting = session.scalars(
                select(Meeting.id).where(Meeting.title.startswith("Hội nghị trực tuyến toàn"))
            ).one()
            rows = session.execute(
                select(Unit.code, Participation.point_id)
                .join(Participation, Participation.unit_id == Unit.id)
                .where(Participation.meeting_id == meeting)
            )
            self.meeting_id = meeting
            self.points = dict(rows.all())
        with self.database.transaction() as session:
            secretary = session.scalars(select(Person.id).where(Person.username == "thuky")).one()
            self.token = create_token(session, secretary, "test", utcnow())

    @property
    def board(self) -> str:
        return f"/meetings/{self.meeting_id}/board"

    def check_in(self, code: str) -> str:
        """The address of a unit's check-in page."""
        return f"/check-in/{self.meeting_id}/{self.points[code]}"

    def call(self, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        request = urllib.request.Request(  # noqa: S310 -- http on 127.0.0.1
            f"{self.program.url}/api/v1/meetings/{self.meeting_id}{path}",
            json.dumps(body).encode() if body is not None else None,
            {"authorization": f"Bearer {self.token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            told: dict[str, object] = json.load(answer)
            return told

    def say(self, code: str, state: str, **said: object) -> None:
        """A check-in by the API."""
        self.call(f"/attendance/{self.points[code]}", {"state": state, **said})


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("quiet")
    arguments = ["demo", "--pace", "0", "--data", str(folder / "data")]
    program = programs.start(arguments, folder, {})
    program.wait_until_ready(seconds=120)
    day = Day(program)
    yield day
    day.database.dispose()
    program.stop()


def figure(page: Page) -> int:
    return int(page.locator('[data-total="there"]').inner_text())


def invited(page: Page) -> int:
    """All bridge points of the meeting: the whole of Hà Nội but what is out of service."""
    points = int(page.locator('[data-total="all"]').inner_text())
    assert points > 600
    return points


def opened_board(visitor: Visitor, day: Day, **options: object) -> Page:
    page = visitor.open(base_url=day.program.url, **options)  # type: ignore[arg-type]  # named as `open` has them
    log_in(page, "thuky")
    page.goto(day.board)
    expect(page.locator("#line-chip")).to_have_attribute("data-line", "live")
    expect(page.locator("#board")).to_have_attribute("data-ready", "drawn")
    expect(page.locator("#tiles .state-dot")).to_have_count(invited(page))
    return page


def test_the_board_moves_within_a_second_while_two_operators_check_in(
    visitor: Visitor, quiet: Day
) -> None:
    board = opened_board(visitor, quiet)
    before = figure(board)
    row = board.locator('[data-group="006"]')
    in_the_district = int(row.locator('[data-n="present"]').inner_text())
    for number, (user, code) in enumerate(
        [("truc.vanmieu", "00181"), ("truc.cattlinh", "00178")], start=1
    ):
        phone = visitor.open(width=390, height=844, base_url=quiet.program.url)
        log_in(phone, user)
        phone.goto(quiet.check_in(code))
        phone.get_by_role("button", name="Có mặt", exact=True).click()
        expect(board.locator('[data-total="there"]')).to_have_text(str(before + number))
        expect(phone.locator("#sending")).to_have_attribute("data-sending", "sent")
        expect(phone.locator("#time-line li")).to_have_count(1)
        tile = board.locator(f'#tiles [data-point="{quiet.points[code]}"]')
        expect(tile).to_have_class(re.compile("state-present"))
    expect(row.locator('[data-n="present"]')).to_have_text(str(in_the_district + 2))
    expect(row.locator('[data-n="invited"]')).to_have_text("21")


def test_a_request_for_help_stands_on_top_with_its_note(visitor: Visitor, quiet: Day) -> None:
    board = opened_board(visitor, quiet)
    quiet.say("00001", "needs_help", note="Không nghe được tiếng")
    card = board.locator(f'#help-list [data-point="{quiet.points["00001"]}"]')
    expect(card).to_contain_text("Không nghe được tiếng")
    assert card.locator("a[href^='tel:']").count() == 1
    top = board.locator("#help-panel").bounding_box()
    totals = board.locator(".board-totals").bounding_box()
    assert top
    assert totals
    assert top["y"] < totals["y"]
    quiet.say("00001", "present")
    expect(card).to_have_count(0)


def test_a_cut_line_is_stale_at_once_and_heals_without_a_loss(visitor: Visitor, quiet: Day) -> None:
    board = opened_board(visitor, quiet)
    before = figure(board)
    visitor.expect_complaint("ERR_INTERNET_DISCONNECTED")
    board.context.set_offline(True)
    expect(board.locator("#stale-bar")).to_be_visible()
    expect(board.locator("#stale-bar")).to_contain_text(
        re.compile(r"Mất kết nối, đang nối lại – số liệu lúc \d\d:\d\d:\d\d")
    )
    codes = [code for code in quiet.points if code.startswith("000")][5:25]
    for code in codes:
        quiet.say(code, "present", headcount=5)
    assert figure(board) == before
    board.context.set_offline(False)
    expect(board.locator("#stale-bar")).to_be_hidden()
    expect(board.locator('[data-total="there"]')).to_have_text(str(before + len(codes)))
    assert_board_says_what_the_server_knows(board, quiet)


def assert_board_says_what_the_server_knows(board: Page, day: Day) -> None:
    """Tiles and roll-up are exactly what `GET …/attendance` answers."""
    truth = day.call("/attendance")
    shown = board.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('#tiles .state-dot')]
               .map((tile) => [tile.dataset.point, /state-dot state-(\\w+)/.exec(tile.className)[1]]))"""
    )
    points = truth["points"]
    rollup = truth["rollup"]
    assert isinstance(points, list)
    assert isinstance(rollup, list)
    assert shown == {str(point["point"]): point["state"] for point in points}
    for counts in rollup:
        row = board.locator(f'[data-group="{counts["unit"]}"]')
        if row.count():
            expect(row.locator('[data-n="present"]')).to_have_text(str(counts["present"]))


def test_a_restart_of_the_server_is_shown_and_survived(visitor: Visitor, tmp_path: Path) -> None:
    arguments = ["demo", "--pace", "0", "--data", str(tmp_path / "data")]
    program = programs.start(arguments, tmp_path, {})
    program.wait_until_ready(seconds=120)
    day = Day(program)
    try:
        board = opened_board(visitor, day)
        visitor.expect_complaint("ERR_CONNECTION_REFUSED|WebSocket connection")
        before = figure(board)
        day.say("00226", "present")
        expect(board.locator('[data-total="there"]')).to_have_text(str(before + 1))
        program.crash()
        expect(board.locator("#stale-bar")).to_be_visible()
        port = int(program.url.rsplit(":", 1)[1])
        program = programs.start(arguments, tmp_path, {}, port=port)
        program.wait_until_ready(seconds=120)
        day.say("00178", "present")
        expect(board.locator("#stale-bar")).to_be_hidden()
        expect(board.locator('[data-total="there"]')).to_have_text(str(before + 2))
        assert_board_says_what_the_server_knows(board, day)
    finally:
        day.database.dispose()
        program.stop()


def test_filter_sorting_and_list_are_kept_in_the_address(visitor: Visitor, quiet: Day) -> None:
    board = opened_board(visitor, quiet)
    board.get_by_role("button", name="Quận Đống Đa", exact=True).click()
    expect(board.locator("#list-filters .chip")).to_contain_text("Quận Đống Đa")
    board.locator('[data-sort="name"] button').click()
    assert "area=006" in board.url
    assert "list=all" in board.url
    board.reload()
    expect(board.locator("#list-filters .chip")).to_contain_text("Quận Đống Đa")
    expect(board.locator("[data-list-count]")).to_have_text("21")
    expect(board.locator("#map-crumbs")).to_contain_text("Quận Đống Đa")
    expect(board.locator('[data-sort="name"]')).to_have_attribute("aria-sort", "ascending")
    board.locator("#list-filters button").click()
    expect(board.locator("#list-filters .chip")).to_have_count(0)


def test_the_map_and_the_tiles_name_the_point(visitor: Visitor, quiet: Day) -> None:
    board = opened_board(visitor, quiet)
    board.locator("#map").focus()
    board.keyboard.press("ArrowRight")
    expect(board.locator("#point-tip")).to_contain_text(re.compile("Phường|Xã|Quận|Huyện"))
    board.keyboard.press("Escape")
    expect(board.locator("#point-tip")).to_be_hidden()
    board.locator(f'#tiles [data-point="{quiet.points["00226"]}"]').hover()
    expect(board.locator("#point-tip")).to_contain_text("Phường Trung Tự")


def test_a_district_and_a_ward_see_their_own(visitor: Visitor, quiet: Day) -> None:
    district = visitor.open(base_url=quiet.program.url)
    log_in(district, "thuky.dongda")
    district.goto(quiet.board)
    expect(district.locator("#tiles .state-dot")).to_have_count(21)
    ward = visitor.open(width=390, base_url=quiet.program.url)
    log_in(ward, "truc.vanmieu")
    ward.goto(quiet.board)
    expect(ward.locator("#tiles .state-dot")).to_have_count(1)
    expect(ward.locator("#line-chip")).to_have_attribute("data-line", "live")
    visitor.expect_complaint("status of 403")
    answer = ward.goto(quiet.check_in("00178"))
    assert answer
    assert answer.status == 403


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_board_is_accessible(visitor: Visitor, quiet: Day, scheme: str, width: int) -> None:
    quiet.say("00004", "needs_help", note="Mất hình")
    board = opened_board(visitor, quiet, width=width, scheme=scheme)
    expect(board.locator(f'#help-list [data-point="{quiet.points["00004"]}"]')).to_be_visible()
    board.wait_for_timeout(1_800)  # what has just changed still pulses
    assert_accessible(board)
    assert board.evaluate("document.documentElement.scrollWidth <= innerWidth")
    quiet.say("00004", "present")


def test_a_burst_of_all_points_is_drawn(visitor: Visitor, quiet: Day) -> None:
    board = opened_board(visitor, quiet)
    codes = list(quiet.points)

    def report(part: list[str]) -> None:
        for code in part:
            quiet.say(code, "present", headcount=3)

    threads = [threading.Thread(target=report, args=(codes[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(board.locator('[data-total="there"]')).to_have_text(str(invited(board)))
    assert_board_says_what_the_server_knows(board, quiet)
