"""What the hub holds of a connection: frames get to it and messages from it.

A `DirectLine` writes to the transport and reads from it, a `SentLine` goes through ASGI's `send` and
`receive`, where the server is another than ours (`protocol`).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from litestar.connection import WebSocket
from websockets.exceptions import ProtocolError
from websockets.frames import Close, Opcode

from meetings_server.live.wire import WRONG, Broken, Reader, close_frame, payloads_of, pong_frame

RESTARTING, TOO_MANY = 1012, 1013
CLOSING_SECONDS = 5.0
"""How long a client may take to answer that the line is closed."""
DISCARDED = 1024 * 1024
"""Bytes read from a client that goes on talking after its line was closed."""
MOST_BACKLOG = 1024 * 1024
"""Bytes that may wait for a client before it counts as lagging."""


class Listener(Protocol):
    """Who is told what happens on a line. Called on the event loop."""

    def take(self, text: str | None) -> None:
        """A message has come; None is one that is no text."""

    def slow(self) -> None:
        """The client does not read: nothing may be written until it has `caught_up`."""

    def caught_up(self) -> None:
        """All that was written has gone out."""

    def fault(self, code: int, reason: str) -> None:
        """The client broke the protocol; the line is being closed."""

    def gone(self) -> None:
        """The line has ended, whoever ended it; the last call."""


class Line(Protocol):
    """What the hub needs of a socket. Used on the event loop only."""

    @property
    def ready(self) -> bool:
        """Whether a frame may be pushed: the line is open and its client reads."""

    @property
    def push(self) -> Callable[[bytes], object]:
        """Send a whole frame to a line that is ready; never waits."""

    def attach(self, listener: Listener) -> None:
        """From now on messages are told; those that came early at once."""

    def write(self, frame: bytes) -> None:
        """Send a whole frame; does nothing once the line is closed."""

    def hold(self) -> None:
        """Take no messages for a while."""

    def go_on(self) -> None:
        """Take messages again."""

    def close(self, code: int, reason: str = "") -> None:
        """Say why and end."""

    def abort(self) -> None:
        """Cut the line without waiting for the client."""


class DirectLine(asyncio.Protocol):
    """A connection after its handshake."""

    __slots__ = (
        "_broken",
        "_connections",
        "_gathered",
        "_held",
        "_listener",
        "_reader",
        "_timer",
        "_transport",
        "push",
        "ready",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        connections: set[Any],
        early: bytes = b"",
        greeting: bytes = b"",
    ) -> None:
        self._transport = transport
        self._gathered: list[bytes] | None = [greeting]
        """Until somebody listens all that is written is one piece, the answer to the handshake first."""
        self._connections = connections
        self._reader = Reader(early)
        self._listener: Listener | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._held = False
        self._broken = 0
        self.push = transport.write
        self.ready = not transport.is_closing()
        transport.set_write_buffer_limits(high=MOST_BACKLOG, low=0)

    def attach(self, listener: Listener) -> None:
        self._let_go()
        if self._transport.is_closing() or self._timer is not None:
            listener.gone()
            return
        self._listener = listener
        if self._transport.get_write_buffer_size() > MOST_BACKLOG:
            self.pause_writing()
        self.data_received(b"")

    def write(self, frame: bytes) -> None:
        if self._gathered is not None:
            self._gathered.append(frame)
        elif self._timer is None and not self._transport.is_closing():
            self._transport.write(frame)

    def _let_go(self) -> None:
        gathered, self._gathered = self._gathered, None
        if gathered:
            self.write(b"".join(gathered))

    def hold(self) -> None:
        self._held = True
        self._transport.pause_reading()

    def go_on(self) -> None:
        self._held = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self.data_received(b"")

    def close(self, code: int, reason: str = "") -> None:
        self._let_go()
        if self._timer is not None or self._transport.is_closing():
            return
        self._transport.write(close_frame(code, reason))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(CLOSING_SECONDS, self._transport.abort)
        self._end()
        self._held = False
        self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()

    def shutdown(self) -> None:
        """The server stops: called by uvicorn for each of its connections, without a pause.

        Nobody is told: the hub ends, too, and there may be very many.
        """
        self.ready = False
        self._listener = None
        if self._timer is None and not self._transport.is_closing():
            self._transport.write(close_frame(RESTARTING))
        self._transport.close()

    def _end(self) -> None:
        self.ready = False
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.gone()

    # What asyncio calls.

    def data_received(self, data: bytes) -> None:
        if self._broken:
            self._broken += len(data)
            if self._broken > DISCARDED:
                self._transport.pause_reading()
            return
        self._reader.feed(data)
        try:
            while not self._held:
                message = self._reader.next()
                if message is None:
                    break
                self._take(*message)
        except Broken as wrong:
            self._broken = 1
            if self._listener is not None:
                self._listener.fault(wrong.code, wrong.reason)
            self.close(wrong.code, wrong.reason)

    def _take(self, opcode: Opcode, payload: bytes) -> None:
        if opcode is Opcode.CLOSE:
            if self._timer is None:
                self._transport.write(close_frame(*_echo(payload)))
            self._end()
            self._transport.close()
        elif opcode is Opcode.PING:
            self.write(pong_frame(payload))
        elif self._listener is not None and opcode is not Opcode.PONG:
            text = payload.decode() if opcode is Opcode.TEXT else None
            self._listener.take(text)

    def pause_writing(self) -> None:
        self.ready = False
        if self._listener is not None:
            # Who does not read the answers asks nothing more.
            self.hold()
            self._listener.slow()

    def resume_writing(self) -> None:
        if self._listener is not None:
            self.ready = True
            self._listener.caught_up()
            self.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer is not None:
            self._timer.cancel()
        self._connections.discard(self)
        self._end()


def _echo(payload: bytes) -> tuple[int, str]:
    try:
        return Close.parse(payload).code, ""
    except (ProtocolError, UnicodeDecodeError) as wrong:
        raise Broken(WRONG, "close") from wrong


class SentLine:
    """Sends through ASGI, one task while something waits."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self.socket = socket
        self.ready = True
        self.push = self.write
        self.waiting: list[bytes | Close] = []
        self.bytes_waiting = 0
        self.pump: asyncio.Task[None] | None = None
        self.listener: Listener | None = None
        self.taking = asyncio.Event()
        self.taking.set()

    def attach(self, listener: Listener) -> None:
        self.listener = listener

    def write(self, frame: bytes) -> None:
        self._send_later(frame)
        self.bytes_waiting += len(frame)
        if self.bytes_waiting > MOST_BACKLOG and self.ready:
            self.ready = False
            if self.listener is not None:
                self.listener.slow()

    def hold(self) -> None:
        self.taking.clear()

    def go_on(self) -> None:
        self.taking.set()

    def close(self, code: int, reason: str = "") -> None:
        self.ready = False
        self._send_later(Close(code, reason))

    def abort(self) -> None:
        self.ready = False
        self.waiting.clear()
        if self.pump is not None:
            self.pump.cancel()

    def _send_later(self, what: bytes | Close) -> None:
        self.waiting.append(what)
        if self.pump is None:
            self.pump = asyncio.create_task(self._send())

    async def _send(self) -> None:
        try:
            while self.waiting:
                what = self.waiting.pop(0)
                if isinstance(what, Close):
                    await self.socket.close(what.code, what.reason)
                    break
                for payload in payloads_of(what):
                    await self.socket.send_data(payload.decode())
                self.bytes_waiting -= len(what)
            if self.listener is not None and not self.ready and not self.bytes_waiting:
                self.ready = True
                self.listener.caught_up()
        except Exception:  # noqa: BLE001 -- servers tell a lost client in ways of their own
            self.waiting.clear()
        finally:
            self.pump = None

    async def listen(self) -> None:
        """Tell of messages until the line ends."""
        try:
            while True:
                await self.taking.wait()
                event: Any = await self.socket.receive()
                if event["type"] != "websocket.receive":
                    return
                if self.listener is not None:
                    self.listener.take(event.get("text"))
        finally:
            self.ready = False
            if self.listener is not None:
                self.listener.gone()
