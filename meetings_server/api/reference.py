"""The OpenAPI document and the page that shows it."""

from typing import Any

from litestar import Request, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from meetings_server.api.scopes import scopes_in_words
from meetings_server.web.pages import render

DESCRIPTION = """
Times are ISO 8601 with an offset, days are `YYYY-MM-DD`. Lists are paged with `limit` and an opaque
`cursor`. Errors are RFC 9457 problem details with a stable `code`. A POST that creates accepts an
`Idempotency-Key`: the same key again gives the first answer. Make a token on the page of your account
or with `meetings-server create-token`. A token opens the scopes it was made for, an operation needs the
one that stands in its `security`; without it the answer is 403 `scope_missing` with the `scope`. Scopes:
""".strip()


SCHEME = "An API token, `mt_…`; the words in an operation's `security` are the scopes it needs."


def openapi_config(version: str) -> OpenAPIConfig:
    """The document at `/schema/openapi.json`, which anybody may read."""
    return OpenAPIConfig(
        title="Wide-area meetings",
        version=version,
        description=f"{DESCRIPTION} {scopes_in_words()}.",
        openapi_router=Router(
            "/schema", route_handlers=[], opt={"public": True}, include_in_schema=False
        ),
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        components=Components(
            security_schemes={
                "token": SecurityScheme(type="http", scheme="bearer", description=SCHEME)
            }
        ),
        use_handler_docstrings=True,
    )


@get("/api", include_in_schema=False, sync_to_thread=True, opt={"public": True})
def reference_page(request: Request[Any, Any, Any]) -> Response[str]:
    """The reference; its viewer comes from this server, like everything else."""
    return render(request, "api_reference.html")


HANDLERS = [reference_page]
