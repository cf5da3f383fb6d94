"""What lies in the documents of a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from conformance.bench.filled import filled
from server.search.values import String, Token
from server.store.bodies import SHIPPED, shipped_dictionary
from server.store.contract import Commit, Delete, Scope
from server.store.mongo import MongoStore, open_mongo
from server.store.mongo.frames import Frames
from tests import mongod
from tests.contract.resources import Clock, HandRules, put
from tests.contract.test_relabel import relabel

pytestmark = pytest.mark.mongo
BUDGET = {"k": 12.5, "c": 4.0, "r": 1.0, "s": 0.5, "g": 2.0}
"""Most keys a resource, on average of a population: docs/decisions/mongodb-layout.md."""
INDEX: dict[str, Any] = {"family": [String("jaidee", "Jaidee")], "code": [Token("urn:c", "a")]}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[MongoStore]:
    opened = await open_mongo(mongod.fresh_url(mongod.database_of(tmp_path)), HandRules(), clock=Clock())
    yield opened
    await opened.close()
    mongod.drop_all(tmp_path)


def frames(store: MongoStore, collection: str) -> list[tuple[bytes, bytes]]:
    """Body and values of its documents, in commit order."""
    url = mongod.fresh_url(store._database.name)
    read = Frames({SHIPPED: shipped_dictionary()}).unpack
    with MongoClient[dict[str, Any]](url) as client:
        found = client.get_default_database()[collection].find({"b": {"$exists": True}}).sort("q", 1)
        return [read(document["b"]) for document in found]


async def test_superseded_versions_are_kept_without_the_values_that_nobody_searches(store: MongoStore) -> None:
    for _ in range(3):
        await store.commit(Commit([put("Patient", "a", INDEX)]))
    versions = (await store.history(Scope("Patient", "a"))).versions
    await store.commit(Commit([relabel(versions[2], INDEX, "labelled")]))
    [(_, current)] = frames(store, "resource")
    assert b"Jaidee" in current
    superseded = frames(store, "history")
    assert [values for _, values in superseded] == [b"", b""]
    labelled = await store.vread("Patient", "a", 1)
    assert labelled is not None
    assert superseded[0][0] == labelled.body
    await store.commit(Commit([Delete("Patient", "a")]))
    assert [values for _, values in frames(store, "history")] == [b"", b"", b""]


async def test_the_keys_of_a_population_keep_their_budget(tmp_path: Path) -> None:
    """Each key is an entry of an index somewhere in it: what a write costs."""
    url = mongod.fresh_url(mongod.database_of(tmp_path))
    world = await filled(url, 3000, tmp_path)
    await world.ctx.store.close()
    average = {field: {"$avg": {"$size": {"$ifNull": [f"${field}", []]}}} for field in BUDGET}
    with MongoClient[dict[str, Any]](url) as client:
        asked = [{"$group": {"_id": None, "n": {"$sum": 1}, **average}}]
        [found] = client.get_default_database()["resource"].aggregate(asked)
    assert found["n"] == 3000
    assert {field: found[field] for field in BUDGET if found[field] > BUDGET[field]} == {}, found
    assert all(found[field] > 0 for field in BUDGET), found
    mongod.drop_all(tmp_path)
