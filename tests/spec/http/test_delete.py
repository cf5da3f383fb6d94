"""delete and conditional delete.

https://hl7.org/fhir/R4/http.html#delete https://hl7.org/fhir/R4/http.html#3.1.0.7.1
"""

from __future__ import annotations

import pytest

from tests.spec.people import HN, identifier, observation, organization, patient, reference


async def test_delete_is_204_without_a_body_with_the_etag_of_the_deletion(fhir, given):
    await given(patient("1"))
    answer = await fhir.delete("Patient/1")
    assert (answer.status, answer.body, answer.headers["ETag"]) == (204, b"", 'W/"2"')


async def test_a_deleted_resource_is_no_longer_found_by_searches(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    await fhir.delete("Patient/1")
    assert (await fhir.get("Patient?identifier=1")).json["total"] == 0


async def test_deleting_what_never_existed_is_204_and_makes_no_version(fhir):
    assert (await fhir.delete("Patient/1")).status == 204
    assert (await fhir.get("Patient/1")).status == 404


async def test_deleting_twice_changes_nothing(fhir, given):
    await given(patient("1"))
    await fhir.delete("Patient/1")
    assert (await fhir.delete("Patient/1")).status == 204
    assert (await fhir.get("Patient/1/_history")).json["total"] == 2


async def test_with_prefer_operation_outcome_it_is_200_and_tells_what_was_done(fhir, given):
    await given(patient("1"))
    answer = await fhir.delete("Patient/1", headers={"Prefer": "return=OperationOutcome"})
    assert (answer.status, answer.diagnostics) == (200, "1 resource deleted")


async def test_if_match_with_another_version_is_412_and_nothing_is_deleted(fhir, given):
    await given(patient("1"), patient("1"))
    assert (await fhir.delete("Patient/1", headers={"If-Match": 'W/"1"'})).status == 412
    assert (await fhir.get("Patient/1")).status == 200
    assert (await fhir.delete("Patient/1", headers={"If-Match": 'W/"2"'})).status == 204


async def test_what_others_refer_to_is_not_deleted_and_the_409_names_one_of_them(fhir, given):
    await given(patient("1"), observation("o", subject=reference("Patient/1")))
    answer = await fhir.delete("Patient/1")
    assert answer.status == 409
    assert "Observation/o" in answer.diagnostics
    assert (await fhir.delete("Observation/o")).status == 204
    assert (await fhir.delete("Patient/1")).status == 204


async def test_without_referential_integrity_it_is_deleted_and_the_reference_still_finds_its_holder(start):
    fhir = (await start(referential_integrity=False)).client
    await fhir.put("Patient/1", patient("1"))
    await fhir.put("Observation/o", observation("o", subject=reference("Patient/1")))
    assert (await fhir.delete("Patient/1")).status == 204
    assert (await fhir.get("Observation?subject=Patient/1")).json["total"] == 1
    assert (await fhir.get("Observation?subject:Patient.active=true")).json["total"] == 0


# ---------------------------------------------------------------- conditional delete


async def test_conditional_delete_of_one_match_deletes_it(fhir, given):
    await given(patient("1", identifier=identifier("1")), patient("2", identifier=identifier("2")))
    answer = await fhir.delete(f"Patient?identifier={HN}|1")
    assert (answer.status, answer.headers["ETag"]) == (204, 'W/"2"')
    assert (await fhir.get("Patient/1")).status == 410
    assert (await fhir.get("Patient/2")).status == 200


async def test_conditional_delete_without_a_match_is_204(fhir):
    assert (await fhir.delete(f"Patient?identifier={HN}|1")).status == 204


async def test_several_matches_are_412_if_the_setting_allows_single_deletes_only(start):
    fhir = (await start(conditional_delete_multiple=False)).client
    for name in ("1", "2"):
        await fhir.put(f"Patient/{name}", patient(name, identifier=identifier("1")))
    answer = await fhir.delete(f"Patient?identifier={HN}|1")
    assert answer.status == 412
    assert (await fhir.get("Patient?identifier=1")).json["total"] == 2


async def test_with_the_setting_all_matches_are_deleted_at_once(start):
    fhir = (await start(conditional_delete_multiple=True)).client
    for name in ("1", "2"):
        await fhir.put(f"Patient/{name}", patient(name, identifier=identifier("1")))
    answer = await fhir.delete(f"Patient?identifier={HN}|1", headers={"Prefer": "return=OperationOutcome"})
    assert (answer.status, answer.diagnostics) == (200, "2 resources deleted")
    assert (await fhir.get("Patient?identifier=1")).json["total"] == 0


async def test_one_match_that_others_refer_to_keeps_all_matches(start):
    fhir = (await start(conditional_delete_multiple=True)).client
    await fhir.put("Organization/1", organization("1"))
    await fhir.put("Organization/2", organization("2"))
    await fhir.put("Patient/1", patient("1", managingOrganization=reference("Organization/2")))
    assert (await fhir.delete("Organization?name=Ban")).status == 409
    assert (await fhir.get("Organization?name=Ban")).json["total"] == 2


async def test_more_matches_than_one_delete_may_take_are_403_with_advice(fhir, given, monkeypatch):
    monkeypatch.setattr("server.interactions.delete.MOST", 1)
    await given(patient("1", identifier=identifier("1")), patient("2", identifier=identifier("1")))
    answer = await fhir.delete(f"Patient?identifier={HN}|1")
    assert (answer.status, answer.json["issue"][0]["code"]) == (403, "too-costly")
    assert (await fhir.get("Patient?identifier=1")).json["total"] == 2


@pytest.mark.parametrize("url", ["Patient", "Patient?nonsense=1", "Patient?_count=5"])
async def test_a_conditional_delete_without_criteria_is_400(fhir, given, url):
    await given(patient("1"))
    assert (await fhir.delete(url)).status == 400
    assert (await fhir.get("Patient/1")).status == 200
