"""Bringing in a list of units from a CSV file: looked at first, imported only when confirmed.

Nothing is kept between the two steps: the page sends the file again, and its digest must be that of
the file that was looked at.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.status_codes import HTTP_200_OK, HTTP_422_UNPROCESSABLE_ENTITY
from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.errors import sentence
from meetings_server.i18n import _, mark
from meetings_server.reading import read_day
from meetings_server.sentences import FIELD_PROBLEMS
from meetings_server.web.pages import PageRequest, render, see_other, text_of
from meetings_server.web.units import WORDS
from rooms.catalogue import COLUMNS, LONGEST, REQUIRED_COLUMNS, parse_units
from rooms.directory import root_lines
from rooms.hierarchy import UnitRow, UnitsNotSound, import_units
from rooms.kernel import DomainError, FieldInvalid, civil_day, utcnow
from rooms.policies import Actor, NotPermitted, Permission, require

LARGEST = 5 * 1024 * 1024
MOST_FAULTS = 200
"""Faults listed at once; the rest is counted."""

PROBLEMS: dict[str, str] = {
    "cycle": mark("Stands below itself: following its parents leads back to it."),
    "control_characters": FIELD_PROBLEMS["control_characters"],
    "doubled": mark("This code stands in the file twice."),
    "empty": mark("The file has a head but no rows."),
    "missing": FIELD_PROBLEMS["missing"],
    "not_a_number": FIELD_PROBLEMS["not_a_number"],
    "not_a_telephone": FIELD_PROBLEMS["not_a_telephone"],
    "not_an_address": FIELD_PROBLEMS["not_an_address"],
    "not_readable": mark("The row cannot be read; a quotation mark may be missing."),
    "out_of_range": mark("Lies outside of the globe; write degrees such as 21.0278."),
    "too_long": FIELD_PROBLEMS["too_long"],
    "too_many_cells": mark("The row has more cells than the head."),
    "unknown_parent": mark("No row of the file has this code."),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A faulty cell. Line 1 is the head."""

    line: int
    column: str
    said: str
    value: str


@dataclass
class Look:
    """What was found in a file."""

    name: str = ""
    digest: str = ""
    rows: list[UnitRow] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0
    errors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        return bool(self.rows) and not self.faults and not self.errors

    @property
    def levels(self) -> dict[str, int]:
        return dict(Counter(row.level for row in self.rows))


def fault_text(problem: str) -> str:
    """What is wrong with a cell, in the language of the request."""
    return _(PROBLEMS[problem]).format(limit=LONGEST) if problem in PROBLEMS else problem


def require_everywhere(session: Session, actor: Actor, on: date) -> None:
    """A new tree stands beside the present ones: only who governs all of them may bring it in."""
    for root in root_lines(session, on):
        require(session, actor, Permission.UNIT_WRITE, root.id, on)


def _page(
    request: PageRequest, values: dict[str, str], look: Look | None, status: int = HTTP_200_OK
) -> Response[str]:
    return render(
        request,
        "admin/import.html",
        status=status,
        values=values,
        look=look,
        errors=look.errors if look else {},
        columns=COLUMNS,
        required=REQUIRED_COLUMNS,
        largest=LARGEST // 1024**2,
        **WORDS,
    )


def _require_somewhere(request: PageRequest) -> None:
    if Permission.UNIT_WRITE not in request.user.rights:
        raise NotPermitted(Permission.UNIT_WRITE.value, request.user.unit_name)


@get("/admin/import", include_in_schema=False, sync_to_thread=True)
def import_page(request: PageRequest, db: Database) -> Response[str]:
    _require_somewhere(request)
    today = civil_day(utcnow())
    with db.reader() as session:
        require_everywhere(session, request.user.actor, today)
    return _page(request, {"valid_from": str(today)}, None)


@post("/admin/import", include_in_schema=False, sync_to_thread=True, status_code=HTTP_200_OK)
def import_file(
    request: PageRequest, form: FormMultiDict, db: Database
) -> Response[str] | Response[None]:
    """Look at a file, or import it where `act` is `import` and the digest is still the same."""
    _require_somewhere(request)
    values = {name: text_of(form, name) for name in ("valid_from", "digest", "act")}
    look, content = _received(form)
    day = read_day(values["valid_from"])
    if day is None:
        look.errors["valid_from"] = [sentence(FieldInvalid("valid_from", "not_a_date"))]
    if look.errors or day is None:
        return _page(request, values, look, HTTP_422_UNPROCESSABLE_ENTITY)
    confirmed = values["act"] == "import" and values["digest"] == look.digest
    if values["act"] == "import" and not confirmed:
        look.errors["file"] = [_("This is not the file that was checked. Check it first.")]
    try:
        look.rows = parse_units(content)
        with db.transaction() as session:
            require_everywhere(session, request.user.actor, civil_day(utcnow()))
            import_units(session, look.rows, day)
            if not confirmed:
                session.rollback()
    except UnitsNotSound as unsound:
        _list_faults(look, unsound.problems)
    except NotPermitted:
        raise
    except DomainError as refusal:
        look.errors["file"] = [sentence(refusal)]
    if confirmed and look.sound:
        return see_other("/units", "units_imported")
    return _page(
        request, values, look, HTTP_200_OK if look.sound else HTTP_422_UNPROCESSABLE_ENTITY
    )


def _received(form: FormMultiDict) -> tuple[Look, bytes]:
    upload: Any = form.get("file")
    if not isinstance(upload, UploadFile) or not upload.filename:
        return Look(errors={"file": [_("Choose a CSV file.")]}), b""
    content = upload.file.read(LARGEST + 1)
    look = Look(upload.filename, sha256(content).hexdigest())
    if len(content) > LARGEST:
        look.errors["file"] = [
            _("The file is too large; a list of units has at most {megabytes} MB.").format(
                megabytes=LARGEST // 1024**2
            )
        ]
    return look, content


def _list_faults(look: Look, problems: list[tuple[int, str, str, str]]) -> None:
    ordered = sorted(problems)
    look.faults = [
        Fault(line, column, fault_text(problem), value)
        for line, column, problem, value in ordered[:MOST_FAULTS]
    ]
    look.more_faults = len(ordered) - len(look.faults)


HANDLERS = [import_file, import_page]
