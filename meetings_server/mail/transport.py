"""Sends what is due in the outbox by SMTP, as long as the server runs.

A round claims deliveries, closes its transaction, sends over a few connections with many messages
each, and writes down what became of each message right after the mail server's answer. A crash between
the answer and that commit makes one message per connection be sent again once its claim has run out:
no protocol can avoid that, but its Message-ID is the same, so that the double is recognised.

Refused for now (4xx, no connection, no answer in time) means again later, see `claims.RETRY_AFTER`;
refused for good (5xx for the recipient or the content) means failed, and the ledger shows it.
Without a mail server the outbox is kept and shown.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from anyio import to_thread
from litestar import Litestar

from meetings_server.mail import claims
from meetings_server.mail.claims import Parcel
from meetings_server.mail.composition import AddressUnreadable, compose
from meetings_server.mail.running import OutboxSender, running

log = logging.getLogger(__name__)

PERMANENT = 500
"""From this SMTP code on the answer is for good."""
STOP_SECONDS = 3.0
"""How long a message under way may take when the server is told to stop."""


def server_of(smtp_url: str) -> dict[str, Any]:
    """What aiosmtplib has to know of the mail server.

    `smtps://` is TLS from the first byte; `smtp://` changes to TLS where the server offers it. User and
    password are percent-encoded; `?verify=no` accepts any certificate.
    """
    parts = urlsplit(smtp_url)
    is_tls = parts.scheme == "smtps"
    return {
        "hostname": parts.hostname or "localhost",
        "port": parts.port or (465 if is_tls else 25),
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "use_tls": is_tls,
        "validate_certs": parse_qs(parts.query).get("verify") != ["no"],
    }


@dataclass
class Sender(OutboxSender):
    """Sends mail. Times are seconds."""

    batch: int = 25
    connections: int = 4
    answer_seconds: float = 30
    """How long one message may take altogether."""

    async def round(self) -> bool:
        """One claim for each connection. Whether anything was due."""
        if not await to_thread.run_sync(claims.anything_ready, self.db, self.clock()):
            return False
        if not self.settings.smtp_url:
            await to_thread.run_sync(claims.keep_all, self.db)
            return False
        done = await asyncio.gather(*(self._worker() for _ in range(self.connections)))
        return any(done)

    async def _worker(self) -> int:
        parcels = await to_thread.run_sync(
            claims.claim, self.db, self.name, self.clock(), self.batch
        )
        left = list(parcels)
        try:
            while left and not self._stopping:
                await self._over_one_connection(left)
        finally:
            # Shielded: a sender that is being ended still gives back what it did not touch.
            with_thread = to_thread.run_sync(claims.give_back, self.db, self.name, left)
            await asyncio.shield(asyncio.ensure_future(with_thread))
        return len(parcels)

    async def _over_one_connection(self, left: list[Parcel]) -> None:
        """Send from the front of `left` until it is empty or the connection is lost."""
        server = aiosmtplib.SMTP(timeout=self.answer_seconds, **server_of(self.settings.smtp_url))
        try:
            async with asyncio.timeout(self.answer_seconds):
                await server.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as trouble:
            while left:
                await self._refused(left.pop(0), _told(trouble), for_good=False)
            return
        try:
            while left and not self._stopping and self.has_time(left[0], self.answer_seconds):
                if not await self._send(server, left.pop(0)):
                    return
            if left and not self.has_time(left[0], self.answer_seconds):
                await to_thread.run_sync(claims.give_back, self.db, self.name, list(left))
                left.clear()
        finally:
            await _hang_up(server)

    async def _send(self, server: aiosmtplib.SMTP, parcel: Parcel) -> bool:
        """Send one message and write down the answer. Whether the connection still serves."""
        try:
            # In a thread: the live boards share this loop.
            message = await to_thread.run_sync(self._written, parcel)
        except AddressUnreadable as wrong:
            await self._refused(parcel, str(wrong), for_good=True)
            return True
        except (
            Exception
        ) as mistake:  # ours: it is logged, shown in the ledger, and holds up no other
            log.exception("delivery %s cannot be written", parcel.id)
            await self._refused(parcel, _told(mistake), for_good=False)
            return True
        try:
            async with asyncio.timeout(self.answer_seconds):
                await server.sendmail(self.settings.mail_from, [parcel.address], message)
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            first = refusal.recipients[0]
            await self._refused(parcel, _told(first), for_good=first.code >= PERMANENT)
        except aiosmtplib.SMTPDataError as refusal:
            await self._refused(parcel, _told(refusal), for_good=refusal.code >= PERMANENT)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as trouble:
            # Our own sender refused, a lost connection, no answer: not this recipient's fault.
            await self._refused(parcel, _told(trouble), for_good=False)
            return False
        else:
            await to_thread.run_sync(claims.accepted, self.db, self.name, parcel, self.clock())
        return True

    def _written(self, parcel: Parcel) -> bytes:
        settings = self.settings
        return compose(parcel, settings.effective_public_url, settings.mail_from).as_bytes()

    async def _refused(self, parcel: Parcel, error: str, *, for_good: bool) -> None:
        def write() -> None:
            claims.refused(self.db, self.name, parcel, self.clock(), error, for_good=for_good)

        await to_thread.run_sync(write)


def _told(trouble: BaseException) -> str:
    """An error in one line, with the SMTP code where there is one."""
    if isinstance(trouble, aiosmtplib.SMTPResponseException):
        return " ".join(f"{trouble.code} {trouble.message}".split())
    return " ".join(f"{type(trouble).__name__} {trouble}".split())


async def _hang_up(server: aiosmtplib.SMTP) -> None:
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(1):
            await server.quit()
    server.close()


@asynccontextmanager
async def sending(app: Litestar) -> AsyncIterator[None]:
    """The sender as a part of the running server: woken after each commit that queued mail."""
    sender = Sender(app.state.database, app.state.settings)
    async with running(sender, "mail-sender", STOP_SECONDS):
        yield
