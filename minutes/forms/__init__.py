"""Document forms of NĐ 30/2020/NĐ-CP: facts in, finished files out. No database, no network."""

from minutes.forms.documents import (
    AbsentUnit,
    AgendaItem,
    AssignedTask,
    Correction,
    InvitationDocument,
    Letterhead,
    MinutesDocument,
    Official,
    PresentUnit,
)
from minutes.forms.docx import render_docx
from minutes.forms.invitation import invitation_sheet
from minutes.forms.pdf import render_pdf
from minutes.forms.record import minutes_sheet

__all__ = [
    "AbsentUnit",
    "AgendaItem",
    "AssignedTask",
    "Correction",
    "InvitationDocument",
    "Letterhead",
    "MinutesDocument",
    "Official",
    "PresentUnit",
    "render_invitation_pdf",
    "render_minutes_docx",
    "render_minutes_pdf",
]


def render_minutes_pdf(document: MinutesDocument) -> bytes:
    return render_pdf(minutes_sheet(document))


def render_minutes_docx(document: MinutesDocument) -> bytes:
    return render_docx(minutes_sheet(document))


def render_invitation_pdf(document: InvitationDocument) -> bytes:
    return render_pdf(invitation_sheet(document))
