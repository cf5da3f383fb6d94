"""Patient/$merge.   https://hl7.org/fhir/R5/patient-operation-merge.html https://hl7.org/fhir/R4/patient.html#links"""

from __future__ import annotations

import pytest

from server.intake.f43.importing import import_f43
from server.intake.f43.sources import open_source
from tests.unit.server.intake.importing import person, service, zip_of

PID = "https://terms.sil-th.org/hcode/5/{}/PID"


def parameters(**values):
    rows = [
        {"name": name.replace("_", "-"), "valueIdentifier" if "identifier" in name else "valueReference": value}
        for name, value in values.items()
    ]
    return {"resourceType": "Parameters", "parameter": rows}


def reference(number):
    return {"reference": f"Patient/{number}"}


@pytest.fixture
async def two(server, fhir, tmp_path):
    """Ids of the Patients that two facilities sent without a citizen id; the first has a visit."""
    rows = {"PERSON": [person(CID=""), person("99998", "77", CID="")], "SERVICE": [service()]}
    source = open_source(zip_of(tmp_path / "in.zip", rows))
    await import_f43(server.ctx.settings, server.ctx, source, processes=0, advance=lambda resources, read: None)
    found = [await fhir.get(f"Patient?identifier={PID.format(code)}|") for code in ("99999", "99998")]
    return [answer.json["entry"][0]["resource"]["id"] for answer in found]


async def test_the_source_becomes_inactive_with_a_link_and_its_resources_are_the_targets(fhir, two):
    source, target = two
    asked = parameters(source_patient=reference(source), target_patient=reference(target))
    answer = await fhir.post("Patient/$merge", asked)
    assert answer.status == 200
    outcome, result = (each["resource"] for each in answer.json["parameter"])
    assert outcome["issue"][0]["severity"] == "information"
    assert {each["system"] for each in result["identifier"]} == {PID.format("99998"), PID.format("99999")}
    old = (await fhir.get(f"Patient/{source}")).json
    assert old["active"] is False
    assert old["link"] == [{"other": reference(target), "type": "replaced-by"}]
    visits = (await fhir.get(f"Encounter?patient={target}")).json["entry"]
    assert len(visits) == 1
    again = await fhir.post("Patient/$merge", asked)
    assert (again.status, again.json["issue"][0]["severity"]) == (422, "error")


async def test_patients_are_named_by_identifiers_too(fhir, two):
    numbers = [{"system": PID.format(code), "value": value} for code, value in (("99999", "0001"), ("99998", "77"))]
    answer = await fhir.post(
        "Patient/$merge", parameters(source_patient_identifier=numbers[0], target_patient_identifier=numbers[1])
    )
    assert answer.status == 200
    assert answer.json["parameter"][1]["resource"]["id"] == two[1]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"target_patient": reference("x")}, 400),
        ({"source_patient": {"reference": "Group/1"}, "target_patient": reference("x")}, 400),
        ({"source_patient_identifier": {"system": "a"}, "target_patient": reference("x")}, 400),
        ({"source_patient_identifier": {"value": "nobody"}, "target_patient": reference("x")}, 422),
        ({"source_patient": reference("none"), "target_patient": reference("x")}, 404),
        ({"preview": {}}, 400),
    ],
)
async def test_who_is_not_named_or_not_there_is_refused(fhir, values, status):
    answer = await fhir.post("Patient/$merge", parameters(**values))
    assert (answer.status, answer.json["resourceType"]) == (status, "OperationOutcome")


async def test_patients_that_no_hospital_registered_are_refused(fhir, given):
    await given({"resourceType": "Patient", "id": "a"}, {"resourceType": "Patient", "id": "b"})
    asked = parameters(source_patient=reference("a"), target_patient=reference("b"))
    assert (await fhir.post("Patient/$merge", asked)).status == 422
    assert "active" not in (await fhir.get("Patient/a")).json


async def test_the_capability_statement_names_its_definition(fhir):
    statement = (await fhir.get("metadata")).json
    [patient] = [each for each in statement["rest"][0]["resource"] if each["type"] == "Patient"]
    assert {"name": "merge", "definition": "https://onecard.example.org/fhir/OperationDefinition/patient-merge"} in (
        patient["operation"]
    )
