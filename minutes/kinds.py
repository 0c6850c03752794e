"""The kinds of administrative documents and how each is abbreviated in a symbol.

Source: NĐ 30/2020/NĐ-CP, Art. 7 (the 29 kinds) and appendix III, part I (the abbreviations). The
value of a kind is what the database and programs keep; it never changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from rooms.hierarchy import Node, Unit
from rooms.kernel import FieldInvalid


class DocumentKind(StrEnum):
    RESOLUTION = "resolution"
    DECISION = "decision"
    DIRECTIVE = "directive"
    STATUTE = "statute"
    REGULATION = "regulation"
    COMMUNIQUE = "communique"
    NOTICE = "notice"
    GUIDELINE = "guideline"
    PROGRAMME = "programme"
    PLAN = "plan"
    OPTION_PLAN = "option_plan"
    SCHEME = "scheme"
    PROJECT = "project"
    REPORT = "report"
    MINUTES = "minutes"
    PROPOSAL = "proposal"
    CONTRACT = "contract"
    TELEGRAM = "telegram"
    MEMORANDUM = "memorandum"
    AGREEMENT = "agreement"
    AUTHORISATION = "authorisation"
    INVITATION = "invitation"
    INTRODUCTION = "introduction"
    LEAVE_PERMIT = "leave_permit"
    SENDING_SLIP = "sending_slip"
    TRANSFER_SLIP = "transfer_slip"
    NOTIFICATION_SLIP = "notification_slip"
    OFFICIAL_LETTER = "official_letter"
    PUBLIC_LETTER = "public_letter"


@dataclass(frozen=True, slots=True)
class Kind:
    """`code`: the value of its `DocumentKind`. `name`: as it stands on paper.

    `english`: for the second language of the screen. `abbreviation`: as it stands in a symbol; ""
    for letters, which have none.
    """

    code: str
    name: str
    english: str
    abbreviation: str


KINDS: Mapping[DocumentKind, Kind] = MappingProxyType(
    {
        kind: Kind(kind.value, name, english, abbreviation)
        for kind, (name, english, abbreviation) in {
            DocumentKind.RESOLUTION: ("Nghị quyết", "Resolution", "NQ"),
            DocumentKind.DECISION: ("Quyết định", "Decision", "QĐ"),
            DocumentKind.DIRECTIVE: ("Chỉ thị", "Directive", "CT"),
            DocumentKind.STATUTE: ("Quy chế", "Statute", "QC"),
            DocumentKind.REGULATION: ("Quy định", "Regulation", "QyĐ"),
            DocumentKind.COMMUNIQUE: ("Thông cáo", "Communiqué", "TC"),
            DocumentKind.NOTICE: ("Thông báo", "Notification", "TB"),
            DocumentKind.GUIDELINE: ("Hướng dẫn", "Guideline", "HD"),
            DocumentKind.PROGRAMME: ("Chương trình", "Programme", "CTr"),
            DocumentKind.PLAN: ("Kế hoạch", "Plan", "KH"),
            DocumentKind.OPTION_PLAN: ("Phương án", "Course of action", "PA"),
            DocumentKind.SCHEME: ("Đề án", "Scheme", "ĐA"),
            DocumentKind.PROJECT: ("Dự án", "Project", "DA"),
            DocumentKind.REPORT: ("Báo cáo", "Report", "BC"),
            DocumentKind.MINUTES: ("Biên bản", "Minutes", "BB"),
            DocumentKind.PROPOSAL: ("Tờ trình", "Proposal", "TTr"),
            DocumentKind.CONTRACT: ("Hợp đồng", "Contract", "HĐ"),
            DocumentKind.TELEGRAM: ("Công điện", "Telegram", "CĐ"),
            DocumentKind.MEMORANDUM: ("Bản ghi nhớ", "Memorandum", "BGN"),
            DocumentKind.AGREEMENT: ("Bản thỏa thuận", "Agreement", "BTT"),
            DocumentKind.AUTHORISATION: ("Giấy ủy quyền", "Letter of authorisation", "GUQ"),
            DocumentKind.INVITATION: ("Giấy mời", "Letter of invitation", "GM"),
            DocumentKind.INTRODUCTION: ("Giấy giới thiệu", "Letter of introduction", "GGT"),
            DocumentKind.LEAVE_PERMIT: ("Giấy nghỉ phép", "Leave permit", "GNP"),
            DocumentKind.SENDING_SLIP: ("Phiếu gửi", "Sending slip", "PG"),
            DocumentKind.TRANSFER_SLIP: ("Phiếu chuyển", "Transfer slip", "PC"),
            DocumentKind.NOTIFICATION_SLIP: ("Phiếu báo", "Notification slip", "PB"),
            DocumentKind.OFFICIAL_LETTER: ("Công văn", "Official letter", ""),
            DocumentKind.PUBLIC_LETTER: ("Thư công", "Public letter", ""),
        }.items()
    }
)

# A territory is led by its people's committee, which issues in its name. What a unit is, its kind
# says; the names of levels are the data's own.
TERRITORIES = frozenset(
    {
        "tỉnh",
        "thành phố",
        "quận",
        "huyện",
        "thị xã",
        "phường",
        "xã",
        "thị trấn",
        "đặc khu",
    }
)


def kind_of(code: str) -> Kind:
    """The kind that a form or program names. Raises `FieldInvalid`."""
    try:
        return KINDS[DocumentKind(code)]
    except ValueError:
        raise FieldInvalid("kind", "unknown", code[:40]) from None


def is_territory(unit: Unit | Node) -> bool:
    """Whether a people's committee leads the unit, which is then no agency of another one."""
    return unit.kind.casefold() in TERRITORIES


def issuer_abbreviation(unit: Unit | Node) -> str:
    """`UBND` for a territory, for an agency the end of its code: `SNV` of `01-SNV`."""
    if is_territory(unit):
        return "UBND"
    return unit.code.rpartition("-")[2]


def symbol_of(kind: DocumentKind, unit: Unit | Node) -> str:
    """What follows the number: `BB-UBND`; a letter names the issuer alone: `UBND`."""
    issuer = issuer_abbreviation(unit)
    abbreviation = KINDS[kind].abbreviation
    return f"{abbreviation}-{issuer}" if abbreviation else issuer


def number_and_symbol(number: int, symbol: str) -> str:
    """`07/BB-UBND`: numbers below 10 carry a zero (NĐ 30/2020/NĐ-CP, appendix I)."""
    return f"{number:02d}/{symbol}"
