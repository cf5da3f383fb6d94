"""transaction: links between entries, and conditional references.

https://hl7.org/fhir/R4/bundle.html#references https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import pytest

from tests.spec.people import HN, entry, identifier, observation, organization, patient, reference, transact

A = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
B = "urn:uuid:7774d7b4-4d65-4f0b-8e0c-2f1d0f1a5a11"


async def test_references_by_urn_uuid_become_the_new_identities_also_in_circles(fhir):
    await transact(
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
    await transact(fhir, entry("POST", "Patient", patient(), full_url=A), entry("POST", "Observation", resource))
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
    await transact(fhir, entry("POST", "Patient", resource, full_url=A))
    stored = (await fhir.get("Patient/id-1")).json
    assert stored["identifier"][0]["value"] == A
    assert [each.get("valueCanonical", each.get("valueString")) for each in stored["extension"]] == [A, A]


async def test_a_full_url_of_another_server_is_mapped_with_relative_references_to_it(fhir):
    root = "https://his.example/fhir"
    await transact(
        fhir,
        entry("POST", "Patient", patient("77"), full_url=f"{root}/Patient/77"),
        entry("POST", "Observation", observation(subject=reference("Patient/77")), full_url=f"{root}/Observation/1"),
        entry("POST", "Observation", observation(subject=reference(f"{root}/Patient/77"))),
    )
    for name in ("id-2", "id-3"):
        assert (await fhir.get(f"Observation/{name}")).json["subject"] == reference("Patient/id-1")


async def test_fragments_stay_on_the_links_they_are_on(fhir):
    resource = patient(extension=[{"url": "urn:example:u", "valueUri": f"{A}#part"}])
    await transact(fhir, entry("POST", "Patient", resource, full_url=A))
    assert (await fhir.get("Patient/id-1")).json["extension"][0]["valueUri"] == "Patient/id-1#part"


async def test_version_specific_references_stay_version_specific_where_the_setting_keeps_them(start):
    fhir = (await start(versioned_references=True)).client
    root = "https://his.example/fhir"
    resource = observation(subject=reference(f"{root}/Patient/1/_history/9"))
    await transact(
        fhir,
        entry("POST", "Patient", patient(), full_url=f"{root}/Patient/1"),
        entry("POST", "Observation", resource),
    )
    assert (await fhir.get("Observation?")).json["entry"][0]["resource"]["subject"] == reference(
        "Patient/id-1/_history/1"
    )


async def test_references_to_what_is_not_in_the_bundle_are_left_untouched(fhir, given):
    await given(patient("1"))
    await transact(fhir, entry("POST", "Observation", observation(subject=reference("Patient/1"))))
    assert (await fhir.get("Observation/id-1")).json["subject"] == reference("Patient/1")


async def test_a_link_to_an_entry_of_another_type_than_the_element_allows_is_422(fhir):
    answer = await transact(
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
    answer = await transact(fhir, entry("POST", "Observation", observation(subject=subject)))
    assert answer.status == 200
    assert (await fhir.get("Observation/id-1")).json["subject"] == reference("Patient/1")


async def test_a_conditional_reference_may_match_what_the_transaction_creates(fhir):
    subject = reference(f"Patient?identifier={HN}|1")
    answer = await transact(
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
    answer = await transact(
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
    answer = await transact(
        fhir, entry("POST", "Patient", patient()), entry("POST", "Observation", observation(subject=subject))
    )
    assert answer.status == 412
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert (await fhir.get("Observation")).json["total"] == 0


async def test_a_match_that_the_transaction_deletes_is_none(fhir, given):
    await given(patient("1", identifier=identifier("1")))
    subject = reference(f"Patient?identifier={HN}|1")
    answer = await transact(
        fhir, entry("DELETE", "Patient/1"), entry("POST", "Observation", observation(subject=subject))
    )
    assert answer.status == 412


async def test_many_conditional_references_are_each_resolved_to_their_own(fhir):
    people = [patient(f"p{number}", identifier=identifier(f"Hn{number}")) for number in range(130)]
    await transact(fhir, *(entry("PUT", f"Patient/{each['id']}", each) for each in people))
    wordings = [f"Patient?identifier={HN}|Hn{{}}", "Patient?identifier=Hn{}", f"Patient?identifier={HN}|Hn{{}},x"]
    references = [wordings[number % 3].format(number) for number in range(130)]
    await transact(
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
    answer = await transact(fhir, *(entry("POST", "Observation", observation(subject=each)) for each in subjects))
    assert (answer.status, answer.json["issue"][0]["expression"]) == (412, ["Bundle.entry[1]"])
