"""The regular expressions of filters: the same answers as `re.fullmatch` on what both understand, in linear time."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminology.errors import TerminologyError
from terminology.regex import Regex, compiled

ATOMS = st.sampled_from(["a", "b", "c", "[ab]", "[^a]", ".", r"\d", r"\w", "1", "(ab|c)", "(?:a|)", "[a-c1-3]"])
QUANTIFIERS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,}", "{0,2}"])
PATTERNS = st.recursive(
    st.lists(st.tuples(ATOMS, QUANTIFIERS).map("".join), max_size=4).map("".join),
    lambda inner: st.tuples(inner, inner, QUANTIFIERS).map(lambda t: f"(?:{t[0]}|{t[1]}){t[2]}"),
    max_leaves=4,
)


@given(PATTERNS, st.text("abc1x", max_size=8))
def test_it_agrees_with_re(pattern: str, text: str) -> None:
    assert Regex(pattern).matches(text) == (re.fullmatch(pattern, text, re.DOTALL) is not None)


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_as_pattern_matches_or_is_refused(pattern: str, text: str) -> None:
    with contextlib.suppress(TerminologyError):
        assert Regex(pattern).matches(text) in (True, False)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("[A-Z]{3}", "THA", True),
        ("[A-Z]{3}", "THAI", False),
        ("^[0-9]{2}$", "10", True),
        (r"A0[0-9]\.\d", "A00.1", True),
        (r"a\$", "a$", True),
        ("[]a]", "]", True),
        (r"[\d-]+", "1-2", True),
        ("ก|ข", "ข", True),
        ("", "", True),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert compiled(pattern).matches(text) is expected


@pytest.mark.parametrize("pattern", ["(", ")", "a)", "[a", "*", "a**", "a{2", "a{3,1}", "(?=a)", r"\1", r"\q", "[b-a]"])
def test_what_is_not_understood_is_refused(pattern: str) -> None:
    with pytest.raises(TerminologyError) as error:
        Regex(pattern)
    assert error.value.kind == "processing"


@pytest.mark.parametrize("pattern", ["a{9999}", "((a{99}){99}){99}", "a" * 501])
def test_what_would_be_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(TerminologyError) as error:
        Regex(pattern)
    assert error.value.kind == "too-costly"


def test_a_pattern_that_backtracks_for_ever_elsewhere_answers() -> None:
    assert Regex("(a*)*(a*)*(a|a)*b").matches("a" * 2000) is False
