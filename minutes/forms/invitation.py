"""Giấy mời: the facts of an invitation in the order and words of the form."""

from minutes.forms.documents import InvitationDocument
from minutes.forms.sheet import Block, Paragraph, Sheet, Signature
from minutes.forms.wording import (
    DRAFT,
    head,
    line,
    long_day,
    moment,
    named,
    paragraphs,
    recipient_lines,
    sentence,
)


def invitation_sheet(document: InvitationDocument) -> Sheet:
    subject = line(document.subject)
    starts, ends = (
        instant.astimezone(document.timezone) for instant in (document.starts_at, document.ends_at)
    )
    until = (
        f"đến {ends.hour:02d} giờ {ends.minute:02d} phút, {long_day(starts.date())}"
        if starts.date() == ends.date()
        else f"{long_day(starts.date())} đến {moment(document.ends_at, document.timezone)}"
    )
    weekday = ("Hai", "Ba", "Tư", "Năm", "Sáu", "Bảy")
    named_day = "Chủ nhật" if starts.weekday() == 6 else f"thứ {weekday[starts.weekday()]}"  # noqa: PLR2004  # Sunday
    invited = [Paragraph(f"- {line(name).rstrip(';.')};") for name in document.invited]
    agenda = [Paragraph(f"{n}. {line(item)}") for n, item in enumerate(document.agenda, start=1)]
    held = [Paragraph(sentence(f"Hình thức: {line(document.form)}"))] if document.form else []
    needs = [Paragraph(f"- {sentence(line(need))}") for need in document.requirements]
    blocks: list[Block] = [
        Paragraph(f"{line(document.letterhead.issuer)} trân trọng kính mời:"),
        *invited,
        *paragraphs(document.content, before="Tới dự: "),
        Paragraph(sentence(f"Chủ trì: {named(document.chair)}")),
        Paragraph(
            f"Thời gian: từ {starts.hour:02d} giờ {starts.minute:02d} phút {until} ({named_day})."
        ),
        Paragraph(sentence(f"Địa điểm: {line(document.place)}")),
        *held,
    ]
    if agenda:
        blocks += [Paragraph("Chương trình:"), *agenda]
    if needs:
        blocks += [Paragraph("Yêu cầu:"), *needs]
    blocks.append(Paragraph("Trân trọng kính mời./."))
    return Sheet(
        language="vi",
        name=f"Giấy mời {subject}",
        head=head(document.letterhead),
        title="GIẤY MỜI",
        subject=subject,
        watermark="" if document.issued else DRAFT,
        blocks=tuple(blocks),
        signatures=(
            Signature(
                tuple(line(text).upper() for text in (*document.authority, document.signer.title)),
                line(document.signer.name),
            ),
        ),
        recipients=recipient_lines(document.recipients, document.archive),
    )
