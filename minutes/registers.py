"""Document numbers: by issuing unit, kind and year, from 1 on, without gaps and without doubles.

A number is taken inside the transaction that issues the document: if that fails, the number was
never given. Two who issue at the same moment wait for each other at the counter's row.
"""

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import ColumnElement, ForeignKey, and_, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from minutes.kinds import DocumentKind
from rooms.kernel import Base, Conflict, FieldInvalid

HIGHEST = 999_999


class RegisterCounter(Base):
    """The last number given in a register. Its row is the lock of the register."""

    __tablename__ = "register_counter"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last_number: Mapped[int]


class RegisterEntry(Base):
    """A number that has been given. The primary key forbids doubles, whoever writes."""

    __tablename__ = "register_entry"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


@dataclass
class NumberTaken(Conflict):
    """The number stands in the register already."""

    code: ClassVar[str] = "number_taken"
    number: int
    year: int


def next_number(session: Session, unit_id: int, kind: DocumentKind, year: int) -> int:
    """The next number of a register, given for good when the transaction commits.

    `year`: of the day of issue, in civil time.
    """
    number = _advance(session, unit_id, kind, year)
    session.add(RegisterEntry(unit_id=unit_id, kind=kind.value, year=year, number=number))
    session.flush()
    return number


def claim_number(
    session: Session, unit_id: int, kind: DocumentKind, year: int, number: int
) -> None:
    """Enter a number that a document already bears on paper; `next_number` goes on after it.

    Raises `NumberTaken`, `FieldInvalid`.
    """
    if not 1 <= number <= HIGHEST:
        raise FieldInvalid("number", "out_of_range", f"1–{HIGHEST}")
    # One past the highest: the lock of the register, held to the end of the transaction.
    following = _advance(session, unit_id, kind, year)
    session.execute(
        update(RegisterCounter)
        .where(_register(unit_id, kind, year))
        .values(last_number=max(following - 1, number))
        .execution_options(synchronize_session=False)
    )
    try:
        with session.begin_nested():
            session.add(RegisterEntry(unit_id=unit_id, kind=kind.value, year=year, number=number))
    except IntegrityError:
        raise NumberTaken(number, year) from None


def gaps(session: Session, unit_id: int, kind: DocumentKind, year: int) -> list[int]:
    """Numbers below the last that nobody was given: only claimed numbers can leave any."""
    given = set(
        session.scalars(
            select(RegisterEntry.number).where(
                RegisterEntry.unit_id == unit_id,
                RegisterEntry.kind == kind.value,
                RegisterEntry.year == year,
            )
        )
    )
    return [number for number in range(1, max(given, default=0)) if number not in given]


def _register(unit_id: int, kind: DocumentKind, year: int) -> ColumnElement[bool]:
    return and_(
        RegisterCounter.unit_id == unit_id,
        RegisterCounter.kind == kind.value,
        RegisterCounter.year == year,
    )


def _advance(session: Session, unit_id: int, kind: DocumentKind, year: int) -> int:
    advance = (
        update(RegisterCounter)
        .where(_register(unit_id, kind, year))
        .values(last_number=RegisterCounter.last_number + 1)
        .returning(RegisterCounter.last_number)
        .execution_options(synchronize_session=False)
    )
    number = session.scalar(advance)
    if number is None:
        _open(session, unit_id, kind, year)
        number = session.scalars(advance).one()
    return number


def _open(session: Session, unit_id: int, kind: DocumentKind, year: int) -> None:
    """The first document of its kind in a year opens the register."""
    try:
        with session.begin_nested():
            session.execute(
                insert(RegisterCounter).values(
                    unit_id=unit_id, kind=kind.value, year=year, last_number=0
                )
            )
    except IntegrityError:
        # Somebody else opened it first and has committed; their row is the lock.
        return
