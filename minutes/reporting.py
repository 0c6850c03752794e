"""Reports of attendance on paper, in the form of NĐ 30/2020/NĐ-CP."""

from collections.abc import Iterable, Mapping
from datetime import date
from zoneinfo import ZoneInfo

from minutes.forms.attendance import (
    ListedPoint,
    MeetingAttendance,
    PeriodAttendance,
    PeriodShare,
    QuorumFacts,
    SharedMeetings,
    Sums,
    absence_words,
    away_words,
    level_name,
    meeting_attendance_sheet,
    period_attendance_sheet,
    period_share_sheet,
)
from minutes.forms.documents import Letterhead
from minutes.forms.letterhead import committee, place_name
from minutes.forms.pdf import render_pdf
from minutes.kinds import DocumentKind, is_territory, symbol_of
from rooms.attendance_reports import AttendanceReport
from rooms.coverage import TARGETS, Coverage, Share
from rooms.hierarchy import Node, Tree, Unit
from rooms.meeting_report import MeetingReport
from rooms.periods import Period
from rooms.punctuality import CLOSED, Outcome, PointAttendance, Tally
from rooms.quorum import Of, Quorum


def letterhead_of(tree: Tree, unit: Unit | Node) -> Letterhead:
    """The head of a report that a unit writes; number and day are left open."""
    territory: Unit | Node = next(
        (node for node in tree.ancestry(unit.id) if is_territory(node)), unit
    )
    own = unit.id == territory.id
    return Letterhead(
        superior="" if own else committee(territory.name),
        issuer=committee(unit.name) if own else unit.name,
        number=None,
        symbol=symbol_of(DocumentKind.REPORT, unit),
        place=place_name(territory.name),
        day=None,
    )


def meeting_report_pdf(report: MeetingReport) -> bytes:
    """The report of one meeting. `report.meeting.host_unit` must be loaded."""
    meeting = report.meeting
    host = report.tree.by_id.get(meeting.host_unit_id) or meeting.host_unit
    return render_pdf(
        meeting_attendance_sheet(
            MeetingAttendance(
                letterhead=letterhead_of(report.tree, host),
                title=meeting.title,
                host=host.name,
                start=report.window.start,
                end=report.window.end,
                closed=meeting.state in CLOSED,
                total=_sums("", report.total),
                levels=_levels(report.levels),
                parents=[_sums(node.name, tally) for node, tally in report.parents],
                quorum=_quorum(report.quorum),
                absent=[
                    ListedPoint(
                        point.unit_name,
                        point.point_name,
                        absence_words(point.reason, declined=point.outcome is Outcome.DECLINED),
                    )
                    for point in report.points
                    if point.held is None
                ],
                away=list(_away(report.points)),
                timezone=ZoneInfo(meeting.timezone),
            )
        )
    )


def _away(points: Iterable[PointAttendance]) -> Iterable[ListedPoint]:
    lost = [(point, point.held) for point in points if point.held and point.held.missed]
    for point, held in sorted(lost, key=lambda each: each[1].missed, reverse=True):
        yield ListedPoint(
            point.unit_name, point.point_name, away_words(held.late, held.lost, held.left_early)
        )


def _quorum(quorum: Quorum | None) -> QuorumFacts | None:
    if quorum is None:
        return None
    return QuorumFacts(
        quorum.rule.of is Of.UNITS,
        quorum.needed,
        quorum.invited,
        quorum.most,
        quorum.reached_at,
        quorum.held,
        quorum.at_start,
        quorum.spans,
    )


def period_report_pdf(report: AttendanceReport, tree: Tree, unit: Unit) -> bytes:
    """The report of a period; units in the order of `report.units`."""
    return render_pdf(
        period_attendance_sheet(
            PeriodAttendance(
                letterhead=letterhead_of(tree, unit),
                unit=unit.name,
                first=report.period.first,
                last=report.period.last,
                meetings=report.meetings,
                total=_sums("", report.total),
                levels=_levels(report.levels),
                parents=[_sums(line.name, line.tally) for line in report.parents],
                units=[_sums(line.name, line.tally) for line in report.units],
                months=[_sums(_month(day), tally) for day, tally in report.trend if tally.invited],
            )
        )
    )


def coverage_pdf(found: Coverage, period: Period, tree: Tree, unit: Unit) -> bytes:
    """The share of the meetings run through the system."""
    months = [
        _shared(f"{_month(day)} – {level_name(level)}", share, TARGETS.get(level))
        for day, levels in found.months.items()
        for level, share in levels.items()
        if share.total
    ]
    return render_pdf(
        period_share_sheet(
            PeriodShare(
                letterhead=letterhead_of(tree, unit),
                unit=unit.name,
                first=period.first,
                last=period.last,
                levels=[
                    _shared(level_name(level), share, TARGETS.get(level))
                    for level, share in found.levels.items()
                ],
                months=months,
                hosts=[
                    _shared(host.name, host.share, TARGETS.get(host.level)) for host in found.hosts
                ],
            )
        )
    )


def _month(day: date) -> str:
    return f"{day:%m/%Y}"


def _levels(levels: Mapping[str, Tally]) -> list[Sums]:
    return [_sums(level_name(level), tally) for level, tally in levels.items()]


def _sums(name: str, tally: Tally) -> Sums:
    return Sums(
        name,
        tally.invited,
        tally.present,
        tally.late,
        tally.absent,
        tally.declined,
        tally.missed,
        tally.people,
        tally.punctuality,
    )


def _shared(name: str, share: Share, target: float | None) -> SharedMeetings:
    return SharedMeetings(
        name, share.here, share.unopened, share.elsewhere, share.unstated, share.share, target
    )
