"""Forms sent by script learn where to go on to, without fetching that page twice.

A script cannot see a redirect: the browser follows it, so the next page would be made once for the
script and once more for the person, and what is shown only once would be gone. `static/js/forms.js`
therefore marks its requests with `x-enhanced`, and here a 303 becomes a 200 with `x-location`.
"""

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.status_codes import HTTP_200_OK, HTTP_303_SEE_OTHER
from litestar.types import ASGIApp, Message, Receive, Scope, Send


class EnhancedForms(ASGIMiddleware):
    """Tells the script the address instead of redirecting it."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if "x-enhanced" not in Headers.from_scope(scope):
            await next_app(scope, receive, send)
            return

        async def send_address(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTP_303_SEE_OTHER:
                headers = MutableScopeHeaders.from_message(message)
                headers["x-location"] = headers["location"]
                del headers["location"]
                message["status"] = HTTP_200_OK
            await send(message)

        await next_app(scope, receive, send_address)
