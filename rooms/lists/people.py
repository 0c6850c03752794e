"""The list of people: new accounts, and what changes in those there are, known by their user names.

A column that the table lacks stays as it is, an empty cell empties. Where the table has roles, a
person holds afterwards what the cell says: what it no longer names ends today. Everything is bounded
by the rights of whoever brings the list in: people of their units, roles at their units, and nobody
who holds a role elsewhere.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from rooms.addresses import mail_address, telephone
from rooms.administrators import administrators_kept
from rooms.folding import fold
from rooms.hierarchy import Unit
from rooms.kernel import FieldInvalid, bounded_text, require_text
from rooms.lists.lost_zeros import lost_in_references, lost_in_telephones
from rooms.lists.plan import Cells, Entry, Plan, differences
from rooms.lists.role_cells import write_role, write_roles
from rooms.lists.terms import Surroundings, Term, wanted_terms
from rooms.people import Person, Role, RoleGrant
from rooms.policies import Actor, Permission, governed_units
from rooms.sheets import Fault, Row, Sheet

COLUMNS = ("username", "name", "title", "email", "phone", "unit_code", "unit_name", "roles")
REQUIRED_COLUMNS = ("username", "name", "unit_code")
SAID = ("name", "title", "email", "phone", "unit_code", "roles")
FACTS = SAID[:-1]
AT_ONCE = 5_000
"""Names in one statement: databases bound the number of parameters."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    person_id: int | None
    cells: Mapping[str, str]
    """What the row says, by column, as it is to be kept."""
    unit_id: int
    terms: list[Term] | None


@dataclass
class PeoplePlan(Plan):
    on: date = date.min
    wanted: list[_Wanted] = field(default_factory=list)
    columns: tuple[str, ...] = ()


@dataclass
class _Present:
    around: Surroundings
    people: dict[str, Person]
    terms: dict[int, list[Term]]


def plan_people(
    session: Session,
    actor: Actor,
    sheet: Sheet,
    on: date,
    *,
    zeros: bool = True,
    words: Mapping[str, str] | None = None,
) -> PeoplePlan:
    """What a table of people would do today. Raises `ColumnsMissing`.

    `zeros`: name codes and telephone numbers that have probably lost their zeros. `words`: other names
    of the roles, folded.
    """
    sheet.require(REQUIRED_COLUMNS)
    columns = tuple(column for column in SAID if column in sheet.columns)
    plan = PeoplePlan(faults=list(sheet.faults), on=on, columns=columns)
    present = _present(session, actor, sheet.rows, on)
    if zeros:
        borne = {
            code: unit.name
            for code in present.around.units
            if (unit := present.around.unit(code, on))
        }
        plan.lost = lost_in_references(
            sheet.rows, "unit_code", borne, names=borne, name_column="unit_name"
        ) + lost_in_telephones(sheet.rows, ["phone"])
        plan.lost.sort(key=lambda each: each.line)
    unclear = {(each.line, each.column) for each in plan.lost}
    seen: set[str] = set()
    for row in sheet.rows:
        cells = Cells(row, plan.faults)
        username = cells.take("username", _username, "")
        if username in seen:
            cells.fault("username", "doubled")
        seen.add(username)
        _plan_row(plan, cells, present, words or {}, told=(row.line, "unit_code") in unclear)
    if not sheet.rows and not plan.faults:
        plan.faults.append(Fault(1, "username", "empty", ""))
    plan.faults.sort()
    return plan


def carry_out_people(
    session: Session, plan: PeoplePlan, looked_at: str | None = None
) -> list[Person]:
    """Write what was planned in this transaction; returns the new people, who have no password yet.

    Raises as `Plan.require_sound`, and `LastAdministrator` where roles end that must be kept.
    """
    plan.require_sound(looked_at)
    known = [wanted.person_id for wanted in plan.wanted if wanted.person_id is not None]
    people = {
        person.id: person
        for ids in _in_parts(known)
        for person in session.scalars(select(Person).where(Person.id.in_(ids)))
    }
    made = []
    with administrators_kept(session, plan.on):
        for wanted in plan.wanted:
            if wanted.person_id is None:
                person = Person(username=wanted.cells["username"], active=True, locale="vi")
                made.append(person)
            else:
                person = people[wanted.person_id]
            _describe(person, wanted, plan.columns)
        session.add_all(made)
        session.flush()
        ids = iter(made)
        grants = _grants(session, known)
        for wanted in plan.wanted:
            person_id = next(ids).id if wanted.person_id is None else wanted.person_id
            if wanted.terms is not None:
                _settle(session, person_id, wanted.terms, grants.get(person_id, []), plan.on)
        session.flush()
    return made


def people_rows(session: Session, actor: Actor, on: date) -> list[list[str]]:
    """The open accounts that the actor looks after as rows of `COLUMNS`. Two statements."""
    mine = governed_units(actor, Permission.PERSON_WRITE, on)
    found = session.execute(
        select(Person, Unit.code, Unit.name)
        .join(Unit, Unit.id == Person.unit_id)
        .where(Person.active, Person.unit_id.in_(mine))
        .order_by(Unit.position, Person.name, Person.id)
    ).all()
    roles: dict[int, list[str]] = defaultdict(list)
    for grant, code in session.execute(
        select(RoleGrant, Unit.code)
        .join(Unit, Unit.id == RoleGrant.unit_id)
        .join(Person, Person.id == RoleGrant.person_id)
        .where(Person.unit_id.in_(mine), _not_over(on))
    ):
        roles[grant.person_id].append(
            write_role(grant.role, code, grant.valid_from, grant.valid_until)
        )
    return [
        [
            person.username,
            person.name,
            person.title,
            person.email or "",
            person.phone or "",
            code,
            unit_name,
            write_roles(sorted(roles[person.id])),
        ]
        for person, code, unit_name in found
    ]


def _not_over(on: date) -> ColumnElement[bool]:
    return or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > on)


def _in_parts(keys: list[int] | list[str]) -> Iterator[list[int] | list[str]]:
    for start in range(0, len(keys), AT_ONCE):
        yield keys[start : start + AT_ONCE]


def _present(session: Session, actor: Actor, rows: list[Row], on: date) -> _Present:
    units: dict[str, list[Unit]] = defaultdict(list)
    codes: dict[int, str] = {}
    for unit in session.scalars(
        select(Unit).where(or_(Unit.valid_until.is_(None), Unit.valid_until > on))
    ):
        units[unit.code].append(unit)
        codes[unit.id] = unit.code
    names = sorted({row.cells["username"].strip().casefold() for row in rows})
    people = {
        person.username: person
        for part in _in_parts(names)
        for person in session.scalars(select(Person).where(Person.username.in_(part)))
    }
    terms: dict[int, list[Term]] = defaultdict(list)
    for person_id, grants in _grants(session, [person.id for person in people.values()]).items():
        for grant in grants:
            if grant.valid_until is None or grant.valid_until > on:
                codes.setdefault(grant.unit_id, f"#{grant.unit_id}")
                terms[person_id].append(
                    Term(grant.role, grant.unit_id, grant.valid_from, grant.valid_until, grant.id)
                )
    mine = set(session.scalars(governed_units(actor, Permission.PERSON_WRITE, on)))
    return _Present(Surroundings(on, units, codes, mine), people, terms)


def _grants(session: Session, person_ids: list[int]) -> dict[int, list[RoleGrant]]:
    grants: dict[int, list[RoleGrant]] = defaultdict(list)
    for ids in _in_parts(person_ids):
        for grant in session.scalars(
            select(RoleGrant).where(RoleGrant.person_id.in_(ids)).order_by(RoleGrant.id)
        ):
            grants[grant.person_id].append(grant)
    return grants


def _username(column: str, text: str) -> str:
    username = require_text(column, text, 80).casefold()
    if any(c.isspace() for c in username):
        raise FieldInvalid(column, "has_spaces")
    return username


def _plan_row(
    plan: PeoplePlan, cells: Cells, present: _Present, words: Mapping[str, str], *, told: bool
) -> None:
    username = cells.text("username").casefold()
    person = present.people.get(username)
    if person is not None and not person.active:
        cells.fault("username", "account_closed")
    if person is not None and person.unit_id not in present.around.mine:
        cells.fault("username", "not_yours", username)
        return
    unit = present.around.unit(cells.text("unit_code"), present.around.on)
    if unit is None:
        if not told:
            cells.fault("unit_code", "unknown_unit" if cells.text("unit_code") else "missing")
        return
    if unit.id not in present.around.mine:
        cells.fault("unit_code", "not_yours")
    after = _read(cells, username)
    held = present.terms.get(person.id, []) if person else []
    terms = wanted_terms(cells, present.around, held, words)
    if not cells.sound:
        return
    before = dict.fromkeys(SAID, "") if person is None else _shown(person, present)
    after["roles"] = present.around.written(held if terms is None else terms)
    before["roles"] = present.around.written(held)
    wanted = _Wanted(person.id if person else None, after, unit.id, terms)
    if person is None:
        plan.new.append(Entry(cells.line, username, after["name"], unit.name))
        plan.wanted.append(wanted)
        return
    changes = differences(plan.columns, before, after)
    if not changes:
        plan.unchanged += 1
        return
    beyond = [term for term in held if term.unit_id not in present.around.mine]
    if beyond and any(change.column != "roles" for change in changes):
        # A mail address or a unit of such a person is a way to rights that its giver does not have.
        cells.fault("username", "roles_elsewhere", present.around.written(beyond))
    plan.changed.append(Entry(cells.line, username, person.name, unit.name, changes))
    plan.wanted.append(wanted)


def _read(cells: Cells, username: str) -> dict[str, str]:
    return {
        "username": username,
        "name": cells.take("name", lambda c, t: require_text(c, t, 120), ""),
        "title": cells.take("title", lambda c, t: bounded_text(c, t, 120), ""),
        "email": cells.take("email", mail_address, None) or "",
        "phone": cells.take("phone", telephone, None) or "",
        "unit_code": cells.text("unit_code"),
    }


def _shown(person: Person, present: _Present) -> dict[str, str]:
    return {
        "name": person.name,
        "title": person.title,
        "email": person.email or "",
        "phone": person.phone or "",
        "unit_code": present.around.codes.get(person.unit_id, ""),
    }


def _describe(person: Person, wanted: _Wanted, columns: tuple[str, ...]) -> None:
    person.unit_id = wanted.unit_id
    if person.title is None:
        person.title = ""
    for column in columns:
        if column in {"name", "title"}:
            setattr(person, column, wanted.cells[column])
        elif column in {"email", "phone"}:
            setattr(person, column, wanted.cells[column] or None)
    person.folded = fold(f"{person.name} {person.username}")


def _settle(
    session: Session, person_id: int, terms: list[Term], grants: list[RoleGrant], on: date
) -> None:
    """A person's grants become these: kept, lengthened or shortened, ended today, or given."""
    open_grants = {
        (grant.role, grant.unit_id, grant.valid_from): grant
        for grant in grants
        if grant.valid_until is None or grant.valid_until > on
    }
    for term in terms:
        grant = open_grants.pop((term.role, term.unit_id, term.valid_from), None)
        if grant is not None:
            grant.valid_until = term.until
            continue
        session.add(
            RoleGrant(
                person_id=person_id,
                unit_id=term.unit_id,
                role=Role(term.role).value,
                valid_from=term.valid_from,
                valid_until=term.until,
            )
        )
    for grant in open_grants.values():
        if grant.valid_from >= on:
            session.delete(grant)
        else:
            grant.valid_until = on
