r"""Names and values as written.   https://hl7.org/fhir/R4/search.html#escaping"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadRequest
from server.search.parse import Hop, Leaf, Limits, Name, Reverse, parse, parse_name, shown
from server.search.types.written import Unreadable, escape, split, unescape

LIMITS = Limits()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("gender", Leaf("gender")),
        ("_id", Leaf("_id")),
        ("name:exact", Leaf("name", "exact")),
        ("subject:Patient", Leaf("subject", "Patient")),
        ("identifier:of-type", Leaf("identifier", "of-type")),
        ("subject.name", Hop("subject", None, Leaf("name"))),
        ("subject:Patient.name:exact", Hop("subject", "Patient", Leaf("name", "exact"))),
        (
            "patient.organization:Organization.partof.name",
            Hop("patient", None, Hop("organization", "Organization", Hop("partof", None, Leaf("name")))),
        ),
        ("_has:Observation:patient:code", Reverse("Observation", "patient", Leaf("code"))),
        ("_has:Observation:patient:code:in", Reverse("Observation", "patient", Leaf("code", "in"))),
        (
            "_has:Observation:patient:_has:AuditEvent:entity:user",
            Reverse("Observation", "patient", Reverse("AuditEvent", "entity", Leaf("user"))),
        ),
        (
            "_has:Observation:patient:encounter.class",
            Reverse("Observation", "patient", Hop("encounter", None, Leaf("class"))),
        ),
        ("subject:Patient._has:Group:member:_id", Hop("subject", "Patient", Reverse("Group", "member", Leaf("_id")))),
    ],
)
def test_a_name(written: str, name: Name) -> None:
    assert parse_name(written, LIMITS) == name


@pytest.mark.parametrize(
    "written",
    [":", "a:", "a.", ".a", "a..b", "a:b:c", "1a", "a b", "$where", "_has", "_has:", "_has:Observation", "_has:A:b",
     "a:1", "_has:Observation:patient:", "x" * 65, ".".join("a" * 12), "นาม"],
)  # fmt: skip
def test_what_is_no_name_is_refused_with_the_name_quoted(written: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_name(written, LIMITS)
    assert str(caught.value).startswith(shown(written))


def test_a_parameter_without_a_name_is_refused_without_an_empty_expression() -> None:
    """https://hl7.org/fhir/R4/datatypes.html#string: a string has at least one character."""
    with pytest.raises(BadRequest) as caught:
        parse_name("", LIMITS)
    assert [(issue.diagnostics, issue.expression) for issue in caught.value.issues] == [
        ("a parameter has no name", None)
    ]


def test_a_repeated_parameter_is_an_and_and_commas_are_an_or() -> None:
    found = parse([("language", "FR,NL"), ("language", "EN")], LIMITS)
    assert [each.alternatives for each in found] == [("FR", "NL"), ("EN",)]


def test_an_escaped_comma_separates_nothing() -> None:
    (found,) = parse([("code", r"a\,b,c\\,d")], LIMITS)
    assert found.alternatives == (r"a\,b", r"c\\", "d")
    assert [unescape(each) for each in found.alternatives] == ["a,b", "c\\", "d"]


@pytest.mark.parametrize(
    ("written", "text"),
    [(r"xx\$xx", "xx$xx"), (r"xx\\xx", r"xx\xx"), (r"a\|b\,c", "a|b,c"), ("plain", "plain"), ("", "")],
)
def test_escapes(written: str, text: str) -> None:
    assert unescape(written) == text


@pytest.mark.parametrize("written", [r"xx\xx", "\\", r"a\\\b"])
def test_a_backslash_that_escapes_nothing_is_illegal(written: str) -> None:
    with pytest.raises(Unreadable):
        unescape(written)


@given(st.text(max_size=40))
def test_escaping_is_undone_and_hides_every_separator(text: str) -> None:
    assert unescape(escape(text)) == text
    for separator in ",|$":
        assert split(escape(text), separator) == [escape(text)]


@given(st.lists(st.text(max_size=10), min_size=1, max_size=5), st.sampled_from(",|$"))
def test_parts_that_are_joined_are_split_again(parts: list[str], separator: str) -> None:
    assert [unescape(each) for each in split(separator.join(map(escape, parts)), separator)] == parts


@given(st.text(max_size=40), st.sampled_from(",|$"))
def test_no_character_is_lost_by_splitting(text: str, separator: str) -> None:
    assert separator.join(split(text, separator)) == text


@pytest.mark.parametrize(
    ("pairs", "limits"),
    [
        ([("a", "1")] * 3, Limits(parameters=2)),
        ([("a", "1,2,3")], Limits(alternatives=2)),
        ([("a", "12345")], Limits(value_length=4)),
        ([("a.b.c.d", "1")], Limits(depth=2)),
    ],
)
def test_limits_are_named(pairs: list[tuple[str, str]], limits: Limits) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(pairs, limits)
    assert caught.value.issues[0].code == "too-long"


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_read_or_a_bad_request(name: str, value: str) -> None:
    try:
        parse([(name, value)], LIMITS)
    except BadRequest:
        return
