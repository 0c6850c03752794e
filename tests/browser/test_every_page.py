"""Every page of the server, seen by everybody whose work it is, on a wide screen and on a phone.

Nothing may be missing for the eye, the ear or the hand: no error in the console, nothing refused by
the content policy (both in `tests/browsing.py`), nothing wider than the screen, one heading, a
title, a label at every field, nothing serious for axe-core.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from meetings_server.app import create_app
from meetings_server.settings import Settings
from rooms.kernel import civil_day, utcnow
from tests import programs
from tests.browsing import Visitor, assert_accessible, log_in
from tests.documents import PDF_BYTES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WARD = "00181"
DISTRICT = "006"

SECRETARY, CLERK, OPERATOR = "thuky", "vanthu.vanmieu", "truc.vanmieu"
LEADER, TECHNICIAN, ADMINISTRATOR = "lanhdao", "kythuat", "quantri"
EVERYBODY = (SECRETARY, CLERK, OPERATOR, LEADER, TECHNICIAN, ADMINISTRATOR)

# Route → who opens it; the first of them looks closely, which takes axe-core a second. Everybody's
# whole menu is opened as well.
PAGES: Mapping[str, tuple[str, ...]] = {
    "/": EVERYBODY,
    "/account": (SECRETARY,),
    "/account/second-factor": (SECRETARY,),
    "/account/tokens": (SECRETARY,),
    "/account/away": (LEADER, SECRETARY),
    "/account/push": (SECRETARY,),
    "/admin": (TECHNICIAN, ADMINISTRATOR),
    "/admin/audit": (ADMINISTRATOR,),
    "/admin/audit/{number:int}": (ADMINISTRATOR,),
    "/admin/escalation": (ADMINISTRATOR,),
    "/admin/escalation/{name:str}": (ADMINISTRATOR,),
    "/admin/health": (ADMINISTRATOR,),
    "/admin/import": (ADMINISTRATOR, TECHNICIAN),
    "/admin/import/people": (ADMINISTRATOR,),
    "/admin/import/points": (ADMINISTRATOR,),
    "/admin/import/units": (ADMINISTRATOR,),
    "/admin/mail": (ADMINISTRATOR, TECHNICIAN),
    "/admin/mail/{delivery_id:int}": (ADMINISTRATOR,),
    "/admin/people": (ADMINISTRATOR,),
    "/admin/people/new": (ADMINISTRATOR,),
    "/admin/people/{person_id:int}": (ADMINISTRATOR,),
    "/admin/people/{person_id:int}/logins": (ADMINISTRATOR,),
    "/admin/people/{person_id:int}/away": (ADMINISTRATOR,),
    "/admin/reorganisation": (ADMINISTRATOR,),
    "/admin/reorganisation/new": (ADMINISTRATOR,),
    "/admin/reorganisation/{reorganisation_id:int}": (ADMINISTRATOR,),
    "/admin/video": (ADMINISTRATOR,),
    "/admin/video/{connection_id:int}": (ADMINISTRATOR,),
    "/admin/why": (ADMINISTRATOR,),
    "/calendars": (CLERK,),
    "/check-in": (OPERATOR,),
    "/check-in/{meeting_id:int}/{point_id:int}": (OPERATOR,),
    "/check-in/{meeting_id:int}/{point_id:int}/line-test": (OPERATOR,),
    "/directives": (SECRETARY, CLERK, LEADER),
    "/directives/new": (SECRETARY,),
    "/directives/{directive_id:int}": (SECRETARY, CLERK),
    "/directives/{directive_id:int}/circulate": (SECRETARY,),
    "/directives/{directive_id:int}/edit": (SECRETARY,),
    "/help/{call_id:int}": (TECHNICIAN,),
    "/invitations": (SECRETARY, CLERK),
    "/invitations/{participation_id:int}": (CLERK,),
    "/mailbox": (ADMINISTRATOR,),
    "/mailbox/{delivery_id:int}": (ADMINISTRATOR,),
    "/meetings": (SECRETARY, CLERK, LEADER),
    "/meetings/new": (SECRETARY,),
    "/meetings/{meeting_id:int}": (SECRETARY, CLERK, OPERATOR),
    "/meetings/{meeting_id:int}/board": (SECRETARY,),
    "/meetings/{meeting_id:int}/doors": (CLERK,),
    "/meetings/{meeting_id:int}/edit": (SECRETARY,),
    "/meetings/{meeting_id:int}/help": (TECHNICIAN, OPERATOR),
    "/meetings/{meeting_id:int}/messages": (SECRETARY,),
    "/meetings/{meeting_id:int}/messages/{message_id:int}": (SECRETARY,),
    "/meetings/{meeting_id:int}/minutes": (CLERK, OPERATOR),
    "/meetings/{meeting_id:int}/missing": (SECRETARY,),
    "/meetings/{meeting_id:int}/readiness": (TECHNICIAN, CLERK),
    "/meetings/{meeting_id:int}/video": (TECHNICIAN,),
    "/minutes": (SECRETARY, LEADER),
    "/minutes/{minutes_id:int}": (SECRETARY, LEADER),
    "/minutes/{minutes_id:int}/preview": (SECRETARY,),
    "/minutes/{minutes_id:int}/versions": (SECRETARY,),
    "/notices": (OPERATOR, SECRETARY),
    "/faults": (TECHNICIAN, OPERATOR),
    "/faults/{fault_id:int}": (TECHNICIAN, OPERATOR),
    "/points/{point_id:int}": (TECHNICIAN, CLERK),
    "/points/{point_id:int}/checkin": (OPERATOR,),
    "/points/{point_id:int}/devices": (TECHNICIAN,),
    "/points/{point_id:int}/door": (TECHNICIAN,),
    "/points/{point_id:int}/faults/new": (OPERATOR, TECHNICIAN),
    "/reports": (SECRETARY, LEADER),
    "/reports/attendance": (SECRETARY, CLERK),
    "/reports/attendance/list": (SECRETARY,),
    "/reports/coverage": (SECRETARY, LEADER),
    "/reports/coverage/list": (SECRETARY,),
    "/reports/meetings/{meeting_id:int}": (SECRETARY, CLERK),
    "/search": (SECRETARY,),
    "/self-test": (OPERATOR,),
    "/tasks": (SECRETARY, CLERK),
    "/units": (SECRETARY, TECHNICIAN),
    "/units/{unit_id:int}": (SECRETARY, CLERK),
    "/units/{unit_id:int}/doors": (TECHNICIAN,),
    "/units/{unit_id:int}/points/new": (TECHNICIAN,),
    "/why/directive/{directive_id:int}": (CLERK,),
    "/why/meeting/{meeting_id:int}": (OPERATOR, SECRETARY),
    "/why/minutes/{minutes_id:int}": (LEADER,),
    "/why/unit/{unit_id:int}": (CLERK, ADMINISTRATOR),
}

# Further faces of the same routes, for the first who opens them.
QUERIES: Mapping[str, tuple[str, ...]] = {
    "/faults": ("?state=all&unit=006",),
    "/units/{unit_id:int}/doors": ("?below=1&paper=a5",),
    "/meetings": ("?view=month", "?view=day", "?view=list"),
    "/directives": ("?box=sent", "?box=drafts"),
    "/search": ("?q=dong+da",),
    "/units": ("?q=dong+da",),
}

# Answered to scripts and programs, downloads, parts of pages, and what is seen before the login or
# at the first one only.
NOT_PAGES = {
    "/admin/audit.csv",
    "/admin/export/{filename:str}",
    "/admin/import/{name:str}/{filename:str}",
    "/admin/reorganisation/{reorganisation_id:int}/progress",
    "/account/password",
    "/check-in/hello",
    "/check-in/{meeting_id:int}/{point_id:int}/line",
    "/check-in/{meeting_id:int}/{point_id:int}/notices",
    "/directives/proposal",
    "/directives/{directive_id:int}/files/{n:int}",
    "/directives/{directive_id:int}/way",
    "/healthz",
    "/kiosk",
    "/kiosk/pair",
    "/kiosk/state",
    "/live/meetings/{meeting_id:int}/roster",
    "/login",
    "/login/again",
    "/login/code",
    "/login/oidc",
    "/login/oidc/callback",
    "/meetings/{meeting_id:int}/board/day",
    "/meetings/{meeting_id:int}/board/instant",
    "/help/{call_id:int}/facts",
    "/meetings/{meeting_id:int}/help/queue",
    "/meetings/{meeting_id:int}/messages/sent",
    "/meetings/choices/{what:str}",
    "/meetings/events",
    "/meetings/tree",
    "/meetings/{meeting_id:int}/board/notes",
    "/meetings/{meeting_id:int}/decision",
    "/meetings/{meeting_id:int}/move",
    "/meetings/{meeting_id:int}/papers/{n:int}",
    "/meetings/{meeting_id:int}/readiness/{filename:str}",
    "/metrics",
    "/minutes/{minutes_id:int}/paper.docx",
    "/notices/count",
    "/notices/{notice_id:int}",
    "/minutes/{minutes_id:int}/paper.pdf",
    "/offline",
    "/points/{point_id:int}/code.svg",
    "/points/{point_id:int}/reach",
    "/readyz",
    "/reports/meetings/{meeting_id:int}/{filename:str}",
    "/reports/{filename:str}",
    "/search/suggest",
    "/service-worker.js",
    "/self-test/download",
    "/self-test/ping",
    "/units.csv",
    "/units/by-code/{code:str}",
    "/units/{unit_id:int}/children",
    "/units/{unit_id:int}/contact",
}

MEASURED = """() => ({
  overflow: document.documentElement.scrollWidth - innerWidth,
  headings: document.querySelectorAll("h1").length,
  title: document.title.trim(),
  nameless: [...document.querySelectorAll("input, select, textarea")]
    .filter((field) => field.type !== "hidden" && !field.hidden && !field.labels?.length
      && !field.ariaLabel && !field.getAttribute("aria-labelledby"))
    .map((field) => field.outerHTML.slice(0, 120)),
})"""


@dataclass
class LivedIn:
    """A demonstration in which nothing moves, with minutes issued and a document in draft."""

    program: programs.Program
    ids: dict[str, int]
    draft_id: int

    def addresses(self, account: str) -> dict[str, bool]:
        """What this person opens, and whether to look closely."""
        found = {}
        for route, people in PAGES.items():
            if account in people:
                is_first = people[0] == account or route == "/"  # which differs from role to role
                address = route.replace("/{name:str}", "/conference")
                draft = {"directive_id": self.draft_id} if route.endswith("/edit") else {}
                for name, number in (self.ids | draft).items():
                    address = address.replace(f"{{{name}:int}}", str(number))
                found[address] = is_first
                if is_first:
                    found |= {address + query: True for query in QUERIES.get(route, ())}
        return found


def _ask(program: programs.Program, question: str, *values: Any) -> int:
    """A number out of the demonstration's database, read beside the running server."""
    file = f"file:{program.data / 'meetings.db'}?mode=ro"
    with closing(sqlite3.connect(file, uri=True)) as database:
        row = database.execute(question, values).fetchone()
    assert row is not None, question
    number: int = row[0]
    return number


def _write_papers(browser: Browser, url: str, meeting_id: int) -> None:
    visitor = Visitor(browser)
    secretary, chair = visitor.open(base_url=url), visitor.open(base_url=url)
    log_in(secretary, SECRETARY)
    secretary.goto(f"/meetings/{meeting_id}/minutes")
    secretary.get_by_role("button", name="Lập dự thảo").click()
    expect(secretary.locator("#field-conclusions")).to_be_visible()
    secretary.wait_for_load_state("load")
    secretary.locator("#field-conclusions").fill("Các phường hoàn thành trước ngày 30.")
    expect(secretary.locator("#save-state")).to_contain_text("Đã lưu")
    secretary.locator("#submit-button").click()
    expect(secretary.locator("main")).to_contain_text("Đã trình")
    log_in(chair, LEADER)
    chair.goto(f"/meetings/{meeting_id}/minutes")
    chair.get_by_role("button", name="Ký và ban hành").click()
    chair.locator("#issue").locator("button.btn-primary").click()
    expect(chair.locator("main")).to_contain_text("BB-UBND")
    secretary.goto("/directives/new")
    secretary.locator("input[name=secrecy][value=open]").check()
    secretary.locator("#field-title").fill("Chuẩn bị hội nghị tổng kết năm")
    secretary.locator("#field-signed_by_name").fill("Đỗ Hoàng Long")
    secretary.locator("#field-files").set_input_files(
        {"name": "cong-van.pdf", "mimeType": "application/pdf", "buffer": PDF_BYTES}
    )
    secretary.get_by_role("button", name="Lưu dự thảo").click()
    secretary.wait_for_url(re.compile(r"/directives/\d+"))
    _keep_plan(visitor.open(base_url=url))
    for page in visitor.pages:
        page.context.close()


def _keep_plan(page: Page) -> None:
    """A plan that is looked at and not applied."""
    log_in(page, ADMINISTRATOR)
    page.goto("/admin/reorganisation/new")
    page.locator("#field-source").select_option("reorganisation-hanoi-2025-07-01")
    page.locator("#field-day").fill(f"{civil_day(utcnow()) + timedelta(days=90):%d/%m/%Y}")
    page.locator("#plan-form button.btn-primary").click()
    page.wait_for_url(re.compile(r"/admin/reorganisation/\d+"))


@pytest.fixture(scope="module")
def lived_in(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedIn]:
    folder = tmp_path_factory.mktemp("every-page")
    program = programs.start(["demo", "--pace", "0", "--data", str(folder / "data")], folder, {})
    try:
        program.wait_until_ready()
        ended = _ask(program, "SELECT id FROM meeting WHERE state = 'ended'")
        _write_papers(chromium, program.url, ended)
        ward = _ask(program, "SELECT id FROM unit WHERE code = ?", WARD)
        coming = _ask(
            program,
            "SELECT meeting_id FROM participation JOIN meeting ON meeting.id = meeting_id"
            " WHERE unit_id = ? AND state = 'scheduled' ORDER BY starts_at",
            ward,
        )
        of_ward = "FROM participation WHERE meeting_id = ? AND unit_id = ?"
        yield LivedIn(
            program,
            {
                "meeting_id": coming,
                "participation_id": _ask(program, f"SELECT id {of_ward}", coming, ward),
                "point_id": _ask(program, f"SELECT point_id {of_ward}", coming, ward),
                "directive_id": _ask(
                    program, "SELECT directive_id FROM receipt WHERE unit_id = ?", ward
                ),
                "unit_id": _ask(program, "SELECT id FROM unit WHERE code = ?", DISTRICT),
                "person_id": _ask(program, "SELECT id FROM person WHERE username = ?", CLERK),
                "delivery_id": _ask(
                    program, "SELECT id FROM outbox_delivery WHERE unit_id = ?", ward
                ),
                "fault_id": _ask(program, "SELECT id FROM fault WHERE solved_at IS NULL"),
                "minutes_id": _ask(program, "SELECT id FROM minutes"),
                "reorganisation_id": _ask(program, "SELECT id FROM reorganisation"),
                "connection_id": _ask(program, "SELECT id FROM video_connection"),
                "call_id": _ask(program, "SELECT id FROM help_call WHERE state = 'open'"),
                "message_id": _ask(
                    program, "SELECT id FROM host_message WHERE meeting_id = ?", coming
                ),
                "number": _ask(program, "SELECT id FROM audit_entry WHERE act = 'change'"),
            },
            _ask(program, "SELECT id FROM directive WHERE state = 'draft'"),
        )
    except BaseException:
        program.crash()
        raise
    program.stop()


def _faults(page: Page, address: str, *, closely: bool) -> list[str]:
    answer = page.goto(address)
    if answer is None or not answer.ok:
        return [f"answers {answer and answer.status}"]
    seen = page.evaluate(MEASURED)
    faults = [f"field without a label: {field}" for field in seen["nameless"]]
    if seen["overflow"] > 0:
        faults.append(f"{seen['overflow']} pixels wider than the screen")
    if seen["headings"] != 1:
        faults.append(f"{seen['headings']} headings of the first order")
    if not seen["title"]:
        faults.append("no title")
    if closely:
        try:
            assert_accessible(page)
        except AssertionError as findings:
            faults.append(str(findings))
    return faults


@pytest.mark.parametrize("accounts", [EVERYBODY[::2], EVERYBODY[1::2]], ids="+".join)
def test_every_page(accounts: Sequence[str], lived_in: LivedIn, visitor: Visitor) -> None:
    faults = [fault for account in accounts for fault in _look(account, lived_in, visitor)]
    assert not faults, "\n".join(faults)


def _look(account: str, lived_in: LivedIn, visitor: Visitor) -> Iterator[str]:
    """Faults of all that this person opens.

    Who is the first to open a page looks at it wide and on a phone, the others in turn.
    """
    wide = visitor.open(base_url=lived_in.program.url)
    log_in(wide, account)
    phone = visitor.open(
        width=390,
        height=844,
        scheme="dark",
        base_url=lived_in.program.url,
        storage_state=wide.context.storage_state(),
    )
    menu = wide.locator("nav.sidenav a, .menu-panel a").evaluate_all(
        "links => links.map((link) => link.getAttribute('href'))"
    )
    own = lived_in.addresses(account)
    for turn, address in enumerate(dict.fromkeys([*menu, *own])):
        first = own.get(address, False)
        for place, page in enumerate((wide, phone)):
            its_turn = turn % 2 == place
            if first or its_turn:
                # The closest look takes half of the time: in turn at the light page and the dark one.
                for fault in _faults(page, address, closely=first and its_turn):
                    yield f"{account}: {address} at {'390' if page is phone else '1440'}: {fault}"


def test_no_page_is_left_out() -> None:
    routes = {
        route.path
        for route in create_app(Settings()).routes
        if "GET" in getattr(route, "methods", ())
        and not route.path.startswith(("/api", "/schema", "/static"))
    }
    assert routes == PAGES.keys() | NOT_PAGES
