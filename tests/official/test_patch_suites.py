"""The JSON Patch and FHIRPath Patch cases of HL7's fhir-test-cases (r4/patch).

`xml-patch-tests.xml` is not run: the server takes no XML Patch (RFC 5261), which FHIR leaves to the server.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath.values import deep_equal
from fhir_profiles.json_reading import copy_json, read_json
from fhir_profiles.patch import PatchError, fhirpath_patch, json_patch
from fhir_profiles.xml_reading import read_xml

CASES = Path(__file__).parent / "fhir-test-cases" / "r4" / "patch"
JSON_CASES: list[dict[str, Any]] = read_json(b'{"cases":' + (CASES / "json-patch-tests.json").read_bytes() + b"}")[
    "cases"
]
FHIR_CASES = list(ElementTree.parse(CASES / "fhir-patch-tests.xml").getroot().iter("case"))


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return Definitions()


def check(patched: Callable[[], Any], expected: Any | None) -> None:
    """Fails unless the patch gives the expected JSON, or a PatchError where none is expected."""
    if expected is None:
        with pytest.raises(PatchError):
            patched()
    else:
        assert deep_equal(patched(), expected)


@pytest.mark.parametrize("case", JSON_CASES, ids=lambda case: case["comment"])
def test_json_patch(case: dict[str, Any]) -> None:
    before = copy_json(case["doc"])
    check(lambda: json_patch(case["doc"], case["patch"]), case.get("expected"))
    assert deep_equal(before, case["doc"])


def resource(case: ElementTree.Element, name: str, definitions: Definitions) -> dict[str, Any] | None:
    holder = case.find(name)
    if holder is None:
        return None
    return read_xml(ElementTree.tostring(holder[0]), definitions)


@pytest.mark.parametrize("case", FHIR_CASES, ids=lambda case: case.get("name"))
def test_fhirpath_patch(case: ElementTree.Element, definitions: Definitions) -> None:
    before = resource(case, "input", definitions)
    parameters = resource(case, "diff", definitions)
    assert before is not None
    assert parameters is not None
    kept = copy_json(before)
    check(lambda: fhirpath_patch(before, parameters, definitions), resource(case, "output", definitions))
    assert deep_equal(before, kept)


def test_the_suites_are_whole() -> None:
    assert (len(JSON_CASES), len(FHIR_CASES)) == (16, 33)


@pytest.mark.parametrize("expected", [{"foo": "baz"}, None])
def test_a_wrong_expectation_fails(expected: Any) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(lambda: json_patch({"foo": "bar"}, []), expected)
