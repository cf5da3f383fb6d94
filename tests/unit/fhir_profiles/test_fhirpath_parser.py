"""The grammar of FHIRPath N1.   http://hl7.org/fhirpath/N1/#grammar"""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath import FhirPathError, compile_expression, parse
from fhir_profiles.fhirpath.lexer import MAX_LENGTH
from fhir_profiles.fhirpath.parser import MAX_DEPTH, depth
from fhir_profiles.fhirpath.syntax import (
    Binary,
    Call,
    Constant,
    Empty,
    Indexer,
    Literal,
    Member,
    Polarity,
    TypeOperation,
    Variable,
)

ONE, TWO, THREE = (Literal("Integer", value) for value in (1, 2, 3))

TREES = {
    "name.given": Member(Member(None, "name"), "given"),
    "name[0].given": Member(Indexer(Member(None, "name"), Literal("Integer", 0)), "given"),
    "a.b(1, $this)": Call(Member(None, "a"), "b", (ONE, Variable("this"))),
    "text.`div`": Member(Member(None, "text"), "div"),
    "expansion.contains": Member(Member(None, "expansion"), "contains"),
    "contains('a')": Call(None, "contains", (Literal("String", "a"),)),
    "{}": Empty(),
    "%resource": Constant("resource"),
    "%`vs-name`": Constant("vs-name"),
    "%'vs-name'": Constant("vs-name"),
    "true": Literal("Boolean", True),
    "1.50": Literal("Decimal", Decimal("1.50")),
    "4 'mg'": Literal("Quantity", Decimal(4), "mg"),
    "4 days": Literal("Quantity", Decimal(4), "day"),
    "@2015": Literal("Date", "2015"),
    "@2015-02T": Literal("DateTime", "2015-02T"),
    "@2015-02-04T14:34:28.123+07:00": Literal("DateTime", "2015-02-04T14:34:28.123+07:00"),
    "@T14:34": Literal("Time", "14:34"),
    "1 + 2 * 3": Binary("+", ONE, Binary("*", TWO, THREE)),
    "1 - 2 - 3": Binary("-", Binary("-", ONE, TWO), THREE),
    "-1.abs()": Polarity("-", Call(ONE, "abs", ())),
    "1 | 2 is Integer": Binary("|", ONE, TypeOperation("is", TWO, "Integer")),
    "1 = 2 | 3": Binary("=", ONE, Binary("|", TWO, THREE)),
    "1 > 2 = true": Binary("=", Binary(">", ONE, TWO), Literal("Boolean", True)),
    "1 in 2 and 3": Binary("and", Binary("in", ONE, TWO), THREE),
    "1 or 2 and 3": Binary("or", ONE, Binary("and", TWO, THREE)),
    "1 implies 2 or 3": Binary("implies", ONE, Binary("or", TWO, THREE)),
    "value as FHIR.Quantity": TypeOperation("as", Member(None, "value"), "FHIR.Quantity"),
    "value is System.`Quantity`": TypeOperation("is", Member(None, "value"), "System.Quantity"),
    "1 /* one */ + // two\n 2": Binary("+", ONE, TWO),
}


@pytest.mark.parametrize("text", TREES)
def test_the_tree_follows_the_precedence_of_operators(text: str) -> None:
    assert parse(text) == TREES[text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"'\'\"\`\\\/\f\r\n\t'", "'\"`\\/\f\r\n\t"),
        (r"'\u0e01'", "ก"),
        (r"'\p\3\u005'", "p3u005"),
        ("'ไทย'", "ไทย"),
    ],
)
def test_escapes_in_strings(text: str, value: str) -> None:
    assert parse(text) == Literal("String", value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "1 +",
            "(1",
            "1)",
            "a.",
            ".a",
            "a[1",
            "a(1,)",
            "'open",
            "`open",
            "/* open",
            "a b",
            "%",
            "$that",
            "a.$this",
        ),
        *("@", "@T14:34Z", "1 is 'x'", "and", "a and", "2147483649", "9" * 30, "#", "{1}", "a.1"),
    ],
)
def test_what_is_not_fhirpath_is_a_syntax_error(text: str) -> None:
    with pytest.raises(FhirPathError) as caught:
        parse(text)
    assert caught.value.phase == "syntax"


@pytest.mark.parametrize("text", ["@2015-13", "@2015-02-30", "@T25:00", "@0000", "@2015-02-04T24:00"])
def test_dates_that_do_not_exist_are_refused(definitions: Definitions, text: str) -> None:
    with pytest.raises(FhirPathError):
        compile_expression(text, definitions)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "-" * 5000 + "1",
        ".".join(["a"] * 5000),
        " and ".join(["true"] * 5000),
        "a" + "[0]" * 5000,
        "not(" * 5000 + ")" * 5000,
        "a" * (MAX_LENGTH + 1),
    ],
    ids=["parentheses", "signs", "path", "operators", "indexes", "calls", "length"],
)
def test_what_is_too_deep_or_long_is_refused(text: str) -> None:
    with pytest.raises(FhirPathError):
        parse(text)


def test_depth_at_the_limit_is_accepted(definitions: Definitions) -> None:
    text = " or ".join(["active"] * (MAX_DEPTH - 1))
    assert depth(parse(text)) == MAX_DEPTH - 1
    assert compile_expression(text, definitions, "Patient").truth({"resourceType": "Patient", "active": True}) is True


PIECES = st.sampled_from(
    [
        *(
            "name",
            "given",
            "Patient",
            "`div`",
            ".",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            "'a'",
            "1",
            "1.5",
            "@2015",
            "@T10",
        ),
        *("+", "-", "*", "/", "div", "mod", "&", "|", "=", "!=", "~", "!~", "<", ">=", "in", "contains", "and", "or"),
        *(
            "xor",
            "implies",
            "is",
            "as",
            "$this",
            "$index",
            "$total",
            "%resource",
            "true",
            "'mg'",
            "days",
            "where(",
            "()",
        ),
        *("exists()", "first()", "iif(", "resolve()", "ofType(", "Quantity", "matches(", "toInteger()", "//x\n", " "),
    ]
)


@given(
    st.one_of(
        st.text(max_size=80), st.lists(PIECES, max_size=25).map(" ".join), st.lists(PIECES, max_size=25).map("".join)
    )
)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(FhirPathError):
        parse(text)


PATIENT = {
    "resourceType": "Patient",
    "active": True,
    "name": [{"given": ["ก", None, "b"], "_given": [None, {"id": "x"}, None], "family": "f"}],
    "birthDate": "1970-03-30",
}


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_any_expression_gives_a_list_or_a_fhirpath_error(definitions: Definitions, text: str) -> None:
    try:
        found = compile_expression(text, definitions, "Patient").evaluate(PATIENT)
    except FhirPathError:
        return
    assert isinstance(found, list)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["given", "_given", "use", "x"]), inner)
    ),
    max_leaves=8,
)
EXPRESSIONS = [
    "name.given",
    "name.where(use = 'official').given.first()",
    "name.exists() and birthDate < today()",
    "descendants().count()",
    "name.given | name.family",
    "deceased is boolean or deceased.exists()",
    "contact.name.given.upper()",
    "generalPractitioner.where(resolve() is Practitioner)",
    "name.distinct().count() = name.count()",
    "identifier.period.start <= identifier.period.end",
    "multipleBirth + 1",
    "name.repeat(extension).url",
]


@given(
    st.dictionaries(
        st.sampled_from(
            *[["name", "_name", "birthDate", "_birthDate", "deceasedBoolean", "contact", "generalPractitioner"]],
        )
        | st.sampled_from(["identifier", "multipleBirthInteger", "contained", "extension", "active", "id"]),
        JSON,
    ),
    st.sampled_from(EXPRESSIONS),
)
def test_misshapen_resources_give_a_list_or_a_fhirpath_error(
    definitions: Definitions, members: dict[str, object], text: str
) -> None:
    try:
        found = compile_expression(text, definitions, "Patient").evaluate({"resourceType": "Patient", **members})
    except FhirPathError:
        return
    assert isinstance(found, list)
