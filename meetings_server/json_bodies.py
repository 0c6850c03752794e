"""JSON bodies that no reader can take are the sender's mistake, whatever they break."""

from typing import Any

from litestar import Request
from litestar.connection.base import AuthT, StateT, UserT
from litestar.exceptions import SerializationException


class ReadableRequest(Request[UserT, AuthT, StateT]):
    """A request whose body may be nested without end, or not be UTF-8 at all."""

    async def json(self) -> Any:
        """The decoded body. Raises `SerializationException` for whatever is no JSON."""
        try:
            return await super().json()
        except (RecursionError, UnicodeDecodeError) as wrong:
            raise SerializationException(str(wrong)) from wrong
