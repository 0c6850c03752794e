"""Reports to take away: XLSX with everything, PDF as paper. Each is put into the record first."""

from typing import Any

from litestar import Response, get
from litestar.exceptions import NotFoundException

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.web.downloads import disposition, note_download
from meetings_server.web.meeting_words import LEVELS, word
from meetings_server.web.pages import PageRequest
from meetings_server.web.report_meeting import asked_rule, read_report
from meetings_server.web.report_words import OUTCOMES, asked_for, month
from minutes.file_kinds import PDF
from minutes.reporting import coverage_pdf, meeting_report_pdf, period_report_pdf
from rooms.attendance_reports import AttendanceReport, Order, attendance_report, ranked
from rooms.coverage import TARGETS, Coverage, coverage
from rooms.hierarchy import Tree, Unit, load_tree
from rooms.kernel import civil_day, utcnow
from rooms.meeting_report import MeetingReport
from rooms.periods import Period
from rooms.punctuality import Tally
from rooms.sheets.tables import TableSheet, Value, write_tables

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NAME, NARROW, TIME = 40, 12, 18


def _answer(content: bytes, ending: str, filename: str) -> Response[bytes]:
    media = PDF if ending == "pdf" else XLSX
    return Response(
        content,
        media_type=media,
        headers={
            "content-disposition": disposition(filename, inline=ending == "pdf"),
            "cache-control": "private, no-store",
            "x-content-type-options": "nosniff",
        },
    )


def _ending(filename: str, stem: str) -> str:
    name, _dot, ending = filename.rpartition(".")
    if name != stem or ending not in {"pdf", "xlsx"}:
        raise NotFoundException
    return ending


def _heads() -> list[str]:
    return [
        _("Invited"),
        _("Present"),
        _("Present, share"),
        _("Late"),
        _("On time, share"),
        _("Absent"),
        _("Absent, with a reason"),
        _("Substitute came"),
        _("Lost time"),
        _("Interruptions"),
        _("People"),
    ]


def _cells(sums: Tally) -> list[Value]:
    return [
        sums.invited,
        sums.present,
        sums.attendance_share,
        sums.late,
        sums.punctuality,
        sums.absent,
        sums.declined,
        sums.substitutes,
        sums.missed,
        sums.interruptions,
        sums.people,
    ]


_WIDTHS = [NARROW] * 11


@get(
    "/reports/meetings/{meeting_id:int}/{filename:str}",
    include_in_schema=False,
    sync_to_thread=True,
)
def meeting_file(
    request: PageRequest, db: Database, meeting_id: int, filename: str
) -> Response[bytes]:
    """`report.pdf` or `report.xlsx`, as far as the person may see of the meeting."""
    ending = _ending(filename, "report")
    query = request.query_params
    rule, refusal = asked_rule(query)
    if refusal is not None:
        raise refusal
    code = query.get("unit", "")[:40] or None
    with db.reader() as session:
        report = read_report(
            session, request.user.actor, meeting_id, rule, utcnow(), code, curve=False
        )
        host_id = report.meeting.host_unit_id
    # The session is closed: neither paper nor workbook keeps a transaction open.
    content = meeting_report_pdf(report) if ending == "pdf" else meeting_workbook(report)
    kind = _("attendance-report")
    name = f"{kind}-{meeting_id}.{ending}"
    note_download(
        db,
        "meeting",
        meeting_id,
        name,
        unit_id=host_id,
        facts={"rows": len(report.points), "unit": code or ""},
    )
    return _answer(content, ending, name)


def meeting_workbook(report: MeetingReport) -> bytes:
    """Levels, units above, every point, and when there was a quorum."""
    by_id = report.tree.by_id

    def above(unit_id: int) -> str:
        node = by_id.get(unit_id)
        parent = by_id.get(node.parent_id) if node and node.parent_id else None
        return parent.name if parent else ""

    sheets = [
        TableSheet(
            _("Totals"),
            [NAME, *_WIDTHS],
            [report.meeting.title, *_heads()],
            [
                [_("All"), *_cells(report.total)],
                *([word(LEVELS, level), *_cells(sums)] for level, sums in report.levels.items()),
                *([node.name, *_cells(sums)] for node, sums in report.parents),
            ],
        ),
        TableSheet(
            _("Bridge points"),
            [NARROW, NAME, NAME, NAME, NARROW, TIME, TIME, *[NARROW] * 6, NAME, NAME],
            [
                _("Code"),
                _("Unit"),
                _("The unit above"),
                _("Bridge point"),
                _("Level"),
                _("Meeting attendance"),
                _("First present"),
                _("Late"),
                _("Cut off"),
                _("Left early"),
                _("Lost time"),
                _("Interruptions"),
                _("People"),
                _("Head of delegation"),
                _("Reason"),
            ],
            (
                [
                    point.unit_code,
                    point.unit_name,
                    above(point.unit_id),
                    point.point_name,
                    word(LEVELS, point.level),
                    " – ".join(
                        [word(OUTCOMES, point.outcome), *([_("substitute")] * point.is_substitute)]
                    ),
                    point.first_present_at,
                    *(
                        [held.late, held.lost, held.left_early, held.missed, held.interruptions]
                        if (held := point.held)
                        else [None] * 5
                    ),
                    point.headcount,
                    point.head_of_delegation,
                    point.reason,
                ]
                for point in report.points
            ),
        ),
    ]
    if report.quorum is not None:
        sheets.append(
            TableSheet(
                _("Quorum"),
                [TIME, TIME, NARROW, NARROW],
                [_("Kept from"), _("Kept until"), _("Needed are"), _("Invited")],
                (
                    [since, until, report.quorum.needed, report.quorum.invited]
                    for since, until in report.quorum.spans
                ),
            )
        )
    return write_tables(sheets)


@get("/reports/{filename:str}", include_in_schema=False, sync_to_thread=True)
def period_file(request: PageRequest, db: Database, filename: str) -> Response[bytes]:
    """`attendance.pdf`, `attendance.xlsx`, `coverage.pdf`, `coverage.xlsx`, with the page's filters."""
    stem = filename.rpartition(".")[0]
    if stem not in {"attendance", "coverage"}:
        raise NotFoundException
    ending = _ending(filename, stem)
    now = utcnow()
    with db.reader() as session:
        asked = asked_for(session, request.user.actor, request.query_params, now, "order")
        for refusal in asked.errors.values():
            raise refusal
        if asked.unit is None:
            raise NotFoundException
        unit = asked.unit
        tree = load_tree(session, min(asked.period.last, civil_day(now)))
        found: AttendanceReport | Coverage
        if stem == "attendance":
            level = asked.level if asked.level in LEVELS else ""
            found = attendance_report(session, asked.units, asked.period, level)
            order = asked.typed["order"]
            found.units[:] = ranked(
                found.units, Order(order) if order in set(Order) else Order.MISSED
            )
        else:
            found = coverage(session, asked.units, asked.period, now)
    # The session is closed: neither paper nor workbook keeps a transaction open.
    content = _packed(found, asked.period, tree, unit, ending)
    kind = _("attendance-report") if stem == "attendance" else _("meetings-through-the-system")
    name = f"{kind}-{asked.period.first}-{asked.period.last}.{ending}"
    note_download(
        db,
        "unit",
        unit.id,
        name,
        unit_id=unit.id,
        facts={"from": asked.period.first, "to": asked.period.last, "level": asked.level},
    )
    return _answer(content, ending, name)


def _packed(
    found: AttendanceReport | Coverage, period: Period, tree: Tree, unit: Unit, ending: str
) -> bytes:
    if isinstance(found, AttendanceReport):
        if ending == "xlsx":
            return attendance_workbook(found)
        return period_report_pdf(found, tree, unit)
    if ending == "xlsx":
        return coverage_workbook(found)
    return coverage_pdf(found, period, tree, unit)


def attendance_workbook(report: AttendanceReport) -> bytes:
    """Totals, months, units above, units."""
    return write_tables(
        [
            TableSheet(
                _("Totals"),
                [NAME, *_WIDTHS],
                [_("Level"), *_heads()],
                [
                    [_("All"), *_cells(report.total)],
                    *(
                        [word(LEVELS, level), *_cells(sums)]
                        for level, sums in report.levels.items()
                    ),
                ],
            ),
            TableSheet(
                _("Months"),
                [NARROW, *_WIDTHS],
                [_("Month"), *_heads()],
                ([month(day), *_cells(sums)] for day, sums in report.trend),
            ),
            TableSheet(
                _("The unit above"),
                [NARROW, NAME, *_WIDTHS],
                [_("Code"), _("The unit above"), *_heads()],
                ([line.code, line.name, *_cells(line.tally)] for line in report.parents),
            ),
            TableSheet(
                _("Units"),
                [NARROW, NAME, NAME, TIME, *_WIDTHS],
                [_("Code"), _("Unit"), _("The unit above"), _("Level"), *_heads()],
                (
                    [
                        line.code,
                        line.name,
                        line.parent_name,
                        word(LEVELS, line.level),
                        *_cells(line.tally),
                    ]
                    for line in report.units
                ),
            ),
        ]
    )


def coverage_workbook(found: Coverage) -> bytes:
    """Levels with their targets, months, hosts."""
    heads = [
        _("Run here"),
        _("Never opened"),
        _("Run elsewhere"),
        _("Share"),
        _("Target"),
        _("Months not stated"),
    ]

    def cells(share: Any, level: str) -> list[Value]:
        return [
            share.here,
            share.unopened,
            share.elsewhere,
            share.share,
            TARGETS.get(level),
            share.unstated,
        ]

    return write_tables(
        [
            TableSheet(
                _("Levels"),
                [NAME, *[NARROW] * 6],
                [_("Level"), *heads],
                [
                    [word(LEVELS, level), *cells(sum_, level)]
                    for level, sum_ in found.levels.items()
                ],
            ),
            TableSheet(
                _("Months"),
                [NARROW, NAME, *[NARROW] * 6],
                [_("Month"), _("Level"), *heads],
                [
                    [month(day), word(LEVELS, level), *cells(sum_, level)]
                    for day, levels in found.months.items()
                    for level, sum_ in levels.items()
                ],
            ),
            TableSheet(
                _("Hosts"),
                [NARROW, NAME, TIME, *[NARROW] * 6],
                [_("Code"), _("Unit"), _("Level"), *heads],
                [
                    [host.code, host.name, word(LEVELS, host.level), *cells(host.share, host.level)]
                    for host in found.hosts
                ],
            ),
        ]
    )


HANDLERS = [meeting_file, period_file]
