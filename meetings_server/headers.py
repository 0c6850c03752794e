"""Security headers on every answer: nothing from elsewhere, nothing inline, no framing."""

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from meetings_server.web.shell import build

CONTENT_SECURITY_POLICY = "; ".join(  # noqa: FLY002 -- one directive a line
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "frame-src 'self'",
        "object-src 'self'",
        "frame-ancestors 'self'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # The test page of the browser (`web/self_test.py`) lifts it for itself.
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


# As they go out: every answer bears them, and a call of a program takes a millisecond in all.
_RAW = tuple((name.encode(), value.encode()) for name, value in HEADERS.items())


class SecurityHeaders(ASGIMiddleware):
    """Adds the headers; an answer that has set one itself keeps its own."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower(): value for name, value in message["headers"]}
                added = [pair for pair in _RAW if pair[0] not in own]
                if own.get(b"content-type", b"").startswith(b"text/html"):
                    # The service worker keeps pages of its own version only.
                    added.append((b"x-build", build().version.encode()))
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await next_app(scope, receive, send_with_headers)
