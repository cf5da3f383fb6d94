"""Search parameters by type, official and added.   https://hl7.org/fhir/R4/searchparameter.html"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.definitions import Definitions
from server.errors import BadRequest, Unprocessable
from server.search.engine import Search
from server.search.registry import SearchParameters
from server.search.types import MODIFIERS
from terminology.service import TerminologyService

COLOUR = {
    "resourceType": "SearchParameter",
    "url": "http://example.org/SearchParameter/colour",
    "name": "colour",
    "status": "active",
    "description": "Eye colour",
    "code": "eye-colour",
    "base": ["Patient"],
    "type": "token",
    "expression": "Patient.extension.where(url='http://example.org/colour').value.ofType(code)",
}


@pytest.fixture
def parameters(definitions: Definitions) -> SearchParameters:
    return SearchParameters(definitions, lambda value_set: None)


@pytest.fixture
def own(definitions: Definitions, terminology: TerminologyService) -> Search:
    """A Search of its own, for tests that add parameters."""
    return Search(definitions, terminology)


def test_every_official_parameter_of_every_type_is_usable(search: Search) -> None:
    count = 0
    for kind in search.parameters.resource_types:
        for code, registered in search.parameters.of(kind).items():
            count += 1
            parameter = registered.parameter
            assert parameter.type in MODIFIERS, (kind, code)
            assert registered.paths or registered.expressions or code in ("_text", "_content", "_query"), (kind, code)
            assert len(registered.components) == len(registered.definition.components), (kind, code)
            assert all(component.paths for component in registered.components), (kind, code)
            assert "Reference" not in registered.types or parameter.targets, (kind, code)
    assert count > 2900


def test_what_an_engine_must_know_of_a_parameter(search: Search) -> None:
    observation = search.parameters.of("Observation")
    assert observation["patient"].parameter.targets == ("Patient",)
    composite = observation["code-value-quantity"].parameter
    assert [(each.code, each.type) for each in composite.components] == [
        ("code", "token"),
        ("value-quantity", "quantity"),
    ]
    patient = search.parameters.of("Patient")
    assert patient["identifier"].parameter.identifying
    assert patient["telecom"].parameter.identifying
    assert not patient["gender"].parameter.identifying
    assert patient["_id"].parameter.identifying


def test_parameters_that_find_the_same_share_their_values(search: Search) -> None:
    patient = search.parameters.of("Patient")
    assert patient["phonetic"].parameter is patient["name"].parameter
    assert patient["name"].parameter.code == "name"
    assert "phonetic" not in search.extract("Patient", {"resourceType": "Patient", "name": [{"text": "Eve"}]})


@pytest.mark.parametrize(
    "code", ["name", "family", "identifier", "telecom", "phone", "address", "address-city", "birthdate"]
)
def test_parameters_that_name_a_person_are_known(code: str, search: Search) -> None:
    assert search.parameters.of("Patient")[code].personal
    assert not search.parameters.of("Patient")["gender"].personal


def test_a_code_implies_the_system_of_its_binding(search: Search) -> None:
    assert search.parameters.of("Patient")["gender"].implied_system == "http://hl7.org/fhir/administrative-gender"
    assert search.parameters.of("Patient")["active"].implied_system == "http://hl7.org/fhir/special-values"
    assert search.parameters.of("Observation")["code"].implied_system is None


@pytest.mark.parametrize(("code", "nearest"), [("genderx", "gender"), ("birthDate", "birthdate"), ("zzzz", None)])
def test_the_nearest_known_name(code: str, nearest: str | None, parameters: SearchParameters) -> None:
    assert parameters.nearest(["Patient"], code) == nearest


def test_a_name_that_one_of_the_types_knows_is_not_suggested_for_itself(parameters: SearchParameters) -> None:
    assert parameters.nearest(["Patient", "Basic"], "code") is None


def test_an_added_parameter_is_searched_and_extracted(own: Search) -> None:
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "extension": [{"url": "http://example.org/colour", "valueCode": "green"}],
    }
    assert "eye-colour" not in own.extract("Patient", patient)
    before = own.parameters.generation
    own.parameters.add(COLOUR)
    assert own.parameters.generation > before
    assert own.matches(own.compile("Patient", [("eye-colour", "green")]).query, "1", patient)
    assert set(own.parameters.custom()) == {COLOUR["url"]}
    own.parameters.remove(str(COLOUR["url"]))
    assert "eye-colour" not in own.extract("Patient", patient)
    assert own.parameters.find("Patient", "eye-colour") is None


def test_a_parameter_of_an_abstract_base_is_one_of_all_types(own: Search) -> None:
    own.parameters.add(
        {**COLOUR, "base": ["DomainResource"], "expression": "DomainResource.language", "code": "tongue"}
    )
    assert own.extract("Condition", {"resourceType": "Condition", "language": "th"})["tongue"]
    assert own.parameters.find("Binary", "tongue") is None


def test_an_added_parameter_that_is_no_plain_path_is_run_as_fhirpath(own: Search) -> None:
    own.parameters.add({**COLOUR, "type": "string", "expression": "Patient.name.given.first()", "code": "first"})
    patient = {"resourceType": "Patient", "name": [{"given": ["Eve", "Ann"]}]}
    assert own.extract("Patient", patient)["first"][0][1] == "Eve"


def test_tokens_of_strings_and_codes_are_each_compared_in_their_way(own: Search) -> None:
    own.parameters.add({**COLOUR, "expression": "Patient.name.given.first() | Patient.gender", "code": "mixed"})
    patient = {"resourceType": "Patient", "name": [{"given": ["Eve"]}], "gender": "female"}
    for value, expected in (("EVE", True), ("Eve", True), ("female", True), ("male", False)):
        assert own.matches(own.compile("Patient", [("mixed", value)]).query, "1", patient) is expected


def test_an_added_composite(own: Search) -> None:
    own.parameters.add(
        {
            **COLOUR,
            "type": "composite",
            "code": "gender-birthdate",
            "expression": "Patient",
            "component": [
                {"definition": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "gender"},
                {"definition": "http://hl7.org/fhir/SearchParameter/individual-birthdate", "expression": "birthDate"},
            ],
        }
    )
    patient = {"resourceType": "Patient", "gender": "male", "birthDate": "1980-01-01"}
    for value, expected in (("male$ge1980", True), ("male$lt1980", False), ("female$ge1980", False)):
        query = own.compile("Patient", [("gender-birthdate", value)]).query
        assert own.matches(query, "1", patient) is expected


@pytest.mark.parametrize(
    "change",
    [
        {"expression": "Patient.name.("},
        {"expression": ""},
        {"expression": "Observation.code"},
        {"expression": "Patient.nonsense"},
        {"base": ["Nonsense"]},
        {"base": []},
        {"type": "special"},
        {"type": "nonsense"},
        {"code": "_mine"},
        {"code": "a b"},
        {"code": ""},
        {"url": ""},
        {
            "type": "composite",
            "expression": "Patient",
            "component": [{"definition": "http://x", "expression": "gender"}],
        },
    ],
    ids=str,
)
def test_a_parameter_that_cannot_work_is_refused(change: dict[str, Any], own: Search) -> None:
    with pytest.raises(Unprocessable) as caught:
        own.parameters.add({**COLOUR, **change})
    assert caught.value.issues[0].expression is not None
    assert own.parameters.custom() == {}


def test_a_parameter_that_is_still_being_indexed_is_extracted_but_not_searched(own: Search) -> None:
    own.parameters.add(COLOUR, searchable=False)
    with pytest.raises(BadRequest, match="being indexed"):
        own.compile("Patient", [("eye-colour", "green")])
    own.parameters.allow(str(COLOUR["url"]))
    assert own.compile("Patient", [("eye-colour", "green")])


def test_what_was_read_of_other_types_stays_when_a_parameter_comes_or_goes(own: Search) -> None:
    parameters = own.parameters
    observation = parameters.of("Observation")
    parameters.add(COLOUR)
    assert "eye-colour" in parameters.of("Patient")
    parameters.add({**COLOUR, "base": ["Person"], "expression": "Person.extension.value as code"})
    assert "eye-colour" not in parameters.of("Patient")
    assert "eye-colour" in parameters.of("Person")
    parameters.remove(str(COLOUR["url"]))
    assert "eye-colour" not in parameters.of("Person")
    assert parameters.of("Observation") is observation
