"""Three shapes of Hà Nội in one life: 2021, January 2025 and July 2025, as the pages and calls tell it.

Records keep the names and the tree of their day; rights, filters and open papers follow the law.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.identity.tokens import create_token
from minutes.circulation import acknowledge, circulate
from minutes.content import TaskRow
from minutes.drafting import open_draft, save, submit
from minutes.inheritance import touched_papers
from minutes.signing import issue as issue_minutes
from minutes.storage import FolderStore
from rooms.attendance import CheckIn, Presence, Source
from rooms.catalogue import read_shipped
from rooms.catalogue.successions import read_shipped_plan
from rooms.check_ins import record_check_ins
from rooms.hierarchy import UnitRow, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.meetings import Meeting, Participation, invited
from rooms.people import NewPerson, Role, add_person, grant_role
from rooms.policies import Actor
from rooms.reorganisation import (
    Fate,
    SuccessionRow,
    apply,
    come_into_force,
    make_plan,
    preview,
)
from rooms.scheduling import end, start
from tests.documents import ALL_WARDS, issued
from tests.factories import ALL, City, make_hanoi, scheduled_meeting

Client = TestClient[Litestar]
SignIn = Callable[[int], None]

JANUARY, JULY = date(2025, 1, 1), date(2025, 7, 1)
CLERK_OF = "00004"
"""Phường Trúc Bạch, and since July 2025 Phường Ba Đình."""


def instant(day: date, hour: int = 8) -> datetime:
    """An instant in Hà Nội."""
    return datetime(day.year, day.month, day.day, hour - 7, tzinfo=UTC)


def neighbours(before: list[UnitRow], after: list[UnitRow]) -> list[SuccessionRow]:
    """A plan from two lists: what is gone, or called otherwise, goes to its code's or a next ward.

    The law of that day is not among our data; a ward of the same district is what it used to be.
    """
    now = {row.code: row for row in after}
    rows: list[SuccessionRow] = []
    for row in before:
        heir = now.get(row.code)
        if heir is not None and (heir.name, heir.kind) == (row.name, row.kind):
            continue
        if heir is None:
            heir = next(other for other in after if other.parent_code == row.parent_code)
        rows.append(SuccessionRow(len(rows) + 2, row.code, heir.code, "whole", True))
    return rows


@dataclass
class Years:
    """Ids of what happened, by when: `before`, `between`, `after` the two days, and `across` July."""

    city: City
    meetings: dict[str, int] = field(default_factory=dict)
    clerk: Actor = field(init=False)
    directive: int = 0
    minutes: int = 0


def held(session: Session, city: City, day: date, title: str) -> int:
    """A meeting of the whole city for which every second point was there."""
    audience = [rule for rule in ALL if day < JULY or rule.level != "district"]
    meeting = scheduled_meeting(
        session,
        city,
        instant(day - timedelta(days=14)),
        starts_at=instant(day),
        title=title,
        audience=audience,
    )
    begun = meeting.starts_at
    start(session, city.secretary, meeting.id, begun)
    points = session.scalars(
        select(Participation.point_id).where(invited(meeting.id)).order_by(Participation.id)
    ).all()
    record_check_ins(
        session.connection(),
        [
            CheckIn(
                meeting.id,
                point,
                Presence.PRESENT.value,
                city.secretary.person_id,
                Source.API,
                3,
                "Trưởng đoàn",
            )
            for point in points[::2]
        ],
        begun,
    )
    end(session, city.secretary, meeting.id, begun + timedelta(hours=2))
    return meeting.id


def write_minutes(session: Session, years: Years, folder: Path) -> int:
    """Issued minutes of the first meeting, with tasks for units that will end."""
    city = years.city
    now = instant(date(2024, 11, 13))
    minutes = open_draft(session, city.secretary, years.meetings["before"], now)
    content = minutes.written
    tasks = tuple(
        TaskRow(text, city.units[lead], tuple(city.units[code] for code in others), False, until)
        for text, lead, others, until in (
            ("Rà soát hộ nghèo", "00184", ("00181", "01-SKHDT"), "2030-01-31"),
            ("Báo cáo tổng kết", "006", (CLERK_OF, "00001"), "2030-02-28"),
        )
    )
    text = {"conclusions": "Thống nhất.", "place": "Phòng họp 302", "tasks": tasks}
    content = type(content)(**{name: getattr(content, name) for name in _fields(content)} | text)
    save(session, city.secretary, minutes.id, content, 1, now)
    submit(session, city.secretary, minutes.id, now)
    issue_minutes(session, city.chair, minutes.id, FolderStore(folder), now)
    return minutes.id


def _fields(content: Any) -> tuple[str, ...]:
    return tuple(content.__dataclass_fields__)


def refresh(session: Session, city: City, on: date) -> None:
    """Let the city know the units and the points of a day by code."""
    nodes = load_tree(session, on).by_code
    city.units = {code: node.id for code, node in nodes.items()}


@pytest.fixture
def years(db: Database, tmp_path: Path) -> Years:
    """2021 to July 2025, each act at its own time."""
    with db.transaction() as session:
        city = make_hanoi(session, instant(date(2022, 3, 1)))
        years = Years(city)
        clerk = add_person(
            session,
            NewPerson("vanthu.trucbach", "Lê Thị Mai", "Văn thư", "mai@hanoi.example", None),
            city.units[CLERK_OF],
            date(2022, 3, 1),
        )
        grant_role(session, clerk.id, Role.SECRETARY, city.units[CLERK_OF], date(2022, 3, 1))
        years.clerk = Actor(clerk.id, clerk.name, clerk.unit_id)
        years.meetings["before"] = held(session, city, date(2024, 11, 12), "Họp năm 2024")
        years.minutes = write_minutes(session, years, tmp_path / "minutes")
    january = read_shipped("hanoi-2025-01")
    with db.transaction() as session:
        plan = make_plan(january, neighbours(read_shipped("hanoi-2021"), january))
        now = instant(date(2024, 12, 20))
        apply(session, None, plan, JANUARY, now, name="2025-01", point_name="Điểm cầu {unit}")
    with db.transaction() as session:
        come_into_force(session, JANUARY, instant(JANUARY, 8))
        refresh(session, city, JANUARY)
        years.meetings["between"] = held(session, city, date(2025, 6, 10), "Họp tháng 6")
        directive = issued(session, city, tmp_path, instant(date(2025, 6, 16)))
        circulate(
            session, city.secretary, directive.id, [ALL_WARDS], None, instant(date(2025, 6, 16))
        )
        years.directive = directive.id
        acknowledge(
            session, years.clerk, directive.id, city.units[CLERK_OF], instant(date(2025, 6, 17))
        )
        across = scheduled_meeting(
            session,
            city,
            instant(date(2025, 6, 18)),
            starts_at=instant(date(2025, 7, 8)),
            title="Họp tháng 7",
        )
        years.meetings["across"] = across.id
    with db.transaction() as session:
        plan = make_plan(
            read_shipped("hanoi-2025-07"), read_shipped_plan("reorganisation-hanoi-2025-07-01")
        )
        now = instant(date(2025, 6, 25))
        apply(session, None, plan, JULY, now, name="2025-07", point_name="Điểm cầu {unit}")
    with db.transaction() as session:
        come_into_force(session, JULY, instant(JULY, 8))
    with db.transaction() as session:
        refresh(session, city, JULY)
        years.meetings["after"] = held(session, city, date(2025, 9, 9), "Họp tháng 9")
    return years


Ask = Callable[..., Any]


def test_records_keep_their_day_through_two_reorganisations(
    client: Client, sign_in: SignIn, db: Database, years: Years
) -> None:
    with db.transaction() as session:
        secret = create_token(session, years.city.secretary.person_id, "test", utcnow())
    bearer = {"authorization": f"Bearer {secret}"}

    def ask(path: str, **params: Any) -> Any:
        answer = client.get(f"/api/v1{path}", params=params, headers=bearer)
        assert answer.status_code == 200, answer.text
        return answer.json()

    statistics_hold_together(ask, years)
    boards_name_the_units_of_their_day(ask, years)
    the_tree_is_told_as_of_a_day(ask)
    lists_reach_what_predecessors_did(ask, years)
    open_papers_have_passed_on(ask, years)
    sign_in(years.clerk.person_id)
    the_clerk_still_reads_what_was_theirs(client, years)
    sign_in(years.city.secretary.person_id)
    pages_tell_the_same(client, years)


def statistics_hold_together(ask: Ask, years: Years) -> None:
    """Levels are those of the day, and the parts make the whole in each shape of the tree."""
    expected = {
        "before": ({"city": 1, "department": 22, "district": 30, "ward": 579}, 316),
        "between": ({"city": 1, "department": 22, "district": 30, "ward": 526}, 290),
        "across": ({"city": 1, "department": 17, "ward": 126}, 0),
        "after": ({"city": 1, "department": 17, "ward": 126}, 72),
    }
    for name, (levels, present) in expected.items():
        answer = ask(f"/meetings/{years.meetings[name]}/attendance")
        assert {row["level"]: row["invited"] for row in answer["levels"]} == levels, name
        assert sum(row["present"] for row in answer["levels"]) == present, name
        roster = ask(f"/meetings/{years.meetings[name]}/attendance/roster")
        parents = {row[0]: row[3] for row in roster["units"]}
        for measure in ("invited", "present"):
            adds_up(answer, parents, measure)


def adds_up(answer: dict[str, Any], parents: dict[str, str | None], measure: str) -> None:
    """Each unit's count is its own and those directly below it; the city's is that of all levels."""
    counts = {row["unit"]: row[measure] for row in answer["rollup"]}
    own: dict[str, int] = {}
    for point in answer["points"]:
        one = measure == "invited" or point["state"] in {"present", "late"}
        own[point["unit"]] = own.get(point["unit"], 0) + one
    for unit, count in counts.items():
        children = [child for child, parent in parents.items() if parent == unit]
        below = sum(counts.get(child, own.get(child, 0)) for child in children)
        assert count == own.get(unit, 0) + below, unit
    assert counts["01"] == sum(row[measure] for row in answer["levels"])


def boards_name_the_units_of_their_day(ask: Ask, years: Years) -> None:
    names = {
        name: {row[0]: row[1] for row in ask(f"/meetings/{number}/attendance/roster")["units"]}
        for name, number in years.meetings.items()
    }
    assert names["before"][CLERK_OF] == names["between"][CLERK_OF] == "Phường Trúc Bạch"
    assert names["before"]["00184"] == "Phường Quốc Tử Giám"
    assert "00184" not in names["between"]
    assert names["across"][CLERK_OF] == names["after"][CLERK_OF] == "Phường Ba Đình"
    assert "006" not in names["after"]


def the_tree_is_told_as_of_a_day(ask: Ask) -> None:
    assert ask("/units/00004", on="2024-12-31")["name"] == "Phường Trúc Bạch"
    old = ask("/units/00004", on="2025-06-30")
    assert (old["valid_from"], old["valid_until"]) == ("2021-01-01", "2025-07-01")
    assert old["parent"] == "001"
    assert (old["successors"][0]["name"], old["successors"][0]["main"]) == ("Phường Ba Đình", True)
    new = ask("/units/00004")
    assert (new["name"], new["parent"]) == ("Phường Ba Đình", "01")
    assert "Phường Trúc Bạch" in {unit["name"] for unit in new["predecessors"]}
    assert len(ask("/units", on="2022-01-01", level="ward", limit=1000)["items"]) == 579


def lists_reach_what_predecessors_did(ask: Ask, years: Years) -> None:
    """A unit of the past is asked for with its day, or by a code that nobody bears since."""
    of_ba_dinh = {meeting["id"] for meeting in ask("/meetings", unit=CLERK_OF)["items"]}
    assert of_ba_dinh == set(years.meetings.values())
    of_dong_da = {meeting["id"] for meeting in ask("/meetings", unit="006@2025-06-30")["items"]}
    assert of_dong_da == {years.meetings["before"], years.meetings["between"]}
    assert {meeting["id"] for meeting in ask("/meetings", unit="006")["items"]} == of_dong_da


def open_papers_have_passed_on(ask: Ask, years: Years) -> None:
    """Who confirmed is as it was; the duty of the others, and open tasks, are their successors'."""
    way = ask(f"/directives/{years.directive}/circulation")
    receipts = {row["name"]: row for row in way["receipts"]}
    assert receipts["Phường Trúc Bạch"]["step"] == "acknowledged"
    assert receipts["Phường Ba Đình"]["step"] == "sent"
    assert "Phường Quán Thánh" in receipts["Phường Ba Đình"]["taken_over"]
    # Of the 126 wards all but Yên Sở, which is nobody's main successor; and Trúc Bạch itself.
    assert way["total"]["sent"] == 126
    # Who stays stands where it stood when the document came: Trúc Bạch and 22 wards that go on.
    districts = {branch["name"]: branch["counts"]["sent"] for branch in way["by_parent"]}
    assert (districts["Quận Ba Đình"], sum(districts.values())) == (1, 23)
    first, second = ask("/tasks")["items"]
    assert (first["lead"], first["coordinating"]) == ("00184", ["01-SKHDT", "00181"])
    assert ask(f"/units/{first['lead_now']}")["name"] == "Phường Ô Chợ Dừa"
    assert (second["lead"], second["lead_now"]) == ("006", "01")


def the_clerk_still_reads_what_was_theirs(client: Client, years: Years) -> None:
    """Lê Thị Mai of Phường Trúc Bạch works for Phường Ba Đình now."""
    for name in ("before", "between", "across", "after"):
        page = client.get(f"/meetings/{years.meetings[name]}")
        assert page.status_code == 200, name
        rows = page.text[page.text.index("<tbody") :]
        # Its room keeps the name that it was given.
        told = re.sub(r"Phòng họp [^<]*", "", rows)
        assert ("Phường Trúc Bạch" in told) == (name in {"before", "between"}), name
        assert ("Phường Ba Đình" in told) == (name in {"across", "after"}), name
    roster = client.get(f"/live/meetings/{years.meetings['between']}/roster").json()
    seen = {row[2] for row in roster["points"]}
    assert CLERK_OF in seen
    assert "00178" not in seen
    assert client.get(f"/meetings/{years.meetings['before']}/board").status_code == 200


def pages_tell_the_same(client: Client, years: Years) -> None:
    minutes = client.get(f"/minutes/{years.minutes}").text
    assert "Phường Quốc Tử Giám" in minutes
    assert "Sở Kế hoạch và Đầu tư" in minutes
    assert client.get(f"/minutes/{years.minutes}/paper.docx").status_code == 200
    tree_page = client.get("/units?on=2025-03-01").text
    assert "526 " in tree_page
    assert 'id="tree-span"' in tree_page
    assert "nay là Phường Ba Đình" in client.get("/units?q=truc+bach").text
    assert "nay là Phường Ba Đình" in client.get("/search?q=truc+bach").text
    found = client.get("/meetings/choices/units?q=truc+bach").json()
    assert f"{CLERK_OF}@2025-06-30" in {choice["id"] for choice in found}
    old = client.get(f"/units/by-code/{CLERK_OF}?on=2025-06-30").text
    assert "Phường Ba Đình" in old
    assert "Quận Ba Đình" in old
    earlier = client.get(f"/units/{years.city.units[CLERK_OF]}?on=2022-05-01").text
    assert "Phường Trúc Bạch" in earlier
    assert "Họp năm 2024" in client.get(f"/meetings?view=list&sort=-time&unit={CLERK_OF}").text
    assert "nay là" in client.get("/tasks").text
    assert "tiếp nhận từ" in client.get(f"/directives/{years.directive}?open=level-ward").text


def test_a_preview_counts_the_papers_and_where_they_go(db: Database, tmp_path: Path) -> None:
    now = utcnow()
    day = civil_day(now) + timedelta(days=30)
    with db.transaction() as session:
        city = make_hanoi(session, now)
        directive = issued(session, city, tmp_path, now)
        circulate(session, city.secretary, directive.id, [ALL_WARDS], None, now)
        plan = make_plan(
            read_shipped("hanoi-2025-07"), read_shipped_plan("reorganisation-hanoi-2025-07-01")
        )
    with db.reader() as session:
        found = preview(session, None, plan, day, now)
        heirs = {
            fate.before.id: found.main_heirs.get(fate.before.id)
            for fate in found.with_fate(Fate.RENAMED, Fate.MERGES, Fate.SPLITS, Fate.ENDS)
            if fate.before is not None and fate.before.id is not None
        }
        papers = touched_papers(session, heirs)
    # 21 wards keep name, kind and level and go on; 53 of 2021 are not in the plan of 2025.
    assert [(one.id, one.units, one.left) for one in papers.directives] == [(directive.id, 558, 53)]
    assert session_is_unchanged(db, 632)


def session_is_unchanged(db: Database, units: int) -> bool:
    with db.reader() as session:
        return (
            len(load_tree(session, civil_day(utcnow())).by_id) == units
            and session.scalar(select(Meeting.id)) is None
        )
