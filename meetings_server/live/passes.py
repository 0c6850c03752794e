"""Passes: what a line was let in with, signed, so that its client comes back without a question.

After a restart all lines come back at once, and asking the database who each is and what it may see
costs more than the rest of the handshake. So each line is given a pass when it was let in by the
database. A pass is worth nothing without the login it names: the cookie or the token has to be shown
beside it. Whether that login still stands is looked up within half a minute for all open lines
together (`logins`), and the right to watch again as soon as it is calm (`rechecks`). Check-ins ask the
database in any case.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import date
from hashlib import sha256

import msgspec

from rooms.hierarchy import Tree
from rooms.policies import Actor
from rooms.rollup import Scope

LASTS = 12 * 3600
"""Seconds: the longest day of meetings."""
SIGNATURE = 16
LONGEST = 2_000
"""Characters; a scope of more units than fit is looked up."""


class Pass(msgspec.Struct, frozen=True, array_like=True):
    """Who may watch what of a meeting, until when (seconds of the epoch)."""

    login: str
    meeting_id: int
    asked: str | None
    """The scope as the client names it."""
    roots: list[int]
    until: int
    may_check_in: bool
    language: str
    person_id: int
    name: str
    unit_id: int
    on_behalf_of: int | None
    no_substitution_on: date | None

    @property
    def actor(self) -> Actor:
        return Actor(
            self.person_id, self.name, self.unit_id, self.on_behalf_of, self.no_substitution_on
        )

    def scope(self, tree: Tree) -> Scope | None:
        """None where the tree has changed since."""
        roots = [tree.by_id.get(unit_id) for unit_id in self.roots]
        found = tuple(root for root in roots if root is not None)
        return Scope(found) if len(found) == len(roots) else None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Pass).decode


class Passes:
    """Signs passes and reads them again; all processes with the same secret know each other's."""

    def __init__(self, secret: str) -> None:
        self._key = sha256(b"pass of a live line\0" + secret.encode()).digest()
        self.withdrawn: set[tuple[str, int | None]] = set()
        """Logins and meetings whose passes no longer open anything here."""

    def sign(self, granted: Pass) -> str | None:
        payload = _encode(granted)
        text = urlsafe_b64encode(self._signature(payload) + payload).decode()
        return text if len(text) <= LONGEST else None

    def read(
        self, text: str, login: str, meeting_id: int, asked: str | None, now: float
    ) -> Pass | None:
        """What a pass grants to this login for this wish; None where it grants nothing."""
        if not text or len(text) > LONGEST:
            return None
        if not self.withdrawn.isdisjoint({(login, meeting_id), (login, None)}):
            return None
        try:
            data = urlsafe_b64decode(text)
        except (NotBase64, ValueError):
            return None
        signature, payload = data[:SIGNATURE], data[SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(payload)):
            return None
        try:
            found = _decode(payload)
        except msgspec.DecodeError:
            # Signed by an earlier version.
            return None
        fits = (found.login, found.meeting_id, found.asked) == (login, meeting_id, asked)
        return found if fits and now < found.until else None

    def withdraw(self, login: str, meeting_id: int | None = None) -> None:
        """The passes of a login open nothing any more, in one meeting or in all."""
        self.withdrawn.add((login, meeting_id))

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")[:SIGNATURE]
