"""First passwords for accounts that came in with a list: made once, told once, replaced at first login."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.identity.passwords import invent_password, set_password
from rooms.sheets import write_csv

MOST_PASSWORDS = 200
"""Each takes a twentieth of a second of computing."""


@dataclass(frozen=True, slots=True)
class FirstPassword:
    username: str
    name: str
    password: str


@dataclass(frozen=True, slots=True)
class HandedOut:
    """The passwords of one list; they are in this answer and nowhere else."""

    told: list[FirstPassword]

    @property
    def link(self) -> str:
        """The list as a file inside of the page: a second request could not show it any more."""
        rows = [(each.username, each.name, each.password) for each in self.told]
        content = write_csv([_("User name"), _("Name"), _("First password")], rows)
        return f"data:text/csv;base64,{b64encode(content).decode()}"

    @property
    def filename(self) -> str:
        return f"{_('first-passwords')}.csv"


def hand_out(db: Database, people: Iterable[tuple[int, str, str]], now: datetime) -> HandedOut:
    """Passwords for new people, given as id, user name and name; nothing shows them again.

    Each in a transaction of its own: hashing them all in one would keep every other writer waiting.
    Who is left without one by a crash gets it from an administrator.
    """
    told = []
    for person_id, username, name in people:
        password = invent_password()
        with db.transaction() as session:
            set_password(session, person_id, password, now, must_change=True)
        told.append(FirstPassword(username, name, password))
    return HandedOut(told)
