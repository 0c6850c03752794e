"""The static files: kept by browsers, asked for again only when they may have changed."""

from pathlib import Path
from typing import Any

from litestar.handlers import ASGIRouteHandler, asgi
from litestar.types import Receive, Scope, Send
from servestatic import ServeStaticASGI

import meetings_server


def static_folder() -> Path:
    """Static files: inside the installed package, or beside the packages in a checkout."""
    package = Path(meetings_server.__file__).parent
    installed = package / "static"
    return installed if installed.is_dir() else package.parent / "static"


def static_files() -> ASGIRouteHandler:
    """The route `/static`. In a checkout a changed file is seen at once."""
    folder = static_folder()
    server: Any = ServeStaticASGI(
        None,
        root=folder,
        max_age=0,
        allow_all_origins=False,
        immutable_file_test=lambda _path, url: "/vendor/" in url,
        autorefresh=folder.parent.name != "meetings_server",
    )

    @asgi(
        "/static", is_mount=True, copy_scope=True, opt={"public": True, "exclude_from_auth": True}
    )
    async def static(scope: Scope, receive: Receive, send: Send) -> None:
        # Litestar ends the path below a mount with a slash.
        scope["path"] = scope["path"].rstrip("/")
        await server(scope, receive, send)

    return static
