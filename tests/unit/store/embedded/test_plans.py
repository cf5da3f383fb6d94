"""The plan table: which index drives which search. docs/decisions/embedded-layout.md shows the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.search.query import (
    Chain,
    Criterion,
    Has,
    Ids,
    LastUpdated,
    Match,
    Missing,
    Not,
    Parameter,
    QuantityOperand,
    Query,
    RangeOperand,
    ReferenceOperand,
    SortKey,
    TextOperand,
    TokenOperand,
)
from server.search.types import quantity
from server.search.values import Date, Index, Reference, String, Token
from server.store.contract import Commit
from server.store.embedded import EmbeddedStore, open_embedded
from server.store.embedded.rows import DAY
from tests.contract.resources import HandRules, put

CODE, STATUS, DATE = Parameter("code", "token"), Parameter("status", "token"), Parameter("date", "date")
PATIENT, NAME = Parameter("patient", "reference", targets=("Patient",)), Parameter("name", "string")
IDENTIFIER = Parameter("identifier", "token", identifying=True)
FOCUS = Parameter("focus", "reference")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    """3,000 observations of 60 patients over 3,000 days; one code of a hundred is rare."""
    opened = await open_embedded(tmp_path / "s.db", HandRules())
    people = [
        put("Patient", f"p{n}", {"name": [String(f"name{n}", f"Name{n}")], "identifier": [Token("https://id", f"{n}")]})
        for n in range(60)
    ]
    await opened.commit(Commit(people))
    for start in range(0, 3000, 500):
        changes = []
        for n in range(start, start + 500):
            index: Index = {
                "code": [Token("s", "rare" if n % 100 == 0 else "common")],
                "status": [Token("s", "final")],
                "date": [Date(n * DAY, n * DAY + 1000)],
                "patient": [Reference("Patient", f"p{n % 60}", None, None)],
                "focus": [Reference("Device", f"d{n % 7}", None, None)],
            }
            changes.append(put("Observation", f"o{n}", index))
        await opened.commit(Commit(changes))
    yield opened
    await opened.close()


def token(parameter: Parameter, code: str) -> Match:
    return Match(parameter, "", (TokenOperand("s", code, any_system=False),))


def reference(parameter: Parameter, type: str, id: str) -> Match:
    return Match(parameter, "", (ReferenceOperand(type, id, None, None),))


def since(day: int) -> Match:
    return Match(DATE, "", (RangeOperand("ge", day * DAY, (day + 1) * DAY, day * DAY),))


RECENT = LastUpdated((RangeOperand("gt", 4_000_000_000_000_000, 4_000_000_000_000_001, 0),))
NAMED = Match(NAME, "", (TextOperand("name1", "name1"),))
BY_ID = Match(IDENTIFIER, "", (TokenOperand("https://id", "5", any_system=False),))
NEWEST = (SortKey(DATE, descending=True),)


PLANS: list[tuple[str, tuple[Criterion, ...], tuple[SortKey, ...], str, str]] = [
    # type, criteria, sort, what drives, how the order comes about
    ("Observation", (), (), "type", "creation order"),
    ("Observation", (Ids(((None, "o5"),)), token(CODE, "common")), (), "id", "creation order"),
    ("Patient", (BY_ID, NAMED), (), "identifier", "creation order"),
    ("Patient", (NAMED,), (), "string", "creation order"),
    ("Observation", (reference(PATIENT, "Patient", "p1"), token(CODE, "rare")), (), "compartment", "creation order"),
    ("Observation", (reference(PATIENT, "Patient", "p1"),), NEWEST, "compartment", "first of the compartment"),
    ("Observation", (reference(FOCUS, "Device", "d1"),), (), "reference", "creation order"),
    ("Observation", (token(CODE, "rare"), token(STATUS, "final")), (), "token code", "creation order"),
    ("Observation", (token(CODE, "common"),), NEWEST, "token code", "along the dates of the code"),
    ("Observation", (token(CODE, "rare"), since(2900)), (), "code and date", "creation order"),
    ("Observation", (since(2995),), (), "date", "creation order"),
    ("Observation", (), NEWEST, "type", "along the dates"),
    ("Observation", (), (SortKey(Parameter("_lastUpdated", "date"), descending=True),), "type", "along lastUpdated"),
    ("Observation", (), (SortKey(Parameter("_id", "token")),), "type", "along the ids"),
    ("Observation", (RECENT,), (), "lastUpdated", "creation order"),
    ("Observation", (Not(token(STATUS, "final")),), (), "type", "creation order"),
    ("Observation", (Missing(DATE, missing=False),), (), "shape", "creation order"),
    ("Observation", (Chain(PATIENT, "Patient", BY_ID),), (), "chain(identifier)", "creation order"),
    ("Patient", (Has("Observation", PATIENT, token(CODE, "rare")),), (), "has(token code)", "creation order"),
    ("Patient", (), (SortKey(NAME),), "type", "sorted in memory"),
]


async def test_the_expected_index_drives(store: EmbeddedStore) -> None:
    for type, where, sort, driver, order in PLANS:
        told: Any = (await store.explain(Query((type,), where, sort, limit=10)))["types"][0]
        assert (told["driver"], told["order"]) == (driver, order), (type, where, sort)
        steps = told["sqlite"]
        made = {step.split()[-1] for step in steps if step.startswith(("CO-ROUTINE", "MATERIALIZE"))}
        read_whole = [step for step in steps if step.startswith("SCAN") and step.split()[1] not in made]
        assert [step for step in read_whole if "VIRTUAL TABLE" not in step and "subquery" not in step] == []


async def test_a_search_in_creation_order_skips_the_years_not_asked_for(store: EmbeddedStore) -> None:
    told: Any = (await store.explain(Query(("Observation",), (token(CODE, "common"), since(1500)), limit=10)))["types"]
    assert any("SEARCH z" in step for step in told[0]["sqlite"])
    found = await store.search(Query(("Observation",), (token(CODE, "common"), since(1500)), limit=3))
    assert [hit.version.id for hit in found.hits] == ["o1501", "o1502", "o1503"]


async def test_a_quantity_without_a_unit_reads_a_range_of_each_unit(store: EmbeddedStore) -> None:
    """Not all of each: the index is in the order of base units, in which a number of each unit is another one."""
    value = Parameter("value-quantity", "quantity")
    units = (("Cel", "http://unitsofmeasure.org"), ("mg", "http://unitsofmeasure.org"), ("box", "urn:other"))
    changes = []
    for code, system in units:
        for n in range(200):
            written = {"value": n, "code": code, "system": system}
            changes.append(put("Observation", f"{code}{n}", {value.code: quantity.values(written, "Quantity")}))
    await store.commit(Commit(changes))
    operand = QuantityOperand(RangeOperand("eq", 36.5, 37.5, 37.0), None, None, None, None)
    query = Query(("Observation",), (Match(value, "", (operand,)),), limit=10)
    told: Any = (await store.explain(query))["types"][0]
    assert told["driver"] == "quantity as written"
    ranges = [step for step in told["sqlite"] if step == "SEARCH x USING PRIMARY KEY (s=? AND x>? AND x<?)"]
    assert len(ranges) == len(units)
    assert {hit.version.id for hit in (await store.search(query)).hits} == {"Cel37", "mg37", "box37"}
