"""read, vread and conditional read.

https://hl7.org/fhir/R4/http.html#read https://hl7.org/fhir/R4/http.html#vread https://hl7.org/fhir/R4/http.html#cread
https://hl7.org/fhir/R4/http.html#versioning https://hl7.org/fhir/R4/search.html#elements
"""

from __future__ import annotations

import json

import pytest

from tests.spec.people import VALUE_TAG, organization, patient


async def test_read_gives_the_resource_with_its_version_id_and_last_updated(fhir, given):
    await given(patient("1", active=True))
    answer = await fhir.get("Patient/1")
    assert answer.status == 200
    assert answer.json == {
        "resourceType": "Patient",
        "id": "1",
        "meta": {"versionId": "1", "lastUpdated": "2025-11-24T01:00:00.000Z"},
        "active": True,
    }


async def test_the_etag_is_the_version_id_as_a_weak_tag_and_last_modified_is_an_http_date(fhir, given):
    await given(patient("1"))
    answer = await fhir.get("Patient/1")
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"] == "Mon, 24 Nov 2025 01:00:00 GMT"
    assert answer.headers["Content-Type"] == "application/fhir+json;charset=utf-8"


async def test_an_unknown_resource_is_404_with_an_operation_outcome(fhir):
    answer = await fhir.get("Patient/1")
    assert answer.status == 404
    assert answer.json["resourceType"] == "OperationOutcome"
    assert answer.json["issue"][0]["code"] == "not-found"


async def test_a_deleted_resource_is_410_with_the_etag_of_its_deletion(fhir, given):
    await given(patient("1"))
    await fhir.delete("Patient/1")
    answer = await fhir.get("Patient/1")
    assert answer.status == 410
    assert answer.headers["ETag"] == 'W/"2"'
    assert answer.json["issue"][0]["code"] == "deleted"


async def test_an_unknown_type_is_404_and_the_nearest_name_is_told(fhir):
    answer = await fhir.get("Pateint/1")
    assert answer.status == 404
    assert "did you mean Patient?" in answer.diagnostics


@pytest.mark.parametrize("name", ["a b", "x" * 65, "a_b", "กขค", "a:b", "a*"])
async def test_what_is_no_id_is_refused_with_400(fhir, name):
    assert (await fhir.get(f"Patient/{name}")).status == 400


async def test_head_gives_the_headers_of_a_get_without_a_body(fhir, given):
    await given(patient("1"))
    answer = await fhir.head("Patient/1")
    assert (answer.status, answer.body, answer.headers["ETag"]) == (200, b"", 'W/"1"')
    assert (await fhir.head("Patient/2")).status == 404


async def test_an_unknown_method_of_a_known_path_is_405_with_allow(fhir):
    answer = await fhir.post("Patient/1", patient("1"))
    assert answer.status == 405
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, PATCH, PUT"


async def test_decimals_keep_the_precision_they_were_written_with(fhir):
    body = (
        b'{"resourceType":"Observation","id":"1","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.00}}'
    )
    assert (await fhir.put("Observation/1", body)).status == 201
    assert b'"value":1.00}' in (await fhir.get("Observation/1")).body


# ---------------------------------------------------------------- conditional read


@pytest.mark.parametrize("tag", ['W/"1"', '"1"', 'W/"7", W/"1"', "*"])
async def test_if_none_match_with_the_current_version_is_304_with_its_headers(fhir, given, tag):
    await given(patient("1"))
    answer = await fhir.get("Patient/1", headers={"If-None-Match": tag})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"] == "Mon, 24 Nov 2025 01:00:00 GMT"


async def test_if_none_match_with_an_older_version_gives_the_resource(fhir, given):
    await given(patient("1"), patient("1", active=True))
    answer = await fhir.get("Patient/1", headers={"If-None-Match": 'W/"1"'})
    assert (answer.status, answer.json["active"]) == (200, True)


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("Mon, 24 Nov 2025 01:00:00 GMT", 304),
        ("Tue, 25 Nov 2025 00:00:00 GMT", 304),
        ("Mon, 24 Nov 2025 00:59:59 GMT", 200),
        ("yesterday", 200),
    ],
)
async def test_if_modified_since_is_304_unless_the_resource_is_newer(fhir, given, since, status):
    await given(patient("1"))
    assert (await fhir.get("Patient/1", headers={"If-Modified-Since": since})).status == status


async def test_if_none_match_counts_before_if_modified_since(fhir, given):
    await given(patient("1"))
    both = {"If-None-Match": 'W/"9"', "If-Modified-Since": "Tue, 25 Nov 2025 00:00:00 GMT"}
    assert (await fhir.get("Patient/1", headers=both)).status == 200


# ---------------------------------------------------------------- vread


async def test_vread_gives_the_version_as_it_was(fhir, given):
    await given(patient("1", active=False), patient("1", active=True))
    answer = await fhir.get("Patient/1/_history/1")
    assert (answer.status, answer.json["active"], answer.headers["ETag"]) == (200, False, 'W/"1"')


@pytest.mark.parametrize("version", ["3", "0", "-1", "x", "99999999999999999999"])
async def test_vread_of_a_version_that_never_was_is_404(fhir, given, version):
    await given(patient("1"), patient("1"))
    assert (await fhir.get(f"Patient/1/_history/{version}")).status == 404


async def test_vread_of_a_deletion_is_410_and_of_the_version_before_it_is_200(fhir, given):
    await given(patient("1"))
    await fhir.delete("Patient/1")
    assert (await fhir.get("Patient/1/_history/2")).status == 410
    assert (await fhir.get("Patient/1/_history/1")).status == 200


# ---------------------------------------------------------------- _summary and _elements on reads


async def test_summary_true_gives_the_elements_marked_as_summary_and_the_tag_subsetted(fhir, given):
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    await given(patient("1", text=text, active=True, maritalStatus={"text": "S"}, name=[{"family": "A"}]))
    found = (await fhir.get("Patient/1?_summary=true")).json
    assert set(found) == {"resourceType", "id", "meta", "active", "name"}
    assert [tag["code"] for tag in found["meta"]["tag"]] == ["SUBSETTED"]
    assert found["meta"]["tag"][0]["system"] == VALUE_TAG


async def test_summary_text_gives_text_id_meta_and_mandatory_elements(fhir, given):
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    resource = {"resourceType": "Observation", "id": "1", "status": "final", "code": {"text": "x"}, "valueInteger": 1}
    await given({**resource, "text": text})
    assert set((await fhir.get("Observation/1?_summary=text")).json) == {
        "resourceType", "id", "meta", "text", "status", "code",
    }  # fmt: skip


async def test_summary_data_removes_the_text(fhir, given):
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    await given(organization("1", text=text, active=True))
    assert set((await fhir.get("Organization/1?_summary=data")).json) == {
        "resourceType", "id", "meta", "name", "active",
    }  # fmt: skip


async def test_summary_false_gives_the_whole_resource_untagged(fhir, given):
    await given(patient("1", active=True))
    assert "tag" not in (await fhir.get("Patient/1?_summary=false")).json["meta"]


async def test_elements_gives_those_and_the_mandatory_ones(fhir, given):
    resource = {"resourceType": "Observation", "id": "1", "status": "final", "code": {"text": "x"}, "valueInteger": 1}
    await given({**resource, "issued": "2025-01-01T00:00:00Z"})
    found = (await fhir.get("Observation/1?_elements=value")).json
    assert set(found) == {"resourceType", "id", "meta", "status", "code", "valueInteger"}
    assert found["meta"]["tag"][0]["code"] == "SUBSETTED"


@pytest.mark.parametrize("query", ["_summary=all", "_elements=nonsense"])
async def test_a_subset_that_does_not_exist_is_400(fhir, given, query):
    await given(patient("1"))
    assert (await fhir.get(f"Patient/1?{query}")).status == 400


async def test_pretty_changes_only_white_space(fhir, given):
    await given(patient("1", active=True))
    pretty = await fhir.get("Patient/1?_pretty=true")
    assert b"\n" in pretty.body
    assert json.loads(pretty.body) == (await fhir.get("Patient/1")).json


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/json", 200),
        ("*/*", 200),
        ("application/fhir+xml", 406),
        ("application/fhir+xml, application/fhir+json;q=0.5", 200),
        ("application/fhir+json; fhirVersion=4.0", 200),
        ("application/fhir+json; fhirVersion=3.0", 406),
    ],
)
async def test_accept_chooses_the_format(fhir, given, accept, status):
    await given(patient("1"))
    assert (await fhir.get("Patient/1", headers={"Accept": accept})).status == status


@pytest.mark.parametrize("form", ["json", "application/json", "application/fhir%2Bjson", "application/fhir+json"])
async def test_format_overrides_accept(fhir, given, form):
    await given(patient("1"))
    answer = await fhir.get(f"Patient/1?_format={form}", headers={"Accept": "application/fhir+xml"})
    assert (answer.status, answer.json["id"]) == (200, "1")


async def test_a_format_that_is_not_offered_is_406(fhir, given):
    await given(patient("1"))
    assert (await fhir.get("Patient/1?_format=xml")).status == 406
