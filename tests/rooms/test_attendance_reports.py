"""Reports over many meetings, and the share of those that were run here, on both databases."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.sweeps.summaries import sweep
from rooms.attendance import AttendanceEntry, AttendanceHead
from rooms.attendance_reports import (
    FILTERS,
    Order,
    attendance_report,
    invitations,
    ranked,
)
from rooms.coverage import coverage, meetings_counted, state_elsewhere, statements_of
from rooms.hierarchy import Unit, subtree_of
from rooms.kernel import FieldInvalid
from rooms.lineage import UnitEnded, asked_unit
from rooms.meetings import Meeting, MeetingState
from rooms.periods import Span, asked_period, months_before, period_of
from rooms.policies import NotPermitted
from rooms.punctuality import attendances, tally
from rooms.reorganisation.taking_effect import come_into_force
from rooms.summaries import PointSummary, UnitMonth, unsound, unsummed
from tests.factories import City, at, make_city, scheduled_meeting
from tests.held_day import say
from tests.reorganised import applied

NOW = datetime(2026, 10, 1, 2, tzinfo=UTC)
LATER = datetime(2026, 12, 10, 2, tzinfo=UTC)
YEAR = period_of(Span.YEAR, date(2026, 5, 5))


def hold(session: Session, city: City, day: date, said: list[tuple[str, str, float]]) -> Meeting:
    """A meeting of two hours from 08:00 with what its points said in minutes from the start."""
    meeting = scheduled_meeting(session, city, NOW, starts_at=at(day, 8))
    meeting.state = MeetingState.ENDED.value
    meeting.started_at = meeting.starts_at
    meeting.ended_at = meeting.starts_at + timedelta(hours=2)
    session.execute(
        insert(AttendanceEntry),
        [say(city, meeting, number, *row) for number, row in enumerate(said, start=1)],
    )
    session.execute(insert(AttendanceHead), [{"meeting_id": meeting.id, "revision": len(said)}])
    return meeting


def three_meetings(session: Session, city: City) -> list[Meeting]:
    return [
        hold(
            session,
            city,
            date(2026, 10, 12),
            [("01", "present", -5), ("006", "present", -1), ("00178", "present", 12)],
        ),
        hold(
            session,
            city,
            date(2026, 11, 9),
            [("01", "present", -5), ("00178", "present", -3), ("00178", "lost", 60)],
        ),
        hold(session, city, date(2026, 11, 16), [("01", "present", -5), ("00226", "present", 30)]),
    ]


def test_a_year_adds_up_to_its_meetings(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        meetings = three_meetings(session, city)
    assert sweep(db, LATER) == 3
    assert sweep(db, LATER) == 0
    with db.reader() as session:
        everything = subtree_of(city.units["01"], date(2026, 12, 1))
        report = attendance_report(session, everything, YEAR)
        whole = tally(p for meeting in meetings for p in attendances(session, meeting, LATER))
        assert report.total == whole
        assert (report.meetings, report.waiting) == (3, 0)
        assert (whole.present, whole.late, whole.missed) == (7, 2, timedelta(minutes=12 + 60 + 30))
        for period in (
            asked_period("", "", "2026-10-12", "2026-11-16", LATER.date()),
            asked_period("", "", "2026-01-02", "2026-11-30", LATER.date()),
        ):
            assert attendance_report(session, everything, period).total == whole
        november = attendance_report(session, everything, period_of(Span.MONTH, date(2026, 11, 3)))
        week = attendance_report(session, everything, period_of(Span.WEEK, date(2026, 11, 11)))
        assert (november.meetings, week.meetings) == (2, 1)
        assert [month for month, sums in report.trend if sums.invited] == [
            date(2026, 10, 1),
            date(2026, 11, 1),
        ]
        assert sum(sums.invited for _, sums in report.trend) == whole.invited
        by_level = {level: (sums.invited, sums.present) for level, sums in report.levels.items()}
        assert by_level["ward"] == (12, 3)
        parents = {line.code: line.tally.invited for line in report.parents}
        assert parents == {"01": 15, "001": 3, "006": 9}
        worst = ranked(report.units, Order.MISSED)[0]
        assert (worst.code, worst.tally.missed) == ("00178", timedelta(minutes=72))
        assert ranked(report.units, Order.ABSENT)[0].tally.absent == 3
        assert ranked(report.units, Order.UNIT) == report.units
        district = attendance_report(session, subtree_of(city.units["006"], NOW.date()), YEAR)
        assert {line.code for line in district.units} == {"006", "00178", "00181", "00226"}
        wards = attendance_report(session, everything, YEAR, "ward")
        assert (wards.total, wards.meetings) == (report.levels["ward"], 3)
        behind = invitations(session, everything, YEAR, only="late", limit=10)
        assert [(line.unit_name, line.late // 60) for line in behind] == [
            ("Phường Trung Tự", 30),
            ("Phường Cát Linh", 12),
        ]
        for only in FILTERS:
            invitations(session, everything, YEAR, only=only, limit=10)
        empty = attendance_report(session, everything, period_of(Span.YEAR, date(2024, 1, 1)))
        assert (empty.total.attendance_share, empty.total.punctuality) == (None, None)


def test_a_summary_follows_the_log_and_betrays_a_change(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        meeting = three_meetings(session, city)[0].id
    sweep(db, LATER)
    with db.transaction() as session:
        # Kept on a device without network, and sent after the end.
        held = session.get_one(Meeting, meeting)
        session.execute(insert(AttendanceEntry), [say(city, held, 4, "00181", "present", 20)])
        session.execute(
            update(AttendanceHead).where(AttendanceHead.meeting_id == meeting).values(revision=4)
        )
        assert unsummed(session) == [meeting]
    assert sweep(db, LATER) == 1
    with db.transaction() as session:
        ids = list(session.scalars(select(Meeting.id)))
        assert unsound(session, ids, LATER) == []
        october = session.scalars(
            select(UnitMonth.late).where(
                UnitMonth.unit_id == city.units["00181"], UnitMonth.month == date(2026, 10, 1)
            )
        )
        assert list(october) == [1]
        session.execute(
            update(PointSummary).where(PointSummary.meeting_id == meeting).values(lost=1)
        )
        assert unsound(session, ids, LATER) == [meeting]


def test_units_of_the_past_keep_their_names_and_their_place(db: Database) -> None:
    day = date(2026, 11, 1)
    with db.transaction() as session:
        city = make_city(session, NOW)
        hold(session, city, date(2026, 10, 12), [("00181", "present", 5)])
        applied(session, city, day, NOW)
    with db.transaction() as session:
        come_into_force(session, day, at(day, 0))
    with db.transaction() as session:
        hold(session, city, date(2026, 11, 16), [("01", "present", -5)])
    sweep(db, LATER)
    with db.reader() as session:
        city_unit, below = asked_unit(session, "01", LATER.date())
        assert city_unit.id == city.units["01"]
        report = attendance_report(session, below, YEAR)
        wards = {line.name: line for line in report.units}
        assert wards["Phường Văn Miếu"].tally.late == 1
        assert wards["Phường Văn Miếu"].valid_until == day
        assert wards["Phường Văn Miếu"].parent_name == "Quận Đống Đa"
        assert wards["Phường Văn Miếu - Cát Linh"].parent_name == "Thành phố Hà Nội"
        # The successor answers for what it has taken over; the district for its days.
        _, heir = asked_unit(session, "00178", LATER.date())
        assert {line.name for line in attendance_report(session, heir, YEAR).units} == {
            "Phường Văn Miếu",
            "Phường Cát Linh",
            "Phường Văn Miếu - Cát Linh",
        }
        _, district = asked_unit(session, "006@2026-10-31", LATER.date())
        assert len(attendance_report(session, district, YEAR).units) == 4


def test_the_share_that_was_run_here(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        meetings = three_meetings(session, city)
        # One never opened, one cancelled, one still to come.
        meetings[2].state = MeetingState.SCHEDULED.value
        cancelled = scheduled_meeting(session, city, NOW, starts_at=at(date(2026, 11, 20), 8))
        cancelled.state = MeetingState.CANCELLED.value
        scheduled_meeting(session, city, NOW, starts_at=at(date(2026, 12, 20), 8))
        secretary, host = city.secretary, city.units["01"]
        state_elsewhere(session, secretary, host, date(2026, 10, 1), 3, "Họp trực tiếp", LATER)
        state_elsewhere(session, secretary, host, date(2026, 10, 1), 1, "", LATER)
        state_elsewhere(session, secretary, host, date(2026, 9, 1), 0, "", LATER)
    everything = subtree_of(city.units["01"], date(2026, 12, 1))
    with db.reader() as session:
        found = coverage(session, everything, period_of(Span.QUARTER, date(2026, 11, 1)), LATER)
        share = found.levels["city"]
        assert (share.here, share.unopened, share.elsewhere, share.total) == (2, 1, 1, 4)
        assert share.share == 0.5
        # October is stated, November over and not stated, December not over.
        assert (share.stated, share.unstated) == (1, 1)
        assert found.months[date(2026, 10, 1)]["city"].share == 0.5
        assert found.months[date(2026, 11, 1)]["city"].here == 1
        # Districts have a target: their silence is told, wards' is not.
        assert found.levels["district"].unstated == 4
        assert found.levels["district"].share is None
        assert [host.code for host in found.hosts] == ["01", "001", "006"]
        week = coverage(session, everything, period_of(Span.WEEK, date(2026, 10, 14)), LATER)
        assert week.levels["city"].total == 2
        rows, total = meetings_counted(
            session, everything, period_of(Span.YEAR, date(2026, 1, 1)), LATER, limit=2
        )
        assert (len(rows), total) == (2, 3)
        assert [row[0].state for row in rows] == ["scheduled", "ended"]
        stated = statements_of(session, host, months_before(date(2027, 1, 1), 12))
        assert {month.month: row.meetings for month, row in stated.items()} == {9: 0, 10: 1}


def test_statements_are_refused(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        for unit, month, number, refusal in (
            ("01", date(2026, 10, 2), 1, FieldInvalid),
            ("01", date(2027, 1, 1), 1, FieldInvalid),
            ("01", date(2026, 10, 1), -1, FieldInvalid),
            ("01", date(2026, 10, 1), 1001, FieldInvalid),
        ):
            with pytest.raises(refusal):
                state_elsewhere(session, city.secretary, city.units[unit], month, number, "", LATER)
        clerk = city.actors["vanthu.vanmieu"]
        with pytest.raises(NotPermitted):
            state_elsewhere(session, clerk, city.units["006"], date(2026, 10, 1), 1, "", LATER)
        session.get_one(Unit, city.units["006"]).valid_until = date(2026, 9, 1)
        with pytest.raises(UnitEnded):
            state_elsewhere(
                session, city.secretary, city.units["006"], date(2026, 10, 1), 1, "", LATER
            )


def test_periods() -> None:
    today = date(2026, 11, 22)
    assert asked_period("", "", "", "", today) == period_of(Span.YEAR, today)
    quarter = asked_period("quarter", "2026-02-14", "", "", today)
    assert (quarter.first, quarter.last) == (date(2026, 1, 1), date(2026, 3, 31))
    before, after = quarter.beside(-1), quarter.beside(1)
    assert before is not None
    assert after is not None
    assert (before.first, after.last) == (date(2025, 10, 1), date(2026, 6, 30))
    week = period_of(Span.WEEK, today)
    assert (week.first.weekday(), week.last) == (0, today)
    days = asked_period("week", "", "2026-01-15", "", today)
    assert (days.span, days.last, days.beside(1)) == (Span.DAYS, today, None)
    assert days.whole_months == (date(2026, 2, 1), date(2026, 11, 1))
    assert period_of(Span.WEEK, today).whole_months[0] == date(2026, 12, 1)
    for bad in (
        ("decade", "", "", ""),
        ("week", "soon", "", ""),
        ("", "", "2026-02-01", "2026-01-01"),
        ("", "", "2016-02-01", "2026-01-01"),
        ("", "0001-01-01", "", ""),
    ):
        with pytest.raises(FieldInvalid):
            asked_period(*bad, today)
