"""`_filter`.   https://hl7.org/fhir/R4/search_filter.html"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadRequest
from server.search.engine import Search
from server.search.query import And, Chain, Criterion, Has, Ids, LastUpdated, Match, Missing, Not, Or

UCUM = "http://unitsofmeasure.org"


@pytest.fixture
def filtered(search: Search) -> Callable[..., Any]:
    def filtered(expression: str, kind: str = "Observation") -> Criterion:
        (found,) = search.compile(kind, [("_filter", expression)]).query.where
        return found

    return filtered


def described(criterion: Any) -> Any:
    """A criterion as nested lists of what matters."""
    match criterion:
        case Match():
            return f"{criterion.parameter.code}:{criterion.modifier}"
        case Missing():
            return f"{criterion.parameter.code}:missing={criterion.missing}"
        case Not():
            return ["not", described(criterion.criterion)]
        case And():
            return ["and", *map(described, criterion.criteria)]
        case Or():
            return ["or", *map(described, criterion.criteria)]
        case Chain():
            return [f"{criterion.parameter.code}->{criterion.target}", described(criterion.criterion)]
        case _:
            return type(criterion).__name__


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("status eq final", "status:"),
        ("status eq final and code eq http://loinc.org|1", ["and", "status:", "code:"]),
        ("status eq a or status eq b or status eq c", ["or", "status:", "status:", "status:"]),
        # From left to right, without precedence.
        ("status eq a or status eq b and code eq c", ["and", ["or", "status:", "status:"], "code:"]),
        ("status eq a or (status eq b and code eq c)", ["or", "status:", ["and", "status:", "code:"]]),
        ("not (status eq final)", ["not", "status:"]),
        ("not(status eq final) AND code pr true", ["and", ["not", "status:"], "code:missing=False"]),
        ("((status eq final))", "status:"),
        ("code pr false", "code:missing=True"),
        ("status ne final", "status:unequal"),
        ("code co gluc", "code:text"),
        ("value-string eq x", "value-string:equal"),
        ("value-string co x", "value-string:contains"),
        ("value-string sw x", "value-string:"),
        ("value-string ew x", "value-string:ends"),
        ("value-string ne x", "value-string:unequal"),
        ("subject re Patient/1", "subject:"),
        ("date po 2020-05", "date:"),
        ("status ni http://hl7.org/fhir/ValueSet/observation-status", ["not", "status:"]),
    ],
)
def test_an_expression(expression: str, expected: Any, filtered: Callable[..., Any]) -> None:
    assert described(filtered(expression)) == expected


@pytest.mark.parametrize("operator", ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])
def test_operators_of_ordered_parameters_are_the_prefixes(operator: str, filtered: Callable[..., Any]) -> None:
    assert filtered(f"date {operator} 2014-10-10").operands[0].prefix == operator
    assert filtered(f"value-quantity {operator} 5.4|{UCUM}|mg").operands[0].range.prefix == operator


def test_overlapping_periods_are_not_widened(filtered: Callable[..., Any]) -> None:
    (overlaps,) = filtered("date po 2020-05").operands
    (equals,) = filtered("date eq 2020-05").operands
    assert overlaps == equals._replace(prefix="ap")


def test_subsumption_reads_from_the_value(search: Search, filtered: Callable[..., Any]) -> None:
    act = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

    def plain(query: tuple[str, str]) -> Any:
        return search.compile("Encounter", [query]).query.where[0]

    assert filtered(f"class ss {act}|_ActEncounterCode", "Encounter") == plain(
        ("class:below", f"{act}|_ActEncounterCode")
    )
    assert filtered(f"class sb {act}|ACUTE", "Encounter") == plain(("class:above", f"{act}|ACUTE"))
    assert filtered("status in http://hl7.org/fhir/ValueSet/encounter-status", "Encounter") == plain(
        ("status:in", "http://hl7.org/fhir/ValueSet/encounter-status")
    )


def test_a_string_may_have_spaces_quotes_commas_and_parentheses(filtered: Callable[..., Any]) -> None:
    for text in ("pet er", 'a "b"', "a,b$c|d\\e", "(x) [y]", "ก้อน"):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        assert filtered(f'value-string co "{escaped}"').operands[0].exact == text


def test_the_example_of_the_specification(filtered: Callable[..., Any]) -> None:
    found = filtered('code eq http://loinc.org|1234-5 and subject.name co "peter"')
    code, name = found.criteria
    assert code.operands == (("http://loinc.org", "1234-5", False),)
    patient = next(part for part in name.criteria if isinstance(part, Chain) and part.target == "Patient")
    assert (patient.criterion.modifier, patient.criterion.operands[0].folded) == ("contains", "peter")


def test_a_filter_in_brackets_holds_for_the_same_resource(filtered: Callable[..., Any]) -> None:
    found = filtered("subject[gender eq male].name sw so")
    chains = [part for part in found.criteria if isinstance(part, Chain)]
    assert described(chains[0]) == ["subject->Patient", ["and", "gender:", "name:"]]
    deeper = filtered("encounter[status eq finished].service-provider[active eq true].name eq x")
    assert "Organization" in str(described(deeper))


def test_common_parameters_within_an_expression(filtered: Callable[..., Any]) -> None:
    assert filtered("_id eq a") == Ids(((None, "a"),))
    assert filtered("_id ne a") == Not(Ids(((None, "a"),)))
    assert isinstance(filtered("_lastUpdated gt 2020"), LastUpdated)
    assert isinstance(filtered("_list eq 42"), Has)
    assert filtered("_tag eq x").parameter.code == "_tag"


@pytest.mark.parametrize(
    "expression",
    [
        "status",
        "status eq",
        "status eq final and",
        "status is final",
        "status eq final status eq final",
        "(status eq final",
        "status eq final)",
        "not status eq final",
        "nonsense eq 1",
        "status gt final",
        "date co 2020",
        "date gt yesterday",
        "value-string gt x",
        'value-string eq "open',
        r'value-string eq "\q"',
        "status pr maybe",
        "status:not eq final",
        "subject[gender eq male]",
        "subject[gender eq male]name eq x",
        "subject[gender eq male].",
        "status[code eq x].name eq y",
        "subject[nonsense eq male].name eq x",
        "(" * 40 + "status eq final" + ")" * 40,
        " and ".join(["status eq a"] * 400),
        "[",
        "eq eq eq",
    ],
)
def test_what_is_no_expression_is_refused(expression: str, filtered: Callable[..., Any]) -> None:
    with pytest.raises(BadRequest):
        filtered(expression)


def test_values_are_never_quoted(filtered: Callable[..., Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        filtered("birthdate eq secret", "Patient")
    assert "secret" not in str(caught.value)


@given(st.text(alphabet='status eqnor()[]." ', max_size=60) | st.text(max_size=40))
def test_any_text_is_an_expression_or_a_bad_request(search: Search, text: str) -> None:
    try:
        search.compile("Observation", [("_filter", text)])
    except BadRequest:
        return


NAME = {"resourceType": "Patient", "name": [{"given": ["Eve"]}, {"given": ["Ann"]}]}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("given eq eve", True),
        ("given eq ev", False),
        ("given sw ev", True),
        ("given ew VE", True),
        ("given ne eve", True),
        ("given ne eve and given ne ann", True),
        ("not(given eq eve)", False),
        ("given co v", True),
        ("family pr false", True),
        ("family ne x", False),
    ],
)
def test_operators_are_evaluated_against_the_set_of_values(expression: str, expected: bool, matching: Any) -> None:
    assert matching(NAME, f"_filter={expression}") is expected
