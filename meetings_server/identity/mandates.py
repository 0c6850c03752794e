"""What a login shows of rights on loan: for whom it acts, who stands in for whom today.

Looked up anew with each request, so that all of it begins and ends by itself.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from rooms.entrustment import entrusted_to
from rooms.lending import Act, Entrustment, Substitution, lent_on
from rooms.people import Person, Role
from rooms.policies import Actor, Permission, permissions_of, permissions_of_acts, roles_of

ENTRUSTABLE = frozenset({Role.OFFICIAL, Role.SECRETARY})


@dataclass(frozen=True, slots=True)
class Acting:
    """The official for whom a secretary acts, and how far."""

    official_id: int
    name: str
    title: str
    unit_id: int
    unit_name: str
    unit_code: str
    acts: tuple[Act, ...]
    last_day: date
    roles: frozenset[Role]
    """Of the official's those in which anything can be entrusted."""

    @property
    def rights(self) -> frozenset[Permission]:
        return permissions_of(self.roles) & permissions_of_acts(self.acts)


def acting_of(session: Session, secretary: Actor, official_id: int, on: date) -> Acting | None:
    """None where nothing is entrusted any more: then the login stands for its owner again."""
    found = entrusted_to(session, secretary.person_id, official_id, on)
    if found is None:
        return None
    official = found.official
    for_them = Actor(secretary.person_id, secretary.name, official.unit_id, official_id)
    return Acting(
        official.id,
        official.name,
        official.title,
        official.unit_id,
        official.unit.name,
        official.unit.code,
        tuple(Act(entrusted.act) for entrusted in found.acts),
        _last(found.valid_until),
        frozenset(roles_of(session, for_them, on)) & ENTRUSTABLE,
    )


@dataclass(frozen=True, slots=True)
class Other:
    """The other side of a loan, until the last day it holds."""

    id: int
    name: str
    title: str
    last_day: date


@dataclass(frozen=True, slots=True)
class Loans:
    """What somebody has lent or borrowed today."""

    may_act_for: tuple[Other, ...] = ()
    """Officials who have entrusted this person."""
    stands_in_for: tuple[Other, ...] = ()
    """Absent people whose roles this person holds."""
    replaced_by: tuple[Other, ...] = ()
    """Those who hold this person's roles."""


NO_LOANS = Loans()


def lends(person: InstrumentedAttribute[int], on: date) -> ColumnElement[bool]:
    """Whether a person has lent or borrowed anything on a day: part of the look-up of a login."""
    return or_(
        exists().where(Entrustment.secretary_id == person, lent_on(Entrustment, on)),
        exists().where(Substitution.substitute_id == person, lent_on(Substitution, on)),
        exists().where(Substitution.absent_id == person, lent_on(Substitution, on)),
    )


def loans_of(session: Session, person_id: int, on: date) -> Loans:
    """In two statements."""
    officials = session.execute(
        select(Person.id, Person.name, Person.title, Entrustment.valid_until)
        .join(Entrustment, Entrustment.official_id == Person.id)
        .where(Entrustment.secretary_id == person_id, lent_on(Entrustment, on), Person.active)
        .order_by(Person.name)
    )
    absent, substitute = aliased(Person), aliased(Person)
    substitutions = session.execute(
        select(Substitution.valid_until, absent, substitute)
        .join(absent, absent.id == Substitution.absent_id)
        .join(substitute, substitute.id == Substitution.substitute_id)
        .where(
            or_(Substitution.absent_id == person_id, Substitution.substitute_id == person_id),
            lent_on(Substitution, on),
            absent.active,
        )
        .order_by(Substitution.valid_until)
    ).all()
    return Loans(
        tuple(Other(*row[:3], _last(row[3])) for row in officials),
        tuple(
            Other(gone.id, gone.name, gone.title, _last(end))
            for end, gone, steps_in in substitutions
            if steps_in.id == person_id
        ),
        tuple(
            Other(steps_in.id, steps_in.name, steps_in.title, _last(end))
            for end, gone, steps_in in substitutions
            if gone.id == person_id
        ),
    )


def _last(end: date) -> date:
    return end - timedelta(days=1)
