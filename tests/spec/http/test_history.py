"""history of an instance, a type and the system.

https://hl7.org/fhir/R4/http.html#history https://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

import pytest

from tests.spec.people import links_of, observation, organization, patient


def versions(bundle):
    """("Patient/1", version id or None for a deletion) of each entry."""
    return [
        (each["fullUrl"].partition("/fhir/")[2], each.get("resource", {}).get("meta", {}).get("versionId"))
        for each in bundle.get("entry", [])
    ]


async def test_the_history_of_an_instance_has_all_versions_newest_first(fhir, given):
    await given(patient("1"), patient("2"), patient("1", active=True))
    answer = await fhir.get("Patient/1/_history")
    assert (answer.status, answer.json["type"], answer.json["total"]) == (200, "history", 2)
    assert versions(answer.json) == [("Patient/1", "2"), ("Patient/1", "1")]


async def test_each_entry_says_how_the_version_came_about(fhir, clock):
    await fhir.post("Patient", patient())
    clock.advance(1000)
    await fhir.put("Patient/id-1", patient("id-1"))
    clock.advance(1000)
    await fhir.delete("Patient/id-1")
    entries = (await fhir.get("Patient/id-1/_history")).json["entry"]
    assert [each["request"] for each in entries] == [
        {"method": "DELETE", "url": "Patient/id-1"},
        {"method": "PUT", "url": "Patient/id-1"},
        {"method": "POST", "url": "Patient"},
    ]
    assert entries[0]["response"] == {"status": "204", "etag": 'W/"3"', "lastModified": "2025-11-24T01:00:02.000Z"}
    assert "resource" not in entries[0]
    assert [each["response"]["status"] for each in entries] == ["204", "200", "201"]


async def test_a_put_that_brings_a_deleted_resource_back_created_it(fhir, given):
    await given(patient("1"))
    await fhir.delete("Patient/1")
    assert (await fhir.put("Patient/1", patient("1"))).status == 201
    await fhir.put("Patient/1", patient("1", active=True))
    entries = (await fhir.get("_history")).json["entry"]
    assert [(each["request"]["method"], each["response"]["status"]) for each in entries] == [
        ("PUT", "200"), ("PUT", "201"), ("DELETE", "204"), ("PUT", "201"),
    ]  # fmt: skip
    assert {each["request"]["url"] for each in entries} == {"Patient/1"}


async def test_a_patched_version_says_patch(fhir, given):
    await given(patient("1"))
    patch = b'[{"op":"add","path":"/active","value":true}]'
    await fhir.patch("Patient/1", patch, headers={"Content-Type": "application/json-patch+json"})
    entry = (await fhir.get("Patient/1/_history")).json["entry"][0]
    assert entry["request"] == {"method": "PATCH", "url": "Patient/1"}


async def test_the_history_of_a_deleted_instance_is_still_there(fhir, given):
    await given(patient("1"))
    await fhir.delete("Patient/1")
    assert (await fhir.get("Patient/1/_history")).status == 200


async def test_the_history_of_what_never_existed_is_404(fhir):
    assert (await fhir.get("Patient/1/_history")).status == 404


async def test_the_history_of_a_type_and_of_the_system(fhir, given):
    await given(patient("1"), organization("1"), patient("2"))
    assert versions((await fhir.get("Patient/_history")).json) == [("Patient/2", "1"), ("Patient/1", "1")]
    assert [where for where, _ in versions((await fhir.get("_history")).json)] == [
        "Patient/2", "Organization/1", "Patient/1",
    ]  # fmt: skip


async def test_count_limits_the_page_and_next_links_lead_through_all_versions_once(fhir, given):
    for number in range(7):
        await given(patient("1", multipleBirthInteger=number))
    page = (await fhir.get("Patient/_history?_count=3")).json
    found = versions(page)
    assert len(found) == 3
    while "next" in links_of(page):
        await given(observation("new"))  # what happens meanwhile does not shift the pages
        page = (await fhir.get(links_of(page)["next"])).json
        found += versions(page)
    assert found == [("Patient/1", str(number)) for number in range(7, 0, -1)]


async def test_a_count_above_the_limit_is_cut_to_it(fhir, given):
    await given(patient("1"))
    for path in ("_history", "Patient/_history", "Patient/1/_history"):
        assert versions((await fhir.get(f"{path}?_count=2147483647")).json) == [("Patient/1", "1")]


async def test_count_zero_gives_no_entries(fhir, given):
    await given(patient("1"))
    assert "entry" not in (await fhir.get("Patient/_history?_count=0")).json


async def test_summary_and_elements_cut_every_version_on_every_page(fhir, given):
    """https://hl7.org/fhir/R4/http.html#parameters"""
    for number in range(3):
        await given(patient("1", active=True, multipleBirthInteger=number))
    for scope, query, names in (
        ("Patient/1/", "_elements=active", {"active"}),
        ("Patient/", "_summary=true", {"active"}),
        ("", "_elements=multipleBirth", {"multipleBirthInteger"}),
    ):
        url, found = f"{scope}_history?{query}&_count=2", []
        while url:
            page = (await fhir.get(url)).json
            found += [each["resource"] for each in page["entry"]]
            url = links_of(page).get("next")
        assert [each.keys() - {"resourceType", "id", "meta"} for each in found] == [names] * 3
        assert {each["meta"]["tag"][0]["code"] for each in found} == {"SUBSETTED"}
    only = (await fhir.get("Patient/1/_history?_summary=count")).json
    assert (only["total"], "entry" in only) == (3, False)
    assert (await fhir.get("Patient/1/_history?_elements=nothing")).status == 400


async def test_since_gives_versions_made_at_or_after_that_instant(fhir, given, clock):
    await given(patient("1"))
    clock.advance(60_000)
    await given(patient("2"))
    answer = await fhir.get("_history?_since=2025-11-24T01:01:00.000Z")
    assert versions(answer.json) == [("Patient/2", "1")]
    answer = await fhir.get("_history?_since=2025-11-24T08:01:00%2B07:00")
    assert versions(answer.json) == [("Patient/2", "1")]
    assert versions((await fhir.get("_history?_since=2025-11-24T01:01:00.001Z")).json) == []


async def test_at_gives_the_versions_that_were_current_at_that_time(fhir, given, clock):
    await given(patient("1"))
    clock.advance(60_000)
    await given(patient("1", active=True))
    assert versions((await fhir.get("Patient/1/_history?_at=2025-11-24T01:00:30Z")).json) == [("Patient/1", "1")]
    assert versions((await fhir.get("Patient/1/_history?_at=2025-11-24T01:01:30Z")).json) == [("Patient/1", "2")]
    assert len(versions((await fhir.get("Patient/1/_history?_at=2025-11-24")).json)) == 2


@pytest.mark.parametrize(
    "query",
    ["_since=yesterday", "_at=x", "_count=-1", "_count=x", "name=A", "_since=2025-01-01&_at=2025-01-01", "_cursor=x"],
)
async def test_a_parameter_that_cannot_be_understood_is_400(fhir, query):
    assert (await fhir.get(f"Patient/_history?{query}")).status == 400


async def test_a_page_link_of_another_history_is_400(fhir, given):
    await given(patient("1"), patient("2"))
    link = links_of((await fhir.get("Patient/_history?_count=1")).json)["next"]
    assert (await fhir.get(link.replace("Patient/_history", "_history"))).status == 400
