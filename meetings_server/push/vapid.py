"""The server's own key towards push services (VAPID, RFC 8292), made once and kept sealed.

Browsers bind a subscription to this key, so that it must be the same in every process and after every
restart: it lies in the database, encrypted under the server's secret. Another secret needs another
key, and the subscriptions made before are void.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from meetings_server.database import Database
from meetings_server.identity.sealing import Seal, SealBroken
from meetings_server.push.devices import PushDevice
from meetings_server.push.texts import padless
from meetings_server.settings import Settings
from rooms.kernel import Base

ONLY = 1
TOKEN_LASTS = timedelta(hours=12)
"""Push services refuse more than a day."""


class PushKey(Base):
    """The one key."""

    __tablename__ = "push_key"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed: Mapped[str]
    """The private key, PEM, sealed."""
    public: Mapped[str]
    """The public key as browsers take it, base64url."""
    made_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Vapid:
    """The key, ready to sign."""

    key: ECKey
    public: str

    def authorization(self, endpoint: str, contact: str, now: datetime) -> str:
        """The header for a message to an endpoint. `contact`: `mailto:…` or `https://…`."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int((now + TOKEN_LASTS).timestamp()),
            "sub": contact,
        }
        token = jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, self.key)
        return f"vapid t={token}, k={self.public}"


def own_key(db: Database, settings: Settings, now: datetime) -> Vapid:
    """The server's key, made where there is none that the present secret opens."""
    seal = Seal(settings.effective_secret(), "web push")
    with db.reader() as session:
        found = _opened(session, seal)
    if found is not None:
        return found
    with db.transaction() as session:
        _make(session, seal, now)
    with db.reader() as session:
        made = _opened(session, seal)
    if made is None:
        raise SealBroken
    return made


def _opened(session: Session, seal: Seal) -> Vapid | None:
    row = session.get(PushKey, ONLY)
    if row is None:
        return None
    try:
        return Vapid(ECKey.import_key(seal.open(row.sealed)), row.public)
    except SealBroken:
        return None


def _make(session: Session, seal: Seal, now: datetime) -> None:
    """A fresh key; of two processes that start at the same moment the first one's stays."""
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    public = private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    values = {"sealed": seal.close(pem), "public": padless(public), "made_at": now}
    if session.scalar(select(PushKey.id)) is not None:
        session.execute(update(PushKey).values(values))
        # They are bound to the key that cannot be read any more.
        session.execute(delete(PushDevice))
        return
    try:
        with session.begin_nested():
            session.execute(insert(PushKey).values(id=ONLY, **values))
    except IntegrityError:
        return
