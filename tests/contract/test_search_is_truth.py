"""Whatever is stored and asked, an engine finds what server/search/truth.py says, in its order, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from server.search import truth
from server.search.query import Match, Parameter, Query, SortKey, TokenOperand
from server.search.texts import texts
from server.search.values import Reference, Token
from server.store.contract import Body, Commit, Delete, Put, Store
from tests.contract.conftest import OpenStore
from tests.contract.resources import Clock, HandRules
from tests.contract.worlds import Event, events, head_and_tail, queries, resource


def change(event: Event, rules: HandRules) -> Put | Delete:
    if event.index is None:
        return Delete(event.type, event.id)
    made = resource(event)
    return rules.remember(Put(event.type, event.id, Body(*head_and_tail(made)), event.index, text=texts(made)))


async def telling(
    store: Store, story: list[Event], rules: HandRules, clock: Clock
) -> AsyncIterator[list[truth.Stored]]:
    """Commits the story; after each event what is live then, in creation order."""
    live: dict[tuple[str, str], truth.Stored] = {}
    order: dict[tuple[str, str], None] = {}
    for event in story:
        [written] = await store.commit(Commit([change(event, rules)]))
        key = (event.type, event.id)
        if event.index is None:
            live.pop(key, None)
        else:
            order.setdefault(key)
            live[key] = truth.Stored(*key, written.version.last_updated, resource(event))
        clock.forward(1)
        yield [live[key] for key in order if key in live]


async def tell(store: Store, story: list[Event], rules: HandRules, clock: Clock) -> list[truth.Stored]:
    """Commits the story and gives what is live at its end, in creation order."""
    return [live async for live in telling(store, story, rules, clock)][-1]


async def pages(store: Store, query: Query) -> list[tuple[str, str]]:
    """All hits, walking forward by `after`."""
    found = []
    after = None
    while True:
        hits = await store.search(query.page(after=after))
        found += [(hit.version.type, hit.version.id) for hit in hits.hits]
        assert len(hits.hits) <= query.limit
        assert all(hit.version.body is not None for hit in hits.hits)
        if not hits.more:
            return found
        after = hits.hits[-1].position


async def pages_backward(store: Store, query: Query) -> list[tuple[str, str]]:
    """All hits, walking from the end by `before`; each page is in forward order."""
    found: list[tuple[str, str]] = []
    before: tuple[object, ...] = ()
    while True:
        hits = await store.search(query.page(before=before))
        found = [(hit.version.type, hit.version.id) for hit in hits.hits] + found
        if not hits.more:
            return found
        before = hits.hits[0].position


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(story=events(), asked=st.lists(queries(), min_size=4, max_size=8))
async def test_search_is_truth(new_store: OpenStore, story: list[Event], asked: list[Query]) -> None:
    rules, clock = HandRules(), Clock()
    store = await new_store(rules, clock=clock)
    try:
        live = await tell(store, story, rules, clock)
        for query in asked:
            note(repr(query))
            expected = truth.evaluate(query, live, lambda type, made: rules.indexes[type, made["id"]])
            assert await pages(store, query) == expected
            assert await pages_backward(store, query) == expected
            assert await store.count(replace(query, sort=())) == len(expected)
    finally:
        await store.close()


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(story=events(), asked=st.lists(queries(), min_size=2, max_size=4))
async def test_what_is_asked_again_and_again_is_answered_from_what_is_there_now(
    new_store: OpenStore, story: list[Event], asked: list[Query]
) -> None:
    """An engine may keep what it planned for a query; all that is stored meanwhile must be found all the same."""
    rules, clock = HandRules(), Clock()
    store = await new_store(rules, clock=clock)
    try:
        async for live in telling(store, story, rules, clock):
            for query in asked:
                note(repr(query))
                expected = truth.evaluate(query, live, lambda type, made: rules.indexes[type, made["id"]])
                hits = await store.search(query)
                assert [(hit.version.type, hit.version.id) for hit in hits.hits] == expected[: query.limit]
                assert hits.more == (len(expected) > query.limit)
    finally:
        await store.close()


@pytest.mark.parametrize("code", ["_id", "_lastUpdated"])
async def test_what_was_deleted_gives_no_place_in_an_order(new_store: OpenStore, code: str) -> None:
    """Sorted by the patient of an observation, one of whom is gone."""
    rules, clock = HandRules(), Clock()
    store = await new_store(rules, clock=clock)
    try:
        story = [Event("Patient", id, {}, "") for id in ("a", "b")]
        story += [Event("Observation", id, {"patient": [Reference("Patient", id, None, None)]}, "") for id in "ab"]
        live = await tell(store, [*story, Event("Patient", "a", None, "")], rules, clock)
        chain = ((Parameter("patient", "reference", targets=("Patient",)), "Patient"),)
        asked = Query(("Observation",), (), (SortKey(Parameter(code, "token"), chain=chain),), limit=1)
        assert await pages(store, asked) == [("Observation", "b"), ("Observation", "a")]
        assert truth.evaluate(asked, live, lambda type, made: rules.indexes[type, made["id"]]) == await pages(
            store, asked
        )
    finally:
        await store.close()


async def test_an_engine_that_indexed_something_else_would_be_noticed(new_store: OpenStore) -> None:
    rules, clock = HandRules(), Clock()
    store = await new_store(rules, clock=clock)
    try:
        stored = Event("Patient", "a", {"gender": [Token(None, "x")]}, "")
        live = await tell(store, [stored], rules, clock)
        asked = Query(("Patient",), (Match(Parameter("gender", "token"), "", (TokenOperand(None, "y", True),)),))
        expected = truth.evaluate(asked, live, lambda type, made: {"gender": [Token(None, "y")]})
        assert await pages(store, asked) != expected
    finally:
        await store.close()
