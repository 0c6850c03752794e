"""Every change leaves an entry, and the chain of entries shows the first one that was tampered with."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DatabaseError

from meetings_server.audit.chain import Fault, NotedHead, verify
from meetings_server.audit.ledger import HASHED, AuditEntry, AuditHead, hash_of
from meetings_server.audit.subjects import NOT_RECORDED, OMITTED, SUBJECTS
from meetings_server.database import Database
from meetings_server.tables import metadata
from rooms.auditing import Doer, Login, acting, audited
from rooms.bridge_points import BridgePoint
from rooms.kernel import utcnow
from rooms.meetings import AgendaItem, Meeting, Participation, Reply
from rooms.people import Person, Role, RoleGrant
from rooms.replies import Answer, reply
from tests.factories import City, booked_meeting, make_city, scheduled_meeting


def entries(db: Database, after: int = 0) -> list[AuditEntry]:
    with db.reader() as session:
        return list(
            session.scalars(select(AuditEntry).where(AuditEntry.id > after).order_by(AuditEntry.id))
        )


def head(db: Database) -> NotedHead:
    with db.reader() as session:
        return NotedHead(*session.execute(select(AuditHead.count, AuditHead.hash)).one())


def told(entry: AuditEntry) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    return entry.act, entry.subject, json.loads(entry.before), json.loads(entry.after)


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def test_every_table_is_recorded_or_has_its_reason() -> None:
    assert set(metadata.tables) | {"alembic_version"} == set(SUBJECTS) | set(NOT_RECORDED)
    assert not set(SUBJECTS) & set(NOT_RECORDED)


def test_subjects_name_columns_that_are_there() -> None:
    for table, subject in SUBJECTS.items():
        columns = {column.key for column in metadata.tables[table].columns}
        named = {subject.label, subject.unit, subject.done_by} - {""}
        named |= subject.omitted | subject.secret | subject.digested
        if subject.of is not None:
            assert subject.of[0] in SUBJECTS, table
            named.add(subject.of[1])
        assert named <= columns, (table, named - columns)


def test_whatever_is_secret_is_never_told() -> None:
    """Hashes of secrets open nothing, but they can be guessed at: no entry holds one."""
    for table, subject in SUBJECTS.items():
        hidden = OMITTED | subject.omitted | subject.secret | subject.digested
        for column in metadata.tables[table].columns:
            words = set(column.key.split("_"))
            if words & {"secret", "hash", "token", "password", "pin", "sealed", "code"}:
                assert column.key in hidden | {"code", "must_change"}, (table, column.key)


def test_a_change_tells_who_for_whom_from_where_and_what_stood_there(
    db: Database, city: City
) -> None:
    with db.transaction() as session:
        meeting_id = booked_meeting(session, city, utcnow()).id
    known = head(db).number
    doer = Doer(
        city.secretary.person_id,
        city.secretary.name,
        city.chair.person_id,
        Login.SESSION,
        "10.1.2.3",
        "f00d",
    )
    with acting(doer), db.transaction() as session:
        meeting = session.get_one(Meeting, meeting_id)
        meeting.title = "Lần đầu"
        session.flush()
        meeting.title, meeting.join_pin = "Họp giao ban", "1357"
    (entry,) = entries(db, known)
    assert told(entry) == (
        "change",
        "meeting",
        {"join_pin": "•••", "title": "Giao ban công tác tháng"},
        {"join_pin": "•••", "title": "Họp giao ban"},
    )
    assert (entry.who, entry.on_behalf_of) == ("Nguyễn Thu Hà", "Đỗ Hoàng Long")
    assert (entry.login, entry.address, entry.request) == ("session", "10.1.2.3", "f00d")
    assert (entry.label, entry.unit_id) == ("Họp giao ban", city.units["01"])
    assert utcnow() - entry.at < timedelta(minutes=1)


def test_what_is_taken_back_was_never_done(db: Database, city: City) -> None:
    known = head(db)

    def rename() -> None:
        with db.transaction() as session:
            session.get_one(Person, city.chair.person_id).name = "Ai khác"
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        rename()
    assert head(db) == known
    with db.transaction() as session:
        savepoint = session.begin_nested()
        session.get_one(Person, city.chair.person_id).title = "Chủ tịch"
        session.flush()
        savepoint.rollback()
        came_and_went = RoleGrant(
            person_id=city.chair.person_id,
            unit_id=city.units["01"],
            role=Role.SECRETARY.value,
            valid_from=utcnow().date(),
        )
        session.add(came_and_went)
        session.flush()
        session.delete(came_and_went)
        session.get_one(Person, city.chair.person_id).phone = "024 1111 2222"
    (entry,) = entries(db, known.number)
    assert told(entry)[3] == {"phone": "024 1111 2222"}


def test_parts_are_filed_under_their_record(db: Database, city: City) -> None:
    with db.transaction() as session:
        meeting_id = scheduled_meeting(session, city, utcnow()).id
    known = head(db).number
    clerk = city.actors["vanthu.vanmieu"]
    with db.transaction() as session:
        asked = session.scalars(
            select(Participation.id).where(
                Participation.meeting_id == meeting_id,
                Participation.unit_id == city.units["00181"],
            )
        ).one()
        reply(session, clerk, asked, Answer(Reply.ACCEPTED, delegate_name="Bùi Lan"), utcnow())
        item = session.get_one(AgendaItem, (meeting_id, 0))
        session.delete(item)
    answered, dropped = sorted(entries(db, known), key=lambda entry: entry.act)
    assert (answered.record, answered.record_id) == ("meeting", str(meeting_id))
    assert (answered.label, answered.part) == ("Giao ban công tác tháng", "Phường Văn Miếu")
    assert (answered.unit_id, answered.record_unit_id) == (city.units["00181"], city.units["01"])
    assert told(answered)[2]["reply"] == "pending"
    assert told(answered)[3]["reply"] == "accepted"
    assert (dropped.act, dropped.part) == ("delete", "Khai mạc")


@pytest.mark.usefixtures("city")
def test_an_act_of_many_rows_says_so_itself(db: Database) -> None:
    known = head(db).number
    with acting(Doer(name="import-units", login=Login.COMMAND)), db.transaction() as session:
        audited(session, "import", "unit", after={"count": 126, "valid_from": utcnow().date()})
    (entry,) = entries(db, known)
    assert (entry.act, entry.subject, entry.subject_id, entry.who) == (
        "import",
        "unit",
        "",
        "import-units",
    )
    assert json.loads(entry.after)["count"] == 126


def test_statements_are_recorded_as_flushes_are(db: Database, city: City) -> None:
    """What goes past the session's objects is read before and after."""
    wards = [city.units["00181"], city.units["00178"]]
    known = head(db).number
    with db.transaction() as session:
        session.execute(
            update(Person)
            .where(Person.unit_id.in_(wards))
            .values(title=Person.title + " phường", phone=None)
        )
        session.execute(delete(RoleGrant).where(RoleGrant.unit_id == city.units["00178"]))
        session.execute(
            update(BridgePoint), [{"id": city.points["006"], "name": "Hội trường", "capacity": 40}]
        )
    *renamed, ended, moved = entries(db, known)
    assert {(entry.act, entry.subject, entry.label) for entry in renamed} == {
        ("change", "person", name)
        for name in ("Đặng Thùy Dương", "Phạm Văn Tùng", "Bùi Thị Lan", "Hoàng Đức Anh")
    }
    chair = next(entry for entry in renamed if entry.label == "Bùi Thị Lan")
    assert told(chair)[2:] == (
        {"phone": "024 3825 3536", "title": "Chủ tịch"},
        {"phone": None, "title": "Chủ tịch phường"},
    )
    assert (ended.act, ended.label, ended.part) == ("delete", "Hoàng Đức Anh", "Phường Cát Linh")
    assert json.loads(ended.before)["role"] == "operator"
    assert told(moved)[2:] == (
        {"name": "Phòng họp Quận Đống Đa"},
        {"name": "Hội trường"},
    )


def test_many_rows_changed_alike_are_one_entry(db: Database, city: City) -> None:
    known = head(db).number
    with db.transaction() as session:
        meeting_id = scheduled_meeting(session, city, utcnow()).id
    made, *_agenda, invited, sent = entries(db, known)
    assert (made.subject, invited.subject, sent.subject) == ("meeting", *["participation"] * 2)
    assert (invited.act, json.loads(invited.after)["count"]) == ("create", 9)
    assert (sent.act, json.loads(sent.after)["count"], sent.record_id) == (
        "change",
        9,
        str(meeting_id),
    )
    assert json.loads(sent.before) == {"invited_at": None}


# ---- the chain ---------------------------------------------------------------------------------


@contextmanager
def tampering(db: Database) -> Iterator[Any]:
    """Somebody with the database's own password, who takes the triggers off."""
    with db.connection() as connection:
        if db.is_postgresql:
            connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER USER"))
            connection.execute(text("ALTER TABLE audit_head DISABLE TRIGGER USER"))
        else:
            triggers = connection.scalars(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'")
            ).all()
            for name in triggers:
                connection.execute(text(f"DROP TRIGGER {name}"))
        yield connection


def found(db: Database, noted: NotedHead | None = None, newest: int | None = None) -> Any:
    with db.reader() as session:
        broken = verify(session, noted=noted, newest=newest).broken
        return broken and (broken.number, broken.fault)


def rehash(connection: Any, number: int, **changes: str) -> str:
    """Forge an entry so that it fits itself."""
    row = connection.execute(select(AuditEntry.__table__).where(AuditEntry.id == number)).one()
    values = dict(row._mapping) | changes
    forged = hash_of(values["previous_hash"], [values[name] for name in HASHED])
    connection.execute(
        update(AuditEntry).where(AuditEntry.id == number).values(**changes, hash=forged)
    )
    return forged


@pytest.mark.usefixtures("city")
def test_a_whole_chain_is_whole(db: Database) -> None:
    assert head(db).number > 10
    assert found(db) is None
    assert found(db, newest=5) is None
    assert found(db, noted=head(db)) is None


def test_writers_at_the_same_moment_make_one_chain(db: Database, city: City) -> None:
    """Each locks rows of its own in its own order; the head comes last, so nobody waits in a ring."""
    people = [actor.person_id for actor in city.actors.values()]

    def rename(turn: int) -> None:
        with db.transaction() as session:
            order = people if turn % 2 else people[::-1]
            session.get_one(Person, order[turn % 3]).title = f"Lượt {turn}"
            audited(session, "import", "person", after={"turn": turn})

    known = head(db).number
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(rename, range(40)))
    assert head(db).number == known + 80
    assert found(db) is None


@pytest.mark.usefixtures("city")
@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit_entry SET who = 'Không ai' WHERE id = 7", (7, Fault.CHANGED)),
        ("UPDATE audit_entry SET at = '2020-01-01 00:00:00' WHERE id = 7", (7, Fault.CHANGED)),
        ("UPDATE audit_entry SET unit_id = NULL WHERE id = 7", (7, Fault.CHANGED)),
        ("DELETE FROM audit_entry WHERE id = 7", (7, Fault.MISSING)),
        ("DELETE FROM audit_entry WHERE id <= 7", (1, Fault.MISSING)),
        ("DELETE FROM audit_entry WHERE id >= 7", (7, Fault.CUT_OFF)),
        ("UPDATE audit_head SET hash = 'f'", (24, Fault.HEAD)),
        ("UPDATE audit_head SET count = 12", (13, Fault.BEYOND_HEAD)),
    ],
)
def test_the_first_broken_entry_is_named(
    db: Database, statement: str, fault: tuple[int, Fault]
) -> None:
    with tampering(db) as connection:
        connection.execute(text(statement))
    assert found(db) == fault


@pytest.mark.usefixtures("city")
def test_a_forged_entry_breaks_the_next_link_and_the_noted_head(db: Database) -> None:
    noted = head(db)
    with tampering(db) as connection:
        rehash(connection, 7, who="Không ai")
    assert found(db) == (7, Fault.REPLACED)
    with tampering(db) as connection:
        # All the way to the head: only what was written down outside can tell.
        for number in range(8, noted.number + 1):
            previous = connection.scalar(select(AuditEntry.hash).where(AuditEntry.id == number - 1))
            last = rehash(connection, number, previous_hash=previous)
        connection.execute(update(AuditHead).values(hash=last))
    assert found(db) is None
    assert found(db, noted=noted) == (noted.number, Fault.NOTED)


@pytest.mark.usefixtures("city")
def test_a_cut_off_end_shows_in_the_noted_head(db: Database) -> None:
    noted = head(db)
    with tampering(db) as connection:
        connection.execute(text("DELETE FROM audit_entry WHERE id > 9"))
        last = connection.scalar(select(AuditEntry.hash).where(AuditEntry.id == 9))
        connection.execute(update(AuditHead).values(count=9, hash=last))
    assert found(db) is None
    assert found(db, noted=noted) == (10, Fault.CUT_OFF)


@pytest.mark.usefixtures("city")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET who = who WHERE id = 1",
        "DELETE FROM audit_entry WHERE id = 1",
        "UPDATE audit_head SET count = count - 1",
        "DELETE FROM audit_head",
    ],
)
def test_the_database_refuses_to_change_the_record(db: Database, statement: str) -> None:
    with pytest.raises(DatabaseError, match="never changes"), db.connection() as connection:
        connection.execute(text(statement))
    other = (
        "TRUNCATE audit_entry"
        if db.is_postgresql
        else "INSERT OR REPLACE INTO audit_head VALUES (1, 0, '')"
    )
    with pytest.raises(DatabaseError, match="never changes"), db.connection() as connection:
        connection.execute(text(other))
