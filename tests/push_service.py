"""A real push service for one test, and browsers that subscribe to it.

It speaks HTTPS on 127.0.0.1 with a certificate of its own, checks what RFC 8030, 8188, 8291 and 8292 ask of
a sender, and decrypts with the browser's keys; nothing here is shared with the code under test.
"""

import json
import ssl
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

PLACE = "localhost"


def text_of(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class PushBrowser:
    """A browser that has subscribed: its keys and the address at the service."""

    endpoint: str
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = b"sixteen bytes ok"

    @property
    def point(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    @property
    def subscription(self) -> dict[str, str]:
        return {
            "endpoint": self.endpoint,
            "p256dh": text_of(self.point),
            "auth": text_of(self.auth),
        }

    def decrypt(self, body: bytes) -> bytes:
        """RFC 8188, 2 and RFC 8291, 3: one record. Raises where anything does not fit."""
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, record = body[21 : 21 + length], body[21 + length :]
        assert length == 65
        assert len(record) <= size
        shared = self.private.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        )
        info = b"WebPush: info\0" + self.point + sender
        secret = HKDF(hashes.SHA256(), 32, self.auth, info).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        padded = AESGCM(key).decrypt(nonce, record, None).rstrip(b"\0")
        assert padded.endswith(b"\2")
        return padded[:-1]


@dataclass(frozen=True)
class Pushed:
    """One accepted message, decrypted."""

    browser: PushBrowser
    headers: dict[str, str]
    claims: dict[str, Any]
    content: dict[str, Any]


@dataclass
class PushService:
    """The service. `answer(410)` lets it answer so from here on; `hang()` until `go_on()`."""

    folder: Path
    received: list[Pushed] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    key: str = ""
    """Where it is set, messages must be signed with this key, as the browsers have been told."""
    _browsers: dict[str, PushBrowser] = field(default_factory=dict)
    _answer: tuple[int, dict[str, str]] = (201, {})
    _going: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    @property
    def host(self) -> str:
        """As `MEETINGS_PUSH_HOSTS` takes it."""
        assert self._server is not None
        return f"{PLACE}:{self._server.server_port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "push-service.pem"

    def browser(self) -> PushBrowser:
        number = len(self._browsers) + 1
        made = PushBrowser(f"https://{self.host}/push/{number}")
        self._browsers[f"/push/{number}"] = made
        return made

    def answer(self, status: int, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answer = (status, named)

    def hang(self) -> None:
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    def wait_for(self, count: int, seconds: float = 60) -> list[Pushed]:
        deadline = time.monotonic() + seconds
        while len(self.received) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.received)} of {count} messages: {self.complaints}")
            time.sleep(0.02)
        return list(self.received)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        self.attempts.append(path)
        self._going.wait(60)
        status, more = self._answer
        if status != 201:
            return status, more
        try:
            browser = self._browsers[path]
            claims = self._require_signature(headers["authorization"])
            assert headers["content-encoding"] == "aes128gcm"
            assert headers["ttl"].isdecimal()
            assert len(headers["topic"]) <= 32
            assert len(body) <= 4096
            content = json.loads(browser.decrypt(body))
        except Exception as fault:  # noqa: BLE001 -- whatever it is, the test must see it
            self.complaints.append(f"{type(fault).__name__}: {fault}")
            return 400, {}
        self.received.append(Pushed(browser, headers, claims, content))
        return 201, {"location": f"https://{self.host}/message/{len(self.received)}"}

    def _require_signature(self, authorization: str) -> dict[str, Any]:
        """RFC 8292, 2 and 3.1. Returns the claims."""
        scheme, _, said = authorization.partition(" ")
        assert scheme == "vapid"
        parts = dict(part.strip().split("=", 1) for part in said.split(","))
        head, claims, signature = parts["t"].split(".")
        raw = bytes_of(signature)
        point = bytes_of(parts["k"])
        assert not self.key or parts["k"] == self.key
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        numbers = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        public.verify(
            encode_dss_signature(*numbers), f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256())
        )
        assert json.loads(bytes_of(head))["alg"] == "ES256"
        told: dict[str, Any] = json.loads(bytes_of(claims))
        assert told["aud"] == f"https://{self.host}"
        assert told["sub"].startswith("mailto:")
        return told

    def __enter__(self) -> Self:
        key, certificate = _certificate(self.folder)
        self._going.set()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", "0"))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, more = service.take(self.path, headers, self.rfile.read(length))
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.go_on()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for this machine that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PLACE)])
    now = datetime.now(UTC)
    names = [x509.DNSName(PLACE), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "push-service.key", folder / "push-service.pem"
    files[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    files[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return files
