"""The words of lists: the heads of their columns in both languages, and what is wrong with a cell."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from meetings_server.i18n import LANGUAGES, _, catalogue, mark
from meetings_server.sentences import FIELD_PROBLEMS
from meetings_server.web.unit_words import ENDPOINTS, ROLES
from rooms.catalogue import LONGEST
from rooms.folding import fold
from rooms.lists.lost_zeros import LostZeros
from rooms.sheets import Fault, unfolded

HEADS: dict[str, str] = {
    "address": mark("Place of the room"),
    "capacity": mark("Seats"),
    "code": mark("Unit code"),
    "email": mark("Mail address"),
    "endpoint_address": mark("Address to call"),
    "endpoint_kind": mark("Kind of equipment"),
    "equipment": mark("Equipment in the room"),
    "kind": mark("Kind"),
    "lat": mark("Latitude"),
    "level": mark("Level"),
    "lon": mark("Longitude"),
    "name": mark("Name"),
    "parent_code": mark("Code of the parent"),
    "phone": mark("Telephone"),
    "point_id": mark("Number of the point"),
    "roles": mark("Roles"),
    "technician_name": mark("Technician"),
    "technician_phone": mark("Telephone of the technician"),
    "title": mark("Office held"),
    "unit_code": mark("Unit code"),
    "unit_name": mark("Unit"),
    "username": mark("User name"),
}
"""What stands above a column on the screen and in an export."""

PROBLEMS: dict[str, str] = {
    "account_closed": mark("The account is closed; open it again first."),
    "another_unit": mark("The point with this number belongs to another unit."),
    "cell_error": mark("The cell shows an error of the spreadsheet."),
    "column_doubled": mark("Two columns have this head."),
    "control_characters": FIELD_PROBLEMS["control_characters"],
    "cycle": mark("Stands below itself: following its parents leads back to it."),
    "day_to_come": FIELD_PROBLEMS["day_to_come"],
    "doubled": mark("Stands in the file twice."),
    "empty": mark("The file has a head but no rows."),
    "equipment_unreadable": mark(
        "Cannot be read; write kind|model|serial number, pieces apart by semicolons."
    ),
    "formula": mark("The cell holds a formula; put its value in its place."),
    "has_spaces": FIELD_PROBLEMS["has_spaces"],
    "lost_zeros": mark("The spreadsheet has taken zeros away."),
    "missing": FIELD_PROBLEMS["missing"],
    "needs_reorganisation": mark(
        "The unit has another one today. Names, kinds and places change through a reorganisation."
    ),
    "not_a_date": FIELD_PROBLEMS["not_a_date"],
    "not_a_link": FIELD_PROBLEMS["not_a_link"],
    "not_a_number": FIELD_PROBLEMS["not_a_number"],
    "not_a_sip_address": FIELD_PROBLEMS["not_a_sip_address"],
    "not_a_telephone": FIELD_PROBLEMS["not_a_telephone"],
    "not_after_start": FIELD_PROBLEMS["not_after_start"],
    "not_an_address": FIELD_PROBLEMS["not_an_address"],
    "not_an_h323_address": FIELD_PROBLEMS["not_an_h323_address"],
    "not_readable": mark("The row cannot be read; a quotation mark may be missing."),
    "not_yours": mark("Lies outside of what you look after."),
    "nothing_to_call": FIELD_PROBLEMS["nothing_to_call"],
    "out_of_range": mark("Lies outside of what is possible."),
    "promised": mark("Another unit will bear this code on a later day."),
    "role_not_yours": mark(
        "You may neither give nor end this role: it lies outside of your units."
    ),
    "role_over": mark("The role would be over already; leave it out."),
    "role_overlaps": mark("The same role stands here twice for the same time."),
    "role_unreadable": mark("Cannot be read; write role@unit code:first day..last day."),
    "roles_elsewhere": mark(
        "This person also holds roles outside of your units; only their roles at your units can be changed."
    ),
    "several_fit": mark("Several points of the unit have this name; give the number of the point."),
    "too_long": mark("Is too long; at most {longest} characters."),
    "too_many": mark("Are too many."),
    "too_many_cells": mark("The row has more cells than the head."),
    "unknown": mark("Is not known."),
    "unknown_condition": mark("Is no condition; write works, faulty or missing."),
    "unknown_parent": mark("Neither the file nor the tree of that day has a unit with this code."),
    "unknown_point": mark("No bridge point has this number."),
    "unknown_role": mark("Is no role."),
    "unknown_unit": mark("No unit has this code today."),
}


@dataclass(frozen=True, slots=True)
class ToldFault:
    """A faulty cell in words."""

    line: int
    column: str
    said: str
    value: str


def head(column: str) -> str:
    return _(HEADS[column]) if column in HEADS else column


def heads(columns: Iterable[str]) -> list[str]:
    return [head(column) for column in columns]


@cache
def aliases(columns: tuple[str, ...]) -> dict[str, str]:
    """The heads of these columns in every language → their names."""
    return {
        unfolded(catalogue(language).gettext(HEADS[column])): column
        for language in LANGUAGES
        for column in columns
    }


@cache
def other_words() -> dict[str, str]:
    """The words for roles and kinds of equipment in every language, folded → what is meant."""
    return {
        fold(word): str(key)
        for language in LANGUAGES
        for table in (ROLES, ENDPOINTS)
        for key, text in table.items()
        # A word of the screen may be two, as in "secretary, clerk": each of them is understood.
        for word in (
            catalogue(language).gettext(text),
            *catalogue(language).gettext(text).split(","),
        )
    }


def fault_text(problem: str) -> str:
    """What is wrong with a cell, in the language of the request."""
    return _(PROBLEMS[problem]).format(longest=LONGEST) if problem in PROBLEMS else problem


def told(fault: Fault) -> ToldFault:
    return ToldFault(fault.line, head(fault.column), fault_text(fault.problem), fault.value)


def lost_text(lost: LostZeros) -> str:
    """What a cell that has lost its zeros probably was."""
    if lost.restored is not None:
        return _("Probably {code}; the spreadsheet has taken the zeros away.").format(
            code=lost.restored
        )
    if lost.candidates:
        return _("May be {codes}; the spreadsheet has taken the zeros away.").format(
            codes=", ".join(lost.candidates)
        )
    return _("The spreadsheet has made a rounded number of it; type it in again as text.")
