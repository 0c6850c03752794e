"""Fills an empty database for the demonstration; everything goes through the domain's own verbs."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.demo.concluded import hold_and_minute
from meetings_server.demo.day import (
    ALL_LEVELS,
    NOTICE,
    Host,
    at,
    book_and_invite,
    hold_yesterday,
    host_of,
)
from meetings_server.demo.line_tests import seed_line_tests
from meetings_server.demo.papers import attach_programme, seed_papers
from meetings_server.demo.past import seed_past
from meetings_server.demo.people import ACCOUNTS, PASSWORD
from meetings_server.demo.rooms import furnish
from meetings_server.identity.passwords import Credential, keep_password
from rooms.audience import Rule
from rooms.bridge_points import BridgePoint
from rooms.endpoints import EndpointKind
from rooms.entrustment import Mandate, entrust
from rooms.hierarchy import Tree, Unit, UnitRow, import_units, load_tree
from rooms.kernel import civil_day
from rooms.lending import Act
from rooms.meetings import MeetingKind
from rooms.particulars import MeetingRequest
from rooms.people import NewPerson, add_person, grant_role
from rooms.policies import Actor
from rooms.scheduling import book
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
        host = host_of(session, now)
        furnish(session, tree, actors, now)
    hold_yesterday(database, host, now)
    if files is not None:
        hold_and_minute(database, host, actors["lanhdao"], files, now)
    for request, invited_at in _meetings(host, now):
        meeting_id = book_and_invite(database, host.actor, request, invited_at, now)
        if request.kind is MeetingKind.PERIODIC:
            # The rehearsal of the day before.
            with database.transaction() as session:
                seed_line_tests(session, meeting_id, host.actor.person_id, now, 0.6)
        if files is not None and request.kind is MeetingKind.PERIODIC:
            attach_programme(database, host.actor, meeting_id, files, now)
    _draft(database, host, now)
    with database.transaction() as session:
        seed_past(session, tree, host, now)
    if files is not None:
        seed_papers(database, actors, files, now)


def _draft(database: Database, host: Host, now: datetime) -> None:
    """A meeting that is not sent yet: it holds its rooms and nobody has been told."""
    request = host.request(
        "Hội nghị triển khai kế hoạch cải cách hành chính năm tới",
        MeetingKind.CONFERENCE,
        at(add_working_days(civil_day(now), 9), 14),
        2,
        [*ALL_LEVELS[:2]],
        "Dự thảo kế hoạch",
        "Thảo luận",
    )
    with database.transaction() as session:
        book(session, host.actor, request, now - timedelta(hours=3))


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
    actors: dict[str, Actor] = {}
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
        _give_password(session, person.id, actors, now)
        actors[account.username] = Actor(person.id, person.name, unit.id)
    _let_a_clerk_act(session, actors, now)
    return actors


def _let_a_clerk_act(session: Session, actors: dict[str, Actor], now: datetime) -> None:
    """The ward's clerk answers and reads on behalf of its chair; signing stays with her."""
    chair, clerk = actors["lanhdao.vanmieu"], actors["vanthu.vanmieu"]
    today = civil_day(now)
    acts = [Act.REPLIES, Act.MINUTES, Act.DIRECTIVES]
    entrust(
        session,
        chair,
        Mandate(chair.person_id, clerk.person_id, acts, today, today + timedelta(days=180)),
        now,
    )


def _give_password(
    session: Session, person_id: int, before: dict[str, Actor], now: datetime
) -> None:
    """All accounts share one password, so its costly hash is made once."""
    if not before:
        keep_password(session, person_id, PASSWORD, now)
        return
    first = session.get_one(Credential, next(iter(before.values())).person_id)
    session.add(Credential(person_id=person_id, password_hash=first.password_hash, changed_at=now))


def _meetings(host: Host, now: datetime) -> list[tuple[MeetingRequest, datetime]]:
    """Meetings of the next days, each with the instant at which its invitation went out."""
    today = civil_day(now)
    departments, districts, wards = ALL_LEVELS
    next_day, later = add_working_days(today, 1), add_working_days(today, 5)
    return [
        (
            host.request(
                "Giao ban công tác tháng của UBND Thành phố",
                MeetingKind.PERIODIC,
                at(next_day, 8),
                2.5,
                [departments, districts],
                "Tình hình kinh tế – xã hội trong tháng",
                "Giải ngân vốn đầu tư công",
                "Nhiệm vụ tháng tới",
            ),
            now - NOTICE,
        ),
        (
            host.request(
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
            host.request(
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
