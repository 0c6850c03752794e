"""Báo cáo: attendance of a meeting, of a period, and the share of meetings run through the system."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from minutes.forms.documents import VIETNAM, Letterhead
from minutes.forms.letterhead import LEVEL_HEADINGS
from minutes.forms.sheet import (
    Appendix,
    Block,
    Column,
    Heading,
    Paragraph,
    RowGroup,
    Sheet,
    Signature,
    Table,
)
from minutes.forms.wording import DRAFT, count, head, line, moment, recipient_lines, short_day

LONGEST_LIST = 2_000
"""Rows of a list on paper; more are for a workbook, not for a reader."""
LEVELS = LEVEL_HEADINGS | {
    "city": "Cấp tỉnh, thành phố",
    "district": "Các quận, huyện, thị xã",
    "ward": "Các xã, phường, thị trấn",
    "nation": "Cấp trung ương",
}


@dataclass(frozen=True, slots=True)
class Sums:
    """Counts of invited points; `punctuality` and shares are None where nothing is to be divided."""

    name: str
    invited: int
    present: int
    late: int
    absent: int
    declined: int
    missed: timedelta
    people: int
    punctuality: float | None


@dataclass(frozen=True, slots=True)
class ListedPoint:
    """`words`: what is said of it in its list, such as a reason or how long it was away."""

    unit: str
    point: str
    words: str


@dataclass(frozen=True, slots=True)
class QuorumFacts:
    """`asked` is a share or a number in words; times are those at which it began to be kept."""

    counts_units: bool
    needed: int
    invited: int
    most: int
    reached_at: datetime | None
    held: timedelta
    at_start: bool
    spans: Sequence[tuple[datetime, datetime]]


@dataclass(frozen=True, slots=True)
class MeetingAttendance:
    letterhead: Letterhead
    title: str
    host: str
    start: datetime
    end: datetime
    closed: bool
    total: Sums
    levels: Sequence[Sums]
    parents: Sequence[Sums]
    quorum: QuorumFacts | None
    absent: Sequence[ListedPoint]
    away: Sequence[ListedPoint]
    timezone: ZoneInfo = VIETNAM


@dataclass(frozen=True, slots=True)
class PeriodAttendance:
    letterhead: Letterhead
    unit: str
    first: date
    last: date
    meetings: int
    total: Sums
    levels: Sequence[Sums]
    parents: Sequence[Sums]
    units: Sequence[Sums]
    """The worst first."""
    months: Sequence[Sums]


@dataclass(frozen=True, slots=True)
class SharedMeetings:
    """A row of the share: `here` of `total` were run through the system."""

    name: str
    here: int
    unopened: int
    elsewhere: int
    unstated: int
    share: float | None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class PeriodShare:
    letterhead: Letterhead
    unit: str
    first: date
    last: date
    levels: Sequence[SharedMeetings]
    months: Sequence[SharedMeetings]
    hosts: Sequence[SharedMeetings]


def percent(share: float | None) -> str:
    if share is None:
        return "–"
    shown = min(share, 0.999) if share < 1 else share
    return f"{100 * shown:.1f}".removesuffix(".0").replace(".", ",") + "%"


def minutes(length: timedelta) -> str:
    return count(round(length.total_seconds() / 60))


def sums_table(title: str, rows: Sequence[Sums]) -> Table:
    return Table(
        (
            Column(title, 34),
            Column("Được mời", 11, "center"),
            Column("Có mặt", 11, "center"),
            Column("Tỷ lệ", 11, "center"),
            Column("Muộn", 10, "center"),
            Column("Vắng", 10, "center"),
            Column("Phút mất", 13, "center"),
        ),
        (
            RowGroup(
                "",
                tuple(
                    (
                        line(row.name),
                        count(row.invited),
                        count(row.present),
                        percent(row.present / row.invited if row.invited else None),
                        count(row.late),
                        count(row.absent),
                        minutes(row.missed),
                    )
                    for row in rows
                ),
            ),
        ),
    )


def level_name(level: str) -> str:
    return LEVELS.get(level, level)


def absence_words(reason: str, *, declined: bool) -> str:
    """What stands behind an absent point."""
    if not declined:
        return "Không báo vắng"
    return line(reason) or "Có báo vắng"


def away_words(late: timedelta, lost: timedelta, left_early: timedelta) -> str:
    """What made up the lost time of a point, in minutes."""
    parts = (
        (late, "đến muộn"),
        (lost, "mất kết nối"),
        (left_early, "rời họp sớm"),
    )
    return ", ".join(f"{words} {minutes(length)} phút" for length, words in parts if length)


def total_words(total: Sums) -> list[Paragraph]:
    shares = percent(total.present / total.invited if total.invited else None)
    return [
        Paragraph(
            f"Có mặt {count(total.present)}/{count(total.invited)} lượt điểm cầu được mời ({shares}); "
            f"đúng giờ {percent(total.punctuality)} số có mặt, muộn {count(total.late)}; "
            f"vắng {count(total.absent)}, trong đó có lý do {count(total.declined)}."
        ),
        Paragraph(
            f"Tổng thời gian mất của các điểm cầu có tham dự: {minutes(total.missed)} phút "
            "(đến muộn, mất kết nối và rời họp trước khi kết thúc)."
        ),
    ]


def quorum_words(quorum: QuorumFacts, length: timedelta, zone: ZoneInfo) -> list[Block]:
    counted = "đơn vị" if quorum.counts_units else "điểm cầu"
    rule = (
        f"Cần ít nhất {count(quorum.needed)}/{count(quorum.invited)} {counted} có mặt; "
        f"cao nhất có {count(quorum.most)} {counted}."
    )
    if quorum.reached_at is None:
        return [Paragraph(rule), Paragraph("Cuộc họp không đạt số đại biểu cần thiết lúc nào.")]
    spans = "; ".join(
        f"{since.astimezone(zone):%H:%M:%S}–{until.astimezone(zone):%H:%M:%S}"
        for since, until in quorum.spans[:20]
    )
    at_start = "Đủ" if quorum.at_start else "Chưa đủ"
    return [
        Paragraph(rule),
        Paragraph(
            f"Đạt lần đầu lúc {moment(quorum.reached_at, zone)}. {at_start} khi bắt đầu; "
            f"giữ được {minutes(quorum.held)}/{minutes(length)} phút."
        ),
        Paragraph(f"Các khoảng thời gian đủ: {spans}."),
    ]


def meeting_attendance_sheet(report: MeetingAttendance) -> Sheet:
    zone = report.timezone
    lists = [
        ("Danh sách điểm cầu vắng mặt", report.absent, "Lý do"),
        ("Danh sách điểm cầu có thời gian mất", report.away, "Thời gian mất"),
    ]
    blocks: list[Block] = [
        Heading("I. CUỘC HỌP"),
        Paragraph(f"Cuộc họp: {line(report.title)}."),
        Paragraph(f"Đơn vị chủ trì: {line(report.host)}."),
        Paragraph(
            f"Thời gian tính: từ {moment(report.start, zone)} đến {moment(report.end, zone)}"
            f"{'' if report.closed else ' (cuộc họp chưa kết thúc)'}."
        ),
        Heading("II. KẾT QUẢ CHUNG"),
        *total_words(report.total),
        Paragraph(f"Số người dự theo báo cáo của các điểm cầu: {count(report.total.people)}."),
        sums_table("Cấp", report.levels),
    ]
    if len(report.parents) > 1:
        blocks += [
            Heading("Theo đơn vị cấp trên trực tiếp", 2),
            sums_table("Trực thuộc", report.parents),
        ]
    if report.quorum is not None:
        blocks.append(Heading("III. SỐ ĐẠI BIỂU CẦN THIẾT"))
        blocks += quorum_words(report.quorum, report.end - report.start, zone)
    appendices = []
    for place, (title, points, words) in enumerate(lists, start=1):
        if not points:
            continue
        blocks.append(
            Paragraph(
                f"{title}: {count(len(points))} điểm cầu (có danh sách kèm theo)."
                if len(points) <= LONGEST_LIST
                else f"{title}: {count(len(points))} điểm cầu, kèm theo {count(LONGEST_LIST)} "
                "điểm cầu đầu; toàn bộ danh sách có trong tệp XLSX của báo cáo."
            )
        )
        appendices.append(
            Appendix(
                f"Phụ lục {'I' * place}",
                title.upper(),
                f"(Kèm theo Báo cáo về {line(report.title)})",
                (point_table(points[:LONGEST_LIST], words),),
            )
        )
    return sheet_of(
        report.letterhead,
        f"Tình hình dự họp {line(report.title)}",
        blocks,
        tuple(appendices),
    )


def point_table(points: Sequence[ListedPoint], words: str) -> Table:
    return Table(
        (Column("TT", 9, "center"), Column("Đơn vị", 46), Column(words, 45)),
        (
            RowGroup(
                "",
                tuple(
                    (str(place), line(point.unit), line(point.words))
                    for place, point in enumerate(points, start=1)
                ),
            ),
        ),
        compact=True,
    )


def period_attendance_sheet(report: PeriodAttendance) -> Sheet:
    units = report.units[:LONGEST_LIST]
    blocks: list[Block] = [
        Paragraph(
            f"Phạm vi: {line(report.unit)} và các đơn vị trực thuộc; từ {short_day(report.first)} "
            f"đến {short_day(report.last)}, {count(report.meetings)} cuộc họp đã kết thúc."
        ),
        Heading("I. KẾT QUẢ CHUNG"),
        *total_words(report.total),
        Heading("Theo cấp", 2),
        sums_table("Cấp", report.levels),
        Heading("Theo tháng", 2),
        sums_table("Tháng", report.months),
    ]
    if len(report.parents) > 1:
        blocks += [
            Heading("Theo đơn vị cấp trên trực tiếp", 2),
            sums_table("Trực thuộc", report.parents),
        ]
    blocks += [Heading("II. THEO ĐƠN VỊ"), sums_table("Đơn vị", units)]
    return sheet_of(report.letterhead, "Tình hình dự họp trực tuyến", blocks)


def share_table(title: str, rows: Sequence[SharedMeetings]) -> Table:
    return Table(
        (
            Column(title, 32),
            Column("Qua hệ thống", 13, "center"),
            Column("Không mở", 11, "center"),
            Column("Ngoài hệ thống", 13, "center"),
            Column("Tỷ lệ", 11, "center"),
            Column("Chỉ tiêu", 10, "center"),
            Column("Tháng chưa báo", 12, "center"),
        ),
        (
            RowGroup(
                "",
                tuple(
                    (
                        line(row.name),
                        count(row.here),
                        count(row.unopened),
                        count(row.elsewhere),
                        percent(row.share),
                        percent(row.target),
                        count(row.unstated),
                    )
                    for row in rows
                ),
            ),
        ),
    )


def period_share_sheet(report: PeriodShare) -> Sheet:
    blocks: list[Block] = [
        Paragraph(
            f"Phạm vi: các cuộc họp do {line(report.unit)} và các đơn vị trực thuộc chủ trì, "
            f"từ {short_day(report.first)} đến {short_day(report.last)}."
        ),
        Paragraph(
            "Tỷ lệ = số cuộc họp mở trên hệ thống / (số đó + số cuộc họp gửi giấy mời từ hệ thống nhưng "
            "không mở + số cuộc họp ngoài hệ thống do đơn vị báo). Cuộc họp bị hủy, hoãn không tính. "
            "Khi còn tháng chưa báo, tỷ lệ là mức cao nhất có thể."
        ),
        Heading("I. THEO CẤP"),
        share_table("Cấp", report.levels),
        Heading("II. THEO THÁNG"),
        share_table("Tháng", report.months),
        Heading("III. THEO ĐƠN VỊ CHỦ TRÌ"),
        share_table("Đơn vị", report.hosts[:LONGEST_LIST]),
    ]
    return sheet_of(report.letterhead, "Tỷ lệ cuộc họp qua hệ thống thông tin phục vụ họp", blocks)


def sheet_of(
    letterhead: Letterhead,
    subject: str,
    blocks: Sequence[Block],
    appendices: tuple[Appendix, ...] = (),
) -> Sheet:
    """A report is a draft until somebody signs it."""
    return Sheet(
        language="vi",
        name=f"Báo cáo {subject}",
        head=head(letterhead),
        title="BÁO CÁO",
        subject=subject,
        watermark=DRAFT,
        blocks=tuple(blocks),
        signatures=(Signature(("THỦ TRƯỞNG ĐƠN VỊ",), ""),),
        recipients=recipient_lines((), "VT"),
        appendices=appendices,
    )
