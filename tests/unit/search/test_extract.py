"""Index values of resources.   https://hl7.org/fhir/R4/search.html#ptypes"""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.engine import Search
from server.search.texts import texts
from server.search.types import Setting, date, reference, token
from server.search.values import Composite, Date, OfType, Position, Quantity, Reference, String, Token, Uri

EXAMPLES = sorted((Path(__file__).parents[2] / "official" / "fhir-test-cases" / "r4" / "examples").glob("*.json"))
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"

GLUCOSE = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {"profile": ["http://x/p|1.0"], "tag": [{"system": "http://t", "code": "a"}], "source": "urn:lab"},
    "status": "final",
    "category": [{"coding": [{"code": "laboratory"}]}, {"coding": [{"code": "laboratory"}]}],
    "code": {"coding": [{"system": LOINC, "code": "2345-7"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2024-05-31",
    "valueQuantity": {"value": 5.4, "system": UCUM, "code": "mmol/L"},
    "component": [
        {"code": {"coding": [{"system": LOINC, "code": "a"}]}, "valueQuantity": {"value": 1, "unit": "x"}},
        {"code": {"coding": [{"system": LOINC, "code": "b"}]}, "valueString": "no quantity"},
    ],
}


def without(resource: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in names}


def test_every_parameter_has_the_values_of_its_elements(search: Search) -> None:
    index = search.extract("Observation", without(GLUCOSE, "component"))
    code = Token(LOINC, "2345-7")
    assert index["status"] == [Token("http://hl7.org/fhir/observation-status", "final")]
    assert index["code"] == index["combo-code"] == [code]
    assert index["subject"] == index["patient"] == [Reference("Patient", "p1", None, None)]
    assert index["date"] == [Date(1717088400000000, 1717174800000000)]
    assert index["_profile"] == [Uri("http://x/p|1.0"), Uri("http://x/p")]
    assert index["_tag"] == [Token("http://t", "a")]
    assert index["_source"] == [Uri("urn:lab")]
    (quantity,) = index["value-quantity"]
    assert isinstance(quantity, Quantity)
    assert index["code-value-quantity"] == [Composite(((code,), (quantity,)))]
    assert "value-concept" not in index
    assert "_id" not in index
    assert "_lastUpdated" not in index


def test_no_value_is_there_twice(search: Search) -> None:
    assert search.extract("Observation", GLUCOSE)["category"] == [Token(None, "laboratory")]


def test_components_of_a_composite_are_of_one_element(search: Search) -> None:
    index = search.extract("Observation", GLUCOSE)
    assert len(index["component-code-value-quantity"]) == 1
    assert len(index["combo-code-value-quantity"]) == 2
    (only,) = index["component-code-value-quantity"]
    assert isinstance(only, Composite)
    assert only.components[0] == (Token(LOINC, "a"),)
    assert index["component-code"] == [Token(LOINC, "a"), Token(LOINC, "b")]


def test_a_component_may_come_from_the_resource(search: Search) -> None:
    sequence = {
        "resourceType": "MolecularSequence",
        "coordinateSystem": 0,
        "referenceSeq": {"chromosome": {"coding": [{"code": "1"}]}, "windowStart": 1, "windowEnd": 9},
        "variant": [{"start": 2, "end": 3}],
    }
    (found,) = search.extract("MolecularSequence", sequence)["chromosome-variant-coordinate"]
    assert isinstance(found, Composite)
    assert found.components[0] == (Token(None, "1"),)
    assert len(found.components) == 3


def test_values_that_are_not_there_are_absent(search: Search) -> None:
    assert search.extract("Observation", {"resourceType": "Observation"}) == {}
    dated = {"resourceType": "Patient", "_birthDate": {"extension": [{"url": "x", "valueString": "unknown"}]}}
    assert "birthdate" not in search.extract("Patient", dated)


@pytest.mark.parametrize(
    ("deceased", "expected"),
    [({}, "false"), ({"deceasedBoolean": False}, "false"), ({"deceasedBoolean": True}, "true"),
     ({"deceasedDateTime": "2020"}, "true")],
)  # fmt: skip
def test_deceased_is_true_for_a_date_and_false_when_nothing_is_said(
    deceased: dict[str, Any], expected: str, search: Search
) -> None:
    index = search.extract("Patient", {"resourceType": "Patient", **deceased})
    assert [each.code for each in index["deceased"] if isinstance(each, Token)] == [expected]


def test_a_reference_parameter_for_one_type_leaves_others_out(search: Search) -> None:
    def of(reference: dict[str, Any]) -> dict[str, Any]:
        return {"resourceType": "Observation", "subject": reference}

    assert "patient" not in search.extract("Observation", of({"reference": "Group/1"}))
    assert "patient" in search.extract("Observation", of({"reference": "http://other.org/fhir/Patient/1"}))
    assert "patient" in search.extract("Observation", of({"type": "Patient", "identifier": {"value": "1"}}))
    assert "patient" not in search.extract("Observation", of({"identifier": {"value": "1"}}))
    local = search.extract("Observation", of({"reference": "http://localhost:8080/fhir/Patient/1"}))
    assert local["patient"] == [Reference("Patient", "1", None, None)]


def test_identifiers_with_a_type_are_found_by_it(search: Search) -> None:
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "s", "value": "v", "type": {"coding": [{"system": "t", "code": "MR"}]}}],
    }
    assert search.extract("Patient", patient)["identifier"] == [Token("s", "v"), OfType("t", "MR", "v")]


def test_telecom_is_told_apart_by_system(search: Search) -> None:
    patient = {
        "resourceType": "Patient",
        "telecom": [{"system": "phone", "value": "081-234 5678"}, {"system": "email", "value": "A@b.th"}],
    }
    index = search.extract("Patient", patient)
    assert index["phone"] == [Token(None, "0812345678")]
    assert index["email"] == [Token(None, "a@b.th")]
    assert index["telecom"] == [*index["phone"], *index["email"]]


def test_a_family_name_is_searched_by_its_words(search: Search) -> None:
    patient = {"resourceType": "Patient", "name": [{"family": "Carreno Quinones"}]}
    folded = [each.folded for each in search.extract("Patient", patient)["family"] if isinstance(each, String)]
    assert folded == ["carreno quinones", "carreno", "quinones"]


def test_a_position(search: Search) -> None:
    location = {"resourceType": "Location", "position": {"latitude": 16.4, "longitude": 102.8}}
    assert search.extract("Location", location)["near"] == [Position(16.4, 102.8)]


CONTAINER = {
    "resourceType": "MedicationRequest",
    "contained": [
        {
            "resourceType": "Medication",
            "id": "m1",
            "ingredient": [{"itemCodeableConcept": {"coding": [{"system": "http://acme.com", "code": "abc"}]}}],
        }
    ],
    "medicationReference": {"reference": "#m1"},
}


def test_contained_resources_have_values_under_their_type(search: Search) -> None:
    index = search.extract("MedicationRequest", CONTAINER)
    assert index["#Medication.ingredient-code"] == [Token("http://acme.com", "abc")]
    assert index["#Medication._id"] == [Token(None, "m1")]
    assert index["medication"] == [Reference(None, None, None, "#Medication")]
    assert "ingredient-code" not in index


def test_the_first_resource_of_a_document_is_its_composition(search: Search) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "document",
        "entry": [{"resource": {"resourceType": "Composition", "id": "c1"}}],
    }
    assert search.extract("Bundle", bundle)["composition"] == [Reference("Composition", "c1", None, None)]


def test_bytes_of_a_stored_resource_give_the_same_values(search: Search) -> None:
    assert search.extract("Observation", json.dumps(GLUCOSE).encode()) == search.extract("Observation", GLUCOSE)


def test_values_of_mime_types_are_found_by_their_base_part(search: Search, matching: Any) -> None:
    document = {
        "resourceType": "DocumentReference",
        "content": [{"attachment": {"contentType": "text/xml; charset=UTF-8"}}],
    }
    assert not matching(document, "contenttype=text/xml")
    assert matching(document, "contenttype:below=text/xml")
    assert matching(document, "contenttype=text/xml; charset=UTF-8")
    assert not matching(document, "contenttype:below=text/x")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_official_examples_are_extracted_also_after_a_round_trip(file: Path, search: Search) -> None:
    resource = json.loads(file.read_text())
    index = search.extract(resource["resourceType"], resource)
    assert all(values and len(values) == len(set(values)) for values in index.values())
    assert search.extract(resource["resourceType"], json.dumps(resource).encode()) == index


def _mutilated(resource: Any, draw: Any) -> Any:
    if isinstance(resource, dict):
        return {key: _mutilated(value, draw) for key, value in resource.items()}
    if isinstance(resource, list):
        return [_mutilated(value, draw) for value in resource]
    return draw(st.sampled_from([resource, resource, resource, None, 5, True, "", "x", {}, []]))


@given(st.data(), st.sampled_from([GLUCOSE, CONTAINER]))
def test_extraction_survives_elements_of_any_shape(search: Search, data: Any, resource: dict[str, Any]) -> None:
    mutilated = _mutilated(without(resource, "resourceType"), data.draw)
    search.extract(resource["resourceType"], {"resourceType": resource["resourceType"], **mutilated})


# --- text -----------------------------------------------------------------------------------------------------------


def test_narrative_is_the_text_of_its_html() -> None:
    resource = {
        "resourceType": "Condition",
        "text": {"div": "<div xmlns='x'><p>Chest <b>P</b>ain</p>2 &lt; 3&nbsp;<br/>ปวด<i>หัว</i></div>"},
    }
    narrative, content = texts(resource)
    assert narrative == "chest pain 2 < 3 ปวดหัว"
    assert content == narrative


def test_content_is_all_that_is_said(search: Search) -> None:
    resource = {
        "resourceType": "Condition",
        "id": "c1",
        "code": {"text": "Severe HEADACHE", "coding": [{"display": "Migraine"}]},
        "note": [{"text": "น\u0e4d\u0e32ยา"}],
        "evidence": [{"extension": [{"url": "u", "valueBase64Binary": "x", "valueAttachment": {"data": "QUJD"}}]}],
    }
    narrative, content = search.text("Condition", resource)
    assert narrative == ""
    for phrase in ("c1", "severe headache", "migraine", "นำยา"):
        assert phrase in content
    assert "condition" not in content
    assert "qujd" not in content
    assert "headache migraine" not in content


def test_hostile_text_takes_no_longer_than_its_length() -> None:
    # Quadratic patterns would take minutes on a megabyte.
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "text": {"div": "<a " * 300_000},
        "telecom": [{"value": "1" * 1_000_000 + "x"}],
        "birthDate": "2" * 1_000_000,
        "managingOrganization": {"reference": "http://" + "/A" * 500_000},
    }
    texts(resource)
    token.values(resource["telecom"][0], "ContactPoint")
    assert date.values(resource["birthDate"], "date", Setting(UTC, ())) == []
    assert reference.values(resource["managingOrganization"], "Reference", Setting(UTC, ()))[0].url is not None
