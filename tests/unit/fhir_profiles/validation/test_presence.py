"""What the names of the members tell of a rule is what its evaluation says, of every rule of FHIR R4 and our profiles.

https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_profiles.definitions import Constraint, Definitions
from fhir_profiles.fhirpath import Environment
from fhir_profiles.thai import ThaiProfiles, add_to
from fhir_profiles.thai.differential import profile_url
from fhir_profiles.validation.invariants import predicate
from fhir_profiles.validation.presence import holds_by_names

DEFINITIONS = add_to(Definitions())


class Case(NamedTuple):
    node: str
    constraint: Constraint


def cases() -> Iterator[Case]:
    """Every rule, with the type or backbone element of the objects it is asked of."""
    sources = [name for name, kind in DEFINITIONS.type_kinds.items() if kind in ("resource", "complex-type")]
    for source in [*sources, *map(profile_url, ThaiProfiles().sources)]:
        for element in DEFINITIONS.structure(source).elements:
            for node in {element.path, *(each.code for each in element.types)}:
                if DEFINITIONS.type_kinds.get(node, "resource") == "primitive-type" or node.startswith("http"):
                    continue
                for each in element.constraints:
                    if each.expression:
                        yield Case(node, each)


def has_members(case: Case) -> bool:
    try:
        return bool(DEFINITIONS.properties(case.node))
    except KeyError:
        return False


CASES = sorted({each for each in cases() if has_members(each)}, key=lambda case: (case.node, case.constraint.key))
PRIMITIVES: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, 1],
    "positiveInt": [1, 2],
    "unsignedInt": [0, 2],
    "decimal": [0, 1],
    "date": ["2020-01-01", "2021"],
    "dateTime": ["2020-01-01", "2021"],
    "instant": ["2020-01-01T00:00:00Z"],
}


def value_of(draw: st.DrawFn, type_name: str) -> Any:
    if DEFINITIONS.is_primitive(type_name) or type_name.startswith("System."):
        return draw(st.sampled_from(PRIMITIVES.get(type_name, ["a", "#", "active"])))
    return draw(
        st.sampled_from([{"text": "a"}, {"id": "a"}, {"reference": "#"}, {"code": "a", "system": "a", "value": 1}])
    )


@st.composite
def objects(draw: st.DrawFn) -> tuple[Case, dict[str, Any]]:
    case = draw(st.sampled_from(CASES))
    properties = DEFINITIONS.properties(case.node)
    words = [name for name, each in properties.items() if each.element.name in (case.constraint.expression or "")]
    names = draw(st.lists(st.sampled_from(words or list(properties)), unique=True))
    made = {} if DEFINITIONS.type_kinds.get(case.node) != "resource" else {"resourceType": case.node}
    for name in names:
        value = value_of(draw, properties[name].type)
        made[name] = [value] * draw(st.integers(1, 2)) if properties[name].element.is_array else value
    return case, made


def told(case: Case, names: Any) -> bool:
    properties = DEFINITIONS.properties(case.node)
    present = {properties[name].element.name for name in names if name in properties}
    known = {each.element.name for each in properties.values()}
    return holds_by_names(case.constraint.expression or "", case.node, present, known)


@settings(max_examples=2000)
@given(objects())
def test_a_rule_that_the_names_settle_holds(drawn: tuple[Case, dict[str, Any]]) -> None:
    case, made = drawn
    if told(case, made):
        assert predicate(case.constraint, DEFINITIONS, case.node)(made, Environment(resource=made, root=made))


def test_many_rules_are_settled_by_names() -> None:
    """Most, for an object without members."""
    assert len(CASES) > 1000
    assert sum(told(each, ()) for each in CASES) > len(CASES) / 2


KNOWN = {"a", "b", "c", "value"}


@pytest.mark.parametrize(
    ("expression", "present", "expected"),
    [
        ("a.exists()", "a", True),
        ("a.exists()", "", False),
        ("a.exists() or b.exists()", "b", True),
        ("a.exists() and b.exists()", "b", False),
        ("a.empty() or b.c.where(x = %resource.y).empty()", "a", True),
        ("a.empty() or b.c.where(x = %resource.y).empty()", "ab", False),
        ("a.exists() implies b.exists()", "", True),
        ("a.exists() implies b.exists()", "a", False),
        ("a.exists() implies b.exists()", "ab", True),
        ("a.exists() = b.exists()", "", True),
        ("a.exists() = b.exists()", "b", False),
        ("a.exists() xor b.exists()", "b", True),
        ("a.exists() xor b.exists()", "ab", False),
        ("a.exists().not()", "a", False),
        ("a.exists().not()", "b", True),
        ("a.hasValue().not() or b.hasValue().not() or (a <= b)", "a", True),
        ("a.hasValue().not() or b.hasValue().not() or (a <= b)", "ab", False),
        ("a >= 0", "b", True),
        ("a >= 0", "a", False),
        ("(a | b).exists()", "", False),
        ("(a | b).empty()", "", True),
        ("a.all(b = 1)", "", True),
        ("a.all(b = 1)", "a", False),
        ("a.where(x = 1).exists()", "a", False),
        ("a.exists(x = 1)", "a", False),
        ("a.exists(x = 1).not()", "b", True),
        ("T.a.exists() implies T.b = 1", "b", True),
        ("T.a.exists()", "a", True),
        ("U.a.exists()", "a", False),
        ("unknown.empty()", "", False),
        ("$this.a.exists()", "a", True),
        ("true", "", True),
        ("false", "", False),
        ("{}", "", True),
        ("iif(a.exists(), b.exists(), true)", "", False),
        ("a.count() = 0", "", False),
        ("%resource.a.exists()", "a", False),
    ],
)
def test_what_names_tell(expression: str, present: str, expected: bool) -> None:
    assert holds_by_names(expression, "T", set(present), KNOWN) is expected
