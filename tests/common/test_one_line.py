"""Nothing that a message brought leaves its line or reaches a terminal as more than text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.one_line import one_line


@given(st.text(), st.integers(8, 60))
def test_it_is_one_bounded_line_that_encodes_and_prints(text: str, most: int) -> None:
    line = one_line(text, most)
    assert len(line) <= most
    assert len(line.splitlines()) <= 1
    line.encode()
    assert not any(unicodedata.category(letter).startswith("C") for letter in line)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe 3 µm, 漢字", "Größe 3 µm, 漢字"),
        ("a\nb\r\x1b[2Jc", "a\\nb\\r\\x1b[2Jc"),
        ("a\x85b\u2028c\u202ed", "a\\x85b\\u2028c\\u202ed"),
        ("\ud800", "\\ud800"),
        (17, "17"),
    ],
)
def test_what_prints_stays_and_the_rest_is_escaped(text: object, shown: str) -> None:
    assert one_line(text) == shown


def test_what_is_cut_says_so() -> None:
    assert one_line("x" * 21, 20) == "x" * 17 + "..."
    assert one_line("x" * 20, 20) == "x" * 20
    assert one_line("\n" * 20, 20) == "\\n" * 8 + "\\..."
