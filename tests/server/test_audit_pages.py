"""The record as people meet it: what requests leave there, and who may look through it."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select, text

from meetings_server.audit.capture import named_by
from meetings_server.audit.ledger import AuditEntry
from meetings_server.audit.subjects import OMITTED, SUBJECTS
from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from meetings_server.settings import Settings
from meetings_server.tables import metadata
from meetings_server.web import audit_words
from meetings_server.web.audit_places import PAGES, page_of, record_of
from minutes.papers import attach_paper
from minutes.storage import FolderStore
from rooms.auditing import audited
from rooms.kernel import utcnow
from rooms.people import Person, Role
from tests.counting import counted
from tests.documents import PDF_BYTES
from tests.factories import City, make_person, scheduled_meeting

Client = TestClient[Litestar]
Enter = Callable[[str], None]
SOURCES = Path(__file__).resolve().parents[2]


def newest(db: Database) -> AuditEntry:
    with db.reader() as session:
        return session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()


@pytest.fixture
def paper(db: Database, city: City, settings: Settings) -> str:
    """Address of a paper of a meeting of all units."""
    now = utcnow()
    received = FolderStore(settings.files).put(
        io.BytesIO(PDF_BYTES), "application/pdf", "Báo cáo.pdf", 10**6
    )
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now)
        attach_paper(session, city.secretary, meeting.id, received, now)
        return f"/meetings/{meeting.id}/papers/1"


def test_a_request_says_who_and_from_where(
    client: Client, enter: Enter, db: Database, city: City
) -> None:
    """The context of the middleware reaches the worker thread in which the handler writes."""
    enter("quantri")
    clerk = city.actors["vanthu.vanmieu"].person_id
    client.post(f"/admin/people/{clerk}/deactivate", follow_redirects=False)
    entry = newest(db)
    with db.reader() as session:
        assert not session.get_one(Person, clerk).active
        entries = session.scalars(select(AuditEntry).where(AuditEntry.request == entry.request))
        closed = next(one for one in entries if one.subject == "person")
    assert (closed.act, closed.label) == ("change", "Đặng Thùy Dương")
    assert (json.loads(closed.before), json.loads(closed.after)) == (
        {"active": True},
        {"active": False},
    )
    assert (closed.who, closed.login, closed.address) == ("Đinh Khánh Vân", "session", "testclient")
    assert re.fullmatch(r"[0-9a-f]{16}", closed.request)


def test_a_program_is_known_by_its_token(
    client: Client, db: Database, city: City, paper: str
) -> None:
    with db.transaction() as session:
        secret = create_token(session, city.secretary.person_id, "lịch", utcnow(), 30)
    meeting = paper.split("/")[2]
    answer = client.post(
        f"/api/v1/meetings/{meeting}/cancel",
        json={"reason": "Trùng lịch cấp trên"},
        headers={"authorization": f"Bearer {secret}"},
    )
    answer.raise_for_status()
    with db.reader() as session:
        entry = session.scalars(
            select(AuditEntry).where(AuditEntry.subject == "meeting").order_by(AuditEntry.id.desc())
        ).first()
    assert entry is not None
    assert (entry.who, entry.login) == ("Nguyễn Thu Hà", "token")
    assert json.loads(entry.after)["closing_reason"] == "Trùng lịch cấp trên"


def test_no_document_leaves_without_an_entry(
    client: Client, enter: Enter, db: Database, paper: str
) -> None:
    enter("lanhdao.vanmieu")
    assert client.get(paper).content == PDF_BYTES
    entry = newest(db)
    assert (entry.act, entry.subject, entry.part) == ("download", "meeting_paper", "Báo cáo.pdf")
    assert (entry.who, entry.label) == ("Bùi Thị Lan", "Giao ban công tác tháng")
    with db.connection() as connection:
        connection.execute(text("ALTER TABLE audit_head RENAME TO away"))
    answer = client.get(paper)
    assert answer.status_code >= 500
    assert PDF_BYTES not in answer.content


@pytest.mark.usefixtures("paper")
def test_one_reads_what_was_done_at_ones_units(
    client: Client, enter: Enter, db: Database, city: City
) -> None:
    with db.transaction() as session:
        make_person(session, city, "qt.dongda", "Mai Anh", "", "006", Role.ADMINISTRATOR, utcnow())
        entry_of_city = session.scalars(
            select(AuditEntry.id).where(AuditEntry.subject == "meeting")
        ).first()
    enter("lanhdao")
    assert client.get("/admin/audit").status_code == 403
    assert client.get("/admin/audit.csv").status_code == 403
    enter("quantri")
    assert "Giao ban công tác tháng" in client.get("/admin/audit?subject=meeting").text
    assert client.get(f"/admin/audit/{entry_of_city}").status_code == 200
    with db.transaction() as session:
        district = session.scalars(select(Person.id).where(Person.username == "qt.dongda")).one()
    city.actors["qt.dongda"] = city.actors["quantri"].__class__(district, "", city.units["006"])
    enter("qt.dongda")
    page = client.get("/admin/audit?subject=person").text
    assert "Lê Ngọc Bích" in page
    assert "Đặng Thùy Dương" in page
    assert "Nguyễn Thu Hà" not in page
    assert "Trần Minh Châu" not in page
    assert client.get(f"/admin/audit/{entry_of_city}").status_code == 404


@pytest.mark.usefixtures("paper")
def test_every_filter_is_an_address(client: Client, enter: Enter, db: Database) -> None:
    enter("quantri")

    def numbers(query: str) -> list[int]:
        page = client.get(f"/admin/audit?{query}")
        page.raise_for_status()
        return [int(number) for number in re.findall(r'href="/admin/audit/(\d+)"', page.text)]

    with db.reader() as session:
        meeting = session.scalars(
            select(AuditEntry.record_id).where(AuditEntry.subject == "meeting")
        ).first()
        filed = session.scalars(
            select(AuditEntry.id)
            .where(AuditEntry.record == "meeting", AuditEntry.record_id == str(meeting))
            .order_by(AuditEntry.id.desc())
        ).all()
        people = session.scalars(
            select(AuditEntry.id)
            .where(AuditEntry.subject == "person")
            .order_by(AuditEntry.id.desc())
        ).all()
    assert numbers(f"record=meeting:{meeting}") == list(filed)
    assert numbers("subject=person&act=create") == list(people)
    named = numbers("q=thuy+duong&subject=person")
    assert len(named) == 1
    assert named[0] in people
    assert numbers("from=2026-01-01&to=2026-01-02") == []
    assert numbers("act=login&person=quantri")
    assert numbers("unit=00181&subject=person") < numbers("unit=006&subject=person")
    assert "Không có người dùng nào" in client.get("/admin/audit?person=khong.co").text
    assert client.get("/admin/audit?act=conquer").status_code == 422
    with db.transaction() as session:
        for _ in range(60):
            audited(session, "import", "person", after={"count": 1})
    first = numbers("")
    assert len(first) == 50
    assert numbers(f"before={first[-1]}")[0] == first[-1] - 1


def test_the_page_costs_the_same_for_one_entry_and_for_fifty(
    client: Client, enter: Enter, db: Database, paper: str
) -> None:
    enter("quantri")
    record = paper.split("/")[2]
    costs = []
    for query in (f"subject=meeting&record=meeting:{record}", ""):
        with counted(db) as statements:
            client.get(f"/admin/audit?{query}").raise_for_status()
        costs.append(len(statements))
    assert costs[1] - costs[0] <= 4, "names of units, people, points and meetings"
    assert costs[1] <= 12


@pytest.mark.usefixtures("paper")
def test_what_is_found_can_be_taken_out(client: Client, enter: Enter, db: Database) -> None:
    enter("quantri")
    answer = client.get("/admin/audit.csv?subject=meeting")
    lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert lines[0][:3] == ["Mục", "Khi nào", "Ai"]
    assert lines[1][7:9] == ["Cuộc họp", "Giao ban công tác tháng"]
    assert "Trạng thái: Đã lên lịch" in lines[1][11]
    entry = newest(db)
    assert (entry.act, entry.subject) == ("download", "audit_entry")
    assert json.loads(entry.after) == {"count": 1, "filter": {"subject": "meeting"}}


def test_every_told_field_has_a_word() -> None:
    for table, subject in SUBJECTS.items():
        for column in metadata.tables[table].columns:
            if column.key not in OMITTED | subject.omitted:
                assert column.key in audit_words.FIELDS, f"{table}.{column.key}"
        assert table in audit_words.SUBJECTS


def test_names_are_found_by_the_keys_of_the_tables() -> None:
    assert named_by("meeting", "host_unit_id") == "unit"
    assert named_by("participation", "replied_by") == "person"
    assert named_by("meeting", "title") == ""


def test_a_page_and_its_record_find_each_other() -> None:
    for table in PAGES:
        assert record_of(str(page_of(table, "12"))) == f"{table}:12"
    assert record_of("/meetings/12/edit") == ""
    assert page_of("receipt", "3/5") is None


PAST_THE_RECORD = {
    "meetings_server/backups.py": "brings back a record with all the rest",
    "meetings_server/demo/day.py": "invents the past of a demonstration",
    "meetings_server/demo/past.py": "invents the past of a demonstration",
    "meetings_server/demo/under_way.py": "invents the past of a demonstration",
    "meetings_server/identity/middleware.py": "when a login was last seen",
    "meetings_server/live/hints.py": "wakes other processes",
    "meetings_server/live/writer.py": "the log of attendance",
    "meetings_server/mail/claims.py": "the mail ledger",
    "meetings_server/push/sending.py": "when a browser was last reached",
    "meetings_server/reorganising.py": "how far a run has come",
    "rooms/attendance.py": "the log of attendance",
    "rooms/line_tests.py": "an empty row for the log of the line tests",
    "rooms/message_receipts.py": "the log of who has seen a message",
    "rooms/reorganisation/invitations.py": "a temporary table",
    "rooms/summaries.py": "figures that follow from the log of attendance",
}


def test_nobody_else_writes_past_the_record() -> None:
    """Only sessions are recorded: who takes the bare connection says here for what."""
    bare = re.compile(r"\.connection\(\)|\bbulk_(?:insert|save|update)|engine\.(?:begin|connect)\(")
    found = {
        str(path.relative_to(SOURCES))
        for package in ("rooms", "minutes", "meetings_server")
        for path in (SOURCES / package).rglob("*.py")
        if path.name != "database.py" and "migrations" not in path.parts
        if bare.search(path.read_text(encoding="utf-8"))
    }
    assert found == set(PAST_THE_RECORD)


@pytest.mark.usefixtures("paper")
def test_programs_read_the_record_page_by_page(client: Client, db: Database, city: City) -> None:
    with db.transaction() as session:
        administrator = city.actors["quantri"].person_id
        secret = create_token(session, administrator, "SIEM", utcnow(), 30, ["audit:read"])
    client.headers["authorization"] = f"Bearer {secret}"
    read: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get("/api/v1/audit", params={"limit": "10", "act": "create"} | cursor)
        answer.raise_for_status()
        page = answer.json()
        read += [entry["id"] for entry in page["items"]]
        if "next_cursor" not in page or page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    with db.reader() as session:
        made = session.scalars(
            select(AuditEntry.id).where(AuditEntry.act == "create").order_by(AuditEntry.id)
        ).all()
    assert read == list(made)
    token = page["items"][-1]
    assert (token["subject"], token["label"], token["part"]) == (
        "api_token",
        "Đinh Khánh Vân",
        "SIEM",
    )
    assert "secret_hash" not in token["after"]
    later = client.get("/api/v1/audit", params={"from": "2001-01-01", "to": "2001-01-31"})
    assert later.json()["items"] == []
