"""Who is told when a point says nothing: by rules for each kind of meeting, once, and until it is settled."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meetings_server.audit.ledger import AuditEntry
from meetings_server.database import Database
from meetings_server.escalation.rules import (
    DEFAULTS,
    About,
    RulesChanged,
    Step,
    Whom,
    rules,
    set_steps,
)
from meetings_server.jobs import run_long_sweep, run_sweep
from meetings_server.mail.outbox import OutboxDelivery, OutboxMessage
from meetings_server.push.notices import Notice, NoticeReader, notices_of, unread
from meetings_server.push.telling import By
from meetings_server.sweeps import meeting_reminders, old_notices
from rooms.attendance import CheckIn, Source
from rooms.check_ins import record_check_in
from rooms.help_calls import HelpCall, solve, take
from rooms.host_messages import Aim, NewMessage, send, withdraw
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, MeetingKind
from rooms.people import Person, Role, grant_role
from rooms.policies import NotPermitted
from rooms.scheduling import change, request_of, start
from tests.conftest import SignIn
from tests.counting import counted
from tests.factories import ALL, City, make_city, make_hanoi, scheduled_meeting

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def invited(db: Database) -> tuple[City, Meeting]:
    """Nine units and their people; the meeting is five working days ahead."""
    with db.transaction() as session:
        city = make_city(session, utcnow())
        return city, scheduled_meeting(session, city, utcnow())


def sweep(db: Database, meeting: Meeting, minutes: int) -> None:
    now = meeting.starts_at - minutes * MINUTE
    run_long_sweep(db, "meeting reminders", meeting_reminders.sweep, now)


def check_in(db: Database, city: City, meeting: Meeting, code: str, minutes: int) -> None:
    at = meeting.starts_at - minutes * MINUTE
    said = CheckIn(meeting.id, city.points[code], "present", city.secretary.person_id, Source.PAGE)
    with db.connection() as connection:
        record_check_in(connection, said, at)


def told(db: Database) -> dict[str, dict[str, int]]:
    """User names and numbers of points by kind of notice."""
    found: dict[str, dict[str, int]] = {}
    with db.reader() as session:
        for kind, who, count in session.execute(
            select(Notice.kind, Person.username, NoticeReader.count)
            .join(NoticeReader, NoticeReader.notice_id == Notice.id)
            .join(Person, Person.id == NoticeReader.person_id)
            .order_by(Person.username)
        ):
            found.setdefault(kind, {})[who] = found.get(kind, {}).get(who, 0) + count
    return found


def mailed(db: Database, kind: str) -> list[str]:
    with db.reader() as session:
        return list(
            session.scalars(
                select(OutboxDelivery.address)
                .join(OutboxMessage, OutboxMessage.id == OutboxDelivery.message_id)
                .where(OutboxMessage.kind == kind)
                .order_by(OutboxDelivery.address)
            )
        )


def titles(db: Database, city: City, who: str) -> list[tuple[str, str, bool, bool]]:
    """Title, text, read, settled."""
    with db.reader() as session:
        return [
            (each.title, each.text, each.read_at is not None, each.settled_at is not None)
            for each in notices_of(session, city.actors[who].person_id)
        ]


AT_POINTS = {
    "thuky.snv": 1,
    "thuky.dongda": 1,
    "truc.dongda": 1,
    "truc.cattlinh": 1,
    "truc.vanmieu": 1,
    "vanthu.vanmieu": 1,
}


def test_the_steps_of_a_meeting_day(db: Database, invited: tuple[City, Meeting]) -> None:
    city, meeting = invited
    sweep(db, meeting, 60)
    assert told(db) == {"line_test_due": AT_POINTS | {"kythuat": 1, "thuky": 1}}
    sweep(db, meeting, 30)
    assert told(db)["silent_point"] == AT_POINTS
    assert len(mailed(db, "silent_point")) == 8
    check_in(db, city, meeting, "00181", 20)
    sweep(db, meeting, 10)
    # Districts hear of their wards, the city of its departments and districts.
    assert told(db)["silent_children"] == {
        "kythuat": 4,
        "thuky": 4,
        "thuky.dongda": 2,
        "truc.dongda": 2,
    }
    # Who hears by one way only is not mailed; three units above have silent points.
    assert len(mailed(db, "silent_children")) == 3
    sweep(db, meeting, 0)
    assert told(db)["missing"] == {"lanhdao": 7, "thuky": 7, "kythuat": 7}
    assert mailed(db, "missing") == ["thuky@hanoi.example"]
    once = told(db)
    for minutes in (30, 10, 0, -1):
        sweep(db, meeting, minutes)
    assert told(db) == once


def test_one_person_with_several_roles_is_told_once(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    city, meeting = invited
    with db.transaction() as session:
        chair = city.chair.person_id
        for role in (Role.SECRETARY, Role.TECHNICIAN):
            grant_role(session, chair, role, city.units["01"], civil_day(utcnow()) - DAY)
    sweep(db, meeting, 0)
    assert told(db)["missing"]["lanhdao"] == 7 + 1


def test_what_is_done_is_settled_and_who_came_late_is_listed(
    db: Database,
    invited: tuple[City, Meeting],
    client: TestClient[Litestar],
    sign_in: SignIn,
) -> None:
    city, meeting = invited
    for code in ("01", "01-SNV", "01-STC", "001", "006", "00001", "00226"):
        check_in(db, city, meeting, code, 40)
    for minutes in (30, 10, 0):
        sweep(db, meeting, minutes)
    check_in(db, city, meeting, "00181", -5)
    sweep(db, meeting, -6)
    # The ward has done it; the district still misses Cát Linh.
    text = "Bắt đầu lúc 08:00. Số điểm cầu chưa điểm danh: 1."
    silent = ("Điểm cầu chưa điểm danh: Giao ban công tác tháng", text, True, True)
    assert titles(db, city, "vanthu.vanmieu")[0] == silent
    assert titles(db, city, "truc.cattlinh")[0] == (*silent[:2], False, False)
    of_district = titles(db, city, "thuky.dongda")
    assert [each[2:] for each in of_district if "trực thuộc" in each[1]] == [(False, False)]
    with db.transaction() as session:
        session.query(NoticeReader).update({"read_at": meeting.starts_at})
    check_in(db, city, meeting, "00178", -9)
    sweep(db, meeting, -10)
    # That it is settled is news to the district and to the host.
    of_district = titles(db, city, "thuky.dongda")
    assert [each[2:] for each in of_district if "trực thuộc" in each[1]] == [(False, True)]
    assert titles(db, city, "lanhdao")[0][2:] == (False, True)
    sign_in(city.chair.person_id)
    page = client.get(f"/meetings/{meeting.id}/missing")
    assert page.status_code == 200
    assert "Tất cả đã có mặt" in page.text
    late = page.text.split('id="late-head"')[1]
    assert late.index("Phường Cát Linh") < late.index("Phường Văn Miếu")
    assert "08:09" in late
    sign_in(city.actors["truc.vanmieu"].person_id)
    own = client.get(f"/meetings/{meeting.id}/missing").text
    assert "Phường Văn Miếu" in own
    assert "Phường Cát Linh" not in own


def test_the_chairs_list_has_telephones_and_last_words(
    db: Database,
    invited: tuple[City, Meeting],
    client: TestClient[Litestar],
    sign_in: SignIn,
) -> None:
    city, meeting = invited
    check_in(db, city, meeting, "00181", 5)
    with db.connection() as connection:
        lost = CheckIn(
            meeting.id, city.points["006"], "lost", city.secretary.person_id, Source.PAGE
        )
        record_check_in(connection, replace(lost, note="Mất điện"), meeting.starts_at - MINUTE)
    sign_in(city.secretary.person_id)
    with counted(db) as statements:
        page = client.get(f"/meetings/{meeting.id}/missing").text
    assert len(statements) <= 10
    assert page.count("tel:0912345678") == 7
    assert "Mất điện" in page
    # Silent points come before those that have said something.
    assert page.index("Phường Trung Tự") < page.index("Mất điện")
    assert "Phường Văn Miếu" not in page


def test_another_time_begins_anew(db: Database, invited: tuple[City, Meeting]) -> None:
    city, meeting = invited
    sweep(db, meeting, 30)
    with db.transaction() as session:
        request = request_of(session, session.get_one(Meeting, meeting.id), list(ALL))
        later = replace(request, starts_at=request.starts_at + DAY, ends_at=request.ends_at + DAY)
        change(session, city.secretary, meeting.id, later, utcnow(), reason="Dời")
    sweep(db, meeting, 30)
    assert told(db)["silent_point"] == AT_POINTS
    meeting.starts_at += DAY
    sweep(db, meeting, 30)
    assert told(db)["silent_point"] == dict.fromkeys(AT_POINTS, 2)


def test_two_at_the_same_moment_tell_once(db: Database, invited: tuple[City, Meeting]) -> None:
    _, meeting = invited
    together = threading.Barrier(4)

    def one() -> None:
        together.wait()
        sweep(db, meeting, 0)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sweep(db, meeting, 0)
    assert told(db)["missing"] == {"lanhdao": 7 + 1, "thuky": 7 + 1, "kythuat": 7 + 1}
    assert mailed(db, "missing") == ["thuky@hanoi.example"]


def test_who_opened_early_is_told_of_the_missing_and_no_more_reminders_go_out(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    city, meeting = invited
    with db.transaction() as session:
        start(session, city.secretary, meeting.id, meeting.starts_at - 20 * MINUTE)
    sweep(db, meeting, 5)
    assert told(db) == {}
    sweep(db, meeting, 0)
    assert set(told(db)) == {"missing"}


def test_a_kind_of_meeting_has_its_own_steps(
    db: Database, invited: tuple[City, Meeting], client: TestClient[Litestar], sign_in: SignIn
) -> None:
    city, meeting = invited
    admin = city.actors["quantri"]
    sign_in(admin.person_id)
    page = client.get("/admin/escalation/periodic")
    assert page.status_code == 200
    # What would happen at the next meeting of this kind: six people at points.
    preview = page.text.split('id="preview-head"')[1]
    assert "Giao ban công tác tháng" in preview
    known = page.text.split('name="known" value="')[1].split('"')[0]
    form = {
        "known": known,
        "number_0": "1", "minutes_0": "45", "side_0": "before", "whom_0": "point",
        "about_0": "silent", "by_page_0": "true", "active_0": "true",
        "number_1": "", "minutes_1": "15", "side_1": "after", "whom_1": "chair",
        "about_1": "silent", "by_page_1": "true", "active_1": "true",
    }  # fmt: skip
    wrong = client.post("/admin/escalation/periodic", data=form | {"minutes_1": "121"})
    assert wrong.status_code == 422
    assert 'aria-describedby="error-minutes_1"' in wrong.text
    saved = client.post("/admin/escalation/periodic", data=form, follow_redirects=False)
    assert saved.status_code == 303
    # The same form once more was made from steps that are gone.
    assert client.post("/admin/escalation/periodic", data=form).status_code == 409
    with db.reader() as session:
        assert [(step.number, step.minutes) for step in rules(session)[MeetingKind.PERIODIC]] == [
            (1, 45),
            (7, -15),
        ]
        assert rules(session)[MeetingKind.URGENT] == sorted(
            DEFAULTS, key=lambda step: (-step.minutes, step.number)
        )
        recorded = session.scalar(
            select(func.count())
            .select_from(AuditEntry)
            .where(AuditEntry.subject == "escalation_step")
        )
        assert recorded == 2
    sweep(db, meeting, 46)
    assert told(db) == {}
    sweep(db, meeting, 45)
    assert told(db)["silent_point"] == AT_POINTS
    assert mailed(db, "silent_point") == []
    sweep(db, meeting, 0)
    assert set(told(db)) == {"silent_point"}
    sweep(db, meeting, -15)
    assert told(db)["missing"] == {"lanhdao": 8}
    back = client.post("/admin/escalation/periodic/defaults", follow_redirects=False)
    assert back.status_code == 303
    with db.reader() as session:
        assert len(rules(session)[MeetingKind.PERIODIC]) == len(DEFAULTS)
    sign_in(city.secretary.person_id)
    assert client.get("/admin/escalation/periodic").status_code == 403


def test_steps_are_changed_by_who_sees_them_as_they_are(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    city, _ = invited
    today = civil_day(utcnow())
    step = Step(0, 5, Whom.CHAIR, About.SILENT, frozenset({By.PAGE}))
    with db.reader() as session:
        known = rules(session)[MeetingKind.URGENT]
    with pytest.raises(NotPermitted), db.transaction() as session:
        set_steps(session, city.secretary, MeetingKind.URGENT, [step], known, today)
    admin = city.actors["quantri"]
    with pytest.raises(RulesChanged), db.transaction() as session:
        set_steps(session, admin, MeetingKind.URGENT, [step], known[1:], today)


def test_the_bell_counts_what_is_unread(
    db: Database, invited: tuple[City, Meeting], client: TestClient[Litestar], sign_in: SignIn
) -> None:
    city, meeting = invited
    for minutes in (60, 30):
        sweep(db, meeting, minutes)
    person = city.actors["truc.vanmieu"].person_id
    sign_in(person)
    assert client.get("/notices/count").json() == {"unread": 2}
    page = client.get("/notices").text
    assert page.count("is-unread") == 2
    address = page.split('<a href="/notices/')[1].split('"')[0]
    opened = client.get(f"/notices/{address}", follow_redirects=False)
    assert (opened.status_code, opened.headers["location"]) == (303, "/check-in")
    assert client.get("/notices/count").json() == {"unread": 1}
    # Another's notice opens nothing and stays unread for them.
    sign_in(city.actors["lanhdao"].person_id)
    other = client.get(f"/notices/{address}", follow_redirects=False)
    assert other.headers["location"] == "/notices"
    sign_in(person)
    client.post("/notices/read")
    with db.reader() as session:
        assert unread(session, person) == 0
        assert len(notices_of(session, person)) == 2
    later = meeting.starts_at + old_notices.KEPT
    assert run_sweep(db, "old notices", old_notices.sweep, later - DAY) == 0
    assert run_sweep(db, "old notices", old_notices.sweep, later) == 2
    with db.reader() as session:
        assert list(notices_of(session, person)) == []


def test_help_and_the_words_of_the_host_reach_whom_they_are_for(
    db: Database, invited: tuple[City, Meeting]
) -> None:
    city, meeting = invited
    now = meeting.starts_at - 9 * MINUTE
    today = civil_day(now)
    asked = CheckIn(
        meeting.id,
        city.points["00181"],
        "needs_help",
        city.actors["truc.vanmieu"].person_id,
        Source.PAGE,
        trouble="no_sound",
    )
    with db.connection() as connection:
        record_check_in(connection, asked, now)
    with db.transaction() as session:
        call = session.scalars(select(HelpCall)).one()
        take(session, city.actors["kythuat"], call.id, now, today)
    with db.transaction() as session:
        solve(session, city.actors["kythuat"], call.id, "Đã bật micro", now, today)
    ward = {"truc.vanmieu": 1, "vanthu.vanmieu": 1}
    assert told(db) == {"help": dict.fromkeys(ward, 2)}
    read = [each[:2] for each in titles(db, city, "truc.vanmieu")]
    assert read == [
        ("Yêu cầu hỗ trợ đã được xử lý: Giao ban công tác tháng", "Ngô Gia Bảo: Đã bật micro"),
        (
            "Đã có người hỗ trợ: Giao ban công tác tháng",
            "Ngô Gia Bảo đang hỗ trợ điểm cầu của đơn vị.",
        ),
    ]
    new = NewMessage("Tắt micro khi chưa phát biểu", Aim.UNIT, unit="006")
    with db.transaction() as session:
        sent = send(session, city.secretary, meeting.id, new, now, today)
    district = {"thuky.dongda", "truc.dongda", "truc.cattlinh", *ward}
    assert set(told(db)["message"]) == district
    with db.transaction() as session:
        withdraw(session, city.secretary, sent.id, "Nhầm", now, today)
    assert set(told(db)["message"]) == district


@pytest.mark.parametrize("make", [make_city, make_hanoi])
def test_a_sweep_takes_as_many_statements_for_nine_points_as_for_632(
    db: Database, make: Callable[[Session, datetime], City]
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, make(session, utcnow()), utcnow())
    counts = []
    for minutes in (60, 30, 10, 0, -1):
        with counted(db) as statements:
            sweep(db, meeting, minutes)
        counts.append(len(statements))
    assert max(counts) <= 70, counts
