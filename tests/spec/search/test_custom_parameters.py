"""Search parameters added as SearchParameter resources, indexed in the background.

https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import asyncio

import pytest

from server import reindexing
from tests.spec.people import ids_of, observation, patient


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """Workers of these tests learn from each other faster."""
    monkeypatch.setattr(reindexing, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(reindexing, "SETTLE_SECONDS", 0.2)


def parameter(**more):
    return {
        "resourceType": "SearchParameter",
        "id": "nick",
        "url": "urn:example:nickname",
        "name": "nickname",
        "status": "active",
        "description": "Nickname of a patient",
        "code": "nickname",
        "base": ["Patient"],
        "type": "string",
        "expression": "Patient.name.where(use='nickname').given",
        **more,
    }


def called(name, nickname):
    return patient(name, name=[{"use": "nickname", "given": [nickname]}])


async def status(fhir):
    """Parts of each parameter of $reindex-status."""
    rows = (await fhir.get("$reindex-status")).json["parameter"]
    return [{part["name"]: next(part[k] for k in part if k != "name") for part in row["part"]} for row in rows]


async def searchable(fhir, query):
    """Ids that the search finds, as soon as it is answered."""
    for _ in range(400):
        answer = await fhir.get(query)
        if answer.status == 200:
            return sorted(ids_of(answer.json))
        await asyncio.sleep(0.02)
    raise AssertionError(f"still {answer.status}: {answer.text}")


async def test_what_was_stored_before_is_found_once_it_is_indexed(fhir, given):
    await given(called("1", "Lek"), called("2", "Nok"))
    assert (await fhir.get("Patient?nickname=lek")).status == 400
    await given(parameter())
    assert await searchable(fhir, "Patient?nickname=lek") == ["1"]
    await given(called("3", "Lek"))
    assert await searchable(fhir, "Patient?nickname=lek") == ["1", "3"]


async def test_until_then_searches_for_it_are_refused_with_the_reason_and_progress_is_told(fhir, given):
    await given(called("1", "Lek"), parameter())
    await asyncio.sleep(0.1)
    answer = await fhir.get("Patient?nickname=lek")
    assert answer.status == 400
    assert "index" in answer.diagnostics
    [row] = await status(fhir)
    assert (row["code"], row["state"]) == ("nickname", "pending")
    await searchable(fhir, "Patient?nickname=lek")
    [row] = await status(fhir)
    assert (row["state"], row["done"], row["total"]) == ("done", 1, 1)


async def test_it_appears_in_the_capability_statement(fhir, given):
    await given(parameter())
    await searchable(fhir, "Patient?nickname=x")
    [rest] = (await fhir.get("metadata")).json["rest"]
    of_patient = next(each for each in rest["resource"] if each["type"] == "Patient")
    assert "urn:example:nickname" in {each["definition"] for each in of_patient["searchParam"]}


async def test_a_deleted_or_retired_parameter_is_unknown_again(fhir, given):
    await given(parameter())
    await searchable(fhir, "Patient?nickname=x")
    await given(parameter(status="retired"))
    await asyncio.sleep(0.3)
    assert "nickname" in (await fhir.get("Patient?nickname=x")).diagnostics
    await given(parameter())
    await searchable(fhir, "Patient?nickname=x")
    await fhir.delete("SearchParameter/nick")
    await asyncio.sleep(0.3)
    assert (await fhir.get("Patient?nickname=x")).status == 400


async def test_another_worker_learns_of_it_and_it_is_there_after_a_restart(start):
    first = await start()
    second = await start()
    await first.client.put("Patient/1", called("1", "Lek"))
    await first.client.put("SearchParameter/nick", parameter())
    assert await searchable(second.client, "Patient?nickname=lek") == ["1"]
    third = await start()
    assert ids_of((await third.client.get("Patient?nickname=lek")).json) == ["1"]


async def test_a_parameter_of_all_types(fhir, given):
    await given(observation("o", language="th"), patient("p", language="th"), patient("q"))
    everywhere = parameter(
        id="lang",
        url="urn:example:tongue",
        code="tongue",
        base=["Resource"],
        type="token",
        expression="Resource.language",
    )
    await given(everywhere)
    assert await searchable(fhir, "Patient?tongue=th") == ["p"]
    assert await searchable(fhir, "Observation?tongue=th") == ["o"]


@pytest.mark.parametrize(
    "wrong",
    [{"expression": "Patient.name.("}, {"expression": "Patient.nothing"}, {"base": ["Nothing"]}],
)
async def test_an_active_parameter_that_cannot_be_used_is_422(fhir, wrong):
    answer = await fhir.put("SearchParameter/nick", parameter(**wrong))
    assert answer.status == 422


async def test_a_draft_is_stored_without_being_used(fhir, given):
    await given(parameter(status="draft"))
    await asyncio.sleep(0.3)
    assert (await fhir.get("Patient?nickname=x")).status == 400
    assert (await fhir.get("$reindex-status")).json.get("parameter", []) == []
