"""Connections that send no request, or one byte of it a minute: they are ended, and told so.

uvicorn waits for the head of a request for ever and keeps all of it. A proxy in front does this, too,
but a ward's server has none.
"""

import asyncio
import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = logging.getLogger(__name__)

HEAD_SECONDS = 20.0
"""For the whole head of a request, from the first byte or the opening of the connection."""
GRACE_SECONDS = 2.0
"""A server that was busy for all that time has to look first at what has come meanwhile."""
LARGEST_HEAD = 64 * 1024

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class TimedHttp(HttpToolsProtocol):
    """uvicorn's own protocol with a limit for the heads of requests."""

    head_seconds = HEAD_SECONDS

    def __init__(self, *args: object, **named: object) -> None:
        super().__init__(*args, **named)  # type: ignore[arg-type]  # what uvicorn gives
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        self._head_size += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_size > LARGEST_HEAD:
            self._end(TOO_LARGE)

    def on_message_begin(self) -> None:
        if self._head_timer is None:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # The connection is another protocol's. This one and its parser know each other: without this
        # they and all they read would wait for a search for garbage, which tens of thousands who come
        # back at once make dear.
        self.parser = None  # type: ignore[assignment]  # as uvicorn does when a connection is lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_size = 0
        self._head_timer = self.loop.call_later(self.head_seconds, self._nearly_end)

    def _nearly_end(self) -> None:
        self._head_timer = self.loop.call_later(GRACE_SECONDS, self._end, TOO_SLOW)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self, answer: bytes) -> None:
        self._stop_waiting()
        log.warning("%s sent no whole request: %s", self.client, answer[9:12].decode())
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
