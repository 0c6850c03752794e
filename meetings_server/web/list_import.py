"""Bringing in a list of units, bridge points or people: looked at first, done only when confirmed.

Nothing is kept between the two steps: the page sends the file again, and both the file and what it
would do must be what was looked at. Otherwise the new state is shown, and nothing is written.
"""

from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.status_codes import HTTP_200_OK, HTTP_409_CONFLICT, HTTP_422_UNPROCESSABLE_ENTITY

from meetings_server.database import Database
from meetings_server.errors import sentence
from meetings_server.i18n import _
from meetings_server.reading import read_day
from meetings_server.web.first_passwords import MOST_PASSWORDS, HandedOut, hand_out
from meetings_server.web.list_kinds import KINDS, ListKind
from meetings_server.web.list_words import ToldFault, head, lost_text, told
from meetings_server.web.pages import PageRequest, render, see_other, text_of
from meetings_server.web.units import WORDS
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.lists import Plan, PlanChanged
from rooms.lists.lost_zeros import restored_sheet
from rooms.policies import NotPermitted, permissions_of
from rooms.sheets import Sheet, SheetUnclear

LARGEST = 10 * 1024 * 1024
MOST_SHOWN = 200
"""Rows of one kind shown at once; the rest is counted."""
TEXTS = ("valid_from", "digest", "seen", "zeros", "act", "sheet", "passwords")

Page = Response[str] | Response[None]


@dataclass
class Look:
    """What was found in a file."""

    name: str = ""
    digest: str = ""
    """Of the file; `plan` has one of its own."""
    zeros: str = ""
    """`restore` or `keep` once somebody has decided about lost zeros."""
    sheet: Sheet = field(default_factory=Sheet)
    sheets: list[str] = field(default_factory=list)
    """To choose from, where several hold a list."""
    plan: Plan | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        return self.plan is not None and self.plan.sound and not self.errors

    @property
    def sheet_choices(self) -> list[tuple[str, str]]:
        return [(name, name) for name in self.sheets]

    @property
    def does_something(self) -> bool:
        return self.plan is not None and bool(self.plan.new or self.plan.changed)

    @property
    def faults(self) -> list[ToldFault]:
        return [told(fault) for fault in self.plan.faults[:MOST_SHOWN]] if self.plan else []

    @property
    def restorable(self) -> int:
        lost = self.plan.lost if self.plan else []
        return sum(each.restored is not None for each in lost)


def _page(
    request: PageRequest,
    kind: ListKind,
    values: dict[str, str],
    look: Look | None,
    *,
    status: int = HTTP_200_OK,
    passwords: HandedOut | None = None,
    done: Plan | None = None,
) -> Response[str]:
    return render(
        request,
        "admin/import_list.html",
        status=status,
        kind=kind,
        tabs=[
            {
                "href": f"/admin/import/{each.name}",
                "label": _(each.title),
                "active": each is kind,
            }
            for each in _offered(request)
        ],
        values=values,
        look=look,
        errors=look.errors if look else {},
        largest=LARGEST // 1024**2,
        most_shown=MOST_SHOWN,
        most_passwords=MOST_PASSWORDS,
        passwords=passwords,
        done=done,
        head=head,
        lost_text=lost_text,
        **WORDS,
    )


def _offered(request: PageRequest) -> list[ListKind]:
    rights = permissions_of(request.user.roles)
    return [kind for kind in KINDS.values() if kind.permission in rights]


def kind_named(request: PageRequest, name: str) -> ListKind:
    """Raises `NotPermitted`, `NotFoundException`."""
    kind = KINDS.get(name)
    if kind is None:
        raise NotFoundException
    kind.require(request)
    return kind


@get("/admin/import", include_in_schema=False, sync_to_thread=True)
def lists_page(request: PageRequest) -> Response[str]:
    """The lists that one may bring in or take out."""
    offered = _offered(request)
    if not offered:
        raise NotPermitted(KINDS["units"].permission.value, request.user.unit_name)
    return render(request, "admin/import.html", kinds=offered)


def _handlers_of(kind: ListKind) -> list[HTTPRouteHandler]:
    """The page of a list and what it sends: a path of its own for each."""

    @get(f"/admin/import/{kind.name}", include_in_schema=False, sync_to_thread=True)
    def list_page(request: PageRequest) -> Response[str]:
        kind.require(request)
        return _page(request, kind, {"valid_from": str(civil_day(utcnow()))}, None)

    @post(
        f"/admin/import/{kind.name}",
        include_in_schema=False,
        sync_to_thread=True,
        status_code=HTTP_200_OK,
    )
    def bring_in(
        request: PageRequest, form: FormMultiDict, db: Database
    ) -> Response[str] | Response[None]:
        kind.require(request)
        return _bring_in(request, form, db, kind)

    return [list_page, bring_in]


def _bring_in(request: PageRequest, form: FormMultiDict, db: Database, kind: ListKind) -> Page:
    """Look at a file (`act` is `check`, `restore` or `keep`), or bring it in (`import`)."""
    today = civil_day(utcnow())
    values = {text: text_of(form, text) for text in TEXTS}
    look, content = _received(form)
    day = _first_day(kind, values, look, today)
    confirmed = values["act"] == "import" and values["digest"] == look.digest
    if values["act"] == "import" and not confirmed and not look.errors:
        look.errors["file"] = [_("This is not the file that was checked. Check it first.")]
    look.zeros = values["zeros"] if values["act"] == "import" else values["act"]
    if not look.errors:
        _read(kind, content, values["sheet"], look)
    if look.errors:
        return _page(request, kind, values, look, status=HTTP_422_UNPROCESSABLE_ENTITY)
    if not confirmed:
        with db.reader() as session:
            _make_plan(kind, session, request, look, day, today)
        status = HTTP_200_OK if look.sound else HTTP_422_UNPROCESSABLE_ENTITY
        return _page(request, kind, values, look, status=status)
    return _carry_out(request, db, kind, values, look, day)


def _carry_out(
    request: PageRequest,
    db: Database,
    kind: ListKind,
    values: dict[str, str],
    look: Look,
    day: date,
) -> Page:
    today = civil_day(utcnow())
    try:
        with db.transaction() as session:
            _make_plan(kind, session, request, look, day, today)
            made = kind.carry_out(session, look.plan, values["seen"])
            new = [(person.id, person.username, person.name) for person in made or ()]
    except NotPermitted:
        raise
    except DomainError as refusal:
        look.errors["" if isinstance(refusal, PlanChanged) else "file"] = [sentence(refusal)]
        status = HTTP_409_CONFLICT
        return _page(request, kind, values, look, status=status)
    if not new:
        return see_other(kind.place, "list_imported")
    wanted = bool(values["passwords"]) and len(new) <= MOST_PASSWORDS
    passwords = hand_out(db, new, utcnow()) if wanted else None
    return _page(request, kind, values, None, passwords=passwords, done=look.plan)


def _make_plan(
    kind: ListKind, session: Any, request: PageRequest, look: Look, day: date, today: date
) -> None:
    actor = request.user.actor
    try:
        plan = kind.plan(session, actor, look.sheet, day, today, look.zeros != "keep")
        if look.zeros == "restore":
            whole = restored_sheet(look.sheet, plan.lost)
            plan = kind.plan(session, actor, whole, day, today, True)
        look.plan = plan
    except DomainError as refusal:
        look.errors["file"] = [sentence(refusal)]


def _read(kind: ListKind, content: bytes, wanted: str, look: Look) -> None:
    try:
        look.sheet = kind.read(content, wanted)
    except SheetUnclear as unclear:
        look.sheets = unclear.sheets
        look.errors["sheet"] = [sentence(unclear)]
    except DomainError as refusal:
        look.errors["file"] = [sentence(refusal)]


def _first_day(kind: ListKind, values: dict[str, str], look: Look, today: date) -> date:
    """The day from which new units exist; the other lists hold from today on."""
    if kind.name != "units":
        return today
    day = read_day(values["valid_from"])
    if day is None:
        look.errors["valid_from"] = [sentence(FieldInvalid("valid_from", "not_a_date"))]
    return day or today


def _received(form: FormMultiDict) -> tuple[Look, bytes]:
    upload: Any = form.get("file")
    if not isinstance(upload, UploadFile) or not upload.filename:
        return Look(errors={"file": [_("Choose a CSV or XLSX file.")]}), b""
    content = upload.file.read(LARGEST + 1)
    look = Look(upload.filename, sha256(content).hexdigest())
    if len(content) > LARGEST:
        look.errors["file"] = [
            _("The file is too large; a list has at most {megabytes} MB.").format(
                megabytes=LARGEST // 1024**2
            )
        ]
    return look, content


HANDLERS = [lists_page, *(handler for kind in KINDS.values() for handler in _handlers_of(kind))]
