"""What video systems report: who has joined and left, by a signed request instead of a token."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec
from anyio import to_thread
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter
from litestar.status_codes import HTTP_200_OK

from meetings_server.api.calls import Problem
from meetings_server.video.formats import LARGEST_BODY, EventsIn
from meetings_server.video.receiving import EventOut, receive
from rooms.kernel import DomainError, utcnow

Key = Annotated[str, PathParameter(max_length=40)]


@dataclass
class EncodedBody(DomainError):
    """The body is compressed or of another kind."""

    code: ClassVar[str] = "body_encoding"
    encoding: str


class ReceivedOut(msgspec.Struct):
    """What became of each event, in the order in which they came."""

    events: list[EventOut]


@post(
    "/video/{key:str}/events",
    opt={"public": True},
    status_code=HTTP_200_OK,
    request_max_body_size=LARGEST_BODY,
    summary="Report who has joined and left a video room",
    tags=["video"],
    responses={
        200: ResponseSpec(ReceivedOut, description="Every event was dealt with"),
        401: ResponseSpec(
            Problem,
            description="The signature is missing, wrong or too old",
            media_type="application/problem+json",
            generate_examples=False,
        ),
    },
)
async def report(request: Request[Any, Any, Any], key: Key) -> Response[Any]:
    """For video systems. No token: the request is signed with the secret of its connection.

    `X-Meetings-Timestamp`: seconds since 1970, at most five minutes from the server's time.
    `X-Meetings-Signature`: `v1=` and the hexadecimal HMAC-SHA256 of the timestamp, a full stop and the
    body. The body is `{"events": [{"id", "type": "joined" | "left", "room", "participant": {"id",
    "address", "name"}, "observed_at"}]}`, at most 1,000 events and 512 KB. Events may come in any order
    and more than once. Answers 200 with the outcome of each; the same signed request again is 409.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise EncodedBody(encoding[:40])
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = await to_thread.run_sync(receive, request.app, key, headers, body, utcnow())
    if answer.challenge is not None:
        return Response(answer.challenge)
    return Response(ReceivedOut(answer.events))


BODY = EventsIn

HANDLERS = [report]
