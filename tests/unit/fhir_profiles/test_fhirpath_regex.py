"""Regular expressions: the automaton agrees with `re`, and no text makes a pattern run for long."""

from __future__ import annotations

import re
from re import _parser as sre  # type: ignore[attr-defined]

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath import FhirPathError, regex
from fhir_profiles.fhirpath.automaton import Automaton, NotRegular

PATTERNS = [
    *("", "a", "a+b", "^a*$", "(a|b)*abb", "(a+)+b", "a{2,3}b?$", "^$", "[^a]b", r"\d+\s*", "(a|ab)(b|c)", "a.b"),
    *(
        "^(a|b)$",
        "x*",
        "(a*)*b",
        "a$|b",
        "a??b",
        "[a-c]{0,2}",
        r"\w+$",
        r"b\Z",
        r"\A\D\S\W?",
        "(?:ab)+",
        "a|",
        "[]a]",
        "[^\n]$",
    ),
]


@given(st.sampled_from(PATTERNS), st.text("ab1c \n_", max_size=8))
def test_the_automaton_agrees_with_re(pattern: str, text: str) -> None:
    automaton = Automaton(sre.parse(pattern, re.DOTALL))
    ready = re.compile(pattern, re.DOTALL)
    assert automaton.matches(text, whole=False) is (ready.search(text) is not None)
    assert automaton.matches(text, whole=True) is (ready.fullmatch(text) is not None)


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)b", r"\ba", "(?i)a", "(?i:a)", "a{3000}{3000}", "(?:a{200}){200}"])
def test_what_is_not_regular_or_too_large_is_left_to_re(pattern: str) -> None:
    with pytest.raises((NotRegular, re.error)):
        Automaton(sre.parse(pattern, re.DOTALL))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+b", "a" * 50_000),
        ("(a|a)*b", "a" * 50_000),
        ("^(.*a){1,20}$", "a" * 2_000 + "b"),
        (r"(\w+\s?)*!", "word " * 10_000),
        (".*.*.*.*=", "x" * 20_000),
        ("a*b", "a" * 100_000),
    ],
)
def test_patterns_that_explode_elsewhere_are_answered(pattern: str, text: str) -> None:
    # Each of these keeps a backtracking engine busy for minutes to centuries, so this test ends only if none is used.
    assert regex.search(pattern, text) is False
    assert regex.fullmatch(pattern, text) is False


@pytest.mark.parametrize("pattern", [r"(a+)+\1b", "(?=(a+)+b)a"])
def test_with_back_references_and_look_around_long_texts_are_refused(pattern: str) -> None:
    with pytest.raises(FhirPathError):
        regex.search(pattern, "a" * 40)


def test_replacing_refuses_what_could_explode() -> None:
    assert regex.replace("(a)b", "<$1>", "ab ab") == "<a> <a>"
    assert regex.replace("", "x", "abc") == "abc"
    assert regex.replace("a", r"\1", "a") == r"\1"
    with pytest.raises(FhirPathError):
        regex.replace("(a+)+b", "", "a" * 40)
    with pytest.raises(FhirPathError):
        regex.replace("a*b", "", "a" * 100_000)


@pytest.mark.parametrize("pattern", ["(", "[", "a{2", "*", "(?P<x", "a" * 10 + "(" * 5000])
def test_a_broken_pattern_is_a_fhirpath_error_or_matches(pattern: str) -> None:
    try:
        regex.search(pattern, "a")
    except FhirPathError as error:
        assert error.phase == "execution"  # noqa: PT017


def test_all_patterns_of_the_definitions_run_on_the_automaton(definitions: Definitions) -> None:
    found = set()
    for name in (*definitions.resource_types, *definitions.type_kinds):
        for element in definitions.structure(name).elements:
            for constraint in element.constraints:
                found |= set(re.findall(r"matches\('((?:[^'\\]|\\.)*)'\)", constraint.expression or ""))
    assert len(found) >= 3
    for pattern in found:
        assert regex.compiled(re.sub(r"\\(.)", r"\1", pattern)).automaton is not None
