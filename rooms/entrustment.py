"""A secretary who acts on behalf of an official: entrusted with kinds of acts, from a day to a day.

What the secretary then does is done with the official's rights, as far as the entrusted kinds go, and
every record names both. Signing, issuing and lending rights stay with the person themselves.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

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
    Act,
    EntrustedAct,
    Entrustment,
    lent_before,
    lent_from,
    lent_on,
    lent_within,
)
from rooms.people import Person, Role
from rooms.policies import Actor, require_in_person
from rooms.substitutions import LONGEST_NOTE, borrower, checked_span, concerns, holds_within, lender

LONGEST_ENTRUSTMENT = 5 * 366
"""Days: a term of office."""


@dataclass
class UnknownEntrustment(NotFound):
    code: ClassVar[str] = "unknown_entrustment"
    entrustment: int


@dataclass
class NotAnOfficial(Invalid):
    """Who entrusts holds the role of an official in this time."""

    code: ClassVar[str] = "not_an_official"
    person: str


@dataclass
class NotASecretary(Invalid):
    """Who is entrusted holds the role of a secretary in this time."""

    code: ClassVar[str] = "not_a_secretary"
    person: str


@dataclass
class AlreadyEntrusted(Conflict):
    """The secretary acts for this official in this time already."""

    code: ClassVar[str] = "already_entrusted"
    secretary: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Mandate:
    """Who may act for whom, when, in what. `last` is the last day, both days counted."""

    official_id: int
    secretary_id: int
    acts: Collection[Act]
    first: date
    last: date
    note: str = ""


def entrust(session: Session, actor: Actor, mandate: Mandate, now: datetime) -> Entrustment:
    """Let a secretary act on behalf of an official.

    For oneself, or as an administrator for officials whose every role lies below. Raises
    `InPersonOnly`, `UnknownPerson`, `NotPermitted`, `FieldInvalid`, `NotAnOfficial`,
    `NotASecretary`, `AlreadyEntrusted`.
    """
    today = civil_day(now)
    require_in_person(actor)
    official = lender(session, actor, mandate.official_id, today)
    secretary = borrower(session, actor, official, mandate.secretary_id, "secretary", today)
    end = checked_span(mandate.first, mandate.last, today, LONGEST_ENTRUSTMENT)
    if not mandate.acts:
        raise FieldInvalid("acts", "missing")
    # The official's row is the lock: two who entrust at once see each other.
    session.execute(
        select(Person.id).where(Person.id == official.id).with_for_update(key_share=True)
    )
    if not holds_within(session, official.id, [Role.OFFICIAL.value], mandate.first, end):
        raise NotAnOfficial(official.name)
    if not holds_within(session, secretary.id, [Role.SECRETARY.value], mandate.first, end):
        raise NotASecretary(secretary.name)
    standing = session.scalar(
        select(Entrustment)
        .where(
            Entrustment.official_id == official.id,
            Entrustment.secretary_id == secretary.id,
            lent_within(Entrustment, mandate.first, end),
        )
        .limit(1)
    )
    if standing is not None:
        raise AlreadyEntrusted(
            secretary.name, standing.valid_from, standing.valid_until - timedelta(days=1)
        )
    made = Entrustment(
        official_id=official.id,
        secretary_id=secretary.id,
        valid_from=mandate.first,
        valid_until=end,
        note=bounded_text("note", mandate.note, LONGEST_NOTE),
        made_by=actor.person_id,
        made_at=now,
        acts=[EntrustedAct(act=act.value) for act in sorted(set(mandate.acts))],
    )
    session.add(made)
    session.flush()
    return made


def withdraw(session: Session, actor: Actor, entrustment_id: int, now: datetime) -> Entrustment:
    """End an entrustment now. For both of them and for whoever may entrust; twice changes nothing.

    Raises `UnknownEntrustment`, also where the actor has nothing to do with it, and `InPersonOnly`.
    """
    require_in_person(actor)
    found = None
    if 0 < entrustment_id <= LARGEST_ID:
        found = session.get(Entrustment, entrustment_id, with_for_update=True)
    if found is None or not concerns(
        session, actor, found.official_id, found.secretary_id, civil_day(now)
    ):
        raise UnknownEntrustment(entrustment_id)
    found.end(actor.person_id, now)
    session.flush()
    return found


def entrustments_of(session: Session, person_id: int, on: date) -> Sequence[Entrustment]:
    """Of a person, as official or as secretary, what holds or will hold; two statements."""
    return session.scalars(
        select(Entrustment)
        .where(
            or_(Entrustment.official_id == person_id, Entrustment.secretary_id == person_id),
            lent_from(Entrustment, on),
        )
        .options(
            joinedload(Entrustment.official).joinedload(Person.unit),
            joinedload(Entrustment.secretary),
            selectinload(Entrustment.acts),
        )
        .order_by(Entrustment.valid_from, Entrustment.id)
    ).all()


def past_entrustments(
    session: Session, person_id: int, on: date, limit: int = 20
) -> Sequence[Entrustment]:
    """Those of a person that are over or were taken back, the latest first."""
    return session.scalars(
        select(Entrustment)
        .where(
            or_(Entrustment.official_id == person_id, Entrustment.secretary_id == person_id),
            lent_before(Entrustment, on),
        )
        .options(
            joinedload(Entrustment.official),
            joinedload(Entrustment.secretary),
            selectinload(Entrustment.acts),
        )
        .order_by(Entrustment.valid_until.desc(), Entrustment.id.desc())
        .limit(limit)
    ).all()


def entrusted_to(
    session: Session, secretary_id: int, official_id: int, on: date
) -> Entrustment | None:
    """By what a secretary acts for an official on a day, with the official and the acts."""
    found: Entrustment | None = session.scalar(
        select(Entrustment)
        .join(Entrustment.official)
        .where(
            Entrustment.secretary_id == secretary_id,
            Entrustment.official_id == official_id,
            lent_on(Entrustment, on),
            Person.active,
        )
        .options(
            joinedload(Entrustment.official).joinedload(Person.unit),
            selectinload(Entrustment.acts),
        )
    )
    return found
