"""The message that follows an act is shown once, on the page that the act leads to."""

from typing import Any

from meetings_server.web.pages import FLASH_COOKIE


def test_a_message_is_shown_once(client: Any) -> None:
    client.cookies.set(FLASH_COOKIE, "logged_out", domain="testserver.local", path="/")
    assert "Đã đăng xuất." in client.get("/login").text
    assert "Đã đăng xuất." not in client.get("/login").text


def test_a_cookie_carries_no_text_of_its_own(client: Any) -> None:
    client.cookies.set(FLASH_COOKIE, "<b>evil</b>", domain="testserver.local", path="/")
    assert "evil" not in client.get("/login").text
