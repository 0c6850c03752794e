"""A real SMTP peer: it keeps what it receives and can be told to refuse or to say nothing."""

import asyncio
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Received:
    """One accepted message: the envelope's addresses and the parsed content."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    def part(self, content_type: str) -> EmailMessage:
        """The first part of this type, such as `text/calendar`. Raises `LookupError`."""
        for part in self.message.walk():
            if part.get_content_type() == content_type and isinstance(part, EmailMessage):
                return part
        raise LookupError(
            f"no {content_type} in {[p.get_content_type() for p in self.message.walk()]}"
        )


@dataclass
class SmtpPeer:
    """A peer on 127.0.0.1 for one test.

    `received` holds the accepted messages in order, `attempts` every recipient asked for, accepted
    or not. `refuse("451 later")` answers every recipient so (`only=` for a single address),
    `hang()` lets a delivery wait until `accept()`.
    """

    received: list[Received] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    _refusals: dict[str | None, str] = field(default_factory=dict)
    _answering: threading.Event = field(default_factory=threading.Event)
    _controller: Controller | None = None

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def port(self) -> int:
        if self._controller is None:
            raise RuntimeError("the peer is not listening")
        return self._controller.port

    @property
    def url(self) -> str:
        """As `MEETINGS_SMTP_URL` takes it."""
        return f"smtp://{self.host}:{self.port}"

    def refuse(self, answer: str, *, only: str | None = None) -> None:
        """Answer RCPT with `answer` (`"451 …"` for later, `"550 …"` for never)."""
        self._refusals[only] = answer

    def hang(self) -> None:
        """Say nothing after the data of a message, until `accept()`."""
        self._answering.clear()

    def accept(self) -> None:
        """Take everything again."""
        self._refusals.clear()
        self._answering.set()

    def wait_for(self, count: int, *, seconds: float = 60) -> list[Received]:
        """The messages, as soon as there are `count`. Raises `TimeoutError`."""
        deadline = time.monotonic() + seconds
        while len(self.received) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.received)} of {count} messages after {seconds} s")
            time.sleep(0.02)
        return list(self.received)

    def to(self, address: str) -> list[Received]:
        """The messages to one address, in order."""
        return [mail for mail in self.received if address in mail.recipients]

    # The two names below are aiosmtpd's.
    async def handle_RCPT(  # noqa: N802 -- as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session
        self.attempts.append(address)
        refusal = self._refusals.get(address) or self._refusals.get(None)
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 -- as above
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        del server, session
        await asyncio.to_thread(self._answering.wait)
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message = message_from_bytes(content, policy=policy.default)
        if not isinstance(message, EmailMessage):
            return "554 not a message"
        self.received.append(Received(envelope.mail_from or "", tuple(envelope.rcpt_tos), message))
        return "250 kept"

    def __enter__(self) -> Self:
        self._answering.set()
        self._controller = _AnyPort(self, hostname=self.host, port=0, ready_timeout=10)
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.accept()
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


class _AnyPort(Controller):
    """A controller for port 0, a free one. aiosmtpd itself would go on calling it 0."""

    def _trigger_server(self) -> None:
        if not isinstance(self.server, asyncio.Server):
            raise TypeError(f"not listening: {self.server!r}")
        self.port: int = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd types only a part
