"""How much is asked of the database: round trips, which no time limit of a single one bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.search.query import And, Match, Not, Parameter, Query, TokenOperand
from server.search.values import Reference, Token
from server.store.contract import Commit, ConditionFailed, Delete, Matches, QueryTooCostly, Unreferenced
from server.store.mongo import MongoStore, open_mongo
from server.store.mongo.pages import Pages
from server.store.mongo.symbols import REFERENCES, Name
from tests import mongod
from tests.contract.resources import HandRules, put
from tests.serving import ENGINES, Clock, Ids, Running, run_server

pytestmark = pytest.mark.mongo
TYPES = (
    "Account",
    "Basic",
    "Composition",
    "Condition",
    "Encounter",
    "Goal",
    "List",
    "Media",
    "Observation",
    "Procedure",
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    url = ENGINES["mongo"](tmp_path)
    running = await run_server(clock=Clock(), ids=Ids(), store=url, data_folder=tmp_path, open=True)
    yield running
    await running.stop()
    mongod.drop_all(tmp_path)


async def test_a_search_whose_time_is_over_asks_nothing_more(tmp_path: Path) -> None:
    store = await open_mongo(ENGINES["mongo"](tmp_path), HandRules(), search_seconds=0.0)
    await store.commit(Commit([put("Patient", "1")]))
    for search in (store.search, store.count):
        with pytest.raises(QueryTooCostly, match="Narrow it"):
            await search(Query(("Patient",)))
    assert await store.read("Patient", "1")
    await store.close()
    mongod.drop_all(tmp_path)


async def test_a_commit_whose_condition_takes_too_long_fails_alone(tmp_path: Path) -> None:
    store = await open_mongo(ENGINES["mongo"](tmp_path), HandRules(), search_seconds=0.0)
    await store.commit(Commit([put("Patient", "1")]))
    slow = Matches(Query(("Patient",)), frozenset({("Patient", "1")}))
    commits = [Commit([put("Patient", f"p{number}")], [slow] if number == 1 else []) for number in range(3)]
    outcomes = await asyncio.gather(*map(store.commit, commits), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [list, QueryTooCostly, list]
    read = await store.read_many([("Patient", f"p{number}") for number in range(3)])
    assert [version is not None for version in read] == [True, False, True]
    await store.close()
    mongod.drop_all(tmp_path)


async def test_who_refers_to_very_many_is_asked_in_several_questions(tmp_path: Path) -> None:
    """One of more than a million keys would be larger than MongoDB takes: each target has one for each parameter."""
    store = await open_mongo(ENGINES["mongo"](tmp_path), HandRules())
    await store._symbols.make([Name(REFERENCES, f"Type{number}", "subject") for number in range(1200)])
    ids = [str(number) for number in range(1000)]
    await store.commit(Commit([put("Basic", id, method="POST", fresh=True) for id in ids]))
    await store.commit(Commit([put("Observation", "o", {"focus": [Reference("Basic", "998", None, None)]})]))
    with pytest.raises(ConditionFailed) as failed:
        await store.commit(Commit([Delete("Basic", id) for id in ids], [Unreferenced("Basic", id) for id in ids]))
    assert failed.value.found == (("Observation", "o"),)
    await store.close()
    mongod.drop_all(tmp_path)


async def test_everything_of_all_patients_asks_a_few_questions_for_each_type(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by `make fuzz STORE=mongod`: each type asked of the parameters of all, 6,000 questions in half a minute."""
    store = server.ctx.store
    assert isinstance(store, MongoStore)
    await server.client.put("Patient/1", {"resourceType": "Patient", "id": "1"})
    await store.commit(Commit([put(name, "1") for name in TYPES]))
    asked = 0
    find = store._symbols.find

    async def counted(*given: Any) -> Any:
        nonlocal asked
        asked += 1
        return await find(*given)

    monkeypatch.setattr(store._symbols, "find", counted)
    answer = await server.client.get("Patient/$everything")
    assert [entry["resource"]["id"] for entry in answer.json["entry"]] == ["1"]
    assert 0 < asked <= 2 * len(TYPES) + 5


async def test_what_lacks_a_code_is_counted_without_a_look_at_the_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a million resources, most of them not in the cache, each look took 240 us."""
    store = await open_mongo(ENGINES["mongo"](tmp_path), HandRules())
    codes = ["a"] * 5 + ["b"] * 3 + ["c"] * 4
    observations = [put("Observation", str(n), {"code": [Token("", code)]}) for n, code in enumerate(codes)]
    await store.commit(Commit([*observations, put("Observation", "none"), put("Patient", "a")]))
    asked: list[Any] = []
    snapshots: list[bool] = []
    count = Pages.count

    async def noted(pages: Pages, where: Any, kind: str, deadline: float) -> int:
        asked.append(where)
        snapshots.append(pages._session is not None)
        return await count(pages, where, kind, deadline)

    monkeypatch.setattr(Pages, "count", noted)
    for denied, expected in ((("a",), 8), (("a", "b"), 5), (("x",), 13)):
        operands = tuple(TokenOperand("", code, any_system=False) for code in denied)
        where = (Not(Match(Parameter("code", "token"), "", operands)),)
        assert await store.count(Query(("Observation",), where)) == expected
        within = Query(("Observation",), (And(where),))
        assert await store.count(within) == expected
    assert len(asked) == 10, "of an unknown code nothing is to be taken off"
    assert snapshots == [True] * 10, "two counts are of one moment"
    for where in asked:
        told = await store._database.command("explain", {"count": "resource", "query": where})
        assert told["executionStats"]["totalDocsExamined"] == 0, where
    await store.close()
    mongod.drop_all(tmp_path)
