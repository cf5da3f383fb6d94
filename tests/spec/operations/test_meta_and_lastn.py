"""$meta, $meta-add, $meta-delete, $lastn.

https://hl7.org/fhir/R4/resource-operation-meta.html https://hl7.org/fhir/R4/resource-operation-meta-add.html
https://hl7.org/fhir/R4/resource-operation-meta-delete.html https://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from __future__ import annotations

import asyncio

import pytest

from server.operations import meta
from tests.spec.people import LOINC, ids_of, observation, organization, patient, reference

A = {"system": "urn:t", "code": "a"}
B = {"system": "urn:t", "code": "b", "display": "B"}
PROFILE = "http://hl7.org/fhir/StructureDefinition/Patient"


def meta_parameters(**meta):
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


def returned(answer):
    [only] = answer.json["parameter"]
    assert only["name"] == "return"
    return only["valueMeta"]


async def test_meta_of_an_instance_and_of_a_version(fhir, given):
    await given(patient("1", meta={"tag": [A]}), patient("1", meta={"tag": [B]}))
    assert returned(await fhir.get("Patient/1/$meta"))["tag"] == [B, A]
    assert returned(await fhir.get("Patient/1/_history/1/$meta"))["tag"] == [A]
    assert (await fhir.get("Patient/2/$meta")).status == 404


async def test_meta_of_a_type_and_of_the_system_is_what_is_in_use(fhir, given):
    await given(patient("1", meta={"tag": [A]}), patient("2", meta={"tag": [A], "profile": [PROFILE]}), patient("3"))
    await given(organization("o", meta={"tag": [B]}))
    assert returned(await fhir.get("Patient/$meta")) == {"tag": [A], "profile": [PROFILE]}
    assert sorted(each["code"] for each in returned(await fhir.get("$meta"))["tag"]) == ["a", "b"]


async def test_meta_of_nothing_says_so_in_an_element_that_is_not_empty(fhir):
    [extension] = returned(await fhir.get("Patient/$meta"))["extension"]
    assert extension["url"].endswith("/data-absent-reason")


async def test_meta_of_too_much_is_refused_with_advice(fhir, given, monkeypatch):
    await given(patient("1", meta={"tag": [A]}))
    monkeypatch.setattr(meta, "_SECONDS", 0.0)
    answer = await fhir.get("$meta")
    assert (answer.status, answer.json["issue"][0]["code"]) == (403, "too-costly")
    assert "_tag" in answer.json["issue"][0]["diagnostics"]
    assert returned(await fhir.get("Patient/1/$meta"))["tag"] == [A]


async def test_meta_add_adds_labels_without_repeating_them(fhir, given):
    await given(patient("1", active=True, meta={"tag": [A]}))
    answer = await fhir.post("Patient/1/$meta-add", meta_parameters(tag=[B, {**A, "display": "x"}], profile=[PROFILE]))
    assert returned(answer)["tag"] == [A, B]
    stored = (await fhir.get("Patient/1")).json
    assert (stored["meta"]["tag"], stored["meta"]["profile"], stored["active"]) == ([A, B], [PROFILE], True)


async def test_meta_delete_takes_labels_off_and_what_is_not_there_is_no_error(fhir, given):
    await given(patient("1", meta={"tag": [A, B], "profile": [PROFILE]}))
    answer = await fhir.post("Patient/1/$meta-delete", meta_parameters(tag=[A, {"code": "zz"}], profile=[PROFILE]))
    assert returned(answer)["tag"] == [B]
    assert "profile" not in returned(answer)


async def test_concurrent_additions_are_all_kept(fhir, given):
    await given(patient("1"))
    tags = [{"system": "urn:t", "code": str(number)} for number in range(30)]
    await asyncio.gather(*(fhir.post("Patient/1/$meta-add", meta_parameters(tag=[tag])) for tag in tags))
    assert {each["code"] for each in returned(await fhir.get("Patient/1/$meta"))["tag"]} == {
        str(number) for number in range(30)
    }


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Parameters"},
        {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueString": "x"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "other", "valueMeta": {}}]},
        patient(),
    ],
)
async def test_meta_add_without_a_meta_is_400(fhir, given, body):
    await given(patient("1"))
    assert (await fhir.post("Patient/1/$meta-add", body)).status == 400


async def test_labels_that_break_rules_are_422(fhir, given):
    await given(patient("1"))
    assert (await fhir.post("Patient/1/$meta-add", meta_parameters(tag=[{"code": 1}]))).status == 422
    assert (await fhir.get("Patient/1")).json["meta"]["versionId"] == "1"


# ---------------------------------------------------------------- labels change where they are

LABELLED = {"tag": [B], "security": [{"system": "urn:s", "code": "R"}], "profile": [PROFILE]}


async def test_a_change_of_labels_makes_no_version_and_keeps_its_number_and_time(fhir, given, clock):
    await given(patient("1", active=True, meta={"tag": [A]}))
    before = (await fhir.get("Patient/1")).json
    clock.advance(1000)
    answer = await fhir.post("Patient/1/$meta-add", meta_parameters(**LABELLED))
    after = await fhir.get("Patient/1")
    assert (answer.status, answer.headers["ETag"], after.headers["ETag"]) == (200, 'W/"1"', 'W/"1"')
    assert after.json == {**before, "meta": {**before["meta"], **LABELLED, "tag": [A, B]}}
    assert returned(answer) == after.json["meta"]
    history = (await fhir.get("Patient/1/_history")).json
    assert [each["resource"] for each in history["entry"]] == [after.json]
    assert (await fhir.get("Patient/1/_history/1")).json == after.json
    clock.advance(1000)
    await fhir.post("Patient/1/$meta-delete", meta_parameters(**LABELLED))
    assert (await fhir.get("Patient/1")).json == before
    assert (await fhir.get("Patient/1/_history")).json["total"] == 1


@pytest.mark.parametrize("criteria", ["_tag=urn:t|b", "_security=urn:s|R", f"_profile={PROFILE}", "_tag=b&_security=R"])
async def test_searches_find_by_labels_as_soon_as_they_change(fhir, given, criteria):
    await given(patient("1", meta={"tag": [A]}), patient("2"))
    await fhir.post("Patient/1/$meta-add", meta_parameters(**LABELLED))
    assert ids_of((await fhir.get(f"Patient?{criteria}")).json) == ["1"]
    assert (await fhir.get(f"Patient?{criteria}&_summary=count")).json["total"] == 1
    await fhir.post("Patient/1/$meta-delete", meta_parameters(**LABELLED))
    assert ids_of((await fhir.get(f"Patient?{criteria}")).json) == []
    assert ids_of((await fhir.get("Patient?_tag=a")).json) == ["1"]


async def test_an_older_version_is_labelled_where_it_is(fhir, given, clock):
    """resource-operations.html#meta-add is of the version that is named: security labels rule who may see it."""
    await given(patient("1", active=True, meta={"tag": [A]}))
    clock.advance(1000)
    await given(patient("1", active=False))
    first, second = (await fhir.get("Patient/1/_history/1")).json, (await fhir.get("Patient/1")).json
    answer = await fhir.post("Patient/1/_history/1/$meta-add", meta_parameters(**LABELLED))
    assert (answer.status, answer.headers["ETag"]) == (200, 'W/"1"')
    labelled = {**first, "meta": {**first["meta"], **LABELLED, "tag": [A, B]}}
    assert (await fhir.get("Patient/1/_history/1")).json == labelled
    assert returned(await fhir.get("Patient/1/_history/1/$meta")) == labelled["meta"] == returned(answer)
    history = (await fhir.get("Patient/1/_history")).json["entry"]
    assert [each["resource"] for each in history] == [second, labelled]
    assert ids_of((await fhir.get("Patient?_tag=b")).json) == []
    await fhir.post("Patient/1/_history/1/$meta-delete", meta_parameters(**LABELLED))
    assert (await fhir.get("Patient/1/_history/1")).json == first


async def test_the_current_version_may_be_named_too(fhir, given):
    await given(patient("1"), patient("1"))
    await fhir.post("Patient/1/_history/2/$meta-add", meta_parameters(tag=[B]))
    assert (await fhir.get("Patient/1")).json["meta"]["tag"] == [B]
    assert ids_of((await fhir.get("Patient?_tag=b")).json) == ["1"]


@pytest.mark.parametrize("operation", ["$meta-add", "$meta-delete"])
async def test_what_is_not_there_or_deleted_has_no_labels(fhir, given, operation):
    await given(patient("1"))
    await fhir.delete("Patient/1")
    for path, status in (
        ("Patient/nobody", 404),
        ("Patient/1/_history/9", 404),
        ("Patient/1/_history/x", 404),
        ("Patient/1", 410),
        ("Patient/1/_history/2", 410),
        ("Patient/1/_history/1", 200),
    ):
        answer = await fhir.post(f"{path}/{operation}", meta_parameters(tag=[B]))
        assert answer.status == status, (path, answer.text)


async def test_labels_added_stay_on_later_versions_and_updates_beside_them_lose_none(fhir, given):
    await given(patient("1", meta={"tag": [A]}))
    tags = [{"system": "urn:t", "code": f"n{number}"} for number in range(10)]
    updates = (fhir.put("Patient/1", patient("1", active=bool(number % 2))) for number in range(10))
    answers = await asyncio.gather(
        *(fhir.post("Patient/1/$meta-add", meta_parameters(tag=[tag])) for tag in tags), *updates
    )
    assert {each.status for each in answers} == {200}
    stored = (await fhir.get("Patient/1")).json["meta"]
    assert {each["code"] for each in stored["tag"]} == {"a", *(tag["code"] for tag in tags)}
    assert stored["versionId"] == "11"


@pytest.mark.parametrize("there", [True, False])
async def test_an_update_loses_no_label_that_comes_between_its_reading_and_its_storing(fhir, given, there):
    """Of a resource without any, as of one that another request makes."""
    entry = {"resource": patient("1"), "request": {"method": "PUT", "url": "Patient/1"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    for number in range(8):
        resource = {**patient(f"p{number}"), "active": True}
        where = f"Patient/p{number}"
        if there:
            await given(patient(f"p{number}"))
            labelled = fhir.post(f"{where}/$meta-add", meta_parameters(tag=[A]))
        else:
            labelled = fhir.put(where, {**resource, "meta": {"tag": [A]}})
        entry.update(resource=resource, request={"method": "PUT", "url": where})
        updates = [fhir.put(where, resource) if number % 2 else fhir.post("", bundle) for _ in range(3)]
        answers = await asyncio.gather(*updates[:2], labelled, *updates[2:])
        assert {each.status for each in answers} <= {200, 201}
        assert (await fhir.get(where)).json["meta"].get("tag") == [A], number


async def test_patches_and_transactions_beside_it_lose_no_label(fhir, given):
    await given(patient("1", meta={"tag": [A]}))
    tags = [{"system": "urn:t", "code": f"n{number}"} for number in range(6)]
    entry = {"resource": patient("1", active=True), "request": {"method": "PUT", "url": "Patient/1"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    merge = {"Content-Type": "application/merge-patch+json"}
    answers = await asyncio.gather(
        *(fhir.post("Patient/1/$meta-add", meta_parameters(tag=[tag])) for tag in tags),
        *(fhir.patch("Patient/1", {"active": False}, headers=merge) for _ in range(4)),
        *(fhir.post("", bundle) for _ in range(4)),
    )
    assert {each.status for each in answers} == {200}
    stored = (await fhir.get("Patient/1")).json["meta"]
    assert {each["code"] for each in stored["tag"]} == {"a", *(tag["code"] for tag in tags)}
    assert stored["versionId"] == "9"


async def test_if_match_guards_a_change_of_labels(fhir, given):
    await given(patient("1"), patient("1"))
    for version, status in (("1", 412), ("2", 200)):
        headers = {"If-Match": f'W/"{version}"'}
        answer = await fhir.post("Patient/1/$meta-add", meta_parameters(tag=[B]), headers=headers)
        assert answer.status == status


async def test_a_resource_that_broke_rules_before_may_be_labelled_and_labels_must_not_break_one(fhir, given):
    """A claimed profile that the resource does not conform to is refused, as on every write."""
    await given(observation("1", valueString="x"))
    bmi = "http://hl7.org/fhir/StructureDefinition/bmi"
    answer = await fhir.post("Observation/1/$meta-add", meta_parameters(profile=[bmi]))
    assert (answer.status, answer.json["resourceType"]) == (422, "OperationOutcome")
    assert "profile" not in (await fhir.get("Observation/1")).json["meta"]


# ---------------------------------------------------------------- $lastn


def measured(name, code, when, who="a"):
    concept = {"coding": [{"system": LOINC, "code": code}]}
    return observation(name, code=concept, effectiveDateTime=when, subject=reference(f"Patient/{who}"))


@pytest.fixture
async def measurements(given):
    await given(
        patient("a"),
        patient("b"),
        measured("w1", "29463-7", "2024-01-01"),
        measured("w2", "29463-7", "2024-03-01"),
        measured("w3", "29463-7", "2024-02-01"),
        measured("h1", "8302-2", "2023-01-01"),
        measured("h2", "8302-2", "2022-01-01"),
        measured("p1", "8302-2", "2025-01-01", "b"),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("patient=a", ["w2", "h1"]),
        ("patient=a&max=2", ["w2", "w3", "h1", "h2"]),
        ("subject=Patient/a&code=8302-2", ["h1"]),
        ("patient=Patient/b&code=8302-2", ["p1"]),
        ("patient=a&date=lt2024", ["h1"]),
        ("patient=zz", []),
    ],
)
@pytest.mark.usefixtures("measurements")
async def test_lastn_gives_the_newest_of_each_code(fhir, query, found):
    answer = await fhir.get(f"Observation/$lastn?{query}")
    assert answer.status == 200, answer.text
    assert ids_of(answer.json) == found


async def test_observations_that_share_a_coding_are_of_one_group(fhir, given):
    both = {"coding": [{"system": LOINC, "code": "1"}, {"system": "urn:local", "code": "x"}]}
    local = {"coding": [{"system": "urn:local", "code": "x"}]}
    await given(
        patient("a"),
        observation("1", code=both, effectiveDateTime="2024-01-01", subject=reference("Patient/a")),
        observation("2", code=local, effectiveDateTime="2024-02-01", subject=reference("Patient/a")),
    )
    assert ids_of((await fhir.get("Observation/$lastn?patient=a")).json) == ["2"]


async def test_observations_of_the_same_time_are_given_together(fhir, given):
    await given(patient("a"), measured("1", "1-1", "2024-01-01"), measured("2", "1-1", "2024-01-01"))
    assert sorted(ids_of((await fhir.get("Observation/$lastn?patient=a")).json)) == ["1", "2"]


async def test_more_observations_than_lastn_looks_through_are_403_with_advice(fhir, given, monkeypatch):
    monkeypatch.setattr("server.operations.lastn.MOST", 2)
    monkeypatch.setattr("server.operations.lastn._CHUNK", 2)
    await given(patient("a"), *(measured(str(number), "1-1", "2024-01-01") for number in range(3)))
    answer = await fhir.get("Observation/$lastn?patient=a")
    assert (answer.status, answer.json["issue"][0]["code"]) == (403, "too-costly")


@pytest.mark.parametrize("query", ["", "code=1", "patient=a&max=0", "patient=a&max=x", "patient=a&nonsense=1"])
async def test_lastn_needs_a_patient_and_a_sensible_max(fhir, query):
    assert (await fhir.get(f"Observation/$lastn?{query}")).status == 400
