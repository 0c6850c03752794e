"""A small city before and after a reorganisation, and what to look at to see what it did."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from rooms.booking import Occupancy
from rooms.bridge_points import BridgePoint
from rooms.hierarchy import Succession, Unit, UnitAncestry
from rooms.meetings import Meeting, Participation, invited
from rooms.people import Person, RoleGrant
from rooms.reorganisation import Plan, Reorganisation, SuccessionRow, apply, make_plan
from tests.factories import City, unit_rows

# Đống Đa's two wards become one under a code of theirs; Trung Tự takes in nothing and goes on; the
# district ends without a successor; Ba Đình and Phúc Xá go on. Sở Tài chính is renamed.
AFTER = (
    ("01", None, "city", "Thành phố", "Thành phố Hà Nội"),
    ("01-SNV", "01", "department", "Sở", "Sở Nội vụ"),
    ("01-STC", "01", "department", "Sở", "Sở Tài chính và Kế hoạch"),
    ("001", "01", "district", "Quận", "Quận Ba Đình"),
    ("00001", "001", "ward", "Phường", "Phường Phúc Xá"),
    ("00226", "01", "ward", "Phường", "Phường Trung Tự"),
    ("00178", "01", "ward", "Phường", "Phường Văn Miếu - Cát Linh"),
    ("00999", "01", "ward", "Phường", "Phường Mới"),
)
SUCCESSIONS = (
    ("00178", "00178", "whole", True),
    ("00181", "00178", "part", True),
    ("00181", "00999", "part", False),
)


def succession_rows(
    rows: Iterable[tuple[str, str, str, bool]] = SUCCESSIONS,
) -> list[SuccessionRow]:
    return [SuccessionRow(line, *row) for line, row in enumerate(rows, start=2)]


def city_plan(
    units: Iterable[tuple[str, str | None, str, str, str]] = AFTER,
    successions: Iterable[tuple[str, str, str, bool]] = SUCCESSIONS,
) -> Plan:
    return make_plan(unit_rows(units), succession_rows(successions))


def applied(session: Session, city: City, day: date, now: datetime, **more: Any) -> Reorganisation:
    plan = more.pop("plan", None) or city_plan()
    actor = more.pop("actor", city.actors["quantri"])
    return apply(
        session, actor, plan, day, now, name="Sắp xếp", point_name="Điểm cầu {unit}", **more
    )


def standing(session: Session, meeting_id: int) -> dict[str, str]:
    """Who is invited: the unit's name, and the name of the point it joins with."""
    return dict(
        session.execute(
            select(Unit.name, BridgePoint.name)
            .join(Participation, Participation.unit_id == Unit.id)
            .join(BridgePoint, BridgePoint.id == Participation.point_id)
            .where(invited(meeting_id))
            .order_by(Unit.name)
        ).all()
    )


def held_points(session: Session, meeting_id: int) -> set[str]:
    return set(
        session.scalars(
            select(BridgePoint.name)
            .join(Occupancy, Occupancy.point_id == BridgePoint.id)
            .where(Occupancy.meeting_id == meeting_id)
        )
    )


def snapshot(session: Session) -> dict[str, Any]:
    """What a reorganisation touches, as it stands; lines that have no days are left out."""

    def rows(query: Any) -> list[Any]:
        return sorted(map(repr, session.execute(query).all()))

    lived = (Unit.valid_until.is_(None)) | (Unit.valid_until > Unit.valid_from)
    return {
        "units": rows(select(Unit.id, Unit.name, Unit.valid_until).where(lived)),
        "ancestry": rows(
            select(
                UnitAncestry.unit_id,
                UnitAncestry.ancestor_id,
                UnitAncestry.valid_from,
                UnitAncestry.valid_until,
                UnitAncestry.depth,
            )
        ),
        "successions": rows(select(Succession.predecessor_id, Succession.successor_id)),
        "grants": rows(
            select(RoleGrant.person_id, RoleGrant.unit_id, RoleGrant.role, RoleGrant.valid_until)
        ),
        "people": rows(select(Person.id, Person.unit_id)),
        "standing": rows(
            select(
                Participation.meeting_id,
                Participation.unit_id,
                Participation.point_id,
                Participation.is_main,
                Participation.reply,
            ).where(Participation.withdrawn_at.is_(None))
        ),
        "held": rows(
            select(Occupancy.meeting_id, Occupancy.point_id, Occupancy.starts_at, Occupancy.ends_at)
        ),
        "meetings": rows(
            select(Meeting.id, Meeting.host_unit_id, Meeting.main_point_id, Meeting.audience)
        ),
    }
