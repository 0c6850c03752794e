"""The service worker, the page that stands for those that cannot be had, and who is there again."""

from typing import Any

from litestar import Request, Response, get

from meetings_server.i18n import DEFAULT_LANGUAGE, LANGUAGES, current_language
from meetings_server.web.pages import csrf_token, render
from meetings_server.web.shell import WORKER, build
from rooms.kernel import utcnow


@get(
    f"/{WORKER}",
    opt={"public": True, "exclude_from_auth": True},
    include_in_schema=False,
    sync_to_thread=True,
)
def worker_script() -> Response[bytes]:
    """The worker, with the version it belongs to. Browsers ask for it anew each time."""
    return Response(
        build().worker,
        media_type="text/javascript",
        headers={"cache-control": "no-cache", "service-worker-allowed": "/"},
    )


@get("/offline", opt={"public": True}, include_in_schema=False, sync_to_thread=True)
def offline_page(request: Request[Any, Any, Any]) -> Response[str]:
    """What is shown instead of a page that cannot be had; `?lang=` says in which language."""
    asked = request.query_params.get("lang", "")
    current_language.set(asked if asked in LANGUAGES else DEFAULT_LANGUAGE)
    return render(request, "offline.html")


@get("/check-in/hello", include_in_schema=False, sync_to_thread=True)
def who_checks_in(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    """Before what waited is sent: whose login this is, a fresh CSRF token, the server's clock."""
    told = {
        "owner": f"person:{request.user.person_id}",
        "csrf_token": csrf_token(request),
        "now": utcnow().isoformat(),
    }
    return Response(told, headers={"cache-control": "no-store"})


HANDLERS = [worker_script, offline_page, who_checks_in]
