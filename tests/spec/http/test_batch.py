"""batch: independent entries.   https://hl7.org/fhir/R4/http.html#brules"""

from __future__ import annotations

import base64
import json

import pytest

from tests.spec.people import HN, bundle, entry, identifier, patient


async def send(fhir, *entries, **more):
    return await fhir.post("", bundle("batch", *entries), **more)


def statuses(answer):
    return [each["response"]["status"][:3] for each in answer.json["entry"]]


async def test_each_entry_succeeds_or_fails_on_its_own_and_the_batch_is_200(fhir):
    answer = await send(
        fhir,
        entry("POST", "Patient", patient()),
        entry("POST", "Patient", patient(gender="m")),
        entry("GET", "Patient/nobody"),
        entry("GET", "metadata"),
    )
    assert (answer.status, answer.json["type"]) == (200, "batch-response")
    assert statuses(answer) == ["201", "422", "404", "200"]
    outcome = answer.json["entry"][1]["response"]["outcome"]
    assert outcome["issue"][0]["expression"] == ["Patient.gender"]
    assert answer.json["entry"][3]["resource"]["resourceType"] == "CapabilityStatement"


async def test_answers_are_in_the_order_of_the_entries_and_carry_the_headers_of_the_interaction(fhir, given):
    await given(patient("1", active=True))
    answer = await send(fhir, entry("GET", "Patient/1"), entry("PUT", "Patient/2", patient("2")))
    read, updated = answer.json["entry"]
    assert read["fullUrl"] == f"{fhir.base}/Patient/1"
    assert read["resource"]["active"] is True
    assert read["response"] == {"status": "200 OK", "etag": 'W/"1"', "lastModified": "2025-11-24T01:00:00.000Z"}
    assert updated["response"]["location"] == f"{fhir.base}/Patient/2/_history/1"


async def test_deletes_are_executed_before_creates_and_reads_last(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    answer = await send(
        fhir,
        entry("GET", f"Patient?identifier={HN}|1"),
        entry("POST", "Patient", patient(identifier=identifier("1")), ifNoneExist="identifier=1"),
        entry("DELETE", "Patient/1"),
    )
    assert statuses(answer) == ["200", "201", "204"]
    assert answer.json["entry"][0]["resource"]["total"] == 1


async def test_all_interactions_are_entries(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    operations = base64.b64encode(json.dumps([{"op": "add", "path": "/active", "value": True}]).encode()).decode()
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": operations}
    answer = await send(
        fhir,
        entry("GET", "Patient/1/_history/1"),
        entry("GET", "Patient/1/_history"),
        entry("GET", "Patient?identifier=1"),
        entry("GET", "Patient/1/$meta"),
        entry("HEAD", "Patient/1"),
        entry("PATCH", "Patient/1", binary),
        entry("PUT", f"Patient?identifier={HN}|2", patient(identifier=identifier("2"))),
        entry("DELETE", f"Patient?identifier={HN}|3"),
        entry("POST", "Patient/$validate", patient()),
        entry("GET", f"{fhir.base}/Patient/1"),
        entry("GET", "/Patient/1"),
        entry("GET", "Patient/1", ifNoneMatch='W/"2"'),
        entry("GET", "Patient/1", ifModifiedSince="2025-11-25T00:00:00Z"),
        entry("PUT", "Patient/1", patient("1"), ifMatch='W/"9"'),
    )
    assert statuses(answer) == [
        "200", "200", "200", "200", "200", "200", "201", "204", "200", "200", "200", "304", "304", "412",
    ]  # fmt: skip
    assert "resource" not in answer.json["entry"][4]


async def test_prefer_return_minimal_gives_no_resources(fhir):
    answer = await send(fhir, entry("POST", "Patient", patient()), headers={"Prefer": "return=minimal"})
    assert "resource" not in answer.json["entry"][0]


async def test_a_bundle_within_a_batch_is_refused_and_the_others_go_on(fhir):
    inner = bundle("batch", entry("POST", "Patient", patient()))
    answer = await send(fhir, entry("POST", "/", inner), entry("POST", "Patient", patient()))
    assert statuses(answer) == ["400", "201"]


async def test_an_answer_that_is_streamed_on_its_own_is_whole_in_an_entry(fhir, given):
    await given(patient("1"), patient("2"))
    [read] = (await send(fhir, entry("GET", "Patient/1/$everything"))).json["entry"]
    assert [each["resource"]["id"] for each in read["resource"]["entry"]] == ["1"]
    page = await fhir.get("Patient/1/$everything", headers={"Accept": "text/html"})
    assert (page.headers["Content-Type"], "Patient/1" in page.text) == ("text/html;charset=utf-8", True)
    pretty = await fhir.get("Patient/1/$everything?_pretty=true")
    assert pretty.text.count("\n") > 10


@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_the_answers_of_all_entries_have_a_limit_in_sum_and_what_is_stored_is_answered(start, kind):
    """Reads come last; those that have no room are refused, each for itself."""
    fhir = (await start(max_body_bytes=20_000)).client
    large = patient("1", name=[{"family": "ก" * 2000}])
    reads = [entry("GET", "Patient?_count=10") for _ in range(100)]
    answer = await fhir.post("", bundle(kind, *reads, entry("PUT", "Patient/1", large)))
    found = statuses(answer)
    assert (answer.status, found[-1]) == (200, "201")
    assert set(found[:-1]) == {"200", "403"}
    refused = answer.json["entry"][found.index("403")]["response"]["outcome"]
    assert refused["issue"][0]["code"] == "too-costly"
    assert len(answer.body) < 20_000 + 64 * 7_000 + 100 * 400
    [read] = (await fhir.post("", bundle(kind, entry("GET", "Patient?_count=10")))).json["entry"]
    assert read["response"]["status"] == "200 OK"


async def test_many_entries_are_all_stored(fhir):
    answer = await send(fhir, *(entry("POST", "Patient", patient()) for _ in range(300)))
    assert statuses(answer) == ["201"] * 300
    assert (await fhir.get("Patient?_summary=count")).json["total"] == 300


async def test_an_unknown_url_is_an_entry_with_404_and_one_of_another_server_400(fhir):
    answer = await send(fhir, entry("GET", "Nothing/1"), entry("GET", "https://elsewhere.example/Patient/1"))
    assert statuses(answer) == ["404", "400"]


GOOD = {"request": {"method": "GET", "url": "metadata"}}


@pytest.mark.parametrize(
    ("bad", "status", "place"),
    [
        ({"request": {"method": "FETCH", "url": "Patient/1"}}, "422", ".request.method"),
        ({"request": {"method": "get", "url": "Patient/1"}}, "422", ".request.method"),
        ({"request": {"url": "Patient/1"}}, "422", ".request.method"),
        ({"request": {"method": "GET"}}, "422", ".request.url"),
        ({"request": {"method": "GET", "url": "Patient/1 2"}}, "422", ".request.url"),
        ({"request": {"method": "GET", "url": 5}}, "422", ".request.url"),
        ({"request": {"method": "GET", "url": "Patient/1", "ifModifiedSince": "soon"}}, "422", ".ifModifiedSince"),
        ({"request": 5}, "422", ".request"),
        ({"resource": {"resourceType": "Patient"}}, "422", ""),
        ({"fullUrl": "urn:uuid:1"}, "422", ""),
        ({}, "422", ""),
        (None, "422", ""),
        ("GET Patient/1", "422", ""),
        ({**GOOD, "colour": "red"}, "422", ""),
        (entry("POST", "Patient", {"resourceType": "Patient", "gender": 5}), "422", "Patient.gender"),
        (entry("POST", "Patient", {"resourceType": "Nothing"}), "400", "resourceType"),
        (entry("POST", "Patient", 5), "400", "resourceType"),
        (entry("POST", "Patient"), "400", None),
        (entry("PUT", "Patient/a_b", patient("1")), "400", None),
        (entry("GET", "../Patient/1"), "400", None),
    ],
)
async def test_an_entry_that_is_wrong_fails_for_itself_and_a_transaction_as_a_whole(fhir, bad, status, place):
    """The success or failure of one entry SHOULD NOT alter that of another."""
    good = entry("POST", "Patient", patient())
    answer = await send(fhir, good, bad, good)
    assert (answer.status, statuses(answer)) == (200, ["201", status, "201"]), answer.text
    [issue] = answer.json["entry"][1]["response"]["outcome"]["issue"][:1]
    if place is not None:
        assert issue["expression"][0].endswith(place), issue
    if place and place.startswith("."):
        assert issue["expression"][0].startswith("Bundle.entry[1]"), issue
    answer = await fhir.post("", bundle("transaction", good, bad, good))
    assert 400 <= answer.status < 500
    assert (await fhir.get("Patient?_summary=count")).json["total"] == 2


@pytest.mark.parametrize(
    "more",
    [{"entry": 5}, {"entry": []}, {"entry": [GOOD], "total": "x"}, {"entry": [{**GOOD, "fullUrl": "urn:x"}] * 2}],
)
async def test_a_batch_that_is_wrong_as_a_bundle_is_refused(fhir, more):
    answer = await fhir.post("", {"resourceType": "Bundle", "type": "batch", **more})
    assert answer.status == 422, answer.text
