"""ConceptMap/$translate.   https://hl7.org/fhir/R4/conceptmap-operation-translate.html"""

from typing import Any

import pytest

from terminology.concept import Json
from terminology.errors import TerminologyError
from terminology.operations import translate
from terminology.service import TerminologyService
from tests.unit.terminology.operations.reading import parameters, value

USE, V3_USE = "http://hl7.org/fhir/address-use", "http://terminology.hl7.org/CodeSystem/v3-AddressUse"
MAP_101 = "http://hl7.org/fhir/ConceptMap/101"


def matches(answer: Json) -> list[tuple[str, str | None, str | None]]:
    """(equivalence, system, code) of each match."""
    found = []
    for row in answer["parameter"]:
        if row["name"] == "match":
            by_name = {part["name"]: part for part in row["part"]}
            concept = by_name.get("concept", {}).get("valueCoding", {})
            found.append((by_name["equivalence"]["valueCode"], concept.get("system"), concept.get("code")))
    return found


def test_the_example_of_the_specification(official: TerminologyService) -> None:
    """`home` of address-use in v3-AddressUse by the map 101."""
    answer = translate(official, parameters(url=MAP_101, system=USE, code="home"))
    assert answer == {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "result", "valueBoolean": True},
            {
                "name": "match",
                "part": [
                    {"name": "equivalence", "valueCode": "equivalent"},
                    {"name": "concept", "valueCoding": {"system": V3_USE, "code": "H", "display": "home"}},
                    {"name": "source", "valueUri": MAP_101},
                ],
            },
        ],
    }


def test_maps_are_found_by_source_and_target(official: TerminologyService) -> None:
    """The request of the specification: no url, but the value sets."""
    asked = parameters(
        system="http://hl7.org/fhir/composition-status",
        code="preliminary",
        source="http://hl7.org/fhir/ValueSet/composition-status",
        target="http://terminology.hl7.org/ValueSet/v3-ActStatus",
    )
    answer = translate(official, asked)
    assert value(answer, "result") is True
    assert ("equivalent", "http://terminology.hl7.org/CodeSystem/v3-ActStatus", "active") in [
        ("equivalent", system, code) for _, system, code in matches(answer)
    ]


def test_the_system_of_the_target_can_be_chosen(official: TerminologyService) -> None:
    gender = "http://hl7.org/fhir/administrative-gender"
    for target, code in (("v2-0001", "M"), ("v3-AdministrativeGender", "M")):
        system = f"http://terminology.hl7.org/CodeSystem/{target}"
        answer = translate(official, parameters(system=gender, code="male", targetsystem=system))
        assert {(s, c) for _, s, c in matches(answer)} == {(system, code)}


def test_backwards_wider_and_narrower_change_places(service: TerminologyService) -> None:
    service.add(concept_map([("a", [("x", "wider")]), ("b", [("x", "narrower")]), ("c", [("x", "equal")])]))
    asked = parameters(url="http://example.org/map", system="http://example.org/to", code="x", reverse="true")
    assert [(equivalence, code) for equivalence, _, code in matches(translate(service, asked))] == [
        ("narrower", "a"),
        ("wider", "b"),
        ("equal", "c"),
    ]


def test_a_code_without_mapping_has_no_result(official: TerminologyService) -> None:
    asked = parameters(url="http://hl7.org/fhir/ConceptMap/cm-address-use-v3", system=USE, code="nope")
    answer = translate(official, asked)
    assert (value(answer, "result"), value(answer, "message")) == (False, "no mapping for the code")
    assert matches(answer) == []


def concept_map(elements: list[tuple[str, list[tuple[str, str]]]], **group: Any) -> Json:
    rows = [
        {"code": code, "target": [{"code": target, "equivalence": e} for target, e in targets]}
        for code, targets in elements
    ]
    pair = {"source": "http://example.org/from", "target": "http://example.org/to"}
    return {
        "resourceType": "ConceptMap",
        "url": "http://example.org/map",
        "group": [{**pair, "element": rows, **group}],
    }


def ask(service: TerminologyService, code: str, *rows: Json, **texts: str) -> Json:
    return translate(service, parameters(*rows, system="http://example.org/from", code=code, **texts))


def test_unmatched_and_disjoint_are_no_results(service: TerminologyService) -> None:
    service.add(concept_map([("a", [("x", "disjoint")]), ("b", [("x", "disjoint"), ("y", "inexact")])]))
    assert value(ask(service, "a"), "result") is False
    assert value(ask(service, "b"), "result") is True


@pytest.mark.parametrize(
    ("unmapped", "expected"),
    [
        ({"mode": "provided"}, [("equal", "http://example.org/to", "z")]),
        ({"mode": "fixed", "code": "other", "display": "Other"}, [("inexact", "http://example.org/to", "other")]),
        ({"mode": "other-map", "url": MAP_101}, []),
    ],
)
def test_what_a_map_says_of_codes_that_it_does_not_have(
    service: TerminologyService, unmapped: Json, expected: list[tuple[str, str, str]]
) -> None:
    service.add(concept_map([("a", [("x", "equal")])], unmapped=unmapped))
    assert matches(ask(service, "z", url="http://example.org/map")) == expected


def test_another_map_for_unmapped_codes_is_followed(service: TerminologyService) -> None:
    service.add(concept_map([], unmapped={"mode": "other-map", "url": "http://example.org/second"}))
    service.add({**concept_map([("z", [("y", "equal")])]), "url": "http://example.org/second"})
    assert matches(ask(service, "z", url="http://example.org/map")) == [("equal", "http://example.org/to", "y")]


def test_maps_that_refer_to_each_other_end(service: TerminologyService) -> None:
    service.add(concept_map([], unmapped={"mode": "other-map", "url": "http://example.org/map"}))
    assert matches(ask(service, "z", url="http://example.org/map")) == []


def test_what_a_mapping_depends_on_must_be_known(service: TerminologyService) -> None:
    resource = concept_map([("a", [("x", "equal"), ("y", "equal")])])
    resource["group"][0]["element"][0]["target"][0]["dependsOn"] = [
        {"property": "http://example.org/sex", "value": "f"}
    ]
    resource["group"][0]["element"][0]["target"][1]["product"] = [
        {"property": "http://example.org/side", "system": "http://example.org/sides", "value": "left"}
    ]
    service.add(resource)
    assert [code for _, _, code in matches(ask(service, "a"))] == ["y"]
    coding = {"system": "http://example.org/sexes", "code": "f"}
    known = {
        "name": "dependency",
        "part": [
            {"name": "element", "valueUri": "http://example.org/sex"},
            {"name": "concept", "valueCodeableConcept": {"coding": [coding]}},
        ],
    }
    answer = ask(service, "a", known)
    assert [code for _, _, code in matches(answer)] == ["x", "y"]
    product = next(part for part in answer["parameter"][2]["part"] if part["name"] == "product")
    assert product["part"][1] == {
        "name": "concept",
        "valueCoding": {"system": "http://example.org/sides", "code": "left"},
    }


def test_only_matches_in_the_target_value_set(service: TerminologyService) -> None:
    service.add(concept_map([("a", [("x", "equal"), ("y", "equal")])]))
    include = [{"system": "http://example.org/to", "concept": [{"code": "y"}]}]
    service.add({"resourceType": "ValueSet", "url": "http://example.org/vs", "compose": {"include": include}})
    assert [code for _, _, code in matches(ask(service, "a", target="http://example.org/vs"))] == ["y"]


def test_a_map_given_with_the_question(service: TerminologyService) -> None:
    row = {"name": "conceptMap", "resource": concept_map([("a", [("x", "equal")])])}
    assert [code for _, _, code in matches(ask(service, "a", row))] == ["x"]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [({"url": "http://example.org/none", "code": "a"}, "not-found"), ({"url": MAP_101}, "invalid")],
)
def test_what_cannot_be_translated(official: TerminologyService, texts: dict[str, str], kind: str) -> None:
    with pytest.raises(TerminologyError) as error:
        translate(official, parameters(**texts))
    assert error.value.kind == kind


def test_every_official_map_translates_its_first_code_both_ways(official: TerminologyService) -> None:
    tried = 0
    for concept_map_ in official.library.concept_maps():
        for group in concept_map_["group"]:
            for element in group["element"]:
                for target in element.get("target", ()):
                    if "code" in target and "code" in element and "source" in group and "dependsOn" not in target:
                        url = concept_map_["url"]
                        there = translate(official, parameters(url=url, system=group["source"], code=element["code"]))
                        assert target["code"] in [code for _, _, code in matches(there)]
                        asked = parameters(url=url, system=group["target"], code=target["code"], reverse="true")
                        assert element["code"] in [code for _, _, code in matches(translate(official, asked))]
                        tried += 1
    assert tried > 500
