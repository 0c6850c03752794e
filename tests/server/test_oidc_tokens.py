"""What of an ID token is believed: checked against keys and clocks that a provider would not have.

The provider of `test_oidc` does everything right; this one, of the same library that checks, signs
what it is told.
"""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from meetings_server.identity.oidc import (
    CLOCK_SKEW,
    AnswerNotSound,
    Provider,
    ProviderAway,
    shows_second_factor,
)
from meetings_server.identity.oidc_flows import Return
from meetings_server.settings import Settings

KEPT = Return(nonce="the nonce", verifier="v" * 64, target="/")


class Forge:
    """Answers discovery, keys and the token endpoint; what it answers can be changed."""

    def __init__(self, key: RSAKey) -> None:
        self.keys = [key]
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        forge = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self._answer()

            def _answer(self) -> None:
                forge.asked.append(self.path)
                body = json.dumps(forge.answers[self.path]).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_told: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.answers["/.well-known/openid-configuration"] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }
        self.publish(key)

    def publish(self, *keys: RSAKey) -> None:
        self.answers["/keys"] = {"keys": [key.as_dict(private=False) for key in keys]}

    def give(self, id_token: str) -> None:
        self.answers["/token"] = {"id_token": id_token, "token_type": "Bearer"}


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "first"})


@pytest.fixture
def forge(key: RSAKey) -> Iterator[Forge]:
    forge = Forge(key)
    thread = threading.Thread(target=forge.server.serve_forever, args=(0.05,))
    thread.start()
    yield forge
    forge.server.shutdown()
    thread.join()
    forge.server.server_close()


@pytest.fixture
def provider(forge: Forge) -> Provider:
    return Provider(
        Settings(oidc_issuer=forge.issuer, oidc_client_id="us", oidc_client_secret="shared" * 8)
    )


def claims_of(issuer: str) -> dict[str, Any]:
    now = int(time())
    return {
        "iss": issuer,
        "sub": "s-1",
        "aud": "us",
        "iat": now,
        "exp": now + 300,
        "nonce": KEPT.nonce,
        "preferred_username": "thuky",
    }


def signed(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


def test_a_sound_answer_is_believed_also_by_a_clock_that_is_off(
    forge: Forge, provider: Provider, key: RSAKey
) -> None:
    for off in (0, -CLOCK_SKEW + 20, CLOCK_SKEW - 20):
        claims = claims_of(forge.issuer)
        claims |= {"iat": claims["iat"] + off, "exp": claims["iat"] + min(off, 0) + 10}
        forge.give(signed(claims, key))
        vouched = provider.vouched({"code": "c", "state": "s"}, KEPT)
        assert vouched.claims["preferred_username"] == "thuky"
    assert forge.asked.count("/.well-known/openid-configuration") == 1
    assert forge.asked.count("/keys") == 1


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: c.update(iss="https://evil.example"), id="issuer"),
        pytest.param(lambda c: c.update(aud="them"), id="audience"),
        pytest.param(lambda c: c.update(aud=["us", "them"]), id="authorized party missing"),
        pytest.param(lambda c: c.update(aud=["us", "them"], azp="them"), id="authorized party"),
        pytest.param(lambda c: c.update(nonce="another"), id="nonce"),
        pytest.param(lambda c: c.pop("nonce"), id="no nonce"),
        pytest.param(lambda c: c.pop("sub"), id="no subject"),
        pytest.param(lambda c: c.pop("exp"), id="no end"),
        pytest.param(lambda c: c.update(exp=c["iat"] - CLOCK_SKEW - 5), id="over"),
        pytest.param(lambda c: c.update(iat=c["iat"] + CLOCK_SKEW + 60), id="from the future"),
        pytest.param(lambda c: c.update(nbf=c["iat"] + CLOCK_SKEW + 60), id="not yet"),
    ],
)
def test_what_does_not_speak_to_us_now_is_refused(
    forge: Forge, provider: Provider, key: RSAKey, change: Change
) -> None:
    claims = claims_of(forge.issuer)
    change(claims)
    forge.give(signed(claims, key))
    with pytest.raises(AnswerNotSound):
        provider.vouched({"code": "c", "state": "s"}, KEPT)


def test_only_the_keys_of_the_provider_sign(forge: Forge, provider: Provider, key: RSAKey) -> None:
    claims = claims_of(forge.issuer)
    foreign = RSAKey.generate_key(2048, {"kid": "first"})
    shared = OctKey.import_key("shared" * 8)
    unsigned = ".".join([*signed(claims, key).split(".")[:2], ""])
    for forged in (
        signed(claims, foreign),
        jwt.encode({"alg": "HS256"}, claims, shared),
        unsigned,
        "eyJhbGciOiJub25lIn0." + unsigned.split(".")[1] + ".",
        "no token",
    ):
        forge.give(forged)
        with pytest.raises(AnswerNotSound):
            provider.vouched({"code": "c", "state": "s"}, KEPT)
    # A new key is asked for; one that is invented is not asked for again and again.
    provider._keys_asked_at -= 60
    fresh = RSAKey.generate_key(2048, {"kid": "second"})
    forge.publish(key, fresh)
    forge.give(signed(claims, fresh))
    assert provider.vouched({"code": "c", "state": "s"}, KEPT).claims["sub"] == "s-1"
    asked = forge.asked.count("/keys")
    forge.give(signed(claims, RSAKey.generate_key(2048, {"kid": "invented"})))
    with pytest.raises(AnswerNotSound):
        provider.vouched({"code": "c", "state": "s"}, KEPT)
    assert forge.asked.count("/keys") == asked


def test_what_is_no_provider_is_told_as_one_that_is_away(forge: Forge, provider: Provider) -> None:
    forge.answers["/.well-known/openid-configuration"] = ["no", "object"]
    for _ in range(2):
        with pytest.raises(ProviderAway):
            provider.metadata()
    assert len(forge.asked) == 1, "it is left alone for a while"


@pytest.mark.parametrize(
    ("claims", "shown"),
    [
        ({}, False),
        ({"amr": ["pwd"]}, False),
        ({"amr": "mfa"}, False),
        ({"amr": ["pwd", "mfa"]}, True),
        ({"acr": "urn:example:gold"}, True),
    ],
)
def test_a_second_factor_counts_where_the_provider_says_so(
    claims: dict[str, Any], shown: bool
) -> None:
    assert shows_second_factor(claims, "mfa, urn:example:gold") is shown
