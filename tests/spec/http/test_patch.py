"""patch and conditional patch.

https://hl7.org/fhir/R4/http.html#patch https://hl7.org/fhir/R4/fhirpatch.html
https://www.rfc-editor.org/rfc/rfc6902 https://www.rfc-editor.org/rfc/rfc7396
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.spec.people import HN, identifier, patient

JSON_PATCH = {"Content-Type": "application/json-patch+json"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


def operations(*rows: dict[str, Any]) -> bytes:
    return json.dumps(list(rows)).encode()


def fhirpath_patch(**parts: Any) -> dict[str, Any]:
    """Parameters with one operation: `fhirpath_patch(type="replace", path="Patient.active", valueBoolean=True)`."""
    rows = []
    for name, value in parts.items():
        if name.startswith("value"):
            rows.append({"name": "value", name: value})
        else:
            rows.append({"name": name, "valueCode" if name == "type" else "valueString": value})
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": rows}]}


SET_ACTIVE = operations({"op": "add", "path": "/active", "value": True})


async def test_a_json_patch_makes_a_new_version_and_is_200_with_the_resource(fhir, given):
    await given(patient("1", gender="male"))
    answer = await fhir.patch("Patient/1", SET_ACTIVE, headers=JSON_PATCH)
    assert (answer.status, answer.headers["ETag"]) == (200, 'W/"2"')
    assert (answer.json["active"], answer.json["gender"]) == (True, "male")


async def test_a_merge_patch_removes_what_is_null(fhir, given):
    await given(patient("1", gender="male", active=False))
    answer = await fhir.patch("Patient/1", b'{"gender":null,"active":true}', headers=MERGE_PATCH)
    assert (answer.status, answer.json["active"], "gender" in answer.json) == (200, True, False)


async def test_a_fhirpath_patch_is_a_parameters_resource(fhir, given):
    await given(patient("1", active=False))
    answer = await fhir.patch("Patient/1", fhirpath_patch(type="replace", path="Patient.active", valueBoolean=True))
    assert (answer.status, answer.json["active"]) == (200, True)


async def test_decimals_that_the_patch_does_not_touch_keep_their_precision(fhir):
    body = (
        b'{"resourceType":"Observation","id":"1","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.00}}'
    )
    await fhir.put("Observation/1", body)
    patch = operations({"op": "replace", "path": "/status", "value": "amended"})
    assert b'"value":1.00' in (await fhir.patch("Observation/1", patch, headers=JSON_PATCH)).body


async def test_a_failed_test_operation_is_422_and_nothing_changes(fhir, given):
    await given(patient("1", gender="male"))
    patch = operations({"op": "test", "path": "/gender", "value": "female"}, {"op": "remove", "path": "/gender"})
    assert (await fhir.patch("Patient/1", patch, headers=JSON_PATCH)).status == 422
    assert (await fhir.get("Patient/1")).json["meta"]["versionId"] == "1"


async def test_a_result_that_breaks_rules_is_422_naming_the_element(fhir, given):
    await given(patient("1"))
    patch = operations({"op": "add", "path": "/gender", "value": "m"})
    answer = await fhir.patch("Patient/1", patch, headers=JSON_PATCH)
    assert answer.status == 422
    assert answer.json["issue"][0]["expression"] == ["Patient.gender"]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/id", "value": "2"},
        {"op": "replace", "path": "/resourceType", "value": "Person"},
        {"op": "remove", "path": "/id"},
    ],
)
async def test_a_patch_cannot_change_type_or_id(fhir, given, operation):
    await given(patient("1"))
    assert (await fhir.patch("Patient/1", operations(operation), headers=JSON_PATCH)).status == 422


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", JSON_PATCH),
        (b"[", JSON_PATCH),
        (b'[],"x":[]', JSON_PATCH),
        (b'[{"op":"fly","path":"/a"}]', JSON_PATCH),
        (b"[]", MERGE_PATCH),
        (b'{"resourceType":"Patient"}', {}),
    ],
)
async def test_what_is_no_patch_is_400(fhir, given, body, headers):
    await given(patient("1"))
    assert (await fhir.patch("Patient/1", body, headers=headers)).status == 400


async def test_another_media_type_is_415(fhir, given):
    await given(patient("1"))
    assert (await fhir.patch("Patient/1", b"x", headers={"Content-Type": "text/plain"})).status == 415


async def test_patching_what_does_not_exist_is_404_and_what_is_deleted_410(fhir, given):
    assert (await fhir.patch("Patient/1", SET_ACTIVE, headers=JSON_PATCH)).status == 404
    await given(patient("1"))
    await fhir.delete("Patient/1")
    assert (await fhir.patch("Patient/1", SET_ACTIVE, headers=JSON_PATCH)).status == 410


async def test_if_match_guards_a_patch(fhir, given):
    await given(patient("1"), patient("1"))
    stale = {**JSON_PATCH, "If-Match": 'W/"1"'}
    assert (await fhir.patch("Patient/1", SET_ACTIVE, headers=stale)).status == 412
    current = {**JSON_PATCH, "If-Match": 'W/"2"'}
    assert (await fhir.patch("Patient/1", SET_ACTIVE, headers=current)).status == 200


async def test_concurrent_patches_of_different_elements_all_take_effect(fhir, given):
    await given(patient("1"))
    changes = [("active", True), ("gender", "male"), ("birthDate", "2001-02-03"), ("language", "th")]
    answers = await asyncio.gather(
        *(
            fhir.patch("Patient/1", operations({"op": "add", "path": f"/{name}", "value": value}), headers=JSON_PATCH)
            for name, value in changes
        )
    )
    assert {answer.status for answer in answers} == {200}
    stored = (await fhir.get("Patient/1")).json
    assert [(name, stored[name]) for name, _ in changes] == changes
    assert stored["meta"]["versionId"] == "5"


async def test_fifty_concurrent_patches_give_fifty_versions(fhir, given):
    await given(patient("1"))
    answers = await asyncio.gather(*(fhir.patch("Patient/1", SET_ACTIVE, headers=JSON_PATCH) for _ in range(50)))
    assert {answer.status for answer in answers} == {200}
    assert (await fhir.get("Patient/1")).json["meta"]["versionId"] == "51"


async def test_prefer_return_minimal_gives_no_body(fhir, given):
    await given(patient("1"))
    answer = await fhir.patch("Patient/1", SET_ACTIVE, headers={**JSON_PATCH, "Prefer": "return=minimal"})
    assert (answer.status, answer.body) == (200, b"")


# ---------------------------------------------------------------- conditional patch


async def test_conditional_patch_changes_the_one_match(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    answer = await fhir.patch(f"Patient?identifier={HN}|1", SET_ACTIVE, headers=JSON_PATCH)
    assert (answer.status, answer.json["id"], answer.json["active"]) == (200, "1", True)


async def test_conditional_patch_without_a_match_is_404_and_with_several_412(fhir, given):
    assert (await fhir.patch(f"Patient?identifier={HN}|1", SET_ACTIVE, headers=JSON_PATCH)).status == 404
    await given(patient("1", identifier=identifier("1")), patient("2", identifier=identifier("1")))
    assert (await fhir.patch(f"Patient?identifier={HN}|1", SET_ACTIVE, headers=JSON_PATCH)).status == 412
