"""The facts that stand on a form, free of any database.

Callers fill these in from their own tables; `minutes.forms.wording` puts them into the words of
NĐ 30/2020/NĐ-CP and the renderers only lay out what it says. All texts are plain text: a line
break starts a new paragraph, nothing in them is markup.
"""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """The head of every document.

    `superior`: the agency above, "" where the issuer has none. `number`: None until the register
    has given one; a gap for it is printed. `symbol`: kind and issuer, such as `BB-UBND`.
    `place`: the seat of the issuer, such as `Hà Nội`. `day`: None prints a gap for day and month.
    """

    superior: str
    issuer: str
    number: int | None
    symbol: str
    place: str
    day: date | None


@dataclass(frozen=True, slots=True)
class Official:
    """Somebody named on paper. `title`: the office held, "" where none is to be printed."""

    name: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class PresentUnit:
    """`group`: the heading the unit stands under, such as `Quận Đống Đa`, or "".

    `delegate`: head of the delegation, "" where nobody was named. `headcount`: people present,
    None where the unit did not say how many.
    """

    unit: str
    delegate: str
    headcount: int | None
    group: str = ""


@dataclass(frozen=True, slots=True)
class AbsentUnit:
    """`excused`: it sent apologies before. `reason`: its words, "" where it gave none."""

    unit: str
    excused: bool = False
    reason: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class AgendaItem:
    """`presenter`: who reported, "" for none. `said`: the discussion, one paragraph per line."""

    title: str
    said: str = ""
    presenter: str = ""


@dataclass(frozen=True, slots=True)
class AssignedTask:
    content: str
    lead: str
    coordinating: tuple[str, ...]
    deadline: date


@dataclass(frozen=True, slots=True)
class Correction:
    """The issued minutes that a correction names. `number_symbol`: such as `12/BB-UBND`."""

    number_symbol: str
    day: date
    reason: str


@dataclass(frozen=True, slots=True)
class MinutesDocument:
    """Biên bản. Times are aware and printed in `timezone`.

    `subject`: trích yếu, without the word "Biên bản". `form`: how it was held, such as
    `Trực tiếp kết hợp trực tuyến`, or "". `issued`: without it every page says DỰ THẢO.
    `recipients`: nơi nhận; the archive line follows by itself from `archive`.
    """

    letterhead: Letterhead
    subject: str
    started_at: datetime
    ended_at: datetime
    place: str
    chair: Official
    secretary: Official
    present: tuple[PresentUnit, ...]
    absent: tuple[AbsentUnit, ...]
    agenda: tuple[AgendaItem, ...]
    conclusions: str
    tasks: tuple[AssignedTask, ...]
    recipients: tuple[str, ...] = ()
    archive: str = "VT"
    form: str = ""
    issued: bool = False
    corrects: Correction | None = None
    timezone: ZoneInfo = VIETNAM

    def __post_init__(self) -> None:
        require_aware(self.started_at)
        require_aware(self.ended_at)


@dataclass(frozen=True, slots=True)
class InvitationDocument:
    """Giấy mời. `invited`: who is asked to come, one line each.

    `authority`: the lines above the signer's office, such as `TM. ỦY BAN NHÂN DÂN`.
    `requirements`: what invitees have to prepare or keep to, one paragraph each.
    """

    letterhead: Letterhead
    subject: str
    invited: tuple[str, ...]
    content: str
    starts_at: datetime
    ends_at: datetime
    place: str
    chair: Official
    signer: Official
    agenda: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    authority: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    archive: str = "VT"
    form: str = ""
    issued: bool = False
    timezone: ZoneInfo = VIETNAM

    def __post_init__(self) -> None:
        require_aware(self.starts_at)
        require_aware(self.ends_at)


def require_aware(instant: datetime) -> None:
    if instant.utcoffset() is None:
        raise ValueError(f"a form needs an aware time, got {instant!r}")
