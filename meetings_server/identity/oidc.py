"""The OpenID Connect provider of an office: where to send people, and what its answer is worth.

Authorization code flow with PKCE (RFC 7636), state and nonce. Discovery document and keys are asked
for when they are needed first and kept for an hour; keys again when an unknown one turns up. Calls are
blocking, with a time limit, and belong outside of transactions. A provider that did not answer is
left alone for a while, so that people do not wait for it one after the other.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, ClassVar, NoReturn

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.common.urls import add_params_to_uri
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from meetings_server.identity.oidc_flows import Departure, Return
from meetings_server.settings import Settings
from rooms.kernel import Conflict, Denied

log = logging.getLogger(__name__)

TIMEOUT = (3.05, 10.0)
"""Seconds to connect, and between two bytes of the answer."""
KEPT = 3600.0
KEYS_ASKED_AGAIN = 10.0
"""Not oftener, whatever keys are named: anybody can send a token with an invented one."""
LEFT_ALONE = 15.0
CLOCK_SKEW = 120
"""Seconds by which the clocks of the two machines may differ."""

# Signed with the provider's own key: a shared secret would let whoever knows it sign as well.
SIGNATURES = frozenset(
    {
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "EdDSA",
        "Ed25519",
    }
)
NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass
class ProviderAway(Conflict):
    """The provider does not answer, or not what a provider answers."""

    code: ClassVar[str] = "provider_away"
    provider: str


@dataclass
class ProviderRefused(Denied):
    """The provider did not log the person in; `error` is its code (RFC 6749, 4.1.2.1)."""

    code: ClassVar[str] = "provider_refused"
    provider: str
    error: str


@dataclass
class LoginAbandoned(Denied):
    """The person, or a rule at the provider, said no."""

    code: ClassVar[str] = "login_abandoned"
    provider: str


@dataclass
class AnswerNotSound(Denied):
    """What the provider says of the person cannot be believed: signature, issuer, nonce or time."""

    code: ClassVar[str] = "answer_not_sound"
    provider: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for."""

    claims: Mapping[str, Any]
    """Verified claims of the ID token, completed by those of the userinfo endpoint."""
    id_token: str
    """As it came, to be shown again at the logout."""


class Provider:
    """One provider as the settings name it; shared by all threads."""

    def __init__(self, settings: Settings) -> None:
        self.issuer = settings.oidc_issuer
        self.label = settings.oidc_label
        self._settings = settings
        self._lock = Lock()
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._asked_at = self._keys_asked_at = self._failed_at = float("-inf")

    @property
    def redirect_uri(self) -> str:
        return f"{self._settings.effective_public_url}/login/oidc/callback"

    def address_for(self, leaving: Departure, *, as_another: bool = False) -> str:
        """Where a browser is sent. `as_another`: the provider asks who it is, whoever is logged in.

        Raises `ProviderAway`.
        """
        with self._session() as session:
            address, _state = session.create_authorization_url(
                self.metadata()["authorization_endpoint"],
                state=leaving.state,
                nonce=leaving.nonce,
                code_verifier=leaving.verifier,
                **({"prompt": "login"} if as_another else {}),
            )
        return str(address)

    def vouched(self, answer: Mapping[str, str], kept: Return) -> Vouched:
        """Turn the provider's answer, the query of the callback, into whom it vouches for.

        Raises `ProviderAway`, `ProviderRefused`, `LoginAbandoned`, `AnswerNotSound`.
        """
        if "error" in answer:
            self._refuse(answer["error"], answer.get("error_description", ""))
        metadata = self.metadata()
        # RFC 9207: an answer that says whose it is must say the right one.
        if answer.get("iss", self.issuer) != self.issuer:
            log.warning("an answer names the issuer %r", answer["iss"])
            raise AnswerNotSound(self.label)
        with self._session() as session:
            try:
                token = session.fetch_token(
                    metadata["token_endpoint"],
                    code=answer.get("code", ""),
                    code_verifier=kept.verifier,
                    grant_type="authorization_code",
                    timeout=TIMEOUT,
                )
            except AuthlibBaseError as refused:
                self._refuse(refused.error or "", refused.description or "")
            except (requests.RequestException, ValueError) as away:
                self._fail(away)
            id_token = token.get("id_token")
            if not isinstance(id_token, str):
                log.warning("the provider sent no ID token")
                raise AnswerNotSound(self.label)
            claims = self._verified(id_token, kept.nonce, token.get("access_token"))
            return Vouched(self._completed(session, claims, metadata), id_token)

    def logout_address(self, id_token: str, back: str) -> str | None:
        """Where a browser is sent to log out at the provider too; None where that is not offered."""
        endpoint = self.metadata().get("end_session_endpoint")
        if not isinstance(endpoint, str):
            return None
        return str(
            add_params_to_uri(
                endpoint,
                {
                    "id_token_hint": id_token,
                    "client_id": self._settings.oidc_client_id,
                    "post_logout_redirect_uri": back,
                },
            )
        )

    def metadata(self) -> Mapping[str, Any]:
        """The discovery document. Raises `ProviderAway`."""
        with self._lock:
            now = time.monotonic()
            if now - self._asked_at < KEPT:
                return self._metadata
            if now - self._failed_at < LEFT_ALONE:
                raise ProviderAway(self.label)
            document = self._fetch(get_well_known_url(self.issuer, external=True))
            missing = [name for name in NEEDED if not isinstance(document.get(name), str)]
            if missing or document["issuer"] != self.issuer:
                self._fail(
                    f"the discovery document lacks {missing}"
                    if missing
                    else f"the provider names itself {document['issuer']!r}: set MEETINGS_OIDC_ISSUER so"
                )
            self._metadata, self._asked_at, self._keys = document, now, None
            return self._metadata

    def _verified(self, id_token: str, nonce: str, access_token: Any) -> dict[str, Any]:
        offered = self.metadata().get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(
            algorithms=sorted(SIGNATURES.intersection(offered)), strict_check_header=False
        )
        try:
            try:
                signed = jwt.decode(id_token, self._key_set(), registry=registry)
            except InvalidKeyIdError:
                # The provider has a new key since we asked.
                signed = jwt.decode(id_token, self._key_set(again=True), registry=registry)
            claims = CodeIDToken(
                signed.claims,
                signed.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self._settings.oidc_client_id},
                },
                {
                    "nonce": nonce,
                    "client_id": self._settings.oidc_client_id,
                    "access_token": access_token,
                },
            )
            claims.validate(leeway=CLOCK_SKEW)
        except (JoseError, AuthlibBaseError, ValueError, KeyError, TypeError) as unsound:
            log.warning("an ID token is refused: %s", unsound)
            raise AnswerNotSound(self.label) from None
        return dict(claims)

    def _completed(
        self, session: OAuth2Session, claims: dict[str, Any], metadata: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Many providers tell names only at the userinfo endpoint."""
        endpoint = metadata.get("userinfo_endpoint")
        if self._settings.oidc_claim in claims or not isinstance(endpoint, str):
            return claims
        try:
            answer = session.get(endpoint, timeout=TIMEOUT)
            answer.raise_for_status()
            told = answer.json()
        except (requests.RequestException, AuthlibBaseError, ValueError) as away:
            self._fail(away)
        # OpenID Connect Core 5.3.2: what is said of somebody else must not be used.
        if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
            log.warning("the userinfo endpoint speaks of another subject")
            raise AnswerNotSound(self.label)
        return told | claims

    def _key_set(self, *, again: bool = False) -> KeySet:
        address = self.metadata()["jwks_uri"]
        with self._lock:
            now = time.monotonic()
            if self._keys is None or (again and now - self._keys_asked_at > KEYS_ASKED_AGAIN):
                self._keys = KeySet.import_key_set(self._fetch(address))  # type: ignore[arg-type]  # it checks what it is given
                self._keys_asked_at = now
            return self._keys

    def _session(self) -> OAuth2Session:
        offered = self._metadata.get("token_endpoint_auth_methods_supported")
        secret = self._settings.effective_client_secret
        return OAuth2Session(
            client_id=self._settings.oidc_client_id,
            client_secret=secret or None,
            token_endpoint_auth_method=_way_to_show(secret, offered),
            scope=self._settings.oidc_scopes,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )

    def _fetch(self, address: str) -> dict[str, Any]:
        try:
            answer = requests.get(address, timeout=TIMEOUT, headers={"accept": "application/json"})
            answer.raise_for_status()
            document = answer.json()
        except (requests.RequestException, ValueError) as away:
            self._fail(away)
        if not isinstance(document, dict):
            self._fail(f"{address} is no JSON object")
        return document

    def _fail(self, why: object) -> NoReturn:
        self._failed_at = time.monotonic()
        log.warning("the OpenID Connect provider %s: %s", self.issuer, why)
        raise ProviderAway(self.label)

    def _refuse(self, error: str, description: str) -> NoReturn:
        log.warning("the OpenID Connect provider refused: %.100r %.300r", error, description)
        if error == "access_denied":
            raise LoginAbandoned(self.label)
        if error in {"temporarily_unavailable", "server_error"}:
            raise ProviderAway(self.label)
        # Only a code that RFC 6749 allows is shown; the words in the address are anybody's.
        known = error if error.isascii() and error.replace("_", "").isalpha() else "?"
        raise ProviderRefused(self.label, known[:60])


def _way_to_show(secret: str, offered: Any) -> str:
    """How the client proves itself to the token endpoint; without a secret by PKCE alone."""
    if not secret:
        return "none"
    if isinstance(offered, Sequence) and "client_secret_basic" not in offered:
        return "client_secret_post"
    return "client_secret_basic"


def shows_second_factor(claims: Mapping[str, Any], accepted: str) -> bool:
    """Whether the provider says that it asked for more than a password (`amr`, `acr`; RFC 8176)."""
    amr = claims.get("amr")
    said = {value for value in amr if isinstance(value, str)} if isinstance(amr, list) else set()
    said |= {claims["acr"]} if isinstance(claims.get("acr"), str) else set()
    return bool(said & set(accepted.replace(",", " ").split()))


@lru_cache(maxsize=8)
def provider_of(settings: Settings) -> Provider | None:
    """The provider that the settings name, the same one for all requests; None without one."""
    return Provider(settings) if settings.oidc_issuer else None
