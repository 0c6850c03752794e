"""Minutes from the first draft to the issued paper and its correction."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from time import perf_counter

import pytest
from pypdf import PdfReader
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, joinedload

from meetings_server.database import Database
from minutes.content import Content, Item, NothingWritten, TaskRow, differences
from minutes.drafting import (
    CorrectionReasonMissing,
    MinutesExist,
    MinutesStale,
    SendBackReasonMissing,
    correct,
    open_draft,
    save,
    send_back,
    submit,
)
from minutes.meeting_facts import facts_of, gather_facts, place_name
from minutes.meeting_minutes import (
    Minutes,
    MinutesNotOpen,
    MinutesVersion,
    NotTheChair,
    UnknownMinutes,
    minutes_to_read,
    versions_of,
)
from minutes.signing import MinutesIssued, draw_docx, draw_pdf, facts_to_show, issue, sign
from minutes.storage import FolderStore
from minutes.tasks import Task
from rooms.attendance import CheckIn, Presence, Source
from rooms.audience import Rule
from rooms.check_ins import record_check_ins
from rooms.hierarchy import Unit, UnknownUnit
from rooms.kernel import Event, FieldInvalid, civil_day, utcnow
from rooms.meetings import Meeting, MeetingState, WrongState
from rooms.policies import Actor, NotPermitted
from rooms.scheduling import end, start
from tests.factories import make_city, make_hanoi, scheduled_meeting
from tests.written_minutes import (
    Held,
    drafted,
    held_meeting,
    issued,
    meeting_of,
    submitted,
)


@pytest.fixture
def held(db: Database, tmp_path: Path) -> Held:
    return held_meeting(db, tmp_path)


def words_of(pdf: bytes) -> str:
    pages = PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_a_draft_is_filled_in_from_the_meeting(db: Database, held: Held) -> None:
    with db.transaction() as session:
        minutes = open_draft(session, held.city.secretary, held.meeting_id, held.now)
        written = minutes.written
        assert written.place == "Phòng họp Thành phố Hà Nội"
        assert written.items == (Item("Khai mạc"), Item("Thảo luận", "Các điểm cầu"))
        assert (written.secretary_name, written.secretary_title) == ("Nguyễn Thu Hà", "Thư ký")
        facts = facts_to_show(session, minutes, meeting_of(session, held))
    assert [(unit.unit, unit.group, unit.delegate, unit.headcount) for unit in facts.present] == [
        ("Quận Đống Đa", "Các quận, huyện, thị xã", "Lê Ngọc Bích", 12),
        ("Phường Văn Miếu", "Quận Đống Đa", "Bùi Thị Lan", 5),
    ]
    excused = [(unit.unit, unit.reason) for unit in facts.absent if unit.excused]
    assert excused == [("Phường Trung Tự", "Trùng lịch tiếp dân")]
    assert facts.people == 17
    assert facts.chair.name == "Đỗ Hoàng Long"
    assert (facts.superior, facts.issuer) == ("", "Ủy ban nhân dân thành phố Hà Nội")
    assert facts_of(facts.as_json()) == facts


def test_only_a_meeting_that_has_ended_gets_minutes(db: Database) -> None:
    now = utcnow()
    with db.transaction() as session:
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now)
        with pytest.raises(WrongState):
            open_draft(session, city.secretary, meeting.id, now)


def test_a_meeting_gets_one_draft(db: Database, held: Held) -> None:
    barrier = Barrier(4)

    def click(_: int) -> int | str:
        barrier.wait()
        try:
            with db.transaction() as session:
                return open_draft(session, held.city.secretary, held.meeting_id, held.now).id
        except MinutesExist as refusal:
            return f"exists {refusal.minutes}"

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(click, range(4)))
    made = [answer for answer in answers if isinstance(answer, int)]
    assert len(made) == 1
    assert sorted(map(str, answers)) == sorted([str(made[0])] + 3 * [f"exists {made[0]}"])


def test_every_save_is_kept(db: Database, held: Held) -> None:
    with db.transaction() as session:
        minutes = drafted(session, held)
        content = minutes.written
        save(session, held.city.secretary, minutes.id, content, 2, held.now)
        changed = replace(content, conclusions="Giao Sở Nội vụ chủ trì.")
        save(session, held.city.secretary, minutes.id, changed, 2, held.now)
        assert [version.version for version in versions_of(session, minutes.id)] == [3, 2, 1]
        first = session.get_one(MinutesVersion, (minutes.id, 1))
        assert first.content["conclusions"] == ""
        assert minutes.written == changed


def test_a_second_editor_is_told_and_nothing_is_lost(db: Database, held: Held) -> None:
    with db.transaction() as session:
        minutes = drafted(session, held)
        content = minutes.written
    mine = replace(content, conclusions="Của tôi.")
    theirs = replace(content, conclusions="Của người khác.")
    with db.transaction() as session:
        save(session, held.city.secretary, minutes.id, theirs, 2, held.now)
    with pytest.raises(MinutesStale) as refusal, db.transaction() as session:
        save(session, held.city.secretary, minutes.id, mine, 2, held.now)
    assert (refusal.value.current, refusal.value.given) == (3, 2)
    assert refusal.value.saved_by == "Nguyễn Thu Hà"
    with db.transaction() as session:
        assert session.get_one(Minutes, minutes.id).written == theirs
        save(session, held.city.secretary, minutes.id, mine, refusal.value.current, held.now)
        kept = session.get_one(MinutesVersion, (minutes.id, 3))
        assert kept.content["conclusions"] == "Của người khác."


def test_differences_are_told_word_by_word() -> None:
    old = Content(conclusions="Giao Sở Nội vụ rà soát.", items=(Item("Khai mạc"),))
    new = replace(old, conclusions="Giao Sở Tài chính rà soát.", items=(Item("Khai mạc", "Bà Hà"),))
    item, conclusions = differences(old, new, {})
    assert (item.part, item.n) == ("item", 1)
    assert [(run.kind, run.text.strip()) for run in conclusions.runs] == [
        ("same", "Giao Sở"),
        ("removed", "Nội vụ"),
        ("added", "Tài chính"),
        ("same", "rà soát."),
    ]
    tasks = differences(old, replace(old, tasks=(TaskRow("Báo cáo", 7),)), {7: "Sở Nội vụ"})
    assert [(part.part, part.n, part.runs[0].kind) for part in tasks] == [("task", 1, "added")]


def test_differences_of_long_texts_come_at_once() -> None:
    old = " ".join(f"từ{n % 700}" for n in range(8_000))
    new = old.replace("từ3 ", "chữ3 ")
    begun = perf_counter()
    found = differences(Content(conclusions=old), Content(conclusions=new), {})
    assert found[0].part == "conclusions"
    assert perf_counter() - begun < 1


Breach = Callable[[Content], Content]


@pytest.mark.parametrize(
    ("breach", "field"),
    [
        (lambda c: replace(c, conclusions="x" * 40_001), "conclusions"),
        (lambda c: replace(c, place="x" * 501), "place"),
        (lambda c: replace(c, conclusions="a\x00b"), "conclusions"),
        (lambda c: replace(c, items=(Item("x"),) * 101), "items"),
        (lambda c: replace(c, tasks=(TaskRow("x"),) * 201), "tasks"),
        (lambda c: replace(c, tasks=(TaskRow(deadline="31/12/2026"),)), "deadline"),
    ],
)
def test_what_no_draft_may_hold(db: Database, held: Held, breach: Breach, field: str) -> None:
    with db.transaction() as session:
        minutes = drafted(session, held)
        with pytest.raises(FieldInvalid) as refusal:
            save(session, held.city.secretary, minutes.id, breach(minutes.written), 2, held.now)
    assert refusal.value.field == field


def test_a_task_names_units_that_exist(db: Database, held: Held) -> None:
    with db.transaction() as session:
        minutes = drafted(session, held)
        wrong = replace(minutes.written, tasks=(TaskRow("x", 999_999),))
        with pytest.raises(UnknownUnit):
            save(session, held.city.secretary, minutes.id, wrong, 2, held.now)


@pytest.mark.parametrize(
    ("breach", "field"),
    [
        (lambda c: replace(c, place=""), "place"),
        (lambda c: replace(c, secretary_name=""), "secretary_name"),
        (lambda c: replace(c, tasks=(replace(c.tasks[0], text=""),)), "task-1-text"),
        (lambda c: replace(c, tasks=(c.tasks[1], replace(c.tasks[0], lead=None))), "task-2-lead"),
        (
            lambda c: replace(c, tasks=(replace(c.tasks[0], coordinating=()),)),
            "task-1-coordinating",
        ),
        (lambda c: replace(c, tasks=(replace(c.tasks[0], deadline=""),)), "task-1-deadline"),
    ],
)
def test_what_may_not_be_missing_when_submitted(
    db: Database, held: Held, breach: Breach, field: str
) -> None:
    with db.transaction() as session:
        minutes = drafted(session, held)
        save(session, held.city.secretary, minutes.id, breach(minutes.written), 2, held.now)
        with pytest.raises(FieldInvalid) as refusal:
            submit(session, held.city.secretary, minutes.id, held.now)
    assert (refusal.value.field, refusal.value.problem) == (field, "missing")


def test_an_empty_draft_is_not_submitted(db: Database, held: Held) -> None:
    with db.transaction() as session:
        minutes = open_draft(session, held.city.secretary, held.meeting_id, held.now)
        with pytest.raises(NothingWritten):
            submit(session, held.city.secretary, minutes.id, held.now)


def test_the_chair_sends_back_with_a_reason(db: Database, held: Held) -> None:
    with db.transaction() as session:
        minutes = submitted(session, held)
        with pytest.raises(MinutesNotOpen):
            save(session, held.city.secretary, minutes.id, Content(), 2, held.now)
        with pytest.raises(SendBackReasonMissing):
            send_back(session, held.city.chair, minutes.id, "  ", held.now)
        with pytest.raises(NotTheChair):
            send_back(session, held.city.secretary, minutes.id, "Sửa mục 2", held.now)
        send_back(session, held.city.chair, minutes.id, "Sửa mục 2", held.now)
        assert (minutes.state, minutes.sent_back_reason) == ("draft", "Sửa mục 2")


def test_the_chair_issues_in_one_step(db: Database, held: Held) -> None:
    seen: list[Event] = []
    db.hints.append(seen.extend)
    with db.transaction() as session:
        minutes = issued(session, held)
        year = civil_day(held.now).year
        assert (minutes.number, minutes.symbol) == (1, "01/BB-UBND")
        assert minutes.signed_by == held.city.chair.person_id
        assert meeting_of(session, held).state == MeetingState.CONCLUDED.value
    assert MinutesIssued(minutes.id, held.meeting_id) in seen
    assert minutes.pdf_sha256 is not None
    with held.store.open(minutes.pdf_sha256) as file:
        words = words_of(file.read())
    assert "Số: 01/BB-UBND" in words
    assert "DỰ THẢO" not in words
    for said in ("ỦY BAN NHÂN DÂN", "Đống Đa", "Trùng lịch tiếp dân", "Rà soát trang thiết bị"):
        assert said in words
    assert str(year) in words


def test_signing_first_and_issuing_later(db: Database, held: Held) -> None:
    with db.transaction() as session:
        minutes = submitted(session, held)
        with pytest.raises(NotTheChair):
            sign(session, held.city.secretary, minutes.id, held.now)
        sign(session, held.city.chair, minutes.id, held.now)
        assert minutes.state == "signed"
        with pytest.raises(MinutesNotOpen):
            sign(session, held.city.chair, minutes.id, held.now)
        # What is signed stays, although the unit is called otherwise by then.
        session.execute(
            update(Unit).where(Unit.id == held.city.units["006"]).values(name="Đổi tên")
        )
        session.expire_all()
        issue(session, held.city.chair, minutes.id, held.store, held.now)
        assert facts_of(minutes.facts or {}).present[0].unit == "Quận Đống Đa"


def test_a_draft_is_not_issued_and_a_second_click_changes_nothing(db: Database, held: Held) -> None:
    with db.transaction() as session:
        minutes = drafted(session, held)
        with pytest.raises(MinutesNotOpen):
            issue(session, held.city.chair, minutes.id, held.store, held.now)
        submit(session, held.city.secretary, minutes.id, held.now)
        issue(session, held.city.chair, minutes.id, held.store, held.now)
    with pytest.raises(MinutesNotOpen), db.transaction() as session:
        issue(session, held.city.chair, minutes.id, held.store, held.now)
    with db.reader() as session:
        assert session.get_one(Minutes, minutes.id).number == 1


def test_a_failing_store_spends_no_number(db: Database, held: Held, tmp_path: Path) -> None:
    with db.transaction() as session:
        minutes = submitted(session, held)
    (tmp_path / "blocked").write_text("a file where a folder is needed")
    with pytest.raises(OSError, match="blocked"), db.transaction() as session:
        issue(
            session,
            held.city.chair,
            minutes.id,
            FolderStore(tmp_path / "blocked"),
            held.now,
        )
    with db.transaction() as session:
        assert session.get_one(Minutes, minutes.id).state == "submitted"
        issue(session, held.city.chair, minutes.id, held.store, held.now)
        assert session.get_one(Minutes, minutes.id).number == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE minutes SET symbol = '99/BB-UBND' WHERE id = :id",
        "UPDATE minutes SET state = 'draft' WHERE id = :id",
        "DELETE FROM minutes WHERE id = :id",
        "UPDATE minutes_version SET author_id = author_id WHERE minutes_id = :id",
        "DELETE FROM minutes_version WHERE minutes_id = :id",
        "UPDATE task SET deadline = deadline WHERE minutes_id = :id",
        "DELETE FROM task_coordination WHERE task_id IN (SELECT id FROM task WHERE minutes_id = :id)",
        "DELETE FROM task WHERE minutes_id = :id",
    ],
)
def test_the_database_refuses_to_change_what_was_issued(
    db: Database, held: Held, statement: str
) -> None:
    with db.transaction() as session:
        minutes = issued(session, held)
    with (
        pytest.raises(DBAPIError, match="issued minutes never change"),
        db.transaction() as session,
    ):
        session.execute(text(statement), {"id": minutes.id})


def test_the_session_cannot_change_it_either(db: Database, held: Held) -> None:
    with db.transaction() as session:
        minutes = issued(session, held)
    with (
        pytest.raises(DBAPIError, match="issued minutes never change"),
        db.transaction() as session,
    ):
        session.get_one(Minutes, minutes.id).content = Content().as_json()


def test_replacing_the_row_on_sqlite_is_refused(db: Database, held: Held) -> None:
    if db.is_postgresql:
        pytest.skip("PostgreSQL has no INSERT OR REPLACE")
    with db.transaction() as session:
        minutes = issued(session, held)
    with db.transaction() as session:
        row = dict(session.execute(text("SELECT * FROM minutes")).mappings().one())
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        replacing = text(f"INSERT OR REPLACE INTO minutes ({names}) VALUES ({values})")  # noqa: S608 -- the names are the table's own
        with pytest.raises(DBAPIError, match="issued minutes never change"):
            session.execute(replacing, row | {"symbol": "99/BB-UBND"})
    assert minutes.symbol == "01/BB-UBND"


def test_a_correction_is_a_new_document_that_names_the_old(db: Database, held: Held) -> None:
    with db.transaction() as session:
        first = issued(session, held)
        done = session.scalars(select(Task).where(Task.minutes_id == first.id, Task.n == 2)).one()
        done.done_on = civil_day(held.now)
        with pytest.raises(CorrectionReasonMissing):
            correct(session, held.city.secretary, first.id, "", held.now)
        new = correct(session, held.city.secretary, first.id, "Nhầm thời hạn", held.now)
        with pytest.raises(MinutesExist):
            correct(session, held.city.secretary, first.id, "Lần nữa", held.now)
        content = new.written
        later = replace(content.tasks[0], deadline="2030-01-01")
        changed = replace(content, tasks=(later, content.tasks[1]))
        save(session, held.city.secretary, new.id, changed, 1, held.now)
        submit(session, held.city.secretary, new.id, held.now)
        issue(session, held.city.chair, new.id, held.store, held.now + timedelta(hours=1))
        assert new.symbol == "02/BB-UBND"
        assert first.written.tasks[0].deadline != "2030-01-01"
        states = {
            (task.minutes_id, task.n): task.state(civil_day(held.now)).value
            for task in session.scalars(select(Task))
        }
    assert states == {
        (first.id, 1): "replaced",
        (first.id, 2): "replaced",
        (new.id, 1): "open",
        (new.id, 2): "done",
    }
    with held.store.open(new.pdf_sha256 or "") as file:
        words = words_of(file.read())
    assert "đính chính Biên bản số 01/BB-UBND" in words
    assert "Nhầm thời hạn" in words


def read_by(session: Session, actor: Actor, minutes_id: int) -> bool:
    try:
        minutes_to_read(session, actor, minutes_id, civil_day(utcnow()))
    except UnknownMinutes:
        return False
    return True


def test_who_may_read(db: Database, tmp_path: Path) -> None:
    only_dong_da = [Rule(include=True, by="level", level="ward", under="006")]
    only_dong_da.append(Rule(include=False, by="unit", unit="00178"))
    with db.transaction() as session:
        now = utcnow()
        city = make_city(session, now)
        meeting = scheduled_meeting(session, city, now, audience=only_dong_da)
        start(session, city.secretary, meeting.id, meeting.starts_at)
        end(session, city.secretary, meeting.id, meeting.ends_at)
        minutes = open_draft(session, city.secretary, meeting.id, now)
        content = replace(minutes.written, conclusions="Thống nhất.")
        save(session, city.secretary, minutes.id, content, 1, now)
    readers = ("thuky", "lanhdao", "lanhdao.vanmieu", "truc.vanmieu", "truc.cattlinh", "thuky.snv")

    def who_reads() -> list[str]:
        with db.reader() as session:
            return [name for name in readers if read_by(session, city.actors[name], minutes.id)]

    assert who_reads() == ["thuky", "lanhdao"]
    with db.transaction() as session:
        submit(session, city.secretary, minutes.id, now)
        issue(session, city.chair, minutes.id, FolderStore(tmp_path / "files"), now)
    # Invited: the official of Văn Miếu and its operator. Cát Linh, beside it, was not.
    assert who_reads() == ["thuky", "lanhdao", "lanhdao.vanmieu", "truc.vanmieu"]


def test_who_may_write(db: Database, held: Held) -> None:
    with db.transaction() as session:
        with pytest.raises(NotPermitted):
            open_draft(session, held.city.actors["vanthu.vanmieu"], held.meeting_id, held.now)
        minutes = drafted(session, held)
        for name in ("vanthu.vanmieu", "truc.dongda", "thuky.snv"):
            with pytest.raises(UnknownMinutes):
                save(session, held.city.actors[name], minutes.id, minutes.written, 2, held.now)
        with pytest.raises(NotPermitted):
            submit(session, held.city.chair, minutes.id, held.now)


def test_the_seat_before_the_day() -> None:
    names = ("Thành phố Hà Nội", "Quận Đống Đa", "Phường Văn Miếu", "Quận 1", "Thị xã Sơn Tây")
    assert [place_name(name) for name in names] == [
        "Hà Nội",
        "Đống Đa",
        "Văn Miếu",
        "Quận 1",
        "Sơn Tây",
    ]


@pytest.mark.slow
def test_minutes_of_all_hanoi_in_seconds(db: Database, tmp_path: Path) -> None:
    """631 units, of which 600 were there: facts, text, paper."""
    now = utcnow()
    with db.transaction() as session:
        city = make_hanoi(session, now)
        meeting = scheduled_meeting(session, city, now)
        start(session, city.secretary, meeting.id, meeting.starts_at)
        there = [
            CheckIn(meeting.id, point, Presence.PRESENT.value, 1, Source.API, 7, "Nguyễn Văn A")
            for point in sorted(city.points.values())[:601]
        ]
        record_check_ins(session.connection(), there, meeting.starts_at)
        end(session, city.secretary, meeting.id, meeting.ends_at)
    over = meeting.ends_at
    held = Held(city, meeting.id, over, FolderStore(tmp_path / "files"))
    with db.transaction() as session:
        minutes = submitted(session, held)
    begun = perf_counter()
    with db.transaction() as session:
        minutes = issue(session, city.chair, minutes.id, held.store, over)
    seconds = perf_counter() - begun
    print(f"\nissue with PDF, 631 units: {seconds:.2f} s")
    with db.reader() as session:
        shown = minutes_to_read(
            session, city.secretary, minutes.id, civil_day(over), [joinedload(Minutes.corrects)]
        )
        facts = facts_to_show(session, shown, session.get_one(Meeting, meeting.id))
        assert len(facts.present) + len(facts.absent) == 632
        begun = perf_counter()
        draw_docx(shown, facts)
        print(
            f"DOCX: {perf_counter() - begun:.2f} s, PDF has {len(draw_pdf(shown, facts)):,} bytes"
        )
        begun = perf_counter()
        gather_facts(session, session.get_one(Meeting, meeting.id), shown.written)
        print(f"facts: {perf_counter() - begun:.3f} s")
        assert session.scalar(select(func.count()).select_from(Task)) == 2
    assert seconds < 10
