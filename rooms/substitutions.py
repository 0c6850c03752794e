"""A substitute while somebody is away: named, taken back, ended by itself.

Somebody who is away, or an administrator above them, names who holds their roles from one day to
another. The substitute has what the absent person holds themselves on each of these days, no more,
and hands nothing on. Both see it, and either may end it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from rooms.accounts import governed_person, person_under
from rooms.kernel import (
    LARGEST_ID,
    Conflict,
    FieldInvalid,
    Invalid,
    NotFound,
    bounded_text,
    civil_day,
)
from rooms.lending import (
    SubstitutedRole,
    Substitution,
    lent_before,
    lent_from,
    lent_on,
    lent_within,
)
from rooms.people import Person, Role, RoleGrant, UnknownPerson, person_by_id
from rooms.policies import Actor, NotPermitted, require_in_person

LONGEST_ABSENCE = 366
"""Days. Whoever is away for longer needs a successor, not a substitute."""
FARTHEST = 1_830
"""Days ahead on which something may begin."""
LONGEST_NOTE = 200
EVERY_ROLE = frozenset(Role)
"""All that the absent person holds, a role that they are given meanwhile among them."""


@dataclass
class UnknownSubstitution(NotFound):
    code: ClassVar[str] = "unknown_substitution"
    substitution: int


@dataclass
class NothingToSubstitute(Invalid):
    """The absent person holds none of the chosen roles in this time."""

    code: ClassVar[str] = "nothing_to_substitute"
    person: str


@dataclass
class SubstituteNamed(Conflict):
    """For one of the roles there is a substitute in this time already."""

    code: ClassVar[str] = "substitute_named"
    substitute: str
    first: date
    last: date


@dataclass
class SubstituteAway(Conflict):
    """Whoever was to step in is away themselves in this time, and has a substitute."""

    code: ClassVar[str] = "substitute_away"
    substitute: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Absence:
    """Who steps in for whom, when, for what. `last` is the last day, both days counted."""

    absent_id: int
    substitute_id: int
    first: date
    last: date
    roles: Collection[Role] = EVERY_ROLE
    note: str = ""
    shared: bool = False
    """It was said that two people may hold the same role for the absent one."""


def name_substitute(
    session: Session, actor: Actor, absence: Absence, now: datetime
) -> Substitution:
    """Let somebody hold another's roles from a day to a day.

    For oneself, or as an administrator for people whose every role lies below. Raises
    `InPersonOnly`, `UnknownPerson`, `NotPermitted`, `FieldInvalid`, `NothingToSubstitute`,
    `SubstituteNamed`, `SubstituteAway`.
    """
    today = civil_day(now)
    require_in_person(actor)
    absent = lender(session, actor, absence.absent_id, today)
    substitute = borrower(session, actor, absent, absence.substitute_id, "substitute", today)
    end = checked_span(absence.first, absence.last, today, LONGEST_ABSENCE)
    if not absence.roles:
        raise FieldInvalid("roles", "missing")
    # The absent person's row is the lock: two who name somebody at once see each other.
    session.execute(select(Person.id).where(Person.id == absent.id).with_for_update(key_share=True))
    roles = {role.value for role in absence.roles}
    if not holds_within(session, absent.id, roles, absence.first, end):
        raise NothingToSubstitute(absent.name)
    _require_unnamed(session, absence, roles, end)
    away = _first(session, Substitution.absent_id == substitute.id, absence.first, end)
    if away is not None:
        raise SubstituteAway(substitute.name, away.valid_from, away.valid_until - timedelta(days=1))
    made = Substitution(
        absent_id=absent.id,
        substitute_id=substitute.id,
        valid_from=absence.first,
        valid_until=end,
        note=bounded_text("note", absence.note, LONGEST_NOTE),
        made_by=actor.person_id,
        made_at=now,
        roles=[SubstitutedRole(role=role) for role in sorted(roles)],
    )
    session.add(made)
    session.flush()
    return made


def take_back(session: Session, actor: Actor, substitution_id: int, now: datetime) -> Substitution:
    """End a substitution now. For both of them and for whoever may name one; twice changes nothing.

    Raises `UnknownSubstitution`, also where the actor has nothing to do with it, and `InPersonOnly`.
    """
    require_in_person(actor)
    found = None
    if 0 < substitution_id <= LARGEST_ID:
        found = session.get(Substitution, substitution_id, with_for_update=True)
    if found is None or not concerns(
        session, actor, found.absent_id, found.substitute_id, civil_day(now)
    ):
        raise UnknownSubstitution(substitution_id)
    found.end(actor.person_id, now)
    session.flush()
    return found


def substitutions_of(
    session: Session, person_ids: Collection[int], on: date
) -> Sequence[Substitution]:
    """Of these people, as the absent or as the substitute, what holds or will hold; two statements."""
    return session.scalars(
        select(Substitution)
        .where(
            or_(Substitution.absent_id.in_(person_ids), Substitution.substitute_id.in_(person_ids)),
            lent_from(Substitution, on),
        )
        .options(
            joinedload(Substitution.absent),
            joinedload(Substitution.substitute),
            selectinload(Substitution.roles),
        )
        .order_by(Substitution.valid_from, Substitution.id)
    ).all()


def past_substitutions(
    session: Session, person_id: int, on: date, limit: int = 20
) -> Sequence[Substitution]:
    """Those of a person that are over or were taken back, the latest first."""
    return session.scalars(
        select(Substitution)
        .where(
            or_(Substitution.absent_id == person_id, Substitution.substitute_id == person_id),
            lent_before(Substitution, on),
        )
        .options(
            joinedload(Substitution.absent),
            joinedload(Substitution.substitute),
            selectinload(Substitution.roles),
        )
        .order_by(Substitution.valid_until.desc(), Substitution.id.desc())
        .limit(limit)
    ).all()


def away_on(on: date) -> ColumnElement[bool]:
    """The people for whom somebody steps in on a day."""
    return Person.id.in_(select(Substitution.absent_id).where(lent_on(Substitution, on)))


def lender(session: Session, actor: Actor, person_id: int, on: date) -> Person:
    """Whose rights are lent: the actor's own, or those of somebody whose every role lies below them.

    Raises `UnknownPerson`, `NotPermitted`.
    """
    if person_id == actor.person_id:
        return person_by_id(session, person_id)
    person = person_under(session, actor, person_id, on)
    if not person.active:
        raise UnknownPerson(person.name)
    return person


def borrower(
    session: Session, actor: Actor, of: Person, person_id: int, field: str, on: date
) -> Person:
    """To whom rights are lent: somebody else, whose account is open.

    An administrator lends to those only whom they look after. Raises `FieldInvalid`,
    `UnknownPerson`, `NotPermitted`.
    """
    if person_id == of.id:
        raise FieldInvalid(field, "oneself")
    person = session.get(Person, person_id) if 0 < person_id <= LARGEST_ID else None
    if person is None:
        raise UnknownPerson(str(person_id))
    if not person.active:
        raise FieldInvalid(field, "account_closed")
    if of.id != actor.person_id:
        governed_person(session, actor, person.id, on)
    return person


def checked_span(first: date, last: date, today: date, longest: int) -> date:
    """The first day after the span. Raises `FieldInvalid`."""
    if first < today:
        raise FieldInvalid("valid_from", "in_the_past")
    if (first - today).days > FARTHEST:
        raise FieldInvalid("valid_from", "too_far", FARTHEST)
    if last < first:
        raise FieldInvalid("valid_until", "before_first_day")
    if (last - first).days >= longest:
        raise FieldInvalid("valid_until", "span_too_long", longest)
    return last + timedelta(days=1)


def holds_within(
    session: Session, person_id: int, roles: Collection[str], first: date, end: date
) -> bool:
    """Whether a person holds one of the roles themselves on some day in `[first, end)`."""
    held = select(RoleGrant.id).where(
        RoleGrant.person_id == person_id,
        RoleGrant.role.in_(roles),
        RoleGrant.valid_from < end,
        or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > first),
    )
    return session.scalar(held.limit(1)) is not None


def concerns(session: Session, actor: Actor, lender_id: int, borrower_id: int, on: date) -> bool:
    """Whether a loan is the actor's to end: their own, or that of somebody below them."""
    if actor.person_id in {lender_id, borrower_id}:
        return True
    try:
        person_under(session, actor, lender_id, on)
    except NotPermitted:
        return False
    return True


def _require_unnamed(session: Session, absence: Absence, roles: set[str], end: date) -> None:
    same_role = Substitution.id.in_(
        select(SubstitutedRole.substitution_id).where(SubstitutedRole.role.in_(roles))
    )
    other = [] if not absence.shared else [Substitution.substitute_id == absence.substitute_id]
    named = _first(
        session,
        Substitution.absent_id == absence.absent_id,
        absence.first,
        end,
        same_role,
        *other,
    )
    if named is not None:
        raise SubstituteNamed(
            named.substitute.name, named.valid_from, named.valid_until - timedelta(days=1)
        )


def _first(
    session: Session, whose: ColumnElement[bool], first: date, end: date, *more: ColumnElement[bool]
) -> Substitution | None:
    found: Substitution | None = session.scalar(
        select(Substitution)
        .where(whose, lent_within(Substitution, first, end), *more)
        .options(joinedload(Substitution.substitute))
        .order_by(Substitution.valid_from)
        .limit(1)
    )
    return found
