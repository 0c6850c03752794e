"""The three lists of the import page: their columns, who may bring them in, and their acts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from meetings_server.i18n import _, mark
from meetings_server.web.list_words import aliases, heads, other_words
from meetings_server.web.pages import PageRequest
from rooms.directory import listed_rows
from rooms.lists import Plan, people, points, units
from rooms.policies import Actor, NotPermitted, Permission, permissions_of
from rooms.sheets import Sheet, read_sheet, write_csv, write_xlsx

Cells = Sequence[str | int | float | None]


@dataclass(frozen=True, slots=True)
class ListKind:
    """A list. `plan` and `carry_out` are its acts, `rows` what the actor may take out."""

    name: str
    title: str
    permission: Permission
    columns: tuple[str, ...]
    required: tuple[str, ...]
    plan: Callable[[Session, Any, Sheet, date, date, bool], Any]
    carry_out: Callable[[Session, Any, str | None], Any]
    rows: Callable[[Session, Actor, date], Sequence[Cells]]
    example: Callable[[], list[list[str]]]
    place: str
    """Where one goes when it is done."""

    def read(self, content: bytes, sheet: str = "") -> Sheet:
        """Raises as `read_sheet`."""
        return read_sheet(content, self.columns, aliases(self.columns), sheet)

    def require(self, request: PageRequest) -> None:
        """Raises `NotPermitted` for whoever may bring in no row of this list."""
        if self.permission not in permissions_of(request.user.roles):
            raise NotPermitted(self.permission.value, request.user.unit_name)


def _plan_units(
    session: Session, actor: Actor | None, sheet: Sheet, day: date, on: date, zeros: bool
) -> Plan:
    return units.plan_units(session, actor, sheet, day, on, zeros=zeros)


def _plan_points(
    session: Session, actor: Actor, sheet: Sheet, _day: date, on: date, zeros: bool
) -> Plan:
    return points.plan_points(session, actor, sheet, on, zeros=zeros, words=other_words())


def _plan_people(
    session: Session, actor: Actor, sheet: Sheet, _day: date, on: date, zeros: bool
) -> Plan:
    return people.plan_people(session, actor, sheet, on, zeros=zeros, words=other_words())


def _unit_rows(session: Session, _actor: Actor, on: date) -> Sequence[Cells]:
    return [[getattr(row, column) for column in units.COLUMNS] for row in listed_rows(session, on)]


def _unit_example() -> list[list[str]]:
    city, ward = _("Example city"), _("Example ward")
    return [
        ["99", "", "city", _("city"), city, "21.0278", "105.8342", "vp@example.vn", "02438253536"],
        ["09999", "99", "ward", _("ward"), ward, "", "", "vt@example.vn", "0912000111"],
    ]


def _point_example() -> list[list[str]]:
    hall = [_("Hall on the second floor"), _("House A, second floor"), "80"]
    call = ["sip", "sip:1000@hop.example.vn", _("Example name"), "0912000111", "camera|Rally|SN1"]
    return [["", "09999", _("Example ward"), *hall, *call]]


def _people_example() -> list[list[str]]:
    roles = "secretary@09999:2026-01-01..2026-12-31; operator@09999"
    person = ["vt.example", _("Example name"), _("Clerk"), "vt@example.vn", "0912000111"]
    return [[*person, "09999", _("Example ward"), roles]]


KINDS: dict[str, ListKind] = {
    kind.name: kind
    for kind in (
        ListKind(
            "units",
            mark("Units"),
            Permission.UNIT_WRITE,
            units.COLUMNS,
            units.REQUIRED_COLUMNS,
            _plan_units,
            units.carry_out_units,
            _unit_rows,
            _unit_example,
            "/units",
        ),
        ListKind(
            "points",
            mark("Bridge points"),
            Permission.POINT_WRITE,
            points.COLUMNS,
            points.REQUIRED_COLUMNS,
            _plan_points,
            points.carry_out_points,
            points.point_rows,
            _point_example,
            "/admin/import/points",
        ),
        ListKind(
            "people",
            mark("People"),
            Permission.PERSON_WRITE,
            people.COLUMNS,
            people.REQUIRED_COLUMNS,
            _plan_people,
            people.carry_out_people,
            people.people_rows,
            _people_example,
            "/admin/people",
        ),
    )
}


def packed(kind: ListKind, rows: Sequence[Cells], ending: str) -> tuple[bytes, str]:
    """A list as a file, `csv` or `xlsx`, with the heads of the language; and its media type."""
    names = heads(kind.columns)
    if ending == "csv":
        return write_csv(names, rows), "text/csv"
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return write_xlsx(names, rows, _(kind.title)), media_type
