"""Patient/$everything and Encounter/$everything.

https://hl7.org/fhir/R4/patient-operation-everything.html https://hl7.org/fhir/R4/encounter-operation-everything.html
"""

from __future__ import annotations

import pytest

from tests.spec.people import ids_of, links_of, observation, organization, patient, reference


def encounter(name, who, **more):
    code = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    return {
        "resourceType": "Encounter", "id": name, "status": "finished", "class": code, "subject": reference(who), **more,
    }  # fmt: skip


def everything(bundle):
    return sorted(each["resource"]["id"] for each in bundle.get("entry", []))


@pytest.fixture
async def ward(given, clock):
    await given(
        organization("org"),
        {"resourceType": "Practitioner", "id": "doc"},
        patient("a", managingOrganization=reference("Organization/org")),
        patient("b"),
        encounter("visit", "Patient/a", period={"start": "2024-01-10", "end": "2024-01-12"}),
        observation(
            "old",
            subject=reference("Patient/a"),
            effectiveDateTime="2020-05-05",
            encounter=reference("Encounter/visit"),
        ),
        observation("undated", subject=reference("Patient/a")),
    )
    clock.advance(3_600_000)
    await given(
        observation(
            "new",
            subject=reference("Patient/a"),
            effectiveDateTime="2024-01-11",
            performer=[reference("Practitioner/doc")],
        ),
        observation("other", subject=reference("Patient/b")),
    )


@pytest.mark.usefixtures("ward")
async def test_it_is_a_searchset_of_the_patient_the_compartment_and_what_that_refers_to(fhir):
    answer = await fhir.get("Patient/a/$everything")
    assert (answer.status, answer.json["type"]) == (200, "searchset")
    assert everything(answer.json) == ["a", "doc", "new", "old", "org", "undated", "visit"]
    assert sorted(ids_of(answer.json, "include")) == ["doc", "org"]


@pytest.mark.parametrize("query", ["", "?_count=2"])
@pytest.mark.usefixtures("ward")
async def test_what_belongs_to_other_patients_is_not_brought_along(fhir, given, query):
    """A file, a group and a record of many persons name them all."""
    both = [reference("Patient/a"), reference("Patient/b")]
    await given(
        {
            "resourceType": "Provenance", "id": "import", "recorded": "2024-01-01T00:00:00Z",
            "target": [*both, reference("Observation/other")], "agent": [{"who": reference("Organization/org")}],
        },
        {
            "resourceType": "Group", "id": "family", "type": "person", "actual": True,
            "member": [{"entity": each} for each in both],
        },
        patient("twice", link=[{"other": reference("Patient/a"), "type": "replaces"}]),
        patient("c", link=[{"other": reference("Patient/b"), "type": "seealso"}]),
        observation("joint", subject=reference("Group/family"), focus=[reference("Patient/c")]),
    )  # fmt: skip
    found, url = set(), f"Patient/a/$everything{query}"
    while url:
        page = (await fhir.get(url)).json
        found |= set(everything(page))
        url = links_of(page).get("next")
    assert found >= {"a", "import", "family", "twice", "org", "doc"}
    assert found.isdisjoint({"b", "other", "c"})
    assert "b" in everything((await fhir.get("Patient/c/$everything")).json), "its own record names it"


@pytest.mark.usefixtures("ward")
async def test_the_same_by_post_with_parameters(fhir):
    body = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueCode": "Observation"}]}
    answer = await fhir.post("Patient/a/$everything", body)
    assert sorted(ids_of(answer.json)) == ["new", "old", "undated"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("start=2023-01-01", ["a", "new", "undated", "visit"]),
        ("end=2021-01-01", ["a", "old", "undated"]),
        ("start=2024-01-12&end=2024-02-01", ["a", "undated", "visit"]),
        ("_since=2025-11-24T01:30:00Z", ["new"]),
        ("_type=Encounter,Patient", ["a", "visit"]),
        ("_type=Encounter&_type=Patient", ["a", "visit"]),
    ],
)
@pytest.mark.usefixtures("ward")
async def test_start_end_since_and_type_restrict_it(fhir, query, found):
    assert sorted(ids_of((await fhir.get(f"Patient/a/$everything?{query}")).json)) == found


@pytest.mark.usefixtures("ward")
async def test_any_whole_number_of_fhir_is_a_count(fhir):
    answers = [
        await fhir.get("Patient/a/$everything?_count=2147483647"),
        await fhir.get("Observation/$lastn?patient=a&max=2147483647"),
        await fhir.get("ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender&count=2147483647"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200]
    refused = await fhir.get("Observation/$lastn?patient=a&max=2147483648")
    assert refused.diagnostics == "max must be a whole number from 1 to 2147483647"


@pytest.mark.usefixtures("ward")
async def test_count_gives_pages_that_together_are_everything(fhir):
    page = (await fhir.get("Patient/a/$everything?_count=2")).json
    found = ids_of(page)
    assert len(found) == 2
    while "next" in links_of(page):
        page = (await fhir.get(links_of(page)["next"])).json
        found += ids_of(page)
    assert sorted(found) == ["a", "new", "old", "undated", "visit"]


@pytest.mark.usefixtures("ward")
async def test_without_an_id_it_is_everything_of_all_patients(fhir):
    found = (await fhir.get("Patient/$everything")).json
    assert sorted(ids_of(found)) == ["a", "b", "new", "old", "other", "undated", "visit"]


@pytest.mark.usefixtures("ward")
async def test_of_an_encounter(fhir):
    found = (await fhir.get("Encounter/visit/$everything")).json
    assert sorted(ids_of(found)) == ["old", "visit"]
    assert ids_of(found, "include") == ["a"]


async def test_a_long_answer_is_sent_whole(fhir, given):
    await given(patient("a"))
    entries = [
        {"resource": observation(subject=reference("Patient/a")), "request": {"method": "POST", "url": "Observation"}}
        for _ in range(450)
    ]
    await fhir.post("", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    answer = await fhir.get("Patient/a/$everything")
    assert len(answer.json["entry"]) == 451


async def test_a_patient_that_is_not_there_is_404_and_a_deleted_one_410(fhir, given):
    assert (await fhir.get("Patient/a/$everything")).status == 404
    await given(patient("a"))
    await fhir.delete("Patient/a")
    assert (await fhir.get("Patient/a/$everything")).status == 410


@pytest.mark.parametrize("query", ["start=x", "_type=Nothing", "_count=x", "nonsense=1", "_cursor=x", "_offset=3"])
async def test_what_cannot_be_understood_is_400(fhir, given, query):
    await given(patient("a"))
    assert (await fhir.get(f"Patient/a/$everything?{query}")).status == 400


async def test_it_is_not_known_for_other_types(fhir, given):
    await given(organization("o"))
    answer = await fhir.get("Organization/o/$everything")
    assert answer.status == 404
    assert "$everything" in answer.diagnostics
