"""Groups of commits: what one brings, the others do not suffer."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from server.search.query import Query
from server.search.values import String
from server.store.contract import Commit, StoreUnavailable
from server.store.embedded import EmbeddedStore, open_embedded
from tests.contract.resources import HandRules, put


async def held_up(store: EmbeddedStore, *commits: Commit) -> list[object]:
    """Outcomes of commits that are sure to be in one group: the writer is busy while they arrive."""
    free = threading.Event()
    first = store._writer.submit(lambda transaction: free.wait(5))
    waiting = [store._writer.submit(commit) for commit in commits]
    await asyncio.sleep(0.01)
    free.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_value_that_sqlite_refuses_fails_alone(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules())
    try:
        broken = put("Patient", "broken", {"name": [String("\ud800", "\ud800")]})
        outcomes = await held_up(store, Commit([put("Patient", "a")]), Commit([broken]), Commit([put("Patient", "b")]))
        assert [type(outcome) for outcome in outcomes] == [list, TypeError, list]
        assert [hit.version.id for hit in (await store.search(Query(("Patient",)))).hits] == ["a", "b"]
    finally:
        await store.close()


async def test_a_group_has_one_number_after_the_other(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules())
    try:
        outcomes = await held_up(store, *(Commit([put("Patient", f"p{n}"), put("Group", f"p{n}")]) for n in range(20)))
        numbers = [written.version.seq for outcome in outcomes for written in outcome]  # type: ignore[attr-defined]
        assert numbers == list(range(1, 41))
    finally:
        await store.close()


async def test_closing_finishes_what_waits_and_refuses_what_comes_later(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules())
    waiting = [asyncio.ensure_future(store.commit(Commit([put("Patient", f"p{n}")]))) for n in range(300)]
    await asyncio.sleep(0)
    await store.close()
    assert all(len(written) == 1 for written in await asyncio.gather(*waiting))
    with pytest.raises(StoreUnavailable):
        await store.commit(Commit([put("Patient", "late")]))


async def test_a_cancelled_request_does_not_stop_the_others(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules())
    try:
        jobs = [asyncio.ensure_future(store.commit(Commit([put("Patient", f"p{n}")]))) for n in range(10)]
        await asyncio.sleep(0)
        jobs[3].cancel()
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 1
        assert sum(isinstance(result, list) for result in results) == 9
    finally:
        await store.close()
