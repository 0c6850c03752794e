"""Roles in one cell: `secretary@00004:2026-01-01..2026-12-31; operator@006`.

The second day is the last one on which the role is held, as offices write it. Without days a role
holds from today on without an end.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from rooms.folding import fold
from rooms.lists.days import DAY, day_of
from rooms.people import Role

_ROLE = re.compile(
    rf"(?P<role>[^@]+)@\s*(?P<unit>[^@]+?)\s*(?::\s*(?P<first>{DAY})?\s*\.\.\s*(?P<last>{DAY})?)?"
)


@dataclass(frozen=True, slots=True)
class WantedRole:
    """A role as a cell says it; `until` is the first day without it, as the grants have it."""

    role: Role
    unit: str
    """Code."""
    valid_from: date | None
    until: date | None


class RoleUnreadable(ValueError):
    """`problem` is `role_unreadable`, `unknown_role`, `not_a_date` or `not_after_start`."""

    def __init__(self, problem: str, part: str) -> None:
        super().__init__(problem, part)
        self.problem = problem
        self.part = part


def read_roles(cell: str, words: Mapping[str, str]) -> list[WantedRole]:
    """The roles of a cell. `words`: other names of roles, folded. Raises `RoleUnreadable`."""
    return [_read(part.strip(), words) for part in re.split(r"[;\n]", cell) if part.strip()]


def _read(part: str, words: Mapping[str, str]) -> WantedRole:
    found = _ROLE.fullmatch(part)
    if found is None:
        raise RoleUnreadable("role_unreadable", part)
    named = found["role"].strip()
    try:
        role = Role(words.get(fold(named), named))
    except ValueError:
        raise RoleUnreadable("unknown_role", named) from None
    days: list[date | None] = []
    for text in (found["first"], found["last"]):
        day = day_of(text) if text else None
        if text and day is None:
            raise RoleUnreadable("not_a_date", text)
        days.append(day)
    first, last = days
    if first and last and last < first:
        raise RoleUnreadable("not_after_start", part)
    return WantedRole(role, found["unit"], first, last + timedelta(days=1) if last else None)


def write_role(role: str, unit: str, valid_from: date, until: date | None) -> str:
    """A grant as `read_roles` reads it."""
    last = until - timedelta(days=1) if until else ""
    return f"{role}@{unit}:{valid_from}..{last}"


def write_roles(roles: Iterable[str]) -> str:
    return "; ".join(roles)
