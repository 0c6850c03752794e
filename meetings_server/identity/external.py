"""Whom the people of an OpenID Connect provider are here.

The provider names somebody by issuer and subject, which never change hands; once that pair is linked
to a person it alone decides. The first time, the person is found by the claim that the setting names:

- a user name (`preferred_username`, or whatever the office keeps it in): the active person of this
  user name, capital letters aside;
- `email`: the only active person with this mail address, and only where the provider says that it has
  verified it (`email_verified`).

A person who is linked to another subject of the same issuer already is not linked again: a user name
that was given to somebody else at the provider must not open the account of the one before. An
administrator takes the old link away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKey, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.kernel import Base, Denied
from rooms.people import Person

EMAIL = "email"
LONGEST_SUBJECT = 255


class ExternalIdentity(Base):
    """`subject` at `issuer` is this person."""

    __tablename__ = "external_identity"

    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    called: Mapped[str]
    """What the claim said when the link was made, for people to read."""
    linked_at: Mapped[datetime]
    last_login_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("issuer", "subject"),)


@dataclass
class NobodyOfThisName(Denied):
    """The provider knows them, this server does not. `called` is what the claim says."""

    code: ClassVar[str] = "nobody_of_this_name"
    called: str


@dataclass
class MailNotVerified(Denied):
    """The provider does not vouch for the mail address."""

    code: ClassVar[str] = "mail_not_verified"
    called: str


@dataclass
class LinkedToAnother(Denied):
    """The account of this name belongs to another subject of the provider."""

    code: ClassVar[str] = "linked_to_another"
    called: str


@dataclass
class AccountClosed(Denied):
    """The person is known and has left."""

    code: ClassVar[str] = "account_closed"


@dataclass
class ClaimMissing(Denied):
    """The provider does not send the claim that names people here."""

    code: ClassVar[str] = "claim_missing"
    claim: str


def person_of(
    session: Session, issuer: str, claims: Mapping[str, Any], claim: str, now: datetime
) -> Person:
    """The person whom verified claims stand for; links them the first time.

    Raises `AccountClosed`, `ClaimMissing`, `NobodyOfThisName`, `MailNotVerified`, `LinkedToAnother`.
    """
    subject = str(claims["sub"])[:LONGEST_SUBJECT]
    known = session.execute(
        select(ExternalIdentity, Person)
        .join(Person, Person.id == ExternalIdentity.person_id)
        .where(ExternalIdentity.issuer == issuer, ExternalIdentity.subject == subject)
    ).first()
    if known is not None:
        link, person = known
        if not person.active:
            raise AccountClosed
        link.last_login_at = now
        return person
    person, called = _named(session, claims, claim)
    other = session.scalar(
        select(ExternalIdentity.id).where(
            ExternalIdentity.issuer == issuer, ExternalIdentity.person_id == person.id
        )
    )
    if other is not None:
        raise LinkedToAnother(called)
    session.add(
        ExternalIdentity(
            issuer=issuer,
            subject=subject,
            person_id=person.id,
            called=called,
            linked_at=now,
            last_login_at=now,
        )
    )
    session.flush()
    return person


def _named(session: Session, claims: Mapping[str, Any], claim: str) -> tuple[Person, str]:
    value = claims.get(claim)
    if not isinstance(value, str) or not value.strip():
        raise ClaimMissing(claim)
    called = value.strip()[:200]
    if claim == EMAIL:
        # Some providers send the word instead of the truth value.
        if claims.get("email_verified") not in (True, "true"):
            raise MailNotVerified(called)
        matching = func.lower(Person.email) == called.lower()
    else:
        matching = Person.username == called.casefold()
    people = session.scalars(select(Person).where(matching, Person.active).limit(2)).all()
    if len(people) != 1:
        raise NobodyOfThisName(called)
    return people[0], called


def identities_of(session: Session, person_id: int) -> list[ExternalIdentity]:
    return list(
        session.scalars(
            select(ExternalIdentity)
            .where(ExternalIdentity.person_id == person_id)
            .order_by(ExternalIdentity.id)
        )
    )


def unlink(session: Session, person_id: int, identity_id: int) -> None:
    """Take a link away: the next login finds the person by the claim again, or nobody."""
    link = session.get(ExternalIdentity, identity_id)
    if link is not None and link.person_id == person_id:
        session.delete(link)
        session.flush()
