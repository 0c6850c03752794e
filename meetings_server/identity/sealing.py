"""Secrets that must be read again are kept sealed: a copy of the database alone opens nothing.

Passwords and tokens are kept as hashes. The secret of an authenticator cannot be: its codes are
computed from it. It is encrypted with a key derived from the server's own secret, which lies beside
the database and not in it. Under another server secret it cannot be read and has to be enrolled anew.
"""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SealBroken(ValueError):
    """The text was sealed with another key, or changed since."""


class Seal:
    """Seals and opens texts for one purpose, such as `second factor`."""

    def __init__(self, secret: str, purpose: str) -> None:
        key = HKDF(SHA256(), 32, None, f"meetings-server {purpose}".encode()).derive(
            secret.encode()
        )
        self._fernet = Fernet(urlsafe_b64encode(key))

    def close(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises `SealBroken`."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SealBroken from None
