"""Brings what waits for browsers to their push services, as long as the server runs.

A message is encrypted for the one browser that it goes to (RFC 8291) and signed with the server's key
(RFC 8292); the push service sees neither title nor text. Deliveries are claimed, retried and written
down as mail is (`mail.claims`): 404 and 410 mean that the browser is gone, and it is removed; 429 and 5xx
mean again later, not before `Retry-After`; other refusals are for good. What has not left when the
occasion is over does not leave any more; what the push service holds ends with it (TTL).

Each worker takes a few deliveries, closes the transaction, and only then calls out. No redirect is
followed, and an address that the settings no longer allow is not called.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import http_ece
import requests
from anyio import to_thread
from cryptography.hazmat.primitives.asymmetric import ec
from litestar import Litestar
from sqlalchemy import select, update

from meetings_server.mail import claims
from meetings_server.mail.claims import Parcel
from meetings_server.mail.letters import speaking, wording
from meetings_server.mail.outbox import Channel
from meetings_server.mail.running import OutboxSender, running
from meetings_server.push.devices import PushDevice, forget, is_allowed
from meetings_server.push.texts import padless, unpadded
from meetings_server.push.vapid import Vapid, own_key

log = logging.getLogger(__name__)

TIMEOUT = (3.05, 5.0)
"""Seconds to connect, and to answer; a server that is told to stop waits for it."""
LONGEST_TTL = timedelta(hours=4)
LONGEST_TEXT = 300
"""Characters of title and text each; push services take 4096 bytes in all."""
LONGEST_WAIT = timedelta(hours=1)
"""What a push service may ask for by `Retry-After`."""
STOP_SECONDS = 3.0

GONE = frozenset({404, 410})
TOO_MANY = 429
SERVER_ERROR = 500
TAKEN = range(200, 300)


@dataclass(frozen=True, slots=True)
class Destination:
    """A browser as it is called. `None` in its place: it has been removed since."""

    id: int
    endpoint: str
    public_key: str
    auth_secret: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a message: the status, or 0 where there was no answer, and what was said."""

    status: int
    said: str
    wait: timedelta = timedelta(0)


@dataclass
class PushSender(OutboxSender):
    """Pushes to browsers."""

    batch: int = 8
    workers: int = 4
    timeout: tuple[float, float] = TIMEOUT

    async def round(self) -> bool:
        """One claim for each worker. Whether anything was due."""
        ready = await to_thread.run_sync(claims.anything_ready, self.db, self.clock(), Channel.PUSH)
        if not ready:
            return False
        if not self.settings.push:
            await to_thread.run_sync(claims.keep_all, self.db, Channel.PUSH)
            return False
        key = await to_thread.run_sync(own_key, self.db, self.settings, self.clock())
        done = await asyncio.gather(
            *(to_thread.run_sync(self._work, key) for _ in range(self.workers))
        )
        return any(done)

    def _work(self, key: Vapid) -> int:
        """Claim some and push them over connections that are kept meanwhile."""
        parcels = claims.claim(self.db, self.name, self.clock(), self.batch, Channel.PUSH)
        left = list(parcels)
        try:
            to = self._destinations(parcels)
            with requests.Session() as line:
                while left and not self._stopping and self.has_time(left[0], sum(self.timeout)):
                    parcel = left.pop(0)
                    self._push(line, key, parcel, to.get(parcel.line))
        finally:
            claims.give_back(self.db, self.name, left)
        return len(parcels)

    def _destinations(self, parcels: Sequence[Parcel]) -> dict[str, Destination]:
        ids = [int(parcel.line.removeprefix("device:")) for parcel in parcels]
        with self.db.reader() as session:
            rows = session.execute(
                select(
                    PushDevice.id,
                    PushDevice.endpoint,
                    PushDevice.public_key,
                    PushDevice.auth_secret,
                ).where(PushDevice.id.in_(ids))
            )
            return {f"device:{row.id}": Destination(*row) for row in rows}

    def _push(
        self, line: requests.Session, key: Vapid, parcel: Parcel, to: Destination | None
    ) -> None:
        if to is None:
            self._refused(parcel, Answer(410, "the browser was removed"), for_good=True)
            return
        if not is_allowed(to.endpoint, self.settings.push_services):
            refusal = Answer(0, f"{urlsplit(to.endpoint).hostname} is not among the push services")
            self._refused(parcel, refusal, for_good=True)
            return
        try:
            answer = self._call(line, key, parcel, to)
        except (
            Exception
        ) as mistake:  # ours: it is logged, shown in the ledger, and holds up no other
            log.exception("push %s cannot be written", parcel.id)
            answer = Answer(0, f"{type(mistake).__name__} {mistake}")
        if answer.status in TAKEN:
            claims.accepted(self.db, self.name, parcel, self.clock())
            self._reached(to)
        elif answer.status in GONE:
            with self.db.transaction() as session:
                forget(session, to.id)
            self._refused(parcel, answer, for_good=True)
        else:
            again = answer.status in {0, TOO_MANY} or answer.status >= SERVER_ERROR
            self._refused(parcel, answer, for_good=not again)

    def _call(self, line: requests.Session, key: Vapid, parcel: Parcel, to: Destination) -> Answer:
        now = self.clock()
        body = encrypt(content_of(parcel), to.public_key, to.auth_secret)
        headers = {
            "authorization": key.authorization(to.endpoint, self.settings.push_contact_url, now),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(int(time_to_live(parcel, now).total_seconds())),
            "urgency": "high" if parcel.facts["urgent"] else "normal",
            # A message that is sent twice after a crash takes the place of the first one.
            "topic": padless(sha256(parcel.key.encode()).digest())[:32],
        }
        try:
            with line.post(
                to.endpoint,
                data=body,
                headers=headers,
                timeout=self.timeout,
                allow_redirects=False,
                stream=True,
                auth=_as_it_is,
            ) as answer:
                said = " ".join(f"{answer.status_code} {answer.reason or ''}".split())
                return Answer(answer.status_code, said, _wait(answer.headers.get("retry-after")))
        except requests.RequestException as trouble:
            return Answer(0, _told(trouble))

    def _reached(self, to: Destination) -> None:
        with self.db.connection() as connection:
            connection.execute(
                update(PushDevice).where(PushDevice.id == to.id).values(reached_at=self.clock())
            )

    def _refused(self, parcel: Parcel, answer: Answer, *, for_good: bool) -> None:
        claims.refused(
            self.db,
            self.name,
            parcel,
            self.clock(),
            answer.said,
            for_good=for_good,
            at_least=answer.wait,
        )


def content_of(parcel: Parcel) -> bytes:
    """What the browser shows, in the language of its person."""
    title, text, facts = parcel.facts["told"]
    with speaking(parcel.recipient.language):
        told = {
            "title": wording(title, facts, count=parcel.recipient.points)[:LONGEST_TEXT],
            "text": wording(text, facts, count=parcel.recipient.points)[:LONGEST_TEXT],
            "path": parcel.facts["path"],
            "tag": sha256(parcel.key.encode()).hexdigest()[:16],
            "at": int(parcel.written_at.timestamp() * 1000),
            "language": parcel.recipient.language,
        }
    return json.dumps(told, ensure_ascii=False).encode()


def encrypt(content: bytes, public_key: str, auth_secret: str) -> bytes:
    """The content for one browser alone, in one record (RFC 8291, 3.4 and 4)."""
    own = ec.generate_private_key(ec.SECP256R1())
    encrypted: bytes = http_ece.encrypt(
        content,
        salt=secrets.token_bytes(16),
        private_key=own,
        dh=unpadded(public_key),
        auth_secret=unpadded(auth_secret),
        version="aes128gcm",
    )
    return encrypted


def time_to_live(parcel: Parcel, now: datetime) -> timedelta:
    """How long the push service may keep it for a browser that is switched off."""
    if parcel.expires_at is None:
        return LONGEST_TTL
    return max(timedelta(0), min(LONGEST_TTL, parcel.expires_at - now))


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps `requests` from putting what a .netrc says in place of our own authorization."""
    return request


def _wait(said: str | None) -> timedelta:
    """`Retry-After` in seconds; a date, which push services do not use, counts for nothing."""
    if said is None or not said.isascii() or not said.isdecimal():
        return timedelta(0)
    return min(LONGEST_WAIT, timedelta(seconds=int(said[:9])))


def _told(trouble: Exception) -> str:
    """Without the address: who knows it can push to the browser."""
    kinds = {
        requests.exceptions.SSLError: "the certificate of the push service is not trusted",
        requests.exceptions.ProxyError: "the proxy did not let it through",
        requests.exceptions.Timeout: "no answer in time",
        requests.exceptions.ConnectionError: "no connection to the push service",
    }
    return next(
        (words for kind, words in kinds.items() if isinstance(trouble, kind)),
        type(trouble).__name__,
    )


@asynccontextmanager
async def pushing(app: Litestar) -> AsyncIterator[None]:
    """The sender as a part of the running server: woken after each commit that queued something."""
    sender = PushSender(app.state.database, app.state.settings)
    async with running(sender, "push-sender", STOP_SECONDS):
        yield
