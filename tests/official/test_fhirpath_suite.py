"""The official FHIRPath suite for R4 (HL7's fhir-test-cases, r4/fhirpath/tests-fhir-r4.xml), one test per case.

Everything runs strictly, so that cases with `invalid="semantic"` are refused before there is data. A case whose
expectation contradicts the specification is in `HELD_WRONG` with the clause; it is run too, and must differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath import Environment, FhirPathError, compile_expression
from fhir_profiles.fhirpath.types import SYSTEM
from fhir_profiles.fhirpath.values import boolean, text_of
from fhir_profiles.json_reading import read_json
from fhir_profiles.xml_reading import read_xml

FOLDER = Path(__file__).parent / "fhir-test-cases" / "r4"

SUBTYPES = (
    "N1 5.2.4 and 6.3.3: ofType() and as give items of the type `or a subclass thereof`; code specialises string, "
    "as testFHIRPathIsFunction2 of this suite says"
)
OUTWARDS = (
    "http://hl7.org/fhirpath/#highboundaryprecision-integer-decimal--date--datetime--time: the boundary is the least "
    "or greatest possible value of the input, so it cannot lie inside of the value"
)
WHOLE_HOUR = (
    "http://hl7.org/fhirpath/#highboundaryprecision-integer-decimal--date--datetime--time: its own example gives "
    "@2014-01-01T08:59:59.999 for @2014-01-01T08.highBoundary(17)"
)
HELD_WRONG: dict[str, str] = {
    "testFHIRPathAsFunction11": SUBTYPES,
    "testFHIRPathAsFunction16": SUBTYPES,
    "testPlusDate19": "N1 6.7: the decimal portion is ignored `for precisions above seconds` only; 0.1 's' is added",
    "LowBoundaryDecimal15": OUTWARDS,
    "HighBoundaryDecimal15": OUTWARDS,
    "HighBoundaryDecimal16": OUTWARDS,
    "HighBoundaryDateTimeMillisecond1": WHOLE_HOUR,
    "HighBoundaryDateTimeMillisecond3": WHOLE_HOUR,
}
"""Name of the case -> the clause that it contradicts."""

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone(timedelta(hours=7)))


class Case(NamedTuple):
    name: str
    expression: str
    input_file: str | None
    outputs: tuple[tuple[str | None, str], ...]
    """(type, text) of each expected item."""
    invalid: bool
    predicate: bool
    """The result is asked for as a Boolean: not empty is true."""
    ordered: bool


def cases() -> Iterator[Case]:
    for test in ElementTree.parse(FOLDER / "fhirpath" / "tests-fhir-r4.xml").getroot().iter("test"):
        expression = test.find("expression")
        assert expression is not None
        yield Case(
            test.get("name", ""),
            expression.text or "",
            test.get("inputfile"),
            tuple((each.get("type"), each.text or "") for each in test.findall("output")),
            expression.get("invalid") is not None,
            test.get("predicate") == "true",
            test.get("ordered") != "false",
        )


CASES = list(cases())
INPUTS: dict[str, dict[str, Any]] = {}


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return Definitions()


def load(name: str, definitions: Definitions) -> dict[str, Any]:
    if name not in INPUTS:
        data = (FOLDER / name).read_bytes()
        INPUTS[name] = read_json(data) if name.endswith(".json") else read_xml(data, definitions)
    return INPUTS[name]


def environment(resource: dict[str, Any]) -> Environment:
    known = {f"http://hl7.org/fhir/StructureDefinition/{name}": name for name in ("Patient", "Person")}

    def conforms_to(value: Any, profile: str) -> bool | None:
        return value.get("resourceType") == known[profile] if profile in known else None

    return Environment(resource, resource, now=NOW, conforms_to=conforms_to)


def shown(node: Any) -> tuple[str, str]:
    """Type and text of an item in the notation of the suite."""
    fhir_type = node[1]
    kind = SYSTEM.get(fhir_type)
    at = {"Date": "@", "DateTime": "@", "Time": "@T"}.get(kind or "", "")
    name = fhir_type.removeprefix("System.")
    plain = name[0].lower() + name[1:] if name != fhir_type and name != "Quantity" else name
    return plain, at + (text_of(node) or "")


def check(case: Case, definitions: Definitions) -> None:
    """Fails unless the expression gives what the case expects."""
    resource = load(case.input_file, definitions) if case.input_file else {"resourceType": "Patient"}
    if case.invalid:
        with pytest.raises(FhirPathError):
            run(case, resource, definitions)
        return
    found = run(case, resource, definitions)
    if case.predicate:
        assert [("boolean", str(bool(boolean(found))).lower())] == list(case.outputs)
        return
    actual = [shown(node) for node in found]
    assert len(actual) == len(case.outputs), actual
    wanted = list(case.outputs)
    if not case.ordered:
        actual, wanted = sorted(actual, key=lambda each: each[1]), sorted(wanted, key=lambda each: each[1])
    for (actual_type, actual_text), (wanted_type, wanted_text) in zip(actual, wanted, strict=True):
        assert wanted_type is None or actual_type == wanted_type
        assert actual_text == wanted_text or same_number(actual_text, wanted_text, wanted_type)


def same_number(actual: str, wanted: str, wanted_type: str | None) -> bool:
    """`output` of the type decimal is compared by value: the suite writes 1 for 1.0. Others show their digits."""
    return wanted_type == "decimal" and Decimal(actual) == Decimal(wanted)


def run(case: Case, resource: dict[str, Any], definitions: Definitions) -> Any:
    expression = compile_expression(case.expression, definitions, resource["resourceType"], strict=True)
    return expression.items(resource, environment(resource))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, definitions: Definitions) -> None:
    if case.name in HELD_WRONG:
        with pytest.raises((AssertionError, FhirPathError, pytest.fail.Exception)):
            check(case, definitions)
    else:
        check(case, definitions)


def test_the_suite_is_whole() -> None:
    assert len(CASES) == 935
    assert len(HELD_WRONG) == 8
    assert set(HELD_WRONG) <= {case.name for case in CASES}


@pytest.mark.parametrize(
    "wrong",
    [
        Case("value", "1 + 1", None, (("integer", "3"),), invalid=False, predicate=False, ordered=True),
        Case("type", "1 + 1", None, (("decimal", "2"),), invalid=False, predicate=False, ordered=True),
        Case("count", "1 + 1", None, (), invalid=False, predicate=False, ordered=True),
        Case("valid", "1 + 1", None, (), invalid=True, predicate=False, ordered=True),
        Case("invalid", "1 +", None, (("integer", "1"),), invalid=False, predicate=False, ordered=True),
        Case("predicate", "{}", None, (("boolean", "true"),), invalid=False, predicate=True, ordered=True),
        Case(
            "order", "1 | 2", None, (("integer", "2"), ("integer", "1")), invalid=False, predicate=False, ordered=True
        ),
    ],
    ids=lambda case: case.name,
)
def test_a_wrong_expectation_fails(wrong: Case, definitions: Definitions) -> None:
    with pytest.raises((AssertionError, FhirPathError, pytest.fail.Exception)):
        check(wrong, definitions)
