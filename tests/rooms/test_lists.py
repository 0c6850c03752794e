"""Lists of units, points and people: planned within one's rights, then done whole or not at all."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from rooms.administrators import LastAdministrator
from rooms.bridge_points import BridgePoint
from rooms.catalogue import read_shipped, write_units
from rooms.directory import listed_rows
from rooms.equipment import Equipment, EquipmentFacts, add_equipment
from rooms.hierarchy import Unit, ancestors_of, import_units, unit_by_code
from rooms.kernel import civil_day, utcnow
from rooms.lists import ListNotSound, PlanChanged, people, points, units
from rooms.lists.lost_zeros import restored_sheet
from rooms.people import Person, RoleGrant
from rooms.policies import Actor
from rooms.sheets import Sheet, read_sheet, write_csv, write_xlsx
from tests.factories import VALID_FROM, City, make_city

NOW = utcnow()
TODAY = civil_day(NOW)
UNIT_HEAD = "code,parent_code,level,kind,name,email\n"


def units_sheet(text: str | bytes) -> Sheet:
    return read_sheet(text.encode() if isinstance(text, str) else text, units.COLUMNS)


def people_sheet(text: str) -> Sheet:
    return read_sheet(text.encode(), people.COLUMNS)


def points_sheet(text: str) -> Sheet:
    return read_sheet(text.encode(), points.COLUMNS)


def plan_units(session: Session, text: str | bytes, actor: Actor | None = None) -> units.UnitPlan:
    return units.plan_units(session, actor, units_sheet(text), TODAY, TODAY)


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, NOW)


def by_law(text: str) -> str:
    """A list as a spreadsheet saves it that takes codes for numbers."""
    return "\n".join(
        ",".join(cell.lstrip("0") if cell.isdigit() else cell for cell in line.split(","))
        for line in text.splitlines()
    )


def test_an_export_of_units_changes_nothing(db: Database, city: City) -> None:
    assert city.units
    with db.reader() as session:
        rows = listed_rows(session, TODAY)
        plan = plan_units(session, write_units(rows))
        assert (plan.new, plan.changed, plan.unchanged, plan.faults) == ([], [], len(rows), [])


def test_a_province_brings_in_its_wards_and_nothing_else(db: Database, city: City) -> None:
    with db.transaction() as session:
        session.add(
            RoleGrant(
                person_id=city.actors["thuky.dongda"].person_id,
                unit_id=city.units["006"],
                role="administrator",
                valid_from=TODAY,
            )
        )
    mine = city.actors["thuky.dongda"]
    wards = "00990,006,ward,Phường,Phường Mới,\n00991,00990,hamlet,Tổ,Tổ 1,\n"
    with db.transaction() as session:
        plan = plan_units(
            session, UNIT_HEAD + wards + "00181,006,ward,Phường,Phường Văn Miếu,x@y.vn\n", mine
        )
        assert [(entry.key, entry.note) for entry in plan.new] == [
            ("00990", "Quận Đống Đa"),
            ("00991", "Phường Mới"),
        ]
        assert [tuple(entry.differences[0]) for entry in plan.changed] == [
            ("email", "vanthu.00181@hanoi.example", "x@y.vn")
        ]
        units.carry_out_units(session, plan, plan.digest)
        hamlet = unit_by_code(session, "00991", TODAY)
        assert [unit.code for unit in ancestors_of(session, hamlet.id, TODAY)] == [
            "01",
            "006",
            "00990",
        ]
        assert unit_by_code(session, "00181", TODAY).email == "x@y.vn"
    with db.reader() as session:
        beyond = plan_units(
            session,
            UNIT_HEAD
            + "00992,001,ward,Phường,A,\n"
            + "79,,city,Thành phố,B,\n"
            + "00001,001,ward,Phường,Phường Phúc Xá,x@y.vn\n",
            mine,
        )
        assert [fault[:3] for fault in beyond.faults] == [
            (2, "parent_code", "not_yours"),
            (3, "parent_code", "not_yours"),
            (4, "code", "not_yours"),
        ]


def test_names_and_places_are_not_changed_by_a_list(db: Database, city: City) -> None:
    text = UNIT_HEAD + "00181,001,ward,Phường,Phường Khác,\n00181,006,ward,Phường,X,\n"
    with db.transaction() as session:
        plan = plan_units(session, text)
        assert [fault[:3] for fault in plan.faults] == [
            (2, "name", "needs_reorganisation"),
            (2, "parent_code", "needs_reorganisation"),
            (3, "code", "doubled"),
        ]
        with pytest.raises(ListNotSound):
            units.carry_out_units(session, plan)
    with db.reader() as session:
        assert session.scalar(select(func.count()).select_from(Unit)) == len(city.units)


def test_zeros_that_are_gone_are_named_and_put_back(db: Database) -> None:
    rows = read_shipped("hanoi-2021")
    sheet = units_sheet(by_law(write_units(rows).decode("utf-8-sig")))
    with db.transaction() as session:
        plan = units.plan_units(session, None, sheet, TODAY, TODAY)
        assert not plan.sound
        fours = [lost.restored for lost in plan.lost if (lost.column, lost.value) == ("code", "4")]
        assert fours == ["004", "00004"]
        whole = restored_sheet(sheet, plan.lost)
        again = units.plan_units(session, None, whole, TODAY, TODAY)
        assert again.sound
        units.carry_out_units(session, again)
    with db.reader() as session:
        assert [row.code for row in listed_rows(session, TODAY)] == [row.code for row in rows]
        kept = units.plan_units(session, None, sheet, TODAY, TODAY, zeros=False)
        assert kept.lost == []


def test_what_was_looked_at_is_what_is_done(db: Database, city: City) -> None:
    text = UNIT_HEAD + "00181,006,ward,Phường,Phường Văn Miếu,x@y.vn\n"
    with db.reader() as session:
        seen = plan_units(session, text).digest
    with db.transaction() as session:
        session.get_one(Unit, city.units["00181"]).email = "other@y.vn"
    with db.transaction() as session, pytest.raises(PlanChanged):
        units.carry_out_units(session, plan_units(session, text), seen)


PEOPLE_HEAD = "username,name,title,email,phone,unit_code,roles\n"


def plan_people(session: Session, actor: Actor, text: str) -> people.PeoplePlan:
    return people.plan_people(
        session, actor, people_sheet(PEOPLE_HEAD + text), TODAY, words={"thu ky": "secretary"}
    )


def roles_of(session: Session, username: str) -> list[tuple[str, str, date, date | None]]:
    found = session.execute(
        select(RoleGrant.role, Unit.code, RoleGrant.valid_from, RoleGrant.valid_until)
        .join(Unit, Unit.id == RoleGrant.unit_id)
        .join(Person, Person.id == RoleGrant.person_id)
        .where(Person.username == username)
        .order_by(RoleGrant.id)
    )
    return [(role, unit, first, until) for role, unit, first, until in found]


def test_an_export_of_people_and_points_changes_nothing(db: Database, city: City) -> None:
    admin = city.actors["quantri"]
    with db.transaction() as session:
        facts = EquipmentFacts("camera", "A|B; C\\D", "7", date(2025, 1, 2), note="hai  dòng\nx")
        add_equipment(session, admin, city.points["00181"], facts, TODAY)
        add_equipment(session, admin, city.points["00181"], EquipmentFacts("micro"), TODAY)
    with db.reader() as session:
        for listed, rows, plan in (
            (people, people.people_rows, people.plan_people),
            (points, points.point_rows, points.plan_points),
        ):
            told = rows(session, admin, TODAY)
            for content in (
                write_csv(listed.COLUMNS, told),
                write_xlsx(listed.COLUMNS, told, "list"),
            ):
                made = plan(session, admin, read_sheet(content, listed.COLUMNS), TODAY)
                assert (made.new, made.changed, made.faults, made.lost) == ([], [], [], [])
                assert made.unchanged == len(told) > 5


def test_people_are_brought_in_changed_and_given_roles(db: Database, city: City) -> None:
    admin = city.actors["quantri"]
    text = (
        "nv.moi,Nguyễn Văn Mới,Văn thư,moi@hanoi.vn,0912000111,00178,"
        "Thư ký@00178:2026-01-01..31/12/2030; operator@006\n"
        "truc.vanmieu,Phạm Văn Tùng,Tổ trưởng,,,00178,operator@00178\n"
    )
    with db.transaction() as session:
        before = roles_of(session, "truc.vanmieu")
        plan = plan_people(session, admin, text)
        assert [entry.key for entry in plan.new] == ["nv.moi"]
        (changed,) = plan.changed
        assert {change.column: change.after for change in changed.differences} == {
            "title": "Tổ trưởng",
            "email": "",
            "phone": "",
            "unit_code": "00178",
            "roles": f"operator@00178:{TODAY}..",
        }
        (person,) = people.carry_out_people(session, plan, plan.digest)
        assert (person.username, person.email) == ("nv.moi", "moi@hanoi.vn")
        assert roles_of(session, "nv.moi") == [
            ("secretary", "00178", date(2026, 1, 1), date(2031, 1, 1)),
            ("operator", "006", TODAY, None),
        ]
        gone = [(role, unit, first, TODAY) for role, unit, first, _ in before if first < TODAY]
        assert roles_of(session, "truc.vanmieu") == [*gone, ("operator", "00178", TODAY, None)]
        assert plan_people(session, admin, text).unchanged == 2


def test_nobody_gives_more_than_they_may(db: Database, city: City) -> None:
    clerk = city.actors["thuky.dongda"]
    with db.transaction() as session:
        session.add(
            RoleGrant(
                person_id=clerk.person_id,
                unit_id=city.units["006"],
                role="administrator",
                valid_from=TODAY - timedelta(days=1),
            )
        )
        session.add(
            RoleGrant(
                person_id=city.actors["truc.vanmieu"].person_id,
                unit_id=city.units["01"],
                role="operator",
                valid_from=TODAY,
            )
        )
    with db.reader() as session:
        told = {row[0]: row for row in people.people_rows(session, clerk, TODAY)}
        assert "quantri" not in told
        elsewhere = told["truc.vanmieu"][-1]
        plan = plan_people(
            session,
            clerk,
            "a,A,,,,001,\n"
            "b,B,,,,00181,secretary@01\n"
            "quantri,Q,,,,00181,\n"
            f"truc.vanmieu,Phạm Văn Tùng,,x@y.vn,,00181,{elsewhere}\n"
            "truc.cattlinh,Hoàng Đức Anh,,,,00178,king@00178\n"
            "b,B,,,,00181,\n"
            "c d,C,,,,4,secretary@00181:2020-01-01..2021-01-01\n",
        )
        assert [fault[:3] for fault in plan.faults] == [
            (2, "unit_code", "not_yours"),
            (3, "roles", "role_not_yours"),
            (4, "username", "not_yours"),
            (5, "username", "roles_elsewhere"),
            (6, "roles", "unknown_role"),
            (7, "username", "doubled"),
            (8, "unit_code", "unknown_unit"),
            (8, "username", "has_spaces"),
        ]


def test_the_last_administrator_stays(db: Database, city: City) -> None:
    admin = city.actors["quantri"]
    with db.transaction() as session:
        plan = plan_people(session, admin, "quantri,Đinh Khánh Vân,Quản trị,,,01,official@01\n")
        assert plan.sound
        with pytest.raises(LastAdministrator):
            people.carry_out_people(session, plan)
    with db.reader() as session:
        assert [role for role, *_ in roles_of(session, "quantri")] == ["administrator"]


def test_points_are_brought_in_and_changed(db: Database, city: City) -> None:
    admin = city.actors["quantri"]
    head = "unit_code,unit_name,name,capacity,endpoint_kind,endpoint_address,technician_phone,equipment\n"
    text = (
        head
        + "00181,,Phòng họp Phường Văn Miếu,55.0,sip,sip:00181@hop.hanoi.example,0912 345 678,camera|Rally\n"
        + "006,,Hội trường,200,none,,,\n"
    )
    with db.transaction() as session:
        plan = points.plan_points(session, admin, points_sheet(text), TODAY)
        assert [entry.name for entry in plan.new] == ["Hội trường"]
        (changed,) = plan.changed
        assert [tuple(change) for change in changed.differences] == [
            ("capacity", "40", "55"),
            ("equipment", "", "camera|Rally"),
        ]
        points.carry_out_points(session, plan, plan.digest)
        again = points.plan_points(session, admin, points_sheet(text), TODAY)
        assert (again.new, again.changed, again.unchanged) == ([], [], 2)
        hall = session.scalars(select(BridgePoint).where(BridgePoint.name == "Hội trường")).one()
        assert (hall.unit_id, hall.position, hall.capacity) == (city.units["006"], 1, 200)
        assert session.scalars(select(Equipment.model)).all() == ["Rally"]


def test_faults_of_points_name_their_cells(db: Database, city: City) -> None:
    clerk = city.actors["thuky.dongda"]
    point = city.points["001"]
    text = (
        "point_id,unit_code,unit_name,name,capacity,endpoint_kind,endpoint_address,technician_phone,equipment\n"
        ",181,Phường Văn Miếu,A,,sip,sip:a@b.vn,912345678,\n"
        ",001,,A,,,,,\n"
        f"{point},006,,A,,,,,\n"
        ",006,,,many,carrier pigeon,,call me,|x\n"
    )
    with db.reader() as session:
        plan = points.plan_points(session, clerk, points_sheet(text), TODAY)
        assert [(lost.line, lost.column, lost.restored) for lost in plan.lost] == [
            (2, "unit_code", "00181"),
            (2, "technician_phone", "0912345678"),
        ]
        assert [fault[:3] for fault in plan.faults] == [
            (3, "unit_code", "not_yours"),
            (4, "unit_code", "another_unit"),
            (5, "capacity", "not_a_number"),
            (5, "endpoint_kind", "unknown"),
            (5, "equipment", "equipment_unreadable"),
            (5, "name", "missing"),
            (5, "technician_phone", "not_a_telephone"),
        ]


def test_an_ambiguous_code_is_named_but_not_put_back(db: Database) -> None:
    with db.transaction() as session:
        rows = [replace(row) for row in read_shipped("hanoi-2021")]
        import_units(session, rows, VALID_FROM)
        admin = Actor(0, "nobody", 0)
        sheet = points_sheet("unit_code,unit_name,name\n1,,A\n1,Quận Ba Đình,B\n4.0,,C\n")
        plan = points.plan_points(session, admin, sheet, TODAY)
        assert [(lost.value, lost.restored, lost.candidates) for lost in plan.lost] == [
            ("1", None, ("01", "001", "00001")),
            ("1", "001", ("01", "001", "00001")),
            ("4.0", None, ("004", "00004")),
        ]
