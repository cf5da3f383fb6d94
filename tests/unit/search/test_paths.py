"""Expressions read as plain paths find what FHIRPath finds."""

from __future__ import annotations

import json
from pathlib import Path as File
from typing import Any

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath import compile_expression
from server.search.paths import Equals, Path, RefersTo, Step, concerning, read_path, split_union

EXAMPLES = sorted((File(__file__).parents[2] / "official" / "fhir-test-cases" / "r4" / "examples").glob("*.json"))
NAMES = ("DomainResource", "Resource")


def read(expression: str, kind: str, definitions: Definitions) -> list[Path] | None:
    return read_path(expression, kind, (kind, *NAMES), definitions)


@pytest.mark.parametrize(
    ("kind", "expression", "paths"),
    [
        ("Patient", "Patient.birthDate", [Path((Step("birthDate"),), "date")]),
        ("Patient", "Resource.meta.lastUpdated", [Path((Step("meta"), Step("lastUpdated")), "instant")]),
        ("Patient", "birthDate", [Path((Step("birthDate"),), "date")]),
        ("Patient", "(Patient.deceased.ofType(dateTime))", [Path((Step("deceasedDateTime"),), "dateTime")]),
        ("Observation", "Observation.value.ofType(DateTime)", [Path((Step("valueDateTime"),), "dateTime")]),
        ("Observation", "(Observation.value as Quantity)", [Path((Step("valueQuantity"),), "Quantity")]),
        ("Observation", "Observation.value.as(string)", [Path((Step("valueString"),), "string")]),
        (
            "Observation",
            "(Observation.value.ofType(CodeableConcept)).text",
            [Path((Step("valueCodeableConcept"), Step("text")), "string")],
        ),
        (
            "Observation",
            "Observation.subject.where(resolve() is Patient)",
            [Path((Step("subject"), RefersTo("Patient")), "Reference")],
        ),
        (
            "Patient",
            "Patient.telecom.where(system='email')",
            [Path((Step("telecom"), Equals("system", "email")), "ContactPoint")],
        ),
        (
            "Patient",
            "Patient.extension('http://x/y').value.ofType(boolean)",
            [Path((Step("extension"), Equals("url", "http://x/y"), Step("valueBoolean")), "boolean")],
        ),
        ("Observation", "Observation", [Path((), "Observation")]),
    ],
)
def test_a_plain_path(kind: str, expression: str, paths: list[Path], definitions: Definitions) -> None:
    found = read(expression, kind, definitions)
    assert found is not None
    assert [(each.moves, each.type) for each in found] == [(each.moves, each.type) for each in paths]


def test_a_choice_without_a_type_is_all_its_members(definitions: Definitions) -> None:
    found = read("Observation.effective", "Observation", definitions)
    assert found is not None
    assert {each.moves[0] for each in found} == {
        Step(name) for name in ("effectiveDateTime", "effectivePeriod", "effectiveTiming", "effectiveInstant")
    }


@pytest.mark.parametrize(
    "expression",
    [
        "Patient.deceased.exists() and Patient.deceased != false",
        "Patient.name[0]",
        "Patient.name.where(use = %x)",
        "Patient.unknown",
        "Observation.code",
        "%resource.id",
        "Patient.name.given.first()",
        "(Patient.name",
        "",
        "1 + 1",
    ],
)
def test_what_is_no_plain_path_is_left_to_fhirpath(expression: str, definitions: Definitions) -> None:
    assert read(expression, "Patient", definitions) is None


def test_a_union_is_split_outside_of_parentheses_and_strings() -> None:
    assert split_union("a.b | (c | d).e | f.where(g='|')") == ["a.b", "(c | d).e", "f.where(g='|')"]


def test_only_the_parts_of_a_type_concern_it() -> None:
    expression = "AllergyIntolerance.code | (Condition.code) | Resource.id | name"
    assert concerning(expression, ("Condition", "Resource")) == ["(Condition.code)", "Resource.id", "name"]


def follow(element: Any, moves: tuple[Any, ...]) -> list[Any]:
    if isinstance(element, list):
        return [found for each in element for found in follow(each, moves)]
    if element is None:
        return []
    if not moves:
        return [element]
    move, *rest = moves
    if isinstance(move, Step):
        return follow(element.get(move.key), tuple(rest))
    if isinstance(move, Equals):
        return follow(element, tuple(rest)) if element.get(move.key) == move.value else []
    raise AssertionError("references are resolved elsewhere")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_plain_paths_find_what_fhirpath_finds_in_the_official_examples(file: File, definitions: Definitions) -> None:
    resource = json.loads(file.read_text())
    kind = resource["resourceType"]
    checked = 0
    for row in definitions.search_parameters(kind).values():
        for part in concerning(row.expression or "", (kind, *NAMES)) if row.expression else ():
            paths = read(part, kind, definitions)
            if paths is None or "resolve()" in part:
                continue
            ours = [(value, path.type) for path in paths for value in follow(resource, path.moves)]
            theirs = compile_expression(part, definitions, kind).nodes(resource)
            assert sorted(map(repr, ours)) == sorted(map(repr, theirs)), part
            checked += len(ours)
    assert checked or kind == "Parameters"
