"""Lists in pages: `limit` and an opaque `cursor`, answered as `{"items": […], "next_cursor": …}`."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

from rooms.kernel import Invalid

T = TypeVar("T")
Row = TypeVar("Row")

MOST = 1000

Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="Entries in one page")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=400, description="`next_cursor` of the page before")
]


class Page(msgspec.Struct, Generic[T]):
    """One page of a list; without a `next_cursor` it is the last."""

    items: list[T]
    next_cursor: str | None = None


@dataclass
class CursorInvalid(Invalid):
    """The cursor was not given out by this list."""

    code: ClassVar[str] = "cursor_invalid"


def after(cursor: str | None) -> int:
    """The key that the page before ended with; 0 for the first. Raises `CursorInvalid`."""
    if cursor is None:
        return 0
    try:
        key = int(urlsafe_b64decode(cursor.encode("ascii")))
    except ValueError:
        raise CursorInvalid from None
    if not 0 <= key < 2**63:
        raise CursorInvalid
    return key


def page_of(
    rows: Sequence[Row], limit: int, key: Callable[[Row], int], shape: Callable[[Row], T]
) -> Page[T]:
    """A page of at most `limit` entries from up to `limit + 1` rows, ordered by a whole number."""
    shown = rows[:limit]
    more = len(rows) > limit
    token = urlsafe_b64encode(str(key(shown[-1])).encode()).decode() if more else None
    return Page([shape(row) for row in shown], token)
