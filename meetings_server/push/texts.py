"""Bytes as web push writes them: base64url without padding (RFC 7515, 2)."""

import binascii
from base64 import b64decode, urlsafe_b64encode


def padless(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def unpadded(text: str) -> bytes:
    """Raises `ValueError`; padding is let through, as some browsers write it."""
    try:
        bare = text.rstrip("=")
        return b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError(text) from None
