"""A nation of 11,372 units beside Hà Nội with 632: bringing it in, and the pages that show or search it.

    python -m tests.load.units [--nation FILE] [--provinces 63] [--runs 9] [--url sqlite:///…]

Brings both lists in as CSV and as XLSX, through the plan of the import command and through the page,
then asks for the tree, the opening of a unit, searches, the picker of an audience, the preview of a
meeting for the wards of one district, and the units of the API. Prints the median of the whole request
for both, the computing in it, the ratio of that, and the largest number of SQL statements. Without a file the nation is made up
in the shape of the real one: 63 provinces, 705 districts, 10,603 wards. `--url` is an empty database,
used for the nation.
"""

import argparse
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import insert, select

from meetings_server.app import create_app
from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.identity.sessions import COOKIE, open_session
from meetings_server.identity.tokens import create_token
from meetings_server.migrations import migrate
from meetings_server.settings import Settings
from meetings_server.web.list_kinds import KINDS
from rooms.bridge_points import BridgePoint
from rooms.catalogue import read_shipped, units_of, write_units
from rooms.hierarchy import Unit, UnitRow, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.lists import units
from rooms.people import NewPerson, Person, Role, add_person, grant_role
from rooms.sheets import write_xlsx
from tests.counting import counted

FIRST_DAY = date(2021, 1, 1)
DISTRICTS, WARDS = 705 / 63, 10_603 / 705
"""Per province, per district."""
_NAMES = ("Ba Đình", *["Yên Sơn"] * 19)


class Watch:
    """Seconds since it was made, by the clock and of computing."""

    def __init__(self) -> None:
        self._clock, self._computing = time.perf_counter(), time.process_time()

    def __str__(self) -> str:
        clock, computing = (
            time.perf_counter() - self._clock,
            time.process_time() - self._computing,
        )
        return f"{clock:6.2f} s (computing {computing:.2f} s)"


def nation(provinces: int) -> list[UnitRow]:
    """A nation of made-up units in the shape of 2021."""
    rows = [UnitRow(2, "VN", None, "nation", "quốc gia", "Việt Nam")]

    def add(code: str, parent: str, level: str, kind: str, name: str) -> None:
        rows.append(UnitRow(len(rows) + 2, code, parent, level, kind, name, 21.0, 105.5))

    districts = wards = 0
    for number in range(1, provinces + 1):
        province = f"{number:02}"
        add(province, "VN", "city", "tỉnh", f"Tỉnh Số {number}")
        while districts < round(number * DISTRICTS):
            districts += 1
            district = f"{districts:03}"
            add(
                district,
                province,
                "district",
                "huyện",
                f"Huyện {_NAMES[districts % 20]} {districts}",
            )
            while wards < round(districts * WARDS):
                wards += 1
                name = "Đống Đa" if wards % 50 == 0 else "Tân Lập"
                add(f"{wards:05}", district, "ward", "xã", f"Xã {name} {wards}")
    return rows


@dataclass
class Standing:
    """A server with one of the two lists, and who asks it."""

    database: Database
    client: TestClient[Litestar]
    token: str
    district: str
    """Code of a unit with wards below it."""
    above: int
    """Id of the unit above that one."""
    host: dict[str, str]


def stand(url: str, folder: Path, rows: list[UnitRow], told: str) -> Standing:
    """Bring the list in, in every way, then equip each unit with a point."""
    migrate(url)
    database = Database(url, [apply_effects])
    kind = KINDS["units"]
    csv_file = write_units(rows)
    cells = [[getattr(row, column) for column in units.COLUMNS] for row in rows]
    xlsx_file = write_xlsx(units.COLUMNS, cells, "units")
    today = civil_day(utcnow())
    for ending, content in (("csv", csv_file), ("xlsx", xlsx_file)):
        watch = Watch()
        with database.transaction() as session:
            plan = kind.plan(session, None, kind.read(content), FIRST_DAY, today, True)
            kind.carry_out(session, plan, None)
            if ending == "csv":
                session.rollback()
        print(f"{told:<8} import {ending:<12} {watch}")
    now = utcnow()
    with database.transaction() as session:
        tree = load_tree(session, today)
        root = tree.roots[0]
        person = add_person(
            session, NewPerson("quantri", "Quản trị", "Chánh Văn phòng"), root.id, today
        )
        for role in (Role.ADMINISTRATOR, Role.SECRETARY, Role.OFFICIAL):
            grant_role(session, person.id, role, root.id, FIRST_DAY)
        ids = list(session.scalars(select(Unit.id)))
        session.execute(
            insert(BridgePoint),
            [
                {
                    "unit_id": unit_id,
                    "name": "Phòng họp",
                    "capacity": 40,
                    "endpoint_kind": "none",
                    "endpoint_address": "",
                    "technician_name": "",
                    "technician_phone": "",
                }
                for unit_id in ids
            ],
        )
        point = session.scalars(select(BridgePoint.id).where(BridgePoint.unit_id == root.id)).one()
        secret = open_session(session, session.get_one(Person, person.id), now, 1)
        token = create_token(session, person.id, "load", now)
        district = next(node for node in tree.by_id.values() if node.level == "district")
        day = today + timedelta(days=14)
        host = {
            "title": "Giao ban",
            "kind": "periodic",
            "host_unit": str(root.id),
            "main_point": str(point),
            "chair": str(person.id),
            "date": day.isoformat(),
            "start": "08:00",
            "end": "10:00",
            "setup_minutes": "30",
            "clearing_minutes": "15",
            "agenda": "[]",
        }
    client = TestClient(create_app(Settings(data=folder), database))
    client.__enter__()
    client.cookies.set(COOKIE, secret)
    client.get("/units")  # brings the cookie with the token of forms
    client.headers["x-csrftoken"] = client.cookies.get("meetings_csrf") or ""
    watch = Watch()
    client.post(
        "/admin/import/units",
        data={"valid_from": FIRST_DAY.isoformat(), "act": "check"},
        files={"file": ("units.csv", csv_file, "text/csv")},
    ).raise_for_status()
    print(f"{told:<8} check in the page  {watch}, {len(ids)} units")
    return Standing(database, client, token, district.code, district.parent_id or 0, host)


def page_import(url: str, folder: Path, rows: list[UnitRow]) -> None:
    """The whole way through the page into a database that has one unit and its administrator."""
    migrate(url)
    database = Database(url, [apply_effects])
    today = civil_day(utcnow())
    with database.transaction() as session:
        first = UnitRow(2, "ROOT", None, "office", "văn phòng", "Văn phòng")
        kind = KINDS["units"]
        content = write_units([first])
        kind.carry_out(
            session, kind.plan(session, None, kind.read(content), FIRST_DAY, today, True), None
        )
        root = load_tree(session, today).roots[0]
        person = add_person(session, NewPerson("quantri", "Quản trị"), root.id, today)
        grant_role(session, person.id, Role.ADMINISTRATOR, root.id, FIRST_DAY)
        secret = open_session(session, person, utcnow(), 1)
    file = {"file": ("units.csv", write_units(rows), "text/csv")}
    with TestClient(create_app(Settings(data=folder), database)) as client:
        client.cookies.set(COOKIE, secret)
        client.get("/units")
        client.headers["x-csrftoken"] = client.cookies.get("meetings_csrf") or ""
        watch = Watch()
        told = {"valid_from": FIRST_DAY.isoformat(), "act": "check"}
        page = client.post("/admin/import/units", data=told, files=file).raise_for_status().text
        for name in ("digest", "seen"):
            told[name] = page.partition(f'name="{name}" value="')[2].partition('"')[0]
        print(f"nation   page, check        {watch}")
        told["act"] = "import"
        answer = client.post("/admin/import/units", data=told, files=file, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        print(f"nation   page, whole way    {watch}")
    database.dispose()


def requests(standing: Standing) -> dict[str, Callable[[], object]]:
    """What is asked for, by name."""
    client = standing.client
    wards = [{"include": "level", "level": "ward", "under": standing.district}]
    form = standing.host | {"audience": json.dumps(wards)}
    bearer = {"authorization": f"Bearer {standing.token}"}

    def page(path: str) -> Callable[[], object]:
        return lambda: client.get(path).raise_for_status()

    def call(path: str) -> Callable[[], object]:
        return lambda: client.get(f"/api/v1{path}", headers=bearer).raise_for_status()

    return {
        "tree": page("/units"),
        "open a unit": page(f"/units/{standing.above}/children"),
        "search": page("/units?q=ba+dinh"),
        "search, many found": page("/units?q=dong+da"),
        "suggestions": page("/search/suggest?q=dong+da"),
        "a unit": page(f"/units/{standing.above}"),
        "picker": page("/meetings/tree"),
        "host units": page("/meetings/choices/hosts?q=ba+dinh"),
        "main points": page("/meetings/choices/points?q=ba+dinh"),
        "preview": lambda: client.post("/meetings/preview", data=form).raise_for_status(),
        "API search": call("/units?q=ba+dinh&limit=20"),
        "API below": call(f"/units?parent={standing.district}"),
        "API unit": call(f"/units/{standing.district}"),
    }


def measure(standing: Standing, runs: int) -> dict[str, tuple[float, float, int]]:
    """Milliseconds by the clock and of computing, and statements, by name.

    The first request of each kind reads templates and the tree and is not counted.
    """
    found = {}
    for name, ask in requests(standing).items():
        ask()
        times, computing, counts = [], [], []
        for _ in range(runs):
            with counted(standing.database) as statements:
                began, busy = time.perf_counter(), time.process_time()
                ask()
                times.append(1000 * (time.perf_counter() - began))
                computing.append(1000 * (time.process_time() - busy))
            counts.append(len(statements))
        found[name] = statistics.median(times), statistics.median(computing), max(counts)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nation", type=Path, help="a list of units; a made-up one otherwise")
    parser.add_argument("--provinces", type=int, default=63)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--url", help="an empty database for the nation; a SQLite file otherwise")
    arguments = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if arguments.nation:
        rows = units_of(KINDS["units"].read(arguments.nation.read_bytes()))
    else:
        rows = nation(arguments.provinces)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        city = stand(
            f"sqlite:///{folder / 'city.db'}", folder, read_shipped("hanoi-2021"), "Hà Nội"
        )
        whole = stand(arguments.url or f"sqlite:///{folder / 'nation.db'}", folder, rows, "nation")
        page_import(f"sqlite:///{folder / 'page.db'}", folder, rows)
        small, large = measure(city, arguments.runs), measure(whole, arguments.runs)
        print(f"{'':<20} {'Hà Nội':>10} {'nation':>10} {'computing':>10} {'ratio':>13}  statements")
        for what, (clock, computing, statements) in large.items():
            few_clock, few_computing, few = small[what]
            print(
                f"{what:<20} {few_clock:7.1f} ms {clock:7.1f} ms {few_computing:5.1f} {computing:5.1f} ms"
                f" {computing / few_computing:6.1f} {few:>5} {statements:>5}"
            )
        for standing in (city, whole):
            standing.client.__exit__(None, None, None)
            standing.database.dispose()


if __name__ == "__main__":
    main()
