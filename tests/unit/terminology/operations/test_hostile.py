"""Whatever is posted is answered or refused, never a crash: resources among the parameters are not validated before."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminology import operations
from terminology.compose import MOST_PASSED_OVER
from terminology.errors import TerminologyError
from terminology.operations import closure, expand
from terminology.operations.closure import ClosureTable
from terminology.service import TerminologyService
from tests.unit.terminology.operations.reading import NOW, parameters

NAMES = st.sampled_from(
    ("url", "code", "system", "coding", "codeableConcept", "valueSet", "codeSystem", "conceptMap", "filter", "concept")
) | st.sampled_from(
    ("count", "offset", "name", "version", "codeA", "codeB", "codingA", "dependency", "property", "reverse", "target")
)
KEYS = st.sampled_from(("code", "system", "display", "value", "property", "coding", "concept", "filter", "group"))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["ValueSet", "CodeSystem", "ConceptMap", "is-a", "regex", "concept", "male", "th", "other-map"])
    | st.sampled_from(["http://hl7.org/fhir/administrative-gender", "http://hl7.org/fhir/ValueSet/marital-status"])
    | st.text(max_size=5)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=15
)
RESOURCES = st.builds(
    lambda kind, rest: {**rest, "resourceType": kind},
    st.sampled_from(["ValueSet", "CodeSystem", "ConceptMap"]),
    st.dictionaries(KEYS, VALUES, max_size=6),
)
ROWS = st.builds(
    lambda name, key, value, resource: (
        {"name": name, "resource": resource} if key == "resource" else {"name": name, key: value}
    ),
    NAMES,
    st.sampled_from(["resource", "valueString", "valueCode", "valueCoding", "valueCodeableConcept", "part"]),
    VALUES,
    RESOURCES,
)


@pytest.mark.parametrize(
    "operation",
    [
        lambda s, p: operations.expand(s, p, now=NOW),
        operations.validate_code_in_value_set,
        operations.validate_code_in_system,
        operations.lookup,
        operations.subsumes,
        operations.translate,
        lambda s, p: closure(s, p, ClosureTable("n"), now=NOW),
    ],
    ids=["expand", "validate-code-vs", "validate-code-cs", "lookup", "subsumes", "translate", "closure"],
)
@settings(max_examples=40)
@given(rows=st.lists(ROWS, max_size=4))
def test_any_parameters_are_answered_or_refused(official: TerminologyService, operation: Any, rows: list[Any]) -> None:
    with contextlib.suppress(TerminologyError):
        answer = operation(official, {"resourceType": "Parameters", "parameter": rows})
        assert answer


SYSTEM = "http://example.org/cs"
CODES: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "url": SYSTEM,
    "content": "complete",
    "caseSensitive": True,
    "property": [{"code": "p", "type": "string"}],
    "concept": [
        {
            "code": "a",
            "display": "A",
            "designation": [{"language": "th", "use": {"system": "s", "code": "c"}, "value": "ก"}],
            "property": [{"code": "p", "valueString": "x"}, {"code": "parent", "valueCode": "b"}],
            "concept": [{"code": "b"}],
        }
    ],
}
SET: dict[str, Any] = {
    "resourceType": "ValueSet",
    "url": "http://example.org/vs",
    "compose": {
        "inactive": False,
        "include": [
            {
                "system": "http://hl7.org/fhir/administrative-gender",
                "concept": [{"code": "male", "display": "M", "designation": [{"language": "th", "value": "ชาย"}]}],
            },
            {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActClass",
                "filter": [{"property": "concept", "op": "is-a", "value": "OBS"}],
                "valueSet": ["http://terminology.hl7.org/ValueSet/v3-ActClass"],
            },
        ],
        "exclude": [{"valueSet": ["http://hl7.org/fhir/ValueSet/marital-status"]}],
    },
}
EXPANDED = {
    "resourceType": "ValueSet",
    "expansion": {"contains": [{"system": SYSTEM, "code": "a", "contains": [{"code": "b"}]}]},
}
MAP: dict[str, Any] = {
    "resourceType": "ConceptMap",
    "url": "http://example.org/map",
    "sourceUri": "http://example.org/vs",
    "group": [
        {
            "source": SYSTEM,
            "target": "http://example.org/to",
            "element": [
                {
                    "code": "a",
                    "target": [
                        {
                            "code": "x",
                            "equivalence": "equal",
                            "dependsOn": [{"property": "p", "value": "v"}],
                            "product": [{"property": "p", "value": "v"}],
                        }
                    ],
                }
            ],
            "unmapped": {"mode": "fixed", "code": "o"},
        }
    ],
}


def spoiled(value: Any, choose: Any) -> Any:
    """The value with one element, anywhere, made something else."""
    if isinstance(value, dict) and value and choose(st.integers(0, 5)):
        key = choose(st.sampled_from(sorted(value)))
        return {**value, key: spoiled(value[key], choose)}
    if isinstance(value, list) and value and choose(st.integers(0, 5)):
        place = choose(st.integers(0, len(value) - 1))
        return [*value[:place], spoiled(value[place], choose), *value[place + 1 :]]
    return choose(VALUES)


@settings(max_examples=200)
@given(st.data())
def test_a_spoiled_resource_is_answered_or_refused(official: TerminologyService, data: st.DataObject) -> None:
    code = [{"name": "code", "valueCode": "a"}, {"name": "system", "valueUri": SYSTEM}]
    uses: list[tuple[str, dict[str, Any], Any]] = [
        ("valueSet", SET, lambda p: expand(official, p, now=NOW)),
        ("valueSet", EXPANDED, lambda p: expand(official, p, now=NOW)),
        ("valueSet", SET, lambda p: operations.validate_code_in_value_set(official, with_code(p, code))),
        ("codeSystem", CODES, lambda p: operations.validate_code_in_system(official, with_code(p, code[:1]))),
        ("conceptMap", MAP, lambda p: operations.translate(official, with_code(p, code))),
    ]
    name, resource, use = data.draw(st.sampled_from(uses))
    changed = spoiled(resource, data.draw)
    changed = changed if isinstance(changed, dict) else {"compose": changed, "group": changed, "concept": changed}
    row = {"name": name, "resource": {**changed, "resourceType": resource["resourceType"]}}
    with contextlib.suppress(TerminologyError):
        assert use(parameters(row))


def with_code(resource: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {**resource, "parameter": [*resource["parameter"], *rows]}


@pytest.mark.parametrize("body", [{}, {"resourceType": "Patient"}, {"resourceType": "Parameters", "parameter": "x"}])
def test_bodies_that_are_no_parameters(official: TerminologyService, body: dict[str, Any]) -> None:
    with pytest.raises(TerminologyError) as error:
        expand(official, body, now=NOW)
    assert error.value.kind == "invalid"


def test_a_filter_that_looks_at_too_many_codes_is_too_costly() -> None:
    service = TerminologyService()
    codes = [{"code": f"a{number}"} for number in range(MOST_PASSED_OVER + 2)]
    service.add({"resourceType": "CodeSystem", "url": "http://example.org/many", "concept": codes})
    none = [{"property": "code", "op": "regex", "value": "b.*"}]
    resource = {
        "resourceType": "ValueSet",
        "compose": {"include": [{"system": "http://example.org/many", "filter": none}]},
    }
    with pytest.raises(TerminologyError) as error:
        expand(service, parameters({"name": "valueSet", "resource": resource}, count="10"), now=NOW)
    assert error.value.kind == "too-costly"
