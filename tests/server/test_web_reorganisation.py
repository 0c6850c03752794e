"""The pages of a reorganisation without a browser: applied beside them, all of it or nothing."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.reorganising import Progress, reorganising
from minutes.circulation import acknowledge, circulate
from minutes.inheritance import ReceiptInheritance, pass_on_receipts
from minutes.receipts import Receipt
from rooms.catalogue import write_units
from rooms.hierarchy import Unit, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.lineage import counterparts, days_of_change, keepers, shape_on
from rooms.meetings import Meeting
from rooms.reorganisation import (
    NothingChanges,
    Reorganisation,
    ReorganisationState,
    come_into_force,
)
from rooms.scheduling import start
from tests.documents import ALL_WARDS, issued
from tests.factories import SMALL_CITY, City, at, scheduled_meeting, unit_rows

Client = TestClient[Litestar]
Enter = Callable[[str], None]

MERGED = "Phường Văn Miếu - Cát Linh"
SUCCESSIONS = "old_code,new_code,extent,main_successor\n00178,00181,whole,1\n00181,00181,whole,1\n"


def merged_units() -> bytes:
    """The small city from the day on: two wards of Đống Đa have become one, Trung Tự is gone."""
    rows = [row for row in SMALL_CITY if row[0] not in {"00178", "00181", "00226"}]
    return write_units(unit_rows([*rows, ("00181", "006", "ward", "Phường", MERGED)]))


def send(client: Client, day: str, units: bytes | None = None, lines: str = SUCCESSIONS) -> Any:
    return client.post(
        "/admin/reorganisation/new",
        data={"source": "upload", "day": day, "name": "Nghị quyết"},
        files={
            "units": ("don-vi.csv", units or merged_units(), "text/csv"),
            "successions": ("ke-thua.csv", lines.encode(), "text/csv"),
        },
        follow_redirects=False,
    )


def applied(client: Client, day: date) -> str:
    """Keep a plan, apply it and wait; the address of its page."""
    kept = send(client, day.isoformat())
    assert kept.status_code == 303
    page: str = kept.headers["location"]
    begun = client.post(f"{page}/apply", follow_redirects=False)
    assert begun.status_code == 303
    number = int(page.rsplit("/", 1)[-1])
    reorganising(client.app).forget(number)
    assert reorganising(client.app).runs[number].problem == ""
    return page


def test_a_plan_is_kept_applied_and_taken_back(
    client: Client, enter: Enter, db: Database, city: City
) -> None:
    enter("quantri")
    day = civil_day(utcnow()) + timedelta(days=30)
    page = applied(client, day)
    progress = client.get(f"{page}/progress").text
    assert "data-running" not in progress
    shown = client.get(page).text
    assert "có hiệu lực từ" in shown
    assert MERGED in client.get(f"/units/by-code/00181?on={day}").text
    ended = client.get(f"/units/{city.units['00178']}?on={day}").text
    assert "không có đơn vị này" in ended
    assert MERGED in ended
    with db.reader() as session:
        assert shape_on(days_of_change(session), day + timedelta(days=3)) == day
        unit = load_tree(session, day).by_code["00181"]
        old = counterparts(session, session.get_one(Unit, unit.id), day - timedelta(days=1))
        assert {other.code for other in old} == {"00178", "00181"}
    # Who books for a later day chooses from the units of that day.
    enter("thuky")
    today = client.get("/meetings/tree")
    assert today.headers["x-tree-changes"] == day.isoformat()
    assert MERGED not in today.text
    assert MERGED in client.get(f"/meetings/tree?on={day}").text
    enter("quantri")
    assert client.post(f"{page}/take-back", follow_redirects=False).status_code == 303
    assert "Đã thu hồi" in client.get(page).text
    with db.reader() as session:
        assert load_tree(session, day).by_code["00178"].name == "Phường Cát Linh"
        assert len(days_of_change(session)) == 1
    # What was taken back is over; the same page says so instead of trying again.
    assert client.post(f"{page}/take-back", follow_redirects=False).status_code == 409


@pytest.mark.parametrize(
    ("day", "lines", "said"),
    [
        ("", SUCCESSIONS, "Chưa nhập"),
        ("31/02/2027", SUCCESSIONS, "ngày/tháng/năm"),
        ("2020-01-01", SUCCESSIONS, "đã qua"),
        ("2031-01-01", SUCCESSIONS.replace("00178,00181", "00178,99999"), "99999"),
        ("2031-01-01", SUCCESSIONS.replace("whole,1\n00181", "whole,2\n00181"), "Ghi 1"),
        ("2031-01-01", "old,new\n1,2\n", "old_code"),
    ],
)
def test_mistakes_are_told_and_what_was_typed_is_kept(
    client: Client, enter: Enter, db: Database, day: str, lines: str, said: str
) -> None:
    enter("quantri")
    answer = send(client, day, lines=lines)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="Nghị quyết"' in answer.text
    with db.reader() as session:
        assert session.scalar(select(Reorganisation.id)) is None


def test_only_who_governs_the_whole_tree_sees_a_plan(client: Client, enter: Enter) -> None:
    enter("quantri")
    day = civil_day(utcnow()) + timedelta(days=30)
    page = send(client, day.isoformat()).headers["location"]
    for other in ("thuky", "vanthu.vanmieu", "kythuat"):
        enter(other)
        for path in (
            "/admin/reorganisation",
            "/admin/reorganisation/new",
            page,
            f"{page}/progress",
        ):
            assert client.get(path).status_code == 403, (other, path)
        assert client.post(f"{page}/apply").status_code == 403


def test_what_is_under_way_stops_a_plan_of_today_and_nothing_changes(
    client: Client, enter: Enter, db: Database, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now, starts_at=now + timedelta(hours=1))
        start(session, city.secretary, meeting.id, now + timedelta(minutes=30))
    enter("quantri")
    page = send(client, civil_day(now).isoformat()).headers["location"]
    refused = client.post(f"{page}/apply")
    assert refused.status_code == 409
    assert "Phường Cát Linh" in refused.text
    with db.reader() as session:
        state = session.scalars(select(Reorganisation.state)).one()
        assert state == ReorganisationState.PLANNED.value
        assert "00178" in load_tree(session, civil_day(now)).by_code
        assert session.scalars(select(Meeting.state)).one() == "in_progress"


def test_a_run_that_fails_says_why_and_leaves_nothing(
    client: Client, enter: Enter, db: Database
) -> None:
    enter("quantri")
    day = civil_day(utcnow()) + timedelta(days=30)
    page = send(client, day.isoformat()).headers["location"]
    number = int(page.rsplit("/", 1)[-1])
    runs = reorganising(client.app)

    def breaks_off(session: Session, progress: Progress) -> None:
        session.execute(update(Unit).values(valid_until=day))
        progress(1, 2, "units")
        raise NothingChanges(day)

    runs.start(number, breaks_off)
    runs.forget(number)
    shown = client.get(page).text
    assert "Chưa có gì bị thay đổi" in shown
    assert "Áp dụng từ" in shown
    with db.reader() as session:
        assert len(load_tree(session, day).by_id) == len(SMALL_CITY)


def test_a_run_that_ends_while_its_page_is_read_is_seen(
    client: Client, enter: Enter, db: Database
) -> None:
    """The page shows how far it is, or what came of it, but never the plan as if nothing went on."""
    enter("quantri")
    page = send(client, (civil_day(utcnow()) + timedelta(days=30)).isoformat()).headers["location"]
    number = int(page.rsplit("/", 1)[-1])
    runs = reorganising(client.app)
    go_on = Event()

    def ends_when_told(session: Session, progress: Progress) -> None:
        progress(1, 2, "units")
        assert go_on.wait(20)
        session.execute(update(Reorganisation).values(state=ReorganisationState.APPLIED.value))

    def let_it_end(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if " FROM reorganisation " in statement.replace("\n", " ") and not go_on.is_set():
            go_on.set()
            runs.forget(number)

    runs.start(number, ends_when_told)
    event.listen(db.engine, "before_cursor_execute", let_it_end)
    try:
        shown = client.get(page).text
    finally:
        event.remove(db.engine, "before_cursor_execute", let_it_end)
    assert go_on.is_set()
    assert runs.runs[number].problem == ""
    assert "data-run=" in shown or "done-head" in shown


def test_open_receipts_go_to_the_successor_on_the_day(
    client: Client, enter: Enter, db: Database, city: City, tmp_path: Path
) -> None:
    now = utcnow()
    with db.transaction() as session:
        directive = issued(session, city, tmp_path, now, deadline=None)
        circulate(session, city.secretary, directive.id, [ALL_WARDS], now + timedelta(days=3), now)
        # Phúc Xá goes on and has confirmed it; the wards of Đống Đa have not.
        acknowledge(session, city.actors["thuky"], directive.id, city.units["00001"], now)
        directive_id = directive.id
    enter("quantri")
    day = civil_day(now) + timedelta(days=1)
    preview = client.get(send(client, day.isoformat()).headers["location"]).text
    assert 'id="directives"' in preview
    applied(client, day)
    with db.transaction() as session:
        assert session.scalars(select(ReceiptInheritance)).all() == []
        come_into_force(session, day, at(day, 1))
    with db.transaction() as session:
        heir = load_tree(session, day).by_code["00181"].id
        receipts = {
            receipt.unit_id: receipt.acknowledged_at is not None
            for receipt in session.scalars(
                select(Receipt).where(Receipt.directive_id == directive_id)
            )
        }
        # Trung Tự has no successor: its receipt stays where it was, and nobody is reminded.
        assert receipts == {city.units["00001"]: True, heir: False, city.units["00226"]: False}
        kept = {
            (row.unit_id, row.heir_id, row.day)
            for row in session.scalars(select(ReceiptInheritance))
        }
        assert kept == {(city.units[code], heir, day) for code in ("00178", "00181")}
        kept_by = keepers(session, [city.units["00178"], city.units["00226"]], day)
        assert [step.name for step in kept_by.values()] == [MERGED, "Quận Đống Đa"]
        assert pass_on_receipts(session, day).receipts == 0
