"""From a handshake to a line: Litestar routes and lets in, then the connection is handed over.

A websocket costs uvicorn and Litestar a task, a queue and some thirty objects for as long as it is
open, and a task switch for each frame. So `LiveProtocol` keeps no more of it than a `DirectLine`: the
hub writes bytes that were built once to the transports of all subscribers. Behind any other server
there is no such extension, and a `SentLine` takes its place.
"""

import asyncio
from typing import Any, cast

from litestar.connection import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from meetings_server.live.gate import Gate
from meetings_server.live.lines import CLOSING_SECONDS, TOO_MANY, DirectLine, SentLine

EXTENSION = "meetings.live"

MOST_EARLY = 64 * 1024
"""Bytes kept of a client that talks before it has been let in."""


class _HandedOver(asyncio.Transport):
    """In the place of a transport that is somebody else's now: closing it does nothing."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        pass


_HANDED_OVER = _HandedOver()


class _Keeping(_HandedOver):
    """In the place of a transport while uvicorn answers a handshake: keeps what it writes."""

    def __init__(self) -> None:
        self.kept = b""

    def is_closing(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        self.kept += data


class LiveProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own protocol, with itself in the scope's extensions, and with a gate before it."""

    def __init__(self, *args: Any, gate: Gate, **named: Any) -> None:
        super().__init__(*args, **named)
        self.gate = gate
        self.inside = False
        self.early = b""
        self.greeting = b""
        """The answer to the handshake: it goes out with the first frame."""
        self.ordinary = False
        """Whether messages go to the application as events."""

    def handle_connect(self, event: Request) -> None:
        seconds = self.gate.enter(self.loop.time())
        if seconds is None:
            self.inside = True
            super().handle_connect(event)
            return
        # Refused before anything is looked up: that costs a tenth of letting in.
        self.handshake_initiated = True
        self.response = self.conn.accept(event)
        self.conn.send_response(self.response)
        if self.response.status_code == 101:  # noqa: PLR2004 -- switching protocols
            self.conn.send_close(TOO_MANY, f"{seconds:.1f}")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.handshake_complete = self.close_sent = True
        self.close_timer = self.loop.call_later(CLOSING_SECONDS, self.transport.close)

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated and not self.ordinary and not self.close_sent:
            self.early += data
            if len(self.early) > MOST_EARLY:
                self.transport.pause_reading()
        else:
            super().data_received(data)

    def _become_ordinary(self) -> None:
        self.ordinary = True
        self._greet()
        early, self.early = self.early, b""
        if early:
            super().data_received(early)

    async def receive(self) -> Any:
        if self.handshake_complete and not self.ordinary:
            self._become_ordinary()
        return await super().receive()

    def _greet(self) -> None:
        greeting, self.greeting = self.greeting, b""
        if greeting:
            self.transport.write(greeting)

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.accept" and not self.transport.is_closing():
            transport = self.transport
            self.transport = keeping = _Keeping()
            try:
                await super().send(message)
            finally:
                self.transport = transport
            self.greeting = keeping.kept
            return
        self._greet()
        await super().send(message)
        if self.close_sent and not self.ordinary:
            self._become_ordinary()

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[EXTENSION] = self
        try:
            await super().run_asgi()
        finally:
            self.gate.leave()
            # The scope knows this protocol, and the connection itself: nobody should have to search
            # for what is left of a handshake.
            cast("dict[str, Any]", self.scope).clear()

    def hand_over(self) -> DirectLine:
        """Leave the connection to a line; this protocol ends with its handshake."""
        transport, self.transport = self.transport, _HANDED_OVER
        self.stop_keepalive()
        line = DirectLine(transport, self.connections, self.early, self.greeting)
        self.connections.discard(self)
        if not self.disconnected:
            # uvicorn asks no more of its connections than that they can be shut down.
            cast("set[Any]", self.connections).add(line)
            transport.set_protocol(line)
            transport.resume_reading()
        self.greeting = b""
        vars(self.conn).clear()
        return line


def line_to(socket: WebSocket[Any, Any, Any]) -> DirectLine | SentLine:
    """The quickest line to a socket that has been accepted."""
    extensions: Any = socket.scope.get("extensions") or {}
    protocol = extensions.get(EXTENSION)
    if not isinstance(protocol, LiveProtocol):
        return SentLine(socket)
    # Both are wrapped by functions that know the socket: nobody should have to search for this circle.
    del socket.receive, socket.send
    return protocol.hand_over()
