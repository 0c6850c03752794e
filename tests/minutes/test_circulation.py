"""Circulation: rounds by rules, receipts, forwarding down the tree, recall, who sees what."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from meetings_server.database import Database
from minutes.circulation import (
    NobodyAddressed,
    OutsideOwnSubtree,
    acknowledge,
    addressees,
    circulate,
    forward,
    late_receipts,
    mark,
    open_directive,
    recall,
    receive,
)
from minutes.desks import Search, incoming, outgoing, waiting_for
from minutes.directives import Directive, DirectiveWrongState, UnknownDirective
from minutes.progress import Counts, progress
from minutes.receipts import (
    Circulation,
    Receipt,
    Step,
    UnknownReceipt,
    visible_directive,
    visible_directives,
)
from minutes.search import find_directives
from rooms.audience import Rule, RuleInvalid
from rooms.hierarchy import Unit
from rooms.kernel import FieldInvalid, civil_day
from rooms.policies import Actor, NotPermitted
from tests.counting import counted
from tests.documents import ALL_WARDS, EVERYONE, circulated, drafted, issued
from tests.factories import City, make_city, make_hanoi

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TODAY = civil_day(NOW)
LATER = NOW + timedelta(hours=1)


def codes(city: City, unit_ids: list[int]) -> set[str]:
    by_id = {unit_id: code for code, unit_id in city.units.items()}
    return {by_id[unit_id] for unit_id in unit_ids}


def test_rules_are_resolved_to_units_without_the_sender(db: Database, tmp_path: Path) -> None:
    rules = [
        Rule(include=True, by="subtree", unit="01"),
        Rule(include=False, by="unit", unit="00178"),
        Rule(include=False, by="level", level="department"),
    ]
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = issued(session, city, tmp_path, NOW)
        sent = circulate(session, city.secretary, directive.id, rules, None, NOW)
        reached = list(session.scalars(select(Receipt.unit_id)))
        assert codes(city, reached) == {"001", "006", "00001", "00181", "00226"}
        assert sent.circulation_id is not None
        assert len(addressees(session, sent.circulation_id)) == 5
        assert addressees(session, sent.circulation_id)[0].unit_email is not None


def test_a_second_round_reaches_only_who_was_missing(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = circulated(session, city, tmp_path, NOW, [ALL_WARDS])
        again = circulate(session, city.secretary, directive.id, [ALL_WARDS], None, LATER)
        assert (again.circulation_id, again.added, again.already) == (None, [], 4)
        more = circulate(session, city.secretary, directive.id, EVERYONE, None, LATER)
        assert (len(more.added), more.already) == (4, 4)
        assert session.scalar(select(func.count()).select_from(Circulation)) == 2


def test_sending_costs_the_same_for_all_of_hanoi(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_hanoi(session, NOW)
        directive = issued(session, city, tmp_path, NOW)
    with counted(db) as statements, db.transaction() as session:
        sent = circulate(session, city.secretary, directive.id, EVERYONE, None, NOW)
        assert len(sent.added) == 631
    # Eight of its own, three to read the tree once, four for the letters and five for the record.
    assert len(statements) <= 20
    with counted(db) as statements, db.reader() as session:
        assert progress(session, city.secretary, directive.id, NOW).total.sent == 631
    assert len(statements) <= 2


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [Rule(include=True, by="unit", unit="01")],
        [ALL_WARDS, Rule(include=False, by="level", level="ward")],
    ],
)
def test_nobody_addressed_is_refused(db: Database, tmp_path: Path, rules: list[Rule]) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = issued(session, city, tmp_path, NOW)
        with pytest.raises(NobodyAddressed):
            circulate(session, city.secretary, directive.id, rules, None, NOW)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (Rule(include=True, by="unit", unit="99999"), "unknown_unit"),
        (Rule(include=True, by="level", level="village"), "unknown_level"),
        (Rule(include=True, by="point", point=1), "unit_expected"),
    ],
)
def test_rules_that_name_nothing_are_refused(
    db: Database, tmp_path: Path, rule: Rule, problem: str
) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = issued(session, city, tmp_path, NOW)
        with pytest.raises(RuleInvalid) as refused:
            circulate(session, city.secretary, directive.id, [rule], None, NOW)
    assert refused.value.problem == problem


def test_only_an_issued_directive_is_sent_and_only_by_its_unit(
    db: Database, tmp_path: Path
) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        draft = drafted(session, city, tmp_path, NOW)
        with pytest.raises(DirectiveWrongState):
            circulate(session, city.secretary, draft.id, [ALL_WARDS], None, NOW)
        directive = circulated(session, city, tmp_path, NOW)
        with pytest.raises(NotPermitted):
            circulate(session, city.actors["thuky.dongda"], directive.id, EVERYONE, None, NOW)
        with pytest.raises(FieldInvalid) as refused:
            circulate(session, city.secretary, directive.id, EVERYONE, NOW, NOW)
    assert refused.value.problem == "in_the_past"


def seen_by(db: Database, actor: Actor) -> list[int]:
    with db.reader() as session:
        return list(session.scalars(select(Directive.id).where(visible_directives(actor, TODAY))))


def test_a_ward_that_was_not_addressed_sees_nothing(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        rule = Rule(include=True, by="unit", unit="00178")
        directive = circulated(session, city, tmp_path, NOW, [rule])
        draft = drafted(session, city, tmp_path, NOW)
    ward, district = city.actors["vanthu.vanmieu"], city.actors["thuky.dongda"]
    assert seen_by(db, ward) == []
    assert seen_by(db, city.actors["lanhdao.vanmieu"]) == []
    assert seen_by(db, district) == [directive.id], "its ward was addressed"
    assert seen_by(db, city.secretary) == [directive.id, draft.id]
    assert seen_by(db, city.actors["lanhdao"]) == [directive.id], "drafts are the clerk's"
    assert seen_by(db, city.actors["truc.cattlinh"]) == []
    with db.transaction() as session:
        for act in (
            lambda: visible_directive(session, ward, directive.id, TODAY),
            lambda: acknowledge(session, ward, directive.id, city.units["00181"], NOW),
            lambda: recall(session, ward, directive.id, "nhầm", NOW),
        ):
            with pytest.raises(UnknownDirective):
                act()
        assert progress(session, ward, directive.id, NOW).total == Counts()
        assert find_directives(session, ward, "ung ngap", TODAY) == []
        found = find_directives(session, district, "UNG NGAP", TODAY)
        assert [one.id for one in found] == [directive.id]


def test_opening_sets_received_and_read_once_and_only_at_the_own_desk(
    db: Database, tmp_path: Path
) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = circulated(session, city, tmp_path, NOW)
    clerk = city.actors["vanthu.vanmieu"]
    with db.transaction() as session:
        assert not open_directive(session, city.secretary, directive.id, LATER)
        assert not open_directive(session, city.actors["lanhdao.vanmieu"], directive.id, LATER)
        assert receive(session, clerk, LATER) == 1
        assert receive(session, clerk, LATER) == 0
        assert open_directive(session, clerk, directive.id, LATER + timedelta(minutes=1))
        assert not open_directive(session, clerk, directive.id, LATER + timedelta(minutes=2))
    with db.reader() as session:
        rows = session.scalars(select(Receipt).where(Receipt.received_at.is_not(None))).all()
        assert [row.unit_id for row in rows] == [city.units["00181"]]
        assert rows[0].received_at == LATER
        assert rows[0].read_at == LATER + timedelta(minutes=1)
        assert rows[0].read_by == clerk.person_id
        assert rows[0].step is Step.READ


def test_confirming_keeps_the_first_time(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = circulated(session, city, tmp_path, NOW)
        clerk, ward = city.actors["vanthu.vanmieu"], city.units["00181"]
        acknowledge(session, clerk, directive.id, ward, LATER, "Đã phân công")
        again = acknowledge(session, clerk, directive.id, ward, LATER + timedelta(days=1), "khác")
        assert (again.acknowledged_at, again.note) == (LATER, "Đã phân công")
        assert again.received_at == again.read_at == LATER
        assert mark(session, clerk, directive.id, ward, Step.RECEIVED, NOW).received_at == LATER
        with pytest.raises(NotPermitted):
            acknowledge(session, clerk, directive.id, city.units["00178"], LATER)
        with pytest.raises(NotPermitted):
            acknowledge(session, city.actors["lanhdao.vanmieu"], directive.id, ward, LATER)
        with pytest.raises(UnknownReceipt):
            acknowledge(session, city.secretary, directive.id, city.units["01"], LATER)
        with pytest.raises(FieldInvalid):
            acknowledge(session, clerk, directive.id, ward, LATER, "x" * 501)


def test_a_district_passes_on_to_its_own_wards_only(db: Database, tmp_path: Path) -> None:
    districts = Rule(include=True, by="level", level="district")
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = circulated(session, city, tmp_path, NOW, [districts])
        clerk, dong_da = city.actors["thuky.dongda"], city.units["006"]
        with pytest.raises(OutsideOwnSubtree) as refused:
            forward(session, clerk, directive.id, dong_da, [ALL_WARDS], None, LATER)
        assert refused.value.units == ["Phường Phúc Xá"]
        below = Rule(include=True, by="children", unit="006")
        sent = forward(session, clerk, directive.id, dong_da, [below], None, LATER)
        assert {node.code for node in sent.added} == {"00178", "00181", "00226"}
        receipt = session.get_one(Receipt, (directive.id, city.units["00181"]))
        assert receipt.forwarded_from_id == dong_da
        with pytest.raises(NotPermitted):
            forward(session, clerk, directive.id, city.units["001"], [below], None, LATER)
    with db.reader() as session:
        whole = progress(session, city.secretary, directive.id, LATER)
        assert whole.total == Counts(sent=5)
        part = progress(session, clerk, directive.id, LATER)
        assert part.total == Counts(sent=4)
        assert [branch.code for branch in part.branches] == ["006"]
        assert part.branches[0].counts == Counts(sent=3)
        assert part.branches[0].stops[0].forwarded_from == "Quận Đống Đa"


def test_recall_tells_why_and_ends_everything(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = circulated(session, city, tmp_path, NOW)
        clerk, ward = city.actors["vanthu.vanmieu"], city.units["00181"]
        with pytest.raises(FieldInvalid):
            recall(session, city.secretary, directive.id, " ", LATER)
        with pytest.raises(NotPermitted):
            recall(session, clerk, directive.id, "nhầm", LATER)
        recall(session, city.secretary, directive.id, "Sai phụ lục 2", LATER)
    for act in (
        lambda: recall(session, city.secretary, directive.id, "lần nữa", LATER),
        lambda: acknowledge(session, clerk, directive.id, ward, LATER),
        lambda: circulate(session, city.secretary, directive.id, EVERYONE, None, LATER),
        lambda: forward(session, clerk, directive.id, ward, EVERYONE, None, LATER),
    ):
        with db.transaction() as session, pytest.raises(DirectiveWrongState):
            act()
    with db.transaction() as session:
        assert not open_directive(session, clerk, directive.id, LATER)
        seen = visible_directive(session, clerk, directive.id, TODAY)
        assert (seen.state, seen.recall_reason) == ("recalled", "Sai phụ lục 2")
        assert late_receipts(session, NOW + timedelta(days=9)) == []


def test_late_receipts_name_whom_to_remind(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = circulated(session, city, tmp_path, NOW, [ALL_WARDS])
        acknowledge(session, city.secretary, directive.id, city.units["00178"], LATER)
    deadline = NOW + timedelta(days=3)
    with db.reader() as session:
        assert late_receipts(session, NOW) == []
        near = late_receipts(session, deadline - timedelta(hours=2))
        assert codes(city, [row.unit_id for row in near]) == {"00001", "00181", "00226"}
        assert {row.overdue for row in near} == {False}
        past = late_receipts(session, deadline)
        assert {row.overdue for row in past} == {True}
        assert (past[0].number, past[0].symbol, past[0].deadline) == (1, "KH-UBND", deadline)
        assert past[0].unit_email == "vanthu.00001@hanoi.example"
        assert progress(session, city.secretary, directive.id, deadline).total == Counts(
            4, 1, 1, 1, late=3
        )


def test_registers_filter_and_sort(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        first = circulated(session, city, tmp_path, NOW)
        flash = circulated(
            session,
            city,
            tmp_path,
            NOW,
            title="Công điện bão",
            urgency="express",
            kind="telegram",
            symbol="CĐ-UBND",
        )
        drafted(session, city, tmp_path, NOW)
        clerk = city.actors["vanthu.vanmieu"]
        acknowledge(session, clerk, first.id, city.units["00181"], LATER)
    desk = select(Unit.id).where(Unit.id == city.units["00181"])
    city_desk = select(Unit.id).where(Unit.id == city.units["01"])

    def ids(**how: Any) -> list[int]:
        with db.reader() as session:
            return [line.id for line in incoming(session, desk, Search(**how), LATER).lines]

    assert ids() == [flash.id, first.id]
    assert ids(sort="urgency", descending=False) == [first.id, flash.id]
    assert ids(state="new") == [flash.id]
    assert ids(state="acknowledged") == [first.id]
    assert ids(text="cong dien BAO") == [flash.id]
    assert ids(text="KH-UBND") == [first.id]
    assert ids(text="100%") == []
    assert ids(kind="plan") == [first.id]
    assert ids(rows=1, page=2) == [first.id]
    with db.reader() as session:
        sent = outgoing(session, city_desk, Search(), LATER)
        assert [(line.id, line.sent, line.acknowledged) for line in sent.lines] == [
            (flash.id, 8, 0),
            (first.id, 8, 1),
        ]
        late = outgoing(session, city_desk, Search(state="late"), NOW + timedelta(days=5))
        assert late.total == 2
        drafts = outgoing(session, city_desk, Search(), LATER, drafts=True)
        assert [line.number_symbol for line in drafts.lines] == ["…/KH-UBND"]


def test_what_waits_is_what_lies_on_the_own_desk(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        first = circulated(session, city, tmp_path, NOW)
        flash = circulated(session, city, tmp_path, NOW, urgency="express")
    clerk = city.actors["vanthu.vanmieu"]
    with db.reader() as session:
        waiting = waiting_for(session, clerk, LATER)
        assert (waiting.count, waiting.late) == (2, 0)
        assert [line.id for line in waiting.lines] == [flash.id, first.id]
        assert waiting_for(session, clerk, NOW + timedelta(days=4)).late == 2
        assert waiting_for(session, city.secretary, LATER).count == 0
        assert waiting_for(session, city.actors["truc.vanmieu"], LATER).count == 0
