"""Signing, issuing, and what never changes after that."""

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import joinedload

from meetings_server.database import Database
from minutes.content import Content
from minutes.drafting import (
    CorrectionReasonMissing,
    MinutesExist,
    correct,
    save,
    submit,
)
from minutes.meeting_facts import facts_of
from minutes.meeting_minutes import (
    Minutes,
    MinutesNotOpen,
    NotTheChair,
    minutes_to_read,
)
from minutes.signing import MinutesIssued, draw_docx, draw_pdf, facts_to_show, issue, sign
from minutes.storage import FolderStore
from minutes.tasks import Task
from rooms.attendance import CheckIn, Presence, Source
from rooms.check_ins import record_check_ins
from rooms.hierarchy import Unit
from rooms.kernel import Event, civil_day, utcnow
from rooms.meetings import Meeting, MeetingState
from rooms.scheduling import end, start
from tests.factories import make_hanoi, scheduled_meeting
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


@pytest.mark.slow
def test_minutes_of_all_hanoi(db: Database, tmp_path: Path) -> None:
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
    with db.transaction() as session:
        minutes = issue(session, city.chair, minutes.id, held.store, over)
    with db.reader() as session:
        shown = minutes_to_read(
            session, city.secretary, minutes.id, civil_day(over), [joinedload(Minutes.corrects)]
        )
        facts = facts_to_show(session, shown, session.get_one(Meeting, meeting.id))
        assert len(facts.present) + len(facts.absent) == 632
        assert draw_docx(shown, facts).startswith(b"PK")
        assert f"{len(facts.present)}/632" in words_of(draw_pdf(shown, facts))
        assert session.scalar(select(func.count()).select_from(Task)) == 2
