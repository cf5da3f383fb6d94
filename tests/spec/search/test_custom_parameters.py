"""Search parameters added as SearchParameter resources, indexed in the background.

https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import asyncio

import pytest

from server import reindexing
from tests.nickname import nickname_parameter
from tests.spec.people import ids_of, observation, patient


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """Workers of these tests learn from each other faster, but slowly enough for a test to be between."""
    monkeypatch.setattr(reindexing, "LISTEN_SECONDS", 0.05)
    monkeypatch.setattr(reindexing, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(reindexing, "LATE_SECONDS", 0.6)


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
    await given(nickname_parameter())
    assert await searchable(fhir, "Patient?nickname=lek") == ["1"]
    await given(called("3", "Lek"))
    assert await searchable(fhir, "Patient?nickname=lek") == ["1", "3"]


async def test_until_then_searches_for_it_are_refused_with_the_reason_and_progress_is_told(fhir, given):
    """From the first moment on: never as unknown."""
    await given(called("1", "Lek"), nickname_parameter())
    answer = await fhir.get("Patient?nickname=lek")
    assert (answer.status, answer.json["issue"][0]["code"]) == (400, "transient")
    assert "still being indexed; $reindex-status" in answer.diagnostics
    [row] = await status(fhir)
    assert (row["code"], row["state"]) == ("nickname", "pending")
    await searchable(fhir, "Patient?nickname=lek")
    [row] = await status(fhir)
    assert (row["state"], row["done"], row["total"]) == ("done", 1, 1)


async def test_a_worker_that_has_not_looked_yet_asks_the_store_before_it_says_unknown(start, monkeypatch):
    monkeypatch.setattr(reindexing, "LISTEN_SECONDS", 60)
    first, second = await start(), await start()
    await first.client.put("Patient/1", called("1", "Lek"))
    await first.client.put("SearchParameter/nick", nickname_parameter())
    assert (await second.client.get("Patient?nickname=lek")).json["issue"][0]["code"] == "transient"
    batch = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": "Patient?nickname=lek"}}],
    }
    [entry] = (await second.client.post("", batch)).json["entry"]
    assert entry["response"]["outcome"]["issue"][0]["code"] == "transient"
    assert await searchable(second.client, "Patient?nickname=lek") == ["1"]
    await first.client.delete("SearchParameter/nick")
    assert (await second.client.get("Patient?neckname=lek")).status == 400
    assert "no search parameter nickname" in (await second.client.get("Patient?nickname=lek")).diagnostics


async def test_what_a_busy_worker_stored_without_its_values_is_indexed_once_more(start, monkeypatch):
    """The second worker does not look in time; the first indexes again what was stored meanwhile."""
    monkeypatch.setattr(reindexing, "SETTLE_SECONDS", 0.1)
    first, second = await start(), await start()
    monkeypatch.setattr(second.ctx.reindexing, "look", never_new)
    await first.client.put("SearchParameter/nick", nickname_parameter())
    assert await searchable(first.client, "Patient?nickname=lek") == []
    await second.client.put("Patient/1", called("1", "Lek"))
    assert ids_of((await first.client.get("Patient?nickname=lek")).json) == []
    await finds(first.client, "Patient?nickname=lek", ["1"])


async def never_new():
    return False


async def finds(fhir, query, ids):
    for _ in range(400):
        answer = await fhir.get(query)
        if answer.status == 200 and sorted(ids_of(answer.json)) == ids:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"still {answer.status}: {answer.text}")


async def test_what_a_worker_that_died_began_to_index_another_one_indexes(start, clock):
    first = await start()
    await first.client.put("Patient/1", called("1", "Lek"))
    await first.client.put("SearchParameter/nick", nickname_parameter())
    await first.ctx.reindexing.close()
    second = await start()
    clock.advance(reindexing.STALLED_MS + 1)
    await finds(second.client, "Patient?nickname=lek", ["1"])


async def test_a_worker_that_died_before_it_indexed_once_more_is_followed_by_another(start, clock, monkeypatch):
    monkeypatch.setattr(reindexing, "SETTLE_SECONDS", 0.1)
    first, second = await start(), await start()
    monkeypatch.setattr(second.ctx.reindexing, "look", never_new)
    await first.client.put("SearchParameter/nick", nickname_parameter())
    assert await searchable(first.client, "Patient?nickname=lek") == []
    await first.ctx.reindexing.close()
    await second.client.put("Patient/1", called("1", "Lek"))
    third = await start()
    assert await searchable(third.client, "Patient?nickname=lek") == []
    clock.advance(reindexing.STALLED_MS + 1)
    await finds(third.client, "Patient?nickname=lek", ["1"])


async def test_it_appears_in_the_capability_statement(fhir, given):
    await given(nickname_parameter())
    await searchable(fhir, "Patient?nickname=x")
    [rest] = (await fhir.get("metadata")).json["rest"]
    of_patient = next(each for each in rest["resource"] if each["type"] == "Patient")
    assert "urn:example:nickname" in {each["definition"] for each in of_patient["searchParam"]}


async def test_a_deleted_or_retired_parameter_is_unknown_again(fhir, given):
    await given(nickname_parameter())
    await searchable(fhir, "Patient?nickname=x")
    await given(nickname_parameter(status="retired"))
    await asyncio.sleep(0.3)
    assert "nickname" in (await fhir.get("Patient?nickname=x")).diagnostics
    await given(nickname_parameter())
    await searchable(fhir, "Patient?nickname=x")
    await fhir.delete("SearchParameter/nick")
    await asyncio.sleep(0.3)
    assert (await fhir.get("Patient?nickname=x")).status == 400


async def test_another_worker_learns_of_it_and_it_is_there_after_a_restart(start):
    first = await start()
    second = await start()
    await first.client.put("Patient/1", called("1", "Lek"))
    await first.client.put("SearchParameter/nick", nickname_parameter())
    assert await searchable(second.client, "Patient?nickname=lek") == ["1"]
    third = await start()
    assert ids_of((await third.client.get("Patient?nickname=lek")).json) == ["1"]


async def test_a_parameter_of_all_types(fhir, given):
    await given(observation("o", language="th"), patient("p", language="th"), patient("q"))
    everywhere = nickname_parameter(
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
    ("wrong", "element"),
    [
        ({"expression": "Patient.name.("}, "expression"),
        ({"expression": "Patient.nothing"}, "expression"),
        ({"expression": "Patient.name.where(use = %x).given"}, "expression"),
        ({"expression": "Patient.name.given | %nothing.given"}, "expression"),
        ({"base": ["Nothing"]}, "base[0]"),
        ({"code": "gender"}, "code"),
        ({"code": "family", "base": ["Practitioner", "Person"], "expression": "Practitioner.name.given"}, "code"),
        ({"code": "birthdate", "base": ["DomainResource"], "expression": "DomainResource.text.div"}, "code"),
    ],
)
async def test_an_active_parameter_that_cannot_be_used_is_422(fhir, wrong, element):
    answer = await fhir.put("SearchParameter/nick", nickname_parameter(**wrong))
    assert answer.status == 422
    assert answer.json["issue"][0]["expression"] == [f"SearchParameter.{element}"]
    assert (await fhir.get("SearchParameter/nick")).status == 404


async def test_the_official_parameter_of_a_code_stays_and_its_own_definition_may_be_stored(fhir, given):
    await given(patient("1", gender="male"))
    refused = await fhir.put("SearchParameter/nick", nickname_parameter(code="gender"))
    assert "http://hl7.org/fhir/SearchParameter/individual-gender" in refused.diagnostics
    assert "มาตรฐาน" in refused.json["issue"][0]["details"]["text"]
    official = nickname_parameter(
        url="http://hl7.org/fhir/SearchParameter/individual-gender",
        code="gender",
        type="token",
        base=["Patient", "Person", "Practitioner", "RelatedPerson"],
        expression="Patient.gender | Person.gender | Practitioner.gender | RelatedPerson.gender",
    )
    assert (await fhir.put("SearchParameter/nick", official)).status == 201
    assert ids_of((await fhir.get("Patient?gender=male")).json) == ["1"]
    changed = await fhir.put("SearchParameter/nick", {**official, "expression": "Patient.name.use"})
    assert changed.status == 422


async def test_a_code_that_another_added_parameter_has_is_422_until_that_one_is_gone(fhir, given):
    await given(nickname_parameter())
    other = nickname_parameter(
        id="other",
        url="urn:example:other",
        base=["Patient", "Person"],
        expression="Person.name.suffix | Patient.name.suffix",
    )
    refused = await fhir.put("SearchParameter/other", other)
    assert (refused.status, refused.json["issue"][0]["expression"]) == (422, ["SearchParameter.code"])
    assert "urn:example:nickname" in refused.diagnostics
    assert (await fhir.put("SearchParameter/nick", nickname_parameter(expression="Patient.name.suffix"))).status == 200
    await fhir.delete("SearchParameter/nick")
    assert (await fhir.put("SearchParameter/other", other)).status == 201


async def test_an_expression_may_name_the_resource_and_the_code_systems_of_the_specification(fhir, given):
    await given(
        called("1", "Lek"),
        nickname_parameter(expression="%resource.name.where(use = 'nickname' and %ucum != '').given"),
    )
    assert await searchable(fhir, "Patient?nickname=lek") == ["1"]


async def test_a_draft_is_stored_without_being_used(fhir, given):
    await given(nickname_parameter(status="draft"))
    await asyncio.sleep(0.3)
    assert (await fhir.get("Patient?nickname=x")).status == 400
    assert (await fhir.get("$reindex-status")).json.get("parameter", []) == []
