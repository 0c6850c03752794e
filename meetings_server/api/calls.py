"""What the calls share: the request of a program, bounds of ids and codes, problem details."""

from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter

from meetings_server.identity.sessions import SignedIn
from rooms.kernel import LARGEST_ID

ApiRequest = Request[SignedIn, str, Any]
"""A request with a valid token; the guard has seen to it."""

Id = Annotated[int, PathParameter(ge=1, le=LARGEST_ID)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]


class Problem(msgspec.Struct):
    """Problem details (RFC 9457); further members are the typed fields of the code."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str


def _problem(description: str) -> ResponseSpec:
    return ResponseSpec(
        data_container=Problem,
        description=description,
        media_type="application/problem+json",
        generate_examples=False,
    )


PROBLEMS: dict[int, ResponseSpec] = {
    400: _problem("The request cannot be read"),
    401: _problem("The token is missing, unknown or has ended"),
    403: _problem("The right is missing"),
    404: _problem("Nothing with this name, or not visible to the caller"),
    409: _problem("The present state forbids it"),
    413: _problem("The body is too large"),
    422: _problem("The input breaks a rule"),
}
