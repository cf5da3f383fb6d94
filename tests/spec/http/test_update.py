"""update, update as create, conditional update, managing contention.

https://hl7.org/fhir/R4/http.html#update https://hl7.org/fhir/R4/http.html#upsert
https://hl7.org/fhir/R4/http.html#cond-update https://hl7.org/fhir/R4/http.html#concurrency
"""

from __future__ import annotations

import asyncio

import pytest

from tests.spec.people import HN, VALUE_TAG, identifier, observation, patient


async def test_update_makes_a_new_version_and_is_200_with_etag_and_last_modified(fhir, given, clock):
    await given(patient("1"))
    clock.advance(5000)
    answer = await fhir.put("Patient/1", patient("1", active=True))
    assert answer.status == 200
    assert answer.headers["ETag"] == 'W/"2"'
    assert answer.headers["Last-Modified"] == "Mon, 24 Nov 2025 01:00:05 GMT"
    assert (await fhir.get("Patient/1")).json == answer.json


async def test_update_of_what_does_not_exist_creates_it_under_the_id_and_is_201_with_location(fhir):
    answer = await fhir.put("Patient/mine", patient("mine"))
    assert answer.status == 201
    assert answer.headers["Location"] == f"{fhir.base}/Patient/mine/_history/1"


async def test_update_of_a_deleted_resource_brings_it_back_with_201_and_the_versions_go_on(fhir, given):
    await given(patient("1"))
    await fhir.delete("Patient/1")
    answer = await fhir.put("Patient/1", patient("1"))
    assert (answer.status, answer.json["meta"]["versionId"]) == (201, "3")


@pytest.mark.parametrize("resource", [patient(), patient("2")])
async def test_a_body_without_the_id_of_the_url_is_400(fhir, resource):
    answer = await fhir.put("Patient/1", resource)
    assert answer.status == 400
    assert answer.json["issue"][0]["expression"] == ["id"]


async def test_an_update_that_breaks_rules_leaves_the_resource_as_it_was(fhir, given):
    await given(patient("1", active=True))
    assert (await fhir.put("Patient/1", patient("1", active="yes"))).status == 422
    assert (await fhir.get("Patient/1")).json["meta"]["versionId"] == "1"


async def test_a_hundred_concurrent_updates_give_a_hundred_versions(fhir):
    answers = await asyncio.gather(*(fhir.put("Patient/1", patient("1")) for _ in range(100)))
    assert sorted(int(answer.json["meta"]["versionId"]) for answer in answers) == list(range(1, 101))
    assert [answer.status for answer in answers].count(201) == 1


# ---------------------------------------------------------------- If-Match, If-None-Match


@pytest.mark.parametrize("tag", ['W/"1"', '"1"', "1", 'W/"9", W/"1"', "*"])
async def test_if_match_with_the_current_version_updates(fhir, given, tag):
    await given(patient("1"))
    assert (await fhir.put("Patient/1", patient("1"), headers={"If-Match": tag})).status == 200


async def test_if_match_with_another_version_is_412_and_tells_the_current_one(fhir, given):
    await given(patient("1"), patient("1"))
    answer = await fhir.put("Patient/1", patient("1", active=True), headers={"If-Match": 'W/"1"'})
    assert answer.status == 412
    assert answer.headers["ETag"] == 'W/"2"'
    assert "active" not in (await fhir.get("Patient/1")).json


async def test_if_match_on_what_does_not_exist_is_412(fhir):
    assert (await fhir.put("Patient/1", patient("1"), headers={"If-Match": 'W/"1"'})).status == 412


@pytest.mark.parametrize("tag", ["", 'W/"1', "W/1 2", "<1>"])
async def test_an_if_match_that_is_no_entity_tag_is_400(fhir, given, tag):
    await given(patient("1"))
    assert (await fhir.put("Patient/1", patient("1"), headers={"If-Match": tag})).status == 400


async def test_of_concurrent_updates_with_the_same_if_match_one_wins(fhir, given):
    await given(patient("1"))
    answers = await asyncio.gather(
        *(fhir.put("Patient/1", patient("1"), headers={"If-Match": 'W/"1"'}) for _ in range(20))
    )
    assert sorted(answer.status for answer in answers) == [200] + [412] * 19


async def test_if_none_match_star_creates_only_what_does_not_exist(fhir):
    header = {"If-None-Match": "*"}
    assert (await fhir.put("Patient/1", patient("1"), headers=header)).status == 201
    answer = await fhir.put("Patient/1", patient("1"), headers=header)
    assert (answer.status, answer.headers["ETag"]) == (412, 'W/"1"')


async def test_of_concurrent_creations_with_if_none_match_star_one_wins(fhir):
    answers = await asyncio.gather(
        *(fhir.put("Patient/1", patient("1"), headers={"If-None-Match": "*"}) for _ in range(20))
    )
    assert sorted(answer.status for answer in answers) == [201] + [412] * 19


# ---------------------------------------------------------------- meta: https://hl7.org/fhir/R4/resource.html#tag-updates

TAG = {"system": "urn:example:tags", "code": "a"}
LABEL = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}


async def test_tags_and_security_labels_stay_when_an_update_does_not_name_them(fhir, given):
    await given(patient("1", meta={"tag": [TAG], "security": [LABEL]}))
    meta = (await fhir.put("Patient/1", patient("1"))).json["meta"]
    assert (meta["tag"], meta["security"]) == ([TAG], [LABEL])


async def test_new_tags_join_the_old_ones_and_system_with_code_says_what_is_the_same(fhir, given):
    await given(patient("1", meta={"tag": [TAG]}))
    new = {"system": "urn:example:tags", "code": "b"}
    sent = {"tag": [new, {**TAG, "display": "shown"}]}
    assert (await fhir.put("Patient/1", patient("1", meta=sent))).json["meta"]["tag"] == sent["tag"]


async def test_profiles_are_those_of_the_update(fhir, given):
    await given(patient("1", meta={"profile": ["http://hl7.org/fhir/StructureDefinition/Patient"]}))
    assert "profile" not in (await fhir.put("Patient/1", patient("1"))).json["meta"]


async def test_concurrent_updates_of_a_tagged_resource_are_all_stored(fhir, given):
    await given(patient("1", meta={"tag": [TAG]}))
    answers = await asyncio.gather(*(fhir.put("Patient/1", patient("1")) for _ in range(50)))
    assert {answer.status for answer in answers} == {200}
    assert (await fhir.get("Patient/1")).json["meta"]["versionId"] == "51"
    assert (await fhir.get("Patient/1")).json["meta"]["tag"] == [TAG]


async def test_a_subset_is_not_stored_over_the_whole(fhir, given):
    await given(patient("1"))
    subset = patient("1", meta={"tag": [{"system": VALUE_TAG, "code": "SUBSETTED"}]})
    assert (await fhir.put("Patient/1", subset)).status == 422


# ---------------------------------------------------------------- conditional update


async def test_no_match_and_no_id_creates_with_an_id_of_the_server(fhir):
    answer = await fhir.put(f"Patient?identifier={HN}|1", patient(identifier=identifier("1")))
    assert (answer.status, answer.json["id"]) == (201, "id-1")


async def test_no_match_and_an_id_creates_under_that_id(fhir):
    answer = await fhir.put(f"Patient?identifier={HN}|1", patient("mine", identifier=identifier("1")))
    assert (answer.status, answer.json["id"]) == (201, "mine")


async def test_no_match_and_the_id_of_another_resource_is_409(fhir, given):
    await given(patient("other"))
    answer = await fhir.put(f"Patient?identifier={HN}|1", patient("other", identifier=identifier("1")))
    assert answer.status == 409


@pytest.mark.parametrize("name", [None, "1"])
async def test_one_match_is_updated_when_the_body_has_no_id_or_its_id(fhir, given, name):
    await given(patient("1", identifier=identifier("1")))
    answer = await fhir.put(f"Patient?identifier={HN}|1", patient(name, identifier=identifier("1"), active=True))
    assert (answer.status, answer.json["id"], answer.json["meta"]["versionId"]) == (200, "1", "2")


async def test_one_match_and_another_id_is_400(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    answer = await fhir.put(f"Patient?identifier={HN}|1", patient("2", identifier=identifier("1")))
    assert answer.status == 400


async def test_several_matches_are_412(fhir, given):
    await given(patient("1", identifier=identifier("1")), patient("2", identifier=identifier("1")))
    assert (await fhir.put(f"Patient?identifier={HN}|1", patient())).status == 412


async def test_a_conditional_update_without_criteria_is_400(fhir):
    assert (await fhir.put("Patient", patient())).status == 400


async def test_if_match_of_a_conditional_update_concerns_the_match(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    url, body = f"Patient?identifier={HN}|1", patient(identifier=identifier("1"))
    assert (await fhir.put(url, body, headers={"If-Match": 'W/"2"'})).status == 412
    assert (await fhir.put(url, body, headers={"If-Match": 'W/"1"'})).status == 200


async def test_concurrent_conditional_updates_make_one_resource_with_all_versions(fhir):
    url, body = f"Patient?identifier={HN}|1", patient(identifier=identifier("1"))
    answers = await asyncio.gather(*(fhir.put(url, body) for _ in range(20)))
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sorted(int(answer.json["meta"]["versionId"]) for answer in answers) == list(range(1, 21))


async def test_conditional_update_against_conditional_create_makes_one_resource(fhir):
    body = patient(identifier=identifier("1"))
    answers = await asyncio.gather(
        *(fhir.put(f"Patient?identifier={HN}|1", body) for _ in range(10)),
        *(fhir.post("Patient", body, headers={"If-None-Exist": "identifier=1"}) for _ in range(10)),
    )
    assert len({answer.json["id"] for answer in answers}) == 1


async def test_criteria_that_use_a_reference_find_the_resource(fhir, given):
    await given(patient("1"), observation("o", subject={"reference": "Patient/1"}))
    answer = await fhir.put(
        "Observation?subject=Patient/1&code=29463-7", observation(subject={"reference": "Patient/1"}, valueInteger=3)
    )
    assert (answer.status, answer.json["id"]) == (200, "o")
