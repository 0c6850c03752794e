"""Devices at doors: a tablet that checks its own point in, and may do nothing else.

Whoever looks after a point makes a device and gets a pairing code, once and for a quarter of an hour.
The tablet that shows the code gets a secret of 256 bits that it keeps as a cookie; here lie only the
SHA-256 of both. A device stands for no person: it holds no role, so that every question of
`policies` is answered with no. What it may do is asked here.
"""

import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from rooms.bridge_points import BridgePoint, point_to_change
from rooms.hierarchy import Tree, Unit
from rooms.kernel import Base, Conflict, FieldInvalid, NotFound, require_text
from rooms.meetings import Meeting, MeetingState, Participation, UnknownMeeting, standing_invitation
from rooms.people import Person
from rooms.policies import Actor
from rooms.rollup import Scope

CODE_LASTS = timedelta(minutes=15)
CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Those of Crockford's base 32: nothing that looks like something else."""
CODE_LENGTH = 10
"""50 bits: a thousand tries a second find it in its quarter of an hour with a chance of one in a thousand million."""
MOST_DEVICES = 20
LONGEST_DAYS = 366
"""A tablet is looked at once a year."""
LONGEST_AGENT = 300


class KioskDevice(Base):
    """A tablet at a door. It stays when it is revoked: the log of attendance names it."""

    __tablename__ = "kiosk_device"

    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[int] = mapped_column(ForeignKey("bridge_point.id"), index=True)
    name: Mapped[str]
    made_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    made_at: Mapped[datetime]
    code_hash: Mapped[str | None] = mapped_column(unique=True)
    """Of the pairing code, while one waits to be shown."""
    code_expires_at: Mapped[datetime | None]
    secret_hash: Mapped[str | None] = mapped_column(unique=True)
    """Of what the tablet shows with each request."""
    paired_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    user_agent: Mapped[str] = mapped_column(default="")
    last_seen_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))

    def state(self, now: datetime) -> str:
        """`paired`, `waiting` (for its tablet), `unpaired` (the code ran out), `expired`, `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at <= now:
            return "expired"
        if self.secret_hash is not None:
            return "paired"
        waits = self.code_expires_at is not None and self.code_expires_at > now
        return "waiting" if waits else "unpaired"


@dataclass(frozen=True, slots=True)
class AtTheDoor:
    """What a device stands for."""

    device_id: int
    name: str
    point_id: int
    point_name: str
    unit_id: int
    unit_name: str
    last_seen_at: datetime | None
    expires_at: datetime

    @property
    def actor(self) -> Actor:
        """Somebody without any right, by whom nothing can be done that a person has to do."""
        # Ids of people are positive, so that no grant, substitution or mandate is ever found.
        return Actor(-self.device_id, self.name, self.unit_id)


@dataclass
class PairingRefused(Conflict):
    """The code was never given out, has been used, or is older than a quarter of an hour."""

    code: ClassVar[str] = "pairing_refused"


@dataclass
class TooManyDevices(Conflict):
    """The point has `most` devices already that have not been revoked."""

    code: ClassVar[str] = "too_many_devices"
    most: int


@dataclass
class DeviceRevoked(Conflict):
    """A revoked device is not paired again: a new one is made."""

    code: ClassVar[str] = "device_revoked"


@dataclass
class UnknownDevice(NotFound):
    code: ClassVar[str] = "unknown_device"
    device: int


def add_device(
    session: Session, actor: Actor, point_id: int, name: str, days: int, now: datetime, on: date
) -> tuple[KioskDevice, str]:
    """Make a device for a point; gives it with its pairing code, which is told nowhere again.

    `days`: how long it may be used, 1 to 366. Raises `UnknownPoint`, `NotPermitted`, `FieldInvalid`,
    `TooManyDevices`.
    """
    point = point_to_change(session, actor, point_id, on)
    if not 1 <= days <= LONGEST_DAYS:
        raise FieldInvalid("days", "out_of_range", f"1–{LONGEST_DAYS}")
    standing = [one for one in devices_of(session, point.id) if one.revoked_at is None]
    if len(standing) >= MOST_DEVICES:
        raise TooManyDevices(MOST_DEVICES)
    device = KioskDevice(
        point_id=point.id,
        name=require_text("name", name, 80),
        made_by=actor.person_id,
        made_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(device)
    return device, _new_code(device, now)


def renew_code(
    session: Session, actor: Actor, device_id: int, now: datetime, on: date
) -> tuple[KioskDevice, str]:
    """Another pairing code, for a tablet that came too late or lost its cookie.

    What the device shows now holds until another tablet shows the code. Raises `UnknownDevice`,
    `NotPermitted`, `DeviceRevoked`.
    """
    device = device_to_change(session, actor, device_id, on)
    if device.revoked_at is not None or device.expires_at <= now:
        raise DeviceRevoked
    return device, _new_code(device, now)


def revoke_device(
    session: Session, actor: Actor, device_id: int, now: datetime, on: date
) -> KioskDevice:
    """The device opens nothing any more; doing it twice changes nothing.

    Raises `UnknownDevice`, `NotPermitted`.
    """
    device = device_to_change(session, actor, device_id, on)
    if device.revoked_at is None:
        device.revoked_at, device.revoked_by = now, actor.person_id
        device.code_hash = device.code_expires_at = device.secret_hash = None
    return device


def pair(session: Session, code: str, user_agent: str, now: datetime) -> tuple[KioskDevice, str]:
    """What a tablet does with its code: gives the device and the secret for its cookie.

    The code is used up, and a tablet that was the device before is so no more. Raises
    `PairingRefused`.
    """
    device = session.scalar(
        select(KioskDevice)
        .where(
            KioskDevice.code_hash == digest(plain_code(code)),
            KioskDevice.code_expires_at > now,
            KioskDevice.expires_at > now,
            KioskDevice.revoked_at.is_(None),
        )
        .with_for_update()
    )
    if device is None:
        raise PairingRefused
    secret = secrets.token_urlsafe(32)
    device.code_hash = device.code_expires_at = None
    device.secret_hash = digest(secret)
    device.paired_at = device.last_seen_at = now
    device.user_agent = user_agent[:LONGEST_AGENT]
    return device, secret


def plain_code(typed: str) -> str:
    """A code as it was made, from what somebody typed: letters that look alike are taken as one."""
    letters = typed.upper().translate(str.maketrans("OIL", "011", " -–\u00a0"))
    return letters[: 2 * CODE_LENGTH]


def shown_code(code: str) -> str:
    """A code in two halves, as one reads it out."""
    return f"{code[: CODE_LENGTH // 2]}-{code[CODE_LENGTH // 2 :]}"


def devices_of(session: Session, point_id: int) -> list[KioskDevice]:
    """The devices of a point, those in use first, the newest first."""
    return list(
        session.scalars(
            select(KioskDevice)
            .where(KioskDevice.point_id == point_id)
            .order_by(KioskDevice.revoked_at.is_not(None), KioskDevice.id.desc())
        )
    )


def at_the_door(session: Session, secret: str, now: datetime) -> AtTheDoor | None:
    """The device that shows a secret; None where it is unknown, revoked or expired."""
    row = session.execute(
        select(
            KioskDevice.id,
            KioskDevice.name,
            BridgePoint.id,
            BridgePoint.name,
            Unit.id,
            Unit.name,
            KioskDevice.last_seen_at,
            KioskDevice.expires_at,
        )
        .join(BridgePoint, BridgePoint.id == KioskDevice.point_id)
        .join(Unit, Unit.id == BridgePoint.unit_id)
        .where(
            KioskDevice.secret_hash == digest(secret),
            KioskDevice.expires_at > now,
            KioskDevice.revoked_at.is_(None),
        )
    ).first()
    return None if row is None else AtTheDoor(*row)


def require_device_check_in(session: Session, device: AtTheDoor, meeting_id: int) -> None:
    """A device checks in its own point, where that is invited. Raises `UnknownMeeting`."""
    if not is_invited(session, device, meeting_id):
        raise UnknownMeeting(meeting_id)


def device_scope(session: Session, device: AtTheDoor, meeting_id: int, tree: Tree) -> Scope:
    """What of a meeting a device may watch: its own point. Raises `UnknownMeeting`."""
    require_device_check_in(session, device, meeting_id)
    unit_id = session.scalar(
        select(Participation.unit_id).where(
            Participation.meeting_id == meeting_id, Participation.point_id == device.point_id
        )
    )
    return Scope((tree.by_id[unit_id or device.unit_id],), device.point_id)


def is_invited(session: Session, device: AtTheDoor, meeting_id: int) -> bool:
    """Whether the point of a device takes part in a meeting that is more than a draft."""
    return (
        session.scalar(
            select(Participation.id)
            .join(Meeting, Meeting.id == Participation.meeting_id)
            .where(
                Participation.meeting_id == meeting_id,
                Participation.point_id == device.point_id,
                standing_invitation(),
                Meeting.state != MeetingState.DRAFT.value,
            )
        )
        is not None
    )


def device_to_change(session: Session, actor: Actor, device_id: int, on: date) -> KioskDevice:
    """Raises `UnknownDevice`, `NotPermitted`."""
    device = session.get(KioskDevice, device_id)
    if device is None:
        raise UnknownDevice(device_id)
    point_to_change(session, actor, device.point_id, on)
    return device


def names_of_people(session: Session, devices: list[KioskDevice]) -> dict[int, str]:
    """The people who made or revoked these devices."""
    ids = {one.made_by for one in devices} | {one.revoked_by for one in devices if one.revoked_by}
    rows = session.execute(select(Person.id, Person.name).where(Person.id.in_(ids)))
    return {row[0]: row[1] for row in rows}


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _new_code(device: KioskDevice, now: datetime) -> str:
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    device.code_hash, device.code_expires_at = digest(code), now + CODE_LASTS
    return code
