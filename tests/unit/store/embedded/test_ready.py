"""Which plans are used again, and when they are made anew."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.search.query import Criterion, Match, Missing, Parameter, Query, SortKey, TokenOperand
from server.search.values import Date, Index, Reference, Token
from server.store.contract import Commit
from server.store.embedded import EmbeddedStore, open_embedded
from server.store.embedded.ready import SECONDS, ReadyPlans
from server.store.embedded.rows import DAY
from tests.contract.resources import HandRules, put
from tests.unit.store.embedded.test_plans import CODE, DATE, NEWEST, PATIENT, STATUS, reference, since, token


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    opened = await open_embedded(tmp_path / "s.db", HandRules())
    await opened.commit(Commit([put("Patient", "p1")]))
    for n in range(3):
        await add(opened, f"o{n}", Date(n * DAY, n * DAY + 1000))
    yield opened
    await opened.close()


async def add(store: EmbeddedStore, id: str, date: Date) -> None:
    patient = Reference("Patient", "p1", None, None)
    index: Index = {"code": [Token("s", "a")], "status": [Token("s", "final")], "date": [date], "patient": [patient]}
    await store.commit(Commit([put("Observation", id, index)]))


async def asked(store: EmbeddedStore, query: Query, times: int = 3) -> list[str]:
    for _ in range(times):
        hits = await store.search(query)
    return [hit.version.id for hit in hits.hits]


def kept(store: EmbeddedStore) -> ReadyPlans:
    return store._inline.searcher._ready


KEPT: list[tuple[tuple[Criterion, ...], tuple[SortKey, ...], bool]] = [
    ((token(CODE, "a"),), (), True),
    ((token(CODE, "a"),), NEWEST, True),
    ((reference(PATIENT, "Patient", "p1"), token(CODE, "a")), NEWEST, True),
    ((since(1),), (), True),
    ((token(CODE, "a"), token(STATUS, "final")), (SortKey(Parameter("_lastUpdated", "date")),), True),
    # What could be found later on, or is looked up in some other way:
    ((token(CODE, "never"),), (), False),
    ((Match(CODE, "", (TokenOperand(None, "a", any_system=True),)),), (), False),
    ((reference(PATIENT, "Patient", "absent"),), (), False),
    ((Missing(DATE, missing=True),), (), False),
    ((token(CODE, "a"),), (SortKey(STATUS),), False),
]


@pytest.mark.parametrize(("where", "sort", "expected"), KEPT)
async def test_a_plan_is_kept_if_nothing_that_it_looked_up_can_change(
    store: EmbeddedStore, where: tuple[Criterion, ...], sort: tuple[SortKey, ...], expected: bool
) -> None:
    query = Query(("Observation",), where, sort)
    await asked(store, query)
    assert (kept(store).get(query) is not None) == expected


async def test_only_what_is_asked_again_is_kept(store: EmbeddedStore) -> None:
    query = Query(("Observation",), (token(CODE, "a"),))
    await asked(store, query, times=1)
    assert kept(store).get(query) is None


async def test_what_is_stored_later_is_found_by_the_kept_plan(store: EmbeddedStore) -> None:
    query = Query(("Observation",), (token(CODE, "a"),), NEWEST)
    assert await asked(store, query) == ["o2", "o1", "o0"]
    await add(store, "o3", Date(3 * DAY, 3 * DAY + 1000))
    assert await asked(store, query, times=1) == ["o3", "o2", "o1", "o0"]


async def test_the_first_date_longer_than_a_year_is_found_although_the_plan_did_not_look_for_any(
    store: EmbeddedStore,
) -> None:
    query = Query(("Observation",), (token(CODE, "a"),), NEWEST)
    await asked(store, query)
    await add(store, "long", Date(9 * DAY, 900 * DAY))
    assert await asked(store, query, times=1) == ["long", "o2", "o1", "o0"]


async def test_what_is_stored_later_without_a_date_is_found_behind_the_dated(store: EmbeddedStore) -> None:
    """It may be of another shape than all that was there when the plan was made."""
    query = Query(("Observation",), (), NEWEST, limit=10)
    full = Query(("Observation",), (), NEWEST, limit=2)
    assert await asked(store, query) == ["o2", "o1", "o0"]
    assert await asked(store, full) == ["o2", "o1"]
    await store.commit(Commit([put("Observation", "undated", {"status": [Token("s", "final")]})]))
    assert kept(store).get(query) is not None
    assert await asked(store, query) == ["o2", "o1", "o0", "undated"]
    assert await asked(store, full) == ["o2", "o1"]


async def test_checks_of_one_query_are_not_those_of_the_query_between(store: EmbeddedStore) -> None:
    """A resource with several dates is judged in Python, by a check that the statement names by its number."""
    several: Index = {"code": [Token("s", "a")], "date": [Date(0, 1000), Date(5 * DAY, 5 * DAY + 1000)]}
    await store.commit(Commit([put("Observation", "several", several)]))
    late, early = (Query(("Observation",), (since(day),)) for day in (4, 6))
    assert await asked(store, late) == ["several"]
    assert await asked(store, early) == []
    assert await asked(store, late, times=1) == ["several"]


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_plan_is_made_anew_after_a_while_and_when_numbers_were_forgotten(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, forgotten: bool
) -> None:
    query = Query(("Observation",), (token(CODE, "a"),))
    await asked(store, query)
    plans = kept(store)
    assert plans.get(query) is not None
    if forgotten:
        store._symbols.clear()
    else:
        later = time.monotonic() + SECONDS
        monkeypatch.setattr(plans, "_clock", lambda: later)
    assert plans.get(query) is None
    assert await asked(store, query) == ["o0", "o1", "o2"]
