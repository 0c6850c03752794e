"""A real OpenID Connect provider in a process of its own: npm `oidc-provider`, see `tests/provider`."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

FOLDER = Path(__file__).parent / "provider"

HERE = "http://testserver.local"
"""Where the server under test believes that it is."""
CLIENT, SECRET = "meetings", "only-for-tests"


@dataclass(frozen=True)
class LoginProvider:
    """A provider that listens."""

    issuer: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@contextmanager
def running_provider(people: Mapping[str, Mapping[str, Any]]) -> Iterator[LoginProvider]:
    """Start one for the people: login → `{"claims": …, "amr": …}`."""
    _install()
    process = subprocess.Popen(
        ["node", "provider.js"],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"port": 0, "clients": _clients(), "people": people}))
    process.stdin.close()
    try:
        provider = LoginProvider(json.loads(process.stdout.readline())["issuer"], process)
        yield provider
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def _clients() -> Sequence[Mapping[str, Any]]:
    client = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [f"{HERE}/login/oidc/callback"],
        "post_logout_redirect_uris": [f"{HERE}/login"],
    }
    # Signs with the secret that it shares with its client: whoever knows it could sign as well.
    return [client, client | {"client_id": "shared", "id_token_signed_response_alg": "HS256"}]


def _install() -> None:
    """The packages that the lock file names, once. Without node the test is skipped, or fails."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        needed = f"{' and '.join(missing)} for the OpenID Connect provider (apt install nodejs npm)"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"REQUIRE_BROWSER=1 but there is no {needed}")
        pytest.skip(f"needs {needed}")
    wanted = sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules" / ".installed"
    # Tests that run side by side must not install at the same time.
    with (FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=FOLDER,
            check=True,
            timeout=240,
        )
        stamp.write_text(wanted)


class Browser:
    """A browser at the provider: goes where it is sent until that is the server under test."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=30)

    def log_in(self, address: str, login: str) -> str:
        """From the address that the server redirects to, to the one that the provider does."""
        return self._go(address, {"login": login})

    def refuse(self, address: str) -> str:
        return self._go(address, {"refuse": "1"})

    def open(self, address: str) -> httpx.Response:
        return self._client.get(address)

    def close(self) -> None:
        self._client.close()

    def _go(self, address: str, sent: Mapping[str, str]) -> str:
        for _ in range(12):
            answer = self._client.get(address)
            if answer.status_code == 200:
                answer = self._client.post(address, data=dict(sent))
            assert answer.is_redirect, answer.text
            address = urljoin(address, answer.headers["location"])
            if address.startswith(HERE):
                parts = urlsplit(address)
                return f"{parts.path}?{parts.query}"
        raise AssertionError(f"the provider goes round in circles: {address}")
