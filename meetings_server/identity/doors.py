"""The login of a tablet at a door: its cookie, and what a request with it stands for.

The cookie is bound to the path `/kiosk`, so a browser shows it nowhere else, and is looked at nowhere
else. There only handlers with the option `device=True` take it, and they take nothing else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from rooms.devices import AtTheDoor, at_the_door, digest
from rooms.policies import Actor

COOKIE = "meetings_kiosk"
PATH = "/kiosk"
SEEN_GRAIN = timedelta(minutes=5)
"""How old `last_seen_at` may grow: tablets ask all day."""


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """The device a request stands for; no person, and no roles."""

    door: AtTheDoor
    login: str
    """The hash of the secret that was shown."""
    seen_lately: bool
    locale: str = ""
    held_back: bool = False
    scopes: frozenset[str] = frozenset({"attendance:read", "attendance:write"})
    """Of a live line; calls of programs are not opened by it at all."""

    @property
    def actor(self) -> Actor:
        return self.door.actor


def by_device(session: Session, secret: str, now: datetime) -> DeviceLogin | None:
    """Which device a cookie stands for; None where it is unknown, revoked or expired."""
    door = at_the_door(session, secret, now)
    if door is None:
        return None
    seen = door.last_seen_at
    return DeviceLogin(door, digest(secret), seen is not None and now - seen < SEEN_GRAIN)


def is_of_devices(path: str) -> bool:
    """Whether an address is for tablets at doors."""
    return path == PATH or path.startswith(f"{PATH}/")
