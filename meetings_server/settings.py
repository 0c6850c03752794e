"""Settings from the environment, `MEETINGS_…`; the table in the README lists them all."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from rooms.people import Role

PREFIX = "MEETINGS_"


class SettingInvalid(ValueError):
    """A setting that cannot be read; the text says which and what is expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One field for each setting; the environment name is the field's in upper case."""

    data: Path = Path("data")
    """Folder of the SQLite file, the stored documents and the secret."""
    database_url: str = ""
    """`sqlite:///path` or `postgresql://…`; empty: SQLite in the data folder."""
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    """Address under which people reach the server; empty: from host and port."""
    smtp_url: str = ""
    """`smtp://user:password@host:25`, `smtps://…`; empty: mail stays in the outbox page."""
    mail_from: str = "hop-truc-tuyen@localhost"
    secret_key: str = ""
    """Signs CSRF tokens; empty: made once and kept in the data folder."""
    session_hours: int = 12
    max_upload_mb: int = 50
    self_test_mbits: int = 200
    """What each process gives to the tests of browsers' lines, in Mbit/s."""
    secure_cookies: bool = False
    """Set it where the server stands behind HTTPS."""
    log_level: str = "info"
    second_factor_roles: str = ""
    """Roles that are let in with a second factor only: `administrator,secretary`."""
    oidc_issuer: str = ""
    """Address of an OpenID Connect provider, as it names itself; empty: passwords only."""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_client_secret_file: str = ""
    """A file that holds the client secret, instead of the setting."""
    oidc_label: str = "OpenID Connect"
    """What the button of the login page calls the provider."""
    oidc_claim: str = "preferred_username"
    """The claim that names people here at their first login (`identity/external.py`)."""
    oidc_scopes: str = "openid profile email"
    oidc_second_factor: str = "mfa"
    """Values of `amr` or `acr` that say that the provider has asked for a second factor."""

    push: bool = False
    """Web push to browsers; the server must be let out to their push services."""
    push_hosts: str = (
        "fcm.googleapis.com,*.push.services.mozilla.com,*.notify.windows.com,*.push.apple.com"
    )
    """The push services that may be called; `*.name` is all below a name."""
    push_contact: str = ""
    """Whom a push service may ask: `mailto:…` or `https://…`; empty: from `mail_from`."""

    @property
    def push_services(self) -> frozenset[str]:
        return frozenset(part.strip().casefold() for part in self.push_hosts.split(",") if part)

    @property
    def push_contact_url(self) -> str:
        return self.push_contact or f"mailto:{self.mail_from}"

    @property
    def demanding_roles(self) -> frozenset[Role]:
        """The roles that are let in with a second factor only."""
        return _roles(self.second_factor_roles)

    @property
    def effective_client_secret(self) -> str:
        """Raises `OSError` where the file cannot be read."""
        if self.oidc_client_secret_file:
            return Path(self.oidc_client_secret_file).read_text(encoding="utf-8").strip()
        return self.oidc_client_secret

    @property
    def effective_database_url(self) -> str:
        """What SQLAlchemy opens: the driver is ours to name."""
        url = self.database_url or f"sqlite:///{self.data / 'meetings.db'}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def effective_public_url(self) -> str:
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def files(self) -> Path:
        """Where documents lie by content hash."""
        return self.data / "files"

    def effective_secret(self) -> str:
        """The given secret, or one made on the first start and kept beside the data."""
        if self.secret_key:
            return self.secret_key
        path = self.data / "secret"
        self.data.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "w") as fresh:
                fresh.write(secrets.token_hex(32))
        except FileExistsError:
            pass
        return path.read_text()


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from an environment. Raises `SettingInvalid`, also for a name that is unknown."""
    known = {PREFIX + field.name.upper(): field for field in fields(Settings)}
    given = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise SettingInvalid(f"{unknown[0]} is no setting; known are {', '.join(known)}")
    values = {known[name].name: _read(name, known[name].type, text) for name, text in given.items()}
    settings = Settings(**values)  # type: ignore[arg-type]  # each value was read by its field's type
    scheme = urlsplit(settings.effective_database_url).scheme
    if scheme not in {"sqlite", "postgresql+psycopg"}:
        raise SettingInvalid(
            f"MEETINGS_DATABASE_URL: {scheme!r} is not served; use sqlite:///path or postgresql://…"
        )
    _require_sound(settings)
    return settings


BOUNDS = {
    "port": (1, 65535),
    "session_hours": (1, 24 * 31),
    "max_upload_mb": (1, 4096),
    "self_test_mbits": (1, 100_000),
}
PUSH_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?")
LOG_LEVELS = ("critical", "error", "warning", "info", "debug")


def _require_sound(settings: Settings) -> None:
    """Whether each value can be worked with, said at the start and not at the first use."""
    for name, (least, most) in BOUNDS.items():
        if not least <= getattr(settings, name) <= most:
            raise SettingInvalid(f"{PREFIX}{name.upper()}: must lie within {least}–{most}")
    if settings.log_level.casefold() not in LOG_LEVELS:
        raise SettingInvalid(f"MEETINGS_LOG_LEVEL: use one of {', '.join(LOG_LEVELS)}")
    if settings.effective_database_url in {
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
    }:
        raise SettingInvalid("MEETINGS_DATABASE_URL: name a file: sqlite:///path")
    if settings.smtp_url and not _is_address(settings.smtp_url, {"smtp", "smtps"}):
        raise SettingInvalid("MEETINGS_SMTP_URL: use smtp://host:port or smtps://host:port")
    if settings.public_url and not _is_address(settings.public_url, {"http", "https"}):
        raise SettingInvalid("MEETINGS_PUBLIC_URL: use https://host, as people type it")
    try:
        _roles(settings.second_factor_roles)
    except ValueError:
        raise SettingInvalid(
            "MEETINGS_SECOND_FACTOR_ROLES: use roles with commas between them, of "
            + ", ".join(Role)
        ) from None
    _require_sound_provider(settings)
    _require_sound_push(settings)


def _require_sound_push(settings: Settings) -> None:
    for host in settings.push_services:
        if not PUSH_HOST.fullmatch(host):
            raise SettingInvalid(
                "MEETINGS_PUSH_HOSTS: use names with commas between them, such as *.push.apple.com"
            )
    if settings.push and not settings.push_contact_url.startswith(("mailto:", "https://")):
        raise SettingInvalid("MEETINGS_PUSH_CONTACT: use mailto:name@host or https://…")


def _require_sound_provider(settings: Settings) -> None:
    if not settings.oidc_issuer:
        return
    if not _is_address(settings.oidc_issuer, {"https"}) and not _is_this_machine(
        settings.oidc_issuer
    ):
        raise SettingInvalid(
            "MEETINGS_OIDC_ISSUER: use https://…, as the provider names itself in its discovery document"
        )
    if not settings.oidc_client_id:
        raise SettingInvalid("MEETINGS_OIDC_CLIENT_ID: the provider gives it; it is missing")
    if settings.oidc_client_secret and settings.oidc_client_secret_file:
        raise SettingInvalid(
            "MEETINGS_OIDC_CLIENT_SECRET: give it, or MEETINGS_OIDC_CLIENT_SECRET_FILE, not both"
        )
    try:
        _ = settings.effective_client_secret
    except (OSError, UnicodeDecodeError) as unreadable:
        raise SettingInvalid(
            f"MEETINGS_OIDC_CLIENT_SECRET_FILE: cannot be read: {unreadable}"
        ) from None
    if "openid" not in settings.oidc_scopes.split():
        raise SettingInvalid("MEETINGS_OIDC_SCOPES: must have openid among them")
    if not settings.oidc_claim.strip() or not settings.oidc_label.strip():
        raise SettingInvalid("MEETINGS_OIDC_CLAIM and MEETINGS_OIDC_LABEL must not be empty")


def _is_this_machine(url: str) -> bool:
    """Without encryption a provider may be asked on the same machine only."""
    if not _is_address(url, {"http"}):
        return False
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@cache
def _roles(text: str) -> frozenset[Role]:
    """Raises `ValueError` for a word that is no role."""
    return frozenset(Role(word.strip()) for word in text.split(",") if word.strip())


def _is_address(url: str, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port is what finds one that is no number.
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _read(name: str, kind: object, text: str) -> object:
    if kind is bool:
        if text.casefold() in {"1", "true", "yes", "on"}:
            return True
        if text.casefold() in {"0", "false", "no", "off", ""}:
            return False
        raise SettingInvalid(f"{name}: {text!r} is neither yes nor no")
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise SettingInvalid(f"{name}: {text!r} is no whole number") from None
    return Path(text).absolute() if kind is Path else text
