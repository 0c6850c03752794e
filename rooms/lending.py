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

from sqlalchemy import ColumnElement, ForeignKey, and_, or_
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rooms.kernel import Base, civil_day
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


class Loan:
    """What substitutions and entrustments have in common: `[valid_from, valid_until)`, unless ended."""

    valid_from: Mapped[date]
    valid_until: Mapped[date]
    """The first day on which nothing is lent any more."""
    note: Mapped[str] = mapped_column(default="")
    """Why: leave, a business trip."""
    made_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """When it was taken back before its end."""
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))

    def end(self, person_id: int, now: datetime) -> None:
        """Take it back; what is over stays as it was."""
        if self.ended_at is None and self.valid_until > civil_day(now):
            self.ended_at, self.ended_by = now, person_id


class Substitution(Loan, Base):
    """`substitute` holds roles of `absent`."""

    __tablename__ = "substitution"

    id: Mapped[int] = mapped_column(primary_key=True)
    absent_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    substitute_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)

    absent: Mapped[Person] = relationship(lazy="raise", foreign_keys=[absent_id])
    substitute: Mapped[Person] = relationship(lazy="raise", foreign_keys=[substitute_id])
    maker: Mapped[Person] = relationship(lazy="raise", foreign_keys="Substitution.made_by")
    roles: Mapped[list["SubstitutedRole"]] = relationship(lazy="raise")


class SubstitutedRole(Base):
    """A role that goes over, wherever the absent person holds it themselves on the day."""

    __tablename__ = "substituted_role"

    substitution_id: Mapped[int] = mapped_column(ForeignKey("substitution.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)


class Entrustment(Loan, Base):
    """`secretary` may act on behalf of `official`."""

    __tablename__ = "entrustment"

    id: Mapped[int] = mapped_column(primary_key=True)
    official_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    secretary_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)

    official: Mapped[Person] = relationship(lazy="raise", foreign_keys=[official_id])
    secretary: Mapped[Person] = relationship(lazy="raise", foreign_keys=[secretary_id])
    maker: Mapped[Person] = relationship(lazy="raise", foreign_keys="Entrustment.made_by")
    acts: Mapped[list["EntrustedAct"]] = relationship(lazy="raise")


class EntrustedAct(Base):
    """A kind of acts that the entrustment covers."""

    __tablename__ = "entrusted_act"

    entrustment_id: Mapped[int] = mapped_column(ForeignKey("entrustment.id"), primary_key=True)
    act: Mapped[str] = mapped_column(primary_key=True)


def lent_on(loan: type[Loan], on: date) -> ColumnElement[bool]:
    """The substitutions or entrustments that are in effect on a day."""
    return and_(loan.valid_from <= on, lent_from(loan, on))


def lent_within(loan: type[Loan], first: date, end: date) -> ColumnElement[bool]:
    """Those that have, or will have, effect on some day in `[first, end)`."""
    return and_(loan.valid_from < end, lent_from(loan, first))


def lent_from(loan: type[Loan], on: date) -> ColumnElement[bool]:
    """Those that have, or will have, effect on the day or later."""
    return and_(loan.valid_until > on, loan.ended_at.is_(None))


def lent_before(loan: type[Loan], on: date) -> ColumnElement[bool]:
    """Those that are over on the day or were taken back."""
    return or_(loan.valid_until <= on, loan.ended_at.is_not(None))
