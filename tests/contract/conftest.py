"""The store contract, run against every engine: an engine adds one entry to ENGINES."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from server.store.contract import SearchRules, Store
from server.store.embedded import open_embedded
from server.store.mongo import open_mongo
from tests import mongod
from tests.contract.resources import Clock, HandRules

OpenStore = Callable[..., Awaitable[Store]]
"""open(rules, clock=..., zone=...) -> a store on the place that belongs to this test; again: the same place."""


def embedded(folder: Path) -> OpenStore:
    async def open(rules: SearchRules, *, clock: Callable[[], int], zone: str = "Asia/Bangkok") -> Store:
        return await open_embedded(folder / "store.db", rules, zone=zone, clock=clock)

    return open


def mongo(folder: Path) -> OpenStore:
    url = mongod.fresh_url(mongod.database_of(folder))

    async def open(rules: SearchRules, *, clock: Callable[[], int], zone: str = "Asia/Bangkok") -> Store:
        return await open_mongo(url, rules, zone=zone, clock=clock)

    return open


ENGINES: dict[str, Callable[[Path], OpenStore]] = {"embedded": embedded, "mongo": mongo}
MARKS = {"mongo": pytest.mark.mongo}


@pytest.fixture
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens a store on the same data each time it is called within one test."""
    yield ENGINES[request.param](tmp_path)
    mongod.drop_all(tmp_path)


@pytest.fixture
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens an empty store each time it is called: for tests that draw many examples."""
    numbers = itertools.count()

    async def open(rules: SearchRules, *, clock: Callable[[], int]) -> Store:
        folder = tmp_path / f"new{next(numbers)}"
        folder.mkdir()
        return await ENGINES[request.param](folder)(rules, clock=clock)

    yield open
    mongod.drop_all(tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name in ("open_store", "new_store"):
        if name in metafunc.fixturenames:
            engines = [pytest.param(engine, marks=MARKS.get(engine, ())) for engine in sorted(ENGINES)]
            metafunc.parametrize(name, engines, indirect=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rules() -> HandRules:
    return HandRules()


@pytest.fixture
async def store(open_store: OpenStore, rules: HandRules, clock: Clock) -> AsyncIterator[Store]:
    opened = await open_store(rules, clock=clock)
    yield opened
    await opened.close()
