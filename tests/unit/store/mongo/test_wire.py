"""How answers of the cluster are waited for: against a cluster behind a proxy that can keep them back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from server.store.contract import StoreUnavailable
from server.store.mongo.driver import Client, connect, failures
from server.store.mongo.wire import wait_directly
from tests import mongod

pytestmark = pytest.mark.mongo


class Proxy:
    """Hands on what clients ask; answers only while they are not kept back."""

    def __init__(self, host: str, port: int) -> None:
        self._there = host, port
        self.answers = asyncio.Event()
        self.answers.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._there)
        self._writers += writer, there_writer
        self._tasks.add(asyncio.create_task(self._hand_on(reader, there_writer, kept=False)))
        self._tasks.add(asyncio.create_task(self._hand_on(there_reader, writer, kept=True)))

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, kept: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if kept:
                    await self.answers.wait()
                writer.write(data)
        writer.close()

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    there = urlsplit(mongod.fresh_url(mongod.database_of(tmp_path)))
    assert there.hostname is not None
    assert there.port is not None
    made = Proxy(there.hostname, there.port)
    yield made
    await made.close()


async def connected(proxy: Proxy, options: str) -> Client:
    """Its monitor asks rarely: what ends a wait is what the test is about."""
    client, _ = connect(
        f"mongodb://127.0.0.1:{await proxy.start()}/?directConnection=true&heartbeatFrequencyMS=60000&{options}"
    )
    await client.admin.command("ping")
    return client


def test_this_version_of_the_driver_is_known() -> None:
    """An upgrade is to look at what wire.py replaces."""
    assert wait_directly()


async def test_an_answer_that_takes_longer_than_the_timeout_of_the_socket_is_not_waited_for(proxy: Proxy) -> None:
    client = await connected(proxy, "socketTimeoutMS=700&retryReads=false")
    proxy.answers.clear()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable), failures():
        await client.admin.command("ping")
    assert 0.6 < time.monotonic() - began < 3
    proxy.answers.set()
    assert (await client.admin.command("ping"))["ok"]
    await client.close()


async def test_an_answer_that_is_not_wanted_any_more_is_not_waited_for(proxy: Proxy) -> None:
    """The pool interrupts what is on its way to a primary that is silent."""
    client = await connected(proxy, "retryReads=false")
    proxy.answers.clear()
    asked = asyncio.create_task(client.admin.command("ping"))
    await asyncio.sleep(0.1)
    for server in client._topology._servers.values():
        await server.pool.reset(interrupt_connections=True)
    with pytest.raises(StoreUnavailable), failures():
        await asyncio.wait_for(asked, 3)
    proxy.answers.set()
    await client.close()


async def test_a_caller_who_goes_leaves_no_answer_behind_for_the_next(proxy: Proxy) -> None:
    client = await connected(proxy, "maxPoolSize=1")
    proxy.answers.clear()
    asked = asyncio.create_task(client.admin.command({"listDatabases": 1}))
    await asyncio.sleep(0.1)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    proxy.answers.set()
    assert set(await client.admin.command("ping")) >= {"ok"}
    assert "databases" not in await client.admin.command("ping")
    await client.close()
