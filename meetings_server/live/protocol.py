"""How a ready frame gets to a socket: straight to its transport, or through ASGI's `send`.

uvicorn's websocket protocol builds a frame for each socket and wakes a task for it. `LiveProtocol`
puts itself into the ASGI scope, so that the hub can write bytes that were built once to the
transports of all subscribers. Behind any other server there is no such extension, and the lines
fall back to `send`.
"""

import asyncio
from typing import Any, Protocol

from litestar.connection import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

EXTENSION = "meetings.live"


def text_frame(payload: bytes) -> bytes:
    """A whole text frame as a server sends it: unmasked, not compressed."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


class LiveProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own protocol, with itself in the scope's extensions."""

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[EXTENSION] = self
        await super().run_asgi()

    @property
    def is_writable(self) -> bool:
        """Whether a frame may still follow: after a close frame nothing may."""
        return not (self.close_sent or self.disconnected or self.transport.is_closing())


class Line(Protocol):
    """What the hub needs of a socket. Called on the event loop only."""

    def write(self, payload: bytes, frame: bytes) -> None:
        """Send a text, given plain and as a frame; never waits, does nothing once closed."""

    def backlog(self) -> int:
        """Bytes that wait because the client does not read."""

    def abort(self) -> None:
        """Cut the line without waiting for the client."""


class DirectLine:
    """Writes frames to the transport."""

    __slots__ = ("protocol",)

    def __init__(self, protocol: LiveProtocol) -> None:
        self.protocol = protocol

    def write(self, payload: bytes, frame: bytes) -> None:
        del payload
        if self.protocol.is_writable:
            self.protocol.transport.write(frame)

    def backlog(self) -> int:
        return self.protocol.transport.get_write_buffer_size()

    def abort(self) -> None:
        self.protocol.transport.abort()


class SentLine:
    """Sends through ASGI, one task while something waits."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self.socket = socket
        self.waiting: list[bytes] = []
        self.bytes_waiting = 0
        self.pump: asyncio.Task[None] | None = None

    def write(self, payload: bytes, frame: bytes) -> None:
        del frame
        self.waiting.append(payload)
        self.bytes_waiting += len(payload)
        if self.pump is None:
            self.pump = asyncio.create_task(self._send())

    async def _send(self) -> None:
        try:
            while self.waiting:
                payload = self.waiting.pop(0)
                await self.socket.send_data(payload.decode())
                self.bytes_waiting -= len(payload)
        except Exception:  # noqa: BLE001 -- servers tell a lost client in ways of their own
            self.waiting.clear()
        finally:
            self.pump = None

    def backlog(self) -> int:
        return self.bytes_waiting

    def abort(self) -> None:
        self.waiting.clear()
        if self.pump is not None:
            self.pump.cancel()


def line_to(socket: WebSocket[Any, Any, Any]) -> Line:
    """The quickest line to a socket that has been accepted."""
    extensions: Any = socket.scope.get("extensions") or {}
    protocol = extensions.get(EXTENSION)
    return DirectLine(protocol) if isinstance(protocol, LiveProtocol) else SentLine(socket)
