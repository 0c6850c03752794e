"""Fills an empty database for the demonstration; everything goes through the domain's own verbs."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.demo.papers import seed_papers
from meetings_server.demo.people import ACCOUNTS, PASSWORD
from meetings_server.identity.passwords import set_password
from rooms.audience import Rule
from rooms.booking import BookingConflict
from rooms.bridge_points import BridgePoint, EndpointKind, points_of
from rooms.hierarchy import Tree, Unit, UnitRow, import_units, load_tree
from rooms.kernel import CIVIL_ZONE, civil_day
from rooms.meetings import MeetingKind
from rooms.people import NewPerson, Person, add_person, grant_role
from rooms.policies import Actor
from rooms.scheduling import AgendaEntry, MeetingRequest, book, schedule
from rooms.workdays import add_working_days

VALID_FROM = date(2021, 1, 1)
FIRST_SIP = 1000


def is_seeded(database: Database) -> bool:
    with database.reader() as session:
        return bool(session.scalar(select(func.count()).select_from(Unit)))


def seed(
    database: Database, units: Iterable[UnitRow], now: datetime, files: Path | None = None
) -> None:
    """Units with an official address and a bridge point each, people, meetings around now, papers.

    `files`: the folder of the documents; without one there are none.
    """
    with database.transaction() as session:
        import_units(session, [_with_address(row) for row in units], VALID_FROM)
        tree = load_tree(session, civil_day(now))
        _add_points(session, tree)
        actors = _add_people(session, tree, now)
    for request, at in _meetings(database, tree, now):
        _book(database, actors["thuky"], request, at)
    if files is not None:
        seed_papers(database, actors, files, now)


def _with_address(row: UnitRow) -> UnitRow:
    return replace(
        row,
        email=row.email or f"vanthu.{row.code.lower()}@hanoi.example",
        phone=row.phone
        or f"024 38{sum(map(ord, row.code)) % 100:02} {len(row.name):02}{row.line % 100:02}",
    )


def _add_points(session: Session, tree: Tree) -> None:
    session.execute(
        insert(BridgePoint),
        [
            {
                "unit_id": node.id,
                "name": f"Phòng họp trực tuyến {node.name}",
                "capacity": {"city": 120, "department": 40, "district": 60}.get(node.level, 24),
                "endpoint_kind": EndpointKind.SIP.value,
                "endpoint_address": f"sip:{FIRST_SIP + number}@hop.hanoi.example",
                "technician_name": "Cán bộ kỹ thuật",
                "technician_phone": f"09{number % 90 + 10} {number:03} {(number * 37) % 1000:03}",
            }
            for number, node in enumerate(tree.by_id.values())
        ],
    )


def _add_people(session: Session, tree: Tree, now: datetime) -> dict[str, Actor]:
    today = civil_day(now)
    actors = {}
    for account in ACCOUNTS:
        unit = tree.by_code.get(account.unit, tree.roots[0])
        person = add_person(
            session,
            NewPerson(
                account.username,
                account.name,
                account.title,
                f"{account.username}@hanoi.example",
                "024 3825 3536",
            ),
            unit.id,
            today,
        )
        grant_role(session, person.id, account.role, unit.id, today - timedelta(days=365))
        set_password(session, person.id, PASSWORD, now)
        actors[account.username] = Actor(person.id, person.name, unit.id)
    return actors


def _meetings(
    database: Database, tree: Tree, now: datetime
) -> list[tuple[MeetingRequest, datetime]]:
    """Meetings around now, each with the instant at which its invitation went out."""
    city = tree.roots[0]
    with database.reader() as session:
        main_point = points_of(session, city.id)[0].id
        chair = session.scalars(select(Person.id).where(Person.username == "lanhdao")).one()
    today = civil_day(now)

    def at(day: date, hour: int, minute: int = 0) -> datetime:
        return datetime.combine(day, time(hour, minute), CIVIL_ZONE)

    def request(
        title: str, kind: MeetingKind, start: datetime, hours: float, rules: list[Rule], *items: str
    ) -> MeetingRequest:
        return MeetingRequest(
            title=title,
            kind=kind,
            host_unit_id=city.id,
            main_point_id=main_point,
            chair_id=chair,
            starts_at=start,
            ends_at=start + timedelta(hours=hours),
            audience=rules,
            agenda=[AgendaEntry(item) for item in items],
            requirements="Các điểm cầu kiểm tra đường truyền trước giờ họp 30 phút.",
            join_url="https://hop.hanoi.example/phong/1000",
            join_address="sip:1000@hop.hanoi.example",
            join_pin="246810",
        )

    departments = Rule(include=True, by="level", level="department")
    districts = Rule(include=True, by="level", level="district")
    wards = Rule(include=True, by="level", level="ward")
    notice = timedelta(days=10)
    soon = _next_quarter(now + timedelta(minutes=4))
    next_day, later = add_working_days(today, 1), add_working_days(today, 5)
    return [
        (
            request(
                "Hội nghị trực tuyến toàn Thành phố về chuyển đổi số và cải cách hành chính",
                MeetingKind.CONFERENCE,
                soon,
                2,
                [departments, districts, wards],
                "Khai mạc, giới thiệu đại biểu",
                "Báo cáo kết quả chuyển đổi số 9 tháng",
                "Thảo luận tại các điểm cầu",
                "Kết luận của chủ trì",
            ),
            now - notice,
        ),
        (
            request(
                "Giao ban công tác tháng của UBND Thành phố",
                MeetingKind.PERIODIC,
                at(next_day, 8),
                2.5,
                [departments, districts],
                "Tình hình kinh tế – xã hội trong tháng",
                "Giải ngân vốn đầu tư công",
                "Nhiệm vụ tháng tới",
            ),
            now - notice,
        ),
        (
            request(
                "Tập huấn tiếp nhận hồ sơ trực tuyến cho phường, xã, thị trấn",
                MeetingKind.TRAINING,
                at(later, 14),
                2,
                [wards],
                "Quy trình tiếp nhận",
                "Giải đáp vướng mắc",
            ),
            now - timedelta(days=1),
        ),
        (
            request(
                "Rà soát phương án phòng cháy, chữa cháy tại Quận Đống Đa",
                MeetingKind.THEMATIC,
                at(add_working_days(today, 7), 9),
                1.5,
                [Rule(include=True, by="subtree", unit="006")],
                "Báo cáo của Quận",
                "Ý kiến các phường",
            ),
            now - timedelta(days=1),
        ),
    ]


def _next_quarter(instant: datetime) -> datetime:
    start = instant.replace(second=0, microsecond=0)
    return start + timedelta(minutes=-start.minute % 5)


def _book(database: Database, actor: Actor, request: MeetingRequest, at: datetime) -> None:
    try:
        with database.transaction() as session:
            booked = book(session, actor, request, at)
            schedule(session, actor, booked.meeting.id, at, late_reason="Theo chỉ đạo")
    except BookingConflict as conflict:
        # Near midnight the day's meetings may run into each other; the demonstration has the rest.
        if not conflict.clashes:
            raise
