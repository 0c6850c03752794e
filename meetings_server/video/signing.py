"""How a video system proves that a request is its own: HMAC-SHA256 over time and body with a shared secret.

The time is signed along and must lie near the server's, so that nobody sends a request again later; within
that time the signature itself is remembered (`receiving`).
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from rooms.kernel import DomainError
from rooms.video_systems import VideoFormat

TOLERANCE = timedelta(minutes=5)
"""How far the signed time may be from the server's."""

TIME_HEADER, SIGNATURE_HEADER = "x-meetings-timestamp", "x-meetings-signature"
ZOOM_TIME_HEADER, ZOOM_SIGNATURE_HEADER = "x-zm-request-timestamp", "x-zm-signature"

LARGEST_TIME = 10


@dataclass
class Unsigned(DomainError):
    """The request is not proven to be the video system's."""

    code: ClassVar[str] = "signature_wrong"


@dataclass
class SignatureMissing(Unsigned):
    code: ClassVar[str] = "signature_missing"


@dataclass
class SignatureOld(Unsigned):
    """Its time is too far from the server's, in either direction."""

    code: ClassVar[str] = "signature_old"
    seconds: int


def sign(secret: str, time: str, body: bytes) -> str:
    """`v1=` and the hexadecimal HMAC-SHA256 of `{time}.{body}`; `time` in seconds since 1970."""
    return "v1=" + _mac(secret, f"{time}.".encode() + body)


def sign_as_zoom(secret: str, time: str, body: bytes) -> str:
    """`v0=` and the hexadecimal HMAC-SHA256 of `v0:{time}:{body}`.

    Source: Zoom, "Using webhooks – verify webhook events" (developers.zoom.us/docs/api/webhooks).
    """
    return "v0=" + _mac(secret, f"v0:{time}:".encode() + body)


def _mac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, sha256).hexdigest()


_WAYS: dict[str, tuple[str, str, Callable[[str, str, bytes], str]]] = {
    VideoFormat.NEUTRAL: (TIME_HEADER, SIGNATURE_HEADER, sign),
    VideoFormat.ZOOM: (ZOOM_TIME_HEADER, ZOOM_SIGNATURE_HEADER, sign_as_zoom),
}


def verify(
    way: str, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> str:
    """The signature, once one of the secrets has been found to have made it.

    Raises `SignatureMissing`, `SignatureOld`, `Unsigned`.
    """
    time_header, signature_header, make = _WAYS[way]
    time, signature = headers.get(time_header, ""), headers.get(signature_header, "")
    if not (time.isascii() and time.isdigit() and len(time) <= LARGEST_TIME) or not signature:
        raise SignatureMissing
    # The signature first: whoever has no secret learns nothing of the server's clock.
    given = signature.strip().encode("ascii", "replace")
    if not any(hmac.compare_digest(make(one, time, body).encode(), given) for one in secrets):
        raise Unsigned
    apart = abs(now - datetime.fromtimestamp(int(time), UTC))
    if apart > TOLERANCE:
        raise SignatureOld(int(apart.total_seconds()))
    return signature.strip()
