"""The Thai profiles through a server: claimed on write, asked for by $validate, listed by the CapabilityStatement.

https://hl7.org/fhir/R4/profiling.html https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

import pytest

from fhir_profiles.thai import profile_url
from tests.spec.people import patient

CID = "https://terms.sil-th.org/id/th-cid"
PATIENT = profile_url("th-patient")


def citizen(number="9990000000014", **more):
    resource = patient(identifier=[{"system": CID, "value": number}], **more)
    return {**resource, "meta": {"profile": [PATIENT]}}


async def test_a_resource_that_claims_a_thai_profile_is_checked_against_it_on_write(fhir):
    assert (await fhir.post("Patient", citizen())).status == 201
    refused = await fhir.post("Patient", citizen("9990000000015"))
    assert refused.status == 422
    (issue,) = refused.json["issue"]
    assert issue["expression"] == ["Patient.identifier[0].value"]
    assert "check digit" in issue["diagnostics"]
    assert "หลักตรวจสอบ" in issue["details"]["text"]
    assert "9990000000015" not in refused.body.decode()


async def test_the_profile_holds_on_update_and_within_a_transaction(fhir):
    created = (await fhir.post("Patient", citizen())).json
    assert (await fhir.put(f"Patient/{created['id']}", {**created, "birthDate": "2513-01-02"})).status == 422
    entry = {"resource": citizen(birthDate="2513"), "request": {"method": "POST", "url": "Patient"}}
    answer = await fhir.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert answer.status == 422
    assert "(th-era)" in answer.json["issue"][0]["diagnostics"]


async def test_a_resource_that_claims_nothing_is_r4_alone(fhir):
    assert (await fhir.post("Patient", patient(birthDate="2513-01-02"))).status == 201


@pytest.mark.parametrize("profile", [PATIENT, PATIENT + "|1.0.0"])
async def test_validate_checks_against_the_profile_that_is_asked_for(fhir, profile):
    resource = citizen("9990000000015")
    del resource["meta"]
    parameters = {
        "resourceType": "Parameters",
        "parameter": [{"name": "resource", "resource": resource}, {"name": "profile", "valueUri": profile}],
    }
    for answer in (
        await fhir.post(f"Patient/$validate?profile={profile}", resource),
        await fhir.post("Patient/$validate", parameters),
    ):
        assert answer.status == 200
        assert "(th-cid)" in answer.json["issue"][0]["diagnostics"]


async def test_swapped_pressures_are_told_by_validate_and_do_not_stop_a_write(fhir):
    parts = [
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
        }
        for code, value in (("8480-6", 70), ("8462-4", 110))
    ]
    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
    panel = {
        "resourceType": "Observation",
        "meta": {"profile": [profile_url("th-observation-vital-signs")]},
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"display": "x"},
        "effectiveDateTime": "2026-11-23",
        "component": parts,
    }
    answer = await fhir.post("Observation/$validate", panel)
    (swapped,) = [each for each in answer.json["issue"] if "(th-bp)" in each["diagnostics"]]
    assert swapped["severity"] == "warning"
    assert "สลับกัน" in swapped["details"]["text"]
    assert (await fhir.post("Observation", panel)).status == 201


async def test_the_capability_statement_lists_the_profiles_of_each_type(fhir):
    rows = {row["type"]: row for row in (await fhir.get("metadata")).json["rest"][0]["resource"]}
    assert rows["Patient"]["supportedProfile"] == [PATIENT]
    assert len(rows["Observation"]["supportedProfile"]) == 6
    assert "supportedProfile" not in rows["Basic"]


async def test_a_stored_profile_is_listed_until_it_is_deleted(fhir):
    def supported(answer):
        rows = {row["type"]: row for row in answer.json["rest"][0]["resource"]}
        return rows["Basic"].get("supportedProfile", [])

    url = "https://hospital.example/StructureDefinition/note"
    profile = {
        "resourceType": "StructureDefinition",
        "id": "note",
        "url": url,
        "name": "Note",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Basic",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Basic",
        "derivation": "constraint",
        "snapshot": {
            "element": [
                {"id": "Basic", "path": "Basic", "definition": "x", "min": 0, "max": "*",
                 "base": {"path": "Basic", "min": 0, "max": "*"}},
                {"id": "Basic.subject", "path": "Basic.subject", "definition": "x", "min": 1, "max": "1",
                 "base": {"path": "Basic.subject", "min": 0, "max": "1"}, "type": [{"code": "Reference"}]},
            ]
        },
    }  # fmt: skip
    note = {"resourceType": "Basic", "meta": {"profile": [url]}, "code": {"text": "x"}}
    assert (await fhir.put("StructureDefinition/note", profile)).status == 201
    assert supported(await fhir.get("metadata")) == [url]
    assert (await fhir.post("Basic", note)).status == 422
    assert (await fhir.delete("StructureDefinition/note")).status in (200, 204)
    assert supported(await fhir.get("metadata")) == []
    assert (await fhir.post("Basic", note)).status == 201
