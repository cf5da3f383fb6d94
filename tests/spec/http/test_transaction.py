"""transaction: processing rules, links between entries, conditional references.

https://hl7.org/fhir/R4/http.html#transaction https://hl7.org/fhir/R4/http.html#trules
https://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from tests.spec.people import HN, bundle, entry, identifier, observation, organization, patient, reference

A = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
B = "urn:uuid:7774d7b4-4d65-4f0b-8e0c-2f1d0f1a5a11"


async def send(fhir, *entries, **more):
    return await fhir.post("", bundle("transaction", *entries), **more)


async def test_all_entries_are_stored_and_answered_in_the_order_sent(fhir):
    answer = await send(fhir, entry("POST", "Patient", patient()), entry("PUT", "Organization/o", organization("o")))
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
    answer = await send(
        fhir,
        entry("POST", "Patient", patient()),
        entry("POST", "Patient", patient(gender="m")),
    )
    assert answer.status == 422
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1].resource.gender"]
    assert (await fhir.get("_history")).json["total"] == 0


async def test_a_link_that_no_entry_resolves_fails_the_transaction_naming_the_entry(fhir):
    """trules: links are replaced by those of the entries; one that is left refers to nothing, and never will."""
    answer = await send(
        fhir,
        entry("POST", "Patient", patient(), full_url=A),
        entry("POST", "Observation", observation("1", subject=reference(A), performer=[reference(B)])),
    )
    assert (answer.status, B in answer.diagnostics) == (409, True)
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert (await fhir.get("_history")).json["total"] == 0


async def test_referential_integrity_that_fails_names_the_entry(fhir, given):
    await given(patient("used"), observation("1", subject=reference("Patient/used")))
    absent = await send(
        fhir,
        entry("POST", "Observation", observation("2", subject=reference("Patient/used"))),
        entry("POST", "Observation", observation("3", subject=reference("Patient/absent"))),
    )
    assert (absent.status, absent.json["issue"][0]["expression"]) == (409, ["Bundle.entry[1]"])
    used = await send(fhir, entry("POST", "Patient", patient()), entry("DELETE", "Patient/used"))
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
    answer = await send(fhir, entry("POST", "Patient", patient()), wrong)
    assert (answer.status, "did you mean identifier" in answer.diagnostics) == (400, True)
    assert answer.json["issue"][0]["expression"] == [f"Bundle.entry[1].{place}"]


async def test_all_versions_of_a_transaction_have_the_same_last_updated(fhir):
    await send(fhir, *(entry("POST", "Patient", patient()) for _ in range(3)))
    versions = (await fhir.get("_history")).json["entry"]
    assert len({each["resource"]["meta"]["lastUpdated"] for each in versions}) == 1


async def test_deletes_come_before_creates_and_reads_after_the_writes_whatever_the_order(fhir, given):
    await given(patient("old", identifier=identifier("1")))
    answer = await send(
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
    answer = await send(fhir, entry("POST", "Patient", patient()), entry("GET", "Patient/nobody"))
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
    answer = await send(fhir, entry("PUT", "Patient/1", patient("1")), second)
    assert answer.status == 400
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1]"]


async def test_prefer_return_representation_gives_the_resources(fhir):
    answer = await send(fhir, entry("POST", "Patient", patient()), headers={"Prefer": "return=representation"})
    [only] = answer.json["entry"]
    assert (only["resource"]["id"], only["fullUrl"]) == ("id-1", f"{fhir.base}/Patient/id-1")


async def test_prefer_return_operation_outcome_gives_outcomes(fhir):
    answer = await send(fhir, entry("POST", "Patient", patient()), headers={"Prefer": "return=OperationOutcome"})
    assert answer.json["entry"][0]["response"]["outcome"]["resourceType"] == "OperationOutcome"


# ---------------------------------------------------------------- links


async def test_references_by_urn_uuid_become_the_new_identities_also_in_circles(fhir):
    await send(
        fhir,
        entry("POST", "Patient", patient(link=[{"other": reference(B), "type": "seealso"}]), full_url=A),
        entry("POST", "Patient", patient(link=[{"other": reference(A), "type": "seealso"}]), full_url=B),
    )
    assert (await fhir.get("Patient/id-1")).json["link"][0]["other"] == reference("Patient/id-2")
    assert (await fhir.get("Patient/id-2")).json["link"][0]["other"] == reference("Patient/id-1")


async def test_links_are_replaced_in_nested_contained_and_extension_elements_and_narratives(fhir):
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{A}">x</a><img src="{A}" alt="y"/> {A}</div>'
    resource = observation(
        text={"status": "generated", "div": div},
        contained=[{"resourceType": "Specimen", "id": "s", "subject": reference(A)}],
        specimen=reference("#s"),
        extension=[
            {"url": "urn:example:who", "valueReference": reference(A)},
            {"url": "urn:example:where", "valueUri": A},
            {"url": "urn:example:deep", "extension": [{"url": "urn:example:url", "valueUrl": A}]},
        ],
        performer=[reference(A)],
    )
    await send(fhir, entry("POST", "Patient", patient(), full_url=A), entry("POST", "Observation", resource))
    stored = (await fhir.get("Observation/id-2")).json
    assert stored["contained"][0]["subject"] == reference("Patient/id-1")
    assert stored["extension"][0]["valueReference"] == reference("Patient/id-1")
    assert stored["extension"][1]["valueUri"] == "Patient/id-1"
    assert stored["extension"][2]["extension"][0]["valueUrl"] == "Patient/id-1"
    assert stored["performer"] == [reference("Patient/id-1")]
    assert '<a href="Patient/id-1">' in stored["text"]["div"]
    assert '<img src="Patient/id-1"' in stored["text"]["div"]
    assert f" {A}</div>" in stored["text"]["div"]


async def test_strings_and_canonicals_that_look_like_a_link_are_left_alone(fhir):
    resource = patient(
        identifier=[{"system": "urn:ietf:rfc:3986", "value": A}],
        extension=[
            {"url": "urn:example:canonical", "valueCanonical": A},
            {"url": "urn:example:string", "valueString": A},
        ],
    )
    await send(fhir, entry("POST", "Patient", resource, full_url=A))
    stored = (await fhir.get("Patient/id-1")).json
    assert stored["identifier"][0]["value"] == A
    assert [each.get("valueCanonical", each.get("valueString")) for each in stored["extension"]] == [A, A]


async def test_a_full_url_of_another_server_is_mapped_with_relative_references_to_it(fhir):
    root = "https://his.example/fhir"
    await send(
        fhir,
        entry("POST", "Patient", patient("77"), full_url=f"{root}/Patient/77"),
        entry("POST", "Observation", observation(subject=reference("Patient/77")), full_url=f"{root}/Observation/1"),
        entry("POST", "Observation", observation(subject=reference(f"{root}/Patient/77"))),
    )
    for name in ("id-2", "id-3"):
        assert (await fhir.get(f"Observation/{name}")).json["subject"] == reference("Patient/id-1")


async def test_fragments_stay_on_the_links_they_are_on(fhir):
    resource = patient(extension=[{"url": "urn:example:u", "valueUri": f"{A}#part"}])
    await send(fhir, entry("POST", "Patient", resource, full_url=A))
    assert (await fhir.get("Patient/id-1")).json["extension"][0]["valueUri"] == "Patient/id-1#part"


async def test_version_specific_references_stay_version_specific_where_the_setting_keeps_them(start):
    fhir = (await start(versioned_references=True)).client
    root = "https://his.example/fhir"
    resource = observation(subject=reference(f"{root}/Patient/1/_history/9"))
    await send(
        fhir,
        entry("POST", "Patient", patient(), full_url=f"{root}/Patient/1"),
        entry("POST", "Observation", resource),
    )
    assert (await fhir.get("Observation?")).json["entry"][0]["resource"]["subject"] == reference(
        "Patient/id-1/_history/1"
    )


async def test_references_to_what_is_not_in_the_bundle_are_left_untouched(fhir, given):
    await given(patient("1"))
    await send(fhir, entry("POST", "Observation", observation(subject=reference("Patient/1"))))
    assert (await fhir.get("Observation/id-1")).json["subject"] == reference("Patient/1")


async def test_a_link_to_an_entry_of_another_type_than_the_element_allows_is_422(fhir):
    answer = await send(
        fhir,
        entry("POST", "Organization", organization(), full_url=A),
        entry(
            "POST",
            "Patient",
            patient(generalPractitioner=[reference(A)], link=[{"other": reference(A), "type": "seealso"}]),
        ),
    )
    assert answer.status == 422
    assert answer.json["issue"][0]["expression"][0].startswith("Bundle.entry[1].resource.link[0].other")


# ---------------------------------------------------------------- conditional references


async def test_a_conditional_reference_is_replaced_by_its_one_match(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    subject = reference(f"Patient?identifier={HN}|1")
    answer = await send(fhir, entry("POST", "Observation", observation(subject=subject)))
    assert answer.status == 200
    assert (await fhir.get("Observation/id-1")).json["subject"] == reference("Patient/1")


async def test_a_conditional_reference_may_match_what_the_transaction_creates(fhir):
    subject = reference(f"Patient?identifier={HN}|1")
    answer = await send(
        fhir,
        entry("POST", "Observation", observation(subject=subject)),
        entry("POST", "Patient", patient(identifier=identifier("1"))),
    )
    assert answer.status == 200
    assert (await fhir.get("Observation?subject:missing=false")).json["entry"][0]["resource"]["subject"] == reference(
        answer.json["entry"][1]["response"]["location"].partition("/fhir/")[2].partition("/_history")[0]
    )


async def test_conditional_references_are_replaced_wherever_they_are(fhir, given):
    await given(patient("1", identifier=identifier("77")))
    asked, found = reference("Patient?identifier=77"), reference("Patient/1")
    resource = observation(
        subject=asked,
        performer=[asked],
        contained=[{"resourceType": "Specimen", "id": "s", "subject": asked}],
        specimen=reference("#s"),
        extension=[{"url": "urn:x", "extension": [{"url": "y", "valueReference": asked}]}],
        _status={"extension": [{"url": "urn:x", "valueReference": asked}]},
    )
    answer = await send(
        fhir, entry("POST", "Observation", resource), entry("PUT", "Observation/u", {**resource, "id": "u"})
    )
    assert answer.status == 200, answer.text
    for name in ("id-1", "u"):
        stored = (await fhir.get(f"Observation/{name}")).json
        assert stored["subject"] == stored["performer"][0] == stored["contained"][0]["subject"] == found
        assert stored["extension"][0]["extension"][0]["valueReference"] == found
        assert stored["_status"]["extension"][0]["valueReference"] == found


@pytest.mark.parametrize("matches", [0, 2])
async def test_a_conditional_reference_with_no_or_several_matches_fails_the_transaction(fhir, given, matches):
    for number in range(matches):
        await given(patient(str(number), identifier=identifier("1")))
    subject = reference(f"Patient?identifier={HN}|1")
    answer = await send(
        fhir, entry("POST", "Patient", patient()), entry("POST", "Observation", observation(subject=subject))
    )
    assert answer.status == 412
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert (await fhir.get("Observation")).json["total"] == 0


async def test_a_match_that_the_transaction_deletes_is_none(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    subject = reference(f"Patient?identifier={HN}|1")
    answer = await send(fhir, entry("DELETE", "Patient/1"), entry("POST", "Observation", observation(subject=subject)))
    assert answer.status == 412


async def test_many_conditional_references_are_each_resolved_to_their_own(fhir):
    people = [patient(f"p{number}", identifier=identifier(f"Hn{number}")) for number in range(130)]
    await send(fhir, *(entry("PUT", f"Patient/{each['id']}", each) for each in people))
    wordings = [f"Patient?identifier={HN}|Hn{{}}", "Patient?identifier=Hn{}", f"Patient?identifier={HN}|Hn{{}},x"]
    references = [wordings[number % 3].format(number) for number in range(130)]
    await send(
        fhir,
        *(
            entry("PUT", f"Observation/o{n}", observation(f"o{n}", subject=reference(text)))
            for n, text in enumerate(references)
        ),
    )
    for number in (0, 1, 2, 50, 99, 100, 101, 129):
        assert (await fhir.get(f"Observation/o{number}")).json["subject"] == reference(f"Patient/p{number}")


async def test_of_many_conditional_references_the_one_that_is_ambiguous_is_named(fhir, given):
    await given(*(patient(str(number), identifier=identifier(str(number // 2))) for number in range(4)))
    await given(patient("single", identifier=identifier("9")))
    subjects = [reference(f"Patient?identifier={HN}|{value}") for value in (9, 0, 8)]
    answer = await send(fhir, *(entry("POST", "Observation", observation(subject=each)) for each in subjects))
    assert (answer.status, answer.json["issue"][0]["expression"]) == (412, ["Bundle.entry[1]"])


# ---------------------------------------------------------------- conditional entries


async def test_if_none_exist_with_a_match_makes_links_point_to_the_match(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    answer = await send(
        fhir,
        entry("POST", "Patient", patient(identifier=identifier("1")), full_url=A, ifNoneExist=f"identifier={HN}|1"),
        entry("POST", "Observation", observation(subject=reference(A))),
    )
    assert [each["response"]["status"] for each in answer.json["entry"]] == ["200 OK", "201 Created"]
    assert answer.json["entry"][0]["response"]["location"] == f"{fhir.base}/Patient/1/_history/1"
    assert (await fhir.get("Observation/id-1")).json["subject"] == reference("Patient/1")


async def test_equal_conditional_creates_in_one_transaction_make_one_resource(fhir):
    same = patient(identifier=identifier("1"))
    answer = await send(
        fhir,
        entry("POST", "Patient", same, full_url=A, ifNoneExist=f"identifier={HN}|1"),
        entry("POST", "Patient", same, full_url=B, ifNoneExist=f"identifier={HN}|1"),
        entry("POST", "Observation", observation(subject=reference(B))),
    )
    assert [each["response"]["status"][:3] for each in answer.json["entry"]] == ["201", "200", "201"]
    assert (await fhir.get("Patient")).json["total"] == 1


async def test_conditional_creates_with_equal_criteria_and_other_content_overlap(fhir):
    answer = await send(
        fhir,
        entry("POST", "Patient", patient(identifier=identifier("1")), ifNoneExist="identifier=1"),
        entry("POST", "Patient", patient(identifier=identifier("1"), active=True), ifNoneExist="identifier=1"),
    )
    assert answer.status == 400


async def test_concurrent_transactions_with_the_same_if_none_exist_make_one_resource(fhir):
    answers = await asyncio.gather(
        *(
            send(
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
    stale = await send(fhir, entry("PUT", "Patient/1", patient("1", active=True), ifMatch='W/"1"'))
    assert (stale.status, stale.json["issue"][0]["expression"]) == (412, ["Bundle.entry[0]"])
    assert (await send(fhir, entry("PUT", "Patient/1", patient("1", active=True), ifMatch='W/"2"'))).status == 200


async def test_if_none_match_star_of_an_entry_creates_only_what_does_not_exist(fhir, given):
    await given(patient("1"))
    assert (await send(fhir, entry("PUT", "Patient/1", patient("1"), ifNoneMatch="*"))).status == 412
    assert (await send(fhir, entry("PUT", "Patient/2", patient("2"), ifNoneMatch="*"))).status == 200


async def test_conditional_updates_and_deletes_are_entries_too(fhir, given):
    await given(patient("1", identifier=identifier("1")), patient("2", identifier=identifier("2")))
    answer = await send(
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
    answer = await send(fhir, entry("PATCH", "Patient/1", binary))
    assert answer.json["entry"][0]["response"]["status"] == "200 OK"
    assert (await fhir.get("Patient/1")).json["active"] is True


@pytest.mark.parametrize("link", [A, "urn:oid:1.2.3.4", "Patient?identifier=77"])
async def test_links_and_conditional_references_of_json_and_merge_patches_are_replaced(fhir, given, link):
    await given(observation("1"), observation("2"))

    def binary(kind, content):
        data = base64.b64encode(json.dumps(content).encode()).decode()
        return {"resourceType": "Binary", "contentType": kind, "data": data}

    operations = [{"op": "add", "path": "/subject", "value": reference(link)}]
    answer = await send(
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
    answer = await send(
        fhir, entry("POST", "Patient", patient(), full_url=A), entry("PATCH", "Observation/1", parameters)
    )
    assert answer.status == 200
    assert (await fhir.get("Observation/1")).json["subject"] == reference("Patient/id-1")


async def test_a_conditional_read_entry_may_be_304(fhir, given):
    await given(patient("1"))
    answer = await send(fhir, entry("GET", "Patient/1", ifNoneMatch='W/"1"'))
    assert answer.json["entry"][0]["response"]["status"] == "304 Not Modified"


async def test_operations_that_change_nothing_are_entries_too(fhir, given):
    await given(patient("1"))
    answer = await send(fhir, entry("GET", "Patient/1/$meta"), entry("POST", "$validate", patient()))
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
    answer = await send(fhir, *(entry("POST", "Patient", patient()) for _ in range(3)))
    assert answer.status == 413
