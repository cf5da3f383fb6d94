"""A MongoDB replica set on this machine for tests and measurements: nodes that can be killed, paused and cut off."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from conformance.bench.processes import free_port
from conformance.network import Network
from server.store.contract import StoreError
from server.store.mongo.driver import connect, failures

START_SECONDS = 60
_PRIMARY = 1
"""State of a member."""

T = TypeVar("T")


@dataclass(slots=True)
class Node:
    mongod: Path
    folder: Path
    port: int
    replica_set: str | None = "rs0"
    more: tuple[str, ...] = ()
    """Further arguments of mongod."""
    network: Network | None = None
    """Through which everybody speaks to it; None: directly."""
    oplog_patience: int = 1
    """Seconds until a member gives up the silent one that it copies from; mongod's own default is 5."""
    pid: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [str(self.mongod), "--dbpath", str(self.folder), "--port", str(self.port)]
        command += ["--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.25", "--nounixsocket", "--oplogSize", "256"]
        command += ["--logpath", str(self.folder / "log"), "--setParameter", "diagnosticDataCollectionEnabled=false"]
        command += ["--setParameter", "minSnapshotHistoryWindowInSeconds=20"]
        command += ["--setParameter", "ttlMonitorEnabled=false", "--setParameter", "enableTestCommands=1"]
        command += ["--setParameter", f"oplogNetworkTimeoutBufferSeconds={self.oplog_patience}"]
        # Else a member that has just come back waits up to a minute for a silent one that it chose to copy from.
        command += ["--setParameter", "oplogInitialFindMaxSeconds=2"]
        # A silent one is not asked a second time before another is chosen.
        command += ["--setParameter", "oplogFetcherSteadyStateMaxFetcherRestarts=0"]
        if self.replica_set:
            command += ["--replSet", self.replica_set]
        command += self.more
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.pid = self.process.pid
        if self.network is not None:
            self.network.owns(self.port, self.pid)

    def detach(self) -> None:
        """Whoever comes last will end it by its process id: this process does not wait for it."""
        if self.process is not None:
            self.process.returncode = 0
            self.process = None

    def kill(self, how: int = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, how)
        if self.process is not None and how == signal.SIGKILL:
            self.process.wait()

    @property
    def address(self) -> str:
        """Where its set and its clients find it."""
        return f"127.0.0.1:{self.network.door(self.port) if self.network is not None else self.port}"

    def ask(self, command: str | dict[str, Any], value: Any = 1, database: str = "admin") -> dict[str, Any]:
        """The answer of this very node to a command. Raises: StoreError."""
        return in_thread(_asked(f"mongodb://127.0.0.1:{self.port}/?directConnection=true", command, value, database))


@dataclass(slots=True)
class ReplicaSet:
    """`size` nodes on this machine."""

    mongod: Path
    folder: Path
    size: int = 1
    election_ms: int = 2000
    durable: bool = True
    """False: the majority acknowledges before it has written to disk. Tests that kill nobody need no more."""
    network: Network | None = None
    oplog_patience: int = 1
    nodes: list[Node] = field(default_factory=list)

    def start(self) -> ReplicaSet:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        for number in range(self.size):
            node = Node(self.mongod, self.folder / f"node{number}", free_port(), network=self.network)
            node.oplog_patience = self.oplog_patience
            node.start()
            self.nodes.append(node)
        members = [{"_id": number, "host": node.address} for number, node in enumerate(self.nodes)]
        settings = {
            "electionTimeoutMillis": self.election_ms,
            "heartbeatIntervalMillis": 500,
            # Whoever is elected has all that a majority has: no need to wait for what a silent member may have besides.
            "catchUpTimeoutMillis": 500,
        }
        config: dict[str, Any] = {"_id": "rs0", "members": members, "settings": settings}
        config["writeConcernMajorityJournalDefault"] = self.durable
        for node in reversed(self.nodes):  # all must answer before the first is told of them
            until(lambda asked=node: asked.ask("ping"))  # type: ignore[misc]
        until(lambda: self.nodes[0].ask("replSetInitiate", config))
        self.wait_for_primary()

    def url(self, database: str = "") -> str:
        hosts = ",".join(node.address for node in self.nodes)
        return f"mongodb://{hosts}/{database}?replicaSet=rs0"

    def primary(self) -> Node:
        """Waits until there is one."""

        def found() -> Node:
            address = in_thread(_primary_of(self.url()))
            return next(node for node in self.nodes if node.address == address)

        return until(found)

    def wait_for_primary(self) -> None:
        self.primary()

    def wait_for_members(self) -> None:
        """Until every member is the primary or follows it."""

        def there() -> None:
            if not all(each["state"] == _PRIMARY or each.get("syncSourceHost") for each in self._members()):
                raise StoreError("a member is not ready")

        until(there)

    def wait_for_all(self) -> None:
        """Until every member has all that the primary has; nobody writes."""
        self.wait_for_members()

        def whole() -> None:
            if len({each["optimeDate"] for each in self._members()}) > 1:
                raise StoreError("a member is behind")

        until(whole)

    def _members(self) -> list[dict[str, Any]]:
        members: list[dict[str, Any]] = self.primary().ask("replSetGetStatus")["members"]
        return members

    def stop(self) -> None:
        for node in self.nodes:
            node.kill(signal.SIGCONT)
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def until(ask: Callable[[], T]) -> T:
    """Asks until it succeeds."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return ask()
        except (StoreError, StopIteration):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Runs it in a loop of its own, wherever the caller is."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _asked(url: str, command: str | dict[str, Any], value: Any, database: str) -> dict[str, Any]:
    client, _ = connect(f"{url}&serverSelectionTimeoutMS=5000")
    try:
        with failures():
            answer = (
                await client[database].command(command, value)
                if isinstance(command, str)
                else await client[database].command(command)
            )
            return dict(answer)
    finally:
        await client.close()


async def _primary_of(url: str) -> str:
    client, _ = connect(f"{url}&serverSelectionTimeoutMS={START_SECONDS * 1000}")
    try:
        with failures():
            await client.admin.command("ping")
            address = await client.address
        return f"{address[0]}:{address[1]}" if address is not None else ""
    finally:
        await client.close()
