"""Runs the application in a uvicorn server until it is told to stop."""

from dataclasses import replace

import uvicorn
from litestar import Litestar

from meetings_server.app import create_app
from meetings_server.settings import Settings

STOP_SECONDS = 5
"""How long requests under way may take when the server is told to stop."""


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    """Settings with what the command line says about the address."""
    return replace(settings, host=host or settings.host, port=port or settings.port)


def run(settings: Settings, app: Litestar | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    make_server(settings, app).run()


def make_server(settings: Settings, app: Litestar | None = None) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app or create_app(settings),
            host=settings.host,
            port=settings.port,
            log_level=settings.log_level,
            access_log=False,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )
