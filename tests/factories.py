"""Things that tests need to be there: a small city, the whole of Hà Nội, people, a booked meeting.

Everything is made by the domain's own verbs in the caller's transaction:

    with db.transaction() as session:
        city = make_city(session, utcnow())
        meeting = scheduled_meeting(session, city, utcnow())

A `City` knows ids by code and actors by user name, so that it may outlive the session.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from rooms.audience import Rule
from rooms.bridge_points import BridgePoint
from rooms.catalogue import read_shipped
from rooms.endpoints import EndpointKind
from rooms.hierarchy import Unit, UnitRow, import_units
from rooms.kernel import CIVIL_ZONE, civil_day
from rooms.meetings import Meeting, MeetingKind, Participation, invited
from rooms.people import NewPerson, Role, add_person, grant_role
from rooms.policies import Actor
from rooms.scheduling import AgendaEntry, MeetingRequest, book, schedule
from rooms.workdays import add_working_days

VALID_FROM = date(2021, 1, 1)

SMALL_CITY = (
    ("01", None, "city", "Thành phố", "Thành phố Hà Nội"),
    ("01-SNV", "01", "department", "Sở", "Sở Nội vụ"),
    ("01-STC", "01", "department", "Sở", "Sở Tài chính"),
    ("001", "01", "district", "Quận", "Quận Ba Đình"),
    ("006", "01", "district", "Quận", "Quận Đống Đa"),
    ("00001", "001", "ward", "Phường", "Phường Phúc Xá"),
    ("00178", "006", "ward", "Phường", "Phường Cát Linh"),
    ("00181", "006", "ward", "Phường", "Phường Văn Miếu"),
    ("00226", "006", "ward", "Phường", "Phường Trung Tự"),
)

PEOPLE = (
    ("thuky", "Nguyễn Thu Hà", "Thư ký", "01", Role.SECRETARY),
    ("thuky.snv", "Trần Minh Châu", "Văn thư", "01-SNV", Role.SECRETARY),
    ("thuky.dongda", "Lê Ngọc Bích", "Văn thư", "006", Role.SECRETARY),
    ("vanthu.vanmieu", "Đặng Thùy Dương", "Văn thư", "00181", Role.SECRETARY),
    ("truc.vanmieu", "Phạm Văn Tùng", "Cán bộ trực điểm cầu", "00181", Role.OPERATOR),
    ("truc.cattlinh", "Hoàng Đức Anh", "Cán bộ trực điểm cầu", "00178", Role.OPERATOR),
    ("truc.dongda", "Vũ Quang Huy", "Cán bộ trực điểm cầu", "006", Role.OPERATOR),
    ("lanhdao", "Đỗ Hoàng Long", "Phó Chủ tịch", "01", Role.OFFICIAL),
    ("lanhdao.vanmieu", "Bùi Thị Lan", "Chủ tịch", "00181", Role.OFFICIAL),
    ("kythuat", "Ngô Gia Bảo", "Kỹ thuật viên", "01", Role.TECHNICIAN),
    ("quantri", "Đinh Khánh Vân", "Quản trị", "01", Role.ADMINISTRATOR),
)


@dataclass
class City:
    """Ids of units and of their first bridge points by code, and actors by user name."""

    units: dict[str, int]
    points: dict[str, int]
    actors: dict[str, Actor] = field(default_factory=dict)

    @property
    def secretary(self) -> Actor:
        return self.actors["thuky"]

    @property
    def chair(self) -> Actor:
        return self.actors["lanhdao"]


def unit_rows(rows: Iterable[tuple[str, str | None, str, str, str]] = SMALL_CITY) -> list[UnitRow]:
    return [
        UnitRow(line, code, parent, level, kind, name, email=f"vanthu.{code.lower()}@hanoi.example")
        for line, (code, parent, level, kind, name) in enumerate(rows, start=2)
    ]


def make_city(
    session: Session,
    now: datetime,
    rows: Iterable[tuple[str, str | None, str, str, str]] = SMALL_CITY,
) -> City:
    """Nine units with a bridge point each, and the people of `PEOPLE`."""
    return _settle(session, unit_rows(rows), now)


def make_hanoi(session: Session, now: datetime) -> City:
    """All 632 units of Hà Nội in 2021, a bridge point each, and the people of `PEOPLE`."""
    rows = [
        replace(row, email=f"vanthu.{row.code.lower()}@hanoi.example")
        for row in read_shipped("hanoi-2021")
    ]
    return _settle(session, rows, now)


def _settle(session: Session, rows: list[UnitRow], now: datetime) -> City:
    city = settle_units(session, rows)
    for username, name, title, code, role in PEOPLE:
        city.actors[username] = make_person(session, city, username, name, title, code, role, now)
    return city


def settle_units(session: Session, rows: list[UnitRow]) -> City:
    """Units with a bridge point each, and nobody there."""
    import_units(session, rows, VALID_FROM)
    units = dict(session.execute(select(Unit.code, Unit.id).order_by(Unit.position)).all())
    names = {row.code: row.name for row in rows}
    session.execute(
        insert(BridgePoint),
        [
            {
                "unit_id": unit_id,
                "name": f"Phòng họp {names[code]}",
                "capacity": 40,
                "endpoint_kind": EndpointKind.SIP.value,
                "endpoint_address": f"sip:{code}@hop.hanoi.example",
                "technician_name": "Cán bộ kỹ thuật",
                "technician_phone": "0912 345 678",
            }
            for code, unit_id in units.items()
        ],
    )
    points = dict(
        session.execute(
            select(Unit.code, BridgePoint.id).join(Unit, Unit.id == BridgePoint.unit_id)
        ).all()
    )
    return City(units, points)


def make_person(
    session: Session,
    city: City,
    username: str,
    name: str,
    title: str,
    code: str,
    role: Role,
    now: datetime,
) -> Actor:
    """A person at the unit with a code, with one role there."""
    today = civil_day(now)
    person = add_person(
        session,
        NewPerson(username, name, title, f"{username}@hanoi.example", "024 3825 3536"),
        city.units[code],
        today,
    )
    grant_role(session, person.id, role, city.units[code], today - timedelta(days=365))
    return Actor(person.id, person.name, person.unit_id)


def add_points(session: Session, city: City, code: str, count: int) -> list[int]:
    """Further bridge points of a unit; their ids in order."""
    return list(
        session.scalars(
            insert(BridgePoint).returning(BridgePoint.id, sort_by_parameter_order=True),
            [
                {
                    "unit_id": city.units[code],
                    "name": f"Phòng số {number + 2}",
                    "capacity": 12,
                    "endpoint_kind": EndpointKind.NONE.value,
                    "endpoint_address": "",
                    "technician_name": "",
                    "technician_phone": "",
                }
                for number in range(count)
            ],
        )
    )


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """An instant by the clock of the office."""
    return datetime.combine(day, time(hour, minute), CIVIL_ZONE)


def working_day(now: datetime, ahead: int) -> date:
    """The day `ahead` working days after today; from 4 on the notice period is kept."""
    return add_working_days(civil_day(now), ahead)


ALL = (
    Rule(include=True, by="level", level="department"),
    Rule(include=True, by="level", level="district"),
    Rule(include=True, by="level", level="ward"),
)


def meeting_request(city: City, now: datetime, **changes: Any) -> MeetingRequest:
    """A city-wide meeting on the fifth working day, 08:00–10:00; `changes` by field name."""
    start = at(working_day(now, 5), 8)
    request = MeetingRequest(
        title="Giao ban công tác tháng",
        kind=MeetingKind.PERIODIC,
        host_unit_id=city.units["01"],
        main_point_id=city.points["01"],
        chair_id=city.chair.person_id,
        starts_at=start,
        ends_at=start + timedelta(hours=2),
        audience=list(ALL),
        agenda=[AgendaEntry("Khai mạc"), AgendaEntry("Thảo luận", "Các điểm cầu")],
        requirements="Thử đường truyền trước 30 phút.",
        join_url="https://hop.hanoi.example/phong/1000",
        join_address="sip:1000@hop.hanoi.example",
        join_pin="246810",
    )
    if "starts_at" in changes and "ends_at" not in changes:
        changes["ends_at"] = changes["starts_at"] + timedelta(hours=2)
    return replace(request, **changes)


def booked_meeting(
    session: Session, city: City, now: datetime, actor: Actor | None = None, **changes: Any
) -> Meeting:
    """A draft that holds its points."""
    request = meeting_request(city, now, **changes)
    return book(session, actor or city.secretary, request, now).meeting


def scheduled_meeting(
    session: Session, city: City, now: datetime, actor: Actor | None = None, **changes: Any
) -> Meeting:
    """A meeting whose invitation has gone out."""
    meeting = booked_meeting(session, city, now, actor, **changes)
    return schedule(
        session, actor or city.secretary, meeting.id, now, late_reason="Theo chỉ đạo của Chủ tịch"
    )


def participation_of(session: Session, meeting_id: int, unit_id: int) -> Participation:
    """The invitation of a unit to a meeting."""
    return session.scalars(
        select(Participation).where(invited(meeting_id), Participation.unit_id == unit_id)
    ).one()
