"""JSON bodies that no reader can take are the sender's mistake; a NUL in a query is left out."""

from typing import Any

from litestar import Request
from litestar.connection.base import AuthT, StateT, UserT
from litestar.exceptions import SerializationException
from litestar.types import Scope


class ReadableRequest(Request[UserT, AuthT, StateT]):
    """A request whose body may be nested without end, or not be UTF-8 at all, and whose query has no NUL.

    No text has one, and PostgreSQL refuses it: what is asked for is the same without.
    """

    def __init__(self, scope: Scope, *rest: Any, **named: Any) -> None:
        if b"%00" in scope["query_string"]:
            scope["query_string"] = scope["query_string"].replace(b"%00", b"")
        super().__init__(scope, *rest, **named)

    async def json(self) -> Any:
        """The decoded body. Raises `SerializationException` for whatever is no JSON."""
        try:
            return await super().json()
        except (RecursionError, UnicodeDecodeError) as wrong:
            raise SerializationException(str(wrong)) from wrong
