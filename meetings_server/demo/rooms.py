"""What stands in the demonstration's rooms, who looks after them, and what went wrong there."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from rooms.bridge_points import BridgePoint, points_of
from rooms.devices import add_device, pair, revoke_device
from rooms.endpoints import EndpointKind
from rooms.equipment import Condition, Equipment, EquipmentKind
from rooms.faults import Fault, FaultKind, NewFault, report_fault, solve_fault
from rooms.hierarchy import Tree
from rooms.kernel import civil_day
from rooms.outages import report_outage
from rooms.policies import Actor
from rooms.technicians import PointTechnician

# In every room; the model is that of the level of its unit where two are named.
FURNITURE = (
    (EquipmentKind.CODEC, "Poly G7500", "Poly Studio X30"),
    (EquipmentKind.CAMERA, "Poly EagleEye IV 12x", "Logitech Rally"),
    (EquipmentKind.MICROPHONE, "Shure MXA310", "Jabra Speak 750"),
    (EquipmentKind.DISPLAY, "Samsung QM75C", "LG 55UR8050"),
    (EquipmentKind.LINE, "Mạng TSLCD cấp II, 50 Mbit/s", "Mạng TSLCD cấp II, 20 Mbit/s"),
)
SECOND_ROOMS = {
    "01": ("Phòng họp số 2, tầng 3", 30, "Tầng 3, 79 Đinh Tiên Hoàng, Hoàn Kiếm"),
    "01-SNV": ("Phòng giao ban tầng 2", 16, "Tầng 2, 18B Lê Thánh Tông, Hoàn Kiếm"),
    "001": ("Phòng tiếp công dân", 20, "25 Liễu Giai, Ba Đình"),
    "006": ("Phòng họp tầng 5", 25, "Tầng 5, 59 Hoàng Cầu, Đống Đa"),
}
ADDRESSES = {
    "01": "Phòng 201, tầng 2, 79 Đinh Tiên Hoàng, Hoàn Kiếm",
    "006": "Phòng 302, tầng 3, 59 Hoàng Cầu, Đống Đa",
    "00181": "Hội trường tầng 2, trụ sở UBND phường",
    "00178": "Phòng họp tầng 1, trụ sở UBND phường",
}
LOST_TABLET = "Máy ở bàn lễ tân"
TABLETS = (
    ("00181", "Cửa hội trường tầng 2"),
    ("00181", LOST_TABLET),
    ("006", "Cửa phòng 302"),
    ("01", "Cửa phòng 201"),
)
IN_THE_ROOM = {"truc.vanmieu": "00181", "truc.cattlinh": "00178", "truc.dongda": "006"}


def furnish(session: Session, tree: Tree, actors: dict[str, Actor], now: datetime) -> None:
    """Addresses, second rooms, equipment, technicians, faults and outages; after the people."""
    _add_second_rooms(session, tree)
    points: dict[str, int] = {}
    for unit_id, point in session.execute(
        select(BridgePoint.unit_id, BridgePoint).order_by(BridgePoint.position, BridgePoint.id)
    ):
        code = tree.by_id[unit_id].code
        if code not in points:
            points[code] = point.id
            point.address = ADDRESSES.get(code, "")
    session.flush()
    _add_equipment(session, tree, civil_day(now))
    _add_technicians(session, tree, actors)
    _report_outages(session, tree, actors["kythuat"], now)
    _report_faults(session, points, actors, now)
    _hang_tablets(session, points, actors["kythuat"], now)


def _hang_tablets(
    session: Session, points: dict[str, int], technician: Actor, now: datetime
) -> None:
    """Tablets at three doors; one has been lost."""
    for code, name in TABLETS:
        hung = now - timedelta(days=20)
        device, shown = add_device(
            session, technician, points[code], name, 365, hung, civil_day(now)
        )
        session.flush()
        pair(session, shown, "Mozilla/5.0 (Linux; Android 15; SM-X216B)", hung)
        lost = timedelta(days=6) if name == LOST_TABLET else timedelta()
        device.last_seen_at = now - lost - timedelta(minutes=4)
        if lost:
            revoke_device(session, technician, device.id, now - lost, civil_day(now))


def _add_second_rooms(session: Session, tree: Tree) -> None:
    rows = [
        {
            "unit_id": tree.by_code[code].id,
            "position": 1,
            "name": name,
            "capacity": seats,
            "address": address,
            "endpoint_kind": EndpointKind.CLIENT.value,
            "endpoint_address": "",
            "technician_name": "",
            "technician_phone": "",
        }
        for code, (name, seats, address) in SECOND_ROOMS.items()
        if code in tree.by_code
    ]
    if rows:
        session.execute(insert(BridgePoint), rows)


def _add_equipment(session: Session, tree: Tree, today: date) -> None:
    rows: list[dict[str, Any]] = []
    for point_id, unit_id in session.execute(select(BridgePoint.id, BridgePoint.unit_id)):
        large = tree.by_id[unit_id].level != "ward"
        for number, (kind, in_large, in_small) in enumerate(FURNITURE):
            tired = (point_id * 7 + number) % 97 == 0
            rows.append(
                {
                    "point_id": point_id,
                    "kind": kind.value,
                    "model": in_large if large else in_small,
                    "serial": f"TS-{2020 + point_id % 5}-{point_id:04}{number}",
                    "since": today - timedelta(days=200 + (point_id * 13 + number * 71) % 1500),
                    "note": "Chờ thay thế" if tired else "",
                    "condition": (Condition.FAULTY if tired else Condition.WORKS).value,
                }
            )
        if large:
            rows.append(
                rows[-1]
                | {"kind": EquipmentKind.BACKUP_LINE.value, "model": "Internet FTTH, 100 Mbit/s"}
            )
    session.execute(insert(Equipment), rows)


def _add_technicians(session: Session, tree: Tree, actors: dict[str, Actor]) -> None:
    """The operator of a room first, then the city's technician, who has the city's rooms alone."""
    homes = {
        tree.by_code[code].id: actors[username].person_id
        for username, code in IN_THE_ROOM.items()
        if code in tree.by_code and username in actors
    }
    rows = []
    for point_id, unit_id in session.execute(select(BridgePoint.id, BridgePoint.unit_id)):
        people = [homes[unit_id]] if unit_id in homes else []
        if people or tree.by_id[unit_id].parent_id is None:
            people.append(actors["kythuat"].person_id)
        rows += [
            {"point_id": point_id, "person_id": person_id, "position": position}
            for position, person_id in enumerate(people)
        ]
    session.execute(insert(PointTechnician), rows)


def _report_outages(session: Session, tree: Tree, technician: Actor, now: datetime) -> None:
    """Two points cannot be used: whoever makes a meeting sees which units cannot join, and why."""
    reasons = {"00196": "Sửa chữa phòng họp, thay hệ thống âm thanh", "271": "Đứt cáp quang"}
    for code, reason in reasons.items():
        if code in tree.by_code:
            point = points_of(session, tree.by_code[code].id)[0]
            begins, ends = now - timedelta(hours=20), now + timedelta(days=9)
            report_outage(session, technician, point.id, begins, ends, reason, now)
    if "006" in tree.by_code:
        point = points_of(session, tree.by_code["006"].id)[0]
        begins = now - timedelta(days=40)
        report_outage(
            session,
            technician,
            point.id,
            begins,
            begins + timedelta(days=2),
            "Thay màn hình và đi lại dây mạng",
            begins,
        )


def _report_faults(
    session: Session, points: dict[str, int], actors: dict[str, Actor], now: datetime
) -> None:
    told = (
        ("00181", "truc.vanmieu", FaultKind.SOUND, "Micro bàn chủ tọa lúc được lúc mất.", 26),
        ("271", "kythuat", FaultKind.NETWORK, "Mất tín hiệu mạng TSLCD, nhà mạng báo đứt cáp.", 20),
        ("006", "truc.dongda", FaultKind.PICTURE, "Camera phụ không quay được sang trái.", 70),
    )
    for code, username, kind, text, hours in told:
        if code in points and username in actors:
            noticed = now - timedelta(hours=hours)
            new = NewFault(kind.value, text, noticed)
            report_fault(session, actors[username], points[code], new, noticed)
    past = (
        ("00181", FaultKind.POWER, "Mất điện cả tầng.", "Chuyển sang bộ lưu điện.", 30, 1),
        ("00178", FaultKind.NETWORK, "Mạng chập chờn.", "Thay dây mạng tới bộ chuyển mạch.", 12, 5),
        (
            "006",
            FaultKind.SOUND,
            "Tiếng vọng khi bật loa.",
            "Chỉnh lại khử vọng của codec.",
            21,
            28,
        ),
    )
    for code, kind, text, remedy, days, hours in past:
        if code in points:
            noticed = now - timedelta(days=days)
            new = NewFault(kind.value, text, noticed)
            fault: Fault = report_fault(session, actors["kythuat"], points[code], new, noticed)
            solved = noticed + timedelta(hours=hours)
            solve_fault(session, actors["kythuat"], fault.id, remedy, solved, solved)
