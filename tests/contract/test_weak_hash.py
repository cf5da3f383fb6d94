"""With a hash of two bits almost every key stands for many values: still no stranger is found, counted or believed.

What an engine finds by a hash is a candidate; this is the proof that it is never taken for an answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from server.search import truth
from server.search.query import Query
from server.store.contract import SearchRules, Store
from server.store.mongo import open_mongo
from server.store.mongo.hashing import Hash, keyed
from tests import mongod
from tests.contract.resources import Clock, HandRules
from tests.contract.test_conditions import nobody_has, patient
from tests.contract.test_search_is_truth import pages, pages_backward, tell
from tests.contract.worlds import Event, events, queries

pytestmark = pytest.mark.mongo


def weak(secret: bytes) -> Hash:
    strong = keyed(secret)

    def hash(text: bytes) -> int:
        two_bits = strong(text) & 3
        return two_bits << 32 | two_bits  # both halves are used

    return hash


@pytest.fixture
def open_weak(tmp_path: Path) -> Callable[[], object]:
    numbers = iter(range(10_000))

    async def open(rules: SearchRules, clock: Clock) -> Store:
        folder = tmp_path / f"weak{next(numbers)}"
        folder.mkdir()
        url = mongod.fresh_url(mongod.database_of(folder))
        return await open_mongo(url, rules, clock=clock, hash=weak)

    yield open
    mongod.drop_all(tmp_path)


# No shrinking: the keys depend on the secret of each new store, so an example does not fail again by itself.
@settings(max_examples=8, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(story=events(), asked=st.lists(queries(), min_size=4, max_size=8))
async def test_search_is_truth_with_a_weak_hash(open_weak, story: list[Event], asked: list[Query]) -> None:
    rules, clock = HandRules(), Clock()
    store = await open_weak(rules, clock)
    try:
        live = await tell(store, story, rules, clock)
        for query in asked:
            expected = truth.evaluate(query, live, lambda type, made: rules.indexes[type, made["id"]])
            assert await pages(store, query) == expected
            assert await pages_backward(store, query) == expected
            assert await store.count(query) == len(expected)
    finally:
        await store.close()


@pytest.fixture
async def store(open_weak) -> AsyncIterator[Store]:
    opened = await open_weak(HandRules(), Clock())
    yield opened
    await opened.close()


async def test_no_stranger_fulfils_a_condition(store: Store) -> None:
    from server.store.contract import Commit

    for number in range(30):
        cid = f"1-{number}"
        [written] = await store.commit(Commit([patient(f"p{number}", cid)], [nobody_has(cid)]))
        assert written.created
        found = await store.search(nobody_has(cid).query)
        assert [hit.version.id for hit in found.hits] == [f"p{number}"]
        assert await store.count(nobody_has(cid).query) == 1
