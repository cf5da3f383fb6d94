"""Chaining, `_has`, includes, compartments.

https://hl7.org/fhir/R4/search.html#chaining https://hl7.org/fhir/R4/search.html#has
https://hl7.org/fhir/R4/search.html#include https://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

import pytest

from tests.spec.people import LOINC, identifier, ids_of, links_of, observation, organization, patient, reference


def practitioner(name, family):
    return {"resourceType": "Practitioner", "id": name, "name": [{"family": family}]}


@pytest.fixture
async def clinic(given):
    """Two organizations, one below the other; three patients; observations of two of them by one practitioner."""
    await given(
        organization("top", name="Province"),
        organization("sub", name="Village", partOf=reference("Organization/top")),
        practitioner("doc", "Mana"),
        patient("a", identifier=identifier("1"), managingOrganization=reference("Organization/sub"), gender="female"),
        patient(
            "b",
            managingOrganization=reference("Organization/top"),
            generalPractitioner=[reference("Practitioner/doc")],
        ),
        patient("c"),
        observation("o1", subject=reference("Patient/a"), performer=[reference("Practitioner/doc")]),
        observation("o2", subject=reference("Patient/b"), code={"coding": [{"system": LOINC, "code": "8480-6"}]}),
        observation("o3", subject=reference("Patient/a"), hasMember=[reference("Observation/o1")]),
    )


@pytest.fixture
def search(fhir, clinic):
    async def search(query):
        answer = await fhir.get(query)
        assert answer.status == 200, answer.text
        return sorted(ids_of(answer.json))

    return search


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Observation?subject:Patient.gender=female", ["o1", "o3"]),
        ("Observation?patient.identifier=1", ["o1", "o3"]),
        ("Observation?subject.identifier=1", ["o1", "o3"]),
        ("Observation?patient.organization.name=Village", ["o1", "o3"]),
        ("Observation?patient.organization.partof.name=Province", ["o1", "o3"]),
        ("Observation?patient.organization.name=Province", ["o2"]),
        ("Observation?patient.general-practitioner:Practitioner.family=Mana", ["o2"]),
        ("Observation?patient.gender:missing=true", ["o2"]),
        ("Observation?patient._id=a", ["o1", "o3"]),
        ("Patient?organization.name=Nowhere", []),
        ("Patient?_has:Observation:patient:code=8480-6", ["b"]),
        ("Patient?_has:Observation:subject:code=29463-7", ["a"]),
        ("Patient?_has:Observation:patient:performer=Practitioner/doc", ["a"]),
        ("Patient?_has:Observation:patient:performer:Practitioner.family=Mana", ["a"]),
        ("Organization?_has:Patient:organization:_has:Observation:patient:code=8480-6", ["top"]),
        ("Observation?patient._has:Observation:subject:performer=Practitioner/doc", ["o1", "o3"]),
        ("Patient?_has:Observation:patient:code=8480-6,29463-7", ["a", "b"]),
        ("Practitioner?_has:Observation:performer:patient.gender=female", ["doc"]),
    ],
)
async def test_chains_and_has_follow_references_to_any_depth(search, query, found):
    assert await search(query) == found


async def test_a_chain_does_not_go_through_deleted_resources(start):
    fhir = (await start(referential_integrity=False)).client
    await fhir.put("Patient/a", patient("a", gender="female"))
    await fhir.put("Observation/o", observation("o", subject=reference("Patient/a")))
    await fhir.delete("Patient/a")
    assert ids_of((await fhir.get("Observation?patient.gender=female")).json) == []


# ---------------------------------------------------------------- includes


@pytest.fixture
def included(fhir, clinic):
    async def included(query):
        answer = await fhir.get(query)
        assert answer.status == 200, answer.text
        return sorted(ids_of(answer.json, "include"))

    return included


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Observation?_id=o1&_include=Observation:subject", ["a"]),
        ("Observation?_id=o1&_include=Observation:subject:Patient", ["a"]),
        ("Observation?_id=o1&_include=Observation:subject:Group", []),
        ("Observation?_id=o1&_include=Observation:subject&_include=Observation:performer", ["a", "doc"]),
        ("Observation?_id=o1&_include=*", ["a", "doc"]),
        ("Observation?_id=o1&_include=Observation:*", ["a", "doc"]),
        ("Observation?_id=o1&_include=Observation:subject&_include=Patient:organization", ["a"]),
        ("Observation?_id=o1&_include=Observation:subject&_include:iterate=Patient:organization", ["a", "sub"]),
        (
            "Observation?_id=o1&_include=Observation:subject&_include:iterate=Patient:organization"
            "&_include:iterate=Organization:partof",
            ["a", "sub", "top"],
        ),
        ("Patient?_id=a&_revinclude=Observation:subject", ["o1", "o3"]),
        ("Patient?_id=a&_revinclude=Observation:performer", []),
        ("Organization?_id=top&_revinclude=Patient:organization", ["b"]),
        (
            "Organization?_id=top&_revinclude=Organization:partof&_revinclude:iterate=Patient:organization",
            ["a", "b", "sub"],
        ),
        ("Patient?_id=c&_revinclude=*", []),
        ("Patient?_id=b&_revinclude=*", ["o2"]),
        ("Observation?_id=o1,o2&_include=Observation:subject", ["a", "b"]),
    ],
)
async def test_includes_add_what_is_referred_to_or_refers(included, query, found):
    assert await included(query) == found


async def test_an_include_is_never_repeated_and_a_match_is_never_an_include(fhir, clinic):
    found = (await fhir.get("Observation?_id=o1,o3&_include=Observation:subject&_include=Observation:has-member")).json
    assert (sorted(ids_of(found)), ids_of(found, "include")) == (["o1", "o3"], ["a"])
    assert found["total"] == 2


async def test_includes_concern_the_page_and_do_not_count(fhir, clinic):
    first = (await fhir.get("Observation?_count=1&_include=Observation:subject&_total=accurate")).json
    assert (len(ids_of(first)), len(ids_of(first, "include")), first["total"]) == (1, 1, 3)
    second = (await fhir.get(links_of(first)["next"])).json
    assert len(ids_of(second, "include")) == 1


async def test_canonical_references_are_included_by_url(fhir, given):
    await given(
        {"resourceType": "Questionnaire", "id": "q", "status": "active", "url": "urn:q:1"},
        {"resourceType": "QuestionnaireResponse", "id": "r", "status": "completed", "questionnaire": "urn:q:1"},
    )
    found = (await fhir.get("QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire")).json
    assert ids_of(found, "include") == ["q"]


async def test_canonical_references_are_included_by_their_version_both_ways(fhir, given):
    """https://hl7.org/fhir/R4/references.html#canonical: without a version it means any."""
    await given(
        *(
            {"resourceType": "Questionnaire", "id": f"q{each}", "status": "active", "url": "urn:q", "version": each}
            for each in ("1", "2")
        ),
        {"resourceType": "Questionnaire", "id": "other", "status": "active", "url": "urn:other"},
        *(
            {"resourceType": "QuestionnaireResponse", "id": id, "status": "completed", "questionnaire": canonical}
            for id, canonical in (("any", "urn:q"), ("r1", "urn:q|1"), ("r2", "urn:q|2"), ("r3", "urn:q|3"))
        ),
    )

    async def included(query: str) -> list[str]:
        return sorted(ids_of((await fhir.get(query)).json, "include"))

    forward = "_include=QuestionnaireResponse:questionnaire"
    assert await included(f"QuestionnaireResponse?_id=r2&{forward}") == ["q2"]
    assert await included(f"QuestionnaireResponse?_id=any&{forward}") == ["q1", "q2"]
    assert await included(f"QuestionnaireResponse?_id=r3&{forward}") == []
    for backward in ("_revinclude=QuestionnaireResponse:questionnaire", "_revinclude=*"):
        assert await included(f"Questionnaire?_id=q1&{backward}") == ["any", "r1"]
        assert await included(f"Questionnaire?url=urn:q&{backward}") == ["any", "r1", "r2"]
        assert await included(f"Questionnaire?_id=other&{backward}") == []


async def test_canonical_references_are_chained_by_url_and_version(fhir, given):
    """https://hl7.org/fhir/R4/references.html#canonical: without a version it means any."""
    titles = (("1", "Falls"), ("2", "Falls"), ("3", "Sleep"))
    await given(
        *(
            {
                "resourceType": "Questionnaire",
                "id": f"q{v}",
                "status": "active",
                "url": "urn:q",
                "version": v,
                "title": t,
            }
            for v, t in titles
        ),
        {"resourceType": "Questionnaire", "id": "plain", "status": "draft", "url": "urn:plain", "title": "Plain"},
        patient("p", identifier=identifier("1")),
        *(
            {
                "resourceType": "QuestionnaireResponse",
                "id": id,
                "status": status,
                "questionnaire": canonical,
                "subject": reference("Patient/p"),
            }
            for id, canonical, status in (
                ("any", "urn:q", "completed"),
                ("r2", "urn:q|2", "completed"),
                ("r3", "urn:q|3", "amended"),
                ("r4", "urn:q|4", "completed"),
                ("s", "urn:plain", "in-progress"),
            )
        ),
    )

    async def found(query: str) -> list[str]:
        return sorted(ids_of((await fhir.get(query)).json))

    assert await found("QuestionnaireResponse?questionnaire.title=falls") == ["any", "r2"]
    assert await found("QuestionnaireResponse?questionnaire:Questionnaire.title=sleep&status=amended") == ["r3"]
    assert await found("QuestionnaireResponse?questionnaire.title=plain,sleep") == ["any", "r3", "s"]
    assert await found("QuestionnaireResponse?questionnaire.title=nobody") == []
    assert await found("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=amended") == ["q3"]
    assert await found("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed") == ["q1", "q2", "q3"]
    through = "_has:QuestionnaireResponse:questionnaire:subject:Patient.identifier=1&status=draft"
    assert await found(f"Questionnaire?{through}") == ["plain"]
    back = "Patient?_has:QuestionnaireResponse:subject:questionnaire.title"
    assert (await found(f"{back}=sleep"), await found(f"{back}=nobody")) == (["p"], [])
    first = (await fhir.get("QuestionnaireResponse?questionnaire.title=falls&_count=1&_total=accurate")).json
    second = (await fhir.get(links_of(first)["next"])).json
    assert (first["total"], sorted([*ids_of(first), *ids_of(second)])) == (2, ["any", "r2"])
    assert (await fhir.get("QuestionnaireResponse?questionnaire.title=falls&_summary=count")).json["total"] == 2


async def test_a_chain_through_canonicals_that_would_look_at_too_many_is_refused_with_advice(fhir, given, monkeypatch):
    monkeypatch.setattr("server.interactions.by_url.MOST", 1)
    await given(
        *({"resourceType": "Questionnaire", "id": f"q{n}", "status": "active", "url": f"urn:q{n}"} for n in "12")
    )
    answer = await fhir.get("QuestionnaireResponse?questionnaire.status=active")
    assert (answer.status, "add a criterion" in answer.diagnostics) == (403, True)


@pytest.mark.parametrize("criteria", ["questionnaire.title=x"])
async def test_a_chain_through_canonicals_is_no_criterion_of_conditional_interactions(fhir, criteria):
    new = {"resourceType": "QuestionnaireResponse", "status": "completed"}
    answer = await fhir.post("QuestionnaireResponse", new, headers={"If-None-Exist": criteria})
    assert (answer.status, answer.json["issue"][0]["code"]) == (400, "not-supported")


async def test_a_versioned_reference_includes_that_version(start):
    fhir = (await start(versioned_references=True)).client
    await fhir.put("Patient/a", patient("a", gender="female"))
    await fhir.put("Observation/o", observation("o", subject=reference("Patient/a/_history/1")))
    await fhir.put("Patient/a", patient("a", gender="male"))
    found = (await fhir.get("Observation?_include=Observation:subject")).json
    [who] = [each["resource"] for each in found["entry"] if each["search"]["mode"] == "include"]
    assert (who["gender"], who["meta"]["versionId"]) == ("female", "1")


async def test_includes_beyond_the_limit_are_cut_and_an_outcome_entry_says_so(fhir, clinic, monkeypatch):
    monkeypatch.setattr("server.interactions.includes.MOST", 1)
    found = (await fhir.get("Observation?_id=o1&_include=*")).json
    assert len(ids_of(found, "include")) == 1
    [outcome] = [each["resource"] for each in found["entry"] if each["search"]["mode"] == "outcome"]
    assert (outcome["issue"][0]["severity"], outcome["issue"][0]["code"]) == ("warning", "incomplete")


async def test_a_circle_of_references_ends(fhir):
    for name in ("x", "y", "z"):
        await fhir.put(f"Patient/{name}", patient(name))
    for name, other in (("x", "y"), ("y", "z"), ("z", "x")):
        link = [{"other": reference(f"Patient/{other}"), "type": "seealso"}]
        await fhir.put(f"Patient/{name}", patient(name, link=link))
    found = (await fhir.get("Patient?_id=x&_include=Patient:link&_include:iterate=Patient:link")).json
    assert sorted(ids_of(found, "include")) == ["y", "z"]


# ---------------------------------------------------------------- compartments


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Patient/a/Observation", ["o1", "o3"]),
        ("Patient/a/Observation?code=8480-6", []),
        ("Patient/b/Observation", ["o2"]),
        ("Patient/c/Observation", []),
        ("Patient/a/*", ["a", "o1", "o3"]),
        ("Patient/a/*?_type=Observation", ["o1", "o3"]),
        ("Practitioner/doc/Observation", ["o1"]),
        ("Practitioner/doc/Patient", ["b"]),
    ],
)
async def test_compartments_restrict_a_search(search, query, found):
    assert await search(query) == found


async def test_a_compartment_is_searched_by_post_too(fhir, clinic):
    found = (await fhir.search("Patient/a/Observation", {"code": "29463-7"})).json
    assert sorted(ids_of(found)) == ["o1", "o3"]
    found = (await fhir.search("Patient/a/*", {"_type": "Observation"})).json
    assert sorted(ids_of(found)) == ["o1", "o3"]


async def test_what_is_no_compartment_is_404_and_a_type_outside_of_one_400(fhir, clinic):
    assert (await fhir.get("Organization/top/Patient")).status == 404
    assert (await fhir.get("Patient/a/Organization")).status == 400


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("organization.name", ["b", "a", "c"]),
        ("-organization.name", ["a", "b", "c"]),
        ("organization.partof.name,-_id", ["a", "c", "b"]),
    ],
)
@pytest.mark.usefixtures("clinic")
async def test_a_sort_follows_references_too_and_what_has_no_value_is_last(fhir, sort, order):
    assert ids_of((await fhir.get(f"Patient?_sort={sort}")).json) == order
