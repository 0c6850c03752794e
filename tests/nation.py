"""A made-up nation with 31,097 bridge points: provinces, districts, wards, nearly all with coordinates.

Its outline is a long country on the sea; a place belongs to the nearest seat, so that provinces and
districts hang together on a map as real ones do. The same seed gives the same nation.
"""

import math
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count, pairwise

from sqlalchemy.orm import Session

from rooms.audience import Rule
from rooms.hierarchy import UnitRow
from rooms.meetings import Meeting
from rooms.people import Role
from tests.factories import City, make_person, scheduled_meeting, settle_units

POINTS = 31_097
DISTRICTS_OF_A_PROVINCE = 20
WITHOUT_PLACE = 50
"""Every 50th ward has no coordinates."""

Place = tuple[float, float]

OUTLINE: Sequence[Place] = (
    (102.15, 22.40), (102.85, 22.60), (103.50, 22.70), (104.80, 23.10), (105.35, 23.35),
    (106.00, 22.95), (106.70, 22.85), (106.60, 22.30), (107.30, 21.90), (108.05, 21.55),
    (107.40, 21.05), (106.80, 20.70), (106.55, 20.20), (105.95, 19.95), (105.75, 19.20),
    (105.85, 18.55), (106.45, 17.95), (106.75, 17.35), (107.60, 16.55), (108.25, 16.15),
    (108.90, 15.30), (109.10, 14.50), (109.25, 13.60), (109.40, 12.70), (109.20, 11.80),
    (108.80, 11.30), (107.80, 10.65), (106.95, 10.40), (106.75, 9.70), (106.10, 9.30),
    (105.20, 8.70), (104.75, 8.60), (104.85, 9.60), (104.45, 10.40), (105.10, 10.95),
    (105.95, 10.90), (106.10, 11.75), (107.40, 12.30), (107.55, 13.00), (107.45, 14.40),
    (107.60, 15.30), (106.90, 16.10), (106.40, 16.80), (105.60, 17.50), (105.10, 18.40),
    (104.30, 18.80), (104.00, 19.40), (104.60, 20.00), (104.40, 20.45), (103.60, 20.80),
    (102.95, 21.30), (102.85, 21.80),
)  # fmt: skip
"""Longitude and latitude of the border, in order."""

PROVINCES = (
    "Bằng Lăng", "Phượng Vĩ", "Hoa Sữa", "Đa Đề", "Sao Đen", "Xà Cừ", "Lim Xanh", "Trắc Đỏ",
    "Gụ Mật", "Sưa Trắng", "Ban Tím", "Muồng Vàng", "Tếch", "Dầu Rái", "Vông Nem", "Lộc Vừng",
    "Sấu", "Nhội", "Cơm Nguội", "Bàng", "Gạo", "Đào", "Mai Vàng", "Mận", "Vải", "Nhãn", "Bưởi",
    "Cam", "Chanh", "Dừa", "Cau", "Tre Ngà", "Trúc", "Đước",
)  # fmt: skip


def nation_rows(points: int = POINTS, seed: int = 1) -> list[UnitRow]:
    """So many units, each of which is to have one bridge point."""
    chance = random.Random(seed)  # noqa: S311 -- a made-up map
    line = count(2)

    def row(code: str, parent: str | None, level: str, name: str, at: Place | None) -> UnitRow:
        kind = {"nation": "quốc gia", "city": "tỉnh", "district": "huyện", "ward": "xã"}[level]
        lon, lat = at or (None, None)
        return UnitRow(
            next(line), code, parent, level, kind, name, lat, lon, f"{code.lower()}@nation.example"
        )

    rows = [row("VN", None, "nation", "Quốc gia", None)]
    seats = _apart(len(PROVINCES), chance)
    provinces: list[list[Place]] = [[] for _ in seats]
    inner = points - 1 - len(seats)
    for place in _inside(inner, chance):
        provinces[_nearest(place, seats)].append(place)
    for number, (name, seat, places) in enumerate(zip(PROVINCES, seats, provinces, strict=True)):
        province = f"{number + 1:02}"
        rows.append(row(province, "VN", "city", f"Tỉnh {name}", seat))
        centres = places[:DISTRICTS_OF_A_PROVINCE]
        for index, centre in enumerate(centres):
            rows.append(
                row(
                    f"{province}-{index + 1:02}",
                    province,
                    "district",
                    f"Huyện {name} {index + 1}",
                    centre,
                )
            )
        for place in places[len(centres) :]:
            district = _nearest(place, centres)
            number_of_row = len(rows)
            rows.append(
                row(
                    f"{number_of_row:05}",
                    f"{province}-{district + 1:02}",
                    "ward",
                    f"Xã {name} {district + 1}.{number_of_row}",
                    None if number_of_row % WITHOUT_PLACE == 0 else place,
                )
            )
    return rows


def _inside(many: int, chance: random.Random) -> Iterator[Place]:
    """Places within the outline, closer together in the two deltas."""
    made = 0
    while made < many:
        if made % 3:
            lon, lat = chance.uniform(102.1, 109.5), chance.uniform(8.5, 23.4)
        else:
            lon, lat = chance.choice(((105.9, 20.9), (106.4, 10.6)))
            lon, lat = chance.gauss(lon, 0.6), chance.gauss(lat, 0.6)
        if _within(lon, lat):
            made += 1
            yield lon, lat


def _within(lon: float, lat: float) -> bool:
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise((*OUTLINE, OUTLINE[0])):
        if (y1 > lat) != (y2 > lat) and lon < x1 + (lat - y1) / (y2 - y1) * (x2 - x1):
            crossings += 1
    return crossings % 2 == 1


def _apart(many: int, chance: random.Random) -> list[Place]:
    """Seats that keep their distance: of some candidates always the one farthest from the others."""
    seats = list(_inside(1, chance))
    while len(seats) < many:
        seats.append(
            max(
                _inside(12, chance), key=lambda place: min(math.dist(place, seat) for seat in seats)
            )
        )
    return seats


def _nearest(place: Place, seats: Sequence[Place]) -> int:
    x, y = place
    distances = [(x - lon) ** 2 + (y - lat) ** 2 for lon, lat in seats]
    return distances.index(min(distances))


def make_nation(session: Session, now: datetime, points: int = POINTS) -> City:
    """The units with a bridge point each, and people of the nation and of the first province."""
    rows = nation_rows(points)
    nation = settle_units(session, rows)
    for username, name, code, role in (
        ("thuky", "Nguyễn Thu Hà", "VN", Role.SECRETARY),
        ("lanhdao", "Đỗ Hoàng Long", "VN", Role.OFFICIAL),
        ("kythuat", "Ngô Gia Bảo", "VN", Role.TECHNICIAN),
        ("thuky.tinh", "Trần Minh Châu", "01", Role.SECRETARY),
    ):
        nation.actors[username] = make_person(session, nation, username, name, "", code, role, now)
    return nation


def national_meeting(session: Session, nation: City, now: datetime) -> Meeting:
    """A conference of all points that begins in half an hour."""
    return scheduled_meeting(
        session,
        nation,
        now,
        title="Hội nghị trực tuyến toàn quốc",
        host_unit_id=nation.units["VN"],
        main_point_id=nation.points["VN"],
        starts_at=now + timedelta(minutes=30),
        audience=[Rule(include=True, by="subtree", unit="VN")],
    )
