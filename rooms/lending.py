"""Rights on loan: what a person does in another's place, between two days.

A *substitute* (người thay thế) holds roles of somebody who is away, and acts in their own name. A
secretary who is *entrusted* (được ủy quyền) acts on behalf of an official with the official's rights,
as far as the entrusted kinds of acts go, and every record names both. Neither is handed on: what
is lent is what the lender holds themselves.

The tables stand apart from the verbs (`substitutions`, `entrustment`), because `policies` looks into
them whenever it is asked who may do what.
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, and_
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rooms.kernel import Base
from rooms.people import Person


class Act(StrEnum):
    """A kind of acts that an official may entrust; reading what they read comes with each."""

    MEETINGS = "meetings"
    """Make and change meetings."""
    REPLIES = "replies"
    """Answer invitations."""
    MINUTES = "minutes"
    """Write minutes, look through submitted ones and send them back."""
    DIRECTIVES = "directives"
    """Draft and circulate directive documents, take note of received ones."""


class Substitution(Base):
    """`substitute` holds roles of `absent` in `[valid_from, valid_until)`, unless taken back."""

    __tablename__ = "substitution"

    id: Mapped[int] = mapped_column(primary_key=True)
    absent_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    substitute_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    valid_from: Mapped[date]
    valid_until: Mapped[date]
    """The first day on which the substitute holds nothing any more."""
    note: Mapped[str] = mapped_column(default="")
    """Why: leave, a business trip."""
    made_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """When it was taken back before its end."""
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))

    absent: Mapped[Person] = relationship(lazy="raise", foreign_keys=[absent_id])
    substitute: Mapped[Person] = relationship(lazy="raise", foreign_keys=[substitute_id])
    maker: Mapped[Person] = relationship(lazy="raise", foreign_keys=[made_by])
    roles: Mapped[list["SubstitutedRole"]] = relationship(lazy="raise")


class SubstitutedRole(Base):
    """A role that goes over, wherever the absent person holds it themselves on the day."""

    __tablename__ = "substituted_role"

    substitution_id: Mapped[int] = mapped_column(ForeignKey("substitution.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)


class Entrustment(Base):
    """`secretary` may act on behalf of `official` in `[valid_from, valid_until)`."""

    __tablename__ = "entrustment"

    id: Mapped[int] = mapped_column(primary_key=True)
    official_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    secretary_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    valid_from: Mapped[date]
    valid_until: Mapped[date]
    """The first day on which nothing is entrusted any more."""
    note: Mapped[str] = mapped_column(default="")
    made_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))

    official: Mapped[Person] = relationship(lazy="raise", foreign_keys=[official_id])
    secretary: Mapped[Person] = relationship(lazy="raise", foreign_keys=[secretary_id])
    maker: Mapped[Person] = relationship(lazy="raise", foreign_keys=[made_by])
    acts: Mapped[list["EntrustedAct"]] = relationship(lazy="raise")


class EntrustedAct(Base):
    """A kind of acts that the entrustment covers."""

    __tablename__ = "entrusted_act"

    entrustment_id: Mapped[int] = mapped_column(ForeignKey("entrustment.id"), primary_key=True)
    act: Mapped[str] = mapped_column(primary_key=True)


Loan = type[Substitution] | type[Entrustment]


def lent_on(loan: Loan, on: date) -> ColumnElement[bool]:
    """The substitutions or entrustments that are in effect on a day."""
    return and_(loan.valid_from <= on, loan.valid_until > on, loan.ended_at.is_(None))


def lent_within(loan: Loan, first: date, end: date) -> ColumnElement[bool]:
    """Those that have, or will have, effect on some day in `[first, end)`."""
    return and_(loan.valid_from < end, loan.valid_until > first, loan.ended_at.is_(None))
