"""Documents of the demonstration: one on its way to every unit, one that waits for the city, a draft."""

import io
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from meetings_server.database import Database
from minutes.circulation import circulate, recall
from minutes.directives import Directive
from minutes.file_kinds import PDF
from minutes.forms.documents import Letterhead
from minutes.forms.pdf import render_pdf
from minutes.forms.sheet import Heading, Paragraph, Sheet, Signature
from minutes.forms.wording import head, recipient_lines
from minutes.issuing import NewDirective, draft_directive, end_of, issue
from minutes.papers import attach_paper, papers_of
from minutes.receipts import Receipt
from minutes.storage import MEGABYTE, FolderStore, ReceivedFile
from rooms.audience import Rule
from rooms.hierarchy import Tree, load_tree
from rooms.kernel import civil_day
from rooms.meetings import Meeting
from rooms.policies import Actor

EVERYONE = tuple(
    Rule(include=True, by="level", level=level) for level in ("department", "district", "ward")
)

HURRIED = ("001", "002", "008", "268", "271")
"""Districts that were given a day only and have let it pass: a handful is late."""


def seed_papers(database: Database, actors: dict[str, Actor], folder: Path, now: datetime) -> None:
    """`folder`: where documents lie by content hash. Three of four units have the first document."""
    store = FolderStore(folder)
    sent_at = now - timedelta(hours=26)
    with database.transaction() as session:
        tree = load_tree(session, civil_day(now))
        order = _issued(
            session,
            store,
            actors["thuky"],
            _new(
                tree,
                "01",
                "directive",
                "CT-UBND",
                "Tăng cường bảo đảm an toàn thông tin trong hội nghị trực tuyến",
                "Đỗ Hoàng Long",
                civil_day(sent_at),
                "urgent",
                end_of(civil_day(now) + timedelta(days=6)),
            ),
            sent_at,
            number=14,
        )
        hurried = [Rule(include=True, by="unit", unit=code) for code in HURRIED]
        due = sent_at + timedelta(hours=24)
        circulate(session, actors["thuky"], order.id, hurried, due, sent_at)
        circulate(session, actors["thuky"], order.id, EVERYONE, None, sent_at)
        _answers(session, tree, actors["thuky"], order, sent_at)
        reported_at = now - timedelta(hours=2)
        report = _issued(
            session,
            store,
            actors["thuky.snv"],
            _new(
                tree,
                "01-SNV",
                "report",
                "BC-SNV",
                "Kết quả rà soát cán bộ trực điểm cầu năm 2026",
                "Nguyễn Văn Bình",
                civil_day(reported_at),
                "normal",
                now + timedelta(days=4),
            ),
            reported_at,
            number=208,
        )
        to_city = [Rule(include=True, by="unit", unit=tree.roots[0].code)]
        circulate(session, actors["thuky.snv"], report.id, to_city, None, reported_at)
        plan = _new(
            tree,
            "01",
            "plan",
            "KH-UBND",
            "Diễn tập ứng cứu sự cố đường truyền tại các điểm cầu",
            "Đỗ Hoàng Long",
            civil_day(now),
            "normal",
            now + timedelta(days=10),
        )
        draft_directive(session, actors["thuky"], plan, now, [_paper(store, plan, None)])
        _recalled(session, store, tree, actors["thuky"], sent_at)


def _new(
    tree: Tree,
    unit: str,
    kind: str,
    symbol: str,
    title: str,
    signer: str,
    day: date,
    urgency: str,
    deadline: datetime,
) -> NewDirective:
    issuer = tree.by_code.get(unit, tree.roots[0])
    return NewDirective(
        issuing_unit_id=issuer.id,
        kind=kind,
        symbol=symbol,
        title=title,
        signed_by_name=signer,
        signed_by_title="Phó Chủ tịch" if unit == "01" else "Phó Giám đốc",
        document_date=day,
        secrecy="open",
        urgency=urgency,
        deadline=deadline,
    )


def _issued(
    session: Session,
    store: FolderStore,
    actor: Actor,
    new: NewDirective,
    at: datetime,
    number: int,
) -> Directive:
    directive = draft_directive(session, actor, new, at, [_paper(store, new, number)])
    return issue(session, actor, directive.id, at, number)


def _answers(
    session: Session, tree: Tree, actor: Actor, directive: Directive, sent_at: datetime
) -> None:
    """What came back since, spread over the units; the demo's own clerks have theirs to do.

    In bulk: the verbs, one unit after another, would take most of the time until the start.
    """
    left_alone = {"00181", "006", "01-SNV", *HURRIED}
    units = [
        node.id
        for node in tree.by_id.values()
        if node.parent_id is not None and node.code not in left_alone
    ]
    for part in range(12):
        if part % 4 == 3:  # noqa: PLR2004 -- every fourth is silent
            continue
        at = sent_at + timedelta(minutes=9 + 37 * part)
        known: dict[str, Any] = {"received_at": at}
        if part % 4 < 2:  # noqa: PLR2004 -- of the others two of three have read it
            known |= {"read_at": at, "read_by": actor.person_id}
        if part % 4 == 0:
            known |= {"acknowledged_at": at, "acknowledged_by": actor.person_id}
        session.execute(
            update(Receipt)
            .where(Receipt.directive_id == directive.id, Receipt.unit_id.in_(units[part::12]))
            .values(**known)
            .execution_options(synchronize_session=False)
        )


def _recalled(session: Session, store: FolderStore, tree: Tree, actor: Actor, at: datetime) -> None:
    new = _new(
        tree,
        "01",
        "notice",
        "TB-UBND",
        "Lịch kiểm tra đường truyền quý IV",
        "Đỗ Hoàng Long",
        civil_day(at),
        "normal",
        at + timedelta(days=5),
    )
    notice = _issued(session, store, actor, new, at, number=301)
    districts = [Rule(include=True, by="level", level="district")]
    circulate(session, actor, notice.id, districts, None, at)
    reason = "Sai ngày kiểm tra; có thông báo khác thay thế."
    recall(session, actor, notice.id, reason, at + timedelta(hours=3))


def attach_programme(
    database: Database, actor: Actor, meeting_id: int, folder: Path, now: datetime
) -> None:
    """A paper for a meeting that has none yet: its programme, as a PDF."""
    with database.transaction() as session:
        if papers_of(session, meeting_id):
            return
        meeting = session.get_one(Meeting, meeting_id)
        session.refresh(meeting, ["agenda"])
        sheet = Sheet(
            language="vi",
            name=f"Chương trình {meeting.title}",
            head=head(
                Letterhead(
                    superior="",
                    issuer="Ủy ban nhân dân Thành phố Hà Nội",
                    number=None,
                    symbol="CTr-UBND",
                    place="Hà Nội",
                    day=civil_day(now),
                )
            ),
            title="CHƯƠNG TRÌNH",
            subject=meeting.title,
            watermark="",
            blocks=tuple(
                block
                for number, item in enumerate(meeting.agenda, start=1)
                for block in (
                    Heading(f"{number}. {item.title}"),
                    Paragraph("Các điểm cầu chuẩn bị ý kiến, phát biểu không quá 05 phút."),
                )
            ),
            signatures=(Signature(("TL. CHỦ TỊCH", "CHÁNH VĂN PHÒNG"), "Phạm Quốc Tuấn"),),
            recipients=recipient_lines(("Các điểm cầu",), "VT"),
        )
        content = io.BytesIO(render_pdf(sheet))
        received = FolderStore(folder).put(content, PDF, "chuong-trinh.pdf", MEGABYTE)
        attach_paper(session, actor, meeting_id, received, now, title="Chương trình cuộc họp")


def _paper(store: FolderStore, new: NewDirective, number: int | None) -> ReceivedFile:
    issuer = "Ủy ban nhân dân Thành phố Hà Nội" if new.symbol.endswith("UBND") else "Sở Nội vụ"
    letterhead = Letterhead(
        superior="" if new.symbol.endswith("UBND") else "Ủy ban nhân dân Thành phố Hà Nội",
        issuer=issuer,
        number=number,
        symbol=new.symbol,
        place="Hà Nội",
        day=new.document_date,
    )
    title = {"directive": "CHỈ THỊ", "report": "BÁO CÁO", "plan": "KẾ HOẠCH"}.get(
        new.kind, "THÔNG BÁO"
    )
    sheet = Sheet(
        language="vi",
        name=f"{title} {new.title}",
        head=head(letterhead),
        title=title,
        subject=new.title,
        watermark="",
        blocks=(
            Paragraph(
                "Để các hội nghị trực tuyến diện rộng của Thành phố được thông suốt và an toàn, "
                "các sở, ban, ngành, Ủy ban nhân dân các quận, huyện, thị xã và các phường, xã, "
                "thị trấn thực hiện các nội dung sau:"
            ),
            Heading("1. Trước hội nghị"),
            Paragraph(
                "Kiểm tra hình ảnh, âm thanh, máy quay, đường truyền chính và đường truyền dự phòng "
                "chậm nhất 30 phút trước giờ khai mạc; báo sẵn sàng trên hệ thống."
            ),
            Heading("2. Trong hội nghị"),
            Paragraph(
                "Cán bộ trực điểm cầu không rời vị trí; khi mất kết nối phải báo ngay để được hỗ trợ."
            ),
            Heading("3. Tổ chức thực hiện"),
            Paragraph(
                "Văn thư các đơn vị xác nhận đã tiếp nhận văn bản này trên hệ thống đúng thời hạn./."
            ),
        ),
        signatures=(
            Signature(
                ("TM. ỦY BAN NHÂN DÂN", "KT. CHỦ TỊCH", "PHÓ CHỦ TỊCH")
                if new.symbol.endswith("UBND")
                else ("KT. GIÁM ĐỐC", "PHÓ GIÁM ĐỐC"),
                new.signed_by_name,
            ),
        ),
        recipients=recipient_lines(("Như trên", "Lãnh đạo Thành phố"), "VT"),
    )
    content = io.BytesIO(render_pdf(sheet))
    return store.put(content, PDF, f"{number or 'du-thao'}-{new.symbol}.pdf", MEGABYTE)
