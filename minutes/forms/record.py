"""Biên bản: the facts of a meeting in the order and words of the form."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from minutes.forms.documents import (
    AbsentUnit,
    AgendaItem,
    AssignedTask,
    Correction,
    MinutesDocument,
    PresentUnit,
)
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
from minutes.forms.wording import (
    DRAFT,
    count,
    head,
    line,
    long_day,
    moment,
    named,
    number_and_symbol,
    paragraphs,
    recipient_lines,
    sentence,
    short_day,
)

# More rows than fit on about one page stand in an appendix, with a count by group in the body.
LONGEST_LIST_IN_BODY = 30
Listed = TypeVar("Listed", PresentUnit, AbsentUnit)


def by_group(units: Sequence[Listed]) -> list[tuple[str, list[Listed]]]:
    """Units under their group's name, groups in the order of their first unit."""
    groups: dict[str, list[Listed]] = {}
    for unit in units:
        groups.setdefault(line(unit.group), []).append(unit)
    return list(groups.items())


def people(*units: PresentUnit) -> str:
    """How many came, of those who said so; a dash where nobody did: nought would be a statement."""
    said = [unit.headcount for unit in units if unit.headcount is not None]
    return count(sum(said)) if said else "–"


def present_rows(units: Sequence[PresentUnit], *, compact: bool) -> Table:
    numbers = iter(range(1, len(units) + 1))
    return Table(
        columns=(
            Column("TT", 8, "center"),
            Column("Đơn vị", 42),
            Column("Trưởng đoàn", 38),
            Column("Số người", 13, "center"),
        ),
        groups=tuple(
            RowGroup(
                group,
                tuple(
                    (
                        str(next(numbers)),
                        line(unit.unit),
                        line(unit.delegate),
                        people(unit),
                    )
                    for unit in members
                ),
            )
            for group, members in by_group(units)
        ),
        compact=compact,
    )


def absent_rows(units: Sequence[AbsentUnit], *, compact: bool) -> Table:
    numbers = iter(range(1, len(units) + 1))
    return Table(
        columns=(
            Column("TT", 8, "center"),
            Column("Đơn vị", 45),
            Column("Lý do", 47),
        ),
        groups=tuple(
            RowGroup(
                group,
                tuple((str(next(numbers)), line(unit.unit), excuse(unit)) for unit in members),
            )
            for group, members in by_group(units)
        ),
        compact=compact,
    )


def excuse(unit: AbsentUnit) -> str:
    if not unit.excused:
        return "Không báo vắng"
    return line(unit.reason) or "Có báo vắng"


def present_summary(units: Sequence[PresentUnit]) -> Table:
    """Counts by group, for the body of a document whose list stands in an appendix."""
    return Table(
        columns=(
            Column("TT", 8, "center"),
            Column("Khối đơn vị", 52),
            Column("Số đơn vị", 17, "center"),
            Column("Số người", 17, "center"),
        ),
        groups=(
            RowGroup(
                "",
                tuple(
                    (
                        str(place),
                        group or "Đơn vị khác",
                        count(len(members)),
                        people(*members),
                    )
                    for place, (group, members) in enumerate(by_group(units), start=1)
                ),
            ),
        ),
    )


def present_words(units: Sequence[PresentUnit], absent: int) -> str:
    invited = len(units) + absent
    present = f"Có mặt {count(len(units))}/{count(invited)} đơn vị được mời"
    silent = sum(unit.headcount is None for unit in units)
    if silent == len(units):
        return present
    words = f"{present}, tổng số {people(*units)} người dự họp"
    return f"{words} (không kể {count(silent)} đơn vị chưa báo số người)" if silent else words


def absent_words(units: Sequence[AbsentUnit]) -> str:
    if not units:
        return "Không có đơn vị vắng mặt"
    excused = sum(unit.excused for unit in units)
    return (
        f"Vắng mặt {count(len(units))} đơn vị; trong đó có báo vắng {count(excused)} đơn vị, "
        f"không báo vắng {count(len(units) - excused)} đơn vị"
    )


def attendance(document: MinutesDocument) -> tuple[list[Block], list[tuple[str, Table]]]:
    """The blocks of the body, and the lists that are too long for it with their titles."""
    present, absent = document.present, document.absent
    blocks: list[Block] = [Heading("3. Đơn vị tham dự", 2)]
    lists: list[tuple[str, Table]] = []
    words = present_words(present, len(absent))
    if len(present) > LONGEST_LIST_IN_BODY:
        lists.append(("Danh sách đơn vị tham dự", present_rows(present, compact=True)))
        blocks += [Paragraph(f"{words} (có danh sách kèm theo)."), present_summary(present)]
    else:
        blocks.append(Paragraph(f"{words}."))
        if present:
            blocks.append(present_rows(present, compact=False))
    blocks.append(Heading("4. Đơn vị vắng mặt", 2))
    words = absent_words(absent)
    if len(absent) > LONGEST_LIST_IN_BODY:
        lists.append(("Danh sách đơn vị vắng mặt", absent_rows(absent, compact=True)))
        blocks.append(Paragraph(f"{words} (có danh sách kèm theo)."))
    else:
        blocks.append(Paragraph(f"{words}."))
        if absent:
            blocks.append(absent_rows(absent, compact=False))
    return blocks, lists


def agenda_blocks(agenda: Iterable[AgendaItem]) -> list[Block]:
    blocks: list[Block] = []
    for place, item in enumerate(agenda, start=1):
        blocks.append(Heading(f"{place}. {line(item.title)}", 2))
        if item.presenter:
            blocks.append(Paragraph(sentence(f"Người trình bày: {line(item.presenter)}")))
        blocks += paragraphs(item.said)
    return blocks or [Paragraph("Không có nội dung được ghi.")]


def conclusion_blocks(conclusions: str, tasks: Sequence[AssignedTask]) -> list[Block]:
    blocks: list[Block] = list(paragraphs(conclusions))
    if tasks:
        blocks.append(Paragraph("Các đơn vị thực hiện nhiệm vụ sau đây:"))
        blocks.append(
            Table(
                columns=(
                    Column("TT", 7, "center"),
                    Column("Nhiệm vụ", 38),
                    Column("Chủ trì", 20),
                    Column("Phối hợp", 20),
                    Column("Thời hạn", 15, "center"),
                ),
                groups=(
                    RowGroup(
                        "",
                        tuple(
                            (
                                str(place),
                                line(task.content),
                                line(task.lead),
                                "; ".join(line(unit) for unit in task.coordinating),
                                short_day(task.deadline),
                            )
                            for place, task in enumerate(tasks, start=1)
                        ),
                    ),
                ),
            )
        )
    return blocks or [Paragraph("Cuộc họp không có kết luận.")]


def correction_blocks(correction: Correction | None) -> tuple[Paragraph, ...]:
    if correction is None:
        return ()
    return (
        Paragraph(
            f"Biên bản này đính chính Biên bản số {line(correction.number_symbol)} "
            f"{long_day(correction.day)}.",
            italic=True,
        ),
        Paragraph(sentence(f"Lý do đính chính: {line(correction.reason)}"), italic=True),
    )


def reference(document: MinutesDocument) -> str:
    day = document.letterhead.day
    dated = "ngày ..... tháng ..... năm ......." if day is None else long_day(day)
    return (
        f"(Kèm theo Biên bản số {number_and_symbol(document.letterhead)} {dated} "
        f"của {line(document.letterhead.issuer)})"
    )


def minutes_sheet(document: MinutesDocument) -> Sheet:
    subject = line(document.subject)
    seen, lists = attendance(document)
    held = [Paragraph(sentence(f"Hình thức: {line(document.form)}"))] if document.form else []
    blocks: list[Block] = [
        *correction_blocks(document.corrects),
        Heading("I. THỜI GIAN, ĐỊA ĐIỂM"),
        Paragraph(f"Thời gian bắt đầu: {moment(document.started_at, document.timezone)}."),
        Paragraph(sentence(f"Địa điểm: {line(document.place)}")),
        *held,
        Heading("II. THÀNH PHẦN"),
        Heading("1. Chủ trì", 2),
        Paragraph(sentence(named(document.chair))),
        Heading("2. Thư ký (người ghi biên bản)", 2),
        Paragraph(sentence(named(document.secretary))),
        *seen,
        Heading("III. NỘI DUNG"),
        *agenda_blocks(document.agenda),
        Heading("IV. KẾT LUẬN"),
        *conclusion_blocks(document.conclusions, document.tasks),
        Paragraph(f"Cuộc họp kết thúc vào hồi {moment(document.ended_at, document.timezone)}./."),
    ]
    numbered = ("",) if len(lists) == 1 else (" I", " II")
    return Sheet(
        language="vi",
        name=f"Biên bản {subject}",
        head=head(document.letterhead),
        title="BIÊN BẢN",
        subject=subject,
        watermark="" if document.issued else DRAFT,
        blocks=tuple(blocks),
        signatures=(
            Signature(("THƯ KÝ",), line(document.secretary.name)),
            Signature(("CHỦ TỌA",), line(document.chair.name)),
        ),
        recipients=recipient_lines(document.recipients, document.archive),
        appendices=tuple(
            Appendix(f"Phụ lục{number}", title.upper(), reference(document), (table,))
            for number, (title, table) in zip(numbered, lists, strict=False)
        ),
    )
