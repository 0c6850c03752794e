"""Reports: the attendance of a meeting, of a period, and the share of meetings run through the system."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import QueryParameter

from meetings_server.api.calls import ApiRequest, Id
from meetings_server.database import Database
from meetings_server.web.report_meeting import read_report
from meetings_server.web.report_words import asked_for
from rooms.attendance_reports import attendance_report
from rooms.coverage import TARGETS, Share, coverage
from rooms.kernel import utcnow
from rooms.punctuality import Outcome, PointAttendance, Tally
from rooms.quorum import parse_rule


class SumsOut(msgspec.Struct):
    """Counts of invitations. `present` includes `late`, `absent` includes `declined`; times in seconds.

    `punctuality`: of those present, the share that was there at the start.
    """

    invited: int
    present: int
    late: int
    absent: int
    declined: int
    substitutes: int
    people: int
    interruptions: int
    expected_seconds: int
    lost_seconds: int
    attendance_share: float | None
    punctuality: float | None


class LevelSums(msgspec.Struct):
    level: str
    sums: SumsOut


class UnitSums(msgspec.Struct):
    """A unit by its code and name of the days of the meetings; `valid_until` where it has ended."""

    unit: str
    name: str
    level: str
    sums: SumsOut
    valid_until: date | None = None


class MonthSums(msgspec.Struct):
    month: date
    sums: SumsOut


class PointReport(msgspec.Struct):
    """A point. Without seconds where it never came."""

    point: int
    unit: str
    unit_name: str
    level: str
    outcome: Outcome
    is_substitute: bool
    first_present_at: datetime | None
    late_seconds: int | None
    lost_seconds: int | None
    left_early_seconds: int | None
    interruptions: int | None
    headcount: int | None
    head_of_delegation: str


class QuorumOut(msgspec.Struct):
    """`spans`: from when until when enough were there, in order."""

    of: str
    needed: int
    invited: int
    most: int
    reached_at: datetime | None
    at_start: bool
    held_seconds: int
    spans: list[tuple[datetime, datetime]]


class MeetingReportOut(msgspec.Struct):
    """`start`, `end`: between which points are expected. `quorum`: for the whole meeting only."""

    meeting: int
    start: datetime
    end: datetime
    total: SumsOut
    levels: list[LevelSums]
    parents: list[UnitSums]
    points: list[PointReport]
    quorum: QuorumOut | None


class AttendanceReportOut(msgspec.Struct):
    """`waiting`: meetings that have just ended and are not counted yet. Days are both included."""

    unit: str
    first: date
    last: date
    meetings: int
    waiting: int
    total: SumsOut
    levels: list[LevelSums]
    parents: list[UnitSums]
    units: list[UnitSums]
    months: list[MonthSums]


class ShareOut(msgspec.Struct):
    """`share` = `here` ÷ (`here` + `unopened` + `elsewhere`), the highest possible while months are unstated."""

    here: int
    unopened: int
    elsewhere: int
    stated_months: int
    unstated_months: int
    share: float | None


class LevelShare(msgspec.Struct):
    level: str
    share: ShareOut
    target: float | None = None
    month: date | None = None


class HostShare(msgspec.Struct):
    unit: str
    name: str
    level: str
    share: ShareOut


class CoverageOut(msgspec.Struct):
    """The meetings run through the system, by level, by month and level, and by host."""

    unit: str
    first: date
    last: date
    levels: list[LevelShare]
    months: list[LevelShare]
    hosts: list[HostShare]


UnitCode = Annotated[
    str, QueryParameter(max_length=40, description="A unit with all below; the highest one without")
]


@get(
    "/meetings/{meeting_id:int}/attendance/report",
    sync_to_thread=True,
    summary="The attendance report of a meeting",
)
def read_meeting_report(
    request: ApiRequest,
    db: Database,
    meeting_id: Id,
    unit: Annotated[str | None, QueryParameter(max_length=40)] = None,
    quorum: Annotated[
        str,
        QueryParameter(
            max_length=20,
            description="two_thirds (usual), more_than_half, three_quarters, all, or a number",
        ),
    ] = "",
    of: Annotated[str, QueryParameter(max_length=10, description="units (usual) or points")] = "",
) -> MeetingReportOut:
    """Who was there and for how long, from the log, and when there was a quorum."""
    rule = parse_rule(quorum, of)
    with db.reader() as session:
        report = read_report(
            session, request.user.actor, meeting_id, rule, utcnow(), unit, curve=False
        )
    found = report.quorum
    return MeetingReportOut(
        meeting=meeting_id,
        start=report.window.start,
        end=report.window.end,
        total=_sums(report.total),
        levels=[LevelSums(level, _sums(sums)) for level, sums in report.levels.items()],
        parents=[
            UnitSums(node.code, node.name, node.level, _sums(sums)) for node, sums in report.parents
        ],
        points=[_point(point) for point in report.points],
        quorum=QuorumOut(
            found.rule.of.value,
            found.needed,
            found.invited,
            found.most,
            found.reached_at,
            found.at_start,
            round(found.held.total_seconds()),
            list(found.spans),
        )
        if found
        else None,
    )


@get("/reports/attendance", sync_to_thread=True, summary="Attendance of units in a period")
def read_attendance_report(
    request: ApiRequest,
    db: Database,
    unit: UnitCode = "",
    level: Annotated[str, QueryParameter(max_length=20)] = "",
    first: Annotated[
        str, QueryParameter(name="from", max_length=10, description="YYYY-MM-DD")
    ] = "",
    last: Annotated[str, QueryParameter(name="to", max_length=10, description="YYYY-MM-DD")] = "",
) -> AttendanceReportOut:
    """Everything that a unit and those below were invited to; this year where no day is said."""
    with db.reader() as session:
        asked = asked_for(
            session,
            request.user.actor,
            {"unit": unit, "level": level, "from": first, "to": last},
            utcnow(),
        )
        for refusal in asked.errors.values():
            raise refusal
        report = attendance_report(session, asked.units, asked.period, level)
    return AttendanceReportOut(
        unit=asked.unit.code if asked.unit else "",
        first=report.period.first,
        last=report.period.last,
        meetings=report.meetings,
        waiting=report.waiting,
        total=_sums(report.total),
        levels=[LevelSums(name, _sums(sums)) for name, sums in report.levels.items()],
        parents=[
            UnitSums(line.code, line.name, line.level, _sums(line.tally)) for line in report.parents
        ],
        units=[
            UnitSums(line.code, line.name, line.level, _sums(line.tally), line.valid_until)
            for line in report.units
        ],
        months=[MonthSums(month, _sums(sums)) for month, sums in report.trend],
    )


@get("/reports/coverage", sync_to_thread=True, summary="Which share of meetings was run here")
def read_coverage(
    request: ApiRequest,
    db: Database,
    unit: UnitCode = "",
    first: Annotated[
        str, QueryParameter(name="from", max_length=10, description="YYYY-MM-DD")
    ] = "",
    last: Annotated[str, QueryParameter(name="to", max_length=10, description="YYYY-MM-DD")] = "",
) -> CoverageOut:
    """By the hosts of a unit and those below; months count as a whole, this year without days."""
    now = utcnow()
    with db.reader() as session:
        asked = asked_for(
            session, request.user.actor, {"unit": unit, "from": first, "to": last}, now
        )
        for refusal in asked.errors.values():
            raise refusal
        found = coverage(session, asked.units, asked.period, now)
    return CoverageOut(
        unit=asked.unit.code if asked.unit else "",
        first=asked.period.first,
        last=asked.period.last,
        levels=[
            LevelShare(level, _share(share), TARGETS.get(level))
            for level, share in found.levels.items()
        ],
        months=[
            LevelShare(level, _share(share), TARGETS.get(level), month)
            for month, levels in found.months.items()
            for level, share in levels.items()
        ],
        hosts=[
            HostShare(host.code, host.name, host.level, _share(host.share)) for host in found.hosts
        ],
    )


def _sums(tally: Tally) -> SumsOut:
    told = asdict(tally)
    expected, missed = told.pop("expected"), told.pop("missed")
    return SumsOut(
        **told,
        expected_seconds=round(expected.total_seconds()),
        lost_seconds=round(missed.total_seconds()),
        attendance_share=tally.attendance_share,
        punctuality=tally.punctuality,
    )


def _share(share: Share) -> ShareOut:
    return ShareOut(
        share.here, share.unopened, share.elsewhere, share.stated, share.unstated, share.share
    )


def _point(point: PointAttendance) -> PointReport:
    held = point.held
    return PointReport(
        point=point.point_id,
        unit=point.unit_code,
        unit_name=point.unit_name,
        level=point.level,
        outcome=point.outcome,
        is_substitute=point.is_substitute,
        first_present_at=point.first_present_at,
        late_seconds=round(held.late.total_seconds()) if held else None,
        lost_seconds=round(held.lost.total_seconds()) if held else None,
        left_early_seconds=round(held.left_early.total_seconds()) if held else None,
        interruptions=held.interruptions if held else None,
        headcount=point.headcount,
        head_of_delegation=point.head_of_delegation,
    )


HANDLERS = [read_meeting_report, read_attendance_report, read_coverage]
