"""The second factor: six digits from an app (TOTP, RFC 6238), asked for after the password.

A code opens once: the time step of the last one that fitted is kept, and only a later one fits
again. Clocks of telephones may be a step (30 s) off to either side.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import pyotp
import segno
from sqlalchemy import ForeignKey, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.identity.sealing import Seal, SealBroken
from rooms.kernel import Base, Conflict, Denied, FieldInvalid

STEP = 30
"""Seconds in which a code is shown."""
DRIFT = (-1, 0, 1)
"""Steps that a clock may be off."""
DIGITS = 6

ENROLMENT_KEPT = timedelta(minutes=30)
"""How long a secret waits for its first code; afterwards another one is shown."""


class SecondFactor(Base):
    """A person's authenticator. Secrets are sealed (`sealing`)."""

    __tablename__ = "second_factor"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    secret: Mapped[str | None]
    """None until a first code has confirmed it."""
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(default=0)
    """The time step (seconds since 1970 / 30) of the last code that fitted."""
    waiting: Mapped[str | None]
    """A secret that was shown and waits for its first code; it opens nothing."""
    waiting_since: Mapped[datetime | None]


@dataclass
class SecondFactorDue(Denied):
    """A role of the person asks for a second factor: it is set up before anything else."""

    code: ClassVar[str] = "second_factor_due"


@dataclass
class NothingToConfirm(Conflict):
    """No secret waits for its first code, or it has waited too long."""

    code: ClassVar[str] = "nothing_to_confirm"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the person's app needs to know: as text to type and as a picture to scan."""

    secret: str
    address: str
    """`otpauth://…`, what the picture says."""

    @property
    def grouped(self) -> str:
        """The secret in groups of four, as it is read aloud."""
        return " ".join(self.secret[at : at + 4] for at in range(0, len(self.secret), 4))

    @property
    def picture(self) -> str:
        """An SVG element, black on white in any theme, without inline styles."""
        return segno.make(self.address, error="m").svg_inline(
            scale=5, border=4, dark="#000", light="#fff", lineclass=None, svgclass="qr-code"
        )


def has_second_factor(session: Session, person_id: int) -> bool:
    return (
        session.scalar(
            select(SecondFactor.person_id).where(
                SecondFactor.person_id == person_id, SecondFactor.secret.is_not(None)
            )
        )
        is not None
    )


def confirmed_at(session: Session, person_id: int) -> datetime | None:
    """Since when codes are asked for; None where there is no second factor."""
    return session.scalar(
        select(SecondFactor.confirmed_at).where(
            SecondFactor.person_id == person_id, SecondFactor.secret.is_not(None)
        )
    )


def begin_enrolment(session: Session, seal: Seal, person_id: int, now: datetime) -> None:
    """Make a secret that waits for its first code; an earlier authenticator stays until then."""
    factor = session.get(SecondFactor, person_id)
    if factor is None:
        factor = SecondFactor(person_id=person_id)
        session.add(factor)
    factor.waiting = seal.close(pyotp.random_base32())
    factor.waiting_since = now
    session.flush()


def enrolment_under_way(
    session: Session, seal: Seal, person_id: int, username: str, issuer: str, now: datetime
) -> Enrolment | None:
    """The secret that waits, to be shown. `issuer`: how the app names this server."""
    factor = session.get(SecondFactor, person_id)
    if factor is None or factor.waiting is None or not _fresh(factor, now):
        return None
    try:
        secret = seal.open(factor.waiting)
    except SealBroken:
        return None
    address = pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)
    return Enrolment(secret, address)


def confirm_enrolment(
    session: Session, seal: Seal, person_id: int, typed: str, now: datetime
) -> None:
    """The first code fits: from here on it is asked for. Raises `NothingToConfirm`, `FieldInvalid`."""
    factor = session.get(SecondFactor, person_id)
    if factor is None or factor.waiting is None or not _fresh(factor, now):
        raise NothingToConfirm
    step = _step_of(seal.open(factor.waiting), typed, now)
    if step is None:
        raise FieldInvalid("code", "wrong_code")
    factor.secret, factor.confirmed_at, factor.last_step = factor.waiting, now, step
    factor.waiting = factor.waiting_since = None
    session.flush()


def code_fits(session: Session, seal: Seal, person_id: int, typed: str, now: datetime) -> bool:
    """Whether this is the code of now; it fits only once.

    A secret that cannot be opened any more (`sealing`) fits no code: a recovery code or an
    administrator helps.
    """
    sealed = session.scalar(select(SecondFactor.secret).where(SecondFactor.person_id == person_id))
    if sealed is None:
        return False
    try:
        step = _step_of(seal.open(sealed), typed, now)
    except SealBroken:
        return False
    if step is None:
        return False
    # Of two requests with the same code at the same moment one finds the step taken.
    taken = session.scalars(
        update(SecondFactor)
        .where(SecondFactor.person_id == person_id, SecondFactor.last_step < step)
        .values(last_step=step)
        .returning(SecondFactor.person_id)
    )
    return taken.first() is not None


def forget_authenticator(session: Session, person_id: int) -> None:
    factor = session.get(SecondFactor, person_id)
    if factor is not None:
        session.delete(factor)
        session.flush()


def forget_unfinished(session: Session, now: datetime) -> int:
    """Sweep secrets that waited in vain. Returns how many."""
    stale = SecondFactor.waiting_since <= now - ENROLMENT_KEPT
    gone = session.scalars(
        delete(SecondFactor)
        .where(stale, SecondFactor.secret.is_(None))
        .returning(SecondFactor.person_id)
    ).all()
    emptied = session.scalars(
        update(SecondFactor)
        .where(stale, SecondFactor.waiting.is_not(None))
        .values(waiting=None, waiting_since=None)
        .returning(SecondFactor.person_id)
    ).all()
    return len(gone) + len(emptied)


def _fresh(factor: SecondFactor, now: datetime) -> bool:
    return factor.waiting_since is not None and now - factor.waiting_since < ENROLMENT_KEPT


def _step_of(secret: str, typed: str, now: datetime) -> int | None:
    """The time step whose code was typed, blanks left out."""
    code = "".join(typed.split())
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    present = int(now.timestamp()) // STEP
    generator = pyotp.TOTP(secret, digits=DIGITS, interval=STEP)
    # All are compared, so that the time of the answer tells nothing.
    fitting = [
        present + off
        for off in DRIFT
        if hmac.compare_digest(generator.generate_otp(present + off), code)
    ]
    return fitting[0] if fitting else None
