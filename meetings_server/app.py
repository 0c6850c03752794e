"""Puts the server together: routes, middleware, error map, the live hub and the scheduler."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Any

from litestar import Litestar, Request
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.plugins.prometheus import PrometheusConfig, PrometheusMiddleware

from meetings_server.database import Database
from meetings_server.effects import apply_effects
from meetings_server.errors import fail, refuse, refuse_http
from meetings_server.headers import SecurityHeaders
from meetings_server.identity.middleware import IdentityMiddleware, require_sign_in
from meetings_server.jobs import ticking
from meetings_server.json_bodies import ReadableRequest
from meetings_server.live.running import live
from meetings_server.mail.transport import sending
from meetings_server.measuring import Allowance
from meetings_server.push.sending import pushing
from meetings_server.routes import document, root_router
from meetings_server.settings import Settings
from meetings_server.web.enhanced_forms import EnhancedForms
from meetings_server.web.pages import CSRF_COOKIE, provide_form
from meetings_server.web.static_files import static_files
from rooms.kernel import DomainError

# What runs as long as the server does; entered in this order, left in the other.
RUNNING: list[Callable[[Litestar], AbstractAsyncContextManager[None]]] = [
    live,
    sending,
    pushing,
    ticking,
]

MEBIBYTE = 1024 * 1024


class RequestMetrics(PrometheusMiddleware):
    """Prometheus' figures, by the template of the path; its address is not put together for that."""

    def _get_default_labels(self, request: Request[Any, Any, Any]) -> dict[str, str | int | float]:
        return {
            "method": request.scope["method"],
            "path": request.scope["path_template"],
            "status_code": 200,
            "app_name": self._config.app_name,
        }


def _database(state: State) -> Database:
    database: Database = state.database
    return database


def _settings(state: State) -> Settings:
    settings: Settings = state.settings
    return settings


def create_app(settings: Settings, database: Database | None = None) -> Litestar:
    """The ASGI application on a database that has been migrated."""
    db = database or Database(settings.effective_database_url, [apply_effects])

    @asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            # A demonstration has parts of its own.
            for part in [*RUNNING, *app.state.get("also_running", [])]:
                await stack.enter_async_context(part(app))
            yield
        if database is None:
            db.dispose()

    return Litestar(
        route_handlers=[
            root_router(),
            static_files(),
        ],
        dependencies={
            "db": Provide(_database, sync_to_thread=False),
            "settings": Provide(_settings, sync_to_thread=False),
            "form": Provide(provide_form),
        },
        guards=[require_sign_in],
        middleware=[
            PrometheusConfig(
                "meetings",
                group_path=True,
                scopes={ScopeType.HTTP},
                middleware_class=RequestMetrics,
            ).middleware,
            SecurityHeaders(),
            EnhancedForms(),
            DefineMiddleware(
                IdentityMiddleware, exclude_from_auth_key="exclude_from_auth", exclude="^/static/"
            ),
        ],
        csrf_config=CSRFConfig(
            secret=settings.effective_secret(),
            cookie_name=CSRF_COOKIE,
            cookie_secure=settings.secure_cookies,
            # Scripts read it: several requests without one, as after a restart of the browser, each
            # bring another, and the page then knows one that holds no more.
            cookie_httponly=False,
            exclude=["^/api/", "^/static/"],
        ),
        exception_handlers={
            DomainError: refuse,
            HTTPException: refuse_http,
            Exception: fail,
        },
        lifespan=[running],
        request_class=ReadableRequest,
        state=State(
            {
                "settings": settings,
                "database": db,
                "measuring": Allowance(settings.self_test_mbits, monotonic),
            }
        ),
        request_max_body_size=settings.max_upload_mb * MEBIBYTE,
        openapi_config=document(),
    )
