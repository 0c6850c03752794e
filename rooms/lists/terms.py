"""The roles in a list of people: what a cell comes to, and what whoever brings it in may not do.

Roles are compared as spans: the role, the unit, the first day and the first day without it. Giving and
ending one takes the right to look after people at its unit; what stays as it is takes none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from rooms.hierarchy import Unit
from rooms.lists.plan import Cells
from rooms.lists.role_cells import RoleUnreadable, WantedRole, read_roles, write_role, write_roles


@dataclass(frozen=True, slots=True)
class Term:
    """A role as a grant has it; `grant_id` is None for one to be given."""

    role: str
    unit_id: int
    valid_from: date
    until: date | None
    grant_id: int | None = None

    @property
    def span(self) -> tuple[str, int, date, date | None]:
        return self.role, self.unit_id, self.valid_from, self.until


@dataclass
class Surroundings:
    """The units of a list's day and later, and those whose people the actor looks after."""

    on: date
    units: dict[str, list[Unit]]
    codes: dict[int, str]
    mine: set[int]

    def unit(self, code: str, day: date) -> Unit | None:
        """The unit that bears a code on a day."""
        return next(
            (
                unit
                for unit in self.units.get(code, ())
                if unit.valid_from <= day and (unit.valid_until is None or unit.valid_until > day)
            ),
            None,
        )

    def written(self, terms: Iterable[Term]) -> str:
        return write_roles(
            sorted(
                write_role(term.role, self.codes[term.unit_id], term.valid_from, term.until)
                for term in terms
            )
        )


def wanted_terms(
    cells: Cells, around: Surroundings, held: list[Term], words: Mapping[str, str]
) -> list[Term] | None:
    """The roles that a person is to hold, each within the rights of the actor; None: as before."""
    if not cells.has("roles"):
        return None
    try:
        wanted = read_roles(cells.text("roles"), words)
    except RoleUnreadable as wrong:
        cells.fault("roles", wrong.problem, wrong.part)
        return None
    terms: list[Term] = []
    for role in wanted:
        term = _term(cells, around, held, role)
        if term is None:
            return None
        terms.append(term)
    spans = {term.span for term in terms}
    for term in [*terms, *held]:
        kept = term.span in spans and any(term.span == each.span for each in held)
        if not kept and term.unit_id not in around.mine:
            cells.fault("roles", "role_not_yours", around.written([term]))
            return None
    for index, term in enumerate(terms):
        if any(_overlap(term, other) for other in terms[:index]):
            cells.fault("roles", "role_overlaps", around.written([term]))
            return None
    return terms


def _term(cells: Cells, around: Surroundings, held: list[Term], wanted: WantedRole) -> Term | None:
    first = wanted.valid_from
    unit = around.unit(wanted.unit, max(first or around.on, around.on))
    if unit is None:
        cells.fault("roles", "unknown_unit", wanted.unit)
        return None
    same = [
        term
        for term in held
        if term.role == wanted.role
        and term.unit_id == unit.id
        and (first is None or term.valid_from == first)
    ]
    if first is None:
        first = same[0].valid_from if same else around.on
    if wanted.until is not None and wanted.until <= max(first, around.on):
        cells.fault("roles", "role_over", wanted.role)
        return None
    return Term(wanted.role.value, unit.id, first, wanted.until)


def _overlap(one: Term, other: Term) -> bool:
    return (
        one.role == other.role
        and one.unit_id == other.unit_id
        and (other.until is None or one.valid_from < other.until)
        and (one.until is None or other.valid_from < one.until)
    )
