"""What a password must be, and what it need not be."""

import unicodedata

import pytest

from meetings_server.database import Database
from meetings_server.identity.password_rules import (
    LONGEST,
    SHORTEST_ALONE,
    SHORTEST_WITH_SECOND_FACTOR,
    require_sound,
)
from meetings_server.identity.passwords import (
    Credential,
    LoginRefused,
    check_password,
    invent_password,
    set_password,
)
from rooms.kernel import FieldInvalid, utcnow
from tests.factories import City

WORDS = ("thuky", "Nguyễn Thu Hà", "Phường Văn Miếu", "Hà", "00181")


@pytest.mark.parametrize(
    "password",
    [
        "con mèo ngồi trên mái",  # blanks and any letters
        "correcthorsebattery",
        "会議室の予約は三日前までにお願いします",
        "🦆🦆🐸🐢🦉🐝🌧️☂️🍜🥢🚲🏛️🎵🧮🪁",
        "thuky va mot con cho vang",  # a word of the context among others
        "mưa rơi trên hồ tây " * 12,
    ],
)
def test_long_ones_of_any_kind_are_taken(password: str) -> None:
    require_sound(password, WORDS, SHORTEST_ALONE)


def test_an_invented_one_is_sound() -> None:
    require_sound(invent_password(), WORDS, SHORTEST_ALONE)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("", "too_short"),
        ("mưa rơi hồ tây", "too_short"),
        ("x" * (LONGEST + 1), "too_long"),
        ("aaaaaaaaaaaaaaaa", "too_simple"),
        ("abcabcabcabcabcabc", "too_simple"),
        ("123456789012345", "too_simple"),
        ("098765432109876", "too_simple"),
        ("qwertyuiopasdfgh", "too_simple"),
        ("................", "too_simple"),
        ("Mật khẩu của tôi", "too_common"),
        ("Matkhau-2026-2026", "too_common"),
        ("passwordpassword", "too_common"),
        ("Ủy ban nhân dân phường", "too_common"),
        ("NguyenThuHa-2026", "about_you"),
        ("nguyễn thu hà thuky", "about_you"),
        ("Phường Văn Miếu 00181", "about_you"),
        ("họp trực tuyến 2026", "about_you"),
    ],
)
def test_what_is_guessed_first_is_refused(password: str, problem: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        require_sound(password, WORDS, SHORTEST_ALONE)
    assert refused.value.problem == problem
    assert refused.value.field == "password"


def test_beside_a_second_factor_eight_are_enough() -> None:
    require_sound("hồ tây ơi", WORDS, SHORTEST_WITH_SECOND_FACTOR)
    for password in ("hồ tây!", "matkhau1", "11111111", "thukythuky"):
        with pytest.raises(FieldInvalid):
            require_sound(password, WORDS, SHORTEST_WITH_SECOND_FACTOR)


def test_letters_count_the_same_however_they_are_composed(db: Database, city: City) -> None:
    me = city.secretary.person_id
    composed = "Đường về Đống Đa"
    with db.transaction() as session:
        set_password(session, me, unicodedata.normalize("NFD", composed), utcnow())
        assert not session.get_one(Credential, me).short
    assert check_password(db, "thuky", composed).id == me
    with pytest.raises(LoginRefused):
        check_password(db, "thuky", composed.lower())
