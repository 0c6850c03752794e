"""What is written with diacritics is found without them, and shown where it stands."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.folding import fold, folded_pattern, folded_words, marked

VIETNAMESE = st.text("aàáảãạăằắẳẵặâầấẩẫậđeèéẻẽẹêềếểễệ ĐÔÔỐỒ ươƯƠ xyz-01")


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Quận Đống Đa", "quan dong da"),
        ("họp giao ban", "hop giao ban"),
        ("Phường Ô Chợ Dừa", "o cho dua"),
        ("Sở  Nội\u00a0vụ", "so noi vu"),
        ("HUYỆN ỨNG HÒA", "ung hoa"),
        ("Thị xã Sơn Tây", "Sơn tây"),
    ],
)
def test_text_is_found_without_diacritics(written: str, typed: str) -> None:
    assert fold(typed) in fold(written)


@given(st.text())
def test_both_forms_of_unicode_fold_alike(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@given(VIETNAMESE)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_signs_of_a_pattern_stand_for_themselves() -> None:
    assert folded_pattern("50%_a\\b") == "%50\\%\\_a\\\\b%"


def test_each_word_is_looked_for() -> None:
    assert folded_words("  Đống   Đa ") == ["%dong%", "%da%"]
    assert folded_words(" \t ") == []


def test_what_was_found_is_marked_with_its_diacritics() -> None:
    assert marked("Quận Đống Đa", "dong da") == [("Quận ", False), ("Đống Đa", True)]


def test_words_apart_are_marked_each() -> None:
    assert marked("Văn phòng Ủy ban", "ban van") == [
        ("Văn", True),
        (" phòng Ủy ", False),
        ("ban", True),
    ]


def test_a_combining_mark_stays_with_its_letter() -> None:
    decomposed = unicodedata.normalize("NFD", "Đống")
    assert marked(decomposed, "don") == [(decomposed[:-1], True), ("g", False)]


@given(st.text(), st.text())
def test_the_pieces_together_are_the_text(text: str, query: str) -> None:
    assert "".join(piece for piece, _hit in marked(text, query)) == text


@given(st.text(min_size=1), st.data())
def test_a_part_of_a_text_is_marked_in_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    part = text[start : data.draw(st.integers(start + 1, len(text)))]
    whole = bool(fold(part)) and " " not in fold(part) and fold(part) in fold(text)
    if whole:
        assert any(hit for _piece, hit in marked(text, part))
