"""Browsers in which somebody has allowed notices: where to push to, and with which keys.

The address of a subscription comes from a browser, and the server calls it: it must be https, without
a port, a user or an address in place of a name, and its host must be one of the push services that the
settings name. Otherwise anybody with a login could make the server call whatever it can reach.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import ForeignKey, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.push.texts import unpadded
from rooms.kernel import Base, Conflict, FieldInvalid, NotFound

LONGEST_ENDPOINT = 1_000
LONGEST_AGENT = 300
MOST_DEVICES = 20
AUTH_BYTES = 16
KEY_BYTES = 65
"""An uncompressed point of P-256."""


class PushDevice(Base):
    """A browser of a person that takes pushes."""

    __tablename__ = "push_device"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    endpoint: Mapped[str] = mapped_column(unique=True)
    """Where the push service takes messages for this browser; whoever knows it can send to it."""
    public_key: Mapped[str]
    """`p256dh`: the browser's key, base64url."""
    auth_secret: Mapped[str]
    user_agent: Mapped[str]
    created_at: Mapped[datetime]
    reached_at: Mapped[datetime | None]
    """When the push service last took a message."""


@dataclass
class UnknownDevice(NotFound):
    code: ClassVar[str] = "unknown_browser"
    device: int


@dataclass
class PushOff(Conflict):
    """The server does not push, see `MEETINGS_PUSH`."""

    code: ClassVar[str] = "push_off"


@dataclass
class TooManyDevices(Conflict):
    code: ClassVar[str] = "too_many_browsers"
    most: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser says of itself (PushSubscription of the Push API)."""

    endpoint: str
    p256dh: str
    auth: str


def is_allowed(endpoint: str, hosts: Collection[str]) -> bool:
    """Whether the server may call this address. `hosts`: names, `*.name` for all below a name.

    An entry with a port (`localhost:8443`) allows that port of that very host.
    """
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").rstrip(".")
    # A backslash, a blank or a control character is read differently by different programs.
    plain = all("!" <= letter <= "~" and letter != "\\" for letter in endpoint)
    if parts.scheme != "https" or not host or not plain or "@" in parts.netloc:
        return False
    if port is not None and port != 443:  # noqa: PLR2004 -- https
        return f"{host}:{port}" in hosts
    return any(
        host == each or (each.startswith("*.") and host.endswith(each[1:])) for each in hosts
    )


def add_device(
    session: Session,
    person_id: int,
    told: Subscription,
    user_agent: str,
    hosts: Collection[str],
    now: datetime,
) -> PushDevice:
    """Let a browser be pushed to; the same one again renews its keys.

    A browser that another person had allowed is this person's now. Raises `FieldInvalid`,
    `TooManyDevices`.
    """
    if len(told.endpoint) > LONGEST_ENDPOINT or not is_allowed(told.endpoint, hosts):
        raise FieldInvalid("endpoint", "no_push_service")
    _require_key(told.p256dh)
    if len(_read("auth", told.auth)) != AUTH_BYTES:
        raise FieldInvalid("auth", "malformed")
    device = session.scalars(
        select(PushDevice).where(PushDevice.endpoint == told.endpoint).with_for_update()
    ).one_or_none()
    if device is None or device.person_id != person_id:
        held = session.scalar(
            select(func.count()).select_from(PushDevice).where(PushDevice.person_id == person_id)
        )
        if (held or 0) >= MOST_DEVICES:
            raise TooManyDevices(MOST_DEVICES)
    if device is None:
        device = PushDevice(endpoint=told.endpoint, created_at=now)
        session.add(device)
    device.person_id = person_id
    device.public_key, device.auth_secret = told.p256dh, told.auth
    device.user_agent = user_agent[:LONGEST_AGENT]
    session.flush()
    return device


def _require_key(text: str) -> None:
    point = _read("p256dh", text)
    if len(point) != KEY_BYTES:
        raise FieldInvalid("p256dh", "malformed")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise FieldInvalid("p256dh", "malformed") from None


def _read(field: str, text: str) -> bytes:
    try:
        return unpadded(text)
    except ValueError:
        raise FieldInvalid(field, "malformed") from None


def devices_of(session: Session, person_id: int) -> Sequence[PushDevice]:
    return session.scalars(
        select(PushDevice).where(PushDevice.person_id == person_id).order_by(PushDevice.id)
    ).all()


def device_of(session: Session, person_id: int, device_id: int) -> PushDevice:
    """Raises `UnknownDevice`, also where it is another's."""
    device = session.get(PushDevice, device_id)
    if device is None or device.person_id != person_id:
        raise UnknownDevice(device_id)
    return device


def remove_device(session: Session, person_id: int, device_id: int) -> None:
    """Push to it no more. Raises `UnknownDevice`."""
    session.delete(device_of(session, person_id, device_id))


def forget(session: Session, device_id: int) -> None:
    """The push service knows this browser no more."""
    session.execute(delete(PushDevice).where(PushDevice.id == device_id))
