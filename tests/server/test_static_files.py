"""Static files: vendored ones are kept for good, ours are asked about, nothing else is reached."""

from typing import Any

import pytest


def test_a_vendored_file_never_changes(client: Any) -> None:
    answer = client.get("/static/vendor/tabler-1.6.1/tabler.min.css")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers


def test_our_own_file_is_sent_again_only_when_it_has_changed(client: Any) -> None:
    first = client.get("/static/css/app.css")
    assert first.headers["cache-control"].startswith("max-age=0")
    again = client.get("/static/css/app.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/static/nix", "/static/%2e%2e/pyproject.toml", "/static/"])
def test_nothing_outside_the_folder_is_reached(client: Any, path: str) -> None:
    assert client.get(path).status_code == 404
