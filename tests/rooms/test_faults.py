"""Faults, outages and what they reach; equipment, technicians, the order and the end of points."""

from datetime import timedelta
from typing import Any

import pytest

from meetings_server.database import Database
from rooms.attendance import CheckIn, Source
from rooms.audience import Rule, resolve
from rooms.bridge_points import (
    PointClosed,
    PointFacts,
    PointsChanged,
    add_point,
    change_point,
    close_point,
    order_points,
    points_of,
    reopen_point,
)
from rooms.check_ins import record_check_ins
from rooms.doors import doors_of, meetings_at_the_door
from rooms.endpoints import EndpointKind, read_endpoint
from rooms.equipment import (
    EquipmentFacts,
    add_equipment,
    change_equipment,
    equipment_at,
    remove_equipment,
    replace_equipment,
)
from rooms.fault_lists import Wanted, faults_after, history_of, list_faults, losses_of, repairs
from rooms.faults import (
    FaultReported,
    FaultSolved,
    NewFault,
    report_fault,
    solve_fault,
)
from rooms.hierarchy import load_tree
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.meetings import Meeting, UnknownMeeting
from rooms.outage_reach import missing_points, reach_of
from rooms.outages import (
    OutageOverlaps,
    change_outage,
    close_outage,
    outages_since,
    report_outage,
)
from rooms.policies import NotPermitted
from rooms.scheduling import change, request_of, start
from rooms.technicians import (
    NotATechnician,
    assign_technician,
    candidates,
    dismiss_technician,
    put_on_duty,
    replace_technicians,
    technicians_of,
)
from tests.factories import add_points, at, make_city, scheduled_meeting, working_day

NOW = utcnow()
TODAY = civil_day(NOW)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "address", "problem"),
    [
        ("sip", "sip:1000@hop.gov.vn", None),
        ("sip", "sips:phong.hop@10.1.2.3:5061;transport=tls", None),
        ("sip", "sip:[2001:db8::1]", None),
        ("sip", "1000@hop.gov.vn", "not_a_sip_address"),
        ("sip", "sip:", "not_a_sip_address"),
        ("sip", "sip:a b@hop.gov.vn", "not_a_sip_address"),
        ("sip", "sip:1@300.1.2.3", "not_a_sip_address"),
        ("sip", "sip:1@hop.gov.vn:70000", "not_a_sip_address"),
        ("sip", "", "missing"),
        ("h323", "10.24.1.7", None),
        ("h323", "h323:1000@gk.gov.vn:1719", None),
        ("h323", "84024123", None),
        ("h323", "UBND-DongDa", None),
        ("h323", "10.24.1.777", "not_an_h323_address"),
        ("h323", "hai chu", "not_an_h323_address"),
        ("client", "", None),
        ("client", "https://hop.hanoi.gov.vn/phong/7", None),
        ("client", "javascript:alert(1)", "not_a_link"),
        ("client", "https://", "not_a_link"),
        ("none", "", None),
        ("none", "sip:1@b.vn", "nothing_to_call"),
    ],
)
def test_an_address_fits_the_way_of_calling(kind: str, address: str, problem: str | None) -> None:
    if problem is None:
        assert read_endpoint(EndpointKind(kind), f" {address} ") == address
        return
    with pytest.raises(FieldInvalid) as refused:
        read_endpoint(EndpointKind(kind), address)
    assert (refused.value.field, refused.value.problem) == ("endpoint_address", problem)


def test_the_default_point_is_chosen_and_a_closed_one_is_not_invited(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        unit, first = city.units["006"], city.points["006"]
        second = add_point(session, city.secretary, unit, PointFacts("Phòng 2", 9), TODAY).id
        third = add_point(session, city.secretary, unit, PointFacts("Phòng 3"), TODAY).id
        starts = at(working_day(NOW, 3), 8)
        tree = load_tree(session, civil_day(starts))
        rules = [Rule(include=True, by="unit", unit="006")]

        def invited(*more: Rule) -> list[Any]:
            found = resolve(session, tree, [*rules, *more], starts, starts + HOUR)
            return [
                (one.point_id, one.obstacle, one.reason) for one in found.joining + found.unable
            ]

        assert invited() == [(first, None, "")]
        order_points(session, city.secretary, unit, [third, first, second], TODAY)
        assert [point.id for point in points_of(session, unit)] == [third, first, second]
        assert invited() == [(third, None, "")]
        report_outage(session, city.secretary, third, starts, None, "Hỏng codec", NOW)
        assert invited() == [(first, None, "")]

        close_point(session, city.secretary, first, TODAY + DAY, TODAY)
        close_point(session, city.secretary, second, TODAY, TODAY)
        assert invited() == [(None, "out_of_service", "Hỏng codec")]
        closed = Rule(include=True, by="point", point=second)
        assert invited(closed)[1] == (None, "closed", f"{TODAY:%d/%m/%Y}")
        with pytest.raises(PointClosed):
            report_outage(session, city.secretary, second, NOW, None, "x", NOW)
        with pytest.raises(PointClosed):
            close_point(session, city.secretary, second, TODAY, TODAY)
        with pytest.raises(PointClosed):
            scheduled_meeting(session, city, NOW, main_point_id=second)
        # The order was put together before the second one was closed.
        with pytest.raises(PointsChanged):
            order_points(session, city.secretary, unit, [third, first, second], TODAY)
        reopen_point(session, city.secretary, second, TODAY)
        assert invited() == [(second, None, "")]
        with pytest.raises(FieldInvalid):
            close_point(session, city.secretary, second, TODAY - DAY, TODAY)
        with pytest.raises(NotPermitted):
            order_points(session, city.actors["thuky.snv"], unit, [second, third, first], TODAY)


def test_outages_do_not_overlap_and_their_end_moves(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        clerk, point = city.actors["vanthu.vanmieu"], city.points["00181"]
        past = report_outage(session, clerk, point, NOW - 9 * DAY, NOW - 8 * DAY, "Cũ", NOW)
        outage = report_outage(session, clerk, point, NOW - HOUR, NOW + DAY, "Hỏng", NOW)
        assert (outage.reported_by, outage.reported_at) == (clerk.person_id, NOW)
        for begins, ends in ((NOW - DAY, None), (NOW, NOW + HOUR), (NOW - DAY, NOW)):
            with pytest.raises(OutageOverlaps) as refused:
                report_outage(session, clerk, point, begins, ends, "Lại", NOW)
            assert (refused.value.outage, refused.value.reason) == (outage.id, "Hỏng")
        later = report_outage(session, clerk, point, NOW + DAY, NOW + 2 * DAY, "Sơn", NOW)
        with pytest.raises(OutageOverlaps):
            change_outage(session, clerk, outage.id, NOW + DAY + HOUR, "Hỏng", NOW)
        with pytest.raises(OutageOverlaps):
            change_outage(session, clerk, outage.id, None, "Hỏng", NOW)
        with pytest.raises(FieldInvalid):
            change_outage(session, clerk, outage.id, outage.starts_at, "Hỏng", NOW)
        changed = change_outage(session, clerk, outage.id, NOW + 2 * HOUR, "Chờ linh kiện", NOW)
        assert (changed.ends_at, changed.reason) == (NOW + 2 * HOUR, "Chờ linh kiện")
        assert outages_since(session, [point], NOW) == [outage, later]
        assert past.ends_at == NOW - 8 * DAY
        for begins, ends in ((NOW - 3651 * DAY, NOW - 3650 * DAY), (NOW + 731 * DAY, None)):
            with pytest.raises(FieldInvalid) as wrong:
                report_outage(session, clerk, point, begins, ends, "x", NOW)
            assert wrong.value.field == "starts_at"


def test_an_outage_tells_the_meetings_it_touches_and_the_rooms_beside(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        point = city.points["00181"]
        (spare,) = add_points(session, city, "00181", 1)
        (hall,) = add_points(session, city, "00001", 1)
        technician = city.actors["kythuat"]
        meeting = scheduled_meeting(session, city, NOW)
        later = scheduled_meeting(session, city, NOW, starts_at=at(working_day(NOW, 7), 8))
        row = points_of(session, city.units["00181"])[0]

        found = reach_of(session, technician, row, NOW, meeting.ends_at, NOW)
        assert ([one.meeting_id for one in found.meetings], found.total) == ([meeting.id], 1)
        assert [(one.point.id, one.taken) for one in found.beside] == [(spare, 0)]
        rule = [Rule(include=True, by="point", point=spare)]
        scheduled_meeting(
            session,
            city,
            NOW,
            starts_at=later.starts_at - 4 * HOUR,
            audience=rule,
            main_point_id=hall,
            clearing_minutes=180,
        )
        everything = reach_of(session, technician, row, NOW, None, NOW)
        assert [one.meeting_id for one in everything.meetings] == [meeting.id, later.id]
        assert [one.taken for one in everything.beside] == [1]
        before = reach_of(session, technician, row, NOW - DAY, NOW, NOW)
        assert (before.meetings, before.total) == ([], 0)

        assert missing_points(session, meeting) == []
        report_outage(session, technician, point, NOW, meeting.ends_at, "Đứt cáp", NOW)
        (missing,) = missing_points(session, meeting)
        assert (missing.unit, missing.reason) == ("Phường Văn Miếu", "Đứt cáp")
        assert missing.instead == ["Phòng số 2"]
        assert missing_points(session, later) == []

    # The secretary saves the meeting again: the unit's other room is invited instead.
    with db.transaction() as session:
        again = session.get_one(Meeting, meeting.id)
        rules = [Rule(include=True, by="level", level="ward")]
        change(session, city.secretary, again.id, request_of(session, again, rules), NOW)
        assert missing_points(session, again) == []


def test_a_fault_is_reported_once_solved_once_and_may_take_the_point_out(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        operator, point = city.actors["truc.vanmieu"], city.points["00181"]
        technician = city.actors["kythuat"]
        meeting = scheduled_meeting(session, city, NOW)
        told = NewFault("sound", "Micro rè", NOW - 3 * HOUR, meeting.id)
        fault = report_fault(session, operator, point, told, NOW, request_key="k")
        with pytest.raises(FaultReported) as again:
            report_fault(session, operator, point, told, NOW, request_key="k")
        assert again.value.fault == fault.id
        bad = [
            ("kind", NewFault("smell", "x")),
            ("text", NewFault("sound", " ")),
            ("noticed_at", NewFault("sound", "x", NOW + HOUR)),
            ("noticed_at", NewFault("sound", "x", NOW - 4000 * DAY)),
        ]
        for field, new in bad:
            with pytest.raises(FieldInvalid) as wrong:
                report_fault(session, operator, point, new, NOW)
            assert wrong.value.field == field
        with pytest.raises(UnknownMeeting):
            report_fault(session, operator, point, NewFault("sound", "x", None, 99), NOW)
        for actor in (city.actors["truc.cattlinh"], city.actors["lanhdao.vanmieu"]):
            with pytest.raises(NotPermitted):
                report_fault(session, actor, point, NewFault("sound", "x"), NOW)

        new = NewFault("power", "Mất điện\ncả tầng", NOW - HOUR, out_of_service=True)
        with pytest.raises(NotPermitted):
            report_fault(session, operator, point, new, NOW)
        out = report_fault(session, technician, point, new, NOW - HOUR)
        (outage,) = outages_since(session, [point], NOW)
        assert (out.outage_id, outage.reason) == (outage.id, "Mất điện")

        lines, total = list_faults(session, technician, Wanted(), TODAY, 10)
        assert ([line.fault for line in lines], total) == ([fault, out], 2)
        assert list_faults(session, city.actors["thuky.snv"], Wanted(), TODAY, 10) == ([], 0)
        with pytest.raises(FieldInvalid) as early:
            solve_fault(session, technician, out.id, "x", NOW - 2 * HOUR, NOW)
        assert early.value.problem == "before_noticed"
        solve_fault(session, technician, out.id, "Đóng điện lại", None, NOW, in_service=True)
        assert outages_since(session, [point], NOW) == []
        with pytest.raises(FaultSolved):
            solve_fault(session, technician, out.id, "x", None, NOW)
        solve_fault(session, operator, fault.id, "Thay pin", NOW - HOUR, NOW)
        figures = repairs(session, technician, Wanted(), NOW)
        assert (figures.solved, figures.median) == (2, timedelta(minutes=90))
        district = Wanted("solved", "sound", city.units["006"], "van mieu")
        assert [
            line.solver for line in list_faults(session, technician, district, TODAY, 9)[0]
        ] == ["Phạm Văn Tùng"]
        elsewhere = Wanted("all", "", city.units["001"])
        assert list_faults(session, technician, elsewhere, TODAY, 9) == ([], 0)
        after = faults_after(session, technician, Wanted("all"), TODAY, fault.id, 9, point)
        assert [line.fault.id for line in after] == [out.id]


def test_a_fault_forgets_an_outage_that_is_taken_back(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        technician, point = city.actors["kythuat"], city.points["006"]
        fault = report_fault(session, technician, point, NewFault("network", "Chập chờn"), NOW)
        coming = report_outage(session, technician, point, NOW + DAY, None, "Thay dây", NOW)
        fault.outage_id = coming.id
        session.flush()
        assert close_outage(session, technician, coming.id, NOW) is None
        session.refresh(fault)
        assert fault.outage_id is None


def test_the_history_tells_faults_outages_and_lost_lines(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        operator, point = city.actors["truc.vanmieu"], city.points["00181"]
        begins = NOW + HOUR
        meeting = scheduled_meeting(session, city, NOW, starts_at=begins, ends_at=begins + 2 * HOUR)
        start(session, city.secretary, meeting.id, begins)
        told = [("present", 0), ("lost", 12), ("lost", 14), ("present", 20), ("lost", 60)]
        entries = [
            CheckIn(
                meeting.id,
                point,
                state,
                operator.person_id,
                Source.PAGE,
                observed_at=begins + timedelta(minutes=minutes),
            )
            for state, minutes in told
        ]
        record_check_ins(session.connection(), entries, begins + 2 * HOUR)
        now = begins + 3 * HOUR
        report_outage(session, city.secretary, point, NOW - DAY, NOW - HOUR, "Sửa", NOW)
        report_fault(session, operator, point, NewFault("network", "Rớt", begins + HOUR), now)
        losses = losses_of(session, point, now)
        minute = timedelta(minutes=1)
        assert [(one.since, one.until) for one in losses] == [
            (begins + 60 * minute, None),
            (begins + 12 * minute, begins + 20 * minute),
        ]
        kinds = [
            "fault" if one.fault else "outage" if one.outage else "loss"
            for one in history_of(session, point, now)
        ]
        assert sorted(kinds[:2]) == ["fault", "loss"]
        assert kinds[2:] == ["loss", "outage"]
        assert history_of(session, city.points["00178"], now) == []
        # The code at the door leads to this meeting while it runs.
        (duty,) = meetings_at_the_door(session, point, begins + HOUR)
        assert (duty.meeting.id, duty.is_open) == (meeting.id, True)
        assert meetings_at_the_door(session, point, begins + 20 * HOUR) == []
        below = doors_of(session, city.secretary, city.units["006"], TODAY, below=True)
        assert [door.unit for door in below] == [
            "Quận Đống Đa",
            "Phường Cát Linh",
            "Phường Văn Miếu",
            "Phường Trung Tự",
        ]
        assert len(doors_of(session, operator, city.units["006"], TODAY, below=True)) == 1


def test_equipment_is_listed_with_words_of_ones_own(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        clerk, point = city.actors["vanthu.vanmieu"], city.points["00181"]
        camera = EquipmentFacts("camera", "Logitech Rally", "TS-1", TODAY - DAY)
        piece = add_equipment(session, clerk, point, camera, TODAY)
        bad = [
            ("kind", EquipmentFacts(" ")),
            ("condition", EquipmentFacts("camera", condition="burnt")),
            ("since", EquipmentFacts("camera", since=TODAY + DAY)),
            ("serial", EquipmentFacts("camera", serial="x" * 81)),
        ]
        for field, facts in bad:
            with pytest.raises(FieldInvalid) as wrong:
                add_equipment(session, clerk, point, facts, TODAY)
            assert wrong.value.field == field
        with pytest.raises(NotPermitted):
            add_equipment(session, city.actors["truc.vanmieu"], point, camera, TODAY)
        change_equipment(session, clerk, piece.id, EquipmentFacts("bàn điều khiển"), TODAY)
        pieces = [(piece.id, camera), (None, EquipmentFacts("line", condition="faulty"))]
        replace_equipment(session, clerk, point, pieces, TODAY)
        listed = equipment_at(session, [point])
        assert [(one.id == piece.id, one.kind, one.condition) for one in listed] == [
            (True, "camera", "works"),
            (False, "line", "faulty"),
        ]
        replace_equipment(session, clerk, point, [(listed[1].id, EquipmentFacts("line"))], TODAY)
        assert remove_equipment(session, clerk, listed[1].id, TODAY) == point
        assert equipment_at(session, [point]) == []


def test_technicians_hold_the_role_and_the_first_is_on_duty(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        clerk, point = city.actors["vanthu.vanmieu"], city.points["00181"]
        home = points_of(session, city.units["00181"])[0]
        operator, technician = city.actors["truc.vanmieu"], city.actors["kythuat"]
        district = city.actors["truc.dongda"]
        who = [one.person_id for one in candidates(session, home, TODAY)]
        assert who[0] == operator.person_id
        assert set(who[1:]) == {technician.person_id, district.person_id}
        for person in (operator, technician, technician):
            assign_technician(session, clerk, point, person.person_id, TODAY)
        for stranger in (clerk, city.actors["truc.cattlinh"]):
            with pytest.raises(NotATechnician):
                assign_technician(session, clerk, point, stranger.person_id, TODAY)

        def names() -> list[str]:
            return [one.name for one in technicians_of(session, [point]).get(point, [])]

        assert names() == ["Phạm Văn Tùng", "Ngô Gia Bảo"]
        put_on_duty(session, clerk, point, technician.person_id, TODAY)
        assert names() == ["Ngô Gia Bảo", "Phạm Văn Tùng"]
        dismiss_technician(session, clerk, point, technician.person_id, TODAY)
        both = [district.person_id, operator.person_id]
        replace_technicians(session, clerk, point, both, TODAY)
        assert names() == ["Vũ Quang Huy", "Phạm Văn Tùng"]
        change_point(session, clerk, point, PointFacts("Phòng họp", address="Tầng 2"), TODAY)
        assert points_of(session, city.units["00181"])[0].address == "Tầng 2"
