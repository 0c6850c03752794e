"""Runs the application in a uvicorn server until it is told to stop."""

import gc
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import uvicorn
from litestar import Litestar
from litestar.concurrency import set_asyncio_executor

from meetings_server.app import create_app
from meetings_server.live.gate import Gate
from meetings_server.live.protocol import LiveProtocol
from meetings_server.live.wire import LARGEST_MESSAGE
from meetings_server.settings import Settings
from meetings_server.slow_requests import TimedHttp

STOP_SECONDS = 5
"""How long requests under way may take when the server is told to stop."""


GONE_SECONDS = 60
"""After so long without a sign of life for what was sent, a heartbeat above all, the system drops a
connection: the other end has lost its power or its network."""

WORKER_THREADS = 32
"""Handlers at work at once. More than cores: some wait for the commit of a check-in."""


SWITCH_SECONDS = 0.0005
"""When another thread may have the interpreter. A driver gives it away at every row and statement, and
the writer of check-ins would wait five milliseconds each time while the event loop is busy."""


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    """Settings with what the command line says about the address."""
    return replace(settings, host=host or settings.host, port=port or settings.port)


def run(settings: Settings, app: Litestar | None = None) -> None:
    """Serve until SIGTERM or SIGINT; being told to stop is no failure, so the program ends with 0.

    Raises `OSError` where the address cannot be listened on.
    """
    require_free(settings.host, settings.port)
    # uvicorn shuts down, then raises the signal again for whoever handled it before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    server = make_server(settings, app)
    _spare_the_collector()
    sys.setswitchinterval(SWITCH_SECONDS)
    server.run()


def require_free(host: str, port: int) -> None:
    """Raises `OSError`, with the address as its file name, where another program listens there."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _kind, _protocol, _name, address in found:
            # As the server itself will: a port that was just left may be taken again.
            socket.create_server(address[:2], family=family).close()
    except OSError as refused:
        number = refused.errno
        # A name that is not known has numbers of its own.
        own = isinstance(refused, socket.gaierror)
        told = refused.strerror if own or number is None else os.strerror(number)
        raise OSError(refused.errno, told, f"{host}:{port}") from None


def _spare_the_collector() -> None:
    """What is loaded stays; looking through it again and again costs pauses when thousands connect."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 4, 100)


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def make_server(settings: Settings, app: Litestar | None = None) -> uvicorn.Server:
    """A server for the application; whoever runs it decides in which thread."""
    set_asyncio_executor(ThreadPoolExecutor(WORKER_THREADS, "handler"))
    application = app or create_app(settings)
    # Classes are asked for, and called with what they need.
    websockets: Any = partial(LiveProtocol, gate=application.state.get("live_gate") or Gate())
    return _Server(
        uvicorn.Config(
            application,
            host=settings.host,
            port=settings.port,
            log_level=settings.log_level,
            access_log=False,
            http=TimedHttp,
            ws=websockets,
            ws_per_message_deflate=False,
            ws_max_size=LARGEST_MESSAGE,
            ws_ping_interval=None,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not hasattr(socket, "TCP_USER_TIMEOUT"):
            return
        for server in self.servers:
            for listening in server.sockets:
                # Connections inherit it.
                with socket.socket(fileno=os.dup(listening.fileno())) as own:
                    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_SECONDS * 1000)
