"""Binary: raw content by Content-Type and Accept.   https://hl7.org/fhir/R4/binary.html#rest"""

from __future__ import annotations

import base64

import pytest

from tests.spec.people import patient

PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff"
PNG = {"Content-Type": "image/png"}


async def test_raw_content_becomes_a_binary_with_its_content_type(fhir):
    answer = await fhir.post("Binary", PICTURE, headers=PNG)
    assert answer.status == 201
    stored = (await fhir.get("Binary/id-1", headers={"Accept": "application/fhir+json"})).json
    assert stored["contentType"] == "image/png"
    assert base64.b64decode(stored["data"]) == PICTURE


async def test_accept_of_another_type_gives_the_raw_content(fhir):
    await fhir.post("Binary", PICTURE, headers=PNG)
    answer = await fhir.get("Binary/id-1", headers={"Accept": "image/png"})
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, PICTURE, "image/png")
    assert answer.headers["ETag"] == 'W/"1"'


async def test_raw_content_is_never_run_by_a_browser_as_a_page_of_this_server(fhir):
    await fhir.post("Binary", b"<script>alert(1)</script>", headers={"Content-Type": "text/html"})
    answer = await fhir.get("Binary/id-1", headers={"Accept": "text/*"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_update_with_raw_content_keeps_the_id_and_the_security_context(fhir, given):
    await given(patient("1"))
    headers = {**PNG, "X-Security-Context": "Patient/1"}
    answer = await fhir.put("Binary/b", PICTURE, headers=headers)
    stored = await fhir.get("Binary/b?_format=json")
    assert (answer.status, stored.json["securityContext"]) == (201, {"reference": "Patient/1"})
    raw = await fhir.get("Binary/b", headers={"Accept": "image/png"})
    assert raw.headers["X-Security-Context"] == "Patient/1"


async def test_a_binary_resource_is_stored_as_it_is(fhir):
    resource = {"resourceType": "Binary", "contentType": "text/plain", "data": base64.b64encode(b"x").decode()}
    assert (await fhir.post("Binary", resource)).json["data"] == resource["data"]


async def test_fhir_json_that_is_no_binary_is_refused(fhir):
    assert (await fhir.post("Binary", patient())).status == 400


async def test_other_json_is_content(fhir):
    await fhir.post("Binary", b'{"a":1}', headers={"Content-Type": "application/json"})
    answer = await fhir.get("Binary/id-1", headers={"Accept": "application/fhir+json"})
    assert base64.b64decode(answer.json["data"]) == b'{"a":1}'


@pytest.mark.parametrize("accept", ["*/*", "image/*", "text/plain", ""])
async def test_unless_fhir_is_asked_for_the_content_is_given(fhir, accept):
    await fhir.post("Binary", PICTURE, headers=PNG)
    for url in ("Binary/id-1", "Binary/id-1/_history/1"):
        answer = await fhir.get(url, headers={"Accept": accept})
        assert (answer.body, answer.headers["Content-Type"]) == (PICTURE, "image/png")


@pytest.mark.parametrize("accept", ["application/fhir+json", "application/fhir+json, */*;q=0.1", "application/json"])
async def test_the_resource_is_given_to_who_asks_for_fhir(fhir, accept):
    await fhir.post("Binary", PICTURE, headers=PNG)
    assert (await fhir.get("Binary/id-1", headers={"Accept": accept})).json["resourceType"] == "Binary"
    assert (await fhir.get("Binary/id-1?_format=json")).json["resourceType"] == "Binary"


async def test_a_format_of_fhir_that_is_not_offered_is_406_for_a_binary_too(fhir):
    await fhir.post("Binary", PICTURE, headers=PNG)
    assert (await fhir.get("Binary/id-1", headers={"Accept": "application/fhir+xml"})).status == 406


async def test_bundles_hold_binaries_as_resources(fhir):
    await fhir.post("Binary", PICTURE, headers=PNG)
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": "Binary/id-1"}}],
    }
    assert (await fhir.post("", bundle)).json["entry"][0]["resource"]["contentType"] == "image/png"


async def test_raw_content_is_updated_by_criteria_too_and_refused_without_any(fhir):
    headers = {"Content-Type": "text/plain"}
    made = await fhir.put("Binary?_id=b1", b"one", headers=headers)
    assert made.status == 201
    refusal = await fhir.put("Binary", b"one", headers=headers)
    assert refusal.status == 400
    assert "criteria" in refusal.diagnostics
