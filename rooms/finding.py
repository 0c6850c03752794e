"""Search over people and meetings. Whatever the searcher may not see is not in the statement.

Names and offices of people are known to everyone who is logged in, as in a printed directory;
telephone and mail address only to those who hold `person:read` where the person belongs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from rooms.directory import nearest_first
from rooms.folding import has_words
from rooms.hierarchy import Unit, UnitAncestry, valid_on
from rooms.meetings import Meeting, Participation, visible
from rooms.people import Person, Role, RoleGrant
from rooms.policies import Actor, Permission, governed, holding
from rooms.substitutions import away_on


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """A person; `phone` and `email` are None where the searcher may not know them."""

    id: int
    username: str | None
    name: str
    title: str
    unit_id: int
    unit_name: str
    phone: str | None
    email: str | None
    active: bool


@dataclass(frozen=True, slots=True)
class FoundMeeting:
    id: int
    title: str
    state: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    host_name: str


def find_people(
    session: Session,
    actor: Actor,
    query: str,
    on: date,
    *,
    at_unit: int | None = None,
    limit: int = 20,
) -> list[FoundPerson]:
    """Active people whose name has every word of the query, or all people of one unit."""
    known = governed(actor, Permission.PERSON_READ, Person.unit_id, on)
    order = [] if at_unit is not None else [nearest_first(Person.folded.expression, query)]
    rows = session.execute(
        select(
            Person.id,
            case((known, Person.username)),
            Person.name,
            Person.title,
            Person.unit_id,
            Unit.name,
            case((known, Person.phone)),
            case((known, Person.email)),
            Person.active,
        )
        .join(Unit, Unit.id == Person.unit_id)
        .where(
            Person.active,
            *has_words(Person.folded.expression, query),
            *([Person.unit_id == at_unit] if at_unit is not None else []),
        )
        .order_by(*order, Person.name, Person.id)
        .limit(limit)
    )
    return [FoundPerson(*row) for row in rows]


def find_meetings(
    session: Session, actor: Actor, query: str, now: datetime, on: date, *, limit: int = 20
) -> list[FoundMeeting]:
    """Meetings the actor may see by title: those to come first, then the latest of the past."""
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.title,
            Meeting.state,
            Meeting.starts_at,
            Meeting.ends_at,
            Meeting.timezone,
            Unit.name,
        )
        .join(Unit, Unit.id == Meeting.host_unit_id)
        .where(*has_words(Meeting.folded.expression, query), visible(actor, on))
        .order_by(
            case((Meeting.ends_at > now, 0), else_=1),
            case((Meeting.ends_at > now, Meeting.starts_at)),
            Meeting.starts_at.desc(),
        )
        .limit(limit)
    )
    return [FoundMeeting(*row) for row in rows]


def coming_meetings(
    session: Session, actor: Actor, unit_id: int, now: datetime, on: date, *, limit: int = 10
) -> list[FoundMeeting]:
    """The next meetings that a unit holds or is invited to, as far as the actor may see them."""
    invitations = select(Participation.meeting_id).where(
        Participation.unit_id == unit_id, Participation.withdrawn_at.is_(None)
    )
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.title,
            Meeting.state,
            Meeting.starts_at,
            Meeting.ends_at,
            Meeting.timezone,
            Unit.name,
        )
        .join(Unit, Unit.id == Meeting.host_unit_id)
        .where(
            Meeting.ends_at > now,
            or_(Meeting.host_unit_id == unit_id, Meeting.id.in_(invitations)),
            visible(actor, on),
        )
        .order_by(Meeting.starts_at, Meeting.id)
        .limit(limit)
    )
    return [FoundMeeting(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class PeopleWanted:
    """What a list of people is narrowed to; None and empty stand for all."""

    query: str = ""
    under: int | None = None
    """A unit's id: this unit and everything below it."""
    role: Role | None = None
    active: bool | None = True
    away: bool = False
    """Only those for whom somebody stands in on the day."""


def people_looked_after(
    session: Session, actor: Actor, wanted: PeopleWanted, on: date, *, limit: int, offset: int = 0
) -> tuple[list[tuple[Person, str]], int]:
    """People whom the actor looks after, each with their unit's name, and how many there are."""
    conditions = [
        governed(actor, Permission.PERSON_WRITE, Person.unit_id, on),
        *has_words(Person.folded.expression, wanted.query),
    ]
    if wanted.under is not None:
        conditions.append(
            Person.unit_id.in_(
                select(UnitAncestry.unit_id).where(
                    UnitAncestry.ancestor_id == wanted.under, valid_on(UnitAncestry, on)
                )
            )
        )
    if wanted.role is not None:
        conditions.append(
            Person.id.in_(
                select(RoleGrant.person_id).where(RoleGrant.role == wanted.role.value, holding(on))
            )
        )
    if wanted.away:
        conditions.append(away_on(on))
    if wanted.active is not None:
        conditions.append(Person.active.is_(wanted.active))
    total = session.scalar(select(func.count()).select_from(Person).where(*conditions)) or 0
    rows = session.execute(
        select(Person, Unit.name)
        .join(Unit, Unit.id == Person.unit_id)
        .where(*conditions)
        .order_by(Unit.position, Person.name, Person.id)
        .limit(limit)
        .offset(offset)
    )
    return [(person, unit_name) for person, unit_name in rows], total


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that a person holds, held, or will hold at a unit."""

    id: int
    person_id: int
    role: str
    unit_id: int
    unit_name: str
    valid_from: date
    valid_until: date | None


def roles_held(
    session: Session, person_ids: Sequence[int], on: date | None = None
) -> dict[int, list[HeldRole]]:
    """The roles of these people, on a day or over all time, the latest first."""
    held: dict[int, list[HeldRole]] = {person_id: [] for person_id in person_ids}
    if not person_ids:
        return held
    rows = session.execute(
        select(
            RoleGrant.id,
            RoleGrant.person_id,
            RoleGrant.role,
            RoleGrant.unit_id,
            Unit.name,
            RoleGrant.valid_from,
            RoleGrant.valid_until,
        )
        .join(Unit, Unit.id == RoleGrant.unit_id)
        .where(RoleGrant.person_id.in_(person_ids), *([holding(on)] if on else []))
        .order_by(RoleGrant.valid_from.desc(), RoleGrant.id.desc())
    )
    for row in rows:
        held[row.person_id].append(HeldRole(*row))
    return held
