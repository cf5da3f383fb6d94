"""transaction: processing rules, conditional entries, patches and reads. Its links: test_transaction_links.py

https://hl7.org/fhir/R4/http.html#transaction https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from tests.spec.people import HN, bundle, entry, identifier, observation, organization, patient, reference, transact

A = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
B = "urn:uuid:7774d7b4-4d65-4f0b-8e0c-2f1d0f1a5a11"


async def test_all_entries_are_stored_and_answered_in_the_order_sent(fhir):
    answer = await transact(
        fhir, entry("POST", "Patient", patient()), entry("PUT", "Organization/o", organization("o"))
    )
    assert answer.status == 200
    assert answer.json["type"] == "transaction-response"
    assert [each["response"] for each in answer.json["entry"]] == [
        {
            "status": "201 Created",
            "location": f"{fhir.base}/{where}/_history/1",
            "etag": 'W/"1"',
            "lastModified": "2025-11-24T01:00:00.000Z",
        }
        for where in ("Patient/id-1", "Organization/o")
    ]


async def test_a_bundle_without_entries_is_no_error(fhir):
    answer = await fhir.post("", {"resourceType": "Bundle", "type": "transaction"})
    assert (answer.status, answer.json["type"]) == (200, "transaction-response")


async def test_one_entry_that_fails_leaves_nothing_of_the_others_and_the_outcome_names_it(fhir):
    answer = await transact(
        fhir,
        entry("POST", "Patient", patient()),
        entry("POST", "Patient", patient(gender="m")),
    )
    assert answer.status == 422
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1].resource.gender"]
    assert (await fhir.get("_history")).json["total"] == 0


async def test_a_link_that_no_entry_resolves_fails_the_transaction_naming_the_entry(fhir):
    """trules: links are replaced by those of the entries; one that is left refers to nothing, and never will."""
    answer = await transact(
        fhir,
        entry("POST", "Patient", patient(), full_url=A),
        entry("POST", "Observation", observation("1", subject=reference(A), performer=[reference(B)])),
    )
    assert (answer.status, B in answer.diagnostics) == (409, True)
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert (await fhir.get("_history")).json["total"] == 0


async def test_referential_integrity_that_fails_names_the_entry(fhir, given):
    await given(patient("used"), observation("1", subject=reference("Patient/used")))
    absent = await transact(
        fhir,
        entry("POST", "Observation", observation("2", subject=reference("Patient/used"))),
        entry("POST", "Observation", observation("3", subject=reference("Patient/absent"))),
    )
    assert (absent.status, absent.json["issue"][0]["expression"]) == (409, ["Bundle.entry[1]"])
    used = await transact(fhir, entry("POST", "Patient", patient()), entry("DELETE", "Patient/used"))
    assert (used.status, used.json["issue"][0]["expression"]) == (409, ["Bundle.entry[1]"])


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (entry("PUT", "Patient?identfier=x", patient()), "request.url"),
        (entry("POST", "Patient", patient(), ifNoneExist="identfier=x"), "request.ifNoneExist"),
        (entry("GET", "Patient?identfier=x"), "request.url"),
        (entry("DELETE", "Patient?identfier=x"), "request.url"),
    ],
)
async def test_criteria_that_are_wrong_are_named_as_what_they_are(fhir, wrong, place):
    answer = await transact(fhir, entry("POST", "Patient", patient()), wrong)
    assert (answer.status, "did you mean identifier" in answer.diagnostics) == (400, True)
    assert answer.json["issue"][0]["expression"] == [f"Bundle.entry[1].{place}"]


async def test_all_versions_of_a_transaction_have_the_same_last_updated(fhir):
    await transact(fhir, *(entry("POST", "Patient", patient()) for _ in range(3)))
    versions = (await fhir.get("_history")).json["entry"]
    assert len({each["resource"]["meta"]["lastUpdated"] for each in versions}) == 1


async def test_deletes_come_before_creates_and_reads_after_the_writes_whatever_the_order(fhir, given):
    await given(patient("old", identifier=identifier("1")))
    answer = await transact(
        fhir,
        entry("GET", f"Patient?identifier={HN}|1"),
        entry("GET", "Patient/new"),
        entry("PUT", "Patient/new", patient("new", identifier=identifier("1"))),
        entry("DELETE", "Patient/old"),
    )
    statuses = [each["response"]["status"][:3] for each in answer.json["entry"]]
    assert statuses == ["200", "200", "201", "204"]
    found = answer.json["entry"][0]["resource"]
    assert [each["resource"]["id"] for each in found["entry"]] == ["new"]
    assert answer.json["entry"][1]["resource"]["id"] == "new"


async def test_a_read_of_what_will_not_be_there_fails_the_transaction(fhir):
    answer = await transact(fhir, entry("POST", "Patient", patient()), entry("GET", "Patient/nobody"))
    assert answer.status == 404
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert (await fhir.get("_history")).json["total"] == 0


@pytest.mark.parametrize(
    "second",
    [
        entry("DELETE", "Patient/1"),
        entry("PUT", f"Patient?identifier={HN}|1", patient(identifier=identifier("1"))),
        entry("DELETE", f"Patient?identifier={HN}|1"),
    ],
)
async def test_identities_that_overlap_fail_the_transaction_with_400(fhir, given, second):
    await given(patient("1", identifier=identifier("1")))
    answer = await transact(fhir, entry("PUT", "Patient/1", patient("1")), second)
    assert answer.status == 400
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1]"]


async def test_prefer_return_representation_gives_the_resources(fhir):
    answer = await transact(fhir, entry("POST", "Patient", patient()), headers={"Prefer": "return=representation"})
    [only] = answer.json["entry"]
    assert (only["resource"]["id"], only["fullUrl"]) == ("id-1", f"{fhir.base}/Patient/id-1")


async def test_prefer_return_operation_outcome_gives_outcomes(fhir):
    answer = await transact(fhir, entry("POST", "Patient", patient()), headers={"Prefer": "return=OperationOutcome"})
    assert answer.json["entry"][0]["response"]["outcome"]["resourceType"] == "OperationOutcome"


# ---------------------------------------------------------------- conditional entries


async def test_if_none_exist_with_a_match_makes_links_point_to_the_match(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    answer = await transact(
        fhir,
        entry("POST", "Patient", patient(identifier=identifier("1")), full_url=A, ifNoneExist=f"identifier={HN}|1"),
        entry("POST", "Observation", observation(subject=reference(A))),
    )
    assert [each["response"]["status"] for each in answer.json["entry"]] == ["200 OK", "201 Created"]
    assert answer.json["entry"][0]["response"]["location"] == f"{fhir.base}/Patient/1/_history/1"
    assert (await fhir.get("Observation/id-1")).json["subject"] == reference("Patient/1")


async def test_equal_conditional_creates_in_one_transaction_make_one_resource(fhir):
    same = patient(identifier=identifier("1"))
    answer = await transact(
        fhir,
        entry("POST", "Patient", same, full_url=A, ifNoneExist=f"identifier={HN}|1"),
        entry("POST", "Patient", same, full_url=B, ifNoneExist=f"identifier={HN}|1"),
        entry("POST", "Observation", observation(subject=reference(B))),
    )
    assert [each["response"]["status"][:3] for each in answer.json["entry"]] == ["201", "200", "201"]
    assert (await fhir.get("Patient")).json["total"] == 1


async def test_conditional_creates_with_equal_criteria_and_other_content_overlap(fhir):
    answer = await transact(
        fhir,
        entry("POST", "Patient", patient(identifier=identifier("1")), ifNoneExist="identifier=1"),
        entry("POST", "Patient", patient(identifier=identifier("1"), active=True), ifNoneExist="identifier=1"),
    )
    assert answer.status == 400


@pytest.mark.parametrize(
    "first",
    [
        entry("PUT", f"Patient?identifier={HN}|1", patient(identifier=identifier("1"))),
        entry("POST", "Patient", patient(identifier=identifier("1")), ifNoneExist=f"identifier={HN}|1"),
    ],
)
async def test_a_conditional_update_overlaps_with_what_else_is_made_by_equal_criteria(fhir, first):
    second = entry("PUT", f"Patient?identifier={HN}|1", patient(identifier=identifier("1"), active=True))
    answer = await transact(fhir, first, second)
    assert (answer.status, answer.json["issue"][0]["code"]) == (400, "duplicate")
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert (await fhir.get("Patient")).json["total"] == 0


async def test_concurrent_transactions_with_the_same_if_none_exist_make_one_resource(fhir):
    answers = await asyncio.gather(
        *(
            transact(
                fhir,
                entry("POST", "Patient", patient(identifier=identifier("1")), full_url=A, ifNoneExist="identifier=1"),
                entry("POST", "Observation", observation(subject=reference(A))),
            )
            for _ in range(10)
        )
    )
    assert {answer.status for answer in answers} == {200}
    found = (await fhir.get("Patient?identifier=1")).json
    assert found["total"] == 1
    who = found["entry"][0]["resource"]["id"]
    assert (await fhir.get(f"Observation?subject=Patient/{who}")).json["total"] == 10


async def test_if_match_of_an_entry_guards_its_update(fhir, given):
    await given(patient("1"), patient("1"))
    stale = await transact(fhir, entry("PUT", "Patient/1", patient("1", active=True), ifMatch='W/"1"'))
    assert (stale.status, stale.json["issue"][0]["expression"]) == (412, ["Bundle.entry[0]"])
    assert (await transact(fhir, entry("PUT", "Patient/1", patient("1", active=True), ifMatch='W/"2"'))).status == 200


async def test_if_none_match_star_of_an_entry_creates_only_what_does_not_exist(fhir, given):
    await given(patient("1"))
    assert (await transact(fhir, entry("PUT", "Patient/1", patient("1"), ifNoneMatch="*"))).status == 412
    assert (await transact(fhir, entry("PUT", "Patient/2", patient("2"), ifNoneMatch="*"))).status == 200


async def test_conditional_updates_and_deletes_are_entries_too(fhir, given):
    await given(patient("1", identifier=identifier("1")), patient("2", identifier=identifier("2")))
    answer = await transact(
        fhir,
        entry("PUT", f"Patient?identifier={HN}|1", patient(identifier=identifier("1"), active=True)),
        entry("DELETE", f"Patient?identifier={HN}|2"),
    )
    assert [each["response"]["status"][:3] for each in answer.json["entry"]] == ["200", "204"]
    assert (await fhir.get("Patient/1")).json["active"] is True
    assert (await fhir.get("Patient/2")).status == 410


# ---------------------------------------------------------------- patches, reads


async def test_a_json_patch_is_an_entry_with_a_binary(fhir, given):
    await given(patient("1"))
    operations = json.dumps([{"op": "add", "path": "/active", "value": True}]).encode()
    binary = {
        "resourceType": "Binary",
        "contentType": "application/json-patch+json",
        "data": base64.b64encode(operations).decode(),
    }
    answer = await transact(fhir, entry("PATCH", "Patient/1", binary))
    assert answer.json["entry"][0]["response"]["status"] == "200 OK"
    assert (await fhir.get("Patient/1")).json["active"] is True


@pytest.mark.parametrize("link", [A, "urn:oid:1.2.3.4", "Patient?identifier=77"])
async def test_links_and_conditional_references_of_json_and_merge_patches_are_replaced(fhir, given, link):
    await given(observation("1"), observation("2"))

    def binary(kind, content):
        data = base64.b64encode(json.dumps(content).encode()).decode()
        return {"resourceType": "Binary", "contentType": kind, "data": data}

    operations = [{"op": "add", "path": "/subject", "value": reference(link)}]
    answer = await transact(
        fhir,
        entry("PATCH", "Observation/1", binary("application/json-patch+json", operations)),
        entry("PATCH", "Observation/2", binary("application/merge-patch+json", {"subject": reference(link)})),
        entry("POST", "Patient", patient(identifier=identifier("77")), full_url=A if "?" in link else link),
    )
    assert answer.status == 200, answer.text
    for name in ("1", "2"):
        assert (await fhir.get(f"Observation/{name}")).json["subject"] == reference("Patient/id-1")


async def test_a_fhirpath_patch_is_an_entry_with_parameters_and_its_links_are_replaced(fhir, given):
    await given(observation("1"))
    parts = [
        {"name": "type", "valueCode": "add"},
        {"name": "path", "valueString": "Observation"},
        {"name": "name", "valueString": "subject"},
        {"name": "value", "valueReference": reference(A)},
    ]
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    answer = await transact(
        fhir, entry("POST", "Patient", patient(), full_url=A), entry("PATCH", "Observation/1", parameters)
    )
    assert answer.status == 200
    assert (await fhir.get("Observation/1")).json["subject"] == reference("Patient/id-1")


async def test_a_conditional_read_entry_may_be_304(fhir, given):
    await given(patient("1"))
    answer = await transact(fhir, entry("GET", "Patient/1", ifNoneMatch='W/"1"'))
    assert answer.json["entry"][0]["response"]["status"] == "304 Not Modified"


async def test_operations_that_change_nothing_are_entries_too(fhir, given):
    await given(patient("1"))
    answer = await transact(fhir, entry("GET", "Patient/1/$meta"), entry("POST", "$validate", patient()))
    assert [each["response"]["status"] for each in answer.json["entry"]] == ["200 OK", "200 OK"]


# ---------------------------------------------------------------- what is no transaction


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (patient(), 400),
        ({"resourceType": "Bundle", "type": "collection"}, 400),
        ({"resourceType": "Bundle"}, 400),
        ({"resourceType": "Bundle", "type": "transaction", "entry": {}}, 422),
        ({"resourceType": "Bundle", "type": "transaction", "entry": [None]}, 422),
        ({"resourceType": "Bundle", "type": "transaction", "entry": ["x"]}, 422),
        ({"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": patient()}]}, 422),
        (bundle("transaction", entry("FLY", "Patient", patient())), 422),
        (bundle("transaction", entry("POST", "Patient")), 400),
        (bundle("transaction", entry("POST", "Nothing", patient())), 404),
        (bundle("transaction", entry("POST", "https://elsewhere.example/fhir/Patient", patient())), 400),
        (bundle("transaction", entry("PUT", "Patient/1", patient("2"))), 400),
        (bundle("transaction", entry("POST", "?", bundle("batch"))), 400),
        (bundle("transaction", entry("POST", "Patient/1/$meta-add", patient())), 400),
        (bundle("transaction", entry("GET", "Patient?nonsense=1")), 400),
        (bundle("transaction", entry("POST", "Patient", patient(), surplus=1)), 422),
    ],
)
async def test_a_wrong_bundle_is_a_4xx_that_names_what_is_wrong_and_stores_nothing(fhir, body, status):
    answer = await fhir.post("", body)
    assert (answer.status, answer.json["resourceType"]) == (status, "OperationOutcome")
    assert (await fhir.get("_history")).json["total"] == 0


async def test_more_entries_than_the_limit_are_413(start):
    fhir = (await start(max_entries=2)).client
    answer = await transact(fhir, *(entry("POST", "Patient", patient()) for _ in range(3)))
    assert answer.status == 413
