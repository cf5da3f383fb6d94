"""Searches as they are written, on the synthetic population with the official parameters: engine == truth."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from fhir_profiles.definitions import Definitions
from mappers.population import resources
from server.search import truth
from server.search.engine import Search
from server.search.query import Query
from server.search.values import Index
from server.store.contract import Body, Commit, Put, Store
from terminology.service import TerminologyService
from tests.contract.conftest import OpenStore
from tests.contract.resources import Clock
from tests.contract.worlds import head_and_tail

PEOPLE, SEED, MOST = 4, 3, 700


@dataclass
class Known:
    """What one store holds, and its truth."""

    store: Store
    search: Search
    live: list[truth.Stored]
    indexes: dict[tuple[str, str], Index]
    one: dict[str, dict[str, Any]]
    """Some resource of each type, for the values that queries ask for."""


@pytest.fixture(scope="module")
def search() -> Search:
    return Search(Definitions(), TerminologyService(), base_urls=["http://localhost/fhir"])


@pytest.fixture
async def known(open_store: OpenStore, search: Search) -> AsyncIterator[Known]:
    clock = Clock()
    store = await open_store(search.rules, clock=clock)
    chosen: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for made in resources(PEOPLE, SEED):
        seen[made["resourceType"]] = seen.get(made["resourceType"], 0) + 1
        if seen[made["resourceType"]] <= 120 and len(chosen) < MOST:
            chosen.append({"resourceType": made["resourceType"], "id": made["id"], "meta": {}, **made})
    live, indexes, one = [], {}, {}
    for start in range(0, len(chosen), 50):
        part = chosen[start : start + 50]
        puts = []
        for made in part:
            index = search.extract(made["resourceType"], made)
            indexes[made["resourceType"], made["id"]] = index
            one.setdefault(made["resourceType"], made)
            bare = {**made, "meta": {}}
            puts.append(
                Put(made["resourceType"], made["id"], Body(*head_and_tail(bare)), index, text=search.text("", made))
            )
        written = await store.commit(Commit(puts))
        stamps = [w.version.last_updated for w in written]
        live += [
            truth.Stored(made["resourceType"], made["id"], stamp, {**made, "meta": {}})
            for made, stamp in zip(part, stamps, strict=True)
        ]
        clock.forward(1000)
    yield Known(store, search, live, indexes, one)
    await store.close()


QUERIES = """
Patient
Patient?name=ส
Patient?name:contains=า
Patient?name:exact=สมชาย
Patient?family:contains=ง&gender=male
Patient?gender=male,female&_sort=birthdate
Patient?birthdate=lt1980
Patient?birthdate=ge1950&birthdate=le2010-12-31&_sort=-birthdate
Patient?identifier={patient_system}|{patient_value}
Patient?identifier={patient_value}
Patient?identifier={patient_system}|
Patient?address:contains=0
Patient?deceased=false
Patient?active:missing=true
Patient?_sort=family
Patient?_sort=-family,given
Patient?_has:Observation:patient:status=final
Patient?_has:Condition:patient:code:missing=false&_has:Encounter:patient:class=AMB
Patient?_id={patient},nobody
Observation
Observation?patient={patient}
Observation?subject=Patient/{patient}&_sort=-date
Observation?patient={patient}&code={code}&_sort=-date
Observation?code={code}
Observation?code=http://loinc.org|{code}&_sort=date
Observation?combo-code={code}
Observation?component-code=8480-6
Observation?combo-code=8480-6&patient={patient}
Observation?code={code}&date=ge2020&_sort=-date
Observation?date=ge2020&date=lt2024
Observation?date=2023
Observation?date=sa2022-06&_sort=-date
Observation?date=eb2020
Observation?date=ap2021
Observation?date=ne2021
Observation?status:not=final
Observation?category=vital-signs&status=final
Observation?category:not=laboratory
Observation?code:text=weight
Observation?value-quantity=gt50
Observation?value-quantity=lt37.5||Cel
Observation?value-quantity=ge100|http://unitsofmeasure.org|mm[Hg]
Observation?value-quantity=le150|http://unitsofmeasure.org|cm
Observation?component-value-quantity=ge120
Observation?combo-value-quantity=gt120
Observation?component-code-value-quantity=8480-6$ge120
Observation?code-value-quantity={code}$gt1
Observation?encounter=Encounter/{encounter}
Observation?encounter:missing=true
Observation?patient.gender=female
Observation?patient.name=ส&code={code}
Observation?subject:Patient.birthdate=lt1990
Observation?encounter.class=AMB&status=final
Observation?_sort=code
Observation?_sort=-value-quantity
Observation?_sort=status,-date,_id
Observation?_sort=_id
Observation?_sort=-_lastUpdated
Observation?_sort=patient.birthdate
Observation?_lastUpdated=ge2026-11-24
Observation?_lastUpdated=lt2026-11-24T06:00:03Z
Observation?_content=final
Observation?_text=a
Observation?_filter=code eq "{code}" and date gt 2021-01-01
Observation?_profile:missing=true
Condition?code:missing=false&_sort=-recorded-date
Condition?clinical-status=active
Condition?patient={patient}&recorded-date=gt2019
Condition?_sort=onset-date
Encounter?date=ge2022&_sort=-date
Encounter?patient={patient}&date=2023
Encounter?status=finished&class=AMB
Encounter?_has:Observation:encounter:code={code}
MedicationRequest?patient={patient}&status=completed&_sort=-authoredon
MedicationRequest?medication.code:missing=false
MedicationDispense?prescription:missing=false
Immunization?vaccine-code:missing=false&_sort=date
Practitioner?name:missing=false
Organization?identifier:missing=false
?_lastUpdated=ge2026
?_id={patient}
?_type=Patient,Encounter&_sort=-_lastUpdated
?_type=Observation,Condition&patient={patient}
""".strip().splitlines()


def filled(text: str, one: dict[str, dict[str, Any]]) -> str:
    """With values that occur."""
    patient, observation = one["Patient"], one["Observation"]
    identifier = patient["identifier"][0]
    return text.format(
        patient=patient["id"],
        patient_system=identifier["system"],
        patient_value=identifier["value"],
        code=observation["code"]["coding"][0]["code"],
        encounter=one["Encounter"]["id"],
    )


async def every_page(store: Store, query: Query) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    after = None
    while True:
        hits = await store.search(query.page(after=after))
        found += [(hit.version.type, hit.version.id) for hit in hits.hits]
        if not hits.more:
            return found
        after = hits.hits[-1].position


async def test_the_engine_finds_what_the_truth_says(known: Known) -> None:
    wrong, found = [], 0
    for text in QUERIES:
        path, _, asked = filled(text, known.one).partition("?")
        request = known.search.compile(path or None, parse_qsl(asked, keep_blank_values=True))
        query = replace(request.query, limit=37)
        expected = truth.evaluate(query, known.live, lambda type, made: known.indexes[type, made["id"]])
        found += bool(expected)
        pages = await every_page(known.store, query)
        count = await known.store.count(replace(query, sort=()))
        if (pages, count) != (expected, len(expected)):
            wrong.append((text, len(expected), len(pages), count, pages == expected))
    assert wrong == []
    assert found > len(QUERIES) * 0.7, "most queries ask for something that is there"


async def test_every_query_can_be_explained(known: Known) -> None:
    for text in QUERIES:
        path, _, asked = filled(text, known.one).partition("?")
        query = known.search.compile(path or None, parse_qsl(asked, keep_blank_values=True)).query
        assert json.dumps(await known.store.explain(query))
