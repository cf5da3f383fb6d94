"""create and conditional create.

https://hl7.org/fhir/R4/http.html#create https://hl7.org/fhir/R4/http.html#ccreate https://hl7.org/fhir/R4/http.html#ops
"""

from __future__ import annotations

import asyncio

import pytest

from tests.spec.people import HN, identifier, organization, patient, reference


async def test_create_is_201_with_location_of_the_version_etag_and_last_modified(fhir):
    answer = await fhir.post("Patient", patient(active=True))
    assert answer.status == 201
    assert answer.headers["Location"] == f"{fhir.base}/Patient/id-1/_history/1"
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"] == "Mon, 24 Nov 2025 01:00:00 GMT"
    assert (await fhir.get("Patient/id-1")).json == answer.json


async def test_an_id_in_the_body_is_ignored(fhir):
    answer = await fhir.post("Patient", patient("mine"))
    assert answer.json["id"] == "id-1"
    assert (await fhir.get("Patient/mine")).status == 404


async def test_version_id_and_last_updated_in_the_body_are_ignored(fhir):
    answer = await fhir.post("Patient", patient(meta={"versionId": "77", "lastUpdated": "2001-01-01T00:00:00Z"}))
    assert answer.json["meta"] == {"versionId": "1", "lastUpdated": "2025-11-24T01:00:00.000Z"}


async def test_tags_profiles_security_labels_and_source_in_the_body_are_kept(fhir):
    meta = {
        "source": "urn:example:his",
        "profile": ["http://hl7.org/fhir/StructureDefinition/Patient"],
        "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}],
        "tag": [{"system": "urn:example:tags", "code": "a"}],
    }
    stored = (await fhir.post("Patient", patient(meta=meta))).json["meta"]
    assert {name: stored[name] for name in meta} == meta


async def test_a_resource_of_another_type_than_the_url_is_400(fhir):
    answer = await fhir.post("Patient", organization())
    assert answer.status == 400
    assert answer.json["issue"][0]["expression"] == ["resourceType"]


async def test_a_resource_that_breaks_rules_of_fhir_is_422_naming_the_element_and_nothing_is_stored(fhir):
    answer = await fhir.post("Patient", patient(gender="m", birthDate="2001-13-01"))
    assert answer.status == 422
    named = {each["expression"][0] for each in answer.json["issue"]}
    assert named == {"Patient.gender", "Patient.birthDate"}
    assert (await fhir.get("_history")).json["total"] == 0


@pytest.mark.parametrize(
    ("preference", "kind"),
    [("return=minimal", None), ("return=representation", "Patient"), ("return=OperationOutcome", "OperationOutcome")],
)
async def test_prefer_return_chooses_the_body(fhir, preference, kind):
    answer = await fhir.post("Patient", patient(), headers={"Prefer": preference})
    assert (answer.status, "Location" in answer.headers) == (201, True)
    assert (answer.json["resourceType"] if answer.body else None) == kind


# ---------------------------------------------------------------- referential integrity


async def test_a_reference_to_what_does_not_exist_is_409_naming_it(fhir):
    answer = await fhir.post("Patient", patient(managingOrganization=reference("Organization/9")))
    assert answer.status == 409
    assert "Organization/9" in answer.diagnostics


async def test_an_absolute_reference_to_this_server_counts_as_local(fhir, given):
    await given(organization("1"))
    to = reference(f"{fhir.base}/Organization/1")
    assert (await fhir.post("Patient", patient(managingOrganization=to))).status == 201
    to = reference(f"{fhir.base}/Organization/2")
    assert (await fhir.post("Patient", patient(managingOrganization=to))).status == 409


async def test_references_to_other_servers_are_not_checked(fhir):
    to = reference("https://elsewhere.example/fhir/Organization/9")
    assert (await fhir.post("Patient", patient(managingOrganization=to))).status == 201


@pytest.mark.parametrize("to", ["urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "urn:oid:1.2.36.146.595"])
async def test_a_link_between_entries_of_a_bundle_resolves_to_nothing_outside_of_one_and_is_409(fhir, start, to):
    """bundle.html#references: they are found by the fullUrl of an entry."""
    linked = patient(managingOrganization=reference(to))
    answer = await fhir.post("Patient", linked)
    assert (answer.status, to in answer.diagnostics) == (409, True)
    lenient = (await start(referential_integrity=False)).client
    assert (await lenient.post("Patient", linked)).status == 201


async def test_a_resource_may_refer_to_itself(fhir):
    link = [{"other": reference("Patient/1"), "type": "seealso"}]
    assert (await fhir.put("Patient/1", patient("1", link=link))).status == 201


async def test_references_within_a_stored_bundle_are_its_own_and_stay_as_they_are(fhir):
    document = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": "https://x.example/Patient/1", "resource": patient("1")}],
    }
    inner = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    inner["subject"] = reference("Patient/nobody/_history/3")
    document["entry"].append({"fullUrl": "https://x.example/Observation/1", "resource": {**inner, "id": "1"}})
    answer = await fhir.post("Bundle", document)
    assert answer.status == 201, answer.text
    assert answer.json["entry"][1]["resource"]["subject"] == reference("Patient/nobody/_history/3")


async def test_a_conditional_reference_is_refused_outside_of_a_transaction(fhir, given):
    await given(organization("1"))
    answer = await fhir.post("Patient", patient(managingOrganization=reference("Organization?name=Ban")))
    assert answer.status == 422


async def test_without_referential_integrity_any_reference_is_taken(start):
    server = await start(referential_integrity=False)
    answer = await server.client.post("Patient", patient(managingOrganization=reference("Organization/9")))
    assert answer.status == 201


async def test_the_version_of_a_reference_is_taken_off_unless_the_setting_keeps_it(fhir, given, start):
    await given(organization("1"))
    versioned = patient(managingOrganization=reference("Organization/1/_history/1"))
    assert (await fhir.post("Patient", versioned)).json["managingOrganization"] == reference("Organization/1")
    keeping = (await start(versioned_references=True)).client
    assert (await keeping.post("Patient", versioned)).json["managingOrganization"] == reference(
        "Organization/1/_history/1"
    )


# ---------------------------------------------------------------- conditional create


async def test_if_none_exist_without_a_match_creates(fhir):
    new = patient(identifier=identifier("1"))
    answer = await fhir.post("Patient", new, headers={"If-None-Exist": f"identifier={HN}|1"})
    assert (answer.status, answer.headers["Location"]) == (201, f"{fhir.base}/Patient/id-1/_history/1")


async def test_if_none_exist_with_one_match_ignores_the_post_and_is_200_with_what_is_there(fhir, given):
    await given(patient("1", identifier=identifier("1"), active=True))
    new = patient(identifier=identifier("1"), active=False)
    answer = await fhir.post("Patient", new, headers={"If-None-Exist": f"identifier={HN}|1"})
    assert (answer.status, answer.json["id"], answer.json["active"]) == (200, "1", True)
    assert answer.headers["ETag"] == 'W/"1"'


async def test_if_none_exist_with_several_matches_is_412(fhir, given):
    await given(patient("1", identifier=identifier("1")), patient("2", identifier=identifier("1")))
    answer = await fhir.post("Patient", patient(), headers={"If-None-Exist": f"identifier={HN}|1"})
    assert answer.status == 412
    assert answer.json["issue"][0]["code"] == "multiple-matches"


@pytest.mark.parametrize(
    "criteria", ["", "nonsense=1", "identifier=1&_count=1", "_sort=name", "http://x/Patient?_id=1"]
)
async def test_criteria_that_do_not_filter_are_400(fhir, criteria):
    answer = await fhir.post("Patient", patient(), headers={"If-None-Exist": criteria})
    assert answer.status == 400


async def test_fifty_concurrent_conditional_creates_differently_worded_make_one_resource(fhir):
    wordings = (f"identifier={HN}|7", "identifier=7", f"identifier={HN}|7,{HN}|7")
    new = patient(identifier=identifier("7"))
    answers = await asyncio.gather(
        *(fhir.post("Patient", new, headers={"If-None-Exist": wordings[number % 3]}) for number in range(50))
    )
    assert sorted(answer.status for answer in answers) == [200] * 49 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1
