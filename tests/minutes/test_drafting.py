"""Minutes from the first draft to the chair."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy.orm import Session

from meetings_server.database import Database
from minutes.content import Content, Item, NothingWritten, TaskRow, differences
from minutes.drafting import (
    MinutesExist,
    MinutesStale,
    SendBackReasonMissing,
    open_draft,
    save,
    send_back,
    submit,
)
from minutes.forms.letterhead import place_name
from minutes.meeting_facts import facts_of
from minutes.meeting_minutes import (
    Minutes,
    MinutesNotOpen,
    MinutesVersion,
    NotTheChair,
    UnknownMinutes,
    minutes_to_read,
    versions_of,
)
from minutes.signing import facts_to_show, issue
from minutes.storage import FolderStore
from rooms.audience import Rule
from rooms.hierarchy import UnknownUnit
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.meetings import WrongState
from rooms.policies import Actor, NotPermitted
from rooms.scheduling import end, start
from tests.factories import make_city, scheduled_meeting
from tests.written_minutes import (
    Held,
    drafted,
    held_meeting,
    meeting_of,
    submitted,
)


@pytest.fixture
def held(db: Database, tmp_path: Path) -> Held:
    return held_meeting(db, tmp_path)


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


def test_differences_of_long_texts() -> None:
    old = " ".join(f"từ{n % 700}" for n in range(8_000))
    new = old.replace("từ3 ", "chữ3 ")
    found = differences(Content(conclusions=old), Content(conclusions=new), {})
    assert found[0].part == "conclusions"
    assert {run.kind for run in found[0].runs} == {"same", "removed", "added"}


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
